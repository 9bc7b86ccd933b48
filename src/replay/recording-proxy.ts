/** Records other clients, `scancel` included: a TCP proxy between them and a daemon. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Endpoint } from '../protocol/transport.js';
import type { Direction } from './conversation.js';
import { asLabel, type Fixture, MAX_FIXTURE_BYTES, type Provenance } from './fixture.js';
import { type ConnectionRecord, ConversationLog } from './recorder.js';
import { resetSocket } from './reset-socket.js';

/** A daemon to record, and where its proxy listens. */
export interface RecordedTarget {
  /** The daemon that is spoken to. */
  readonly target: Endpoint;
  /** The role it is recorded as: `slurmctld`, `slurmd-2`. Default: the provenance's daemon. Never a host name. */
  readonly label?: string | undefined;
  /** Uid the daemon signs its replies with: SlurmUser, or root for slurmd. Default: not known. */
  readonly serverUid?: number | undefined;
  /** Address to listen on. Default `127.0.0.1`: whoever reaches it reaches the daemon. */
  readonly host?: string | undefined;
  /** Port to listen on. Default 0: one that is free. */
  readonly port?: number | undefined;
}

/** What both kinds of proxies take. */
export interface RecordingOptions {
  readonly provenance: Provenance;
  /** Uid of the clients, as far as it is known: the proxy cannot look into a credential. Default: not known. */
  readonly clientUid?: number | undefined;
  /** Bytes kept in memory, both directions together. What goes beyond is relayed and not recorded. Default 32 MiB. */
  readonly maxBytes?: number | undefined;
}

/** Options of {@link startRecordingProxy}. */
export interface RecordingProxyOptions extends RecordedTarget, RecordingOptions {}

/** Options of {@link startRecordingProxies}. */
export interface RecordingProxiesOptions extends RecordingOptions {
  readonly targets: readonly RecordedTarget[];
}

/** Proxies that listen, and record into one conversation. */
export interface RecordingProxies {
  /** Where they listen, in the order of the targets: the addresses to give to the client. */
  readonly endpoints: readonly Endpoint[];
  /** Connections that are not in the recording because of `maxBytes`. */
  readonly leftOut: number;
  /**
   * What was recorded so far, redacted; connections in the order in which they were opened. May be called at any time and again. The
   * payload of a credential is not seen but computed: it is the digest that fits the frame, so a credential that was made for
   * another message is recorded as a good one.
   */
  fixture(): Fixture;
  /** Stops listening, drops all connections, and settles when nothing is left open. May be called twice. */
  close(): Promise<void>;
}

/** A proxy that listens. */
export interface RecordingProxy extends Omit<RecordingProxies, 'endpoints'> {
  /** Where it listens: the address to give to the client. */
  readonly endpoint: Endpoint;
}

/** Bytes a recording keeps where nobody says otherwise: half of what a fixture file may have. */
const DEFAULT_MAX_BYTES = MAX_FIXTURE_BYTES / 2;

/**
 * Starts a proxy that relays any number of connections as they are, ends and resets included, and records them.
 *
 * A target that refuses is recorded so; the client then sees a reset, since it had connected already.
 *
 * @throws the system's error when it cannot listen; SlurmProtocolError for a provenance or a label that cannot be written.
 */
export async function startRecordingProxy(options: RecordingProxyOptions): Promise<RecordingProxy> {
  const proxies = await startRecordingProxies({ ...options, targets: [options] });
  return {
    endpoint: proxies.endpoints[0] as Endpoint,
    get leftOut() {
      return proxies.leftOut;
    },
    fixture: () => proxies.fixture(),
    close: () => proxies.close(),
  };
}

/**
 * Starts a proxy before each of several daemons, as {@link startRecordingProxy} does, with one recording of all: a client that asks
 * slurmctld first and slurmds then makes one conversation.
 *
 * @throws the system's error when one of them cannot listen, and then none does; SlurmProtocolError for a provenance or a label
 * that cannot be written.
 */
export async function startRecordingProxies(options: RecordingProxiesOptions): Promise<RecordingProxies> {
  const { provenance, clientUid, maxBytes = DEFAULT_MAX_BYTES } = options;
  const log = new ConversationLog(provenance, undefined, maxBytes);
  const sockets = new Set<Socket>();
  const servers: Server[] = [];
  const uids = new Map<string, number | undefined>();
  const endpoints: Endpoint[] = [];
  let closed: Promise<unknown> | undefined;
  const close = async () => {
    closed ??= Promise.all(servers.map((server) => closeAll(server, sockets)));
    await closed;
  };
  try {
    for (const {
      target,
      label = provenance.daemon,
      serverUid,
      host = '127.0.0.1',
      port = 0,
    } of options.targets) {
      uids.set(asLabel(label, 'label'), serverUid);
      // A client that only half-closes must be able to read on; and it is not read before the daemon is there to hear it.
      const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (client) => {
        relay(client, target, log.open(label), sockets);
      });
      endpoints.push(await listening(server, host, port));
      servers.push(server);
    }
  } catch (error) {
    await close();
    throw error;
  }
  return {
    endpoints,
    get leftOut() {
      return log.leftOut;
    },
    fixture: () => log.fixture((label) => ({ clientUid, serverUid: uids.get(label) })),
    close,
  };
}

/** Makes a server listen. From then on its errors concern single clients (an accept that failed: EMFILE). */
export async function listening(server: Server, host: string, port: number): Promise<Endpoint> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, resolve);
  });
  server.removeAllListeners('error');
  server.on('error', () => {});
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('a TCP server without an address');
  return { host, port: address.port };
}

/** Stops a server and drops the connections. */
export function closeAll(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
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
  if (socket.connecting || socket.writableLength === 0) resetSocket(socket);
  else socket.write('', () => resetSocket(socket));
}

function codeOf(error: NodeJS.ErrnoException): string | undefined {
  return error.code !== undefined && /^E(?!RR_)[A-Z0-9_]{1,30}$/.test(error.code) ? error.code : undefined;
}
