import { readFileSync } from 'node:fs';
import { clearState, writeCgroupConf } from './cluster-files.js';
import { stopDaemon } from './daemons.js';
import type { LabPaths } from './directory.js';
import { checkFeatures, loopback } from './features.js';
import { createNamespace } from './namespace.js';
import { type ClusterProcess, endMembers } from './processes.js';
import { type LabRecord, writeRecord } from './record.js';
import { ensureRelease } from './release-root.js';
import { findRelease } from './releases.js';
import { startSlurm } from './startup.js';

/** How another release is put in the place of the one that runs. */
export interface SwitchOptions {
  /** How long all nodes may take to be there again, once the daemons run; 60 s where not given. */
  readonly timeoutMs?: number;
  /** Told what happens, a line at a time. */
  readonly log?: (line: string) => void;
  /** Whether missing packages may be installed, and a missing root built; yes where not given. */
  readonly install?: boolean;
}

/**
 * Replaces slurmctlds and slurmds by another release's on the same ports, slurm.conf and credentials; munged or
 * sackd stays. Where the new release reads the old one's state, jobs go on; else they are ended and forgotten.
 * `note` keeps every change of the record.
 */
export async function switchRelease(
  paths: LabPaths,
  record: LabRecord,
  name: string,
  options: SwitchOptions & { readonly note: (record: LabRecord) => void },
): Promise<void> {
  const { timeoutMs, log = () => {}, install = true } = options;
  const release = findRelease(name);
  checkFeatures(record.features, name);
  const root = await ensureRelease(release, { install, log });
  let now = record;
  const note = (change: Partial<LabRecord>) => {
    now = { ...now, ...change };
    writeRecord(paths, now);
    options.note(now);
  };
  const isAuth = (daemon: string) => daemon === 'munged' || daemon === 'sackd';
  const slurms = Object.entries(now.daemons).filter(([daemon]) => !isAuth(daemon));
  note({ state: 'starting' });
  await Promise.all(slurms.map(([daemon, process]) => stopDaemon(daemon, process, paths.mark)));
  const keepsJobs = [name, ...release.accepts].includes(now.release);
  if (!keepsJobs) {
    await endMembers(paths.mark, isOfJob);
    clearState(paths, now);
  }
  writeCgroupConf(paths, name);
  if (now.anchors[name] === undefined) {
    const anchor = await createNamespace(paths, name, root, now.nodes, loopback(now.features));
    note({ anchors: { ...now.anchors, [name]: anchor } });
  }
  const daemons = Object.fromEntries(Object.entries(now.daemons).filter(([daemon]) => isAuth(daemon)));
  note({ release: name, nodeRelease: name, daemons });
  await startSlurm(paths, now, { note, timeoutMs, mayWork: keepsJobs });
  note({ state: 'up' });
}

/** Slurm's own keeper of a step, or what it started. */
function isOfJob({ pid, command }: ClusterProcess): boolean {
  if (command === 'slurmstepd') return true;
  try {
    return /(^|\0)SLURM_JOB_ID=/.test(readFileSync(`/proc/${pid}/environ`, 'utf8'));
  } catch {
    return false; // gone meanwhile
  }
}
