import { describe, expect, it } from 'vitest';
import {
  decodeFrame,
  errorMeaning,
  isAtLeast,
  type JobId,
  type MessageName,
  payloadDigest,
  RELEASE_NAMES,
  type Release,
  type SlurmError,
  type SlurmServerError,
} from '../../src/protocol/index.js';
import type { KillJobOptions } from '../../src/rpc/index.js';
import { tcpTransport } from '../../src/rpc/tcp-transport.js';
import { fromHex, goldenLines, goldenReplies, releaseOfProtocol, toHex } from '../support/golden.js';
import { badCredential, FakeAuth, SLURM_USER } from './support/fake-auth.js';
import {
  type Answer,
  answering,
  jobInfo,
  rc,
  reply,
  replyOf,
  silence,
  undescribedReply,
} from './support/replies.js';
import { deadEndpoint, type PeerConnection, ScriptedPeer } from './support/scripted-peer.js';
import {
  clientOf,
  expectFailure,
  expectUsageError,
  type Failure,
  failureOf,
  transportOf,
} from './support/setup.js';

const OK = { REQUEST_KILL_JOB: 0, REQUEST_CANCEL_JOB_STEP: 0 };

/** Does something with a client of a peer that accepts everything; gives the body of the last request. */
async function bodySent(
  release: Release,
  act: (client: ReturnType<typeof clientOf>) => Promise<unknown>,
): Promise<string> {
  const answers = Object.fromEntries(Object.keys(OK).map((name) => [name, rc(0, { release })]));
  // The look before SIGKILL to a step, from 24.05 on.
  answers.REQUEST_JOB_INFO_SINGLE = jobInfo(1, { release });
  await using peer = await ScriptedPeer.listen(answering(answers, release));
  const auth = new FakeAuth();
  await act(clientOf([peer.endpoint], { release, auth }));
  const { frame } = peer.connections.at(-1)?.request ?? expect.fail('nothing was sent');
  expect(peer.connections).toHaveLength(2 + peer.count('REQUEST_JOB_INFO_SINGLE'));
  // The whole frame: header, the credential that was made for it, the body, and nothing else.
  expect(frame.release).toBe(release);
  expect(frame.header).toMatchObject({
    flags: 0,
    returnList: [],
    bodyLength: frame.body.length,
    origAddr: { family: 0 },
  });
  expect(frame.header.forward.cnt).toBe(0);
  expect(frame.auth?.plugin).toBe('auth/munge');
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

/** Flags are the last two bytes of the body. */
const withFlags = (hex: string, flags: number) => hex.slice(0, -4) + flags.toString(16).padStart(4, '0');
const flagsOf = (hex: string) => Number.parseInt(hex.slice(-4), 16);
const signalOf = (hex: string) => Number.parseInt(hex.slice(-8, -4), 16);

describe.each(RELEASE_NAMES)('bytes of %s', (release) => {
  // 23.02 and 23.11 say "no scrontab jobs" unless told that they are meant; so cron: true gives the plain flags there.
  const quiet = release === '23.02' || release === '23.11';
  const plain = quiet ? { cron: true } : {};

  it('killJob as Slurm itself packs it', async () => {
    expect(await bodySent(release, (c) => c.killJob(7, 'SIGTERM', plain))).toBe(
      golden('REQUEST_KILL_JOB', 'typical-1', release),
    );
    expect(
      await bodySent(release, (c) => c.killJob('4711_[1-3,7]', 'SIGKILL', { ...plain, stepsOnly: true })),
    ).toBe(golden('REQUEST_KILL_JOB', 'typical-2', release));
    if (!isAtLeast(release, '24.11')) {
      // Since then the golden case has a sluid, which a client never sends beside a text.
      expect(
        await bodySent(release, (c) =>
          c.killJob('8+1', 'USR1', { ...plain, batch: true, sibling: 'cluster2' }),
        ),
      ).toBe(golden('REQUEST_KILL_JOB', 'typical-3', release));
    }
  });

  it('killJobStep as Slurm itself packs it', async () => {
    expect(await bodySent(release, (c) => c.killJobStep('7.0', 15))).toBe(
      golden('REQUEST_CANCEL_JOB_STEP', 'typical-1', release),
    );
    const batch = golden('REQUEST_CANCEL_JOB_STEP', 'typical-2', release);
    expect(await bodySent(release, (c) => c.killJobStep('4711.batch'))).toBe(withFlags(batch, 0));
    expect(await bodySent(release, (c) => c.killJobStep({ jobId: 4711, stepId: 'batch' }))).toBe(
      withFlags(batch, 0),
    );
  });

  it('every option is its flag and nothing else', async () => {
    const none = quiet ? 0x0200 : 0;
    const TABLE: [KillJobOptions, number][] = [
      [{}, none],
      [{ batch: true }, none | 0x0001],
      [{ stepsOnly: true }, none | 0x0004],
      [{ full: true }, none | 0x0008],
      [{ hurry: true }, none | 0x0020],
      [{ full: true, hurry: true }, none | 0x0028],
      [{ cron: true }, isAtLeast(release, '24.05') ? 0x1000 : 0],
      [{ cron: false, batch: false, full: false, stepsOnly: false, hurry: false, failJob: false }, none],
      ...(isAtLeast(release, '25.05') ? ([[{ failJob: true }, 0x2000]] as [KillJobOptions, number][]) : []),
    ];
    const base = golden('REQUEST_KILL_JOB', 'typical-1', release);
    for (const [options, flags] of TABLE) {
      expect(await bodySent(release, (c) => c.killJob(7, 15, options)), JSON.stringify(options)).toBe(
        withFlags(base, flags),
      );
    }
  });

  it(`failJob ${isAtLeast(release, '25.05') ? 'is sent' : 'is refused: the release cannot carry it'}`, async () => {
    await using peer = await ScriptedPeer.listen(
      answering({ REQUEST_KILL_JOB: rc(0, { release }) }, release),
    );
    const work = clientOf([peer.endpoint], { release }).killJob(7, 9, { failJob: true });
    if (isAtLeast(release, '25.05')) {
      expect(await work).toMatchObject({ outcome: 'accepted', protocol: release });
    } else {
      await expectUsageError(work, { code: 'SLURMWIRE_NOT_IN_RELEASE', field: 'failJob' });
      expect(peer.connections).toHaveLength(0);
    }
  });

  it('SIGKILL unless told otherwise', async () => {
    expect(signalOf(await bodySent(release, (c) => c.killJob(7)))).toBe(9);
    expect(signalOf(await bodySent(release, (c) => c.killJobStep('7.0')))).toBe(9);
    const body = await bodySent(release, (c) => c.killJob(7, undefined, {}));
    expect([signalOf(body), flagsOf(body)]).toEqual([9, quiet ? 0x0200 : 0]);
  });

  it('a sluid is sent where the controller knows it, else refused', async () => {
    if (isAtLeast(release, '26.05')) {
      const body = await bodySent(release, (c) => c.killJob('sD81M80YD4HS00', 15));
      expect(Buffer.from(body, 'hex').toString('latin1')).toContain('sD81M80YD4HS00\0');
      return;
    }
    await using peer = await ScriptedPeer.listen(silence);
    const work = clientOf([peer.endpoint], { release }).killJob('sD81M80YD4HS00', 15);
    await expectUsageError(work, { code: 'SLURMWIRE_NOT_IN_RELEASE', field: 'job' });
    expect(peer.connections).toHaveLength(0);
  });
});

describe('an accepted kill', () => {
  it('says what was asked of whom, and who answered', async () => {
    await using peer = await ScriptedPeer.listen(
      answering({ REQUEST_KILL_JOB: rc(0), REQUEST_CANCEL_JOB_STEP: rc(0) }),
    );
    const client = clientOf([peer.endpoint]);
    const common = {
      outcome: 'accepted',
      message: null,
      peer: peer.peer,
      protocol: '22.05',
      authenticated: true,
      elapsedMs: expect.any(Number),
    };
    expect(await client.killJob('12_[1-3,7%2]', 'sigusr1')).toEqual({
      ...common,
      target: '12_[1-3,7]',
      unixSignal: 10,
      rpc: 'REQUEST_KILL_JOB',
    });
    const step = await client.killJobStep('12.3', 'RTMIN+2');
    expect(step).toEqual({ ...common, target: '12.3', unixSignal: 36, rpc: 'REQUEST_CANCEL_JOB_STEP' });
    expect(step.elapsedMs).toBeGreaterThan(0);
    expect(step.elapsedMs).toBeLessThan(5_000);
  });

  it('has the text of RC_MSG, also where the answer carries no credential', async () => {
    const release = '24.11';
    const bytes = reply('RESPONSE_SLURM_RC_MSG', { returnCode: 0, errMsg: 'noted\nand done' }, { release });
    await using peer = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: bytes }, release));
    expect(await clientOf([peer.endpoint], { release }).killJob(7)).toMatchObject({
      outcome: 'accepted',
      message: 'noted\nand done',
      authenticated: false,
      protocol: release,
    });
  });
});

