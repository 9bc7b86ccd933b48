/** `slurmwire record`, `decode` and `replay` with a real scancel and real daemons. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect, loadSlurmConfig, munge } from '../../src/index.js';
import { checkFixture, play, readFixture, serveReplay } from '../../src/replay/index.js';
import { runCli } from '../cli/support/cli-run.js';
import { describeLive } from './support/live.js';

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'slurmwire-live-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));
const env = { PATH: process.env.PATH ?? '' };

// The machine's own release: its scancel runs outside of the cluster's namespaces, as root.
describeLive('record, decode, replay on a live 22.05', { release: '22.05', nodes: 2 }, (live) => {
  const recorded = async (name: string, argv: readonly string[], ...options: string[]) => {
    const path = join(directory, `${name}.msgpack`);
    const conf = live().cluster.slurmConf;
    const { code, stderr } = await runCli(['record', '-o', path, '--conf', conf, ...options, '--', ...argv], {
      env,
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('credentials taken out') });
    return path;
  };

  test('a kill by scancel: recorded, decoded, played to our client and to scancel', async () => {
    const { cluster, run } = live();
    const id = await run('sleep 1000');
    const path = await recorded('kill', ['scancel', `${id}`]);
    await cluster.waitForJob(id, ['CANCELLED']);

    const fixture = await readFixture(path);
    expect(fixture.provenance).toMatchObject({
      slurm: '22.05 (by the protocol of the replies)',
      client: `scancel ${id}`,
    });
    expect(checkFixture(fixture)).toEqual([]);
    const { code, stdout } = await runCli(['decode', path, '--no-hex']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^> REQUEST_KILL_JOB, 22\.05/m);
    expect(stdout).toMatch(/^< RESPONSE_SLURM_RC, 22\.05/m);
    expect(stdout).toContain(`body/sjobId`);

    // Over TCP, to a scancel that makes its own credential and verifies the answer's.
    const argv = ['replay', path, '--sign', '--conf', cluster.slurmConf, '--', 'scancel', `${id}`];
    expect(await runCli(argv, { env })).toEqual({ code: 0, stdout: '', stderr: '' });
    const other = await runCli([...argv.slice(0, -1), `${id + 1}`], { env });
    expect(other.code).toBe(1);
    expect(other.stderr).toMatch(/in field (body\/sjobId|header\/bodyLength)/);
  });

  test('a kill by slurmwire in a process of its own: played to slurmwire, without and with a network', async () => {
    const { cluster, run } = live();
    const id = await run('sleep 1000');
    const program = `import(${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)}).then(async ({ connect }) => {
      const slurm = await connect();
      console.log((await slurm.killJob(Number(process.argv[1]))).outcome);
      await slurm.close();
    })`;
    const path = await recorded(
      'own',
      [process.execPath, '-e', program, `${id}`],
      '--client',
      `slurmwire killJob(${id})`,
    );
    await cluster.waitForJob(id, ['CANCELLED']);
    const fixture = await readFixture(path);
    expect(checkFixture(fixture)).toEqual([]);

    // The job is gone; only the recording can say that it was killed.
    const player = play(fixture);
    const { transport, auth } = player;
    const slurm = await connect({ conf: cluster.slurmConf, transport, auth });
    expect(await slurm.killJob(id)).toMatchObject({ outcome: 'accepted', authenticated: true });
    await slurm.close();
    player.finish();

    const signing = munge({ socket: cluster.mungeSocket });
    const server = await serveReplay(fixture, { auth: signing });
    try {
      const { host = '', port = 0 } = server.endpoints.get('slurmctld') ?? {};
      const controllers = [{ name: 'replay', host, port }];
      const own = { name: 'root', uid: process.geteuid?.() ?? 0 };
      const conf = { ...(await loadSlurmConfig({ conf: cluster.slurmConf })), controllers, slurmUser: own };
      const client = await connect({ conf, auth: signing });
      expect(await client.killJob(id)).toMatchObject({ outcome: 'accepted', authenticated: true });
      await client.close();
      server.finish();
    } finally {
      await server.close();
    }
  });

  test('the example of docs/replay.md', async () => {
    const { cluster, run } = live();
    const id = await run('sleep 1000');
    const file = join(directory, 'example.msgpack');
    const example = fileURLToPath(new URL('../../examples/replay/record.mjs', import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [example, `${id}`, file], {
      env: { ...env, SLURM_CONF: cluster.slurmConf },
    });
    expect(stdout).toBe(`job ${id} is being cancelled\n`);
    expect(checkFixture(await readFixture(file))).toEqual([]);
  });

  test('a signal to a step, with the slurmds', async () => {
    const { cluster, run } = live();
    const id = await run('srun sleep 1000 & sleep 1000', ['-N2']);
    const steps = async () =>
      (await cluster.exec(['squeue', '-h', '-s', '-j', `${id}`], { user: 'root' })).stdout;
    await cluster.waitFor(async () => (await steps()).includes(`${id}.0`), 20_000, 'the step');
    const path = await recorded('step', ['scancel', '-s', 'URG', `${id}.0`], '--slurmds');
    const fixture = await readFixture(path);
    const roles = fixture.connections.map(({ endpoint }) => endpoint);
    expect(roles[0]).toBe('slurmctld');
    expect(roles.slice(-2).sort()).toEqual(['slurmd-1', 'slurmd-2']);
    expect(checkFixture(fixture)).toEqual([]);
    expect((await runCli(['decode', path, '--no-hex', '--filter', 'slurmd-2'])).stdout).toContain(
      '> REQUEST_SIGNAL_TASKS',
    );
    const argv = [
      'replay',
      path,
      '--sign',
      '--conf',
      cluster.slurmConf,
      '--',
      'scancel',
      '-s',
      'URG',
      `${id}.0`,
    ];
    expect(await runCli(argv, { env })).toEqual({ code: 0, stdout: '', stderr: '' });
  });
});
