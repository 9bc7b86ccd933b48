/**
 * The ears and the mouth of an embedded daemon: takes connections, reads one message of each, refuses what a daemon of its release would
 * refuse in the way it would, has the rest handled, and answers.
 */
import { createServer, type Server, type Socket } from 'node:net';
import type { AuthSection } from '../protocol/auth-section.js';
import { decodeBody, encodeBody } from '../protocol/body.js';
import { decodeFrame, encodeFrame, type Frame, LENGTH_WORD } from '../protocol/frame.js';
import { FrameAssembler } from '../protocol/frame-assembler.js';
import { HEADER_FLAGS, type HeaderInput, type ReturnItem } from '../protocol/header.js';
import { messageTypeNumber } from '../protocol/message-type.js';
import { isMessageName, type MessageInput, type MessageName } from '../protocol/messages/index.js';
import { isPayloadOf, payloadDigest } from '../protocol/payload-digest.js';
import { isAtLeast, type Release, releaseOfHeaderVersion } from '../protocol/release.js';
import type { Endpoint } from '../protocol/transport.js';
import type { CredentialStore, OpenedCredential, UserAndGroup } from './credentials.js';
import type { Fault, FaultList } from './faults.js';
import {
  accepts,
  type DaemonKind,
  type Refusal,
  type Rejection,
  refusalOf,
  signsReplies,
} from './manners.js';

/** A request that the daemon is to execute: well-formed, and of a known caller. */
export interface WireRequest {
  readonly name: MessageName;
  /** What decoding the body gave. */
  readonly record: unknown;
  /** Protocol of the request, and of its answer. */
  readonly release: Release;
  readonly uid: number;
  readonly gid: number;
  readonly frame: Frame;
  /** The whole frame as it came. */
  readonly bytes: Uint8Array;
}

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
  turned(name: string): void;
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

/** No message to a daemon of a cluster in a test is longer. */
const MAX_REQUEST = 16 * 1024 * 1024;

/** Shortest frame there can be: a header of the oldest version without anything. */
const MIN_FRAME = 12;

/** SLURM_AUTH_NOBODY. */
const NOBODY = 99;

