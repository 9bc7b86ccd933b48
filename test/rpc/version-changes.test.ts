/** Clients that find the version by themselves, against controllers whose release a test chooses and changes. */
import { describe, expect, it } from 'vitest';
import { type Release, SlurmProtocolVersionError } from '../../src/protocol/index.js';
import type { SlurmClient } from '../../src/rpc/client.js';
import { ControllerLink } from '../../src/rpc/controller-link.js';
import { Deadline } from '../../src/rpc/deadline.js';
import { terminate } from '../../src/rpc/terminate.js';
import { terminatePlan } from '../../src/rpc/terminate-options.js';
import { noStrayTrouble } from './support/leaks.js';
import { clientOf, failureOf, linkSetup, type TestSetup } from './support/setup.js';
import { TestClock } from './support/terminate-world.js';
import { until } from './support/until.js';
import { type Daemon, VersionedPeer } from './support/versioned-peer.js';

noStrayTrouble();

const AUTO = { release: '26.11', findsVersion: true } as const;

function finding(peers: readonly VersionedPeer[], given: TestSetup = {}): SlurmClient {
  return clientOf(
    peers.map(({ endpoint }) => endpoint),
    { ...AUTO, cluster: null, ...given },
  );
}

describe('first contact', () => {
  it.each([
    ['20.11', ['25.05', '23.02', '20.11']],
    ['21.08', ['25.05', '23.02', '20.11']],
    ['22.05', ['25.05', '23.02', '20.11']],
    ['23.02', ['25.05', '23.02']],
    ['24.05', ['25.05', '23.02']],
    ['24.11', ['25.05', '24.11']],
    ['25.05', ['25.05']],
    ['26.05', ['25.05']],
    ['26.11', ['25.05']],
  ] as const)('%s: asked in %j, and the kill goes out in its own version, once', async (release, asked) => {
    await using peer = await VersionedPeer.start(release);
    const client = finding([peer]);
    expect(await client.killJob(7, 'SIGTERM')).toMatchObject({ outcome: 'accepted', protocol: release });
    await client.killJob(8, 'SIGTERM');
    expect(peer.versionsOf('REQUEST_BUILD_INFO')).toEqual(asked);
    expect(peer.versionsOf('REQUEST_KILL_JOB')).toEqual([release, release]);
    expect(peer.signals).toEqual(['SIGTERM 7', 'SIGTERM 8']);
  });

  it('is shared by calls that begin together', async () => {
    await using peer = await VersionedPeer.start('22.05');
    const client = finding([peer]);
    await Promise.all(Array.from({ length: 30 }, (_, id) => client.killJob(id + 1, 'SIGTERM')));
    expect(peer.versionsOf('REQUEST_BUILD_INFO')).toHaveLength(3);
    expect(peer.executed).toHaveLength(30);
    expect(new Set(peer.signals).size).toBe(30);
  });

  it('nothing is sent where every version is closed upon: the credential', async () => {
    await using peer = await VersionedPeer.start({ release: '22.05', distrusts: true });
    const error = await failureOf(finding([peer]).killJob(7));
    expect(error).toMatchObject({
      name: 'SlurmAuthError',
      code: 'SLURM_PROTOCOL_AUTHENTICATION_ERROR',
      outcome: 'not-sent',
      reason: 'closed-on-every-version',
    });
    expect(error.message).toContain('25.05, 23.02, 20.11, 26.11');
    expect(peer.executed).toEqual([]);
  });

  it('a daemon that says 1007 in the version of the request: the credential, and no more tries', async () => {
    await using peer = await VersionedPeer.start({ release: '26.05', distrusts: true });
    const error = await failureOf(finding([peer]).killJob(7));
    expect(error).toMatchObject({ code: 'SLURM_PROTOCOL_AUTHENTICATION_ERROR', outcome: 'not-sent' });
    expect(peer.asked).toHaveLength(1);
  });

  it('no Slurm daemon at all, but a web server: what it said', async () => {
    await using peer = await VersionedPeer.start('26.11');
    peer.before = async (_, connection) => {
      await connection.send(Buffer.from('HTTP/1.0 404 Not Found\r\n\r\n'));
      connection.finish();
      return true;
    };
    const error = await failureOf(finding([peer]).killJob(7));
    expect(error).toBeInstanceOf(SlurmProtocolVersionError);
    expect(error).toMatchObject({ outcome: 'not-sent', answerKind: 'http', tried: ['25.05', '26.11'] });
    expect(error.message).toContain('HTTP/1.0 404 Not Found');
  });
});

