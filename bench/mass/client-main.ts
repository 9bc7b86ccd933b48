/**
 * A user's own process with a slurmwire client in it: calls what its parent asks for, and says how long that took and what it cost.
 *
 * It is started as root and becomes the user once the library is loaded: the checkout may be unreadable to that user.
 */
import { performance } from 'node:perf_hooks';
import { connect, isSlurmError, loadMunge, type SlurmClient } from '../../src/index.js';
import type { ClientCall, ClientSaid, ClientSetup } from './client-process.js';

const { uid, gid, options }: ClientSetup = JSON.parse(process.argv[2] ?? '{}');
await loadMunge().catch(() => {}); // before the change of user
if (process.getuid?.() !== uid) {
  process.setgroups?.([gid]);
  process.setgid?.(gid);
  process.setuid?.(uid);
}

let client: SlurmClient | null = null;

process.on('message', async ({ method, args, isFresh }: ClientCall) => {
  if (isFresh) {
    await client?.close();
    client = null;
    globalThis.gc?.();
  }
  const cpu = process.cpuUsage();
  const began = performance.now();
  let said: ClientSaid;
  try {
    client ??= await connect(options);
    const call = client[method as 'ping'].bind(client) as unknown as (...all: unknown[]) => Promise<object>;
    const result = await call(...args);
    const ms = performance.now() - began;
    said = { ms, cpuMs: cpuSince(cpu), result: summaryOf(result), error: null };
  } catch (error) {
    const ms = performance.now() - began;
    const text = isSlurmError(error) ? `${error.code}: ${error.message}` : String(error);
    said = { ms, cpuMs: cpuSince(cpu), result: {}, error: text };
  }
  process.send?.(said);
});
process.on('disconnect', () => {
  client?.close().catch(() => {});
});
process.send?.('ready');

/** Of user and kernel, in milliseconds. */
function cpuSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** A result without its thousands of entries: how many there are of each outcome stands for them. */
function summaryOf(result: object): Record<string, unknown> {
  const entries = Object.entries(result).map(([key, value]) => [
    key,
    Array.isArray(value) ? outcomesOf(value) : value,
  ]);
  return Object.fromEntries(entries);
}

function outcomesOf(list: readonly { readonly outcome?: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { outcome = 'other' } of list) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}
