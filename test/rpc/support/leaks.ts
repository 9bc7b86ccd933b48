/** What a call may not leave behind. */
import { getEventListeners } from 'node:events';
import { afterAll, expect } from 'vitest';
import { turn, until } from './until.js';

/** Timers, sockets and connects that keep the process alive now. Sockets of peers in this process count too. */
function held(): Record<string, number> {
  const counts: Record<string, number> = {
    Timeout: 0,
    TCPSocketWrap: 0,
    TCPConnectWrap: 0,
    GetAddrInfoReqWrap: 0,
  };
  for (const resource of process.getActiveResourcesInfo()) {
    if (resource in counts) counts[resource] = (counts[resource] ?? 0) + 1;
  }
  return counts;
}

/** Runs `work`; afterwards as many timers and sockets must be there as before, and no listener on the caller's signal. */
export async function leavesNothing<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  await turn();
  const before = held();
  const result = await work();
  // The timers are gone at once; sockets take some turns to close on both sides.
  expect(held().Timeout, 'timers').toBeLessThanOrEqual(before.Timeout ?? 0);
  if (signal !== undefined)
    expect(getEventListeners(signal, 'abort'), "listeners of the caller's signal").toEqual([]);
  const same = () => {
    const now = held();
    return Object.keys(before).every((key) => (now[key] ?? 0) <= (before[key] ?? 0));
  };
  await until(
    same,
    `sockets to be gone (before: ${JSON.stringify(before)}, last: ${JSON.stringify(held())})`,
    3_000,
  );
  return result;
}

/** Fails the test file when a promise was rejected without a handler, or Node warned, in any of its tests. */
export function noStrayTrouble(): void {
  const troubles: unknown[] = [];
  // What an embedded daemon says of its client is for test/support/watch.ts.
  const note = (trouble: unknown) =>
    (trouble as Error | null)?.name === 'SlurmwireTesting' || troubles.push(trouble);
  process.on('unhandledRejection', note);
  process.on('warning', note);
  afterAll(async () => {
    for (let i = 0; i < 10; i++) await turn();
    process.off('unhandledRejection', note);
    process.off('warning', note);
    expect(troubles).toEqual([]);
  });
}