const CHANGES: readonly (readonly [Release, Release])[] = [
  ['22.05', '24.11'],
  ['24.11', '22.05'],
  ['20.11', '26.05'],
  ['26.05', '20.11'],
  ['23.02', '25.05'],
  ['25.11', '23.11'],
  // One that takes the old version too: nothing is closed.
  ['24.11', '26.05'],
];

describe.each(CHANGES)('a controller of %s becomes one of %s', (before, after) => {
  const settled = after === '26.05' && before === '24.11' ? '24.11' : after;

  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'the next kill (%s) succeeds, and is executed once',
    async (signal) => {
      await using peer = await VersionedPeer.start(before);
      const client = finding([peer]);
      await client.killJob(7, signal);
      peer.become(after);
      expect(await client.killJob(8, signal)).toMatchObject({ outcome: 'accepted', protocol: settled });
      expect(peer.executed).toEqual([
        { what: `${signal} 7`, by: before },
        { what: `${signal} 8`, by: after },
      ]);
      // What it spoke last, and three more at most.
      expect(peer.versionsOf('REQUEST_BUILD_INFO').length).toBeLessThanOrEqual(3 + 4);
    },
  );

  it('reads go through as well', async () => {
    await using peer = await VersionedPeer.start(before);
    const client = finding([peer]);
    expect(await client.probe(7)).toMatchObject({ exists: true });
    peer.become(after);
    expect(await client.probe(7)).toMatchObject({ exists: true });
  });

  it('20 kills at once: each executed once, with one look for all of them', async () => {
    await using peer = await VersionedPeer.start(before);
    const client = finding([peer]);
    await client.killJob(1000, 'SIGTERM');
    const looks = peer.versionsOf('REQUEST_BUILD_INFO').length;
    peer.become(after);
    await Promise.all(Array.from({ length: 20 }, (_, id) => client.killJob(id + 1, 'SIGTERM')));
    expect(new Set(peer.signals).size).toBe(21);
    expect(peer.executed).toHaveLength(21);
    expect(peer.versionsOf('REQUEST_BUILD_INFO').length - looks).toBeLessThanOrEqual(4);
  });

  it('killJobs with 50 jobs, in the middle of it: each executed once', async () => {
    await using peer = await VersionedPeer.start(before);
    const ids = Array.from({ length: 50 }, (_, index) => index + 1);
    let changed = false;
    peer.before = ({ name }) => {
      if (!changed && (peer.executed.length >= 20 || name === 'REQUEST_KILL_JOBS')) {
        changed = true;
        peer.become(after);
      }
      return false;
    };
    const { jobs, outcome } = await finding([peer]).killJobs(ids, 'SIGTERM', { concurrency: 16 });
    expect(jobs.map(({ outcome: own }) => own)).toEqual(Array(50).fill('accepted'));
    expect(outcome).toBe('accepted');
    expect(peer.signals.toSorted()).toEqual(ids.map((id) => `SIGTERM ${id}`).toSorted());
    expect(changed).toBe(true);
  });

  it('terminate: each rung once, and the job is gone', async () => {
    await using peer = await VersionedPeer.start(before);
    const clock = new TestClock();
    clock.onTick = () => peer.become(after);
    const setup = linkSetup([peer.endpoint], { ...AUTO, cluster: null });
    const deadline = new Deadline(60_000);
    const how = { idempotent: false, report: () => {}, clock };
    const result = await terminate(new ControllerLink(setup), terminatePlan(7, {}), how, deadline);
    deadline.dispose();
    expect(result).toMatchObject({ dead: true, outcome: 'accepted' });
    expect(peer.executed).toEqual([
      { what: 'SIGTERM 7', by: before },
      { what: 'SIGKILL 7', by: after },
    ]);
  });

  it('ping says the new one', async () => {
    await using peer = await VersionedPeer.start(before);
    const client = finding([peer]);
    expect(await client.ping()).toMatchObject([{ up: true, protocol: before, version: `${before}.3` }]);
    peer.become(after);
    // A ping that is taken says nothing new; one that is not makes the next one ask.
    await client.ping();
    expect(await client.ping()).toMatchObject([{ up: true, protocol: settled }]);
  });
});

