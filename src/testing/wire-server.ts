/**
 * The ears and the mouth of an embedded daemon: takes connections, reads one message of each, refuses what a daemon of its release would
 * refuse in the way it would, has the rest handled, and answers.
 */
import { setMaxListeners } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { AuthSection } from '../protocol/auth-section.js';
import { encodeBody } from '../protocol/body.js';
import { encodeFrame, type Frame } from '../protocol/frame.js';
import { HEADER_FLAGS, type HeaderInput, type ReturnItem } from '../protocol/header.js';
import { messageTypeNumber } from '../protocol/message-type.js';
import type { MessageInput, MessageName } from '../protocol/messages/index.js';
import { payloadDigest } from '../protocol/payload-digest.js';
import { isAtLeast, type Release } from '../protocol/release.js';
import { isSlurmError } from '../protocol/slurm-error.js';
import type { Endpoint } from '../protocol/transport.js';
import { resetSocket } from '../replay/reset-socket.js';
import type { CredentialStore, UserAndGroup } from './credentials.js';
import type { Fault, FaultList } from './faults.js';
import { accepts, type DaemonKind, type Refusal, refusalOf, signsReplies, speaksHttp } from './manners.js';
import { openRequest, type WireRequest } from './open-request.js';
import { readMessage } from './read-message.js';

export type { WireRequest };

/** What would have harmed a real daemon: it is written down, and the connection is closed. */
export interface Harm {
  readonly harm: string;
}

/** An answer. `returnList`: those of the nodes below, from a slurmd that forwarded. `null`: the connection is closed without a word. */
export type WireAnswer = Said | Harm | null;

export interface Said {
  readonly name: MessageName;
  readonly record: unknown;
  readonly returnList?: HeaderInput['returnList'];
}

/** One request as the cluster's log has it. */
export interface RequestSeen {
  /** The daemon: `slurmctld`, `slurmctld2`, or the name of a node. */
  readonly to: string;
  /** Upstream's name of the message; `null` for a number without one, and for what was no message. */
  readonly name: string | null;
  readonly release: Release | null;
  /** The caller; `null` where no credential was good. */
  readonly uid: number | null;
  /** Length of the frame. */
  readonly bytes: number;
  /** The answer by upstream's name, RC with its number; or how it was refused, or `none`. */
  readonly answer: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** What a wire server is part of. */
export interface WireHost {
  readonly faults: FaultList;
  /** Milliseconds a connection may take to bring its message. */
  readonly messageTimeoutMs: number;
  /** Told of each request when it is over. */
  seen(request: RequestSeen): void;
  /** Told when a daemon begins or ceases to answer. */
  turned(name: string, how: Turn): void;
}

/** What makes one daemon. */
export interface WireDaemon {
  readonly name: string;
  readonly kind: DaemonKind;
  /** Who it runs as: makes and opens credentials as this user. */
  readonly user: UserAndGroup;
  /** The munged of its host: a credential that is passed on is opened once on each. */
  readonly credentials: CredentialStore;
  /** IPv4 address it listens on. */
  readonly address: string;
  handle(request: WireRequest, signal: AbortSignal): Promise<WireAnswer> | WireAnswer;
  /** Passes a message on to other nodes, whoever it is from: forwarding does not wait for the credential to be looked at. */
  forward?(frame: Frame, signal: AbortSignal): Promise<ReturnItem[]> | Harm;
}

const HTTP_REFUSAL = 'HTTP/1.1 405 METHOD NOT ALLOWED\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';

/** How a daemon begins or ceases to answer. */
export type Turn = 'started' | 'stopped' | 'paused' | 'resumed';

export class WireServer {
  readonly #host: WireHost;
  readonly #daemon: WireDaemon;
  readonly #sockets = new Set<Socket>();
  #server: Server | null = null;
  #stopped = new AbortController();
  #port = 0;
  #paused = false;
  readonly #waiting: (() => void)[] = [];
  #release: Release;
  #backTimer: NodeJS.Timeout | undefined;
  /** Counts starts and stops that were asked for: what was planned before is off then. */
  #orders = 0;
  /** The end of the last start or stop: they follow one another. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(host: WireHost, daemon: WireDaemon, release: Release) {
    this.#host = host;
    this.#daemon = daemon;
    this.#release = release;
  }

  /** The release it is of now. */
  get release(): Release {
    return this.#release;
  }

