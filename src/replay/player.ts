/** Plays a recording to a client: its requests are compared with the recorded ones, and it gets the recorded answers. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { AuthSection } from '../protocol/auth-section.js';
import type { Authenticator, CallContext, VerifiedCredential } from '../protocol/authenticator.js';
import { untilAborted } from '../protocol/on-abort.js';
import { sameBytes } from '../protocol/payload-digest.js';
import { SlurmAuthError, SlurmUsageError } from '../protocol/slurm-error.js';
import { type Connection, type Endpoint, showEndpoint, type Transport } from '../protocol/transport.js';
import { joined, type RedactedConnection, streamOf } from './conversation.js';
import { firstDifference, mismatchOf } from './diff.js';
import type { Fixture } from './fixture.js';
import { makePlaceholder } from './placeholder.js';
import { type RecordedSection, sectionsOf } from './recorded-sections.js';
import { secretOf } from './recorder.js';
import { ReplayMismatchError } from './replay-mismatch-error.js';

/** Options of {@link play}. */
export interface PlayOptions {
  /**
   * How the daemon's bytes are cut: as recorded (default), everything that came in a row in one chunk, or in chunks of that many
   * bytes (at least 1).
   */
  readonly split?: 'recorded' | 'whole' | number | undefined;
  /** 1 replays the recorded pauses before each answer, 2 at half their length, and so on. Default: no pause at all. */
  readonly speed?: number | undefined;
  /** Uid of the daemon where the recording does not say who made a credential. Default: such a credential is not good. */
  readonly serverUid?: number | undefined;
}

/** A recording under way. */
export interface Player {
  /** Hands out the recorded connections in their order, whatever they are connected to, one per `connect`. */
  readonly transport: Transport;
  /** Makes and checks the recorded credentials. */
  readonly auth: Authenticator;
  /**
   * Says that all is done: the whole recording has to have been played.
   *
   * @throws ReplayMismatchError the first mismatch there was, or that connections or request bytes of the recording were not used.
   */
  finish(): void;
}

/**
 * Plays a recording.
 *
 * The client's bytes must be those recorded, from first to last; how they are split does not matter. The first differing byte rejects
 * the write with {@link ReplayMismatchError}, whose message is an annotated diff, and from then on the connection. The recorded
 * credential stands for the client's own: `create` gives it out, and when the digest asked for is another than the recorded one, the
 * write that follows fails, with the byte that differs where there is one.
 *
 * An answer is handed out when all request bytes recorded before it are there. Where the recorded client gave up on a silent daemon,
 * `read` waits until the connection is closed or the call's signal fires.
 *
 * @throws SlurmUsageError for options that are not valid.
 */
export function play(fixture: Fixture, options: PlayOptions = {}): Player {
  checkOptions(options);
  const session = new Session(fixture, options);
  return {
    transport: { connect: (endpoint, context) => session.connect(endpoint, context) },
    auth: {
      name: session.plugin,
      create: async (payload, _restrictUid, { signal }) => {
        signal.throwIfAborted();
        return session.create(payload);
      },
      verify: async (section, { signal }) => {
        signal.throwIfAborted();
        return session.verify(section);
      },
    },
    finish: () => session.finish(),
  };
}

function checkOptions({ split = 'recorded', speed, serverUid }: PlayOptions): void {
  const bad = (field: string, value: unknown, why: string) =>
    new SlurmUsageError(`${field} ${why}.`, { code: 'SLURMWIRE_BAD_OPTION', field, value });
  if (split !== 'recorded' && split !== 'whole' && !(Number.isInteger(split) && split >= 1)) {
    throw bad('split', split, "is neither 'recorded', 'whole' nor a number of bytes");
  }
  if (speed !== undefined && !(Number.isFinite(speed) && speed > 0))
    throw bad('speed', speed, 'is not a positive number');
  if (
    serverUid !== undefined &&
    !(Number.isInteger(serverUid) && serverUid >= 0 && serverUid <= 0xffffffff)
  ) {
    throw bad('serverUid', serverUid, 'is not a uid');
  }
}

/** A credential that `create` gives out. */
interface Ticket {
  readonly connection: number;
  /** `null` where the recorded connection carried none: it was refused, or broke before. */
  readonly recorded: RecordedSection | null;
  /** The digest asked for, where it is not the recorded one. */
  wrong?: Uint8Array;
}

