/** The examples of docs/testing.md run as they stand, in the runners that they are written for. */
import { execFile, execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { outsideOfTests } from './support/outside-of-tests.js';

const run = promisify(execFile);
const cwd = fileURLToPath(new URL('../../examples/testing/', import.meta.url));
const bin = fileURLToPath(new URL('../../node_modules/.bin/', import.meta.url));
const env = outsideOfTests();
// biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own
const FORMAT = '${Version}';

test.each([
  ['cancel.node.test.mjs', 12],
  ['trouble.node.test.mjs', 7],
  ['processes.node.test.mjs', 1],
])('node:test, %s', async (file, count) => {
  const { stdout } = await run(process.execPath, ['--test', '--test-reporter=tap', file], { cwd, env });
  expect(stdout).toMatch(new RegExp(`^# pass ${count}$`, 'm'));
  expect(stdout).toMatch(/^# fail 0$/m);
});

test('vitest', async () => {
  const { stdout } = await run(`${bin}vitest`, ['run', '--root', '.', '--reporter=json'], { cwd, env });
  expect(JSON.parse(stdout.slice(stdout.indexOf('{')))).toMatchObject({
    numPassedTests: 3,
    numFailedTests: 0,
  });
});

describe('real-tools.mjs', () => {
  const program = fileURLToPath(new URL('../../examples/testing/real-tools.mjs', import.meta.url));

  test('gives a command its SLURM_CONF, and has its exit code', async () => {
    const shell = [program, '24.11', 'sh', '-c', 'head -2 "$SLURM_CONF"; exit 7'];
    await expect(run(process.execPath, shell, { env })).rejects.toMatchObject({
      code: 7,
      stdout: expect.stringContaining('SlurmctldHost=embedded'),
    });
  });

  test.runIf(versionOfSqueue() === '22.05')('the real squeue', async () => {
    const { stdout } = await run(process.execPath, [program, '22.05', 'squeue', '-h', '-o', '%i %j %T'], {
      env,
    });
    expect(stdout.trim().split('\n').sort()).toEqual([
      '1 stuck RUNNING',
      '2_0 sweep RUNNING',
      '2_1 sweep RUNNING',
      '2_[2-9%2] sweep PENDING',
    ]);
  });
});

/** Of this machine as Debian has it (the command itself wants a configuration first); `null` where there is none. */
function versionOfSqueue(): string | null {
  try {
    return (
      /\d\d\.\d\d/.exec(
        execFileSync('dpkg-query', ['-W', '-f', FORMAT, 'slurm-client'], { encoding: 'utf8' }),
      )?.[0] ?? null
    );
  } catch {
    return null;
  }
}
