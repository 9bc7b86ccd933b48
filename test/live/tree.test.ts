/** Slurm's own forwarding tree on real slurmds, three hops deep and with dynamic nodes: proved by what every process wrote down. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { planTree } from '../../src/rpc/forward-tree.js';
import { nodeNames } from '../rpc/support/fan-out.js';
import { describeLive, type Live } from './support/live.js';

/** One process per node, which writes down the signals it hears and otherwise sleeps. */
const STEP = `use Fcntl;
sub note {
  sysopen(my $f, "$_[0].$ENV{SLURM_JOB_ID}", O_WRONLY | O_APPEND | O_CREAT) or die;
  syswrite($f, "$ENV{SLURMD_NODENAME} $_[1]\\n");
}
for my $s ('USR1', 'USR2', 'HUP', 'WINCH') { $SIG{$s} = sub { note('out', $s) }; }
note('up', 'up');
sleep while 1;
`;

interface Told {
  readonly node: string;
  readonly outcome: string;
  readonly number: number | null;
  readonly via: string | null;
  readonly perhapsTwice: boolean;
}

/** A job whose step 0 has one task on each of so many nodes, all of which run. */
async function listeningJob({ cluster, run, output }: Live, count: number) {
  const size = `-n${count} -N${count} --overcommit`;
  const script = `#!/bin/bash\ncat > step.$SLURM_JOB_ID <<'STEP'\n${STEP}STEP\nsrun ${size} perl step.$SLURM_JOB_ID\n`;
  const id = await run(script, size.split(' '));
  const lines = async (name: string) => (await output(`${name}.${id}`)).split('\n').filter(Boolean);
  await cluster.waitFor(async () => (await lines('up')).length === count, 60_000, 'all tasks to run');
  return {
    id,
    /** The nodes whose processes wrote that they heard the signal, each as often as it did, once there are so many. */
    async heard(signal: string, atLeast: number): Promise<string[]> {
      const now = async () =>
        (await lines('out')).map((line) => line.split(' ')).filter(([, name]) => name === signal);
      await cluster.waitFor(
        async () => (await now()).length >= atLeast,
        20_000,
        `${atLeast} times ${signal}`,
      );
      return (await now()).map(([node = '']) => node).sort();
    },
  };
}

const outcomesOf = (nodes: readonly Told[]) => nodes.map(({ node, outcome }) => `${node} ${outcome}`);

const [NODES, WIDTH] = [64, 4];

