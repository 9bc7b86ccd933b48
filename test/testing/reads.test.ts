/** What the embedded slurmctld tells, asked through our own client, in every release. */
import { describe, expect, it } from 'vitest';
import { connect, type SlurmClient } from '../../src/index.js';
import {
  type MessageInput,
  type MessageName,
  type MessageRecord,
  NO_VAL,
  RELEASE_NAMES,
  RELEASES,
  type Release,
  SPECIAL_STEP_IDS,
} from '../../src/protocol/index.js';
import { SHOW_FLAGS } from '../../src/protocol/messages/show-flags.js';
import { isAtLeast } from '../../src/protocol/release.js';
import { type ClusterOptions, type EmbeddedCluster, startCluster } from '../../src/testing/index.js';
import { EmbeddedController } from './support/embedded-controller.js';

type Clients = Record<'alice' | 'bob' | 'root' | 'olga' | 'carl', SlurmClient>;

const USERS: NonNullable<ClusterOptions['users']> = [
  { name: 'alice', uid: 2001 },
  { name: 'bob', uid: 2002 },
  { name: 'olga', uid: 2003, adminLevel: 'Operator' },
  { name: 'carl', uid: 2004, coordinates: ['physics'] },
];

/** Runs on a fresh cluster, with a client of each user. */
async function on(
  options: ClusterOptions & { readonly release: Release },
  work: (cluster: EmbeddedCluster, as: Clients) => Promise<void>,
): Promise<void> {
  await using cluster = await startCluster({ nodes: 4, users: USERS, slurmUser: 'root', ...options });
  const names = ['alice', 'bob', 'root', 'olga', 'carl'] as const;
  const clients = await Promise.all(
    names.map((user) => connect({ ...cluster.options(user), protocol: options.release })),
  );
  try {
    await work(cluster, Object.fromEntries(names.map((name, i) => [name, clients[i]])) as unknown as Clients);
  } finally {
    await Promise.all(clients.map((client) => client.close()));
  }
}

/** The number an answer is, or its record. */
async function ask<N extends MessageName>(
  client: SlurmClient,
  name: N,
  body: MessageInput<N>,
): Promise<unknown> {
  const { name: answer, record } = await client.request(name, body);
  return answer === 'RESPONSE_SLURM_RC' ? (record as { returnCode: number }).returnCode : record;
}

const ALL = { showFlags: SHOW_FLAGS.SHOW_ALL };
const stepOf = (jobId: number, stepId: number = NO_VAL) => ({
  stepId: { jobId, stepId, stepHetComp: NO_VAL },
});
const ids = (record: unknown) =>
  (record as MessageRecord<'RESPONSE_JOB_INFO'>).jobs.map(({ jobId }) => jobId);

