/**
 * One program, unchanged, on live daemons of four releases: every verb of the contract, in the version that is found and in every version
 * that the daemon takes. What came of it is `docs/matrix.md`, which this run makes or checks.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Release } from '../../src/protocol/index.js';
import { Actor } from './support/actor.js';
import { keepContract } from './support/contract.js';
import { describeLive } from './support/live.js';
import { checkMatrix, type Proof } from './support/matrix.js';

const DAEMONS: readonly { release: Release; takes: readonly Release[] }[] = [
  { release: '20.11', takes: ['20.11'] },
  { release: '22.05', takes: ['20.11', '21.08', '22.05'] },
  { release: '24.11', takes: ['23.02', '23.11', '24.05', '24.11'] },
  { release: '26.05', takes: ['24.11', '25.05', '25.11', '26.05'] },
];

const proofs: Proof[] = [];

describe.each(DAEMONS)('$release', ({ release, takes }) => {
  describeLive('keeps the contract', { release, nodes: 4 }, (live) => {
    let operator: Actor;
    beforeAll(async () => {
      const { cluster } = live();
      operator = await Actor.start(cluster.users.slurm, { conf: cluster.slurmConf });
    });
    afterAll(() => operator?.stop());

    test.each([undefined, ...takes])('protocol %s', async (pinned) => {
      const protocol = pinned ?? release;
      const found = await keepContract({ live: live(), operator, pinned, protocol });
      for (const [verb, error] of found) {
        if (error === null) proofs.push({ verb, daemon: release, protocol, isFound: pinned === undefined });
      }
      const failed = [...found].filter(([, error]) => error !== null);
      expect(failed.map(([verb, error]) => `${verb}: ${error?.message}`).join('\n')).toBe('');
    });
  });
});

describe('docs/matrix.md', () => {
  test('says what this run has proved', async ({ skip }) => {
    if (proofs.length === 0) skip('nothing was proved');
    await checkMatrix(proofs);
  });
});
