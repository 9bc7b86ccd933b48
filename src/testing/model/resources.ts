/** Which CPUs of which nodes are taken, and where a job fits. */
import type { Job } from './job.js';
import type { World } from './world.js';

export class Resources {
  readonly #world: World;
  /** CPUs taken, by node. */
  readonly #taken = new Map<string, number>();
  /** What each job has, to be given back. */
  readonly #shares = new Map<Job, readonly (readonly [node: string, cpus: number])[]>();

  constructor(world: World) {
    this.#world = world;
  }

  taken(node: string): number {
    return this.#taken.get(node) ?? 0;
  }

  /** Nodes for the job, which are taken then; `null` where it does not fit now. */
  take(job: Job): string[] | null {
    const { spec } = job;
    const wanted = Math.ceil(spec.tasks / spec.nodes) * spec.cpusPerTask;
    const chosen: [string, number][] = [];
    const candidates = [...spec.nodeList, ...this.#world.nodes.keys()];
    for (const name of new Set(candidates)) {
      if (chosen.length === spec.nodes) break;
      const node = this.#world.nodes.get(name);
      if (node === undefined || node.isDrained || spec.exclude.includes(name)) continue;
      if (!this.#world.isReachable(name)) continue;
      // Jobs for more than a node has are taken, as with --overcommit: they get all of it.
      const share = Math.min(wanted, node.cpus);
      if (this.taken(name) + share <= node.cpus) chosen.push([name, share]);
    }
    const names = chosen.map(([name]) => name);
    if (chosen.length < spec.nodes || !spec.nodeList.every((name) => names.includes(name))) return null;
    for (const [name, share] of chosen) this.#taken.set(name, this.taken(name) + share);
    this.#shares.set(job, chosen);
    return names;
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
    for (const [name, share] of this.#shares.get(job) ?? []) this.#taken.set(name, this.taken(name) - share);
    this.#shares.delete(job);
  }
}
