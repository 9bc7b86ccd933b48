/**
 * What a controller says that it is configured with: the defaults of its release, and what slurm.conf has.
 *
 * Source: answers of live slurmctld of 20.11, 22.05, 24.11, 26.05 and 26.11 (`fixtures/golden/replies-*`); the releases between as their
 * older neighbours.
 */
import { buildInfo } from '../../../protocol/messages/build-info.js';
import { isAtLeast, type Release } from '../../../protocol/release.js';
import { INFINITE, INFINITE16, NO_VAL, NO_VAL16 } from '../../../protocol/sentinels.js';
import type { Encodable } from '../../../protocol/wire-type.js';
import { nowSeconds } from '../../model/world.js';
import { mungeSocketIn } from '../../slurm-conf-text.js';
import { carriedIn } from './carried.js';
import type { RecordContext } from './record-context.js';
import { versionText } from './version-text.js';

export type ConfigurationInput = Encodable<typeof buildInfo>;

export function configurationOf(context: RecordContext): ConfigurationInput {
  const { world, release, own } = context;
  const { settings, place, users } = world;
  const controllers = place?.controllers ?? [];
  const directory = place?.directory ?? '';
  const base: ConfigurationInput = {
    ...DEFAULTS,
    ...defaultsSince(own, release),
    // The second of the answer: with that of its start it tells how long the daemon has been up.
    lastUpdate: BigInt(nowSeconds()),
    bootTime: BigInt(world.bootTime),
    version: versionText(own),
    clusterName: world.clusterName,
    authtype: 'auth/munge',
    authinfo: `socket=${mungeSocketIn(directory)}`,
    controlAddr: controllers.map(({ host }) => host),
    controlMachine: controllers.map((_, i) => `embedded${i === 0 ? '' : i + 1}`),
    slurmctldPort: controllers[0]?.port ?? 0,
    slurmConf: place?.slurmConf ?? null,
    stateSaveLocation: directory,
    slurmdSpooldir: directory,
    slurmUserId: users.slurmUser.uid,
    slurmUserName: users.slurmUser.name,
    maxNodeCnt: world.nodes.size,
    nextJobId: world.nextJobId,
    privateData: privateDataBits([...settings.privateData]),
    slurmctldParams: rateLimitOf(settings.rateLimit),
  };
  apply(base, settings.parameters);
  return carriedIn(buildInfo, release, base);
}

/** Bits of PrivateData. */
const PRIVATE_DATA: Readonly<Record<string, number>> = {
  jobs: 0x01,
  nodes: 0x02,
  partitions: 0x04,
  usage: 0x08,
  users: 0x10,
  accounts: 0x20,
  reservations: 0x40,
  events: 0x100,
};

function privateDataBits(names: readonly string[]): number {
  return names.reduce((bits, name) => {
    const lower = name.toLowerCase();
    return lower === 'all' ? 0xffff : bits | (PRIVATE_DATA[lower] ?? 0);
  }, 0);
}

function rateLimitOf(limit: RecordContext['world']['settings']['rateLimit']): string | null {
  if (limit === null) return null;
  const { bucketSize, refillRate, refillPeriodMs } = limit;
  const period = Math.max(1, Math.round(refillPeriodMs / 1000));
  return `rl_enable,rl_bucket_size=${bucketSize},rl_refill_rate=${refillRate},rl_refill_period=${period}`;
}

