/** Which of several controllers is in charge: the first in order that answers, but a backup waits SlurmctldTimeout before it takes over. */
import { isAtLeast } from '../../protocol/release.js';
import { nowSeconds, type World } from '../model/world.js';
import type { Slurmctld } from './slurmctld.js';

/** Seconds a primary that has come back leaves its backup in charge: seen on 24.11 and 26.05; 20.11 and 22.05 take over at once. */
const HAND_BACK_SECONDS = 30;

export class TakeOver {
  readonly #world: World;
  readonly #controllers: readonly Slurmctld[];
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** @param controllers in order; the first is in charge. */
  constructor(world: World, controllers: readonly Slurmctld[]) {
    this.#world = world;
    this.#controllers = controllers;
  }

  /** To be called when a controller was started. One that was in charge when it ended still is: nobody else took over. */
  started(controller: Slurmctld): void {
    if (controller.isInCharge) this.now(controller);
    else this.look();
  }

  /** To be called whenever a controller begins or ceases to answer. */
  look(): void {
    clearTimeout(this.#timer);
    const next = this.#controllers.find(({ server }) => server.isAnswering);
    if (this.#isClosed || next === undefined || next.isInCharge) return;
    const isBack = this.#controllers.some(({ isInCharge, server }) => isInCharge && server.isAnswering);
    const timeout = Number(this.#world.settings.parameters.SlurmctldTimeout ?? DEFAULT_TIMEOUT);
    const seconds = !isBack ? timeout : isAtLeast(next.server.release, '23.11') ? HAND_BACK_SECONDS : 0;
    this.#timer = setTimeout(() => this.now(next), seconds * 1000);
    this.#timer.unref();
  }

  /** Puts a controller in charge at once. */
  now(controller: Slurmctld): void {
    if (this.#isClosed) return;
    clearTimeout(this.#timer);
    for (const one of this.#controllers) one.isInCharge = one === controller;
    this.#world.release = controller.server.release;
    this.#world.bootTime = nowSeconds();
    this.look();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }
}

/** Seconds. Slurm's own default is 120, which no test waits for. */
export const DEFAULT_TIMEOUT = 2;
