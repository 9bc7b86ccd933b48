/**
 * A cancel as scancel(1) goes about it. Jobs that are only named are asked for by name, without a look; `--ctld` is one request for all, where the
 * controller has it; for all else the job records are looked up, compared, and asked for one by one: pending jobs first, so that none starts in
 * the place of one that was ended.
 *
 * Source: scancel(1) of 22.05 and 26.05, observed; docs/scancel.md says where we differ.
 */

import { messageTypeNumber } from '../../protocol/message-type.js';
import type { JobRecord } from '../../protocol/messages/job-record.js';
import { isJobPending } from '../../protocol/messages/job-state.js';
import { SHOW_FLAGS } from '../../protocol/messages/show-flags.js';
import type { Release } from '../../protocol/release.js';
import { isSlurmError, type Outcome, type SlurmError } from '../../protocol/slurm-error.js';
import { UNIX_SIGNALS, unixSignalName } from '../../protocol/unix-signal.js';
import { systemClock } from '../../rpc/clock.js';
import { type ClusterFacts, factsOf } from '../../rpc/cluster-facts.js';
import type { CallOptions, JobFilter, KillJobsOptions, SlurmClient } from '../../rpc/index.js';
import { lookupFailed } from '../../rpc/job-lookup.js';
import { isEnded } from '../../rpc/kill-request.js';
import { Limiter } from '../../rpc/limiter.js';
import { failureLines } from '../failure.js';
import type { CliIo } from '../io.js';
import { safeText } from '../safe-text.js';
import type { Confirm } from './confirm.js';
import { numberOfError, slurmText, textOfError, textOfNumber } from './error-texts.js';
import { filterText } from './listing.js';
import type { CancelRequest } from './request.js';
import { isUntold, type Selection, select, textOf, type Wanted, wantedOf } from './select.js';
import { ScancelTrouble } from './trouble.js';
import type { Voice } from './voice.js';

/** What became of one job or step. */
export interface CancelledJob {
  readonly target: string;
  /** `null`: the user said no, or there was nothing to do. */
  readonly outcome: Outcome | null;
  /** Slurm's number, 0 for success; `null` where there is none. */
  readonly number: number | null;
  readonly code: string | null;
  readonly message: string | null;
}

/** What became of all. */
export interface Cancelled {
  /** The signal by its name. */
  readonly signal: string;
  readonly protocol: Release | null;
  readonly jobs: readonly CancelledJob[];
  readonly exitCode: number;
  /** What ended it early, after something was sent. */
  readonly trouble?: ScancelTrouble | SlurmError;
}

export interface Cancelling {
  readonly slurm: SlurmClient;
  readonly request: CancelRequest;
  readonly voice: Voice;
  readonly io: CliIo;
  readonly call: CallOptions;
  readonly confirm: Confirm;
}

/** @throws ScancelTrouble before anything is sent; SlurmError of a lookup, or of the one request for all; `io.signal.reason` where it had not begun. */
export async function carryOut(cancelling: Cancelling): Promise<Cancelled> {
  return new Canceller(cancelling).run();
}

/** As many as scancel has threads. */
const AT_A_TIME = 10;
const MAX_TRIES = 10;
/** Job numbers above are of a federation. */
const MAX_LOCAL_JOB_ID = 0x03ffffff;

class Canceller {
  readonly #c: Cancelling;
  readonly #limiter = new Limiter(AT_A_TIME);
  readonly #jobs: CancelledJob[] = [];
  readonly #running = new Set<Promise<void>>();
  #protocol: Release | null = null;
  #worst = 0;
  /** Whether scrontab jobs are meant: where the cluster does not guard them, scancel means them always. */
  #cron = false;

  constructor(cancelling: Cancelling) {
    this.#c = cancelling;
  }

