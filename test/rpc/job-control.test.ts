/** suspend, resume, requeue and notify against scripted controllers: bytes, answers, outcomes. */
import { describe, expect, it } from 'vitest';
import {
  decodeBody,
  errorMeaning,
  isAtLeast,
  type JobId,
  type MessageName,
  payloadDigest,
  RELEASE_NAMES,
  type Release,
  type SlurmServerError,
} from '../../src/protocol/index.js';
import type { SlurmClient } from '../../src/rpc/client.js';
import type { RequeueOptions } from '../../src/rpc/index.js';
import { fromHex, goldenLines, goldenReplies, releaseOfProtocol, toHex } from '../support/golden.js';
import { FakeAuth, SLURM_USER } from './support/fake-auth.js';
import { type Answer, answering, jobInfo, rc, reply, replyOf, silence } from './support/replies.js';
import { type PeerConnection, ScriptedPeer } from './support/scripted-peer.js';
import { clientOf, expectFailure, expectUsageError, type Failure, failureOf } from './support/setup.js';

type Call = (client: SlurmClient) => Promise<unknown>;

/** Does something with a client of a peer that accepts everything; gives the body of the last request. */
async function bodySent(release: Release, name: MessageName, act: Call): Promise<string> {
  await using peer = await ScriptedPeer.listen(answering({ [name]: rc(0, { release }) }, release));
  const auth = new FakeAuth();
  await act(clientOf([peer.endpoint], { release, auth }));
  expect(peer.requests).toEqual(['REQUEST_PING', name]);
  const { frame } = peer.connections.at(-1)?.request ?? expect.fail('nothing was sent');
  expect(frame.release).toBe(release);
  expect(frame.header).toMatchObject({ flags: 0, returnList: [], bodyLength: frame.body.length });
  expect(frame.header.forward.cnt).toBe(0);
  expect(auth.created.at(-1)).toMatchObject({
    payload: toHex(payloadDigest(release, frame.header.msgType, frame.body)),
    restrictUid: SLURM_USER,
  });
  return toHex(frame.body);
}

const golden = (name: string, label: string, release: Release): string =>
  goldenLines('signalling').find(
    (line) => line.name === name && line.case === label && releaseOfProtocol(line.v) === release,
  )?.hex ?? expect.fail(`no golden ${name} ${label} ${release}`);

/** `op` stands in front of the job until 25.05, behind the step id since. */
function withOp(hex: string, op: number, release: Release): string {
  const at = isAtLeast(release, '25.11') ? 40 : 0;
  return hex.slice(0, at) + op.toString(16).padStart(4, '0') + hex.slice(at + 4);
}

const withFlags = (hex: string, flags: number) => hex.slice(0, -8) + flags.toString(16).padStart(8, '0');

describe.each(RELEASE_NAMES)('bytes of %s', (release) => {
  it('suspend and resume as Slurm itself packs them', async () => {
    const suspended = golden('REQUEST_SUSPEND', 'typical-1', release);
    const job = '4711_[1-3]';
    expect(await bodySent(release, 'REQUEST_SUSPEND', (c) => c.suspend(job))).toBe(suspended);
    expect(await bodySent(release, 'REQUEST_SUSPEND', (c) => c.resume(job))).toBe(
      withOp(suspended, 1, release),
    );
  });

  it('requeue as Slurm itself packs it, and every option is its bit', async () => {
    const plain = golden('REQUEST_JOB_REQUEUE', 'typical-1', release);
    const TABLE: [RequeueOptions, number][] = [
      [{}, 0],
      [{ hold: false, specialExit: false, onlyIfRunning: false, idempotent: true }, 0],
      [{ hold: true }, 0x0800],
      [{ specialExit: true }, 0x1000],
      [{ onlyIfRunning: true }, 0x0001],
      [{ hold: true, specialExit: true, onlyIfRunning: true }, 0x1801],
    ];
    for (const [options, flags] of TABLE) {
      const body = await bodySent(release, 'REQUEST_JOB_REQUEUE', (c) => c.requeue(4711, options));
      expect(body, JSON.stringify(options)).toBe(withFlags(plain, flags));
    }
  });

  it('notify as Slurm itself packs it', async () => {
    expect(await bodySent(release, 'REQUEST_JOB_NOTIFY', (c) => c.notify(4711, 'please stop'))).toBe(
      golden('REQUEST_JOB_NOTIFY', 'typical-1', release),
    );
    const body = await bodySent(release, 'REQUEST_JOB_NOTIFY', (c) => c.notify('4711', 'Bitte ändern 😀'));
    expect(decodeBody('REQUEST_JOB_NOTIFY', release, fromHex(body))).toMatchObject({
      stepId: { jobId: 4711, stepId: 0xfffffffe, stepHetComp: 0xfffffffe },
      message: 'Bitte ändern 😀',
    });
  });

  it('a sluid is sent where the controller knows it, else refused', async () => {
    const sluid = 'sD81M80YD4HS00';
    for (const [name, act] of [
      ['REQUEST_SUSPEND', (c) => c.suspend(sluid)],
      ['REQUEST_SUSPEND', (c) => c.resume(sluid)],
      ['REQUEST_JOB_REQUEUE', (c) => c.requeue(sluid)],
    ] as [MessageName, Call][]) {
      if (isAtLeast(release, '26.05')) {
        const body = await bodySent(release, name, act);
        expect(decodeBody(name, release, fromHex(body))).toMatchObject({ jobIdStr: sluid });
      } else {
        await using peer = await ScriptedPeer.listen(silence);
        await expectUsageError(act(clientOf([peer.endpoint], { release })), {
          code: 'SLURMWIRE_NOT_IN_RELEASE',
          field: 'job',
        });
        expect(peer.connections).toHaveLength(0);
      }
    }
  });
});

