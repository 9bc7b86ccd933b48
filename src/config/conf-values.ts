/** How single values of a slurm.conf are read, whatever they mean. */
import { SlurmConfigError, showValue } from '../protocol/slurm-error.js';
import { ConfigErrorCode } from './config-error-code.js';
import type { ConfEntry, ConfValue, SlurmConf } from './slurm-conf.js';

/** The last value of a parameter; one written `Key=""` counts as not given. */
export function findValue(conf: SlurmConf, parameter: string): ConfValue | undefined {
  const found = conf.values.get(parameter.toLowerCase());
  return found?.value === '' ? undefined : found;
}

export function textOf(conf: SlurmConf, parameter: string): string | undefined {
  return findValue(conf, parameter)?.value;
}

/** The words of a comma list, as written. */
export function listOf(conf: SlurmConf, parameter: string): string[] {
  return (textOf(conf, parameter) ?? '')
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
}

/** Decimal or `0x`, nothing before or after. */
export function readNumber(text: string): number | undefined {
  return /^([0-9]{1,15}|0x[0-9a-f]{1,12})$/i.test(text) ? Number(text) : undefined;
}

/** What INFINITE and UNLIMITED stand for in a u16: Slurm holds them as this number and then uses it as one. */
const INFINITE16 = 65_535;

/**
 * A u16 of seconds, at least `least`.
 *
 * @throws SlurmConfigError `SLURMWIRE_CONFIG_VALUE`
 */
export function readSeconds(conf: SlurmConf, parameter: string, defaultSeconds: number, least = 1): number {
  const found = findValue(conf, parameter);
  if (found === undefined) return defaultSeconds;
  const seconds = /^(infinite|unlimited)$/i.test(found.value) ? INFINITE16 : readNumber(found.value);
  if (seconds === undefined || seconds < least || seconds > INFINITE16) {
    throw badValue(found, `Give a number of seconds from ${least} to ${INFINITE16}.`);
  }
  return seconds;
}

export function badValue(at: ConfValue | ConfEntry, hint: string): SlurmConfigError {
  return new SlurmConfigError(`${at.key}=${showValue(at.value)} is not usable.`, {
    code: ConfigErrorCode.VALUE,
    file: at.file,
    line: at.line,
    hint,
  });
}