const TARGETS = {
  job: '7',
  'whole-array': '7_*',
  'array-task': '7_3',
  'array-tasks': '7_[1-2]',
  'het-component': '7+1',
  sluid: 'sD81M80YD4HS00',
  'step, SIGKILL': '7.0',
  'step, SIGTERM': '7.0',
} as const;
type Target = keyof typeof TARGETS;

/** One task of an array is asked by its text for SIGKILL only. */
const isKilled = (target: Target) => target === 'step, SIGKILL' || target === 'array-task';

/** R: refused for certain. U: unknown. L: a look at the job's records decides. Columns as in TARGETS. */
const CERTAINTY: Record<number, string> = {
  //     job  whole  task  tasks  het  sluid  kill  term
  2002: 'R     R      R     R      R    R      R     R',
  2009: 'L     U      U     U      U    U      L     R',
  2017: 'R     R      R     U      R    R      L     R',
  2020: 'L     U      U     U      U    U      L     R',
  2021: 'L     L      R     U      U    U      L     R',
  1804: 'R     R      R     R      R    R      R     R',
  22: '  R     R      R     R      R    R      R     R',
  // SLURM_ERROR, which says nothing of what was done.
  [-1]: 'U     U      U     U      U    U      U     U',
};

const records = (count: number, release: Release) => jobInfo(count, { release });

