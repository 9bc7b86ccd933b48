/** The tables of error numbers and message types: as generated, and fit to be asked. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { ERROR_ROWS } from '../../src/protocol/generated/error-rows.js';
import { MESSAGE_TYPE_ROWS } from '../../src/protocol/generated/message-type-rows.js';
import {
  errorNumber,
  isAtLeast,
  isRelease,
  MESSAGES,
  messageTypeName,
  messageTypeNumber,
  RELEASE_NAMES,
} from '../../src/protocol/index.js';
import { rowIn, rowsBy, type TableRow } from '../../src/protocol/versioned-table.js';
import { goldenLines, goldenReplies, releaseOfProtocol } from '../support/golden.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

const tables: readonly (readonly [string, readonly TableRow[], string])[] = [
  ['errors', ERROR_ROWS, 'fixtures/tables/errors.tsv'],
  ['message types', MESSAGE_TYPE_ROWS, 'fixtures/tables/message-types.tsv'],
];

test('the checked-in files are what the generator writes', () => {
  const output = execFileSync(process.execPath, ['scripts/generate-tables.mjs', '--check'], { cwd: root });
  expect(String(output)).toBe('');
});

describe.each(tables)('%s', (_, rows, source) => {
  test('have every line of the source', () => {
    const [, ...lines] = readFileSync(`${root}${source}`, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
    const asText = rows.map(([number, name, first, last]) => [number, name, first, last ?? ''].join('\t'));
    expect(asText).toEqual(lines);
  });

  test('are well formed: integers, upper-case names, known releases in order', () => {
    for (const [number, name, first, last] of rows) {
      expect(Number.isInteger(number), name).toBe(true);
      expect(name).toMatch(/^[A-Z][A-Z0-9_]+$/);
      expect(isRelease(first), name).toBe(true);
      if (last !== null) expect(isAtLeast(last, first), name).toBe(true);
    }
  });

  test('a number has at most one name in a release, a name one number', () => {
    for (const release of RELEASE_NAMES) {
      const there = rows.filter((row) => rowIn([row], release) !== undefined);
      expect(new Set(there.map(([number]) => number)).size).toBe(there.length);
      expect(new Set(there.map(([, name]) => name)).size).toBe(there.length);
    }
  });
});

describe('rowIn', () => {
  const rows: readonly TableRow[] = [
    [1, 'OLD', '20.11', '22.05'],
    [1, 'NEW', '23.11', null],
  ];
  test.each([
    ['20.11', 'OLD'],
    ['22.05', 'OLD'],
    ['23.02', undefined],
    ['23.11', 'NEW'],
    ['26.11', 'NEW'],
  ] as const)('%s: %s', (release, name) => {
    expect(rowIn(rows, release)?.[1]).toBe(name);
    expect(rowIn(undefined, release)).toBeUndefined();
  });
});

describe('message types', () => {
  test('agree with every recorded message', () => {
    const seen = [...goldenLines('signalling'), ...goldenReplies()].flatMap((line) => {
      const request =
        'request' in line ? [(line as { request: { type: number; name: string } }).request] : [];
      return [line, ...request].map(({ type, name }) => ({ type, name, release: releaseOfProtocol(line.v) }));
    });
    expect(seen.length).toBeGreaterThan(1500);
    for (const { type, name, release } of seen) {
      expect(messageTypeName(type, release)).toBe(name);
      expect(messageTypeNumber(name, release)).toBe(type);
    }
  });

  test('have the known numbers', () => {
    expect(messageTypeNumber('REQUEST_PING', '20.11')).toBe(1008);
    expect(messageTypeNumber('REQUEST_CANCEL_JOB_STEP', '26.11')).toBe(5005);
    expect(messageTypeNumber('REQUEST_KILL_JOB', '22.05')).toBe(5032);
    expect(messageTypeNumber('REQUEST_KILL_JOBS', '23.02')).toBeNull();
    expect(messageTypeNumber('REQUEST_KILL_JOBS', '23.11')).toBe(5041);
    expect(messageTypeNumber('RESPONSE_SLURM_REROUTE_MSG', '23.11')).toBe(8003);
    expect(messageTypeNumber('RESPONSE_FORWARD_FAILED', '23.11')).toBe(9001);
  });

  test('a reused number has the name of the release', () => {
    expect(messageTypeName(1006, '23.02')).toBe('DEFUNCT_RPC_1006');
    expect(messageTypeName(1006, '23.11')).toBe('REQUEST_RECONFIGURE_SACKD');
  });

  test('there is none for numbers and names that are not in the table', () => {
    for (const type of [0, 1, 999, 65535, -1, Number.NaN]) expect(messageTypeName(type, '24.11')).toBeNull();
    for (const name of ['', 'toString', 'request_ping']) expect(messageTypeNumber(name, '24.11')).toBeNull();
  });

  test('every described message is in the table of some release', () => {
    for (const name of Object.keys(MESSAGES)) {
      expect(
        RELEASE_NAMES.some((release) => messageTypeNumber(name, release) !== null),
        name,
      ).toBe(true);
    }
  });
});

test('an error name keeps its number through all releases, so that it can be asked without one', () => {
  for (const [name, group] of rowsBy(ERROR_ROWS, 1)) {
    expect(new Set(group.map(([number]) => number)).size, name).toBe(1);
  }
});

test('error numbers by name', () => {
  expect(errorNumber('ESLURM_INVALID_JOB_ID')).toBe(2017);
  expect(errorNumber('SLURM_ERROR')).toBe(-1);
  expect(errorNumber('SLURM_SUCCESS')).toBe(0);
  for (const name of ['', 'toString', 'EPERM', 'eslurm_invalid_job_id']) expect(errorNumber(name)).toBeNull();
});
