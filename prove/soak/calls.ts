/** The calls of a soak: what a scheduler would ask for, and what it would give up. */
import { getEventListeners } from 'node:events';
import { isSlurmError, type SlurmClient } from '../../src/index.js';
import type { Watched } from './measure.js';
import type { Chance } from './random.js';

/** Longer than any answer that comes takes; what hangs costs so much. */
export const TIMEOUT_MS = 1_500;

/** Numbers that no job of the cluster ever has. */
const NO_JOB = 900_000_000;

/** A signal of the program that outlives all calls, as a service that is to end has one. */
export class Caller {
  readonly #lasting = new AbortController();
  readonly #chance: Chance;

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  readonly watched: Watched = {
    'lasting signal': () => getEventListeners(this.#lasting.signal, 'abort').length,
  };

  /** A kill of one of these jobs, or of something near it. Jobs in `dying` may end by it, those in `deaf` do not. */
  kill(client: SlurmClient, deaf: readonly number[], dying: readonly number[]): Promise<string> {
    const chance = this.#chance;
    return this.#said((options) => {
      const kind = chance.next();
      if (kind < 0.55) return client.killJob(chance.one(deaf), 'SIGUSR1', options);
      if (kind < 0.75) return client.killJob(chance.one(dying), 'SIGKILL', options);
      if (kind < 0.85) return client.killJobStep(`${chance.one(deaf)}.0`, 'SIGUSR1', options);
      if (kind < 0.92) return client.killJob(NO_JOB + chance.whole(0, 1000), 'SIGTERM', options);
      if (kind < 0.95)
        return client.killJobs([chance.one(dying), NO_JOB, chance.one(deaf)], 'SIGUSR1', options);
      if (kind < 0.98) return client.probe(chance.one(deaf), options);
      return client.ping(options);
    });
  }

  /** A signal to all nodes of one of these jobs. */
  fanOut(client: SlurmClient, jobs: readonly number[]): Promise<string> {
    const chance = this.#chance;
    return this.#said((options) =>
      client.signalJob(chance.one(jobs), 'SIGUSR1', {
        ...options,
        timeoutMs: options.timeoutMs * 3,
        fanOut: chance.one(['direct', 'tree', 'auto'] as const),
        treeWidth: chance.one([2, 5, 16, 50]),
      }),
    );
  }

  async #said(
    call: (options: { timeoutMs: number; signal?: AbortSignal }) => PromiseLike<unknown>,
  ): Promise<string> {
    const kind = this.#chance.next();
    let timer: NodeJS.Timeout | undefined;
    let options: { timeoutMs: number; signal?: AbortSignal } = { timeoutMs: TIMEOUT_MS };
    if (kind < 0.05) options = { timeoutMs: this.#chance.whole(1, 15) };
    else if (kind < 0.1) {
      const own = new AbortController();
      timer = setTimeout(() => own.abort(new Error('changed its mind')), this.#chance.whole(0, 15));
      options = { ...options, signal: own.signal };
    } else if (kind < 0.5) options = { ...options, signal: this.#lasting.signal };
    try {
      await call(options);
      return 'resolved';
    } catch (error) {
      if (!isSlurmError(error)) throw error;
      return `${error.code}, ${error.outcome}`;
    } finally {
      clearTimeout(timer);
    }
  }
}