  async run(): Promise<Cancelled> {
    const { request, slurm, call } = this.#c;
    const isPlain = !request.hasFilter && !request.batch && !request.interactive && request.signal === null;
    const hasSteps = request.operands.some(({ step }) => step !== null);
    try {
      const facts = await askFacts(slurm, call);
      checkClusters(request, facts?.clusterName);
      // Where the cluster is not known, scrontab jobs are left to the library's care.
      this.#cron = request.cron || facts?.scrontab === 'open';
    } catch (error) {
      this.#c.io.signal.throwIfAborted();
      if (!isSlurmError(error)) throw error;
      if (isPlain && !hasSteps) this.#reportAll(error);
      else this.#reportLookup(error);
      return this.#done();
    }
    const isAtOnce = request.ctld && !request.interactive && (await this.#mayAskForAll(hasSteps));
    if (request.adminComment !== undefined && !isAtOnce) throw noComment();
    try {
      if (isAtOnce) await this.#allAtOnce();
      else if (isPlain && !hasSteps) await this.#byName(request.operands.map(({ job }) => job.text));
      else await this.#byRecords();
      return this.#done();
    } catch (error) {
      return await this.#endedBy(error);
    }
  }

  /** What was sent before is to be told whatever comes after it. */
  async #endedBy(error: unknown): Promise<Cancelled> {
    await Promise.allSettled([...this.#running]);
    if (this.#jobs.length === 0) throw error;
    if (this.#c.io.signal.aborted) return this.#done();
    if (!(error instanceof ScancelTrouble || isSlurmError(error))) throw error;
    this.#worst = Math.max(this.#worst, 1);
    return { ...this.#done(), trouble: error };
  }

  #done(): Cancelled {
    const exitCode = this.#worst === 0 ? 0 : this.#worst & 0xff || 1;
    return { signal: unixSignalName(this.#signal), protocol: this.#protocol, jobs: this.#jobs, exitCode };
  }

  /** The controller could not be asked at all: scancel, which does not look, says so of each job. */
  #reportAll(error: SlurmError): void {
    for (const { job } of this.#c.request.operands)
      this.#reportFailure(job.text, `Kill job error on job id ${job.text}`, error, false);
  }

  /** The jobs could not be looked up; nothing was signalled. */
  #reportLookup(error: SlurmError): void {
    const { voice, request } = this.#c;
    voice.bare(`slurm_load_jobs error: ${textOfError(error)}`);
    for (const line of failureLines(error).slice(1)) voice.bare(line);
    const { code, message, number = null } = error;
    for (const { job } of request.operands)
      this.#jobs.push({ target: job.text, outcome: 'not-sent', number, code, message });
    this.#worst = 1;
  }

  get #signal(): number {
    return this.#c.request.signal ?? UNIX_SIGNALS.SIGKILL;
  }

  get #kills(): boolean {
    return this.#signal === UNIX_SIGNALS.SIGKILL;
  }

  /** The flags of every request for a job. That a number may mean all components of a het job is what scancel's users know. */
  get #options() {
    const { batch, full, hurry, sibling } = this.#c.request;
    return { batch, full, hurry, cron: this.#cron, wholeHetJob: true, sibling, ...this.#c.call };
  }

  async #mayAskForAll(hasSteps: boolean): Promise<boolean> {
    const { request, slurm, call } = this.#c;
    if (hasSteps || request.sibling !== undefined) return false;
    if (request.operands.some(({ job }) => job.jobId > MAX_LOCAL_JOB_ID)) return false;
    const { protocol } = await slurm.request('REQUEST_PING', {}, call);
    return messageTypeNumber('REQUEST_KILL_JOBS', protocol) !== null;
  }

  async #byName(targets: readonly string[]): Promise<void> {
    for (const target of targets) this.#start(() => this.#killJob(target));
    await this.#allDone();
  }

  async #allAtOnce(): Promise<void> {
    const { request, slurm, voice } = this.#c;
    const options: KillJobsOptions = {
      ...this.#options,
      adminComment: request.adminComment,
      concurrency: AT_A_TIME,
    };
    const filter = jobFilterOf(request);
    if (filter !== null) {
      const { jobs, protocol } = await slurm.killJobs(filter, this.#signal, options);
      this.#protocol = protocol;
      for (const { target, outcome, number, code, message, serverMessage } of jobs) {
        this.#jobs.push({ target, outcome, number, code, message });
        if (number === 0) voice.verbose(this.#sentence(target));
        else if (voice.verbosity > 0 || !isEnded(code ?? undefined)) {
          const text = serverMessage ?? (number === null ? message : textOfNumber(number, protocol));
          voice.error(`Kill job error on job id ${target}: ${safeText(text ?? '')}`);
        }
        // A refusal does not count, as with scancel; what is not known does.
        if (number === null) this.#worst = Math.max(this.#worst, 1);
      }
    }
    if (request.hasFilter && !this.#jobs.some(({ outcome }) => outcome === 'accepted')) this.#noneMatched();
  }

  async #byRecords(): Promise<void> {
    const { request } = this.#c;
    const selection = select(
      await this.#records(),
      wantedOf(request.operands),
      request.filter,
      request.hasFilter,
    );
    for (const one of selection.missing) this.#reportMissing(one);
    if (request.hasFilter && selection.jobs.length === 0) this.#noneMatched();
    const untold = selection.jobs.find(isUntold);
    if (untold !== undefined) {
      throw new ScancelTrouble(
        `The controller does not tell which tasks of ${untold.arrayJobId} are pending`,
        'Name them: their array number alone would mean the running ones too.',
      );
    }
    if (request.operands.length === 0) await this.#found(selection.jobs);
    else await this.#named(selection);
    const sluids = request.operands.filter(({ job }) => job.kind === 'sluid').map(({ job }) => job.text);
    if (sluids.length > 0 && request.interactive)
      throw new ScancelTrouble(
        `Invalid SLUID ${sluids[0]}`,
        'Name the job by its number with --interactive.',
      );
    await this.#byName(sluids);
  }

  async #records(): Promise<readonly JobRecord[]> {
    const { slurm, call } = this.#c;
    const reply = await slurm.request(
      'REQUEST_JOB_INFO',
      { showFlags: SHOW_FLAGS.SHOW_ALL, jobIds: null },
      call,
    );
    this.#protocol = reply.protocol;
    if (reply.name === 'RESPONSE_JOB_INFO') return reply.record.jobs;
    throw lookupFailed(reply, 'REQUEST_JOB_INFO', 'its jobs');
  }

  /** All that the filters found. */
  async #found(jobs: readonly JobRecord[]): Promise<void> {
    const left = new Set(jobs);
    for (const isWanted of [isPlainlyPending, () => true]) {
      for (const job of jobs) {
        if (!left.has(job) || !isWanted(job)) continue;
        left.delete(job);
        if (await this.#mayCancel(job, textOf(job), null))
          await this.#begin(() => this.#killJob(textOf(job)));
      }
      await this.#allDone();
    }
  }

  /** What was named: those that have pending parts first. */
  async #named({ jobs, found }: Selection): Promise<void> {
    const left = new Set(jobs);
    const done = new Set<Wanted>();
    for (const pendingOnly of [true, false]) {
      for (const one of found) {
        if (pendingOnly && !one.isPending) continue;
        for (const job of one.jobs) {
          if (done.has(one)) break;
          if (!left.has(job)) continue;
          if (one.step !== null) await this.#stepOf(job, one, left, done);
          else await this.#partOf(job, one, left, done);
        }
      }
      await this.#allDone();
    }
  }

