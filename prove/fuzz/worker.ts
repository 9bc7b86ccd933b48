/** One thread that fuzzes one target. Loads the instrumented copy, since it is itself part of it. */
import { parentPort, workerData } from 'node:worker_threads';
import { installCounters, loadedFiles } from './coverage.js';
import type { Finding, Progress, RunResult } from './engine.js';
import type { Literals } from './prepare.js';

/** What a worker is told. */
export interface WorkerOrder {
  readonly target: string;
  readonly seed: string;
  readonly executions: number | null;
  readonly seconds: number | null;
  readonly corpus: readonly Uint8Array[];
  readonly literals: Literals;
  /** Where the watcher finds the input under way: {@link NOTE_HEADER} bytes of header (length, count), then the input. */
  readonly note: SharedArrayBuffer;
  /** The corpus is made small at the end, and handed over. */
  readonly save: boolean;
}

/** What a worker says. */
export type WorkerWord =
  | { readonly kind: 'progress' | 'minimising'; readonly progress: Progress }
  | {
      readonly kind: 'done';
      readonly progress: Progress;
      readonly findings: readonly Finding[];
      readonly corpus: readonly Uint8Array[];
      readonly gaps: RunResult['gaps'];
    };

export const NOTE_HEADER = 8;

if (parentPort !== null) await work(workerData as WorkerOrder);

async function work(order: WorkerOrder): Promise<void> {
  installCounters();
  const { TARGETS } = await import('./targets/index.js');
  const { fuzz, minimise } = await import('./engine.js');
  const target = await TARGETS[order.target]?.();
  if (target === undefined) throw new Error(`there is no target ${order.target}`);
  let stopped = false;
  parentPort?.once('message', () => {
    stopped = true;
  });
  const say = (word: WorkerWord) => parentPort?.postMessage(word);
  const head = new Int32Array(order.note, 0, 2);
  const noted = new Uint8Array(order.note, NOTE_HEADER);
  const { progress, findings, corpus, gaps } = await fuzz(target, {
    seed: order.seed,
    ...(order.executions === null ? {} : { executions: order.executions }),
    ...(order.seconds === null ? {} : { seconds: order.seconds }),
    corpus: order.corpus,
    literals: loadedFiles.flatMap(({ file }) => order.literals[file] ?? []),
    note(input) {
      noted.set(input.length > noted.length ? input.subarray(0, noted.length) : input);
      head[0] = Math.min(input.length, noted.length);
      head[1] = ((head[1] as number) + 1) | 0;
    },
    isStopped: () => stopped,
    onProgress: (now) => say({ kind: 'progress', progress: now }),
  });
  if (order.save) say({ kind: 'minimising', progress });
  const kept = order.save ? await minimise(target, corpus) : [];
  say({ kind: 'done', progress, findings, corpus: kept, gaps });
}
