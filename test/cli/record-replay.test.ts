/** `slurmwire record` and `slurmwire replay`: a client in a process of its own, led by SLURM_CONF. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { Stopped } from '../../src/cli/io.js';
import { leadingText, writeLeadingConf } from '../../src/cli/leading-conf.js';
import { interpretNodeLines, loadSlurmConf, parseSlurmConf, slurmConfigOf } from '../../src/config/index.js';
import { type ReplayServer, readFixture, serveReplay, writeFixture } from '../../src/replay/index.js';
import { killFixture } from '../replay/support.js';
import { runCli } from './support/cli-run.js';

const directory = mkdtempSync(join(tmpdir(), 'slurmwire-record-'));
afterAll(() => rmSync(directory, { recursive: true }));
const at = (name: string) => join(directory, name);
const open: ReplayServer[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

/** A client of its own: sends the recorded request to the controller that its slurm.conf names, with its own bytes for a credential. */
const CLIENT = at('client.mjs');
writeFileSync(
  CLIENT,
  `import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
const conf = readFileSync(process.env.SLURM_CONF, 'utf8');
const port = Number(/^SlurmctldPort=(\\d+)/m.exec(conf)[1]);
const host = /^SlurmctldHost=[^(]*\\(([^)]*)\\)/m.exec(conf)[1];
const socket = connect({ host, port });
socket.write(Buffer.from(process.argv[2], 'hex'));
let got = 0;
socket.on('data', (chunk) => { got += chunk.length; });
socket.on('error', (error) => { console.log(error.code); process.exitCode = 9; });
socket.on('close', () => { console.log('got ' + got); process.exitCode ??= Number(process.argv[3] ?? 0); });
`,
);
const requestOf = async (path: string) => {
  const [first] = (await readFixture(path)).connections[0]?.events ?? [];
  return Buffer.from(first?.bytes ?? []).toString('hex');
};

async function kill(name: string): Promise<string> {
  const path = at(name);
  await writeFixture(path, killFixture('24.11'));
  return path;
}

/** Stops the program when it has said where it listens. */
function runUntilListening(argv: readonly string[]) {
  const stop = new AbortController();
  const onStderr = (text: string) => {
    if (text.includes('SLURM_CONF=')) stop.abort(new Stopped('SIGINT'));
  };
  return runCli(argv, { signal: stop.signal, onStderr });
}

describe('replay', () => {
  it('starts a client with a slurm.conf that leads to the recording', async () => {
    const path = await kill('kill.msgpack');
    const { code, stdout, stderr } = await runCli(
      ['replay', path, '--', process.execPath, CLIENT, await requestOf(path)],
      { env: { SLURM_CONF: '' } },
    );
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'got 24\n', stderr: '' });
  });

  it("another request: the annotated difference and exit code 1; the client's code else", async () => {
    const path = await kill('other.msgpack');
    const request = (await requestOf(path)).replace(/000f0000$/, '00090000');
    const { code, stderr } = await runCli(['replay', path, '--', process.execPath, CLIENT, request]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/body\/signal/);
    expect(
      (await runCli(['replay', path, '--', process.execPath, CLIENT, await requestOf(path), '7'])).code,
    ).toBe(7);
    expect(await runCli(['replay', path, '--', 'no-such-command'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('SLURMWIRE_CANNOT_START'),
    });
  });

  it('without a command: says where it listens, until it is stopped', async () => {
    const path = await kill('listen.msgpack');
    const { code, stderr } = await runUntilListening(['replay', path]);
    expect(stderr).toMatch(/^slurmctld: 127\.0\.0\.1:\d+\nSLURM_CONF=.*slurm\.conf\n/);
    expect(code).toBe(1); // nobody came
  });

  it('--check', async () => {
    expect(await runCli(['replay', await kill('check.msgpack'), '--check'])).toMatchObject({
      code: 0,
      stdout: '1 connections, all is well\n',
    });
    const fixtures = fileURLToPath(new URL('../../fixtures/', import.meta.url));
    const { stdout } = await runCli(['replay', `${fixtures}26.05/kill-jobs.msgpack`, '--check', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ problems: [], provenance: { daemon: 'slurmctld' } });
  });
});

