/** Many runs side by side, on a stage each; what fails is run again, made smaller, and shown. */
import type { Release } from '../../src/index.js';
import { type CarryOutOptions, carryOut } from './carry-out.js';
import { check, type Finding } from './checker.js';
import { EmbeddedStage } from './embedded-stage.js';
import { closeFullPort } from './full-port.js';
import type { History } from './history.js';
import { LabHall, LabStage } from './lab-stage.js';
import { makePlan } from './make-plan.js';
import type { Plan } from './plan.js';
import { shrink } from './shrink.js';
import { Tally } from './tally.js';

export interface ProveOptions {
  /** Of the first run; the next has the next number. */
  readonly seed: number;
  readonly on: 'embedded' | Release;
  /** Embedded: of the cluster. Default: any. */
  readonly release?: Release | undefined;
  readonly runs: number;
  /** No run is begun later. */
  readonly seconds?: number | undefined;
  readonly concurrency: number;
  readonly verbose?: boolean | undefined;
  readonly shrink?: boolean | undefined;
  /** For tests: makes clients that are broken. */
  readonly spoil?: CarryOutOptions['spoil'];
  readonly log?: ((line: string) => void) | undefined;
}

export interface Failure {
  readonly plan: Plan;
  readonly findings: readonly Finding[];
  readonly history: History;
}

export interface Proof {
  readonly runs: number;
  readonly failures: readonly Failure[];
  /** Rejections that nobody handled, and errors that nobody caught. */
  readonly strays: readonly string[];
  readonly tally: Tally;
}

/** Runs that a stage is used for, and then replaced. */
const RUNS_PER_STAGE = 40;
const MAX_FAILURES = 20;

export async function proveHistory(options: ProveOptions): Promise<Proof> {
  const { seed, runs, seconds = Infinity, concurrency, log = () => {} } = options;
  const tally = new Tally();
  const failures: Failure[] = [];
  const strays: string[] = [];
  const stray = (what: unknown) =>
    strays.push(what instanceof Error ? (what.stack ?? what.message) : String(what));
  process.on('unhandledRejection', stray).on('uncaughtException', stray);
  const startedAt = performance.now();
  let next = 0;
  const lane = async () => {
    const stages = stagesOf();
    try {
      while (
        next < runs &&
        failures.length < MAX_FAILURES &&
        performance.now() - startedAt < seconds * 1000
      ) {
        const plan = makePlan((seed + next++) >>> 0, planOptions(options));
        const history = await stages.carryOut(plan);
        tally.add(history);
        const findings = check(history);
        if (options.verbose === true) for (const line of shownHistory(history)) log(line);
        if (tally.runs % 1000 === 0)
          log(`${tally.runs} runs, ${failures.length} failed, ${seconds_(startedAt)} s`);
        if (findings.length === 0) continue;
        failures.push({ plan, findings, history });
        log(`seed ${plan.seed}: ${findings.map(({ rule, text }) => `${rule}: ${text}`).join('; ')}`);
      }
    } finally {
      await stages.close();
    }
  };
  const hall = options.on === 'embedded' ? null : await LabHall.up(options.on, log);
  const stagesOf = () => (hall === null ? new EmbeddedStages(options.spoil) : new RealStages(hall));
  log(`seed ${seed}, ${runs} runs on ${options.on}, ${concurrency} at a time`);
  try {
    await Promise.all(Array.from({ length: Math.min(concurrency, runs) }, lane));
    for (const line of tally.lines()) log(line);
    for (const line of strays) log(`STRAY: ${line}`);
    log(`${tally.runs} runs in ${seconds_(startedAt)} s, ${failures.length} failed, ${strays.length} strays`);
    if (options.shrink === true) await explain(stagesOf, failures.slice(0, 3), log);
  } finally {
    process.off('unhandledRejection', stray).off('uncaughtException', stray);
    await closeFullPort();
    await hall?.close();
  }
  return { runs: tally.runs, failures, strays, tally };
}

