/**
 * One job of a RESPONSE_JOB_INFO. 24.11 changed the order of all fields; the record is declared in the newer one.
 *
 * Source: `job_info_t`, which `pack_job` writes and `_unpack_job_info_members` reads; checked against replies of live slurmctld of
 * 20.11, 22.05, 24.11, 26.05 and 26.11 (release candidate) in every version they speak.
 */
import { NO_VAL, NO_VAL16 } from '../sentinels.js';
import {
  again,
  array,
  bigU32,
  bitString,
  bool,
  type Decoded,
  double,
  struct,
  text,
  time,
  u8,
  u16,
  u32,
  u64,
  versions,
  where,
} from '../wire-type.js';
import { jobIdUntil2505, stepIdSince2511 } from './job-id-field.js';
import { jobResources } from './job-resources.js';
import { multiCore } from './multi-core.js';
import { selectJobinfo } from './select-jobinfo.js';

type Own = Record<string, unknown>;
const hasDetails = (own: Own) => own.hasDetails === true;
const hasNoDetails = (own: Own) => own.hasDetails === false;
const hasFedDetails = (own: Own) => own.hasFedDetails === true;

const fields = {
  /** The job as a step id: step and component are NO_VAL. Until 25.05 the wire has `jobId` alone. */
  stepId: stepIdSince2511,
  account: text,
  adminComment: text,
  /** Host of the submission. */
  allocNode: text,
  /** Session id of the submitter. */
  allocSid: u32,
  /** Array: job id shared by the whole array; 0 = not an array job. */
  arrayJobId: u32,
  /** Array: this record's task; NO_VAL = meta record holding the tasks not yet split off, or not an array. */
  arrayTaskId: u32,
  /** Accounting association id. */
  assocId: u32,
  batchFeatures: text,
  /** 0 for a job without batch script; else 1, and more after it was requeued. */
  batchFlag: u16,
  /** Node that runs the batch script (null if not started). */
  batchHost: text,
  /** Job option bits. */
  bitflags: versions({ '20.11': bigU32, '21.08': u64 }),
  burstBuffer: text,
  burstBufferState: text,
  /** `FLOAT_MULT` times the value. */
  billableTres: double,
  comment: text,
  /** Path of the OCI bundle. Stands twice in the record of 21.08 to 24.05. */
  container: text.since('21.08').else(null),
  /** OCI container id. */
  containerId: text.since('23.02').else(null),
  /** Kind of container runtime; 26.11 has `runtime` in its place. */
  containerType: text.since('26.05').through('26.05').else(null),
  /** Container runtime name. */
  runtime: text.since('26.11').else(null),
  cpusPerTres: text,
  deadline: time,
  /** Seconds. */
  delayBoot: u32,
  /** Highest wait status of any step. */
  derivedEc: u32,
  /** Status as of wait(2). */
  exitCode: u32,
  extra: text.since('23.02').else(null),
  /** Node whose failure ended or requeued the job. */
  failedNode: text.since('23.02').else(null),
  /** Whether the five `fed` fields are on the wire; before 24.11 they always are. */
  hasFedDetails: bool.since('24.11').else(true),
  fedOriginStr: text.when(hasFedDetails).else(null),
  /** Bit mask of cluster ids. */
  fedSiblingsActive: u64.when(hasFedDetails).else(0n),
  fedSiblingsActiveStr: text.when(hasFedDetails).else(null),
  /** Bit mask. */
  fedSiblingsViable: u64.when(hasFedDetails).else(0n),
  fedSiblingsViableStr: text.when(hasFedDetails).else(null),
  gresTotal: text,
  /** Group id. */
  groupId: u32,
  /** Het job: id of the leader component; 0 = none. */
  hetJobId: u32,
  /** Het job: hostlist-style id set such as `8-9`. */
  hetJobIdSet: text,
  /** Het job: component index (0 = leader); for non-het jobs 0, or NO_VAL. */
  hetJobOffset: u32,
  /** This record's own job id. An array task that was split off has one of its own, other than `arrayJobId`. */
  jobId: jobIdUntil2505,
  /** A base state and flags: see `job-state.ts`. */
  jobState: u32,
  lastSchedEval: time,
  /** Requested licences. */
  licenses: text,
  licensesAllocated: text.since('25.05').else(null),
  /** Bit set. */
  mailType: u16,
  mailUser: text,
  mcsLabel: text,
  memPerTres: text,
  /** Job name. */
  name: text,
  network: text,
  preemptTime: time,
  /** Run seconds before the last suspend. */
  preSusTime: time,
  /** 0 = held. */
  priority: u32,
  /** Bit set of profiling options. */
  profile: u32,
  reboot: u8,
  reqSwitch: u32,
  resizeTime: time,
  /** Requeue count. */
  restartCnt: u16,
  resvName: text,
  resvPorts: text.since('24.05').else(null),
  selinuxContext: text.since('21.08').else(null),
  /** The factor + 0x80000000. */
  siteFactor: u32,
  /** Protocol version, as in a header, of the slurmctld that started the job. */
  startProtocolVer: u16,
  /** Free text for `stateReason`. */
  stateDesc: text,
  /** Number of the reason why the job is in its state. */
  stateReason: versions({ '20.11': u16, '23.02': u32 }),
  /** Last suspend or resume. */
  suspendTime: time,
  systemComment: text,
  /** Minutes. */
  timeMin: u32,
  tresBind: text,
  /** Such as `cpu=2,node=1`. */
  tresAllocStr: text,
  /** Such as `cpu=2,node=1`. */
  tresReqStr: text,
  tresFreq: text,
  tresPerJob: text,
  tresPerNode: text,
  tresPerSocket: text,
  tresPerTask: text,
  /** Uid of the owner. */
  userId: u32,
  /** May be null: resolve `userId` then. */
  userName: text,
  /** Seconds. */
  wait4switch: u32,
  /** Leading `*` = default key. */
  wckey: text,
  /** Pending task set of a meta record, as a hex mask with `0x` (bit n = task n; `0xE` = tasks 1–3); null otherwise. */
  arrayTaskStr: text,
  /** `%N` limit of an array, 0 none. */
  arrayMaxTasks: u32,
  /** Minutes; INFINITE, NO_VAL = partition default. */
  timeLimit: u32,
  /** Actual or expected start; 0 unknown. */
  startTime: time,
  endTime: time,
  /** Priority per partition, for jobs with several partitions. */
  priorityArray: array(u32).since('24.05').else([]),
  /** The partitions of `priorityArray`, with commas. `priority_array_parts` in 24.05. */
  priorityArrayNames: text.since('24.05').else(null),
  /** Cluster that owns the record (filled by the server). */
  cluster: text,
  /** Allocated nodes, hostlist expression; null while pending. */
  nodes: text,
  /** Nodes planned by backfill. */
  schedNodes: text,
  /** Comma list while pending. */
  partition: text,
  qos: text,
  preemptableTime: time,
  /** What the job has on each node. Null unless asked for with SHOW_DETAIL. */
  jobResources: jobResources,
  /** One text per node of the allocation. Empty unless asked for with SHOW_DETAIL. */
  gresDetail: array(text),
  /** Bit map over the node table of the allocation. */
  nodeInx: bitString,
  /**
   * Whether the fields from `accrueTime` to `memUpdateMargin` are on the wire; when not, only `numCpus`, `numNodes` and `nice` of
   * them are. Before 24.11 they always are.
   */
  hasDetails: bool.since('24.11').else(true),
  accrueTime: time.when(hasDetails).else(0n),
  eligibleTime: time.when(hasDetails).else(0n),
  clusterFeatures: text.when(hasDetails).else(null),
  /** NO_VAL = unset. */
  cpuFreqGov: u32.when(hasDetails).else(NO_VAL),
  /** NO_VAL = unset. */
  cpuFreqMax: u32.when(hasDetails).else(NO_VAL),
  /** NO_VAL = unset. */
  cpuFreqMin: u32.when(hasDetails).else(NO_VAL),
  dependency: text.when(hasDetails).else(null),
  /** Allowed node counts (bit n = n nodes). */
  jobSizeBitmap: bitString.since('23.02').when(hasDetails).else(null),
  /** The nice value + 0x80000000. */
  nice: u32,
  ntasksPerNode: u16.when(hasDetails).else(0),
  ntasksPerTres: u16.when(hasDetails).else(0),
  requeue: u16.when(hasDetails).else(0),
  segmentSize: u16.since('25.05').when(hasDetails).else(0),
  submitTime: time.when(hasDetails).else(0n),
  workDir: text.when(hasDetails).else(null),
  /** Constraints. */
  features: text.when(hasDetails).else(null),
  /** Soft constraints. */
  prefer: text.since('22.05').when(hasDetails).else(null),
  /** Path of the script; some releases add its arguments. */
  command: text.when(hasDetails).else(null),
  submitLine: text.since('25.11').when(hasDetails).else(null),
  numCpus: u32,
  maxCpus: u32.when(hasDetails).else(0),
  numNodes: u32,
  maxNodes: u32.when(hasDetails).else(0),
  numTasks: u32.when(hasDetails).else(0),
  exclusive: u16.since('26.05').when(hasDetails).else(0),
  /** How nodes are shared, as older clients know it: 0 exclusive, 1 shared, 2 per user, 3 per MCS label, NO_VAL16 not said. */
  shared: u16.when(hasDetails).else(NO_VAL16),
  oversubscribe: u16.since('26.05').when(hasDetails).else(0),
  /** Scrontab time specification; non-null marks a scrontab job. */
  cronspec: text.when(hasDetails).else(null),
  memUpdateDelay: u16.since('26.05').when(hasDetails).else(0),
  memUpdateMargin: u16.since('26.05').when(hasDetails).else(0),
  contiguous: u16,
  /** NO_VAL16 = unset; bit 15 = thread count. */
  coreSpec: u16,
  cpusPerTask: u16,
  pnMinCpus: u16,
  /** MiB; the top bit says per CPU. */
  pnMinMemory: u64,
  /** MiB. */
  pnMinTmpDisk: u32,
  /** NO_VAL16 = default. */
  oomKillStep: u16.since('24.11').else(NO_VAL16),
  reqNodes: text,
  reqNodeInx: bitString,
  excNodes: text,
  excNodeInx: bitString,
  /** Unexpanded path. */
  stdErr: text,
  /** Unexpanded path. */
  stdIn: text,
  /** Unexpanded path. */
  stdOut: text,
  multiCore: multiCore,
  /** 24.05 always writes 0. */
  powerFlags: u8.through('24.05').else(0),
  /** Echo of the request flags. */
  showFlags: u16.through('24.05').else(0),
  selectJobinfo: selectJobinfo.through('22.05').elseNull(),
};

