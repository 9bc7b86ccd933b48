/**
 * What `scontrol --oneliner --details show job`, `show node` and `show step` print, told from our records: for every key of theirs, what
 * it says of a record. Observed on 20.11.4, 22.05.8, 24.11.5 and 26.05.5.
 *
 * Numbers without a name in the library (reasons, option bits) stand here as those releases print them.
 */
import { expandHostlist } from '../../../src/config/index.js';
import {
  INFINITE,
  INFINITE16,
  isJobFinished,
  isNoVal,
  type JobRecord,
  type JobStepRecord,
  jobStateName,
  NO_VAL,
  NO_VAL16,
  NO_VAL64,
  type NodeRecord,
  nodeStateFlags,
  nodeStateName,
  type Release,
  SPECIAL_STEP_IDS,
} from '../../../src/protocol/index.js';

/** One `key=value` of a line. */
export type Pair = readonly [key: string, value: string];

/** What a word of scontrol depends on besides the record. */
export interface Context {
  /** Release of the controller, and so of its scontrol. */
  readonly release: Release;
  /** Of the answer that the job was in. */
  readonly lastBackfill: bigint;
  /** Names of users and groups by their number. */
  readonly names: ReadonlyMap<number, string>;
}

/** For each key what it should say, or `null`: it cannot be told from the record, and this is why. */
type Words<R> = Readonly<
  Record<string, ((record: R, context: Context) => string) | { readonly untold: string }>
>;

const CLOCK = { untold: 'time that passes: scontrol counts it itself' } as const;

/** The pairs of one line. A value ends where the next key begins: these begin with a capital letter, stand behind a blank and end in `=`. */
export function pairsOf(line: string): Pair[] {
  // 20.11 writes this one key with a colon.
  const parts = line
    .trim()
    .replace(/ +NtasksPerTRES:/, ' NtasksPerTRES=')
    .split(/ +(?=[A-Z][A-Za-z:_/]*=)/);
  return parts.map((part) => [part.slice(0, part.indexOf('=')), part.slice(part.indexOf('=') + 1)]);
}

const NULL = '(null)';
const textOr = (value: string | null, none: string) => value ?? none;
const two = (value: number) => String(value).padStart(2, '0');

