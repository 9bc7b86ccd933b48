/** Listens to all channels of the library and keeps what it hears. */
import { channel, tracingChannel } from 'node:diagnostics_channel';
import {
  SLURMWIRE_CHANNELS,
  type SlurmwireCallEvent,
  type SlurmwireContactEvent,
  type SlurmwireExchangeEvent,
  type SlurmwirePassedOverEvent,
  type SlurmwireTerminateEvent,
  type SlurmwireWaitEvent,
} from '../../../src/rpc/index.js';

export class Listener implements Disposable {
  /** Each once, in the order in which they began. */
  readonly calls: SlurmwireCallEvent[] = [];
  readonly exchanges: SlurmwireExchangeEvent[] = [];
  readonly contacts: SlurmwireContactEvent[] = [];
  readonly passedOver: SlurmwirePassedOverEvent[] = [];
  readonly waits: SlurmwireWaitEvent[] = [];
  readonly terminations: SlurmwireTerminateEvent[] = [];
  /** Every event of both tracing channels as it came: `call 1 start`, numbered from 1. */
  readonly order: string[] = [];
  readonly #leave: (() => void)[] = [];

  constructor() {
    this.#trace(SLURMWIRE_CHANNELS.call, 'call', this.calls);
    this.#trace(SLURMWIRE_CHANNELS.exchange, 'exchange', this.exchanges);
    this.#subscribe(SLURMWIRE_CHANNELS.contact, this.contacts);
    this.#subscribe(SLURMWIRE_CHANNELS.passedOver, this.passedOver);
    this.#subscribe(SLURMWIRE_CHANNELS.wait, this.waits);
    this.#subscribe(SLURMWIRE_CHANNELS.terminate, this.terminations);
  }

  /** The only call there was. */
  get call(): SlurmwireCallEvent {
    const [call] = this.calls;
    if (call === undefined || this.calls.length > 1) throw new Error(`${this.calls.length} calls`);
    return call;
  }

  /** Everything that was heard. */
  get all(): readonly object[] {
    return [this.calls, this.exchanges, this.contacts, this.passedOver, this.waits, this.terminations].flat();
  }

  #trace<E extends object>(name: string, short: string, list: E[]): void {
    const tracing = tracingChannel<unknown, E>(name);
    const note = (what: string) => (event: E) => {
      if (what === 'start') list.push(event);
      this.order.push(`${short} ${list.indexOf(event) + 1} ${what}`);
    };
    const handlers = {
      start: note('start'),
      end: note('end'),
      asyncStart: note('asyncStart'),
      asyncEnd: note('asyncEnd'),
      error: note('error'),
    };
    tracing.subscribe(handlers);
    this.#leave.push(() => tracing.unsubscribe(handlers));
  }

  #subscribe<E>(name: string, list: E[]): void {
    const note = (event: unknown) => list.push(event as E);
    channel(name).subscribe(note);
    this.#leave.push(() => channel(name).unsubscribe(note));
  }

  [Symbol.dispose](): void {
    for (const leave of this.#leave) leave();
  }
}