describe.each(RELEASE_NAMES)('%s', (release) => {
  it('jobs, arrays and components as probe sees them', () =>
    on({ release }, async (cluster, { alice }) => {
      const job = cluster.submit({ user: 'alice', nodes: 2, name: 'plain' });
      const array = cluster.submit({ user: 'alice', array: '0-5%2' });
      const het = cluster.submit({ user: 'alice', components: [{ nodes: 1 }] });
      await cluster.waitForJob(het.jobId, 'RUNNING');

      const plain = await alice.probe(job.jobId);
      expect(plain).toMatchObject({
        exists: true,
        mine: true,
        maySignal: true,
        state: 'RUNNING',
        protocol: release,
      });
      expect(plain.jobs).toMatchObject([
        { nodes: 'n[1-2]', batch: true, arrayJobId: null, hetJobId: null, cron: false },
      ]);

      const tasks = await alice.probe(`${array.jobId}`);
      expect(tasks.jobs.map(({ target, state }) => `${target} ${state}`)).toEqual([
        `${array.jobId}_[2-5] PENDING`,
        `${array.jobId}_1 RUNNING`,
        `${array.jobId}_0 RUNNING`,
      ]);
      expect(await alice.probe(`${array.jobId}_3`)).toMatchObject({ exists: true, state: 'PENDING' });
      expect(await alice.probe(`${array.jobId}_9`)).toMatchObject({ exists: false });

      const parts = await alice.probe(het.jobId);
      expect(parts.jobs.map(({ target, hetJobOffset }) => [target, hetJobOffset])).toEqual([
        [`${het.jobId}+0`, 0],
        [`${het.jobId}+1`, 1],
      ]);
      expect(await alice.probe(`${het.jobId}+1`)).toMatchObject({
        exists: true,
        jobs: [{ jobId: het.jobId + 1 }],
      });
      expect(await alice.probe(999)).toMatchObject({ exists: false, mayBeHidden: true });
    }));

  it('steps', () =>
    on({ release }, async (cluster, { alice }) => {
      const { jobId } = cluster.submit({
        user: 'alice',
        nodes: 2,
        steps: [{ nodes: 2, tasks: 5, name: 'big' }, { nodes: 1 }],
      });
      await cluster.waitForJob(jobId, ({ steps }) => steps.length === 3);
      expect(await alice.probe(`${jobId}.0`)).toMatchObject({
        exists: true,
        steps: [{ nodes: 'n[1-2]', state: 'RUNNING' }],
      });
      expect(await alice.probe(`${jobId}.batch`)).toMatchObject({ exists: true, steps: [{ nodes: 'n1' }] });
      expect(await alice.probe(`${jobId}.7`)).toMatchObject({ exists: false });
      const plan = await alice.explain('signalJobStep', `${jobId}.0`, 'SIGUSR1');
      expect(plan.requests.map(({ node }) => node)).toEqual(['n1', 'n2']);

      expect(await ask(alice, 'REQUEST_STEP_LAYOUT', stepOf(jobId, 0))).toMatchObject({
        slurmStepLayout: {
          nodeList: 'n[1-2]',
          nodeCnt: 2,
          taskCnt: 5,
          tids: [
            [0, 1, 2],
            [3, 4],
          ],
        },
      });
      const { SLURM_BATCH_SCRIPT } = SPECIAL_STEP_IDS;
      const steps = (await ask(alice, 'REQUEST_JOB_STEP_INFO', {
        ...stepOf(jobId),
        ...ALL,
      })) as MessageRecord<'RESPONSE_JOB_STEP_INFO'>;
      expect(steps.jobSteps.map(({ stepId, name, numTasks }) => [stepId.stepId, name, numTasks])).toEqual([
        [SLURM_BATCH_SCRIPT, 'batch', 1],
        [0, 'big', 5],
        [1, 'step', 1],
      ]);
      const none = await ask(alice, 'REQUEST_JOB_STEP_INFO', { ...stepOf(jobId, 9), ...ALL });
      expect(none).toMatchObject({ jobSteps: [] });
    }));

  it('numbers for what is not there, not yet, or not any more', () =>
    on({ release }, async (cluster, { alice }) => {
      const empty = await ask(alice, 'REQUEST_JOB_STEP_INFO', { ...stepOf(999), ...ALL });
      expect(empty).toMatchObject({ jobSteps: [] });
      const waits = cluster.submit({ user: 'alice', hold: true });
      const ended = cluster.submit({ user: 'alice', runsForMs: 1 });
      const het = cluster.submit({ user: 'alice', components: [{}] });
      await cluster.waitForJob(ended.jobId, ({ isGone }) => isGone);
      await cluster.waitForJob(het.jobId, 'RUNNING');
      const numbers = async (jobId: number) => [
        await ask(alice, 'REQUEST_STEP_LAYOUT', stepOf(jobId, 0)),
        await ask(alice, 'REQUEST_JOB_ALLOCATION_INFO', { jobId }),
        await ask(alice, 'REQUEST_HET_JOB_ALLOC_INFO', { jobId }),
      ];
      expect(await numbers(999)).toEqual([2017, 2017, 2017]);
      expect(await numbers(waits.jobId)).toEqual([2024, 2024, 2024]);
      expect(await numbers(ended.jobId)).toEqual([2021, 2021, 2021]);
      expect(await numbers(het.jobId + 1)).toMatchObject([2017, { nodeCnt: 1 }, 2107]);
      expect(await numbers(het.jobId)).toMatchObject([2017, { nodeCnt: 1 }, { list: [{}, {}] }]);
      expect(await ask(alice, 'REQUEST_JOB_INFO_SINGLE', { jobId: 999, ...ALL })).toBe(2017);
      expect(await ask(alice, 'REQUEST_JOB_STEP_INFO', { ...stepOf(999), ...ALL })).toBe(2017);
    }));

  it('who sees what, with PrivateData=jobs', () =>
    on({ release, privateData: ['jobs'] }, async (cluster, as) => {
      const { jobId } = cluster.submit({ user: 'alice', account: 'physics', steps: [{}] });
      await cluster.waitForJob(jobId, ({ steps }) => steps.length === 2);
      const seen = await Promise.all(
        Object.values(as).map(async (client) => [
          ids(await ask(client, 'REQUEST_JOB_INFO', { ...ALL })).length,
          ids(await ask(client, 'REQUEST_JOB_INFO', { ...ALL, jobIds: [jobId] })).length,
          ids(await ask(client, 'REQUEST_JOB_USER_INFO', { ...ALL, userId: 2001 })).length,
          typeof (await ask(client, 'REQUEST_JOB_INFO_SINGLE', { ...ALL, jobId })),
          (
            (await ask(client, 'REQUEST_JOB_STEP_INFO', { ...ALL, ...stepOf(jobId) })) as {
              jobSteps: unknown[];
            }
          ).jobSteps.length,
          typeof (await ask(client, 'REQUEST_STEP_LAYOUT', stepOf(jobId, 0))),
        ]),
      );
      const all = [1, 1, 1, 'object', 2, 'object'];
      expect(seen).toEqual([all, [0, 0, 0, 'number', 0, 'number'], all, all, all]);
      expect(await ask(as.bob, 'REQUEST_STEP_LAYOUT', stepOf(jobId, 0))).toBe(2002);
      expect(await ask(as.bob, 'REQUEST_JOB_ALLOCATION_INFO', { jobId })).toBe(2002);
      expect(await ask(as.bob, 'REQUEST_JOB_INFO_SINGLE', { jobId, ...ALL })).toBe(2017);
      expect(await as.bob.probe(jobId)).toMatchObject({ exists: false, mayBeHidden: true });
      // Which has no eye for it, where there is such a message.
      if (isAtLeast(release, '23.11'))
        expect(await ask(as.bob, 'REQUEST_JOB_STATE', {})).toMatchObject({ jobs: [{ jobId, state: 1 }] });
    }));

  it('nodes: who may ask, what they say of slurmds that are down, older or drained', () =>
    on({ release, privateData: ['nodes', 'partitions'] }, async (cluster, { alice, olga }) => {
      cluster.submit({ user: 'alice', tasks: 3 });
      await cluster.waitForJob(1, 'RUNNING');
      await cluster.daemon('n4').stop();
      expect(await ask(alice, 'REQUEST_NODE_INFO', ALL)).toBe(2002);
      expect(await ask(alice, 'REQUEST_NODE_INFO_SINGLE', { nodeName: 'n1', ...ALL })).toBe(2002);
      expect(await ask(alice, 'REQUEST_PARTITION_INFO', ALL)).toBe(2002);
      const { nodes } = (await ask(olga, 'REQUEST_NODE_INFO', ALL)) as MessageRecord<'RESPONSE_NODE_INFO'>;
      expect(nodes.map(({ name, nodeState, allocCpus }) => [name, nodeState, allocCpus])).toEqual([
        ['n1', 3, 3],
        ['n2', 2, 0],
        ['n3', 2, 0],
        ['n4', 0x801, 0],
      ]);
      expect(nodes[0]?.version?.startsWith(release)).toBe(true);
      expect(nodes[0]?.port).toBe(cluster.daemon('n1').endpoint.port);
      expect(await ask(olga, 'REQUEST_NODE_INFO_SINGLE', { nodeName: 'n2', ...ALL })).toMatchObject({
        nodes: [{ name: 'n2' }],
      });
      expect(await ask(olga, 'REQUEST_NODE_INFO_SINGLE', { nodeName: 'n9', ...ALL })).toMatchObject({
        nodes: [],
      });
      expect(await ask(olga, 'REQUEST_PARTITION_INFO', ALL)).toMatchObject({
        partitions: [{ name: 'main', totalNodes: 4 }],
      });
      expect(await ask(olga, 'REQUEST_RESERVATION_INFO', {})).toMatchObject({ reservations: [] });
    }));

  it('how it is configured', () =>
    on(
      {
        release,
        backups: 1,
        parameters: { KillWait: '7', TreeWidth: '4', SchedulerParameters: 'defer', MessageTimeout: '11' },
      },
      async (cluster, { alice }) => {
        const told = (await ask(alice, 'REQUEST_BUILD_INFO', {})) as MessageRecord<'RESPONSE_BUILD_INFO'>;
        expect(told).toMatchObject({
          killWait: 7,
          treeWidth: 4,
          schedParams: 'defer',
          msgTimeout: 11,
          clusterName: 'embedded',
          controlAddr: ['127.0.0.1', '127.0.0.2'],
          slurmConf: cluster.slurmConf,
        });
        expect(told.version?.startsWith(release)).toBe(true);
        const later = told.lastUpdate + 10n;
        expect(await ask(alice, 'REQUEST_BUILD_INFO', { lastUpdate: later })).toBe(1900);
        for (const name of ['REQUEST_JOB_INFO', 'REQUEST_NODE_INFO', 'REQUEST_JOB_STEP_INFO'] as const)
          expect(await ask(alice, name, { lastUpdate: later, ...ALL }), name).toBe(1900);
        expect(await ask(alice, 'REQUEST_CONTROL_STATUS', {})).toMatchObject({ backupInx: 0 });
        expect(await ask(alice, 'REQUEST_FED_INFO', {})).toEqual({ federation: null });
        expect(await ask(alice, 'REQUEST_CONFIG', { flags: 0 })).toBe(2126);
      },
    ));

  it('answers in every protocol that it takes', async () => {
    const slurm = new EmbeddedController({
      release,
      nodes: 3,
      parameters: { SlurmctldParameters: 'enable_configless' },
    });
    slurm.submit({
      nodes: 2,
      tasks: 4,
      licenses: 'matlab:2',
      timeLimit: 5,
      nodeList: 'n1',
      exclude: 'n3',
      steps: [{}],
    });
    slurm.submit({ array: '0-70%1', comment: 'Grüße' });
    slurm.submit({ components: [{}], cron: '5 4 * * * backup' });
    await slurm.scheduled();
    const row = RELEASES.find((one) => one.release === release);
    const spoken = RELEASES.filter(
      ({ protocol }) => row !== undefined && protocol >= row.oldestAccepted && protocol <= row.protocol,
    );
    for (const { release: protocol } of spoken) {
      const told = <N extends MessageName, A extends MessageName>(
        name: N,
        record: MessageInput<N>,
        answer: A,
      ) => slurm.told(name, record, answer, { release: protocol });
      const { jobs } = await told('REQUEST_JOB_INFO', { showFlags: 3 }, 'RESPONSE_JOB_INFO');
      expect(jobs.map(({ jobId, cronspec }) => [jobId, cronspec])).toEqual([
        [1, null],
        [2, null],
        [3, '5 4 * * *'],
        [4, '5 4 * * *'],
        [5, null],
      ]);
      await told('REQUEST_JOB_STEP_INFO', { showFlags: 3 }, 'RESPONSE_JOB_STEP_INFO');
      await told('REQUEST_STEP_LAYOUT', stepOf(1, 0), 'RESPONSE_STEP_LAYOUT');
      await told(
        'REQUEST_JOB_ALLOCATION_INFO',
        { jobId: 1, reqCluster: 'elsewhere' },
        'RESPONSE_JOB_ALLOCATION_INFO',
      );
      await told('REQUEST_HET_JOB_ALLOC_INFO', { jobId: 3 }, 'RESPONSE_HET_JOB_ALLOCATION');
      await told('REQUEST_NODE_INFO', { showFlags: 3 }, 'RESPONSE_NODE_INFO');
      await told('REQUEST_BUILD_INFO', {}, 'RESPONSE_BUILD_INFO');
      await told('REQUEST_PARTITION_INFO', ALL, 'RESPONSE_PARTITION_INFO');
      await told('REQUEST_CONFIG', { flags: 0 }, 'RESPONSE_CONFIG');
      if (!isAtLeast(release, '23.11') || !isAtLeast(protocol, '23.11')) continue;
      const state = await told('REQUEST_JOB_STATE', { jobIds: [{ jobId: 2 }] }, 'RESPONSE_JOB_STATE');
      expect(state.jobs.map(({ jobId, arrayTaskId }) => [jobId, arrayTaskId])).toEqual([
        [5, 0],
        [2, NO_VAL],
      ]);
      await told('REQUEST_NODE_ALIAS_ADDRS', { nodeList: 'n[1-2]' }, 'RESPONSE_NODE_ALIAS_ADDRS');
      expect(
        await slurm.ask('REQUEST_NODE_ALIAS_ADDRS', { nodeList: 'm[1-2]' }, { release: protocol }),
      ).toMatchObject({
        record: { returnCode: 1900 },
      });
    }
    await slurm.life.close();
  });
});

