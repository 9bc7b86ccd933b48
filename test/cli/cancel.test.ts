/** `slurmwire cancel` against scripted controllers: what is sent, what is said, how it ends. */
import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { Stopped } from '../../src/cli/io.js';
import { readOperands } from '../../src/cli/scancel/job-ids.js';
import { select, wantedOf } from '../../src/cli/scancel/select.js';
import { decodeBody, isAtLeast, type MessageRecord, type Release } from '../../src/protocol/index.js';
import { KILL_FLAGS } from '../../src/protocol/kill-flags.js';
import type { JobRecord } from '../../src/protocol/messages/job-record.js';
import { noStrayTrouble } from '../rpc/support/leaks.js';
import { buildInfoReply, jobRecordsReply, rc, reply } from '../rpc/support/replies.js';
import { deadEndpoint, ScriptedPeer } from '../rpc/support/scripted-peer.js';
import { clientOf, type TestSetup } from '../rpc/support/setup.js';
import { TestClock } from '../rpc/support/test-clock.js';
import { type CliRunOptions, runCli } from './support/cli-run.js';

noStrayTrouble();

const NO_VAL = 0xfffffffe;

interface World {
  readonly release?: Release;
  readonly jobs?: readonly Partial<JobRecord>[];
  /** Numbers answered to kills of a target, one after the other; the last one stays. 0 for the others. */
  readonly answers?: Readonly<Record<string, readonly number[]>>;
  readonly bulk?: readonly { readonly job: number; readonly number: number; readonly message?: string }[];
  /** Closes after having read a kill. */
  readonly hangsUp?: boolean;
  /** A kill has come. */
  readonly onKill?: () => void;
  readonly setup?: TestSetup;
  readonly scronParams?: string;
}

/** Runs `slurmwire cancel` on such a controller, and says what was asked of it. */
async function cancel(argv: readonly string[], world: World = {}, options: CliRunOptions = {}) {
  const { release = '22.05', jobs = [], answers = {}, bulk = [], setup = {} } = world;
  const sent: string[] = [];
  const bulkRequests: MessageRecord<'REQUEST_KILL_JOBS'>[] = [];
  const asked = new Map<string, number>();
  const answerTo = (target: string) => {
    const index = asked.get(target) ?? 0;
    asked.set(target, index + 1);
    const numbers = answers[target] ?? [0];
    return rc(numbers[Math.min(index, numbers.length - 1)] ?? 0, { release });
  };
  const peer = await ScriptedPeer.listen(async (connection) => {
    const { name, frame } = await connection.readRequest();
    const respond = async (bytes: Uint8Array) => {
      await connection.send(bytes);
      connection.finish();
    };
    switch (name) {
      case 'REQUEST_PING':
        return respond(rc(0, { release }));
      case 'REQUEST_BUILD_INFO':
        return respond(buildInfoReply({ release, scronParams: world.scronParams }, release));
      case 'REQUEST_JOB_INFO':
      case 'REQUEST_JOB_INFO_SINGLE':
        return respond(jobRecordsReply(jobs, { release }));
      case 'REQUEST_KILL_JOB': {
        const { sjobId, signal, flags } = decodeBody(name, release, frame.body);
        sent.push(`${sjobId} ${signal} ${flags}`);
        world.onKill?.();
        if (world.hangsUp === true) return connection.drop();
        return respond(answerTo(sjobId ?? ''));
      }
      case 'REQUEST_CANCEL_JOB_STEP': {
        const { stepId, signal } = decodeBody(name, release, frame.body);
        const step = stepId.stepId === NO_VAL ? '' : `.${stepId.stepId}`;
        sent.push(`#${stepId.jobId}${step} ${signal}`);
        return respond(answerTo(`#${stepId.jobId}${step}`));
      }
      case 'REQUEST_KILL_JOBS': {
        bulkRequests.push(decodeBody(name, release, frame.body));
        world.onKill?.();
        if (world.hangsUp === true) return connection.drop();
        const none = { arrayTaskId: NO_VAL, hetJobOffset: NO_VAL };
        const bitmap = isAtLeast(release, '24.11') ? { arrayBitmap: null } : {};
        const jobResponses = bulk.map(({ job, number, message = null }) => ({
          errorCode: number,
          errorMsg: message,
          id: { stepId: { jobId: job, stepId: NO_VAL, stepHetComp: NO_VAL }, ...none, ...bitmap },
          realJobId: job,
          siblingName: null,
        }));
        return respond(reply('RESPONSE_KILL_JOBS', { jobResponses } as never, { release }));
      }
      default:
        throw new Error(`unexpected ${name}`);
    }
  });
  try {
    const connect = async () => clientOf([peer.endpoint], { release, ...setup });
    const ran = await runCli(['cancel', ...argv], { connect, ...options });
    return { ...ran, sent, bulkRequests, requests: peer.requests };
  } finally {
    await peer.close();
  }
}

