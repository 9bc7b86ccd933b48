/** A slurmctld with jobs that change as a test says, a clock that runs only while somebody waits, and terminations over both. */
import { decodeBody, type MessageName, type Release, unixSignalName } from '../../../src/protocol/index.js';
import { ControllerLink, type LinkSetup } from '../../../src/rpc/controller-link.js';
import { Deadline } from '../../../src/rpc/deadline.js';
import type { Terminated, TerminateEvent } from '../../../src/rpc/index.js';
import { terminate } from '../../../src/rpc/terminate.js';
import {
  plannedExchanges,
  plannedWaitMs,
  type TerminateOptions,
  terminatePlan,
} from '../../../src/rpc/terminate-options.js';
import { NO_VAL } from './fan-out.js';
import { type FakeJob, type FakeStep, jobInfoReply, stepInfoReply } from './fan-out-controller.js';
import { answering, rc } from './replies.js';
import { type PeerConnection, ScriptedPeer } from './scripted-peer.js';
import { linkSetup, type TestSetup } from './setup.js';
import { START, TestClock } from './test-clock.js';

export const STATE = {
  PENDING: 0,
  RUNNING: 1,
  SUSPENDED: 2,
  COMPLETED: 3,
  CANCELLED: 4,
  COMPLETING: 0x8000,
} as const;

/** A signal as it arrived: `SIGTERM 7 batch`. */
export interface Arrived {
  readonly text: string;
  readonly signal: string;
  readonly target: string;
  readonly flags: number;
}

/** A return code, or what is done with the connection instead. */
export type Verdict = number | 'close' | 'silence';

export { START, TestClock };

const FLAGS = [
  [1, 'batch'],
  [4, 'stepsOnly'],
  [8, 'full'],
  [0x1000, 'cron'],
] as const;

export class TerminateWorld implements AsyncDisposable {
  readonly peer: ScriptedPeer;
  readonly release: Release;
  readonly clock = new TestClock();
  jobs: FakeJob[] = [{ jobId: 7 }];
  steps: FakeStep[] = [];
  readonly arrived: Arrived[] = [];
  looks = 0;
  /** Says what becomes of a signal; may change `jobs`. */
  onSignal: (signal: Arrived) => Verdict | Promise<Verdict> = () => 0;
  /** Says what becomes of a look; 0 answers it. */
  onLook: () => Verdict | Promise<Verdict> = () => 0;
  /** The same of a look at steps. */
  onStepLook: () => Verdict = () => 0;

  private constructor(peer: ScriptedPeer, release: Release) {
    this.peer = peer;
    this.release = release;
    peer.play(
      answering(
        {
          REQUEST_JOB_INFO_SINGLE: async (connection, { frame }) => {
            this.looks += 1;
            const { jobId } = decodeBody('REQUEST_JOB_INFO_SINGLE', release, frame.body);
            await this.#answer(connection, await this.onLook(), () => {
              const found = this.jobs.filter((job) =>
                [job.jobId, job.arrayJobId, job.hetJobId].includes(jobId),
              );
              return found.length === 0 ? rc(2017, { release }) : this.#jobs(found);
            });
          },
          REQUEST_JOB_STEP_INFO: async (connection, { frame }) => {
            const { jobId, stepId } = decodeBody('REQUEST_JOB_STEP_INFO', release, frame.body).stepId;
            const found = this.steps.filter(
              (step) => step.jobId === jobId && (stepId === NO_VAL || step.stepId === stepId),
            );
            await this.#answer(connection, this.onStepLook(), () => stepInfoReply(found, release));
          },
          REQUEST_KILL_JOB: (connection, { frame }) => {
            const { sjobId, signal, flags } = decodeBody('REQUEST_KILL_JOB', release, frame.body);
            return this.#take(connection, signal, String(sjobId), flags);
          },
          REQUEST_CANCEL_JOB_STEP: (connection, { frame }) => {
            const { stepId, signal, flags } = decodeBody('REQUEST_CANCEL_JOB_STEP', release, frame.body);
            const own = this.jobs.find(({ jobId }) => jobId === stepId.jobId);
            // One task of an array, by its own record.
            if (stepId.stepId === NO_VAL)
              return this.#take(connection, signal, `${own?.arrayJobId}_${own?.arrayTaskId}`, flags);
            const step = stepId.stepId === 0xfffffffb ? 'batch' : stepId.stepId;
            const comp = stepId.stepHetComp === NO_VAL ? '' : `+${stepId.stepHetComp}`;
            return this.#take(connection, signal, `${stepId.jobId}.${step}${comp}`, flags);
          },
        },
        release,
      ),
    );
  }

  static async start(release: Release = '22.05'): Promise<TerminateWorld> {
    return new TerminateWorld(await ScriptedPeer.listen(() => {}), release);
  }

  /** The signals that arrived, as texts. */
  get signals(): string[] {
    return this.arrived.map(({ text }) => text);
  }

  count(name: MessageName): number {
    return this.peer.count(name);
  }

  /** Changes one job. */
  change(jobId: number, changes: Partial<FakeJob>): void {
    this.jobs = this.jobs.map((job) => (job.jobId === jobId ? { ...job, ...changes } : job));
  }

  setup(given: TestSetup = {}): LinkSetup {
    return linkSetup([this.peer.endpoint], { release: this.release, ...given });
  }

  /** Runs a termination on this world's clock. */
  async terminate(
    target: Parameters<typeof terminatePlan>[0],
    options: TerminateOptions = {},
    report: (event: TerminateEvent) => void = () => {},
    given: TestSetup = {},
  ): Promise<Terminated> {
    const plan = terminatePlan(target, options);
    const { idempotent = false } = options;
    const setup = this.setup(given);
    const budget = plannedWaitMs(plan.state) + plannedExchanges(plan.state) * setup.messageTimeoutMs;
    const deadline = new Deadline(options.timeoutMs ?? budget, options.signal);
    try {
      return await terminate(
        new ControllerLink(setup),
        plan,
        { idempotent, report, clock: this.clock },
        deadline,
      );
    } finally {
      deadline.dispose();
    }
  }

  #jobs(found: readonly FakeJob[]): Uint8Array {
    const known = found.map((job) => ({
      userId: 1000,
      restartCnt: 0,
      nodes: 'n[1-2]',
      hasDetails: true,
      ...job,
    }));
    return jobInfoReply(known, this.release);
  }

  async #take(connection: PeerConnection, number: number, target: string, flags: number): Promise<void> {
    const signal = unixSignalName(number);
    const names = FLAGS.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => name);
    const arrived = { text: [signal, target, ...names].join(' '), signal, target, flags };
    this.arrived.push(arrived);
    await this.#answer(connection, await this.onSignal(arrived));
  }

  async #answer(connection: PeerConnection, verdict: Verdict, bytes?: () => Uint8Array): Promise<void> {
    if (verdict === 'silence') return;
    if (verdict === 'close') return connection.finish();
    await connection.send(
      verdict === 0 && bytes !== undefined ? bytes() : rc(verdict, { release: this.release }),
    );
    connection.finish();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.peer.close();
  }
}