/** A kill that is answered with `number`, and the look that follows (where it does) with `look`. */
async function refused(target: Target, number: number, look: Answer, options: { idempotent?: boolean } = {}) {
  const release: Release = target === 'sluid' ? '26.05' : '22.05';
  const no = rc(number, { release });
  const answers = { REQUEST_KILL_JOB: no, REQUEST_CANCEL_JOB_STEP: no, REQUEST_JOB_INFO_SINGLE: look };
  const peer = await ScriptedPeer.listen(answering(answers, release));
  const client = clientOf([peer.endpoint], { release });
  const id = TARGETS[target];
  const isStep = target.startsWith('step');
  const signal = isKilled(target) ? 'SIGKILL' : 'SIGTERM';
  const given = { ...options, timeoutMs: look === silence ? 400 : 5_000 };
  const work: Promise<unknown> = isStep
    ? client.killJobStep(id, signal, given)
    : client.killJob(id, signal, given);
  const rpc: MessageName = isStep ? 'REQUEST_CANCEL_JOB_STEP' : 'REQUEST_KILL_JOB';
  const { code, retryable } = errorMeaning(number, release);
  const expected = (outcome: 'refused' | 'unknown'): Failure => ({
    name: 'SlurmServerError',
    code,
    phase: 'wait',
    outcome,
    retryable: outcome === 'refused' ? retryable : isKilled(target),
    rpc,
    peer: peer.peer,
    protocol: release,
  });
  return { work, expected, peer, [Symbol.asyncDispose]: () => peer.close() };
}

/** What is not certain is not called refused. */
function expectWording(error: SlurmError, outcome: 'refused' | 'unknown'): void {
  const isRefused = outcome === 'refused';
  expect(error.message.includes(' was refused by ')).toBe(isRefused);
  expect(error.message.includes(` was answered with ${error.code} by `)).toBe(!isRefused);
  expect(error.message.includes('does not prove that nothing was done')).toBe(!isRefused);
}

