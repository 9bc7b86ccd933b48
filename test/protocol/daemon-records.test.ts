/** What the decoded answers of real daemons say, held against what `scontrol show` of the same release printed at that moment. */
import { describe, expect, test } from 'vitest';
import {
  decodeBody,
  type JobRecord,
  type JobStepRecord,
  jobStateName,
  type MessageName,
  type MessageRecord,
  NO_VAL,
  type NodeRecord,
  nodeStateFlags,
  nodeStateName,
  PARTITION_FLAGS,
  PARTITION_STATES,
  type PartitionRecord,
  SPECIAL_STEP_IDS,
} from '../../src/protocol/index.js';
import {
  fromHex,
  type GoldenReply,
  goldenReplies,
  goldenShows,
  releaseOfProtocol,
} from '../support/golden.js';

const shows = goldenShows();
const replies = goldenReplies();

function repliesTo(label: string): (readonly [title: string, reply: GoldenReply])[] {
  return replies
    .filter((reply) => reply.case === label)
    .map((reply) => [`${reply.release} v${reply.v}`, reply] as const);
}

function recordOf<N extends MessageName>(name: N, reply: GoldenReply): MessageRecord<N> {
  return decodeBody(name, releaseOfProtocol(reply.v), fromHex(reply.hex));
}

/** The blocks of a show, each beginning with `key=`. Names and comments hold line breaks. */
function blocks(
  reply: GoldenReply,
  what: 'job' | 'node' | 'step' | 'partition' | 'reservation',
  key: string,
): string[] {
  const text = shows.get(reply.release)?.[what] ?? expect.fail(`no show of ${reply.release}`);
  return text.split(new RegExp(`(?<=^|\\n)(?=${key}=)`)).map((block) => block.trimEnd());
}

/** The value of a key, as far as the next blank; null for `(null)` and where there is no such key. */
function shown(block: string, key: string): string | null {
  const value = new RegExp(`(?:^|\\s)${key}=(\\S*)`).exec(block)?.[1] ?? '(null)';
  return value === '(null)' ? null : value;
}

/** `scontrol` ran in UTC. */
function seconds(text: string | null): bigint {
  return BigInt(Date.parse(`${text}Z`) / 1000);
}

