/**
 * REQUEST_BUILD_INFO (2001) and RESPONSE_BUILD_INFO (2002): the configuration that slurmctld runs with, which is what
 * `scontrol show config` prints. Field names are those of the struct; most are the parameter of slurm.conf, shortened.
 *
 * Source: `last_update_msg_t`, `slurm_conf_t` (`slurm_ctl_conf_t` until 20.11) with `pack_config_data`; requests checked against bytes of
 * Slurm's own library of every release, answers against replies of live slurmctld in every version from 20.11 to 26.11.
 */
import { array, atMostOne, list, struct, text, time, u16, u32, u64, versions } from '../wire-type.js';
import { jobDefault } from './job-default.js';
import { keyPairs, pluginParams } from './key-pairs.js';

export const buildInfoRequest = struct({
  /** Configuration as of this time is known: the answer is RC 1900 if nothing changed since. 0: tell in any case. */
  lastUpdate: time.else(0n),
});

/** One path until 23.11, several since. */
const scripts = versions({ '20.11': atMostOne(text), '24.05': array(text) });

export const buildInfo = struct({
  /** When the configuration was last read. */
  lastUpdate: time,
  /** Bit set. */
  accountingStorageEnforce: u16,
  accountingStorageBackupHost: text,
  accountingStorageHost: text,
  accountingStorageExtHost: text,
  accountingStorageParams: text,
  accountingStoragePort: u16,
  accountingStorageTres: text,
  accountingStorageType: text,
  accountingStorageUser: text.through('25.05').else(null),
  acctGatherConf: keyPairs,
  acctGatherEnergyType: text,
  acctGatherFilesystemType: text,
  acctGatherInterconnectType: text,
  acctGatherNodeFreq: u16,
  acctGatherProfileType: text,
  /** AuthAltTypes. */
  authalttypes: text,
  /** AuthAltParameters. */
  authaltParams: text,
  /** AuthInfo. */
  authinfo: text,
  /** AuthType. */
  authtype: text,
  batchStartTimeout: u16,
  /** When slurmctld started. */
  bootTime: time,
  bbType: text,
  bcastExclude: text.since('21.08').else(null),
  bcastParameters: text.since('21.08').else(null),
  certmgrParams: text.since('25.05').else(null),
  certmgrType: text.since('25.05').else(null),
  cgroupConf: keyPairs,
  cliFilterParams: text.since('25.11').else(null),
  cliFilterPlugins: text,
  /** ClusterName. */
  clusterName: text,
  /** CommunicationParameters. */
  commParams: text,
  completeWait: u16,
  /** Bit set. */
  confFlags: u32,
  /** SlurmctldHost addresses, in order. */
  controlAddr: array(text),
  /** SlurmctldHost names, in order. */
  controlMachine: array(text),
  coreSpecPlugin: text.through('23.11').else(null),
  cpuFreqDef: u32,
  cpuFreqGovs: u32,
  /** CredType. */
  credType: text,
  dataParserParameters: text.since('24.11').else(null),
  defMemPerCpu: u64,
  debugFlags: u64,
  dependencyParams: text,
  defRuntimePlugin: text.since('26.11').else(null),
  eioTimeout: u16,
  enforcePartLimits: u16,
  epilog: scripts,
  epilogMsgTime: u32,
  epilogSlurmctld: scripts,
  extSensorsConf: keyPairs.through('23.11').else(null),
  extSensorsType: text.through('23.11').else(null),
  extSensorsFreq: u16.through('23.11').else(0),
  epilogTimeout: u16.since('25.05').else(0),
  fedParams: text,
  firstJobId: u32,
  fsDampeningFactor: u16,
  getEnvTimeout: u16.through('24.11').else(0),
  gresPlugins: text,
  groupTime: u16,
  groupForce: u16,
  gpuFreqDef: text,
  /** HashPlugin. */
  hashPlugin: text.since('24.05').else(null),
  /** Hash of the configuration file; NO_VAL: none. */
  hashVal: u32,
  healthCheckInterval: u16,
  healthCheckNodeState: u16,
  healthCheckProgram: text,
  healthCheckTimeout: u16.since('26.05').else(0),
  httpParserType: text.since('25.11').else(null),
  inactiveLimit: u16,
  interactiveStepOpts: text,
  jobAcctGatherFreq: text,
  jobAcctGatherType: text,
  jobAcctGatherParams: text,
  jobCompHost: text,
  jobCompLoc: text,
  jobCompParams: text,
  jobCompPort: u32,
  jobCompType: text,
  jobCompUser: text,
  jobContainerPlugin: text.through('25.05').else(null),
  jobCredentialPrivateKey: text.through('23.02').else(null),
  jobCredentialPublicCertificate: text.through('23.02').else(null),
  namespacePlugin: text.since('25.11').else(null),
  jobDefaultsList: list(jobDefault),
  jobFileAppend: u16,
  jobRequeue: u16,
  jobSubmitPlugins: text,
  keepAliveTime: u16.through('21.08').else(0),
  killOnBadExit: u16,
  /** KillWait, seconds. */
  killWait: u16,
  launchParams: text,
  launchType: text.through('22.05').else(null),
  licenseParams: text.since('26.05').else(null),
  licenses: text,
  logFmt: u16,
  /** MaxArraySize. */
  maxArraySz: u32,
  maxBatchRequeue: u32.since('23.02').else(0),
  maxDbdMsgs: u32,
  mailDomain: text,
  mailProg: text,
  maxJobCnt: u32,
  /** MaxJobId. */
  maxJobId: u32,
  maxMemPerCpu: u64,
  maxNodeCnt: u32.since('22.05').else(0),
  /** MaxStepCount. */
  maxStepCnt: u32,
  maxTasksPerNode: u16,
  mcsPlugin: text,
  mcsPluginParams: text,
  metricsAuthUsers: text.since('26.05').else(null),
  metricsParams: text.since('26.05').else(null),
  metricsType: text.since('25.11').else(null),
  /** MinJobAge, seconds: how long finished jobs stay known. */
  minJobAge: u32,
  mpiConf: keyPairs.since('22.05').else(null),
  mpiDefault: text,
  mpiParams: text,
  /** MessageTimeout, seconds. */
  msgTimeout: u16,
  nextJobId: u32,
  nodeFeaturesConf: pluginParams,
  nodeFeaturesPlugins: text,
  nodePrefix: text.through('24.11').else(null),
  overTimeLimit: u16,
  plugindir: text,
  plugstack: text,
  powerParameters: text.through('23.11').else(null),
  powerPlugin: text.through('23.11').else(null),
  preemptMode: u16,
  preemptParams: text.since('23.02').else(null),
  preemptType: text,
  preemptExemptTime: u32,
  prepParams: text,
  prepPlugins: text,
  priorityDecayHl: u32,
  priorityCalcPeriod: u32,
  priorityFavorSmall: u16,
  priorityFlags: u16,
  priorityMaxAge: u32,
  priorityParams: text,
  priorityResetPeriod: u16,
  priorityType: text,
  priorityWeightAge: u32,
  priorityWeightAssoc: u32,
  priorityWeightFs: u32,
  priorityWeightJs: u32,
  priorityWeightPart: u32,
  priorityWeightQos: u32,
  priorityWeightTres: text,
  /** PrivateData, a bit set. */
  privateData: u16,
  /** ProctrackType. */
  proctrackType: text,
  prolog: scripts,
  prologEpilogTimeout: u16.through('24.11').else(0),
  prologSlurmctld: scripts,
  prologTimeout: u16.since('25.05').else(0),
  prologFlags: u16,
  propagatePrioProcess: u16,
  propagateRlimits: text,
  propagateRlimitsExcept: text,
  rebootProgram: text,
  reconfigFlags: u16,
  requeueExit: text,
  requeueExitHold: text,
  resumeFailProgram: text,
  resumeProgram: text,
  resumeRate: u16,
  resumeTimeout: u16,
  resvEpilog: text,
  resvOverRun: u16,
  resvProlog: text,
  ret2service: u16,
  /** RoutePlugin. */
  routePlugin: text.through('23.02').else(null),
  sbcastParameters: text.through('20.11').else(null),
  schedParams: text,
  schedLogfile: text,
  schedLogLevel: u16,
  schedTimeSlice: u16,
  schedtype: text,
  /** ScronParameters; `explicit_scancel` protects scrontab jobs. */
  scronParams: text,
  /** SelectType. */
  selectType: text,
  selectConfKeyPairs: keyPairs,
  selectTypeParam: u16,
  serializerParams: text.since('26.11').else(null),
  serializerPlugins: text.since('26.11').else(null),
  /** Path of slurm.conf on the controller's machine. */
  slurmConf: text,
  /** SlurmUser uid. */
  slurmUserId: u32,
  /** SlurmUser. */
  slurmUserName: text,
  /** SlurmdUser uid. */
  slurmdUserId: u32,
  /** SlurmdUser. */
  slurmdUserName: text,
  /** SlurmctldAddr; null where it is not set. */
  slurmctldAddr: text,
  slurmctldDebug: u16,
  slurmctldHttpAuthParams: text.since('26.05').else(null),
  slurmctldLogfile: text,
  /** SlurmctldParameters. */
  slurmctldParams: text,
  slurmctldPidfile: text,
  slurmctldPlugstack: text.through('22.05').else(null),
  slurmctldPlugstackConf: pluginParams.through('22.05').else(null),
  /** The first of its ports. */
  slurmctldPort: u32,
  /** How many ports slurmctld listens on. */
  slurmctldPortCount: u16,
  slurmctldPrimaryOffProg: text,
  slurmctldPrimaryOnProg: text,
  slurmctldSyslogDebug: u16,
  /** SlurmctldTimeout, seconds. */
  slurmctldTimeout: u16,
  slurmdDebug: u16,
  slurmdHttpAuthParams: text.since('26.05').else(null),
  slurmdLogfile: text,
  slurmdParams: text,
  slurmdPidfile: text,
  /** SlurmdPort. */
  slurmdPort: u32,
  slurmdSpooldir: text,
  slurmdSyslogDebug: u16,
  slurmdTimeout: u16,
  slurmrestdHttpAuthParams: text.since('26.11').else(null),
  slurmrestdParams: text.since('26.11').else(null),
  slurmstepdParams: text.since('26.11').else(null),
  srunEpilog: text,
  srunPortRangeLow: u16,
  srunPortRangeHigh: u16,
  srunProlog: text,
  stateSaveLocation: text,
  suspendExcNodes: text,
  suspendExcParts: text,
  suspendExcStates: text.since('23.02').else(null),
  suspendProgram: text,
  suspendRate: u16,
  suspendTime: u32,
  suspendTimeout: u16,
  switchParam: text.since('21.08').else(null),
  switchType: text,
  taskEpilog: text,
  taskProlog: text,
  taskPlugin: text,
  taskPluginParam: u32,
  /** TCPTimeout, seconds. */
  tcpTimeout: u16,
  tlsParams: text.since('25.05').else(null),
  /** TLSType. */
  tlsType: text.since('24.05').else(null),
  tmpFs: text,
  /** TopologyParam. */
  topologyParam: text,
  /** TopologyPlugin. */
  topologyPlugin: text,
  /** TreeWidth. */
  treeWidth: u16,
  unkillableProgram: text,
  unkillableTimeout: u16,
  urlParserType: text.since('25.11').else(null),
  /** Release of slurmctld, such as `24.11.5`. */
  version: text,
  vsizeFactor: u16,
  waitTime: u16,
  x11Params: text,
});
