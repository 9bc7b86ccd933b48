/**
 * The record of a job, as `pack_job` of each release fills it.
 *
 * Source: records of live slurmctld of 20.11, 22.05, 24.11, 26.05 and 26.11 (`fixtures/golden/replies-*`), which
 * test/testing/reads-differential.test.ts compares; the rest as read in 24.11.5.
 */
import { compressHostlist } from '../../../config/index.js';
import { jobRecord } from '../../../protocol/messages/job-record.js';
import { jobResources } from '../../../protocol/messages/job-resources.js';
import {
  isJobFinished,
  isJobPending,
  isJobRunning,
  isJobSuspended,
} from '../../../protocol/messages/job-state.js';
import { SHOW_FLAGS } from '../../../protocol/messages/show-flags.js';
import { isAtLeast } from '../../../protocol/release.js';
import { INFINITE, NO_VAL, NO_VAL16 } from '../../../protocol/sentinels.js';
import { SLURM_MAX_NORMAL_STEP_ID } from '../../../protocol/step-id.js';
import { type Encodable, FLOAT_MULT } from '../../../protocol/wire-type.js';
import type { Job } from '../../model/job.js';
import { REASONS } from '../../model/life.js';
import { since } from '../handler.js';
import { carriedIn } from './carried.js';
import { batchHostOf, cpusOn, hasStarted, isBatchJob, nodesShown, startVersionOf } from './job-facts.js';
import { isCarried, nodeBits, type RecordContext, runLengths } from './record-context.js';

export type JobRecordInput = Encodable<typeof jobRecord>;

/** What a nice value and a site factor of 0 are on the wire. */
const ZERO_OFFSET = 0x80000000;