describe('jobs', () => {
  test.each(repliesTo('job-info-detail'))('%s', (_, reply) => {
    const { jobs, recordCount } = recordOf('RESPONSE_JOB_INFO', reply);
    const expected = blocks(reply, 'job', 'JobId');
    expect(expected.length).toBeGreaterThan(14);
    expect(recordCount).toBe(expected.length);
    expect(jobs.map(summaryOfJob)).toEqual(expected.map(summaryOfShownJob));
  });

  function summaryOfJob(job: JobRecord) {
    const array = job.arrayJobId === 0 ? null : String(job.arrayJobId);
    const het = job.hetJobId === 0 ? null : String(job.hetJobId);
    return {
      jobId: String(job.jobId),
      stepId: { ...job.stepId, sluid: 0n },
      array,
      het,
      name: job.name,
      user: job.userId,
      group: job.groupId,
      state: jobStateName(job.jobState),
      partition: job.partition,
      nodes: job.nodes,
      batchHost: job.batchHost,
      numNodes: job.numNodes,
      numCpus: job.numCpus,
      priority: job.priority,
      requeue: job.requeue,
      submitTime: job.submitTime,
      eligibleTime: job.eligibleTime,
      workDir: job.workDir,
      stdIn: job.stdIn,
    };
  }

  function summaryOfShownJob(block: string): ReturnType<typeof summaryOfJob> {
    const number = (key: string) => Number.parseInt(shown(block, key) ?? 'none', 10);
    const id = (key: string) => Number(/\((\d+)\)/.exec(shown(block, key) ?? '')?.[1]);
    const jobId = shown(block, 'JobId') as string;
    return {
      jobId,
      stepId: { sluid: 0n, jobId: Number(jobId), stepId: 0xfffffffe, stepHetComp: 0xfffffffe },
      array: shown(block, 'ArrayJobId'),
      het: shown(block, 'HetJobId'),
      name: /\sJobName=(.*?)\s(?:UserId|HetJobIdSet|SLUID)=/s.exec(block)?.[1] ?? null,
      user: id('UserId'),
      group: id('GroupId'),
      state: shown(block, 'JobState') as string,
      partition: shown(block, 'Partition'),
      nodes: shown(block, 'NodeList') || null,
      batchHost: shown(block, 'BatchHost'),
      numNodes: number('NumNodes'),
      numCpus: number('NumCPUs'),
      priority: number('Priority'),
      requeue: number('Requeue'),
      submitTime: seconds(shown(block, 'SubmitTime')),
      eligibleTime: shown(block, 'EligibleTime') === 'Unknown' ? 0n : seconds(shown(block, 'EligibleTime')),
      workDir: shown(block, 'WorkDir'),
      stdIn: shown(block, 'StdIn'),
    };
  }

  const sluids = repliesTo('job-info-detail').filter(
    ([, { release, v }]) => v >= 44 && release.startsWith('26'),
  );

  test.each(sluids)('%s: sluids', (_, reply) => {
    const { jobs } = recordOf('RESPONSE_JOB_INFO', reply);
    const expected = blocks(reply, 'job', 'JobId').map((block) => shown(block, 'SLUID'));
    expect(jobs.map(({ stepId }) => sluidText(stepId.sluid))).toEqual(expected);
  });

  /** The top 4 bits, then 5 at a time, in Crockford's base 32. */
  function sluidText(sluid: bigint): string {
    const digits = Array.from({ length: 13 }, (_, i) => Number((sluid >> BigInt(60 - 5 * i)) & 31n));
    return `s${digits.map((digit) => '0123456789ABCDEFGHJKMNPQRSTVWXYZ'[digit]).join('')}`;
  }

  test.each(repliesTo('job-info-detail'))(
    '%s: resources and lists where there is an allocation',
    (_, reply) => {
      const { jobs } = recordOf('RESPONSE_JOB_INFO', reply);
      for (const { jobResources, nodes, nodeInx, numNodes, jobState } of jobs) {
        if (jobState !== 1) continue;
        expect([jobResources?.nodes, jobResources?.nhosts]).toEqual([nodes, numNodes]);
        expect(nodeInx?.set).toHaveLength(numNodes);
        // An exclusive job holds all cores of its nodes.
        if (jobResources?.wholeNode === 0) {
          expect(jobResources.coreBitmap?.set).toHaveLength(jobResources.ncpus);
        }
      }
      const brief = replies.find((other) => other.case === 'job-info-list-brief' && other.v === reply.v);
      const { jobs: some } = recordOf('RESPONSE_JOB_INFO', brief as GoldenReply);
      expect(some.map((job) => job.jobResources)).toEqual(some.map(() => null));
    },
  );

  test.each(repliesTo('job-state-all'))('%s: the short answer says the same', (_, reply) => {
    const { jobs } = recordOf('RESPONSE_JOB_STATE', reply);
    const states = (list: string[]) => [...list].sort();
    const expected = blocks(reply, 'job', 'JobId').map(
      (block) => `${shown(block, 'JobId')} ${shown(block, 'JobState')}`,
    );
    expect(states(jobs.map(({ jobId, state }) => `${jobId} ${jobStateName(state)}`))).toEqual(
      states(expected),
    );
  });
});

describe('nodes', () => {
  const FLAGS: Readonly<Record<string, string>> = {
    DRAIN: 'NODE_STATE_DRAIN',
    NOT_RESPONDING: 'NODE_STATE_NO_RESPOND',
    PLANNED: 'NODE_STATE_PLANNED',
  };

  test.each(repliesTo('node-info-detail'))('%s', (_, reply) => {
    const { nodes, recordCount } = recordOf('RESPONSE_NODE_INFO', reply);
    const expected = blocks(reply, 'node', 'NodeName');
    expect(recordCount).toBe(6);
    expect(nodes.map(summaryOfNode)).toEqual(expected.map(summaryOfShownNode));
  });

  function summaryOfNode(node: NodeRecord) {
    const base = nodeStateName(node.nodeState);
    return {
      name: node.name,
      hostname: node.nodeHostname,
      addr: node.nodeAddr,
      port: node.port,
      version: node.version,
      // scontrol makes MIXED of it itself.
      state: base === 'ALLOCATED' && node.allocCpus < node.cpus ? 'MIXED' : base,
      flags: nodeStateFlags(node.nodeState).sort(),
      cpus: node.cpus,
      allocCpus: node.allocCpus,
      realMemory: node.realMemory,
      weight: node.weight,
      features: node.features,
      active: node.featuresAct,
    };
  }

  function summaryOfShownNode(block: string): ReturnType<typeof summaryOfNode> {
    const [state, ...flags] = (shown(block, 'State') ?? '').split('+');
    return {
      name: shown(block, 'NodeName'),
      hostname: shown(block, 'NodeHostName'),
      addr: shown(block, 'NodeAddr'),
      port: Number(shown(block, 'Port')),
      version: shown(block, 'Version'),
      state: state as string,
      flags: flags.map((flag) => FLAGS[flag] as ReturnType<typeof nodeStateFlags>[number]).sort(),
      cpus: Number(shown(block, 'CPUTot')),
      allocCpus: Number(shown(block, 'CPUAlloc')),
      realMemory: BigInt(shown(block, 'RealMemory') ?? -1),
      weight: Number(shown(block, 'Weight')),
      features: shown(block, 'AvailableFeatures'),
      active: shown(block, 'ActiveFeatures'),
    };
  }

  test.each(repliesTo('node-single'))('%s: one node alone', (_, reply) => {
    const { nodes } = recordOf('RESPONSE_NODE_INFO', reply);
    expect(nodes.map(({ name }) => name)).toEqual(['node2']);
  });
});