describe('a refusal', () => {
  for (const [text, row] of Object.entries(CERTAINTY)) {
    const number = Number(text);
    const cells = row.trim().split(/\s+/);
    it.each((Object.keys(TARGETS) as Target[]).map((target, i) => [target, cells[i] as string] as const))(
      `${number} for %s: %s`,
      async (target, cell) => {
        const release = target === 'sluid' ? '26.05' : '22.05';
        {
          await using call = await refused(target, number, records(1, release));
          const error = await expectFailure(call.work, call.expected(cell === 'U' ? 'unknown' : 'refused'));
          expect(error).toMatchObject({ number, serverMessage: null });
          expect(error.message).toContain(TARGETS[target]);
          expectWording(error, cell === 'U' ? 'unknown' : 'refused');
          // An unknown number may be that of an array task's own record.
          const looks = cell === 'L' || (target === 'job' && number === 2017);
          expect(call.peer.count('REQUEST_JOB_INFO_SINGLE')).toBe(looks ? 1 : 0);
        }
        if (cell === 'L') {
          await using call = await refused(target, number, records(3, release));
          expectWording(await expectFailure(call.work, call.expected('unknown')), 'unknown');
          expect(call.peer.count('REQUEST_JOB_INFO_SINGLE')).toBe(1);
        }
      },
    );
  }

  it('the codes of the table are those of slurmctld', () => {
    expect(Object.keys(CERTAINTY).map((number) => errorMeaning(Number(number), '22.05').code)).toEqual([
      'EINVAL',
      'SLURMCTLD_COMMUNICATIONS_BACKOFF',
      'ESLURM_ACCESS_DENIED',
      'ESLURM_JOB_SCRIPT_MISSING',
      'ESLURM_INVALID_JOB_ID',
      'ESLURM_TRANSITION_STATE_NO_UPDATE',
      'ESLURM_ALREADY_DONE',
      'SLURM_ERROR',
    ]);
  });

  const close = (connection: PeerConnection) => connection.drop();
  type Looked = 'refused' | 'unknown';
  /** What a look proves after 2020, what it proves after 2017, and whether it is told as the cause. */
  const LOOKS: [string, Answer, Looked, Looked, boolean][] = [
    ['no record', records(0, '22.05'), 'unknown', 'refused', false],
    ['one record', records(1, '22.05'), 'refused', 'refused', false],
    ['two records', records(2, '22.05'), 'unknown', 'unknown', false],
    ['three records', records(3, '22.05'), 'unknown', 'unknown', false],
    // The job may have been there for the kill: only one that it did not find either is known to have been left alone.
    ['RC 2017', rc(2017), 'unknown', 'refused', false],
    ['RC 2002', rc(2002), 'unknown', 'unknown', true],
    ['RC 0', rc(0), 'unknown', 'unknown', true],
    ['RC 1007', rc(1007), 'unknown', 'unknown', true],
    ['a record that a stranger signed', jobInfo(1, { signer: 1234 }), 'unknown', 'unknown', true],
    ['garbage', Buffer.from('ffffffffffffffff', 'hex'), 'unknown', 'unknown', true],
    ['half a reply', records(1, '22.05').subarray(0, 40), 'unknown', 'unknown', true],
    ['a close', close, 'unknown', 'unknown', true],
    ['silence until the deadline', silence, 'unknown', 'unknown', true],
    ['another message', replyOf('RESPONSE_FORWARD_FAILED', new Uint8Array()), 'unknown', 'unknown', true],
    ['a message nobody knows', undescribedReply().bytes, 'unknown', 'unknown', true],
  ];
  for (const [target, number] of [
    ['job', 2020],
    ['job', 2021],
    ['step, SIGKILL', 2020],
    ['step, SIGKILL', 2017],
  ] as const) {
    it.each(LOOKS)(`${number} for ${target}, and a look answered by %s`, async (...row) => {
      const [, look, after2020, after2017, isCause] = row;
      await using call = await refused(target, number, look);
      const outcome = number === 2017 ? after2017 : after2020;
      const error = await expectFailure(call.work, call.expected(outcome));
      expectWording(error, outcome);
      expect(error.number).toBe(number);
      expect(call.peer.count('REQUEST_JOB_INFO_SINGLE')).toBe(1);
      if (isCause) expect(error.cause).toMatchObject({ rpc: 'REQUEST_JOB_INFO_SINGLE' });
      else expect(error.cause).toBeUndefined();
    });
  }

  it.each([
    ['rejects', (error: Error) => Promise.reject(error)],
    [
      'throws',
      (error: Error) => {
        throw error;
      },
    ],
  ])(
    'a transport that %s with a defect at the look: the answer to the kill is told, the defect is its cause',
    async (_, fail) => {
      await using peer = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: rc(2020) }));
      const defect = new Error('no third connection');
      const tcp = tcpTransport();
      let connects = 0;
      const transport = transportOf((endpoint, context) =>
        ++connects === 3 ? fail(defect) : tcp.connect(endpoint, context),
      );
      const error = await expectFailure(clientOf([peer.endpoint], { transport }).killJob(7, 'SIGTERM'), {
        name: 'SlurmServerError',
        code: 'ESLURM_TRANSITION_STATE_NO_UPDATE',
        phase: 'wait',
        outcome: 'unknown',
        retryable: false,
        rpc: 'REQUEST_KILL_JOB',
        peer: peer.peer,
        protocol: '22.05',
      });
      expectWording(error, 'unknown');
      expect(error.cause).toMatchObject({ code: 'SLURMWIRE_INTERNAL', outcome: 'not-sent', cause: defect });
    },
  );

  it('an authenticator that fails at the look does not speak for the kill', async () => {
    await using peer = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: rc(2020) }));
    const auth = new FakeAuth();
    auth.beforeCreate = () => {
      if (auth.created.length === 2) throw badCredential('EMUNGE_SOCKET');
    };
    const error = await failureOf(clientOf([peer.endpoint], { auth }).killJob(7));
    expect(error).toMatchObject({ number: 2020, outcome: 'unknown', cause: { code: 'EMUNGE_SOCKET' } });
  });

  it('the look asks for the job with all partitions, in the layout of the release', async () => {
    for (const release of ['22.05', '25.05', '25.11', '26.11'] as const) {
      const answers = {
        REQUEST_KILL_JOB: rc(2020, { release }),
        REQUEST_JOB_INFO_SINGLE: records(1, release),
      };
      await using peer = await ScriptedPeer.listen(answering(answers, release));
      await clientOf([peer.endpoint], { release })
        .killJob(4711)
        .catch(() => null);
      const body = toHex(peer.connections.at(-1)?.request?.frame.body ?? new Uint8Array());
      const step = `${'0'.repeat(16)}00001267fffffffefffffffe`;
      expect(body).toBe(`${isAtLeast(release, '25.11') ? step : '00001267'}0001`);
    }
  });

  it.each(['job-single-array', 'job-single-het-detail'])(
    "a real slurmctld's %s: several records, unknown",
    async (label) => {
      const line =
        goldenReplies().find(
          (one) => one.case === label && one.v === 38 && one.name === 'RESPONSE_JOB_INFO',
        ) ?? expect.fail('no such reply');
      await using call = await refused('job', 2021, replyOf('RESPONSE_JOB_INFO', fromHex(line.hex)));
      await expectFailure(call.work, call.expected('unknown'));
    },
  );

  it('carries the text of RC_MSG', async () => {
    const bytes = reply('RESPONSE_SLURM_RC_MSG', { returnCode: 2002, errMsg: 'not yours' });
    await using peer = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: bytes }));
    const work = clientOf([peer.endpoint]).killJob(7);
    const error = (await work.catch((reason) => reason)) as SlurmServerError;
    expect(error).toMatchObject({
      number: 2002,
      serverMessage: 'not yours',
      errno: 'EPERM',
      outcome: 'refused',
    });
    expect(error.message).toContain('It said "not yours".');
  });

  it.each([
    ['line breaks and escapes', 'no\n\x1b[2Jjob', 'It said "no\\n\\u001b[2Jjob".'],
    ['more than anybody reads', 'x'.repeat(10_000), `It said "${'x'.repeat(77)}"….`],
    ['nothing', '', 'It said "".'],
  ])('text of RC_MSG with %s is shown on one short line, and kept whole beside', async (_, errMsg, shown) => {
    const bytes = reply('RESPONSE_SLURM_RC_MSG', { returnCode: 2002, errMsg });
    await using peer = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: bytes }));
    const error = await failureOf(clientOf([peer.endpoint]).killJob(7));
    expect(error).toMatchObject({ serverMessage: errMsg, outcome: 'refused' });
    expect(error.message).toContain(shown);
    expect(error.message).not.toMatch(/\p{Cc}/u);
    expect(error.message.length).toBeLessThan(500);
  });

  it('names the controllers that were passed over', async () => {
    const dead = await deadEndpoint();
    await using standby = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: rc(2027) }));
    await using peer = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: rc(2002) }));
    const controllers = [dead, standby.endpoint, peer.endpoint];
    const error = await failureOf(clientOf(controllers).killJob(7));
    expect(error).toMatchObject({ number: 2002, outcome: 'refused', peer: peer.peer });
    expect(error.message).toContain(`was refused by ${peer.peer}`);
    const [, before = ''] = error.message.split(' Passed over before: ');
    expect(before).toContain(`127.0.0.1:${dead.port}`);
    expect(before).toContain(`${standby.peer} is on standby`);
    const alone = await failureOf(clientOf([peer.endpoint]).killJob(7));
    expect(alone.message).not.toContain('Passed over');
  });

  it('0xffffffff is -1, SLURM_ERROR; no look at the job could make it certain', async () => {
    await using call = await refused('job', -1, records(1, '22.05'));
    const error = await expectFailure(call.work, call.expected('unknown'));
    expect([error.number, error.code]).toEqual([-1, 'SLURM_ERROR']);
    expect(call.peer.requests).toEqual(['REQUEST_PING', 'REQUEST_KILL_JOB']);
  });

  it('a number newer than the table keeps it whole, and proves nothing', async () => {
    for (const target of ['array-tasks', 'job', 'step, SIGTERM'] as const) {
      await using call = await refused(target, 987_654, silence);
      const error = await expectFailure(call.work, call.expected('unknown'));
      expect([error.number, error.code]).toEqual([987_654, 'SLURM_ERROR_987654']);
    }
  });

  it('an unknown of a whole job with SIGKILL may be repeated, one of its parts may not', async () => {
    await using peer = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: rc(2020) }));
    const client = clientOf([peer.endpoint]);
    for (const [options, retryable] of [
      [{}, true],
      [{ full: true }, true],
      [{ batch: true }, false],
      [{ stepsOnly: true }, false],
    ] as const) {
      const error = await client.killJob('7_*', 'SIGKILL', options).catch((reason) => reason);
      expect([error.outcome, error.retryable], JSON.stringify(options)).toEqual(['unknown', retryable]);
    }
  });
});

