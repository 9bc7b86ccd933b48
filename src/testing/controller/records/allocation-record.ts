/**
 * What a job has been given, as `build_job_info_resp` of each release fills it.
 *
 * Source: answers of live slurmctld of 20.11, 22.05, 24.11, 26.05 and 26.11 (`fixtures/golden/replies-*`).
 */
import { compressHostlist } from '../../../config/index.js';
import { AF_INET } from '../../../protocol/address.js';
import { jobAllocationInfo } from '../../../protocol/messages/job-allocation-info.js';
import { headerVersionOf } from '../../../protocol/release.js';
import { NO_VAL } from '../../../protocol/sentinels.js';
import type { Encodable } from '../../../protocol/wire-type.js';
import type { Job } from '../../model/job.js';
import { since } from '../handler.js';
import { carriedIn } from './carried.js';
import { batchHostOf, cpusOn } from './job-facts.js';
import { isCarried, type RecordContext, runLengths } from './record-context.js';

export type AllocationInput = Encodable<typeof jobAllocationInfo>;

/** @param reqCluster name of the caller's cluster: another one is told where this is. */
export function allocationOf(job: Job, reqCluster: string | null, context: RecordContext): AllocationInput {
  const { world, release } = context;
  const { jobId, spec, user, nodes } = job;
  const groups = runLengths(cpusOn(job, nodes, world));
  const isElsewhere = reqCluster !== null && reqCluster !== world.clusterName;
  const sluid = since(context, '25.11') ? job.sluid : 0n;
  return carriedIn(jobAllocationInfo, release, {
    account: spec.account,
    batchHost: batchHostOf(job),
    environment: [],
    errorCode: 0,
    gid: user.gid,
    groupName: user.name,
    jobSubmitUserMsg: null,
    jobId,
    stepId: { sluid, jobId, stepId: NO_VAL, stepHetComp: NO_VAL },
    nodeCnt: nodes.length,
    nodeAddr:
      isElsewhere && !isCarried(context, '23.11') ? nodes.map((name) => addressOf(name, context)) : null,
    nodeList: compressHostlist(nodes),
    ntasksPerBoard: 0,
    ntasksPerCore: 0xffff,
    ntasksPerTres: 0,
    ntasksPerSocket: 0xffff,
    numCpuGroups: groups.values.length,
    cpusPerNode: groups.values,
    cpuCountReps: groups.reps,
    partition: spec.partition.split(',')[0] ?? null,
    pnMinMemory: 0n,
    qos: spec.qos,
    resvName: spec.reservation,
    selectJobinfo: { pluginId: 109 },
    uid: user.uid,
    userName: user.name,
    workingClusterRec: isElsewhere ? clusterRecord(context) : null,
  });
}

function addressOf(name: string, { world }: RecordContext) {
  return { family: AF_INET, address: '127.0.0.1', port: world.nodes.get(name)?.port ?? 0 } as const;
}

function clusterRecord(context: RecordContext): NonNullable<AllocationInput['workingClusterRec']> {
  const { world, own } = context;
  const primary = world.place?.controllers[0];
  return {
    accountingList: null,
    classification: 0,
    controlHost: primary?.host ?? null,
    controlPort: primary?.port ?? 0,
    dimensions: 0,
    fed: { featureList: null, name: null, id: 0, state: 0, syncRecvd: false, syncSent: false },
    flags: 0,
    name: world.clusterName,
    nodes: null,
    ...(isCarried(context, '24.05') ? {} : { pluginIdSelect: since(context, '23.11') ? NO_VAL : 109 }),
    rootAssoc: NO_ASSOCIATION,
    rpcVersion: headerVersionOf(own),
    fedRecv: 0,
    fedSend: 0,
    tresStr: null,
  };
}

const NO_ASSOCIATION = {
  accountingList: null,
  acct: null,
  cluster: null,
  defQosId: NO_VAL,
  flags: 0,
  sharesRaw: NO_VAL,
  grpTresMins: null,
  grpTresRunMins: null,
  grpTres: null,
  grpJobs: NO_VAL,
  grpJobsAccrue: NO_VAL,
  grpSubmitJobs: NO_VAL,
  grpWall: NO_VAL,
  id: 0,
  isDef: 0,
  maxTresMinsPj: null,
  maxTresRunMins: null,
  maxTresPj: null,
  maxTresPn: null,
  maxJobs: NO_VAL,
  maxJobsAccrue: NO_VAL,
  minPrioThresh: NO_VAL,
  maxSubmitJobs: NO_VAL,
  maxWallPj: NO_VAL,
  parentAcct: null,
  parentId: 0,
  partition: null,
  priority: 0,
  qosList: null,
  uid: 0,
  user: null,
} as const;
