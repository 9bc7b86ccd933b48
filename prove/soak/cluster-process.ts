/** A process that has an embedded cluster and nothing else, and does with it what its parent says: see `remote-cluster.ts`. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Authenticator, CallContext } from '../../src/protocol/authenticator.js';
import type { MessageRecord, Release } from '../../src/protocol/index.js';
import { messageType } from '../../src/protocol/messages/index.js';
import {
  type EmbeddedCluster,
  type Fault,
  type FaultMatch,
  type MungedFault,
  type MungedFaultScope,
  startCluster,
} from '../../src/testing/index.js';
import { exampleOf, settled } from '../../test/support/description.js';
import { Chance } from './random.js';
import type { Asked, ClusterMethods, Told, TroubleOptions } from './remote-cluster.js';

type Rerouted = MessageRecord<'RESPONSE_SLURM_REROUTE_MSG'>;

let cluster: EmbeddedCluster | undefined;
let auth: Authenticator | undefined;
let trouble: Trouble | undefined;

function there(): EmbeddedCluster {
  if (cluster === undefined) throw new Error('no cluster was started');
  return cluster;
}

/** A call of the parent is over when the parent says so. */
const NO_END: CallContext = { remainingMs: () => 60_000, signal: new AbortController().signal };

const methods: ClusterMethods = {
  async start(options) {
    cluster = await startCluster({ logLimit: 0, ...options });
    auth = cluster.options().auth;
    return { slurmConf: cluster.slurmConf, mungeSocket: cluster.munged.socket };
  },
  async submit(count, options) {
    return Array.from({ length: count }, () => there().submit(options).jobId);
  },
  async untilRunning(jobIds) {
    for (const jobId of jobIds) await there().waitForJob(jobId, 'RUNNING', 60_000);
  },
  async running(jobIds) {
    return jobIds.filter((jobId) => there().job(jobId)?.state === 'RUNNING');
  },
  async trouble(options) {
    trouble ??= new Trouble(there(), options);
  },
  async noTrouble() {
    const ended = await trouble?.end();
    trouble = undefined;
    return ended ?? {};
  },
  async fault(match: FaultMatch, fault: Fault) {
    there().fault(match, fault);
  },
  async clearFaults() {
    there().clearFaults();
  },
  async sendOn() {
    // One fault whose answer is another one each time.
    const [name, record] = elsewhere('127.77.0.1', there().release) as [
      'RESPONSE_SLURM_REROUTE_MSG',
      Rerouted,
    ];
    let sent = 0;
    const reply = {
      get 1() {
        sent += 1;
        const controlHost = `127.77.${(sent >> 8) & 0xff}.${sent & 0xff}`;
        return { ...record, workingClusterRec: { ...record.workingClusterRec, controlHost } };
      },
      0: name,
      length: 2,
      [Symbol.iterator]: () => [name, reply[1]].values(),
    };
    there().fault({ request: 'REQUEST_KILL_JOB' }, { reply: reply as never });
  },
  async munged(what) {
    const { munged } = there();
    if (what === 'crash' || what === 'start' || what === 'stop') await munged[what]();
    else takeBack = munged.fault(what.fault as MungedFault, what.scope as MungedFaultScope);
  },
  async mungedWell() {
    takeBack();
    takeBack = () => {};
  },
  async daemon(name, what) {
    await there().daemon(name)[what]();
  },
  async create(payload, restrictUid) {
    return (auth as Authenticator).create(Uint8Array.from(payload), restrictUid, NO_END);
  },
  async verify(section) {
    const verified = await (auth as Authenticator).verify(section, NO_END);
    return verified === null ? null : { ...verified, payload: [...verified.payload] };
  },
  async down() {
    await methods.noTrouble();
    await cluster?.down();
    cluster = undefined;
  },
};

let takeBack = () => {};

/** A controller's word that a call belongs to another cluster's. */
function elsewhere(controlHost: string, release: Release): NonNullable<Fault['reply']> {
  const type = messageType('RESPONSE_SLURM_REROUTE_MSG');
  const { workingClusterRec } = exampleOf(type, release) as Rerouted;
  const place = { controlHost, controlPort: 6817, rpcVersion: 0 };
  const record = { workingClusterRec: { ...workingClusterRec, ...place }, stepmgr: null };
  return ['RESPONSE_SLURM_REROUTE_MSG', settled(type, record, release) as Rerouted];
}

/** Faults by chance, and at times a daemon, munged or a controller that goes and comes back. */
class Trouble {
  readonly #cluster: EmbeddedCluster;
  readonly #chance: Chance;
  readonly #count: Record<string, number> = {};
  readonly #over = new AbortController();
  /** What munged does wrong and nobody has met yet. */
  #takeBack = () => {};
  readonly #events: Promise<void>;

