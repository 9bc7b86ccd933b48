import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolveUser } from '../../src/config/resolve-user.js';
import { caught, configError } from './caught.js';

let directory = '';
let passwdFile = '';

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'slurmwire-user-'));
  passwdFile = join(directory, 'passwd');
  await writeFile(
    passwdFile,
    [
      '# comment',
      'root:x:0:0:root:/root:/bin/bash',
      'slurmd2:x:7:7::/:/bin/false',
      'slurm:x:64030:64030::/nonexistent:/usr/sbin/nologin',
      'slurm:x:1:1::second line of the same name:',
      'broken:x',
      'huge:x:4294967295:1::/:',
      '+nis::::::',
    ].join('\n'),
  );
});

afterAll(() => rm(directory, { recursive: true, force: true }));

/** A command in place of getent; `$LOG` is the file its arguments go to. */
async function fakeGetent(name: string, script: string): Promise<{ getent: string; log: string }> {
  const getent = join(directory, name);
  const log = join(directory, `${name}.log`);
  await writeFile(getent, `#!/bin/sh\nLOG='${log}'\n${script}\n`);
  await chmod(getent, 0o755);
  return { getent, log };
}

const NO_GETENT = '/nonexistent/getent';

describe('resolveUser', () => {
  it.each([
    ['0', 0],
    ['64030', 64030],
    ['007', 7],
    ['4294967294', 4294967294],
  ])('takes the number %s without asking anyone', async (user, uid) => {
    expect(await resolveUser(user, { passwdFile: '/nonexistent', getent: NO_GETENT })).toBe(uid);
  });

  it.each(['4294967295', '99999999999999999999'])('refuses the number %s', async (user) => {
    const error = await configError(resolveUser(user, { file: '/c', line: 3, parameter: 'SlurmdUser' }));
    expect(error).toMatchObject({ code: 'SLURMWIRE_CONFIG_VALUE', file: '/c', line: 3 });
    expect(error.message).toContain('SlurmdUser');
  });

  it.each([
    ['root', 0],
    ['slurm', 64030],
    ['slurmd2', 7],
  ])('finds %s in the passwd file, the whole name and the first line of it', async (user, uid) => {
    expect(await resolveUser(user, { passwdFile, getent: NO_GETENT })).toBe(uid);
  });

  it.each(['ldapuser', 'broken', 'slur', 'nis', 'DOM\\slurm', 'slurm@example.org', 'größe', 'host$'])(
    'asks getent for %s, with the name as one argument',
    async (user) => {
      const { getent, log } = await fakeGetent(
        'answers',
        'printf "%s\\n" "$#" "$@" > "$LOG"; echo "Other:x:5001:5001:LDAP:/home/x:/bin/sh"; echo "x:x:9:9"',
      );
      expect(await resolveUser(user, { passwdFile, getent })).toBe(5001);
      expect(await readFile(log, 'utf8')).toBe(`2\npasswd\n${user}\n`);
    },
  );

  it('asks getent when there is no passwd file', async () => {
    const { getent } = await fakeGetent('nofile', 'echo "slurm:x:12:12:::"');
    expect(await resolveUser('slurm', { passwdFile: join(directory, 'gone'), getent })).toBe(12);
  });

  it('asks the system by default', async () => {
    expect(await resolveUser('root')).toBe(0);
    expect(await configError(resolveUser('no-such-user-slurmwire'))).toMatchObject({
      code: 'SLURMWIRE_CONFIG_UNKNOWN_USER',
    });
  });

  it.each([
    ['says no', 'exit 2', /not known on this host/],
    ['says nothing', 'exit 0', /not known on this host/],
    ['says nonsense', 'echo hello', /not known on this host/],
    ['gives no number', 'echo "a:x:-5:1:::"', /not known on this host/],
    ['gives a uid that is none', 'echo "a:x:4294967295:1:::"', /not known on this host/],
    [
      'talks without end',
      'while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done',
      /not known on this host/,
    ],
  ])('is an error with the line and the way out when getent %s', async (name, script, words) => {
    const { getent } = await fakeGetent(name.replaceAll(' ', '-'), script);
    const error = await configError(
      resolveUser('ghost', { passwdFile, getent, file: '/etc/slurm/slurm.conf', line: 4 }),
    );
    expect(error).toMatchObject({
      code: 'SLURMWIRE_CONFIG_UNKNOWN_USER',
      file: '/etc/slurm/slurm.conf',
      line: 4,
      hint: 'Pass slurmUser: <uid> to connect().',
    });
    expect(error.message).toMatch(words);
    expect(error.message.startsWith('/etc/slurm/slurm.conf:4: SlurmUser: "ghost"')).toBe(true);
  });

  it('says so when there is no getent', async () => {
    const error = await configError(
      resolveUser('ghost', { passwdFile, getent: NO_GETENT, parameter: 'SlurmdUser' }),
    );
    expect(error.message).toContain('no getent');
    expect(error.hint).toBe('Pass slurmdUser: <uid> to connect().');
    expect(error.cause).toMatchObject({ code: 'ENOENT' });
  });

  it('does not wait for a getent that hangs', async () => {
    const { getent } = await fakeGetent('hangs', 'exec sleep 60');
    const start = performance.now();
    const error = await configError(resolveUser('ghost', { passwdFile, getent, getentTimeoutMs: 100 }));
    expect(error.code).toBe('SLURMWIRE_CONFIG_UNKNOWN_USER');
    expect(error.message).toContain('did not answer within 100 ms');
    expect(performance.now() - start).toBeLessThan(10_000);
  });

  it('rejects with the reason of the signal, before and while getent runs', async () => {
    const reason = new Error('enough');
    expect(await caught(resolveUser('root', { signal: AbortSignal.abort(reason) }))).toBe(reason);
    const { getent } = await fakeGetent('hangs-too', 'exec sleep 60');
    const control = new AbortController();
    setTimeout(() => control.abort(reason), 100);
    expect(await caught(resolveUser('ghost', { passwdFile, getent, signal: control.signal }))).toBe(reason);
  });

  it.each([
    '',
    '-s',
    '--help',
    'a b',
    'a:b',
    'a\nb',
    'a;b',
    '$(id)',
    '`id`',
    'a/b',
    'a|b',
    '*',
    'x'.repeat(257),
    'a\0b',
  ])('never looks up %j', async (user) => {
    const { getent, log } = await fakeGetent('never', 'touch "$LOG"; echo "a:x:1:1:::"');
    const error = await configError(resolveUser(user, { passwdFile, getent }));
    expect(error).toMatchObject({ code: 'SLURMWIRE_CONFIG_UNKNOWN_USER' });
    expect(error.message).toContain('is not a user name');
    await expect(readFile(log)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
