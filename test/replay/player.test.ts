import { describe, expect, it } from 'vitest';
import { decodeFrame, encodeFrame, RELEASE_NAMES, type Release } from '../../src/protocol/index.js';
import { annotate, dissect } from '../../src/replay/annotate.js';
import { streamOf } from '../../src/replay/conversation.js';
import { decodeFixture, encodeFixture, type Fixture } from '../../src/replay/fixture.js';
import { type PlayOptions, play } from '../../src/replay/player.js';
import { type ExchangeSetup, exchange, type Request } from '../../src/rpc/exchange.js';
import type { Reply } from '../../src/rpc/reply.js';
import {
  context,
  data,
  digestOf,
  fakeMunge,
  fixtureOf,
  killBody,
  killFixture,
  killFrame,
  munge,
  okFrame,
  rejection,
  UIDS,
} from './support.js';

const endpoint = { host: 'ctl', port: 6817 };

function request(release: Release, signal = 15): Request {
  return {
    endpoint,
    release,
    name: 'REQUEST_KILL_JOB',
    body: killBody(release, signal),
    flags: 0,
    restrictUid: null,
    repeatable: false,
  };
}

async function run(fixture: Fixture, options: PlayOptions, ...requests: Request[]): Promise<Reply[]> {
  const { transport, auth, finish } = play(fixture, options);
  const setup: ExchangeSetup = { transport, auth, trusted: new Set([0, 64030]), maxReplyBytes: 1 << 20 };
  const replies: Reply[] = [];
  for (const one of requests) replies.push(await exchange(setup, one, context()));
  finish();
  return replies;
}

const requestBytes = (fixture: Fixture, index = 0) => {
  const connection = fixture.connections[index];
  if (connection === undefined) throw new Error('no such connection');
  return streamOf(connection, '>');
};

