import type { TracingChannel } from 'node:diagnostics_channel';

/** An event that is told how the work ended. */
export interface Told<T> {
  resolved(value: T): void;
  rejected(error: unknown): void;
}

/**
 * Does the work and publishes its event from the first step to the end. How it ends is the work's alone: an event that a listener has spoilt (frozen, say) is
 * reported as Node reports a listener that throws.
 *
 * The result is not published, since a reply may hold anything; the event says of it what may be known.
 */
export async function traced<T, E extends Told<T>>(
  channel: TracingChannel<unknown, E>,
  event: E,
  work: () => Promise<T>,
): Promise<T> {
  let ended: { readonly value: T } | { readonly error: unknown } | undefined;
  const published = channel.tracePromise(async () => {
    try {
      ended = { value: await work() };
    } catch (error) {
      ended = { error };
      event.rejected(error);
      throw error;
    }
    event.resolved(ended.value);
  }, event);
  try {
    await published;
  } catch (thrown) {
    if (ended === undefined) throw thrown;
    if (!('error' in ended) || ended.error !== thrown) throwLater(thrown);
  }
  if (ended === undefined) throw new TypeError('the work was not begun');
  if ('error' in ended) throw ended.error;
  return ended.value;
}

function throwLater(thrown: unknown): void {
  process.nextTick(() => {
    throw thrown;
  });
}