describe('idempotent', () => {
  it.each([
    ['job', 2017, 'refused'],
    ['job', 2021, 'refused'],
    ['array-tasks', 2021, 'unknown'],
    ['array-tasks', 2017, 'unknown'],
    ['whole-array', 2021, 'refused'],
    ['step, SIGTERM', 2017, 'refused'],
    ['step, SIGKILL', 2021, 'refused'],
  ] as const)('%s answered %i becomes a value, %s', async (target, number, outcome) => {
    await using call = await refused(target, number, records(1, '22.05'), { idempotent: true });
    expect(await call.work).toEqual({
      outcome,
      code: number === 2017 ? 'ESLURM_INVALID_JOB_ID' : 'ESLURM_ALREADY_DONE',
      number,
      target: TARGETS[target],
      unixSignal: target === 'step, SIGKILL' ? 9 : 15,
      rpc: call.expected('refused').rpc,
      peer: call.peer.peer,
      protocol: '22.05',
      authenticated: true,
      elapsedMs: expect.any(Number),
    });
  });

  it('a job that turns out to be an array is unknown, as a value', async () => {
    await using call = await refused('job', 2021, records(3, '22.05'), { idempotent: true });
    expect(await call.work).toMatchObject({ outcome: 'unknown', code: 'ESLURM_ALREADY_DONE' });
  });

  it.each([2002, 2009, 2020, 1804, 22])('%i rejects all the same', async (number) => {
    await using call = await refused('step, SIGTERM', number, silence, { idempotent: true });
    await expectFailure(call.work, call.expected('refused'));
  });
});

