/** Serves a recording over TCP: a stand-in for the daemons, for clients that cannot be given a transport of their own. */
import { createServer, type Server, type Socket } from 'node:net';
import type { Authenticator, CallContext } from '../protocol/authenticator.js';
import { decodeFrame, encodeFrame, type Frame, LENGTH_WORD } from '../protocol/frame.js';
import { FrameAssembler } from '../protocol/frame-assembler.js';
import { payloadDigest } from '../protocol/payload-digest.js';
import { SlurmProtocolError } from '../protocol/slurm-error.js';
import type { Endpoint } from '../protocol/transport.js';
import { type ConversationEvent, type RedactedConnection, streamOf } from './conversation.js';
import { firstDifference, mismatchOf } from './diff.js';
import type { Fixture } from './fixture.js';
import { closeAll, listening } from './recording-proxy.js';
import { ReplayMismatchError } from './replay-mismatch-error.js';
import { resetSocket } from './reset-socket.js';

/** Options of {@link serveReplay}. */
export interface ServeReplayOptions {
  /** Address to listen on. Default `127.0.0.1`. */
  readonly host?: string | undefined;
  /** Port for a role, by its label in the recording. Default: a free one for each. */
  readonly ports?: Readonly<Record<string, number>> | undefined;
  /**
   * Makes the credentials of signed replies anew, for clients that verify them: daemons up to protocol 22.05 sign. Default: the
   * redacted text is sent, which only a player's own authenticator takes for good.
   */
  readonly auth?: Authenticator | undefined;
}

/** A recording that is served. */
export interface ReplayServer {
  /** Where each role of the recording listens: `slurmctld`, `slurmd-1` … */
  readonly endpoints: ReadonlyMap<string, Endpoint>;
  /** Settles when every connection of the recording was served or the server closed. Never rejects. */
  readonly served: Promise<void>;
  /**
   * Says whether the recording was played as it was recorded.
   *
   * @throws ReplayMismatchError the first mismatch there was, or that connections of the recording were not asked for.
   */
  finish(): void;
  /** Stops listening, drops all connections, and settles when nothing is left open. May be called twice. */
  close(): Promise<void>;
}

/**
 * Serves a recording. Each role listens on an address of its own. A connection gets the first recorded one of its role whose request
 * is the same and that nobody had yet; the credential of the request is not compared, since every client makes its own. What was
 * recorded after the request follows: answer, end, reset. Where nothing fits, the connection is dropped and `finish()` says where
 * the request differs.
 *
 * @throws the system's error when it cannot listen.
 */
export async function serveReplay(fixture: Fixture, options: ServeReplayOptions = {}): Promise<ReplayServer> {
  const { host = '127.0.0.1', ports = {}, auth } = options;
  const session = new ServedSession(fixture, auth);
  const servers: Server[] = [];
  const sockets = new Set<Socket>();
  const endpoints = new Map<string, Endpoint>();
  let closed: Promise<unknown> | undefined;
  const close = async () => {
    session.close();
    closed ??= Promise.all(servers.map((server) => closeAll(server, sockets)));
    await closed;
  };
  try {
    for (const label of new Set(fixture.connections.map(({ endpoint }) => endpoint))) {
      const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
        sockets.add(socket);
        socket.once('close', () => sockets.delete(socket));
        session.accept(socket, label);
      });
      endpoints.set(label, await listening(server, host, ports[label] ?? 0));
      servers.push(server);
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { endpoints, served: session.served, finish: () => session.finish(), close };
}

/** A recorded connection that waits for its client. */
interface Waiting {
  readonly index: number;
  readonly recorded: RedactedConnection;
  readonly request: Uint8Array;
}

/** A client may be longer than what was recorded, but not without end. */
const LONGER = 1 << 20;

class ServedSession {
  readonly served: Promise<void>;
  #resolveServed: () => void = () => {};
  readonly #waiting: Waiting[];
  readonly #auth: Authenticator | undefined;
  readonly #longest: number;
  readonly #total: number;
  readonly #abort = new AbortController();
  #underWay = 0;
  #mismatch: Error | undefined;