function job(jobId: number, own: Partial<JobRecord> = {}): Partial<JobRecord> {
  const none = { arrayTaskStr: null, hetJobOffset: 0, resvName: null, wckey: null, nodes: null };
  return {
    jobId,
    jobState: 0,
    userId: 1000,
    name: 'sim',
    account: 'phys',
    partition: 'main',
    qos: 'normal',
    ...none,
    ...own,
  };
}

describe('jobs that are only named', () => {
  test('each is one KILL_JOB, without a look', async () => {
    const { sent, requests, ...ran } = await cancel(['7,8', '9_[1-2]']);
    expect(ran).toMatchObject({ code: 0, stdout: '', stderr: '' });
    expect(sent.sort()).toEqual(['7 9 0', '8 9 0', '9_[1-2] 9 0']);
    expect(requests).not.toContain('REQUEST_JOB_INFO');
  });

  test('one that has ended or is not known is what was wanted; a refusal is an exit code of 8 bits', async () => {
    const answers = { 7: [2021], 8: [2017], 9: [2002] };
    expect(await cancel(['7', '8'], { answers })).toMatchObject({ code: 0, stderr: '' });
    expect(await cancel(['7', '8', '9'], { answers })).toMatchObject({
      code: 2002 & 0xff,
      stderr: 'scancel: error: Kill job error on job id 9: Access/permission denied\n',
    });
    const loud = await cancel(['-v', '7'], { answers });
    expect(loud).toMatchObject({
      code: 0,
      stderr:
        'scancel: Terminating job 7\nscancel: error: Kill job error on job id 7: Job/step already completing or completed\n',
    });
  });

  test('an error number that is a multiple of 256 is no success', async () => {
    expect((await cancel(['7'], { answers: { 7: [2048] } })).code).toBe(1);
  });

  test('--json: one document, errors on stderr all the same', async () => {
    const { stdout, code } = await cancel(['--json', '7', '8'], { answers: { 8: [2002] } });
    expect(code).toBe(210);
    expect(JSON.parse(stdout)).toEqual({
      command: 'cancel',
      signal: 'SIGKILL',
      protocol: '22.05',
      exitCode: 210,
      jobs: [
        { target: '7', outcome: 'accepted', number: 0, code: null, message: null },
        {
          target: '8',
          outcome: 'refused',
          number: 2002,
          code: 'ESLURM_ACCESS_DENIED',
          message: expect.any(String),
        },
      ],
    });
  });

  test('where it is not known what became of it, that is said', async () => {
    const { code, stderr } = await cancel(['-H', '7'], { hangsUp: true, setup: { timeoutMs: 2_000 } });
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/^scancel: error: Kill job error on job id 7: /);
    expect(stderr).toContain(
      '\n  outcome:  unknown: it may or may not have been done; look before you repeat it\n',
    );
  });
});

describe('nothing is sent', () => {
  test.each<[string[], string]>([
    [[], 'scancel: error: No job identification provided\n'],
    [['7', '8x'], 'scancel: error: Invalid job id 8x\n'],
    [['-s', 'NONE', '7'], 'Unknown job signal: NONE\n'],
    [['-s', '999', '7'], 'Unknown job signal: 999\n'],
    [
      ['-t', 'x', '7'],
      'Invalid job state specified: x\nValid job states are PENDING, RUNNING, and SUSPENDED\n',
    ],
    [
      ['--nonsense', '7'],
      'scancel: unrecognized option \'--nonsense\'\nTry "scancel --help" for more information\n',
    ],
    [['-w', 'n[1', '7'], 'scancel: error: Invalid node list: n[1\n'],
  ])('%j', async (argv, stderr) => {
    expect(await cancel(argv)).toMatchObject({ code: 1, stdout: '', stderr, requests: [] });
  });

  test('for a cluster that only slurmdbd knows', async () => {
    const { code, stderr, sent } = await cancel(['-M', 'other', '7']);
    expect({ code, sent }).toEqual({ code: 1, sent: [] });
    expect(stderr).toContain(
      "scancel: error: 'other' can't be reached now, or it is an invalid entry for --cluster.",
    );
    expect(stderr).toContain('--controller HOST:PORT');
  });

  test('for a comment that the controller does not know', async () => {
    const { code, stderr, sent } = await cancel(['--admin-comment=x', '7']);
    expect({ code, sent }).toEqual({ code: 1, sent: [] });
    expect(stderr).toContain('--admin-comment cannot be sent');
  });
});

