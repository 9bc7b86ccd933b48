import { isOurs, type LabPaths, labPaths, removeDirectory } from './directory.js';
import { lockMs, withLock } from './lock.js';
import { requireRoot } from './namespace.js';
import { type ProcessRecord, stopMembers } from './processes.js';
import { readRecord } from './record.js';

/** What `down` found. */
export interface DownResult {
  /** How many processes were stopped, jobs included. */
  readonly processes: number;
  /** Whether there was a directory to remove. */
  readonly removed: boolean;
}

/**
 * Stops everything that runs in a cluster, jobs included, and removes its directory. Where there is none,
 * nothing happens.
 */
export async function down(directory: string): Promise<DownResult> {
  requireRoot();
  const paths = labPaths(directory);
  return withLock(paths.mark, lockMs, async () => {
    const processes = await stopMembers(paths.mark, recordedProcesses(paths));
    return { processes, removed: await removeDirectory(paths) };
  });
}

/** Stops what runs in a directory and removes it; says whether there was anything. */
export async function clearDirectory(paths: LabPaths): Promise<boolean> {
  const processes = await stopMembers(paths.mark, recordedProcesses(paths));
  const removed = isOurs(paths) && (await removeDirectory(paths));
  return processes > 0 || removed;
}

function recordedProcesses(paths: LabPaths): ProcessRecord[] {
  try {
    return Object.values(readRecord(paths)?.daemons ?? {});
  } catch {
    return []; // unreadable: the mark finds them all the same
  }
}