  constructor(
    cluster: EmbeddedCluster,
    { seed, share, everyMs, munged, backups, isHonest = false }: TroubleOptions,
  ) {
    this.#cluster = cluster;
    this.#chance = new Chance(seed);
    const kinds: Readonly<Record<string, Fault>> = {
      'drop before': { drop: 'before' },
      'drop after': { drop: 'after' },
      'reset before': { reset: 'before' },
      'reset after': { reset: 'after' },
      'hang before': { hang: 'before' },
      'hang after': { hang: 'after' },
      delay: { delayMs: 30 },
      'late answer': { answerDelayMs: 60 },
      'cut short': { cutAt: 5 },
      'cut in the body': { cutAt: 40 },
      'other version': { release: cluster.release === '22.05' ? '21.08' : '22.05' },
      ...(isHonest ? {} : this.#lies()),
    };
    for (const [name, fault] of Object.entries(kinds)) {
      // Hanging costs whole timeouts: seldom.
      const rate = (share / Object.keys(kinds).length) * (name.startsWith('hang') ? 0.2 : 1);
      cluster.fault({ when: () => this.#meets(name, rate) }, fault);
    }
    this.#events = this.#go(everyMs, munged, backups);
  }

  async end(): Promise<Record<string, number>> {
    this.#over.abort();
    this.#cluster.clearFaults();
    await this.#events;
    this.#takeBack();
    return this.#count;
  }

  #meets(name: string, rate: number): boolean {
    if (!this.#chance.happens(rate)) return false;
    this.#note(name);
    return true;
  }

  #note(name: string): void {
    this.#count[name] = (this.#count[name] ?? 0) + 1;
  }

  #lies(): Record<string, Fault> {
    return {
      'lie: 2017': { rc: 2017 },
      'lie: -1': { rc: -1 },
      corrupt: { corrupt: (bytes) => this.#corrupted(bytes) },
    };
  }

  #corrupted(bytes: Uint8Array): Uint8Array {
    const changed = bytes.slice();
    const at = this.#chance.whole(0, changed.length - 1);
    changed[at] = (changed[at] ?? 0) ^ this.#chance.whole(1, 255);
    return changed;
  }

  async #go(everyMs: number, munged: boolean, backups: number): Promise<void> {
    const { signal } = this.#over;
    const events = [() => this.#dieAndComeBack('slurmctld'), () => this.#dieAndComeBack('n1')];
    if (backups > 0) events.push(() => this.#takeOver());
    if (munged)
      events.push(
        () => this.#mungedGoes('stop'),
        () => this.#mungedGoes('crash'),
        () => this.#mungedFails(),
      );
    for (let turn = 0; ; turn++) {
      const isOver = await pause(everyMs * (0.5 + this.#chance.next()), false, { signal }).catch(() => true);
      if (isOver) return;
      await events[turn % events.length]?.();
    }
  }

  async #dieAndComeBack(name: string): Promise<void> {
    this.#note(`${name === 'slurmctld' ? name : 'slurmd'} dies`);
    const daemon = this.#cluster.daemon(name);
    await daemon.kill();
    await pause(this.#chance.whole(5, 80));
    await this.#back(name);
  }

  async #takeOver(): Promise<void> {
    this.#note('take-over');
    await this.#cluster.daemon('slurmctld').stop();
    this.#cluster.takeOver('slurmctld2');
    await pause(this.#chance.whole(20, 150));
    await this.#back('slurmctld');
    this.#cluster.takeOver('slurmctld');
  }

  /** Its port may have become that of somebody's connection meanwhile: then it comes back later. */
  async #back(name: string): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#cluster.daemon(name).start();
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || tries === 1_000) throw error;
        await pause(10);
      }
    }
  }

  async #mungedGoes(how: 'stop' | 'crash'): Promise<void> {
    this.#note(`munged: ${how}`);
    await this.#cluster.munged[how]();
    await pause(this.#chance.whole(5, 150));
    await this.#cluster.munged.start();
  }

  async #mungedFails(): Promise<void> {
    this.#takeBack();
    const fault = this.#chance.one(['hang', 'close', { error: 1 }, { error: 15 }] as const);
    this.#note(`munged: ${typeof fault === 'string' ? fault : `error ${fault.error}`}`);
    this.#takeBack = this.#cluster.munged.fault(fault, { times: fault === 'hang' ? 1 : 3 });
  }
}

process.on('message', (asked: Asked) => {
  const { id, method, parameters } = asked;
  const work = methods[method] as (...given: readonly unknown[]) => Promise<unknown>;
  work(...parameters).then(
    (value) => tell({ id, value }),
    (error: unknown) =>
      tell({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
});

function tell(told: Told): void {
  // The parent may be gone.
  if (process.connected) process.send?.(told);
}

// Without its parent nobody would ever take it down.
process.on('disconnect', () => {
  methods.down().finally(() => process.exit());
});
