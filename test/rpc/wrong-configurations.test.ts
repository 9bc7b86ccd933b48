/**
 * Wrong configurations, as connect() sees them: each is a typed error that says which file and line; nothing is sent, nothing hangs, and
 * nothing ends the process.
 */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type ConfigErrorCode as Code, ConfigErrorCode, loadSlurmConfig } from '../../src/config/index.js';
import { SlurmConfigError } from '../../src/protocol/index.js';
import { connect } from '../../src/rpc/index.js';
import { FakeAuth } from './support/fake-auth.js';
import { failureOf, transportOf } from './support/setup.js';

const { VALUE, SYNTAX, INCLUDE, NOT_FOUND, UNREADABLE, TOO_LARGE, UNKNOWN_USER, NO_CONTROLLER } =
  ConfigErrorCode;
const MAIN = 'slurm.conf';
const CTL = 'SlurmctldHost=ctl\n';

interface Wrong {
  readonly name: string;
  /** The file slurm.conf; several files by name. */
  readonly conf: string | Uint8Array | Readonly<Record<string, string>>;
  readonly code: Code | 'SLURMWIRE_CONFIG_AUTH_TYPE';
  /** Undefined where no line is to blame. */
  readonly line?: number;
  /** Where not slurm.conf. */
  readonly file?: string;
  /** Something that has to stand in the message. */
  readonly says?: string;
}

const SYNTAX_ERRORS: readonly Wrong[] = [
  { name: 'a word alone', conf: `${CTL}oops`, code: SYNTAX, line: 2 },
  { name: 'a sentence', conf: `${CTL}\nthis is not a configuration`, code: SYNTAX, line: 3 },
  {
    name: 'a key without a value',
    conf: 'ClusterName=',
    code: SYNTAX,
    line: 1,
    says: 'ClusterName has no value',
  },
  { name: 'a value without a key', conf: `${CTL}=x`, code: SYNTAX, line: 2 },
  { name: 'a quote that is not closed', conf: `${CTL}A="b c`, code: SYNTAX, line: 2 },
  { name: 'text after a quoted value', conf: `${CTL}A="b" c`, code: SYNTAX, line: 2 },
  { name: 'an operator that is none', conf: `${CTL}A%=b`, code: SYNTAX, line: 2 },
  { name: 'a comment in C', conf: `// x\n${CTL}`, code: SYNTAX, line: 1 },
  { name: 'an error behind a continued line', conf: `A=1 \\\nB=2\noops`, code: SYNTAX, line: 3 },
  { name: 'an error in a continued line', conf: `${CTL}A=1 \\\noops`, code: SYNTAX, line: 2 },
  { name: 'YAML', conf: 'cluster:\n  name: x', code: SYNTAX, line: 1 },
  { name: 'JSON', conf: '{"ClusterName":"x"}', code: SYNTAX, line: 1 },
  { name: 'a line with a password is not shown', conf: `${CTL}StoragePass hunter2`, code: SYNTAX, line: 2 },
  { name: 'a no-break space', conf: `${CTL}\u00a0A=1`, code: SYNTAX, line: 2 },
  { name: 'a byte order mark', conf: `\ufeff${CTL}`, code: SYNTAX, line: 1 },
  { name: 'UTF-16', conf: Buffer.from(`\ufeff${CTL}`, 'utf16le'), code: UNREADABLE, says: 'NUL' },
  {
    name: 'a program',
    conf: Buffer.from('\x7fELF\x02\x01\x01\x00\x00', 'latin1'),
    code: UNREADABLE,
    says: 'NUL',
  },
  { name: 'a NUL in a value', conf: Buffer.from(`${CTL}A=\0b\n`), code: UNREADABLE },
  { name: 'random bytes', conf: Buffer.from([0xff, 0xfe, 0x80, 0x0a, 0x3d]), code: SYNTAX, line: 1 },
];

