/** The frame of the command: help, usage errors, failures, exit codes, colours, durations. */
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { parseDuration } from '../../src/cli/connection.js';
import { EXIT, exitCodeOf, failureLines, reportFailure } from '../../src/cli/failure.js';
import { hasColor, jsonText, outputOf } from '../../src/cli/output.js';
import { programOf } from '../../src/cli/run.js';
import { type Outcome, SlurmServerError, SlurmUsageError } from '../../src/protocol/slurm-error.js';
import { recordingIo, runCli } from './support/cli-run.js';

const refused = (outcome: Outcome) =>
  new SlurmServerError('SIGKILL for 7 was refused by ctl:6817: Not yours.', {
    code: 'ESLURM_ACCESS_DENIED',
    errno: 'EPERM',
    number: 2002,
    outcome,
    peer: 'ctl:6817',
    rpc: 'REQUEST_KILL_JOB',
    protocol: '22.05',
    phase: 'wait',
    hint: 'Ask its owner.',
  });

test('help names every command; each command and option has a description', async () => {
  const { code, stdout } = await runCli(['--help'], { terminal: 100 });
  expect(code).toBe(EXIT.done);
  const program = programOf({ ...recordingIo().io, setExitCode: () => {} });
  const walk = (command: Command): void => {
    expect(command.description(), command.name()).not.toBe('');
    for (const option of command.options)
      expect(option.description, `${command.name()} ${option.flags}`).not.toBe('');
    for (const below of command.commands) walk(below);
  };
  walk(program);
  for (const command of program.commands) expect(stdout).toContain(`  ${command.name()}`);
});

test('a wrong command line is exit code 2 and says where help is', async () => {
  expect(await runCli(['--nonsense'])).toMatchObject({
    code: EXIT.usage,
    stdout: '',
    stderr: "slurmwire: unknown option '--nonsense'\nTry 'slurmwire --help'.\n",
  });
  const json = await runCli(['nonsense', '--json']);
  expect(json.code).toBe(EXIT.usage);
  expect(JSON.parse(json.stdout)).toMatchObject({
    error: { code: 'commander.unknownCommand', outcome: 'not-sent' },
  });
});

test('the version is that of the package', async () => {
  expect((await runCli(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test('what became of the request decides the exit code', () => {
  const codes = (['refused', 'not-sent', 'unknown', 'partial', 'accepted'] as const).map((outcome) =>
    exitCodeOf(refused(outcome)),
  );
  expect(codes).toEqual([EXIT.refused, EXIT.notSent, EXIT.unknown, EXIT.partial, EXIT.unconfirmed]);
  expect(exitCodeOf(new SlurmUsageError('no', { code: 'X', field: 'f', value: 1 }))).toBe(EXIT.usage);
  expect(exitCodeOf(new Error('oops'))).toBe(EXIT.bug);
});

test('a failure is told in lines: what, what became of it, by what it is known, what to do', () => {
  expect(failureLines(refused('unknown'))).toEqual([
    'SIGKILL for 7 was refused by ctl:6817: Not yours. [ESLURM_ACCESS_DENIED 2002]',
    '  outcome:  unknown: it may or may not have been done; look before you repeat it',
    '  evidence: REQUEST_KILL_JOB to ctl:6817 in protocol 22.05 while waiting for the answer',
    '  to do:    Ask its owner.',
  ]);
});

test('with --json a failure is a document on stdout, and the lines stand on stderr', () => {
  const { io, stdout, stderr } = recordingIo();
  expect(reportFailure(io, 'slurmwire x', refused('refused'), { json: true })).toBe(EXIT.refused);
  expect(JSON.parse(stdout())).toMatchObject({ error: { code: 'ESLURM_ACCESS_DENIED', number: 2002 } });
  expect(stderr()).toMatch(/^slurmwire x: SIGKILL for 7/);
});

describe('colour', () => {
  const terminal = Object.assign(recordingIo().io.stdout, { isTTY: true });
  test('on a terminal, unless NO_COLOR or TERM=dumb; else as it is said', () => {
    expect(hasColor(terminal, 'auto', {})).toBe(true);
    expect(hasColor(terminal, 'auto', { NO_COLOR: '1' })).toBe(false);
    expect(hasColor(terminal, 'auto', { NO_COLOR: '' })).toBe(true);
    expect(hasColor(terminal, 'auto', { TERM: 'dumb' })).toBe(false);
    expect(hasColor(terminal, 'never', {})).toBe(false);
    expect(hasColor(recordingIo().io.stdout, 'auto', {})).toBe(false);
    expect(hasColor(recordingIo().io.stdout, 'always', { NO_COLOR: '1' })).toBe(true);
  });

  test('is written where it is wanted, whatever this process’s own stdout is', () => {
    const { io } = recordingIo();
    expect(outputOf(io, { color: 'always' }).paint('red', 'x')).toBe('\u001b[31mx\u001b[39m');
    expect(outputOf(io).paint('red', 'x')).toBe('x');
  });
});

test('JSON has big integers as decimals and bytes as hex', () => {
  expect(jsonText({ big: 2n ** 64n, bytes: Uint8Array.of(1, 255), set: new Set([1]) })).toBe(
    '{\n  "big": "18446744073709551616",\n  "bytes": "01ff",\n  "set": [\n    1\n  ]\n}',
  );
});

test('durations', () => {
  expect(['10', '10s', '1.5s', '1500ms', '2m', '1h'].map(parseDuration)).toEqual([
    10_000, 10_000, 1_500, 1_500, 120_000, 3_600_000,
  ]);
  for (const wrong of ['', '0', '-1', 's', '10d', '1e3', '99999999h'])
    expect(() => parseDuration(wrong)).toThrow(/duration/);
});