/** Parameters whose field has another name than theirs in lower case, without the case of letters. */
const FIELDS: Readonly<Record<string, keyof ConfigurationInput>> = {
  accountingstorageexternalhost: 'accountingStorageExtHost',
  accountingstorageparameters: 'accountingStorageParams',
  authaltparameters: 'authaltParams',
  burstbuffertype: 'bbType',
  clifilterparameters: 'cliFilterParams',
  communicationparameters: 'commParams',
  dependencyparameters: 'dependencyParams',
  federationparameters: 'fedParams',
  grestypes: 'gresPlugins',
  groupupdatetime: 'groupTime',
  groupupdateforce: 'groupForce',
  interactivestepoptions: 'interactiveStepOpts',
  jobacctgatherfrequency: 'jobAcctGatherFreq',
  jobacctgatherparams: 'jobAcctGatherParams',
  jobcontainertype: 'jobContainerPlugin',
  namespacetype: 'namespacePlugin',
  launchparameters: 'launchParams',
  licenseparameters: 'licenseParams',
  maxarraysize: 'maxArraySz',
  maxdbdmsgs: 'maxDbdMsgs',
  maxjobcount: 'maxJobCnt',
  maxnodecount: 'maxNodeCnt',
  maxstepcount: 'maxStepCnt',
  mcsparameters: 'mcsPluginParams',
  messagetimeout: 'msgTimeout',
  mpiparams: 'mpiParams',
  plugstackconfig: 'plugstack',
  preemptparameters: 'preemptParams',
  prepparameters: 'prepParams',
  prioritydecayhalflife: 'priorityDecayHl',
  priorityparameters: 'priorityParams',
  priorityweightassoc: 'priorityWeightAssoc',
  priorityweightfairshare: 'priorityWeightFs',
  priorityweightjobsize: 'priorityWeightJs',
  priorityweightpartition: 'priorityWeightPart',
  propagateresourcelimits: 'propagateRlimits',
  propagateresourcelimitsexcept: 'propagateRlimitsExcept',
  requeueexit: 'requeueExit',
  returntoservice: 'ret2service',
  schedulerparameters: 'schedParams',
  schedulertimeslice: 'schedTimeSlice',
  schedulertype: 'schedtype',
  scronparameters: 'scronParams',
  slurmctldparameters: 'slurmctldParams',
  slurmctldpidfile: 'slurmctldPidfile',
  slurmctldlogfile: 'slurmctldLogfile',
  slurmdlogfile: 'slurmdLogfile',
  slurmdparameters: 'slurmdParams',
  slurmdpidfile: 'slurmdPidfile',
  slurmdspooldir: 'slurmdSpooldir',
  srunepilog: 'srunEpilog',
  switchparameters: 'switchParam',
  tlsparameters: 'tlsParams',
  topologyparam: 'topologyParam',
  unkillablesteptimeout: 'unkillableTimeout',
  unkillablestepprogram: 'unkillableProgram',
  x11parameters: 'x11Params',
};

/** Set by other means: what slurm.conf says of them is a name, or is told beside. */
const NOT_APPLIED: ReadonlySet<string> = new Set([
  'slurmctldport',
  'version',
  'boottime',
  'lastupdate',
  'nextjobid',
  'confflags',
  'debugflags',
  'slurmctlddebug',
  'slurmddebug',
]);

const SELECT_PARAMETERS: Readonly<Record<string, number>> = {
  cr_cpu: 0x01,
  cr_socket: 0x02,
  cr_core: 0x04,
  cr_memory: 0x10,
};

/** Parameters of slurm.conf in the fields that show them. Those that no field shows are left out. */
function apply(record: ConfigurationInput, parameters: Readonly<Record<string, string>>): void {
  const target = record as Record<string, unknown>;
  for (const [name, value] of Object.entries(parameters)) {
    const lower = name.toLowerCase();
    if (lower === 'privatedata') target.privateData = privateDataBits(value.split(','));
    if (lower === 'selecttypeparameters')
      target.selectTypeParam = bitsOf(value.split(','), SELECT_PARAMETERS);
    const field = FIELDS[lower] ?? BY_LOWER_CASE.get(lower);
    if (field === undefined || NOT_APPLIED.has(lower)) continue;
    const before = target[field];
    if (lower === 'slurmctldparameters' && before !== null) target[field] = `${String(before)},${value}`;
    else if (Array.isArray(before)) target[field] = value.split(',');
    else if (typeof before === 'number') target[field] = numberOf(value, WIDE.has(field)) ?? before;
    else if (typeof before === 'bigint') target[field] = /^\d{1,18}$/.test(value) ? BigInt(value) : before;
    else target[field] = value;
  }
}

