/** What is shown of terminations that are under way. */
import type { Survivor, TerminateEvent, TerminateState } from '../../rpc/index.js';
import type { Progress } from '../progress.js';

/** Follows them all: lines for what happens, and how far they are. */
export class Follower {
  readonly #progress: Progress;
  readonly #total: number;
  /** Lines for each event; else the bar alone, for too many jobs to read about. */
  readonly #tellsEach: boolean;
  readonly #last = new Map<string, TerminateEvent>();
  readonly #done = new Set<string>();
  readonly #timer: NodeJS.Timeout;

  constructor(progress: Progress, total: number, tellsEach: boolean) {
    this.#progress = progress;
    this.#total = total;
    this.#tellsEach = tellsEach;
    this.#timer = setInterval(() => this.#draw(), 250);
  }

  take(event: TerminateEvent): void {
    const before = this.#last.get(event.target);
    this.#last.set(event.target, event);
    const text = this.#tellsEach ? lineOf(event, before) : null;
    if (text !== null) this.#progress.line(`${event.target}: ${text}`);
    this.#draw();
  }

  /** This one is over, well or not. */
  end(target: string): void {
    this.#done.add(target);
    this.#draw();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#progress.stop();
  }

  #draw(): void {
    if (this.#total > 1) {
      this.#progress.bar(this.#done.size, this.#total, this.#counts());
      return;
    }
    const [event] = this.#last.values();
    if (event === undefined) return;
    const { at, until } = waitOf(event);
    const value = Math.min(Math.max(0, Date.now() - at), until - at);
    this.#progress.bar(value, until - at, `${event.target} ${doing(event)}`);
  }

  #counts(): string {
    const under = [...this.#last.values()].filter(({ target }) => !this.#done.has(target));
    const confirming = under.filter(({ type }) => type === 'confirming').length;
    const waiting = under.length - confirming;
    const queued = this.#total - this.#done.size - under.length;
    return `${this.#done.size} of ${this.#total} done, ${waiting} in their grace, ${confirming} being waited for, ${queued} to come`;
  }
}

/** When a wait began and when it ends, in milliseconds since 1970. */
function waitOf(event: TerminateEvent): { at: number; until: number } {
  const isWait = event.type === 'waiting' || event.type === 'confirming';
  if (!isWait) return { at: Date.now(), until: Date.now() + 1 };
  const { since } = event.resume;
  const at = since === null ? event.at : Math.min(since, event.at);
  return { at, until: Math.max(event.until, at + 1) };
}

function doing(event: TerminateEvent): string {
  switch (event.type) {
    case 'waiting':
    case 'confirming': {
      const left = Math.max(0, Math.ceil((event.until - Date.now()) / 1_000));
      const next = event.type === 'waiting' ? nextSignal(event.resume) : null;
      return `${left} s left${next === null ? '' : ` until ${next}`}: ${showAlive(event.alive)}`;
    }
    case 'gone':
      return 'is gone';
    default:
      return event.type;
  }
}

/** `null`: nothing new to be read in it. */
function lineOf(event: TerminateEvent, before: TerminateEvent | undefined): string | null {
  switch (event.type) {
    case 'signalling':
      return null;
    case 'signalled': {
      const { signal, part, outcome, code } = event.signal;
      return `${signal} to ${PARTS[part]}: ${outcome}${code === null ? '' : ` [${code}]`}`;
    }
    case 'waiting':
    case 'confirming': {
      if (event.trouble !== null) {
        const isNew = !(before !== undefined && 'trouble' in before && before.trouble === event.trouble);
        return isNew ? `cannot be looked at [${event.trouble}], trying again` : null;
      }
      if (before?.type === event.type && before.rung === event.rung) return null;
      const left = Math.max(0, Math.round((event.until - event.at) / 1_000));
      const what = event.type === 'waiting' ? `has ${left} s to end` : `is waited for, ${left} s at most`;
      return `${what}: ${showAlive(event.alive)}`;
    }
    case 'escalating':
      return `is still there: ${showAlive(event.alive)}`;
    case 'requeued':
      return `was requeued: ${showAlive(event.alive)}`;
    case 'gone':
      return 'is gone';
  }
}

const PARTS = {
  job: 'the job',
  step: 'the step',
  steps: 'its steps',
  batch: 'its batch shell',
  full: "its batch shell's group",
} as const;

/** The signal that follows the wait; `null`: none. */
export function nextSignal({ ladder, rung }: TerminateState): string | null {
  return ladder[rung + 1]?.signal ?? null;
}

/** `RUNNING on n[1-2]`, and how many more. */
export function showAlive(alive: readonly Survivor[]): string {
  const [first, ...others] = alive.map(
    ({ state, flags, nodes }) => `${[state, ...flags].join('+')}${nodes === null ? '' : ` on ${nodes}`}`,
  );
  if (first === undefined) return 'nothing is left of it';
  return others.length === 0 ? first : `${first}, and ${others.length} more`;
}
