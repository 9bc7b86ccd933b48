/** The events of one exchange. */
import type { TracingChannel } from 'node:diagnostics_channel';
import type { CallContext } from '../protocol/authenticator.js';
import { decodeBody } from '../protocol/body.js';
import type { MessageName, MessageRecord } from '../protocol/messages/index.js';
import type { Release } from '../protocol/release.js';
import { isSlurmError } from '../protocol/slurm-error.js';
import { type Connection, type Endpoint, showEndpoint } from '../protocol/transport.js';
import { type CallTrace, callOf } from './call-trace.js';
import { exchangeChannel, type SlurmwireExchangeEvent, type SlurmwirePhases } from './diagnostics.js';
import type { Request } from './exchange.js';
import { refusalOf } from './job-lookup.js';
import { isRead } from './reads.js';
import type { Reply } from './reply.js';
import { type Told, traced } from './traced.js';

/** A place of a request in the line before its controller. */
export interface Turn {
  readonly attempt: number;
  /** Milliseconds. */
  readonly queuedMs: number;
}

/** `null` where nobody listens. */
export function exchangeTrace(
  request: Request,
  auth: string,
  context: CallContext,
  attempt: number,
  queuedMs: number,
): ExchangeTrace | null {
  const call = callOf(context.signal);
  if (call === null && !exchangeChannel.hasSubscribers) return null;
  return new ExchangeTrace(request, auth, call, { attempt, queuedMs });
}

/** Tells of an exchange from its first step to how it ends. */
export function traceExchange(trace: ExchangeTrace, work: () => Promise<Reply>): Promise<Reply> {
  return traced(exchangeChannel as TracingChannel<unknown, ExchangeTrace>, trace, work);
}

/** Requests whose record holds nothing but whom they are about and what is to be done: the reads, and these. */
const SHOWN: ReadonlySet<MessageName> = new Set<MessageName>([
  'REQUEST_KILL_JOB',
  'REQUEST_CANCEL_JOB_STEP',
  'REQUEST_KILL_JOBS',
  'REQUEST_SIGNAL_TASKS',
  'REQUEST_TERMINATE_TASKS',
]);

let ids = 0;

type Phases = { -readonly [P in keyof SlurmwirePhases]: SlurmwirePhases[P] };

/** The event itself. What the library does depends on nothing that is in it. */
export class ExchangeTrace implements SlurmwireExchangeEvent, Told<Reply> {
  readonly id = ++ids;
  readonly call: CallTrace | null;
  readonly rpc: MessageName;
  readonly role: 'slurmctld' | 'slurmd';
  readonly peer: string;
  readonly endpoint: Endpoint;
  readonly node: string | null;
  readonly forwardedTo: number;
  readonly protocol: Release;
  readonly auth: string;
  readonly attempt: number;
  readonly queuedMs: number;
  readonly startedAt: number;
  readonly phases: Phases = {
    authenticate: null,
    connect: null,
    send: null,
    wait: null,
    verify: null,
    decode: null,
  };
  bytesSent = 0;
  bytesReceived = 0;
  durationMs: number | null = null;
  outcome: SlurmwireExchangeEvent['outcome'] = null;
  reply: MessageName | null = null;
  number: number | null = null;
  code: string | null = null;
  authenticated: boolean | null = null;
  declare error?: unknown;
  readonly #body: Uint8Array;
  #begunAt = performance.now();
  #phase: keyof Phases | null = null;
  #phaseBegunAt = this.#begunAt;

  constructor(request: Request, auth: string, call: CallTrace | null, { attempt, queuedMs }: Turn) {
    const { endpoint, name, node, release, body, forward } = request;
    this.call = call;
    this.rpc = name;
    this.role = node === undefined ? 'slurmctld' : 'slurmd';
    this.peer = showEndpoint(endpoint);
    this.endpoint = endpoint;
    this.node = node ?? null;
    this.forwardedTo = forward?.cnt ?? 0;
    this.protocol = release;
    this.auth = auth;
    this.attempt = attempt;
    this.queuedMs = queuedMs;
    this.startedAt = performance.timeOrigin + this.#begunAt;
    this.#body = body;
    if (call !== null) call.exchanges += 1;
  }

  get record(): MessageRecord<MessageName> | undefined {
    if (!isRead(this.rpc) && !SHOWN.has(this.rpc)) return undefined;
    return decodeBody(this.rpc, this.protocol, this.#body);
  }

  /** What follows is this phase, until the next one. */
  enter(phase: keyof Phases): void {
    this.#leave();
    // What listeners do at the start takes none of its time.
    if (this.#phase === null) this.#begunAt = this.#phaseBegunAt;
    this.#phase = phase;
    this.phases[phase] ??= 0;
  }

  /** The connection, its bytes counted. */
  counted(connection: Connection): Connection {
    return {
      isTls: connection.isTls ?? false,
      write: (bytes) => {
        this.bytesSent += bytes.length;
        return connection.write(bytes);
      },
      read: async () => {
        const chunk = await connection.read();
        this.bytesReceived += chunk?.length ?? 0;
        return chunk;
      },
      close: () => connection.close(),
    };
  }

  resolved(reply: Reply): void {
    const refusal = refusalOf(reply);
    this.#end('answered', refusal?.number ?? null, refusal?.number === 0 ? null : (refusal?.code ?? null));
    this.reply = reply.name;
    this.authenticated = reply.authenticated;
  }

  rejected(error: unknown): void {
    if (isSlurmError(error)) this.#end(error.outcome, error.number ?? null, error.code);
    else this.#end('unknown', null, null);
    this.error = error;
  }

  #end(outcome: SlurmwireExchangeEvent['outcome'], number: number | null, code: string | null): void {
    this.#leave();
    this.durationMs = this.#phaseBegunAt - this.#begunAt;
    this.outcome = outcome;
    this.number = number;
    this.code = code;
    if (this.call === null) return;
    this.call.bytesSent += this.bytesSent;
    this.call.bytesReceived += this.bytesReceived;
  }

  #leave(): void {
    const now = performance.now();
    if (this.#phase !== null)
      this.phases[this.#phase] = (this.phases[this.#phase] ?? 0) + now - this.#phaseBegunAt;
    this.#phaseBegunAt = now;
  }
}
