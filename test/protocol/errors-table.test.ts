/** What Slurm's error numbers mean, over the whole of errors.tsv and in every release: class, code, errno, retryable, sentence. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { errorMeaning, isAtLeast, RELEASE_NAMES, type Release } from '../../src/protocol/index.js';
import { LINUX_ERRNO } from '../../src/protocol/linux-errno.js';
import { serverError } from '../../src/protocol/server-error.js';
import * as errors from '../../src/protocol/slurm-error.js';

/** The lines of a source table, without its header: what was written, not what was generated from it. */
function linesOf(name: string): string[][] {
  const text = readFileSync(new URL(`../../fixtures/tables/${name}`, import.meta.url), 'utf8');
  const [, ...lines] = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => line.split('\t'));
}

const rows = linesOf('errors.tsv').map(([number = '', name = '', first = '', last = '']) => {
  return { number: Number(number), name, first: first as Release, last: last as Release | '' };
});
const meanings = new Map(
  linesOf('error-meanings.tsv').map(([name = '', errorClass = '', errno = '', retryable = '', text = '']) => [
    name,
    { code: name, errorClass, errno, retryable: retryable === 'yes', text },
  ]),
);

/** The rows that a release has. */
function rowsIn(release: Release) {
  return rows.filter(
    ({ first, last }) => isAtLeast(release, first) && (last === '' || isAtLeast(last, release)),
  );
}

/** Whose fault a name speaks of, read off the name alone: a second opinion on every line of the table. */
function classOf(name: string): string {
  if (/^SLURM_PROTOCOL_(?:IO_STREAM_)?VERSION_ERROR$/.test(name)) return 'SlurmProtocolVersionError';
  if (/^ESLURM_(?:REST_)?AUTH_|_AUTHENTICATION_ERROR$/.test(name)) return 'SlurmAuthError';
  if (/^SLURM_.*_TIMEOUT$/.test(name)) return 'SlurmTimeoutError';
  if (/_INSANE_|_RECV_LENGTH$|_UNEXPECTED_MSG_|_INCOMPLETE_PACKET$/.test(name)) return 'SlurmProtocolError';
  // The limits of the controller's load are no trouble of the network.
  if (/_BACKOFF$|_HARD_DROP$/.test(name)) return 'SlurmServerError';
  if (/^SLURM(?:CTLD)?_COMMUNICATIONS_|_SOCKET_(?:IMPL|ZERO)_|_TLS_REQUIRED$/.test(name))
    return 'SlurmConnectionError';
  return /^SLURM_(?:BLOCKED|SHUTTING|UNKNOWN_FORWARD)_/.test(name)
    ? 'SlurmConnectionError'
    : 'SlurmServerError';
}