const INCLUDES: readonly Wrong[] = [
  { name: 'a file that is not there', conf: `${CTL}Include gone`, code: NOT_FOUND, line: 2, says: 'gone' },
  { name: 'no file', conf: `${CTL}Include`, code: SYNTAX, line: 2 },
  { name: 'with =', conf: `${CTL}Include=x`, code: SYNTAX, line: 2 },
  { name: 'two files', conf: `${CTL}Include a b`, code: SYNTAX, line: 2 },
  { name: 'a pattern', conf: `${CTL}Include nodes/*.conf`, code: INCLUDE, line: 2, says: 'patterns' },
  { name: '%c without a ClusterName', conf: `${CTL}Include %c.conf`, code: INCLUDE, line: 2 },
  { name: 'itself', conf: `${CTL}Include slurm.conf`, code: INCLUDE, line: 2, says: 'cycle' },
  {
    name: 'a cycle of three',
    conf: { [MAIN]: 'Include a', a: '\nInclude b', b: '\n\nInclude slurm.conf' },
    code: INCLUDE,
    file: 'b',
    line: 3,
  },
  {
    name: 'a loop through a link',
    conf: { [MAIN]: 'Include here/slurm.conf' },
    code: INCLUDE,
    file: 'here/slurm.conf',
    line: 1,
  },
  {
    name: 'a tree that doubles',
    conf: Object.fromEntries(
      Array.from({ length: 15 }, (_, depth) => [
        depth === 0 ? MAIN : `f${depth}`,
        depth === 14 ? 'A=1' : `Include f${depth + 1}\nInclude f${depth + 1}`,
      ]),
    ),
    code: INCLUDE,
    file: 'f13',
    line: 1,
    says: 'more than 1000',
  },
  { name: 'a directory', conf: `${CTL}Include here`, code: UNREADABLE, line: 2 },
  { name: 'a device that never ends', conf: `${CTL}Include /dev/zero`, code: UNREADABLE, line: 2 },
  {
    name: 'an error in an included file',
    conf: { [MAIN]: `${CTL}Include a`, a: '\n\noops' },
    code: SYNTAX,
    file: 'a',
    line: 3,
  },
  {
    name: 'a wrong value in an included file',
    conf: { [MAIN]: `${CTL}Include a`, a: 'TCPTimeout=x' },
    code: VALUE,
    file: 'a',
    line: 1,
  },
  { name: 'a file with a NUL', conf: { [MAIN]: `${CTL}Include a`, a: 'A=\0' }, code: UNREADABLE, line: 2 },
  {
    name: 'the same large file again and again',
    conf: { [MAIN]: 'Include a\n'.repeat(20), a: `#${'x'.repeat(4_000_000)}` },
    code: TOO_LARGE,
    line: 17,
  },
];

const CONTROLLERS: readonly Wrong[] = [
  { name: 'none', conf: 'ClusterName=x', code: NO_CONTROLLER },
  { name: 'an empty file', conf: '', code: NO_CONTROLLER },
  { name: 'comments only', conf: '# nothing\n', code: NO_CONTROLLER },
  { name: 'a backup of nothing', conf: 'BackupController=b', code: NO_CONTROLLER },
  { name: 'one twice', conf: `${CTL}${CTL}`, code: VALUE, line: 2, says: 'twice' },
  { name: 'a list', conf: 'SlurmctldHost=a,b', code: VALUE, line: 1 },
  { name: 'a range', conf: 'SlurmctldHost=a[1-2]', code: VALUE, line: 1 },
  { name: 'a port', conf: 'SlurmctldHost=a:6817', code: VALUE, line: 1 },
  { name: 'a parenthesis that is not closed', conf: 'SlurmctldHost=a(b', code: VALUE, line: 1 },
  { name: 'an empty address', conf: 'SlurmctldHost=a()', code: VALUE, line: 1 },
  { name: 'an IPv6 address in brackets', conf: 'SlurmctldHost=a([::1])', code: VALUE, line: 1 },
  {
    name: 'several old names without an address',
    conf: 'ControlMachine=a,b',
    code: VALUE,
    line: 1,
    says: 'ControlAddr',
  },
  {
    name: 'an old address without a name',
    conf: '\nControlAddr=a',
    code: VALUE,
    line: 2,
    says: 'ControlMachine',
  },
  { name: 'a virtual address that is a list', conf: `${CTL}SlurmctldAddr=a,b`, code: VALUE, line: 2 },
  { name: 'SlurmctldPort=0', conf: `${CTL}SlurmctldPort=0`, code: VALUE, line: 2 },
  { name: 'SlurmctldPort too large', conf: `${CTL}SlurmctldPort=65536`, code: VALUE, line: 2 },
  { name: 'SlurmctldPort backwards', conf: `${CTL}SlurmctldPort=7001-7000`, code: VALUE, line: 2 },
  { name: 'SlurmctldPort as a name', conf: `${CTL}SlurmctldPort=slurm`, code: VALUE, line: 2 },
];

