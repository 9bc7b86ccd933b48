/** The error family: what each class carries. */
import { constants } from 'node:os';
import { describe, expect, test, vi } from 'vitest';
import { signedReturnCode } from '../../src/protocol/index.js';
import { LINUX_ERRNO } from '../../src/protocol/linux-errno.js';
import * as errors from '../../src/protocol/slurm-error.js';

const {
  isSlurmError,
  restate,
  showValue,
  SlurmAuthError,
  SlurmConfigError,
  SlurmConnectionError,
  SlurmError,
  SlurmProtocolError,
  SlurmProtocolVersionError,
  SlurmServerError,
  SlurmTimeoutError,
  SlurmUsageError,
} = errors;

const cause = new Error('what was behind it');

/** Everything an error may carry, so that nothing can get lost unseen. */
const details = {
  code: 'A_CODE',
  errno: 'EIO',
  outcome: 'unknown',
  retryable: true,
  number: 70_000,
  peer: 'host:6817',
  rpc: 'REQUEST_KILL_JOB',
  protocol: '22.05',
  phase: 'wait',
  hint: 'Do something about it.',
  cause,
} as const;

const place = {
  number: 70_000,
  peer: 'host:6817',
  rpc: 'REQUEST_KILL_JOB',
  protocol: '22.05',
  phase: 'wait',
};
const common = {
  code: 'A_CODE',
  errno: 'EIO',
  outcome: 'unknown',
  retryable: true,
  ...place,
  hint: details.hint,
};
const ofCaller = {
  code: 'A_CODE',
  errno: 'EINVAL',
  outcome: 'not-sent',
  retryable: false,
  hint: details.hint,
};

/** One of each class, with what toJSON must show of it beside the message. */
const family: readonly (readonly [name: string, error: errors.SlurmError, json: Record<string, unknown>])[] =
  [
    ['SlurmError', new SlurmError('It failed.', details), common],
    [
      'SlurmUsageError',
      new SlurmUsageError('It failed.', {
        code: 'A_CODE',
        field: 'job',
        value: 'x',
        hint: details.hint,
        rpc: 'REQUEST_KILL_JOB',
        protocol: '22.05',
        cause,
      }),
      { ...ofCaller, rpc: 'REQUEST_KILL_JOB', protocol: '22.05', field: 'job', value: '"x"' },
    ],
    [
      'SlurmConfigError',
      new SlurmConfigError('It failed.', {
        code: 'A_CODE',
        file: '/etc/slurm.conf',
        line: 7,
        hint: details.hint,
        cause,
      }),
      { ...ofCaller, phase: 'config', file: '/etc/slurm.conf', line: 7 },
    ],
    [
      'SlurmAuthError',
      new SlurmAuthError('It failed.', { ...details, reason: 'no-socket', clockSkewSeconds: -301 }),
      { ...common, reason: 'no-socket', clockSkewSeconds: -301 },
    ],
    [
      'SlurmConnectionError',
      new SlurmConnectionError('It failed.', { ...details, suspects: ['version', 'credential'] }),
      { ...common, suspects: ['version', 'credential'] },
    ],
    ['SlurmTimeoutError', new SlurmTimeoutError('It failed.', details), common],
    [
      'SlurmProtocolVersionError',
      new SlurmProtocolVersionError('It failed.', {
        ...details,
        spoken: ['22.05'],
        tried: ['24.11'],
        answer: 'closed',
        answerKind: 'other',
      }),
      { ...common, spoken: ['22.05'], tried: ['24.11'], answer: 'closed', answerKind: 'other' },
    ],
    [
      'SlurmProtocolError',
      new SlurmProtocolError('It failed.', { ...details, fieldPath: 'stepId/jobId', offset: 12 }),
      { ...common, fieldPath: 'stepId/jobId', offset: 12 },
    ],
    [
      'SlurmServerError',
      new SlurmServerError('It failed.', { ...details, serverMessage: 'Invalid job id' }),
      { ...common, serverMessage: 'Invalid job id' },
    ],
  ];

