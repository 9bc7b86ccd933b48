/** Trouble on order: which requests meet it, and what it is. */
import { encodeBody } from '../protocol/body.js';
import { isMessageName, type MessageInput, type MessageName } from '../protocol/messages/index.js';
import { isRelease, RELEASE_NAMES, type Release } from '../protocol/release.js';
import { SlurmProtocolError } from '../protocol/slurm-error.js';
import { badOption, checkOptions } from '../rpc/check-options.js';

/** What a fault looks at in a request. */
export interface FaultRequest {
  /** The daemon it came to: `slurmctld`, `slurmctld2`, or the name of a node. */
  readonly to: string;
  readonly name: string | null;
  readonly release: Release;
  /** Of the caller; `null` before the credential was opened. */
  readonly uid: number | null;
}

/** Which requests meet a fault. What is not given holds for any. */
export interface FaultMatch {
  /** Name of a daemon: `slurmctld`, `slurmctld2` … or that of a node. */
  readonly to?: string | undefined;
  /** Upstream's name of the message. */
  readonly request?: MessageName | undefined;
  readonly uid?: number | undefined;
  readonly when?: ((request: FaultRequest) => boolean) | undefined;
  /** How many requests meet it. Default: all, until the fault is taken back. */
  readonly times?: number | undefined;
  /** Let so many pass first. Default 0. */
  readonly after?: number | undefined;
}

/** When trouble comes: before the daemon has done anything, or when it has done all but answer. */
export type FaultMoment = 'before' | 'after';

/** What happens. Several may be given together; they come in this order. */
export interface Fault {
  /** Milliseconds until the daemon looks at the request. */
  readonly delayMs?: number | undefined;
  /** Milliseconds from what was done to the answer. */
  readonly answerDelayMs?: number | undefined;
  /** The connection is closed without an answer: `before` the request is executed, or `after`. */
  readonly drop?: FaultMoment | undefined;
  /** The connection is reset. */
  readonly reset?: FaultMoment | undefined;
  /** There is no answer, and the connection stays. */
  readonly hang?: FaultMoment | undefined;
  /** The daemon dies: all its connections are reset, and nobody listens any more. */
  readonly die?: FaultMoment | undefined;
  /** Milliseconds after which a daemon that died listens again, on the same port. Default: never. */
  readonly backAfterMs?: number | undefined;
  /** A lie: this number in place of the answer, and nothing was done. */
  readonly rc?: number | undefined;
  /** A lie: this message in place of the answer, and nothing was done. */
  readonly reply?:
    | { [N in MessageName]: readonly [name: N, record: MessageInput<N>] }[MessageName]
    | undefined;
  /** With `rc` or `reply`: the request is executed all the same. Default false. */
  readonly execute?: boolean | undefined;
  /** The answer is packed in this version. */
  readonly release?: Release | undefined;
  /** The bytes of the answer are changed. */
  readonly corrupt?: ((bytes: Uint8Array) => Uint8Array) | undefined;
  /** Only so many bytes of the answer are sent, then the connection is closed. */
  readonly cutAt?: number | undefined;
}

/** A fault that can be taken back. */
export interface FaultHandle {
  /** How many requests have met it. */
  readonly met: number;
  /** Takes it back; requests under way go on as they are. */
  remove(): void;
}

const MATCH_FIELDS = Object.keys({
  to: 0,
  request: 0,
  uid: 0,
  when: 0,
  times: 0,
  after: 0,
} satisfies Record<keyof FaultMatch, 0>);

const FAULT_FIELDS = Object.keys({
  delayMs: 0,
  answerDelayMs: 0,
  drop: 0,
  reset: 0,
  hang: 0,
  die: 0,
  backAfterMs: 0,
  rc: 0,
  reply: 0,
  execute: 0,
  release: 0,
  corrupt: 0,
  cutAt: 0,
} satisfies Record<keyof Fault, 0>);

/** Longest time a timer of Node can take. */
const MAX_MS = 0x7fffffff;

