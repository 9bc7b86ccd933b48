/** What the guard refuses of REQUEST_KILL_JOBS and of the slurmds' signals: our side only, nothing is sent anywhere. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  encodeBody,
  isAtLeast,
  type MessageInput,
  type MessageName,
  RELEASE_NAMES,
  type Release,
  type SlurmUsageError,
} from '../../src/protocol/index.js';
import { hasKillFlag, sendableKillBits } from '../../src/protocol/kill-flags.js';
import { refuseUnsafe } from '../../src/rpc/guard.js';
import { type Identity, isWholeUidMap, ownIdentity } from '../../src/rpc/kill-jobs-identity.js';
import { FakeAuth } from './support/fake-auth.js';
import { answering, reply } from './support/replies.js';
import { ScriptedPeer } from './support/scripted-peer.js';
import { clientOf, expectUsageError } from './support/setup.js';

const RELEASES = RELEASE_NAMES.filter((release) => isAtLeast(release, '23.11'));
const VERBOSE = 0x0800;
const ALICE = 1000;
const SLURM = 64030;
const alice: Identity = { uid: ALICE, slurmUser: SLURM };
const root: Identity = { uid: 0, slurmUser: SLURM };
const slurm: Identity = { uid: SLURM, slurmUser: SLURM };
const nobody: Identity = { uid: null, slurmUser: SLURM };

type Input = MessageInput<'REQUEST_KILL_JOBS'>;
const OWN: Input = {
  flags: VERBOSE,
  signal: 15,
  jobsArray: ['7', '8_[1-3]'],
  userName: 'alice',
  userId: ALICE,
};
const ANYBODYS: Input = { flags: VERBOSE, signal: 15, jobsArray: ['7'] };

/** The field that is refused, or `null`. */
function refusedField<N extends MessageName>(
  name: N,
  record: MessageInput<N>,
  identity: Identity,
  release: Release = '24.11',
): string | null {
  try {
    refuseUnsafe(name, release, encodeBody(name, release, record), 0, identity);
    return null;
  } catch (error) {
    const { code, outcome, rpc, field } = error as SlurmUsageError;
    expect([code, outcome, rpc]).toEqual(['SLURMWIRE_UNSAFE_MESSAGE', 'not-sent', name]);
    return field;
  }
}
const refused = (record: Input, identity: Identity, release?: Release) =>
  refusedField('REQUEST_KILL_JOBS', record, identity, release);

describe.each(RELEASES)('KILL_JOBS in %s', (release) => {
  it('of an unprivileged caller is limited to own jobs, by name and number', () => {
    expect(refused(OWN, alice, release)).toBeNull();
    expect(refused({ ...OWN, userName: 'whatever: only the number counts' }, alice, release)).toBeNull();
    expect(refused(ANYBODYS, alice, release)).toBe('userName');
    expect(refused({ ...OWN, userName: null }, alice, release)).toBe('userName');
    expect(refused({ ...ANYBODYS, userId: ALICE }, alice, release)).toBe('userName');
    for (const userId of [0, 1001, SLURM, 0xfffffffe, 0xffffffff]) {
      expect(refused({ ...OWN, userId }, alice, release), String(userId)).toBe('userId');
    }
    // Other filters do not make it safe: they are not looked at before the access check.
    expect(refused({ ...ANYBODYS, jobName: 'mine', account: 'mine', state: 1 }, alice, release)).toBe(
      'userName',
    );
  });

  it('of root and SlurmUser may mean anybody', () => {
    for (const identity of [root, slurm]) {
      expect(refused(ANYBODYS, identity, release)).toBeNull();
      expect(refused(OWN, identity, release)).toBeNull();
    }
  });

  it('of who knows who is refused', () => {
    for (const record of [ANYBODYS, OWN, { ...OWN, userId: 0 }]) {
      expect(refused(record, nobody, release)).toBe('userId');
      expect(refused(record, { uid: null, slurmUser: null }, release)).toBe('userId');
    }
    // SlurmUser that is not known is nobody's uid.
    expect(refused(ANYBODYS, { uid: SLURM, slurmUser: null }, release)).toBe('userName');
  });

  it('says what became of each job', () => {
    for (const identity of [alice, root]) {
      for (const flags of [0, 0x0001, 0x0008])
        expect(refused({ ...OWN, flags }, identity, release)).toBe('flags');
    }
  });

  it('has a Unix signal and flags that a client may set, whoever asks', () => {
    for (const identity of [alice, root, slurm]) {
      for (const signal of [0, 65, 253, 991, 994, 999, 1000, 65535])
        expect(refused({ ...OWN, signal }, identity, release), String(signal)).toBe('signal');
      for (const signal of [1, 9, 15, 64]) expect(refused({ ...OWN, signal }, identity, release)).toBeNull();
      for (const bit of [0x0002, 0x0010, 0x0040, 0x0080, 0x0100, 0x0400, 0x4000, 0x8000])
        expect(refused({ ...OWN, flags: VERBOSE | bit }, identity, release)).toBe('flags');
    }
    const cron = hasKillFlag(release, 'KILL_CRON') ? null : 'flags';
    expect(refused({ ...OWN, flags: VERBOSE | 0x1000 }, alice, release)).toBe(cron);
  });

  it('has no id text that slurmctld takes for another job than it names', () => {
    for (const identity of [alice, root]) {
      for (const id of ['7+1', '7+0', '7.0', '7.batch', '', null])
        expect(refused({ ...OWN, jobsArray: ['8', id] }, identity, release), String(id)).toBe('jobsArray');
    }
  });
});

