/** The examples of docs/embedding.md, as root, on real clusters. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type SlurmClient } from 'slurmwire';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cancelTask, fileStore } from '../../examples/embedding/cancel-hook.mjs';
import { massCancel } from '../../examples/embedding/mass-cancel.mjs';
import { preempt } from '../../examples/embedding/preempt.mjs';
import { describeLive, liveReleases } from './support/live.js';

/** Writes its checkpoint at SIGUSR1, shell and tasks alike, and leaves. That takes the tasks a moment: slurmctld delivers to shell and tasks by itself. */
const SAVES = `#!/bin/bash
trap 'echo shell >> saved.$SLURM_JOB_ID' USR1
srun -n2 -N2 bash -c 'trap "sleep 1; echo task >> saved.$SLURM_JOB_ID; exit 0" USR1
  echo up >> up.$SLURM_JOB_ID; while :; do sleep 0.1; done' &
until wait; do :; done
`;
/** Hears neither SIGUSR1 nor SIGTERM. */
const DEAF = `#!/bin/bash
trap '' USR1 TERM
echo up >> up.$SLURM_JOB_ID
while :; do sleep 0.1; done
`;

for (const release of liveReleases('24.11')) {
  describeLive(`the examples for embedders on ${release}`, { release, nodes: 2 }, (live) => {
    let slurm: SlurmClient;
    let directory: string;
    beforeAll(async () => {
      slurm = await connect({ conf: live().cluster.slurmConf });
      directory = await mkdtemp(join(tmpdir(), 'slurmwire-hook-'));
    });
    afterAll(async () => {
      await slurm.close();
      await rm(directory, { recursive: true });
    });

    async function running(script: string, count: number, args: readonly string[] = []): Promise<number> {
      const { cluster, run, output } = live();
      const id = await run(script, args);
      const isUp = async () => (await output(`up.${id}`)).split('up').length > count;
      await cluster.waitFor(isUp, 30_000, 'its processes to be up');
      return id;
    }

    test('preempt: who saves in time gets nothing but the notice', async () => {
      const id = await running(SAVES, 2, ['-N2', '-n2']);
      expect(await preempt(slurm, id, { noticeMs: 30_000 })).toBe('saved');
      expect((await live().output(`saved.${id}`)).split('\n').sort()).toEqual(['', 'shell', 'task', 'task']);
    });

    test('preempt: who does not is killed', async () => {
      const id = await running(DEAF, 1);
      expect(await preempt(slurm, id, { noticeMs: 300, graceMs: 300 })).toBe('killed');
    });

    test('the cancel hook goes on where it was interrupted', async () => {
      const id = await running(DEAF, 1);
      const task = { id: `task ${id}`, jobId: `${id}` };
      const ladder = [{ signal: 'SIGTERM', graceMs: 500 }, { signal: 'SIGKILL' }] as const;
      const store = fileStore(directory);
      const stop = new AbortController();
      const stopping = {
        ...store,
        save: async (...state: Parameters<typeof store.save>) => {
          await store.save(...state);
          if (state[1].sent[0]?.outcome === 'accepted') stop.abort();
        },
      };
      const options = { store: stopping, ladder, signal: stop.signal };
      expect(await cancelTask(slurm, task, options)).toMatchObject({ status: 'again' });
      expect(await readdir(directory)).toHaveLength(1);
      expect(await cancelTask(slurm, task, { store })).toMatchObject({ status: 'gone' });
      expect(await cancelTask(slurm, task, { store })).toMatchObject({ status: 'gone' });
      expect(await readdir(directory)).toEqual([]);
    });

    test('a mass cancel', async () => {
      const { cluster } = live();
      const ids = await Promise.all(
        Array.from({ length: 12 }, () =>
          cluster.submit('#!/bin/sh\n', { user: 'alice', sbatchArgs: ['--hold'] }),
        ),
      );
      const seen: number[] = [];
      for await (const { done, left } of massCancel(slurm, ids.map(String), { batch: 5 }))
        seen.push(done, left);
      expect(seen).toEqual([5, 0, 10, 0, 12, 0]);
      for (const id of ids) await cluster.waitForJob(id, ['CANCELLED']);
    });
  });
}