export function jobRecordOf(job: Job, context: RecordContext): JobRecordInput {
  const { world, own, release, showFlags } = context;
  const { jobId, sluid, array, het, user, spec, state } = job;
  const isPending = isJobPending(state);
  const isStarted = hasStarted(job);
  const nodes = nodesShown(job, world);
  const cpus = isStarted ? sum(cpusOn(job, job.nodes, world)) : spec.tasks * spec.cpusPerTask;
  const nodeCount = isStarted ? job.nodes.length : spec.nodes;
  const isBatch = isBatchJob(job, world);
  const newSluid = since(context, '25.11') ? sluid : 0n;
  const { startTime, endTime } = timesOf(job, context);
  return carriedIn(jobRecord, release, {
    jobId,
    stepId: { ...NO_STEP, sluid: newSluid, jobId },
    account: spec.account,
    adminComment: job.adminComment,
    allocNode: 'localhost',
    allocSid: 1,
    arrayJobId: array?.jobId ?? 0,
    arrayTaskId: array?.taskId ?? NO_VAL,
    assocId: 0,
    batchFeatures: null,
    batchFlag: isBatch ? 1 + job.restartCnt : 0,
    batchHost: batchHostOf(job),
    bitflags: bitflagsOf(job, context),
    burstBuffer: null,
    burstBufferState: null,
    billableTres: FLOAT_MULT * (isStarted ? cpus : NO_VAL),
    comment: job.comment,
    cpusPerTres: null,
    deadline: 0n,
    delayBoot: 0,
    derivedEc: job.derivedEc,
    exitCode: job.exitCode,
    hasFedDetails: false,
    gresTotal: null,
    groupId: user.gid,
    hetJobId: het?.jobId ?? 0,
    hetJobIdSet: het === null ? null : idSet(het.jobIds),
    hetJobOffset: het?.offset ?? 0,
    jobState: state,
    lastSchedEval: BigInt(job.startTime || job.submitTime),
    licenses: spec.licenses,
    licensesAllocated: isStarted ? spec.licenses : null,
    mailType: 0,
    mailUser: spec.mailUser ?? user.name,
    mcsLabel: null,
    memPerTres: null,
    name: spec.name,
    network: null,
    preemptTime: 0n,
    preSusTime: BigInt(job.preSusTime),
    priority: isJobSuspended(state) ? 0 : priorityOf(job, context),
    profile: 0,
    reboot: 0,
    reqSwitch: 0,
    resizeTime: 0n,
    restartCnt: job.restartCnt,
    resvName: spec.reservation,
    siteFactor: ZERO_OFFSET,
    startProtocolVer: startVersionOf(job, own),
    stateDesc: job.reasonText,
    stateReason: job.reason,
    suspendTime: BigInt(job.suspendTime),
    systemComment: null,
    timeMin: 0,
    tresBind: null,
    tresAllocStr: isStarted ? tresOf(cpus, nodeCount) : null,
    tresReqStr: tresOf(spec.tasks * spec.cpusPerTask, spec.nodes, memoryAsked(job, context)),
    tresFreq: null,
    tresPerJob: null,
    tresPerNode: null,
    tresPerSocket: null,
    tresPerTask: null,
    userId: user.uid,
    userName: null,
    wait4switch: 0,
    wckey: spec.wckey,
    arrayTaskStr: array === null || array.taskId !== null ? null : taskMask(array.waiting),
    arrayMaxTasks: array?.limit ?? 0,
    timeLimit: timeLimitOf(job),
    startTime: BigInt(startTime),
    endTime: BigInt(endTime),
    cluster: world.clusterName,
    nodes: nodes.length === 0 ? null : compressHostlist(nodes),
    schedNodes: null,
    partition: isPending ? spec.partition : (spec.partition.split(',')[0] ?? null),
    qos: spec.qos,
    preemptableTime: 0n,
    jobResources:
      (showFlags & SHOW_FLAGS.SHOW_DETAIL) !== 0 && nodes.length > 0 ? resourcesOf(job, context) : null,
    gresDetail: [],
    nodeInx: nodes.length === 0 ? null : nodeBits(world, nodes),
    hasDetails: true,
    accrueTime: BigInt(array === null && !isBlocked(job) ? job.eligibleTime : 0),
    eligibleTime: BigInt(isBlocked(job) || (array !== null && array.taskId === null) ? 0 : job.eligibleTime),
    clusterFeatures: null,
    cpuFreqGov: NO_VAL,
    cpuFreqMax: NO_VAL,
    cpuFreqMin: NO_VAL,
    dependency: dependencyOf(job),
    nice: ZERO_OFFSET,
    ntasksPerNode: 0,
    ntasksPerTres: 0,
    requeue: spec.requeue ? 1 : 0,
    submitTime: BigInt(job.submitTime),
    workDir: spec.workDirectory,
    features: null,
    command: null,
    submitLine: isBatch ? 'sbatch' : 'salloc',
    numCpus: cpus,
    maxCpus: 0,
    numNodes: nodeCount,
    maxNodes: 0,
    numTasks: !since(context, '21.08') && isJobFinished(state) ? 0 : spec.tasks,
    shared: NO_VAL16,
    cronspec: spec.cron === null ? null : cronTimes(spec.cron),
    contiguous: 0,
    coreSpec: NO_VAL16,
    cpusPerTask: spec.cpusPerTask,
    pnMinCpus: 1,
    pnMinMemory: 0n,
    pnMinTmpDisk: 0,
    reqNodes: spec.nodeList.length === 0 ? null : compressHostlist(spec.nodeList),
    reqNodeInx: spec.nodeList.length === 0 ? null : nodeBits(world, spec.nodeList),
    excNodes: spec.exclude.length === 0 ? null : compressHostlist(spec.exclude),
    excNodeInx: spec.exclude.length === 0 ? null : nodeBits(world, spec.exclude),
    stdErr: spec.standardError,
    stdIn: isBatch ? '/dev/null' : null,
    stdOut: spec.standardOutput ?? (isBatch ? usualOutput(job, context) : null),
    multiCore: NO_LAYOUT,
    showFlags,
    selectJobinfo: CONS_TRES,
  });
}

