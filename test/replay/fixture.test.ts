import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decode, encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isSlurmError, RELEASE_NAMES } from '../../src/protocol/index.js';
import type { RedactedConnection } from '../../src/replay/conversation.js';
import {
  decodeFixture,
  encodeFixture,
  type Fixture,
  liveSecretsIn,
  MAX_FIXTURE_BYTES,
  readFixture,
  writeFixture,
} from '../../src/replay/fixture.js';
import { withoutBigAllocations } from '../support/codec.js';
import { data, fakeJwt, fakeMunge, fixtureOf, killFixture, killFrame, munge, rejection } from './support.js';

const short = fixtureOf(
  [
    {
      endpoint: 'slurmd-2',
      events: [
        data('>', killFrame('24.11', { plugin: 'auth/slurm', token: 'short' }), 1),
        { direction: '<', at: 7, kind: 'reset', code: 'ETIMEDOUT' },
      ],
    },
    { endpoint: 'slurmd', events: [{ direction: '<', at: 9, kind: 'refused' }] },
    { endpoint: 'slurmd', events: [] },
  ],
  { clientUid: 1000 },
);

describe('fixtures', () => {
  it('encode and decode to the same, always in the same bytes', () => {
    for (const fixture of [...RELEASE_NAMES.map((release) => killFixture(release)), short]) {
      const bytes = encodeFixture(fixture);
      const decoded = decodeFixture(bytes);
      expect(decoded).toEqual(fixture);
      expect(encodeFixture(decoded)).toEqual(bytes);
      // Whatever the order of the keys in memory.
      const { connections, provenance, version, format } = decoded;
      const { note, slurm, ...rest } = provenance;
      const shuffled = { connections, provenance: { note, ...rest, slurm }, version, format };
      expect(encodeFixture(shuffled)).toEqual(bytes);
    }
    expect(short.connections[0]?.credentials).toMatchObject([
      { direction: '>', frame: 0, uid: 1000, gid: null },
    ]);
  });

  it('share no memory with what they were decoded from', () => {
    const bytes = encodeFixture(killFixture('22.05'));
    const fixture = decodeFixture(bytes);
    bytes.fill(0);
    expect(fixture).toEqual(killFixture('22.05'));
  });

  it('are refused with a live secret, wherever it is, and the error does not tell it', async () => {
    const secret = fakeMunge(3);
    const frame = killFrame('22.05', munge(secret));
    const good = killFixture('22.05');
    const tainted = (events: unknown[]): Fixture => ({
      ...good,
      connections: [{ endpoint: 'slurmctld', events, credentials: [] } as unknown as RedactedConnection],
    });
    const cases: Fixture[] = [
      tainted([data('>', frame)]),
      tainted([...frame].map((byte) => data('>', Uint8Array.of(byte)))),
      tainted([data('<', Buffer.from(`HTTP/1.1 200 ${fakeJwt()}`))]),
      { ...good, provenance: { ...good.provenance, client: `SLURM_JWT=${fakeJwt()} scancel 1` } },
      { ...good, provenance: { ...good.provenance, note: secret } },
    ];
    for (const fixture of cases) {
      expect(liveSecretsIn(fixture)).not.toEqual([]);
      const error = await rejection(() => encodeFixture(fixture));
      expect(error).toMatchObject({ name: 'SlurmProtocolError', code: 'SLURMWIRE_LIVE_SECRET' });
      expect(`${error.stack} ${JSON.stringify(error)}`).not.toContain('AwQDAA');
      expect(await rejection(() => decodeFixture(encode(fixture)))).toMatchObject({
        code: 'SLURMWIRE_LIVE_SECRET',
      });
    }
  });
});

