/** Slurmds that are older than their controller: in which version they are spoken to, and what becomes of those that do not take it. */
import { describe, expect, it } from 'vitest';
import type { ConfNode } from '../../src/config/index.js';
import { RELEASE_NAMES, RELEASES, type Release } from '../../src/protocol/index.js';
import type { LinkSetup } from '../../src/rpc/controller-link.js';
import { newestOf, oldestTaken, slurmdVersion } from '../../src/rpc/version-choice.js';
import { FakeSlurmds, nodeNames } from './support/fan-out.js';
import {
  clientIn,
  FakeController,
  type FakeJob,
  type FakeNode,
  type FakeStep,
} from './support/fan-out-controller.js';
import { noStrayTrouble } from './support/leaks.js';
import { failureOf } from './support/setup.js';

noStrayTrouble();

const [EXTERN, BATCH, INTERACTIVE] = [0xfffffffc, 0xfffffffb, 0xfffffffa];

interface Given {
  readonly controller?: Release;
  readonly jobs?: FakeJob[];
  readonly steps: FakeStep[];
  readonly nodes?: FakeNode[];
  /** Of the slurmds. */
  readonly releases: Readonly<Record<string, Release>>;
  readonly link?: Partial<LinkSetup>;
}

async function world(given: Given) {
  const { controller: release = '26.05', releases } = given;
  const controller = await FakeController.start(release);
  controller.jobs = given.jobs ?? [{ jobId: 7 }];
  controller.steps = given.steps;
  controller.nodes = given.nodes ?? [];
  const slurmds = new FakeSlurmds();
  for (const [node, own] of Object.entries(releases)) slurmds.releases.set(node, own);
  // Of slurm.conf, so that slurmds know each other.
  const nodes = Object.keys(releases).map((name) => ({ name, address: name, port: 6818, state: 'UNKNOWN' }));
  const client = clientIn(controller, slurmds, {
    findsVersion: true,
    release: '26.11',
    nodes: nodes as unknown as ConfNode[],
    nodeAddress: undefined,
    ...given.link,
  });
  return {
    client,
    controller,
    slurmds,
    /** What reached whom, in which version. */
    received: () => slurmds.received.map(({ node, frame }) => `${node} ${frame.release}`).toSorted(),
    [Symbol.asyncDispose]: async () => {
      await client.close();
      await controller.peer.close();
      expect(slurmds.faults).toEqual([]);
    },
  };
}

const told = (names: readonly string[], release: Release): FakeNode[] =>
  names.map((name) => ({ name, version: `${release}.5` }));
const all = (names: readonly string[], release: Release) =>
  Object.fromEntries(names.map((name) => [name, release]));

describe('the version for slurmds', () => {
  const rows = RELEASES.map(({ release, protocol, oldestAccepted }) => ({
    release,
    protocol,
    oldestAccepted,
  }));
  const isTaken = (slurmd: Release, version: Release) => {
    const own = rows.find(({ release }) => release === slurmd);
    const asked = rows.find(({ release }) => release === version);
    if (own === undefined || asked === undefined) throw new Error('no such release');
    return asked.protocol >= own.oldestAccepted && asked.protocol <= own.protocol;
  };
  /** Releases that slurmds of a controller may be of. */
  const slurmdsOf = (controller: Release) => RELEASE_NAMES.filter((one) => isTaken(controller, one));

  it('is taken by all slurmds of any mix that a controller takes, and by the controller', () => {
    for (const controller of RELEASE_NAMES) {
      const possible = slurmdsOf(controller);
      for (const a of possible) {
        for (const b of possible) {
          const version = slurmdVersion(controller, [a, b]);
          for (const one of [a, b, controller])
            expect(isTaken(one, version), `${controller} ${a} ${b}`).toBe(true);
          // The newest such.
          expect([a, b]).toContain(version);
        }
      }
    }
  });

  it('the oldest that a controller takes is taken by all its slurmds', () => {
    for (const controller of RELEASE_NAMES)
      for (const slurmd of slurmdsOf(controller)) expect(isTaken(slurmd, oldestTaken(controller))).toBe(true);
  });

  it('is that of the controller where nothing is known, and never one that it does not take', () => {
    expect(slurmdVersion('26.05', [])).toBe('26.05');
    expect(slurmdVersion('26.05', [null, null])).toBe('26.05');
    // The step is older than the slurmds are by now.
    expect(slurmdVersion('26.05', ['22.05'])).toBe('24.11');
    // auth/slurm, which all daemons of the cluster know then.
    expect(slurmdVersion('24.11', ['23.02'], '23.11')).toBe('23.11');
    expect(slurmdVersion('26.05', ['24.11'], '23.11')).toBe('24.11');
    // A slurmd is never newer.
    expect(slurmdVersion('24.11', ['26.05'])).toBe('24.11');
    expect(newestOf(null)).toBeNull();
    expect(newestOf('24.11.5')).toBe('24.11');
    expect(newestOf('27.05.0')).toBe('26.11');
    expect(newestOf('19.05.1')).toBeNull();
  });
});