it('the text of each form of an id; SUSPEND gets the plain number for a whole array', async () => {
  const TABLE: [JobId, string, string][] = [
    [7, '7', '7'],
    ['7_3', '7_3', '7_3'],
    ['7_1-3,9%2', '7_[1-3,9]', '7_[1-3,9]'],
    ['7_*', '7', '7_*'],
    [{ jobId: 7, arrayTasks: '*' }, '7', '7_*'],
    ['7+1', '7+1', '7+1'],
    [{ jobId: 7, arrayTaskId: 3 }, '7_3', '7_3'],
  ];
  const text = async (name: MessageName, act: Call) =>
    decodeBody(name, '22.05', fromHex(await bodySent('22.05', name, act)));
  for (const [job, suspended, requeued] of TABLE) {
    expect(await text('REQUEST_SUSPEND', (c) => c.suspend(job))).toMatchObject({
      op: 0,
      jobIdStr: suspended,
    });
    expect(await text('REQUEST_SUSPEND', (c) => c.resume(job))).toMatchObject({ op: 1, jobIdStr: suspended });
    expect(await text('REQUEST_JOB_REQUEUE', (c) => c.requeue(job))).toMatchObject({ jobIdStr: requeued });
  }
});

const VERBS = {
  suspend: 'REQUEST_SUSPEND',
  resume: 'REQUEST_SUSPEND',
  requeue: 'REQUEST_JOB_REQUEUE',
  notify: 'REQUEST_JOB_NOTIFY',
} as const;
type Verb = keyof typeof VERBS;
type ArrayVerb = Exclude<Verb, 'notify'>;
const ARRAY_VERBS = ['suspend', 'resume', 'requeue'] as const;

interface Options {
  readonly release?: Release;
  readonly look?: Answer;
  readonly options?: Record<string, unknown>;
}

/** A verb whose request is answered with `answer`, and the look that follows (where it does) with `look`. */
async function answered(
  verb: Verb,
  job: JobId,
  answer: Answer,
  { release = '22.05', look, options }: Options,
) {
  const rpc = VERBS[verb];
  const answers = { [rpc]: answer, ...(look && { REQUEST_JOB_INFO_SINGLE: look }) };
  const peer = await ScriptedPeer.listen(answering(answers, release));
  const client = clientOf([peer.endpoint], { release });
  const work: Promise<unknown> =
    verb === 'notify' ? client.notify(job, 'hello', options) : client[verb](job, options);
  const failure = (number: number, outcome: Failure['outcome'], retryable: boolean): Failure => ({
    name: 'SlurmServerError',
    code: errorMeaning(number, release).code,
    phase: 'wait',
    outcome,
    retryable,
    rpc,
    peer: peer.peer,
    protocol: release,
  });
  const common = {
    rpc,
    peer: peer.peer,
    protocol: release,
    authenticated: !isAtLeast(release, '23.02'),
    elapsedMs: expect.any(Number),
  };
  return { work, failure, common, peer, [Symbol.asyncDispose]: () => peer.close() };
}

