/**
 * What the embedded slurmctld tells beside what real ones told: the same cluster and the same jobs as in fixtures/golden, field for field, in
 * every version that was recorded. Times, numbers and names differ; what is null, 0, NO_VAL or INFINITE, and how long lists are, does not.
 */
import { describe, expect, test } from 'vitest';
import {
  decodeBody,
  INFINITE,
  INFINITE16,
  type MessageName,
  NO_VAL,
  NO_VAL16,
  NO_VAL64,
  type Release,
} from '../../src/protocol/index.js';
import { JOB_STATES } from '../../src/protocol/messages/job-state.js';
import { fromHex, type GoldenReply, goldenReplies, releaseOfProtocol } from '../support/golden.js';
import { EmbeddedController } from './support/embedded-controller.js';

type Tree = Readonly<Record<string, unknown>>;

/** Releases whose daemons were asked. The release candidate of 26.11 had one job waiting that ran elsewhere. */
const RECORDED: readonly Release[] = ['20.11', '22.05', '24.11', '26.05', '26.11'];
const replies = goldenReplies().filter(({ source }) => source === 'slurmctld');

/** A cluster with the jobs of the recorded ones, in their order, under their numbers. */
async function recordedCluster(release: Release): Promise<EmbeddedController> {
  const slurm = new EmbeddedController({
    release,
    nodes: Array.from({ length: 6 }, (_, i) => ({
      name: `node${i + 1}`,
      cpus: 8,
      memory: 4000,
      features: 'fast,ib',
    })),
    parameters: { ClusterName: 'lab', KillWait: '3', SlurmctldParameters: 'enable_configless' },
  });
  const { world, life } = slurm;
  for (const node of world.nodes.values()) node.port = 6818;
  world.nextJobId = release === '20.11' ? 2 : 1;
  const steps = [
    { nodes: 2, tasks: 2 },
    { nodes: 1, tasks: 1 },
  ];
  slurm.submit({ nodes: 2, tasks: 4, timeLimit: 120, comment: 'Grüße', steps });
  slurm.submit({ array: '0-5%2' });
  slurm.submit({ components: [{ tasks: 2 }], steps: [{ nodes: 1 }] });
  slurm.submit({ hold: true });
  slurm.submit({ dependency: 'afterok:1', mailUser: 'alice@example.org' });
  slurm.submit({ begin: new Date(Date.now() + 3_600_000), requeue: false });
  slurm.submit({ licenses: 'matlab:2' });
  const suspended = slurm.submit();
  const done = [JOB_STATES.JOB_COMPLETE, JOB_STATES.JOB_FAILED, JOB_STATES.JOB_CANCELLED] as const;
  const over = done.map((state) => ({ job: slurm.submit(), state }));
  slurm.submit();
  await slurm.scheduled();
  life.suspend(suspended);
  for (const { job, state } of over) life.end(job, state);
  await slurm.scheduled();
  for (const { job } of over) job.exitCode = 0;
  const [, failed, cancelled] = over.map(({ job }) => job);
  Object.assign(failed as object, { exitCode: 768, reason: 24 });
  Object.assign(cancelled as object, { exitCode: release === '26.05' ? 36608 : 15 });
  return slurm;
}

/** What a value is like, whatever it is. */
function like(value: unknown): unknown {
  if (value === null) return null;
  if (Array.isArray(value)) return value.length === 0 ? 'empty list' : 'list';
  if (typeof value === 'object')
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, like(one)]));
  if (typeof value === 'string') return 'text';
  if (value === INFINITE || value === INFINITE16) return 'INFINITE';
  if (value === NO_VAL || value === NO_VAL16 || value === NO_VAL64) return 'NO_VAL';
  if (typeof value === 'boolean') return value;
  return Number(value) === 0 ? 0 : 'number';
}

/** Paths at which two values are not alike, each with what it is there and here. */
function unlike(there: unknown, here: unknown, path = ''): string[] {
  const lists = [there, here];
  if (areRecordLists(lists)) {
    const [a, b] = lists;
    if (a.length !== b.length) return [`${path}: ${a.length} ≠ ${b.length} records`];
    return a.flatMap((one, i) => unlike(one, b[i], path));
  }
  const isRecord = (one: unknown) => one !== null && typeof one === 'object' && !Array.isArray(one);
  if (!isRecord(there) || !isRecord(here)) {
    const [a, b] = [like(there), like(here)].map((one) => JSON.stringify(one));
    return a === b ? [] : [`${path}: ${a} ≠ ${b}`];
  }
  const keys = new Set([...Object.keys(there as Tree), ...Object.keys(here as Tree)]);
  return [...keys].flatMap((key) =>
    unlike((there as Tree)[key], (here as Tree)[key], path === '' ? key : `${path}.${key}`),
  );
}