function bitsOf(names: readonly string[], known: Readonly<Record<string, number>>): number {
  return names.reduce((bits, name) => bits | (known[name.toLowerCase()] ?? 0), 0);
}

/** `null` for what is no number. */
function numberOf(value: string, isWide: boolean): number | null {
  if (/^(infinite|unlimited)$/i.test(value)) return isWide ? INFINITE : INFINITE16;
  if (/^(yes|true)$/i.test(value)) return 1;
  if (/^(no|false)$/i.test(value)) return 0;
  return /^\d+$/.test(value) ? Math.min(Number(value), isWide ? INFINITE : INFINITE16) : null;
}

/** What all releases say. */
const DEFAULTS: ConfigurationInput = {
  lastUpdate: 0n,
  accountingStorageEnforce: 0,
  accountingStorageBackupHost: null,
  accountingStorageHost: 'localhost',
  accountingStorageExtHost: null,
  accountingStorageParams: null,
  accountingStoragePort: 0,
  accountingStorageTres: 'cpu,mem,energy,node,billing,fs/disk,vmem,pages',
  accountingStorageType: null,
  accountingStorageUser: null,
  acctGatherConf: [],
  acctGatherEnergyType: null,
  acctGatherFilesystemType: null,
  acctGatherInterconnectType: null,
  acctGatherNodeFreq: 0,
  acctGatherProfileType: null,
  authalttypes: null,
  authaltParams: null,
  authinfo: null,
  authtype: null,
  batchStartTimeout: 10,
  bootTime: 0n,
  bbType: null,
  bcastExclude: '/lib,/usr/lib,/lib64,/usr/lib64',
  bcastParameters: null,
  certmgrParams: null,
  certmgrType: null,
  cgroupConf: null,
  cliFilterParams: null,
  cliFilterPlugins: null,
  clusterName: null,
  commParams: null,
  completeWait: 0,
  confFlags: 65,
  controlAddr: [],
  controlMachine: [],
  coreSpecPlugin: null,
  cpuFreqDef: NO_VAL,
  cpuFreqGovs: 2256535552,
  credType: 'cred/munge',
  dataParserParameters: null,
  defMemPerCpu: 0n,
  debugFlags: 0n,
  dependencyParams: null,
  defRuntimePlugin: 'runtime/oci',
  eioTimeout: 60,
  enforcePartLimits: 0,
  epilog: [],
  epilogMsgTime: 2000,
  epilogSlurmctld: [],
  extSensorsConf: null,
  extSensorsType: null,
  extSensorsFreq: 0,
  epilogTimeout: NO_VAL16,
  fedParams: null,
  firstJobId: 1,
  fsDampeningFactor: 1,
  getEnvTimeout: 2,
  gresPlugins: null,
  groupTime: 600,
  groupForce: 1,
  gpuFreqDef: null,
  hashPlugin: 'hash/k12',
  hashVal: NO_VAL,
  healthCheckInterval: 0,
  healthCheckNodeState: 15,
  healthCheckProgram: null,
  healthCheckTimeout: 0,
  httpParserType: null,
  inactiveLimit: 0,
  interactiveStepOpts: '--interactive --preserve-env --pty $SHELL',
  jobAcctGatherFreq: '30',
  jobAcctGatherType: null,
  jobAcctGatherParams: null,
  jobCompHost: 'localhost',
  jobCompLoc: null,
  jobCompParams: null,
  jobCompPort: 0,
  jobCompType: null,
  jobCompUser: 'root',
  jobContainerPlugin: null,
  jobCredentialPrivateKey: null,
  jobCredentialPublicCertificate: null,
  namespacePlugin: null,
  jobDefaultsList: null,
  jobFileAppend: 0,
  jobRequeue: 1,
  jobSubmitPlugins: null,
  keepAliveTime: NO_VAL16,
  killOnBadExit: 0,
  killWait: 30,
  launchParams: null,
  launchType: null,
  licenseParams: null,
  licenses: null,
  logFmt: 0,
  maxArraySz: 1001,
  maxBatchRequeue: 5,
  maxDbdMsgs: 0,
  mailDomain: null,
  mailProg: '/bin/mail',
  maxJobCnt: 10000,
  maxJobId: 67043328,
  maxMemPerCpu: 0n,
  maxNodeCnt: 0,
  maxStepCnt: 40000,
  maxTasksPerNode: 512,
  mcsPlugin: null,
  mcsPluginParams: null,
  metricsAuthUsers: null,
  metricsParams: null,
  metricsType: null,
  minJobAge: 300,
  mpiConf: null,
  mpiDefault: null,
  mpiParams: null,
  msgTimeout: 10,
  nextJobId: 1,
  nodeFeaturesConf: null,
  nodeFeaturesPlugins: null,
  nodePrefix: null,
  overTimeLimit: 0,
  plugindir: '/usr/lib/slurm',
  plugstack: null,
  powerParameters: null,
  powerPlugin: null,
  preemptMode: 0,
  preemptParams: null,
  preemptType: 'preempt/none',
  preemptExemptTime: 0,
  prepParams: null,
  prepPlugins: 'prep/script',
  priorityDecayHl: 604800,
  priorityCalcPeriod: 300,
  priorityFavorSmall: 0,
  priorityFlags: 32,
  priorityMaxAge: 604800,
  priorityParams: null,
  priorityResetPeriod: 0,
  priorityType: 'priority/basic',
  priorityWeightAge: 0,
  priorityWeightAssoc: 0,
  priorityWeightFs: 0,
  priorityWeightJs: 0,
  priorityWeightPart: 0,
  priorityWeightQos: 0,
  priorityWeightTres: null,
  privateData: 0,
  proctrackType: 'proctrack/linuxproc',
  prolog: [],
  prologEpilogTimeout: NO_VAL16,
  prologSlurmctld: [],
  prologTimeout: NO_VAL16,
  prologFlags: 0,
  propagatePrioProcess: 0,
  propagateRlimits: 'ALL',
  propagateRlimitsExcept: null,
  rebootProgram: null,
  reconfigFlags: 0,
  requeueExit: null,
  requeueExitHold: null,
  resumeFailProgram: null,
  resumeProgram: null,
  resumeRate: 300,
  resumeTimeout: 60,
  resvEpilog: null,
  resvOverRun: 0,
  resvProlog: null,
  ret2service: 2,
  routePlugin: 'route/default',
  sbcastParameters: null,
  schedParams: null,
  schedLogfile: null,
  schedLogLevel: 0,
  schedTimeSlice: 30,
  schedtype: 'sched/backfill',
  scronParams: null,
  selectType: 'select/cons_tres',
  selectConfKeyPairs: null,
  selectTypeParam: 1,
  serializerParams: null,
  serializerPlugins: null,
  slurmConf: null,
  slurmUserId: 0,
  slurmUserName: 'root',
  slurmdUserId: 0,
  slurmdUserName: 'root',
  slurmctldAddr: null,
  slurmctldDebug: 3,
  slurmctldHttpAuthParams: null,
  slurmctldLogfile: null,
  slurmctldParams: null,
  slurmctldPidfile: '/var/run/slurmctld.pid',
  slurmctldPlugstack: null,
  slurmctldPlugstackConf: null,
  slurmctldPort: 0,
  slurmctldPortCount: 1,
  slurmctldPrimaryOffProg: null,
  slurmctldPrimaryOnProg: null,
  slurmctldSyslogDebug: 10,
  slurmctldTimeout: 120,
  slurmdDebug: 3,
  slurmdHttpAuthParams: null,
  slurmdLogfile: null,
  slurmdParams: null,
  slurmdPidfile: '/var/run/slurmd.pid',
  slurmdPort: 6818,
  slurmdSpooldir: null,
  slurmdSyslogDebug: 10,
  slurmdTimeout: 300,
  slurmrestdHttpAuthParams: null,
  slurmrestdParams: null,
  slurmstepdParams: null,
  srunEpilog: null,
  srunPortRangeLow: 0,
  srunPortRangeHigh: 0,
  srunProlog: null,
  stateSaveLocation: null,
  suspendExcNodes: null,
  suspendExcParts: null,
  suspendExcStates: null,
  suspendProgram: null,
  suspendRate: 60,
  suspendTime: INFINITE,
  suspendTimeout: 30,
  switchParam: null,
  switchType: null,
  taskEpilog: null,
  taskProlog: null,
  taskPlugin: null,
  taskPluginParam: 0,
  tcpTimeout: 2,
  tlsParams: null,
  tlsType: 'tls/none',
  tmpFs: '/tmp',
  topologyParam: null,
  topologyPlugin: null,
  treeWidth: 16,
  unkillableProgram: null,
  unkillableTimeout: 60,
  urlParserType: null,
  version: null,
  vsizeFactor: 0,
  waitTime: 0,
  x11Params: null,
};

