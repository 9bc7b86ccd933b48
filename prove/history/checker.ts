/**
 * Compares what the library said with what happened. A pure function of a history, so that it can be tried on histories of lies.
 *
 * What `refused` and `not-sent` deny must not have happened, not even in part; what `accepted` says must have. `unknown` is no lie, but it is an
 * evasion where what is true could have been known: see `evasion`.
 */
import { parseJobId } from '../../src/protocol/job-id.js';
import type { CallHistory, Claim, History, Said } from './history.js';
import { EFFECTIVE, type Effect } from './plan.js';
import type { UnitState } from './stage.js';

export type Rule =
  | 'denied-but-acted'
  | 'accepted-but-not-acted'
  | 'twice'
  | 'collateral'
  | 'evasion'
  | 'late'
  | 'never-ended'
  | 'untyped-error'
  | 'secret'
  | 'left-open'
  | 'out-of-character';

export interface Finding {
  readonly rule: Rule;
  /** Index of the call; -1: of none. */
  readonly call: number;
  readonly text: string;
}

/** Milliseconds a call may take beyond its time limit: what was measured of the event loop comes on top. */
export const SLACK_MS = 150;

const READS = new Set(['probe', 'ping', 'request']);
/** Messages of signals of which the controller itself only says that it will see to them. */
const AFTERWARDS = new Set(['killJob', 'killJobStep', 'killJobs', 'kill', 'terminate', 'notify']);

export function check(history: History): Finding[] {
  const { calls, before, after, leftOpen } = history;
  const findings: Finding[] = [];
  const find = (call: number, rule: Rule, text: string) => findings.push({ call, rule, text });
  const isForged = history.passages.some(({ forged }) => forged);
  const units = new Map(
    after.map((now) => [now.unit, { now, was: before.find(({ unit }) => unit === now.unit) as UnitState }]),
  );
  const touched = new Set<string>();
  calls.forEach((call, index) => {
    for (const { unit } of call.call.effects) touched.add(unit);
    manners(call, history, (rule, text) => find(index, rule, text));
    // What a forged answer says cannot be told from the truth.
    if (isForged) return;
    truth(call, history, units, (rule, text) => find(index, rule, text));
    const evasion = evasionOf(call, history);
    if (evasion !== null) find(index, 'evasion', evasion);
  });
  for (const [unit, { now, was }] of units)
    if (!touched.has(unit) && traces(was, now).length > 0)
      find(-1, 'collateral', `${unit}, which nobody meant: ${traces(was, now).join(', ')}`);
  if (leftOpen > 0) find(-1, 'left-open', `${leftOpen} connections`);
  return findings;
}

type Find = (rule: Rule, text: string) => void;

/** What holds whatever happened. */
function manners({ call, said, elapsedMs, lateMs }: CallHistory, { lagMs }: History, find: Find): void {
  if (said.settled === 'never') {
    find('never-ended', `${call.verb} after ${elapsedMs} ms`);
    return;
  }
  if (said.secrets.length > 0) find('secret', said.secrets.join(', '));
  if (!said.isTyped) find('untyped-error', said.message ?? said.error ?? '');
  if (said.code === 'SLURMWIRE_INTERNAL') find('untyped-error', `${said.code}: ${said.message}`);
  if (lateMs > SLACK_MS + lagMs) find('late', `${lateMs} ms after the ${call.timeoutMs} it had`);
}

function truth(
  { call, said }: CallHistory,
  history: History,
  units: ReadonlyMap<string, { readonly was: UnitState; readonly now: UnitState }>,
  find: Find,
): void {
  const unitsOf = (effect: Effect) => units.get(effect.unit);
  const isDenied =
    said.outcome === 'not-sent' || said.outcome === 'refused' || said.outcome === 'nothing-matched';
  const isExcused = excuses(call.verb, history);
  for (const effect of call.effects) {
    const unit = unitsOf(effect);
    if (unit === undefined) continue;
    const acted = traces(unit.was, unit.now);
    if (isDenied && acted.length > 0)
      find(
        'denied-but-acted',
        `${call.verb} was ${said.outcome} (${said.code}), but ${effect.unit}: ${acted.join(', ')}`,
      );
    const isClaimed = said.claims.length > 0;
    if (said.outcome === 'accepted' && !isClaimed) {
      const lacking = lacks(effect, unit.was, unit.now, history);
      if (lacking !== null && !isExcused)
        find('accepted-but-not-acted', `${call.verb} was accepted, but ${effect.unit}: ${lacking}`);
    }
    const repeated = twice(effect, unit.was, unit.now);
    if (repeated !== null && !said.claims.some(({ perhapsTwice }) => perhapsTwice))
      find('twice', `${call.verb}: ${effect.unit}: ${repeated}`);
    if (said.dead && !isEnded(unit.now) && !effect.unit.includes('.') && effect.kind === 'end')
      find(
        'accepted-but-not-acted',
        `${call.verb} said that ${effect.unit} is gone, but it is ${unit.now.state}`,
      );
  }
  for (const claim of said.claims)
    checkClaim(claim, call.effects, units, history, isExcused, call.verb, find);
  if (
    READS.has(call.verb) &&
    said.outcome !== null &&
    said.outcome !== 'not-sent' &&
    said.settled === 'rejected' &&
    call.verb === 'probe'
  )
    find('out-of-character', `probe rejected with ${said.outcome}`);
  counted(call.verb, history, find);
}