describe('a reroute', () => {
  const CASES: [string, Release, () => Uint8Array, string][] = [
    [
      'to a step manager',
      '24.05',
      () =>
        reply(
          'RESPONSE_SLURM_REROUTE_MSG',
          { workingClusterRec: null, stepmgr: 'node1' },
          { release: '24.05' },
        ),
      'the step manager on "node1"',
    ],
    [
      'to nowhere',
      '24.11',
      () => reply('RESPONSE_SLURM_REROUTE_MSG', { workingClusterRec: null }, { release: '24.11' }),
      'without saying which',
    ],
  ];
  it.each(CASES)('%s (%s): refused, and it says where', async (_, release, bytes, where) => {
    await using peer = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: bytes() }, release));
    const error = await expectFailure(clientOf([peer.endpoint], { release }).killJob(7), {
      name: 'SlurmServerError',
      code: 'SLURMWIRE_REROUTED',
      phase: 'wait',
      outcome: 'refused',
      retryable: false,
      rpc: 'REQUEST_KILL_JOB',
      peer: peer.peer,
      protocol: release,
    });
    expect(error.errno).toBe('EREMOTE');
    expect(error.message).toContain(where);
    expect(error.message).not.toMatch(/null|undefined/);
    if (release === '22.05') {
      const { body } = decodeFrame(bytes());
      const host = /belongs to "(.*)", port \d+\./.exec(error.message)?.[1];
      expect(host).toBeTruthy();
      expect(Buffer.from(body).includes(Buffer.from(`${host}\0`))).toBe(true);
    }
  });
});