const NO_STEP = { stepId: NO_VAL, stepHetComp: NO_VAL };
/** select/cons_tres. */
const CONS_TRES = { pluginId: 109 };
/** Nothing asked for. */
const NO_LAYOUT = {
  boardsPerNode: 0,
  socketsPerBoard: 0,
  socketsPerNode: NO_VAL16,
  coresPerSocket: NO_VAL16,
  threadsPerCore: NO_VAL16,
  ntasksPerBoard: 0,
  ntasksPerSocket: 0xffff,
  ntasksPerCore: 0xffff,
  planeSize: 0,
} as const;

/** As of jobs that the main scheduler starts; one that backfill starts shows a year where it has no limit. */
function timeLimitOf({ spec: { timeLimit } }: Job): number {
  return timeLimit ?? INFINITE;
}

const YEAR_MINUTES = 365 * 24 * 60;

function timesOf(job: Job, { now }: RecordContext): { startTime: number; endTime: number } {
  const { startTime, endTime, beginTime, state } = job;
  const limit = timeLimitOf(job);
  if (isJobRunning(state) || isJobSuspended(state))
    return { startTime, endTime: endTime || startTime + 60 * Math.min(limit, YEAR_MINUTES) };
  // The product is a 32-bit one upstream, also of no limit.
  if (isJobPending(state) && startTime === 0 && beginTime > now)
    return { startTime: beginTime, endTime: beginTime + ((limit * 60) >>> 0) };
  return { startTime, endTime };
}

/** Option bits, by upstream's names (`slurm/slurm.h` of 26.05): those that are set of records of live controllers. */
const TRES_STR_CALC = 1n << 11n;
const JOB_WAS_RUNNING = 1n << 20n;
const USE_DEFAULT_ACCT = 1n << 25n;
const USE_DEFAULT_PART = 1n << 26n;
const USE_DEFAULT_QOS = 1n << 27n;
const USE_DEFAULT_WCKEY = 1n << 28n;
const JOB_DEPENDENT = 1n << 29n;
const JOB_PART_ASSIGNED = 1n << 31n;

function bitflagsOf(job: Job, context: RecordContext): bigint {
  const { spec, state, bitflags } = job;
  let bits = bitflags;
  if (spec.account === null) bits |= USE_DEFAULT_ACCT;
  if (spec.qos === null) bits |= USE_DEFAULT_QOS;
  if (spec.wckey === null) bits |= USE_DEFAULT_WCKEY;
  if (spec.partition === 'main') bits |= USE_DEFAULT_PART | JOB_PART_ASSIGNED;
  if (isJobPending(state)) {
    if (isBlocked(job)) bits |= JOB_DEPENDENT;
  } else bits |= isJobFinished(state) ? TRES_STR_CALC : JOB_WAS_RUNNING;
  return isCarried(context, '21.08') ? bits : bits & 0xffffffffn;
}

/** It waits for something else than time or room. */
function isBlocked({ state, reason }: Job): boolean {
  return isJobPending(state) && (reason === REASONS.WAIT_DEPENDENCY || reason === REASONS.WAIT_HELD_USER);
}

function tresOf(cpus: number, nodes: number, memory = ''): string {
  return `cpu=${cpus},${memory}node=${nodes},billing=${cpus}`;
}

/** Who asks for no memory is shown as asking for all of its nodes, in 22.05 and newer (observed). */
function memoryAsked({ spec }: Job, { world, own }: RecordContext): string {
  const [node] = world.nodes.values();
  return isAtLeast(own, '22.05') ? `mem=${spec.nodes * (node?.memory ?? 0)}M,` : '';
}