const PARAMETERS: readonly Wrong[] = [
  { name: 'MessageTimeout=0', conf: `${CTL}MessageTimeout=0`, code: VALUE, line: 2 },
  { name: 'MessageTimeout=10s', conf: `${CTL}MessageTimeout=10s`, code: VALUE, line: 2 },
  { name: 'TCPTimeout negative', conf: `${CTL}TCPTimeout=-1`, code: VALUE, line: 2 },
  { name: 'SlurmctldTimeout too large', conf: `${CTL}SlurmctldTimeout=65536`, code: VALUE, line: 2 },
  { name: 'KillWait as a word', conf: `${CTL}KillWait=long`, code: VALUE, line: 2 },
  { name: 'MaxArraySize beyond 32 bits', conf: `${CTL}MaxArraySize=4294967296`, code: VALUE, line: 2 },
  { name: 'SlurmUser unknown', conf: `${CTL}SlurmUser=no-such-user-here`, code: UNKNOWN_USER, line: 2 },
  { name: 'SlurmdUser unknown', conf: `${CTL}\nSlurmdUser=no-such-user-here`, code: UNKNOWN_USER, line: 3 },
  { name: 'AuthType unknown', conf: `${CTL}AuthType=auth/none`, code: 'SLURMWIRE_CONFIG_AUTH_TYPE', line: 2 },
  { name: 'AuthInfo without a path', conf: `${CTL}AuthInfo=socket=`, code: VALUE, line: 2 },
  {
    name: 'AuthInfo with a socket that no system takes',
    conf: `${CTL}AuthInfo=socket=/${'x'.repeat(108)}`,
    code: VALUE,
    line: 2,
    says: '107',
  },
  {
    name: 'AuthInfo as such a socket',
    conf: `${CTL}AuthInfo=/${'x'.repeat(108)}`,
    code: VALUE,
    line: 2,
    says: '107',
  },
  { name: 'ClusterName with a slash', conf: `${CTL}ClusterName=a/b`, code: VALUE, line: 2 },
  { name: 'AuthInfo with a ttl that is none', conf: `${CTL}AuthInfo=ttl=soon`, code: VALUE, line: 2 },
  { name: 'AuthInfo with a short cred_expire', conf: `${CTL}AuthInfo=cred_expire=4`, code: VALUE, line: 2 },
  { name: 'no family of addresses', conf: `${CTL}CommunicationParameters=DisableIPv4`, code: VALUE, line: 2 },
  { name: 'TreeWidth too large', conf: `${CTL}TreeWidth=65534`, code: VALUE, line: 2 },
  { name: 'TreeWidth as a word', conf: `${CTL}TreeWidth=wide`, code: VALUE, line: 2 },
  { name: 'SlurmdPort=0', conf: `${CTL}SlurmdPort=0`, code: VALUE, line: 2 },
];

const NODES: readonly Wrong[] = [
  { name: 'a bracket that is not closed', conf: `${CTL}NodeName=n[1-2`, code: VALUE, line: 2 },
  { name: 'a range that runs backwards', conf: `${CTL}NodeName=n[2-1]`, code: VALUE, line: 2 },
  { name: 'an empty group', conf: `${CTL}NodeName=n[]`, code: VALUE, line: 2 },
  { name: 'a node twice', conf: `${CTL}NodeName=n[1-3]\nNodeName=n2`, code: VALUE, line: 3, says: 'n2' },
  { name: 'ALL', conf: `${CTL}NodeName=ALL`, code: VALUE, line: 2, says: 'reserved' },
  { name: 'too few addresses', conf: `${CTL}NodeName=n[1-3] NodeAddr=a[1-2]`, code: VALUE, line: 2 },
  { name: 'too many host names', conf: `${CTL}NodeName=n[1-2] NodeHostname=h[1-3]`, code: VALUE, line: 2 },
  { name: 'too few BcastAddr', conf: `${CTL}NodeName=n[1-3] BcastAddr=b[1-2]`, code: VALUE, line: 2 },
  { name: 'too few ports', conf: `${CTL}NodeName=n[1-3] Port=7000-7001`, code: VALUE, line: 2 },
  { name: 'a port that is none', conf: `${CTL}NodeName=n1 Port=70000`, code: VALUE, line: 2 },
  { name: 'NodeAddr in DEFAULT', conf: `${CTL}NodeName=DEFAULT NodeAddr=a`, code: VALUE, line: 2 },
  { name: 'a node set that is a list', conf: `${CTL}NodeSet=a,b Feature=x`, code: VALUE, line: 2 },
  {
    name: 'a node set with the name of a node',
    conf: `${CTL}NodeSet=n1 Feature=x\nNodeName=n1`,
    code: VALUE,
    line: 2,
  },
  { name: 'a million nodes', conf: `${CTL}NodeName=n[1-1000000]`, code: VALUE, line: 2, says: '65536' },
  { name: 'a million million nodes', conf: `${CTL}NodeName=a[1-1000000]b[1-1000000]`, code: VALUE, line: 2 },
  {
    name: 'more nodes than there are numbers',
    conf: `${CTL}NodeName=n[0-99999999999999999999999]`,
    code: VALUE,
    line: 2,
  },
  { name: 'a million addresses', conf: `${CTL}NodeName=n1 NodeAddr=a[1-1000000]`, code: VALUE, line: 2 },
  {
    name: 'a million names one by one',
    conf: `${CTL}NodeName=${Array.from({ length: 1_000_000 }, (_, index) => `n${index}`).join()}`,
    code: VALUE,
    line: 2,
  },
  {
    name: 'too many nodes over several lines',
    conf: `${CTL}${'abcde'.replace(/./g, (letter) => `NodeName=${letter}[1-20000]\n`)}`,
    code: VALUE,
    line: 5,
  },
];

