/**
 * The munged of an embedded cluster: a Unix socket on which libmunge, Slurm's own tools and this library's clients get credentials.
 *
 * Its protocol is munged's (`auth/munge-wire.ts`), its credentials are those of a {@link CredentialStore}. Limits and manners are of
 * munge 0.5.18: one request per connection, 2 s for each direction, 2 MiB per request.
 */
import { chmodSync } from 'node:fs';
import { lstat, rename, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { checkSocketPath } from '../auth/munge-options.js';
import type { MungeRequest } from '../auth/munge-wire.js';
import { SlurmUsageError, showValue } from '../protocol/slurm-error.js';
import { CredentialStore, type UserAndGroup } from './credentials.js';
import { answerOf, type MungedAnswer, refuse } from './munged-answer.js';
import { converse } from './munged-conversation.js';
import { kernelPeerLookup, type PeerLookup } from './peer-credentials.js';

/** Where it listens, and with which credentials. */
export interface EmbeddedMungedOptions {
  /** Path of its socket, at most 107 bytes. Its directory must be there, and searchable for whoever is to use it. */
  readonly socket: string;
  /** Whose credentials it makes and takes. Default: a new one. */
  readonly store?: CredentialStore | undefined;
  /** How long a client may take to send its request, and again to take the answer. Milliseconds, default 2000. */
  readonly limitMs?: number | undefined;
  /** @internal For tests: how the kernel is asked who connected; null where it cannot be. */
  readonly lookup?: PeerLookup | null | undefined;
}

/**
 * What it does wrong on purpose: takes the request and never answers, closes without an answer, or answers with one of MUNGE's error
 * numbers. One that is down is had by `stop()` and `crash()`.
 */
export type MungedFault = 'hang' | 'close' | { readonly error: number; readonly text?: string | undefined };

/** Which requests a fault is for. Default: all, until it is taken back. */
export interface MungedFaultScope {
  /** How many requests. */
  readonly times?: number | undefined;
  /** Only this user's. */
  readonly uid?: number | undefined;
  /** Only requests for a credential, or only those to decode one. */
  readonly call?: 'encode' | 'decode' | undefined;
}

/** What it has done since it was made. */
export interface MungedCounts {
  readonly connections: number;
  /** Of them open now. */
  readonly open: number;
  /** Whole requests, and how many of them were answered with success. */
  readonly requests: number;
  readonly encoded: number;
  readonly decoded: number;
}

interface PlantedFault {
  readonly fault: MungedFault;
  readonly scope: MungedFaultScope;
  left: number;
}

/** Connections at a time; what comes beyond is closed at once, and libmunge tries again. */
const MAX_CONNECTIONS = 256;
/** For unfinished requests of all connections together: 16 of the longest. */
const ROOM = 32 * 1024 * 1024;
/** Of an error, in bytes: the field for it has 255 with the final NUL. */
const MAX_TEXT = 254;
/** `MUNGE_SOCKET_TIMEOUT_MSECS`. */
const LIMIT_MS = 2_000;

/**
 * Starts one; resolves when it takes requests.
 *
 * @throws SlurmUsageError when an option is not valid, or the socket cannot be made where it says; nothing is left then.
 */
export async function startEmbeddedMunged(options: EmbeddedMungedOptions): Promise<EmbeddedMunged> {
  const { socket, store = new CredentialStore(), limitMs = LIMIT_MS } = options;
  checkSocketPath('startEmbeddedMunged', socket);
  if (!(Number.isFinite(limitMs) && limitMs > 0 && limitMs <= 0x7fffffff)) {
    throw badOption('limitMs', limitMs, 'not a number of milliseconds');
  }
  const lookup = options.lookup === undefined ? await kernelPeerLookup() : options.lookup;
  const munged = new EmbeddedMunged(socket, store, limitMs, lookup);
  await munged.start();
  return munged;
}

/** A munged in this process. {@link startEmbeddedMunged} makes one. */
export class EmbeddedMunged {
  /** Path of its socket, for `AuthInfo=socket=…` and for option `socket` of `munge()` and `mungeSocket()`. */
  readonly socket: string;
  readonly store: CredentialStore;
  /**
   * How it knows who asks. `kernel`: by SO_PEERCRED, as munged does, and every user may use the socket (mode 0777). `owner`, where
   * that cannot be had (not Linux, or koffi does not load): everybody passes for the user of this process, and nobody else can use the
   * socket (mode 0600; root can).
   */
  readonly peerIdentity: 'kernel' | 'owner';
  readonly #limitMs: number;
  readonly #lookup: PeerLookup | null;
  readonly #room = { bytes: ROOM };
  readonly #open = new Set<Socket>();
  readonly #faults = new Set<PlantedFault>();
  readonly #count = { connections: 0, requests: 0, encoded: 0, decoded: 0 };
  #server: Server | null = null;
  /** The end of the last start or stop: they follow one another. */
  #turn: Promise<unknown> = Promise.resolve();

  /** @internal */
  constructor(socket: string, store: CredentialStore, limitMs: number, lookup: PeerLookup | null) {
    this.socket = socket;
    this.store = store;
    this.#limitMs = limitMs;
    this.#lookup = lookup;
    this.peerIdentity = lookup === null ? 'owner' : 'kernel';
  }

  get counts(): MungedCounts {
    return { ...this.#count, open: this.#open.size };
  }

  /**
   * Does something wrong from now on; the fault planted first is looked at first.
   *
   * @returns takes it back.
   * @throws SlurmUsageError when `times`, the error number or its text is not valid.
   */
  fault(fault: MungedFault, scope: MungedFaultScope = {}): () => void {
    const { times = Number.POSITIVE_INFINITY } = scope;
    if (!(times === Number.POSITIVE_INFINITY || (Number.isInteger(times) && times > 0))) {
      throw badOption('times', times, 'not a number of requests');
    }
    if (typeof fault === 'object') checkErrorFault(fault);
    const planted = { fault, scope, left: times };
    this.#faults.add(planted);
    return () => {
      this.#faults.delete(planted);
    };
  }

  /** Listens again after {@link stop} or {@link crash}; nothing happens if it does. */
  start(): Promise<void> {
    return this.#inTurn(async () => {
      this.#server ??= await this.#listen();
    });
  }

  /** Stops listening, breaks all connections, and removes the socket. {@link start} begins anew, with the same credentials. */
  stop(): Promise<void> {
    return this.#inTurn(() => this.#close());
  }

  /** Stops as a munged does that is killed: the socket stays, and nobody listens on it (ECONNREFUSED). */
  crash(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#server === null) return;
      // A server that closes removes its socket by the name under which it made it.
      const aside = `${this.socket}~`;
      const kept = await renamed(this.socket, aside);
      await this.#close();
      if (kept) await renamed(aside, this.socket);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #inTurn(step: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(step);
    // A failed step is told to who asked for it, and does not keep the next from being done.
    this.#turn = done.catch(() => {});
    return done;
  }

  async #listen(): Promise<Server> {
    try {
      return await this.#listenOnce();
    } catch (error) {
      if (!(isErrno(error) && error.code === 'EADDRINUSE' && (await isDeadSocket(this.socket)))) {
        throw cannotListen(this.socket, error);
      }
    }
    // What a process left behind that was killed. munged removes it too.
    await rm(this.socket, { force: true });
    try {
      return await this.#listenOnce();
    } catch (error) {
      throw cannotListen(this.socket, error);
    }
  }

  #listenOnce(): Promise<Server> {
    return new Promise((resolve, reject) => {
      const server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
      server.maxConnections = MAX_CONNECTIONS;
      server.once('error', reject);
      server.listen({ path: this.socket, exclusive: true }, () => {
        try {
          chmodSync(this.socket, this.peerIdentity === 'kernel' ? 0o777 : 0o600);
        } catch (error) {
          server.close(() => reject(error));
          return;
        }
        server.off('error', reject);
        // From now on it can only be that a connection could not be taken (no descriptors left): its client sees it broken, as with munged.
        server.on('error', () => {});
        resolve(server);
      });
    });
  }

  #close(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    return new Promise((resolve) => {
      if (server === null) return resolve();
      server.close(() => resolve());
      for (const socket of this.#open) socket.destroy();
    });
  }

  #accept(socket: Socket): void {
    this.#count.connections += 1;
    this.#open.add(socket);
    socket.on('close', () => this.#open.delete(socket));
    const client = this.#identify(socket);
    converse(socket, {
      limitMs: this.#limitMs,
      room: this.#room,
      answer: (request) => this.#answer(request, client),
    });
  }

  #identify(socket: Socket): UserAndGroup | null {
    if (this.#lookup !== null) return this.#lookup(socket);
    return { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
  }

  #answer(request: MungeRequest, client: UserAndGroup | null): MungedAnswer | 'hang' | 'close' {
    this.#count.requests += 1;
    const call = request.name === 'encodeRequest' ? 'encode' : 'decode';
    const fault = this.#takeFault(call, client);
    if (fault === 'hang' || fault === 'close') return fault;
    if (fault !== null) return refuse(request, { error: fault.error, text: fault.text ?? null });
    const answer = answerOf(this.store, request, client);
    if (answer.error === 0) this.#count[`${call}d`] += 1;
    return answer;
  }

  #takeFault(call: 'encode' | 'decode', client: UserAndGroup | null): MungedFault | null {
    for (const planted of this.#faults) {
      const { scope } = planted;
      if (scope.uid !== undefined && scope.uid !== client?.uid) continue;
      if (scope.call !== undefined && scope.call !== call) continue;
      planted.left -= 1;
      if (planted.left <= 0) this.#faults.delete(planted);
      return planted.fault;
    }
    return null;
  }
}