describe('jobs that are looked up', () => {
  const jobs = [
    job(7, { jobState: 1, name: 'a' }),
    job(8, { name: 'a', account: 'bio', wckey: '*key' }),
    job(9, { name: 'b', nodes: 'n[1-3]', jobState: 1, userId: 1001 }),
    job(10, { name: 'a', jobState: 4 }),
    job(20, { arrayJobId: 20, arrayTaskStr: '0x0e', name: 'c', arrayTaskId: NO_VAL }),
    job(21, { arrayJobId: 20, arrayTaskId: 0, jobState: 1, name: 'c' }),
    job(30, { hetJobId: 30, hetJobOffset: 0, name: 'h' }),
    job(31, { hetJobId: 30, hetJobOffset: 1, name: 'h' }),
  ];
  const targets = (sent: readonly string[]) => sent.map((text) => text.split(' ')[0]);

  test.each<[string[], string[]]>([
    [
      ['-n', 'a'],
      ['8', '7'],
    ], // pending first
    [['-n', 'a', '7', '9'], ['7']],
    [['-A', 'BIO'], ['8']],
    [['-u', '1001'], ['9']],
    [['-w', 'n[3-4]'], ['9']],
    [['--wckey', 'key'], ['8']],
    [['--wckey', '*other'], []],
    [
      ['-t', 'R', '-p', 'main', '-q', 'NORMAL', '-u', '1000'],
      ['7', '20_0'],
    ],
    [['-t', 'CD'], []],
    [['-n', 'h'], ['30']], // the leader reaches its components
    [
      ['-n', 'c'],
      ['20_[1-3]', '20_0'],
    ],
    [['-s', 'KILL', '20_2'], ['20_2']],
    [
      ['-s', 'KILL', '20_[1,3]'],
      ['20_1', '20_3'],
    ],
    [['-s', 'KILL', '30+1'], ['30+1']],
    [
      ['-s', 'KILL', '20'],
      ['20_[1-3]', '20_0'],
    ],
    [['-s', 'KILL', '7', '7'], ['7']],
  ])('%j', async (argv, expected) => {
    const { sent, code } = await cancel(argv, { jobs });
    expect({ code, targets: targets(sent).sort() }).toEqual({ code: 0, targets: [...expected].sort() });
    if (expected[0] === '8') expect(targets(sent)[0]).toBe('8');
  });

  test('one that is not there is an error, but for those that are', async () => {
    const { sent, code, stderr } = await cancel(['-s', 'KILL', '7', '99', '20_9', '99.1'], { jobs });
    expect({ sent, code }).toEqual({ sent: ['7 9 0'], code: 1 });
    expect(stderr).toBe(
      [
        'scancel: error: Kill job error on job id 99: Invalid job id specified',
        'scancel: error: Kill job error on job id 20_9: Invalid job id specified',
        'scancel: error: Kill job error on job step id 99.1: Invalid job id specified',
        '',
      ].join('\n'),
    );
    expect(await cancel(['-Q', '-s', 'KILL', '99'], { jobs })).toMatchObject({ code: 1, stderr: '' });
  });

  test('steps: through the controller, and pending jobs have none', async () => {
    const { sent, code, stderr } = await cancel(['7.0', '8.0'], { jobs });
    expect({ sent, code, stderr }).toEqual({ sent: ['#7.0 9'], code: 0, stderr: '' });
  });

  test('--interactive: after a no, nothing else is asked or ended in its place', async () => {
    const run = await cancel(['-i', '7', '8'], { jobs }, { input: 'N\nwhat?\nyes\n' });
    expect(targets(run.sent)).toEqual(['7']);
    expect(run.stdout).toBe(
      'Cancel job_id=8 name=a partition=main [y/n]? Cancel job_id=7 name=a partition=main [y/n]? '.concat(
        'Cancel job_id=7 name=a partition=main [y/n]? ',
      ),
    );
  });

  test('--interactive: the end of the input is no yes', async () => {
    const { sent, code, stderr } = await cancel(['-i', '7'], { jobs });
    expect({ sent, code }).toEqual({ sent: [], code: 1 });
    expect(stderr).toContain('scancel: error: No answer on standard input');
  });

  test('a job in transition is asked for again, ten times, and the waits are scancel’s', async () => {
    const clock = new TestClock();
    const { sent, code } = await cancel(
      ['-s', 'KILL', '7'],
      { jobs, answers: { 7: [2020, 2020, 0] } },
      { clock },
    );
    expect({ count: sent.length, code, waits: clock.waits }).toEqual({
      count: 3,
      code: 0,
      waits: [5_000, 6_000],
    });
    const never = new TestClock();
    const failed = await cancel(['-s', 'KILL', '7'], { jobs, answers: { 7: [2020] } }, { clock: never });
    expect({ count: failed.sent.length, code: failed.code }).toEqual({ count: 10, code: 2020 & 0xff });
    expect(never.elapsed).toBe(81_000);
    const once = await cancel(['--no-retry', '-s', 'KILL', '7'], { jobs, answers: { 7: [2020] } });
    expect(once.sent).toHaveLength(1);
  });

  test('flags, and what the environment adds', async () => {
    const env = { SCANCEL_FULL: 'True', SCANCEL_HURRY: '', SCANCEL_NAME: 'a', SCANCEL_BATCH: 'x' };
    const { sent, stderr } = await cancel(['-s', 'USR1', '7'], { jobs }, { env });
    const flags = KILL_FLAGS.KILL_FULL_JOB.bit | KILL_FLAGS.KILL_HURRY.bit;
    expect(sent).toEqual([`7 10 ${flags}`]);
    expect(stderr).toBe('scancel: error: Unrecognized SCANCEL_BATCH value: x\n');
  });
});

