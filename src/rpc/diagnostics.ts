/**
 * What this library tells whoever listens, through `node:diagnostics_channel`. docs/observability.md is the page for readers.
 *
 * Nobody listens: nothing is made, one look at the channels per call and per exchange. No event holds a credential, a token or a key, nor a
 * reply's record, which may hold anything that a cluster knows.
 */
import { type Channel, channel, type TracingChannel, tracingChannel } from 'node:diagnostics_channel';
import type { MessageName, MessageRecord } from '../protocol/messages/index.js';
import type { Release } from '../protocol/release.js';
import type { Outcome, SlurmError } from '../protocol/slurm-error.js';
import type { Endpoint } from '../protocol/transport.js';
import type { SlurmClient } from './client.js';
import type { TerminateEvent } from './terminate-result.js';

/**
 * Names of the channels. `call` and `exchange` are for `tracingChannel()`, the others for `channel()` and `subscribe()`.
 *
 * ```ts
 * import { tracingChannel } from 'node:diagnostics_channel';
 * tracingChannel(SLURMWIRE_CHANNELS.exchange).asyncEnd.subscribe((event) => console.log(event));
 * ```
 */
export const SLURMWIRE_CHANNELS = {
  /** Each call of a verb: {@link SlurmwireCallEvent}. */
  call: 'slurmwire:call',
  /** Each request on the wire: {@link SlurmwireExchangeEvent}. */
  exchange: 'slurmwire:exchange',
  /** A controller was spoken to for the first time, or anew: {@link SlurmwireContactEvent}. */
  contact: 'slurmwire:contact',
  /** A controller was passed over for another one: {@link SlurmwirePassedOverEvent}. */
  passedOver: 'slurmwire:passed-over',
  /** A request has to wait for its turn: {@link SlurmwireWaitEvent}. */
  wait: 'slurmwire:wait',
  /** A step of a `terminate` under way: {@link SlurmwireTerminateEvent}. */
  terminate: 'slurmwire:terminate',
} as const;

/** The verbs of a client that tell of their calls: all that may send something. */
export type SlurmwireVerb = Exclude<
  {
    [K in keyof SlurmClient]: SlurmClient[K] extends (...args: never[]) => unknown ? K : never;
  }[keyof SlurmClient],
  'paces' | 'close' | typeof Symbol.asyncDispose
>;

/**
 * One call of a verb, from the caller's arguments to what the promise settles with. The same object is in all its events and grows as the call goes on;
 * what is `null` is not known yet, or never will be.
 */
export interface SlurmwireCallEvent {
  /** Number of the call, unique in this thread. */
  readonly id: number;
  readonly verb: SlurmwireVerb;
  readonly client: SlurmClient;
  /**
   * What was named, as Slurm writes it: `1234_7`, `1234.0`; of a list the first ten. For `request` the message's name, `null` for `ping` and for a
   * filter. Text that is none is shortened and rid of what looks like a secret.
   */
  readonly target: string | null;
  /** The conditions of `killJobs`' filter, by name: what is in them may be somebody's name. `null` where there is none. */
  readonly filter: readonly string[] | null;
  /** Name of the Unix signal, such as `SIGTERM`; `0` for none at all. `null` where the verb takes none, or it is none. */
  readonly unixSignal: string | null;
  /** The options that are a truth value, a number or a text; never the AbortSignal. */
  readonly options: Readonly<Record<string, boolean | number | string>>;
  /** When it began, in milliseconds since 1970, with fractions. */
  readonly startedAt: number;
  /** Requests of this call on the wire that have begun so far, lookups and a first contact that it began included. */
  readonly exchanges: number;
  /** Bytes of those of them that are over. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Milliseconds, once it is over. */
  readonly durationMs: number | null;
  /**
   * Once it is over: that of the result or of the error; `answered` for verbs whose results have none (`probe`, `ping`, `request`, `explain`);
   * `unknown` for an error that is none of this library's.
   */
  readonly outcome: Outcome | 'nothing-matched' | 'answered' | null;
  /** Slurm's or this library's name for why not: that of the error, or of a result that has one (`idempotent`); else `null`. */
  readonly code: string | null;
  /** How many parts (jobs of `killJobs` and `kill`, tasks of an array, nodes of a fan-out) fared how; `null` where they are not told apart. */
  readonly parts: Readonly<Partial<Record<Outcome, number>>> | null;
  /** `host:port` that the result or the error is from; `null` where it names none. */
  readonly peer: string | null;
  /** Release whose protocol was spoken; `null` where that is not told. */
  readonly protocol: string | null;
  /** What the promise rejects with; left out while, and where, it does not. */
  readonly error?: unknown;
}

/** Milliseconds in each phase of an exchange; `null` for one that was not reached. The last that was is where it ended. */
export interface SlurmwirePhases {
  /** Making the credential: munged, SACK, or reading a token. */
  readonly authenticate: number | null;
  /** Name, address, TCP, TLS. */
  readonly connect: number | null;
  /** Handing the request to the system. */
  readonly send: number | null;
  /** Until the reply is there as a whole: the daemon's work. */
  readonly wait: number | null;
  /** Checking the reply's credential. */
  readonly verify: number | null;
  /** Unpacking the reply. */
  readonly decode: number | null;
}

/**
 * One request and its reply: one connection. The same object is in all its events and grows as the exchange goes on. A forwarded message is one
 * exchange for all nodes of its branch.
 */
