/** The examples of docs/replay.md run as they stand, in the runners that they are written for. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { outsideOfTests } from './support/outside-of-tests.js';

const run = promisify(execFile);
const directory = fileURLToPath(new URL('../../examples/replay/', import.meta.url));
const bin = fileURLToPath(new URL('../../node_modules/.bin/', import.meta.url));
const env = outsideOfTests();

test('node:test', async () => {
  const { stdout } = await run(process.execPath, ['--test', '--test-reporter=tap', 'cancel.node.test.mjs'], {
    cwd: directory,
    env,
  });
  expect(stdout).toMatch(/^# pass 3$/m);
  expect(stdout).toMatch(/^# fail 0$/m);
});

test('vitest', async () => {
  const { stdout } = await run(`${bin}vitest`, ['run', '--root', '.', '--reporter=json'], {
    cwd: directory,
    env,
  });
  expect(JSON.parse(stdout.slice(stdout.indexOf('{')))).toMatchObject({
    numPassedTests: 6,
    numFailedTests: 0,
  });
});
