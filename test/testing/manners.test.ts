/**
 * How the embedded daemons of all releases refuse. What 20.11, 22.05, 24.11 and 26.05 do was held against live ones
 * (`test/live/wire-manners.test.ts`); here it is written down, with what the sources say of the releases between.
 */
import { describe, expect, test } from 'vitest';
import { connect } from '../../src/index.js';
import { isAtLeast, RELEASE_NAMES, type Release } from '../../src/protocol/index.js';
import { startCluster } from '../../src/testing/index.js';
import { accepts } from '../../src/testing/manners.js';
import { manneredCases } from '../support/manners-cases.js';
import { packedText, tell, u32, words } from '../support/raw-frame.js';

/** Answers to everything but what is refused because of its version. */
function expectedOf(kind: 'slurmctld' | 'slurmd', own: Release, asked: Release): Record<string, string> {
  const isCtld = kind === 'slurmctld';
  const speaks = isAtLeast(own, isCtld ? '24.11' : '25.05');
  const tells = speaks && !isAtLeast(own, '26.05');
  const http = isAtLeast(own, '25.11');
  const signs = !isAtLeast(own, '23.02') || (!isAtLeast(own, '24.05') && !isAtLeast(asked, '23.02'));
  const rc = (number: number) => `${signs ? 'signed ' : ''}RC ${number} in ${asked}`;
  const ping = isCtld ? rc(0) : `signed RESPONSE_PING_SLURMD in ${asked}`;
  const credential = speaks ? `RC 1007 in ${isCtld ? asked : own}` : 'nothing';
  const section = tells ? credential : 'nothing';
  const own1007 = `RC 1007 in ${own}`;
  const version = http ? 'HTTP' : speaks ? own1007 : 'nothing';
  const body = isCtld ? 'nothing' : rc(5003);
  const short = version;
  const long = http ? 'HTTP' : 'nothing';
  const isOldDigest = !isAtLeast(asked, '22.05');
  return {
    'a ping': ping,
    'a ping in two parts': ping,
    'a ping by a half-closer': 'nothing',
    'a ping and one byte': ping,
    'two pings': ping,
    'a ping in a protocol that is too older': version,
    'the same (older) without a credential': version,
    'a ping in a protocol that is too newer': version,
    'the same (newer) without a credential': version,
    'version 0': version,
    'version 1': version,
    'version 63': version,
    'version 255': version,
    'no credential': speaks ? `RC 1007 in ${asked}` : 'nothing',
    'a credential that is none': credential,
    'an empty credential': credential,
    'a credential without a text': credential,
    'a credential of elsewhere': credential,
    'a credential for another user': credential,
    'a credential, the first time': ping,
    'a credential, the second time': credential,
    'auth/none': section,
    'a plugin that nobody knows': section,
    'a credential cut short': section,
    'no authentication section': section,
    'the header cut short': tells ? own1007 : 'nothing',
    'a digest of another message': body,
    'the digest of another time': isOldDigest ? ping : body,
    'an empty digest': ping,
    'a body cut short': body,
    'a body with something behind it': isCtld ? rc(2017) : rc(22),
    'a ping with a body': ping,
    'a type that nobody knows': body,
    'an answer in place of a request': rc(22),
    'a length of 1 GiB and a byte': long,
    'a length of 4 GiB': long,
    HTTP: long,
    'a length of 0': http ? 'silence' : short,
    'a length of 1': http ? 'silence' : short,
    'a length of 4': short,
    'a length of 11': short,
  };
}

describe.each(RELEASE_NAMES)('%s', (release: Release) => {
  const taken = RELEASE_NAMES.filter((one) => accepts(release, one));
  test.each(['slurmctld', 'slurmd'] as const)(
    '%s refuses as its release does, in every protocol it takes',
    async (kind) => {
      await using cluster = await startCluster({ release, nodes: 1 });
      await using other = await startCluster({ nodes: 1 });
      const { endpoint } = cluster.daemon(kind === 'slurmctld' ? kind : 'n1');
      for (const asked of taken) {
        const cases = await manneredCases(
          release,
          asked,
          cluster.options('root').auth,
          other.options('root').auth,
        );
        const expected = expectedOf(kind, release, asked);
        const told: Record<string, string> = {};
        for (const { name, sending } of cases)
          if (name in expected)
            told[name] = words(
              await tell(endpoint, { ...sending, limitMs: expected[name] === 'silence' ? 200 : 5_000 }),
            );
        expect(told).toEqual(Object.fromEntries(Object.keys(told).map((name) => [name, expected[name]])));
        expect(Object.keys(told).length).toBeGreaterThan(34);
      }
    },
  );

  test('the client finds its version by itself, with as many questions as of a live one', async () => {
    await using cluster = await startCluster({ release, nodes: 1 });
    const slurm = await connect(cluster.options('alice'));
    const job = cluster.submit({ user: 'alice', script: '#!/bin/sh\n' });
    await slurm.killJob(job.jobId);
    expect((await slurm.ping())[0]).toMatchObject({ up: true, protocol: release });
    const questions = cluster.requests.filter(
      ({ name }) => name !== 'REQUEST_PING' && name !== 'REQUEST_KILL_JOB',
    );
    const tooNew = questions.filter(({ answer }) => answer.startsWith('refused')).length;
    expect([release, questions.length, tooNew]).toEqual([release, ...QUESTIONS[release]]);
    await slurm.close();
  });
});

/** Questions until the release is known, and how many of them were refused. */
const QUESTIONS: Readonly<Record<Release, readonly [number, number]>> = {
  '20.11': [3, 2],
  '21.08': [3, 2],
  '22.05': [3, 2],
  '23.02': [2, 1],
  '23.11': [2, 1],
  '24.05': [2, 1],
  '24.11': [2, 1],
  '25.05': [1, 0],
  '25.11': [1, 0],
  '26.05': [1, 0],
  '26.11': [1, 0],
};

test('a connection that brings too little, or takes no answer, is closed after MessageTimeout', async () => {
  await using cluster = await startCluster({
    nodes: 1,
    release: '22.05',
    parameters: { MessageTimeout: '0.2' },
  });
  const at = cluster.daemon('slurmctld').endpoint;
  const startedAt = performance.now();
  for (const chunk of [u32(100), Buffer.concat([u32(100), packedText('half a message')]), Buffer.alloc(0)]) {
    expect(await tell(at, { chunks: [chunk] })).toMatchObject({ end: 'fin', bytes: Buffer.alloc(0) });
  }
  expect(performance.now() - startedAt).toBeGreaterThan(500);
});