/** One entry for a part: the whole call may be anything. */
function checkClaim(
  claim: Claim,
  effects: readonly Effect[],
  units: ReadonlyMap<string, { readonly was: UnitState; readonly now: UnitState }>,
  history: History,
  isExcused: boolean,
  verb: string,
  find: Find,
): void {
  const { names, step } = namesOf(claim.target);
  for (const effect of effects) {
    const unit = units.get(effect.unit);
    if (unit === undefined) continue;
    const { was, now } = unit;
    // By its name, or by the number of its own record.
    if (!names.includes(effect.unit) && !names.includes(`${now.jobId}`)) continue;
    const isAt = (trace: string) =>
      claim.node === undefined ||
      (trace.includes(`@${claim.node} `) && (step === null || trace.startsWith(`${step}@`)));
    const what = `${verb}: ${claim.target}${claim.node === undefined ? '' : ` on ${claim.node}`}`;
    const acted = traces(was, now).filter(isAt);
    if ((claim.outcome === 'refused' || claim.outcome === 'not-sent') && acted.length > 0)
      find('denied-but-acted', `${what} was ${claim.outcome}, but: ${acted.join(', ')}`);
    if (claim.outcome !== 'accepted') continue;
    if (claim.node === undefined) {
      const lacking = lacks(effect, was, now, history);
      if (lacking !== null && !isExcused)
        find('accepted-but-not-acted', `${what} was accepted, but: ${lacking}`);
    } else if (effect.kind === 'signal' && !acted.some((trace) => trace.endsWith(` ${effect.signal}`))) {
      find('accepted-but-not-acted', `${what} was accepted, but it got no ${effect.signal}`);
    }
  }
}

/** `12_[1-3]` → `12_1` …; `12.0` → `12`, step 0. */
function namesOf(target: string): { names: readonly string[]; step: string | null } {
  const [job = '', step = null] = target.split('.');
  try {
    const parsed = parseJobId(job);
    if (parsed.kind !== 'array-tasks' && parsed.kind !== 'whole-array') return { names: [job], step };
    const [id = '', ranges = ''] = job.split('_');
    if (ranges === '*') return { names: [0, 1, 2, 3].map((task) => `${id}_${task}`), step };
    const tasks = ranges
      .replaceAll(/[[\]]/g, '')
      .split(',')
      .flatMap((range) => {
        const [from = 0, to = from] = range.split('-').map(Number);
        return Array.from({ length: to - from + 1 }, (_, i) => from + i);
      });
    return { names: tasks.map((task) => `${id}_${task}`), step };
  } catch {
    return { names: [job], step };
  }
}

/** What was done to a unit. That a waiting one has begun is the scheduler's doing. */
export function traces(was: UnitState | undefined, now: UnitState): string[] {
  const found = [...now.signals];
  const begun = was?.state === 'PENDING' && now.state === 'RUNNING' && now.restarts === was.restarts;
  if (was !== undefined && now.state !== was.state && !begun) found.push(`state ${was.state} → ${now.state}`);
  if (was !== undefined && now.restarts !== was.restarts) found.push(`${now.restarts} restarts`);
  if ((now.notes ?? 0) > 0) found.push(`${now.notes} notes`);
  return found;
}

/** What is missing of an effect; `null`: it is there. */
function lacks(effect: Effect, was: UnitState, now: UnitState, { executed }: History): string | null {
  switch (effect.kind) {
    case 'end':
      return isEnded(now) ? null : `it is ${now.state}`;
    case 'suspended':
      return now.state === 'SUSPENDED' ? null : `it is ${now.state}`;
    case 'running':
      return now.state === 'RUNNING' ? null : `it is ${now.state}`;
    case 'requeued':
      return now.restarts > was.restarts ? null : `it was not restarted`;
    case 'notified':
      if (now.notes !== null) return now.notes > 0 ? null : 'the text is not there';
      return executed?.some(({ name }) => name === 'REQUEST_JOB_NOTIFY') === false
        ? 'nobody was asked'
        : null;
    case 'signal': {
      const places = effect.steps.flatMap((step) => (was.steps[step] ?? []).map((node) => `${step}@${node}`));
      const missing = places.filter((place) => !now.signals.includes(`${place} ${effect.signal}`));
      return missing.length === 0 ? null : `no ${effect.signal} came to ${missing.join(', ')}`;
    }
  }
}

