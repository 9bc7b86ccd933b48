import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { decodeMungeMessage } from '../../src/auth/munge-wire.js';
import { clockSkew, judgeSkew, showSkew } from '../../src/cli/doctor/clock-skew.js';
import { examine } from '../../src/cli/doctor/doctor.js';
import type { Finding } from '../../src/cli/doctor/finding.js';
import { judgeMunge } from '../../src/cli/doctor/munge-version.js';
import { sampleOf } from '../../src/cli/doctor/nodes.js';
import { type RefusalFacts, refusals } from '../../src/cli/doctor/refusals.js';
import { Stopped } from '../../src/cli/io.js';
import { runCli } from './support/cli-run.js';
import { FakeCluster } from './support/cluster.js';

const cleanUp: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

async function cluster(...how: Parameters<typeof FakeCluster.start>): Promise<FakeCluster> {
  const fake = await FakeCluster.start(...how);
  cleanUp.push(() => fake.stop());
  return fake;
}

function confFile(text: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'slurmwire-doctor-'));
  cleanUp.push(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'slurm.conf');
  writeFileSync(file, text);
  return file;
}

interface Report {
  readonly code: number;
  readonly healthy: boolean;
  readonly findings: readonly Finding[];
  of(check: string): Finding;
}

async function doctor(argv: readonly string[], env: Record<string, string> = {}): Promise<Report> {
  const { code, stdout, stderr } = await runCli(['doctor', '--json', ...argv], {
    env: { PATH: '/usr/bin:/bin', ...env },
  });
  expect(stderr).toBe('');
  const { healthy, findings } = JSON.parse(stdout);
  for (const one of findings as Finding[]) {
    expect(one.summary).not.toBe('');
    // Every failed line says what to do.
    if (one.verdict === 'problem' || one.verdict === 'warning') expect(one.advice, one.summary).toMatch(/\S/);
  }
  const of = (check: string) => {
    const found = (findings as Finding[]).find((one) => one.check === check);
    if (found === undefined) throw new Error(`no finding ${check} in ${JSON.stringify(findings, null, 1)}`);
    return found;
  };
  return { code, healthy, findings, of };
}

describe('all is well', () => {
  test('for people, and for programs', async () => {
    const fake = await cluster();
    const { code, healthy, of } = await doctor(fake.options);
    expect([code, healthy]).toEqual([0, true]);
    expect(of('controller')).toMatchObject({
      verdict: 'ok',
      subject: fake.controller.peer,
      details: { role: 'primary', inCharge: true, version: '24.11.5', protocol: '24.11' },
    });
    expect(of('munged')).toMatchObject({ verdict: 'ok', details: { socket: fake.munged.socket, uid: 1000 } });
    expect(of('clock').verdict).toBe('ok');
    expect(of('identity')).toMatchObject({ details: { uid: 1000, rank: 'user' } });
    expect(of('refused').subject).toBe('jobs of others');
    const { stdout, code: again } = await runCli(['doctor', ...fake.options]);
    expect(again).toBe(0);
    expect(stdout).toMatch(/^ok +controller .*: Up and in charge \(primary\): Slurm 24\.11\.5/m);
    expect(stdout.trimEnd()).toMatch(/No problems found/);
  });

  test('nothing but lookups is sent', async () => {
    const fake = await cluster();
    await doctor(fake.options);
    expect(fake.controller.executed).toEqual([]);
    expect(new Set(fake.controller.asked.map(({ name }) => name))).toEqual(
      new Set(['REQUEST_BUILD_INFO', 'REQUEST_PING', 'REQUEST_NODE_INFO']),
    );
  });
});