export interface SlurmwireExchangeEvent {
  /** Number of the exchange, unique in this thread. */
  readonly id: number;
  /**
   * The call it is made for. A first contact is made for whichever call came first, and others wait for it too. `null` for what `connect()` asks
   * before there is a client.
   */
  readonly call: SlurmwireCallEvent | null;
  /** Upstream's name of the request. */
  readonly rpc: MessageName;
  readonly role: 'slurmctld' | 'slurmd';
  /** `host:port`. */
  readonly peer: string;
  readonly endpoint: Endpoint;
  /** Name of the node whose slurmd it is; `null` for slurmctld. */
  readonly node: string | null;
  /** How many other nodes the slurmd is to pass it on to. */
  readonly forwardedTo: number;
  /** Release whose protocol is spoken. */
  readonly protocol: Release;
  /** Upstream's name of the way to authenticate, such as `auth/munge`. */
  readonly auth: string;
  /** 1, and more where the same request was answered with 1804 (too many requests) before. */
  readonly attempt: number;
  /** Milliseconds that this attempt waited for its turn at the controller. Not in `durationMs`. */
  readonly queuedMs: number;
  /** When it began, in milliseconds since 1970, with fractions. */
  readonly startedAt: number;
  /** Milliseconds in each phase so far. */
  readonly phases: SlurmwirePhases;
  /** Bytes handed to the connection, the length word included: those of the frame, before TLS. */
  readonly bytesSent: number;
  /** Bytes that came from the connection. */
  readonly bytesReceived: number;
  /** Milliseconds of all phases, once it is over. */
  readonly durationMs: number | null;
  /**
   * Once it is over. `answered`: there was a reply that could be believed, whatever it says. Else what is known about the request:
   * `not-sent`, `refused` (the credential or the version) or `unknown`.
   */
  readonly outcome: 'answered' | Outcome | null;
  /** Upstream's name of the reply. */
  readonly reply: MessageName | null;
  /** The number in a reply that is one, 0 for success; Slurm's number of the error, where it has one. */
  readonly number: number | null;
  /** Name of that number, or the code of the error; `null` for success. */
  readonly code: string | null;
  /** Whether a credential proved who answered; `null` without a reply. */
  readonly authenticated: boolean | null;
  /** Why there is no reply; left out while, and where, there is one. */
  readonly error?: unknown;
  /**
   * The request's record, unpacked anew each time it is asked for; no property of its own, so that no log has it by accident. `undefined` but for
   * lookups and requests that signal or kill: others may hold what is not for everybody.
   */
  readonly record: MessageRecord<MessageName> | undefined;
}

/** A controller said which version it takes, or took the one that was given. */
export interface SlurmwireContactEvent {
  /** The call that it was made for. */
  readonly call: SlurmwireCallEvent | null;
  /** `host:port`. */
  readonly peer: string;
  /** The protocol that will be spoken with it. */
  readonly protocol: Release;
  /** True where the version was found (`protocol: 'auto'`), false where it was given. */
  readonly found: boolean;
  /** Its release in its own words, `24.11.5`; `null` where it was not asked. */
  readonly version: string | null;
  /** True where it said that another controller is in charge. */
  readonly standby: boolean;
}

/** A controller did not do, and the next one is asked, if there is one. */
export interface SlurmwirePassedOverEvent {
  readonly call: SlurmwireCallEvent | null;
  /** `host:port`. */
  readonly peer: string;
  /** `unreached`: it cannot have acted. `unknown`: it may have, but the request may be repeated. */
  readonly why: 'standby' | 'unreached' | 'unknown';
  /** `null` for one on standby. */
  readonly error: SlurmError | null;
}

/** A request is not sent at once. What becomes of it: its exchange, with `queuedMs`, or an error of the call that says it was not sent. */
export interface SlurmwireWaitEvent {
  readonly call: SlurmwireCallEvent | null;
  /** `host:port`. */
  readonly peer: string;
  readonly rpc: MessageName;
  /** As in {@link SlurmwireExchangeEvent}. */
  readonly attempt: number;
  /**
   * `rate`: the controller limits the requests of this user (1804). `drop`: it dropped one of this kind (1805) and is left alone. `busy`: as many as may be
   * are under way.
   */
  readonly because: 'rate' | 'drop' | 'busy';
  /** Requests to this controller that wait already. */
  readonly waiting: number;
}

/** What the iteration of a termination yields, for those who did not begin it. */
export interface SlurmwireTerminateEvent {
  readonly call: SlurmwireCallEvent | null;
  readonly event: TerminateEvent;
}

type Plain<Event> = Channel<unknown, Event>;
type Tracing<Event extends object> = TracingChannel<unknown, Event>;

export const callChannel: Tracing<SlurmwireCallEvent> = tracingChannel(SLURMWIRE_CHANNELS.call);
export const exchangeChannel: Tracing<SlurmwireExchangeEvent> = tracingChannel(SLURMWIRE_CHANNELS.exchange);
export const contactChannel = channel(SLURMWIRE_CHANNELS.contact) as Plain<SlurmwireContactEvent>;
export const passedOverChannel = channel(SLURMWIRE_CHANNELS.passedOver) as Plain<SlurmwirePassedOverEvent>;
export const waitChannel = channel(SLURMWIRE_CHANNELS.wait) as Plain<SlurmwireWaitEvent>;
export const terminateChannel = channel(SLURMWIRE_CHANNELS.terminate) as Plain<SlurmwireTerminateEvent>;

/** True where somebody listens to anything: events of all channels name their call. */
export function isObserved(): boolean {
  return (
    callChannel.hasSubscribers ||
    exchangeChannel.hasSubscribers ||
    contactChannel.hasSubscribers ||
    passedOverChannel.hasSubscribers ||
    waitChannel.hasSubscribers ||
    terminateChannel.hasSubscribers
  );
}
