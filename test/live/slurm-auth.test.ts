/** auth/slurm through sackd, on live daemons: no munged is there. */
import { expect, test } from 'vitest';
import { slurmAuth } from '../../src/auth/index.js';
import { connect, type Release, type SlurmAuthError } from '../../src/index.js';
import { within } from '../auth/support-tokens.js';
import { failureOf } from '../rpc/support/setup.js';
import { lines, startListeningJob } from './support/listening-job.js';
import { describeReal } from './support/live.js';

const RELEASES: readonly Release[] = ['24.11', '26.05'];
/** A step that says when it has begun. */
const STEP_THEN_SLEEP = `srun bash -c 'touch up.$SLURM_JOB_ID; exec sleep 1000'\nsleep 1000`;
const PAYLOAD = new Uint8Array([2, 4, 6]);

for (const release of RELEASES) {
  describeReal(`auth/slurm on ${release}`, { release, authSlurm: true }, (live) => {
    // The version is found by itself: among those that auth/slurm exists in.
    const options = {};
    const socket = () => live().cluster.sackSocket ?? '';

    /** Nothing but slurm.conf and the place of the socket says how to authenticate. */
    const asUsers = () => {
      const { alice, bob } = live();
      for (const actor of [alice, bob]) actor.environment = { SLURM_SACK_SOCKET: socket() };
      return { alice, bob };
    };

    test("kills jobs and steps, and not somebody else's", async () => {
      const { cluster, run, waitForFile } = live();
      const { alice, bob } = asUsers();
      expect((await alice.call('ping', [], options)).value).toMatchObject([
        { up: true, authenticated: false },
      ]);
      const pending = await cluster.submit('sleep 1000', { user: 'alice', sbatchArgs: ['--hold'] });
      expect((await bob.call('killJob', [pending], options)).error).toMatchObject({
        outcome: 'refused',
        errno: 'EPERM',
      });
      expect((await alice.call('killJob', [pending], options)).value).toMatchObject({ outcome: 'accepted' });
      await cluster.waitForJob(pending, ['CANCELLED']);

      // A signal to a step whose processes have not begun is lost, although the controller takes it.
      const id = await run(STEP_THEN_SLEEP);
      await waitForFile(`up.${id}`);
      const isThere = async () => (await alice.call('probe', [`${id}.0`], options)).value?.exists === true;
      expect((await alice.call('killJobStep', [`${id}.0`, 'SIGTERM'], options)).error).toBeUndefined();
      await cluster.waitFor(async () => !(await isThere()), 20_000, 'the end of the step');
      // The kernel has told sackd who asks, so one request is safe.
      const own = await cluster.submit('sleep 1000', { user: 'alice', sbatchArgs: ['--hold'] });
      const foreign = await cluster.submit('sleep 1000', { user: 'bob', sbatchArgs: ['--hold'] });
      expect((await alice.call('killJobs', [[id, own, foreign]], options)).value).toMatchObject({
        rpc: 'REQUEST_KILL_JOBS',
        jobs: [{ outcome: 'accepted' }, { outcome: 'accepted' }, { outcome: 'refused' }],
      });
      await cluster.waitForJob(id, ['CANCELLED']);
      expect(await cluster.jobState(foreign)).toBe('PENDING');
    });

    test('signals straight to the slurmds, directly and through the tree', async () => {
      const { cluster, output } = live();
      const { alice, bob } = asUsers();
      const id = await startListeningJob(live());
      // Not the same twice: a second one would be lost while the first is pending.
      for (const [fanOut, signal] of [
        ['direct', 'SIGUSR1'],
        ['tree', 'SIGUSR2'],
      ] as const) {
        const told = await alice.call('signalJobStep', [`${id}.0`, signal, { fanOut }], options);
        expect(told.error).toBeUndefined();
        expect(told.value.nodes.map(({ outcome }: { outcome: string }) => outcome)).toEqual(
          Array(4).fill('accepted'),
        );
      }
      await cluster.waitFor(async () => lines(await output(`out.${id}`)).length >= 8, 20_000, 'the signals');
      expect((await bob.call('signalJob', [id, 'SIGUSR1'], options)).error).toMatchObject({
        outcome: 'refused',
      });
      expect((await alice.call('terminateJobStep', [`${id}.0`], options)).value).toMatchObject({
        outcome: 'accepted',
      });
      expect((await alice.call('killJob', [id], options)).error).toBeUndefined();
      await cluster.waitForJob(id, ['CANCELLED']);
    });

    test('one credential of sackd is good for it again, and only for whom it was made', async () => {
      const auth = slurmAuth({ socket: socket() });
      const made = await auth.create(PAYLOAD, null, within(10_000));
      expect(await auth.verify(made, within(10_000))).toEqual({
        uid: process.getuid?.(),
        gid: process.getgid?.(),
        payload: PAYLOAD,
      });
      const forAlice = await auth.create(PAYLOAD, live().cluster.users.alice.uid, within(10_000));
      expect(await failureOf(auth.verify(forAlice, within(10_000)))).toMatchObject({
        code: 'ESLURM_AUTH_CRED_INVALID',
      });
      const token = (made.plugin === 'auth/slurm' && made.token) || '';
      const forged = `${token.slice(0, -3)}${token.endsWith('AAA') ? 'BBB' : 'AAA'}`;
      const error = await failureOf(auth.verify({ plugin: 'auth/slurm', token: forged }, within(10_000)));
      expect(error).toMatchObject({ code: 'ESLURM_AUTH_CRED_INVALID' });
      expect(`${error.message}${JSON.stringify(error)}`).not.toContain(token.slice(0, 30));
    });

    test('sackd stopped, restarted in mid-call, hung', async () => {
      const { cluster } = live();
      const auth = slurmAuth({ socket: socket() });
      const slurm = await connect({ conf: cluster.slurmConf, auth, ...options });
      await cluster.stopDaemon('sackd');
      // Its last thread may hold the socket for a moment longer.
      const reason = () =>
        failureOf(auth.create(PAYLOAD, null, within(50))).then((error) => (error as SlurmAuthError).reason);
      await cluster.waitFor(async () => (await reason()) === 'not-running', 10_000, 'the end of sackd');
      const stopped = await failureOf(slurm.killJob(1, 'SIGKILL', { timeoutMs: 9_000 }));
      expect(stopped).toMatchObject({
        name: 'SlurmAuthError',
        code: 'SLURMWIRE_AUTH_NO_SACK',
        outcome: 'not-sent',
        reason: 'not-running',
        retryable: true,
      });
      expect(stopped.message).toContain(socket());
      const waiting = slurm.probe(1, { timeoutMs: 20_000 });
      await cluster.startDaemon('sackd');
      expect(await waiting).toMatchObject({ peer: `127.0.0.1:${cluster.controller.port}` });

      await cluster.pauseDaemon('sackd');
      const hung = await failureOf(slurm.killJob(1, 'SIGKILL', { timeoutMs: 600 }));
      expect(hung).toMatchObject({ name: 'SlurmTimeoutError', outcome: 'not-sent' });
      await cluster.resumeDaemon('sackd');
      expect(await slurm.ping()).toMatchObject([{ up: true }]);
    });

    test('a protocol without auth/slurm is refused before anything is asked', async () => {
      const { cluster } = live();
      const auth = slurmAuth({ socket: socket() });
      const error = await failureOf(connect({ conf: cluster.slurmConf, auth, protocol: '23.02' }));
      expect(error).toMatchObject({
        code: 'SLURMWIRE_NOT_IN_RELEASE',
        errno: 'ENOTSUP',
        outcome: 'not-sent',
      });
    });
  });
}