/** The smallest plan that still fails in the same way, and its timeline. */
async function explain(
  stagesOf: () => Stages,
  failures: readonly Failure[],
  log: (line: string) => void,
): Promise<void> {
  const stages = stagesOf();
  try {
    for (const { plan, findings, history: first } of failures) {
      const rules = new Set(findings.map(({ rule }) => rule));
      const fails = async (candidate: Plan) => {
        const history = await stages.carryOut(candidate);
        const found = check(history).filter(({ rule }) => rules.has(rule));
        return found.length === 0 ? null : { plan: candidate, findings: found, history };
      };
      const smallest = await shrink(plan, fails);
      log(`--- seed ${plan.seed}: ${smallest === null ? 'did not fail again' : 'smallest plan that fails'}`);
      if (smallest === null) for (const line of shownHistory(first)) log(line);
      if (smallest === null) continue;
      for (const { rule, text } of smallest.findings) log(`${rule}: ${text}`);
      for (const line of shownHistory(smallest.history)) log(line);
    }
  } finally {
    await stages.close();
  }
}

export function shownHistory(history: History): string[] {
  const { plan, calls, passages, timeline, after, executed } = history;
  return [
    JSON.stringify(plan),
    ...calls.map(({ call, said, elapsedMs }) => {
      const { outcome, error, code, message, claims } = said;
      return `${call.verb} ${JSON.stringify(call.args)} of ${call.timeoutMs} ms, after ${elapsedMs} ms: ${outcome} ${error ?? ''} ${code ?? ''} ${message ?? ''} ${JSON.stringify(claims)}`;
    }),
    ...timeline,
    ...passages
      .filter(({ daemon, fault }) => daemon !== 'munged' || fault !== null)
      .map(
        (one) =>
          `${one.atMs} ms ${one.daemon}#${one.nth} ${one.request} ${one.release}: ${one.fault ?? ''} came ${one.came}${one.reached ? ' reached' : ''}${one.altered ? ' altered' : ''} → ${one.reply}${one.forged ? ' forged' : ''} ${one.repliedMs ?? 'not passed'}`,
      ),
    ...(executed ?? []).map(({ to, name, answer }) => `executed by ${to}: ${name} → ${answer}`),
    ...after.map(({ unit, state, signals }) => `${unit}: ${state} ${signals.join(', ')}`),
  ];
}

function planOptions({ on, release }: ProveOptions) {
  return on === 'embedded' ? ({ on: 'embedded', release } as const) : ({ on: 'real', release: on } as const);
}

/** Where the runs of one lane take place. */
interface Stages {
  carryOut(plan: Plan): Promise<History>;
  close(): Promise<void>;
}

/** As many embedded clusters as there are kinds, each used for a while. */
class EmbeddedStages implements Stages {
  readonly #spoil: CarryOutOptions['spoil'];
  readonly #kept = new Map<string, { readonly stage: EmbeddedStage; runs: number }>();

  constructor(spoil: CarryOutOptions['spoil']) {
    this.#spoil = spoil;
  }

  async carryOut(plan: Plan): Promise<History> {
    const key = `${plan.release} ${plan.backups}`;
    let kept = this.#kept.get(key);
    if (kept === undefined) {
      kept = { stage: await EmbeddedStage.up(plan.release, plan.backups), runs: 0 };
      this.#kept.set(key, kept);
    }
    kept.runs += 1;
    try {
      return await carryOut(plan, kept.stage, { spoil: this.#spoil });
    } finally {
      if (kept.stage.isWorn || kept.runs >= RUNS_PER_STAGE) {
        this.#kept.delete(key);
        await kept.stage.close();
      }
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#kept.values()].map(({ stage }) => stage.close()));
    this.#kept.clear();
  }
}

/** A place in the one real cluster. */
class RealStages implements Stages {
  readonly #hall: LabHall;
  #stage: LabStage | null = null;

  constructor(hall: LabHall) {
    this.#hall = hall;
  }

  carryOut(plan: Plan): Promise<History> {
    const isAlone = plan.troubles.some(({ what }) => what !== 'abort');
    return this.#hall.use(isAlone, async () => {
      this.#stage ??= await LabStage.on(this.#hall);
      return carryOut(plan, this.#stage);
    });
  }

  async close(): Promise<void> {}
}

function seconds_(startedAt: number): string {
  return ((performance.now() - startedAt) / 1000).toFixed(1);
}