const TABLE = { SYNTAX_ERRORS, INCLUDES, CONTROLLERS, PARAMETERS, NODES };

let directory = '';
const path = (name: string) => join(directory, name);

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'slurmwire-wrong-'));
  await symlink('.', path('here'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const unhandled: unknown[] = [];
const note = (reason: unknown) => unhandled.push(reason);
const exit = vi.spyOn(process, 'exit');
beforeAll(() => void process.on('unhandledRejection', note));
afterAll(() => void process.off('unhandledRejection', note));

async function write(conf: Wrong['conf']): Promise<void> {
  const files = typeof conf === 'string' || conf instanceof Uint8Array ? { [MAIN]: conf } : conf;
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(path(name)), { recursive: true });
    await writeFile(path(name), content);
  }
}

/** What stood in the way of connect(), and that nothing else happened. */
async function refusal(connecting: () => Promise<unknown>): Promise<SlurmConfigError> {
  const heapBefore = process.memoryUsage().rss;
  const startedAt = performance.now();
  const error = await failureOf(connecting());
  // Far above what any of these takes, and far below a hang or an expansion of what they ask for.
  expect(performance.now() - startedAt).toBeLessThan(10_000);
  expect(process.memoryUsage().rss - heapBefore).toBeLessThan(600_000_000);
  expect(error).toBeInstanceOf(SlurmConfigError);
  expect(error).toMatchObject({ phase: 'config', outcome: 'not-sent' });
  expect(error.message.length).toBeLessThan(2_000);
  expect(unhandled).toEqual([]);
  expect(exit).not.toHaveBeenCalled();
  return error as SlurmConfigError;
}

it('the table has at least 40 rows, each with another name', () => {
  const names = Object.values(TABLE).flatMap((rows) => rows.map(({ name }) => name));
  expect(names.length).toBeGreaterThanOrEqual(40);
  expect(new Set(names).size).toBe(names.length);
});

describe.each(Object.entries(TABLE))('%s', (_, rows) => {
  it.each(rows.map((row) => [row.name, row] as const))('%s', async (_name, row) => {
    await write(row.conf);
    const transport = vi.fn();
    // An AuthType is looked at only where the caller brings no authenticator.
    const auth = row.code === 'SLURMWIRE_CONFIG_AUTH_TYPE' ? undefined : new FakeAuth();
    const error = await refusal(() => connect({ conf: path(MAIN), auth, transport: transportOf(transport) }));
    const { code, line, file = MAIN, says = '' } = row;
    expect(error).toMatchObject({ code, file: path(file), line });
    expect(error.message).toContain(line === undefined ? path(file) : `${path(file)}:${line}: `);
    expect(error.message).toContain(says);
    expect(error.message).not.toContain('hunter2');
    expect(transport).not.toHaveBeenCalled();
  });
});

describe('the environment', () => {
  afterEach(() => void vi.unstubAllEnvs());

  it('SLURM_CONF that names nothing', async () => {
    vi.stubEnv('SLURM_CONF', path('gone.conf'));
    expect(await refusal(() => connect())).toMatchObject({ code: NOT_FOUND, file: path('gone.conf') });
  });

  it.each([
    ['SLURM_CLUSTERS with another cluster', 'other'],
    ['SLURM_CLUSTERS with several clusters', 'mine,other'],
  ])('%s', async (_, SLURM_CLUSTERS) => {
    await write(`${CTL}ClusterName=Mine`);
    vi.stubEnv('SLURM_CONF', path(MAIN));
    vi.stubEnv('SLURM_CLUSTERS', SLURM_CLUSTERS);
    const auth = new FakeAuth();
    expect(await refusal(() => connect({ auth }))).toMatchObject({ code: ConfigErrorCode.OTHER_CLUSTER });
    const read = await loadSlurmConfig({ conf: path(MAIN) });
    expect(await refusal(() => connect({ auth, conf: read }))).toMatchObject({
      code: ConfigErrorCode.OTHER_CLUSTER,
    });
    await (await connect({ auth, conf: { ...read, file: null } })).close();
    // Who names the controllers has said which cluster is meant; so has the variable when it names this one.
    await (await connect({ auth, controllers: ['ctl'], conf: path(MAIN) })).close();
    await (await connect({ auth, controllers: ['ctl'] })).close();
    vi.stubEnv('SLURM_CLUSTERS', 'MINE');
    await (await connect({ auth })).close();
  });
});