describe('steps', () => {
  test.each(repliesTo('steps-all'))('%s', (_, reply) => {
    const { jobSteps, jobStepCount } = recordOf('RESPONSE_JOB_STEP_INFO', reply);
    expect(jobStepCount).toBe(jobSteps.length);
    const expected = blocks(reply, 'step', 'StepId').map(summaryOfShownStep);
    expect(expected.length).toBeGreaterThan(8);
    const decoded = new Map(jobSteps.map(summaryOfStep).map((step) => [step.stepId, step]));
    expect(expected.map(({ stepId }) => decoded.get(stepId))).toEqual(expected);
  });

  function summaryOfStep(step: JobStepRecord) {
    const { jobId, stepId } = step.stepId;
    const job = step.arrayJobId === 0 ? `${jobId}` : `${step.arrayJobId}_${step.arrayTaskId}`;
    const name = stepId === SPECIAL_STEP_IDS.SLURM_BATCH_SCRIPT ? 'batch' : `${stepId}`;
    return {
      stepId: `${job}.${name}`,
      user: step.userId,
      state: jobStateName(step.state),
      partition: step.partition,
      nodes: step.nodes,
      cpus: step.numCpus,
      tasks: step.numTasks,
      name: step.name,
      startTime: step.startTime,
    };
  }

  function summaryOfShownStep(block: string): ReturnType<typeof summaryOfStep> {
    return {
      stepId: shown(block, 'StepId') as string,
      user: Number(shown(block, 'UserId')),
      state: shown(block, 'State') as string,
      partition: shown(block, 'Partition'),
      nodes: shown(block, 'NodeList'),
      cpus: Number(shown(block, 'CPUs')),
      tasks: Number(shown(block, 'Tasks')),
      name: shown(block, 'Name'),
      startTime: seconds(shown(block, 'StartTime')),
    };
  }

  test.each(repliesTo('step-layout-0'))(
    '%s: the layout of a step has the nodes of its record',
    (_, reply) => {
      const { slurmStepLayout: layout } = recordOf('RESPONSE_STEP_LAYOUT', reply);
      const asked = decodeBody('REQUEST_STEP_LAYOUT', releaseOfProtocol(reply.v), fromHex(reply.request.hex));
      const all = replies.find(
        (other) => other.case === 'steps-all' && other.release === reply.release && other.v === reply.v,
      );
      const { jobSteps } = recordOf('RESPONSE_JOB_STEP_INFO', all as GoldenReply);
      const step = jobSteps.find(
        ({ stepId }) => stepId.jobId === asked.stepId.jobId && stepId.stepId === asked.stepId.stepId,
      );
      expect([layout?.nodeList, layout?.taskCnt]).toEqual([step?.nodes, step?.numTasks]);
      expect(layout?.tids.flat().sort()).toEqual(Array.from({ length: layout?.taskCnt ?? 0 }, (_v, i) => i));
    },
  );
});

