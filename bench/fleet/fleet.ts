/**
 * A fleet of embedded slurmds in processes of their own, behind one controller: what thousands of nodes answer costs more than one process
 * has. Every frame goes over TCP, also from slurmd to slurmd.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Release } from '../../src/index.js';

export interface FleetOptions {
  /** Of controller and slurmds. */
  readonly release: Release;
  /** How many slurmds. */
  readonly nodes: number;
  /** Processes they are spread over, one after the other; controller and munged have one more. Default 4. */
  readonly processes?: number;
  /** Of slurm.conf. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** root's jobs, numbered from 1: each has one step, on the first so many nodes. */
  readonly jobs: readonly number[];
}

/** What a process of the fleet is told first. */
export interface FleetShare {
  readonly release: Release;
  readonly nodes: number;
  readonly parameters: Readonly<Record<string, string>>;
  readonly jobs: readonly number[];
  readonly directory: string;
  /** Of the fleet's credentials, in hexadecimal. */
  readonly key: string;
  /** Which of the slurmds' processes it is; `null`: the controller's. */
  readonly index: number | null;
  readonly of: number;
}

export type FleetOrder = 'count' | { readonly ports: Readonly<Record<string, number>> };

/** What the daemons have seen since they were last asked. */
export interface FleetCounts {
  /** By the name of the message. */
  readonly requests: Readonly<Record<string, number>>;
  /** How many frames of REQUEST_SIGNAL_TASKS there were of each length. */
  readonly lengths: Readonly<Record<string, number>>;
  /** Signals that steps got. */
  readonly signals: number;
}

/** What a fan-out was to the slurmds. */
export interface FleetWork {
  readonly requests: Readonly<Record<string, number>>;
  readonly signals: number;
  /** Slurmds that had to pass the message on: their frames are longer than the shortest. */
  readonly forwarders: number;
}

export class Fleet {
  readonly directory: string;
  readonly slurmConf: string;
  readonly #children: readonly ChildProcess[];

  private constructor(directory: string, children: readonly ChildProcess[]) {
    this.directory = directory;
    this.slurmConf = join(directory, 'slurm.conf');
    this.#children = children;
  }

  static async start(options: FleetOptions): Promise<Fleet> {
    const { release, nodes, parameters = {}, jobs, processes = 4 } = options;
    const directory = await mkdtemp(join(tmpdir(), 'slurmwire-fleet-'));
    await chmod(directory, 0o755);
    const script = fileURLToPath(new URL('./fleet-main.js', import.meta.url));
    const shares = [null, ...Array.from({ length: processes }, (_, index) => index)];
    const children = shares.map(() => fork(script, { execArgv: [], cwd: '/' }));
    const fleet = new Fleet(directory, children);
    try {
      const key = randomBytes(32).toString('hex');
      const common = { release, nodes, parameters, jobs, directory, key, of: processes };
      const told = await Promise.all(
        children.map((child, i) => ask(child, { ...common, index: shares[i] ?? null } satisfies FleetShare)),
      );
      const ports: Record<string, number> = Object.assign({}, ...(told as object[]));
      await Promise.all(children.map((child) => ask(child, { ports } satisfies FleetOrder)));
      return fleet;
    } catch (error) {
      await fleet.down();
      throw error;
    }
  }

  /** What the daemons have seen since they were last asked. */
  async work(): Promise<FleetWork> {
    const all = (await Promise.all(
      this.#children.map((child) => ask(child, 'count' satisfies FleetOrder)),
    )) as FleetCounts[];
    const requests = sum(all.map((one) => one.requests));
    const lengths = Object.entries(sum(all.map((one) => one.lengths))).map(([bytes, n]) => [
      Number(bytes),
      n,
    ]);
    const shortest = Math.min(...lengths.map(([bytes = 0]) => bytes));
    return {
      requests,
      signals: all.reduce((total, { signals }) => total + signals, 0),
      // Credentials differ by a few bytes, a list of nodes takes more.
      forwarders: lengths.reduce((total, [bytes = 0, n = 0]) => total + (bytes > shortest + 3 ? n : 0), 0),
    };
  }

  async down(): Promise<void> {
    await Promise.all(
      this.#children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const ended = once(child, 'exit');
        child.kill('SIGKILL');
        await ended;
      }),
    );
    await rm(this.directory, { recursive: true, force: true });
  }
}

function sum(all: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const total: Record<string, number> = {};
  for (const one of all) for (const [key, n] of Object.entries(one)) total[key] = (total[key] ?? 0) + n;
  return total;
}

/** One message, and the answer to it. */
async function ask(child: ChildProcess, message: FleetShare | FleetOrder): Promise<unknown> {
  const over = new AbortController();
  const how = { signal: over.signal };
  try {
    const answer = once(child, 'message', how);
    const ended = once(child, 'exit', how).then(([code]) => {
      throw new Error(`a process of the fleet ended with ${code}`);
    });
    child.send(message);
    return (await Promise.race([answer, ended]))[0];
  } finally {
    over.abort();
  }
}
