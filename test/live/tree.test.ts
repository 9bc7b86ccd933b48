/** Slurm's own forwarding tree on 64 real slurmds, three hops deep: proved by what every process wrote down. */
import { expect, test } from 'vitest';
import { planTree } from '../../src/rpc/forward-tree.js';
import { nodeNames } from '../rpc/support/fan-out.js';
import { describeLive } from './support/live.js';

const [NODES, WIDTH] = [64, 4];

/** One process per node, which writes down the signals it hears and otherwise sleeps. */
const JOB = `#!/bin/bash
cat > step.$SLURM_JOB_ID <<'STEP'
use Fcntl;
sub note { sysopen(my $f, "$_[0].$ENV{SLURM_JOB_ID}", O_WRONLY | O_APPEND | O_CREAT) or die; syswrite($f, "$ENV{SLURMD_NODENAME} $_[1]\\n"); }
for my $s ('USR1', 'USR2', 'HUP', 'WINCH') { $SIG{$s} = sub { note('out', $s) }; }
note('up', 'up');
sleep while 1;
STEP
srun -n${NODES} -N${NODES} --overcommit perl step.$SLURM_JOB_ID
`;

interface Told {
  readonly node: string;
  readonly outcome: string;
  readonly code: string | null;
  readonly via: string | null;
  readonly perhapsTwice: boolean;
}

describeLive(
  'a tree of 64 slurmds of 22.05',
  { release: '22.05', nodes: NODES, parameters: { TreeWidth: String(WIDTH) } },
  (live) => {
    const options = { protocol: '22.05', countConnections: true };
    const names = nodeNames(NODES);
    // Each slurmd splits what it is given by the same width: the first below a root is a forwarder, the last is not.
    const { branches, depth } = planTree(names, WIDTH);
    const inner = (index: number) => branches[index]?.below[0] ?? '';
    const leaf = (index: number) => branches[index]?.below.at(-1) ?? '';
    const root = (index: number) => branches[index]?.root ?? '';

    test('signals arrive exactly where they should, whoever is down', async () => {
      expect(depth).toBe(3);
      const { alice, cluster, output, run } = live();
      const id = await run(JOB, [`-N${NODES}`, `-n${NODES}`, '--overcommit']);
      const lines = async (name: string) => (await output(`${name}.${id}`)).split('\n').filter(Boolean);
      await cluster.waitFor(async () => (await lines('up')).length === NODES, 60_000, 'all tasks to run');

      /** Who wrote that it heard this signal, after everybody who should have did; twice if it did so twice. */
      const heard = async (signal: string, by: readonly string[]): Promise<string[]> => {
        const now = async () =>
          (await lines('out'))
            .filter((line) => line.endsWith(` ${signal}`))
            .map((line) => line.split(' ')[0] ?? '');
        await cluster.waitFor(
          async () => new Set(await now()).size >= by.length,
          20_000,
          `${signal} everywhere`,
        );
        return (await now()).sort();
      };
      const signal = (name: string, how: object) =>
        alice.call('signalJobStep', [`${id}.0`, name, how], options);

      // Four connections to slurmds, where 64 nodes are signalled.
      const all = await signal('USR1', {});
      expect(all.error).toBeUndefined();
      expect(all.value).toMatchObject({ outcome: 'accepted', ended: [] });
      expect(all.value.nodes.map(({ node, outcome, via }: Told) => [node, outcome, via])).toEqual(
        branches.flatMap((branch) => [
          [branch.root, 'accepted', null],
          ...branch.below.map((node) => [node, 'accepted', branch.root]),
        ]),
      );
      expect(await heard('USR1', names)).toEqual([...names].sort());
      // First contact, two lookups, the roots.
      expect(all.connections).toBe(3 + WIDTH);

      // A root, then a forwarder below another, then a leaf below a third: what is down stays down.
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
        expect(error.nodes.map(({ node, outcome }: Told) => `${node} ${outcome}`)).toEqual(
          names.map((node) => `${node} ${down.includes(node) ? 'not-sent' : 'accepted'}`),
        );
        expect(error.nodes.filter(({ perhapsTwice }: Told) => perhapsTwice)).toEqual([]);
        expect(await heard(name, up)).toEqual([...up].sort());
        // Two lookups, the roots, and those of the branch whose root is down.
        expect(connections).toBe(2 + WIDTH + WIDTH);
      }
      // Whom each of them hears of it from: the root's branch has new roots, the others have not.
      const { error } = await signal('USR1', {});
      const via = new Map(error.nodes.map((result: Told) => [result.node, result.via]));
      expect(via.get(root(0))).toBeNull();
      expect(via.get(inner(1))).toBe(root(1));
      expect(via.get(leaf(2))).toBe(root(2));

      const direct = await signal('USR2', { fanOut: 'direct' });
      expect(direct.connections).toBe(2 + NODES);
      expect(direct.error.nodes.filter(({ outcome }: Told) => outcome === 'accepted')).toHaveLength(
        NODES - 3,
      );
      expect(direct.error.nodes.filter(({ outcome }: Told) => outcome === 'not-sent')).toHaveLength(3);
      await alice.call('killJob', [id], options);
    });
  },
);