/** The look at what a number may stand for, answered with so many records. */
const records = (count: number) => jobInfo(count);

describe('accepted', () => {
  it.each(Object.keys(VERBS) as Verb[])('%s: RC 0', async (verb) => {
    await using call = await answered(verb, 7, rc(0), {});
    expect(await call.work).toEqual({
      ...call.common,
      outcome: 'accepted',
      target: '7',
      message: null,
      parts: [],
    });
  });

  it.each(Object.keys(VERBS) as Verb[])('%s: RC_MSG with a text, without a credential', async (verb) => {
    const release = '24.11';
    const bytes = reply('RESPONSE_SLURM_RC_MSG', { returnCode: 0, errMsg: 'noted' }, { release });
    await using call = await answered(verb, 7, bytes, { release });
    expect(await call.work).toMatchObject({ ...call.common, outcome: 'accepted', message: 'noted' });
  });
});

type Part = readonly [errorCode: number, jobArrayId: string | null, errMsg?: string];

const partsReply = (list: readonly Part[], release: Release = '22.05') =>
  reply(
    'RESPONSE_JOB_ARRAY_ERRORS',
    { list: list.map(([errorCode, jobArrayId, errMsg = null]) => ({ errorCode, jobArrayId, errMsg })) },
    { release },
  );

describe('an array', () => {
  it.each(ARRAY_VERBS)('%s: all parts taken is accepted, with the parts', async (verb) => {
    await using call = await answered(verb, '7_*', partsReply([[0, '7_0-1']]), {});
    expect(await call.work).toEqual({
      ...call.common,
      outcome: 'accepted',
      target: '7_*',
      message: null,
      parts: [{ target: '7_[0-1]', number: 0, code: 'SLURM_SUCCESS', message: 'No error.' }],
    });
  });

  it.each(ARRAY_VERBS)('%s: some taken, some refused is partial, with the parts', async (verb) => {
    await using call = await answered(
      verb,
      7,
      partsReply([
        [0, '7_0-1'],
        [2024, '7_2-3'],
        [2021, '7_4'],
      ]),
      {},
    );
    const error = await expectFailure(call.work, call.failure(2024, 'partial', false));
    expect(error).toMatchObject({
      number: 2024,
      errno: 'EAGAIN',
      parts: [
        { target: '7_[0-1]', number: 0, code: 'SLURM_SUCCESS' },
        {
          target: '7_[2-3]',
          number: 2024,
          code: 'ESLURM_JOB_PENDING',
          message: 'The job has not started yet.',
        },
        {
          target: '7_4',
          number: 2021,
          code: 'ESLURM_ALREADY_DONE',
          message: 'The job has finished already.',
        },
      ],
    });
    expect(error.message).toContain('taken for 7_[0-1] and refused for 7_[2-3], 7_4');
    expect((error.toJSON().parts as unknown[]).length).toBe(3);
    expect(call.peer.requests).toEqual(['REQUEST_PING', VERBS[verb]]);
  });

  it.each(ARRAY_VERBS)(
    '%s: all refused is refused, and may be retried only if each part may',
    async (verb) => {
      {
        await using call = await answered(verb, 7, partsReply([[2024, '7_2-3']]), {});
        await expectFailure(call.work, call.failure(2024, 'refused', true));
      }
      await using call = await answered(
        verb,
        7,
        partsReply([
          [2024, '7_2-3'],
          [2002, '7_1'],
        ]),
        {},
      );
      await expectFailure(call.work, call.failure(2024, 'refused', false));
    },
  );

  it('a number that proves nothing leaves it unknown, or partial where a part was taken', async () => {
    {
      await using call = await answered(
        'suspend',
        7,
        partsReply([
          [0xffffffff, '7_1'],
          [2024, '7_2'],
        ]),
        {},
      );
      const error = await expectFailure(call.work, call.failure(-1, 'unknown', false));
      expect(error.message).toContain('does not prove');
    }
    await using call = await answered(
      'suspend',
      7,
      partsReply([
        [0xffffffff, '7_1'],
        [0, '7_2'],
      ]),
      {},
    );
    await expectFailure(call.work, call.failure(-1, 'partial', false));
  });

  it("keeps the server's text; null becomes the number's", async () => {
    const release = '26.05';
    const list: Part[] = [
      [2024, '7_[2-3]', 'not yet'],
      [2024, '7_[1]'],
      [2024, null],
      [2024, '7_?'],
    ];
    await using call = await answered('resume', '7_[1-9]', partsReply(list, release), { release });
    const error = (await failureOf(call.work)) as SlurmServerError;
    expect(error.parts?.map(({ target, message }) => [target, message])).toEqual([
      ['7_[2-3]', 'not yet'],
      ['7_1', 'The job has not started yet.'],
      ['7_[1-9]', 'The job has not started yet.'],
      ['7_?', 'The job has not started yet.'],
    ]);
  });

  it('hundreds of parts are listed, not written out', async () => {
    const list = Array.from({ length: 500 }, (_, i): Part => [2024, `7_${i}`]);
    await using call = await answered('suspend', 7, partsReply(list), {});
    const error = (await failureOf(call.work)) as SlurmServerError;
    expect(error.parts).toHaveLength(500);
    expect(error.message).toContain('7_4 and 495 more');
    expect(error.message.length).toBeLessThan(400);
  });

  it('a list without parts says nothing: unknown', async () => {
    await using call = await answered('suspend', 7, partsReply([]), {});
    await expectFailure(call.work, {
      ...call.failure(0, 'unknown', false),
      name: 'SlurmProtocolError',
      code: 'SLURM_UNEXPECTED_MSG_ERROR',
      phase: 'decode',
    });
  });

  it('every recorded answer of a real slurmctld: pending tasks refuse, the others were taken', async () => {
    const lines = goldenReplies().filter(({ name }) => name === 'RESPONSE_JOB_ARRAY_ERRORS');
    expect(lines.length).toBeGreaterThan(20);
    for (const line of lines) {
      const release = releaseOfProtocol(line.v);
      const bytes = replyOf('RESPONSE_JOB_ARRAY_ERRORS', fromHex(line.hex), { release });
      const id = Buffer.from(line.request.hex, 'hex').subarray(-2, -1).toString('latin1');
      await using call = await answered('suspend', id, bytes, { release });
      const error = await expectFailure(call.work, call.failure(2024, 'partial', false));
      expect((error as SlurmServerError).parts, `${line.release} ${line.v}`).toMatchObject([
        { target: `${id}_[0-1]`, number: 0 },
        { target: `${id}_[2-5]`, number: 2024 },
      ]);
    }
  });

  it('is no answer to notify', async () => {
    await using call = await answered('notify', 7, partsReply([[0, '7_1']]), {});
    await expectFailure(call.work, {
      ...call.failure(0, 'unknown', false),
      name: 'SlurmProtocolError',
      code: 'SLURM_UNEXPECTED_MSG_ERROR',
      phase: 'decode',
    });
  });
});

