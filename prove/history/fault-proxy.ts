/**
 * A proxy before one daemon that spoils connections on order, and writes down what passed.
 *
 * A daemon of Slurm gets one frame per connection and answers with one, munged too. So the proxy takes in a whole frame, knows which message it
 * is, and then lets pass what the order says. Byte offsets are shares of the frame, so that every byte can be hit.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { decodeBody } from '../../src/protocol/body.js';
import { decodeFrame, type Frame } from '../../src/protocol/frame.js';
import { isMessageName } from '../../src/protocol/messages/index.js';
import { isAtLeast, type Release } from '../../src/protocol/release.js';
import { resetSocket } from '../../src/replay/reset-socket.js';
import type { Moment, PlannedFault } from './plan.js';

/** One connection, as far as the proxy saw it. */
export interface Passage {
  readonly daemon: string;
  readonly nth: number;
  /** Milliseconds since the proxy was made. */
  readonly atMs: number;
  /** What was done to it: `up fin 120/300`. */
  fault: string | null;
  /** Upstream's name of the request, `null` while no frame came whole. */
  request: string | null;
  release: Release | null;
  /** Bytes of the request that came from the client. */
  came: number;
  /** The daemon got the whole request as the client had written it. */
  reached: boolean;
  /** The daemon got something else than a beginning of it. */
  altered: boolean;
  /** What the daemon answered: `RC 0`, or the name; `null`: nothing. */
  reply: string | null;
  /** Milliseconds when all of the answer had been handed to the client as it was; `null`: it was not. */
  repliedMs: number | null;
  /** An altered answer that cannot be told from a true one: the protocol itself does not protect it. */
  forged: boolean;
}

export interface FaultProxyOptions {
  readonly name: string;
  /** The daemon. */
  readonly target: { readonly host: string; readonly port: number } | { readonly path: string };
  /** Where to listen: a free port of this address, or a path. */
  readonly listen: { readonly host: string; readonly port: number } | { readonly path: string };
  readonly faults: readonly PlannedFault[];
  /** A daemon that must not be harmed. */
  readonly isReal: boolean;
  /** Told of each moment; the message waits until it is done. */
  readonly on: (moment: Moment, daemon: string, nth: number) => Promise<void> | void;
}

export class FaultProxy {
  readonly passages: Passage[] = [];
  readonly #options: FaultProxyOptions;
  readonly #faults: PlannedFault[];
  readonly #sockets = new Set<Socket>();
  /** The client's ends that are not closed by the client. */
  readonly #clients = new Set<Socket>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #startedAt = performance.now();
  readonly #isMunge: boolean;
  readonly #seen = new Map<string, number>();
  #server: Server | null = null;
  #port = 0;
  #closed = false;
  #isRefusing = false;
  #isArmed = false;

  constructor(options: FaultProxyOptions) {
    this.#options = options;
    this.#faults = options.faults.filter(({ daemon }) => daemon === options.name);
    this.#isMunge = 'path' in options.target;
  }

  get port(): number {
    return this.#port;
  }

  /** How many connections the client has not closed. */
  get leftOpen(): number {
    return this.#clients.size;
  }

  /**
   * Whether connections are to be refused now. A TCP port is kept all the same, or another's proxy could get it: the client's resolver leads
   * to an address where nobody listens (see `carry-out.ts`).
   */
  get isRefusing(): boolean {
    return this.#isRefusing;
  }

  /** Listens. Until {@link arm} everything passes. */
  async start(): Promise<void> {
    await this.#listen();
  }