describe('scrontab jobs', () => {
  const flagsOf = async (argv: readonly string[], scronParams: string) => {
    const scrontab = scronParams.includes('explicit') ? 'guarded' : 'open';
    const setup = { cluster: { scrontab, wholeHetJob: false } } as const;
    const jobs = [job(7, { cronspec: '* * * * *' })];
    const { sent, stderr } = await cancel([...argv, '7'], { release: '26.05', jobs, setup, scronParams });
    expect(stderr).toBe('');
    return sent;
  };
  const meant = [`7 9 ${KILL_FLAGS.KILL_CRON.bit}`];

  test('are signalled as a whole, unless the cluster wants to be told that they are meant', async () => {
    expect(await flagsOf([], 'enable')).toEqual(meant);
    expect(await flagsOf([], 'enable,explicit_scancel')).toEqual(['7 9 0']);
    expect(await flagsOf(['-c'], 'enable,explicit_scancel')).toEqual(meant);
  });
});

describe('--ctld', () => {
  test('is one request for all; refusals are told and do not count', async () => {
    const bulk = [
      { job: 7, number: 0 },
      { job: 8, number: 2172, message: 'Job state RUNNING != filter state PENDING: Cannot signal job' },
      { job: 9, number: 2021 },
    ];
    const run = await cancel(['--ctld', '-v', '-t', 'PD', '7', '8', '9'], { release: '24.11', bulk });
    expect(run).toMatchObject({ code: 0, sent: [] });
    expect(run.bulkRequests).toMatchObject([{ jobsArray: ['7', '8', '9'], state: 0, signal: 9 }]);
    expect(run.stderr.split('\n')).toEqual([
      'scancel: Terminating job 7',
      'scancel: error: Kill job error on job id 8: Job state RUNNING != filter state PENDING: Cannot signal job',
      'scancel: error: Kill job error on job id 9: Job/step already completing or completed',
      '',
    ]);
  });

  test('carries the comment', async () => {
    const run = await cancel(['--admin-comment=why', '7'], {
      release: '26.05',
      bulk: [{ job: 7, number: 0 }],
    });
    expect(run).toMatchObject({ code: 0, stderr: '', bulkRequests: [{ adminComment: 'why' }] });
  });

  test('asks with --interactive all the same', async () => {
    const run = await cancel(['--ctld', '-i', '7'], { release: '24.11', jobs: [job(7)] }, { input: 'n\n' });
    expect(run).toMatchObject({ code: 0, sent: [], bulkRequests: [] });
  });

  test('of an older controller is what it was there', async () => {
    expect(await cancel(['--ctld', '7'], { release: '22.05' })).toMatchObject({ code: 0, sent: ['7 9 0'] });
  });
});