describe('hostile fixtures', () => {
  const bytes = encodeFixture(killFixture('22.05'));

  function refusal(hostile: Uint8Array): string | null {
    try {
      withoutBigAllocations(1_000_000, () => decodeFixture(hostile));
      return null;
    } catch (error) {
      if (isSlurmError(error)) return error.code;
      throw error;
    }
  }

  it('are refused cut at every byte, and with bytes behind', () => {
    for (let cut = 0; cut < bytes.length; cut++)
      expect(refusal(bytes.subarray(0, cut))).toBe('SLURMWIRE_BAD_FIXTURE');
    expect(refusal(Buffer.concat([bytes, Buffer.of(0xc0)]))).toBe('SLURMWIRE_BAD_FIXTURE');
  });

  it('never throw anything else: every byte changed', () => {
    for (let at = 0; at < bytes.length; at++) {
      for (const value of [
        0,
        0x7f,
        0x81,
        0x9f,
        0xc1,
        0xc6,
        0xc7,
        0xd9,
        0xdb,
        0xdd,
        0xdf,
        0xff,
        (bytes[at] as number) ^ 1,
      ]) {
        const changed = bytes.slice();
        changed[at] = value;
        const code = refusal(changed);
        expect([null, 'SLURMWIRE_BAD_FIXTURE', 'SLURMWIRE_LIVE_SECRET']).toContain(code);
      }
    }
  });

  it('never throw anything else: random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (random) => {
        expect(refusal(random)).toBe('SLURMWIRE_BAD_FIXTURE');
      }),
      { numRuns: 3000 },
    );
  });

  it('cannot announce more than they have, nor nest without end', () => {
    for (const hex of [
      'ddffffffff', // an array of 4294967295
      'dfffffffff',
      'c6ffffffff',
      'dbffffffff',
      `${'91'.repeat(100_000)}c0`,
      `${'dd00010000'.repeat(20_000)}`,
      '81a95f5f70726f746f5f5fc0', // __proto__
      'c70100ff', // extension
      '82a166c0a166c0',
    ]) {
      expect(refusal(Buffer.from(hex, 'hex'))).toBe('SLURMWIRE_BAD_FIXTURE');
    }
    expect(refusal(new Uint8Array(MAX_FIXTURE_BYTES + 1))).toBe('SLURMWIRE_BAD_FIXTURE');
  });

  it('name the field that is wrong', async () => {
    type Loose = Record<string, unknown> & {
      provenance: Record<string, unknown>;
      connections: Record<string, unknown>[];
    };
    const event = (fixture: Loose) =>
      (fixture.connections as { events: Record<string, unknown>[] }[])[0]?.events[0] ?? {};
    const cases: [string, (fixture: Loose) => void][] = [
      ['format', (f) => Object.assign(f, { format: 'pcap' })],
      ['version', (f) => Object.assign(f, { version: 2 })],
      ['provenance/daemon', (f) => Object.assign(f.provenance, { daemon: 'slurmdbd' })],
      ['provenance/recordedAt', (f) => Object.assign(f.provenance, { recordedAt: 'yesterday' })],
      ['provenance/recordedAt', (f) => Object.assign(f.provenance, { recordedAt: '2026-99-22T10:00:00Z' })],
      ['provenance/note', (f) => delete f.provenance.note],
      ['provenance/slurm', (f) => Object.assign(f.provenance, { slurm: 22 })],
      ['connections', (f) => Object.assign(f, { connections: {} })],
      ['connections/0/endpoint', (f) => Object.assign(f.connections[0] ?? {}, { endpoint: '10.0.0.1:6817' })],
      [
        'connections/0/endpoint',
        (f) => Object.assign(f.connections[0] ?? {}, { endpoint: 'head.example.org' }),
      ],
      ['connections/0', (f) => Object.assign(f.connections[0] ?? {}, { host: 'x' })],
      ['connections/0/events/0/direction', (f) => Object.assign(event(f), { direction: '-' })],
      ['connections/0/events/0/at', (f) => Object.assign(event(f), { at: -1 })],
      ['connections/0/events/0/at', (f) => Object.assign(event(f), { at: 1.5 })],
      ['connections/0/events/0/kind', (f) => Object.assign(event(f), { kind: 'fin' })],
      ['connections/0/events/0/bytes', (f) => Object.assign(event(f), { bytes: 'text' })],
      ['connections/0/events/0/bytes', (f) => Object.assign(event(f), { bytes: new Uint8Array(0) })],
      ['connections/0/events/0/bytes', (f) => Object.assign(event(f), { kind: 'end' })],
      ['connections/0/events/0/code', (f) => Object.assign(event(f), { code: 'ECONNRESET' })],
      ['connections/0/credentials', (f) => delete f.connections[0]?.credentials],
    ];
    for (const [fieldPath, spoil] of cases) {
      const value = decode(bytes) as Loose;
      spoil(value);
      expect(await rejection(() => decodeFixture(encode(value)))).toMatchObject({
        code: 'SLURMWIRE_BAD_FIXTURE',
        fieldPath,
      });
    }
  });
});

describe('fixture files', () => {
  let directory = '';
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'slurmwire-replay-'));
  });
  afterAll(() => rm(directory, { recursive: true }));

  it('are written whole or not at all, and read back', async () => {
    const path = join(directory, 'kill.msgpack');
    const fixture = killFixture('22.05');
    await writeFixture(path, fixture);
    await writeFixture(path, fixture);
    expect(await readFixture(path)).toEqual(fixture);
    expect(new Uint8Array(await readFile(path))).toEqual(encodeFixture(fixture));

    const tainted = { ...fixture, provenance: { ...fixture.provenance, note: fakeMunge() } };
    expect(await rejection(writeFixture(path, tainted))).toMatchObject({ code: 'SLURMWIRE_LIVE_SECRET' });
    expect(await readFixture(path)).toEqual(fixture);
    expect(await rejection(writeFixture(directory, fixture))).toMatchObject({ code: 'EISDIR' });
    expect(await readdir(directory)).toEqual(['kill.msgpack']);
  });

  it('are refused when they are none', async () => {
    const path = join(directory, 'other');
    await writeFile(path, 'text');
    expect(await rejection(readFixture(path))).toMatchObject({ code: 'SLURMWIRE_BAD_FIXTURE' });
    expect(await rejection(readFixture(directory))).toMatchObject({ code: 'SLURMWIRE_BAD_FIXTURE' });
    expect(await rejection(readFixture('/dev/zero'))).toMatchObject({ code: 'SLURMWIRE_BAD_FIXTURE' });
    expect(await rejection(readFixture(join(directory, 'none')))).toMatchObject({ code: 'ENOENT' });
  });
});
