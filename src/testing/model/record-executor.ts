/** Jobs without processes: a signal is written down, and what would end a process by default ends its record. */
import { SPECIAL_STEP_IDS } from '../../protocol/step-id.js';
import { UNIX_SIGNALS } from '../../protocol/unix-signal.js';
import type { Executor, ExecutorEvents, TaskProcess } from './executor.js';
import type { Job, Step } from './job.js';

export class RecordExecutor implements Executor {
  readonly #alive = new Map<Step, { readonly events: ExecutorEvents; readonly nodes: Set<string> }>();
  readonly #timers = new Set<NodeJS.Timeout>();

  start(job: Job, step: Step, events: ExecutorEvents): void {
    this.#alive.set(step, { events, nodes: new Set(step.nodes) });
    const { runsForMs } = job.spec;
    if (runsForMs === null || step.stepId !== SPECIAL_STEP_IDS.SLURM_BATCH_SCRIPT) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      for (const node of step.nodes) this.#end(job, step, node, 0);
    }, runsForMs);
    this.#timers.add(timer);
  }

  signal(job: Job, step: Step, node: string, unixSignal: number): readonly number[] | null {
    const alive = this.#alive.get(step);
    if (alive === undefined || !alive.nodes.has(node)) return null;
    const isIgnored = job.spec.ignores.has(unixSignal) && unixSignal !== UNIX_SIGNALS.SIGKILL;
    // As the kernel: the sender is answered before its victim is gone.
    if (endsProcess(unixSignal) && !isIgnored) queueMicrotask(() => this.#end(job, step, node, unixSignal));
    return [];
  }

  processesOf(): readonly TaskProcess[] {
    return [];
  }

  /** All tasks on a node, which are one process to it. */
  #end(job: Job, step: Step, node: string, status: number): void {
    const alive = this.#alive.get(step);
    if (alive === undefined || !alive.nodes.delete(node)) return;
    if (alive.nodes.size === 0) this.#alive.delete(step);
    for (const _ of step.tasks.get(node) ?? []) alive.events.taskEnded(job, step, node, status);
  }

  write(): void {}

  reopen(): void {}

  close(): Promise<void> {
    this.#alive.clear();
    for (const timer of this.#timers) clearTimeout(timer);
    return Promise.resolve();
  }
}

/** By default, see signal(7): those that are ignored, stop or go on. */
const HARMLESS = new Set([0, 17, 18, 19, 20, 21, 22, 23, 28]);

function endsProcess(unixSignal: number): boolean {
  return !HARMLESS.has(unixSignal);
}
