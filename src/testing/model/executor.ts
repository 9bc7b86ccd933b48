/**
 * The processes of an embedded cluster, which may be real ones or none: what `life.ts` starts and ends, and what slurmds signal.
 */
import type { Job, Step } from './job.js';

/** How a task ended: as wait(2) tells. */
export type WaitStatus = number;

/** A task as a process; of the batch step, the shell. */
export interface TaskProcess {
  readonly node: string;
  readonly task: number;
  /** Of its process group too. */
  readonly pid: number;
}

export interface ExecutorEvents {
  /** A task of a step has ended; of the batch step, the shell. */
  taskEnded(job: Job, step: Step, node: string, status: WaitStatus): void;
}

export interface Executor {
  /** Starts the tasks of a step on all its nodes: of the batch step, the shell on its one node. */
  start(job: Job, step: Step, events: ExecutorEvents): void;
  /**
   * Signals processes of a step on one node.
   *
   * @param whom `shell`: the first process alone; `group`: its process group; `tasks`: every process of the step there.
   * @returns their pids, none for records; `null` where there is nobody any more.
   */
  signal(
    job: Job,
    step: Step,
    node: string,
    unixSignal: number,
    whom: 'tasks' | 'shell' | 'group',
  ): readonly number[] | null;
  /** The processes that a step has now. */
  processesOf(step: Step): readonly TaskProcess[];
  /** Writes into the output of a step, as the slurmstepd on this node does. */
  write(job: Job, step: Step, node: string, text: string): void;
  /** Ends all processes there are, by force, and resolves when they are gone. From then on none is started: an srun may still ask. */
  close(): Promise<void>;
  /** Starts processes again after `close()`. */
  reopen(): void;
}