const ORDER_UNTIL_24_05 = [
  'arrayJobId',
  'arrayTaskId',
  'arrayTaskStr',
  'arrayMaxTasks',
  'assocId',
  'container',
  'containerId',
  'delayBoot',
  'failedNode',
  'jobId',
  'userId',
  'groupId',
  'hetJobId',
  'hetJobIdSet',
  'hetJobOffset',
  'profile',
  'jobState',
  'batchFlag',
  'stateReason',
  'powerFlags',
  'reboot',
  'restartCnt',
  'showFlags',
  'deadline',
  'allocSid',
  'timeLimit',
  'timeMin',
  'nice',
  'submitTime',
  'eligibleTime',
  'accrueTime',
  'startTime',
  'endTime',
  'suspendTime',
  'preSusTime',
  'resizeTime',
  'lastSchedEval',
  'preemptTime',
  'priority',
  'priorityArray',
  'priorityArrayNames',
  'billableTres',
  'cluster',
  'nodes',
  'schedNodes',
  'partition',
  'account',
  'adminComment',
  'siteFactor',
  'network',
  'comment',
  'extra',
  again('container'),
  'batchFeatures',
  'batchHost',
  'burstBuffer',
  'burstBufferState',
  'systemComment',
  'qos',
  'preemptableTime',
  'licenses',
  'stateDesc',
  'resvName',
  'resvPorts',
  'mcsLabel',
  'exitCode',
  'derivedEc',
  'gresTotal',
  'jobResources',
  'gresDetail',
  'name',
  'userName',
  'wckey',
  'reqSwitch',
  'wait4switch',
  'allocNode',
  'nodeInx',
  'selectJobinfo',
  'features',
  'prefer',
  'clusterFeatures',
  'workDir',
  'dependency',
  'command',
  'numCpus',
  'maxCpus',
  'numNodes',
  'maxNodes',
  'jobSizeBitmap',
  'requeue',
  'ntasksPerNode',
  'ntasksPerTres',
  'numTasks',
  'shared',
  'cpuFreqMin',
  'cpuFreqMax',
  'cpuFreqGov',
  'cronspec',
  'contiguous',
  'coreSpec',
  'cpusPerTask',
  'pnMinCpus',
  'pnMinMemory',
  'pnMinTmpDisk',
  'reqNodes',
  'reqNodeInx',
  'excNodes',
  'excNodeInx',
  'stdErr',
  'stdIn',
  'stdOut',
  'multiCore',
  'bitflags',
  'tresAllocStr',
  'tresReqStr',
  'startProtocolVer',
  'fedOriginStr',
  'fedSiblingsActive',
  'fedSiblingsActiveStr',
  'fedSiblingsViable',
  'fedSiblingsViableStr',
  'cpusPerTres',
  'memPerTres',
  'tresBind',
  'tresFreq',
  'tresPerJob',
  'tresPerNode',
  'tresPerSocket',
  'tresPerTask',
  'mailType',
  'mailUser',
  'selinuxContext',
];

/** What a record without details has of them, in this order in front of `contiguous`. */
const ALSO_WITHOUT_DETAILS = ['numCpus', 'numNodes', 'nice'];

const ORDER_SINCE_24_11 = Object.keys(fields).flatMap((name) => {
  if (ALSO_WITHOUT_DETAILS.includes(name)) return [where(hasDetails, name)];
  if (name !== 'contiguous') return [name];
  return [...ALSO_WITHOUT_DETAILS.map((field) => where(hasNoDetails, field)), name];
});

export const jobRecord = struct(fields, [
  { since: '20.11', order: ORDER_UNTIL_24_05 },
  { since: '24.11', order: ORDER_SINCE_24_11 },
]);

/** A decoded job record. */
export type JobRecord = Decoded<typeof jobRecord>;
