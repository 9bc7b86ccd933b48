/** The same kill, unchanged, on live daemons of four releases, in every protocol each of them speaks; and what each says to one it does not. */
import { describe, expect, test } from 'vitest';
import { isAtLeast, type Release } from '../../src/protocol/index.js';
import { describeLive } from './support/live.js';

interface Daemon {
  readonly release: Release;
  /** Protocols of this library that it accepts. */
  readonly speaks: readonly Release[];
  /** A protocol it does not speak, and what it then does. */
  readonly stranger: Release;
  readonly answer: object;
}

const SAYS_VERSION = {
  name: 'SlurmProtocolVersionError',
  code: 'SLURM_PROTOCOL_VERSION_ERROR',
  errno: 'EPROTO',
  outcome: 'not-sent',
};

/** It closes without a word; what it speaks it says when it is asked in other versions. */
const CLOSES = { ...SAYS_VERSION, answerKind: 'closed' };

const SAYS_NO = { name: 'SlurmServerError', outcome: 'refused' };

const DAEMONS: readonly Daemon[] = [
  { release: '20.11', speaks: ['20.11'], stranger: '22.05', answer: CLOSES },
  { release: '22.05', speaks: ['20.11', '21.08', '22.05'], stranger: '23.02', answer: CLOSES },
  {
    release: '24.11',
    speaks: ['23.02', '23.11', '24.05', '24.11'],
    stranger: '22.05',
    answer: { ...SAYS_VERSION, answer: 'SLURM_PROTOCOL_AUTHENTICATION_ERROR in protocol 24.11' },
  },
  {
    release: '26.05',
    speaks: ['24.11', '25.05', '25.11', '26.05'],
    stranger: '24.05',
    answer: { ...SAYS_VERSION, answer: expect.stringContaining('HTTP/1.1 405') },
  },
];

describe.each(DAEMONS)('$release', ({ release, speaks, stranger, answer }) => {
  describeLive('kills and refusals', { release, nodes: 2 }, (live) => {
    test.each(speaks)('in protocol %s', async (protocol) => {
      const { alice, bob, cluster, run } = live();
      const options = { protocol };
      const id = await run('sleep 1000');

      expect((await bob.call('killJob', [id], options)).error).toMatchObject({
        ...SAYS_NO,
        code: 'ESLURM_ACCESS_DENIED',
        number: 2002,
        errno: 'EPERM',
      });
      expect(await cluster.jobState(id)).toBe('RUNNING');

      const { value } = await alice.call('killJob', [id], options);
      // Replies are signed up to protocol 22.05.
      expect(value).toMatchObject({
        outcome: 'accepted',
        protocol,
        authenticated: !isAtLeast(protocol, '23.02'),
      });
      await cluster.waitForJob(id, ['CANCELLED']);

      expect((await alice.call('killJob', [id], options)).error).toMatchObject({
        ...SAYS_NO,
        code: 'ESLURM_ALREADY_DONE',
        number: 2021,
        errno: 'ESRCH',
      });
      expect((await alice.call('killJob', [999_999], options)).error).toMatchObject({
        ...SAYS_NO,
        code: 'ESLURM_INVALID_JOB_ID',
        number: 2017,
        errno: 'ESRCH',
      });
      expect((await alice.call('killJobStep', [`${id}.0`, 'USR1'], options)).error).toMatchObject({
        outcome: 'refused',
      });

      const held = await cluster.submit('sleep 1000', {
        user: 'alice',
        sbatchArgs: ['--array=0-3', '--hold'],
      });
      expect((await alice.call('killJob', [`${held}_[1-2]`], options)).value).toMatchObject({
        outcome: 'accepted',
      });
      expect((await alice.call('killJob', [held], options)).value).toMatchObject({ outcome: 'accepted' });
      expect(await cluster.jobState(held)).toBe('CANCELLED');
      expect((await alice.call('ping', [], options)).value).toMatchObject([{ up: true, protocol }]);
    });

    test(`in protocol ${stranger}, which it does not speak: nothing is sent`, async () => {
      const { alice, cluster, run } = live();
      const id = await run('sleep 1000');
      const { error } = await alice.call('killJob', [id], { protocol: stranger });
      expect(error).toMatchObject(answer);
      expect(await cluster.jobState(id)).toBe('RUNNING');
      await alice.call('killJob', [id], { protocol: speaks.at(-1) });
    });
  });
});
