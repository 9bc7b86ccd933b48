/**
 * One node of a RESPONSE_NODE_INFO.
 *
 * Source: `node_info_t`, which `_pack_node` writes and `_unpack_node_info_members` reads; checked against replies of live slurmctld of
 * 20.11, 22.05, 24.11, 26.05 and 26.11 (release candidate) in every version they speak.
 */
import { NO_VAL } from '../sentinels.js';
import { type Decoded, double, struct, text, time, u16, u32, u64 } from '../wire-type.js';

const selectNodeinfo = struct({
  pluginId: u32,
  allocCpus: u16,
  allocMemory: u64,
  tresAllocFmtStr: text,
  /** `FLOAT_MULT` times the value. */
  tresAllocWeighted: double,
});

const energy = struct({
  baseConsumed: u64,
  aveWatts: u32,
  consumed: u64,
  currentWatts: u32,
  previousConsumed: u64,
  pollTime: time,
  slurmdStartTime: time.since('24.11').else(0n),
});

const extSensors = struct({ consumedEnergy: u64, temperature: u32, energyUpdate: time, currentWatts: u32 });

const powerMgmt = struct({ capWatts: u32 });

export const nodeRecord = struct({
  /** NodeName. Until 24.05 null for a node that is hidden from the caller. */
  name: text,
  /** NodeHostname. */
  nodeHostname: text,
  /** NodeAddr: where slurmd listens. */
  nodeAddr: text,
  bcastAddress: text,
  certFlags: u16.since('25.05').else(0),
  /** Port of slurmd. */
  port: u16,
  /** State after a reboot; NO_VAL: none is due. */
  nextState: u32,
  /** A base state and flags: see `node-state.ts`. */
  nodeState: u32,
  /** Release of its slurmd, such as `24.11.5`: says which protocol it speaks. Null before it registered. */
  version: text,
  cpus: u16,
  boards: u16,
  sockets: u16,
  cores: u16,
  threads: u16,
  /** MiB. */
  realMemory: u64,
  /** MiB. */
  tmpDisk: u32,
  gpuSpec: text.since('24.05').else(null),
  mcsLabel: text,
  /** Uid that has the node for itself; NO_VAL: none. */
  owner: u32,
  coreSpecCnt: u16,
  cpuBind: u32,
  /** MiB. */
  memSpecLimit: u64,
  cpuSpecList: text,
  cpusEfctv: u16.since('22.05').else(0),
  /** Load × 100; NO_VAL: not known. */
  cpuLoad: u32,
  /** MiB; NO_VAL64: not known. */
  freeMem: u64,
  weight: u32,
  resCoresPerGpu: u16.since('24.05').else(0),
  reasonUid: u32,
  suspendTime: u32.since('26.05').else(NO_VAL),
  bootTime: time,
  lastBusy: time.since('21.08').else(0n),
  reasonTime: time,
  resumeAfter: time.since('23.02').else(0n),
  slurmdStartTime: time,
  /** What is allocated, until 24.11; the three `alloc` fields then say it too. */
  selectNodeinfo: selectNodeinfo.through('24.11').elseNull(),
  certLastRenewal: time.since('25.05').else(0n),
  allocCpus: u16.since('25.05').elseFrom((own) => own.selectNodeinfo?.allocCpus),
  /** MiB. */
  allocMemory: u64.since('25.05').elseFrom((own) => own.selectNodeinfo?.allocMemory),
  allocTresFmtStr: text.since('25.05').elseFrom((own) => own.selectNodeinfo?.tresAllocFmtStr),
  arch: text,
  features: text,
  featuresAct: text,
  gres: text,
  gresDrain: text,
  /** Null unless asked for with SHOW_DETAIL. */
  gresUsed: text,
  os: text,
  comment: text,
  extra: text.since('21.08').else(null),
  instanceId: text.since('23.11').else(null),
  instanceType: text.since('23.11').else(null),
  parameters: text.since('25.11').else(null),
  reason: text,
  energy,
  extSensors: extSensors.through('23.11').elseNull(),
  power: powerMgmt.through('23.11').elseNull(),
  tresFmtStr: text,
  resvName: text.since('23.02').else(null),
  topologyStr: text.since('25.05').else(null),
});

/** A decoded node record. */
export type NodeRecord = Decoded<typeof nodeRecord>;