/**
 * Looks at an order before it is taken: a fault that is misspelt would never come.
 *
 * @param release of the cluster, in which a message in place of the answer must be packable.
 * @throws SlurmUsageError `SLURMWIRE_BAD_OPTION` naming field and value.
 */
export function checkFault(match: FaultMatch, fault: Fault, release: Release): void {
  checkOptions('fault', match, MATCH_FIELDS);
  checkOptions('fault', fault, FAULT_FIELDS);
  const whole = (field: string, value: number | undefined, least: number, most: number) => {
    if (value !== undefined && !(Number.isInteger(value) && value >= least && value <= most))
      throw badOption(field, value, `is no whole number from ${least} to ${most}`);
  };
  if (match.request !== undefined && !isMessageName(match.request))
    throw badOption('request', match.request, 'is no message that this library describes');
  whole('times', match.times === Infinity ? undefined : match.times, 0, Number.MAX_SAFE_INTEGER);
  whole('after', match.after, 0, Number.MAX_SAFE_INTEGER);
  whole('uid', match.uid, 0, 0xffffffff);
  for (const field of ['delayMs', 'answerDelayMs', 'backAfterMs'] as const) {
    const ms = fault[field];
    if (ms !== undefined && !(ms >= 0 && ms <= MAX_MS))
      throw badOption(field, ms, `is no time of 0 to ${MAX_MS} ms`);
  }
  for (const field of ['drop', 'reset', 'hang', 'die'] as const) {
    const moment: unknown = fault[field];
    if (moment !== undefined && moment !== 'before' && moment !== 'after')
      throw badOption(field, moment, 'is neither "before" nor "after"');
  }
  if (fault.backAfterMs !== undefined && fault.die === undefined)
    throw badOption('backAfterMs', fault.backAfterMs, 'is for a daemon that dies');
  if (fault.execute !== undefined && fault.rc === undefined && fault.reply === undefined)
    throw badOption(
      'execute',
      fault.execute,
      'is for an answer that is a lie: without one the request is executed',
    );
  whole('rc', fault.rc, -0x80000000, 0xffffffff);
  whole('cutAt', fault.cutAt, 0, Number.MAX_SAFE_INTEGER);
  if (fault.release !== undefined && !isRelease(fault.release))
    throw badOption('release', fault.release, `is none of ${RELEASE_NAMES.join(', ')}`);
  if (fault.reply !== undefined) checkReply(fault.reply, fault.release ?? release);
}

function checkReply([name, record]: NonNullable<Fault['reply']>, release: Release): void {
  try {
    encodeBody(name, release, record as MessageInput<MessageName>);
  } catch (error) {
    if (!(error instanceof SlurmProtocolError)) throw error;
    throw badOption('reply', name, `cannot be packed: ${error.message}`);
  }
}

interface Ordered {
  readonly match: FaultMatch;
  readonly fault: Fault;
  met: number;
  passed: number;
}

/** The faults of one cluster, in the order they were given. A request meets the first that fits. */
export class FaultList {
  #ordered: Ordered[] = [];

  add(match: FaultMatch, fault: Fault): FaultHandle {
    const ordered: Ordered = { match, fault, met: 0, passed: 0 };
    this.#ordered.push(ordered);
    return {
      get met() {
        return ordered.met;
      },
      remove: () => {
        this.#ordered = this.#ordered.filter((one) => one !== ordered);
      },
    };
  }

  clear(): void {
    this.#ordered = [];
  }

  /** The fault this request meets, counted as met; `null` for none. */
  take(request: FaultRequest): Fault | null {
    const found = this.#ordered.find(
      ({ match, met }) => fits(match, request) && met < (match.times ?? Infinity),
    );
    if (found === undefined) return null;
    if (found.passed < (found.match.after ?? 0)) {
      found.passed += 1;
      return null;
    }
    found.met += 1;
    return found.fault;
  }
}

function fits(match: FaultMatch, request: FaultRequest): boolean {
  return (
    (match.to ?? request.to) === request.to &&
    (match.request ?? request.name) === request.name &&
    (match.uid ?? request.uid) === request.uid &&
    (match.when?.(request) ?? true)
  );
}
