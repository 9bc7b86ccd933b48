/** What a call comes to when it went to more than one controller: the truth about what the one before may have done. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { SlurmClient } from '../../src/rpc/client.js';
import { noStrayTrouble } from './support/leaks.js';
import { clientOf, failureOf, type TestSetup } from './support/setup.js';
import { VersionedPeer } from './support/versioned-peer.js';

noStrayTrouble();

beforeEach(() => {
  vi.spyOn(process, 'geteuid').mockReturnValue(1000);
});
afterEach(() => {
  vi.restoreAllMocks();
});

function finding(peers: readonly VersionedPeer[], given: TestSetup = {}): SlurmClient {
  return clientOf(
    peers.map(({ endpoint }) => endpoint),
    { release: '26.11', findsVersion: true, ...given },
  );
}

/** It does what it is asked and dies before it has answered. */
function diesBeforeAnswer(peer: VersionedPeer): void {
  let isDying = false;
  peer.before = (request) => {
    isDying = request.name === 'REQUEST_KILL_JOBS';
    return false;
  };
  peer.beforeAnswer = (connection) => {
    if (isDying) connection.drop();
    return isDying;
  };
}

describe('killJobs whose request was taken over by another controller', () => {
  it('a job that has ended by then may have been signalled by the first: unknown', async () => {
    await using first = await VersionedPeer.start('24.11');
    await using second = await VersionedPeer.start('24.11');
    diesBeforeAnswer(first);
    second.ended.add(7);
    const killed = await finding([first, second]).killJobs([7, 8]);
    expect(first.signals).toEqual(['SIGKILL 7', 'SIGKILL 8']);
    expect(killed.jobs).toMatchObject([
      { target: '7', outcome: 'unknown', code: 'ESLURM_ALREADY_DONE' },
      { target: '8', outcome: 'accepted' },
    ]);
    expect(killed).toMatchObject({ outcome: 'partial', peer: second.peer });
  });

  it('what the second refuses as a whole may have been done by the first: unknown', async () => {
    await using first = await VersionedPeer.start('24.11');
    await using second = await VersionedPeer.start('24.11');
    diesBeforeAnswer(first);
    const client = finding([first, second]);
    await client.request('REQUEST_PING', {});
    second.become({ release: '24.11', standby: 2131 });
    const error = await failureOf(client.killJobs([7]));
    expect(first.signals).toEqual(['SIGKILL 7']);
    expect(error).toMatchObject({ outcome: 'unknown' });
  });

  it('a filter is not asked for again, since it may fit other jobs by then: unknown', async () => {
    await using first = await VersionedPeer.start('24.11');
    await using second = await VersionedPeer.start('24.11');
    diesBeforeAnswer(first);
    const error = await failureOf(finding([first, second]).killJobs({ account: 'phys' }));
    expect(second.versionsOf('REQUEST_KILL_JOBS')).toHaveLength(0);
    expect(error).toMatchObject({ outcome: 'unknown', peer: first.peer });
  });
});
