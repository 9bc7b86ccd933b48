import { describe, expect, it, vi } from 'vitest';
import { CallSlots } from '../../src/auth/call-slots.js';
import { pause } from '../../src/auth/pause.js';
import { onAbort, untilAborted } from '../../src/protocol/on-abort.js';

const never = new AbortController().signal;
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Counts the listeners a signal has, to see that none is left behind. */
function countingSignal() {
  const controller = new AbortController();
  const { signal } = controller;
  const counts = { listeners: 0, most: 0 };
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    counts.listeners += 1;
    counts.most = Math.max(counts.most, counts.listeners);
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    counts.listeners -= 1;
    remove(...args);
  };
  return { controller, signal, counts };
}

describe('onAbort', () => {
  it('calls every listener once, but none that was taken back', () => {
    const { controller, signal, counts } = countingSignal();
    const called: string[] = [];
    onAbort(signal, () => called.push('one'));
    const takeBack = onAbort(signal, () => called.push('two'));
    onAbort(signal, () => called.push('three'));
    takeBack();
    expect(counts.most).toBe(1);
    controller.abort();
    expect(called).toEqual(['one', 'three']);
  });

  it('watches a signal again after it had been let go', () => {
    const { controller, signal, counts } = countingSignal();
    onAbort(signal, () => {})();
    expect(counts.listeners).toBe(0);
    const listener = vi.fn();
    onAbort(signal, listener);
    controller.abort();
    expect(listener).toHaveBeenCalledOnce();
  });

  it('puts one listener on a signal a thousand queued calls wait on, and leaves none behind', async () => {
    const slots = new CallSlots(2);
    const { signal, counts } = countingSignal();
    await Promise.all(Array.from({ length: 1000 }, () => slots.run(signal, async () => {})));
    await turn();
    expect(counts).toEqual({ listeners: 0, most: 1 });
  });
});

describe('untilAborted', () => {
  it('settles as the promise does', async () => {
    const { signal, counts } = countingSignal();
    expect(await untilAborted(signal, Promise.resolve(7))).toBe(7);
    await expect(untilAborted(signal, Promise.reject(new Error('no')))).rejects.toThrow('no');
    await turn();
    expect(counts.listeners).toBe(0);
  });

  it('rejects with the reason of the signal, and drops what comes later', async () => {
    const reason = new Error('stop');
    const late = Promise.reject(new Error('late'));
    await expect(untilAborted(AbortSignal.abort(reason), late)).rejects.toBe(reason);
    const controller = new AbortController();
    const waiting = untilAborted(controller.signal, new Promise(() => {}));
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
  });
});

describe('pause', () => {
  it('waits, and ends at once without a timer when the signal fires', async () => {
    vi.useFakeTimers();
    try {
      const done = vi.fn();
      const waited = pause(never, 100).then(done);
      await vi.advanceTimersByTimeAsync(99);
      expect(done).not.toHaveBeenCalled();
      await vi.advanceTimersByTimeAsync(1);
      await waited;
      expect(done).toHaveBeenCalledOnce();

      const { controller, signal } = countingSignal();
      const reason = new Error('stop');
      const stopped = pause(signal, 100);
      expect(vi.getTimerCount()).toBe(1);
      controller.abort(reason);
      await expect(stopped).rejects.toBe(reason);
      expect(vi.getTimerCount()).toBe(0);
      await expect(pause(signal, 100)).rejects.toBe(reason);
    } finally {
      vi.useRealTimers();
    }
  });
});