function isEnded({ state }: UnitState): boolean {
  return state === null || !['PENDING', 'RUNNING', 'SUSPENDED'].includes(state);
}

/** SIGKILL may be repeated, and all else not. */
function twice(effect: Effect, was: UnitState, now: UnitState): string | null {
  const restarts = now.restarts - was.restarts;
  if (effect.kind === 'requeued') return restarts > 1 ? `${restarts} restarts` : null;
  if (effect.kind === 'notified') return (now.notes ?? 0) > 1 ? `${now.notes} notes` : null;
  if (effect.kind !== 'signal' || effect.signal === 'SIGKILL') return null;
  const own = now.signals.filter((one) => one.endsWith(` ${effect.signal}`));
  const more = [...new Set(own)].filter((one) => own.filter((other) => other === one).length > 1);
  return more.length === 0 ? null : `twice: ${more.join(', ')}`;
}

const CONTROL = {
  suspend: 'REQUEST_SUSPEND',
  resume: 'REQUEST_SUSPEND',
  requeue: 'REQUEST_JOB_REQUEUE',
  notify: 'REQUEST_JOB_NOTIFY',
} as const;

/** What leaves no trace in a job when it is done twice, counted at the daemons. */
function counted(verb: string, { calls, executed, passages }: History, find: Find): void {
  const name = CONTROL[verb as keyof typeof CONTROL];
  if (name === undefined) return;
  // Real daemons do not tell; what the proxy saw of their answers does.
  const answers =
    executed?.filter((one) => one.name === name).map(({ answer }) => answer) ??
    passages
      .filter(({ request, reached }) => request === name && reached)
      .map(({ reply }) => reply ?? 'none');
  const carriedOut = answers.filter((answer) => !isRefusal(answer)).length;
  const asked = calls.filter(({ call }) => CONTROL[call.verb as keyof typeof CONTROL] === name).length;
  if (carriedOut > asked) find('twice', `${name} was carried out ${carriedOut} times for ${asked} calls`);
}

function isRefusal(answer: string): boolean {
  return /^RC (?!0$)/.test(answer);
}

/**
 * The controller tells the nodes afterwards: one that is down, or a controller that dies, keeps what was accepted from happening.
 */
function excuses(verb: string, { plan }: History): boolean {
  const isTroubled = plan.troubles.some(({ daemon, what }) => daemon !== 'munged' && what !== 'abort');
  return isTroubled && AFTERWARDS.has(verb);
}

/**
 * Where `unknown` was said, or `not-sent` was not, although what is true was plain to see from the client's side; `null` where there is none.
 */
export function evasionOf({ call, said }: CallHistory, history: History): string | null {
  if (READS.has(call.verb) || said.settled !== 'rejected' || said.outcome === null) return null;
  const { passages, calls, plan } = history;
  const isSilent = (fault: string | null) => fault?.startsWith('accept') === true;
  // Connections whose requests the proxy did not see may have been written to.
  const effects = passages.filter(
    ({ request, came, fault }) => EFFECTIVE.has(request) || (came > 0 && request === null) || isSilent(fault),
  );
  const isFull = plan.faults.some(({ kind }) => kind === 'full');
  if (effects.length === 0 && !isFull && (said.outcome === 'unknown' || said.outcome === 'partial'))
    return `${said.outcome} (${said.code}), although no request that does anything was written`;
  const [only] = effects;
  if (calls.length !== 1 || effects.length !== 1 || only === undefined || !isPlain(said)) return null;
  const isClean = only.reached && only.repliedMs !== null && only.fault === null;
  if (isClean && only.reply === 'RC 0' && !mungeIsTroubled(history) && said.outcome === 'unknown')
    return `unknown (${said.code}), although ${only.daemon} said RC 0 and that arrived`;
  return null;
}

function isPlain({ code }: Said): boolean {
  return code !== 'SLURMWIRE_ABORTED' && code !== 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT';
}

function mungeIsTroubled({ plan }: History): boolean {
  return [...plan.faults, ...plan.troubles].some(({ daemon }) => daemon === 'munged');
}