describe('partitions', () => {
  test.each(repliesTo('partitions'))('%s', (_, reply) => {
    const { partitions, recordCount } = recordOf('RESPONSE_PARTITION_INFO', reply);
    expect(recordCount).toBe(3);
    const expected = blocks(reply, 'partition', 'PartitionName').map(summaryOfShownPartition);
    expect(partitions.map((partition) => summaryOfPartition(partition, reply))).toEqual(expected);
  });

  function summaryOfPartition(one: PartitionRecord, { release }: GoldenReply) {
    const state = Object.entries(PARTITION_STATES).find(([, value]) => value === one.stateUp)?.[0];
    const limit = (value: number) => (value === 0xffffffff ? 'UNLIMITED' : `${value}`);
    const minutes = (value: number, none: string) =>
      value >= NO_VAL ? none : `${`${Math.floor(value / 60)}`.padStart(2, '0')}:00:00`;
    const flag = (name: keyof typeof PARTITION_FLAGS) => (one.flags & PARTITION_FLAGS[name]) !== 0;
    return {
      name: one.name,
      nodes: one.nodes,
      state: state?.slice('PARTITION_'.length) ?? null,
      maxTime: minutes(one.maxTime, 'UNLIMITED'),
      defaultTime: minutes(one.defaultTime, 'NONE'),
      maxNodes: limit(one.maxNodes),
      minNodes: one.minNodes,
      graceTime: one.graceTime,
      maxCpus: limit(one.maxCpusPerNode),
      totalNodes: one.totalNodes,
      totalCpus: one.totalCpus,
      job: one.priorityJobFactor,
      tier: one.priorityTier,
      default: flag('PART_FLAG_DEFAULT'),
      hidden: flag('PART_FLAG_HIDDEN'),
      exclusive: flag('PART_FLAG_EXCLUSIVE_USER'),
      lln: flag('PART_FLAG_LLN'),
      reqResv: flag('PART_FLAG_REQ_RESV'),
      rootOnly: flag('PART_FLAG_ROOT_ONLY'),
      groups: one.allowGroups ?? 'ALL',
      accounts: one.allowAccounts ?? 'ALL',
      allocNodes: one.allowAllocNodes ?? 'ALL',
      alternate: one.alternate,
      denyQos: one.denyQos,
      weights: one.billingWeightsStr,
      // 20.11 does not print it, but says it on the wire.
      tres: release < '21' ? null : one.tresFmtStr,
      defaults:
        one.jobDefaultsList?.map(({ type, value }) => `${JOB_DEFAULTS[type]}=${value}`).join(',') ?? null,
      share: (one.maxShare & 0x8000) === 0 ? 'NO' : `FORCE:${one.maxShare & 0x7fff}`,
      overTime: one.overTimeLimit === 0xfffe ? 'NONE' : `${one.overTimeLimit}`,
      memPerNode: one.maxMemPerCpu === 0n ? 'UNLIMITED' : `${one.maxMemPerCpu}`,
      memPerCpu: one.defMemPerCpu < 1n << 63n ? null : `${one.defMemPerCpu - (1n << 63n)}`,
    };
  }

  function summaryOfShownPartition(block: string): ReturnType<typeof summaryOfPartition> {
    const yes = (key: string) => shown(block, key) === 'YES';
    const text = (key: string) => shown(block, key) as string;
    return {
      name: shown(block, 'PartitionName'),
      nodes: shown(block, 'Nodes'),
      state: shown(block, 'State'),
      maxTime: text('MaxTime'),
      defaultTime: text('DefaultTime'),
      maxNodes: text('MaxNodes'),
      minNodes: Number(shown(block, 'MinNodes')),
      graceTime: Number(shown(block, 'GraceTime')),
      maxCpus: text('MaxCPUsPerNode'),
      totalNodes: Number(shown(block, 'TotalNodes')),
      totalCpus: Number(shown(block, 'TotalCPUs')),
      job: Number(shown(block, 'PriorityJobFactor')),
      tier: Number(shown(block, 'PriorityTier')),
      default: yes('Default'),
      hidden: yes('Hidden'),
      exclusive: yes('ExclusiveUser') || shown(block, 'Exclusive') === 'USER',
      lln: yes('LLN'),
      reqResv: yes('ReqResv'),
      rootOnly: yes('RootOnly'),
      groups: text('AllowGroups'),
      accounts: text('AllowAccounts'),
      allocNodes: text('AllocNodes'),
      alternate: shown(block, 'Alternate'),
      denyQos: shown(block, 'DenyQos'),
      weights: shown(block, 'TRESBillingWeights'),
      tres: shown(block, 'TRES'),
      defaults: shown(block, 'JobDefaults'),
      share: text('OverSubscribe'),
      overTime: text('OverTimeLimit'),
      memPerNode: text('MaxMemPerNode'),
      memPerCpu: shown(block, 'DefMemPerCPU'),
    };
  }

  const JOB_DEFAULTS: Readonly<Record<number, string>> = { 1: 'DefCpuPerGPU', 2: 'DefMemPerGPU' };

  test.each(repliesTo('reservations'))('%s: reservations', (_, reply) => {
    const { reservations, recordCount } = recordOf('RESPONSE_RESERVATION_INFO', reply);
    expect(recordCount).toBe(2);
    const decoded = reservations.map((one) => ({
      name: one.name,
      start: one.startTime,
      end: one.endTime,
      nodes: one.nodeList,
      nodeCount: [one.nodeCnt, one.nodeInx?.set.length],
      cores: one.coreCnt,
      partition: one.partition,
      tres: one.tresStr,
      users: one.users,
      delay: one.maxStartDelay === 0 ? null : `0${one.maxStartDelay / 3600}:00:00`,
    }));
    const expected = blocks(reply, 'reservation', 'ReservationName').map((block) => ({
      name: shown(block, 'ReservationName'),
      start: seconds(shown(block, 'StartTime')),
      end: seconds(shown(block, 'EndTime')),
      nodes: shown(block, 'Nodes'),
      nodeCount: [Number(shown(block, 'NodeCnt')), Number(shown(block, 'NodeCnt'))],
      cores: Number(shown(block, 'CoreCnt')),
      partition: shown(block, 'PartitionName'),
      tres: shown(block, 'TRES'),
      users: shown(block, 'Users'),
      delay: shown(block, 'MaxStartDelay'),
    }));
    expect(decoded).toEqual(expected);
  });
});