describe('every class', () => {
  test('is here', () => {
    const classes = Object.entries(errors).filter(([name]) => /^Slurm.*Error$/.test(name));
    expect(family.map(([name]) => name).sort()).toEqual(classes.map(([name]) => name).sort());
    for (const [name, error] of family) {
      const exported = classes.find(([known]) => known === name)?.[1];
      expect(error.constructor, name).toBe(exported);
    }
  });

  test.each(family)('%s', (name, error, json) => {
    expect(error).toBeInstanceOf(Error);
    expect(error).toBeInstanceOf(SlurmError);
    expect(isSlurmError(error)).toBe(true);
    expect(error.name).toBe(name);
    expect(error.cause).toBe(cause);
    expect(error.message).toContain('It failed. Do something about it.');
    expect(error.stack).toContain('errors.test.ts');
    expect(String(error)).toBe(`${name}: ${error.message}`);
    expect(JSON.parse(JSON.stringify(error))).toEqual({ name, message: error.message, ...json });
  });

  test.each(family)('%s restated keeps its class and all that is not said anew', (name, error, json) => {
    const again = restate(error, 'It was told again.', { peer: 'other:6817', rpc: 'REQUEST_PING' });
    expect(again.constructor).toBe(error.constructor);
    expect(again.cause).toBe(cause);
    const message = error.message.replace('It failed.', 'It was told again.');
    expect(again.toJSON()).toEqual({ name, message, ...json, peer: 'other:6817', rpc: 'REQUEST_PING' });
  });

  test('left out means undefined, and is not shown', () => {
    const bare = new SlurmError('It failed.', { code: 'A_CODE', errno: 'EIO', outcome: 'refused' });
    expect(bare.message).toBe('It failed.');
    expect('cause' in bare).toBe(false);
    expect(bare.retryable).toBe(false);
    expect(bare.toJSON()).toEqual({
      name: 'SlurmError',
      message: 'It failed.',
      code: 'A_CODE',
      errno: 'EIO',
      outcome: 'refused',
      retryable: false,
    });
    const server = new SlurmServerError('No.', { code: 'A', errno: 'EIO', outcome: 'refused' });
    expect(server.serverMessage).toBeNull();
    expect(new SlurmConnectionError('No.', { code: 'A', errno: 'EIO', outcome: 'unknown' }).suspects).toEqual(
      [],
    );
  });

  test("the cause and the caller's value stay out of logs as they are", () => {
    const error = new SlurmUsageError('Bad.', {
      code: 'A',
      field: 'token',
      value: { token: 'secret' },
      cause: { key: 'secret' },
    });
    expect(JSON.stringify(error)).not.toContain('secret');
    expect(error.value).toBe('an object');
  });
});

describe('messages', () => {
  test('a place in a file stands in front', () => {
    const at = (place: { file?: string; line?: number }) =>
      new SlurmConfigError('Bad.', { code: 'A', ...place }).message;
    expect(at({ file: '/etc/slurm.conf', line: 3 })).toBe('/etc/slurm.conf:3: Bad.');
    expect(at({ file: '/etc/slurm.conf' })).toBe('/etc/slurm.conf: Bad.');
    expect(at({})).toBe('Bad.');
  });

  test('a place in the bytes stands in front', () => {
    const at = (where: { fieldPath?: string; offset?: number }) =>
      new SlurmProtocolError('too long', { code: 'A', errno: 'EPROTO', outcome: 'not-sent', ...where })
        .message;
    expect(at({ fieldPath: 'nodes/3/state', offset: 418 })).toBe('field nodes/3/state at byte 418: too long');
    expect(at({ fieldPath: 'signal' })).toBe('field signal: too long');
    expect(at({ offset: 4 })).toBe('at byte 4: too long');
    expect(at({})).toBe('too long');
  });
});

describe('the brand', () => {
  test('is known to another copy of the library, where instanceof fails', async () => {
    vi.resetModules();
    const copy = await import('../../src/protocol/slurm-error.js');
    expect(copy.SlurmError).not.toBe(SlurmError);
    const theirs = new copy.SlurmTimeoutError('Late.', { code: 'A', errno: 'ETIMEDOUT', outcome: 'unknown' });
    expect(theirs instanceof SlurmError).toBe(false);
    expect(isSlurmError(theirs)).toBe(true);
    expect(copy.isSlurmError(new SlurmError('It.', details))).toBe(true);
  });

  test('is on nothing else', () => {
    const lookalike = Object.assign(new Error('x'), { name: 'SlurmError', code: 'A', outcome: 'unknown' });
    for (const other of [lookalike, null, undefined, 'SlurmError', 0, {}, () => 0]) {
      expect(isSlurmError(other)).toBe(false);
    }
  });
});

describe('showValue', () => {
  test.each([
    ['a "b"\n', '"a \\"b\\"\\n"'],
    ['', '""'],
    [5, '5'],
    [-0.5, '-0.5'],
    [Number.NaN, 'NaN'],
    [5n, '5n'],
    [null, 'null'],
    [undefined, 'undefined'],
    [true, 'true'],
    [Symbol('x'), 'Symbol(x)'],
    [[1, 2], 'an array of 2'],
    [{ secret: 1 }, 'an object'],
    [Object.create(null), 'an object'],
    [() => 'x', 'a function'],
  ])('%s', (value, text) => {
    expect(showValue(value)).toBe(text);
  });

  test('is short', () => {
    expect(showValue('x'.repeat(80))).toBe(`"${'x'.repeat(80)}"`);
    expect(showValue('x'.repeat(81))).toBe(`"${'x'.repeat(77)}"…`);
  });
});

describe('the errno table', () => {
  // The table is Linux's on every system; only Linux itself can confirm it.
  test.runIf(process.platform === 'linux')('is that of this Linux', () => {
    const aliases = new Set(['EWOULDBLOCK', 'EDEADLOCK', 'EOPNOTSUPP']);
    for (const [name, number] of Object.entries(constants.errno)) {
      if (!aliases.has(name)) expect(LINUX_ERRNO[number], name).toBe(name);
    }
    // 1 to 132 without 41 and 58, which Linux does not use.
    expect(Object.keys(LINUX_ERRNO)).toHaveLength(130);
  });
});

describe('signedReturnCode', () => {
  test.each([
    [0, 0],
    [2017, 2017],
    [0x7fffffff, 0x7fffffff],
    [0x80000000, -0x80000000],
    [0xfffffffe, -2],
    [0xffffffff, -1],
  ])('%d is %d', (wire, signed) => {
    expect(signedReturnCode(wire)).toBe(signed);
  });
});