describe('a whole exchange', () => {
  it.each(RELEASE_NAMES)('plays in %s, byte for byte, at every split', async (release) => {
    const fixture = decodeFixture(encodeFixture(killFixture(release, 2017)));
    for (const split of ['recorded', 'whole', 1, 2, 3, 7, 1000] as const) {
      const [reply] = await run(fixture, { split }, request(release));
      expect(reply).toMatchObject({
        name: 'RESPONSE_SLURM_RC',
        record: { returnCode: 2017 },
        protocol: release,
      });
      expect(reply?.authenticated).toBe(['20.11', '21.08', '22.05'].includes(release));
    }
  });

  it('plays chunks as they were recorded', async () => {
    const reply = okFrame('22.05', fakeMunge(2));
    const cuts = [0, 1, 4, 30, reply.length];
    const chunks = cuts.slice(1).map((end, i) => data('<', reply.slice(cuts[i], end)));
    const fixture = fixtureOf(
      [{ endpoint: 'slurmctld', events: [data('>', killFrame('22.05', munge(fakeMunge(1)))), ...chunks] }],
      UIDS,
    );
    const lengths = async (split: PlayOptions['split']) => {
      const connection = await play(fixture, { split }).transport.connect(endpoint, context());
      await connection.write(requestBytes(fixture));
      const seen: number[] = [];
      for (let left = reply.length; left > 0; left -= seen.at(-1) ?? left)
        seen.push((await connection.read())?.length ?? 0);
      return seen;
    };
    expect(await lengths('recorded')).toEqual([1, 3, 26, reply.length - 30]);
    expect(await lengths('whole')).toEqual([reply.length]);
    expect(await lengths(100)).toEqual([
      ...Array(Math.floor(reply.length / 100)).fill(100),
      reply.length % 100,
    ]);
  });

  it('replays closes, resets and refusals', async () => {
    const frame = data('>', killFrame('22.05', munge(fakeMunge(1))));
    const reply = okFrame('22.05', fakeMunge(2));
    const outcome = async (events: Parameters<typeof fixtureOf>[0][number]['events']) =>
      rejection(run(fixtureOf([{ endpoint: 'slurmctld', events }], UIDS), {}, request('22.05')));
    expect(await outcome([frame, { direction: '<', at: 0, kind: 'end' }])).toMatchObject({
      code: 'SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT',
      errno: 'EPIPE',
      outcome: 'unknown',
    });
    expect(await outcome([frame, { direction: '<', at: 0, kind: 'reset' }])).toMatchObject({
      code: 'SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT',
      errno: 'ECONNRESET',
    });
    expect(
      await outcome([frame, data('<', reply.slice(0, 40)), { direction: '<', at: 0, kind: 'reset' }]),
    ).toMatchObject({
      code: 'SLURM_COMMUNICATIONS_RECEIVE_ERROR',
    });
    expect(await outcome([{ direction: '<', at: 0, kind: 'refused' }])).toMatchObject({
      code: 'SLURM_COMMUNICATIONS_CONNECTION_ERROR',
      errno: 'ECONNREFUSED',
      outcome: 'not-sent',
    });
    expect(await outcome([{ direction: '<', at: 0, kind: 'refused', code: 'ETIMEDOUT' }])).toMatchObject({
      errno: 'ETIMEDOUT',
    });
    // A daemon that hung up before it got anything.
    expect(await outcome([{ direction: '<', at: 0, kind: 'reset' }])).toMatchObject({ errno: 'ECONNRESET' });
  });

  it('goes on to the next connection after a refusal', async () => {
    const [kill] = killFixture('22.05').connections;
    const [refused] = fixtureOf([
      { endpoint: 'slurmctld-2', events: [{ direction: '<', at: 0, kind: 'refused' }] },
    ]).connections;
    if (kill === undefined || refused === undefined) throw new Error('no connections');
    const fixture = { ...killFixture('22.05'), connections: [refused, kill] };
    const { transport, auth, finish } = play(fixture);
    const setup = { transport, auth, trusted: null, maxReplyBytes: 1 << 20 };
    const other = { ...request('22.05'), endpoint: { host: 'standby', port: 6817 } };
    expect(await rejection(exchange(setup, other, context()))).toMatchObject({ errno: 'ECONNREFUSED' });
    expect(await exchange(setup, request('22.05'), context())).toMatchObject({ record: { returnCode: 0 } });
    finish();
    // The roles do not change their host in between.
    const swapped = play({ ...fixture, connections: [kill, refused] });
    await swapped.transport.connect(endpoint, context());
    expect(await rejection(swapped.transport.connect(endpoint, context()))).toMatchObject({
      code: 'SLURMWIRE_REPLAY_MISMATCH',
    });
  });

  it('knows a credential whose text was too short for it', async () => {
    const body = killBody('24.11');
    const auth = { plugin: 'auth/slurm', token: 'tiny' } as const;
    const frame = encodeFrame({ release: '24.11', messageName: 'REQUEST_KILL_JOB', auth, body });
    const fixture = fixtureOf(
      [{ endpoint: 'slurmctld', events: [data('>', frame), data('<', okFrame('24.11', ''))] }],
      UIDS,
    );
    await run(fixture, {}, request('24.11'));
    expect(await rejection(run(fixture, {}, request('24.11', 9)))).toMatchObject({
      fieldPath: 'body/signal',
    });
  });
});