describe('a refusal with one number', () => {
  /** R: refused for certain. U: unknown. L: a look at the job's records decides. */
  const TABLE: [number, Partial<Record<string, string>>][] = [
    [2002, { '7': 'R', '7_*': 'R', '7_1': 'R', '7+1': 'R' }],
    [2017, { '7': 'R', '7_*': 'R', '7_[1-2]': 'R', '7+1': 'R' }],
    [2108, { '7': 'R', '7+1': 'R' }],
    [2021, { '7': 'L', '7_*': 'L', '7_1': 'R', '7+1': 'U' }],
    [2024, { '7': 'L', '7_*': 'L' }],
    [2037, { '7': 'L' }],
    [2039, { '7': 'L' }],
    [2085, { '7': 'L' }],
    [2087, { '7': 'L' }],
    [1804, { '7': 'R', '7_1': 'R' }],
    [-1, { '7': 'U', '7_1': 'U' }],
    [987_654, { '7': 'U' }],
  ];
  for (const verb of ARRAY_VERBS) {
    it.each(
      TABLE.flatMap(([number, cells]) =>
        Object.entries(cells).map(([job, cell]) => [number, job, cell] as const),
      ),
    )(`${verb}: %i for %s: %s`, async (number, job, cell) => {
      const { retryable } = errorMeaning(number, '22.05');
      for (const [count, outcome] of [
        [1, cell === 'U' ? 'unknown' : 'refused'],
        [2, cell === 'R' ? 'refused' : 'unknown'],
      ] as const) {
        await using call = await answered(verb, job, rc(number), { look: records(count) });
        const error = await expectFailure(
          call.work,
          call.failure(number, outcome, outcome === 'refused' && retryable),
        );
        expect(error).toMatchObject({ number, serverMessage: null });
        expect(error.message).toContain(`${verb} of ${job}`);
        expect(error.message.includes('does not prove')).toBe(outcome === 'unknown');
        expect(call.peer.count('REQUEST_JOB_INFO_SINGLE')).toBe(cell === 'L' ? 1 : 0);
      }
    });
  }

  it.each([
    ['RC 2002', rc(2002)],
    ['RC 2017: it is gone by now', rc(2017)],
    ['a close', (connection: PeerConnection) => connection.finish()],
  ] as [string, Answer][])('a look answered by %s leaves it unknown', async (_, look) => {
    await using call = await answered('suspend', 7, rc(2021), { look });
    await expectFailure(call.work, call.failure(2021, 'unknown', false));
  });

  it.each([2002, 2010, 2017, 2021, 2024, 2037])('notify: %i is refused, without a look', async (number) => {
    await using call = await answered('notify', 7, rc(number), {});
    const { retryable } = errorMeaning(number, '22.05');
    await expectFailure(call.work, call.failure(number, 'refused', retryable));
    expect(call.peer.requests).toEqual(['REQUEST_PING', 'REQUEST_JOB_NOTIFY']);
  });

  it('notify: -1 proves nothing', async () => {
    await using call = await answered('notify', 7, rc(-1), {});
    await expectFailure(call.work, call.failure(-1, 'unknown', false));
  });

  it('says what to do about it', async () => {
    const hint = async (verb: Verb, job: JobId, number: number) => {
      await using call = await answered(verb, job, rc(number), { look: records(1) });
      return (await failureOf(call.work)).hint;
    };
    expect(await hint('suspend', 7, 2002)).toMatch(/26\.05/);
    expect(await hint('resume', '7+1', 2108)).toMatch(/leader/);
    expect(await hint('requeue', '7+1', 2017)).toMatch(/leader/);
    expect(await hint('requeue', 7, 2017)).toBeUndefined();
    expect(await hint('requeue', 7, 2037)).toMatch(/--no-requeue/);
    expect(await hint('notify', 7, 2021)).toMatch(/Suspended/);
  });

  it('carries the text of RC_MSG', async () => {
    const bytes = reply('RESPONSE_SLURM_RC_MSG', { returnCode: 2002, errMsg: 'not yours' });
    await using call = await answered('requeue', 7, bytes, {});
    const error = await failureOf(call.work);
    expect(error).toMatchObject({ serverMessage: 'not yours', errno: 'EPERM', outcome: 'refused' });
    expect(error.message).toContain('"not yours"');
  });

  it('a reroute did nothing', async () => {
    const bytes = reply('RESPONSE_SLURM_REROUTE_MSG', { workingClusterRec: null });
    await using call = await answered('requeue', 7, bytes, {});
    expect(await failureOf(call.work)).toMatchObject({ code: 'SLURMWIRE_REROUTED', outcome: 'refused' });
  });
});

