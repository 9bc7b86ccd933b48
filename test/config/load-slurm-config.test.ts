import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadSlurmConfig, parseSlurmConf } from '../../src/config/index.js';
import { MAX_FILE_BYTES } from '../../src/config/read-text-file.js';
import { caught, configError } from './caught.js';

let directory = '';
let conf = '';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'slurmwire-conf-'));
  conf = join(directory, 'slurm.conf');
});

afterEach(() => rm(directory, { recursive: true, force: true }));

async function write(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(directory, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
  return path;
}

describe('loadSlurmConfig', () => {
  it('reads the file of the option, and the one of SLURM_CONF', async () => {
    await write('slurm.conf', 'SlurmctldHost=ctl\nSlurmUser=12\n');
    const expected = {
      file: conf,
      controllers: [{ name: 'ctl', host: 'ctl', port: 6817 }],
      slurmUser: { uid: 12 },
    };
    expect(await loadSlurmConfig({ conf })).toMatchObject(expected);
    expect(await loadSlurmConfig({ env: { SLURM_CONF: conf } })).toMatchObject(expected);
  });

  it('follows includes from the directory of the file, whatever the working directory', async () => {
    const elsewhere = await write('else/where.conf', 'Include conf.d/%c/ports.conf');
    await write(
      'slurm.conf',
      `ClusterName=Tux\nSlurmctldHost=ctl\nInclude conf.d/a.conf\nInclude ${elsewhere}`,
    );
    await write('conf.d/a.conf', 'MessageTimeout=30');
    await write('conf.d/tux/ports.conf', 'SlurmctldPort=7000');
    expect(await loadSlurmConfig({ conf })).toMatchObject({
      clusterName: 'tux',
      messageTimeoutMs: 30_000,
      controllers: [{ port: 7000 }],
    });
  });

  it('sees relative includes from the directory of a link, as Slurm does, not of its target', async () => {
    await write('real/slurm.conf', 'SlurmctldHost=ctl\nInclude more.conf');
    await write('link/more.conf', 'TCPTimeout=7');
    await symlink(join(directory, 'real/slurm.conf'), join(directory, 'link/slurm.conf'));
    expect(await loadSlurmConfig({ conf: join(directory, 'link/slurm.conf') })).toMatchObject({
      tcpTimeoutMs: 7_000,
    });
    expect(await configError(loadSlurmConfig({ conf: join(directory, 'real/slurm.conf') }))).toMatchObject({
      code: 'SLURMWIRE_CONFIG_NOT_FOUND',
    });
  });

  it('points at the Include line of a file that is missing or cannot be read', async () => {
    await write('slurm.conf', 'SlurmctldHost=ctl\nInclude gone.conf');
    const missing = await configError(loadSlurmConfig({ conf }));
    expect(missing).toMatchObject({
      code: 'SLURMWIRE_CONFIG_NOT_FOUND',
      errno: 'ENOENT',
      file: conf,
      line: 2,
    });
    expect(missing.message).toContain(join(directory, 'gone.conf'));
    expect(missing.hint).toContain('Relative names');

    await mkdir(join(directory, 'gone.conf'));
    const folder = await configError(loadSlurmConfig({ conf }));
    expect(folder).toMatchObject({
      code: 'SLURMWIRE_CONFIG_UNREADABLE',
      errno: 'EISDIR',
      file: conf,
      line: 2,
    });
  });

  it('passes on what the system says of an included file', async () => {
    await write('slurm.conf', 'SlurmctldHost=ctl\nInclude loop.conf');
    await symlink('loop.conf', join(directory, 'loop.conf'));
    const error = await configError(loadSlurmConfig({ conf }));
    expect(error).toMatchObject({ code: 'SLURMWIRE_CONFIG_UNREADABLE', errno: 'ELOOP', file: conf, line: 2 });
    expect(error.message).toContain(join(directory, 'loop.conf'));
    expect(error.cause).toMatchObject({ code: 'ELOOP' });
  });

  it('ends a loop through links', async () => {
    await write('slurm.conf', 'SlurmctldHost=ctl\nInclude d/slurm.conf');
    await symlink('.', join(directory, 'd'));
    expect(await configError(loadSlurmConfig({ conf }))).toMatchObject({
      code: 'SLURMWIRE_CONFIG_INCLUDE',
      line: 2,
    });
  });

  it.each(['', 'x\ny\n'])('reports a file that is none: %j', async (content) => {
    await write('slurm.conf', content);
    const error = await configError(loadSlurmConfig({ conf }));
    expect(error.file).toBe(conf);
    expect(error.code).toBe(content === '' ? 'SLURMWIRE_CONFIG_NO_CONTROLLER' : 'SLURMWIRE_CONFIG_SYNTAX');
  });

  it('refuses what is no text file, without hanging', async () => {
    const fifo = join(directory, 'fifo');
    execFileSync('mkfifo', [fifo]);
    const binary = await write('binary', new Uint8Array([65, 61, 0, 10]));
    for (const [path, errno] of [
      [directory, 'EISDIR'],
      [fifo, 'EINVAL'],
      ['/dev/zero', 'EINVAL'],
      [binary, 'EINVAL'],
    ] as const) {
      const error = await configError(loadSlurmConfig({ conf: path }));
      expect(error).toMatchObject({ code: 'SLURMWIRE_CONFIG_UNREADABLE', errno, file: path });
      expect(error.hint).toBeDefined();
    }
  });

  it('refuses a file above the limit, and reads one at it', async () => {
    const head = 'SlurmctldHost=ctl\n#';
    await write('slurm.conf', head + 'x'.repeat(MAX_FILE_BYTES - head.length));
    expect((await loadSlurmConfig({ conf })).controllers).toHaveLength(1);
    await write('slurm.conf', head + 'x'.repeat(MAX_FILE_BYTES - head.length + 1));
    expect(await configError(loadSlurmConfig({ conf }))).toMatchObject({
      code: 'SLURMWIRE_CONFIG_TOO_LARGE',
      errno: 'EFBIG',
    });
  });

  it('says when permission is missing', async () => {
    await chmod(await write('slurm.conf', 'SlurmctldHost=ctl'), 0);
    // root reads everything, so root is somebody else for the time of the call.
    const root = process.geteuid?.() === 0;
    if (root) process.seteuid?.(65534);
    const error = await configError(loadSlurmConfig({ conf })).finally(() => {
      if (root) process.seteuid?.(0);
    });
    expect(error).toMatchObject({ code: 'SLURMWIRE_CONFIG_UNREADABLE', errno: 'EACCES', file: conf });
    expect(error.cause).toMatchObject({ code: 'EACCES' });
  });

  it('reads a file with bytes that are not UTF-8', async () => {
    await write('slurm.conf', Buffer.from('# gr\xfc\xdfe\nSlurmctldHost=ctl\n', 'latin1'));
    expect((await loadSlurmConfig({ conf })).controllers).toHaveLength(1);
  });

  it('takes the uid the caller gives for a user this host does not know', async () => {
    await write('slurm.conf', 'SlurmctldHost=ctl\nSlurmUser=no-such-user-slurmwire');
    expect(await configError(loadSlurmConfig({ conf }))).toMatchObject({
      code: 'SLURMWIRE_CONFIG_UNKNOWN_USER',
      file: conf,
      line: 2,
      hint: 'Pass slurmUser: <uid> to connect().',
    });
    expect((await loadSlurmConfig({ conf, slurmUser: 64030 })).slurmUser.uid).toBe(64030);
  });

  it('rejects with the reason of the signal', async () => {
    await write('slurm.conf', 'SlurmctldHost=ctl');
    const reason = new Error('enough');
    expect(await caught(loadSlurmConfig({ conf, signal: AbortSignal.abort(reason) }))).toBe(reason);
    const control = new AbortController();
    const work = loadSlurmConfig({ conf, signal: control.signal });
    control.abort(reason);
    expect(await caught(work)).toBe(reason);
  });
});

describe('a large site', () => {
  /** Written for this test, in the manner of real ones: sections, continued lines, long lists, 20,000 node lines. */
  const text = [
    '#',
    '# slurm.conf of cluster "Aurora Nord" -- do not edit on the nodes #',
    '#',
    'ClusterName=AuroraNord',
    'SlurmctldHost=adm01(adm01-ib.cluster.example)  # primary',
    'SlurmctldHost=adm02(adm02-ib.cluster.example)',
    'SlurmctldParameters=enable_configless,idle_on_node_suspend,\\',
    'cloud_dns,node_reg_mem_percent=95',
    'SlurmUser=64030',
    'SlurmctldPort=6817-6824',
    'SlurmdPort=6818',
    'AuthType=auth/munge',
    'AuthInfo="socket=/run/munge/munge.socket.2,cred_expire=300"',
    'StateSaveLocation=/var/spool/slurmctld',
    'SlurmdSpoolDir = /var/spool/slurmd.%n',
    'ProctrackType=proctrack/cgroup   TaskPlugin=task/cgroup,task/affinity',
    'PropagateResourceLimitsExcept=MEMLOCK,STACK',
    'Prolog=/etc/slurm/prolog.d/*',
    'MessageTimeout=60',
    'TCPTimeout=10',
    'SchedulerParameters=bf_max_job_test=1000,bf_window=10080,defer,\\ # see ticket \\#4711',
    'batch_sched_delay=20,whole_hetjob',
    'AccountingStoragePass="a#b"'.replace('#', '\\#'),
    'GresTypes=gpu,mps',
    'NodeSet=gpus Feature=gpu',
    'NodeName=DEFAULT Sockets=2 CoresPerSocket=64 ThreadsPerCore=2 RealMemory=515000 State=UNKNOWN',
    ...Array.from(
      { length: 20_000 },
      (_, index) =>
        `NodeName=c${String(index).padStart(5, '0')} NodeAddr=10.${index >> 16}.${(index >> 8) & 255}.${index & 255} ` +
        `NodeHostname=c${String(index).padStart(5, '0')} Gres=gpu:a100:4 Weight=10 Feature="ib,gpu,rack${index % 64}" # slot`,
    ),
    'DownNodes=c00017,c00018 State=DOWN Reason="bad DIMM, RMA 12-34"',
    'PartitionName=DEFAULT MaxTime=2-00:00:00 OverSubscribe=NO',
    'PartitionName=batch Nodes=c[00000-19999] Default=YES \\',
    '  AllowGroups=users,staff QOS=normal',
    'LaunchParameters=use_interactive_step',
    '',
  ].join('\n');

  it('is read whole, and without holding up the event loop', async () => {
    const controller = new AbortController();
    let turns = 0;
    const ticker = setInterval(() => {
      turns += 1;
    }, 0);
    const start = performance.now();
    const parsed = await parseSlurmConf(text, { signal: controller.signal });
    const ms = performance.now() - start;
    clearInterval(ticker);
    expect(text.length).toBeGreaterThan(2_000_000);
    expect(turns).toBeGreaterThan(3);
    expect(ms).toBeLessThan(5_000);

    const count = (key: string) => parsed.entries.filter((entry) => entry.key === key).length;
    expect(count('NodeName')).toBe(20_001);
    expect(count('PartitionName')).toBe(2);
    expect(count('DownNodes')).toBe(1);
    expect(count('NodeSet')).toBe(1);
    expect(parsed.entries.at(-1)).toMatchObject({
      value: 'batch',
      pairs: [
        { value: 'c[00000-19999]' },
        { key: 'Default' },
        { key: 'AllowGroups' },
        { key: 'QOS', value: 'normal' },
      ],
    });
    expect(parsed.entries.find((entry) => entry.value === 'c12345')?.pairs).toContainEqual({
      key: 'Feature',
      operator: '',
      value: 'ib,gpu,rack57',
    });
    expect(parsed.values.get('schedulerparameters')?.value).toBe(
      'bf_max_job_test=1000,bf_window=10080,defer,batch_sched_delay=20,whole_hetjob',
    );
    expect(parsed.values.get('accountingstoragepass')?.value).toBe('a#b');
    expect(parsed.values.get('launchparameters')?.value).toBe('use_interactive_step');
  });

  it('has the configuration one expects', async () => {
    await write('slurm.conf', text);
    const { nodes, treeWidth, ...config } = await loadSlurmConfig({ conf, now: () => 3_000, pid: 2 });
    expect(nodes?.length).toBeGreaterThan(10_000);
    expect(treeWidth === undefined || treeWidth > 0).toBe(true);
    expect(config).toMatchObject({
      file: conf,
      clusterName: 'auroranord',
      controllers: [
        { name: 'adm01', host: 'adm01-ib.cluster.example', port: 6822 },
        { name: 'adm02', host: 'adm02-ib.cluster.example', port: 6822 },
      ],
      slurmUser: { name: '64030', uid: 64030 },
      slurmdUser: { name: 'root', uid: 0 },
      authType: 'auth/munge',
      authTypeAt: { file: conf, line: expect.any(Number) },
      authInfo: { socket: '/run/munge/munge.socket.2', ttlSeconds: null, credExpireSeconds: 300 },
      authAltTypes: [],
      authAltParameters: {},
      tlsType: 'tls/none',
      tlsParameters: {},
      messageTimeoutMs: 60_000,
      tcpTimeoutMs: 10_000,
      slurmctldTimeoutMs: 120_000,
      cloudDns: true,
      configless: true,
      nodeSets: [{ name: 'gpus', feature: 'gpu', nodes: null }],
      scronParameters: expect.any(String),
      schedulerParameters: expect.any(String),
    });
  });
});
