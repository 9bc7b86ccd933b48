/** Kills with a token and nothing else, on live daemons of four releases. The process is root's: whose token it is counts, and nothing else. */
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { jwt } from '../../src/auth/index.js';
import {
  type Authenticator,
  connect,
  type Release,
  type SlurmClient,
  tcpTransport,
} from '../../src/index.js';
import { failureOf } from '../rpc/support/setup.js';
import { describeReal, type RealLive } from './support/live.js';

const RELEASES: readonly Release[] = ['20.11', '22.05', '24.11', '26.05'];

for (const release of RELEASES) {
  describeReal(`auth/jwt on ${release}`, { release, nodes: 2, jwt: true }, (live) => {
    /** Counts the connections that are begun. */
    const counting = () => {
      const tcp = tcpTransport();
      const counter = {
        begun: 0,
        transport: {
          connect: (...args: Parameters<typeof tcp.connect>) => {
            counter.begun += 1;
            return tcp.connect(...args);
          },
        },
      };
      return counter;
    };
    const clientWith = (
      auth: Authenticator,
      { cluster }: RealLive,
      more: object = {},
    ): Promise<SlurmClient> => connect({ conf: cluster.slurmConf, auth, ...more });
    const clientOf = async (user: 'alice' | 'bob' | 'slurm' | 'root', more: object = {}) =>
      clientWith(jwt({ token: await live().cluster.token(user as 'alice') }), live(), more);

    test('kills: a pending job, a running one, a step; looks; pings', async () => {
      const { cluster, run, waitForFile } = live();
      const slurm = await clientOf('alice');
      expect(await slurm.ping()).toMatchObject([{ up: true, authenticated: false }]);

      const pending = await cluster.submit('sleep 1000', { user: 'alice', sbatchArgs: ['--hold'] });
      const killed = await slurm.killJob(pending);
      expect(killed).toMatchObject({ outcome: 'accepted', authenticated: false });
      await cluster.waitForJob(pending, ['CANCELLED']);

      // A signal to a step whose processes have not begun is lost, although the controller takes it.
      const id = await run(`srun bash -c 'touch up.$SLURM_JOB_ID; exec sleep 1000'\nsleep 1000`);
      await waitForFile(`up.${id}`);
      // The lab's users are not known on this host, so it takes the uid to tell.
      const { alice } = cluster.users;
      const knowing = await clientWith(jwt({ token: await cluster.token('alice'), uid: alice.uid }), live());
      const there = { exists: true, state: 'RUNNING' };
      expect(await slurm.probe(id)).toMatchObject({ ...there, mine: null, maySignal: null });
      expect(await knowing.probe(id)).toMatchObject({ ...there, mine: true, maySignal: true });
      await slurm.killJobStep(`${id}.0`, 'SIGTERM');
      await cluster.waitFor(
        async () => !(await slurm.probe(`${id}.0`)).exists,
        20_000,
        'the end of the step',
      );
      expect(await cluster.jobState(id)).toBe('RUNNING');
      await slurm.killJob(id);
      await cluster.waitForJob(id, ['CANCELLED']);
    });

    test('killJobs: own jobs one by one, since the name alone is no certain uid; in one request where it is given', async () => {
      const { cluster } = live();
      const submit = (user: 'alice' | 'bob') =>
        cluster.submit('sleep 1000', { user, sbatchArgs: ['--hold'] });
      const slurm = await clientOf('alice');
      const [a, b, c, foreign] = [
        await submit('alice'),
        await submit('alice'),
        await submit('alice'),
        await submit('bob'),
      ];
      const singly = await slurm.killJobs([a, b, foreign]);
      expect(singly).toMatchObject({ rpc: 'REQUEST_KILL_JOB', outcome: 'partial' });
      expect(singly.jobs.map(({ jobId, outcome }) => [jobId, outcome])).toEqual([
        [a, 'accepted'],
        [b, 'accepted'],
        [foreign, 'refused'],
      ]);
      const token = await cluster.token('alice');
      const knowing = await clientWith(jwt({ token, uid: cluster.users.alice.uid }), live());
      const rpc = release >= '24.11' ? 'REQUEST_KILL_JOBS' : 'REQUEST_KILL_JOB';
      expect(await knowing.killJobs([c, foreign])).toMatchObject({
        rpc,
        jobs: [
          { jobId: c, outcome: 'accepted' },
          { jobId: foreign, outcome: 'refused', code: 'ESLURM_ACCESS_DENIED' },
        ],
      });
      // The controller has survived it.
      expect(await knowing.probe(foreign)).toMatchObject({ exists: true, mine: false, state: 'PENDING' });
      await (await clientOf('bob')).killJobs({ user: cluster.users.bob.uid });
      await cluster.waitForJob(foreign, ['CANCELLED']);
    });

    test("somebody else's token: the controller says no", async () => {
      const { cluster, run } = live();
      const id = await run('sleep 1000');
      const error = await failureOf((await clientOf('bob')).killJob(id));
      expect(error).toMatchObject({ name: 'SlurmServerError', outcome: 'refused', errno: 'EPERM' });
      expect(await cluster.jobState(id)).toBe('RUNNING');
      // SlurmUser's token may act as anybody.
      const token = await cluster.token('slurm' as 'alice');
      const asBob = await clientWith(jwt({ token, username: 'bob' }), live());
      expect(await failureOf(asBob.killJob(id))).toMatchObject({ outcome: 'refused', errno: 'EPERM' });
      const asAlice = await clientWith(jwt({ token, username: 'alice' }), live());
      await asAlice.killJob(id);
      await cluster.waitForJob(id, ['CANCELLED']);
    });

    test('one that has expired is not sent; nor, by the daemon, taken', async () => {
      const { cluster } = live();
      const token = await cluster.token('alice', { lifespanSeconds: 1 });
      await cluster.waitFor(async () => isLate(token), 10_000, 'the token to expire');
      const counter = counting();
      const slurm = await clientWith(jwt({ token }), live(), { transport: counter.transport });
      const error = await failureOf(slurm.killJob(1));
      expect(error).toMatchObject({
        name: 'SlurmAuthError',
        code: 'ESLURM_AUTH_EXPIRED',
        outcome: 'not-sent',
      });
      expect(error.message).toMatch(/expired \d+ s ago/);
      expect(error.message).not.toContain(token);
      expect(counter.begun).toBe(0);

      const believing = await clientWith(jwt({ token, now: () => 0 }), live());
      const refused = await failureOf(believing.killJob(1));
      expect(refused.outcome).toBe('not-sent'); // it was the first contact
      expect(refused.code).toBe('SLURM_PROTOCOL_AUTHENTICATION_ERROR');
      expect(refused.message).toContain('AuthAltTypes');
      expect(refused.message).not.toContain('munge');
    });

    test('a new token is used: of a file that is replaced, of a function that is asked again', async () => {
      const { cluster } = live();
      const held = () => cluster.submit('sleep 1000', { user: 'alice', sbatchArgs: ['--hold'] });
      const path = join(cluster.workDirectory, 'token');
      const put = async (token: string) => {
        await writeFile(`${path}.new`, `SLURM_JWT=${token}\n`, { mode: 0o600 });
        await rename(`${path}.new`, path);
      };
      const short = await cluster.token('alice', { lifespanSeconds: 1 });
      await put(short);
      const slurm = await clientWith(jwt({ tokenFile: path }), live());
      await cluster.waitFor(async () => isLate(short), 10_000, 'the token to expire');
      const [one, two] = [await held(), await held()];
      expect(await failureOf(slurm.killJob(one))).toMatchObject({
        code: 'ESLURM_AUTH_EXPIRED',
        outcome: 'not-sent',
      });
      await put(await cluster.token('alice'));
      await slurm.killJob(one);
      await put(await cluster.token('bob'));
      expect(await failureOf(slurm.killJob(two))).toMatchObject({
        reason: 'other-user',
        outcome: 'not-sent',
      });

      const tokens = [short, await cluster.token('alice')];
      let asked = 0;
      const provide = () => tokens[asked++] as string;
      const rotating = await clientWith(jwt({ provide }), live());
      expect(await failureOf(rotating.killJob(two))).toMatchObject({ code: 'ESLURM_AUTH_EXPIRED' });
      await rotating.killJob(two);
      await rotating.probe(two);
      expect(asked).toBe(2);
    });

    test('slurmds take none: those verbs are refused with nothing sent to anybody', async () => {
      const { cluster, run } = live();
      const id = await run('srun sleep 1000');
      const counter = counting();
      const slurm = await clientOf('alice', { transport: counter.transport });
      const NOT_FOR_NODES = {
        name: 'SlurmAuthError',
        code: 'SLURMWIRE_AUTH_NOT_FOR_NODES',
        errno: 'ENOTSUP',
        outcome: 'not-sent',
      };
      expect(await failureOf(slurm.signalJob(id, 'SIGTERM'))).toMatchObject(NOT_FOR_NODES);
      expect(await failureOf(slurm.signalJobStep(`${id}.0`, 'SIGTERM'))).toMatchObject(NOT_FOR_NODES);
      expect(await failureOf(slurm.terminateJobStep(`${id}.0`))).toMatchObject(NOT_FOR_NODES);
      expect(counter.begun).toBe(0);
      expect(await cluster.jobState(id)).toBe('RUNNING');
      // Through the controller.
      const terminated = await slurm.terminate(id, {
        ladder: [{ signal: 'SIGTERM', graceMs: 200 }, { signal: 'SIGKILL' }],
      });
      expect(terminated).toMatchObject({ outcome: 'accepted' });
      await cluster.waitForJob(id, ['CANCELLED', 'FAILED', 'COMPLETED']);
    });

    test('connect() takes SLURM_JWT of its environment', async () => {
      const { cluster, alice } = live();
      // Bob's token in alice's process: her job is not bob's.
      const id = await cluster.submit('sleep 1000', { user: 'alice', sbatchArgs: ['--hold'] });
      const auth = {};
      alice.environment = { SLURM_JWT: await cluster.token('bob') };
      expect((await alice.call('killJob', [id], auth)).error).toMatchObject({
        outcome: 'refused',
        errno: 'EPERM',
      });
      alice.forget();
      alice.environment = { SLURM_JWT: await cluster.token('alice') };
      expect((await alice.call('killJob', [id], auth)).value).toMatchObject({ outcome: 'accepted' });
      alice.forget();
    });
  });
}

function isLate(token: string): boolean {
  const { exp } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
    exp: number;
  };
  return Date.now() / 1000 > exp + 1.1;
}