describe('a close without an answer', () => {
  const close: Answer = (connection) => connection.finish();
  const silentClose = (peer: ScriptedPeer, rpc: string): Failure => ({
    name: 'SlurmConnectionError',
    code: 'SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT',
    phase: 'wait',
    outcome: 'unknown',
    retryable: false,
    rpc,
    peer: peer.peer,
    protocol: '22.05',
  });

  for (const verb of ['suspend', 'resume'] as const) {
    it.each(['7', '7_*', '7_1', '7_[1-2]', '7+1'])(
      `${verb} of %s, and the controller knows no such job: ESLURM_INVALID_JOB_ID`,
      async (job) => {
        await using call = await answered(verb, job, close, { look: rc(2017) });
        const error = await expectFailure(call.work, call.failure(2017, 'refused', false));
        expect(error).toMatchObject({ number: 2017, errno: 'ESRCH' });
        // It was asked for the job, after it had shown that it answers.
        expect(call.peer.requests).toEqual([
          'REQUEST_PING',
          'REQUEST_SUSPEND',
          'REQUEST_PING',
          'REQUEST_JOB_INFO_SINGLE',
        ]);
        const look = call.peer.connections.at(-1)?.request?.frame.body ?? new Uint8Array();
        expect(decodeBody('REQUEST_JOB_INFO_SINGLE', '22.05', look)).toMatchObject({
          jobId: 7,
          showFlags: 1,
        });
      },
    );

    it(`${verb}, idempotent: a value`, async () => {
      const options = { idempotent: true };
      await using call = await answered(verb, 7, close, { look: rc(2017), options });
      expect(await call.work).toEqual({
        ...call.common,
        outcome: 'refused',
        code: 'ESLURM_INVALID_JOB_ID',
        number: 2017,
        target: '7',
        parts: [],
      });
    });
  }

  it.each([
    ['the job', records(1)],
    ['RC 2002', rc(2002)],
    ['RC 0', rc(0)],
    ['a 2017 that a stranger signed', rc(2017, { signer: 1234 })],
    ['a close', close],
    ['a reset', (connection: PeerConnection) => connection.reset()],
    ['garbage', Buffer.from('ffffffffffffffff', 'hex')],
  ] as [string, Answer][])('and a look answered by %s: it stays unknown', async (_, look) => {
    for (const options of [{}, { idempotent: true }]) {
      await using call = await answered('suspend', 7, close, { look, options });
      await expectFailure(call.work, silentClose(call.peer, 'REQUEST_SUSPEND'));
    }
  });

  it('a look that is not answered in time does not hide what is known', async () => {
    await using call = await answered('suspend', 7, close, { look: silence, options: { timeoutMs: 400 } });
    await expectFailure(call.work, silentClose(call.peer, 'REQUEST_SUSPEND'));
  });

  it('a controller that is gone afterwards: unknown', async () => {
    await using peer = await ScriptedPeer.listen(
      answering({
        REQUEST_SUSPEND: (connection) => {
          peer.play((next) => next.reset());
          connection.finish();
        },
      }),
    );
    await expectFailure(clientOf([peer.endpoint]).suspend(7), silentClose(peer, 'REQUEST_SUSPEND'));
    expect(peer.count('REQUEST_JOB_INFO_SINGLE')).toBe(0);
  });

  it('another controller that knows no such job is no evidence', async () => {
    await using backup = await ScriptedPeer.listen(answering({ REQUEST_JOB_INFO_SINGLE: rc(2017) }));
    await using primary = await ScriptedPeer.listen(
      answering({ REQUEST_SUSPEND: close, REQUEST_JOB_INFO_SINGLE: rc(2027) }),
    );
    const work = clientOf([primary.endpoint, backup.endpoint]).suspend(7);
    await expectFailure(work, silentClose(primary, 'REQUEST_SUSPEND'));
    expect(backup.count('REQUEST_JOB_INFO_SINGLE')).toBe(1);
  });

  it('a reset is not how slurmctld says it: unknown, without a look', async () => {
    await using call = await answered('suspend', 7, (connection) => connection.reset(), { look: rc(2017) });
    await expectFailure(call.work, silentClose(call.peer, 'REQUEST_SUSPEND'));
    expect(call.peer.count('REQUEST_JOB_INFO_SINGLE')).toBe(0);
  });

  it('of the first contact: nothing was sent, and nothing is looked for', async () => {
    // The version is asked about, and nothing else.
    const answers = { REQUEST_PING: close, REQUEST_BUILD_INFO: close };
    await using peer = await ScriptedPeer.listen(answering(answers));
    const error = await failureOf(clientOf([peer.endpoint]).suspend(7));
    expect(error).toMatchObject({ code: 'SLURM_PROTOCOL_AUTHENTICATION_ERROR', outcome: 'not-sent' });
    expect(new Set(peer.requests)).toEqual(new Set(['REQUEST_PING', 'REQUEST_BUILD_INFO']));
  });

  it('a sluid has no number to look for: unknown', async () => {
    const release = '26.05';
    await using call = await answered('suspend', 'sD81M80YD4HS00', close, {
      release,
      look: rc(2017, { release }),
    });
    await expectFailure(call.work, { ...silentClose(call.peer, 'REQUEST_SUSPEND'), protocol: release });
    expect(call.peer.count('REQUEST_JOB_INFO_SINGLE')).toBe(0);
  });

  it.each(['requeue', 'notify'] as const)('%s: slurmctld answers these, so it is unknown', async (verb) => {
    await using call = await answered(verb, 7, close, { look: rc(2017) });
    await expectFailure(call.work, silentClose(call.peer, VERBS[verb]));
    expect(call.peer.count('REQUEST_JOB_INFO_SINGLE')).toBe(0);
  });
});