describe('a change that is not told apart from a restart', () => {
  it('a daemon that acted, died, and was replaced by a newer one at once: unknown, and nothing again', async () => {
    await using peer = await VersionedPeer.start('22.05');
    const client = finding([peer]);
    await client.killJob(7, 'SIGTERM');
    peer.beforeAnswer = (connection) => {
      connection.drop();
      peer.beforeAnswer = () => false;
      peer.become({ release: '24.11', upSeconds: 0 });
      return true;
    };
    const error = await failureOf(client.killJob(8, 'SIGTERM'));
    expect(error).toMatchObject({
      code: 'SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT',
      outcome: 'unknown',
      retryable: false,
    });
    expect(error.message).toContain('may have been started since');
    expect((error as { suspects?: readonly string[] }).suspects).toHaveLength(2);
    expect(peer.signals).toEqual(['SIGTERM 7', 'SIGTERM 8']);
    // And the next one is fine.
    expect(await client.killJob(9, 'SIGTERM')).toMatchObject({ protocol: '24.11' });
  });
});

describe('a client that was given a version', () => {
  it.each([
    ['22.05', '24.11', 'closed'],
    ['24.11', '22.05', 'closed'],
    ['20.11', '24.11', undefined],
    ['22.05', '26.05', undefined],
    ['23.02', '26.05', 'closed'],
  ] as const)('%s, while the controller becomes %s (refuses by %s)', async (given, release, refuses) => {
    await using peer = await VersionedPeer.start(given);
    const client = finding([peer], { findsVersion: false, release: given });
    await client.killJob(7, 'SIGTERM');
    const daemon: Daemon = refuses === undefined ? { release } : { release, refuses };
    peer.become(daemon);
    // The first of them shows that something is wrong, the next one looks before it is sent.
    await failureOf(client.killJob(8, 'SIGTERM'));
    const error = await failureOf(client.killJob(9, 'SIGTERM'));
    expect(error).toBeInstanceOf(SlurmProtocolVersionError);
    expect(error).toMatchObject({
      code: 'SLURM_PROTOCOL_VERSION_ERROR',
      outcome: 'not-sent',
      retryable: false,
      rpc: 'REQUEST_KILL_JOB',
      tried: [given],
    });
    expect((error as SlurmProtocolVersionError).spoken).toHaveLength(11);
    expect(peer.signals).toEqual(['SIGTERM 7']);
  });
});

describe('a version is gone by for ten minutes', () => {
  const MINUTES = 60_000;

  it('then the newest is found without any trouble, by one question', async () => {
    await using peer = await VersionedPeer.start('24.11');
    const clock = new TestClock();
    const started = clock.now();
    const client = finding([peer], { clock });
    await client.killJob(1, 'SIGTERM');
    expect(peer.versionsOf('REQUEST_BUILD_INFO')).toEqual(['25.05', '24.11']);
    // Still takes 24.11.
    peer.become('26.05');
    clock.set(started + 10 * MINUTES);
    expect(await client.killJob(2, 'SIGTERM')).toMatchObject({ protocol: '24.11' });
    expect(peer.versionsOf('REQUEST_BUILD_INFO')).toHaveLength(2);
    clock.set(started + 10 * MINUTES + 1);
    expect(await client.killJob(3, 'SIGTERM')).toMatchObject({ protocol: '26.05' });
    expect(peer.versionsOf('REQUEST_BUILD_INFO')).toEqual(['25.05', '24.11', '24.11']);
    clock.set(started + 20 * MINUTES);
    await client.killJob(4, 'SIGTERM');
    expect(peer.versionsOf('REQUEST_BUILD_INFO')).toHaveLength(3);
  });

  it('a version that was given is not asked about again', async () => {
    await using peer = await VersionedPeer.start('24.11');
    const clock = new TestClock();
    const client = finding([peer], { findsVersion: false, release: '24.11', clock });
    await client.killJob(1);
    clock.set(clock.now() + 60 * MINUTES);
    await client.killJob(2);
    expect(peer.versionsOf('REQUEST_PING')).toHaveLength(1);
  });
});