  async #partOf(job: JobRecord, one: Wanted, left: Set<JobRecord>, done: Set<Wanted>): Promise<void> {
    const isComponent = one.text.includes('+');
    const target = one.task === null && !isComponent ? textOf(job) : one.text;
    if (!(await this.#mayCancel(job, target, null))) {
      done.add(one);
      return;
    }
    // The record of several pending tasks stays: others of them may be named, too.
    if (one.task === null) left.delete(job);
    else done.add(one);
    await this.#begin(() => this.#killJob(target));
  }

  async #stepOf(job: JobRecord, one: Wanted, left: Set<JobRecord>, done: Set<Wanted>): Promise<void> {
    const { step } = one;
    if (step === null || this.#asked.has(`${job.jobId}.${step}`)) return;
    this.#asked.add(`${job.jobId}.${step}`);
    if (isJobPending(job.jobState)) {
      // scancel passes over it without a word, and so do we where nobody asks.
      this.#c.voice.verbose(`Job ${textOf(job)} is pending and has no step ${step}`);
      const text = slurmText('ESLURM_JOB_PENDING', '');
      this.#jobs.push({
        target: `${textOf(job)}.${step}`,
        outcome: null,
        number: null,
        code: 'ESLURM_JOB_PENDING',
        message: text,
      });
      return;
    }
    if (!(await this.#mayCancel(job, textOf(job), step))) {
      done.add(one);
      return;
    }
    left.add(job);
    await this.#begin(() => this.#killStep(job.jobId, step));
  }

  readonly #asked = new Set<string>();

  async #mayCancel(job: JobRecord, target: string, step: number | null): Promise<boolean> {
    if (!this.#c.request.interactive) return true;
    // What the one before came to is to be read before the next question.
    await this.#allDone();
    const what = step === null ? `job_id=${target}` : `step_id=${target}.${step}`;
    const isYes = await this.#c.confirm(
      // A name is its owner's to choose: it must not be able to write another question.
      safeText(`Cancel ${what} name=${job.name ?? '(null)'} partition=${job.partition ?? '(null)'} [y/n]? `),
    );
    if (!isYes) {
      const shown = step === null ? target : `${target}.${step}`;
      this.#jobs.push({ target: shown, outcome: null, number: null, code: null, message: 'not confirmed' });
    }
    return isYes;
  }

  #killJob(target: string): Promise<void> {
    const { slurm, voice } = this.#c;
    voice.verbose(this.#sentence(target));
    return this.#tried(target, `Kill job error on job id ${target}`, {
      call: async () => {
        const { protocol } = await slurm.killJob(target, this.#signal, this.#options);
        this.#protocol ??= protocol;
      },
      isPassing: (code) => code === 'ESLURM_TRANSITION_STATE_NO_UPDATE',
      isOver: isEnded,
    });
  }

  #killStep(jobId: number, step: number): Promise<void> {
    const { slurm, voice, request, call } = this.#c;
    const target = `${jobId}.${step}`;
    const isAsked = request.signal !== null && !request.ctld;
    return this.#tried(target, `Kill job error on job step id ${jobId}`, {
      call: async () => {
        voice.verbose(
          this.#kills ? `Terminating step ${target}` : `Signal ${this.#signal} to step ${target}`,
        );
        if (!isAsked) await slurm.killJobStep(target, this.#signal, call);
        else if (this.#kills) await slurm.terminateJobStep(target, call);
        else await slurm.signalJobStep(target, this.#signal, call);
      },
      isPassing: (code) => code === 'ESLURM_TRANSITION_STATE_NO_UPDATE' || code === 'ESLURM_JOB_PENDING',
      isOver: (code) => code === 'ESLURM_ALREADY_DONE',
    });
  }

  /** Asks, again while the job cannot be signalled for a moment (5 s, 6 s … between, ten times, as scancel does), and says what came of it. */
  async #tried(
    target: string,
    failed: string,
    {
      call,
      isPassing,
      isOver,
    }: { call: () => Promise<void>; isPassing: (code: string) => boolean; isOver: (code: string) => boolean },
  ): Promise<void> {
    const { voice, request, io } = this.#c;
    const clock = io.clock ?? systemClock();
    for (let attempt = 1; ; attempt += 1) {
      if (io.signal.aborted) {
        this.#jobs.push({
          target,
          outcome: 'not-sent',
          number: null,
          code: 'SLURMWIRE_ABORTED',
          message: 'stopped before it was sent',
        });
        return;
      }
      try {
        await call();
        this.#jobs.push({ target, outcome: 'accepted', number: 0, code: null, message: null });
        return;
      } catch (error) {
        if (!isSlurmError(error)) throw error;
        if (!request.retry || attempt === MAX_TRIES || !isPassing(error.code)) {
          this.#reportFailure(target, failed, error, isOver(error.code));
          return;
        }
      }
      voice.verbose('Job is in transitional state, retrying');
      await clock.sleep((4 + attempt) * 1000, io.signal).catch(() => {});
    }
  }

  #reportFailure(target: string, failed: string, error: SlurmError, isOver: boolean): void {
    const { voice } = this.#c;
    const { outcome, code } = error;
    const number = numberOfError(error);
    this.#jobs.push({ target, outcome, number: error.number ?? null, code, message: error.message });
    if (voice.verbosity > 0 || !isOver) {
      voice.error(`${failed}: ${textOfError(error)}`);
      // A plain answer says it all.
      if (!isOver && !isPlainAnswer(error)) {
        for (const line of failureLines(error).slice(1)) voice.bare(line);
      }
    }
    // What is over is what SIGKILL was to come to.
    if (!isOver || !this.#kills) this.#worst = Math.max(this.#worst, number);
  }

  #reportMissing({ text, step }: Wanted): void {
    const { voice } = this.#c;
    const code = 'ESLURM_INVALID_JOB_ID';
    const message = slurmText(code, '');
    const target = step === null ? text : `${text}.${step}`;
    this.#jobs.push({ target, outcome: 'not-sent', number: null, code, message });
    this.#worst = Math.max(this.#worst, 1);
    if (voice.verbosity < 0) return;
    voice.error(`Kill job error on job ${step === null ? 'id' : 'step id'} ${target}: ${message}`);
  }

  #noneMatched(): void {
    const { voice, request } = this.#c;
    if (voice.verbosity > 0)
      voice.error(`No active jobs match ALL job filters, including: ${filterText(request.filter)}`);
  }

  #sentence(target: string): string {
    const { signal, full, batch } = this.#c.request;
    const kind = full ? 'full ' : batch ? 'batch ' : '';
    return signal === null ? `Terminating ${kind}job ${target}` : `Signal ${signal} to ${kind}job ${target}`;
  }

  /** Begins a call, and with --interactive waits for it: its error is to be read before the next question. */
  async #begin(work: () => Promise<void>): Promise<void> {
    this.#start(work);
    if (this.#c.request.interactive) await this.#allDone();
  }

  #start(work: () => Promise<void>): void {
    const running: Promise<void> = this.#limiter.run(work).finally(() => this.#running.delete(running));
    this.#running.add(running);
    running.catch(() => {}); // thrown by #allDone
  }

  async #allDone(): Promise<void> {
    await Promise.all([...this.#running]);
  }
}