const HTTP_REFUSAL = 'HTTP/1.1 405 METHOD NOT ALLOWED\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';

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
   * Listens: on a port of the system's choice at first, on that same port ever after.
   *
   * @param port for the first time: the one to listen on.
   * @throws Error of node:net where the port was taken meanwhile.
   */
  async start({
    release = this.#release,
    port = 0,
  }: {
    release?: Release;
    port?: number;
  } = {}): Promise<void> {
    if (this.#server !== null) return;
    clearTimeout(this.#backTimer);
    this.#release = release;
    if (this.#port === 0) this.#port = port;
    this.#stopped = new AbortController();
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#serve(socket));
    // Before the first await: a stop() meanwhile must find it.
    this.#server = server;
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen({ port: this.#port, host: this.#daemon.address, backlog: 4096 }, resolve);
      });
    } catch (error) {
      this.#server = null;
      throw error;
    }
    server.on('error', () => {});
    this.#port = (server.address() as { port: number }).port;
    this.#host.turned(this.#daemon.name);
  }

  /** Closes all connections and listens no more. What was being executed is given up. */
  async stop(manner: 'close' | 'reset' = 'close'): Promise<void> {
    clearTimeout(this.#backTimer);
    const server = this.#server;
    if (server === null) return;
    this.#server = null;
    this.#stopped.abort();
    this.resume();
    for (const socket of this.#sockets) {
      if (manner === 'reset') socket.resetAndDestroy();
      else socket.destroy();
    }
    this.#host.turned(this.#daemon.name);
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  /** Takes connections, as the kernel does for a stopped process, and reads nothing. */
  pause(): void {
    this.#paused = true;
    this.#host.turned(this.#daemon.name);
  }

  resume(): void {
    this.#paused = false;
    this.#host.turned(this.#daemon.name);
    for (const go of this.#waiting.splice(0)) go();
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    this.#converse(socket).catch((error: unknown) => {
      socket.destroy();
      // A fault of ours, not of the peer: nobody else would hear of it.
      queueMicrotask(() => {
        throw error;
      });
    });
  }

  async #converse(socket: Socket): Promise<void> {
    const bytes = await this.#read(socket);
    if (bytes === null) return void socket.destroy();
    const { signal } = this.#stopped;
    await this.#unpaused();
    if (signal.aborted) return;
    const answer = await this.#answerTo(bytes, signal, socket);
    if (answer === null || signal.aborted) return void socket.destroy();
    // Daemons test their socket before they answer: a half-closed one is "peer gone".
    if (socket.readableEnded || socket.destroyed) return void socket.destroy();
    socket.end(answer);
  }

  #unpaused(): Promise<void> {
    return this.#paused ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve();
  }

  /** One whole frame; `null` where the peer leaves, takes too long, or brings something else. */
  #read(socket: Socket): Promise<Uint8Array | null> {
    return new Promise((resolve) => {
      const assembler = new FrameAssembler(MAX_REQUEST);
      const done = (frame: Uint8Array | null) => {
        socket.setTimeout(0);
        socket.off('data', onData);
        // Read on, so that the peer's end is noticed; what it says is dropped.
        socket.on('data', () => {});
        resolve(frame);
      };
      const onData = (chunk: Buffer) => {
        assembler.push(chunk);
        const { announced } = assembler;
        if (announced === null) return;
        if (announced < MIN_FRAME || announced > MAX_REQUEST) return done(null);
        const frame = assembler.take();
        if (frame !== null) done(frame);
      };
      socket.setTimeout(this.#host.messageTimeoutMs, () => done(null));
      socket.on('data', onData);
      socket.once('end', () => done(null));
      socket.once('close', () => done(null));
    });
  }

  /** The bytes to answer with, `null` for none. */
  async #answerTo(
    bytes: Uint8Array,
    signal: AbortSignal,
    socket: Socket,
  ): Promise<Uint8Array | string | null> {
    const own = this.#release;
    const { name: to, kind } = this.#daemon;
    const at = Date.now();
    const opened = this.#open(bytes);
    const { name, release, uid } = opened;
    const log = (answer: string) =>
      this.#host.seen({ to, name, release, uid, bytes: bytes.length, answer, at });
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
    if (forwarded !== undefined && 'harm' in forwarded) {
      log(`would have harmed: ${forwarded.harm}`);
      return null;
    }
    if (opened.rejection !== null) {
      log(`refused: ${opened.rejection}`);
      const refusal = refusalOf(kind, own, opened.rejection, release);
      const returnList = await forwarded;
      if (opened.rejection !== 'not-served' || typeof refusal === 'string')
        return refuse(refusal, returnList);
      // Who asked is known: an answer like any other, signed where those are.
      const record = { returnCode: refusal.rc };
      return this.#pack({ name: 'RESPONSE_SLURM_RC', record, returnList }, opened, refusal.release);
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
      log(`would have harmed: ${answer.harm}`);
      return null;
    }
    log(showAnswer(answer));
    const items = await forwarded;
    if (signal.aborted) return null;
    const whole = items === undefined ? answer : { ...answer, returnList: items };
    const packed = this.#pack(whole, opened.request, fault?.release ?? release);
    const changed = fault?.corrupt?.(packed) ?? packed;
    return fault?.cutAt === undefined ? changed : changed.subarray(0, fault.cutAt);
  }

  #open(bytes: Uint8Array): Opened {
    const none = { name: null, uid: null, frame: null };
    const release = versionOf(bytes);
    if (release === null) return { ...none, release, rejection: 'version' };
    let frame: Frame;
    try {
      frame = decodeFrame(bytes);
    } catch {
      return { ...none, release, rejection: 'body' };
    }
    const { messageName, auth, body, header } = frame;
    const who = this.#identify(auth);
    if (who === null) return { name: messageName, uid: null, release, frame, rejection: 'credential' };
    const known = { name: messageName, uid: who.uid, release, frame };
    const isBound = isPayloadOf(who.payload, release, header.msgType, body);
    if (!isBound || messageName === null) return { ...known, rejection: 'body' };
    if (!isMessageName(messageName)) return { ...known, rejection: 'not-served' };
    try {
      const record: unknown = decodeBody(messageName, release, body);
      const { uid, gid } = who;
      const request = { name: messageName, record, release, uid, gid, frame, bytes };
      return { name: messageName, uid, release, frame, rejection: null, request };
    } catch {
      return { ...known, rejection: 'body' };
    }
  }

  /** `null` where there is no credential, or it is not good. */
  #identify(auth: Frame['auth']): OpenedCredential | null {
    if (auth?.plugin !== 'auth/munge' || auth.credential === null) return null;
    const { error, credential } = this.#daemon.credentials.open(auth.credential, this.#daemon.user);
    // Since 23.02 SLURM_AUTH_NOBODY is nobody's uid.
    const isNobody = credential?.uid === NOBODY || credential?.gid === NOBODY;
    if (error !== 0 || (isNobody && isAtLeast(this.#release, '23.02'))) return null;
    return credential;
  }

  #pack(answer: Said, request: Pick<Opened, 'frame' | 'uid'>, release: Release): Uint8Array {
    const { name, record, returnList } = answer;
    const body = encodeBody(name, release, record as MessageInput<MessageName>);
    const flags = (request.frame?.header.flags ?? 0) & ~HEADER_FLAGS.SLURM_NO_AUTH_CRED;
    const type = messageTypeNumber(name, release) ?? 0;
    const auth = signsReplies(this.#release, release) ? this.#sign(request.uid, release, type, body) : null;
    return encodeFrame({ release, messageName: name, auth, body, flags, returnList });
  }

  #sign(uid: number | null, release: Release, type: number, body: Uint8Array): AuthSection {
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
        signal.addEventListener('abort', () => resolve(), { once: true });
        socket.once('close', () => resolve());
      });
      return false;
    }
    if (fault.reset === moment) socket.resetAndDestroy();
    if (fault.die === moment) await this.#die(fault.backAfterMs);
    return ![fault.drop, fault.reset, fault.die].includes(moment);
  }

  async #die(backAfterMs: number | undefined): Promise<void> {
    await this.stop('reset');
    if (backAfterMs === undefined) return;
    this.#backTimer = setTimeout(() => void this.start().catch(() => {}), backAfterMs);
  }
}

function refuse(refusal: Refusal, returnList?: readonly ReturnItem[]): Uint8Array | string | null {
  if (refusal === 'close') return null;
  if (refusal === 'http') return HTTP_REFUSAL;
  const { rc, release } = refusal;
  const body = encodeBody('RESPONSE_SLURM_RC', release, { returnCode: rc });
  return encodeFrame({ release, messageName: 'RESPONSE_SLURM_RC', auth: null, body, returnList });
}

type Opened = { readonly release: Release | null; readonly frame: Frame | null } & (
  | { readonly name: string | null; readonly uid: number | null; readonly rejection: Rejection }
  | {
      readonly name: MessageName;
      readonly uid: number;
      readonly rejection: null;
      readonly request: WireRequest;
    }
);

function versionOf(bytes: Uint8Array): Release | null {
  return releaseOfHeaderVersion(new DataView(bytes.buffer, bytes.byteOffset).getUint16(LENGTH_WORD));
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
