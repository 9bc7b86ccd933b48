/** Which CPUs of which nodes are taken, and where a job fits. */
import type { Job, JobSpec } from './job.js';
import type { ClusterNode, World } from './world.js';

export class Resources {
  readonly #world: World;
  /** CPUs taken, by node. */
  readonly #taken = new Map<string, number>();
  /** What each job has, to be given back. */
  readonly #shares = new Map<Job, readonly (readonly [node: string, cpus: number])[]>();

  /** CPUs of all nodes that nobody has. */
  #free: number;

  constructor(world: World) {
    this.#world = world;
    this.#free = [...world.nodes.values()].reduce((sum, { cpus }) => sum + cpus, 0);
  }

  /** No job fits: a look at each that waits would be in vain. */
  get isFull(): boolean {
    return this.#free <= 0;
  }

  taken(node: string): number {
    return this.#taken.get(node) ?? 0;
  }

  /** Nodes for the job, which are taken then; `null` where it does not fit now. */
  take(job: Job): string[] | null {
    const { spec } = job;
    const chosen: [string, number][] = [];
    const candidates = [...spec.nodeList, ...this.#world.nodes.keys()];
    for (const name of new Set(candidates)) {
      if (chosen.length === spec.nodes) break;
      const node = this.#world.nodes.get(name);
      if (node === undefined || node.isDrained || spec.exclude.includes(name)) continue;
      if (!this.#world.isReachable(name)) continue;
      const share = cpuShare(spec, node);
      if (this.taken(name) + share <= node.cpus) chosen.push([name, share]);
    }
    const names = chosen.map(([name]) => name);
    if (chosen.length < spec.nodes || !spec.nodeList.every((name) => names.includes(name))) return null;
    for (const [name, share] of chosen) this.#take(name, share);
    this.#shares.set(job, chosen);
    return names;
  }

  #take(node: string, cpus: number): void {
    this.#taken.set(node, this.taken(node) + cpus);
    this.#free -= cpus;
  }

  /** What was taken for one record is another's. */
  pass(from: Job, to: Job): void {
    const share = this.#shares.get(from);
    if (share === undefined) return;
    this.#shares.delete(from);
    this.#shares.set(to, share);
  }

  /** What it had is free again. */
  give(job: Job): void {
    for (const [name, share] of this.#shares.get(job) ?? []) this.#take(name, -share);
    this.#shares.delete(job);
  }
}

/** CPUs that a job gets of a node. Jobs for more than a node has are taken, as with --overcommit: they get all of it. */
export function cpuShare(
  { tasks, nodes, cpusPerTask }: JobSpec,
  { cpus }: Pick<ClusterNode, 'cpus'>,
): number {
  return Math.min(Math.ceil(tasks / nodes) * cpusPerTask, cpus);
}
