import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { FrameAssembler } from '../../src/protocol/frame-assembler.js';
import { streamOf } from '../../src/replay/conversation.js';
import { decodeFixture, encodeFixture, type Fixture } from '../../src/replay/fixture.js';
import { play } from '../../src/replay/player.js';
import {
  type RecordingProxy,
  startRecordingProxies,
  startRecordingProxy,
} from '../../src/replay/recording-proxy.js';
import { exchange } from '../../src/rpc/exchange.js';
import { tcpTransport } from '../../src/rpc/tcp-transport.js';
import {
  context,
  digestOf,
  fakeAuth,
  fakeMunge,
  killBody,
  killFrame,
  latin1,
  munge,
  okFrame,
  PROVENANCE,
  rejection,
  UIDS,
} from './support.js';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

/** A daemon that does with each connection what the test says. */
async function daemon(
  serve: (socket: Socket) => void,
): Promise<{ host: string; port: number; server: Server }> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    serve(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  open.push({
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(resolve));
    },
  });
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port, server };
}

async function proxyTo(target: { host: string; port: number }): Promise<RecordingProxy> {
  const proxy = await startRecordingProxy({ target, provenance: PROVENANCE, ...UIDS });
  open.push(proxy);
  return proxy;
}

/** Calls `answer` for each whole frame. */
function onFrame(socket: Socket, answer: (frame: Uint8Array) => void): void {
  const assembler = new FrameAssembler();
  socket.on('data', (chunk) => {
    assembler.push(chunk);
    for (let frame = assembler.take(); frame !== null; frame = assembler.take()) answer(frame);
  });
}

/** All that comes until the end, and how it ended. */
function drained(socket: Socket): Promise<{ bytes: Buffer; ending: string }> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  return new Promise((resolve) => {
    socket.once('end', () => resolve({ bytes: Buffer.concat(chunks), ending: 'end' }));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      resolve({ bytes: Buffer.concat(chunks), ending: error.code ?? '' });
    });
  });
}

function client(proxy: RecordingProxy): Socket {
  const socket = connect({ ...proxy.endpoint, allowHalfOpen: true, noDelay: true });
  open.push({ close: () => socket.destroy() });
  return socket;
}

const kinds = (fixture: Fixture, index = 0) =>
  fixture.connections[index]?.events.map(
    ({ direction, kind, code }) => `${direction}${kind}${code ? ` ${code}` : ''}`,
  );

