/** Operands of scancel(1): what they name, and that nothing else is taken for a job. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readOperands } from '../../src/cli/scancel/job-ids.js';
import { ScancelTrouble } from '../../src/cli/scancel/trouble.js';

const shown = (texts: readonly string[]) =>
  readOperands(texts).map(({ job, step }) => (step === null ? job.text : `${job.text}.${step}`));

test.each<[string[], string[]]>([
  [['12'], ['12']],
  [
    [' 0012', '13'],
    ['12', '13'],
  ],
  [['12,13,14.0'], ['12', '13', '14.0']],
  [
    ['12_3', '12_*', '12+1', '12_[1-3,7]'],
    ['12_3', '12_*', '12+1', '12_[1-3,7]'],
  ],
  [
    ['12_3.0', '12+1.2'],
    ['12_3.0', '12+1.2'],
  ],
  // As scancel has it: a comma begins another job.
  [['12_3,4'], ['12_3', '4']],
  [['11,12_[1-3]'], ['11', '12_[1-3]']],
  [['s1234567890ABC,12'], ['s1234567890ABC', '12']],
])('%j', (texts, expected) => {
  expect(shown(texts)).toEqual(expected);
});

describe('refused', () => {
  test.each<[string, string]>([
    ['', 'Invalid job id '],
    ['0', 'Invalid job id 0'],
    ['-3', 'Invalid job id -3'],
    ['12x', 'Invalid job id 12x'],
    ['12,', 'Invalid job id '],
    ['12,x,13', 'Invalid job id x,13'],
    ['12 13', 'Invalid job id 12 13'],
    ['12_', 'Invalid job id 12_'],
    ['12_[1-3', 'Invalid job id 12_[1-3'],
    ['12_[3-1]', 'Invalid job id 12_[3-1]'],
    ['12_[1-3],13', 'Invalid job id 12_[1-3],13'],
    ['12_[1-3].0', 'Invalid job id 12_[1-3].0'],
    ['12_[0-8:2]', 'Invalid job id 12_[0-8:2]'],
    ['12.batch', 'Invalid job id 12.batch'],
    ['12.', 'Invalid job id 12.'],
    ['99999999999', 'Invalid job id 99999999999'],
    ['12.99999999999', 'Invalid job id 12.99999999999'],
    ['snonsense', 'Invalid SLUID snonsense'],
    ['s1234567890ABC.0', 'Invalid SLUID s1234567890ABC.0'],
  ])('%j', (text, message) => {
    const read = () => readOperands([text]);
    expect(read).toThrow(ScancelTrouble);
    expect(read).toThrow(new RegExp(`^${message.replace(/[[\]+.*]/g, '\\$&')}$`));
  });

  test('more than scancel takes', () => {
    expect(() => readOperands(Array(0x10000).fill('1'))).toThrow(/Too many job ids/);
  });
});

test('any text is read or refused, at once', () => {
  const text = fc.oneof(fc.string(), fc.stringMatching(/^[\d,_+.*[\]-]{0,40}$/));
  fc.assert(
    fc.property(text, (given) => {
      try {
        for (const { job } of readOperands([given])) expect(job.kind).toBeDefined();
      } catch (error) {
        expect(error).toBeInstanceOf(ScancelTrouble);
      }
    }),
  );
});
