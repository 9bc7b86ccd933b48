import { describe, expect, it } from 'vitest';
import { CallSlots } from '../../src/auth/call-slots.js';

/** A call that ends when told to. */
function controlled<Value = void>() {
  let resolve: (value: Value) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<Value>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const never = new AbortController().signal;

describe('CallSlots', () => {
  it('never runs more calls than its limit, and starts the others in the order they came', async () => {
    const slots = new CallSlots(2);
    const calls = Array.from({ length: 6 }, () => controlled<number>());
    const started: number[] = [];
    const results = calls.map((call, index) =>
      slots.run(never, () => {
        started.push(index);
        return call.promise;
      }),
    );
    await turn();
    expect(started).toEqual([0, 1]);
    expect([slots.running, slots.waiting]).toEqual([2, 4]);
    calls[1]?.resolve(1);
    await turn();
    expect(started).toEqual([0, 1, 2]);
    for (const [index, call] of calls.entries()) call.resolve(index);
    expect(await Promise.all(results)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(started).toEqual([0, 1, 2, 3, 4, 5]);
    expect([slots.running, slots.waiting, slots.peak]).toEqual([0, 0, 2]);
  });

  it('lets no newcomer overtake the queue when a slot falls free', async () => {
    const slots = new CallSlots(1);
    const first = controlled();
    const started: string[] = [];
    const one = slots.run(never, () => first.promise);
    const two = slots.run(never, async () => void started.push('queued'));
    first.resolve();
    const three = one.then(() => slots.run(never, async () => void started.push('newcomer')));
    await Promise.all([one, two, three]);
    expect(started).toEqual(['queued', 'newcomer']);
    expect(slots.running).toBe(0);
  });

  it('frees the slot of a call that rejects, and of one that throws', async () => {
    const slots = new CallSlots(1);
    await expect(slots.run(never, () => Promise.reject(new Error('rejected')))).rejects.toThrow('rejected');
    await expect(
      slots.run(never, () => {
        throw new Error('thrown');
      }),
    ).rejects.toThrow('thrown');
    expect(await slots.run(never, async () => 'fine')).toBe('fine');
    expect(slots.running).toBe(0);
  });

  it('rejects a waiting call at once with the reason of its signal, without ever starting it', async () => {
    const slots = new CallSlots(1);
    const blocker = controlled();
    const blocking = slots.run(never, () => blocker.promise);
    const controller = new AbortController();
    let started = false;
    const waiting = slots.run(controller.signal, async () => {
      started = true;
    });
    await turn();
    expect(slots.waiting).toBe(1);
    const reason = new Error('deadline');
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    expect(slots.waiting).toBe(0);
    blocker.resolve();
    await blocking;
    await turn();
    expect(started).toBe(false);
    expect(slots.running).toBe(0);
  });

  it('rejects the caller of a started call at once, while the call keeps its slot until it returns', async () => {
    const slots = new CallSlots(1);
    const native = controlled();
    const controller = new AbortController();
    const abandoned = slots.run(controller.signal, () => native.promise);
    await turn();
    const reason = new Error('gone');
    controller.abort(reason);
    await expect(abandoned).rejects.toBe(reason);
    expect(slots.running).toBe(1);
    const next = slots.run(never, async () => 'next');
    await turn();
    expect(slots.waiting).toBe(1);
    // Fails late: nobody listens any more, and it must not become an unhandled rejection.
    native.reject(new Error('too late'));
    expect(await next).toBe('next');
    expect(slots.running).toBe(0);
  });

  it('starts nothing when the signal fires just as the slot is handed over', async () => {
    const slots = new CallSlots(1);
    const first = controlled();
    const controller = new AbortController();
    const reason = new Error('just now');
    let started = false;
    const running = slots.run(never, () => first.promise);
    const queued = slots.run(controller.signal, async () => {
      started = true;
    });
    queued.catch(() => {});
    first.resolve();
    while (slots.waiting > 0) await Promise.resolve();
    controller.abort(reason);
    await running;
    await expect(queued).rejects.toBe(reason);
    expect(started).toBe(false);
    expect(slots.running).toBe(0);
  });

  it('rejects at once when the signal has fired already', async () => {
    const slots = new CallSlots(1);
    const reason = new Error('before');
    await expect(slots.run(AbortSignal.abort(reason), async () => 1)).rejects.toBe(reason);
    expect([slots.running, slots.waiting]).toEqual([0, 0]);
  });
});
