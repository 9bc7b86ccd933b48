/** Kills through TLS on real daemons: slurmctld and each slurmd stand behind a TLS proxy, since Debian builds no tls/s2n. */
import { rootCertificates } from 'node:tls';
import { expect, test } from 'vitest';
import { lines, startListeningJob } from './support/listening-job.js';
import { describeReal } from './support/live.js';

describeReal('through TLS, 26.05', { release: '26.05', tls: true }, (live) => {
  const protocol = '26.05';
  const tls = () => ({ protocol, conf: live().cluster.tlsSlurmConf ?? '' });

  test('ping, and a kill of a job and of a step through slurmctld', async () => {
    const { alice, bob, cluster, run } = live();
    const pinged = await alice.call('ping', [], tls());
    expect(pinged.error).toBeUndefined();
    expect(pinged.value).toMatchObject([{ up: true }]);

    const id = await run('sleep 1000');
    expect((await bob.call('killJob', [id], tls())).error).toMatchObject({
      code: 'ESLURM_ACCESS_DENIED',
      outcome: 'refused',
    });
    expect((await alice.call('killJob', [id], tls())).value).toMatchObject({ outcome: 'accepted', protocol });
    await cluster.waitForJob(id, ['CANCELLED']);
    expect((await alice.call('killJob', [id], tls())).error).toMatchObject({ code: 'ESLURM_ALREADY_DONE' });

    // The version is found inside TLS as outside.
    const found = await run('sleep 1000');
    const auto = await alice.call('killJob', [found], { conf: tls().conf });
    expect(auto.value).toMatchObject({ outcome: 'accepted' });

    const stepped = await run('srun --overlap sleep 1000; sleep 1000');
    const steps = async () =>
      (await cluster.exec(['squeue', '-h', '-s', '-j', `${stepped}`, '-o', '%i'], { user: 'root' })).stdout;
    await cluster.waitFor(async () => (await steps()).includes(`${stepped}.0`), 20_000, 'the step');
    const killed = await alice.call('killJobStep', [`${stepped}.0`], tls());
    expect(killed.value).toMatchObject({ outcome: 'accepted' });
    await cluster.waitFor(async () => !(await steps()).includes(`${stepped}.0`), 20_000, 'its end');
    expect(await cluster.jobState(stepped)).toBe('RUNNING');
    await alice.call('killJob', [stepped], tls());
  });

  test('signals straight to the slurmds, directly and through their tree', async () => {
    const { alice, cluster, output } = live();
    const id = await startListeningJob(live());
    for (const [index, how] of [{ fanOut: 'direct' }, { fanOut: 'tree', treeWidth: 2 }].entries()) {
      const { value, error } = await alice.call('signalJobStep', [`${id}.0`, 'SIGUSR1', how], tls());
      expect(error).toBeUndefined();
      expect(value.nodes.map(({ outcome }: { outcome: string }) => outcome)).toEqual(
        Array(4).fill('accepted'),
      );
      const heard = async () => lines(await output(`out.${id}`)).length;
      await cluster.waitFor(async () => (await heard()) >= 4 * (index + 1), 20_000, 'the signals');
    }
    const all = await alice.call('signalJob', [id, 'SIGUSR2'], tls());
    expect(all.value).toMatchObject({ outcome: 'accepted' });

    const { value, error } = await alice.call('terminate', [id], tls());
    expect(error).toBeUndefined();
    expect(value.outcome).toBe('accepted');
    await cluster.waitForJob(id, ['CANCELLED', 'FAILED', 'COMPLETED', 'NOT_FOUND']);
  });

  test('a client that is told to speak plain text learns what is wanted; one that trusts another CA sends nothing', async () => {
    const { alice } = live();
    const plain = (await alice.call('killJob', [1], { ...tls(), tls: false })).error;
    // Slurm's own daemons of 25.11 and newer say 13000; this proxy closes, as those of 25.05 may.
    expect(plain).toMatchObject({ reason: 'closed-on-every-version', outcome: 'not-sent' });
    expect(plain.hint).toMatch(/TLS/);

    const other = { ca: rootCertificates[0] };
    const untrusted = (await alice.call('killJob', [1], { ...tls(), tls: other })).error;
    expect(untrusted).toMatchObject({
      code: 'SLURMWIRE_TLS_UNTRUSTED',
      outcome: 'not-sent',
      phase: 'connect',
    });
    // The search for the version does not begin where nobody is trusted.
    const auto = (await alice.call('killJob', [1], { conf: tls().conf, tls: other })).error;
    expect(auto).toMatchObject({ code: 'SLURMWIRE_TLS_UNTRUSTED', outcome: 'not-sent', phase: 'connect' });
    const named = (await alice.call('killJob', [1], { ...tls(), tls: { checkHostname: true } })).error;
    expect(named).toMatchObject({ code: 'SLURMWIRE_TLS_UNTRUSTED', outcome: 'not-sent' });
  });

  test('a silent slurmctld behind TLS: the deadline', async () => {
    const { alice, cluster } = live();
    await cluster.pauseDaemon('slurmctld');
    try {
      const { error } = await alice.call('killJob', [1, 'SIGKILL', { timeoutMs: 1_000 }], tls());
      expect(error).toMatchObject({ name: 'SlurmTimeoutError', errno: 'ETIMEDOUT' });
    } finally {
      await cluster.resumeDaemon('slurmctld');
    }
  });

  test('all of it went through the proxy: without it nobody can be reached', async () => {
    const { alice, cluster } = live();
    await cluster.stopDaemon('tls-proxy');
    const { error } = await alice.call('killJob', [1], tls());
    // The port is let go of by the last thread of the proxy only.
    expect(error).toMatchObject({ outcome: 'not-sent', phase: 'connect' });
    expect(error.errno).toMatch(/^ECONN(REFUSED|RESET)$/);
    expect((await alice.call('ping', [], { protocol })).value).toMatchObject([{ up: true }]);
  });
});