describe('what is not as recorded', () => {
  const fixture = killFixture('22.05');
  const bytes = requestBytes(fixture);

  it('is found and named at every byte of the request', async () => {
    const fields = dissect(bytes).fields;
    const seen = new Set<string>();
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.slice();
      changed[at] = (changed[at] as number) ^ 0x41;
      for (const pieces of [[changed], [...changed].map((byte) => Uint8Array.of(byte))]) {
        const { transport, finish } = play(fixture);
        const connection = await transport.connect(endpoint, context());
        const error = await rejection(async () => {
          for (const piece of pieces) await connection.write(piece);
        });
        const path = fields.find(({ start, end }) => at >= start && at < end)?.path;
        expect(error).toMatchObject({
          code: 'SLURMWIRE_REPLAY_MISMATCH',
          offset: at,
          fieldPath: path,
          connection: 0,
        });
        expect(error.message).toContain(`byte ${at}, in field ${path} of REQUEST_KILL_JOB (22.05)`);
        // From then on the connection fails, and `finish` tells it again.
        expect(await rejection(connection.read())).toBe(error);
        expect(await rejection(finish)).toBe(error);
        seen.add(error.fieldPath as string);
      }
    }
    expect([...seen]).toEqual([
      'length',
      'header/version',
      'header/flags',
      'header/msgType',
      'header/bodyLength',
      'header/forward/cnt',
      'header/returnList (count)',
      'header/origAddr',
      'auth/pluginId',
      'auth/credential',
      'body/stepId/jobId',
      'body/stepId/stepId',
      'body/stepId/stepHetComp',
      'body/sjobId',
      'body/sibling',
      'body/signal',
      'body/flags',
    ]);
  });

  it('shows both sides with their values', async () => {
    const error = await rejection(run(fixture, {}, request('22.05', 9)));
    expect(error).toMatchObject({
      name: 'ReplayMismatchError',
      code: 'SLURMWIRE_REPLAY_MISMATCH',
      fieldPath: 'body/signal',
    });
    expect(error.message.split('\n')).toEqual([
      expect.stringMatching(
        /^connection 0 to slurmctld: the request differs .* in field body\/signal of REQUEST_KILL_JOB \(22\.05\)\.$/,
      ),
      expect.stringMatching(
        /^ {2}recorded {2}byte \d+: 32 00 00 00 00 00 00 \[0f\] 00 00 {3}body\/signal = 15 0xf$|\[0f\].*body\/signal = 15/,
      ),
      expect.stringMatching(/\[09\].*body\/signal = 9$/),
    ]);
  });

  it('fails on a digest that does not fit, though the bytes do', async () => {
    const { transport, auth, finish } = play(fixture);
    const section = await auth.create(
      digestOf('22.05', 'REQUEST_KILL_JOB', killBody('22.05', 9)),
      null,
      context(),
    );
    expect(section).toEqual(decodeFrame(bytes).auth);
    const connection = await transport.connect(endpoint, context());
    const error = await rejection(connection.write(bytes));
    expect(error).toMatchObject({ code: 'SLURMWIRE_REPLAY_MISMATCH', fieldPath: 'auth' });
    expect(await rejection(finish)).toBe(error);

    const unsent = play(fixture);
    await unsent.auth.create(Uint8Array.of(1, 2, 3), null, context());
    expect(await rejection(unsent.finish)).toMatchObject({ fieldPath: 'auth' });
  });

  it('does not show a live credential that a client wrote', async () => {
    const secret = fakeMunge(77);
    for (const frame of [killFrame('22.05', munge(secret)), killFrame('22.05', munge(secret), 9)]) {
      for (let cut = 1; cut <= frame.length; cut += 5) {
        const connection = await play(fixture).transport.connect(endpoint, context());
        const error = await rejection(async () => {
          await connection.write(frame.slice(0, cut));
          await connection.write(frame.slice(cut));
        });
        const told = `${error.stack} ${JSON.stringify(error)} ${error.message.replaceAll(' ', '')}`;
        expect(told).not.toContain('AwQDAA');
        expect(told).not.toContain(Buffer.from(secret.slice(6, 12)).toString('hex'));
      }
    }
  });

  it('falls back to bytes where nothing can be decoded', async () => {
    const garbage = fixtureOf([
      { endpoint: 'slurmctld', events: [data('>', Buffer.from('GET / HTTP/1.1\r\n'))] },
    ]);
    const connection = await play(garbage).transport.connect(endpoint, context());
    const error = await rejection(connection.write(Buffer.from('GET / HTTP/1.0\r\n')));
    expect(error).toMatchObject({ code: 'SLURMWIRE_REPLAY_MISMATCH', offset: 13 });
    expect(error.message).toContain('[31]');
    expect(error.message).toContain('[30]');
  });

  it('is too much or too little', async () => {
    const more = play(fixture);
    const connection = await more.transport.connect(endpoint, context());
    await connection.write(bytes);
    expect(await rejection(connection.write(Uint8Array.of(1, 2)))).toMatchObject({
      code: 'SLURMWIRE_REPLAY_MISMATCH',
      message: expect.stringContaining('2 bytes more'),
    });

    const less = play(fixture);
    const cut = await less.transport.connect(endpoint, context());
    await cut.write(bytes.slice(0, -1));
    expect((await rejection(less.finish)).message).toContain('1 request bytes');

    const none = play(fixture);
    expect((await rejection(none.finish)).message).toContain(
      'the recording has 1 connections, the client opened 0',
    );
    const twice = play(fixture);
    await twice.transport.connect(endpoint, context());
    const second = await rejection(twice.transport.connect(endpoint, context()));
    expect(second.message).toContain('connects a 2. time');
    expect(await rejection(twice.finish)).toBe(second);

    const credentials = play(fixture);
    const digest = digestOf('22.05', 'REQUEST_KILL_JOB', killBody('22.05'));
    await credentials.auth.create(digest, null, context());
    expect(await rejection(credentials.auth.create(digest, null, context()))).toMatchObject({
      code: 'SLURMWIRE_REPLAY_MISMATCH',
    });
    expect(await rejection(play(fixture).auth.verify(munge('MUNGE:other:'), context()))).toMatchObject({
      code: 'SLURMWIRE_REPLAY_MISMATCH',
    });
  });

  it('includes a reply read beyond the end of the recording', async () => {
    const events = [data('>', killFrame('22.05', munge(fakeMunge(1))))];
    const open = play(fixtureOf([{ endpoint: 'slurmctld', events }], UIDS));
    const connection = await open.transport.connect(endpoint, context());
    await connection.write(requestBytes(fixtureOf([{ endpoint: 'slurmctld', events }], UIDS)));
    expect((await rejection(connection.read())).message).toContain('the recording ends here');
  });

  it('refuses options that make no sense', async () => {
    for (const options of [
      { split: 0 },
      { split: 1.5 },
      { speed: 0 },
      { speed: Number.NaN },
      { serverUid: -1 },
    ]) {
      expect(await rejection(() => play(fixture, options))).toMatchObject({ name: 'SlurmUsageError' });
    }
  });
});