function areRecordLists(values: unknown[]): values is [Tree[], Tree[]] {
  return values.every(
    (one) =>
      Array.isArray(one) &&
      one.every((item) => typeof item === 'object' && item !== null && !Array.isArray(item)),
  );
}

/** Pairs of a recorded answer and ours to the same question, in each version. */
async function pairs(
  name: string,
  release: Release,
): Promise<{ golden: GoldenReply; there: Tree; here: Tree }[]> {
  const slurm = await recordedCluster(release);
  const found = replies.filter((reply) => reply.case === name && reply.release.startsWith(release));
  const answers = found.map(async (golden) => {
    const spoken = releaseOfProtocol(golden.v);
    const asked = golden.request.name as MessageName;
    const question = decodeBody(asked, spoken, fromHex(golden.request.hex));
    const told = await slurm.ask(asked, question as never, { release: spoken });
    expect(told.name, `${release} ${golden.v}`).toBe(golden.name);
    const there = decodeBody(golden.name as MessageName, spoken, fromHex(golden.hex)) as unknown as Tree;
    return { golden, there, here: told.record as unknown as Tree };
  });
  return Promise.all(answers);
}

/** Records of a list by a key, so that order does not matter. */
function byKey(list: unknown, key: (record: Tree) => string): Map<string, Tree> {
  return new Map((list as readonly Tree[]).map((record) => [key(record), record]));
}

/** What differs, each with the releases in which it does. */
function gathered(
  found: readonly { release: string; differences: readonly string[] }[],
): Record<string, string> {
  const releases = new Map<string, Set<string>>();
  for (const { release, differences } of found)
    for (const one of differences) releases.set(one, (releases.get(one) ?? new Set()).add(release));
  return Object.fromEntries([...releases].map(([one, set]) => [one, [...set].sort().join(' ')]).sort());
}

async function compare(
  name: string,
  differ: (pair: { there: Tree; here: Tree; golden: GoldenReply }) => readonly string[],
): Promise<Record<string, string>> {
  const found: { release: string; differences: readonly string[] }[] = [];
  for (const release of RECORDED)
    for (const pair of await pairs(name, release)) found.push({ release, differences: differ(pair) });
  return gathered(found);
}

const withoutList = (list: string) => (answer: Tree) =>
  Object.fromEntries(Object.entries(answer).filter(([key]) => key !== list));

/** In which job a record is, whatever its number is in this run. */
function listsDiffer(list: string, key: (record: Tree) => string, without: readonly string[] = []) {
  return ({ there, here }: { there: Tree; here: Tree }) => {
    const [a, b] = [byKey(there[list], key), byKey(here[list], key)];
    const keys = [...new Set([...a.keys(), ...b.keys()])].filter((one) => !without.includes(one));
    const rest = withoutList(list);
    return [
      ...keys.flatMap((one) =>
        a.has(one) && b.has(one)
          ? unlike(a.get(one), b.get(one))
          : [`${one}: ${a.has(one) ? 'only there' : 'only here'}`],
      ),
      ...unlike(rest(there), rest(here)),
    ];
  };
}

const jobKey = ({ jobId }: Tree) => `job ${String(jobId)}`;

const stepKey = ({ stepId }: Tree) =>
  `step ${String((stepId as Tree).jobId)}.${String((stepId as Tree).stepId)}`;
const ALL = '20.11 22.05 24.11 26.05 26.11';

/** What the recorded jobs asked for and those of an embedded cluster cannot: memory, features, --exclusive, mail, a file as their script. */
const ASKED_FOR = {
  'command: "text" ≠ null': ALL,
  'exclusive: "number" ≠ 0': '26.05 26.11',
  'features: "text" ≠ null': ALL,
  'mailType: "number" ≠ 0': ALL,
  'pnMinMemory: "number" ≠ 0': ALL,
  'shared: 0 ≠ "NO_VAL"': ALL,
};
/** Which cores a job has is not kept, nor which of them its steps use. */
const CORES = {
  'jobResources.coreBitmapUsed.set: "empty list" ≠ "list"': ALL,
  'jobResources.nextStepNodeInx: "number" ≠ 0': '24.11 26.05 26.11',
  'jobResources.wholeNode: "number" ≠ 0': '20.11 22.05 24.11 26.05',
};

