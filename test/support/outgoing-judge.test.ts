/**
 * The judge of outgoing bytes can fail: right frames pass, and of each rule there is a frame that breaks it. Such frames go to the judge and
 * nowhere else.
 */
import { describe, expect, it } from 'vitest';
import {
  encodeBody,
  encodeFrame,
  isAtLeast,
  type MessageInput,
  type MessageName,
  payloadDigest,
  RELEASE_NAMES,
  type Release,
} from '../../src/protocol/index.js';
import { messageTypeNumber } from '../../src/protocol/message-type.js';
import { namesOf } from './outgoing-frame.js';
import { type Facts, judgeFrame, OutgoingJudge } from './outgoing-judge.js';

const NO_VAL = 0xfffffffe;
const stepId = { jobId: 7, stepId: 0, stepHetComp: NO_VAL };
const whole = { jobId: NO_VAL, stepId: NO_VAL, stepHetComp: NO_VAL };
const GOOD = {
  REQUEST_PING: {},
  REQUEST_KILL_JOB: { stepId: whole, sjobId: '7_[1-3]', signal: 15, flags: 0x0001 },
  REQUEST_CANCEL_JOB_STEP: { stepId, sjobId: null, signal: 9 },
  REQUEST_KILL_JOBS: {
    flags: 0x0800,
    signal: 15,
    jobsArray: ['7', '8_[1-3]'],
    userName: 'alice',
    userId: 1000,
  },
  REQUEST_SUSPEND: { op: 1, jobIdStr: '7', jobId: NO_VAL },
  REQUEST_SIGNAL_TASKS: { stepId, flags: 0x0004, signal: 10 },
  REQUEST_TERMINATE_TASKS: { stepId, flags: 0, signal: 0xffff },
} as const;
type Kind = keyof typeof GOOD;

const ALICE: Facts = { caller: { uid: 1000, isPrivileged: false }, messageTimeoutMs: 10_000 };
const payloads = new Map<string, Uint8Array>();
let serial = 0;

interface Given {
  readonly flags?: number;
  readonly forward?: Parameters<typeof encodeFrame>[0]['forward'];
  readonly auth?: Parameters<typeof encodeFrame>[0]['auth'];
}

/** A frame by the codec, which packs whatever it is given. */
function frame(name: MessageName, release: Release, record: object, given: Given = {}): Uint8Array {
  const body = encodeBody(name, release, record as MessageInput<typeof name>);
  const credential = `TEST:${++serial}:`;
  payloads.set(credential, payloadDigest(release, messageTypeNumber(name, release) as number, body));
  return encodeFrame({
    release,
    messageName: name,
    body,
    auth: { plugin: 'auth/munge', credential },
    ...given,
  });
}

const facts: Facts = { ...ALICE, payloadOf: (credential) => payloads.get(credential) ?? null };
const judged = (name: Kind, release: Release, changed: object = {}, given: Given = {}) =>
  judgeFrame(frame(name, release, { ...GOOD[name], ...changed }, given), facts);
const has = (name: Kind, release: Release) => messageTypeNumber(name, release) !== null;
const tree = (release: Release, changed: object = {}) => ({
  forward: {
    cnt: 3,
    nodelist: 'n[2-3],login',
    timeout: 10_000,
    treeWidth: 16,
    ...(isAtLeast(release, '24.11') ? { treeDepth: 1 } : {}),
    ...changed,
  },
});