/** Pending and nothing else: a requeued job that is still completing is not. */
function isPlainlyPending({ jobState }: JobRecord): boolean {
  return jobState === 0;
}

/** What the controller said, or would have said, and no doubt is left. */
function isPlainAnswer({ name, outcome }: SlurmError): boolean {
  return name === 'SlurmServerError' && (outcome === 'refused' || outcome === 'not-sent');
}

/** `null` where no job can fit. */
function jobFilterOf({ operands, filter }: CancelRequest): JobFilter | null {
  const { account, name, nodelist, partition, qos, reservation, state, user, wckey } = filter;
  const base = state === undefined ? undefined : BASE_STATES[state.number];
  if (state !== undefined && base === undefined) return null;
  return {
    ...(operands.length === 0 ? {} : { ids: operands.map(({ job }) => job.text) }),
    ...(account === undefined ? {} : { account }),
    ...(name === undefined ? {} : { name }),
    ...(nodelist === undefined ? {} : { nodes: nodelist }),
    ...(partition === undefined ? {} : { partition }),
    ...(qos === undefined ? {} : { qos }),
    ...(reservation === undefined ? {} : { reservation }),
    ...(base === undefined ? {} : { state: base }),
    ...(user === undefined ? {} : { user: user.uid }),
    ...(wckey === undefined ? {} : { wckey }),
  };
}