describe('controllers of different releases, as in a rolling upgrade', () => {
  it('each is spoken to in its own version, and a kill that was planned for the other is planned anew', async () => {
    await using primary = await VersionedPeer.start('24.11');
    await using backup = await VersionedPeer.start('22.05');
    const client = finding([primary, backup]);
    expect(await client.killJob(7, 'SIGTERM')).toMatchObject({ protocol: '24.11', peer: primary.peer });
    await primary.die();
    expect(await client.killJob(8, 'SIGTERM')).toMatchObject({ protocol: '22.05', peer: backup.peer });
    expect(backup.executed).toEqual([{ what: 'SIGTERM 8', by: '22.05' }]);
    // The neighbour's version is tried first; 24.11 is closed upon.
    expect(backup.versionsOf('REQUEST_BUILD_INFO')).toEqual(['24.11', '23.02', '20.11']);
    expect(backup.versionsOf('REQUEST_KILL_JOB')).toEqual(['22.05']);
  });

  it('a neighbour of the same release costs one question', async () => {
    await using primary = await VersionedPeer.start('22.05');
    await using backup = await VersionedPeer.start('22.05');
    const client = finding([primary, backup]);
    await client.killJob(7);
    await primary.die();
    await client.killJob(8);
    expect(backup.versionsOf('REQUEST_BUILD_INFO')).toEqual(['22.05']);
  });

  it('the primary is upgraded while the backup is in charge, and takes over again', async () => {
    await using primary = await VersionedPeer.start('22.05');
    await using backup = await VersionedPeer.start({ release: '22.05', standby: 2027 });
    const client = finding([primary, backup], { takeoverMs: 10_000 });
    await client.killJob(1, 'SIGTERM');
    primary.become({ release: '24.11', standby: 2131 });
    backup.become('22.05');
    expect(await client.killJob(2, 'SIGTERM')).toMatchObject({ protocol: '22.05', peer: backup.peer });
    primary.become('24.11');
    backup.become({ release: '24.11', standby: 2027 });
    expect(await client.killJob(3, 'SIGTERM')).toMatchObject({ protocol: '24.11', peer: primary.peer });
    expect([...primary.signals, ...backup.signals]).toEqual(['SIGTERM 1', 'SIGTERM 3', 'SIGTERM 2']);
  });

  it('ping asks each in its own', async () => {
    await using one = await VersionedPeer.start('20.11');
    await using two = await VersionedPeer.start('26.05');
    expect(await finding([one, two]).ping()).toMatchObject([
      { up: true, protocol: '20.11', version: '20.11.3' },
      { up: true, protocol: '26.05', version: '26.05.3' },
    ]);
  });
});