  /** Where it listens, or listened. */
  get endpoint(): Endpoint {
    return { host: this.#daemon.address, port: this.#port };
  }

  get isUp(): boolean {
    return this.#server !== null;
  }

  /** It is up and not paused. */
  get isAnswering(): boolean {
    return this.isUp && !this.#paused;
  }

  /**
   * Listens: on a port of the system's choice at first, on that same port ever after. Nothing happens where it does already.
   *
   * @param port the one to listen on from now on; 0 for the system's choice.
   * @throws Error of node:net where the port was taken meanwhile.
   */
  start(
    options: { readonly release?: Release | undefined; readonly port?: number | undefined } = {},
  ): Promise<void> {
    this.#orders += 1;
    clearTimeout(this.#backTimer);
    return this.#inTurn(() => this.#listen(options));
  }

  /** Closes all connections and listens no more. What was being executed is given up. Nothing happens where it does not listen. */
  stop(manner: 'close' | 'reset' = 'close'): Promise<void> {
    this.#orders += 1;
    clearTimeout(this.#backTimer);
    return this.#inTurn(() => this.#close(manner));
  }

  /** Takes connections, as the kernel does for a stopped process, and reads nothing. A daemon that is down cannot be paused. */
  pause(): void {
    if (!this.isAnswering) return;
    this.#paused = true;
    this.#host.turned(this.#daemon.name, 'paused');
  }

  resume(): void {
    if (!this.#paused) return;
    this.#goOn();
    this.#host.turned(this.#daemon.name, 'resumed');
  }

  #goOn(): void {
    this.#paused = false;
    for (const go of this.#waiting.splice(0)) go();
  }

  #inTurn(step: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(step);
    // A failed step is told to who asked for it, and does not keep the next from being done.
    this.#turn = done.catch(() => {});
    return done;
  }

  async #listen({
    release = this.#release,
    port = this.#port,
  }: {
    release?: Release | undefined;
    port?: number | undefined;
  }): Promise<void> {
    if (this.#server !== null) return;
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#serve(socket));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ port, host: this.#daemon.address, backlog: 4096 }, resolve);
    });
    // From now on it can only be that a connection could not be taken (no descriptors left): its client sees it broken.
    server.on('error', () => {});
    this.#release = release;
    this.#port = (server.address() as { port: number }).port;
    this.#stopped = new AbortController();
    // Each connection that is waited for listens to it.
    setMaxListeners(0, this.#stopped.signal);
    this.#server = server;
    this.#host.turned(this.#daemon.name, 'started');
  }

  async #close(manner: 'close' | 'reset'): Promise<void> {
    const server = this.#server;
    if (server === null) return;
    this.#server = null;
    this.#stopped.abort();
    this.#goOn();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of this.#sockets) {
      if (manner === 'reset') resetSocket(socket);
      else socket.destroy();
    }
    this.#host.turned(this.#daemon.name, 'stopped');
    await closed;
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    this.#converse(socket).catch((error: unknown) => {
      socket.destroy();
      // A fault of ours, or of a fault that was ordered, and not of the peer: nobody else would hear of it.
      queueMicrotask(() => {
        throw error;
      });
    });
  }

  async #converse(socket: Socket): Promise<void> {
    const { signal } = this.#stopped;
    await this.#unpaused();
    const message = await readMessage(socket, {
      timeoutMs: this.#host.messageTimeoutMs,
      speaksHttp: speaksHttp(this.#release),
      isPaused: () => this.#paused,
    });
    await this.#unpaused();
    if (message === null || signal.aborted) return void socket.destroy();
    const answer =
      typeof message === 'string'
        ? this.#refuseLength(message)
        : await this.#answerTo(message, signal, socket);
    if (answer === null || signal.aborted) return void socket.destroy();
    // Daemons test their socket before they answer: a half-closed one is "peer gone". What has arrived is known after two turns.
    for (let i = 0; i < 2; i++) await new Promise((resolve) => setImmediate(resolve));
    if (socket.readableEnded || socket.destroyed) return void socket.destroy();
    socket.write(answer);
    // Who does not take the answer has as long as a daemon gives it.
    socket.setTimeout(this.#host.messageTimeoutMs, () => socket.destroy());
    socket.destroySoon();
  }

  #unpaused(): Promise<void> {
    return this.#paused ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve();
  }

  #refuseLength(why: 'too-short' | 'too-long'): Uint8Array | string | null {
    const { name: to, kind } = this.#daemon;
    const own = this.#release;
    const answer = `refused: ${why}`;
    this.#host.seen({ to, name: null, release: null, uid: null, bytes: 0, answer, at: Date.now() });
    return refuse(refusalOf(kind, own, why, own));
  }

  async #answerTo(
    bytes: Uint8Array,
    signal: AbortSignal,
    socket: Socket,
  ): Promise<Uint8Array | string | null> {
    const own = this.#release;
    const { name: to, kind } = this.#daemon;
    const at = Date.now();
    const { user, credentials } = this.#daemon;
    const opened = openRequest(bytes, { own, user, credentials });
    const { name, release, uid } = opened;
    const log = (answer: string) =>
      this.#host.seen({ to, name, release, uid, bytes: bytes.length, answer, at });
    // Who tests a client with this cluster should not have to look for it in a list.
    const harm = ({ harm: what }: Harm) => {
      log(`would have harmed: ${what}`);
      process.emitWarning(`${to}: a real ${kind} would have been harmed: ${what}`, 'SlurmwireTesting');
      return null;
    };
    if (release === null || !accepts(own, release)) {
      log('refused: version');
      return refuse(refusalOf(kind, own, 'version', own));
    }
    const fault = this.#host.faults.take({ to, name, release, uid });
    if (!(await this.#trouble(fault, 'before', socket, signal))) {
      log('none');
      return null;
    }
    const forwarded = opened.frame?.header.forward.cnt
      ? this.#daemon.forward?.(opened.frame, signal)
      : undefined;
    // Some ways out of here do not wait for it.
    if (forwarded instanceof Promise) forwarded.catch(() => {});
    if (forwarded !== undefined && 'harm' in forwarded) {
      return harm(forwarded);
    }
    if (opened.rejection !== null) {
      log(`refused: ${opened.rejection}`);
      const refusal = refusalOf(kind, own, opened.rejection, release);
      const returnList = await forwarded;
      // Where the caller is known, the answer is as any other.
      return uid !== null && opened.frame !== null && typeof refusal === 'object'
        ? this.#pack({ ...returnCode(refusal.rc), returnList }, { uid, frame: opened.frame }, release)
        : refuse(refusal, returnList);
    }
    const lie = lieOf(fault);
    const truth =
      lie === null || fault?.execute === true ? await this.#daemon.handle(opened.request, signal) : null;
    const answer = lie ?? truth;
    if (answer === null || signal.aborted || !(await this.#trouble(fault, 'after', socket, signal))) {
      log('none');
      return null;
    }
    if ('harm' in answer) {
      return harm(answer);
    }
    log(showAnswer(answer));
    const items = await forwarded;
    if (signal.aborted) return null;
    const whole = items === undefined ? answer : { ...answer, returnList: items };
    const packed =
      fault?.release === undefined
        ? this.#pack(whole, opened.request, release)
        : this.#packLie(whole, opened.request, fault.release);
    if (packed === null) return null;
    const changed = fault?.corrupt?.(packed) ?? packed;
    return fault?.cutAt === undefined ? changed : changed.subarray(0, fault.cutAt);
  }

  /** In a version that was ordered, which may have no room for the answer: then there is none. */
  #packLie(answer: Said, request: Pick<WireRequest, 'uid' | 'frame'>, release: Release): Uint8Array | null {
    try {
      return this.#pack(answer, request, release);
    } catch (error) {
      if (isSlurmError(error)) return null;
      throw error;
    }
  }

  #pack(answer: Said, request: Pick<WireRequest, 'uid' | 'frame'>, release: Release): Uint8Array {
    const { name, record, returnList } = answer;
    const body = encodeBody(name, release, record as MessageInput<MessageName>);
    const flags = (request.frame?.header.flags ?? 0) & ~HEADER_FLAGS.SLURM_NO_AUTH_CRED;
    const type = messageTypeNumber(name, release) ?? 0;
    const isSigned = signsReplies(this.#release, release, name);
    const auth = isSigned ? this.#sign(request.uid, release, type, body) : null;
    return encodeFrame({ release, messageName: name, auth, body, flags, returnList });
  }

  #sign(uid: number, release: Release, type: number, body: Uint8Array): AuthSection {
    const { user, credentials } = this.#daemon;
    // The daemon's own kind of digest, whatever the version it speaks.
    const payload = payloadDigest(isAtLeast(this.#release, '22.05') ? '22.05' : release, type, body);
    const credential = credentials.mint({ ...user, payload, restrictUid: uid === user.uid ? null : uid });
    return { plugin: 'auth/munge', credential };
  }

  /** True where the request goes on. */
  async #trouble(
    fault: Fault | null,
    moment: 'before' | 'after',
    socket: Socket,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (fault === null) return true;
    const ms = moment === 'before' ? fault.delayMs : fault.answerDelayMs;
    if (ms !== undefined) await pause(ms, signal);
    if (signal.aborted) return false;
    if (fault.hang === moment) {
      await new Promise<void>((resolve) => {
        const end = () => {
          signal.removeEventListener('abort', end);
          resolve();
        };
        signal.addEventListener('abort', end);
        if (socket.destroyed || socket.readableEnded) end();
        else socket.once('end', end).once('close', end);
      });
      return false;
    }
    if (fault.reset === moment) resetSocket(socket);
    if (fault.die === moment) await this.#die(fault.backAfterMs);
    return ![fault.drop, fault.reset, fault.die].includes(moment);
  }

  async #die(backAfterMs: number | undefined): Promise<void> {
    const dead = this.stop('reset');
    const order = this.#orders;
    await dead;
    // Who has started or stopped it meanwhile knows better.
    if (backAfterMs === undefined || order !== this.#orders) return;
    this.#backTimer = setTimeout(() => {
      this.start().catch((error: Error) => {
        process.emitWarning(`${this.#daemon.name} did not come back: ${error.message}`, 'SlurmwireTesting');
      });
    }, backAfterMs);
  }
}

function refuse(refusal: Refusal, returnList?: readonly ReturnItem[]): Uint8Array | string | null {
  if (refusal === 'close') return null;
  if (refusal === 'http') return HTTP_REFUSAL;
  const { rc, release } = refusal;
  const body = encodeBody('RESPONSE_SLURM_RC', release, { returnCode: rc });
  return encodeFrame({ release, messageName: 'RESPONSE_SLURM_RC', auth: null, body, returnList });
}

function lieOf(fault: Fault | null): WireAnswer {
  if (fault?.reply !== undefined) return { name: fault.reply[0], record: fault.reply[1] };
  return fault?.rc === undefined ? null : returnCode(fault.rc);
}

/** RESPONSE_SLURM_RC with a number, which may be negative. */
export function returnCode(rc: number): Said {
  return { name: 'RESPONSE_SLURM_RC', record: { returnCode: rc >>> 0 } };
}

function showAnswer({ name, record }: Said): string {
  return name === 'RESPONSE_SLURM_RC' ? `RC ${(record as { returnCode: number }).returnCode | 0}` : name;
}

/** Resolves early when the daemon stops. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end, { once: true });
  });
}