describe('what is wrong is said, with what to do', () => {
  test('nothing is configured at all', async () => {
    const { code, of } = await doctor(['--timeout', '2s', '--munge-socket', '/nonexistent/munge'], {
      SLURM_CONF: '/nonexistent/slurm.conf',
    });
    expect(code).toBe(1);
    expect(of('configuration')).toMatchObject({
      verdict: 'problem',
      details: { code: 'SLURMWIRE_CONFIG_NOT_FOUND' },
    });
    expect(of('configuration').summary).toContain('SLURM_CONF');
    expect(of('munged')).toMatchObject({ verdict: 'problem', details: { socket: '/nonexistent/munge' } });
    expect(of('clock').verdict).toBe('skipped');
  });

  test('a line of slurm.conf', async () => {
    const file = confFile('ClusterName=lab\nSlurmctldHost=here\nMessageTimeout=soon\nSlurmUser=root\n');
    const { code, of } = await doctor(['--conf', file, '--munge-socket', '/nonexistent/munge']);
    expect(code).toBe(1);
    expect(of('configuration').summary).toContain(`${file}:3`);
  });

  test('the wrong cluster', async () => {
    const fake = await cluster();
    const [, port] = fake.controller.peer.split(':');
    const file = confFile(
      `ClusterName=other\nSlurmctldHost=ctl(127.0.0.1)\nSlurmctldPort=${port}\nSlurmUser=root\nAuthInfo=socket=${fake.munged.socket}\n`,
    );
    const { code, of } = await doctor(['--conf', file], { SLURM_CLUSTERS: 'third' });
    expect(code).toBe(1);
    expect(of('cluster')).toMatchObject({
      verdict: 'problem',
      details: { configured: 'other', told: 'lab' },
    });
    expect(of('configuration').verdict).toBe('ok');
  });

  test('no munged: controllers are connected to and asked nothing', async () => {
    const fake = await cluster();
    await fake.munged.stop();
    const { code, of } = await doctor(fake.options);
    expect(code).toBe(1);
    expect(of('munged').verdict).toBe('problem');
    expect(of('controller')).toMatchObject({ verdict: 'skipped' });
    expect(fake.controller.asked).toEqual([]);
  });

  test('nobody listens; a standby alone', async () => {
    const fake = await cluster({ release: '24.11', standby: 2027 });
    fake.controller.before = () => false;
    const standby = await doctor(fake.options);
    expect(standby.code).toBe(1);
    expect(
      standby.findings.filter(({ check }) => check === 'controller').map(({ verdict }) => verdict),
    ).toEqual(['note', 'problem']);
    await fake.controller.die();
    const { code, of } = await doctor(fake.options);
    expect(code).toBe(1);
    expect(of('controller')).toMatchObject({ verdict: 'problem', details: { errno: 'ECONNREFUSED' } });
  });

  test('clocks apart', async () => {
    const fake = await cluster();
    fake.config = { lastUpdate: BigInt(Math.floor(Date.now() / 1_000) - 400) };
    const { code, of } = await doctor(fake.options);
    expect(code).toBe(1);
    expect(of('clock')).toMatchObject({ verdict: 'problem', details: { lifetimeSeconds: 300 } });
    fake.config = { lastUpdate: BigInt(Math.floor(Date.now() / 1_000) + 60) };
    const apart = await doctor(fake.options);
    expect([apart.code, apart.of('clock').verdict]).toEqual([0, 'warning']);
  });

  test('another SlurmUser here than there is told from other refusals', async () => {
    const fake = await cluster();
    // As slurmctld: a credential that is for somebody else it cannot read, and refuses.
    const answer = fake.controller.before;
    fake.controller.before = (request, connection) => {
      const isForOther = authUidOf(fake.munged.requests.findLast((bytes) => bytes[5] === 2)) === 7;
      fake.controller.become({ release: '24.11', distrusts: isForOther });
      return isForOther ? false : answer(request, connection);
    };
    const [, port] = fake.controller.peer.split(':');
    const file = confFile(
      `ClusterName=lab\nSlurmctldHost=ctl(127.0.0.1)\nSlurmctldPort=${port}\nSlurmUser=7\nAuthInfo=socket=${fake.munged.socket}\n`,
    );
    const { code, of } = await doctor(['--conf', file]);
    expect(code).toBe(1);
    expect(of('controller')).toMatchObject({
      verdict: 'problem',
      details: { slurmUserId: 64030, configured: 7 },
    });
    expect(of('controller').advice).toContain('64030');
  });
});

/** Whom a credential is for that munged is asked to make. */
function authUidOf(request: Buffer | undefined): number | null {
  return request === undefined ? null : decodeMungeMessage('encodeRequest', request).body.authUid;
}

test('it never hangs: a silent munged and a silent controller take their time and no more', async () => {
  const silent = createServer(() => {});
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  cleanUp.push(() => new Promise<void>((resolve) => silent.close(() => resolve())));
  const sockets = new Set<{ destroy(): unknown }>();
  silent.on('connection', (socket) => sockets.add(socket));
  cleanUp.push(() => {
    for (const socket of sockets) socket.destroy();
  });
  const { port } = silent.address() as { port: number };
  const fake = await cluster();
  const there = [
    '--controller',
    `127.0.0.1:${port}`,
    '--munge-socket',
    fake.munged.socket,
    '--auth',
    'munge-socket',
  ];
  const controller = await doctor([...there, '--timeout', '300ms']);
  expect([controller.code, controller.of('controller').verdict]).toEqual([1, 'problem']);
  fake.munged.script = () => {};
  const munged = await doctor([...there, '--timeout', '300ms']);
  expect([munged.code, munged.of('munged').verdict]).toEqual([1, 'problem']);
  expect(munged.of('controller').verdict).toBe('skipped');
}, 10_000);

test('Ctrl-C ends it at once', async () => {
  const fake = await cluster();
  fake.munged.script = () => stop.abort(new Stopped('SIGINT'));
  const stop = new AbortController();
  const startedAt = performance.now();
  const { code } = await runCli(['doctor', ...fake.options, '--timeout', '1h'], { signal: stop.signal });
  expect(code).toBe(130);
  expect(performance.now() - startedAt).toBeLessThan(5_000);
});

