/**
 * Records the conversations of fixtures/22.05 anew from a live cluster: Slurm's own commands through the recording proxy, and
 * slurmwire's calls through its recorder. Run it as `npm run record-fixtures`; look at the difference before you commit it.
 */

import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeFixture, type Provenance, startRecordingProxy, writeFixture } from '../src/replay/index.js';
import { type LabCluster, up } from './cluster.js';
import { runUserProgram } from './run-user-program.js';
import type { UserTask } from './user-program.js';

const target = fileURLToPath(new URL('../../fixtures/22.05/', import.meta.url));
const SLEEP = 'sleep 1000';

async function main(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'swl-'));
  await chmod(directory, 0o755);
  const cluster = await up({ directory: join(directory, 'c'), log: console.log });
  try {
    await mkdir(target, { recursive: true });
    const recording = new Recording(cluster, packageVersion());
    await recordCommands(cluster, recording);
    await recordCalls(cluster, recording);
  } finally {
    await cluster.down();
    await rm(directory, { recursive: true, force: true });
  }
}

/** What Slurm's own commands say, for each target and flag that one of them can send. */
async function recordCommands(cluster: LabCluster, recording: Recording): Promise<void> {
  const job = await recording.submit(SLEEP);
  const stepJob = await recording.submit('srun sleep 1000 & wait');
  const array = await recording.submit(SLEEP, ['--array=1-5']);
  await cluster.waitForJob(job, ['RUNNING']);
  await cluster.waitFor(
    async () => (await recording.steps(stepJob)).includes(`${stepJob}.0`),
    20_000,
    'the step',
  );

  await recording.command('scontrol-ping', ['scontrol', 'ping'], 'A PING to the controller.');
  await recording.command('scancel-unknown', ['scancel', '4242'], 'A job that does not exist: RC 2017.');
  await recording.command(
    'scancel-signal',
    ['scancel', '-s', 'CONT', `${job}`],
    'With -s scancel loads the jobs first.',
  );
  await recording.command(
    'scancel-batch',
    ['scancel', '--batch', '-s', 'CONT', `${job}`],
    'The batch shell only.',
  );
  await recording.command(
    'scancel-full',
    ['scancel', '--full', '-s', 'CONT', `${job}`],
    'The batch shell and its group.',
  );
  await recording.command('scancel-step', ['scancel', `${stepJob}.0`], 'One step.');
  await recording.command('scancel-array-tasks', ['scancel', `${array}_[2-3,5]`], 'Tasks of an array.');
  await recording.command('scancel-array-task', ['scancel', `${array}_1`], 'One task of an array.');
  await recording.command(
    'scancel-hurry',
    ['scancel', '--hurry', `${array}`],
    'A whole array, without staging out.',
  );
  await recording.command(
    'scancel-sibling',
    ['scancel', '--sibling=other', `${stepJob}`],
    'A sibling named where there is no federation.',
  );
  await recording.command('scancel-job', ['scancel', `${job}`], 'A running job ends.');
  await recording.command(
    'scancel-done',
    ['scancel', `${job}`],
    'The same job again: RC 2021, about which scancel says nothing.',
  );
}

/** What slurmwire says, as alice. */
async function recordCalls(cluster: LabCluster, recording: Recording): Promise<void> {
  const script = 'srun sleep 1000 & wait';
  const job = await recording.submit(script);
  await cluster.waitForJob(job, ['RUNNING']);
  await cluster.waitFor(async () => (await recording.steps(job)).includes(`${job}.0`), 20_000, 'the step');
  const bobs = await cluster.submit(SLEEP, { user: 'bob', sbatchArgs: ['--hold'] });

  await recording.calls(
    'kill-job',
    [{ method: 'killJob', args: [job] }],
    'A running job with a step ends: first contact, then the kill.',
  );
  await cluster.waitForJob(job, ['CANCELLED']);
  await recording.calls(
    'kill-job-done',
    [{ method: 'killJob', args: [job] }],
    'A finished job: RC 2021, then a look at how many records it has.',
  );
  await recording.calls(
    'kill-job-unknown',
    [{ method: 'killJob', args: [4242] }],
    'A job that does not exist: RC 2017.',
  );
  await recording.calls(
    'kill-job-denied',
    [{ method: 'killJob', args: [bobs] }],
    "Somebody else's job: RC 2002.",
  );
  await recording.calls('ping', [{ method: 'ping', args: [] }], 'A PING.');
}

class Recording {
  readonly #cluster: LabCluster;
  readonly #slurm: string;

  constructor(cluster: LabCluster, slurm: string) {
    this.#cluster = cluster;
    this.#slurm = slurm;
  }

  submit(script: string, sbatchArgs: readonly string[] = []): Promise<number> {
    return this.#cluster.submit(script, { user: 'alice', sbatchArgs });
  }

  async steps(job: number): Promise<string> {
    return (await this.#cluster.exec(['squeue', '-h', '-s', '-j', `${job}`, '-o', '%i'], { user: 'root' }))
      .stdout;
  }

  /** A command as alice, its configuration pointing at a recording proxy. */
  async command(name: string, argv: readonly string[], note: string): Promise<void> {
    const { users, controller, workDirectory, slurmConf } = this.#cluster;
    const proxy = await startRecordingProxy({
      target: controller,
      provenance: this.#provenance(argv.join(' '), note),
      clientUid: users.alice.uid,
      serverUid: users.slurm.uid,
      label: 'slurmctld',
    });
    try {
      const conf = (await readFile(slurmConf, 'utf8')).replaceAll(
        `${controller.port}`,
        `${proxy.endpoint.port}`,
      );
      const path = join(workDirectory, 'proxied.conf');
      await writeFile(path, conf, { mode: 0o644 });
      const { code, stderr } = await this.#cluster.exec(argv, { user: 'alice', env: { SLURM_CONF: path } });
      await proxy.close();
      await writeFixture(join(target, `${name}.msgpack`), proxy.fixture());
      console.log(`${name}: exit ${code} ${stderr.trim()}`);
    } finally {
      await proxy.close();
    }
  }

  async calls(name: string, calls: UserTask['calls'], note: string): Promise<void> {
    const { users, slurmConf } = this.#cluster;
    const record = this.#provenance(
      `slurmwire ${calls.map(({ method, args }) => `${method}(${args.join()})`).join('; ')}`,
      note,
    );
    const { fixture = '', results } = await runUserProgram({
      ...users.alice,
      conf: slurmConf,
      calls,
      record,
    });
    await writeFixture(join(target, `${name}.msgpack`), decodeFixture(Buffer.from(fixture, 'base64')));
    console.log(`${name}: ${JSON.stringify(results)}`);
  }

  #provenance(client: string, note: string): Provenance {
    return {
      slurm: this.#slurm,
      daemon: 'slurmctld',
      client,
      recordedAt: new Date().toISOString(),
      note,
    };
  }
}

function packageVersion(): string {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own notation
  const version = execFileSync('dpkg-query', ['--show', '--showformat=${Version}', 'slurmctld'], {
    encoding: 'utf8',
  });
  return `22.05 (Debian ${version})`;
}

await main();