function duration(seconds: number): string {
  const days = Math.floor(seconds / 86_400);
  const clock = `${two(Math.floor(seconds / 3600) % 24)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return days === 0 ? clock : `${days}-${clock}`;
}

/** scontrol runs in UTC here. */
function moment(time: bigint, none: string): string {
  return time === 0n ? none : new Date(Number(time) * 1000).toISOString().slice(0, 19);
}

function minutes(value: number): string {
  if (value === INFINITE) return 'UNLIMITED';
  return value === NO_VAL ? 'Partition_Limit' : duration(value * 60);
}

function waitStatus(status: number): string {
  return `${(status >> 8) & 0xff}:${status & 0x7f}`;
}

/** `*` for a count that nobody asked for. */
function star(count: number): string {
  return count === NO_VAL16 || count === INFINITE16 ? '*' : String(count);
}

function named(id: number, { names }: Context): string {
  return `${names.get(id)}(${id})`;
}

function ranges(numbers: readonly number[], between = ','): string {
  const spans: [number, number][] = [];
  for (const number of numbers) {
    const last = spans.at(-1);
    if (last?.[1] === number - 1) last[1] = number;
    else spans.push([number, number]);
  }
  return spans.map(([low, high]) => (low === high ? `${low}` : `${low}-${high}`)).join(between);
}

/** The set bits of a hex mask. */
function bitsOf(mask: string): number[] {
  const value = BigInt(mask);
  return Array.from({ length: value.toString(2).length }, (_, bit) => bit).filter(
    (bit) => (value >> BigInt(bit)) & 1n,
  );
}

/** The top 4 bits, then 5 at a time, in Crockford's base 32. */
function sluidText(sluid: bigint): string {
  const digits = Array.from({ length: 13 }, (_, i) => Number((sluid >> BigInt(60 - 5 * i)) & 31n));
  return `s${digits.map((digit) => '0123456789ABCDEFGHJKMNPQRSTVWXYZ'[digit]).join('')}`;
}

const REASONS: Readonly<Record<number, string>> = {
  0: 'None',
  1: 'Priority',
  2: 'Dependency',
  3: 'Resources',
  7: 'JobHeldAdmin',
  9: 'BeginTime',
  10: 'Licenses',
  16: 'JobHeldUser',
  23: 'JobLaunchFailure',
  24: 'NonZeroExitCode',
  72: 'JobArrayTaskLimit',
};

const MAIL: readonly (readonly [number, string])[] = [
  [1, 'BEGIN'],
  [2, 'END'],
  [4, 'FAIL'],
];

const FREQUENCIES: Readonly<Record<number, string>> = { 2147483649: 'Low', 2147483651: 'High' };

/** Option bits of a job. */
const KILL_INV_DEP = 1n << 0n;
const GRES_ENFORCE_BIND = 1n << 4n;
const BACKFILL_SCHED = 1n << 32n;

const has = (job: JobRecord, bit: bigint) => (BigInt(job.bitflags) & bit) !== 0n;

/** True for a job that backfill looked at in its last round and left waiting. */
function waitsAfterBackfill(job: JobRecord, { lastBackfill }: Context): boolean {
  const isPending = jobStateName(job.jobState) === 'PENDING';
  return has(job, BACKFILL_SCHED) && isPending && job.lastSchedEval <= lastBackfill;
}

/** A file of the job as scontrol writes it: its patterns filled in. */
function file(path: string | null, job: JobRecord): string {
  const array = job.arrayJobId === 0 ? job.jobId : job.arrayJobId;
  const values: Record<string, string | number> = { j: job.jobId, A: array, a: job.arrayTaskId, '%': '%' };
  const filled = (path ?? '').replace(/%(.)/g, (whole, letter: string) => String(values[letter] ?? whole));
  return filled === '' || filled.startsWith('/') ? filled : `${job.workDir}/${filled}`;
}

/** The file that is written where none was named. */
function output(job: JobRecord): string {
  const pattern = job.arrayJobId === 0 ? 'slurm-%j.out' : 'slurm-%A_%a.out';
  return file(job.stdOut ?? (job.batchFlag === 0 ? null : `${job.workDir}/${pattern}`), job);
}

const nodeCount = ({ numNodes, maxNodes, jobState }: JobRecord) => {
  const isPending = jobStateName(jobState) === 'PENDING';
  return isPending && maxNodes > 0 ? `${Math.min(numNodes, maxNodes)}-${maxNodes}` : String(numNodes);
};

const SHARED: Readonly<Record<number, string>> = { 0: 'NO', 1: 'YES', 2: 'USER', 3: 'MCS', [NO_VAL16]: 'OK' };
const OVERSUBSCRIBE: Readonly<Record<number, string>> = { 0: 'NO', 1: 'YES', 2: 'OK' };
const EXCLUSIVE: Readonly<Record<number, string>> = { 0: 'NO', 1: 'NODE', 2: 'USER', 3: 'MCS' };

/** What a job has on its nodes, one group for all neighbours with the same. */
function detail({ jobResources, gresDetail }: JobRecord): Pair[] {
  if (jobResources === null) return [];
  const { nodes, sockCoreRepCount, socketsPerNode, coresPerSocket, coreBitmap, memoryAllocated } =
    jobResources;
  const coresOf = sockCoreRepCount.flatMap((times, index) =>
    new Array<number>(times).fill((socketsPerNode[index] ?? 0) * (coresPerSocket[index] ?? 0)),
  );
  const groups: { names: string[]; cpus: string; memory: string; gres: string }[] = [];
  let first = 0;
  for (const [index, name] of expandHostlist(nodes ?? '').entries()) {
    const from = first;
    first += coresOf[index] ?? 0;
    const cores = (coreBitmap?.set ?? [])
      .filter((core) => core >= from && core < first)
      .map((core) => core - from);
    const group = {
      cpus: ranges(cores),
      memory: String(memoryAllocated[index] ?? 0n),
      gres: gresDetail[index] ?? '',
    };
    const last = groups.at(-1);
    if (
      last !== undefined &&
      last.cpus === group.cpus &&
      last.memory === group.memory &&
      last.gres === group.gres
    ) {
      last.names.push(name);
    } else groups.push({ names: [name], ...group });
  }
  return groups.flatMap(({ names, cpus, memory, gres }): Pair[] => [
    ['Nodes', compact(names)],
    ['CPU_IDs', cpus],
    ['Mem', memory],
    ['GRES', gres],
  ]);
}

/** `n[1-2]` for the nodes of the lab, which are all called n and a number. */
function compact(names: readonly string[]): string {
  const numbers = names.map((name) => Number(name.slice(1)));
  return numbers.length === 1 ? `n${numbers[0]}` : `n[${ranges(numbers)}]`;
}

/** The keys of a job's detail lines come as often as there are groups: the caller hands them over one after the other. */
const DETAIL_KEYS = ['Nodes', 'CPU_IDs', 'Mem', 'GRES'];

const memory = ({ pnMinMemory }: JobRecord) => {
  const mib = pnMinMemory & ((1n << 63n) - 1n);
  return mib === 0n ? '0' : `${mib}M`;
};

const JOB: Words<JobRecord> = {
  JobId: (job) => `${job.jobId}`,
  ArrayJobId: (job) => `${job.arrayJobId}`,
  ArrayTaskId: (job) => {
    if (job.arrayTaskId !== NO_VAL) return `${job.arrayTaskId}`;
    const limit = job.arrayMaxTasks === 0 ? '' : `%${job.arrayMaxTasks}`;
    return `${ranges(bitsOf(job.arrayTaskStr ?? '0'))}${limit}`;
  },
  ArrayTaskThrottle: (job) => `${job.arrayMaxTasks}`,
  HetJobId: (job) => `${job.hetJobId}`,
  HetJobOffset: (job) => `${job.hetJobOffset}`,
  HetJobIdSet: (job) => textOr(job.hetJobIdSet, NULL),
  SLUID: (job) => sluidText(job.stepId.sluid),
  JobName: (job) => textOr(job.name, NULL),
  UserId: (job, { names }) => `${job.userName ?? names.get(job.userId)}(${job.userId})`,
  GroupId: (job, context) => named(job.groupId, context),
  MCS_label: (job) => textOr(job.mcsLabel, 'N/A'),
  Priority: (job) => `${job.priority}`,
  Nice: (job) => `${job.nice - 0x80000000}`,
  Account: (job) => textOr(job.account, NULL),
  QOS: (job) => textOr(job.qos, NULL),
  JobState: (job) => jobStateName(job.jobState),
  Reason: (job) =>
    job.stateDesc?.replaceAll(' ', '_') ?? REASONS[job.stateReason] ?? `reason ${job.stateReason}`,
  Dependency: (job) => textOr(job.dependency, NULL),
  Requeue: (job) => `${job.requeue}`,
  Restarts: (job) => `${job.restartCnt}`,
  BatchFlag: (job) => `${job.batchFlag}`,
  Reboot: (job) => `${job.reboot}`,
  ExitCode: (job) => waitStatus(job.exitCode),
  DerivedExitCode: (job) => waitStatus(job.derivedEc),
  RunTime: CLOCK,
  TimeLimit: (job) => minutes(job.timeLimit),
  TimeMin: (job) => (job.timeMin === 0 ? 'N/A' : minutes(job.timeMin)),
  SubmitTime: (job) => moment(job.submitTime, 'Unknown'),
  EligibleTime: (job) => moment(job.eligibleTime, 'Unknown'),
  AccrueTime: (job) => moment(job.accrueTime, 'Unknown'),
  StartTime: (job) => moment(job.startTime, 'Unknown'),
  // Without a limit the end of a job is not known until it is there.
  EndTime: (job) =>
    moment(job.timeLimit === INFINITE && !isJobFinished(job.jobState) ? 0n : job.endTime, 'Unknown'),
  Deadline: (job) => moment(job.deadline, 'N/A'),
  SuspendTime: (job) => moment(job.suspendTime, 'None'),
  SecsPreSuspend: (job) => `${job.preSusTime}`,
  LastSchedEval: (job) => moment(job.lastSchedEval, 'Unknown'),
  Scheduler: (job, context) =>
    (has(job, BACKFILL_SCHED) ? 'Backfill' : 'Main') + (waitsAfterBackfill(job, context) ? ':*' : ''),
  Partition: (job) => textOr(job.partition, NULL),
  'AllocNode:Sid': (job) => `${job.allocNode}:${job.allocSid}`,
  ReqNodeList: (job) => textOr(job.reqNodes, NULL),
  ExcNodeList: (job) => textOr(job.excNodes, NULL),
  NodeList: (job, { release }) => textOr(job.nodes, release === '20.11' ? NULL : ''),
  SchedNodeList: (job) => textOr(job.schedNodes, NULL),
  BatchFeatures: (job) => textOr(job.batchFeatures, NULL),
  BatchHost: (job) => textOr(job.batchHost, NULL),
  NumNodes: nodeCount,
  NumCPUs: (job) => `${job.numCpus}`,
  NumTasks: (job) => (isNoVal(job.numTasks) ? 'N/A' : `${job.numTasks}`),
  'CPUs/Task': (job) => (job.cpusPerTask === NO_VAL16 ? 'N/A' : `${job.cpusPerTask}`),
  'ReqB:S:C:T': ({ multiCore: asked }) =>
    asked === null
      ? NULL
      : [asked.boardsPerNode, asked.socketsPerBoard, asked.coresPerSocket, asked.threadsPerCore]
          .map(star)
          .join(':'),
  TRES: (job) => job.tresAllocStr ?? job.tresReqStr ?? NULL,
  ReqTRES: (job) => textOr(job.tresReqStr, NULL),
  AllocTRES: (job) => textOr(job.tresAllocStr, NULL),
  'Socks/Node': (job) => star(job.multiCore?.socketsPerNode ?? NO_VAL16),
  'NtasksPerN:B:S:C': (job) =>
    [
      job.ntasksPerNode,
      job.multiCore?.ntasksPerBoard ?? NO_VAL16,
      job.multiCore?.ntasksPerSocket ?? NO_VAL16,
      job.multiCore?.ntasksPerCore ?? NO_VAL16,
    ]
      .map(star)
      .join(':'),
  NtasksPerTRES: (job) => `${job.ntasksPerTres}`,
  CoreSpec: (job) => star(job.coreSpec),
  ThreadSpec: (job) => `${job.coreSpec & 0x7fff}`,
  JOB_GRES: (job) => textOr(job.gresTotal, NULL),
  MinCPUsNode: (job) => `${job.pnMinCpus}`,
  MinMemoryNode: (job) => (job.pnMinMemory >> 63n === 0n ? memory(job) : 'it is per CPU'),
  MinMemoryCPU: (job) => (job.pnMinMemory >> 63n === 1n ? memory(job) : 'it is per node'),
  MinTmpDiskNode: (job) => (job.pnMinTmpDisk === 0 ? '0' : `${job.pnMinTmpDisk}M`),
  Features: (job) => textOr(job.features, NULL),
  Prefer: (job) => textOr(job.prefer, NULL),
  DelayBoot: (job) => duration(job.delayBoot),
  Reservation: (job) => textOr(job.resvName, NULL),
  OverSubscribe: (job, { release }) =>
    (release < '26.05' ? SHARED[job.shared] : OVERSUBSCRIBE[job.oversubscribe]) ?? '?',
  Exclusive: (job) => EXCLUSIVE[job.exclusive] ?? '?',
  Contiguous: (job) => `${job.contiguous}`,
  Licenses: (job) => textOr(job.licenses, NULL),
  LicensesAlloc: (job) => textOr(job.licensesAllocated, NULL),
  Network: (job) => textOr(job.network, NULL),
  Command: (job) => textOr(job.command, NULL),
  SubmitLine: (job) => textOr(job.submitLine, NULL),
  WorkDir: (job) => textOr(job.workDir, NULL),
  StdErr: (job, { release }) =>
    job.stdErr !== null || release >= '26.05' ? file(job.stdErr, job) : output(job),
  StdIn: (job) => file(job.stdIn ?? '/dev/null', job),
  StdOut: output,
  Power: (job) => (job.powerFlags === 0 ? '' : `${job.powerFlags}`),
  Comment: (job) => textOr(job.comment, NULL),
  AdminComment: (job) => textOr(job.adminComment, NULL),
  SystemComment: (job) => textOr(job.systemComment, NULL),
  Extra: (job) => textOr(job.extra, NULL),
  MailUser: (job) => textOr(job.mailUser, NULL),
  MailType: (job) =>
    MAIL.filter(([bit]) => job.mailType & bit)
      .map(([, name]) => name)
      .join(','),
  Switches: (job) => `${job.reqSwitch}@${duration(job.wait4switch)}`,
  CPU_min_freq: (job) => FREQUENCIES[job.cpuFreqMin] ?? `${job.cpuFreqMin}`,
  CPU_max_freq: (job) => FREQUENCIES[job.cpuFreqMax] ?? `${job.cpuFreqMax}`,
  Governor: (job) => (job.cpuFreqGov === 0x82000000 ? 'Performance' : `${job.cpuFreqGov}`),
  KillOInInvalidDependent: (job) => (has(job, KILL_INV_DEP) ? 'Yes' : 'No'),
  KillOnInvalidDependent: (job) => (has(job, KILL_INV_DEP) ? 'Yes' : 'No'),
  GresEnforceBind: (job) => (has(job, GRES_ENFORCE_BIND) ? 'Yes' : 'No'),
  TresPerTask: (job) => textOr(job.tresPerTask, NULL),
  Container: (job) => textOr(job.container, NULL),
  ContainerID: (job) => textOr(job.containerId, NULL),
  ContainerType: (job) => textOr(job.containerType, NULL),
};

const NODE_FLAGS: Readonly<Record<string, string>> = {
  NODE_STATE_NO_RESPOND: 'NOT_RESPONDING',
  NODE_STATE_RES: 'RESERVED',
  NODE_STATE_MAINT: 'MAINTENANCE',
};

function nodeState(node: NodeRecord, { release }: Context): string {
  const flags = nodeStateFlags(node.nodeState);
  const base = nodeStateName(node.nodeState);
  const isMixed = base === 'ALLOCATED' && node.allocCpus < node.cpus;
  // 20.11 has a mark in place of the word.
  const isMarked = release === '20.11' && flags.includes('NODE_STATE_REBOOT_REQUESTED');
  // And no word for the reservation of a node that is not idle.
  const unsaid: string[] = release === '20.11' && base !== 'IDLE' ? ['NODE_STATE_RES'] : [];
  const words = flags
    .filter((flag) => !unsaid.includes(flag) && (!isMarked || flag !== 'NODE_STATE_REBOOT_REQUESTED'))
    .map((flag) => NODE_FLAGS[flag] ?? flag.slice('NODE_STATE_'.length));
  return [`${isMixed ? 'MIXED' : base}${isMarked ? '@' : ''}`, ...words].join('+');
}

/** NODE_RESUME. */
const NODE_RESUME = 0x100;

const NODE: Words<NodeRecord> = {
  NodeName: (node) => textOr(node.name, NULL),
  Arch: (node) => textOr(node.arch, NULL),
  CoresPerSocket: (node) => `${node.cores}`,
  CPUAlloc: (node) => `${node.allocCpus}`,
  CPUEfctv: (node) => `${node.cpusEfctv}`,
  CPUTot: (node) => `${node.cpus}`,
  CPULoad: (node) => (isNoVal(node.cpuLoad) ? 'N/A' : (node.cpuLoad / 100).toFixed(2)),
  AvailableFeatures: (node) => textOr(node.features, NULL),
  ActiveFeatures: (node) => textOr(node.featuresAct, NULL),
  Gres: (node) => textOr(node.gres, NULL),
  GresDrain: (node) => textOr(node.gresDrain, NULL),
  GresUsed: (node) => textOr(node.gresUsed, NULL),
  NodeAddr: (node) => textOr(node.nodeAddr, NULL),
  NodeHostName: (node) => textOr(node.nodeHostname, NULL),
  Port: (node) => `${node.port}`,
  Version: (node) => textOr(node.version, NULL),
  OS: (node) => textOr(node.os, NULL),
  RealMemory: (node) => `${node.realMemory}`,
  AllocMem: (node) => `${node.allocMemory}`,
  FreeMem: (node) => (node.freeMem === NO_VAL64 ? 'N/A' : `${node.freeMem}`),
  Sockets: (node) => `${node.sockets}`,
  Boards: (node) => `${node.boards}`,
  State: nodeState,
  ThreadsPerCore: (node) => `${node.threads}`,
  TmpDisk: (node) => `${node.tmpDisk}`,
  Weight: (node) => `${node.weight}`,
  Owner: (node, context) => (isNoVal(node.owner) ? 'N/A' : named(node.owner, context)),
  MCS_label: (node) => textOr(node.mcsLabel, 'N/A'),
  Partitions: { untold: 'not of the node record: scontrol asks for the partitions too' },
  BootTime: (node) => moment(node.bootTime, 'None'),
  SlurmdStartTime: (node) => moment(node.slurmdStartTime, 'None'),
  LastBusyTime: (node) => moment(node.lastBusy, 'Unknown'),
  ResumeAfterTime: (node) => moment(node.resumeAfter, 'None'),
  SuspendTime: (node) => (node.suspendTime === INFINITE ? 'INFINITE' : `${node.suspendTime}`),
  CfgTRES: (node) => textOr(node.tresFmtStr, NULL),
  AllocTRES: (node) => textOr(node.allocTresFmtStr, ''),
  CapWatts: ({ power }) => (power === null || isNoVal(power.capWatts) ? 'n/a' : `${power.capWatts}`),
  CurrentWatts: ({ energy }) => (isNoVal(energy.currentWatts) ? 'n/s' : `${energy.currentWatts}`),
  AveWatts: ({ energy }) => (isNoVal(energy.aveWatts) ? 'n/s' : `${energy.aveWatts}`),
  ExtSensorsJoules: ({ extSensors }) =>
    extSensors?.consumedEnergy === NO_VAL64 ? 'n/s' : `${extSensors?.consumedEnergy}`,
  ExtSensorsWatts: ({ extSensors }) =>
    isNoVal(extSensors?.currentWatts ?? 0) ? 'n/s' : `${extSensors?.currentWatts}`,
  ExtSensorsTemp: ({ extSensors }) =>
    isNoVal(extSensors?.temperature ?? 0) ? 'n/s' : `${extSensors?.temperature}`,
  Comment: (node) => textOr(node.comment, NULL),
  Extra: (node) => textOr(node.extra, NULL),
  NextState: (node) => ((node.nextState & NODE_RESUME) !== 0 ? 'RESUME' : nodeStateName(node.nextState)),
  Reason: (node, { names }) =>
    `${node.reason} [${names.get(node.reasonUid)}@${moment(node.reasonTime, 'Unknown')}]`,
  ReservationName: (node) => textOr(node.resvName, NULL),
  Topology: (node) => textOr(node.topologyStr, NULL),
};

const DISTRIBUTIONS: Readonly<Record<number, string>> = { 1: 'Cyclic', 2: 'Block' };

const SPECIAL_STEPS: Readonly<Record<number, string>> = {
  [SPECIAL_STEP_IDS.SLURM_BATCH_SCRIPT]: 'batch',
  [SPECIAL_STEP_IDS.SLURM_EXTERN_CONT]: 'extern',
  [SPECIAL_STEP_IDS.SLURM_INTERACTIVE_STEP]: 'interactive',
  [SPECIAL_STEP_IDS.SLURM_PENDING_STEP]: 'TBD',
};

/** A step as scontrol calls it. */
export function stepName({ stepId: { jobId, stepId }, arrayJobId, arrayTaskId }: JobStepRecord): string {
  const job = arrayJobId === 0 ? jobId : `${arrayJobId}_${arrayTaskId}`;
  return `${job}.${SPECIAL_STEPS[stepId] ?? stepId}`;
}

const STEP: Words<JobStepRecord> = {
  StepId: stepName,
  SLUID: (step) => sluidText(step.stepId.sluid),
  UserId: (step) => `${step.userId}`,
  StartTime: (step) => moment(step.startTime, 'Unknown'),
  TimeLimit: (step) => minutes(step.timeLimit),
  State: (step) => jobStateName(step.state),
  Partition: (step) => textOr(step.partition, NULL),
  NodeList: (step) => textOr(step.nodes, NULL),
  Nodes: (step) => `${expandHostlist(step.nodes ?? '').length}`,
  CPUs: (step) => `${step.numCpus}`,
  Tasks: (step) => `${step.numTasks}`,
  Name: (step) => textOr(step.name, NULL),
  Network: (step) => textOr(step.network, NULL),
  TRES: (step) => textOr(step.tresFmtAllocStr, NULL),
  ResvPorts: (step) => textOr(step.resvPorts, NULL),
  CPUFreqReq: (step) => ([0, NO_VAL].includes(step.cpuFreqMin) ? 'Default' : `from ${step.cpuFreqMin}`),
  Dist: (step) => DISTRIBUTIONS[step.taskDist & 0xffff] ?? `${step.taskDist}`,
  'SrunHost:Pid': (step) => `${textOr(step.srunHost, NULL)}:${step.srunPid}`,
};

/** Records by what scontrol calls them. */
export interface Records {
  readonly job: JobRecord;
  readonly node: NodeRecord;
  readonly step: JobStepRecord;
}

const WORDS: { readonly [W in keyof Records]: Words<Records[W]> } = { job: JOB, node: NODE, step: STEP };

/**
 * Fields that no key of scontrol showed here: it prints them only where they are set (federations, generic resources, burst buffers,
 * containers, scrontab, preemption), prints their text in place of their bits, or never.
 */
export const UNSHOWN: Readonly<Record<keyof Records, readonly string[]>> = {
  job: words(`
    assocId billableTres cluster clusterFeatures cronspec hasDetails hasFedDetails jobSizeBitmap maxCpus memUpdateDelay memUpdateMargin
    oomKillStep profile segmentSize selectJobinfo selinuxContext shared showFlags siteFactor startProtocolVer wckey
    excNodeInx nodeInx reqNodeInx
    burstBuffer burstBufferState containerId containerType runtime extra failedNode resvPorts systemComment schedNodes submitLine
    fedOriginStr fedSiblingsActive fedSiblingsActiveStr fedSiblingsViable fedSiblingsViableStr
    cpusPerTres memPerTres ntasksPerTres tresBind tresFreq tresPerJob tresPerNode tresPerSocket tresPerTask
    preemptTime preemptableTime powerFlags priorityArray priorityArrayNames resizeTime stepId`),
  node: words(`
    bcastAddress certFlags certLastRenewal coreSpecCnt cpuBind cpuSpecList extra gpuSpec gresUsed instanceId instanceType memSpecLimit
    parameters resCoresPerGpu resvName selectNodeinfo topologyStr extSensors power`),
  step: words(`
    cluster container containerId containerType cpuFreqGov cpuFreqMax cpusPerTres cwd jobName memPerTres nodeInx runTime runtime
    selectJobinfo startProtocolVer stdErr stdIn stdOut submitLine tresBind tresFreq tresPerNode tresPerSocket tresPerStep tresPerTask`),
};

function words(text: string): string[] {
  return text.trim().split(/\s+/);
}

/** A record that notes which of its fields are read. */
export function noting<R extends object>(record: R, read: Set<string>): R {
  return new Proxy(record, {
    get(target, name) {
      read.add(String(name));
      return Reflect.get(target, name);
    },
  });
}

/**
 * What the keys of a line should say of a record.
 *
 * @throws Error for a key that is not known here.
 */
export function told<W extends keyof Records>(
  what: W,
  record: Records[W],
  shown: readonly Pair[],
  context: Context,
): Pair[] {
  const details = what === 'job' ? detail(record as JobRecord) : [];
  const pairs = shown.map(([key, value]): Pair => {
    if (what === 'job' && DETAIL_KEYS.includes(key)) return details.shift() ?? [key, 'no more of these'];
    const word = WORDS[what][key];
    if (word === undefined)
      throw new Error(`scontrol show ${what} has a key that is not known: ${key}=${value}`);
    return [key, typeof word === 'function' ? word(record, context) : value];
  });
  return [...pairs, ...details];
}
