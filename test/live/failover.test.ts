/**
 * The primary is killed with 200 kills in flight. Each of them has an outcome, and that is held against what became of the job: nothing
 * `refused` or `not-sent` was done, nothing was done twice where that matters.
 */
import { describe, expect, test } from 'vitest';
import type { Told } from './support/actor.js';
import { lines } from './support/listening-job.js';
import { describeLive } from './support/live.js';

const PENDING = 150;
const RUNNING = 50;
/** Answers that are waited for before the primary is killed. */
const ANSWERED = 5;

/** What a call came to, in one word. */
function outcomeOf({ value, error }: Told): string {
  return value?.outcome ?? error.outcome;
}

function count(words: readonly string[]): string {
  const all = new Map<string, number>();
  for (const word of words) all.set(word, (all.get(word) ?? 0) + 1);
  return [...all].map(([word, times]) => `${times} ${word}`).join(', ');
}

describe.each(['20.11', '22.05', '24.11', '26.05'])('%s', (release) => {
  describeLive('with a backup', { release, nodes: 4, backup: true }, (live) => {
    test('the primary dies with 200 kills in flight', async () => {
      const { cluster, alice, output } = live();
      const alone = { user: 'alice' } as const;
      // Each job a number of its own; those that run write down every SIGUSR1.
      const script = [
        `for i in $(seq ${PENDING}); do sbatch --parsable --hold --wrap 'sleep 1000'; done`,
        `cat > listen <<'EOF'`,
        '#!/bin/bash',
        'trap "echo USR1 >> out.$SLURM_JOB_ID" USR1',
        'touch up.$SLURM_JOB_ID',
        'while :; do sleep 1; done',
        'EOF',
        `for i in $(seq ${RUNNING}); do sbatch --parsable listen; done`,
      ].join('\n');
      const submitted = await cluster.exec(['sh', '-c', script], alone);
      const ids = lines(submitted.stdout).map(Number);
      expect(ids).toHaveLength(PENDING + RUNNING);
      const pending = ids.slice(0, PENDING);
      const running = ids.slice(PENDING);
      await Promise.all(running.map((id) => live().waitForFile(`up.${id}`)));
      // What slurmctld has not saved when it is killed, its backup does not know.
      await cluster.saveState();
      const primary = (await alice.call('ping')).value[0].peer as string;

      let answered = 0;
      const call = async (index: number) => {
        const isSignal = index % 4 === 3;
        const id = (isSignal ? running.pop() : pending.pop()) as number;
        const args = isSignal
          ? ['SIGUSR1', { batch: true, timeoutMs: 60_000 }]
          : ['SIGKILL', { timeoutMs: 60_000 }];
        const told = await alice.call('killJob', [id, ...args]);
        answered += 1;
        return { id, isSignal, told, outcome: outcomeOf(told) };
      };
      const startedAt = performance.now();
      // Both kinds in turns. Half of them meet a controller that dies under its work, half one that has stopped already: an old one answers 200
      // kills faster than it can be killed.
      const calls = ids.slice(0, ids.length / 2).map((_, index) => call(index));
      await cluster.waitFor(() => answered >= ANSWERED, 20_000, 'the first answers');
      await cluster.pauseDaemon('slurmctld');
      calls.push(...ids.slice(ids.length / 2).map((_, index) => call(index)));
      await cluster.killDaemon('slurmctld');
      const kills = await Promise.all(calls);
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);

      const signals = kills.filter(({ isSignal }) => isSignal);
      const ends = kills.filter(({ isSignal }) => !isSignal);
      const byPrimary = kills.filter(({ told }) => told.value?.peer === primary).length;
      const byBackup = kills.filter(
        ({ told }) => told.value !== undefined && told.value.peer !== primary,
      ).length;
      console.log(
        `${release}: SIGKILL ${count(ends.map(({ outcome }) => outcome))}; SIGUSR1 ${count(signals.map(({ outcome }) => outcome))}; ` +
          `${byPrimary} answered by the primary, ${byBackup} by the backup, in ${seconds} s`,
      );
      for (const { outcome, told } of kills) {
        expect(['accepted', 'refused', 'not-sent', 'unknown'], told.error?.message).toContain(outcome);
      }
      expect(byBackup).toBeGreaterThan(0);

      // What the primary took it may not have saved: then its backup has the job pending again, and nothing else can have become of it.
      let forgotten = 0;
      for (const { id, told, outcome } of ends) {
        const state = await cluster.jobState(id);
        expect(['PENDING', 'CANCELLED'], `job ${id}`).toContain(state);
        if (outcome === 'accepted' && told.value.peer !== primary)
          expect([id, state]).toEqual([id, 'CANCELLED']);
        if (outcome === 'accepted' && told.value.peer === primary && state === 'PENDING') forgotten += 1;
        if (outcome === 'refused' || outcome === 'not-sent') expect([id, state]).toEqual([id, 'PENDING']);
      }
      if (forgotten > 0)
        console.log(`${release}: ${forgotten} were accepted by the primary and not saved before it died`);

      // What goes on in the agents of the backup has to be over before nothing can be said to have happened.
      const heard = new Map<number, number>();
      const look = async () => {
        for (const { id } of signals) heard.set(id, lines(await output(`out.${id}`)).length);
        return signals.every(
          ({ id, told, outcome }) =>
            outcome !== 'accepted' || told.value.peer === primary || (heard.get(id) ?? 0) > 0,
        );
      };
      await cluster.waitFor(look, 30_000, 'the signals that the backup took');
      for (const { id, outcome } of signals) {
        expect([id, heard.get(id)], outcome).toEqual([id, expect.toSatisfy((times: number) => times <= 1)]);
        if (outcome === 'refused' || outcome === 'not-sent') expect([id, heard.get(id)]).toEqual([id, 0]);
      }
    }, 240_000);
  });
});