class Session {
  readonly plugin: AuthSection['plugin'];
  readonly #connections: readonly RedactedConnection[];
  readonly #options: PlayOptions;
  readonly #opened: (PlayedConnection | null)[] = [];
  readonly #tickets: Ticket[];
  #nextTicket = 0;
  readonly #replies: RecordedSection[];
  readonly #usedReplies = new Set<RecordedSection>();
  readonly #labels = new Map<string, string>();
  #mismatch: ReplayMismatchError | undefined;

  constructor({ connections }: Fixture, options: PlayOptions) {
    this.#connections = connections;
    this.#options = options;
    this.#replies = connections.flatMap((connection) => sectionsOf(connection, '<'));
    this.#tickets = connections.flatMap((connection, index): Ticket[] => {
      const recorded = sectionsOf(connection, '>');
      if (recorded.length > 0) return recorded.map((section) => ({ connection: index, recorded: section }));
      return streamOf(connection, '>').length > 0 ? [] : [{ connection: index, recorded: null }];
    });
    const first = this.#tickets.find(({ recorded }) => recorded !== null);
    this.plugin = first?.recorded?.section.plugin ?? 'auth/munge';
  }

  async connect(endpoint: Endpoint, { signal }: CallContext): Promise<Connection> {
    signal.throwIfAborted();
    const index = this.#opened.length;
    const recorded = this.#connections[index];
    if (recorded === undefined) {
      throw this.fail(
        new ReplayMismatchError(
          `the client connects a ${index + 1}. time, the recording has ${index} connections.`,
        ),
      );
    }
    this.#checkLabel(endpoint, recorded.endpoint, index);
    const [first] = recorded.events;
    if (first?.kind === 'refused') {
      this.#opened.push(null);
      throw systemError(first.code ?? 'ECONNREFUSED', 'connect');
    }
    const tickets = this.#tickets.filter(({ connection }) => connection === index);
    const connection = new PlayedConnection(recorded, index, tickets, this, signal, this.#options);
    this.#opened.push(connection);
    return connection;
  }

  /** One recorded role is one endpoint of the client, and the other way round. */
  #checkLabel(endpoint: Endpoint, label: string, connection: number): void {
    const key = showEndpoint(endpoint);
    const before = this.#labels.get(key);
    const taken = [...this.#labels].find(([other, role]) => role === label && other !== key);
    if (before === undefined && taken === undefined) this.#labels.set(key, label);
    else if (before !== label) {
      const which =
        before === undefined ? `which was ${taken?.[0]} before` : `and ${key} was ${before} before`;
      throw this.fail(
        new ReplayMismatchError(
          `connection ${connection}: the client connects to ${key}, the recording to ${label}, ${which}.`,
          { connection },
        ),
      );
    }
  }

  create(payload: Uint8Array): AuthSection {
    let ticket = this.#tickets[this.#nextTicket];
    // Nothing to give out any more for a connection that is open already and carried no credential.
    while (ticket?.recorded === null && ticket.connection < this.#opened.length) {
      ticket = this.#tickets[++this.#nextTicket];
    }
    if (ticket === undefined) {
      throw this.fail(new ReplayMismatchError('the client makes one more credential than was recorded.'));
    }
    this.#nextTicket++;
    if (ticket.recorded === null) return this.#standIn(payload);
    const { section, facts } = ticket.recorded;
    if (facts.payload !== null && !sameBytes(facts.payload, payload)) ticket.wrong = Uint8Array.from(payload);
    return section;
  }

  /** A credential that no daemon got to see. */
  #standIn(payload: Uint8Array): AuthSection {
    const facts = { uid: null, gid: null, payload };
    switch (this.plugin) {
      case 'auth/none':
        return { plugin: 'auth/none', uid: 0, gid: 0, hostname: null };
      case 'auth/munge':
        return { plugin: this.plugin, credential: makePlaceholder('munge', 187, facts).text };
      case 'auth/jwt':
        return { plugin: this.plugin, token: makePlaceholder('jwt', 187, facts).text, username: null };
      case 'auth/slurm':
        return { plugin: this.plugin, token: makePlaceholder('jwt', 187, facts).text };
    }
  }

  verify(section: AuthSection): VerifiedCredential {
    const same = this.#replies.filter((reply) => isSameSection(reply.section, section));
    const reply = same.find((candidate) => !this.#usedReplies.has(candidate)) ?? same[0];
    if (reply === undefined) {
      throw this.fail(
        new ReplayMismatchError('the client verifies a credential that is not in the recording.'),
      );
    }
    this.#usedReplies.add(reply);
    const { facts } = reply;
    const uid = facts.uid ?? this.#options.serverUid ?? null;
    if (uid === null || facts.payload === null) {
      const what = uid === null ? 'who made' : 'what is bound into';
      throw new SlurmAuthError(`The recording does not say ${what} this credential.`, {
        code: 'SLURM_PROTOCOL_AUTHENTICATION_ERROR',
        number: 1007,
        errno: 'EACCES',
        outcome: 'not-sent',
        phase: 'authenticate',
        reason: 'not-recorded',
        hint: uid === null ? 'Give serverUid to the player, or to the proxy when recording.' : undefined,
      });
    }
    return { uid, gid: facts.gid ?? uid, payload: Uint8Array.from(facts.payload) };
  }

  finish(): void {
    if (this.#mismatch !== undefined) throw this.#mismatch;
    for (const { wrong, connection } of this.#tickets) {
      if (wrong !== undefined) throw payloadMismatch(this.#tickets, connection, wrong);
    }
    if (this.#opened.length < this.#connections.length) {
      const [used, all] = [this.#opened.length, this.#connections.length];
      throw new ReplayMismatchError(`the recording has ${all} connections, the client opened ${used}.`);
    }
    for (const [index, connection] of this.#opened.entries()) {
      const left = connection?.unwritten ?? 0;
      if (left > 0) {
        const summary = `connection ${index}: ${left} request bytes of the recording were never written.`;
        throw new ReplayMismatchError(summary, { connection: index });
      }
    }
  }

  /** Keeps the first mismatch for `finish`: a client may swallow what it is told. */
  fail(error: ReplayMismatchError): ReplayMismatchError {
    this.#mismatch ??= error;
    return error;
  }
}

function payloadMismatch(
  tickets: readonly Ticket[],
  connection: number,
  wrong: Uint8Array,
): ReplayMismatchError {
  const recorded = tickets.find(
    (ticket) => ticket.connection === connection && ticket.wrong === wrong,
  )?.recorded;
  const lines = [
    `connection ${connection}: the credential is asked for another digest than the recorded one.`,
    `  recorded  ${Buffer.from(recorded?.facts.payload ?? []).toString('hex')}`,
    `  asked     ${Buffer.from(wrong).toString('hex')}`,
  ];
  return new ReplayMismatchError(lines.join('\n'), { connection, fieldPath: 'auth' });
}

function isSameSection(a: AuthSection, b: AuthSection): boolean {
  if (a.plugin === 'auth/none') {
    return b.plugin === a.plugin && a.uid === b.uid && a.gid === b.gid && a.hostname === b.hostname;
  }
  return a.plugin === b.plugin && secretOf(a) === secretOf(b);
}

/** What the client reads, one step after the other. */
interface Step {
  readonly kind: 'data' | 'end' | 'reset';
  readonly bytes: Uint8Array;
  /** Request bytes recorded before it. */
  readonly after: number;
  /** Milliseconds since the event before it. */
  readonly pauseMs: number;
  readonly code: string;
}

class PlayedConnection implements Connection {
  readonly #place: { readonly connection: number; readonly endpoint: string };
  readonly #requests: Uint8Array;
  readonly #steps: readonly Step[];
  readonly #tickets: readonly Ticket[];
  readonly #session: Session;
  readonly #signal: AbortSignal;
  readonly #speed: number | undefined;
  /** The daemon hung up before it got anything: what the client writes was lost then, and is now. */
  readonly #deaf: boolean;
  /** The recorded client closed, and did not just stop being recorded. */
  readonly #clientLeft: boolean;
  #written = 0;
  #step = 0;
  #failure: Error | undefined;
  readonly #waiting = new Set<() => void>();

  constructor(
    recorded: RedactedConnection,
    index: number,
    tickets: readonly Ticket[],
    session: Session,
    signal: AbortSignal,
    { split = 'recorded', speed }: PlayOptions,
  ) {
    this.#place = { connection: index, endpoint: recorded.endpoint };
    this.#requests = streamOf(recorded, '>');
    this.#steps = stepsOf(recorded, split);
    this.#tickets = tickets;
    this.#session = session;
    this.#signal = signal;
    this.#speed = speed;
    this.#deaf = this.#requests.length === 0 && this.#steps.some(({ kind }) => kind !== 'data');
    this.#clientLeft = recorded.events.some(({ direction, kind }) => direction === '>' && kind !== 'data');
  }

  get unwritten(): number {
    return this.#requests.length - this.#written;
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#deaf) return;
    const expected = this.#requests.subarray(this.#written, this.#written + bytes.length);
    const difference = firstDifference(bytes, expected);
    if (difference >= 0) {
      const soFar = joined([this.#requests.subarray(0, this.#written), bytes]);
      throw this.#fail(mismatchOf(this.#requests, soFar, this.#written + difference, this.#place));
    }
    this.#written += bytes.length;
    for (const { recorded, wrong } of this.#tickets) {
      if (wrong !== undefined && recorded !== null && this.#written >= recorded.frameEnd) {
        throw this.#fail(payloadMismatch(this.#tickets, this.#place.connection, wrong));
      }
    }
    this.#wake();
  }

  async read(): Promise<Uint8Array | null> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      const step = this.#steps[this.#step];
      if (step === undefined && !this.#clientLeft) {
        const summary = `connection ${this.#place.connection} to ${this.#place.endpoint}: the client waits for more, the recording ends here.`;
        throw this.#fail(new ReplayMismatchError(summary, { connection: this.#place.connection }));
      }
      if (step === undefined || step.after > this.#written) {
        await untilAborted(this.#signal, new Promise<void>((resolve) => this.#waiting.add(resolve)));
        continue;
      }
      return await this.#take(step);
    }
  }

  close(): void {
    this.#failure ??= systemError('ECONNABORTED', 'read');
    this.#wake();
  }

  async #take(step: Step): Promise<Uint8Array | null> {
    if (step.kind !== 'end') this.#step++; // an end stays an end, however often it is read
    if (this.#speed !== undefined && step.pauseMs > 0) {
      await sleep(step.pauseMs / this.#speed, undefined, { signal: this.#signal }).catch(() => {});
      this.#signal.throwIfAborted();
      if (this.#failure !== undefined) throw this.#failure;
    }
    if (step.kind === 'data') return Uint8Array.from(step.bytes);
    if (step.kind === 'end') return null;
    this.#failure = systemError(step.code, 'read');
    throw this.#failure;
  }

  #fail(error: ReplayMismatchError): ReplayMismatchError {
    this.#failure = this.#session.fail(error);
    this.#wake();
    return error;
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

const NOTHING = new Uint8Array(0);

function stepsOf({ events }: RedactedConnection, split: 'recorded' | 'whole' | number): Step[] {
  const steps: Step[] = [];
  let after = 0;
  let before = events[0]?.at ?? 0;
  for (const { direction, kind, bytes = NOTHING, at, code = 'ECONNRESET' } of events) {
    const pauseMs = Math.max(0, at - before);
    before = at;
    if (direction === '>') after += bytes.length;
    else if (kind !== 'refused') steps.push({ kind, bytes, after, pauseMs, code });
  }
  return split === 'recorded' ? steps : inRows(steps).flatMap((step) => cut(step, split));
}

/** Data that came without a request or an end in between becomes one step. */
function inRows(steps: readonly Step[]): Step[] {
  const rows: Step[] = [];
  let row: Step[] = [];
  const flush = () => {
    const [first] = row;
    if (first === undefined) return;
    const pauseMs = row.reduce((sum, step) => sum + step.pauseMs, 0);
    rows.push({ ...first, bytes: joined(row.map(({ bytes }) => bytes)), pauseMs });
    row = [];
  };
  for (const step of steps) {
    if (step.kind !== 'data' || (row[0] !== undefined && row[0].after !== step.after)) flush();
    if (step.kind === 'data') row.push(step);
    else rows.push(step);
  }
  flush();
  return rows;
}

function cut(step: Step, split: 'whole' | number): Step[] {
  if (step.kind !== 'data' || split === 'whole') return [step];
  const pieces: Step[] = [];
  for (let at = 0; at < step.bytes.length; at += split) {
    const pauseMs = at === 0 ? step.pauseMs : 0;
    pieces.push({ ...step, bytes: step.bytes.subarray(at, at + split), pauseMs });
  }
  return pieces;
}

function systemError(code: string, syscall: string): Error {
  return Object.assign(new Error(`${syscall} ${code} (replayed)`), { code, syscall });
}
