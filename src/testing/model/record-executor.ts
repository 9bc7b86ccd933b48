/** Jobs without processes: a signal is written down, and what would end a process by default ends its record. */
import type { Executor, ExecutorEvents } from './executor.js';
import type { Job, Step } from './job.js';

export class RecordExecutor implements Executor {
  readonly #alive = new Map<Step, { readonly events: ExecutorEvents; readonly nodes: Set<string> }>();

  start(_job: Job, step: Step, events: ExecutorEvents): void {
    this.#alive.set(step, { events, nodes: new Set(step.nodes) });
  }

  signal(job: Job, step: Step, node: string, unixSignal: number): boolean {
    const alive = this.#alive.get(step);
    if (alive === undefined || !alive.nodes.has(node)) return false;
    if (!endsProcess(unixSignal) || job.spec.ignores.has(unixSignal)) return true;
    alive.nodes.delete(node);
    if (alive.nodes.size === 0) this.#alive.delete(step);
    // As the kernel: the sender is answered before its victim is gone.
    queueMicrotask(() => alive.events.taskEnded(job, step, node, unixSignal));
    return true;
  }

  write(): void {}

  close(): Promise<void> {
    this.#alive.clear();
    return Promise.resolve();
  }
}

/** By default, see signal(7): those that are ignored, stop or go on. */
const HARMLESS = new Set([0, 17, 18, 19, 20, 21, 22, 23, 28]);

function endsProcess(unixSignal: number): boolean {
  return !HARMLESS.has(unixSignal);
}