describe('idempotent', () => {
  const options = { idempotent: true };

  it.each([
    ['suspend', 2021],
    ['suspend', 2017],
    ['resume', 2087],
    ['resume', 2021],
    ['resume', 2017],
    ['requeue', 2024],
  ] as [ArrayVerb, number][])('%s: %i becomes a value', async (verb, number) => {
    await using call = await answered(verb, 7, rc(number), { look: records(1), options });
    const { code } = errorMeaning(number, '22.05');
    const value = { ...call.common, outcome: 'refused', target: '7', code, number, parts: [] };
    expect(await call.work).toEqual(value);
  });

  it('of what turns out to be several records: unknown, as a value', async () => {
    await using call = await answered('suspend', 7, rc(2021), { look: records(2), options });
    expect(await call.work).toMatchObject({ outcome: 'unknown', code: 'ESLURM_ALREADY_DONE' });
  });

  it.each([
    ['suspend', 2024],
    ['suspend', 2087],
    ['resume', 2024],
    ['resume', 2002],
    ['requeue', 2017],
    ['requeue', 2021],
    ['requeue', 2037],
  ] as [ArrayVerb, number][])('%s: %i stays an error', async (verb, number) => {
    await using call = await answered(verb, 7, rc(number), { look: records(1), options });
    expect(await failureOf(call.work)).toMatchObject({ number, outcome: 'refused' });
  });

  it.each([{ hold: true }, { specialExit: true }])(
    'requeue with %o: a pending job was not held',
    async (held) => {
      await using call = await answered('requeue', 7, rc(2024), {
        look: records(1),
        options: { ...options, ...held },
      });
      expect(await failureOf(call.work)).toMatchObject({ code: 'ESLURM_JOB_PENDING', outcome: 'refused' });
    },
  );

  it('parts that are done do not count as refused', async () => {
    {
      await using call = await answered(
        'resume',
        7,
        partsReply([
          [2087, '7_0'],
          [0, '7_1'],
        ]),
        { options },
      );
      expect(await call.work).toMatchObject({
        outcome: 'accepted',
        parts: [{ number: 2087 }, { number: 0 }],
      });
    }
    {
      await using call = await answered(
        'resume',
        7,
        partsReply([
          [2087, '7_0'],
          [2021, '7_1'],
        ]),
        { options },
      );
      const value = { outcome: 'refused', code: 'ESLURM_JOB_NOT_SUSPENDED', number: 2087 };
      expect(await call.work).toMatchObject({ ...value, parts: [{ target: '7_0' }, { target: '7_1' }] });
    }
    await using call = await answered(
      'resume',
      7,
      partsReply([
        [2087, '7_0'],
        [2024, '7_1'],
      ]),
      { options },
    );
    await expectFailure(call.work, call.failure(2024, 'refused', true));
  });
});

