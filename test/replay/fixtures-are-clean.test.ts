/** No file under fixtures/ holds a credential or token that may still work, in whatever notation the file has its bytes. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { decode } from '@msgpack/msgpack';
import { describe, expect, it } from 'vitest';
import { streamOf } from '../../src/replay/conversation.js';
import { decodeFixture, encodeFixture } from '../../src/replay/fixture.js';
import { findLiveSecrets } from '../../src/replay/secrets.js';
import { fakeJwt, fakeMunge, killFixture, killFrame, munge } from './support.js';

const root = new URL('../../fixtures/', import.meta.url).pathname;

/** The bytes of a file, and the bytes that are written in it in another notation. */
function* layersOf(bytes: Uint8Array): Generator<Uint8Array> {
  yield bytes;
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    yield* layersOf(gunzipSync(bytes));
    return;
  }
  const text = Buffer.from(bytes).toString('latin1');
  for (const [run] of text.matchAll(/(?:[0-9a-f]{2}){16,}/gi)) yield Buffer.from(run, 'hex');
  for (const [run] of text.matchAll(/[A-Za-z0-9+/]{24,}={0,2}/g)) yield Buffer.from(run, 'base64');
  const value = msgpack(bytes);
  if (value === undefined) return;
  const isFixture = typeof value === 'object' && value !== null && 'connections' in value;
  if (!isFixture) return yield* stringsOf(value);
  // Chunks may cut a credential in two: the joined bytes of each direction count.
  for (const connection of decodeFixture(bytes).connections) {
    yield streamOf(connection, '>');
    yield streamOf(connection, '<');
  }
  yield* stringsOf(value);
}

function* stringsOf(value: unknown): Generator<Uint8Array> {
  if (value instanceof Uint8Array) yield value;
  else if (typeof value === 'string') yield Buffer.from(value);
  else if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) yield* stringsOf(inner);
  }
}

function msgpack(bytes: Uint8Array): unknown {
  try {
    return decode(bytes, { maxArrayLength: 1e6, maxMapLength: 1e6 });
  } catch {
    return undefined;
  }
}

/**
 * Net credentials inside recorded replies of 24.11.5 and 26.05.5, whose munge keys were thrown away with their clusters
 * (fixtures/golden/README.md). Each is listed by the start of its SHA-256, so that no other one is let through with them.
 */
const DEAD = new Set([
  'd4b6d1d6ec3ffcd9',
  'e9d8622cd7b84749',
  '134cfdf15f9ef9c9',
  '16a203ee3fcad320',
  '0c07a9f600b01af3',
  '9479a00b0d9fae4a',
  '24d06cadc0dfd5ae',
  '5f3b11278e60c34a',
  '0a1279949549ba58',
  'ffd992e756652c85',
  'fba09da8084de4d7',
  'fea2b44e304de53c',
  'aa1ed4b64a6daa7a',
  '3c243037793b568c',
  'adf7430a8679589c',
  '1ea95c62c5da62c2',
  'df28c6eae281592a',
  'c2100c55b3c738dc',
  '8d7090ac6a315f22',
]);

const secretsIn = (bytes: Uint8Array) =>
  [...layersOf(bytes)].flatMap((layer) =>
    findLiveSecrets(layer).filter(({ offset }) => !isDead(layer, offset)),
  );

function isDead(bytes: Uint8Array, offset: number): boolean {
  const text = Buffer.from(bytes.subarray(offset, offset + 4096)).toString('latin1');
  const [credential = ''] = /^MUNGE:[A-Za-z0-9+/=]+:/.exec(text) ?? [];
  return DEAD.has(createHash('sha256').update(credential).digest('hex').slice(0, 16));
}

describe('the scanner', () => {
  it('finds a live credential in every notation that fixtures have', () => {
    for (const secret of [fakeMunge(1), fakeJwt(1)]) {
      const frame = Buffer.from(killFrame('22.05', munge(secret)));
      const line = `${JSON.stringify({ hex: frame.toString('hex') })}\n`;
      const samples = [
        frame,
        gzipSync(frame),
        Buffer.from(line),
        gzipSync(Buffer.from(line)),
        Buffer.from(JSON.stringify({ base64: frame.toString('base64') })),
        Buffer.from(`# README\n\n\`${secret}\`\n`),
      ];
      for (const sample of samples) expect(secretsIn(sample).length).toBeGreaterThan(0);
    }
  });

  it('does not take redacted ones for live', () => {
    for (const release of ['20.11', '22.05', '26.11'] as const) {
      expect(secretsIn(encodeFixture(killFixture(release)))).toEqual([]);
    }
  });
});

describe('fixtures/', () => {
  const files = readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

  it('has files', () => expect(files.length).toBeGreaterThan(5));

  it.each(files.map((path) => [path.slice(root.length), path]))('%s holds no live credential', (_, path) => {
    expect(secretsIn(readFileSync(path))).toEqual([]);
  });
});
