/** The events of one call, and which call a piece of work belongs to. */
import type { TracingChannel } from 'node:diagnostics_channel';
import { type JobIdParts, parseJobId, parseStepId, type StepIdParts } from '../protocol/job-id.js';
import { isSlurmError, type JobPart, type Outcome, showValue } from '../protocol/slurm-error.js';
import { type UnixSignal, unixSignalName, unixSignalNumber } from '../protocol/unix-signal.js';
import type { SlurmClient } from './client.js';
import { callChannel, type SlurmwireCallEvent, type SlurmwireVerb } from './diagnostics.js';
import { type Told, traced } from './traced.js';

/** What a verb was called with. Nothing of it is checked yet. */
export interface CallArguments {
  readonly client: SlurmClient;
  readonly verb: SlurmwireVerb;
  readonly target: unknown;
  readonly unixSignal: unknown;
  readonly options: object;
  /** Names of the verb's options. */
  readonly known: readonly string[];
}

/** Tells of a call from its first step to how it ends. */
export function traceCall<T>(given: CallArguments, work: (trace: CallTrace) => Promise<T>): Promise<T> {
  const trace = new CallTrace(given);
  return traced(callChannel as TracingChannel<unknown, CallTrace>, trace, () => work(trace));
}

/** By the signals of their deadlines: everything that a call does has one of these, whatever waits in between. */
const BY_SIGNAL = new WeakMap<AbortSignal, CallTrace>();

/** The call that this signal ends, where somebody listens. */
export function callOf(signal: AbortSignal): CallTrace | null {
  return BY_SIGNAL.get(signal) ?? null;
}

/** What this signal ends is done for the call. */
export function belongsTo(signal: AbortSignal, call: CallTrace | null): void {
  if (call !== null) BY_SIGNAL.set(signal, call);
}

let ids = 0;

/** The event itself. What the library does depends on nothing that is in it. */
export class CallTrace implements SlurmwireCallEvent, Told<unknown> {
  readonly id = ++ids;
  readonly verb: SlurmwireVerb;
  readonly client: SlurmClient;
  readonly target: string | null;
  readonly filter: readonly string[] | null;
  readonly unixSignal: string | null;
  readonly options: Readonly<Record<string, boolean | number | string>>;
  readonly startedAt = performance.timeOrigin + performance.now();
  exchanges = 0;
  bytesSent = 0;
  bytesReceived = 0;
  durationMs: number | null = null;
  outcome: SlurmwireCallEvent['outcome'] = null;
  code: string | null = null;
  parts: SlurmwireCallEvent['parts'] = null;
  peer: string | null = null;
  protocol: string | null = null;
  declare error?: unknown;

  constructor({ client, verb, target, unixSignal, options, known }: CallArguments) {
    this.client = client;
    this.verb = verb;
    this.target = orElse(null, () => shownTarget(target));
    this.filter = orElse(null, () => filterOf(target));
    this.unixSignal = shownSignal(unixSignal);
    this.options = orElse({}, () => shownOptions(options, known));
  }

  resolved(value: unknown): void {
    const { outcome, code, peer, protocol } = (value ?? {}) as Record<string, unknown>;
    this.#end(typeof outcome === 'string' ? (outcome as Outcome) : 'answered', { code, peer, protocol });
    this.parts = partsOf(value);
  }

  rejected(error: unknown): void {
    const isOurs = isSlurmError(error);
    this.#end(isOurs ? error.outcome : 'unknown', isOurs ? error : {});
    this.parts = isOurs ? partsOf(error) : null;
    this.error = error;
  }

  #end(
    outcome: SlurmwireCallEvent['outcome'],
    more: { code?: unknown; peer?: unknown; protocol?: unknown },
  ): void {
    const text = (value: unknown) => (typeof value === 'string' ? value : null);
    this.durationMs = performance.timeOrigin + performance.now() - this.startedAt;
    this.outcome = outcome;
    this.code = text(more.code);
    this.peer = text(more.peer);
    this.protocol = text(more.protocol);
  }
}

/** What is given may be anything, a proxy that throws when it is looked at: that is for the verb to meet, whoever listens. */
function orElse<T>(otherwise: T, look: () => T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}

const MAX_SHOWN = 10;

/** As errors show it, without the quotes. */
function shownText(text: string): string {
  return showValue(text).replace(/^"|"(?=…?$)/g, '');
}

function shownTarget(given: unknown): string | null {
  if (given === undefined) return null;
  if (!Array.isArray(given)) return shownOne(given);
  const more = given.length - MAX_SHOWN;
  const shown = given.slice(0, MAX_SHOWN).map(shownOne).join(',');
  return more > 0 ? `${shown} and ${more} more` : shown;
}

function shownOne(given: unknown): string | null {
  if (typeof given === 'number') return String(given);
  try {
    if (typeof given === 'object') {
      const plain: unknown = plainly(given);
      return (
        Object.hasOwn(plain as object, 'stepId')
          ? parseStepId(plain as StepIdParts)
          : parseJobId(plain as JobIdParts)
      ).text;
    }
    const text = given as string;
    return text.includes('.') ? parseStepId(text).text : parseJobId(text).text;
  } catch {
    // A group of `kill`, a message of `request`, or nothing the verb will take.
    return typeof given === 'string' ? shownText(given) : null;
  }
}

/** Without what is computed: a getter may be asked by the verb alone, or the call would depend on who listens. */
function plainly(given: object | null): Record<string, unknown> {
  const plain: Record<string, unknown> = {};
  for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(given ?? {})))
    if (value !== undefined) plain[name] = value;
  return plain;
}

/** The conditions of a filter, which no other target has. */
function filterOf(given: unknown): readonly string[] | null {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return null;
  return 'jobId' in given || 'sluid' in given ? null : Object.keys(given).map(shownText);
}

function shownSignal(given: unknown): string | null {
  if (given === undefined || given === 0) return given === 0 ? '0' : null;
  try {
    return unixSignalName(unixSignalNumber(given as UnixSignal));
  } catch {
    return null;
  }
}

function shownOptions(options: object, known: readonly string[]): SlurmwireCallEvent['options'] {
  const plain = plainly(options);
  const shown: Record<string, boolean | number | string> = {};
  for (const name of known) {
    const value = plain[name];
    if (typeof value === 'string') shown[name] = shownText(value);
    else if (typeof value === 'boolean' || typeof value === 'number') shown[name] = value;
  }
  return shown;
}

/** Counts the first list of a result or an error that tells parts apart. */
function partsOf(value: unknown): SlurmwireCallEvent['parts'] {
  const { jobs, targets, parts, nodes } = (value ?? {}) as Record<string, unknown>;
  for (const list of [jobs, targets, parts, nodes]) {
    const outcomes = Array.isArray(list) ? list.map(outcomeOfPart) : [];
    if (outcomes.length === 0 || outcomes.includes(undefined)) continue;
    const counts: Partial<Record<Outcome, number>> = {};
    for (const outcome of outcomes as Outcome[]) counts[outcome] = (counts[outcome] ?? 0) + 1;
    return counts;
  }
  return null;
}

/** Of a part of an array the number tells, where nothing else does. */
function outcomeOfPart({ outcome, number }: Partial<JobPart>): Outcome | undefined {
  if (outcome !== undefined || number === undefined) return outcome;
  return number === 0 ? 'accepted' : 'refused';
}