const BASE_STATES = ['PENDING', 'RUNNING', 'SUSPENDED'] as const;

/** Other clusters' controllers are known to slurmdbd, which speaks another protocol. */
function checkClusters({ clusters }: CancelRequest, own: string | undefined): void {
  const foreign = clusters?.names.find((name) => name.toLowerCase() !== own);
  if (clusters === null || foreign === undefined) return;
  const option = clusters.isEnv ? 'SLURM_CLUSTERS' : '--cluster';
  throw new ScancelTrouble(
    `'${foreign}' can't be reached now, or it is an invalid entry for ${option}.  Use 'sacctmgr list clusters' to see available clusters.`,
    `This cluster is ${own ?? 'not named'}, and slurmdbd is not asked where others are: name one by --conf FILE or --controller HOST:PORT.`,
  );
}

function noComment(): ScancelTrouble {
  return new ScancelTrouble(
    '--admin-comment cannot be sent',
    'It goes with one request for all jobs, which takes a controller of 25.11 or newer, and neither steps, --sibling nor --interactive.',
  );
}

/** What the controller says of its cluster: a read. `null` where it does not tell. */
async function askFacts(slurm: SlurmClient, call: CallOptions): Promise<ClusterFacts | null> {
  const reply = await slurm.request('REQUEST_BUILD_INFO', { lastUpdate: 0n }, call);
  return reply.name === 'RESPONSE_BUILD_INFO' ? factsOf(reply.record) : null;
}
