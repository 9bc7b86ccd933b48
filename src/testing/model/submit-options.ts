/** What a job of an embedded cluster can be asked to be: options as callers give them, and the settled specification that comes of them. */
import { expandHostlist } from '../../config/index.js';
import { isAtLeast } from '../../protocol/release.js';
import { showValue } from '../../protocol/slurm-error.js';
import { type UnixSignal, unixSignalNumber } from '../../protocol/unix-signal.js';
import { badOption, checkOptions } from '../../rpc/check-options.js';
import type { JobSpec } from './job.js';
import { tasksOf } from './task-list.js';
import type { World } from './world.js';

/** What a component of a heterogeneous job, or a job that is none, can be asked to be. */
export interface ComponentOptions {
  /** Nodes it gets. Default 1. */
  readonly nodes?: number | undefined;
  /** Tasks, spread over its nodes. Default: one a node. */
  readonly tasks?: number | undefined;
  /** Default 1. */
  readonly cpusPerTask?: number | undefined;
  /** Hostlist of nodes it must have. */
  readonly nodeList?: string | undefined;
  /** Hostlist of nodes it must not have. */
  readonly exclude?: string | undefined;
}

export interface SubmitOptions extends ComponentOptions {
  /** Name of a user of the cluster, or a uid. Default: the user of this process. */
  readonly user?: string | number | undefined;
  /** Text of the batch script; `null` for a job without one, as salloc makes. Default: a script that sleeps. */
  readonly script?: string | null | undefined;
  /** Arguments of the script. */
  readonly arguments?: readonly string[] | undefined;
  /** Where the script runs and leaves `slurm-JOBID.out`. Default: `work` in the cluster's directory. */
  readonly workDirectory?: string | undefined;
  /** Beside what Slurm itself sets. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /** Default: `sbatch`. */
  readonly name?: string | undefined;
  /** Default `main`. Several with commas while it is pending. */
  readonly partition?: string | undefined;
  readonly account?: string | undefined;
  readonly qos?: string | undefined;
  readonly wckey?: string | undefined;
  readonly reservation?: string | undefined;
  readonly licenses?: string | undefined;
  readonly comment?: string | undefined;
  readonly mailUser?: string | undefined;
  /** Tasks of an array, as sbatch takes them: `0-9`, `1,3,5-7:2`, `0-99%4`. Default: no array. */
  readonly array?: string | undefined;
  /** Makes it a heterogeneous job: these are the components after the first, which the options beside describe. */
  readonly components?: readonly ComponentOptions[] | undefined;
  /** It waits until `releaseJob()`. Default false. */
  readonly hold?: boolean | undefined;
  /** It does not start before. */
  readonly begin?: Date | undefined;
  /** `afterany:7`, `singleton` and so on. It waits until `releaseJob()`; what the dependency says is only shown. */
  readonly dependency?: string | undefined;
  /** Minutes. Default: no limit. */
  readonly timeLimit?: number | undefined;
  /** Whether it may be requeued. Default true. */
  readonly requeue?: boolean | undefined;
  /**
   * Its steps are managed by the slurmd of its first node, as with `sbatch --stepmgr`: 24.05 and newer, no heterogeneous jobs. Default: as
   * `enable_stepmgr` among the cluster's SlurmctldParameters says.
   */
  readonly stepManager?: boolean | undefined;
  /** Makes it a job of scrontab: the line. */
  readonly cron?: string | undefined;
  /** Paths with `%j`, `%A`, `%a`, `%x`, `%N`; default `slurm-%j.out`, for arrays `slurm-%A_%a.out`. */
  readonly output?: string | undefined;
  readonly error?: string | undefined;
  /** `jobs: 'records'`: steps it has from its start on. */
  readonly steps?:
    | readonly {
        readonly nodes?: number | undefined;
        readonly tasks?: number | undefined;
        readonly name?: string | undefined;
      }[]
    | undefined;
  /** `jobs: 'records'`: signals that its processes do not end by, such as a trapped SIGTERM. SIGKILL always ends them. */
  readonly ignores?: readonly UnixSignal[] | undefined;
  /** `jobs: 'records'`: milliseconds until it ends by itself with status 0. Default: never. */
  readonly runsForMs?: number | undefined;
}

/** Tasks of an array, and how many may run at a time (0: no limit). */
export interface ArraySpec {
  readonly tasks: readonly number[];
  readonly limit: number;
}

