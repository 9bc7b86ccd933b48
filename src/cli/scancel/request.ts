/** What a cancel was asked for: the environment, the options and the operands together, checked. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { expandHostlist, resolveUser } from '../../config/index.js';
import { JOB_STATE_FLAGS, JOB_STATES } from '../../protocol/messages/job-state.js';
import { isSlurmError } from '../../protocol/slurm-error.js';
import { unixSignalNumber } from '../../protocol/unix-signal.js';
import type { ConnectionOptions } from '../connection.js';
import type { CliIo } from '../io.js';
import { type Operand, readOperands } from './job-ids.js';
import { ScancelTrouble } from './trouble.js';

/** What commander makes of the command line. */
export interface CancelOptions extends ConnectionOptions {
  readonly account?: string;
  readonly adminComment?: string;
  readonly batch?: true;
  readonly ctld?: true;
  readonly cron?: true;
  readonly full?: true;
  readonly hurry?: true;
  readonly interactive?: true;
  readonly clusters?: string;
  readonly name?: string;
  readonly partition?: string;
  readonly qos?: string;
  readonly reservation?: string;
  readonly sibling?: string;
  readonly signal?: string;
  readonly state?: string;
  /** `--me` stands here too, as the own uid: of the two the last one counts. */
  readonly user?: string;
  /** -1 after `--quiet`; one more for each `--verbose`. */
  readonly verbose: number;
  readonly wckey?: string;
  readonly nodelist?: string;
  readonly retry: boolean;
  readonly help?: true;
  readonly usage?: true;
  readonly version?: true;
  readonly autocomplete?: string;
}

/** The filters, as they were given: what they are compared with is in select.ts. */
export interface CancelFilter {
  readonly account?: string | undefined;
  readonly name?: string | undefined;
  readonly nodelist?: string | undefined;
  readonly partition?: string | undefined;
  readonly qos?: string | undefined;
  readonly reservation?: string | undefined;
  readonly state?: CancelState | undefined;
  readonly user?: { readonly name: string; readonly uid: number } | undefined;
  readonly wckey?: string | undefined;
}

/** A state by its name in Slurm's tools, and its number: only the three base states of jobs that have not ended find any. */
export interface CancelState {
  readonly name: string;
  readonly number: number;
}

export interface CancelRequest {
  readonly operands: readonly Operand[];
  readonly filter: CancelFilter;
  readonly hasFilter: boolean;
  /** `null`: none was asked for, which is SIGKILL. */
  readonly signal: number | null;
  readonly batch: boolean;
  readonly full: boolean;
  readonly hurry: boolean;
  readonly cron: boolean;
  readonly ctld: boolean;
  readonly interactive: boolean;
  readonly sibling: string | undefined;
  readonly adminComment: string | undefined;
  /** Names of `--clusters` or SLURM_CLUSTERS. */
  readonly clusters: { readonly names: readonly string[]; readonly isEnv: boolean } | null;
  readonly retry: boolean;
}

/**
 * Reads it all; sends nothing.
 *
 * @throws ScancelTrouble in scancel's words.
 */
