/** Signals by name and number. */
import { constants } from 'node:os';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  SlurmUsageError,
  UNIX_SIGNALS,
  type UnixSignal,
  unixSignalName,
  unixSignalNumber,
} from '../../src/protocol/index.js';
import { isUnixSignalNumber, SIGRTMAX, SIGRTMIN } from '../../src/protocol/unix-signal.js';

function refusal(signal: unknown, field?: string): SlurmUsageError {
  try {
    unixSignalNumber(signal as UnixSignal, field);
  } catch (thrown) {
    if (thrown instanceof SlurmUsageError) return thrown;
    throw thrown;
  }
  throw new Error(`${String(signal)} was taken for a signal`);
}

describe('standard signals', () => {
  // Linux numbers are what the library promises everywhere; only on Linux can the system confirm them.
  test.runIf(process.platform === 'linux')('are those of this Linux', () => {
    for (const [name, number] of Object.entries(constants.signals)) {
      expect(unixSignalNumber(name), name).toBe(number);
    }
    const known = new Set(Object.keys(constants.signals));
    expect(Object.keys(UNIX_SIGNALS).filter((name) => !known.has(name))).toEqual(['SIGCLD', 'SIGUNUSED']);
  });

  test('1 to 31 have a name each, and the aliases their number', () => {
    expect(new Set(Object.values(UNIX_SIGNALS))).toEqual(
      new Set(Array.from({ length: 31 }, (_, i) => i + 1)),
    );
    expect(unixSignalNumber('SIGIOT')).toBe(unixSignalNumber('SIGABRT'));
    expect(unixSignalNumber('SIGCLD')).toBe(unixSignalNumber('SIGCHLD'));
    expect(unixSignalNumber('SIGPOLL')).toBe(unixSignalNumber('SIGIO'));
    expect(unixSignalNumber('SIGUNUSED')).toBe(unixSignalNumber('SIGSYS'));
  });

  test.each(Object.entries(UNIX_SIGNALS))('%s with and without SIG, in any case', (name, number) => {
    const bare = name.slice(3);
    const mixed = `Sig${bare.charAt(0)}${bare.slice(1).toLowerCase()}`;
    for (const given of [name, bare, name.toLowerCase(), bare.toLowerCase(), mixed]) {
      expect(unixSignalNumber(given), given).toBe(number);
    }
    expect(unixSignalNumber(number)).toBe(number);
    expect(unixSignalNumber(String(number))).toBe(number);
  });

  test('the name of a number is the usual one', () => {
    expect([6, 9, 15, 17, 29, 31].map(unixSignalName)).toEqual([
      'SIGABRT',
      'SIGKILL',
      'SIGTERM',
      'SIGCHLD',
      'SIGIO',
      'SIGSYS',
    ]);
  });
});

describe('real-time signals', () => {
  test.each([
    ['SIGRTMIN', 34],
    ['RTMIN', 34],
    ['rtmin+0', 34],
    ['SIGRTMIN+1', 35],
    ['rtmin+03', 37],
    ['RTMIN+30', 64],
    ['SIGRTMAX', 64],
    ['sigrtmax-0', 64],
    ['RTMAX-1', 63],
    ['RTMAX-30', 34],
    ['34', 34],
    [64, 64],
    [32, 32],
    [33, 33],
  ])('%s is %d', (given, number) => {
    expect(unixSignalNumber(given)).toBe(number);
  });

  test.each([
    'RTMIN+31',
    'RTMAX-31',
    'RTMIN-1',
    'RTMAX+1',
    'RTMIN+',
    'RTMAX-',
    'RTMIN+100',
    'RTMIN 1',
    'RT',
    'RTMIN+1.5',
  ])('%s is none', (given) => {
    expect(refusal(given).code).toBe('SLURMWIRE_BAD_SIGNAL');
  });

  test('names count from SIGRTMIN; the two that glibc keeps for itself have none', () => {
    expect([32, 33, 34, 35, 63, 64].map(unixSignalName)).toEqual([
      '32',
      '33',
      'SIGRTMIN',
      'SIGRTMIN+1',
      'SIGRTMIN+29',
      'SIGRTMAX',
    ]);
    expect([SIGRTMIN, SIGRTMAX]).toEqual([34, 64]);
  });
});

describe('numbers as text', () => {
  test.each([
    ['9', 9],
    ['09', 9],
    ['009', 9],
    ['64', 64],
  ])('%s is %d', (given, number) => {
    expect(unixSignalNumber(given)).toBe(number);
  });

  test.each(['0', '00', '65', '253', '999', '0009', '-9', '+9', '9.0', '1e1', '0x9', ' 9', '9 ', '९', '1n'])(
    '%j is none',
    (given) => {
      expect(refusal(given).code).toBe('SLURMWIRE_BAD_SIGNAL');
    },
  );
});

describe('what is no signal', () => {
  // Slurm gives 253 and 991 to 999 a meaning of their own; slurmctld checks none of them.
  const numbers = [0, -0, -1, 65, 127, 128 + 9, 200, 253, 300, 991, 992, 997, 998, 999, 1.5, 2 ** 32 + 9];
  const others = [
    Number.NaN,
    Number.POSITIVE_INFINITY,
    null,
    undefined,
    true,
    {},
    [],
    [9],
    9n,
    Symbol('KILL'),
    () => 9,
  ];
  const names = [
    '',
    ' ',
    'SIG',
    'SIGSIGTERM',
    'KILL ',
    'SIGKILL\n',
    'SIG_KILL',
    'SIG9',
    'NULL',
    'toString',
    '__proto__',
  ];

  test.each([...numbers, ...others, ...names])('%s', (given) => {
    const error = refusal(given);
    expect(error).toMatchObject({
      code: 'SLURMWIRE_BAD_SIGNAL',
      errno: 'EINVAL',
      outcome: 'not-sent',
      field: 'unixSignal',
    });
    expect(error.message).toMatch(/^unixSignal .* is not a Unix signal\. Give a name such as SIGTERM/);
    expect(isUnixSignalNumber(given)).toBe(false);
  });

  test('a circular object is no signal either', () => {
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    expect(refusal(circular).value).toBe('an object');
  });

  test('the error names the argument and shows what was given, never at length', () => {
    expect(refusal('SIGFOO', 'finalSignal').message).toContain('finalSignal "SIGFOO"');
    expect(refusal('X'.repeat(10_000)).message.length).toBeLessThan(300);
  });
});

test('every number has a name that leads back to it', () => {
  for (let number = 1; number <= 64; number++) {
    expect(isUnixSignalNumber(number)).toBe(true);
    expect(unixSignalNumber(unixSignalName(number)), unixSignalName(number)).toBe(number);
  }
});

test('any text is a signal from 1 to 64 or refused', () => {
  const likely = fc.stringMatching(/^(SIG|sig)?(RT(MIN|MAX)?[+-]?)?[0-9A-Za-z]{0,4}$/);
  fc.assert(
    fc.property(fc.oneof(likely, fc.string()), (given) => {
      try {
        expect(isUnixSignalNumber(unixSignalNumber(given))).toBe(true);
      } catch (thrown) {
        expect(thrown).toMatchObject({ name: 'SlurmUsageError', code: 'SLURMWIRE_BAD_SIGNAL' });
      }
    }),
    { numRuns: 2000 },
  );
});
