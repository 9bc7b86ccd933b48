import { lastLogLines } from './daemons.js';
import type { LabPaths } from './directory.js';
import { execInside } from './exec.js';
import { LabError } from './lab-error.js';
import type { LabRecord } from './record.js';
import { waitUntil } from './wait.js';

/** A node and its state in sinfo's words. */
export interface NodeState {
  readonly name: string;
  readonly state: string;
}

/** What sinfo says of each node: `idle`, `mix`, `down*`. */
export async function nodeStates(paths: LabPaths, record: LabRecord): Promise<NodeState[]> {
  const argv = ['sinfo', '--noheader', '--Node', '--format=%N %t'];
  const { code, stdout, stderr } = await execInside(paths, record, argv, {
    user: 'slurm',
    timeoutMs: 15_000,
  });
  if (code !== 0) throw new LabError(`sinfo failed (exit code ${code}): ${stderr.trim()}`);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [name = '', state = ''] = line.split(' ');
      return { name, state };
    });
}

/** Waits until slurmctld counts on every node: all are idle, or have jobs where `mayWork` says so. */
export async function allReady(
  paths: LabPaths,
  record: LabRecord,
  options: { readonly timeoutMs: number; readonly signal: AbortSignal; readonly mayWork: boolean },
): Promise<void> {
  const { timeoutMs, signal, mayWork } = options;
  const ready = mayWork ? ['idle', 'mix', 'alloc'] : ['idle'];
  let seen: NodeState[] = [];
  const look = async () => {
    seen = await nodeStates(paths, record).catch(() => []);
    return seen.length === record.nodes.length && seen.every(({ state }) => ready.includes(state));
  };
  try {
    await waitUntil(`all nodes to be ${ready.join(' or ')}`, look, { timeoutMs, intervalMs: 100, signal });
  } catch (error) {
    signal.throwIfAborted();
    const states = seen.map(({ name, state }) => `${name} ${state}`).join(', ') || 'sinfo gave no answer';
    const log = lastLogLines(paths, 'slurmctld');
    throw new LabError(`${(error as Error).message} (${states}); slurmctld's log ends with:\n${log}`);
  }
}
