/** What many runs came to, in figures. */
import { evasionOf, traces } from './checker.js';
import type { History } from './history.js';

interface Count {
  calls: number;
  unknown: number;
  /** Of the unknown: something had been done. */
  acted: number;
}

/** Faults by kind, outcomes by verb. */
export class Tally {
  runs = 0;
  calls = 0;
  forged = 0;
  readonly #outcomes = new Map<string, number>();
  readonly #byFault = new Map<string, Count>();
  readonly #byVerb = new Map<string, Count>();
  readonly #faults = new Map<string, number>();
  #evasions = 0;

  add(history: History): void {
    this.runs += 1;
    const { passages, calls, plan, timeline } = history;
    if (passages.some(({ forged }) => forged)) this.forged += 1;
    const met = new Set(
      passages.flatMap(({ fault, daemon }) => (fault === null ? [] : [kindOf(fault, daemon)])),
    );
    for (const line of timeline) {
      const trouble = /ms: (kill|stop|pause|upgrade|fail-over) (\S+)$/.exec(line);
      if (trouble !== null) met.add(`${trouble[1]} ${groupOf(trouble[2] as string)}`);
      if (line.endsWith('ms: abort')) met.add('abort');
    }
    for (const { kind, daemon } of plan.faults)
      if (kind === 'refuse' || kind === 'full' || kind === 'no-name') met.add(`${kind} ${groupOf(daemon)}`);
    for (const kind of met) this.#faults.set(kind, (this.#faults.get(kind) ?? 0) + 1);
    for (const one of calls) {
      this.calls += 1;
      const { call, said } = one;
      const outcome = said.outcome ?? (said.settled === 'resolved' ? 'value' : 'none');
      this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1);
      const units = call.effects.map(({ unit }) => unit);
      const acted = history.after.some(
        (now) =>
          units.includes(now.unit) &&
          traces(
            history.before.find(({ unit }) => unit === now.unit),
            now,
          ).length > 0,
      );
      if (evasionOf(one, history) !== null) this.#evasions += 1;
      for (const kind of met.size === 0 ? ['none'] : met) add(this.#byFault, kind, said.outcome, acted);
      add(this.#byVerb, call.verb, said.outcome, acted);
    }
  }

  lines(): string[] {
    const share = (part: number, all: number) => `${all === 0 ? 0 : ((100 * part) / all).toFixed(1)} %`;
    const outcomes = [...this.#outcomes].sort((a, b) => b[1] - a[1]);
    const table = (title: string, counts: Map<string, Count>) => [
      `| ${title} | calls | unknown | of these, acted |`,
      '|---|---|---|---|',
      ...[...counts]
        .sort((a, b) => b[1].calls - a[1].calls)
        .map(
          ([name, { calls, unknown, acted }]) =>
            `| ${name} | ${calls} | ${unknown} (${share(unknown, calls)}) | ${acted} (${share(acted, unknown)}) |`,
        ),
    ];
    return [
      `${this.runs} runs, ${this.calls} calls: ${outcomes.map(([name, n]) => `${n} ${name} (${share(n, this.calls)})`).join(', ')}`,
      `${this.forged} runs with an answer that was altered and cannot be told from a true one: only manners were checked`,
      `${this.#evasions} unknown although provable`,
      ...table('fault', this.#byFault),
      ...table('verb', this.#byVerb),
    ];
  }
}

function add(counts: Map<string, Count>, name: string, outcome: string | null, acted: boolean): void {
  const count = counts.get(name) ?? { calls: 0, unknown: 0, acted: 0 };
  counts.set(name, count);
  count.calls += 1;
  if (outcome !== 'unknown') return;
  count.unknown += 1;
  if (acted) count.acted += 1;
}

/** `up fin 12/300` → `up fin controller`. */
function kindOf(fault: string, daemon: string): string {
  return `${fault.split(' ').slice(0, 2).join(' ')} ${groupOf(daemon)}`;
}

function groupOf(daemon: string): string {
  return daemon.startsWith('slurmctld') ? 'controller' : daemon === 'munged' ? daemon : 'slurmd';
}
