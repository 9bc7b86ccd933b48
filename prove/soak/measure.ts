/** What this process holds on to: looked at when nothing is under way, after a forced garbage collection. */
import { readdirSync, readlinkSync } from 'node:fs';
import { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { getHeapStatistics, queryObjects } from 'node:v8';
import { ControllerLink } from '../../src/rpc/controller-link.js';
import { Deadline } from '../../src/rpc/deadline.js';
import { SharedWork } from '../../src/rpc/shared-work.js';
import type { Bound } from './flat.js';

/** One look. Keys that end in a colon's word are counted: `objects:Socket`. */
export type Sample = Readonly<Record<string, number>>;

/** Emitters and signals of the program whose listeners are counted, by name. */
export type Watched = Readonly<Record<string, () => number>>;

const MB = 1024 * 1024;

/** Per kind of measure, what it may grow by in a whole run. The figures are far above noise and far below a leak per call. */
export function boundOf(name: string): Bound {
  if (name === 'rss') return { growth: 32 * MB, unit: 'bytes' };
  if (name === 'heapUsed') return { growth: 1.5 * MB, unit: 'bytes' };
  if (name === 'external' || name === 'arrayBuffers' || name === 'malloced')
    return { growth: MB, unit: 'bytes' };
  if (name.startsWith('objects:')) return { growth: 20, unit: 'count' };
  return { growth: 2, unit: 'count' };
}

const Timeout = constructorOf(setTimeout(() => {}, 0).unref());
const Immediate = constructorOf(setImmediate(() => {}).unref());

/** Instances on the heap that are counted: those of Node that a call uses, and the library's own that must not outlive a call. */
const CLASSES: Readonly<Record<string, abstract new (...args: never[]) => unknown>> = {
  Socket,
  Timeout,
  AbortSignal,
  Promise,
  Error,
  Immediate,
  Map,
  Set,
  Deadline,
  SharedWork: SharedWork as never,
  ControllerLink,
};

function constructorOf(value: object): new () => unknown {
  return value.constructor as new () => unknown;
}

/** Waits until what is closing is closed: the counts of descriptors and resources do not fall any more, or `mostMs` are over. */
export async function quiet(mostMs = 15_000): Promise<void> {
  const until = performance.now() + mostMs;
  let before = Number.POSITIVE_INFINITY;
  let since = performance.now();
  while (performance.now() < until) {
    await pause(5);
    const now = descriptors().length + process.getActiveResourcesInfo().length;
    if (now < before) since = performance.now();
    before = Math.min(before, now);
    if (performance.now() - since > 60) return;
  }
}

/** @param classes how many of {@link CLASSES}, the first ones: counting each takes a tenth of a second. */
export async function sample(watched: Watched, classes = Object.keys(CLASSES).length): Promise<Sample> {
  const gc = globalThis.gc;
  if (gc === undefined) throw new Error('node has to be started with --expose-gc');
  // What finalizers and promises let go of in the first is collected by the second.
  for (let i = 0; i < 2; i++) {
    gc();
    await new Promise((resolve) => setImmediate(resolve));
  }
  gc();
  const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
  const malloced = getHeapStatistics().malloced_memory;
  const found: Record<string, number> = { rss, heapUsed, external, arrayBuffers, malloced };
  const open = descriptors();
  found.descriptors = open.length;
  found.sockets = open.filter((target) => target.startsWith('socket:')).length;
  for (const kind of process.getActiveResourcesInfo()) {
    // The pause of quiet() itself is over by now.
    found[`resources:${kind}`] = (found[`resources:${kind}`] ?? 0) + 1;
  }
  for (const [name, count] of Object.entries(watched)) found[`listeners:${name}`] = count();
  found['listeners:process'] = process
    .eventNames()
    .reduce((sum, event) => sum + process.listenerCount(event as string), 0);
  for (const [name, of] of Object.entries(CLASSES).slice(0, classes)) found[`objects:${name}`] = countOf(of);
  return found;
}

function countOf(of: abstract new (...args: never[]) => unknown): number {
  return queryObjects(of as never, { format: 'count' }) as unknown as number;
}

/** What each open file descriptor of this process is. */
export function descriptors(): string[] {
  return readdirSync('/proc/self/fd').flatMap((name) => {
    try {
      return [readlinkSync(`/proc/self/fd/${name}`)];
    } catch {
      return []; // the one the list itself was read by
    }
  });
}
