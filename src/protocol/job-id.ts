/**
 * The ways to name a job or a step, as Slurm's commands take them, and what slurmctld understands of each.
 *
 * Source: slurmctld's reading of KILL_JOB's id text (observed on 20.11 to 26.05), scancel(1), srun(1).
 */
import { SlurmUsageError, showValue } from './slurm-error.js';
import { SLURM_MAX_NORMAL_STEP_ID, SPECIAL_STEP_IDS } from './step-id.js';

/** A job as Slurm writes it, its number, or an object. */
export type JobId = number | string | JobIdParts;

/** A job in parts. At most one of the optional ones. */
export interface JobIdParts {
  /** 1 to 0xfffffffd (bits 26 to 31 are the origin cluster in a federation). For an array: its id, not a task's own. */
  readonly jobId: number;
  /** One array task. */
  readonly arrayTaskId?: number;
  /** Array tasks as an expression: `1-5,9`, `0-15:4`; `*` for the whole array. */
  readonly arrayTasks?: string;
  /** Component of a heterogeneous job; 0 is its leader and stands for all components. */
  readonly hetJobOffset?: number;
}

/** A step as Slurm writes it (`123.0`, `123.batch`, `123+1.0`) or in parts. */
export type StepTarget = string | StepIdParts;

/** A step in parts. */
export interface StepIdParts extends JobIdParts {
  /** Number of the step, or the name of a special one. */
  readonly stepId: number | 'batch' | 'extern' | 'interactive';
  /** Component of a het *step* (`srun a : b` in one job), as its step record says; left out for every other step. */
  readonly stepHetComp?: number;
}

/** What a job id names. */
export interface ParsedJobId {
  /**
   * `job`: a plain number, which may also be an array or a het leader; `array-task`, `array-tasks`, `whole-array`;
   * `het-component`; `sluid`: the 14-character unique id of 26.05 and newer.
   */
  readonly kind: 'job' | 'array-task' | 'array-tasks' | 'whole-array' | 'het-component' | 'sluid';
  /** The number in front; 0 for a sluid. */
  readonly jobId: number;
  /** The number behind the text of a sluid. */
  readonly sluid?: bigint;
  /** The id text that goes on the wire. */
  readonly text: string;
}

/** A parsed step: the job it belongs to and the number on the wire. */
export interface ParsedStepId {
  readonly job: ParsedJobId;
  readonly stepId: number;
  readonly stepHetComp: number | null;
  readonly text: string;
}

/** Largest job id there is, federated ones included (`MAX_FED_JOB_ID` + what the 32 bits leave). */
const MAX_JOB_ID = 0xfffffffd;
/** Ids are short; an array expression of all tasks one by one still fits. */
const MAX_TEXT = 65536;
const MAX_TASK_ID = 0xfffffff0;
const JOB = /^(\d{1,10})(?:_(?:(\*)|(\d{1,10})|\[([^\]]*)\]|(\d[\d,:%-]*))|\+(\d{1,10}))?$/;
const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
/** Crockford's base 32; readers take O for 0, I and L for 1. 64 bits leave 4 for the first digit. */
const SLUID = /^s[0-9A-Foil][0-9A-TV-Z]{12}$/i;
const TASK_RANGE = /^(\d{1,10})(?:-(\d{1,10})(?::(\d{1,10}))?)?$/;

/**
 * Reads a job id.
 *
 * @throws SlurmUsageError `SLURMWIRE_BAD_JOB_ID` that says what is wrong with it.
 */
export function parseJobId(given: JobId, field = 'job'): ParsedJobId {
  const bad = (why: string) => badId('SLURMWIRE_BAD_JOB_ID', given, field, why);
  if (typeof given === 'number') return plain(given, bad);
  if (typeof given === 'string') return parseJobText(given, bad);
  if (typeof given !== 'object' || given === null)
    throw bad('it is neither a number, a string nor an object');
  const { jobId, arrayTaskId, arrayTasks, hetJobOffset, ...more } = given;
  const parts = [arrayTaskId, arrayTasks, hetJobOffset].filter((part) => part !== undefined);
  if (parts.length > 1)
    throw bad('it may name an array task, array tasks or a het component, but only one of them');
  const number = plain(jobId, bad).jobId;
  // A step taken for its job would be the whole job.
  const [foreign] = Object.keys(more);
  if (foreign !== undefined) throw bad(`it has a ${showValue(foreign)}, which no job has`);
  if (arrayTaskId !== undefined) return parseJobText(`${number}_${wholeNumber(arrayTaskId, bad)}`, bad);
  if (arrayTasks !== undefined)
    return parseJobText(`${number}_${arrayTasks === '*' ? '*' : `[${arrayTasks}]`}`, bad);
  if (hetJobOffset !== undefined) return parseJobText(`${number}+${wholeNumber(hetJobOffset, bad)}`, bad);
  return plain(number, bad);
}

/**
 * Reads a step id.
 *
 * @throws SlurmUsageError `SLURMWIRE_BAD_STEP_ID`, or `SLURMWIRE_BAD_JOB_ID` for the part before the dot.
 */
export function parseStepId(given: StepTarget, field = 'step'): ParsedStepId {
  const bad = (why: string) => badId('SLURMWIRE_BAD_STEP_ID', given, field, why);
  if (typeof given === 'string') {
    const dot = given.lastIndexOf('.');
    if (dot < 0) throw bad('it has no step behind a dot; whole jobs are for killJob()');
    return assemble(parseJobId(given.slice(0, dot), field), given.slice(dot + 1), undefined, bad);
  }
  if (typeof given !== 'object' || given === null) throw bad('it is neither a string nor an object');
  const { stepId, stepHetComp, ...job } = given;
  return assemble(parseJobId(job, field), stepId, stepHetComp, bad);
}