describe('the signals of slurmds', () => {
  const stepId = { jobId: 7, stepId: 0, stepHetComp: 0xfffffffe };

  it.each(RELEASE_NAMES)('SIGNAL_TASKS and TERMINATE_TASKS in %s', (release) => {
    for (const name of ['REQUEST_SIGNAL_TASKS', 'REQUEST_TERMINATE_TASKS'] as const) {
      const field = (signal: number, flags = 0) =>
        refusedField(name, { stepId, flags, signal }, alice, release);
      for (const signal of [1, 9, 15, 64]) expect(field(signal)).toBeNull();
      for (const signal of [0, 65, 253, 991, 997, 999, 0xfffe])
        expect(field(signal), String(signal)).toBe('signal');
      expect(field(0xffff)).toBe(name === 'REQUEST_TERMINATE_TASKS' ? null : 'signal');
      for (let bit = 1; bit <= 0x8000; bit <<= 1) {
        const mayBeSent = (sendableKillBits(release) & bit) !== 0;
        expect(field(9, bit), bit.toString(16)).toBe(mayBeSent ? null : 'flags');
      }
    }
  });
});

describe('who this process is', () => {
  afterEach(() => vi.restoreAllMocks());

  it('is its effective uid', () => {
    vi.spyOn(process, 'geteuid').mockReturnValue(1234);
    vi.spyOn(process, 'getuid').mockReturnValue(0);
    expect(ownIdentity(SLURM)).toEqual({ uid: 1234, slurmUser: SLURM });
  });

  it('is not known where there is no such call, nor in a user namespace', () => {
    const { geteuid } = process;
    try {
      Object.assign(process, { geteuid: undefined });
      expect(ownIdentity(SLURM).uid).toBeNull();
    } finally {
      Object.assign(process, { geteuid });
    }
    expect(isWholeUidMap('         0          0 4294967295\n')).toBe(true);
    for (const map of [
      '         0       1000          1\n',
      '         0          0          1\n',
      '         0       1000          1\n         1     100000      65536\n',
      '         0          0 4294967295\n         1          1          1\n',
      '',
    ]) {
      expect(isWholeUidMap(map), map).toBe(false);
    }
  });

  it('request() asks for it: refused without a byte on the wire', async () => {
    vi.spyOn(process, 'geteuid').mockReturnValue(ALICE);
    const release = '24.11';
    const answer = reply('RESPONSE_KILL_JOBS', { jobResponses: [] }, { release });
    await using peer = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOBS: answer }, release));
    const auth = new FakeAuth();
    const client = clientOf([peer.endpoint], { release, auth });
    for (const [record, field] of [
      [ANYBODYS, 'userName'],
      [{ ...OWN, userId: 1001 }, 'userId'],
      [{ ...OWN, flags: 0 }, 'flags'],
      [{ ...OWN, signal: 999 }, 'signal'],
    ] as const) {
      const expected = {
        code: 'SLURMWIRE_UNSAFE_MESSAGE',
        field,
        rpc: 'REQUEST_KILL_JOBS',
        protocol: release,
      };
      await expectUsageError(client.request('REQUEST_KILL_JOBS', record), { ...expected, protocol: release });
    }
    expect([peer.connections.length, auth.created.length]).toEqual([0, 0]);
    expect((await client.request('REQUEST_KILL_JOBS', OWN)).name).toBe('RESPONSE_KILL_JOBS');
    // The same process, root again: whoever asks now is asked anew.
    vi.spyOn(process, 'geteuid').mockReturnValue(0);
    expect((await client.request('REQUEST_KILL_JOBS', ANYBODYS)).name).toBe('RESPONSE_KILL_JOBS');
  });

  it('a Proxy that names its owner only until it is packed', async () => {
    vi.spyOn(process, 'geteuid').mockReturnValue(ALICE);
    const record = new Proxy(
      { ...OWN },
      { get: (own, key) => (key === 'userName' ? null : Reflect.get(own, key)) },
    );
    const work = clientOf([{ host: '127.0.0.1', port: 1 }], { release: '24.11' }).request(
      'REQUEST_KILL_JOBS',
      record,
    );
    const expected = { code: 'SLURMWIRE_UNSAFE_MESSAGE', field: 'userName', rpc: 'REQUEST_KILL_JOBS' };
    await expectUsageError(work, { ...expected, protocol: '24.11' });
  });
});