describe('jobs', () => {
  test('every field of every record', async () => {
    const told = await compare('job-info-detail', listsDiffer('jobs', jobKey));
    expect(told).toEqual({
      ...ASKED_FOR,
      ...CORES,
      // There backfill started them.
      'timeLimit: "number" ≠ "INFINITE"': ALL,
      // The recorded one ran for a second or two before it was suspended.
      'preSusTime: "number" ≠ 0': ALL,
      // Of the held job.
      'maxNodes: "number" ≠ 0': '24.11 26.05 26.11',
      // There one job waited for a node that was drained.
      ...Object.fromEntries(
        Object.keys(told)
          .filter((one) => told[one] === '26.11')
          .map((one) => [one, '26.11']),
      ),
    });
  });

  test.each([
    'job-single-array',
    'job-single-het-detail',
    'job-info-list-brief',
    'job-info-none',
    'job-user',
    'job-user-none',
  ])('%s: the same records', async (name) => {
    for (const release of RECORDED) {
      for (const { there, here } of await pairs(name, release)) {
        const ids = ({ jobs }: Tree) => (jobs as readonly Tree[]).map(({ jobId }) => Number(jobId));
        // All jobs come in an order of their own there.
        const order =
          name === 'job-user' ? (list: number[]) => list.sort((a, b) => a - b) : (list: number[]) => list;
        expect(order(ids(here)), `${release} ${name}`).toEqual(order(ids(there)));
      }
    }
  });

  test.each([
    'job-single-unknown',
    'steps-unknown-job',
    'step-layout-unknown',
    'ping',
    'fed-info',
    'job-state-array',
  ])('%s: the very answer', async (name) => {
    for (const release of RECORDED)
      for (const { there, here } of await pairs(name, release)) expect(here).toEqual(there);
  });

  test('job-state-all: the very states', async () => {
    for (const release of RECORDED)
      for (const { there, here } of await pairs('job-state-all', release))
        expect(sorted(here)).toEqual(
          sorted(there).map((job) => (release === '26.11' && job.jobId === 13 ? { ...job, state: 1 } : job)),
        );
  });
});

function sorted({ jobs }: Tree): Tree[] {
  return [...(jobs as readonly Tree[])].sort((a, b) => Number(a.jobId) - Number(b.jobId));
}

describe('steps', () => {
  test.each(['steps-all', 'steps-of-job'])('%s: every field of every record', async (name) => {
    expect(await compare(name, listsDiffer('jobSteps', stepKey, ['step 13.4294967291']))).toEqual({
      'runTime: "number" ≠ 0': ALL,
    });
  });

  test.each(['step-layout-0', 'step-layout-batch'])('%s', async (name) => {
    // After somebody asked for the allocation with another cluster's name.
    expect(await compare(name, ({ there, here }) => unlike(there, here))).toEqual({
      'slurmStepLayout.netCred: "text" ≠ null': '24.11 26.05',
    });
  });
});

describe('allocations', () => {
  test.each(['alloc-info', 'alloc-info-other-cluster', 'het-alloc-info'])('%s', async (name) => {
    const path = name === 'het-alloc-info' ? 'list.pnMinMemory' : 'pnMinMemory';
    const told = await compare(name, ({ there, here }) => unlike(there, here));
    expect(told).toEqual({ [`${path}: "number" ≠ 0`]: ALL });
  });
});

describe('nodes and partitions', () => {
  const nodeKey = ({ name }: Tree) => String(name);
  test.each(['node-info-detail', 'node-info-brief', 'node-single'])('%s', async (name) => {
    const told = await compare(name, listsDiffer('nodes', nodeKey, ['node3', 'node4', 'node5', 'node6']));
    expect(told).toEqual({});
  });

  test('partitions', async () => {
    const differ = listsDiffer('partitions', ({ name }) => String(name), ['busy', 'none']);
    // The recorded ones named their nodes: these have Nodes=ALL.
    expect(await compare('partitions', differ)).toEqual({ 'nodesets: null ≠ "text"': '24.11 26.05' });
  });
});

describe('the cluster', () => {
  test('build-info', async () => {
    expect(await compare('build-info', ({ there, here }) => unlike(there, here))).toEqual({
      // The recorded clusters had these in slurm.conf.
      'commParams: "text" ≠ null': ALL,
      'licenses: "text" ≠ null': ALL,
      'schedParams: "text" ≠ null': ALL,
      'slurmctldLogfile: "text" ≠ null': ALL,
      'slurmdParams: "text" ≠ null': ALL,
      // auth/none.
      'authinfo: null ≠ "text"': '26.11',
      'hashVal: "number" ≠ "NO_VAL"': ALL,
      'mpiConf: "list" ≠ null': '24.11',
    });
  });

  test('control-status, config-client', async () => {
    expect(await compare('control-status', ({ there, here }) => unlike(there, here))).toEqual({});
    const files = ({ configFiles }: Tree) =>
      configFiles === null
        ? null
        : (configFiles as readonly Tree[])
            .map(({ fileName, exists }) => `${String(fileName)} ${String(exists)}`)
            .sort();
    for (const release of RECORDED)
      for (const { there, here } of await pairs('config-client', release))
        expect(files(here)).toEqual(files(there));
  });
});

test('every version that a recorded release speaks was compared', () => {
  const seen = new Set(replies.map(({ release, v }) => `${release.slice(0, 5)}/${v}`));
  expect(seen.size).toBe(16);
});