describe('the table', () => {
  test('has every name once, and no name that Slurm does not have', () => {
    expect(rows).toHaveLength(433);
    expect([...meanings.keys()]).toEqual(rows.map(({ name }) => name));
    expect(linesOf('error-meanings.tsv')).toHaveLength(meanings.size);
    for (const line of linesOf('error-meanings.tsv')) expect(line, line[0]).toHaveLength(5);
  });

  test.each(RELEASE_NAMES)('every number in %s has its meaning', (release) => {
    const here = rowsIn(release);
    expect(here.length).toBeGreaterThan(220);
    for (const { number, name } of here) {
      expect(errorMeaning(number, release), `${number} ${name}`).toEqual(meanings.get(name));
    }
  });

  test.each(RELEASE_NAMES)(
    'every number that %s does not have is told by the last name it had',
    (release) => {
      const here = new Set(rowsIn(release).map(({ number }) => number));
      const others = new Map(rows.map(({ number, name }) => [number, name]));
      for (const [number, name] of others) {
        if (!here.has(number)) expect(errorMeaning(number, release).code, String(number)).toBe(name);
      }
    },
  );

  test.each(rows)('$name: class, errno, retryable, sentence', ({ name }) => {
    const { errorClass, errno, retryable, text } = meanings.get(name) as errors.SlurmError & {
      errorClass: string;
      text: string;
    };
    expect(errorClass).toBe(classOf(name));
    if (name !== 'SLURM_SUCCESS') expect(Object.values(LINUX_ERRNO)).toContain(errno);
    // What may pass by itself looks like it; what a daemon may have acted on is not to be repeated.
    if (retryable) {
      expect([
        'EAGAIN',
        'EBUSY',
        'EHOSTUNREACH',
        'ENOSPC',
        'EADDRINUSE',
        'ECONNABORTED',
        'ETIMEDOUT',
      ]).toContain(errno);
      expect(name).not.toMatch(/SEND|RECEIVE|READ_TIMEOUT|WRITE_TIMEOUT|IMPL_TIMEOUT|ZERO_BYTES/);
    }
    expect(text).toMatch(/^[A-Z].*[^.?!]\.$/);
    expect(text, 'one sentence').not.toMatch(/[.?!] /);
    expect(text.length).toBeLessThan(200);
    expect(text.length).toBeGreaterThan(8);
    expect(text).not.toContain(name);
  });

  test('no sentence stands for two errors, but for the one that was renamed', () => {
    const names = new Map<string, string[]>();
    for (const [name, { text }] of meanings) names.set(text, [...(names.get(text) ?? []), name]);
    expect([...names.values()].filter((group) => group.length > 1)).toEqual([
      ['ESLURMD_JOB_NOTRUNNING', 'ESLURMD_STEP_NOTRUNNING'],
    ]);
  });

  test('EIO is for what has no better errno: failures inside a daemon, its plugins and scripts', () => {
    const vague = [...meanings].filter(([, { errno }]) => errno === 'EIO').map(([name]) => name);
    expect(vague.length).toBeLessThan(30);
    const inside =
      /^ESLURMD_|^ESPANK_|^ESCRIPT_|_LUA_|_PLUGIN_|_INTERNAL$|^SLURM_ERROR$|_WRITING_|_BREAK_EVAL$|_AUTH_NET_|_SQL$|_PARSER_INVALID_STATE$/;
    expect(vague.filter((name) => !inside.test(name))).toEqual([]);
  });

  test('an errno that a name speaks of is the one it has', () => {
    const spoken: [RegExp, string][] = [
      [/_TIMEOUT$/, 'ETIMEDOUT'],
      [/_ALREADY_EXISTS$|_EXISTS$|DUPLICATE|_DUP$/, 'EEXIST'],
      [/_NOT_?FOUND$/, 'ENOENT'],
      [/TOO_LONG$|_NAME_LEN$/, 'ENAMETOOLONG'],
      [/ENOMEM|_MEMORY$/, 'ENOMEM'],
      [/_BUSY$/, 'EBUSY'],
      [/UTF/, 'EILSEQ'],
      [/NOT_SUPPORTED|DISABLED$|UNSUPPORTED/, 'ENOTSUP'],
      [
        /^ESLURM_(?:EMPTY|INVALID)_(?:JOB|HET|STEP)_.*(?:ID|COMP|STEP|ZERO|NEGATIVE|TOO_LARGE|NON_NUMERIC)$/,
        'EINVAL',
      ],
    ];
    const different = [...meanings]
      .map(([name, { errno }]) => ({
        name,
        errno,
        said: spoken.find(([pattern]) => pattern.test(name))?.[1],
      }))
      .filter(({ errno, said }) => said !== undefined && said !== errno)
      .map(({ name, errno }) => `${name} ${errno}`);
    expect(different).toEqual([
      // A job that is gone, a memory size that makes no sense, a port that is taken, a switch that an administrator may turn back.
      'ESLURM_INVALID_JOB_ID ESRCH',
      'ESLURM_INVALID_TASK_MEMORY EINVAL',
      'ESLURM_PORTS_BUSY EADDRINUSE',
      'ESLURM_SUBMISSIONS_DISABLED EAGAIN',
      'ESLURM_HTTP_UNSUPPORTED_VERSION EPROTONOSUPPORT',
    ]);
  });
});

