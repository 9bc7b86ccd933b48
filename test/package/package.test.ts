/** The package as a stranger gets it: packed, installed in an empty project, type-checked and run there. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const bin = (name: string) => join(root, 'node_modules/.bin', name);
let directory = '';
let tarball = '';
let files: string[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'slurmwire-consumer-'));
  const { stdout } = await run(
    'npm',
    ['pack', '--json', '--ignore-scripts', '--pack-destination', directory],
    { cwd: root },
  );
  const packed = JSON.parse(stdout);
  const [entry] = Array.isArray(packed) ? packed : Object.values(packed);
  tarball = join(directory, entry.filename);
  files = entry.files.map((file: { path: string }) => file.path);
  await writeFile(
    join(directory, 'package.json'),
    '{ "name": "consumer", "type": "module", "private": true }\n',
  );
  await run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline', tarball], {
    cwd: directory,
  });
});

afterAll(() => rm(directory, { recursive: true, force: true }));

test('holds what it should and nothing else', () => {
  const foreign = files.filter(
    (file) =>
      !/^(dist\/.*\.(js|d\.ts)|man\/.*\.1|package\.json|README\.md|CHANGELOG\.md|SECURITY\.md|LICENSE)$/.test(
        file,
      ),
  );
  expect(foreign).toEqual([]);
  expect(files).toContain('dist/index.js');
  expect(files).toContain('SECURITY.md');
  expect(files).toContain('dist/protocol/index.d.ts');
});

test('none of its dependencies needs an install script, and koffi loads without one', async () => {
  await run(process.execPath, ['--input-type=module', '-e', "await import('koffi')"], { cwd: directory });
});

test('type-checks in a strict consumer, and the wrong use does not', async () => {
  await writeFile(
    join(directory, 'consumer.ts'),
    `import { connect, isSlurmError, type Accepted, type Outcome, munge, SlurmClient } from 'slurmwire';
import { decodeBody, encodeBody, type MessageRecord } from 'slurmwire/protocol';
import { readFixture } from 'slurmwire/replay';
import { type EmbeddedCluster, startCluster } from 'slurmwire/testing';

export async function cancel(job: number, abort: AbortSignal): Promise<Outcome> {
  const slurm = await connect({ controllers: ['ctl:6817'], protocol: '22.05', auth: munge({ socket: '/run/m' }) });
  try {
    const done: Accepted = await slurm.killJob(job, 'SIGTERM', { batch: true, signal: abort });
    const maybe = await slurm.killJob(job, undefined, { idempotent: true });
    return maybe.outcome === 'accepted' ? done.outcome : maybe.outcome;
  } catch (error) {
    return isSlurmError(error) ? error.outcome : 'unknown';
  } finally {
    await slurm.close();
  }
}
export const bytes: Uint8Array = encodeBody('RESPONSE_SLURM_RC', '22.05', { returnCode: 0 });
export const record: MessageRecord<'RESPONSE_SLURM_RC'> = decodeBody('RESPONSE_SLURM_RC', '22.05', bytes);
export const read: (path: string) => Promise<unknown> = readFixture;
export const up: Promise<EmbeddedCluster> = startCluster({ release: '24.11', nodes: 4 });
export const keep = (client: SlurmClient): Promise<void> => client.close();
// @ts-expect-error a client comes from connect() alone
new SlurmClient();
// @ts-expect-error no such way to have jobs
await startCluster({ jobs: 'threads' });
// @ts-expect-error a release that is none
await connect({ protocol: '19.05' });
// @ts-expect-error KILL_JOB's record needs its id text
encodeBody('REQUEST_KILL_JOB', '22.05', { signal: 9 });
`,
  );
  const flags = [
    '--ignoreConfig',
    '--noEmit',
    '--strict',
    '--exactOptionalPropertyTypes',
    '--module',
    'nodenext',
    '--target',
    'es2023',
  ];
  await run(
    bin('tsc'),
    [...flags, '--types', 'node', '--typeRoots', join(root, 'node_modules/@types'), 'consumer.ts'],
    { cwd: directory },
  );
});

test('runs, by import and by require', async () => {
  const script = `const { connect } = await import('slurmwire');
    const slurm = await connect({ controllers: ['127.0.0.1:1'] });
    try { await slurm.killJob('12.3'); } catch (e) { console.log(e.code, e.outcome); } finally { await slurm.close(); }`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], { cwd: directory });
  expect(stdout).toBe('SLURMWIRE_BAD_JOB_ID not-sent\n');
  const required = await run(
    process.execPath,
    ['--input-type=commonjs', '-e', "console.log(typeof require('slurmwire').connect)"],
    { cwd: directory },
  );
  expect(required.stdout).toBe('function\n');
});

/** A kill on an embedded cluster: everything but Slurm itself. */
const KILL = `
  const main = async ({ connect }, { startCluster }) => {
    const cluster = await startCluster({ nodes: 1 });
    const slurm = await connect(cluster.options());
    const { jobId } = cluster.submit();
    await cluster.waitForJob(jobId, 'RUNNING');
    console.log((await slurm.killJob(jobId)).outcome);
    await cluster.waitForJob(jobId, 'CANCELLED');
    await slurm.close();
    await cluster.down();
  };`;

test.each([
  ['import', 'module', "main(await import('slurmwire'), await import('slurmwire/testing'))"],
  ['require', 'commonjs', "main(require('slurmwire'), require('slurmwire/testing'))"],
])('has its entry points by %s: a kill on an embedded cluster', async (_, type, call) => {
  const { stdout } = await run(process.execPath, [`--input-type=${type}`, '-e', `${KILL}${call}`], {
    cwd: directory,
  });
  expect(stdout).toBe('accepted\n');
});

test.each(['slurmwire/protocol', 'slurmwire/replay'])('has %s by import and by require', async (name) => {
  const script = `console.log(Object.keys(require('${name}')).sort().join() === Object.keys(await import('${name}')).filter((key) => key !== 'module.exports').sort().join())`;
  const { stdout } = await run(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `import { createRequire } from 'node:module'; const require = createRequire(process.cwd() + '/');${script}`,
    ],
    { cwd: directory },
  );
  expect(stdout).toBe('true\n');
});

test('publint and attw find nothing', async () => {
  await run(bin('publint'), ['run', tarball, '--strict'], { cwd: directory });
  await run(bin('attw'), [tarball, '--profile', 'esm-only'], { cwd: directory });
});

test('the example of the README is under 40 lines', async () => {
  const text = await readFile(join(root, 'examples/kill.mjs'), 'utf8');
  expect(text.trim().split('\n').length).toBeLessThan(40);
});