describe('a controller that is not there', () => {
  const dead = async (argv: readonly string[]) => {
    const endpoint = await deadEndpoint();
    return runCli(['cancel', ...argv], { connect: async () => clientOf([endpoint], { release: '22.05' }) });
  };

  test('is said of each job that was named', async () => {
    const { code, stderr } = await dead(['7', '8']);
    expect(code).not.toBe(0);
    for (const id of [7, 8])
      expect(stderr).toContain(
        `scancel: error: Kill job error on job id ${id}: Unable to contact slurm controller (connect failure)\n`,
      );
    expect(stderr).toContain('  outcome:  not-sent');
  });

  test('is said once where jobs are to be looked up, exit code 1', async () => {
    const { code, stderr } = await dead(['--name=x']);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^slurm_load_jobs error: Unable to contact slurm controller \(connect failure\)\n/,
    );
  });
});

test('what stops it stops it: nothing more is sent, and the exit code says so', async () => {
  const stop = new AbortController();
  const clock = new TestClock();
  clock.onTick = () => stop.abort(new Stopped('SIGINT'));
  const run = await cancel(['7'], { answers: { 7: [2020] } }, { clock, signal: stop.signal });
  expect({ code: run.code, count: run.sent.length }).toEqual({ code: 130, count: 1 });
});

describe('in place of a cancel', () => {
  test.each([['--help'], ['--usage'], ['-V'], ['--autocomplete=ctl']])('%s', async (option) => {
    const run = await cancel([option, '--nonsense']);
    expect(run).toMatchObject({ code: 0, stderr: '', requests: [] });
    expect(run.stdout).not.toBe('');
  });

  test('every option of scancel is in the help', async () => {
    const { stdout } = await cancel(['--help']);
    for (const option of ['--account', '--batch', '--nodelist', '--wckey', '--json', '--controller'])
      expect(stdout).toContain(option);
  });
});

