import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Stopped } from '../../src/cli/io.js';
import { exitCodeOfAll } from '../../src/cli/targets.js';
import { parseLadder } from '../../src/cli/terminate/ladder-text.js';
import { until } from '../rpc/support/until.js';
import { runCli } from './support/cli-run.js';
import { FakeCluster } from './support/cluster.js';

let fake: FakeCluster;
let directory: string;
beforeEach(async () => {
  fake = await FakeCluster.start();
  directory = mkdtempSync(join(tmpdir(), 'slurmwire-terminate-'));
});
afterEach(async () => {
  await fake.stop();
  rmSync(directory, { recursive: true });
});

const terminate = (argv: readonly string[], options: Parameters<typeof runCli>[1] = {}) =>
  runCli(['terminate', ...fake.options, ...argv], options);

describe('the ladder as text', () => {
  test.each([
    ['SIGTERM,SIGKILL', {}, [{ signal: 'SIGTERM', graceMs: undefined }, { signal: 'SIGKILL' }]],
    [
      'INT:10s, term:1m ,KILL',
      {},
      [{ signal: 'INT', graceMs: 10_000 }, { signal: 'term', graceMs: 60_000 }, { signal: 'KILL' }],
    ],
    ['TERM:0,KILL', {}, [{ signal: 'TERM', graceMs: 0 }, { signal: 'KILL' }]],
    ['TERM,KILL', { graceMs: 5 }, [{ signal: 'TERM', graceMs: 5 }, { signal: 'KILL' }]],
    [
      'TERM,KILL',
      { to: ['batch'] },
      [{ signal: 'TERM', graceMs: undefined, to: ['batch'] }, { signal: 'KILL' }],
    ],
    ['TERM', {}, [{ signal: 'TERM' }]],
  ] as const)('%j %j', (text, options, rungs) => {
    expect(parseLadder(text, options)).toEqual(rungs);
  });

  test.each(['', 'TERM,,KILL', 'TERM:', 'TERM:10x', 'TERM:1s:2s,KILL', 'NOSUCH,KILL'])(
    '%j is refused',
    (text) => {
      expect(() => parseLadder(text)).toThrow(
        expect.objectContaining({ name: 'SlurmUsageError', field: '--ladder' }),
      );
    },
  );
});

test('of a rung that is none only the beginning is shown', () => {
  for (const text of ['x:y:'.repeat(5000), `TERM:${'9'.repeat(20_000)},KILL`]) {
    let message = '';
    try {
      parseLadder(text);
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).toContain('…');
    expect(message.length).toBeLessThan(400);
  }
});

test('many codes make one', () => {
  expect(exitCodeOfAll([])).toBe(0);
  expect(exitCodeOfAll([0, 0])).toBe(0);
  expect(exitCodeOfAll([3, 3])).toBe(3);
  expect(exitCodeOfAll([0, 1])).toBe(5);
  expect(exitCodeOfAll([1, 3])).toBe(1);
  expect(exitCodeOfAll([1, 4])).toBe(4);
  expect(exitCodeOfAll([0, 70])).toBe(70);
});