describeLive(
  'a tree of 64 slurmds of 22.05',
  { release: '22.05', nodes: NODES, parameters: { TreeWidth: String(WIDTH) } },
  (live) => {
    const options = { protocol: '22.05', countConnections: true };
    const names = nodeNames(NODES);
    // Each slurmd splits what it is given by the same width: the first below a root is a forwarder, the last is not.
    const { branches, depth } = planTree(names, WIDTH);
    const root = (index: number) => branches[index]?.root ?? '';
    const inner = (index: number) => branches[index]?.below[0] ?? '';
    const leaf = (index: number) => branches[index]?.below.at(-1) ?? '';

    test('signals arrive exactly where they should, whoever is down', async () => {
      expect(depth).toBe(3);
      const { alice, cluster } = live();
      const { id, heard } = await listeningJob(live(), NODES);
      const signal = (name: string, how: object) =>
        alice.call('signalJobStep', [`${id}.0`, name, how], options);

      // What is going to happen: the whole tree, and nobody twice.
      const { value: explained } = await alice.call(
        'explain',
        ['signalJobStep', `${id}.0`, 'USR1', {}],
        options,
      );
      const told = explained.requests.map(
        ({ node, forwardedTo }: { node: string; forwardedTo: string[] }) => ({
          root: node,
          below: forwardedTo,
        }),
      );
      expect(told).toEqual(branches);
      expect(explained.effects).toMatchObject([
        { target: `${id}.0`, effect: 'signalled', processes: 'step' },
      ]);
      const [{ nodes: reached }] = explained.effects;
      expect([...reached].sort()).toEqual([...names].sort());
      expect(await heard('USR1', 0)).toEqual([]);

      const all = await signal('USR1', {});
      expect(all.error).toBeUndefined();
      expect(all.value).toMatchObject({ outcome: 'accepted', ended: [] });
      expect(all.value.nodes.map(({ node, outcome, via }: Told) => [node, outcome, via])).toEqual(
        branches.flatMap((branch) => [
          [branch.root, 'accepted', null],
          ...branch.below.map((node) => [node, 'accepted', branch.root]),
        ]),
      );
      expect(await heard('USR1', NODES)).toEqual([...reached].sort());
      // Two lookups, and the roots, where 64 nodes are signalled.
      expect(all.connections).toBe(2 + explained.requests.length);

      // A root, then a forwarder below another, then a leaf below a third; what is down stays down.
      const down: string[] = [];
      for (const [name, victim] of [
        ['USR2', root(0)],
        ['HUP', inner(1)],
        ['WINCH', leaf(2)],
      ] as const) {
        await cluster.stopDaemon(victim);
        down.push(victim);
        const { error, connections } = await signal(name, {});
        const up = names.filter((node) => !down.includes(node));
        expect(error).toMatchObject({
          name: 'SlurmConnectionError',
          outcome: 'partial',
          code: 'SLURM_COMMUNICATIONS_CONNECTION_ERROR',
        });
        expect(error.message).toContain(`${down.length} of 64 nodes did not take it`);
        expect(outcomesOf(error.nodes)).toEqual(
          names.map((node) => `${node} ${down.includes(node) ? 'not-sent' : 'accepted'}`),
        );
        expect(error.nodes.filter(({ perhapsTwice }: Told) => perhapsTwice)).toEqual([]);
        expect(await heard(name, up.length)).toEqual([...up].sort());
        // Two lookups, the roots, and the new roots of the branch that has lost its own.
        expect(connections).toBe(2 + 2 * WIDTH);
      }

      // Their own client tells of the root, their forwarders of the others.
      const up = names.filter((node) => !down.includes(node));
      const again = await signal('USR1', {});
      const found = (node: string) => again.error.nodes.find((told: Told) => told.node === node);
      expect(found(root(0))).toMatchObject({ via: null, number: null, errno: 'ECONNREFUSED' });
      expect(found(inner(1))).toMatchObject({ via: root(1), number: 1001, errno: 'EHOSTUNREACH' });
      expect(found(leaf(2))).toMatchObject({ via: root(2), number: 1001 });
      expect(await heard('USR1', NODES + up.length)).toEqual([...names, ...up].sort());

      const direct = await signal('USR2', { fanOut: 'direct' });
      expect(direct.connections).toBe(2 + NODES);
      expect(outcomesOf(direct.error.nodes)).toEqual(
        names.map((node) => `${node} ${down.includes(node) ? 'not-sent' : 'accepted'}`),
      );
      const firstUp = names.filter((node) => node !== root(0));
      expect(await heard('USR2', firstUp.length + up.length)).toEqual([...firstUp, ...up].sort());

      await alice.call('killJob', [id], options);
      // Nothing came late: what was heard is still what was heard.
      expect(await heard('USR1', 0)).toHaveLength(NODES + up.length);
      expect(await heard('HUP', 0)).toHaveLength(NODES - 2);
      expect(await heard('WINCH', 0)).toHaveLength(NODES - 3);
    });
  },
);

for (const release of ['24.11', '26.05'] as const) {
  describeLive(`a tree with dynamic nodes of ${release}`, { release, dynamicNodes: 2 }, (live) => {
    const names = ['d1', 'd2', ...nodeNames(4)];
    const accepted = names.map((node) => `${node} accepted`);
    const byNode = (nodes: readonly Told[]) => [...nodes].sort((a, b) => (a.node < b.node ? -1 : 1));

    test('they are contacted directly, and all hear it once', async () => {
      const { alice, cluster } = live();
      const { id, heard } = await listeningJob(live(), names.length);
      const how = { fanOut: 'tree', treeWidth: 1 };

      const tree = await alice.call('signalJobStep', [`${id}.0`, 'USR1', how], { protocol: release });
      expect(tree.error).toBeUndefined();
      expect(outcomesOf(byNode(tree.value.nodes))).toEqual(accepted);
      expect(byNode(tree.value.nodes).map(({ via }) => via)).toEqual([null, null, null, 'n1', 'n1', 'n1']);
      expect(await heard('USR1', names.length)).toEqual(names);

      // A client that takes them for static nodes: the forwarders have no address for them, and say so.
      const conf = join(cluster.workDirectory, 'own-slurm.conf');
      const lines = cluster.nodes
        .filter(({ dynamic }) => dynamic)
        .map(({ name, port }) => `NodeName=${name} NodeAddr=127.0.0.1 Port=${port}`);
      await writeFile(conf, `${await readFile(cluster.slurmConf, 'utf8')}\n${lines.join('\n')}\n`);
      for (const treeWidth of [1, 2]) {
        const sent = await alice.call('signalJobStep', [`${id}.0`, 'USR2', { ...how, treeWidth }], {
          protocol: release,
          conf,
        });
        expect(sent.error).toBeUndefined();
        expect(outcomesOf(byNode(sent.value.nodes))).toEqual(accepted);
        expect(await heard('USR2', treeWidth * names.length)).toHaveLength(treeWidth * names.length);
      }
      expect(await heard('USR2', 0)).toEqual([...names, ...names].sort());
      await alice.call('killJob', [id], { protocol: release });
    });
  });
}