describe('credentials of replies', () => {
  const events = [
    data('>', killFrame('22.05', munge(fakeMunge(1)))),
    data('<', okFrame('22.05', fakeMunge(2))),
  ];

  it('are those recorded: uid, gid, payload', async () => {
    const wrong = new Uint8Array(33).fill(3);
    const known = (text: string) =>
      text === fakeMunge(2) ? { uid: 64030, gid: 6, payload: wrong } : undefined;
    const fixture = fixtureOf([{ endpoint: 'slurmctld', events }], { known });
    const error = await rejection(run(fixture, {}, request('22.05')));
    expect(error).toMatchObject({
      name: 'SlurmAuthError',
      message: expect.stringContaining('another message'),
    });
  });

  it('need a uid: from the recording or from the player', async () => {
    const fixture = fixtureOf([{ endpoint: 'slurmctld', events }]);
    expect(await rejection(run(fixture, {}, request('22.05')))).toMatchObject({
      name: 'SlurmAuthError',
      reason: 'not-recorded',
    });
    const [reply] = await run(fixture, { serverUid: 64030 }, request('22.05'));
    expect(reply?.authenticated).toBe(true);
    expect((await rejection(run(fixture, { serverUid: 4 }, request('22.05')))).message).toContain('uid 4');
  });
});

