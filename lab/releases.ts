import { LabError } from './lab-error.js';

/** A Slurm release the lab can run, and where it comes from. */
export interface LabRelease {
  /** Slurm's own name of the release, as in `22.05`. */
  readonly release: string;
  /** The Debian version whose archive carries it, installed on the machine itself. */
  readonly debian: { readonly version: string; readonly name: string };
  readonly packages: readonly LabPackage[];
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
    release: '22.05',
    debian: { version: '12', name: 'bookworm' },
    packages: [
      { name: 'slurmctld', versionPrefix: '22.05.' },
      { name: 'slurmd', versionPrefix: '22.05.' },
      { name: 'slurm-client', versionPrefix: '22.05.' },
      { name: 'munge', versionPrefix: '' },
    ],
  },
];

/** The table row of a release; an unknown one is an error that lists the known. */
export function findRelease(name: string): LabRelease {
  const found = releases.find((row) => row.release === name);
  if (found) return found;
  const known = releases.map((row) => row.release).join(', ');
  throw new LabError(`the lab knows no Slurm release "${name}"; known: ${known}`);
}
