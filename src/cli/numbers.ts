import { InvalidArgumentError } from 'commander';

/** A whole number from 1, as an option has it. For `Option.argParser()`. */
export function parseCount(text: string): number {
  const count = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (count < 1) throw new InvalidArgumentError('It is not a whole number from 1.');
  return count;
}