describe('waiting', () => {
  const silent = fixtureOf(
    [
      {
        endpoint: 'slurmctld',
        events: [data('>', killFrame('22.05', munge(fakeMunge(1)))), { direction: '>', at: 9, kind: 'end' }],
      },
    ],
    UIDS,
  );

  it('for a silent daemon ends with the signal or the close', async () => {
    const aborter = new AbortController();
    const connection = await play(silent).transport.connect(endpoint, context(aborter.signal));
    await connection.write(requestBytes(silent));
    const reading = rejection(connection.read());
    aborter.abort(new Error('enough'));
    expect((await reading).message).toBe('enough');

    const closed = await play(silent).transport.connect(endpoint, context());
    const pending = rejection(closed.read());
    closed.close();
    closed.close();
    expect(await pending).toMatchObject({ code: 'ECONNABORTED' });
    expect(await rejection(closed.write(Uint8Array.of(0)))).toMatchObject({ code: 'ECONNABORTED' });
  });

  it('for the request to be whole before its answer is given out', async () => {
    const fixture = killFixture('22.05');
    const bytes = requestBytes(fixture);
    const connection = await play(fixture).transport.connect(endpoint, context());
    let answered = false;
    const reading = connection.read().then((chunk) => {
      answered = true;
      return chunk;
    });
    await connection.write(bytes.slice(0, -1));
    await new Promise((resolve) => setImmediate(resolve));
    expect(answered).toBe(false);
    await connection.write(bytes.slice(-1));
    expect((await reading)?.length).toBeGreaterThan(100);
    expect(await connection.read()).toBeNull();
    expect(await connection.read()).toBeNull();
  });

  it('honours a signal that has fired already', async () => {
    const signal = AbortSignal.abort(new Error('over'));
    const { transport, auth } = play(killFixture('22.05'));
    expect((await rejection(transport.connect(endpoint, context(signal)))).message).toBe('over');
    expect((await rejection(auth.create(Uint8Array.of(), null, context(signal)))).message).toBe('over');
    expect((await rejection(auth.verify(munge('x'), context(signal)))).message).toBe('over');
  });

  it('keeps the recorded pauses only when asked for a speed', async () => {
    const slow = fixtureOf(
      [
        {
          endpoint: 'slurmctld',
          events: [
            data('>', killFrame('22.05', munge(fakeMunge(1)))),
            data('<', okFrame('22.05', fakeMunge(2)), 60_000),
          ],
        },
      ],
      UIDS,
    );
    await run(slow, {}, request('22.05'));
    const startedAt = performance.now();
    await run(slow, { speed: 1000 }, request('22.05'));
    expect(performance.now() - startedAt).toBeGreaterThan(55);

    const aborter = new AbortController();
    const connection = await play(slow, { speed: 1 }).transport.connect(endpoint, context(aborter.signal));
    await connection.write(requestBytes(slow));
    const reading = rejection(connection.read());
    aborter.abort(new Error('enough'));
    expect((await reading).message).toBe('enough');
  });
});

describe('annotate', () => {
  it('gives every byte its field', () => {
    for (const release of RELEASE_NAMES) {
      const frame = killFrame(release, munge(fakeMunge(1)));
      const { fields, stopped, messageName } = dissect(frame);
      expect(stopped).toBeNull();
      expect(messageName).toBe('REQUEST_KILL_JOB');
      let at = 0;
      for (const { start, end } of fields) {
        expect(start).toBe(at);
        at = end;
      }
      expect(at).toBe(frame.length);
      expect(annotate(frame)).not.toContain('AwQDAA');
    }
    const text = annotate(killFrame('22.05', munge(fakeMunge(1))));
    expect(text).toMatch(/^0000 {2}00 00 01 .. +length +\d+ 0x/);
    expect(text).toMatch(/^0008 {2}13 a8 +header\/msgType +5032 0x13a8 REQUEST_KILL_JOB$/m);
    expect(text).toMatch(/00 0f +body\/signal +15 0xf$/m);
  });

  it('says where decoding stopped, cut at every byte', () => {
    const frame = killFrame('24.11', munge(fakeMunge(1)));
    for (let cut = 0; cut < frame.length; cut++) {
      const { fields, stopped } = dissect(frame.subarray(0, cut));
      expect(stopped).not.toBeNull();
      expect(fields.at(-1)?.end ?? 0).toBe(cut);
      expect(annotate(frame.subarray(0, cut))).toMatch(/stopped: /);
    }
    expect(annotate(Buffer.from('HTTP/1.1 400 Bad Request'))).toContain('(not decoded)');
    const other = encodeFrame({
      release: '24.11',
      messageName: 'REQUEST_NODE_INFO',
      auth: null,
      body: Uint8Array.of(1, 2),
    });
    expect(annotate(other)).toMatch(/stopped: |body/);
  });
});
