/** What an authenticator says of itself, and what the calls make of it: whom it reaches, since when, who asks, and whether it can tell. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type Authenticator,
  type AuthIdentity,
  type AuthSection,
  decodeBody,
  encodeBody,
  isAtLeast,
  protocolOf,
  RELEASE_NAMES,
  RELEASES,
  type Release,
} from '../../src/protocol/index.js';
import { Recorder } from '../../src/replay/index.js';
import { fanOut } from '../../src/rpc/fan-out.js';
import { refuseUnsafe } from '../../src/rpc/guard.js';
import { connect } from '../../src/rpc/index.js';
import { certainUid, identityFrom, isOwn, isPrivileged } from '../../src/rpc/kill-jobs-identity.js';
import { nextVersion, type VersionAnswer, type VersionTry } from '../../src/rpc/version-choice.js';
import { within } from '../auth/support-tokens.js';
import { SLURM_USER, SLURMD_USER } from './support/fake-auth.js';
import { noStrayTrouble } from './support/leaks.js';
import { answering, jobRecordsReply, rc, reply } from './support/replies.js';
import { ScriptedPeer } from './support/scripted-peer.js';
import { clientOf, exchangeOnce, failureOf, linkSetup } from './support/setup.js';

noStrayTrouble();

const ALICE = 1000;
const SECTION: AuthSection = { plugin: 'auth/jwt', token: 'token', username: null };

/** As auth/jwt is, without a token. */
class TokenAuth implements Authenticator {
  readonly name = 'auth/jwt';
  readonly reach = 'controllers';
  created = 0;
  asked = 0;
  who: AuthIdentity = { uid: null, name: null };

  async create(): Promise<AuthSection> {
    this.created += 1;
    return SECTION;
  }

  async verify(): Promise<null> {
    return null;
  }

  async identity(): Promise<AuthIdentity> {
    this.asked += 1;
    return this.who;
  }
}

let auth = new TokenAuth();
beforeEach(() => {
  auth = new TokenAuth();
  // This process is nobody that counts.
  vi.spyOn(process, 'geteuid').mockReturnValue(0);
});
afterEach(() => {
  vi.restoreAllMocks();
});

