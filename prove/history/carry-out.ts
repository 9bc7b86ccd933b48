/** Carries out one plan on a stage, and writes down its history. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, mungeSocket, type SlurmClient, tcpTransport } from '../../src/index.js';
import { check } from './checker.js';
import { FaultProxy } from './fault-proxy.js';
import { fullPort } from './full-port.js';
import type { CallHistory, History, Said } from './history.js';
import { filledIn, type Moment, type Plan, type PlannedCall, type PlannedTrouble } from './plan.js';
import { NEVER, saidByError, saidByResult } from './said.js';
import type { Stage } from './stage.js';

/** Beyond its time limit a call is waited for so long, and then given up as never ending. */
const PATIENCE_MS = 5_000;
const AFTERWARDS_MS = 15_000;
const RELEASE_OF_SOCKETS_MS = 3_000;
const DOMAIN = 'prove.invalid';
/** Of the loopback network, where nobody listens: the ports of those who shall not answer now lead there. */
const NOBODY = '127.255.3.7';

export interface CarryOutOptions {
  /** For tests of the checker: makes a client that is broken. */
  readonly spoil?: ((client: SlurmClient) => SlurmClient) | undefined;
}

export async function carryOut(plan: Plan, stage: Stage, options: CarryOutOptions = {}): Promise<History> {
  const ids = await stage.prepare(plan);
  const before = await stage.look();
  const run = new Run(plan, stage);
  const lag = monitorEventLoopDelay({ resolution: 5 });
  lag.enable();
  let calls: CallHistory[];
  let leftOpen: number;
  try {
    await run.start();
    const client = await run.client();
    // On a machine that is held up it stays cold.
    if (plan.isWarm) await client.probe(ids[0] ?? 1, { timeoutMs: PATIENCE_MS }).catch(() => {});
    run.arm();
    calls = await run.callAll(options.spoil?.(client) ?? client, ids);
    void client.close();
    leftOpen = await run.leftOpen();
  } finally {
    lag.disable();
    await run.end();
  }
  await stage.settle();
  const { passages, timeline } = run;
  const lagMs = Math.ceil(lag.max / 1e6);
  const seen = async () => {
    const [after, executed] = [await stage.look(), stage.executed()];
    return { plan, ids, calls, before, after, passages, executed, timeline, lagMs, leftOpen };
  };
  // A real controller signals its nodes after it has accepted, and may take its time.
  let history = await seen();
  for (const until = performance.now() + (stage.isReal ? AFTERWARDS_MS : 0); performance.now() < until; ) {
    if (!check(history).some(({ rule }) => rule === 'accepted-but-not-acted')) break;
    await sleep(200);
    history = await seen();
  }
  await stage.giveBack?.(history.after);
  return history;
}

class Run {
  readonly timeline: string[] = [];
  readonly #plan: Plan;
  readonly #stage: Stage;
  readonly #proxies = new Map<string, FaultProxy>();
  readonly #startedAt = performance.now();
  readonly #abort = new AbortController();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #pending: PlannedTrouble[];
  /** Troubles follow one another. */
  #turn: Promise<unknown> = Promise.resolve();
  #ended = false;
  #isArmed = false;

  constructor(plan: Plan, stage: Stage) {
    this.#plan = plan;
    this.#stage = stage;
    this.#pending = [...plan.troubles];
  }