describe('record', () => {
  /** A slurm.conf whose controller plays a recording. */
  async function cluster(name: string): Promise<{ conf: string; request: string }> {
    const path = await kill(`${name}.msgpack`);
    const server = await serveReplay(await readFixture(path));
    open.push(server);
    const conf = at(`${name}.conf`);
    const { port } = server.endpoints.get('slurmctld') ?? {};
    writeFileSync(
      conf,
      `ClusterName=c\nSlurmUser=root\nSlurmctldHost=ctl(127.0.0.1)\nSlurmctldPort=${port}\n`,
    );
    return { conf, request: await requestOf(path) };
  }

  it('records what the command says; the recording is clean and decodes', async () => {
    const { conf, request } = await cluster('recorded');
    const out = at('out.msgpack');
    const argv = [
      'record',
      '-o',
      out,
      '--conf',
      conf,
      '--note',
      'a kill',
      '--client',
      'client',
      '--',
      process.execPath,
      CLIENT,
      request,
    ];
    const { code, stdout, stderr } = await runCli(argv);
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'got 24\n' });
    expect(stderr).toContain('1 connections recorded');
    const { provenance, connections } = await readFixture(out);
    expect(provenance).toMatchObject({
      slurm: '24.11 (by the protocol of the replies)',
      client: 'client',
      note: 'a kill',
    });
    expect(connections).toMatchObject([{ endpoint: 'slurmctld' }]);
    expect((await runCli(['replay', out, '--check'])).code).toBe(0);
    expect((await runCli(['decode', '--no-hex', out])).stdout).toContain('> REQUEST_KILL_JOB, 24.11');
    expect((await runCli(['replay', out, '--', process.execPath, CLIENT, request])).code).toBe(0);
  });

  it("the command's exit code; what came of it is written all the same", async () => {
    const { conf, request } = await cluster('failing');
    const out = at('failing-out.msgpack');
    const argv = [
      'record',
      '-o',
      out,
      '--conf',
      conf,
      '--json',
      '--',
      process.execPath,
      CLIENT,
      request,
      '5',
    ];
    const { code, stdout } = await runCli(argv);
    expect(code).toBe(5);
    expect(JSON.parse(stdout.slice(stdout.indexOf('{')))).toEqual({
      fixture: out,
      connections: 1,
      leftOut: 0,
    });
    expect(readFileSync(out).length).toBeGreaterThan(100);
  });

  it('nothing came: no file, exit code 1; no command: usage; a secret in the command line: refused', async () => {
    const { conf } = await cluster('nothing');
    const out = at('nothing-out.msgpack');
    expect(
      await runCli(['record', '-o', out, '--conf', conf, '--', process.execPath, '-e', '']),
    ).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('nothing was recorded'),
    });
    expect(() => readFileSync(out)).toThrow('ENOENT');
    expect((await runCli(['record', '-o', out, '--conf', conf])).code).toBe(2);
    expect((await runCli(['record', '--conf', conf, '--', 'true'])).code).toBe(2);
    const secret = `eyJ${'a'.repeat(60)}`;
    const refused = await runCli([
      'record',
      '-o',
      out,
      '--conf',
      conf,
      '--',
      process.execPath,
      '-e',
      '',
      secret,
    ]);
    expect(refused).toMatchObject({ code: 3, stderr: expect.stringContaining('SLURMWIRE_LIVE_SECRET') });
    expect(refused.stderr).not.toContain(secret);
  });

  it('a place where nothing can be written: the command is not started', async () => {
    const { conf } = await cluster('nowhere');
    const ran = at('ran');
    const touch = [process.execPath, '-e', `require('fs').writeFileSync(${JSON.stringify(ran)}, '')`];
    for (const out of ['/nonexistent/out.msgpack', '/dev/null', '/dev/stdout', directory]) {
      const { code, stderr } = await runCli(['record', '-o', out, '--conf', conf, '--', ...touch]);
      expect([code, stderr], out).toEqual([2, expect.stringContaining('SLURMWIRE_BAD_FILE')]);
    }
    expect(existsSync(ran)).toBe(false);
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
  });

  it('a recording that is lost after the command ran is not "nothing was sent"', async () => {
    const { conf, request } = await cluster('lost');
    const place = at('lost');
    mkdirSync(place);
    const remove = `require('fs').rmdirSync(${JSON.stringify(place)}); process.argv.splice(1, 0, ''); import(${JSON.stringify(CLIENT)})`;
    const argv = [
      'record',
      '-o',
      join(place, 'out'),
      '--conf',
      conf,
      '--',
      process.execPath,
      '-e',
      remove,
      request,
    ];
    const { code, stderr } = await runCli(argv);
    expect(code).toBe(74);
    expect(stderr).toContain('the command has run, and its recording is lost');
    expect(stderr).not.toContain('not-sent');
  });

  it('is for its owner alone: scripts and environments are in it', async () => {
    expect(statSync(await kill('mode.msgpack')).mode & 0o777).toBe(0o600);
  });

  it('no directory for temporary files: said as what it is', async () => {
    const { conf } = await cluster('temporary');
    vi.stubEnv('TMPDIR', '/nonexistent');
    try {
      for (const argv of [
        ['record', '-o', at('x'), '--conf', conf, '--', 'true'],
        ['replay', await kill('t.msgpack'), '--', 'true'],
      ]) {
        const { code, stderr } = await runCli(argv);
        expect([code, stderr]).toEqual([2, expect.stringContaining('Set TMPDIR')]);
      }
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it('--listen until stopped', async () => {
    const { conf } = await cluster('listening');
    const { code, stderr } = await runUntilListening([
      'record',
      '-o',
      at('listen-out.msgpack'),
      '--conf',
      conf,
      '--listen',
    ]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^slurmctld: 127\.0\.0\.1:\d+\nSLURM_CONF=/);
  });

  it('two controllers: one port, since slurm.conf has but one, on two addresses', async () => {
    const { conf } = await cluster('two');
    writeFileSync(
      conf,
      `${readFileSync(conf, 'utf8')}SlurmctldHost=backup(127.0.0.1)\nNodeName=n[1-2] NodeAddr=127.0.0.1 Port=[1-2]\n`.replace(
        'ctl(127.0.0.1)',
        'ctl(127.0.0.9)',
      ),
    );
    const argv = ['record', '-o', at('x'), '--conf', conf, '--slurmds', 'n2', '--listen'];
    const { stderr } = await runUntilListening(argv);
    const [, port] = /^slurmctld: 127\.0\.0\.1:(\d+)$/m.exec(stderr) ?? [];
    expect(stderr).toContain(`slurmctld-2: 127.0.0.2:${port}\n`);
    expect(stderr).toMatch(/^slurmd-2: 127\.0\.0\.1:\d+$/m);
    expect(stderr).not.toContain('slurmd-1');
    const unknown = await runCli(['record', '-o', at('x'), '--conf', conf, '--slurmds', 'n9', '--listen']);
    expect(unknown).toMatchObject({ code: 2, stderr: expect.stringContaining('no node n9') });
  });

  it('TLS: refused', async () => {
    const { conf } = await cluster('tls');
    writeFileSync(conf, `${readFileSync(conf, 'utf8')}TLSType=tls/s2n\n`);
    expect(await runCli(['record', '-o', at('x'), '--conf', conf, '--', 'true'])).toMatchObject({ code: 3 });
  });
});

describe('the slurm.conf that leads elsewhere', () => {
  it('is open to all only if all its parts are, has its neighbours beside it, and goes without a trace', async () => {
    const [file, part, beside] = [at('closed.conf'), at('part.conf'), at('topology.conf')];
    writeFileSync(file, `SlurmctldHost=a\nSlurmUser=root\nInclude ${part}\n`, { mode: 0o644 });
    writeFileSync(part, 'AccountingStoragePass=secret\n', { mode: 0o640 });
    writeFileSync(beside, 'SwitchName=s\n');
    const conf = await loadSlurmConf({ conf: file });
    const leading = { controllers: [{ host: '127.0.0.1', port: 5 }] };
    const { path, remove } = await writeLeadingConf(conf, await slurmConfigOf(conf), leading);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(path, 'utf8')).toContain('AccountingStoragePass=secret');
    expect(readFileSync(join(dirname(path), 'topology.conf'), 'utf8')).toBe('SwitchName=s\n');
    await remove();
    expect(() => statSync(dirname(path))).toThrow('ENOENT');
    expect(readFileSync(beside, 'utf8')).toBe('SwitchName=s\n');
  });

  it('keeps what it does not lead, quotes as Slurm does, and reads back', async () => {
    const text = `ClusterName=c
ControlMachine=old
ControlAddr=10.0.0.1
SlurmctldPort=7000-7004
SlurmUser=root
JobCompLoc="a b"
Prolog=/a\\\\b\\#c
NodeName=DEFAULT CPUs=2 State=UNKNOWN
NodeName=n[1-3] NodeAddr=10.1.0.[1-3] Port=7001 RealMemory=10 Gres=gpu:2
PartitionName=p Nodes=ALL Default=YES
`;
    const conf = await parseSlurmConf(text);
    const config = await slurmConfigOf(conf, { slurmUser: 0, slurmdUser: 0 });
    const leading = {
      controllers: [{ host: '127.0.0.1', port: 5 }],
      nodes: new Map([['n2', { host: '127.0.0.1', port: 99 }]]),
    };
    const written = leadingText(conf, config, leading);
    const again = await parseSlurmConf(written);
    expect((await slurmConfigOf(again, { slurmUser: 0, slurmdUser: 0 })).controllers).toEqual([
      { name: 'old', host: '127.0.0.1', port: 5 },
    ]);
    expect(again.values.get('jobcomploc')?.value).toBe('a b');
    expect(again.values.get('prolog')?.value).toBe(conf.values.get('prolog')?.value);
    expect(
      interpretNodeLines(again.entries).map(({ name, address, port, hostname }) => [
        name,
        hostname,
        address,
        port,
      ]),
    ).toEqual([
      ['n1', 'n1', '10.1.0.1', 7001],
      ['n2', 'n2', '127.0.0.1', 99],
      ['n3', 'n3', '10.1.0.3', 7001],
    ]);
    expect(written).toContain('RealMemory=10 Gres=gpu:2');
    expect(written).toContain('PartitionName=p Nodes=ALL Default=YES');
  });
});