describe('bad input', () => {
  const BAD_OPTION = 'SLURMWIRE_BAD_OPTION';
  const BAD_JOB = 'SLURMWIRE_BAD_JOB_ID';
  // biome-ignore lint/suspicious/noExplicitAny: what callers in plain JavaScript may pass
  const TABLE: [string, (client: any) => Promise<unknown>, string, string][] = [
    ...ARRAY_VERBS.flatMap(
      // biome-ignore lint/suspicious/noExplicitAny: the same
      (verb): [string, (client: any) => Promise<unknown>, string, string][] => [
        [`${verb} of nothing`, (c) => c[verb](), BAD_JOB, 'job'],
        [`${verb} of 0`, (c) => c[verb](0), BAD_JOB, 'job'],
        [`${verb} of a step`, (c) => c[verb]('7.0'), BAD_JOB, 'job'],
        [`${verb} of an empty text`, (c) => c[verb](''), BAD_JOB, 'job'],
        [`${verb} with null`, (c) => c[verb](7, null), BAD_OPTION, 'options'],
        [`${verb} with a misspelt option`, (c) => c[verb](7, { idempotant: true }), BAD_OPTION, 'idempotant'],
        [`${verb} with idempotent 1`, (c) => c[verb](7, { idempotent: 1 }), BAD_OPTION, 'idempotent'],
        [`${verb} with batch`, (c) => c[verb](7, { batch: true }), BAD_OPTION, 'batch'],
        [`${verb} with timeoutMs 0`, (c) => c[verb](7, { timeoutMs: 0 }), BAD_OPTION, 'timeoutMs'],
      ],
    ),
    ['suspend with hold', (c) => c.suspend(7, { hold: true }), BAD_OPTION, 'hold'],
    ['requeue with hold 1', (c) => c.requeue(7, { hold: 1 }), BAD_OPTION, 'hold'],
    ['requeue with specialExit yes', (c) => c.requeue(7, { specialExit: 'yes' }), BAD_OPTION, 'specialExit'],
    [
      'requeue with onlyIfRunning null',
      (c) => c.requeue(7, { onlyIfRunning: null }),
      BAD_OPTION,
      'onlyIfRunning',
    ],
    ['notify without a text', (c) => c.notify(7), BAD_OPTION, 'message'],
    ['notify with a number', (c) => c.notify(7, 1), BAD_OPTION, 'message'],
    ['notify with an empty text', (c) => c.notify(7, ''), BAD_OPTION, 'message'],
    ['notify with a NUL', (c) => c.notify(7, 'a\0b'), BAD_OPTION, 'message'],
    ['notify with 8192 bytes', (c) => c.notify(7, 'x'.repeat(8192)), BAD_OPTION, 'message'],
    ['notify with 8192 bytes in 4096 letters', (c) => c.notify(7, 'ä'.repeat(4096)), BAD_OPTION, 'message'],
    ['notify with idempotent', (c) => c.notify(7, 'x', { idempotent: true }), BAD_OPTION, 'idempotent'],
    ['notify of a task', (c) => c.notify('7_1', 'x'), BAD_JOB, 'job'],
    ['notify of tasks', (c) => c.notify('7_[1-2]', 'x'), BAD_JOB, 'job'],
    ['notify of an array', (c) => c.notify('7_*', 'x'), BAD_JOB, 'job'],
    ['notify of a component', (c) => c.notify('7+1', 'x'), BAD_JOB, 'job'],
    ['notify of a sluid', (c) => c.notify('sD81M80YD4HS00', 'x'), BAD_JOB, 'job'],
  ];
  it.each(TABLE)('%s', async (_, act, code, field) => {
    await using peer = await ScriptedPeer.listen(silence);
    await expectUsageError(act(clientOf([peer.endpoint])), { code, field });
    expect(peer.connections).toHaveLength(0);
  });

  it('the longest text there may be is sent whole', async () => {
    const message = `${'ä'.repeat(4095)}x`;
    const body = await bodySent('22.05', 'REQUEST_JOB_NOTIFY', (c) => c.notify(7, message));
    expect(decodeBody('REQUEST_JOB_NOTIFY', '22.05', fromHex(body)).message).toBe(message);
  });
});

