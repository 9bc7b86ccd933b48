/** The ways to name a job or a step, and what is none. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type JobId,
  parseJobId,
  parseStepId,
  SlurmUsageError,
  SPECIAL_STEP_IDS,
  type StepTarget,
} from '../../src/protocol/index.js';

function refusalOf(parse: () => unknown): SlurmUsageError {
  try {
    parse();
  } catch (thrown) {
    if (thrown instanceof SlurmUsageError) return thrown;
    throw thrown;
  }
  throw new Error('it was accepted');
}

describe('jobs', () => {
  test.each<[JobId, string, number, string]>([
    [123, 'job', 123, '123'],
    ['123', 'job', 123, '123'],
    ['007', 'job', 7, '7'],
    [1, 'job', 1, '1'],
    [0xfffffffd, 'job', 0xfffffffd, '4294967293'],
    ['4294967293', 'job', 0xfffffffd, '4294967293'],
    ['123_4', 'array-task', 123, '123_4'],
    ['123_0', 'array-task', 123, '123_0'],
    ['0123_004', 'array-task', 123, '123_4'],
    ['123_4294967280', 'array-task', 123, '123_4294967280'],
    ['123_*', 'whole-array', 123, '123_*'],
    ['123_[1-5,9]', 'array-tasks', 123, '123_[1-5,9]'],
    ['123_1-5,9', 'array-tasks', 123, '123_[1-5,9]'],
    ['123_[7]', 'array-tasks', 123, '123_[7]'],
    ['123_[0-15:4]', 'array-tasks', 123, '123_[0-15:4]'],
    ['123_0-15:4', 'array-tasks', 123, '123_[0-15:4]'],
    ['123_[1-9%2]', 'array-tasks', 123, '123_[1-9]'],
    ['123_1-9%2', 'array-tasks', 123, '123_[1-9]'],
    ['123_[5-5]', 'array-tasks', 123, '123_[5-5]'],
    ['123+0', 'het-component', 123, '123+0'],
    ['123+1', 'het-component', 123, '123+1'],
    ['123+01', 'het-component', 123, '123+1'],
    [{ jobId: 123 }, 'job', 123, '123'],
    [{ jobId: 123, arrayTaskId: 0 }, 'array-task', 123, '123_0'],
    [{ jobId: 123, arrayTaskId: 4 }, 'array-task', 123, '123_4'],
    [{ jobId: 123, arrayTasks: '*' }, 'whole-array', 123, '123_*'],
    [{ jobId: 123, arrayTasks: '1-5,9' }, 'array-tasks', 123, '123_[1-5,9]'],
    [{ jobId: 123, arrayTasks: '4' }, 'array-tasks', 123, '123_[4]'],
    [{ jobId: 123, hetJobOffset: 0 }, 'het-component', 123, '123+0'],
    [{ jobId: 123, hetJobOffset: 2 }, 'het-component', 123, '123+2'],
  ])('%j', (given, kind, jobId, text) => {
    expect(parseJobId(given)).toEqual({ kind, jobId, text });
  });

  // The first was observed; readers take O for 0, I and L for 1.
  test.each([
    ['sD81M80YD4HS00', 0xd40688079a48e400n],
    ['sd81m80yd4hs00', 0xd40688079a48e400n],
    ['sD8iM8oYD4HSO0', 0xd40688079a48e400n],
    ['s0000000000000', 0n],
    ['sFZZZZZZZZZZZZ', 0xffffffffffffffffn],
  ])('%s is a sluid', (text, sluid) => {
    expect(parseJobId(text)).toEqual({ kind: 'sluid', jobId: 0, text, sluid });
  });

  test.each<[unknown, RegExp]>([
    [0, /not from 1 to/],
    ['0', /not from 1 to/],
    [-1, /not from 1 to/],
    [0xfffffffe, /not from 1 to/],
    ['4294967294', /not from 1 to/],
    ['99999999999', /the forms are/],
    [1.5, /not an integer/],
    [Number.NaN, /not an integer/],
    [Number.POSITIVE_INFINITY, /not an integer/],
    ['', /the forms are/],
    [' 123', /the forms are/],
    ['123 ', /the forms are/],
    ['123\n', /the forms are/],
    ['-123', /the forms are/],
    ['0x7b', /the forms are/],
    ['1e3', /the forms are/],
    ['all', /the forms are/],
    ['*', /the forms are/],
    ['123,124', /the forms are/],
    ['123_', /the forms are/],
    ['123_-1', /the forms are/],
    ['123_[1', /the forms are/],
    ['123_1]', /the forms are/],
    ['123_[1]]', /the forms are/],
    ['123_**', /the forms are/],
    ['123+', /the forms are/],
    ['123+-1', /the forms are/],
    ['123+1+2', /the forms are/],
    ['123_1+2', /the forms are/],
    ['123+4294967281', /4294967281 is not a whole number/],
    ['123+9999999999', /9999999999 is not a whole number/],
    ['123_4294967281', /no array task/],
    ['123_[4294967281]', /no array task/],
    ['123_[]', /neither a task, a range/],
    ['123_[1,]', /neither a task, a range/],
    ['123_[,1]', /neither a task, a range/],
    ['123_1,', /neither a task, a range/],
    ['123_[1-]', /neither a task, a range/],
    ['123_[-3]', /neither a task, a range/],
    ['123_[1-2-3]', /neither a task, a range/],
    ['123_[1:2]', /neither a task, a range/],
    ['123_[1 -2]', /neither a task, a range/],
    ['123_[a]', /neither a task, a range/],
    ['123_[*]', /neither a task, a range/],
    ['123_[5-1]', /runs backwards/],
    ['123_[1-5:0]', /no step/],
    ['123_[1-5%]', /% is not one number/],
    ['123_[1-5%a]', /% is not one number/],
    ['123_[1-5%2%3]', /% is not one number/],
    ['123.0', /names a step/],
    ['123_4.batch', /names a step/],
    ['123+1.extern', /names a step/],
    ['s', /the forms are/],
    ['sD81M80YD4HS0', /the forms are/],
    ['sD81M80YD4HS000', /the forms are/],
    ['sD81M80YD4HSU0', /the forms are/],
    ['D81M80YD4HS000', /the forms are/],
    [null, /neither a number, a string nor an object/],
    [undefined, /neither a number, a string nor an object/],
    [true, /neither a number, a string nor an object/],
    [123n, /neither a number, a string nor an object/],
    [Symbol('123'), /neither a number, a string nor an object/],
    [{}, /not an integer/],
    [{ jobId: 5, stepId: 0 }, /has a "stepId"/],
    [{ jobId: 5, arraytaskid: 1 }, /has a "arraytaskid"/],
    [[], /not an integer/],
    [[123], /not an integer/],
    [{ jobId: '123' }, /not an integer/],
    [{ jobId: 123n }, /not an integer/],
    [{ jobId: 0 }, /not from 1 to/],
    [{ jobId: 1, arrayTaskId: 1, hetJobOffset: 1 }, /only one of them/],
    [{ jobId: 1, arrayTaskId: 1, arrayTasks: '1' }, /only one of them/],
    [{ jobId: 1, arrayTaskId: -1 }, /not a whole number/],
    [{ jobId: 1, arrayTaskId: 1.5 }, /not a whole number/],
    [{ jobId: 1, arrayTaskId: '1' }, /not a whole number/],
    [{ jobId: 1, arrayTaskId: null }, /not a whole number/],
    [{ jobId: 1, arrayTaskId: Object.create(null) }, /not a whole number/],
    [{ jobId: 1, hetJobOffset: 0xfffffff1 }, /not a whole number/],
    [{ jobId: 1, arrayTasks: '' }, /neither a task, a range/],
    [{ jobId: 1, arrayTasks: '1]' }, /the forms are/],
    [{ jobId: 1, arrayTasks: '1],[2' }, /the forms are/],
  ])('%o is none', (given, why) => {
    const error = refusalOf(() => parseJobId(given as JobId, 'target'));
    expect(error).toMatchObject({
      code: 'SLURMWIRE_BAD_JOB_ID',
      errno: 'EINVAL',
      field: 'target',
      outcome: 'not-sent',
    });
    expect(error.message).toMatch(why);
    expect(error.message).toMatch(/^target .* is not a Slurm job id: /s);
  });

  test('an expression may name very many tasks, but not without end', () => {
    const tasks = Array.from({ length: 9000 }, (_, i) => i + 1000).join(',');
    expect(parseJobId(`1_[${tasks}]`).text).toBe(`1_[${tasks}]`);
    const error = refusalOf(() => parseJobId(`1_[${'1,'.repeat(40_000)}1]`));
    expect(error.message).toContain('longer than 65536');
    expect(error.message.length).toBeLessThan(300);
  });

  test('a long wrong one is not repeated at length', () => {
    expect(refusalOf(() => parseJobId(`1_[${'x'.repeat(60_000)}]`)).message.length).toBeLessThan(400);
  });
});

describe('steps', () => {
  const { SLURM_BATCH_SCRIPT, SLURM_EXTERN_CONT, SLURM_INTERACTIVE_STEP } = SPECIAL_STEP_IDS;

  test('the special numbers are those of the wire', () => {
    expect(SPECIAL_STEP_IDS).toEqual({
      SLURM_PENDING_STEP: 0xfffffffd,
      SLURM_EXTERN_CONT: 0xfffffffc,
      SLURM_BATCH_SCRIPT: 0xfffffffb,
      SLURM_INTERACTIVE_STEP: 0xfffffffa,
    });
  });

  test.each<[StepTarget, string, number, number | null, string]>([
    ['123.0', '123', 0, null, '123.0'],
    ['123.7', '123', 7, null, '123.7'],
    ['123.007', '123', 7, null, '123.7'],
    ['123.4294967280', '123', 0xfffffff0, null, '123.4294967280'],
    ['123.batch', '123', SLURM_BATCH_SCRIPT, null, '123.batch'],
    ['123.extern', '123', SLURM_EXTERN_CONT, null, '123.extern'],
    ['123.interactive', '123', SLURM_INTERACTIVE_STEP, null, '123.interactive'],
    ['123_4.0', '123_4', 0, null, '123_4.0'],
    ['123+1.0', '123+1', 0, null, '123+1.0'],
    [{ jobId: 123, stepId: 0 }, '123', 0, null, '123.0'],
    [{ jobId: 123, stepId: 'batch' }, '123', SLURM_BATCH_SCRIPT, null, '123.batch'],
    [{ jobId: 123, arrayTaskId: 4, stepId: 1 }, '123_4', 1, null, '123_4.1'],
    [{ jobId: 123, hetJobOffset: 1, stepId: 1 }, '123+1', 1, null, '123+1.1'],
    [{ jobId: 123, stepId: 1, stepHetComp: 0 }, '123', 1, 0, '123.1'],
    [{ jobId: 123, stepId: 1, stepHetComp: 3 }, '123', 1, 3, '123.1'],
  ])('%j', (given, job, stepId, stepHetComp, text) => {
    expect(parseStepId(given)).toEqual({ job: parseJobId(job), stepId, stepHetComp, text });
  });

  test.each<[unknown, string, RegExp]>([
    ['123', 'SLURMWIRE_BAD_STEP_ID', /whole jobs are for killJob/],
    ['', 'SLURMWIRE_BAD_STEP_ID', /whole jobs are for killJob/],
    [123, 'SLURMWIRE_BAD_STEP_ID', /neither a string nor an object/],
    [123n, 'SLURMWIRE_BAD_STEP_ID', /neither a string nor an object/],
    [null, 'SLURMWIRE_BAD_STEP_ID', /neither a string nor an object/],
    [undefined, 'SLURMWIRE_BAD_STEP_ID', /neither a string nor an object/],
    ['123.', 'SLURMWIRE_BAD_STEP_ID', /the step "" is neither/],
    ['123.Batch', 'SLURMWIRE_BAD_STEP_ID', /the step "Batch" is neither/],
    ['123.pending', 'SLURMWIRE_BAD_STEP_ID', /is neither/],
    ['123.TBD', 'SLURMWIRE_BAD_STEP_ID', /is neither/],
    ['123.-1', 'SLURMWIRE_BAD_STEP_ID', /is neither/],
    ['123. 1', 'SLURMWIRE_BAD_STEP_ID', /is neither/],
    ['123.4294967281', 'SLURMWIRE_BAD_STEP_ID', /is neither/],
    ['123.4294967291', 'SLURMWIRE_BAD_STEP_ID', /is neither/],
    ['123.1.5', 'SLURMWIRE_BAD_JOB_ID', /names a step/],
    ['.0', 'SLURMWIRE_BAD_JOB_ID', /the forms are/],
    ['0.0', 'SLURMWIRE_BAD_JOB_ID', /not from 1 to/],
    ['x.0', 'SLURMWIRE_BAD_JOB_ID', /the forms are/],
    ['123_[1-2].0', 'SLURMWIRE_BAD_STEP_ID', /one array task, not to several/],
    ['123_*.0', 'SLURMWIRE_BAD_STEP_ID', /one array task, not to several/],
    ['sD81M80YD4HS00.0', 'SLURMWIRE_BAD_STEP_ID', /sluid is not supported/],
    [{}, 'SLURMWIRE_BAD_JOB_ID', /not an integer/],
    [{ jobId: 1 }, 'SLURMWIRE_BAD_STEP_ID', /the step undefined is neither/],
    [{ jobId: 1, stepId: -1 }, 'SLURMWIRE_BAD_STEP_ID', /is neither/],
    [{ jobId: 1, stepId: 1.5 }, 'SLURMWIRE_BAD_STEP_ID', /is neither/],
    [{ jobId: 1, stepId: 0xfffffffb }, 'SLURMWIRE_BAD_STEP_ID', /is neither/],
    [{ jobId: 1, stepId: Number.NaN }, 'SLURMWIRE_BAD_STEP_ID', /is neither/],
    [{ jobId: 1, stepId: 1n }, 'SLURMWIRE_BAD_STEP_ID', /is neither/],
    [{ jobId: 1, stepId: null }, 'SLURMWIRE_BAD_STEP_ID', /is neither/],
    [{ jobId: 1, stepId: [5] }, 'SLURMWIRE_BAD_STEP_ID', /is neither/],
    [{ jobId: 1, stepId: Object.create(null) }, 'SLURMWIRE_BAD_STEP_ID', /is neither/],
    [{ jobId: 1, stepId: 'toString' }, 'SLURMWIRE_BAD_STEP_ID', /is neither/],
    [{ jobId: 1, stepId: 1, stepHetComp: -1 }, 'SLURMWIRE_BAD_STEP_ID', /not a whole number/],
    [{ jobId: 1, stepId: 1, stepHetComp: '0' }, 'SLURMWIRE_BAD_STEP_ID', /not a whole number/],
    [{ jobId: 1, stepId: 1, stepHetComp: null }, 'SLURMWIRE_BAD_STEP_ID', /not a whole number/],
  ])('%o is none', (given, code, why) => {
    const error = refusalOf(() => parseStepId(given as StepTarget, 'target'));
    expect(error).toMatchObject({ code, field: 'target', outcome: 'not-sent' });
    expect(error.message).toMatch(why);
  });
});

describe('whatever is accepted reads back as itself', () => {
  const number = fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 0xffffffff }));
  const digits = fc.tuple(fc.constantFrom('', '0', '00'), number).map(([zeros, value]) => `${zeros}${value}`);
  const range = fc.oneof(
    digits,
    fc.tuple(digits, digits).map(([low, high]) => `${low}-${high}`),
    fc.tuple(digits, digits, digits).map(([low, high, step]) => `${low}-${high}:${step}`),
  );
  const expression = fc
    .tuple(fc.array(range, { minLength: 1, maxLength: 4 }), fc.constantFrom('', '%2'))
    .map(([ranges, limit]) => ranges.join(',') + limit);
  const job = fc.oneof(
    digits,
    fc.tuple(digits, digits).map(([id, task]) => `${id}_${task}`),
    fc.tuple(digits, expression).map(([id, tasks]) => `${id}_${tasks}`),
    fc.tuple(digits, expression).map(([id, tasks]) => `${id}_[${tasks}]`),
    digits.map((id) => `${id}_*`),
    fc.tuple(digits, digits).map(([id, component]) => `${id}+${component}`),
    fc.stringMatching(/^s[0-9A-Z]{13}$/),
    fc.string({ maxLength: 8 }),
  );
  const step = fc.oneof(digits, fc.constantFrom('batch', 'extern', 'interactive', 'x'));

  /** The parse, or null where it was refused as it should be. */
  function accepted<T>(parse: () => T): T | null {
    try {
      return parse();
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(SlurmUsageError);
      return null;
    }
  }

  test('jobs', () => {
    let count = 0;
    fc.assert(
      fc.property(job, (text) => {
        const parsed = accepted(() => parseJobId(text));
        if (parsed === null) return;
        count++;
        expect(parseJobId(parsed.text)).toEqual(parsed);
      }),
      { numRuns: 2000 },
    );
    expect(count).toBeGreaterThan(0);
  });

  test('steps', () => {
    let count = 0;
    fc.assert(
      fc.property(job, step, (jobText, stepText) => {
        const parsed = accepted(() => parseStepId(`${jobText}.${stepText}`));
        if (parsed === null) return;
        count++;
        expect(parseStepId(parsed.text)).toEqual(parsed);
        expect(parseJobId(parsed.job.text)).toEqual(parsed.job);
      }),
      { numRuns: 2000 },
    );
    expect(count).toBeGreaterThan(0);
  });
});
