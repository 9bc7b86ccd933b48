/** `slurmwire demo`: in this process on several releases, and as the program under another uid. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { DemoEvent } from '../../src/cli/demo/play.js';
import { Stopped } from '../../src/cli/io.js';
import { run as runProgram } from '../../src/cli/run.js';
import { runCli } from './support/cli-run.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));

const pidsOf = (events: readonly DemoEvent[]) =>
  events.flatMap((event) => (event.type === 'job' ? event.processes.map(({ pid }) => pid) : []));

function expectGone(pids: readonly number[]): void {
  expect(pids).not.toEqual([]);
  for (const pid of pids) expect(() => process.kill(pid, 0), `${pid}`).toThrow(/ESRCH/);
}

describe.each(['20.11', '23.02', '24.11', '26.11'])('on %s', (release) => {
  it('tells everything as data', async () => {
    const { code, stdout, stderr } = await runCli(['demo', '--json', '--release', release]);
    expect([code, stderr]).toEqual([0, '']);
    const { events } = JSON.parse(stdout) as { events: DemoEvent[] };
    const of = <T extends DemoEvent['type']>(type: T) =>
      events.filter((event): event is Extract<DemoEvent, { type: T }> => event.type === type);
    expect(of('pong')).toMatchObject([{ ping: { up: true, protocol: release } }]);
    expect(of('refused').map(({ error }) => error.code)).toEqual([
      'ESLURM_ACCESS_DENIED',
      'SLURMWIRE_BAD_SIGNAL',
    ]);
    expect(of('refused')[1]?.error.hint).toContain('SIGTERM');
    expect(of('explained')[0]?.effects).toMatchObject([
      { target: '1.0', effect: 'signalled', nodes: ['n1', 'n2', 'n3'] },
      { target: '1.1', effect: 'signalled', nodes: ['n1', 'n2', 'n3'] },
    ]);

    const [job] = of('job');
    const named = (name: string) => job?.processes.filter((process) => process.name === name) ?? [];
    expect([named('batch'), named('solver'), named('stuck')].map((some) => some.length)).toEqual([1, 3, 3]);
    // What is no first contact is in the release's own protocol: SIGTERM to the steps, then to the shell, then SIGKILL.
    const later = of('request').filter(({ rpc }) => rpc !== 'REQUEST_BUILD_INFO' && rpc !== 'REQUEST_PING');
    expect(new Set(later.map(({ protocol }) => protocol))).toEqual(new Set([release]));
    const kills = of('request').filter(({ isLook }) => !isLook);
    expect(kills.map(({ rpc, signal, code }) => [rpc, signal, code])).toEqual([
      ['REQUEST_KILL_JOB', 9, 'ESLURM_ACCESS_DENIED'],
      ['REQUEST_KILL_JOB', 15, null],
      ['REQUEST_KILL_JOB', 15, null],
      ['REQUEST_KILL_JOB', 9, null],
    ]);
    const sigterm = of('signal').filter(({ signal }) => signal === 'SIGTERM');
    expect(new Set(sigterm.flatMap(({ pids }) => pids))).toEqual(new Set(pidsOf(events)));
    for (const node of ['n1', 'n2', 'n3']) {
      expect(of('output').map(({ line }) => line)).toContain(
        `solver on ${node}: got SIGTERM, saved my work, goodbye`,
      );
    }
    // The shell and what would not hear are left; they are gone in the end.
    expect(new Set(of('escalating')[0]?.processes.map(({ pid }) => pid))).toEqual(
      new Set([...named('batch'), ...named('stuck')].map(({ pid }) => pid)),
    );
    expect(of('terminated')).toMatchObject([{ outcome: 'accepted', dead: true, state: 'CANCELLED' }]);
    expect(of('confirmed')[0]?.gone).toHaveLength(7);
    expect(of('confirmed')[0]?.left).toEqual([]);
    expectGone(pidsOf(events));
  });
});

describe('for people', () => {
  it('is six chapters and what to do next, in lines that fit', async () => {
    const { code, stdout } = await runCli(['demo', '--nodes', '1'], { terminal: 90 });
    expect(code).toBe(0);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one
    const lines = stdout.replace(/\x1b\[\d+m/g, '').split('\n');
    expect(lines.filter((line) => /^\d\. /.test(line)).map((line) => line.split(':')[0])).toEqual([
      '1. A cluster',
      '2. A job',
      '3. Two mistakes',
      '4. A look ahead',
      '5. The kill',
      '6. Gone',
    ]);
    for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(90);
    const text = stdout.replace(/\s+/g, ' ');
    for (const part of [
      'All 3 processes are gone',
      'to do: Give a name such as SIGTERM',
      'The grace is over',
      'Next',
    ])
      expect(text).toContain(part);
    expect(stdout).toContain('\x1b[');
  });

  it('has no colours where there shall be none', async () => {
    const { stdout } = await runCli(['demo', '--nodes', '1', '--color', 'never'], { terminal: 90 });
    expect(stdout).not.toContain('\x1b');
  });

  it.each([
    ['--nodes', '0'],
    ['--nodes', '9'],
    ['--nodes', 'many'],
    ['--release', '19.05'],
  ])('refuses %s %s', async (...option) => {
    const { code, stdout, stderr } = await runCli(['demo', ...option]);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(option[0]);
  });
});

it('stopped by its user, with the job running, it leaves nothing', async () => {
  const stop = new AbortController();
  const stdout = new PassThrough().setEncoding('utf8');
  let text = '';
  stdout.on('data', (chunk: string) => {
    text += chunk;
    if (text.includes('3. Two mistakes')) stop.abort(new Stopped('SIGINT'));
  });
  const io = { stdin: new PassThrough(), stdout, stderr: new PassThrough(), env: {}, cwd: '/' };
  const argv = ['demo', '--nodes', '2'];
  expect(await runProgram(argv, { ...io, signal: stop.signal, invokedAs: 'slurmwire' })).toBe(130);
  expectGone([...text.matchAll(/^ +pid (\d+)/gm)].map(([, pid]) => Number(pid)));
  const [, directory = ''] = /munged +(\S+)\/munge.socket/.exec(text) ?? [];
  expect(directory).toContain('slurmwire-');
  expect(existsSync(directory)).toBe(false);
});

describe('the program', () => {
  const isRoot = process.getuid?.() === 0;

  it('ends by itself, with nothing to help it', async () => {
    const { stdout, stderr } = await run(process.execPath, [join(root, 'dist/cli/main.js'), 'demo'], {
      env: { PATH: process.env.PATH },
    });
    expect(stderr).toBe('');
    expect(stdout).toContain('All 7 processes are gone');
  });

  it.runIf(isRoot)('under another uid, which owns nothing but its temporary directory', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'slurmwire-demo-'));
    try {
      const [uid, gid] = [65_534, 65_534];
      await run('chown', [`${uid}:${gid}`, directory]);
      await run('chmod', ['755', directory]);
      const program = join(directory, 'package');
      for (const part of [
        'dist',
        'package.json',
        'node_modules/commander',
        'node_modules/cli-progress',
        'node_modules/@noble',
        'node_modules/@msgpack',
      ])
        await cp(join(root, part), join(program, part), { recursive: true });
      await run('chmod', ['-R', 'a+rX', program]);
      // No koffi: nothing native is needed.
      const { stdout } = await run(process.execPath, [join(program, 'dist/cli/main.js'), 'demo', '--json'], {
        uid,
        gid,
        cwd: directory,
        env: { PATH: process.env.PATH, TMPDIR: directory },
      });
      const { events } = JSON.parse(stdout) as { events: DemoEvent[] };
      expect(events.find(({ type }) => type === 'job')).toMatchObject({ uid });
      expectGone(pidsOf(events));
      expect(await readdir(directory)).toEqual(['package']);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

it.skipIf(process.getuid?.() !== 0)(
  'as root, with a Node.js that nobody else may start (one in root’s home): the jobs are root’s then',
  async () => {
    const closed = await mkdtemp(join(tmpdir(), 'slurmwire-closed-'));
    try {
      const node = join(closed, 'node');
      await cp(process.execPath, node);
      const { stdout } = await run(node, [join(root, 'dist/cli/main.js'), 'demo', '--json']);
      const events: DemoEvent[] = JSON.parse(stdout).events;
      expect(events.find(({ type }) => type === 'job')).toMatchObject({ uid: 0 });
      expectGone(pidsOf(events));
    } finally {
      await rm(closed, { recursive: true });
    }
  },
  60_000,
);
