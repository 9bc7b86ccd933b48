/** docs/clients.md says what Slurm's own clients ask: held against the recordings of each release. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { isOwnCall, RECORDED_RELEASES, recorded, recordedNames, releasesOf, sentFrames } from './support.js';

const page = readFileSync(new URL('../../docs/clients.md', import.meta.url), 'utf8');
const rows = page
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .filter(([, command]) => command?.startsWith('`'))
  .map(([, command = '', requests = '', releases = '', name = '']) => ({
    command,
    requests: requests.split(', '),
    releases: releases === 'all' ? [...RECORDED_RELEASES] : releases.split(', '),
    name,
  }));

describe('docs/clients.md', () => {
  test.each(rows)('$command of $releases', async ({ requests, releases, name }) => {
    for (const release of releasesOf(name).filter((one) => releases.includes(one))) {
      const sent = sentFrames(await recorded(name, release));
      expect(new Set(sent.map((frame) => frame.release))).toEqual(new Set([release]));
      const asked = [...new Set(sent.map(({ messageName }) => messageName?.replace('REQUEST_', '')))];
      expect([release, ...asked]).toEqual([release, ...requests]);
    }
  });

  test.each(RECORDED_RELEASES)('has a line for each recorded command of %s, once', async (release) => {
    const commands: string[] = [];
    for (const name of recordedNames(release)) {
      const fixture = await recorded(name, release);
      if (!isOwnCall(fixture) && !fixture.provenance.client.startsWith('libslurm ')) commands.push(name);
    }
    const listed = rows.filter(({ releases }) => releases.includes(release)).map(({ name }) => name);
    expect(listed.sort()).toEqual(commands.sort());
  });
});
