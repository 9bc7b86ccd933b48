import { LabError } from './lab-error.js';

/** A Slurm release the lab can run, and where it comes from. */
export interface LabRelease {
  /** Slurm's own name of the release, as in `22.05`. */
  readonly release: string;
  /** The Debian version whose archive carries it. */
  readonly debian: { readonly version: string; readonly name: string };
  /**
   * The suites a root of its own is built from, the first that carries the release; `null` where its packages
   * are installed on the machine itself.
   */
  readonly suites: readonly string[] | null;
  readonly packages: readonly LabPackage[];
  /** The lab's older releases whose slurmds its slurmctld takes, and whose saved state it reads. */
  readonly accepts: readonly string[];
}

/** A Debian package and what its version has to begin with to count as this release. */
export interface LabPackage {
  readonly name: string;
  readonly versionPrefix: string;
}

/** The release meant where none is named. */
export const defaultRelease = '22.05';

const releases: readonly LabRelease[] = [
  {
    release: '20.11',
    debian: { version: '11', name: 'bullseye' },
    suites: ['bullseye'],
    packages: [...slurmPackages('20.11.'), ...libslurmPackages('20.11.')],
    accepts: [],
  },
  {
    release: '22.05',
    debian: { version: '12', name: 'bookworm' },
    suites: null,
    packages: [...slurmPackages('22.05.'), ...authPackages('22.05.', ['slurm-wlm-jwt-plugin'])],
    accepts: ['20.11'],
  },
  {
    release: '24.11',
    debian: { version: '13', name: 'trixie' },
    suites: ['trixie'],
    packages: [
      ...slurmPackages('24.11.'),
      ...libslurmPackages('24.11.'),
      ...authPackages('24.11.', ['slurm-wlm-jwt-plugin', 'sackd']),
    ],
    accepts: [],
  },
  {
    release: '26.05',
    debian: { version: '14', name: 'forky' },
    // Neither is released: forky may fall behind for a while, sid runs ahead, and both move on some day.
    suites: ['forky', 'sid'],
    packages: [
      ...slurmPackages('26.05.'),
      ...libslurmPackages('26.05.'),
      ...authPackages('26.05.', ['slurm-wlm-jwt-plugin', 'sackd']),
    ],
    accepts: ['24.11'],
  },
];

/** The names of the releases the lab can run, oldest first. */
export const releaseNames: readonly string[] = releases.map(({ release }) => release);

/** The table row of a release; an unknown one is an error that lists the known. */
export function findRelease(name: string): LabRelease {
  const found = releases.find((row) => row.release === name);
  if (found) return found;
  throw new LabError(`the lab knows no Slurm release "${name}"; known: ${releaseNames.join(', ')}`);
}

function slurmPackages(versionPrefix: string): LabPackage[] {
  return [
    { name: 'slurmctld', versionPrefix },
    { name: 'slurmd', versionPrefix },
    { name: 'slurm-client', versionPrefix },
    { name: 'munge', versionPrefix: '' },
  ];
}

/** What other credentials than MUNGE's take: auth/jwt is in slurmctld's own package in 20.11, auth/slurm from 24.11 on. */
function authPackages(versionPrefix: string, packages: readonly string[]): LabPackage[] {
  return packages.map((name) => ({ name, versionPrefix }));
}

/** What it takes to link a C program to a release's libslurm, the compiler aside: a root of its own has it, the machine gets it for tests. */
export function libslurmPackages(versionPrefix: string): LabPackage[] {
  return [
    { name: 'libslurm-dev', versionPrefix },
    { name: 'libc6-dev', versionPrefix: '' },
  ];
}