  constructor({ connections }: Fixture, auth: Authenticator | undefined) {
    this.#waiting = connections.map((recorded, index) => ({
      index,
      recorded,
      request: streamOf(recorded, '>'),
    }));
    this.#auth = auth;
    this.#total = connections.length;
    this.#longest = this.#waiting.reduce((longest, { request }) => Math.max(longest, request.length), 0);
    this.served = new Promise((resolve) => {
      this.#resolveServed = resolve;
    });
    this.#settle();
  }

  accept(socket: Socket, label: string): void {
    socket.on('error', () => {}); // the client's affair
    const next = this.#waiting.find(({ recorded }) => recorded.endpoint === label);
    if (next === undefined) {
      this.#fail(
        socket,
        new ReplayMismatchError(`the client connects to ${label} once more than was recorded.`),
      );
      return;
    }
    // Nothing was ever heard from that client: refused, or closed before it spoke.
    if (next.request.length === 0) {
      void this.#serve(socket, next, null);
      return;
    }
    const assembler = new FrameAssembler(this.#longest + LONGER);
    // It left without a whole request: nobody's answer is due.
    const onEnd = () => socket.end();
    const onData = (chunk: Uint8Array) => {
      assembler.push(chunk);
      try {
        const frame = assembler.take();
        if (frame === null) return;
        socket
          .off('end', onEnd)
          .off('data', onData)
          .on('data', () => {});
        this.#answer(socket, label, frame);
      } catch (thrown) {
        this.#fail(socket, thrown);
      }
    };
    socket.on('data', onData).once('end', onEnd);
  }

  close(): void {
    this.#abort.abort();
    this.#resolveServed();
  }

  finish(): void {
    if (this.#mismatch !== undefined) throw this.#mismatch;
    const [first] = this.#waiting;
    if (first === undefined) return;
    const used = this.#total - this.#waiting.length;
    throw new ReplayMismatchError(
      `the recording has ${this.#total} connections, ${used} were asked for; the first that was not is to ${first.recorded.endpoint}.`,
      { connection: first.index },
    );
  }

  #answer(socket: Socket, label: string, frame: Uint8Array): void {
    const candidates = this.#waiting.filter(({ recorded }) => recorded.endpoint === label);
    const fitting = candidates.find(({ request }) => {
      return firstDifference(withCredentialOf(request, frame), request) < 0;
    });
    if (fitting !== undefined) {
      void this.#serve(socket, fitting, decodeFrame(frame));
      return;
    }
    const [expected] = candidates;
    if (expected === undefined) {
      this.#fail(
        socket,
        new ReplayMismatchError(`the client connects to ${label} once more than was recorded.`),
      );
      return;
    }
    const written = withCredentialOf(expected.request, frame);
    const at = firstDifference(written, expected.request);
    this.#fail(
      socket,
      mismatchOf(expected.request, written, at, { connection: expected.index, endpoint: label }),
    );
  }

  async #serve(socket: Socket, waiting: Waiting, request: Frame | null): Promise<void> {
    this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
    this.#underWay++;
    try {
      for (const event of await this.#answersOf(waiting, request)) {
        if (socket.destroyed) break;
        if (event.kind === 'data' && event.bytes !== undefined) socket.write(event.bytes);
        else if (event.kind === 'end') socket.end();
        else resetSocket(socket);
      }
      const { events } = waiting.recorded;
      // The recorded daemon said nothing more, and the client left: so does this one when its client does.
      if (events.some(({ direction, kind }) => direction === '<' && kind !== 'data')) return;
      if (socket.readableEnded) socket.end();
      else socket.once('end', () => socket.end());
    } catch (thrown) {
      this.#fail(socket, thrown);
    } finally {
      this.#underWay--;
      this.#settle();
    }
  }

  async #answersOf({ recorded }: Waiting, request: Frame | null): Promise<readonly ConversationEvent[]> {
    const answers = recorded.events.filter(({ direction }) => direction === '<');
    if (this.#auth === undefined || request === null) return answers;
    const bytes = await signedAnew(streamOf(recorded, '<'), this.#auth, this.#context());
    const rest = answers.filter(({ kind }) => kind !== 'data');
    return bytes.length === 0 ? rest : [{ direction: '<', at: 0, kind: 'data', bytes }, ...rest];
  }

  #context(): CallContext {
    return { signal: this.#abort.signal, remainingMs: () => 10_000 };
  }

  /** Keeps the first mismatch for `finish`, and drops the client. */
  #fail(socket: Socket, thrown: unknown): void {
    this.#mismatch ??= thrown instanceof Error ? thrown : new Error(String(thrown));
    resetSocket(socket);
    this.#settle();
  }

  #settle(): void {
    if (this.#waiting.length === 0 && this.#underWay === 0) this.#resolveServed();
  }
}

/** The client's frame with the recorded credential in place of its own, so that nothing else than what it says is compared. */
function withCredentialOf(recorded: Uint8Array, frame: Uint8Array): Uint8Array {
  const [theirs, ours] = [authRangeOf(recorded), authRangeOf(frame)];
  if (theirs === null || ours === null) return frame;
  const bytes = Buffer.concat([
    frame.subarray(0, ours.start),
    recorded.subarray(theirs.start, theirs.end),
    frame.subarray(ours.end),
  ]);
  bytes.writeUInt32BE(bytes.length - LENGTH_WORD, 0);
  return bytes;
}

/** Where the authentication section of the first frame is, or `null` where none is found. */
function authRangeOf(stream: Uint8Array): { readonly start: number; readonly end: number } | null {
  try {
    const assembler = new FrameAssembler();
    assembler.push(stream);
    const first = assembler.take();
    if (first === null) return null;
    const trace = { path: [], spans: [] as { path: string; start: number; end: number; value: unknown }[] };
    const { body } = decodeFrame(first, trace);
    const start = trace.spans.find(({ path }) => path === 'auth/pluginId')?.start;
    return start === undefined ? null : { start, end: first.length - body.length };
  } catch (thrown) {
    if (thrown instanceof SlurmProtocolError) return null;
    throw thrown;
  }
}

/** The daemon's frames with credentials that were made just now; what is no frame, or none that can be read, stays as it is, and all behind it. */
async function signedAnew(
  stream: Uint8Array,
  auth: Authenticator,
  context: CallContext,
): Promise<Uint8Array> {
  const assembler = new FrameAssembler();
  assembler.push(stream);
  const parts: Uint8Array[] = [];
  let end = 0;
  try {
    for (let bytes = assembler.take(); bytes !== null; bytes = assembler.take()) {
      parts.push(await signed(bytes, auth, context));
      end += bytes.length;
    }
  } catch (thrown) {
    if (!(thrown instanceof SlurmProtocolError)) throw thrown;
  }
  return Buffer.concat([...parts, stream.subarray(end)]);
}

async function signed(bytes: Uint8Array, auth: Authenticator, context: CallContext): Promise<Uint8Array> {
  const { auth: section, release, header, messageName, body } = decodeFrame(bytes);
  if (section === null || section.plugin === 'auth/none' || messageName === null) return bytes;
  const made = await auth.create(payloadDigest(release, header.msgType, body), null, context);
  const { flags, forward, returnList, origAddr } = header;
  return encodeFrame({ release, messageName, auth: made, body, flags, forward, returnList, origAddr });
}
