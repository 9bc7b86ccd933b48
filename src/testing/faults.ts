/** Trouble on order: which requests meet it, and what it is. */
import type { MessageInput, MessageName } from '../protocol/messages/index.js';
import type { Release } from '../protocol/release.js';

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
  /** The connection is closed without an answer. */
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
