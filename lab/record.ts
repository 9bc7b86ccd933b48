import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { LabPaths } from './directory.js';
import type { LabFeatures } from './features.js';
import { LabError } from './lab-error.js';
import type { ProcessRecord } from './processes.js';
import type { LabAccount, LabNode } from './slurm-conf.js';

/** The users a command can run as inside a cluster. */
export type LabUser = 'alice' | 'bob' | 'slurm' | 'root';

/** What `lab.json` says about a cluster. */
export interface LabRecord {
  /** Grows when the meaning of the file changes. */
  readonly format: 2;
  /** The release of the controllers, and of the commands that are run. */
  readonly release: string;
  /** The release of the slurmds. */
  readonly nodeRelease: string;
  /** The release munged or sackd was started with. */
  readonly authRelease: string;
  /** `starting` until all nodes were idle: what a crashed `up` leaves behind. */
  readonly state: 'starting' | 'up';
  readonly controllerPort: number;
  readonly features: LabFeatures;
  readonly nodes: readonly LabNode[];
  readonly users: Readonly<Record<LabUser, LabAccount>>;
  /** The account munged runs under. */
  readonly mungeAccount: LabAccount;
  /** By release, the process that holds its namespaces open; it does nothing else. */
  readonly anchors: Readonly<Record<string, ProcessRecord>>;
  /** The daemons by name: `munged` or `sackd`, `slurmctld`, `slurmctld2`, and each slurmd by its node's. */
  readonly daemons: Readonly<Record<string, ProcessRecord>>;
}

/** The process in whose namespaces a daemon of that name lives; without a name, commands. */
export function anchorOf(record: LabRecord, daemon?: string): ProcessRecord | undefined {
  const { release, nodeRelease, authRelease, anchors, nodes } = record;
  if (daemon === 'munged' || daemon === 'sackd') return anchors[authRelease];
  return anchors[nodes.some(({ name }) => name === daemon) ? nodeRelease : release];
}

/** Reads a cluster's record; nothing where there is none. */
export function readRecord(paths: LabPaths): LabRecord | undefined {
  let text: string;
  try {
    text = readFileSync(paths.record, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const record = JSON.parse(text) as LabRecord;
    if (record.format === 2) return record;
  } catch {
    // Said below, as for another format.
  }
  throw new LabError(`${paths.record} was not written by this version of the lab; "down" clears it away`);
}

/** Writes a cluster's record: readers see the old one or the new one, never half of it. */
export function writeRecord(paths: LabPaths, record: LabRecord): void {
  const temporary = `${paths.record}.new`;
  writeFileSync(temporary, `${JSON.stringify(record, null, 2)}\n`);
  renameSync(temporary, paths.record);
}
