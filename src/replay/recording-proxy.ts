/** Records other clients, `scancel` included: a TCP proxy between them and a daemon. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Endpoint } from '../protocol/transport.js';
import type { Direction } from './conversation.js';
import type { Fixture, Provenance } from './fixture.js';
import { type ConnectionRecord, ConversationLog } from './recorder.js';

/** Options of {@link startRecordingProxy}. */
export interface RecordingProxyOptions {
  /** The daemon that is spoken to. */
  readonly target: Endpoint;
  readonly provenance: Provenance;
  /** Uid of the clients, as far as it is known: the proxy cannot look into a credential. Default: not known. */
  readonly clientUid?: number | undefined;
  /** Uid the daemon signs its replies with: SlurmUser, or root for slurmd. Default: not known. */
  readonly serverUid?: number | undefined;
  /** Address to listen on. Default `127.0.0.1`. */
  readonly host?: string | undefined;
  /** Port to listen on. Default 0: one that is free. */
  readonly port?: number | undefined;
  /** The role the daemon is recorded as. Default: the provenance's daemon. */
  readonly label?: string | undefined;
}

/** A proxy that listens. */
export interface RecordingProxy {
  /** Where it listens: the address to give to the client. */
  readonly endpoint: Endpoint;
  /**
   * What was recorded so far, redacted. The payload of a credential is not seen but computed: it is the digest that fits the frame,
   * so a credential that was made for another message is recorded as a good one.
   */
  fixture(): Fixture;
  /** Stops listening, drops all connections, and settles when nothing is left open. May be called twice. */
  close(): Promise<void>;
}

/**
 * Starts a proxy that relays any number of connections as they are, ends and resets included, and records them.
 *
 * A target that refuses is recorded so; the client then sees a reset, since it had connected already.
 *
 * @throws the system's error when it cannot listen; SlurmProtocolError for a provenance that cannot be written.
 */
export async function startRecordingProxy(options: RecordingProxyOptions): Promise<RecordingProxy> {
  const {
    target,
    provenance,
    clientUid,
    serverUid,
    host = '127.0.0.1',
    port = 0,
    label = provenance.daemon,
  } = options;
  const log = new ConversationLog(provenance);
  const sockets = new Set<Socket>();
  // A client that only half-closes must be able to read on; and it is not read before the daemon is there to hear it.
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (client) => {
    relay(client, target, log.open(label), sockets);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, resolve);
  });
  server.removeAllListeners('error');
  server.on('error', () => {}); // an accept that failed (EMFILE) concerns that client only
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('a TCP server without an address');
  let closed: Promise<void> | undefined;
  return {
    endpoint: { host, port: address.port },
    fixture: () => log.fixture({ clientUid, serverUid }),
    close: () => {
      closed ??= closeAll(server, sockets);
      return closed;
    },
  };
}

function closeAll(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    for (const socket of sockets) socket.destroy();
  });
}

function relay(client: Socket, target: Endpoint, record: ConnectionRecord, sockets: Set<Socket>): void {
  const daemon = connect({ ...target, noDelay: true, allowHalfOpen: true });
  let connected = false;
  for (const socket of [client, daemon]) {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  }
  daemon.once('connect', () => {
    connected = true;
    forward(client, daemon, '>', record);
    forward(daemon, client, '<', record);
  });
  client.on('error', (error) => {
    if (connected) record.add('>', 'reset', undefined, codeOf(error));
    reset(daemon);
  });
  daemon.on('error', (error) => {
    record.add('<', connected ? 'reset' : 'refused', undefined, codeOf(error));
    reset(client);
  });
}

function forward(from: Socket, to: Socket, direction: Direction, record: ConnectionRecord): void {
  from.on('data', (chunk) => {
    record.add(direction, 'data', chunk);
    if (to.destroyed || to.write(chunk)) return;
    from.pause();
    to.once('drain', () => from.resume());
  });
  from.once('end', () => {
    record.add(direction, 'end');
    if (!to.destroyed) to.end();
  });
  from.resume();
}

/** Passes a reset on, behind the bytes that came before it. */
function reset(socket: Socket): void {
  if (socket.destroyed) return;
  if (socket.connecting || socket.writableLength === 0) socket.resetAndDestroy();
  else socket.write('', () => socket.resetAndDestroy());
}

function codeOf(error: NodeJS.ErrnoException): string | undefined {
  return error.code !== undefined && /^E(?!RR_)[A-Z0-9_]{1,30}$/.test(error.code) ? error.code : undefined;
}