describe('a method for controllers only', () => {
  const NOT_FOR_NODES = {
    name: 'SlurmAuthError',
    code: 'SLURMWIRE_AUTH_NOT_FOR_NODES',
    errno: 'ENOTSUP',
    outcome: 'not-sent',
    phase: 'authenticate',
    retryable: false,
  };

  it.each(['signalJob', 'signalJobStep', 'terminateJobStep'] as const)(
    '%s: nothing is sent or looked up',
    async (verb) => {
      await using peer = await ScriptedPeer.listen(answering({}));
      const slurm = clientOf([peer.endpoint], { auth });
      const work = {
        signalJob: () => slurm.signalJob(7, 'SIGTERM'),
        signalJobStep: () => slurm.signalJobStep('7.0', 'SIGTERM', { idempotent: true }),
        terminateJobStep: () => slurm.terminateJobStep('7.0'),
      }[verb];
      const error = await failureOf(work());
      expect(error).toMatchObject(NOT_FOR_NODES);
      expect(error.hint).toContain('killJobStep');
      expect(peer.connections).toEqual([]);
      expect(auth.created).toBe(0);
      // Wrong arguments are still told first.
      expect(await failureOf(slurm.signalJob(7, 'SIGTERM', { treeWidth: -1 }))).toMatchObject({
        field: 'treeWidth',
      });
    },
  );

  it('explained: the same', async () => {
    await using peer = await ScriptedPeer.listen(answering({}));
    const slurm = clientOf([peer.endpoint], { auth });
    expect(await failureOf(slurm.explain('signalJob', 7, 'SIGTERM'))).toMatchObject(NOT_FOR_NODES);
    expect(peer.connections).toEqual([]);
  });

  it("SIGKILL to a het leader's step, which would go to the nodes: refused after the look; other signals go through the controller", async () => {
    const release = '24.11';
    const leader = jobRecordsReply(
      [
        { jobId: 7, hetJobId: 7 },
        { jobId: 8, hetJobId: 7 },
      ],
      { release },
    );
    const script = answering(
      { REQUEST_JOB_INFO_SINGLE: leader, REQUEST_CANCEL_JOB_STEP: rc(0, { release }) },
      release,
    );
    await using peer = await ScriptedPeer.listen(script);
    const slurm = clientOf([peer.endpoint], { auth, release });
    expect(await failureOf(slurm.killJobStep('7.0'))).toMatchObject({
      ...NOT_FOR_NODES,
      rpc: 'REQUEST_TERMINATE_TASKS',
    });
    expect(peer.count('REQUEST_CANCEL_JOB_STEP')).toBe(0);
    expect(await slurm.killJobStep('7.0', 'SIGTERM')).toMatchObject({ outcome: 'accepted' });
  });

  it('a fan-out of its own accord sends nothing', async () => {
    await using peer = await ScriptedPeer.listen(answering({}));
    const record = { stepId: { jobId: 7, stepId: 0, stepHetComp: 0xfffffffe }, flags: 0, signal: 15 };
    const setup = {
      ...linkSetup([peer.endpoint], { auth }),
      strategy: 'direct',
      treeWidth: 16,
      restrictUid: SLURMD_USER,
      addressOf: () => peer.endpoint,
      isKnownToSlurmds: () => true,
    } as const;
    const message = {
      name: 'REQUEST_SIGNAL_TASKS',
      record,
      release: '22.05',
      repeatable: false,
      target: '7',
    } as const;
    expect(await failureOf(fanOut(setup, message, ['n1'], within(5000)))).toMatchObject(NOT_FOR_NODES);
    expect(peer.connections).toEqual([]);
  });
});

describe('a method that a protocol does not know', () => {
  const since = (first: Release): Authenticator =>
    Object.assign(new TokenAuth(), { name: 'auth/slurm', since: first });

  it.each(RELEASE_NAMES)('since 23.11, in %s', async (release) => {
    await using peer = await ScriptedPeer.listen(
      answering({ REQUEST_KILL_JOB: rc(0, { release }) }, release),
    );
    const options = { auth: since('23.11'), release };
    if (RELEASE_NAMES.indexOf(release) >= RELEASE_NAMES.indexOf('23.11')) {
      expect(await exchangeOnce(peer.endpoint, options)).toMatchObject({ authenticated: false });
      return;
    }
    expect(await failureOf(exchangeOnce(peer.endpoint, options))).toMatchObject({
      name: 'SlurmAuthError',
      code: 'SLURMWIRE_NOT_IN_RELEASE',
      errno: 'ENOTSUP',
      outcome: 'not-sent',
    });
    expect(peer.connections).toEqual([]);
  });

  it('is refused by connect() where the protocol is pinned', async () => {
    const options = { controllers: ['127.0.0.1:1'], auth: since('23.11') };
    await expect(connect({ ...options, protocol: '23.02' })).rejects.toMatchObject({
      code: 'SLURMWIRE_NOT_IN_RELEASE',
    });
    await connect({ ...options, protocol: '23.11' });
    await connect(options);
  });

  it.each([
    [{ reach: 'nodes' }, 'auth.reach'],
    [{ since: '1.0' }, 'auth.since'],
    [{ identity: 7 }, 'auth.identity'],
  ])('%j is no authenticator', async (wrong, field) => {
    const bad = Object.assign(new TokenAuth(), wrong);
    const work = connect({ controllers: ['127.0.0.1:1'], auth: bad as never });
    await expect(work).rejects.toMatchObject({ name: 'SlurmUsageError', field });
  });
});

