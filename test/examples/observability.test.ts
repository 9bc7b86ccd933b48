/** The examples of docs/observability.md, each as a program of its own against controllers that are played. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { SLURMWIRE_CHANNELS } from '../../src/rpc/index.js';
import { answering, buildInfoReply, rc } from '../rpc/support/replies.js';
import { deadEndpoint, ScriptedPeer } from '../rpc/support/scripted-peer.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const page = readFileSync(new URL('../../docs/observability.md', import.meta.url), 'utf8');
const blocks = [...page.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code ?? '');
const release = '24.11';
const TOKEN = `${['{"alg":"HS256"}', '{"exp":9999999999,"sun":"ann"}'].map((part) => Buffer.from(part).toString('base64url')).join('.')}.c2ln`;

/** Runs the example, and two kills after it: the first is taken, the second refused. What it wrote. */
async function run(example: string): Promise<{ stdout: string; stderr: string; peer: string }> {
  let kills = 0;
  const script = answering({
    REQUEST_BUILD_INFO: async (connection, { frame }) => {
      if (frame.release > release) return connection.drop();
      await connection.send(buildInfoReply({ release }, frame.release));
      connection.finish();
    },
    REQUEST_KILL_JOB: async (connection) => {
      // The second time it is too much at first.
      await connection.send(rc([0, 1804, 2010][kills++] ?? 2010, { release }));
      connection.finish();
    },
  });
  await using peer = await ScriptedPeer.listen(script);
  const { port } = await deadEndpoint();
  const calls = `
    const { connect } = await import('slurmwire');
    const slurm = await connect({ controllers: ['127.0.0.1:${port}', '${peer.peer}'] });
    await slurm.killJob(7, 'SIGTERM');
    await slurm.killJob(8, 'SIGTERM').catch(() => {});
    await slurm.close();`;
  const env = { PATH: process.env.PATH, SLURM_JWT: TOKEN, SLOW_MS: '0' };
  const program = ['--input-type=module', '-e', example + calls];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, program, { cwd: root, env });
  expect(stdout + stderr).not.toContain(TOKEN);
  return { stdout, stderr, peer: peer.peer };
}

const example = (about: string) => {
  const found = blocks.filter((code) => code.includes(about));
  expect(found).toHaveLength(1);
  return found[0] ?? '';
};

describe('docs/observability.md', () => {
  it('has no example that is not here', () => {
    expect(blocks).toHaveLength(4);
  });

  it('names every channel and every field', () => {
    for (const name of Object.values(SLURMWIRE_CHANNELS)) expect(page).toContain(`\`${name}\``);
    const types = readFileSync(new URL('../../src/rpc/diagnostics.ts', import.meta.url), 'utf8');
    const fields = [...types.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, name]) => name);
    expect(fields.length).toBeGreaterThan(50);
    for (const name of fields) expect(page, name).toContain(`\`${name}\``);
  });

  it('slow requests', async () => {
    const { stdout, peer } = await run(example('SLOW_MS'));
    expect(stdout).toContain(peer);
    expect(stdout).toMatch(/rpc: 'REQUEST_KILL_JOB'/);
    expect(stdout).toMatch(/wait: \d/);
    expect(stdout).toMatch(/code: 'ESLURM_USER_ID_MISSING'/);
  });

  it('outcomes', async () => {
    const { stdout } = await run(example('counts'));
    expect(stdout).toContain("'killJob accepted': 1");
    expect(stdout).toContain("'killJob refused ESLURM_USER_ID_MISSING': 1");
  });

  it('controllers passed over, and waits', async () => {
    const { stderr, peer } = await run(example('passedOver'));
    expect(stderr).toContain('unreached SLURM_COMMUNICATIONS_CONNECTION_ERROR');
    expect(stderr).toContain(`waits ${peer} REQUEST_KILL_JOB rate 0`);
  });

  it('log lines with the number of their call', async () => {
    const { stdout, peer } = await run(example('bindStore'));
    expect(stdout).toContain(`[call 1] REQUEST_KILL_JOB to ${peer}\n[call 2] REQUEST_KILL_JOB to ${peer}`);
    expect(stdout).not.toContain('[call -]');
  });
});