const COMPONENT: readonly (keyof ComponentOptions)[] = [
  'nodes',
  'tasks',
  'cpusPerTask',
  'nodeList',
  'exclude',
];
const KNOWN: readonly (keyof SubmitOptions)[] = [
  ...COMPONENT,
  ...([
    'user',
    'script',
    'arguments',
    'workDirectory',
    'environment',
    'name',
    'partition',
    'account',
  ] as const),
  ...([
    'qos',
    'wckey',
    'reservation',
    'licenses',
    'comment',
    'mailUser',
    'array',
    'components',
    'hold',
  ] as const),
  ...([
    'begin',
    'dependency',
    'timeLimit',
    'requeue',
    'stepManager',
    'cron',
    'output',
    'error',
    'steps',
    'ignores',
    'runsForMs',
  ] as const),
];

/** Default of MaxArraySize: one more than the highest task. */
export const MAX_ARRAY_SIZE = 1001;

/**
 * Fills in what is not given: one specification per component.
 *
 * @throws SlurmUsageError naming the option and its value.
 */
export function specsOf(options: SubmitOptions, world: World, workDirectory: string): JobSpec[] {
  checkOptions('submit', options, KNOWN);
  const { components = [], script = SLEEP } = options;
  for (const component of components) checkOptions('submit', component, COMPONENT);
  if (script !== null && !script.startsWith('#!'))
    throw badOption('script', script.slice(0, 20), 'does not begin with #!');
  const shared = {
    name: options.name ?? 'sbatch',
    arguments: options.arguments ?? [],
    workDirectory: options.workDirectory ?? workDirectory,
    environment: options.environment ?? {},
    partition: options.partition ?? 'main',
    account: options.account ?? null,
    qos: options.qos ?? null,
    wckey: options.wckey ?? null,
    reservation: options.reservation ?? null,
    licenses: options.licenses ?? null,
    comment: options.comment ?? null,
    hold: options.hold ?? false,
    beginTime: options.begin === undefined ? 0 : Math.ceil(options.begin.getTime() / 1000),
    dependency: options.dependency ?? null,
    timeLimit: options.timeLimit ?? null,
    requeue: options.requeue ?? true,
    stepManager: hasStepManager(options, world),
    cron: options.cron ?? null,
    mailUser: options.mailUser ?? null,
    standardOutput: options.output ?? null,
    standardError: options.error ?? null,
    steps: options.steps ?? [],
    ignores: new Set((options.ignores ?? []).map((one) => unixSignalNumber(one, 'ignores'))),
    runsForMs: options.runsForMs ?? null,
  };
  return [options, ...components].map((component, index) => ({
    ...shared,
    // The batch script of a heterogeneous job is its leader's.
    script: index === 0 ? script : null,
    ...componentOf(component, world),
  }));
}

function hasStepManager({ stepManager, components = [] }: SubmitOptions, world: World): boolean {
  const isPossible = isAtLeast(world.release, '24.05') && components.length === 0;
  if (stepManager === true && !isPossible)
    throw badOption('stepManager', stepManager, 'is not for heterogeneous jobs, and came with 24.05');
  const { SlurmctldParameters = '' } = world.settings.parameters;
  return stepManager ?? (isPossible && SlurmctldParameters.split(',').includes('enable_stepmgr'));
}

const SLEEP = '#!/bin/sh\nexec sleep 1000000\n';

function componentOf(options: ComponentOptions, world: World) {
  const nodeList = hosts('nodeList', options.nodeList, world);
  const exclude = hosts('exclude', options.exclude, world);
  const { nodes = Math.max(1, nodeList.length), cpusPerTask = 1 } = options;
  const { tasks = nodes } = options;
  for (const [field, value] of Object.entries({ nodes, tasks, cpusPerTask })) {
    if (!Number.isInteger(value) || value < 1) throw badOption(field, value, 'is not a whole number from 1');
  }
  if (nodes > world.nodes.size)
    throw badOption('nodes', nodes, `is more than the cluster's ${world.nodes.size}`);
  return { nodes, tasks, cpusPerTask, nodeList, exclude };
}

function hosts(field: string, text: string | undefined, world: World): readonly string[] {
  if (text === undefined) return [];
  const names = [...new Set(expandHostlist(text, { field }))];
  const stranger = names.find((name) => !world.nodes.has(name));
  if (stranger !== undefined)
    throw badOption(field, text, `has ${showValue(stranger)}, which is no node of the cluster`);
  return names;
}

/**
 * Reads `0-9%2`.
 *
 * @throws SlurmUsageError for what is no array.
 */
export function arrayOf(text: string | undefined): ArraySpec | null {
  if (text === undefined) return null;
  const [ranges = '', limit = '0', ...more] = text.split('%');
  const tasks = tasksOf(ranges, MAX_ARRAY_SIZE);
  if (tasks === null) throw badOption('array', text, `is no list of tasks from 0 to ${MAX_ARRAY_SIZE - 1}`);
  if (more.length > 0 || !/^\d{1,7}$/.test(limit))
    throw badOption('array', text, 'has no number after the %');
  return { tasks, limit: Number(limit) };
}