  /** From now on orders are carried out, and connections counted. */
  arm(): void {
    this.#isArmed = true;
    this.passages.length = 0;
    this.#seen.clear();
    if (this.#options.faults.some((fault) => this.#isRefusalOf(fault, 0))) this.refuse();
  }

  /** Takes no more connections; those that are there stay. */
  refuse(): void {
    this.#isRefusing = true;
    // A path is nobody else's.
    if (this.#isMunge) this.#stopListening();
  }

  async listenAgain(): Promise<void> {
    this.#isRefusing = false;
    if (this.#server === null && !this.#closed) await this.#listen();
  }

  /** Drops all connections. */
  close(): void {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#stopListening();
    for (const socket of this.#sockets) socket.destroy();
  }

  /** It is closed to new ones at once; the callback would wait for the old. */
  #stopListening(): void {
    this.#server?.close();
    this.#server = null;
  }

  async #listen(): Promise<void> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
      this.#serve(client).catch((error: unknown) => {
        client.destroy();
        queueMicrotask(() => {
          throw error;
        });
      });
    });
    const { listen } = this.#options;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      if ('path' in listen) server.listen(listen.path, resolve);
      else server.listen({ host: listen.host, port: listen.port, backlog: 512 }, resolve);
    });
    server.on('error', () => {});
    const address = server.address();
    if (typeof address === 'object' && address !== null) this.#port = address.port;
    this.#server = server;
  }

  #isRefusalOf({ daemon, kind, nth }: PlannedFault, connection: number): boolean {
    return daemon === this.#options.name && kind === 'refuse' && nth === connection;
  }

  async #serve(client: Socket): Promise<void> {
    const { name } = this.#options;
    const nth = this.passages.length;
    const passage: Passage = {
      daemon: name,
      nth,
      atMs: this.#now(),
      ...{ fault: null, request: null, release: null, came: 0, reached: false, altered: false },
      ...{ reply: null, repliedMs: null, forged: false },
    };
    this.passages.push(passage);
    this.#track(client);
    this.#clients.add(client);
    const gone = () => this.#clients.delete(client);
    client.once('end', gone).once('close', gone);
    const refusal = !this.#isArmed
      ? undefined
      : this.#faults.find((fault) => this.#isRefusalOf(fault, nth + 1));
    if (refusal !== undefined) {
      this.refuse();
      if (refusal.ms > 0) this.#after(refusal.ms, () => void this.listenAgain());
    }
    // Read from the beginning, so that its end is seen whatever is done to it.
    const coming = this.#frame(client);
    const early = this.#take((fault) => fault.side === 'accept' && fault.nth === nth);
    if (early !== null) {
      passage.fault = `accept ${early.kind}`;
      if (early.kind === 'fin') return endBoth(client);
      if (early.kind === 'reset') return void breakOff(client);
      if (early.kind === 'stall') return;
      await this.#pause(early.ms);
    }
    const up = await coming;
    passage.came = up.bytes.length;
    if (!up.isWhole) return void client.destroy();
    const frame = this.#isMunge ? null : decoded(up.bytes);
    passage.request = this.#isMunge ? 'munge' : (frame?.messageName ?? null);
    passage.release = frame?.release ?? null;
    const fault = this.#faultOf(nth, passage.request);
    await this.#options.on('request-in', name, nth);
    if (client.destroyed) return;
    const daemon = await this.#dial();
    if (daemon === null) return void breakOff(client);
    // Who has gone is gone for the daemon too.
    client.once('close', () => daemon.destroy()).once('end', () => daemon.destroy());
    const passes = await this.#pass(up.bytes, daemon, fault?.side === 'up' ? fault : null, {
      passage,
      other: client,
      alterable: this.#alterable(up.bytes, frame),
    });
    if (!passes) return;
    passage.reached = !passage.altered;
    await this.#options.on('request-through', name, nth);
    const down = await this.#frame(daemon);
    const answer = this.#isMunge ? null : decoded(down.bytes);
    passage.reply = this.#isMunge && down.isWhole ? 'munge' : shown(answer);
    await this.#options.on('reply-in', name, nth);
    if (fault?.kind === 'request-twice') await this.#again(up.bytes, passage);
    if (client.destroyed) return;
    if (down.bytes.length === 0) {
      // As the daemon ended it.
      if (down.wasReset) return void breakOff(client);
      return endBoth(client, daemon);
    }
    const went = await this.#pass(down.bytes, client, fault?.side === 'down' ? fault : null, {
      passage,
      other: daemon,
      alterable: [0, down.bytes.length],
    });
    if (!went) return;
    if (fault?.side !== 'down' || fault.kind === 'delay' || fault.kind === 'dribble')
      passage.repliedMs = this.#now();
    endBoth(client, daemon);
  }

  /** Lets bytes pass as the order says. @returns true where the conversation goes on. */
  async #pass(
    bytes: Buffer,
    to: Socket,
    fault: PlannedFault | null,
    { passage, other, alterable }: { passage: Passage; other: Socket; alterable: readonly [number, number] },
  ): Promise<boolean> {
    if (fault === null || fault.kind === 'request-twice') {
      to.write(bytes);
      return true;
    }
    const { kind, side } = fault;
    const isAltering = kind === 'corrupt' || kind === 'repeat' || kind === 'cut-out';
    const [from, end] = isAltering ? alterable : [0, bytes.length];
    const at = Math.min(end - 1, from + Math.floor(fault.at * (end - from)));
    passage.fault = `${side} ${kind} ${at}/${bytes.length}`;
    const head = bytes.subarray(0, at);
    switch (kind) {
      case 'fin':
        to.write(head);
        endBoth(to, other);
        return false;
      case 'reset':
        if (head.length > 0) await new Promise((resolve) => to.write(head, resolve));
        breakOff(to);
        breakOff(other);
        return false;
      case 'stall':
        if (head.length > 0) to.write(head);
        return false;
      case 'delay':
        if (head.length > 0) to.write(head);
        await this.#pause(fault.ms);
        if (to.destroyed || other.destroyed) return false;
        to.write(bytes.subarray(at));
        return true;
      case 'dribble':
        for (let i = 0; i < bytes.length; i += 7) {
          to.write(bytes.subarray(i, i + 7));
          await new Promise((resolve) => setImmediate(resolve));
          if (to.destroyed || other.destroyed) return false;
        }
        return true;
      case 'corrupt':
      case 'repeat':
      case 'cut-out': {
        const changed = altered(bytes, kind, at, Math.min(end, at + 8));
        if (side === 'up') passage.altered = true;
        else passage.forged = this.#isForgery(bytes, changed);
        to.write(changed);
        // What is missing never comes.
        if (kind === 'cut-out') to.end();
        return true;
      }
      default:
        to.write(bytes);
        return true;
    }
  }

  /**
   * Which bytes of a request may be others. A real daemon decodes counts and texts before it checks digests, and may come to harm by them, so there
   * only the text of the credential is. Before 22.05 no digest protects the body, so what is changed there may well be another's request.
   */
  #alterable(bytes: Buffer, frame: Frame | null): readonly [number, number] {
    if (this.#isMunge) return [0, bytes.length];
    const isProtected = frame !== null && isAtLeast(frame.release, '22.05');
    if (isProtected && !this.#options.isReal) return [0, bytes.length];
    const from = bytes.indexOf('MUNGE:');
    const to = bytes.indexOf(':', from + 6);
    return from < 0 || to < 0 ? [0, 0] : [from + 6, to];
  }

  /** Whether what came of an answer is one that a daemon could have given. */
  #isForgery(bytes: Buffer, changed: Buffer): boolean {
    if (this.#isMunge) return false;
    const length = changed.length < 4 ? 0 : changed.readUInt32BE(0) + 4;
    const first = changed.subarray(0, length);
    const frame = length > changed.length || first.equals(bytes) ? null : decoded(first);
    if (frame === null || frame.messageName === null || !isMessageName(frame.messageName)) return false;
    // A digest in its credential protects the body, and the type; nothing protects the header.
    const isSigned = frame.auth !== null && isAtLeast(frame.release, '22.05');
    const before = decoded(bytes);
    const sameBody = before !== null && Buffer.compare(before.body, frame.body) === 0;
    if (isSigned && !sameBody) return false;
    try {
      decodeBody(frame.messageName, frame.release, frame.body);
      return true;
    } catch {
      return false;
    }
  }

  /** The same request once more, as a network that repeats would bring it. */
  async #again(bytes: Buffer, passage: Passage): Promise<void> {
    passage.fault = 'up request-twice';
    const daemon = await this.#dial();
    if (daemon === null) return;
    daemon.write(bytes);
    await this.#frame(daemon);
    daemon.destroy();
  }

  #faultOf(nth: number, message: string | null): PlannedFault | null {
    const before = this.#seen.get(message ?? '') ?? 0;
    this.#seen.set(message ?? '', before + 1);
    return this.#take(
      (fault) =>
        fault.side !== 'accept' &&
        (fault.message === undefined ? fault.nth === nth : fault.message === message && fault.nth === before),
    );
  }

  #take(fits: (fault: PlannedFault) => boolean): PlannedFault | null {
    if (!this.#isArmed) return null;
    const at = this.#faults.findIndex((fault) => fault.kind !== 'refuse' && fits(fault));
    return at < 0 ? null : (this.#faults.splice(at, 1)[0] as PlannedFault);
  }

  /** A whole frame, or what there is of one when the peer ends. */
  #frame(socket: Socket): Promise<{ bytes: Buffer; isWhole: boolean; wasReset: boolean }> {
    return new Promise((resolve) => {
      let bytes: Buffer = Buffer.alloc(0);
      const end = (isWhole: boolean, wasReset = false) => {
        socket.off('data', more).off('end', over).off('close', over).off('error', broken);
        resolve({ bytes, isWhole, wasReset });
      };
      const more = (chunk: Buffer) => {
        bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
        const length = this.#isMunge ? mungeLength(bytes) : slurmLength(bytes);
        if (length !== null && bytes.length >= length) end(true);
      };
      const over = () => end(false);
      const broken = (error: NodeJS.ErrnoException) => end(false, error.code === 'ECONNRESET');
      socket.on('data', more).once('end', over).once('close', over).once('error', broken);
      if (socket.destroyed || socket.readableEnded) end(false);
    });
  }

  #dial(): Promise<Socket | null> {
    return new Promise((resolve) => {
      const socket = connect({ ...this.#options.target, noDelay: true, allowHalfOpen: true });
      this.#track(socket);
      socket.once('connect', () => resolve(socket));
      socket.once('close', () => resolve(null));
    });
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => this.#sockets.delete(socket));
    if (this.#closed) socket.destroy();
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.#after(ms, resolve));
  }

  #after(ms: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, ms);
    this.#timers.add(timer);
  }

  #now(): number {
    return Math.round(performance.now() - this.#startedAt);
  }
}