describe('the version of a daemon, found with such a method', () => {
  const answerOf = (daemon: (typeof RELEASES)[number], release: Release): VersionAnswer => {
    const protocol = protocolOf(release);
    if (protocol >= daemon.oldestAccepted && protocol <= daemon.protocol) {
      return { kind: 'accepted', daemon: `${daemon.release}.1` };
    }
    if (isAtLeast(daemon.release, '25.11')) return { kind: 'http' };
    return isAtLeast(daemon.release, '24.11')
      ? { kind: 'own-version', release: daemon.release }
      : { kind: 'closed' };
  };

  it.each(RELEASES.map((row) => row.release))('%s', (name) => {
    const daemon = RELEASES.find(({ release }) => release === name) as (typeof RELEASES)[number];
    const tries: VersionTry[] = [];
    let step = nextVersion(tries, null, '23.11');
    for (; step.step === 'try'; step = nextVersion(tries, null, '23.11')) {
      expect(isAtLeast(step.release, '23.11')).toBe(true);
      expect(tries.length).toBeLessThan(4);
      tries.push({ release: step.release, answer: answerOf(daemon, step.release) });
    }
    if (isAtLeast(name, '23.11')) expect(step).toEqual({ step: 'use', release: name, isNewest: true });
    else expect(step).toEqual({ step: 'give-up', because: 'credential' });
  });
});

describe('a method that cannot check replies', () => {
  it.each(['20.11', '22.05'] as const)(
    '%s signs with nothing: taken, and not authenticated',
    async (release) => {
      const unsigned: AuthSection = { plugin: 'auth/jwt', token: null, username: null };
      const script = answering({ REQUEST_KILL_JOB: rc(0, { release, auth: unsigned }) }, release);
      await using peer = await ScriptedPeer.listen(script);
      expect(await exchangeOnce(peer.endpoint, { auth, release })).toMatchObject({ authenticated: false });
    },
  );

  it('a reply without any credential is still no reply of such a protocol', async () => {
    await using peer = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: rc(0, { signer: null }) }));
    expect(await failureOf(exchangeOnce(peer.endpoint, { auth }))).toMatchObject({ outcome: 'unknown' });
  });
});

describe('a refused credential', () => {
  it.each([
    ['auth/munge', /munge key.*64030 only/],
    ['auth/jwt', /AuthAltTypes/],
    ['auth/slurm', /slurm\.key.*64030 only/],
    ['auth/own', /auth\/own.*64030 only/],
  ])('%s: the hint is about it', async (name, words) => {
    const release = '24.11';
    await using peer = await ScriptedPeer.listen(
      answering({ REQUEST_KILL_JOB: rc(1007, { release }) }, release),
    );
    const named = Object.assign(new TokenAuth(), { name });
    const error = await failureOf(exchangeOnce(peer.endpoint, { auth: named, release }));
    expect(error).toMatchObject({ code: 'SLURM_PROTOCOL_AUTHENTICATION_ERROR', outcome: 'refused' });
    expect(error.hint).toMatch(words);
    if (name !== 'auth/munge') expect(error.message).not.toContain('munge');
    await using closing = await ScriptedPeer.listen(async (connection) => {
      await connection.readRequest();
      connection.finish();
    });
    const silent = await failureOf(exchangeOnce(closing.endpoint, { auth: named }));
    expect(silent.message).toContain('it refused the credential');
    if (name !== 'auth/munge') expect(silent.message).not.toContain('munge');
  });
});

