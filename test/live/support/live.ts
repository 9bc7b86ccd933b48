/** A private cluster for one test file, or a loud word about why there is none. */
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, inject } from 'vitest';
import { type LabCluster, releaseNames, type UpOptions, up } from '../../../lab/cluster.js';
import type { Release } from '../../../src/index.js';
import { Actor } from './actor.js';
import { EmbeddedLab, type LiveCluster } from './embedded-lab.js';
import { ONLY_REAL_OPTIONS, ONLY_REAL_TESTS } from './only-real.js';

/** The suite runs on real clusters, or on embedded ones with SLURMWIRE_LIVE_ON=embedded: see `only-real.ts`. */
const isEmbedded = process.env.SLURMWIRE_LIVE_ON === 'embedded';

export interface Live<Cluster extends LiveCluster = LiveCluster> {
  readonly cluster: Cluster;
  readonly alice: Actor;
  readonly bob: Actor;
  /** Reads a file of the work directory; '' while it is not there. */
  output(name: string): Promise<string>;
  /** Waits until a file of the work directory is there. */
  waitForFile(name: string): Promise<void>;
  /** Submits a batch script as alice and waits until it runs. */
  run(script: string, sbatchArgs?: readonly string[]): Promise<number>;
}

/**
 * The releases a file's tests run on: those it names, which is what fits into the time of `npm test`; all that the lab has with
 * SLURMWIRE_LIVE=all (`npm run test:live`), and all on embedded clusters.
 */
export function liveReleases(...usual: Release[]): readonly Release[] {
  const isAll = isEmbedded || process.env.SLURMWIRE_LIVE === 'all';
  return isAll ? (releaseNames as readonly Release[]) : usual;
}

export type RealLive = Live<LabCluster>;

/** Runs the tests on a fresh cluster. Without a lab they are skipped aloud; in CI that is a failure. */
export function describeLive(name: string, options: UpOptions, tests: (live: () => Live) => void): void {
  const reason = Object.entries(ONLY_REAL_OPTIONS).find(([key]) => options[key as keyof UpOptions])?.[1];
  if (!isEmbedded) describeOn(up, name, options, tests);
  else if (reason === undefined) describeOn(EmbeddedLab.up, name, options, tests);
  else describe.skip(`${name}: ${reason}`, () => tests(notUp));
}

/** The same for tests that need what only a real cluster has: `only-real.ts` says why. */
export function describeReal(name: string, options: UpOptions, tests: (live: () => RealLive) => void): void {
  const reason = Object.entries(ONLY_REAL_TESTS).find(([beginning]) => name.startsWith(beginning))?.[1];
  if (isEmbedded) describe.skip(`${name}: ${reason}`, () => tests(notUp));
  else describeOn(up, name, options, tests);
}

function notUp(): never {
  throw new Error('the cluster is not up');
}

function describeOn<Cluster extends LiveCluster>(
  start: (options: UpOptions) => Promise<Cluster>,
  name: string,
  options: UpOptions,
  tests: (live: () => Live<Cluster>) => void,
): void {
  // In CI the global set-up has failed already where there is no lab.
  describe.skipIf(inject('labTrouble') !== null)(name, () => {
    let live: Live<Cluster> | undefined;
    let directory = '';

    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'swl-'));
      await chmod(directory, 0o755); // for alice and bob
      live = await withUsers(await start({ ...options, directory: join(directory, 'c') }));
    });

    afterAll(async () => {
      await live?.alice.stop();
      await live?.bob.stop();
      await live?.cluster.down();
      if (directory !== '') await rm(directory, { recursive: true, force: true });
    });

    tests(() => live ?? notUp());
  });
}

async function withUsers<Cluster extends LiveCluster>(cluster: Cluster): Promise<Live<Cluster>> {
  const defaults = { conf: cluster.slurmConf };
  const alice = await Actor.start(cluster.users.alice, defaults);
  const bob = await Actor.start(cluster.users.bob, defaults);
  return {
    cluster,
    alice,
    bob,
    output: (name) => readFile(join(cluster.workDirectory, name), 'utf8').catch(() => ''),
    waitForFile: (name) => cluster.waitFor(() => existsSync(join(cluster.workDirectory, name)), 20_000, name),
    async run(script, sbatchArgs = []) {
      const id = await cluster.submit(script, { user: 'alice', sbatchArgs });
      await cluster.waitForJob(id, ['RUNNING']);
      return id;
    },
  };
}