/** By a reset, which a Unix socket does not have. */
function breakOff(socket: Socket): void {
  if (socket.remoteAddress === undefined) socket.destroy();
  else resetSocket(socket);
}

/** Ends the ways to both, and reads on so that the ends of their ways are seen. */
function endBoth(...sockets: Socket[]): void {
  for (const socket of sockets) {
    socket.resume();
    socket.end();
  }
}

function altered(bytes: Buffer, kind: 'corrupt' | 'repeat' | 'cut-out', at: number, end: number): Buffer {
  const [head, some, tail] = [bytes.subarray(0, at), bytes.subarray(at, end), bytes.subarray(end)];
  if (kind === 'repeat') return Buffer.concat([head, some, some, tail]);
  if (kind === 'cut-out') return Buffer.concat([head, tail]);
  const changed = Buffer.from(bytes);
  changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
  return changed;
}

/** A length word, then so many bytes. */
function slurmLength(bytes: Buffer): number | null {
  return bytes.length < 4 ? null : bytes.readUInt32BE(0) + 4;
}

/** Magic, version, type and retry count, then the length of what follows these 11 bytes. */
function mungeLength(bytes: Buffer): number | null {
  return bytes.length < 11 ? null : bytes.readUInt32BE(7) + 11;
}

function decoded(bytes: Buffer): Frame | null {
  try {
    return decodeFrame(bytes);
  } catch {
    return null;
  }
}

function shown(frame: Frame | null): string | null {
  if (frame === null) return null;
  if (frame.messageName !== 'RESPONSE_SLURM_RC') return frame.messageName;
  try {
    return `RC ${decodeBody('RESPONSE_SLURM_RC', frame.release, frame.body).returnCode | 0}`;
  } catch {
    return frame.messageName;
  }
}