describe.each(RELEASE_NAMES)('%s', (release) => {
  it('what a client should send breaks no rule', () => {
    for (const name of Object.keys(GOOD) as Kind[]) {
      if (!has(name, release)) continue;
      expect(judged(name, release), name).toEqual([]);
      for (const flags of [0x0001, 0x0010, 0x0011]) expect(judged(name, release, {}, { flags })).toEqual([]);
    }
    expect(judged('REQUEST_SIGNAL_TASKS', release, {}, tree(release))).toEqual([]);
  });

  it.each<[string, Kind, object, RegExp]>([
    ['no id text', 'REQUEST_KILL_JOB', { sjobId: null }, /without an id text/],
    ['an empty id text', 'REQUEST_KILL_JOB', { sjobId: '' }, /without an id text/],
    ['a signal of Slurm', 'REQUEST_KILL_JOB', { signal: 991 }, /signal 991/],
    ['signal 0', 'REQUEST_CANCEL_JOB_STEP', { signal: 0 }, /signal 0/],
    ['SIG_FAILURE at a slurmd', 'REQUEST_SIGNAL_TASKS', { signal: 999 }, /signal 999/],
    ['no signal at a slurmd', 'REQUEST_SIGNAL_TASKS', { signal: 0xffff }, /signal 65535/],
    ['SIG_OOM', 'REQUEST_TERMINATE_TASKS', { signal: 253 }, /signal 253/],
    ["slurmctld's own flag", 'REQUEST_KILL_JOB', { flags: 0x0040 }, /KILL flag 0x40/],
    ['the flag of array tasks', 'REQUEST_CANCEL_JOB_STEP', { flags: 0x0002 }, /KILL flag 0x2/],
    ['the highest flag', 'REQUEST_SIGNAL_TASKS', { flags: 0x8000 }, /KILL flag 0x8000/],
    ['neither suspend nor resume', 'REQUEST_SUSPEND', { op: 2 }, /op 2/],
    ['KILL_JOBS for anybody', 'REQUEST_KILL_JOBS', { userName: null }, /another user's/],
    ["KILL_JOBS for another's", 'REQUEST_KILL_JOBS', { userId: 1001 }, /another user's/],
    ['KILL_JOBS that tells nothing', 'REQUEST_KILL_JOBS', { flags: 0 }, /tells nothing/],
    ['KILL_JOBS of N+K', 'REQUEST_KILL_JOBS', { jobsArray: ['7+1'] }, /7\+1/],
    ['KILL_JOBS of a step', 'REQUEST_KILL_JOBS', { jobsArray: ['7.0'] }, /7\.0/],
    ['KILL_JOBS of nothing', 'REQUEST_KILL_JOBS', { jobsArray: ['7', null] }, /null/],
  ])('%s', (_, name, changed, what) => {
    if (has(name, release)) expect(judged(name, release, changed).join()).toMatch(what);
  });

  it('KILL flags of other versions', () => {
    for (const [bit, first, last] of [
      [0x0200, '23.02', '25.05'],
      [0x0800, '23.11', '26.11'],
      [0x1000, '24.05', '26.11'],
      [0x2000, '25.05', '26.11'],
    ] as const) {
      const isIts = isAtLeast(release, first) && isAtLeast(last, release);
      expect(judged('REQUEST_KILL_JOB', release, { flags: bit })).toHaveLength(isIts ? 0 : 1);
    }
  });

  it.each([0x0002, 0x0004, 0x0008, 0x0020, 0x0080, 0x0100, 0x8000])('header flag %i', (flags) => {
    expect(judged('REQUEST_PING', release, {}, { flags }).join()).toMatch(/header flags/);
  });

  it('no credential, none in it, one for another message', () => {
    expect(judged('REQUEST_PING', release, {}, { auth: null }).join()).toMatch(
      /header flags 0x40.*no credential/,
    );
    for (const credential of [null, ''])
      expect(judged('REQUEST_PING', release, {}, { auth: { plugin: 'auth/munge', credential } })).toContain(
        'no credential',
      );
    const none = { plugin: 'auth/none', uid: 0, gid: 0, hostname: 'x' } as const;
    expect(judged('REQUEST_PING', release, {}, { auth: none }).join()).toMatch(/plugin 100/);
    const credential = `TEST:${serial}:`;
    const other = judged('REQUEST_KILL_JOB', release, {}, { auth: { plugin: 'auth/munge', credential } });
    expect(other).toEqual(['a credential that is bound to something else']);
  });

  it.each<[string, object, RegExp]>([
    ['a count too small', { cnt: 2 }, /count 2 for 3/],
    ['a count too large', { cnt: 4 }, /count 4 for 3/],
    ['a name that is there twice', { nodelist: 'n[2-3],n2' }, /count 3 for 2.*twice/],
    ['overlapping ranges', { cnt: 4, nodelist: 'n[2-4,4-5]' }, /twice/],
    ['no list', { nodelist: null }, /count 3 for 0|list that is none/],
    ['an empty item', { nodelist: 'n2,,n3' }, /count 3 for 2/],
    ['what is no list', { nodelist: 'n[2-' }, /list that is none/],
    ['no time', { timeout: 0 }, /0 ms/],
    ['less time than MessageTimeout', { timeout: 9_999 }, /9999 ms/],
    ['no width', { treeWidth: 0 }, /tree width 0/],
    ['a width that Slurm does not take', { treeWidth: 65_534 }, /tree width 65534/],
  ])('%s', (_, changed, what) => {
    expect(judged('REQUEST_SIGNAL_TASKS', release, {}, tree(release, changed)).join()).toMatch(what);
  });

  it('depth 0, a credential of addresses, itself, another message, trailing bytes', () => {
    const depth = judged(
      'REQUEST_SIGNAL_TASKS',
      release,
      {},
      tree(release, isAtLeast(release, '24.11') ? { treeDepth: 0 } : {}),
    );
    expect(depth).toEqual(isAtLeast(release, '24.11') ? ['tree depth 0'] : []);
    if (isAtLeast(release, '23.11')) {
      const given = { ...tree(release, { netCred: 'TEST' }), flags: 0x0080 };
      expect(judged('REQUEST_SIGNAL_TASKS', release, {}, given).join()).toMatch(
        /header flags.*credential of addresses/,
      );
    }
    const bytes = frame('REQUEST_SIGNAL_TASKS', release, GOOD.REQUEST_SIGNAL_TASKS, tree(release));
    expect(judgeFrame(bytes, { ...facts, node: 'n3' })).toEqual(['n3 is to pass it on to itself']);
    expect(judgeFrame(bytes, { ...facts, node: 'n1' })).toEqual([]);
    expect(judged('REQUEST_PING', release, {}, tree(release))).toEqual(['message 1008 forwarded']);
    expect(judgeFrame(Buffer.concat([bytes, Uint8Array.of(0)])).join()).toMatch(/no request frame/);
    expect(judgeFrame(bytes.subarray(0, -1)).join()).toMatch(/no request frame/);
  });
});

it('answers, and what only daemons say', () => {
  const names = ['RESPONSE_SLURM_RC', 'REQUEST_TERMINATE_JOB', 'REQUEST_ABORT_JOB'] as const;
  const numbers = names.map((name) => messageTypeNumber(name, '22.05') as number);
  for (const type of [...numbers, 1003, 1005, 1015, 6009, 6016, 5031, 5017]) {
    const bytes = frame('REQUEST_PING', '22.05', {});
    new DataView(bytes.buffer, bytes.byteOffset).setUint16(8, type);
    expect(judgeFrame(bytes).join(), String(type)).toMatch(/client sends|slurmctld's own/);
  }
});

describe('whole connections', () => {
  const ping = () => frame('REQUEST_PING', '22.05', {});

  it('one write each, each with a credential of its own', () => {
    const judge = new OutgoingJudge(facts);
    for (let i = 0; i < 3; i++) judge.connection().wrote(ping());
    expect([judge.broken, judge.connections, judge.frames.length]).toEqual([[], 3, 3]);
  });

  it('a second request, half a request, a FIN, a handshake', () => {
    const judge = new OutgoingJudge(facts);
    const twice = judge.connection();
    twice.wrote(ping());
    twice.wrote(ping());
    expect(judge.broken.splice(0)).toEqual(['connection 0: more than one write']);
    judge.connection().wrote(ping().subarray(0, 20));
    expect(judge.broken.splice(0).join()).toMatch(/connection 1: no request frame/);
    judge.connection().wrote(Buffer.concat([ping(), ping()]));
    expect(judge.broken.splice(0).join()).toMatch(/connection 2: no request frame/);
    judge.connection().halfClosed();
    judge.connection().wrote(Uint8Array.of(0x16, 0x03, 0x01, 0, 0));
    expect(judge.broken).toEqual([
      'connection 3: half-closed',
      'connection 4: a TLS handshake to a plain port',
    ]);
  });

  it('a credential for a second time; a token may be', () => {
    const judge = new OutgoingJudge();
    const bytes = ping();
    judge.connection().wrote(bytes);
    judge.connection().wrote(bytes);
    expect(judge.broken.splice(0)).toEqual(['connection 1: the credential of connection 0 once more']);
    const slurm = { auth: { plugin: 'auth/slurm', token: 'TEST' } } as const;
    judge.connection().wrote(frame('REQUEST_PING', '24.11', {}, slurm));
    judge.connection().wrote(frame('REQUEST_PING', '24.11', {}, slurm));
    const token = { auth: { plugin: 'auth/jwt', token: 'TEST', username: null } } as const;
    judge.connection().wrote(frame('REQUEST_PING', '24.11', {}, token));
    judge.connection().wrote(frame('REQUEST_PING', '24.11', {}, token));
    expect(judge.broken).toEqual([]);
  });
});

it('node lists, read by the judge', () => {
  expect(namesOf('n[08-11,20],login,x7')).toEqual(['n08', 'n09', 'n10', 'n11', 'n20', 'login', 'x7']);
  expect(namesOf('')).toEqual([]);
  expect(namesOf(',a,,b')).toEqual(['a', 'b']);
  expect(namesOf('n[8-10]')).toEqual(['n8', 'n9', 'n10']);
  for (const bad of ['n[1-3', 'n[3-1]', 'a b', 'n[1]b[2]', 'n[]', 'n[1-900000]'])
    expect(() => namesOf(bad), bad).toThrow();
});
