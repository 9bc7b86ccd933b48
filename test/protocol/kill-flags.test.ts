/** The KILL_* bits: which release has which, and which of them a client may send. */
import { describe, expect, test } from 'vitest';
import { KILL_FLAGS, type KillFlagName, RELEASE_NAMES } from '../../src/protocol/index.js';
import { hasKillFlag, sendableKillBits } from '../../src/protocol/kill-flags.js';

const names = Object.keys(KILL_FLAGS) as KillFlagName[];

test('the bits are those of KILL_* upstream', () => {
  expect(Object.fromEntries(names.map((name) => [name, KILL_FLAGS[name].bit]))).toEqual({
    KILL_JOB_BATCH: 0x0001,
    KILL_JOB_ARRAY: 0x0002,
    KILL_ARRAY_TASK: 0x0002,
    KILL_STEPS_ONLY: 0x0004,
    KILL_FULL_JOB: 0x0008,
    KILL_FED_REQUEUE: 0x0010,
    KILL_HURRY: 0x0020,
    KILL_OOM: 0x0040,
    KILL_NO_SIBS: 0x0080,
    KILL_JOB_RESV: 0x0100,
    KILL_NO_CRON: 0x0200,
    KILL_NO_SIG_FAIL: 0x0400,
    KILL_JOBS_VERBOSE: 0x0800,
    KILL_CRON: 0x1000,
    KILL_FAIL_JOB: 0x2000,
  });
});

describe('hasKillFlag', () => {
  test.each([
    ['KILL_JOB_BATCH', '20.11', '26.11'],
    ['KILL_JOB_ARRAY', '20.11', '22.05'],
    ['KILL_ARRAY_TASK', '23.02', '26.11'],
    ['KILL_STEPS_ONLY', '20.11', '26.11'],
    ['KILL_FULL_JOB', '20.11', '26.11'],
    ['KILL_HURRY', '20.11', '26.11'],
    ['KILL_NO_CRON', '23.02', '25.05'],
    ['KILL_NO_SIG_FAIL', '23.11', '26.11'],
    ['KILL_JOBS_VERBOSE', '23.11', '26.11'],
    ['KILL_CRON', '24.05', '26.11'],
    ['KILL_FAIL_JOB', '25.05', '26.11'],
  ] as const)('%s from %s to %s', (name, first, last) => {
    const having = RELEASE_NAMES.filter((release) => hasKillFlag(release, name));
    expect(having).toEqual(
      RELEASE_NAMES.slice(RELEASE_NAMES.indexOf(first), RELEASE_NAMES.indexOf(last) + 1),
    );
  });

  test('a bit has one meaning in a release', () => {
    for (const release of RELEASE_NAMES) {
      const bits = names.filter((name) => hasKillFlag(release, name)).map((name) => KILL_FLAGS[name].bit);
      expect(new Set(bits).size).toBe(bits.length);
      for (const bit of bits) expect(bit & (bit - 1)).toBe(0);
    }
  });
});

describe('sendableKillBits', () => {
  test.each([
    ['20.11', 0x002d],
    ['22.05', 0x002d],
    ['23.02', 0x022d],
    ['23.11', 0x0a2d],
    ['24.05', 0x1a2d],
    ['25.05', 0x3a2d],
    ['25.11', 0x382d],
    ['26.11', 0x382d],
  ] as const)('%s', (release, bits) => {
    expect(sendableKillBits(release)).toBe(bits);
  });

  test("never has slurmctld's own", () => {
    const internal =
      KILL_FLAGS.KILL_ARRAY_TASK.bit |
      KILL_FLAGS.KILL_FED_REQUEUE.bit |
      KILL_FLAGS.KILL_OOM.bit |
      KILL_FLAGS.KILL_NO_SIBS.bit |
      KILL_FLAGS.KILL_JOB_RESV.bit |
      KILL_FLAGS.KILL_NO_SIG_FAIL.bit;
    for (const release of RELEASE_NAMES) expect(sendableKillBits(release) & internal).toBe(0);
  });
});
