/**
 * The operands of scancel(1): `job_id[_array_id][.step_id]`, several in one argument with commas between them.
 *
 * Source: scancel(1) of 20.11 to 26.05, observed. Two oddities are kept: a comma after a task begins another job (`12_3,4` is task 3 of 12, and job 4), and
 * nothing may follow a list in brackets.
 */
import { type ParsedJobId, parseJobId } from '../../protocol/job-id.js';
import { isSlurmError } from '../../protocol/slurm-error.js';
import { ScancelTrouble } from './trouble.js';

/** One operand. */
export interface Operand {
  readonly job: ParsedJobId;
  /** Number of a step. */
  readonly step: number | null;
}

/** More than scancel takes in one go: 0xffff jobs. */
export const MAX_OPERANDS = 0xffff;
const ID = /^(\d+)(_\*|_\d+|\+\d+)?(?:\.(\d+))?(?:,|$)/;
const TASKS = /^\d+_\[[\d,-]+\]$/;
const SLUID = /^(s[^,.]*)(\.[^,]*)?(?:,|$)/;
const MAX_STEP = 0xfffffff0;

/**
 * Reads all operands.
 *
 * @throws ScancelTrouble in scancel's words for what is no job id: nothing is to be sent then.
 */
export function readOperands(texts: readonly string[]): Operand[] {
  const operands = texts.flatMap(readOne);
  if (operands.length > MAX_OPERANDS)
    throw new ScancelTrouble(`Too many job ids: ${operands.length} of at most ${MAX_OPERANDS}`);
  return operands;
}

function readOne(text: string): Operand[] {
  const operands: Operand[] = [];
  for (let rest: string | null = text; rest !== null; ) {
    const given: string = rest.trimStart();
    if (TASKS.test(given)) return [...operands, { job: jobOf(given, given), step: null }];
    const match = SLUID.exec(given) ?? ID.exec(given);
    if (match === null) throw badId(given);
    const [whole] = match;
    operands.push(given.startsWith('s') ? sluidOf(match) : plainOf(match, given));
    rest = whole.endsWith(',') ? given.slice(whole.length) : null;
  }
  return operands;
}

function plainOf([, id = '', part = '', stepText]: RegExpExecArray, given: string): Operand {
  const step = stepText === undefined ? null : Number(stepText);
  if (step !== null && step > MAX_STEP) throw badId(given);
  return { job: jobOf(`${Number(id)}${part}`, given), step };
}

function sluidOf([, id = '', step]: RegExpExecArray): Operand {
  if (step !== undefined)
    throw new ScancelTrouble(`Invalid SLUID ${id}${step}`, 'A step is named by its job number here: 12.0.');
  return { job: jobOf(id, id, 'SLUID'), step: null };
}

function jobOf(id: string, given: string, what = 'job id'): ParsedJobId {
  try {
    return parseJobId(id);
  } catch (error) {
    if (!isSlurmError(error)) throw error;
    throw new ScancelTrouble(`Invalid ${what} ${given}`);
  }
}

function badId(given: string): ScancelTrouble {
  const special = /^\d+(?:[_+]\d+)?\.(?:batch|extern|interactive)(?:,|$)/.test(given);
  return new ScancelTrouble(
    `Invalid job id ${given}`,
    special ? 'scancel takes steps by number; use `slurmwire signal` for these.' : undefined,
  );
}
