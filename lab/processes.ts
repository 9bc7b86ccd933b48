import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { waitUntil } from './wait.js';

// Everything here reads /proc synchronously on purpose: between looking at a process and signalling it
// nothing else may run, so that the pid has no time to become somebody else's.

/**
 * A process, told from a later one with the same pid by the time it was started (`/proc/PID/stat`, field 22).
 */
export interface ProcessRecord {
  readonly pid: number;
  readonly startTime: string;
}

/** A process that runs inside a cluster now. */
export interface ClusterProcess extends ProcessRecord {
  /** The kernel's short name of its program. */
  readonly command: string;
}

/** The record of a running process; nothing if there is none, or only its zombie. */
export function recordOf(pid: number): ProcessRecord | undefined {
  const stat = readStat(pid);
  return stat && { pid, startTime: stat.startTime };
}

/** Whether the recorded process still runs, inside the cluster with this mark. */
export function isRunning(record: ProcessRecord, mark: string): boolean {
  return readStat(record.pid)?.startTime === record.startTime && hasMark(record.pid, mark);
}

/** Whether the recorded process is stopped (SIGSTOP). */
export function isPaused(record: ProcessRecord): boolean {
  return readStat(record.pid)?.state === 'T';
}

/** Sends a signal to the recorded process, and only to it; `false` if it is gone. */
export function signalProcess(record: ProcessRecord, mark: string, signal: NodeJS.Signals): boolean {
  if (!isRunning(record, mark)) return false;
  try {
    return process.kill(record.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/**
 * All processes of the cluster with this mark, jobs whose parents are gone included: whatever has the marked
 * mount in its mount namespace. A namespace's number may be given to another namespace once it is gone; the
 * mark's name is the directory's own, and only root can mount it.
 */
export function findMembers(mark: string): ClusterProcess[] {
  const byNamespace = new Map<string, boolean>();
  const members: ClusterProcess[] = [];
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const pid = Number(entry);
    const stat = readStat(pid);
    const namespace = stat && attempt(() => readlinkSync(`/proc/${pid}/ns/mnt`));
    if (!stat || !namespace || pid === process.pid) continue;
    let marked = byNamespace.get(namespace);
    if (marked === undefined) {
      marked = hasMark(pid, mark);
      byNamespace.set(namespace, marked);
    }
    if (marked) members.push({ pid, startTime: stat.startTime, command: stat.command });
  }
  return members;
}

/** How long processes get between SIGTERM and SIGKILL. */
const graceMs = 3_000;
/** How long the kernel gets to end killed processes. */
const killMs = 10_000;

/**
 * Ends every process of the cluster with this mark, and returns how many there were at first. Daemons are
 * asked to end; when they have (or the grace is over), whatever is left is killed: jobs may ignore SIGTERM,
 * and slurmstepd does.
 */
export async function stopMembers(mark: string, daemons: readonly ProcessRecord[]): Promise<number> {
  const atFirst = findMembers(mark);
  for (const member of atFirst) {
    signalProcess(member, mark, 'SIGTERM');
    signalProcess(member, mark, 'SIGCONT'); // a paused one acts on SIGTERM only when it goes on
  }
  const deadline = Date.now() + graceMs;
  const mayBePolite = () => Date.now() < deadline && daemons.some((daemon) => isRunning(daemon, mark));
  await waitUntil('the daemons to end', () => !mayBePolite(), { timeoutMs: graceMs + 1_000, intervalMs: 20 });
  await endMembers(mark, () => true);
  return atFirst.length;
}

/** Kills those processes of the cluster with this mark, and waits until they are gone. */
export async function endMembers(mark: string, isMeant: (member: ClusterProcess) => boolean): Promise<void> {
  await waitUntil(
    'the killed processes to be gone',
    () => {
      // Looked for anew each time: a process may have forked while its siblings were being killed.
      const left = findMembers(mark).filter(isMeant);
      for (const member of left) signalProcess(member, mark, 'SIGKILL');
      return left.length === 0;
    },
    { timeoutMs: killMs, intervalMs: 20 },
  );
}

function hasMark(pid: number, mark: string): boolean {
  return (
    attempt(() => readFileSync(`/proc/${pid}/mountinfo`, 'utf8'))?.includes(` - tmpfs ${mark} `) ?? false
  );
}

function readStat(pid: number): { command: string; state: string; startTime: string } | undefined {
  const text = attempt(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  if (text === undefined) return undefined;
  // The name is in parentheses and may contain anything, parentheses too: what follows the last one counts.
  const end = text.lastIndexOf(')');
  const fields = text.slice(end + 2).split(' ');
  const [state = '', startTime = ''] = [fields[0], fields[19]];
  return state === 'Z' || state === 'X'
    ? undefined
    : { command: text.slice(text.indexOf('(') + 1, end), state, startTime };
}

/** The value, or nothing if the process went away meanwhile (or hides from us, and then it is not ours). */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
