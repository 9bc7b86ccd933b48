/**
 * The record of a step, as `pack_ctld_job_step_info` of each release fills it.
 *
 * Source: records of live slurmctld of 20.11, 22.05, 24.11, 26.05 and 26.11 (`fixtures/golden/replies-*`).
 */
import { compressHostlist } from '../../../config/index.js';
import { isJobSuspended, JOB_STATES } from '../../../protocol/messages/job-state.js';
import { jobStepRecord } from '../../../protocol/messages/job-step-info.js';
import { headerVersionOf } from '../../../protocol/release.js';
import { INFINITE, NO_VAL } from '../../../protocol/sentinels.js';
import { SLURM_MAX_NORMAL_STEP_ID } from '../../../protocol/step-id.js';
import type { Encodable } from '../../../protocol/wire-type.js';
import type { Job, Step } from '../../model/job.js';
import { since } from '../handler.js';
import { carriedIn } from './carried.js';
import { runSeconds } from './job-facts.js';
import { isCarried, nodeBits, type RecordContext } from './record-context.js';

export type StepRecordInput = Encodable<typeof jobStepRecord>;

/** SLURM_DIST_CYCLIC and SLURM_DIST_BLOCK; batch and extern steps say nothing. */
const [NO_DISTRIBUTION, CYCLIC, BLOCK] = [0, 1, 2];

export function stepRecordOf(job: Job, step: Step, context: RecordContext): StepRecordInput {
  const { world, own, release, now } = context;
  const { array, spec, user } = job;
  const { jobId, stepId, stepHetComp, nodes } = step;
  // Made by srun; the others come with the job.
  const isOrdinary = stepId <= SLURM_MAX_NORMAL_STEP_ID;
  const tasks = taskCount(step);
  const cpus = tasks * spec.cpusPerTask;
  const sluid = since(context, '25.11') && isCarried(context, '24.11') ? job.sluid : 0n;
  const clock = { ...job, startTime: step.startTime };
  return carriedIn(jobStepRecord, release, {
    arrayJobId: array?.jobId ?? 0,
    arrayTaskId: array?.taskId ?? NO_VAL,
    stepId: { sluid, jobId, stepId, stepHetComp },
    userId: user.uid,
    numCpus: isOrdinary ? cpus : 0,
    cpuFreqMin: isOrdinary ? NO_VAL : 0,
    cpuFreqMax: isOrdinary ? NO_VAL : 0,
    cpuFreqGov: isOrdinary ? NO_VAL : 0,
    numTasks: tasks,
    taskDist: distributionOf(step),
    timeLimit: INFINITE,
    // Also while the job is suspended (observed).
    state: JOB_STATES.JOB_RUNNING,
    srunPid: isOrdinary ? 1 : 0,
    startTime: BigInt(step.startTime),
    runTime: BigInt(Math.max(0, runSeconds(clock, isJobSuspended(job.state), now))),
    cluster: world.clusterName,
    partition: spec.partition.split(',')[0] ?? null,
    srunHost: isOrdinary ? (job.nodes[0] ?? null) : null,
    resvPorts: null,
    nodes: compressHostlist(nodes),
    name: step.name,
    network: null,
    nodeInx: nodeBits(world, nodes),
    selectJobinfo: { pluginId: 109 },
    tresFmtAllocStr: isOrdinary ? `cpu=${cpus},mem=0,node=${nodes.length}` : null,
    startProtocolVer: headerVersionOf(since({ own }, step.startedIn) ? step.startedIn : own),
    cpusPerTres: null,
    memPerTres: null,
    jobName: spec.name,
    cwd: isOrdinary ? spec.workDirectory : null,
    submitLine: isOrdinary ? `srun -n${tasks} -N${nodes.length} --job-name=${step.name}` : null,
    tresBind: null,
    tresFreq: null,
    tresPerStep: null,
    tresPerNode: null,
    tresPerSocket: null,
    tresPerTask: null,
  });
}

export function taskCount({ tasks }: Step): number {
  let count = 0;
  for (const own of tasks.values()) count += own.length;
  return count;
}

/** As srun chooses where it is not told. */
export function distributionOf(step: Step): number {
  if (step.stepId > SLURM_MAX_NORMAL_STEP_ID) return NO_DISTRIBUTION;
  return taskCount(step) > step.nodes.length ? BLOCK : CYCLIC;
}