function checkErrorFault({ error, text = '' }: Exclude<MungedFault, string>): void {
  if (!(Number.isInteger(error) && error > 0 && error < 256)) {
    throw badOption('error', error, 'not a number of an error (1 … 255)');
  }
  if (text.includes('\0') || Buffer.byteLength(text) > MAX_TEXT) {
    throw badOption('text', text, `longer than the ${MAX_TEXT} bytes an error's text may have, or has a NUL`);
  }
}

/** Whether it was there to be renamed: somebody may have cleared the directory. */
async function renamed(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (isErrno(error) && error.code === 'ENOENT') return false;
    throw error;
  }
}

/** Whether it is a socket on which nobody listens. Linux refuses to connect to a plain file in the same way. */
async function isDeadSocket(path: string): Promise<boolean> {
  if (!(await lstat(path)).isSocket()) return false;
  return new Promise((resolve) => {
    const socket = connect(path);
    const end = (verdict: boolean) => {
      socket.destroy();
      resolve(verdict);
    };
    socket.on('connect', () => end(false));
    socket.on('error', (error) => end(isErrno(error) && error.code === 'ECONNREFUSED'));
  });
}

function isErrno(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).code === 'string';
}

function cannotListen(socket: string, cause: unknown): SlurmUsageError {
  const code = isErrno(cause) ? cause.code : undefined;
  const why =
    code === 'EADDRINUSE'
      ? 'taken: a server listens there, or it is no socket'
      : `not usable (${code ?? 'EIO'})`;
  return badOption('socket', socket, why, cause);
}

function badOption(field: string, value: unknown, why: string, cause?: unknown): SlurmUsageError {
  return new SlurmUsageError(`EmbeddedMunged: ${field} is ${why}: ${showValue(value)}.`, {
    code: 'SLURMWIRE_BAD_OPTION',
    field,
    value,
    cause,
  });
}