/** priority/basic counts down from job to job; priority/multifactor, the default since 23.11, has nothing to weigh. */
function priorityOf({ priority, jobId }: Job, { own }: RecordContext): number {
  if (priority === 0 || isAtLeast(own, '23.11')) return Math.min(priority, 1);
  return 4_294_901_760 - jobId;
}

/** `8-9`; numbers of components follow one another. */
function idSet(jobIds: readonly number[]): string {
  return `${jobIds[0]}-${jobIds.at(-1)}`;
}

/** `0x3C`: bit n for task n. */
function taskMask(tasks: ReadonlySet<number>): string {
  const digits: number[] = new Array<number>(Math.floor(Math.max(0, ...tasks) / 4) + 1).fill(0);
  for (const task of tasks) digits[task >> 2] = (digits[task >> 2] as number) | (1 << (task & 3));
  return `0x${digits
    .reverse()
    .map((digit) => digit.toString(16))
    .join('')
    .toUpperCase()}`;
}

/** `afterok:1(unfulfilled)`, as long as it waits for that. */
function dependencyOf({ spec: { dependency }, reason, state }: Job): string | null {
  if (dependency === null || !isJobPending(state) || reason !== REASONS.WAIT_DEPENDENCY) return null;
  return dependency.replace(/[^,?]+/g, (condition) => {
    const [kind = '', ...ids] = condition.split(':');
    const each = ids.length === 0 ? [kind] : ids.map((id) => `${kind}:${id}`);
    return each.map((one) => `${one}(unfulfilled)`).join(',');
  });
}

/** When a line of scrontab runs: `@daily`, or five fields. */
function cronTimes(line: string): string {
  const words = line.trim().split(/\s+/);
  return words.slice(0, line.trim().startsWith('@') ? 1 : 5).join(' ');
}

/** Older ones leave it to the client to say what it is. */
function usualOutput({ array }: Job, context: RecordContext): string | null {
  if (!since(context, '26.05')) return null;
  return array === null ? 'slurm-%j.out' : 'slurm-%A_%a.out';
}

const RESOURCES = (jobResources.spec as { item: typeof jobResources }).item;

function resourcesOf(job: Job, context: RecordContext): JobRecordInput['jobResources'] {
  const { world, release } = context;
  const { nodes } = job;
  const cpus = cpusOn(job, nodes, world);
  const runs = runLengths(cpus);
  const sizes = nodes.map((name) => world.nodes.get(name)?.cpus ?? 0);
  const sockets = runLengths(sizes);
  const isUsed = [...job.steps.keys()].some((stepId) => stepId <= SLURM_MAX_NORMAL_STEP_ID);
  const cores = coreBits(cpus, sizes);
  const none = nodes.map(() => 0);
  const record = {
    nhosts: nodes.length,
    ncpus: sum(cpus),
    nextStepNodeInx: 0,
    nodeReq: 1,
    nodes: compressHostlist(nodes),
    wholeNode: 0,
    threadsPerCore: NO_VAL16,
    crType: 1,
    cpuArrayReps: runs.reps,
    cpuArrayValue: runs.values,
    cpus,
    cpusUsed: isUsed ? cpus : none,
    memoryAllocated: none.map(BigInt),
    memoryUsed: none.map(BigInt),
    socketsPerNode: sockets.values,
    coresPerSocket: sockets.values.map(() => 1),
    sockCoreRepCount: sockets.reps,
    coreBitmap: cores,
    coreBitmapUsed: isUsed ? cores : { size: cores.size, set: [] },
    nodeBitmap: nodeBits(world, nodes),
    nodeRanks: [],
  };
  return carriedIn(RESOURCES, release, record);
}

/** The first cores of each node: which ones a job has is not kept. */
function coreBits(cpus: readonly number[], sizes: readonly number[]): { size: number; set: number[] } {
  const set: number[] = [];
  let size = 0;
  cpus.forEach((count, node) => {
    for (let core = 0; core < count; core++) set.push(size + core);
    size += sizes[node] ?? 0;
  });
  return { size, set };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