describe('jobs that are over', () => {
  const gone = { hold: true, user: 'alice' } as const;

  it('are forgotten after MinJobAge; arrays and components as a whole', () => {
    const { world, ...slurm } = cancelledJobs();
    const [plain, array, het] = slurm.jobs;
    const now = plain.endTime + 300;
    expect(world.jobs.purge(300, now - 1)).toBe(false);
    het.state = 1;
    expect(world.jobs.purge(300, now)).toBe(true);
    expect([...world.jobs.keys()]).toEqual([het.jobId, het.jobId + 1]);
    expect(world.jobs.ofArray(array.jobId)).toEqual([]);
    het.state = 4;
    world.jobs.purge(300, now + 1);
    expect(world.jobs.size).toBe(0);
  });

  it('never are with MinJobAge=0, nor the record of an array of which a task is still there', () => {
    const { world, life, jobs } = cancelledJobs();
    const now = jobs[0].endTime + 1_000_000;
    expect(world.jobs.purge(0, now)).toBe(false);
    jobs[1].array?.waiting.add(0).add(1);
    const task = life.splitTask(jobs[1], 0);
    world.jobs.purge(300, now);
    expect([...world.jobs.keys()]).toEqual([jobs[1].jobId, task.jobId]);
    expect(world.jobs.withSluid(task.sluid)).toBe(task);
  });

  it('are forgotten by whoever asks next', async () => {
    await on({ release: '26.05', parameters: { MinJobAge: '1' } }, async (cluster, { alice }) => {
      const { jobId } = cluster.submit({ user: 'alice', runsForMs: 1 });
      await cluster.waitForJob(jobId, ({ isGone }) => isGone);
      await expect.poll(async () => (await alice.probe(jobId)).exists, { timeout: 5_000 }).toBe(false);
      expect(cluster.job(jobId)).toBeNull();
    });
  });

  function cancelledJobs() {
    const slurm = new EmbeddedController();
    const jobs = [
      slurm.submit(gone),
      slurm.submit({ ...gone, array: '0-3' }),
      slurm.submit({ ...gone, components: [{}] }),
    ] as const;
    for (const job of [...slurm.world.jobs.values()]) slurm.life.cancelPending(job);
    return { world: slurm.world, life: slurm.life, jobs };
  }
});

