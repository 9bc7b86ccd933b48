import { describe, expect, it } from 'vitest';
import type { Connection, Transport } from '../../src/protocol/index.js';
import { type RedactedConnection, streamOf } from '../../src/replay/conversation.js';
import { decodeFixture, encodeFixture, type Fixture } from '../../src/replay/fixture.js';
import { play } from '../../src/replay/player.js';
import { Recorder, type RecorderOptions } from '../../src/replay/recorder.js';
import { exchange, type Request } from '../../src/rpc/exchange.js';
import {
  context,
  digestOf,
  fakeAuth,
  fakeMunge,
  killBody,
  latin1,
  okFrame,
  PROVENANCE,
  rejection,
  scripted,
  systemError,
  transportOf,
} from './support.js';

const endpoint = { host: 'head.example.org', port: 6817 };
const request: Request = {
  endpoint,
  release: '22.05',
  name: 'REQUEST_KILL_JOB',
  body: killBody('22.05'),
  flags: 0,
  restrictUid: null,
  repeatable: false,
};
const reply = okFrame('22.05', fakeMunge(2));
const digest = digestOf('22.05', 'RESPONSE_SLURM_RC', Uint8Array.of(0, 0, 0, 0));
const auth = () => fakeAuth([fakeMunge(1), fakeMunge(3)], { uid: 64030, gid: 64031, payload: digest });

/** One exchange through a recorder; what it settles with, and the fixture. */
async function recorded(
  answers: Parameters<typeof scripted>[0],
  options: RecorderOptions = {},
  provenance = PROVENANCE,
) {
  const recorder = new Recorder(provenance, { clientUid: 1000, clientGid: 100, ...options });
  const inner = scripted(answers);
  const setup = {
    transport: recorder.transport(transportOf(() => inner)),
    auth: recorder.auth(auth()),
    trusted: new Set([64030]),
    maxReplyBytes: 1 << 20,
  };
  const result = await exchange(setup, request, context()).catch((error) => error);
  return { fixture: recorder.fixture(), result, inner };
}

const kinds = (fixture: Fixture, index = 0) =>
  fixture.connections[index]?.events.map(
    ({ direction, kind, code }) => `${direction}${kind}${code ? ` ${code}` : ''}`,
  );