type Complain = (why: string) => SlurmUsageError;

function assemble(
  job: ParsedJobId,
  step: string | number,
  stepHetComp: number | undefined,
  bad: Complain,
): ParsedStepId {
  if (job.kind === 'array-tasks' || job.kind === 'whole-array')
    throw bad('a step belongs to one array task, not to several');
  if (job.kind === 'sluid') throw bad('a step of a sluid is not supported');
  if (stepHetComp !== undefined) wholeNumber(stepHetComp, bad);
  const number = stepNumber(step);
  if (number === null)
    throw bad(`the step ${showValue(step)} is neither a number nor batch, extern or interactive`);
  // Numbers in one spelling (`1.07` is `1.7`); the special ids lie above the ordinary ones and keep their names.
  const shown = number > SLURM_MAX_NORMAL_STEP_ID ? step : number;
  return { job, stepId: number, stepHetComp: stepHetComp ?? null, text: `${job.text}.${shown}` };
}

function stepNumber(step: string | number): number | null {
  switch (step) {
    case 'batch':
      return SPECIAL_STEP_IDS.SLURM_BATCH_SCRIPT;
    case 'extern':
      return SPECIAL_STEP_IDS.SLURM_EXTERN_CONT;
    case 'interactive':
      return SPECIAL_STEP_IDS.SLURM_INTERACTIVE_STEP;
    default: {
      const number = typeof step === 'string' && /^\d{1,10}$/.test(step) ? Number(step) : step;
      if (typeof number !== 'number' || !Number.isInteger(number)) return null;
      return number >= 0 && number <= SLURM_MAX_NORMAL_STEP_ID ? number : null;
    }
  }
}

function plain(jobId: number, bad: Complain): ParsedJobId {
  if (typeof jobId !== 'number' || !Number.isInteger(jobId)) throw bad('the job number is not an integer');
  if (jobId < 1 || jobId > MAX_JOB_ID) throw bad(`the job number is not from 1 to ${MAX_JOB_ID}`);
  return named('job', jobId, String(jobId));
}

function named(kind: ParsedJobId['kind'], jobId: number, text: string): ParsedJobId {
  return { kind, jobId, text };
}

/** The first character is the top 4 bits of the 64, each further one the next 5. */
function sluidNumber(text: string): bigint {
  const digits = [...text.slice(1).toUpperCase().replaceAll('O', '0').replace(/[IL]/g, '1')];
  return digits.reduce((number, digit) => (number << 5n) | BigInt(CROCKFORD.indexOf(digit)), 0n);
}

function parseJobText(text: string, bad: Complain): ParsedJobId {
  if (text.length > MAX_TEXT) throw bad(`it is longer than ${MAX_TEXT} characters`);
  if (SLUID.test(text)) return { kind: 'sluid', jobId: 0, sluid: sluidNumber(text), text };
  const match = JOB.exec(text);
  if (match === null) {
    if (/^\d+([_+]\d+)?\.\w+$/.test(text)) throw bad('it names a step; steps are for killJobStep()');
    throw bad('the forms are 123, 123_4, 123_[1-5,9], 123_*, 123+1');
  }
  const [, number, star, task, bracketed, bare, component] = match;
  const { jobId } = plain(Number(number), bad);
  if (component !== undefined) {
    return named('het-component', jobId, `${jobId}+${wholeNumber(Number(component), bad)}`);
  }
  if (star !== undefined) return named('whole-array', jobId, `${jobId}_*`);
  if (task !== undefined) return named('array-task', jobId, `${jobId}_${taskId(task, bad)}`);
  const expression = bracketed ?? bare;
  if (expression === undefined) return named('job', jobId, String(jobId));
  return named('array-tasks', jobId, `${jobId}_[${taskRanges(expression, bad)}]`);
}

/** Checks an expression such as `1-3,7,0-15:4%2`; the `%limit` is dropped, since it means nothing to a signal. */
function taskRanges(expression: string, bad: Complain): string {
  const [ranges = '', limit, ...more] = expression.split('%');
  if (more.length > 0 || (limit !== undefined && !/^\d{1,10}$/.test(limit)))
    throw bad('what follows the % is not one number');
  for (const range of ranges.split(',')) {
    const match = TASK_RANGE.exec(range);
    if (match === null) throw bad(`${showValue(range)} is neither a task, a range a-b nor a-b:step`);
    const [, low, high, step] = match;
    if (high !== undefined && taskId(high, bad) < taskId(low, bad))
      throw bad(`the range ${range} runs backwards`);
    if (step !== undefined && Number(step) < 1) throw bad(`the range ${range} has no step`);
    taskId(low, bad);
  }
  return ranges;
}

function taskId(text: string | undefined, bad: Complain): number {
  const number = Number(text);
  if (number > MAX_TASK_ID) throw bad(`${text} is no array task`);
  return number;
}

function wholeNumber(value: number, bad: Complain): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > MAX_TASK_ID) {
    throw bad(`${showValue(value)} is not a whole number`);
  }
  return value;
}

function badId(code: string, given: unknown, field: string, why: string): SlurmUsageError {
  return new SlurmUsageError(
    `${field} ${showValue(given)} is not a Slurm ${code === 'SLURMWIRE_BAD_STEP_ID' ? 'step' : 'job'} id: ${why}.`,
    {
      code,
      field,
      value: given,
    },
  );
}
