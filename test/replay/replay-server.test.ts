/** A recording served over TCP, and looked over. */
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { decodeFrame } from '../../src/protocol/frame.js';
import { encodeBody, encodeFrame } from '../../src/protocol/index.js';
import { streamOf } from '../../src/replay/conversation.js';
import { checkFixture, type ReplayServer, serveReplay } from '../../src/replay/index.js';
import { RECORDED_RELEASES, recorded, recordedNames } from '../recorded/support.js';
import {
  data,
  digestOf,
  fakeAuth,
  fakeMunge,
  fixtureOf,
  killFixture,
  killFrame,
  munge,
  okFrame,
  UIDS,
} from './support.js';

const open: ReplayServer[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

async function served(...args: Parameters<typeof serveReplay>): Promise<ReplayServer> {
  const server = await serveReplay(...args);
  open.push(server);
  return server;
}

/** What a client gets that writes these bytes in these pieces. */
async function ask(
  server: ReplayServer,
  pieces: readonly Uint8Array[],
  label = 'slurmctld',
): Promise<{ bytes: Buffer; ending: string }> {
  const socket = connect({ ...server.endpoints.get(label), allowHalfOpen: true } as never);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  const ending = new Promise<string>((resolve) => {
    socket.once('end', () => resolve('end'));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
  });
  for (const piece of pieces) await new Promise((resolve) => socket.write(piece, resolve));
  const how = await ending;
  socket.destroy();
  return { bytes: Buffer.concat(chunks), ending: how };
}

describe('serveReplay', () => {
  const request = killFrame('24.11', munge(fakeMunge(9, 300)));

  it('answers the recorded request with any credential, byte by byte too', async () => {
    const fixture = killFixture('24.11', 2017);
    const server = await served(fixture);
    const { bytes, ending } = await ask(
      server,
      [...request].map((byte) => Uint8Array.of(byte)),
    );
    expect(ending).toBe('end');
    expect(bytes).toEqual(Buffer.from(streamOf(fixture.connections[0] as never, '<')));
    await server.served;
    server.finish();
  });

  it('another request: dropped, and finish() shows the field', async () => {
    const server = await served(killFixture('24.11'));
    const { ending } = await ask(server, [killFrame('24.11', munge(fakeMunge(9, 300)), 9)]);
    expect(ending).toBe('ECONNRESET');
    expect(() => server.finish()).toThrow(/body\/signal/);
    expect(() => server.finish()).toThrow(
      expect.objectContaining({ code: 'SLURMWIRE_REPLAY_MISMATCH', connection: 0, fieldPath: 'body/signal' }),
    );
    await expect(server.finish).not.toThrow(/AwQDAA/);
  });

  it('connections in any order; one too many; one too few', async () => {
    const [a, b] = [killFixture('24.11', 1), killFixture('22.05', 2)];
    const both = { ...a, connections: [...a.connections, ...b.connections] };
    const server = await served(both);
    const second = await ask(server, [killFrame('22.05', munge(fakeMunge(4)))]);
    expect(decodeFrame(second.bytes)).toMatchObject({ release: '22.05', messageName: 'RESPONSE_SLURM_RC' });
    expect(() => server.finish()).toThrow(/2 connections, 1 were asked for/);
    await ask(server, [request]);
    server.finish();
    expect((await ask(server, [request])).ending).toBe('ECONNRESET');
    expect(() => server.finish()).toThrow(/once more than was recorded/);
  });

  it('refused, closed without a word, reset: as recorded', async () => {
    const sent = data('>', killFrame('24.11', munge(fakeMunge(1))));
    const fixture = fixtureOf([
      { endpoint: 'slurmctld', events: [{ direction: '<', at: 0, kind: 'refused' }] },
      { endpoint: 'slurmctld', events: [sent, { direction: '<', at: 1, kind: 'end' }] },
      { endpoint: 'slurmctld', events: [sent, { direction: '<', at: 1, kind: 'reset' }] },
    ]);
    const server = await served(fixture);
    expect((await ask(server, [])).ending).toBe('ECONNRESET');
    expect(await ask(server, [request])).toEqual({ bytes: Buffer.alloc(0), ending: 'end' });
    expect((await ask(server, [request])).ending).toBe('ECONNRESET');
    server.finish();
  });

  it('signs replies anew where an authenticator is given', async () => {
    const body = encodeBody('RESPONSE_SLURM_RC', '22.05', { returnCode: 0 });
    const fresh = fakeMunge(77, 250);
    const payload = digestOf('22.05', 'RESPONSE_SLURM_RC', body);
    const auth = fakeAuth([fresh], { uid: 1, gid: 1, payload });
    const server = await served(killFixture('22.05'), { auth });
    const { bytes } = await ask(server, [killFrame('22.05', munge(fakeMunge(4)))]);
    const frame = decodeFrame(bytes);
    expect(frame.auth).toMatchObject({ credential: fresh });
    expect(Buffer.from(frame.body)).toEqual(Buffer.from(body));
    server.finish();
  });

  it('sends a reply that cannot be signed anew as it was recorded', async () => {
    const odd = Uint8Array.from(okFrame('22.05', fakeMunge(2)));
    new DataView(odd.buffer).setUint16(4, 0x7f00);
    const fixture = fixtureOf([
      {
        endpoint: 'slurmctld',
        events: [
          data('>', killFrame('22.05', munge(fakeMunge(1)))),
          data('<', odd),
          { direction: '<', at: 3, kind: 'end' },
        ],
      },
    ]);
    const server = await served(fixture, {
      auth: fakeAuth([fakeMunge(77)], { uid: 1, gid: 1, payload: new Uint8Array() }),
    });
    const { bytes } = await ask(server, [killFrame('22.05', munge(fakeMunge(4)))]);
    expect(bytes).toEqual(Buffer.from(streamOf(fixture.connections[0] as never, '<')));
    server.finish();
  });

  it.each([
    ['before it asked for anything', 0],
    ['in the middle of its request', 20],
  ])('a client that leaves %s is let go', async (_when, length) => {
    const server = await served(killFixture('24.11'));
    const socket = connect({ ...server.endpoints.get('slurmctld'), allowHalfOpen: true } as never);
    const ended = new Promise((resolve) => socket.once('end', () => resolve('end')));
    socket.resume();
    socket.end(request.subarray(0, length));
    expect(await ended).toBe('end');
    socket.destroy();
    // It took nobody's place.
    await ask(server, [request]);
    server.finish();
  });

  it('a client that left while its reply was signed is let go', async () => {
    const events = [
      data('>', killFrame('22.05', munge(fakeMunge(1)))),
      data('<', okFrame('22.05', fakeMunge(2))),
    ];
    let sign = () => {};
    const asked = new Promise<void>((resolve) => {
      sign = resolve;
    });
    const auth = fakeAuth([fakeMunge(77)], { uid: 1, gid: 1, payload: new Uint8Array() });
    const slow: typeof auth = {
      ...auth,
      create: async (...args) => {
        await asked;
        return auth.create(...args);
      },
    };
    const server = await served(fixtureOf([{ endpoint: 'slurmctld', events }]), { auth: slow });
    const socket = connect({ ...server.endpoints.get('slurmctld'), allowHalfOpen: true } as never);
    const ended = new Promise((resolve) => socket.once('end', () => resolve('end')));
    socket.resume();
    socket.end(killFrame('22.05', munge(fakeMunge(4))));
    await new Promise((resolve) => socket.once('finish', resolve));
    // Its end has gone the way that a connection after it goes.
    for (let i = 0; i < 3; i++) {
      const other = connect({ ...server.endpoints.get('slurmctld') } as never)
        .resume()
        .end();
      await new Promise((resolve) => other.once('close', resolve).once('error', () => {}));
    }
    sign();
    expect(await ended).toBe('end');
    socket.destroy();
  });

  it('garbage and endless frames harm nobody', async () => {
    const server = await served(killFixture('24.11'));
    const { ending } = await ask(server, [Buffer.from('7fffffff00', 'hex')]);
    expect(ending).toBe('ECONNRESET');
    expect(() => server.finish()).toThrow(/announced/);
  });

  it('close() ends what waits, twice', async () => {
    const server = await served(killFixture('24.11'));
    await server.close();
    await server.close();
    await server.served;
  });
});

describe('checkFixture', () => {
  it.each(RECORDED_RELEASES)('finds nothing in those of %s', async (release) => {
    for (const name of recordedNames(release))
      expect(checkFixture(await recorded(name, release)), name).toEqual([]);
  });

  it('finds a frame cut off, one that is not understood, a digest of another message', () => {
    const frame = killFrame('24.11', munge(fakeMunge(1)));
    const odd = encodeFrame({
      release: '24.11',
      messageName: 'REQUEST_KILL_JOB',
      auth: null,
      body: Uint8Array.of(1),
    });
    const known = () => ({ uid: 1, gid: 1, payload: Uint8Array.of(1, 2, 3) });
    const fixture = fixtureOf(
      [
        {
          endpoint: 'slurmctld',
          events: [data('>', frame), data('<', okFrame('24.11', '').subarray(0, 20))],
        },
        { endpoint: 'slurmctld', events: [data('>', Buffer.concat([odd, frame]))] },
      ],
      UIDS,
    );
    expect(checkFixture(fixture)).toMatchObject([
      { connection: 0, direction: '<', frame: 0 },
      {
        connection: 1,
        direction: '>',
        frame: 0,
        messageName: 'REQUEST_KILL_JOB',
        fieldPath: expect.stringMatching(/^body\//),
      },
    ]);
    const wrong = fixtureOf([{ endpoint: 'slurmctld', events: [data('>', frame)] }], { known });
    expect(checkFixture(wrong)).toMatchObject([
      { fieldPath: 'auth', reason: expect.stringContaining('digest') },
    ]);
  });
});