/** Until some release after 22.05 plugins that do nothing had names, and the tree was wider. */
const UNTIL_22_05 = {
  accountingStorageType: 'accounting_storage/none',
  accountingStorageUser: 'root',
  acctGatherEnergyType: 'acct_gather_energy/none',
  acctGatherFilesystemType: 'acct_gather_filesystem/none',
  acctGatherInterconnectType: 'acct_gather_interconnect/none',
  acctGatherProfileType: 'acct_gather_profile/none',
  coreSpecPlugin: 'core_spec/none',
  extSensorsType: 'ext_sensors/none',
  gpuFreqDef: 'high,memory=high',
  jobAcctGatherType: 'jobacct_gather/none',
  jobCompLoc: '/var/log/slurm_jobcomp.log',
  jobCompType: 'jobcomp/none',
  jobContainerPlugin: 'job_container/none',
  launchType: 'launch/slurm',
  mcsPlugin: 'mcs/none',
  mpiDefault: 'none',
  powerPlugin: '',
  switchType: 'switch/none',
  taskPlugin: 'task/none',
  topologyPlugin: 'topology/none',
  treeWidth: 50,
};

function defaultsSince(own: Release, release: Release): Partial<ConfigurationInput> {
  const is = (since: Release) => isAtLeast(own, since);
  return {
    ...(is('23.02') ? {} : UNTIL_22_05),
    ...(is('23.02') ? { topologyPlugin: is('26.05') ? 'topology/flat' : 'topology/default' } : {}),
    ...(is('23.02') && !is('25.11') ? { accountingStorageUser: 'root' } : {}),
    ...(is('25.11') && !isAtLeast(release, '25.11') ? { accountingStorageUser: 'N/A' } : {}),
    ...(is('24.11') ? { priorityType: 'priority/multifactor' } : {}),
    ...(is('26.05') ? { healthCheckNodeState: 255 } : {}),
    ...(is('25.05') ? { getEnvTimeout: 120 } : {}),
    ...(is('21.08') ? {} : { suspendTime: 0, confFlags: 67 }),
  };
}

/** Fields by their names in lower case, which most parameters have too. */
const BY_LOWER_CASE: ReadonlyMap<string, keyof ConfigurationInput> = new Map(
  (Object.keys(DEFAULTS) as (keyof ConfigurationInput)[]).map((name) => [name.toLowerCase(), name]),
);

/** Fields of 32 bits. */
const WIDE: ReadonlySet<string> = new Set(
  buildInfo.spec.kind !== 'struct'
    ? []
    : buildInfo.spec.fields.flatMap(([name, { spec }]) => (spec.kind === 'u32' ? [name] : [])),
);