describe('the recorder', () => {
  it('records an exchange that plays back to the same result', async () => {
    let now = 1000.4;
    const ticking = () => {
      now += 2.3;
      return now;
    };
    const split = [reply.slice(0, 3), reply.slice(3, 50), reply.slice(50), null];
    const { fixture, result, inner } = await recorded(split, { now: ticking });
    expect(result).toMatchObject({ record: { returnCode: 0 }, authenticated: true });
    expect(kinds(fixture)).toEqual(['>data', '<data', '<data', '<data', '>end']);
    expect(fixture.connections[0]?.events.map(({ at }) => at)).toEqual([2, 5, 7, 9, 11]);
    expect(fixture.connections[0]?.endpoint).toBe('slurmctld');
    expect(fixture.provenance).toEqual(PROVENANCE);

    const text = latin1(encodeFixture(fixture));
    expect(text).not.toContain('AwQDAA');
    expect(text).not.toContain('example.org');
    expect(text).toContain('MUNGE:REDACTED:uid=1000:payload=02');
    expect(text).toContain(':gid=100:');
    // The reply's stands across two chunks, which were split within it.
    const replied = latin1(streamOf(fixture.connections[0] as RedactedConnection, '<'));
    expect(replied).toContain('MUNGE:REDACTED:uid=64030:payload=02e4131d');
    expect(latin1(inner.written[0] as Uint8Array)).toContain(fakeMunge(1)); // the daemon gets the real one

    const player = play(decodeFixture(encodeFixture(fixture)));
    const setup = { ...player, trusted: new Set([64030]), maxReplyBytes: 1 << 20 };
    expect(await exchange(setup, request, context())).toMatchObject({
      record: { returnCode: 0 },
      authenticated: true,
    });
    player.finish();
  });

  it('can be asked in the middle, and again', async () => {
    const recorder = new Recorder(PROVENANCE);
    const connection = await recorder
      .transport(transportOf(() => scripted([reply.slice(0, 60), reply.slice(60)])))
      .connect(endpoint, context());
    expect(recorder.fixture().connections[0]?.events).toEqual([]);
    await connection.read();
    const half = recorder.fixture();
    expect(latin1(encodeFixture(half))).not.toContain('AwQDAA');
    await connection.read();
    expect(kinds(recorder.fixture())).toEqual(['<data', '<data']);
    expect(kinds(half)).toEqual(['<data']);
    expect(latin1(encodeFixture(recorder.fixture()))).not.toContain('AwQDAA');
  });

  it('keeps a copy of bytes that their owner uses again', async () => {
    const recorder = new Recorder(PROVENANCE);
    const shared = Buffer.from('HTTP/1.1 200 OK');
    const connection = await recorder
      .transport(transportOf(() => scripted([shared])))
      .connect(endpoint, context());
    await connection.write(shared);
    await connection.read();
    shared.fill(0);
    for (const event of recorder.fixture().connections[0]?.events ?? []) {
      expect(latin1(event.bytes ?? new Uint8Array(0))).toBe('HTTP/1.1 200 OK');
    }
  });

  it('records how connections end', async () => {
    expect(kinds((await recorded([null])).fixture)).toEqual(['>data', '<end', '>end']);
    expect(kinds((await recorded([systemError('ECONNRESET')])).fixture)).toEqual(['>data', '<reset', '>end']);
    expect(kinds((await recorded([systemError('ETIMEDOUT')])).fixture)).toEqual([
      '>data',
      '<reset ETIMEDOUT',
      '>end',
    ]);

    const broken = new Recorder(PROVENANCE);
    const failing: Connection = {
      write: async () => Promise.reject(systemError('EPIPE')),
      read: async () => null,
      close: () => {},
    };
    const connection = await broken.transport(transportOf(() => failing)).connect(endpoint, context());
    expect(await rejection(connection.write(Uint8Array.of(1)))).toMatchObject({ code: 'EPIPE' });
    await connection.read();
    connection.close();
    connection.close();
    expect(kinds(broken.fixture())).toEqual(['>data', '<reset EPIPE', '>end']);
  });

  it('records refusals in the order of the attempts, and not what the caller gave up', async () => {
    const recorder = new Recorder(PROVENANCE);
    const aborter = new AbortController();
    const errors = [systemError('ECONNREFUSED'), systemError('EHOSTUNREACH'), systemError('ERR_SOMETHING')];
    let attempt = 0;
    const inner: Transport = {
      async connect(_, { signal }) {
        const error = errors[attempt++];
        if (error !== undefined) throw error;
        signal.throwIfAborted();
        return scripted([null]);
      },
    };
    const transport = recorder.transport(inner);
    const to = (port: number, signal?: AbortSignal) =>
      transport.connect({ host: 'h', port }, context(signal));
    expect(await rejection(to(1))).toBe(errors[0]);
    expect(await rejection(to(2))).toBe(errors[1]);
    expect(await rejection(to(3))).toBe(errors[2]);
    aborter.abort(new Error('enough'));
    expect((await rejection(to(3, aborter.signal))).message).toBe('enough');
    await to(1);
    const fixture = recorder.fixture();
    expect(fixture.connections.map((connection) => connection.endpoint)).toEqual([
      'slurmctld',
      'slurmctld-2',
      'slurmctld',
    ]);
    expect(kinds(fixture, 0)).toEqual(['<refused']);
    expect(kinds(fixture, 1)).toEqual(['<refused EHOSTUNREACH']);
    expect(decodeFixture(encodeFixture(fixture))).toEqual(fixture);
  });

  it('takes roles from the caller, but no addresses', async () => {
    const named = new Recorder(PROVENANCE, {
      label: ({ port }) => (port === 1 ? 'slurmd-n1' : '10.0.0.1:6818'),
    });
    const transport = named.transport(transportOf(() => scripted([])));
    await transport.connect({ host: 'h', port: 1 }, context());
    expect(named.fixture().connections[0]?.endpoint).toBe('slurmd-n1');
    expect(await rejection(transport.connect({ host: 'h', port: 2 }, context()))).toMatchObject({
      code: 'SLURMWIRE_BAD_FIXTURE',
    });
  });

  it('refuses a provenance that could not be written', async () => {
    const bad = { ...PROVENANCE, client: `scancel ${fakeMunge()}` };
    expect(await rejection(() => new Recorder(bad))).toMatchObject({ code: 'SLURMWIRE_LIVE_SECRET' });
    expect(await rejection(() => new Recorder({ ...PROVENANCE, recordedAt: 'now' }))).toMatchObject({
      code: 'SLURMWIRE_BAD_FIXTURE',
    });
  });

  it('keeps a digest that was wrong: the replay fails as the call did', async () => {
    const recorder = new Recorder(PROVENANCE, { clientUid: 1000 });
    const wrong = fakeAuth([fakeMunge(1)], { uid: 64030, gid: 64030, payload: Uint8Array.of(1, 2, 3) });
    const live = {
      transport: recorder.transport(transportOf(() => scripted([reply]))),
      auth: recorder.auth(wrong),
    };
    const rest = { trusted: null, maxReplyBytes: 1 << 20 };
    const first = await rejection(exchange({ ...live, ...rest }, request, context()));
    const second = await rejection(exchange({ ...play(recorder.fixture()), ...rest }, request, context()));
    expect(second.message).toBe(first.message);
    expect(second).toMatchObject({ name: 'SlurmAuthError', outcome: 'unknown' });
  });
});