  get passages() {
    return [...this.#proxies.values()].flatMap((proxy) => proxy.passages).sort((a, b) => a.atMs - b.atMs);
  }

  async start(): Promise<void> {
    const { faults } = this.#plan;
    const { isReal, daemons, mungeSocket: path, directory } = this.#stage;
    const on = (moment: Moment, daemon: string, nth: number) => this.#reached(moment, daemon, nth);
    const common = { faults, isReal, on };
    for (const { name, ...target } of daemons)
      this.#proxies.set(
        name,
        new FaultProxy({ ...common, name, target, listen: { host: '127.0.0.1', port: 0 } }),
      );
    this.#proxies.set(
      'munged',
      new FaultProxy({ ...common, name: 'munged', target: { path }, listen: { path: mungePath(directory) } }),
    );
    await Promise.all([...this.#proxies.values()].map((proxy) => proxy.start()));
  }

  /** Trouble may come from now on. */
  arm(): void {
    this.#isArmed = true;
    for (const proxy of this.#proxies.values()) proxy.arm();
  }

  async client(): Promise<SlurmClient> {
    const { user, protocol, faults } = this.#plan;
    const stage = this.#stage;
    const isFull = (daemon: string) =>
      faults.some((fault) => fault.kind === 'full' && fault.daemon === daemon);
    const portOf = async (daemon: string) =>
      isFull(daemon) ? await fullPort() : (this.#proxies.get(daemon)?.port ?? 0);
    const controllers = await Promise.all(
      stage.daemons
        .filter(({ name }) => name.startsWith('slurmctld'))
        .map(async ({ name }) => `${name}.${DOMAIN}:${await portOf(name)}`),
    );
    let lookups = 0;
    const nameless = faults.filter(({ kind }) => kind === 'no-name');
    const lookup = (host: string) => {
      const nth = this.#isArmed ? lookups++ : 0;
      const isLost =
        this.#isArmed && nameless.some((fault) => host.startsWith(`${fault.daemon}.`) && nth >= fault.nth);
      if (isLost) return Promise.reject(Object.assign(new Error(`no ${host}`), { code: 'ENOTFOUND' }));
      const isRefused = this.#proxies.get(host.split('.')[0] ?? '')?.isRefusing === true;
      return Promise.resolve([{ address: isRefused ? NOBODY : '127.0.0.1', family: 4 }]);
    };
    return connect({
      conf: stage.slurmConf,
      controllers,
      nodeAddress: async (node) => {
        if (this.#isArmed && nameless.some(({ daemon }) => daemon === node))
          throw new Error(`no address of ${node}`);
        return { host: `${node}.${DOMAIN}`, port: await portOf(node) };
      },
      auth: stage.authOf(user) ?? mungeSocket({ socket: mungePath(stage.directory) }),
      protocol: protocol === 'own' ? stage.release : 'auto',
      transport: tcpTransport({ lookup, connectTimeoutMs: 1_000 }),
    });
  }

  async callAll(client: SlurmClient, ids: readonly number[]): Promise<CallHistory[]> {
    const all = this.#plan.calls.map((call) => this.#call(client, filledIn(call, ids)));
    for (const trouble of this.#pending)
      if (trouble.atMs !== undefined) this.#after(trouble.atMs, () => void this.#trouble(trouble));
    return Promise.all(all);
  }

  async #call(client: SlurmClient, call: PlannedCall): Promise<CallHistory> {
    const beganAt = performance.now();
    const own = new AbortController();
    const { abortAfterMs } = call;
    if (abortAfterMs !== undefined && abortAfterMs < 0) own.abort();
    else if (abortAfterMs !== undefined) this.#after(abortAfterMs, () => own.abort());
    const signal = AbortSignal.any([own.signal, this.#abort.signal]);
    const args = [...call.args];
    const given = args.pop() as object;
    // When a timer for the same time goes off: what holds that up is not the library's doing.
    let dueAt = Number.POSITIVE_INFINITY;
    const due = setTimeout(() => {
      dueAt = performance.now();
    }, call.timeoutMs);
    let guard: NodeJS.Timeout | undefined;
    const said = await Promise.race([
      said_(client, call, [...args, { ...given, timeoutMs: call.timeoutMs, signal }]),
      new Promise<Said>((resolve) => {
        guard = setTimeout(() => resolve(NEVER), call.timeoutMs + PATIENCE_MS);
      }),
    ]);
    clearTimeout(guard);
    clearTimeout(due);
    const endedAt = performance.now();
    this.timeline.push(
      `${this.#ms(endedAt)} ms: ${call.verb} ${said.settled}, ${said.outcome} ${said.code ?? ''}`,
    );
    const lateMs = Math.max(0, Math.round(endedAt - dueAt));
    return { call, said, beganMs: this.#ms(beganAt), elapsedMs: Math.round(endedAt - beganAt), lateMs };
  }

  #reached(moment: Moment, daemon: string, nth: number): Promise<void> | void {
    if (!this.#isArmed) return;
    const due = this.#pending.filter(
      ({ on }) => on !== undefined && on.daemon === daemon && on.nth === nth && on.moment === moment,
    );
    if (due.length === 0) return;
    return Promise.all(due.map((trouble) => this.#trouble(trouble))).then(() => {});
  }

  #trouble(trouble: PlannedTrouble): Promise<void> {
    const { daemon, what, undoAfterMs } = trouble;
    if (what === 'abort') {
      this.timeline.push(`${this.#ms()} ms: abort`);
      this.#abort.abort();
      return Promise.resolve();
    }
    return this.#inTurn(async () => {
      if (this.#ended) return;
      this.timeline.push(`${this.#ms()} ms: ${what} ${daemon}`);
      const isDown = what === 'kill' || what === 'stop' || what === 'fail-over';
      const proxy = daemon === 'munged' ? undefined : this.#proxies.get(daemon);
      if (isDown) proxy?.refuse();
      await this.#stage.trouble(daemon, what);
      if (undoAfterMs === undefined) return;
      this.#after(undoAfterMs, () => {
        void this.#inTurn(async () => {
          if (this.#ended) return;
          this.timeline.push(`${this.#ms()} ms: ${daemon} is back`);
          await this.#stage.undo(daemon);
          if (isDown) await proxy?.listenAgain();
        });
      });
    });
  }

  #inTurn(act: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(act);
    this.#turn = done.catch(() => {});
    return done;
  }

  /** Connections that the client does not close, although it is done. */
  async leftOpen(): Promise<number> {
    const open = () => [...this.#proxies.values()].reduce((sum, { leftOpen }) => sum + leftOpen, 0);
    for (const until = performance.now() + RELEASE_OF_SOCKETS_MS; performance.now() < until; await sleep(5))
      if (open() === 0) return 0;
    return open();
  }

  async end(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#ended = true;
    await this.#turn;
    for (const proxy of this.#proxies.values()) proxy.close();
  }

  #after(ms: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, ms);
    this.#timers.add(timer);
  }

  #ms(at = performance.now()): number {
    return Math.round(at - this.#startedAt);
  }
}

async function said_(client: SlurmClient, { verb }: PlannedCall, args: readonly unknown[]): Promise<Said> {
  try {
    const act = client[verb] as (...all: unknown[]) => PromiseLike<unknown>;
    return saidByResult(await act.apply(client, [...args]));
  } catch (error) {
    return saidByError(error);
  }
}

function mungePath(directory: string): string {
  return `${directory}/proved.munge.socket`;
}