describe('the eight codes of slurm_kill_job(3)', () => {
  test.each([
    [1005, 'SLURM_PROTOCOL_VERSION_ERROR', 'SlurmProtocolVersionError', 'EPROTO', false],
    [2001, 'ESLURM_DEFAULT_PARTITION_NOT_SET', 'SlurmServerError', 'ENOENT', false],
    [2002, 'ESLURM_ACCESS_DENIED', 'SlurmServerError', 'EPERM', false],
    [2009, 'ESLURM_JOB_SCRIPT_MISSING', 'SlurmServerError', 'EINVAL', false],
    [2017, 'ESLURM_INVALID_JOB_ID', 'SlurmServerError', 'ESRCH', false],
    [2021, 'ESLURM_ALREADY_DONE', 'SlurmServerError', 'ESRCH', false],
    [2022, 'ESLURM_INTERCONNECT_FAILURE', 'SlurmServerError', 'ENETDOWN', false],
    [5004, 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT', 'SlurmTimeoutError', 'ETIMEDOUT', false],
  ])('%i %s is a %s: %s, retryable %s, in every release', (number, code, errorClass, errno, retryable) => {
    for (const release of RELEASE_NAMES) {
      expect(errorMeaning(number, release)).toMatchObject({ code, errorClass, errno, retryable });
    }
  });
});

describe('numbers that daemons answer to the messages of this library', () => {
  test.each([
    [-1, 'EIO', false],
    [0, 'OK', false],
    [1001, 'EHOSTUNREACH', true],
    [1007, 'EACCES', false],
    [1804, 'EAGAIN', true],
    [1805, 'EBUSY', true],
    [1900, 'EALREADY', false],
    [2010, 'EPERM', false],
    [2020, 'EAGAIN', true],
    [2024, 'EAGAIN', true],
    [2027, 'EAGAIN', true],
    [2036, 'ENOTSUP', false],
    [2037, 'ENOTSUP', false],
    [2039, 'EINVAL', false],
    [2085, 'EAGAIN', true],
    [2087, 'EINVAL', false],
    [2098, 'EPERM', false],
    [2106, 'EINVAL', false],
    [2107, 'EINVAL', false],
    [2108, 'EINVAL', false],
    [2126, 'ENOTSUP', false],
    [2131, 'EAGAIN', true],
    [2136, 'EINVAL', false],
    [2145, 'EINVAL', false],
    [2172, 'EINVAL', false],
    [2173, 'EINVAL', false],
    [2185, 'EINVAL', false],
    [4002, 'ESRCH', false],
    [4027, 'EAGAIN', false],
    [4028, 'EAGAIN', true],
    [4029, 'EINVAL', false],
    [5003, 'EPROTO', false],
    [13000, 'EPROTO', false],
  ])('%i: %s, retryable %s', (number, errno, retryable) => {
    expect(errorMeaning(number, '26.05')).toMatchObject({ errno, retryable });
  });

  test.each([
    [1804, /wait/],
    [2009, /batch option/],
    [2017, /MinJobAge/],
    [2027, /ask the one/],
    [2098, /cron: true/],
    [2107, /leader/],
    [2108, /leader/],
    [2131, /backup/],
    [2173, /give ids or a filter/],
  ])('%i says what to do', (number, advice) => {
    expect(errorMeaning(number, '26.05').text).toMatch(advice);
  });
});

describe('reused numbers keep the meaning of their release', () => {
  const reused = [...new Set(rows.map(({ number }) => number))].filter(
    (number) => rows.filter((row) => row.number === number).length > 1,
  );

  test('there are some', () => {
    expect(reused).toEqual([2007, 2040, 2041, 2063, 2064, 2097, 4027, 6001]);
  });

  test.each([
    [2007, '25.11', 'ESLURM_ERROR_ON_DESC_TO_RECORD_COPY', 'EAGAIN'],
    [2007, '26.05', 'ESLURM_MAX_JOB_COUNT', 'ENOSPC'],
    [2040, '22.05', 'ESLURM_TASKDIST_ARBITRARY_UNSUPPORTED', 'ENOTSUP'],
    [2040, '23.02', 'ESLURM_LICENSES_UNAVAILABLE', 'EBUSY'],
    [2041, '22.05', 'ESLURM_TASKDIST_REQUIRES_OVERCOMMIT', 'EINVAL'],
    [2041, '23.11', 'ESLURM_TAKEOVER_NO_HEARTBEAT', 'ENOENT'],
    [2063, '22.05', 'ESLURM_INVALID_BLOCK_STATE', 'EINVAL'],
    [2063, '23.02', 'ESLURM_MISSING_WORK_DIR', 'EINVAL'],
    [2064, '22.05', 'ESLURM_INVALID_BLOCK_LAYOUT', 'EINVAL'],
    [2064, '26.05', 'ESLURM_STEPS_DRAINED', 'ESRCH'],
    [2097, '25.05', 'ESLURM_INVALID_JOB_CONTAINER_CHANGE', 'ENOTSUP'],
    [2097, '25.11', 'ESLURM_INVALID_NAMESPACE_CHANGE', 'ENOTSUP'],
    [4027, '24.11', 'ESLURMD_JOB_NOTRUNNING', 'EAGAIN'],
    [4027, '25.05', 'ESLURMD_STEP_NOTRUNNING', 'EAGAIN'],
    [6001, '22.05', 'ESLURM_AUTH_FOPEN_ERROR', 'ENOENT'],
    [6001, '24.11', 'ESLURM_AUTH_EXPIRED', 'EACCES'],
  ] as const)('%i in %s is %s', (number, release, code, errno) => {
    expect(errorMeaning(number, release)).toMatchObject({ code, errno });
  });
});

describe('numbers that are not in the table', () => {
  test('an unknown one is told by itself', () => {
    expect(errorMeaning(29_999, '26.11')).toEqual({
      code: 'SLURM_ERROR_29999',
      errorClass: 'SlurmServerError',
      errno: 'EIO',
      retryable: false,
      text: 'The daemon answered SLURM_ERROR_29999.',
    });
  });

  test("those below 1000 are errnos of the server's Linux", () => {
    expect(errorMeaning(22, '22.05')).toEqual({
      code: 'EINVAL',
      errorClass: 'SlurmServerError',
      errno: 'EINVAL',
      retryable: false,
      text: 'The daemon does not serve this message: is it the daemon that was meant?',
    });
    expect(errorMeaning(5, '22.05').text).toBe("The daemon answered with its system's error EIO.");
    const codes = [3, 104, 110, 111, 41].map((number) => errorMeaning(number, '22.05').code);
    expect(codes).toEqual(['ESRCH', 'ECONNRESET', 'ETIMEDOUT', 'ECONNREFUSED', 'errno 41']);
    const retryable = [4, 11, 16, 5].map((number) => errorMeaning(number, '22.05').retryable);
    expect(retryable).toEqual([true, true, true, false]);
  });
});

describe('serverError', () => {
  const given = {
    outcome: 'partial',
    peer: 'host:6817',
    rpc: 'REQUEST_SUSPEND',
    phase: 'wait',
    hint: 'Do something.',
    serverMessage: 'said so',
    parts: [{ target: '7_1', number: 2021, code: 'ESLURM_ALREADY_DONE', message: 'It has ended.' }],
    nodes: [],
    cause: new Error('behind it'),
  } as const;
  const classes = errors as unknown as Record<string, new () => errors.SlurmError>;

  test.each(RELEASE_NAMES)('makes the error of every number in %s, and loses nothing', (release) => {
    for (const { number, name } of rowsIn(release)) {
      const meaning = errorMeaning(number, release);
      const error = serverError('It failed.', number, release, given);
      expect(error, name).toBeInstanceOf(classes[meaning.errorClass]);
      const { errorClass, errno, retryable } = meaning;
      expect(error).toMatchObject({ ...given, name: errorClass, code: name, errno, retryable, number });
      expect(error).toMatchObject({ protocol: release, message: 'It failed. Do something.' });
      expect(error.cause).toBe(given.cause);
      // Told again, as that of another call, it is the same.
      const again = errors.restate(error, 'It was told again.', { outcome: 'not-sent' });
      expect(again.constructor).toBe(error.constructor);
      expect(again).toMatchObject({ ...given, outcome: 'not-sent', code: name, errno, number });
    }
  });

  test('every class that the table names is there', () => {
    for (const { errorClass } of meanings.values()) expect(classes).toHaveProperty(errorClass);
    expect(new Set([...meanings.values()].map(({ errorClass }) => errorClass)).size).toBe(6);
  });

  test.each(['not-sent', 'refused', 'accepted', 'unknown', 'partial'] as const)('%s stays it', (outcome) => {
    for (const { number } of rows)
      expect(serverError('No.', number, '26.11', { outcome }).outcome).toBe(outcome);
  });

  test('errno and retryable may be known better by the call', () => {
    const error = serverError('No.', 2009, '22.05', { outcome: 'unknown', errno: 'ESRCH', retryable: true });
    expect(error).toMatchObject({ code: 'ESLURM_JOB_SCRIPT_MISSING', errno: 'ESRCH', retryable: true });
  });

  test('a version error says what we speak, what was tried, what was answered', () => {
    expect(serverError('No.', 1005, '22.05', { outcome: 'refused' })).toMatchObject({
      spoken: RELEASE_NAMES,
      tried: ['22.05'],
      answer: 'SLURM_PROTOCOL_VERSION_ERROR (1005)',
    });
  });

  test('no text of the server is null', () => {
    expect(serverError('No.', 2002, '22.05', { outcome: 'refused' }).serverMessage).toBeNull();
  });
});