export async function requestOf(
  operandTexts: readonly string[],
  options: CancelOptions,
  io: CliIo,
  complain: (text: string) => void,
): Promise<CancelRequest> {
  const { env } = io;
  const isSet = (name: string) => env[name] !== undefined;
  const flag = (name: string) => truth(name, env[name], complain);
  const states = stateOf(env.SCANCEL_STATE, 'SCANCEL_STATE');
  const fromEnv = {
    batch: flag('SCANCEL_BATCH'),
    full: flag('SCANCEL_FULL'),
    interactive: flag('SCANCEL_INTERACTIVE'),
    ctld: isSet('SCANCEL_CTLD'),
    cron: isSet('SCANCEL_CRON'),
    hurry: isSet('SCANCEL_HURRY'),
  };
  const signal = options.signal === undefined ? null : signalOf(options.signal);
  const state = options.state === undefined ? states : stateOf(options.state, null);
  const operands = readOperands(operandTexts);
  const nodelist = options.nodelist === undefined ? undefined : await nodesOf(options.nodelist, io, complain);
  const userName = options.user ?? env.SCANCEL_USER;
  const filter: CancelFilter = {
    account: (options.account ?? env.SCANCEL_ACCOUNT)?.toLowerCase(),
    name: options.name ?? env.SCANCEL_NAME,
    nodelist,
    partition: options.partition ?? env.SCANCEL_PARTITION,
    qos: (options.qos ?? env.SCANCEL_QOS)?.toLowerCase(),
    reservation: options.reservation,
    state,
    user: userName === undefined ? undefined : { name: userName, uid: await uidOf(userName, io) },
    wckey: options.wckey ?? env.SCANCEL_WCKEY,
  };
  const hasFilter = Object.values(filter).some((value) => value !== undefined);
  if (operands.length === 0 && !hasFilter) throw new ScancelTrouble('No job identification provided');
  const sluid = operands.find(({ job }) => job.kind === 'sluid');
  if (sluid !== undefined && hasFilter)
    throw new ScancelTrouble(
      `Invalid SLUID ${sluid.job.text}`,
      'No filter can stand beside a SLUID: name the job by its number.',
    );
  const full = options.full ?? fromEnv.full;
  // An empty variable is none; an empty option was to name another cluster than this one.
  const clusterText = options.clusters ?? (env.SLURM_CLUSTERS || undefined);
  const clusters =
    clusterText === undefined
      ? null
      : {
          names: clusterNames(clusterText),
          isEnv: options.clusters === undefined,
        };
  return {
    operands,
    filter,
    hasFilter,
    signal,
    // Sent together, slurmstepd heeds --full (read in 22.05 and 26.05).
    batch: !full && (options.batch ?? fromEnv.batch),
    full,
    hurry: options.hurry ?? fromEnv.hurry,
    cron: options.cron ?? fromEnv.cron,
    ctld: options.ctld === true || fromEnv.ctld || options.adminComment !== undefined || clusters !== null,
    interactive: options.interactive ?? fromEnv.interactive,
    sibling: options.sibling,
    adminComment: options.adminComment,
    clusters,
    retry: options.retry,
  };
}

function clusterNames(text: string): string[] {
  const names = text.split(',').filter((name) => name !== '');
  if (names.length === 0) throw new ScancelTrouble(`No cluster is named: '${text}'`);
  return names;
}

/** The verbosity that SCANCEL_VERBOSE sets. */
export function verbosityOf(env: CliIo['env']): number {
  return truth('SCANCEL_VERBOSE', env.SCANCEL_VERBOSE, () => {}) ? 1 : 0;
}

/** `true`, `t`, `false` and `f` in any case. */
export function truth(name: string, value: string | undefined, complain: (text: string) => void): boolean {
  const text = value?.toLowerCase();
  if (text === undefined || text === 'false' || text === 'f') return false;
  if (text === 'true' || text === 't') return true;
  complain(`Unrecognized ${name} value: ${value}`);
  return false;
}

function signalOf(text: string): number {
  try {
    return unixSignalNumber(text.trim());
  } catch (error) {
    if (!isSlurmError(error)) throw error;
    throw new ScancelTrouble(`Unknown job signal: ${text}`, undefined, { isBare: true });
  }
}

function stateOf(text: string | undefined, variable: string | null): CancelState | undefined {
  if (text === undefined) return undefined;
  const state = STATES.find(([, ...names]) => names.includes(text.toUpperCase()));
  if (state !== undefined) return { number: state[0], name: state[1] };
  const what = variable === null ? 'Invalid job state specified' : `Unrecognized ${variable} value`;
  const hint = 'Valid job states are PENDING, RUNNING, and SUSPENDED';
  throw new ScancelTrouble(`${what}: ${text}\n${hint}`, undefined, { isBare: true });
}