describe('a controller of 26.05 with slurmds of 24.11', () => {
  const nodes = nodeNames(4);
  const old = all(nodes, '24.11');
  const step = { jobId: 7, stepId: 0, nodes: 'n[1-4]', startedIn: '24.11' } as const;

  it.each(['direct', 'tree'] as const)(
    'signalJob, signalJobStep and terminateJobStep arrive (%s)',
    async (fanOut) => {
      await using on = await world({ steps: [step], releases: old });
      const options = { fanOut, treeWidth: 2 };
      const results = [
        await on.client.signalJob(7, 'SIGUSR1', options),
        await on.client.signalJobStep('7.0', 'SIGUSR1', options),
        await on.client.terminateJobStep('7.0', options),
      ];
      for (const result of results) {
        expect(result).toMatchObject({ outcome: 'accepted', protocol: '24.11' });
        expect(result.nodes.map(({ node, protocol }) => `${node} ${protocol}`)).toEqual(
          nodes.map((node) => `${node} 24.11`),
        );
      }
      expect(on.received()).toEqual(nodes.flatMap((node) => Array(3).fill(`${node} 24.11`)));
      expect(on.slurmds.contacts).toHaveLength(3 * (fanOut === 'direct' ? 4 : 2));
      // The step's record told: nobody else was asked.
      expect(on.controller.count('REQUEST_NODE_INFO')).toBe(0);
      expect(on.controller.count('REQUEST_NODE_INFO_SINGLE')).toBe(0);
      expect(on.slurmds.pings).toEqual([]);
    },
  );

  it('the batch step: the node table tells, as its record has the version of whoever submitted it', async () => {
    const batch = { jobId: 7, stepId: BATCH, nodes: 'n1', startedIn: '26.05' } as const;
    await using on = await world({
      jobs: [{ jobId: 7, batchFlag: 1, batchHost: 'n1' }],
      steps: [batch],
      nodes: told(['n1'], '24.11'),
      releases: old,
    });
    expect(await on.client.signalJobStep('7.batch', 'SIGUSR1')).toMatchObject({ protocol: '24.11' });
    expect(on.received()).toEqual(['n1 24.11']);
    expect(on.controller.count('REQUEST_NODE_INFO_SINGLE')).toBe(1);
  });

  it.each([
    ['interactive', INTERACTIVE],
    ['extern', EXTERN],
  ] as const)('the %s step: likewise', async (name, stepId) => {
    await using on = await world({
      steps: [{ jobId: 7, stepId, nodes: 'n2', startedIn: '26.05' }],
      nodes: told(['n2'], '24.11'),
      releases: old,
    });
    await on.client.signalJobStep(`7.${name}`, 'SIGUSR1');
    expect(on.received()).toEqual(['n2 24.11']);
  });

  it('all steps of a job, one of them interactive on a node of its own', async () => {
    await using on = await world({
      steps: [
        { jobId: 7, stepId: 0, nodes: 'n[1-2]', startedIn: '25.05' },
        { jobId: 7, stepId: INTERACTIVE, nodes: 'n[2-3]', startedIn: '26.05' },
      ],
      nodes: told(['n3'], '24.11'),
      releases: { n1: '25.05', n2: '25.05', n3: '24.11' },
    });
    await on.client.signalJob(7, 'SIGUSR1');
    expect(on.received()).toEqual(['n1 24.11', 'n2 24.11', 'n3 24.11']);
    expect(on.controller.count('REQUEST_NODE_INFO_SINGLE')).toBe(1);
  });

  it('steps of several parts: each part in its own version', async () => {
    await using on = await world({
      jobs: [
        { jobId: 7, arrayJobId: 7, arrayTaskId: 0 },
        { jobId: 8, arrayJobId: 7, arrayTaskId: 1 },
      ],
      steps: [
        { jobId: 7, stepId: 0, nodes: 'n1', startedIn: '24.11' },
        { jobId: 8, stepId: 0, nodes: 'n5', startedIn: '26.05' },
      ],
      releases: { n1: '24.11', n5: '26.05' },
    });
    const result = await on.client.signalJob(7, 'SIGUSR1');
    expect(on.received()).toEqual(['n1 24.11', 'n5 26.05']);
    // The oldest spoken.
    expect(result.protocol).toBe('24.11');
    expect(result.nodes.map(({ protocol }) => protocol)).toEqual(['24.11', '26.05']);
  });

  it('with addresses of slurm.conf too: the version alone is asked for', async () => {
    await using on = await world({
      jobs: [{ jobId: 7, batchFlag: 1, batchHost: 'n1' }],
      steps: [],
      nodes: [{ name: 'n1', version: '24.11.5', nodeAddr: 'elsewhere' }],
      releases: old,
    });
    await on.client.signalJobStep('7.batch', 'SIGUSR1');
    expect(on.slurmds.contacts).toEqual(['n1']);
    expect(on.received()).toEqual(['n1 24.11']);
  });

  it('a protocol that was given is spoken, whatever the steps say', async () => {
    await using on = await world({
      steps: [{ ...step, startedIn: '24.11' }],
      releases: all(nodes, '26.05'),
      link: { findsVersion: false, release: '26.05' },
    });
    expect(await on.client.signalJob(7, 'SIGUSR1')).toMatchObject({ protocol: '26.05' });
    expect(on.received()).toEqual(nodes.map((node) => `${node} 26.05`));
  });
});

