/**
 * What Slurm's error numbers mean to a caller: name, class, POSIX errno, whether the same call may succeed later, a sentence.
 *
 * Numbers, names and meanings come from generated tables; the meanings are our own reading of what each daemon does with them.
 */
import { ERROR_MEANINGS } from './generated/error-meanings.js';
import { ERROR_ROWS } from './generated/error-rows.js';
import { LINUX_ERRNO } from './linux-errno.js';
import type { Release } from './release.js';
import { rowIn, rowsBy } from './versioned-table.js';

const byNumber = rowsBy(ERROR_ROWS, 0);

/** Name of the class of an error that a server's number becomes. */
export type AnsweredErrorClass =
  | 'SlurmServerError'
  | 'SlurmAuthError'
  | 'SlurmConnectionError'
  | 'SlurmTimeoutError'
  | 'SlurmProtocolVersionError'
  | 'SlurmProtocolError';

/** What a Slurm error number means, for programs and for people. */
export interface ErrorMeaning {
  /** Upstream's name, or `SLURM_ERROR_<number>` for a number newer than the table. */
  readonly code: string;
  /** Whose fault it is, as the name of an error class. */
  readonly errorClass: AnsweredErrorClass;
  /** POSIX name. */
  readonly errno: string;
  /** The same call may succeed later with nothing changed. */
  readonly retryable: boolean;
  /** One sentence, with its full stop. */
  readonly text: string;
}

/** A line of `fixtures/tables/error-meanings.tsv`. By name, so that reused numbers keep their own meaning. */
export type MeaningRow = readonly [
  errorClass: AnsweredErrorClass,
  errno: string,
  retryable: boolean,
  text: string,
];

/** What a return code means in a release. Numbers below 1000 are errnos of the server's system (Linux). */
export function errorMeaning(number: number, release: Release): ErrorMeaning {
  if (number > 0 && number < 1000) return systemError(number);
  if (number !== 0) return meaningOf(number, release);
  const known = success.get(release) ?? meaningOf(0, release);
  success.set(release, known);
  return known;
}

/** What every kill that is accepted asks for. */
const success = new Map<Release, ErrorMeaning>();

function meaningOf(number: number, release: Release): ErrorMeaning {
  const code =
    rowIn(byNumber.get(number), release)?.[1] ?? byNumber.get(number)?.at(-1)?.[1] ?? `SLURM_ERROR_${number}`;
  const [errorClass, errno, retryable, text] = ERROR_MEANINGS[code] ?? notInTable(code);
  return { code, errorClass, errno, text, retryable };
}

function systemError(number: number): ErrorMeaning {
  const name = LINUX_ERRNO[number] ?? `errno ${number}`;
  const retryable = name === 'EAGAIN' || name === 'EBUSY' || name === 'EINTR';
  const text =
    name === 'EINVAL'
      ? 'The daemon does not serve this message: is it the daemon that was meant?'
      : `The daemon answered with its system's error ${name}.`;
  return { code: name, errorClass: 'SlurmServerError', errno: name, retryable, text };
}

function notInTable(code: string): MeaningRow {
  return ['SlurmServerError', 'EIO', false, `The daemon answered ${code}.`];
}

/** A return code as Slurm reads it: the u32 of the wire is signed, so 0xffffffff is -1, SLURM_ERROR. */
export function signedReturnCode(returnCode: number): number {
  return returnCode | 0;
}