/** Number, name, short name. scancel takes all that there are, and finds jobs in the first three. */
const STATES: readonly (readonly [number, string, string])[] = [
  [JOB_STATES.JOB_PENDING, 'PENDING', 'PD'],
  [JOB_STATES.JOB_RUNNING, 'RUNNING', 'R'],
  [JOB_STATES.JOB_SUSPENDED, 'SUSPENDED', 'S'],
  [JOB_STATES.JOB_COMPLETE, 'COMPLETED', 'CD'],
  [JOB_STATES.JOB_CANCELLED, 'CANCELLED', 'CA'],
  [JOB_STATES.JOB_FAILED, 'FAILED', 'F'],
  [JOB_STATES.JOB_TIMEOUT, 'TIMEOUT', 'TO'],
  [JOB_STATES.JOB_NODE_FAIL, 'NODE_FAIL', 'NF'],
  [JOB_STATES.JOB_PREEMPTED, 'PREEMPTED', 'PR'],
  [JOB_STATES.JOB_BOOT_FAIL, 'BOOT_FAIL', 'BF'],
  [JOB_STATES.JOB_DEADLINE, 'DEADLINE', 'DL'],
  [JOB_STATES.JOB_OOM, 'OUT_OF_MEMORY', 'OOM'],
  [JOB_STATE_FLAGS.JOB_COMPLETING, 'COMPLETING', 'CG'],
  [JOB_STATE_FLAGS.JOB_CONFIGURING, 'CONFIGURING', 'CF'],
  [JOB_STATE_FLAGS.JOB_RESIZING, 'RESIZING', 'RS'],
  [JOB_STATE_FLAGS.JOB_RESV_DEL_HOLD, 'RESV_DEL_HOLD', 'RD'],
  [JOB_STATE_FLAGS.JOB_REQUEUE, 'REQUEUED', 'RQ'],
  [JOB_STATE_FLAGS.JOB_REQUEUE_FED, 'REQUEUE_FED', 'RF'],
  [JOB_STATE_FLAGS.JOB_REQUEUE_HOLD, 'REQUEUE_HOLD', 'RH'],
  [JOB_STATE_FLAGS.JOB_REVOKED, 'REVOKED', 'RV'],
  [JOB_STATE_FLAGS.JOB_SIGNALING, 'SIGNALING', 'SI'],
  [JOB_STATE_FLAGS.JOB_SPECIAL_EXIT, 'SPECIAL_EXIT', 'SE'],
  [JOB_STATE_FLAGS.JOB_STAGE_OUT, 'STAGE_OUT', 'SO'],
  [JOB_STATE_FLAGS.JOB_STOPPED, 'STOPPED', 'ST'],
];

async function uidOf(user: string, { signal }: CliIo): Promise<number> {
  try {
    return await resolveUser(user, { signal });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new ScancelTrouble(`Invalid user name: ${user}`);
  }
}

/** A hostlist; with a slash in it, the file that has one: names, or hostlists, by line, comma or blank, `#` begins a comment. */
async function nodesOf(
  text: string,
  { cwd, signal }: CliIo,
  complain: (text: string) => void,
): Promise<string> {
  if (!text.includes('/')) return checkHostlist(text);
  try {
    const lines = (await readFile(resolve(cwd, text), { encoding: 'utf8', signal })).split('\n');
    const names = lines
      .flatMap((line) => line.replace(/#.*/, '').trim().split(/\s+/))
      .filter((name) => name !== '');
    return checkHostlist(names.join(','));
  } catch (error) {
    if (signal.aborted || error instanceof ScancelTrouble) throw error;
    complain(`slurm_allocate_resources error opening file ${text}, ${(error as Error).message}`);
    throw new ScancelTrouble(`No nodes in ${text}`);
  }
}

function checkHostlist(text: string): string {
  try {
    if (expandHostlist(text).length > 0) return text;
  } catch (error) {
    if (!isSlurmError(error)) throw error;
  }
  throw new ScancelTrouble(`Invalid node list: ${text}`);
}