describe('slurmds that were upgraded under a running step', () => {
  it('take the version it was started in', async () => {
    await using on = await world({
      steps: [{ jobId: 7, stepId: 0, nodes: 'n[1-2]', startedIn: '24.11' }],
      releases: { n1: '26.05', n2: '25.05' },
    });
    await on.client.signalJob(7, 'SIGUSR1');
    expect(on.received()).toEqual(['n1 24.11', 'n2 24.11']);
  });

  it('a step from before what the controller takes: the oldest that it does', async () => {
    await using on = await world({
      steps: [{ jobId: 7, stepId: 0, nodes: 'n[1-2]', startedIn: '22.05' }],
      releases: { n1: '26.05', n2: '24.11' },
    });
    await on.client.signalJob(7, 'SIGUSR1');
    expect(on.received()).toEqual(['n1 24.11', 'n2 24.11']);
  });
});

/** The step says 26.05, and some slurmds are older: put back since, or the record is wrong. */
describe('a slurmd that does not take the version', () => {
  const nodes = nodeNames(6);
  const step = { jobId: 7, stepId: 0, nodes: 'n[1-6]', startedIn: '26.05' } as const;
  const mixed = (node: string, release: Release) => ({ ...all(nodes, '26.05'), [node]: release });

  it.each(['24.11', '25.05', '25.11'] as const)(
    'of %s gets it once more, in one that it takes',
    async (release) => {
      await using on = await world({ steps: [step], releases: mixed('n3', release) });
      const result = await on.client.signalJob(7, 'SIGUSR1', { fanOut: 'direct' });
      expect(result.nodes.map(({ protocol }) => protocol)).toEqual(
        nodes.map((node) => (node === 'n3' ? '24.11' : '26.05')),
      );
      for (const node of nodes) expect(on.slurmds.timesOf(node)).toBe(1);
      // A close is told apart by three harmless questions; an answer in its own version says it all.
      const asked = on.slurmds.pings.map(({ node, release: version }) => `${node} ${version}`);
      expect(asked).toEqual(
        release === '25.05' || release === '25.11' ? [] : ['n3 26.05', 'n3 24.11', 'n3 26.05'],
      );
    },
  );

  it.each(['24.11', '25.05'] as const)(
    'at the root of a tree (%s): its whole branch gets it once',
    async (release) => {
      await using on = await world({ steps: [step], releases: mixed('n1', release) });
      const result = await on.client.signalJob(7, 'SIGUSR1', { fanOut: 'tree', treeWidth: 2 });
      expect(result.nodes.map(({ node, protocol }) => `${node} ${protocol}`)).toEqual([
        ...['n1 24.11', 'n2 24.11', 'n3 24.11'],
        ...['n4 26.05', 'n5 26.05', 'n6 26.05'],
      ]);
      for (const node of nodes) expect(on.slurmds.timesOf(node)).toBe(1);
      expect(result.nodes.every(({ perhapsTwice }) => !perhapsTwice)).toBe(true);
    },
  );

  it('below the root of a tree: unknown, and nothing again', async () => {
    await using on = await world({ steps: [step], releases: mixed('n2', '24.11') });
    const error = await failureOf(on.client.signalJob(7, 'SIGUSR1', { fanOut: 'tree', treeWidth: 2 }));
    expect(error).toMatchObject({ outcome: 'partial' });
    const entry = error.nodes?.find(({ node }) => node === 'n2');
    expect(entry).toMatchObject({ outcome: 'unknown', protocol: '26.05', number: 5005 });
    for (const node of nodes) expect(on.slurmds.timesOf(node)).toBe(node === 'n2' ? 0 : 1);
  });

  it('a slurmd that closes for another reason is not sent it again: unknown', async () => {
    await using on = await world({ steps: [step], releases: all(nodes, '26.05') });
    on.slurmds.set('n3', { kind: 'close' });
    const error = await failureOf(on.client.signalJob(7, 'SIGUSR1', { fanOut: 'direct' }));
    expect(error.nodes?.find(({ node }) => node === 'n3')).toMatchObject({ outcome: 'unknown' });
    expect(on.slurmds.timesOf('n3')).toBe(1);
    // It takes the version: asked once.
    expect(on.slurmds.pings).toEqual([{ node: 'n3', release: '26.05' }]);
  });

  it('one that refuses the credential, by closing: unknown', async () => {
    await using on = await world({ steps: [step], releases: mixed('n3', '24.11') });
    on.slurmds.distrustful.add('n3');
    const error = await failureOf(on.client.signalJob(7, 'SIGUSR1', { fanOut: 'direct' }));
    expect(error.nodes?.find(({ node }) => node === 'n3')).toMatchObject({ outcome: 'unknown' });
    expect(on.slurmds.timesOf('n3')).toBe(0);
    expect(on.slurmds.pings).toHaveLength(2);
  });

  it('one that took it and could not sign its answer, as its munged was restarted meanwhile: unknown', async () => {
    await using on = await world({
      controller: '22.05',
      steps: [{ ...step, startedIn: '22.05' }],
      releases: all(nodes, '22.05'),
    });
    on.slurmds.set('n3', { kind: 'close' });
    // Its munged is back between the two questions.
    on.slurmds.distrustsPings.set('n3', 1);
    const error = await failureOf(on.client.signalJob(7, 'SIGUSR1', { fanOut: 'direct' }));
    expect(error.nodes?.find(({ node }) => node === 'n3')).toMatchObject({ outcome: 'unknown' });
    expect(on.slurmds.timesOf('n3')).toBe(1);
  });

  it('one of 26.05 that refuses the credential of an older version: says so, and is not asked again', async () => {
    await using on = await world({
      steps: [{ ...step, startedIn: '25.05' }],
      releases: all(nodes, '26.05'),
    });
    on.slurmds.distrustful.add('n3');
    const error = await failureOf(on.client.signalJob(7, 'SIGUSR1', { fanOut: 'direct' }));
    expect(error.nodes?.find(({ node }) => node === 'n3')).toMatchObject({
      outcome: 'refused',
      code: 'SLURM_PROTOCOL_AUTHENTICATION_ERROR',
      protocol: '25.05',
    });
    expect(on.slurmds.contacts.filter((node) => node === 'n3')).toHaveLength(1);
  });

  it('many silent ones: no more than 32 are asked why', async () => {
    const many = nodeNames(50);
    await using on = await world({
      steps: [{ jobId: 7, stepId: 0, nodes: 'n[1-50]', startedIn: '26.05' }],
      releases: all(many, '26.05'),
    });
    for (const node of many) on.slurmds.set(node, { kind: 'close' });
    await failureOf(on.client.signalJob(7, 'SIGUSR1', { fanOut: 'direct' }));
    expect(on.slurmds.pings).toHaveLength(32);
  });

  it('with a protocol that was given nothing is sent twice', async () => {
    await using on = await world({
      steps: [step],
      releases: mixed('n3', '25.05'),
      link: { findsVersion: false, release: '26.05' },
    });
    const error = await failureOf(on.client.signalJob(7, 'SIGUSR1', { fanOut: 'direct' }));
    expect(error.nodes?.find(({ node }) => node === 'n3')).toMatchObject({
      outcome: 'refused',
      code: 'SLURM_PROTOCOL_VERSION_ERROR',
    });
    expect(on.slurmds.pings).toEqual([]);
    expect(on.slurmds.contacts.filter((node) => node === 'n3')).toHaveLength(1);
  });
});
