/** Before all tests: the library is built, and what live tests need is installed where that is possible. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { prepare, releaseNames } from '../../lab/cluster.js';
import { LabUnavailableError } from '../../lab/lab-error.js';
import { libslurmPeerPackages } from '../../lab/libslurm-peer.js';
import { requireRoot } from '../../lab/namespace.js';
import { ensurePackages } from '../../lab/packages.js';
import { defaultRelease, findRelease } from '../../lab/releases.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** Why live tests cannot run on this machine; null when they can. */
    labTrouble: string | null;
  }
}

export default async function setup(project: TestProject): Promise<void> {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  // Children and other users run the built library.
  execFileSync('npx', ['--no-install', 'tsc', '-p', 'tsconfig.json'], { cwd: root, stdio: 'inherit' });
  project.provide('labTrouble', await findLabTrouble());
}

async function findLabTrouble(): Promise<string | null> {
  const { packages, ...release } = findRelease(defaultRelease);
  // faketime gives the credentials from yesterday and tomorrow.
  const faketime = { name: 'faketime', versionPrefix: '' };
  const wanted = { ...release, packages: [...packages, faketime, ...libslurmPeerPackages] };
  try {
    await ensurePackages(wanted, { install: true, log: (line) => console.log(line) });
    requireRoot();
    // The other releases live in roots of their own, built once and kept outside the checkout (a minute and a half).
    await Promise.all(releaseNames.map((release) => prepare({ release, log: (line) => console.log(line) })));
    return null;
  } catch (error) {
    if (!(error instanceof LabUnavailableError) || process.env.CI) throw error;
    console.error(`\n*** LIVE TESTS SKIPPED: ${error.message}\n`);
    return error.message;
  }
}