describe('a kill that is closed upon without a word', () => {
  const suspectsOf = (error: unknown) => (error as { suspects?: readonly string[] }).suspects ?? [];

  it('by a daemon that answers everything else: could not be decoded, crashed, or unsigned', async () => {
    await using peer = await VersionedPeer.start('22.05');
    peer.before = ({ name }, connection) => {
      if (name !== 'REQUEST_KILL_JOB') return false;
      connection.drop();
      return true;
    };
    const error = await failureOf(finding([peer]).killJob(7, 'SIGTERM'));
    expect(error).toMatchObject({ name: 'SlurmConnectionError', outcome: 'unknown', retryable: false });
    expect(error.message).toContain('answers in protocol 22.05 and takes the credential');
    expect(error.message).toContain('It is Slurm 22.05.3.');
    expect(suspectsOf(error)).toHaveLength(3);
    expect(suspectsOf(error)[0]).toContain('could not decode');
  });

  it('by a daemon that has begun to refuse credentials', async () => {
    await using peer = await VersionedPeer.start('22.05');
    const client = finding([peer]);
    await client.killJob(7, 'SIGTERM');
    peer.become({ release: '22.05', distrusts: true });
    const error = await failureOf(client.killJob(8, 'SIGTERM'));
    expect(error).toMatchObject({ code: 'SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT', outcome: 'unknown' });
    expect(error.message).toContain('closed on every version, or refused the credential');
    expect(suspectsOf(error)[0]).toContain('refused the credential');
    expect(peer.signals).toEqual(['SIGTERM 7']);
    // The next one is not sent.
    expect(await failureOf(client.killJob(9, 'SIGTERM'))).toMatchObject({
      code: 'SLURM_PROTOCOL_AUTHENTICATION_ERROR',
      outcome: 'not-sent',
    });
  });

  it('by a daemon that died of it', async () => {
    await using peer = await VersionedPeer.start('22.05');
    peer.before = async ({ name }) => {
      if (name !== 'REQUEST_KILL_JOB') return false;
      await peer.die();
      return true;
    };
    const error = await failureOf(finding([peer]).killJob(7, 'SIGTERM'));
    expect(error).toMatchObject({ code: 'SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT', outcome: 'unknown' });
    expect(error.message).toMatch(/could not be connected: .*ECONNREFUSED/);
    expect(suspectsOf(error)).toEqual([expect.stringContaining('stopped or crashed')]);
  });

  it('by a daemon of another release, which says so afterwards: refused, and gone through with', async () => {
    await using peer = await VersionedPeer.start('22.05');
    const link = new ControllerLink(linkSetup([peer.endpoint], { ...AUTO, cluster: null }));
    const deadline = new Deadline(10_000);
    const settled = await link.settle(deadline);
    peer.become('24.11');
    const record = { stepId: { jobId: 7, stepId: 0, stepHetComp: 0xfffffffe }, sjobId: null, signal: 15 };
    const call = { name: 'REQUEST_CANCEL_JOB_STEP', record, repeatable: false } as const;
    const error = await failureOf(settled.call(call, deadline));
    deadline.dispose();
    expect(error).toMatchObject({
      name: 'SlurmProtocolVersionError',
      outcome: 'refused',
      retryable: true,
      tried: ['22.05'],
      peerProtocol: '24.11',
      answer: 'protocol 24.11 (Slurm 24.11.3)',
    });
  });
});