describe('an operator at night', () => {
  const jobs = [job(7, { name: 'a' }), job(8, { name: 'a' })];
  const targets = (sent: readonly string[]) => sent.map((text) => text.split(' ')[0] ?? '');

  test('a job’s name cannot write another question, nor anything else on the terminal', async () => {
    const name = 'x\u001b[2K\r\u0007Cancel job_id=1 \n\u202e';
    const { stdout, sent } = await cancel(['-i', '7'], { jobs: [job(7, { name })] }, { input: 'n\n' });
    expect(stdout).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(stdout).toMatch(/^Cancel job_id=7 name=x\\u001b\[2K\\u000d/);
    expect(sent).toEqual([]);
  });

  test('nor can a controller’s words', async () => {
    const bulk = [{ job: 7, number: 2002, message: 'no\u001b]0;x\u0007\nscancel: all is well' }];
    const { stderr } = await cancel(['--ctld', '7'], { release: '24.11', bulk });
    const filtered = await cancel(['--ctld', '--name=a', '7'], { release: '24.11', bulk });
    for (const text of [stderr, filtered.stderr]) {
      expect(text).not.toMatch(/\p{Cc}(?<!\n)/u);
      expect(text).not.toMatch(/^scancel: all is well/m);
    }
    expect(filtered.stderr).toContain('no\\u001b');
  });

  test('the answers end after a yes: what was done is in the document, beside the error', async () => {
    const run = await cancel(['-i', '--json', '7', '8'], { jobs }, { input: 'y\n' });
    expect([run.code, targets(run.sent)]).toEqual([1, ['7']]);
    expect(JSON.parse(run.stdout)).toMatchObject({
      exitCode: 1,
      jobs: [{ target: '7', outcome: 'accepted' }],
      error: { message: 'No answer on standard input' },
    });
  });

  test('stopped at a question: what was done is told', async () => {
    const stop = new AbortController();
    const input = new PassThrough();
    input.write('y\n');
    let text = '';
    const onStdout = (chunk: string) => {
      text += chunk;
      if (text.match(/\?/g)?.length === 2) stop.abort(new Stopped('SIGINT'));
    };
    const run = await cancel(['-i', '7', '8'], { jobs }, { stdin: input, signal: stop.signal, onStdout });
    expect([run.code, targets(run.sent)]).toEqual([130, ['7']]);
    expect(run.stderr).toBe('scancel: stopped by SIGINT; accepted: 7\n');
  });

  test('stopped in the middle: each job stands under what is known of it', async () => {
    const stop = new AbortController();
    const names = Array.from({ length: 12 }, (_, index) => `${index + 1}`);
    const world = { onKill: () => stop.abort(new Stopped('SIGINT')), hangsUp: true } satisfies World;
    const run = await cancel(['--json', ...names], world, { signal: stop.signal });
    expect(run.code).toBe(130);
    expect(run.stderr).toMatch(
      /^scancel: stopped by SIGINT; may or may not have been done: .*; not sent: .*11 12$/m,
    );
    const told: { target: string; outcome: string }[] = JSON.parse(run.stdout).jobs;
    expect(told.map(({ target }) => target).sort()).toEqual([...names].sort());
    const sent = new Set(targets(run.sent));
    for (const { target, outcome } of told) if (sent.has(target)) expect(outcome).toBe('unknown');
  });

  test('--ctld stopped while its one request is out: that it may have been done is said', async () => {
    const stop = new AbortController();
    const world = {
      release: '24.11',
      onKill: () => stop.abort(new Stopped('SIGTERM')),
      hangsUp: true,
    } as const;
    const run = await cancel(['--ctld', '-n', 'a', '--json'], world, { signal: stop.signal });
    expect(run.code).toBe(143);
    expect(run.bulkRequests).toHaveLength(1);
    expect(run.stderr).toContain('unknown: it may or may not have been done');
    expect(JSON.parse(run.stdout).error).toMatchObject({ outcome: 'unknown' });
  });

  test('bad command lines: exit code 1, and with --json a document, wherever it stands', async () => {
    for (const argv of [
      ['--nonsense', '7', '--json'],
      ['7', '--timeout=x', '--json'],
      ['--json', '8x'],
    ]) {
      const { code, stdout, sent } = await cancel(argv);
      expect([code, sent], argv.join(' ')).toEqual([1, []]);
      expect(JSON.parse(stdout).error.message, argv.join(' ')).toMatch(/nonsense|timeout|8x/);
    }
  });

  test('a cluster that is not named is not this one', async () => {
    for (const none of ['', ',', ',,'])
      expect(await cancel(['-M', none, '7'])).toMatchObject({ code: 1, sent: [], requests: [] });
    expect(await cancel(['7'], {}, { env: { SLURM_CLUSTERS: '' } })).toMatchObject({
      code: 0,
      sent: ['7 9 0'],
    });
  });

  test('more tasks than scancel takes are refused before they are written out', async () => {
    for (const tasks of ['7_[0-3999999]', '7_[0-65535],8', '7_[0-65534],7_[1-2]']) {
      const { code, stderr, sent } = await cancel(['-s', 'USR1', ...tasks.split(/,(?=\d+(?:_|$))/)], {
        jobs,
      });
      expect([code, sent]).toEqual([1, []]);
      expect(stderr).toContain('Too many job ids');
    }
  });

  test('thousands of tasks of a queue of thousands take no time to be found', () => {
    const mask = `0x${'f'.repeat(4_000)}`;
    const records = Array.from({ length: 2_000 }, (_, index) =>
      job(100_000 + index, { arrayJobId: 7, arrayTaskId: NO_VAL, arrayTaskStr: mask, jobState: 0 }),
    ) as JobRecord[];
    const wanted = wantedOf(readOperands(['7_[16000-30000]']));
    // One pass over what is there: looking at each record for each task would be hours.
    const { missing } = select(records.slice(0, 20), wanted, {}, false);
    expect(missing).toHaveLength(14_001);
  });
});
