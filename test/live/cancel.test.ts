/** `slurmwire cancel` beside the real scancel, option by option, on live clusters: the same effect, exit code and words. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { Release } from '../../src/protocol/index.js';
import { Limiter } from '../../src/rpc/limiter.js';
import { CommandActor } from './support/command-actor.js';
import { describeLive } from './support/live.js';
import { beside, type Compared, type ScancelCase, sharedFile } from './support/scancel-beside.js';
import { SCANCEL_CASES as CASES } from './support/scancel-cases.js';
import { checkScancelPage } from './support/scancel-page.js';

/** Those whose options the page is about, whatever else the lab has. */
const RELEASES: readonly Release[] = ['22.05', '26.05'];
const AT_A_TIME = 4;
const parameters = { SchedulerParameters: 'batch_sched_delay=0,bf_interval=1', KillWait: '1' };
const compared: Compared[] = [];

for (const release of RELEASES) {
  describeLive(`slurmwire cancel beside scancel ${release}`, { release, parameters }, (live) => {
    const actors: Record<string, CommandActor> = {};

    beforeAll(async () => {
      const { users } = live().cluster;
      for (const name of ['alice', 'bob', 'root'] as const)
        actors[name] = await CommandActor.start(users[name]);
    });

    afterAll(() => Promise.all(Object.values(actors).map((actor) => actor.stop())));

    test('does the same', { timeout: 120_000 }, async () => {
      const { cluster } = live();
      const hosts = await sharedFile(live(), 'hosts', 'n1 # a comment\nn2\n');
      await cluster.exec(
        [
          'scontrol',
          'create',
          'reservation=resv',
          'starttime=now',
          'duration=60',
          'nodes=n4',
          'users=alice',
          'flags=ignore_jobs',
        ],
        { user: 'root' },
      );
      const run = async (one: ScancelCase) => {
        const given = { ...one, run: one.run.map((arg) => arg.replace('%hosts', hosts)) };
        const result = await beside(live(), actors, release, given, `x${CASES.indexOf(one)}z`);
        return { ...result, shown: result.shown.replace(hosts, './hosts') };
      };
      const results: Compared[] = [];
      for (const one of CASES) if (one.alone === true) results.push(await run(one));
      const limiter = new Limiter(AT_A_TIME);
      const others = CASES.filter(({ alone }) => alone !== true);
      results.push(...(await Promise.all(others.map((one) => limiter.run(() => run(one))))));
      // In the order of the cases.
      results.sort((a, b) => CASES.findIndex(isOf(a)) - CASES.findIndex(isOf(b)));
      compared.push(...results);
      const isExpected = ({ difference, why }: Compared) => (difference === null) === (why === null);
      expect(results.filter((result) => !isExpected(result))).toEqual([]);
    });

    test('invoked by a link named scancel it is scancel, and slurmwire else', async () => {
      const directory = await mkdtemp(join(tmpdir(), 'slurmwire-link-'));
      try {
        const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
        const link = join(directory, 'scancel');
        await symlink(main, link);
        const id = await live().cluster.submit('sleep 600', { user: 'alice', sbatchArgs: ['-H'] });
        const env = { PATH: process.env.PATH, SLURM_CONF: live().cluster.slurmConf };
        const run = promisify(execFile);
        const asScancel = await run(process.execPath, [link, '-v', String(id)], { env });
        expect(asScancel).toEqual({ stdout: '', stderr: `scancel: Terminating job ${id}\n` });
        const json = await run(process.execPath, [main, 'cancel', '--json', String(id)], { env });
        expect(JSON.parse(json.stdout)).toMatchObject({
          command: 'cancel',
          signal: 'SIGKILL',
          exitCode: 0,
          jobs: [{ target: String(id), number: 2021, code: 'ESLURM_ALREADY_DONE' }],
        });
      } finally {
        await rm(directory, { recursive: true, force: true });
      }
    });
  });
}

function isOf({ option }: Compared) {
  return (one: ScancelCase) => one.option === option;
}

describe.skipIf(inject('labTrouble') !== null)('docs/scancel.md', () => {
  test('says what was seen', () => checkScancelPage(compared, RELEASES));
});
