/** The eight codes of slurm_kill_job(3): which call ends with each, as which class, with which errno and outcome. */
import { describe, expect, it, test } from 'vitest';
import {
  type MessageName,
  RELEASE_NAMES,
  type Release,
  type SlurmError,
  type SlurmProtocolVersionError,
} from '../../src/protocol/index.js';
import { type Answer, answering, jobInfo, rc, silence } from './support/replies.js';
import { ScriptedPeer } from './support/scripted-peer.js';
import { clientOf, failureOf } from './support/setup.js';

type Answers = { readonly [N in MessageName]?: Answer };

const KILL = 'REQUEST_KILL_JOB';
const STEP = 'REQUEST_CANCEL_JOB_STEP';

/** What `killJob(7)` or `killJobStep('7.0')` with SIGUSR1 ends with, where the controller gives these answers. */
async function endOf(answers: Answers, release: Release, timeoutMs = 5_000) {
  await using peer = await ScriptedPeer.listen(answering(answers, release));
  const client = clientOf([peer.endpoint], { release });
  const options = { timeoutMs };
  const error = await failureOf(
    STEP in answers ? client.killJobStep('7.0', 'SIGUSR1', options) : client.killJob(7, 'SIGUSR1', options),
  );
  expect(error).toMatchObject({ protocol: release, peer: peer.peer, rpc: STEP in answers ? STEP : KILL });
  return { error, requests: peer.requests };
}

/** The controller answers with the number, and knows one job record of that id if it is asked. */
const answersNumber = (number: number, release: Release, rpc: typeof KILL | typeof STEP = KILL): Answers => ({
  [rpc]: rc(number, { release }),
  REQUEST_JOB_INFO_SINGLE: jobInfo(1, { release }),
});

const answered: [
  number: number,
  code: string,
  name: string,
  errno: string,
  outcome: SlurmError['outcome'],
][] = [
  [1005, 'SLURM_PROTOCOL_VERSION_ERROR', 'SlurmProtocolVersionError', 'EPROTO', 'unknown'],
  [2001, 'ESLURM_DEFAULT_PARTITION_NOT_SET', 'SlurmServerError', 'ENOENT', 'unknown'],
  [2002, 'ESLURM_ACCESS_DENIED', 'SlurmServerError', 'EPERM', 'refused'],
  [2009, 'ESLURM_JOB_SCRIPT_MISSING', 'SlurmServerError', 'EINVAL', 'refused'],
  [2017, 'ESLURM_INVALID_JOB_ID', 'SlurmServerError', 'ESRCH', 'refused'],
  [2021, 'ESLURM_ALREADY_DONE', 'SlurmServerError', 'ESRCH', 'refused'],
  [2022, 'ESLURM_INTERCONNECT_FAILURE', 'SlurmServerError', 'ENETDOWN', 'unknown'],
  [5004, 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT', 'SlurmTimeoutError', 'ETIMEDOUT', 'unknown'],
];

describe('a controller that answers with', () => {
  describe.each(answered)('%i %s: a %s, %s, %s', (number, code, name, errno, outcome) => {
    test.each(RELEASE_NAMES)('killJob in %s', async (release) => {
      const { error } = await endOf(answersNumber(number, release), release);
      expect(error).toMatchObject({ name, code, number, errno, outcome, retryable: false, phase: 'wait' });
    });

    test.each(RELEASE_NAMES)('killJobStep in %s', async (release) => {
      const { error } = await endOf(answersNumber(number, release, STEP), release);
      expect(error).toMatchObject({ name, code, number, errno, outcome, retryable: false, phase: 'wait' });
    });
  });
});

describe('SLURM_PROTOCOL_VERSION_ERROR without that number', () => {
  const WAYS: [string, Answer, string][] = [
    [
      'the first contact is answered with 1007 in the version of the controller',
      rc(1007, { release: '24.11', signer: null }),
      'SLURM_PROTOCOL_AUTHENTICATION_ERROR in protocol 24.11',
    ],
    [
      'the first contact is answered in HTTP',
      Buffer.from('HTTP/1.1 405 NOT ALLOWED\r\n'),
      'HTTP/1.1 405 NOT ALLOWED',
    ],
  ];
  it.each(WAYS)('%s: not sent', async (_, ping, answer) => {
    const { error, requests } = await endOf({ REQUEST_PING: ping, [KILL]: rc(0) }, '22.05');
    expect(error).toMatchObject({
      name: 'SlurmProtocolVersionError',
      code: 'SLURM_PROTOCOL_VERSION_ERROR',
      errno: 'EPROTO',
      outcome: 'not-sent',
      retryable: false,
      tried: ['22.05'],
      answer,
    });
    expect((error as SlurmProtocolVersionError).spoken).toEqual(RELEASE_NAMES);
    expect(requests).toEqual(['REQUEST_PING']);
  });
});

describe('SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT at our own deadline', () => {
  const TIMEOUT = {
    name: 'SlurmTimeoutError',
    code: 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT',
    errno: 'ETIMEDOUT',
  };

  it('while the kill waits for its answer: unknown', async () => {
    const { error } = await endOf({ [KILL]: silence }, '22.05', 300);
    expect(error).toMatchObject({ ...TIMEOUT, outcome: 'unknown', phase: 'wait', retryable: false });
    expect(error.number).toBeUndefined();
  });

  it('while the first contact waits for its answer: not sent', async () => {
    const { error, requests } = await endOf({ REQUEST_PING: silence, [KILL]: rc(0) }, '22.05', 300);
    expect(error).toMatchObject({ ...TIMEOUT, outcome: 'not-sent', phase: 'wait', retryable: true });
    expect(requests).toEqual(['REQUEST_PING']);
  });
});

describe('the other verbs make the same classes of the same numbers', () => {
  const VERSION = { name: 'SlurmProtocolVersionError', number: 1005 };
  const AUTH = { name: 'SlurmAuthError', number: 6000, code: 'ESLURM_AUTH_CRED_INVALID' };
  const LATE = { name: 'SlurmTimeoutError', number: 5004 };
  const TORN = { name: 'SlurmProtocolError', number: 5003, errno: 'EPROTO' };
  const LINE = { name: 'SlurmConnectionError', number: 1001, errno: 'EHOSTUNREACH' };
  const VERBS: [MessageName, (client: ReturnType<typeof clientOf>) => Promise<unknown>][] = [
    ['REQUEST_SUSPEND', (client) => client.suspend(7)],
    ['REQUEST_JOB_REQUEUE', (client) => client.requeue(7)],
    ['REQUEST_JOB_NOTIFY', (client) => client.notify(7, 'hello')],
    ['REQUEST_KILL_JOBS', (client) => client.killJobs([7], 'SIGUSR1')],
    ['REQUEST_JOB_INFO_SINGLE', (client) => client.signalJob(7, 'SIGUSR1')],
    ['REQUEST_PING', async (client) => Promise.reject((await client.ping())[0]?.error)],
  ];
  for (const expected of [VERSION, AUTH, LATE, TORN, LINE]) {
    it.each(VERBS)(`${expected.number} to %s: ${expected.name}`, async (rpc, call) => {
      const release = '24.11';
      await using peer = await ScriptedPeer.listen(
        answering({ [rpc]: rc(expected.number, { release }) } as Answers, release),
      );
      const client = clientOf([peer.endpoint], { release });
      expect(await failureOf(call(client))).toMatchObject({ ...expected, rpc });
    });
  }
});