/** Waits until the recording has what is expected; the test's time limit is the only clock. */
async function recording(proxy: RecordingProxy, done: (fixture: Fixture) => boolean): Promise<Fixture> {
  for (;;) {
    const fixture = proxy.fixture();
    if (done(fixture)) return fixture;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

const request = killFrame('22.05', munge(fakeMunge(1)));
const reply = okFrame('22.05', fakeMunge(2));

describe('the proxy', () => {
  it('relays an exchange unchanged and records it redacted; the recording plays', async () => {
    const seen: Uint8Array[] = [];
    const target = await daemon((socket) => {
      onFrame(socket, (frame) => {
        seen.push(frame);
        socket.end(reply);
      });
    });
    const proxy = await proxyTo(target);
    const digest = digestOf('22.05', 'RESPONSE_SLURM_RC', Uint8Array.of(0, 0, 0, 0));
    const auth = fakeAuth([fakeMunge(1)], { uid: 64030, gid: 64030, payload: digest });
    const kill = {
      endpoint: proxy.endpoint,
      release: '22.05',
      name: 'REQUEST_KILL_JOB',
      body: killBody('22.05'),
      flags: 0,
      restrictUid: null,
      repeatable: false,
    } as const;
    const rest = { trusted: new Set([64030]), maxReplyBytes: 1 << 20 };
    const live = await exchange({ transport: tcpTransport(), auth, ...rest }, kill, context());
    expect(live).toMatchObject({ record: { returnCode: 0 }, authenticated: true });
    expect(Buffer.concat(seen)).toEqual(Buffer.from(request));

    const fixture = await recording(proxy, (f) => (kinds(f)?.length ?? 0) >= 4);
    const bytes = encodeFixture(fixture);
    expect(latin1(bytes)).not.toContain('AwQDAA');
    expect(latin1(bytes)).not.toContain(String(proxy.endpoint.port));
    expect(latin1(bytes)).toContain('MUNGE:REDACTED:uid=1000:payload=02');
    expect(latin1(bytes)).toContain('MUNGE:REDACTED:uid=64030:payload=02e4131d');
    const player = play(decodeFixture(bytes));
    const played = await exchange({ ...player, ...rest }, kill, context());
    expect({ ...played, elapsedMs: 0 }).toEqual({ ...live, elapsedMs: 0 });
    player.finish();
  });

  it('passes on a close without a reply', async () => {
    const proxy = await proxyTo(await daemon((socket) => onFrame(socket, () => socket.end())));
    const socket = client(proxy);
    socket.write(request);
    expect(await drained(socket)).toMatchObject({ bytes: Buffer.alloc(0), ending: 'end' });
    socket.end();
    const fixture = await recording(proxy, (f) => (kinds(f)?.length ?? 0) === 3);
    expect(kinds(fixture)).toEqual(['>data', '<end', '>end']);
  });

  it('passes on a reset, behind the bytes before it', async () => {
    const target = await daemon((socket) => {
      onFrame(socket, () =>
        socket.write(reply.slice(0, 20), () => setTimeout(() => socket.resetAndDestroy(), 20)),
      );
    });
    const proxy = await proxyTo(target);
    const socket = client(proxy);
    socket.write(request);
    expect(await drained(socket)).toMatchObject({
      bytes: Buffer.from(reply.slice(0, 20)),
      ending: 'ECONNRESET',
    });
    expect(kinds(proxy.fixture())).toEqual(['>data', '<data', '<reset']);
  });

  it('never half-closes where the client did not, and does where it did', async () => {
    const ends: string[] = [];
    const target = await daemon((socket) => {
      socket.once('end', () => {
        ends.push('client');
        socket.end('late');
      });
      socket.on('data', () => {});
    });
    const proxy = await proxyTo(target);
    const socket = client(proxy);
    socket.write(request);
    await recording(proxy, (f) => kinds(f)?.length === 1);
    expect(ends).toEqual([]);
    const rest = drained(socket);
    socket.end();
    expect(await rest).toMatchObject({ bytes: Buffer.from('late'), ending: 'end' });
    const fixture = await recording(proxy, (f) => kinds(f)?.length === 4);
    expect(kinds(fixture)).toEqual(['>data', '>end', '<data', '<end']);
  });

  it('keeps two connections at once apart', async () => {
    const sockets: Socket[] = [];
    const target = await daemon((socket) => {
      sockets.push(socket);
      onFrame(socket, () => {
        if (sockets.length < 2) return;
        for (const one of sockets) one.end(one === sockets[0] ? reply : okFrame('22.05', fakeMunge(4), 2017));
      });
    });
    const proxy = await proxyTo(target);
    const first = client(proxy);
    first.write(request);
    await recording(proxy, (f) => kinds(f)?.length === 1);
    const second = client(proxy);
    second.write(killFrame('22.05', munge(fakeMunge(3)), 9));
    const [a, b] = await Promise.all([drained(first), drained(second)]);
    expect(a.bytes).toEqual(Buffer.from(reply));
    expect(b.bytes).toEqual(Buffer.from(okFrame('22.05', fakeMunge(4), 2017)));
    const { connections } = proxy.fixture();
    expect(connections).toHaveLength(2);
    for (const connection of connections) {
      expect(streamOf(connection, '>').length).toBe(request.length);
      expect(streamOf(connection, '<').length).toBe(reply.length);
    }
    expect(latin1(encodeFixture(proxy.fixture()))).not.toContain('AwQDAA');
  });

  it('survives a client that vanishes, and one that half-writes', async () => {
    const closed: string[] = [];
    const target = await daemon((socket) => {
      socket.on('data', () => {});
      socket.on('error', (error: NodeJS.ErrnoException) => closed.push(error.code ?? ''));
    });
    const proxy = await proxyTo(target);
    const socket = client(proxy);
    socket.write(request.slice(0, 60));
    await recording(proxy, (f) => kinds(f)?.length === 1);
    socket.resetAndDestroy();
    const fixture = await recording(proxy, (f) => kinds(f)?.length === 2);
    expect(kinds(fixture)).toEqual(['>data', '>reset']);
    expect(latin1(encodeFixture(fixture))).not.toContain('AwQDAA');
    while (closed.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    expect(closed).toEqual(['ECONNRESET']);
  });

  it('records a target that refuses; the client sees a reset', async () => {
    const gone = await daemon(() => {});
    await new Promise((resolve) => gone.server.close(resolve));
    const proxy = await proxyTo(gone);
    const socket = client(proxy);
    const { ending } = await drained(socket);
    expect(ending).toBe('ECONNRESET');
    expect(kinds(proxy.fixture())).toEqual(['<refused']);
    expect(decodeFixture(encodeFixture(proxy.fixture()))).toEqual(proxy.fixture());
  });

  it('relays what is large with back-pressure', async () => {
    const big = Buffer.alloc(8 << 20, 'x');
    const proxy = await proxyTo(await daemon((socket) => socket.end(big)));
    const socket = client(proxy);
    const { bytes, ending } = await drained(socket);
    expect(ending).toBe('end');
    expect(bytes.equals(big)).toBe(true);
    socket.end();
    expect(streamOf(proxy.fixture().connections[0] as never, '<').length).toBe(big.length);
  });

  it('leaves nothing open after close, in whatever state connections are', async () => {
    let left = 0;
    const target = await daemon((socket) => {
      left++;
      socket.on('data', () => {});
      socket.on('end', () => socket.end());
      socket.on('close', () => left--);
    });
    const proxy = await proxyTo(target);
    const sockets = Array.from({ length: 5 }, () => client(proxy));
    const endings = sockets.map((socket) => drained(socket));
    for (const socket of sockets) socket.write(request);
    await recording(proxy, (f) => f.connections.filter(({ events }) => events.length > 0).length === 5);
    const late = client(proxy);
    late.on('error', () => {});
    await Promise.all([proxy.close(), proxy.close()]);
    await Promise.all(endings);
    expect(proxy.fixture().connections.length).toBeGreaterThanOrEqual(5);
    expect(await rejection(once(client(proxy), 'connect'))).toMatchObject({ code: 'ECONNREFUSED' });
    while (left > 0) await new Promise((resolve) => setTimeout(resolve, 2));
  });

  it('rejects when it cannot listen', async () => {
    const target = await daemon(() => {});
    const options = { target, provenance: PROVENANCE, port: target.port };
    expect(await rejection(startRecordingProxy(options))).toMatchObject({ code: 'EADDRINUSE' });
  });
});

describe('several proxies', () => {
  it('make one conversation, in the order in which connections were opened, each with its own role and uid', async () => {
    const answering = () => daemon((socket) => onFrame(socket, () => socket.end(reply)));
    const targets = [
      { target: await answering(), serverUid: 64030 },
      { target: await answering(), label: 'slurmd-1', serverUid: 0 },
    ];
    const proxies = await startRecordingProxies({ provenance: PROVENANCE, clientUid: 1000, targets });
    open.push(proxies);
    for (const index of [1, 0, 1]) {
      const socket = connect({ ...(proxies.endpoints[index] as { host: string; port: number }) });
      socket.write(request);
      await drained(socket);
      socket.destroy();
    }
    const { connections } = proxies.fixture();
    expect(connections.map(({ endpoint }) => endpoint)).toEqual(['slurmd-1', 'slurmctld', 'slurmd-1']);
    const text = connections.map((one) => latin1(streamOf(one, '<')));
    expect(text[0]).toContain('MUNGE:REDACTED:uid=0:');
    expect(text[1]).toContain('MUNGE:REDACTED:uid=64030:');
    expect(connections[0]?.events[0]?.at).toBeLessThanOrEqual(connections[2]?.events[0]?.at ?? 0);
    expect(proxies.leftOut).toBe(0);
  });

  it('what does not fit is relayed, left out whole, and counted', async () => {
    const target = await daemon((socket) => onFrame(socket, () => socket.end(reply)));
    const maxBytes = request.length + reply.length + 10;
    const proxy = await startRecordingProxy({ target, provenance: PROVENANCE, maxBytes });
    open.push(proxy);
    for (let i = 0; i < 3; i++) {
      const socket = client(proxy);
      socket.write(request);
      expect((await drained(socket)).bytes).toEqual(Buffer.from(reply));
      socket.destroy();
    }
    expect(proxy.fixture().connections).toHaveLength(1);
    expect(proxy.leftOut).toBe(2);
  });

  it('one that cannot listen: none does; a label that is a host name is refused', async () => {
    const target = { host: '127.0.0.1', port: 1 };
    const taken = await startRecordingProxy({ target, provenance: PROVENANCE });
    open.push(taken);
    const { port } = taken.endpoint;
    const both = startRecordingProxies({ provenance: PROVENANCE, targets: [{ target }, { target, port }] });
    expect(await rejection(both)).toMatchObject({ code: 'EADDRINUSE' });
    const named = startRecordingProxies({
      provenance: PROVENANCE,
      targets: [{ target, label: 'ctl1.example.org' }],
    });
    expect(await rejection(named)).toMatchObject({ code: 'SLURMWIRE_BAD_FIXTURE', fieldPath: 'label' });
  });
});