describe('who asks', () => {
  const nobodyHere = async () => null;
  const slurmUser = { uid: SLURM_USER, name: 'slurm' };

  it.each([
    [{ uid: 5, name: 'x' }, 5, 5, false],
    [{ uid: 0, name: null }, 0, 0, true],
    [{ uid: SLURM_USER, name: null }, SLURM_USER, SLURM_USER, true],
    [{ uid: null, name: 'root' }, 0, 0, true],
    [{ uid: null, name: 'slurm' }, SLURM_USER, SLURM_USER, true],
    [{ uid: null, name: null }, null, null, false],
    // Looked up here: good for choosing, and for nothing that could do harm. Not even where this host calls it root.
    [{ uid: null, name: 'alice' }, ALICE, null, false],
    [{ uid: null, name: 'toor' }, 0, null, false],
    [{ uid: null, name: 'slurm2' }, SLURM_USER, null, false],
    [{ uid: null, name: 'gone' }, null, null, false],
    // A caller's own authenticator may say anything.
    [{ uid: Number.NaN, name: null }, null, null, false],
    [{}, null, null, false],
  ])('%j', async (told, uid, certain, privileged) => {
    const known = new Map([
      ['alice', ALICE],
      ['toor', 0],
      ['slurm2', SLURM_USER],
    ]);
    const identity = await identityFrom(
      told as AuthIdentity,
      slurmUser,
      async (name) => known.get(name) ?? null,
    );
    expect(identity.uid).toBe(uid);
    expect(certainUid(identity)).toBe(certain);
    expect(isPrivileged(identity)).toBe(privileged);
  });

  it('SlurmUser by a name only where slurm.conf tells it', async () => {
    const told = { uid: null, name: 'slurm' };
    for (const unknown of [
      { uid: SLURM_USER, name: undefined },
      { uid: null, name: 'slurm' },
    ])
      expect(isPrivileged(await identityFrom(told, unknown, nobodyHere))).toBe(false);
  });

  it("the owner of a job, by the controller's name for him where the uid is only this host's", async () => {
    const guess = await identityFrom({ uid: null, name: 'alice' }, slurmUser, async () => ALICE);
    expect(isOwn(guess, { userId: 7, userName: 'alice' })).toBe(true);
    expect(isOwn(guess, { userId: ALICE, userName: 'bob' })).toBe(false);
    expect(isOwn(guess, { userId: ALICE, userName: null })).toBe(true);
    const unknown = await identityFrom({ uid: null, name: 'alice' }, slurmUser, nobodyHere);
    expect(isOwn(unknown, { userId: 7, userName: 'alice' })).toBe(true);
    expect(isOwn(unknown, { userId: 7, userName: null })).toBeNull();
    const certain = await identityFrom({ uid: 5, name: 'alice' }, slurmUser, nobodyHere);
    expect(isOwn(certain, { userId: 7, userName: 'alice' })).toBe(false);
  });

  it('the guard lets no guess pass', () => {
    const record = { flags: 0x0800, signal: 15, jobsArray: ['7'], userName: 'alice', userId: ALICE };
    const body = encodeBody('REQUEST_KILL_JOBS', '24.11', record);
    const guard = (identity: Parameters<typeof refuseUnsafe>[4]) => () =>
      refuseUnsafe('REQUEST_KILL_JOBS', '24.11', body, 0, identity);
    expect(guard({ uid: ALICE, slurmUser: SLURM_USER })).not.toThrow();
    expect(guard({ uid: ALICE, slurmUser: SLURM_USER, isGuess: true })).toThrow(/not known for certain/);
    expect(guard({ uid: 0, slurmUser: SLURM_USER, isGuess: true })).toThrow(/not known for certain/);
  });

  describe.each(['24.11', '26.05'] as const)('killJobs in %s', (release) => {
    const jobs = jobRecordsReply([{ jobId: 7, userId: ALICE, jobState: 1 }], { release });
    const bulk = reply('RESPONSE_KILL_JOBS', { jobResponses: [] }, { release });
    const world = () =>
      ScriptedPeer.listen(
        answering(
          {
            REQUEST_KILL_JOBS: bulk,
            REQUEST_KILL_JOB: rc(0, { release }),
            REQUEST_JOB_INFO_SINGLE: jobs,
            REQUEST_JOB_INFO: jobs,
          },
          release,
        ),
      );

    it.each([
      ['nobody known', { uid: null, name: null }],
      ['a name this host does not know', { uid: null, name: 'no-such-user-here' }],
      ["a name of this host, whose uid need not be the cluster's", { uid: null, name: 'daemon' }],
    ])('%s: one by one, and KILL_JOBS never, whoever this process is', async (_, who) => {
      auth.who = who;
      await using peer = await world();
      const slurm = clientOf([peer.endpoint], { auth, release });
      expect(await slurm.killJobs([7])).toMatchObject({ outcome: 'accepted', rpc: 'REQUEST_KILL_JOB' });
      expect(peer.count('REQUEST_KILL_JOBS')).toBe(0);
      const record = { flags: 0x0800, signal: 15, jobsArray: ['7'], userName: 'daemon', userId: 1 };
      const error = await failureOf(slurm.request('REQUEST_KILL_JOBS', record));
      expect(error).toMatchObject({ code: 'SLURMWIRE_UNSAFE_MESSAGE', outcome: 'not-sent' });
      expect(peer.count('REQUEST_KILL_JOBS')).toBe(0);
    });

    it.each([
      ['a uid', { uid: ALICE, name: 'alice' }, { userId: ALICE, userName: 'alice' }],
      ['a uid without a name', { uid: ALICE, name: null }, { userId: ALICE, userName: '1000' }],
      ['root', { uid: null, name: 'root' }, { userName: null }],
    ])('%s: one request, for the own jobs alone but for root', async (_, who, expected) => {
      auth.who = who;
      await using peer = await world();
      const slurm = clientOf([peer.endpoint], { auth, release });
      await slurm.killJobs([7]);
      const sent = peer.connections.find(({ request }) => request?.name === 'REQUEST_KILL_JOBS')?.request;
      expect(decodeBody('REQUEST_KILL_JOBS', release, sent?.frame.body ?? new Uint8Array())).toMatchObject(
        expected,
      );
    });
  });

  it('is asked for where it matters only', async () => {
    await using peer = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: rc(0) }));
    const unsigned: AuthSection = { plugin: 'auth/jwt', token: null, username: null };
    peer.play(
      answering({ REQUEST_PING: rc(0, { auth: unsigned }), REQUEST_KILL_JOB: rc(0, { auth: unsigned }) }),
    );
    await clientOf([peer.endpoint], { auth }).killJob(7);
    expect(auth.asked).toBe(0);
    expect(auth.created).toBe(2);
  });

  it('an authenticator that cannot say: typed, and nothing is sent', async () => {
    await using peer = await ScriptedPeer.listen(answering({}));
    const cause = new Error('no');
    auth.identity = () => Promise.reject(cause);
    const error = await failureOf(clientOf([peer.endpoint], { auth, release: '24.11' }).killJobs([7]));
    expect(error).toMatchObject({ code: 'SLURMWIRE_INTERNAL', outcome: 'not-sent', cause });
    expect(peer.connections).toEqual([]);
  });
});

it('a recorder keeps what the authenticator says of itself', async () => {
  const recorder = new Recorder({
    slurm: '22.05.8',
    daemon: 'slurmctld',
    client: 't',
    recordedAt: '2026-01-01T00:00:00Z',
    note: '',
  });
  auth.who = { uid: 5, name: 'x' };
  const recorded = recorder.auth(Object.assign(auth, { since: '23.11' as const }));
  expect(recorded).toMatchObject({ name: 'auth/jwt', reach: 'controllers', since: '23.11' });
  expect(await recorded.identity?.(within(1000))).toEqual({ uid: 5, name: 'x' });
  expect(await recorded.verify(SECTION, within(1000))).toBeNull();
  const { identity: _, ...anonymous } = {
    name: 'auth/munge',
    create: auth.create,
    verify: auth.verify,
    identity: null,
  };
  expect('identity' in recorder.auth(anonymous as never)).toBe(false);
});
