/** What importing the package loads. The time it takes follows from it, and is measured by `npm run bench`: a test must not depend on time. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { moduleGraph } from '../../bench/package/module-graph.js';

const dist = join(import.meta.dirname, '../../dist');
const namesOf = (entry: string) =>
  moduleGraph(join(dist, entry)).files.map((file) => file.slice(dist.length + 1));

describe("import('slurmwire')", () => {
  const { files, bytes, foreign } = moduleGraph(join(dist, 'index.js'));

  test('loads few files, and little text', () => {
    expect(files.length).toBeGreaterThan(10);
    expect(files.length).toBeLessThanOrEqual(40);
    expect(bytes).toBeLessThanOrEqual(135_000);
  });

  test('leaves to connect() what only a client needs', () => {
    const early = files
      .map((file) => file.slice(dist.length + 1))
      .filter((file) =>
        /^(?:protocol\/messages|replay|testing|cli)\/|client|compile|error-meaning/.test(file),
      );
    expect(early).toEqual([]);
    // TLS and what encrypts are a sixth of what importing once took. No package is needed before there is something to send.
    expect(foreign.filter((name) => !name.startsWith('node:'))).toEqual([]);
    expect(foreign).not.toContain('node:tls');
    expect(foreign).not.toContain('node:crypto');
    expect(foreign).not.toContain('node:child_process');
  });
});

test('a client has all it needs of files when connect() resolves, but for koffi', () => {
  // What is loaded later could not be where the root of the file system has changed, or where no file can be opened any more.
  const client = namesOf('rpc/make-client.js');
  for (const file of ['munged-calls', 'munge-library', 'sack-calls', 'munge-failure', 'jwt'])
    expect(client).toContain(`auth/${file}.js`);
  for (const file of ['terminate', 'explain', 'kill-jobs', 'posix-kill', 'fan-out', 'tls-transport'])
    expect(client).toContain(`rpc/${file}.js`);
});