describe('bad input: nothing is sent, and the error names field and value', () => {
  async function nothingSent(
    act: (client: ReturnType<typeof clientOf>) => Promise<unknown>,
    expected: { code: string; field: string; value?: string },
  ) {
    await using peer = await ScriptedPeer.listen(silence);
    const auth = new FakeAuth();
    await expectUsageError(act(clientOf([peer.endpoint], { auth })), expected);
    expect(auth.created).toHaveLength(0);
    expect(peer.connections).toHaveLength(0);
  }

  it.each([
    0,
    -1,
    1.5,
    Number.NaN,
    Infinity,
    0xfffffffe,
    2 ** 32,
    '',
    ' ',
    '0',
    '7 ',
    '-7',
    '7.0',
    '7_',
    '7_[]',
    '7_[3-1]',
    '7_[1-3:0]',
    '7+',
    '7_1_2',
    '7+1_2',
    '7_[1',
    'seven',
    '0x7',
    '1e3',
    '7\0',
    '7\n',
    '12345678901',
    null,
    undefined,
    true,
    [],
    [7],
    {},
    () => 7,
    { jobId: '7' },
    { jobId: 7, arrayTaskId: 1, hetJobOffset: 1 },
    { jobId: 7, arrayTaskId: -1 },
    { jobId: 7, arrayTasks: '' },
    { jobId: 7, arrayTasks: ']' },
  ])('job %j', async (job) => {
    await nothingSent((c) => c.killJob(job as JobId), { code: 'SLURMWIRE_BAD_JOB_ID', field: 'job' });
  });

  it.each([
    ['7', 'SLURMWIRE_BAD_STEP_ID'],
    [7, 'SLURMWIRE_BAD_STEP_ID'],
    ['7.', 'SLURMWIRE_BAD_STEP_ID'],
    ['7.x', 'SLURMWIRE_BAD_STEP_ID'],
    ['.0', 'SLURMWIRE_BAD_JOB_ID'],
    ['7.-1', 'SLURMWIRE_BAD_STEP_ID'],
    ['7.4294967290', 'SLURMWIRE_BAD_STEP_ID'],
    ['7.4294967294', 'SLURMWIRE_BAD_STEP_ID'],
    ['7.1.2', 'SLURMWIRE_BAD_JOB_ID'],
    ['7_*.0', 'SLURMWIRE_BAD_STEP_ID'],
    ['7_[1-2].0', 'SLURMWIRE_BAD_STEP_ID'],
    ['sD81M80YD4HS00.0', 'SLURMWIRE_BAD_STEP_ID'],
    [null, 'SLURMWIRE_BAD_STEP_ID'],
    [{ jobId: 7 }, 'SLURMWIRE_BAD_STEP_ID'],
    [{ stepId: 0 }, 'SLURMWIRE_BAD_JOB_ID'],
    [{ jobId: 7, stepId: 0, stepHetComp: -1 }, 'SLURMWIRE_BAD_STEP_ID'],
  ])('step %j: %s', async (step, code) => {
    await nothingSent((c) => c.killJobStep(step as string), { code, field: 'step' });
  });

  it.each([
    0,
    -1,
    0.5,
    Number.NaN,
    Infinity,
    -Infinity,
    2 ** 31,
    '1000',
    {},
    Object.create(null),
    Symbol('t'),
    10n,
    true,
  ])('timeoutMs %s', async (timeoutMs) => {
    for (const act of [
      (c: ReturnType<typeof clientOf>) => c.killJob(7, 9, { timeoutMs: timeoutMs as number }),
      (c: ReturnType<typeof clientOf>) => c.killJobStep('7.0', 9, { timeoutMs: timeoutMs as number }),
      (c: ReturnType<typeof clientOf>) => c.ping({ timeoutMs: timeoutMs as number }),
      (c: ReturnType<typeof clientOf>) => c.request('REQUEST_PING', {}, { timeoutMs: timeoutMs as number }),
    ]) {
      await nothingSent(act, { code: 'SLURMWIRE_BAD_OPTION', field: 'timeoutMs' });
    }
  });

  it('the value is named', async () => {
    await nothingSent((c) => c.killJob(7, 9, { timeoutMs: -5 }), {
      code: 'SLURMWIRE_BAD_OPTION',
      field: 'timeoutMs',
      value: '-5',
    });
    await nothingSent((c) => c.killJob('7.0'), {
      code: 'SLURMWIRE_BAD_JOB_ID',
      field: 'job',
      value: '"7.0"',
    });
    await nothingSent((c) => c.killJob(7, 'SIGNAL'), {
      code: 'SLURMWIRE_BAD_SIGNAL',
      field: 'unixSignal',
      value: '"SIGNAL"',
    });
  });

  it.each(['SIGTERM', 15, {}, null, new EventTarget()])(
    'signal option %s, which is no AbortSignal',
    async (signal) => {
      const options = { signal: signal as unknown as AbortSignal };
      await nothingSent((c) => c.killJob(7, 9, options), { code: 'SLURMWIRE_BAD_OPTION', field: 'signal' });
      await nothingSent((c) => c.ping(options), { code: 'SLURMWIRE_BAD_OPTION', field: 'signal' });
    },
  );

  it.each([null, 'SIGTERM', 9, true, () => {}])('options %s', async (options) => {
    await nothingSent((c) => c.killJob(7, 9, options as never), {
      code: 'SLURMWIRE_BAD_OPTION',
      field: 'options',
    });
    await nothingSent((c) => c.killJobStep('7.0', 9, options as never), {
      code: 'SLURMWIRE_BAD_OPTION',
      field: 'options',
    });
    await nothingSent((c) => c.ping(options as never), { code: 'SLURMWIRE_BAD_OPTION', field: 'options' });
    await nothingSent((c) => c.request('REQUEST_PING', {}, options as never), {
      code: 'SLURMWIRE_BAD_OPTION',
      field: 'options',
    });
  });

  it.each(['batch', 'full', 'stepsOnly', 'hurry', 'cron', 'failJob', 'idempotent'])(
    '%s that is no boolean',
    async (field) => {
      for (const value of ['true', 1, 0, null, {}]) {
        await nothingSent((c) => c.killJob(7, 9, { [field]: value } as never), {
          code: 'SLURMWIRE_BAD_OPTION',
          field,
        });
      }
    },
  );

  it.each([
    [{ batch: true, full: true }, 'batch, full'],
    [{ batch: true, stepsOnly: true }, 'batch, stepsOnly'],
    [{ full: true, stepsOnly: true }, 'full, stepsOnly'],
    [{ batch: true, full: true, stepsOnly: true }, 'batch, full, stepsOnly'],
  ])('%j contradict each other', async (options, field) => {
    await nothingSent((c) => c.killJob(7, 15, options), { code: 'SLURMWIRE_BAD_OPTION', field });
  });

  it.each(['batch', 'full', 'stepsOnly', 'hurry', 'cron', 'failJob', 'sibling'])(
    '%s is for whole jobs: killJobStep refuses it rather than drop it',
    async (field) => {
      const options = { [field]: field === 'sibling' ? 'other' : true } as never;
      await nothingSent((c) => c.killJobStep('7.0', 15, options), { code: 'SLURMWIRE_BAD_OPTION', field });
    },
  );

  it.each([-1, 0.5, 0xffffffff, '0', {}])('restrictUid %j', async (restrictUid) => {
    await nothingSent((c) => c.request('REQUEST_PING', {}, { restrictUid: restrictUid as number }), {
      code: 'SLURMWIRE_BAD_OPTION',
      field: 'restrictUid',
    });
  });

  it.each(['', 7, {}, ['a']])('sibling %j', async (sibling) => {
    await nothingSent((c) => c.killJob(7, 15, { sibling: sibling as string }), {
      code: 'SLURMWIRE_BAD_OPTION',
      field: 'sibling',
    });
  });
});