describe('a take-over', () => {
  it.each([2027, 2131] as const)(
    'a backup on standby (%i) is waited for while the primary is dead',
    async (standby) => {
      await using primary = await VersionedPeer.start('22.05');
      await using backup = await VersionedPeer.start({ release: '22.05', standby });
      await primary.die();
      const clock = new TestClock();
      clock.onTick = () => {
        if (clock.waits.length === 5) backup.become('22.05');
      };
      const client = finding([primary, backup], { clock, takeoverMs: 60_000 });
      const killed = await client.killJob(7, 'SIGTERM');
      expect(killed).toMatchObject({ outcome: 'accepted', peer: backup.peer });
      expect(backup.signals).toEqual(['SIGTERM 7']);
      expect(clock.waits).toHaveLength(5);
      for (const wait of clock.waits) expect(wait).toSatisfy((ms: number) => ms >= 750 && ms <= 1_250);
    },
  );

  it('not for longer than takeoverMs: the answer of the backup, refused', async () => {
    await using primary = await VersionedPeer.start('22.05');
    await using backup = await VersionedPeer.start({ release: '22.05', standby: 2027 });
    await primary.die();
    const clock = new TestClock();
    const given = { clock, takeoverMs: 10_000, findsVersion: false, release: '22.05' } as const;
    const error = await failureOf(finding([primary, backup], given).killJob(7, 'SIGTERM'));
    expect(error).toMatchObject({ code: 'ESLURM_IN_STANDBY_MODE', outcome: 'not-sent', number: 2027 });
    expect(clock.elapsed).toBeLessThanOrEqual(10_000);
    expect(clock.elapsed).toBeGreaterThan(8_000);
    expect(backup.signals).toEqual([]);
  });

  it('not where all are dead, nor where there is one alone', async () => {
    await using primary = await VersionedPeer.start('22.05');
    await using backup = await VersionedPeer.start({ release: '22.05', standby: 2027 });
    const clock = new TestClock();
    expect(
      await failureOf(finding([backup], { clock, takeoverMs: 60_000 }).killJob(7, 'SIGTERM')),
    ).toMatchObject({ code: 'ESLURM_IN_STANDBY_MODE' });
    await primary.die();
    await backup.die();
    const error = await failureOf(finding([primary, backup], { clock, takeoverMs: 60_000 }).killJob(7));
    expect(error).toMatchObject({ phase: 'connect', outcome: 'not-sent' });
    expect(clock.waits).toEqual([]);
  });

  it('an abort ends the wait', async () => {
    await using primary = await VersionedPeer.start('22.05');
    await using backup = await VersionedPeer.start({ release: '22.05', standby: 2027 });
    await primary.die();
    const abort = new AbortController();
    const clock = new TestClock();
    clock.onTick = () => {
      if (clock.waits.length === 3) abort.abort();
    };
    const client = finding([primary, backup], { clock, takeoverMs: 60_000 });
    const error = await failureOf(client.killJob(7, 'SIGTERM', { signal: abort.signal }));
    expect(error.outcome).not.toBe('accepted');
    expect(['not-sent', 'refused']).toContain(error.outcome);
    expect(backup.signals).toEqual([]);
    expect(clock.waits).toHaveLength(3);
  });

  describe('the primary dies with the kill in its hands', () => {
    async function scene(signal: 'SIGTERM' | 'SIGKILL', done: boolean) {
      const primary = await VersionedPeer.start('22.05');
      const backup = await VersionedPeer.start({ release: '22.05', standby: 2027 });
      const clock = new TestClock();
      clock.onTick = () => {
        if (clock.waits.length === 2) backup.become('22.05');
      };
      if (done) backup.ended.add(7);
      const client = finding([primary, backup], { clock, takeoverMs: 60_000 });
      await client.killJob(1, 'SIGTERM');
      primary.beforeAnswer = async () => {
        await primary.die();
        return true;
      };
      const result = await client.killJob(7, signal).catch((error: unknown) => error);
      await client.close();
      await backup.die();
      return { result, primary, backup, clock };
    }

    it('SIGKILL is repeated at the backup once that is in charge', async () => {
      const { result, primary, backup } = await scene('SIGKILL', false);
      expect(result).toMatchObject({ outcome: 'accepted', peer: backup.peer });
      expect(primary.signals).toEqual(['SIGTERM 1', 'SIGKILL 7']);
      expect(backup.signals).toEqual(['SIGKILL 7']);
    });

    it('SIGTERM is not: unknown', async () => {
      const { result, primary, backup, clock } = await scene('SIGTERM', false);
      expect(result).toMatchObject({ outcome: 'unknown', retryable: false, peer: primary.peer });
      expect(primary.signals).toEqual(['SIGTERM 1', 'SIGTERM 7']);
      expect(backup.signals).toEqual([]);
      expect(clock.waits).toEqual([]);
    });

    it('a refusal by the backup does not undo what the primary may have done', async () => {
      const { result } = await scene('SIGKILL', true);
      expect(result).toMatchObject({ outcome: 'unknown', code: 'ESLURM_ALREADY_DONE' });
      expect((result as Error).cause).toMatchObject({ outcome: 'unknown' });
    });
  });

  it('the backup of another release, after a kill that may have been done: never a refusal', async () => {
    await using primary = await VersionedPeer.start('24.11');
    await using backup = await VersionedPeer.start('22.05');
    const client = finding([primary, backup]);
    await client.killJob(1, 'SIGTERM');
    primary.beforeAnswer = async () => {
      await primary.die();
      return true;
    };
    const error = await failureOf(client.killJob(7, 'SIGKILL'));
    expect(error).toMatchObject({ outcome: 'unknown', retryable: true });
    await until(() => primary.signals.length === 2, 'the kill');
  });
});
