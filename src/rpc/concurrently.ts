import type { CallContext } from '../protocol/authenticator.js';
import { belongsTo, callOf } from './call-trace.js';
import { Limiter } from './limiter.js';

/**
 * Does the work for each item, at most `limit` at a time, and returns the results in the order of the items. After the first failure none is
 * begun, and those that run are told through their context to end. All have ended when this does: nothing of a call outlives the call.
 *
 * @throws what the first of them to fail threw.
 */
export async function concurrently<T, R>(
  items: readonly T[],
  limit: number,
  context: CallContext,
  work: (item: T, context: CallContext) => Promise<R>,
): Promise<R[]> {
  const limiter = new Limiter(limit);
  const giveUp = new AbortController();
  const own: CallContext = {
    remainingMs: () => context.remainingMs(),
    signal: AbortSignal.any([context.signal, giveUp.signal]),
  };
  belongsTo(own.signal, callOf(context.signal));
  let failure: { readonly thrown: unknown } | undefined;
  const results = await Promise.all(
    items.map((item) =>
      limiter.run(async () => {
        if (failure !== undefined) return undefined;
        try {
          return await work(item, own);
        } catch (thrown) {
          failure ??= { thrown };
          giveUp.abort(thrown);
          return undefined;
        }
      }),
    ),
  );
  if (failure !== undefined) throw failure.thrown;
  return results as R[];
}
