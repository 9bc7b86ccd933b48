/** The program itself, built: a process with signals, pipes and a name. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { fakeToken } from '../auth/support-tokens.js';
import { silence } from '../rpc/support/replies.js';
import { ScriptedPeer } from '../rpc/support/scripted-peer.js';
import { until } from '../rpc/support/until.js';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

function start(argv: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, [MAIN, ...argv], { env: { PATH: process.env.PATH, ...env } });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (more: string) => {
    stderr += more;
  });
  return { child, ended: once(child, 'close').then(([code, signal]) => ({ code, signal, stderr })) };
}

test.each([
  ['SIGHUP', 129],
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s ends the call under way, and the exit code says so', async (signal, code) => {
  const peer = await ScriptedPeer.listen(silence);
  const argv = ['cancel', '--auth=jwt', `--controller=${peer.peer}`, '--timeout=60s', '7'];
  const { child, ended } = start(argv, { SLURM_JWT: fakeToken({ sun: 'alice', exp: 2_000_000_000 }) });
  try {
    await until(() => peer.connections.length > 0, 'the command to ask');
    child.kill(signal);
    const stderr = `scancel: stopped by ${signal}; nothing was sent\n`;
    expect(await ended).toEqual({ code, signal: null, stderr });
  } finally {
    child.kill('SIGKILL');
    await peer.close();
  }
});

test('a reader that goes away early ends it without a word', async () => {
  const { child, ended } = start(['cancel', '--help']);
  child.stdout.destroy();
  const { stderr } = await ended;
  expect(stderr).toBe('');
});

test.skipIf(!existsSync('/dev/full'))('a full disk is neither a refusal nor a success', async () => {
  const full = openSync('/dev/full', 'w');
  try {
    const child = spawn(process.execPath, [MAIN, '--help'], { stdio: ['ignore', full, 'pipe'] });
    const stderr = text(child.stderr as Readable);
    expect(await once(child, 'close')).toEqual([74, null]);
    expect(await stderr).toBe('slurmwire: the output cannot be written: ENOSPC\n');
    // Where nobody can be told why, the exit code is all there is.
    const silent = spawn(process.execPath, [MAIN, 'ping', '--nonsense'], {
      stdio: ['ignore', 'ignore', full],
    });
    expect(await once(silent, 'close')).toEqual([2, null]);
  } finally {
    closeSync(full);
  }
});