describe('one job', () => {
  test('is told of line by line where there is no terminal', async () => {
    const { code, stdout, stderr } = await terminate(['--ladder', 'TERM:1s,KILL', '7']);
    // Whether it is still there at the first look after SIGKILL is a matter of time.
    const lines = stderr.split('\n').filter((line) => !line.startsWith('7: is waited for, '));
    expect(lines).toEqual([
      expect.stringMatching(/^7: SIGTERM to its .*: accepted$/),
      expect.stringMatching(/^7: has \d s to end: RUNNING/),
      expect.stringMatching(/^7: is still there: RUNNING/),
      '7: SIGKILL to the job: accepted',
      '7: is gone',
      '',
    ]);
    expect(stdout).toMatch(/^7: gone after [\d.]+ s: SIGTERM.* accepted, SIGKILL accepted\n$/);
    expect([code, fake.controller.signals]).toEqual([0, ['SIGTERM 7', 'SIGKILL 7']]);
  });

  test('with --json: one document and nothing else', async () => {
    const { code, stdout, stderr } = await terminate(['--json', '--ladder', 'TERM:1ms,KILL', '7']);
    const { targets, saved } = JSON.parse(stdout);
    expect([code, stderr, saved]).toEqual([0, '', null]);
    expect(targets).toMatchObject([{ target: '7', result: { dead: true, outcome: 'accepted' } }]);
  });

  test('on a terminal there is a bar, and it is gone at the end', async () => {
    const { code, stderr } = await terminate(['--ladder', 'TERM:700ms,KILL', '7'], { terminal: 80 });
    expect(code).toBe(0);
    expect(stderr).toMatch(/\[[=-]{24}\] 7 1 s left until SIGKILL: RUNNING/);
    expect(stderr).toContain('7: SIGKILL to the job: accepted\n');
    // The last that is written: the line is cleared, and long lines are wrapped again.
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal is told
    expect(stderr).toMatch(/\x1b\[\?7h\x1b\[1G\x1b\[0J$/);
  });

  test('that is gone already', async () => {
    fake.controller.ended.add(7);
    const gone = await terminate(['7']);
    expect([gone.code, gone.stdout]).toEqual([3, '']);
    expect(gone.stderr).toContain('[ESLURM_ALREADY_DONE 2021]');
    const { code, stdout } = await terminate(['--idempotent', '7']);
    expect([code, stdout]).toEqual([0, '7: gone already [ESLURM_ALREADY_DONE]\n']);
  });
});

test('many jobs: one of them gone already, one bar for all', async () => {
  fake.controller.ended.add(9);
  const { code, stdout, stderr } = await terminate(
    ['--color', 'never', '--ladder', 'KILL', '--concurrency', '2', '7', '8', '9'],
    { terminal: 120 },
  );
  expect(code).toBe(5);
  expect(stdout.split('\n').map((line) => line.replace(/ after.*/, ''))).toEqual(['7: gone', '8: gone', '']);
  expect(stderr).toMatch(/\] \d of 3 done/);
  expect(stderr).toContain('slurmwire terminate: 9: ');
  expect(fake.controller.signals.sort()).toEqual(['SIGKILL 7', 'SIGKILL 8']);
});

describe('Ctrl-C', () => {
  async function interrupted(argv: readonly string[]) {
    const stop = new AbortController();
    const running = terminate(argv, { signal: stop.signal });
    await until(() => fake.controller.signals.length > 0, 'the first signal');
    stop.abort(new Stopped('SIGINT'));
    return running;
  }

  test('sends nothing more, tells what is known, and another run goes on from there', async () => {
    const file = join(directory, 'state.json');
    const { code, stdout, stderr } = await interrupted(['--ladder', 'TERM:1h,KILL', '--save', file, '7']);
    expect([code, stdout]).toEqual([130, '']);
    expect(stderr).toMatch(
      /slurmwire terminate: 7: SIGTERM (accepted|unknown); when last looked at: RUNNING/,
    );
    expect(stderr).toContain(`--resume ${file}\n`);
    expect(fake.controller.signals).toEqual(['SIGTERM 7']);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    // Its grace is over.
    const saved = JSON.parse(readFileSync(file, 'utf8'));
    for (const state of saved.terminations) if (state.since !== null) state.since -= 3_600_000;
    writeFileSync(file, JSON.stringify(saved));
    const again = await terminate(['--resume', file]);
    expect(again.code).toBe(0);
    expect(fake.controller.signals).toEqual(['SIGTERM 7', 'SIGKILL 7']);
    expect(JSON.parse(readFileSync(file, 'utf8')).terminations).toEqual([]);
    // Nothing is left to do.
    expect(await terminate(['--resume', file])).toMatchObject({ code: 0, stdout: '' });
  });

  test('without --save it is kept in the directory for temporary files', async () => {
    const { code, stderr } = await interrupted(['--ladder', 'TERM:1h,KILL', '7']);
    expect(code).toBe(130);
    const [, path = ''] = /--resume (\S+)/.exec(stderr) ?? [];
    expect(existsSync(path)).toBe(true);
    expect(JSON.parse(readFileSync(path, 'utf8')).terminations).toMatchObject([{ target: '7' }]);
    rmSync(path);
  });

  test('with --json it is in the document', async () => {
    const { code, stdout } = await interrupted([
      '--json',
      '--ladder',
      'TERM:1h,KILL',
      '--save',
      join(directory, 's'),
      '7',
    ]);
    expect(code).toBe(130);
    expect(JSON.parse(stdout)).toMatchObject({
      saved: join(directory, 's'),
      targets: [{ target: '7', error: { code: 'SLURMWIRE_ABORTED' } }],
    });
  });
});

test.each([
  [[], 'target'],
  [['seven'], 'target'],
  [['7', '--ladder', 'KILL,TERM'], 'ladder'],
  [['7', '--ladder', 'NOSUCH'], '--ladder'],
  [['7', '--resume', 'x'], 'target'],
  [['--resume', '/nonexistent'], '--resume'],
  [['--resume', '/nonexistent', '--cron'], '--cron'],
  [['7', '--save', '/nonexistent/file'], '--save'],
  [['7', '--to', 'everybody'], '--to'],
  [['7', '--grace', 'soon'], '--grace'],
  [['7', '--concurrency', '0'], '--concurrency'],
])('%j is refused before anything is sent', async (argv, named) => {
  const { code, stderr, stdout } = await terminate(argv as string[]);
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toContain(named);
  expect(fake.controller.asked).toEqual([]);
});

test('a file that is none is refused, whatever is in it', async () => {
  const file = join(directory, 'x');
  for (const text of [
    '',
    '{',
    'null',
    '[]',
    '{"kind":"slurmwire terminate"}',
    '{"kind":"slurmwire terminate","terminations":[null]}',
    '{"kind":"slurmwire terminate","terminations":[{"version":2}]}',
  ]) {
    writeFileSync(file, text);
    expect((await terminate(['--resume', file])).code, text).toBe(2);
  }
});

describe('--save', () => {
  test('replaces no file that is something else, no device, and no terminations that nobody finished', async () => {
    const file = join(directory, 'job.sh');
    writeFileSync(file, '#!/bin/sh\n');
    const unfinished = join(directory, 'state.json');
    const stop = new AbortController();
    const running = terminate(['--ladder', 'TERM:1h,KILL', '--save', unfinished, '7'], {
      signal: stop.signal,
    });
    await until(() => fake.controller.signals.length > 0, 'the first signal');
    stop.abort(new Stopped('SIGINT'));
    await running;
    const before = readFileSync(unfinished, 'utf8');
    for (const path of [file, unfinished, '/dev/null', '/dev/stdout', directory]) {
      const { code, stderr } = await terminate(['--save', path, '8']);
      expect([code, stderr], path).toEqual([2, expect.stringContaining('--save')]);
    }
    expect([readFileSync(file, 'utf8'), readFileSync(unfinished, 'utf8')]).toEqual(['#!/bin/sh\n', before]);
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
    expect(fake.controller.signals).toEqual(['SIGTERM 7']);
  });

  test('one that is through may be used again', async () => {
    const file = join(directory, 'state.json');
    for (const job of ['7', '8']) {
      expect((await terminate(['--ladder', 'KILL', '--save', file, job])).code).toBe(0);
    }
  });

  test('--resume reads files alone', async () => {
    for (const path of ['/dev/zero', directory])
      expect(await terminate(['--resume', path])).toMatchObject({ code: 2 });
  });
});

test('stopped where no temporary file can be written: what is known is told all the same', async () => {
  const stop = new AbortController();
  vi.stubEnv('TMPDIR', '/nonexistent');
  try {
    const running = terminate(['--ladder', 'TERM:1h,KILL', '7'], { signal: stop.signal });
    await until(() => fake.controller.signals.length > 0, 'the first signal');
    stop.abort(new Stopped('SIGHUP'));
    const { code, stderr } = await running;
    expect(code).toBe(129);
    expect(stderr).toMatch(/cannot be written \(ENOENT\)[\s\S]*7: SIGTERM (accepted|unknown)/);
    expect(stderr).not.toContain('--resume');
  } finally {
    vi.unstubAllEnvs();
  }
});
