/**
 * REQUEST_JOB_STEP_INFO (2005) and RESPONSE_JOB_STEP_INFO (2006): running and pending steps, to slurmctld or (24.05 and newer, jobs with
 * a step manager) to the slurmd that manages them.
 *
 * Source: `job_step_info_request_msg_t`, `job_step_info_response_msg_t`, `job_step_info_t` with `_pack_ctld_job_step_info`; requests checked
 * against bytes of Slurm's own library of every release, answers against replies of live slurmctld in every version from 20.11 to
 * 26.11. The list of step managers is from reading: no recorded reply has one.
 */
import { NO_STEP_ID, stepId } from '../step-id.js';
import {
  bitString,
  counted,
  countOf,
  type Decoded,
  list,
  struct,
  text,
  time,
  u16,
  u32,
} from '../wire-type.js';
import { jobIdUntil2505, stepIdSince2511 } from './job-id-field.js';
import { selectJobinfo } from './select-jobinfo.js';

export const jobStepInfoRequest = struct({
  /** Steps as of this time are known: the answer is RC 1900 if nothing changed since. 0: tell in any case. */
  lastUpdate: time.else(0n),
  /** Job NO_VAL: steps of all jobs; step NO_VAL: all steps. */
  stepId: stepId.else(NO_STEP_ID),
  /** See `show-flags.ts`. */
  showFlags: u16,
});

export const jobStepRecord = struct({
  /** 0: not an array job. */
  arrayJobId: u32,
  /** NO_VAL: none. */
  arrayTaskId: u32,
  /** The step number may be one of `SPECIAL_STEP_IDS`. */
  stepId,
  userId: u32,
  numCpus: u32,
  cpuFreqMin: u32,
  cpuFreqMax: u32,
  cpuFreqGov: u32,
  numTasks: u32,
  taskDist: u32,
  /** Minutes, or INFINITE. */
  timeLimit: u32,
  /** As of a job: see `job-state.ts`. */
  state: u32,
  srunPid: u32,
  startTime: time,
  /** Seconds. */
  runTime: time,
  cluster: text,
  container: text.since('21.08').else(null),
  containerId: text.since('23.02').else(null),
  /** Kind of container runtime; 26.11 has `runtime` in its place. */
  containerType: text.since('26.05').through('26.05').else(null),
  runtime: text.since('26.11').else(null),
  partition: text,
  srunHost: text,
  resvPorts: text,
  /** Nodes of the step, hostlist expression. */
  nodes: text,
  /** `batch`, `extern`, `interactive` for the special ones. */
  name: text,
  network: text,
  /** Positions of `nodes` in the node table. */
  nodeInx: bitString,
  selectJobinfo: selectJobinfo.through('22.05').elseNull(),
  /** Such as `cpu=2,node=1`. `tres_alloc_str` until 24.11. */
  tresFmtAllocStr: text,
  /** Protocol version, as in a header, that the step was started with. */
  startProtocolVer: u16,
  cpusPerTres: text,
  memPerTres: text,
  jobName: text.since('25.05').else(null),
  cwd: text.since('25.05').else(null),
  stdErr: text.since('25.05').else(null),
  stdIn: text.since('25.05').else(null),
  stdOut: text.since('25.05').else(null),
  submitLine: text.since('21.08').else(null),
  tresBind: text,
  tresFreq: text,
  tresPerStep: text,
  tresPerNode: text,
  tresPerSocket: text,
  tresPerTask: text,
});

/** A decoded step record. */
export type JobStepRecord = Decoded<typeof jobStepRecord>;

const stepmgrJob = struct({
  jobId: jobIdUntil2505,
  stepId: stepIdSince2511,
  /** Host whose slurmd manages the steps of the job: ask there. */
  stepmgr: text,
});

export const jobStepInfo = struct(
  {
    lastUpdate: time,
    /** Length of `jobSteps`. */
    jobStepCount: countOf('jobSteps'),
    jobSteps: counted(jobStepRecord, 'jobStepCount'),
    /** Jobs whose steps slurmctld does not know. Only where a particular job was asked for; else null. */
    stepmgrJobs: list(stepmgrJob).since('24.05').else(null),
  },
  [{ since: '22.05', order: ['jobStepCount', 'lastUpdate', 'jobSteps', 'stepmgrJobs'] }],
);