describe('the guard', () => {
  it.each(RELEASE_NAMES)(
    '%s: an op of SUSPEND that slurmctld accepts and ignores is never sent',
    async (release) => {
      await using peer = await ScriptedPeer.listen(
        answering({ REQUEST_SUSPEND: rc(0, { release }) }, release),
      );
      const client = clientOf([peer.endpoint], { release });
      for (const op of [2, 3, 256, 0xffff]) {
        await expectUsageError(client.request('REQUEST_SUSPEND', { op, jobId: 7 }), {
          code: 'SLURMWIRE_UNSAFE_MESSAGE',
          field: 'op',
          value: String(op),
          rpc: 'REQUEST_SUSPEND',
          protocol: release,
        });
      }
      expect(peer.connections).toHaveLength(0);
      for (const op of [0, 1]) await client.request('REQUEST_SUSPEND', { op, jobId: 7 });
      expect(peer.count('REQUEST_SUSPEND')).toBe(2);
    },
  );
});

it('nothing is sent twice: a timeout after the request is unknown and not to be retried', async () => {
  for (const verb of Object.keys(VERBS) as Verb[]) {
    await using call = await answered(verb, 7, silence, { options: { timeoutMs: 300 } });
    expect(await failureOf(call.work)).toMatchObject({
      name: 'SlurmTimeoutError',
      outcome: 'unknown',
      retryable: false,
      rpc: VERBS[verb],
    });
    expect(call.peer.count(VERBS[verb])).toBe(1);
  }
});
