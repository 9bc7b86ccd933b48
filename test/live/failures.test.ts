/** What goes wrong on a real cluster, told with the right class, code, phase and outcome; and what then happened to the job. */
import { expect, test } from 'vitest';
import { isAtLeast } from '../../src/protocol/index.js';
import { describeLive, liveReleases } from './support/live.js';

for (const release of liveReleases('22.05')) {
  // Up to 24.05 a daemon closes without a word for what newer ones answer with 1007.
  const closes = !isAtLeast(release, '24.11');
  const stranger = closes ? '24.11' : '20.11';
  describeLive(`failures on a live ${release}`, { release, nodes: 1 }, (live) => {
    test('slurmctld stopped: nobody listens, not sent', async () => {
      const { alice, cluster, run } = live();
      const id = await run('sleep 1000');
      alice.forget();
      await cluster.stopDaemon('slurmctld');
      try {
        const { error } = await alice.call('killJob', [id]);
        expect(error).toMatchObject({
          name: 'SlurmConnectionError',
          code: 'SLURM_COMMUNICATIONS_CONNECTION_ERROR',
          errno: 'ECONNREFUSED',
          phase: 'connect',
          outcome: 'not-sent',
          retryable: true,
          rpc: 'REQUEST_BUILD_INFO',
        });
        expect(error.message).toContain('Nothing was sent');
        const { value } = await alice.call('ping');
        expect(value).toMatchObject([
          { up: false, error: { code: 'SLURM_COMMUNICATIONS_CONNECTION_ERROR' } },
        ]);
      } finally {
        await cluster.startDaemon('slurmctld');
      }
      await cluster.waitForJob(id, ['RUNNING']);
      expect((await alice.call('killJob', [id])).value).toMatchObject({ outcome: 'accepted' });
    });

    test('slurmctld hangs at first contact: the kill was not sent, and the job lives', async () => {
      const { alice, cluster, run } = live();
      const id = await run('sleep 1000');
      alice.forget();
      await cluster.pauseDaemon('slurmctld');
      try {
        const { error } = await alice.call('killJob', [id, 'SIGKILL', { timeoutMs: 2_000 }]);
        expect(error).toMatchObject({
          name: 'SlurmTimeoutError',
          code: 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT',
          errno: 'ETIMEDOUT',
          outcome: 'not-sent',
          rpc: 'REQUEST_BUILD_INFO',
        });
      } finally {
        await cluster.resumeDaemon('slurmctld');
      }
      expect(await cluster.jobState(id)).toBe('RUNNING');
      await alice.call('killJob', [id]);
    });

    test('slurmctld hangs later: outcome unknown, and indeed the kill happens when it wakes', async () => {
      const { alice, cluster, run } = live();
      const id = await run('sleep 1000');
      await alice.call('killJob', [999_999]); // the endpoint is known from here on
      await cluster.pauseDaemon('slurmctld');
      try {
        const { error } = await alice.call('killJob', [id, 'SIGKILL', { timeoutMs: 2_000 }]);
        expect(error).toMatchObject({
          name: 'SlurmTimeoutError',
          code: 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT',
          phase: 'wait',
          outcome: 'unknown',
          retryable: true, // SIGKILL of a whole job does no harm twice
        });
      } finally {
        await cluster.resumeDaemon('slurmctld');
      }
      await cluster.waitForJob(id, ['CANCELLED']);
    });

    test('a release that it does not speak: told what it speaks, not sent', async () => {
      const { alice, cluster, run } = live();
      const id = await run('sleep 1000');
      const { error } = await alice.call('killJob', [id], { protocol: stranger });
      expect(error).toMatchObject({
        name: 'SlurmProtocolVersionError',
        code: 'SLURM_PROTOCOL_VERSION_ERROR',
        outcome: 'not-sent',
        phase: expect.stringMatching(/^(?:wait|decode)$/),
        rpc: 'REQUEST_KILL_JOB',
      });
      // 26.05 tells nothing but what it is not: it takes the message for HTTP.
      if (release !== '26.05') expect(error.message).toContain(release);
      expect(await cluster.jobState(id)).toBe('RUNNING');
      await alice.call('killJob', [id]);
    });

    test('a credential for somebody else: refused at first contact, not sent', async () => {
      const { alice, cluster, run } = live();
      const id = await run('sleep 1000');
      const { error } = await alice.call('killJob', [id], { slurmUser: cluster.users.bob.uid });
      expect(error).toMatchObject({
        name: 'SlurmAuthError',
        code: 'SLURM_PROTOCOL_AUTHENTICATION_ERROR',
        ...(closes ? { reason: 'closed-on-every-version' } : {}),
        outcome: 'not-sent',
      });
      expect(await cluster.jobState(id)).toBe('RUNNING');
      await alice.call('killJob', [id]);
    });

    test('the low-level door with a credential for somebody else, endpoint known: refused, or unknown with the suspects named', async () => {
      const { alice, cluster, run } = live();
      const id = await run('sleep 1000');
      await alice.call('killJob', [999_999]);
      const body = {
        stepId: { jobId: id, stepId: 0xfffffffe, stepHetComp: 0xfffffffe },
        sjobId: null,
        signal: 9,
      };
      const { error } = await alice.call('request', [
        'REQUEST_CANCEL_JOB_STEP',
        body,
        { restrictUid: cluster.users.bob.uid },
      ]);
      const silent = {
        name: 'SlurmConnectionError',
        code: 'SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT',
        outcome: 'unknown',
      };
      const said = {
        name: 'SlurmAuthError',
        code: 'SLURM_PROTOCOL_AUTHENTICATION_ERROR',
        outcome: 'refused',
      };
      expect(error).toMatchObject({
        ...(closes ? silent : said),
        retryable: false,
        rpc: 'REQUEST_CANCEL_JOB_STEP',
      });
      if (closes) expect(error.suspects.length).toBeGreaterThan(2);
      expect(await cluster.jobState(id)).toBe('RUNNING');
      await alice.call('killJob', [id]);
    });

    test('munged stopped: EMUNGE_SOCKET, not sent, with what to do', async () => {
      const { alice, cluster, run } = live();
      const id = await run('sleep 1000');
      await cluster.stopMunged();
      try {
        const { error } = await alice.call('killJob', [id]);
        expect(error).toMatchObject({
          name: 'SlurmAuthError',
          code: 'EMUNGE_SOCKET',
          phase: 'authenticate',
          outcome: 'not-sent',
          rpc: expect.stringMatching(/^REQUEST_(?:KILL_JOB|BUILD_INFO)$/),
        });
        expect(['no-socket', 'not-running']).toContain(error.reason);
        expect(error.message).toContain(cluster.mungeSocket);
      } finally {
        await cluster.startMunged();
      }
      expect((await alice.call('killJob', [id])).value).toMatchObject({ outcome: 'accepted' });
    });

    test('munged hangs: the deadline holds, the event loop stays free, nothing was sent', async () => {
      const { alice, cluster, run } = live();
      const id = await run('sleep 1000');
      await cluster.pauseMunged();
      try {
        const startedAt = performance.now();
        const calls = [1, 2, 3, 4].map(() => alice.call('killJob', [id, 'SIGKILL', { timeoutMs: 700 }]));
        for (const { error, longestPauseMs } of await Promise.all(calls)) {
          expect(error).toMatchObject({
            phase: 'authenticate',
            outcome: 'not-sent',
            rpc: expect.stringMatching(/^REQUEST_(?:KILL_JOB|BUILD_INFO)$/),
          });
          expect(['SlurmTimeoutError', 'SlurmAuthError']).toContain(error.name);
          // A native call that blocked the loop would hold it for ten seconds.
          expect(longestPauseMs).toBeLessThan(5_000);
        }
        // Two native calls at a time, ten seconds each: without the deadline it would be twenty.
        expect(performance.now() - startedAt).toBeLessThan(9_000);
      } finally {
        await cluster.resumeMunged();
      }
      expect(await cluster.jobState(id)).toBe('RUNNING');
      expect((await alice.call('killJob', [id])).value).toMatchObject({ outcome: 'accepted' });
    });
  });
}
