/**
 * Unix signals by name and number: always Linux numbering, since that is what Slurm's nodes run, whatever this process runs on.
 *
 * Source: signal(7) of Linux (x86, Arm and most others; MIPS, Alpha and SPARC differ), glibc for the real-time range.
 */
import { SlurmUsageError, showValue } from './slurm-error.js';

/** Standard signals of Linux. The first name of a number is the usual one. */
export const UNIX_SIGNALS = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGIOT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGSEGV: 11,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
  SIGSTKFLT: 16,
  SIGCHLD: 17,
  SIGCLD: 17,
  SIGCONT: 18,
  SIGSTOP: 19,
  SIGTSTP: 20,
  SIGTTIN: 21,
  SIGTTOU: 22,
  SIGURG: 23,
  SIGXCPU: 24,
  SIGXFSZ: 25,
  SIGVTALRM: 26,
  SIGPROF: 27,
  SIGWINCH: 28,
  SIGIO: 29,
  SIGPOLL: 29,
  SIGPWR: 30,
  SIGSYS: 31,
  SIGUNUSED: 31,
} as const;

/** First and last real-time signal as programs on Linux with glibc see them. */
export const SIGRTMIN = 34;
export const SIGRTMAX = 64;

/** Name of a signal with its `SIG`. */
export type UnixSignalName = keyof typeof UNIX_SIGNALS;
type Bare<S extends string> = S extends `SIG${infer Rest}` ? Rest : never;

/**
 * A signal: a name with or without `SIG` in any case (`'SIGTERM'`, `'term'`), a real-time name (`'SIGRTMIN+3'`, `'RTMAX-1'`),
 * or a number from 1 to 64.
 */
export type UnixSignal = UnixSignalName | Bare<UnixSignalName> | number | (string & Record<never, never>);

/** True for a number that is a Unix signal. Slurm gives others meanings of their own; they are never passed through. */
export function isUnixSignalNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= SIGRTMAX;
}

/**
 * The number of a signal.
 *
 * @throws SlurmUsageError `SLURMWIRE_BAD_SIGNAL` for anything that is not a signal from 1 to 64.
 */
export function unixSignalNumber(signal: UnixSignal, field = 'unixSignal'): number {
  const number = typeof signal === 'string' ? numberOfName(signal) : signal;
  if (isUnixSignalNumber(number)) return number;
  throw new SlurmUsageError(`${field} ${showValue(signal)} is not a Unix signal.`, {
    code: 'SLURMWIRE_BAD_SIGNAL',
    field,
    value: signal,
    hint: 'Give a name such as SIGTERM, USR1 or SIGRTMIN+2, or a number from 1 to 64 (Linux numbering).',
  });
}

/** The usual name of a signal number: 9 → `SIGKILL`, 36 → `SIGRTMIN+2`, 33 → `33`. */
export function unixSignalName(number: number): string {
  const standard = Object.entries(UNIX_SIGNALS).find(([, value]) => value === number);
  if (standard !== undefined) return standard[0];
  if (number === SIGRTMIN) return 'SIGRTMIN';
  if (number === SIGRTMAX) return 'SIGRTMAX';
  return number > SIGRTMIN && number < SIGRTMAX ? `SIGRTMIN+${number - SIGRTMIN}` : String(number);
}

function numberOfName(given: string): number | undefined {
  if (/^[0-9]{1,3}$/.test(given)) return Number(given);
  const name = given.toUpperCase().replace(/^(?!SIG)/, 'SIG');
  if (Object.hasOwn(UNIX_SIGNALS, name)) return UNIX_SIGNALS[name as UnixSignalName];
  const realTime = /^SIGRT(?:MIN(?:\+([0-9]{1,2}))?|MAX(?:-([0-9]{1,2}))?)$/.exec(name);
  if (realTime === null) return undefined;
  const number = name.startsWith('SIGRTMIN')
    ? SIGRTMIN + Number(realTime[1] ?? 0)
    : SIGRTMAX - Number(realTime[2] ?? 0);
  return number >= SIGRTMIN && number <= SIGRTMAX ? number : undefined;
}