test('no secret is told: neither a token, nor what is wrong with one', async () => {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1_000) + 3_600;
  const token = `${part({ alg: 'HS256' })}.${part({ sun: 'alice', exp })}.c2lnbmF0dXJl`;
  const argv = ['--controller', '127.0.0.1:1'];
  const { of, findings } = await doctor(argv, { SLURM_JWT: token });
  expect(of('credentials')).toMatchObject({ details: { method: 'auth/jwt', by: 'SLURM_JWT' } });
  expect(of('token')).toMatchObject({ verdict: 'ok', details: { user: 'alice', expiresAt: exp } });
  expect(of('identity')).toMatchObject({ details: { name: 'alice', uid: null } });
  const broken = await doctor(argv, { SLURM_JWT: `${token}.eyJmorefoo` });
  expect(broken.of('token').verdict).toBe('problem');
  for (const piece of token.split('.')) {
    expect(JSON.stringify(findings)).not.toContain(piece);
    expect(JSON.stringify(broken.findings)).not.toContain(piece);
  }
});

test('libmunge that cannot be loaded is no problem: the socket is spoken to', async () => {
  const fake = await cluster();
  const host = {
    loadMunge: () => Promise.reject(new Error('no such library')),
    mungeVersion: async () => ({ program: '0.5.15', package: null }),
  };
  const found: Finding[] = [];
  const options = { controller: [fake.controller.peer], mungeSocket: fake.munged.socket };
  for await (const part of examine({
    options,
    env: {},
    signal: new AbortController().signal,
    limitMs: 2_000,
    host,
  }))
    found.push(...part);
  expect(found.find(({ check }) => check === 'libmunge')?.verdict).toBe('note');
  expect(found.find(({ check }) => check === 'munge-version')).toMatchObject({ verdict: 'warning' });
  expect(found.filter(({ verdict }) => verdict === 'problem')).toEqual([]);
});

describe('the clock', () => {
  test('the true difference is always within the bounds', () => {
    const ms = fc.integer({ min: -1_000_000, max: 1_000_000 });
    fc.assert(
      fc.property(
        ms,
        fc.integer({ min: 0, max: 5_000 }),
        fc.integer({ min: 0, max: 5_000 }),
        fc.nat(999),
        (skew, there, back, part) => {
          const askedAt = 1_700_000_000_000 + part;
          const told = Math.floor((askedAt + there + skew) / 1_000);
          const { atLeastMs, atMostMs } = clockSkew(told, askedAt, askedAt + there + back);
          expect(atLeastMs).toBeLessThanOrEqual(skew);
          expect(atMostMs).toBeGreaterThanOrEqual(skew);
          expect(atMostMs - atLeastMs).toBe(1_000 + there + back);
          if (Math.abs(skew) < 5_000) expect(judgeSkew({ atLeastMs, atMostMs }, 300_000)).toBe('same');
          if (Math.abs(skew) > 156_000 + there + back)
            expect(judgeSkew({ atLeastMs, atMostMs }, 300_000)).toBe('too-far');
        },
      ),
    );
  });

  test('in words', () => {
    expect(showSkew({ atLeastMs: -400, atMostMs: 610 })).toBe('between 0.4 s behind and 0.6 s ahead');
  });
});

test.each([
  ['0.5.18', null, 'safe'],
  ['0.6', null, 'safe'],
  ['0.5.15', null, 'unsafe'],
  ['0.5.15', '0.5.15-2', 'unsafe'],
  ['0.5.15', '0.5.15-2+deb12u1', 'safe'],
  ['0.5.15', '0.5.15-2+deb12u10', 'safe'],
  [null, '0.5.18-1.el9', 'safe'],
  [null, '0.5.13-13.el9', 'unsafe'],
  [null, null, 'unknown'],
  ['nonsense', null, 'unknown'],
] as const)('munged %s of package %s is %s', (program, ofPackage, verdict) => {
  expect(judgeMunge({ program, package: ofPackage })).toBe(verdict);
});

describe('what would be refused', () => {
  const all: RefusalFacts = {
    rank: 'user',
    reachesNodes: false,
    method: 'auth/jwt',
    protocol: '22.05',
    hidesJobs: true,
    limitsRate: true,
    cluster: { scrontab: 'open', wholeHetJob: true },
  };
  const names = (facts: RefusalFacts) => refusals(facts).map(({ check, subject }) => subject ?? check);

  test('to a user with a token on an old cluster', () => {
    expect(names(all)).toEqual([
      'jobs of others',
      'hidden jobs',
      'many requests',
      'calls to the nodes',
      'scrontab jobs',
      'single het components',
      'mass-kill',
    ]);
  });

  test('to root by munge on a new one: nothing', () => {
    const cluster = { scrontab: 'none', wholeHetJob: false } as const;
    expect(names({ ...all, rank: 'root', reachesNodes: true, protocol: '26.05', cluster })).toEqual([]);
  });
});

test('a sample has the first and the last', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(), { minLength: 5, maxLength: 200 }), (all) => {
      const some = sampleOf(all, 4);
      expect(new Set(some).size).toBe(4);
      expect([some[0], some[3]]).toEqual([all[0], all.at(-1)]);
    }),
  );
});