describe('the controller', () => {
  test.each(repliesTo('build-info'))('%s: its configuration', (_, reply) => {
    const info = recordOf('RESPONSE_BUILD_INFO', reply);
    expect(info.version).toBe(reply.release);
    expect(info.clusterName).toMatch(/^lab/);
    expect(info.controlMachine).toHaveLength(1);
    expect(info.slurmConf).toMatch(/\/slurm\.conf$/);
    expect([info.msgTimeout, info.tcpTimeout, info.maxStepCnt]).toEqual([
      expect.any(Number),
      expect.any(Number),
      40000,
    ]);
    expect(info.slurmctldPortCount).toBe(1);
    expect(info.prolog).toEqual([]);
    expect(info.bootTime > 1795305600n && info.bootTime <= 1795392000n).toBe(true);
  });

  test.each(repliesTo('config-client'))('%s: its files', (_, reply) => {
    const { config, configFiles, slurmdSpooldir } = recordOf('RESPONSE_CONFIG', reply);
    const file = configFiles?.find(({ fileName }) => fileName === 'slurm.conf');
    expect(reply.v === 36 ? config : file?.fileContent).toContain('SlurmctldHost=');
    expect(slurmdSpooldir).toBeNull();
  });

  test.each(repliesTo('control-status'))('%s: it is the primary and in control', (_, reply) => {
    const { backupInx, controlTime } = recordOf('RESPONSE_CONTROL_STATUS', reply);
    expect(backupInx).toBe(0);
    expect(controlTime).toBeGreaterThan(0n);
  });

  test.each(repliesTo('alloc-info'))('%s: an allocation has the nodes of its job', (_, reply) => {
    const allocation = recordOf('RESPONSE_JOB_ALLOCATION_INFO', reply);
    const block = blocks(reply, 'job', 'JobId').find(
      (one) => shown(one, 'JobId') === String(allocation.jobId),
    ) as string;
    expect([allocation.nodeList, allocation.partition]).toEqual([
      shown(block, 'NodeList'),
      shown(block, 'Partition'),
    ]);
    expect(allocation.stepId.jobId).toBe(allocation.jobId);
    expect(allocation.cpusPerNode).toHaveLength(allocation.numCpuGroups);
    expect(allocation.workingClusterRec).toBeNull();
    const other = replies.find(
      (one) => one.case === 'alloc-info-other-cluster' && one.release === reply.release && one.v === reply.v,
    );
    const { workingClusterRec } = recordOf('RESPONSE_JOB_ALLOCATION_INFO', other as GoldenReply);
    expect(workingClusterRec?.name).toMatch(/^lab/);
    expect(workingClusterRec?.rpcVersion).toBeGreaterThanOrEqual(reply.v * 256);
  });
});
