/** Makes a plan that fails smaller, as long as it fails. */
import type { Plan } from './plan.js';

/** A run may be decided by microseconds too: a candidate has so many tries to fail. */
const TRIES = 4;

/** @param fails what a failing run came to, or `null`. @returns the smallest one's; `null` where not even the plan itself failed again. */
export async function shrink<T>(plan: Plan, fails: (plan: Plan) => Promise<T | null>): Promise<T | null> {
  const tried = async (candidate: Plan) => {
    for (let i = 0; i < TRIES; i++) {
      const found = await fails(candidate);
      if (found !== null) return found;
    }
    return null;
  };
  let smallest = await tried(plan);
  if (smallest === null) return null;
  let current = plan;
  for (let isSmaller = true; isSmaller; ) {
    isSmaller = false;
    for (const candidate of smallerThan(current)) {
      const found = await tried(candidate);
      if (found === null) continue;
      [smallest, current, isSmaller] = [found, candidate, true];
      break;
    }
  }
  return smallest;
}

function* smallerThan(plan: Plan): Generator<Plan> {
  const { faults, troubles, calls, backups } = plan;
  for (const index of troubles.keys()) yield { ...plan, troubles: troubles.toSpliced(index, 1) };
  for (const index of faults.keys()) yield { ...plan, faults: faults.toSpliced(index, 1) };
  if (calls.length > 1) for (const index of calls.keys()) yield { ...plan, calls: calls.toSpliced(index, 1) };
  if (backups === 1) yield { ...plan, backups: 0 };
  for (const [index, { undoAfterMs, ...trouble }] of troubles.entries())
    if (undoAfterMs !== undefined) yield { ...plan, troubles: troubles.with(index, trouble) };
  for (const [index, { abortAfterMs, ...call }] of calls.entries())
    if (abortAfterMs !== undefined) yield { ...plan, calls: calls.with(index, call) };
  if (plan.isWarm) yield { ...plan, isWarm: false };
  if (plan.protocol === 'own') yield { ...plan, protocol: 'auto' };
}
