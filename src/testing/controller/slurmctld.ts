/** An embedded slurmctld: in charge or on standby. */
import type { MessageName } from '../../protocol/messages/index.js';
import { isAtLeast, type Release } from '../../protocol/release.js';
import type { CredentialStore } from '../credentials.js';
import type { Life } from '../model/life.js';
import { nowSeconds, type World } from '../model/world.js';
import type { NodeDaemon } from '../slurmd/node-daemon.js';
import { returnCode, type WireAnswer, type WireHost, type WireRequest, WireServer } from '../wire-server.js';
import type { ControllerCall, ControllerHandler } from './handler.js';
import { CONTROLLER_HANDLERS } from './handlers.js';
import { RateLimiter, TOO_MANY_REQUESTS } from './rate-limiter.js';

/** What all controllers of a cluster share. */
export interface ControllerSetup {
  readonly world: World;
  readonly life: Life;
  readonly nodes: ReadonlyMap<string, NodeDaemon>;
  readonly credentials: CredentialStore;
}

/** ESLURM_IN_STANDBY_MODE (2027), ESLURM_IN_STANDBY_USE_BACKUP (2131). */
const IN_STANDBY_MODE = 2027;

export class Slurmctld {
  readonly name: string;
  readonly server: WireServer;
  /** 0 for the primary, from 1 for backups in their order. */
  readonly index: number;
  readonly #setup: ControllerSetup;
  readonly #limiter: RateLimiter;
  /** Whether it is in charge: `take-over.ts` decides among several. */
  isInCharge: boolean;

  /** @param index 0 for the primary, from 1 for backups in their order. */
  constructor(index: number, host: WireHost, setup: ControllerSetup) {
    const name = index === 0 ? 'slurmctld' : `slurmctld${index + 1}`;
    this.name = name;
    this.index = index;
    this.isInCharge = index === 0;
    this.#setup = setup;
    this.#limiter = new RateLimiter(setup.world);
    const { settings, users } = setup.world;
    const { slurmUser: user } = users;
    const handle = (request: WireRequest, signal: AbortSignal) => this.#handle(request, signal);
    // slurm.conf has one port for all controllers, so each has an address of its own.
    const address = `127.0.0.${index + 1}`;
    this.server = new WireServer(
      host,
      { name, kind: 'slurmctld', user, credentials: setup.credentials.host(), address, handle },
      settings.release,
    );
  }

  #handle(request: WireRequest, signal: AbortSignal): Promise<WireAnswer> | WireAnswer {
    const { name, record, release, uid, gid } = request;
    if (!this.isInCharge && !isServedOnStandby(name, this.server.release)) return returnCode(IN_STANDBY_MODE);
    if (isAtLeast(this.server.release, '23.02') && this.#limiter.isOver(uid))
      return returnCode(TOO_MANY_REQUESTS);
    const handler = CONTROLLER_HANDLERS[name] as ControllerHandler<MessageName> | undefined;
    if (handler === undefined) return returnCode(22);
    this.#forgetOldJobs();
    return handler({
      ...this.#setup,
      record,
      release,
      own: this.server.release,
      uid,
      gid,
      controller: this,
      request,
      signal,
    } as ControllerCall);
  }

  #forgetOldJobs(): void {
    const { world } = this.#setup;
    const minJobAge = Number(world.settings.parameters.MinJobAge ?? 300);
    if (world.jobs.purge(minJobAge, nowSeconds())) world.changed();
  }
}

function isServedOnStandby(name: MessageName, _release: Release): boolean {
  return name === 'REQUEST_PING' || name === 'REQUEST_CONTROL_STATUS';
}