describe('since 25.11 a job is found by its sluid', () => {
  it.each(['25.05', '25.11', '26.11'] as const)('%s', async (release) => {
    const slurm = new EmbeddedController({ release });
    const job = slurm.submit({ hold: true });
    const other = slurm.submit({ hold: true });
    const stepId = { sluid: job.sluid, jobId: other.jobId, stepId: NO_VAL, stepHetComp: NO_VAL };
    const protocol = release === '25.05' ? { jobId: other.jobId } : { stepId };
    const { jobs } = await slurm.told(
      'REQUEST_JOB_INFO_SINGLE',
      { ...protocol, ...ALL },
      'RESPONSE_JOB_INFO',
    );
    expect(jobs.map(({ jobId }) => jobId)).toEqual([release === '25.05' ? other.jobId : job.jobId]);
    if (release === '25.05') return;
    const wrong = { ...stepId, sluid: 77n };
    expect(await slurm.ask('REQUEST_JOB_INFO_SINGLE', { stepId: wrong, ...ALL })).toMatchObject({
      record: { returnCode: 2017 },
    });
  });
});

describe('a job with a step manager', () => {
  it.each(['24.05', '24.11', '26.05'] as const)('%s', (release) =>
    on(
      { release, parameters: { SlurmctldParameters: 'enable_stepmgr' } },
      async (cluster, { alice, bob }) => {
        const { jobId } = cluster.submit({ user: 'alice', nodes: 2, steps: [{ nodes: 2 }, {}] });
        await cluster.waitForJob(jobId, ({ steps }) => steps.length === 3);
        for (const client of [alice, bob]) {
          expect(await client.probe(`${jobId}.0`)).toMatchObject({
            exists: true,
            steps: [{ nodes: 'n[1-2]' }],
          });
          expect(await client.probe(`${jobId}.7`)).toMatchObject({ exists: false });
        }
        expect(cluster.requests).toContainEqual(
          expect.objectContaining({ to: 'n1', name: 'REQUEST_JOB_STEP_INFO' }),
        );
        expect(await ask(alice, 'REQUEST_STEP_LAYOUT', stepOf(jobId, 0))).toMatchObject({
          slurmStepLayout: { nodeCnt: 2 },
        });
        await expect(alice.killJobStep(`${jobId}.7`, 'SIGUSR1')).rejects.toMatchObject({
          errno: 'ESRCH',
          outcome: 'not-sent',
        });
        expect(await alice.killJobStep(`${jobId}.0`, 'SIGUSR1')).toMatchObject({ outcome: 'accepted' });
        await ask(alice, 'REQUEST_PING', {});
        await expect
          .poll(() => cluster.signals.map(({ stepId, node }) => [stepId, node]))
          .toEqual([
            [0, 'n1'],
            [0, 'n2'],
          ]);
      },
    ),
  );

  it('is not known to older releases, nor named while the job is suspended', async () => {
    const old = new EmbeddedController({ release: '23.11' });
    expect(() => old.submit({ stepManager: true })).toThrow(/stepManager/);
    const slurm = new EmbeddedController({ release: '26.05' });
    const job = slurm.submit({ stepManager: true, steps: [{}] });
    await slurm.scheduled();
    const steps = () =>
      slurm.told('REQUEST_JOB_STEP_INFO', { ...stepOf(job.jobId), ...ALL }, 'RESPONSE_JOB_STEP_INFO');
    expect(await steps()).toMatchObject({
      stepmgrJobs: [{ jobId: job.jobId, stepmgr: 'n1' }],
      jobSteps: [{ name: 'batch' }],
    });
    slurm.life.suspend(job);
    expect(await steps()).toMatchObject({ stepmgrJobs: null, jobSteps: [{ name: 'batch' }] });
  });
});

it('tells of ten thousand jobs', async () => {
  const slurm = new EmbeddedController({ nodes: 100 });
  for (let i = 0; i < 2_000; i++) slurm.submit({ hold: i % 2 === 0, comment: `${i}` });
  slurm.submit({ array: '0-1000' });
  for (let i = 0; i < 8_000; i++) slurm.submit({ hold: true });
  await slurm.scheduled();
  const { jobs } = await slurm.told('REQUEST_JOB_INFO', { showFlags: 3 }, 'RESPONSE_JOB_INFO');
  expect(jobs.length).toBeGreaterThan(10_000);
  expect(jobs.length).toBe(slurm.world.jobs.size);
  await slurm.life.close();
});
