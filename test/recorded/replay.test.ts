/** slurmwire's own recorded conversations, one for each verb and release, play back without Slurm, munge or network, byte for byte. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { encodeFrame, isAtLeast, type Release } from '../../src/protocol/index.js';
import type { Fixture, PlayOptions } from '../../src/replay/index.js';
import { SlurmClient } from '../../src/rpc/client.js';
import {
  callAgain,
  callerOf,
  callOf,
  framesOf,
  isOwnCall,
  playing,
  RECORDED_RELEASES,
  recorded,
  recordedNames,
} from './support.js';

// The cluster's users are none of this machine's: so it was where they made their calls.
vi.mock('node:os', async (original) => ({
  ...(await original<typeof import('node:os')>()),
  userInfo: () => {
    throw new Error('no such user');
  },
}));

const splits: PlayOptions['split'][] = ['recorded', 'whole', 1, 7];
const ALICE = 2001;
const URG = 23;
const NO_JOB = 4242;
const peer = 'recorded:6817';

/** What a recording is about. */
interface Recorded {
  readonly release: Release;
  /** What the verb was given first, mostly a job or step. */
  readonly target: unknown;
  /** Daemons sign their replies up to protocol 22.05. */
  readonly authenticated: boolean;
}

/** What the verb said; the same of each release. */
type Told = (recording: Recorded) => unknown;

const accepted =
  (rpc: string, more: object = {}): Told =>
  ({ release: protocol, target, authenticated }) => ({
    outcome: 'accepted',
    rpc,
    target: `${target}`,
    peer,
    protocol,
    authenticated,
    ...more,
  });

const refused =
  (code: string, number: number, errno: string): Told =>
  ({ release: protocol }) => ({
    name: 'SlurmServerError',
    code,
    number,
    errno,
    outcome: 'refused',
    rpc: 'REQUEST_KILL_JOB',
    peer,
    protocol,
  });

const fannedOut =
  (rpc: string, unixSignal: number, ...nodes: string[]): Told =>
  ({ release: protocol, target }) => ({
    outcome: 'accepted',
    target: `${target}`,
    unixSignal,
    rpc,
    protocol,
    nodes: nodes.map((node) => ({ node, target: `${target}`, outcome: 'accepted', number: 0, via: null })),
    ended: [],
  });

const posixKilled =
  (unixSignal: number): Told =>
  ({ release: protocol, target }) => ({
    outcome: 'accepted',
    target: `${target}`,
    unixSignal,
    count: 1,
    targets: [{ target: `${target}`, jobId: target, outcome: 'accepted', number: 0 }],
    protocol,
  });

const SAYS: Readonly<Record<string, Told>> = {
  ping: ({ release: protocol, authenticated }) => [
    {
      up: true,
      role: 'primary',
      peer,
      protocol,
      version: expect.stringMatching(new RegExp(`^${protocol}\\.\\d+$`)),
      authenticated,
      error: null,
    },
  ],
  'kill-job': accepted('REQUEST_KILL_JOB', { unixSignal: 9 }),
  // Certain because it is one record.
  'kill-job-done': refused('ESLURM_ALREADY_DONE', 2021, 'ESRCH'),
  'kill-job-unknown': refused('ESLURM_INVALID_JOB_ID', 2017, 'ESRCH'),
  'kill-job-denied': refused('ESLURM_ACCESS_DENIED', 2002, 'EPERM'),
  'kill-job-step': accepted('REQUEST_CANCEL_JOB_STEP', { unixSignal: 9 }),
  'kill-jobs': ({ release: protocol, target }) => {
    const ids = target as number[];
    const yes = { outcome: 'accepted', number: 0, errno: null, code: null };
    const no = { outcome: 'refused', number: 2017, errno: 'ESRCH', code: 'ESLURM_INVALID_JOB_ID' };
    return {
      outcome: 'partial',
      message: '3 jobs: 2 accepted, 1 refused.',
      // In the order of whoever answered.
      jobs: expect.arrayContaining(
        ids.map((id) => expect.objectContaining({ target: `${id}`, ...(id === NO_JOB ? no : yes) })),
      ),
      protocol,
    };
  },
  'signal-job': fannedOut('REQUEST_SIGNAL_TASKS', URG, 'n1', 'n2'),
  'signal-job-step': fannedOut('REQUEST_SIGNAL_TASKS', URG, 'n1', 'n2'),
  'signal-job-step-batch': fannedOut('REQUEST_SIGNAL_TASKS', URG, 'n1'),
  'terminate-job-step': fannedOut('REQUEST_TERMINATE_TASKS', 9, 'n1', 'n2'),
  kill: posixKilled(URG),
  'kill-zero': posixKilled(0),
  probe: ({ release: protocol, target }) => {
    const jobId = Number.parseInt(`${target}`, 10);
    const [state, nodes] = ['RUNNING', 'n[1-2]'];
    return {
      target,
      exists: true,
      mine: true,
      maySignal: true,
      state,
      jobs: [{ target: `${jobId}`, jobId, userId: ALICE, state, batch: true, cron: false, nodes }],
      steps: [{ target, jobId, state, nodes }],
      peer,
      protocol,
    };
  },
  explain: ({ release: protocol }) => ({
    verb: 'killJob',
    requests: [{ rpc: 'REQUEST_KILL_JOB', to: 'slurmctld', peer, record: { signal: URG, flags: 0 } }],
    effects: ['0', '1', '2'].map((step) => ({
      target: expect.stringMatching(new RegExp(`^\\d+\\.${step}$`)),
      state: 'RUNNING',
      processes: 'step',
      nodes: ['n1', 'n2'],
    })),
    protocol,
  }),
  terminate: ({ target }) => ({
    outcome: 'accepted',
    dead: true,
    sent: [{ target: `${target}`, part: 'job', signal: 'SIGKILL', outcome: 'accepted', code: null }],
    jobs: [{ jobId: target, state: 'CANCELLED' }],
  }),
  request: ({ release: protocol, authenticated }) => ({
    name: 'RESPONSE_SLURM_RC',
    record: { returnCode: 0 },
    peer,
    protocol,
    authenticated,
  }),
  suspend: accepted('REQUEST_SUSPEND', { parts: [] }),
  resume: accepted('REQUEST_SUSPEND', { parts: [] }),
  requeue: accepted('REQUEST_JOB_REQUEUE', { parts: [] }),
  notify: accepted('REQUEST_JOB_NOTIFY', { parts: [] }),
};

/** Versions that are tried, the last of which is answered. */
const SEARCHES: Readonly<Record<(typeof RECORDED_RELEASES)[number], Release[]>> = {
  '20.11': ['25.05', '23.02', '20.11'],
  '22.05': ['25.05', '23.02', '20.11'],
  '24.11': ['25.05', '24.11'],
  '26.05': ['25.05'],
};

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** What the call says now, and what the player says of it. */
async function playBack(fixture: Fixture, options: PlayOptions = {}) {
  vi.spyOn(process, 'geteuid').mockReturnValue(callerOf(fixture));
  const { slurm, player } = await playing(fixture, options);
  const told = await callAgain(slurm, fixture).catch((error: unknown) => error);
  await slurm.close();
  return { told, player };
}

describe.each(RECORDED_RELEASES)('%s', (release) => {
  const names = Object.keys(SAYS);

  test('every recording of a call is played back', async () => {
    const fixtures = await Promise.all(
      recordedNames(release).map(async (name) => ({ name, fixture: await recorded(name, release) })),
    );
    const own = fixtures.filter(({ fixture }) => isOwnCall(fixture)).map(({ name }) => name);
    expect(own.sort()).toEqual([...names].sort());
  });

  test('every verb was recorded', async () => {
    const fixtures = await Promise.all(names.map((name) => recorded(name, release)));
    // These ask nobody.
    const silent = ['constructor', 'paces', 'close'];
    const verbs = Object.getOwnPropertyNames(SlurmClient.prototype).filter((name) => !silent.includes(name));
    expect([...new Set(fixtures.map((fixture) => callOf(fixture).method))].sort()).toEqual(verbs.sort());
  });

  describe.each(names)('%s', (name) => {
    test.each(splits)('bytes of the daemons cut as %s', async (split) => {
      const fixture = await recorded(name, release);
      const { told, player } = await playBack(fixture, { split });
      player.finish();
      const [target] = callOf(fixture).args;
      const recording = { release, target, authenticated: !isAtLeast(release, '23.02') };
      expect(told).toMatchObject(SAYS[name]?.(recording) as object);
    });

    test('the version was searched for', async () => {
      const { connections } = await recorded(name, release);
      const asked = connections.slice(0, SEARCHES[release].length);
      const frames = asked.flatMap((connection) => framesOf(connection, '>'));
      expect(frames.map((frame) => frame.release)).toEqual(SEARCHES[release]);
      expect(new Set(frames.map(({ messageName }) => messageName))).toEqual(new Set(['REQUEST_BUILD_INFO']));
      expect(connections.length).toBeGreaterThan(asked.length);
    });

    test('another request than the recorded one is noticed', async () => {
      expect(await noticed(withOtherRequest(await recorded(name, release)))).toContain('header/msgType');
    });

    test('a request that was not recorded is noticed', async () => {
      const fixture = await recorded(name, release);
      const connections = fixture.connections.slice(0, -1);
      expect(await noticed({ ...fixture, connections })).toMatch(/one more credential|connects a \d+\. time/);
    });

    test('a request that is missing is noticed', async () => {
      const fixture = await recorded(name, release);
      const connections = [...fixture.connections, ...fixture.connections.slice(-1)];
      expect(await noticed({ ...fixture, connections })).toContain(
        `the recording has ${connections.length} connections, the client opened ${connections.length - 1}`,
      );
    });
  });
});

/** What the player finds fault with. Verbs that insist wait without waiting. */
async function noticed(fixture: Fixture): Promise<string> {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  let isOver = false;
  const played = playBack(fixture).finally(() => {
    isOver = true;
  });
  while (!isOver) await vi.advanceTimersByTimeAsync(1_000);
  const { player } = await played;
  try {
    player.finish();
  } catch (error) {
    expect(error).toMatchObject({ code: 'SLURMWIRE_REPLAY_MISMATCH' });
    return String(error);
  }
  return 'nothing';
}

/** The same conversation, but for the type of the last request. */
function withOtherRequest(fixture: Fixture): Fixture {
  const last = fixture.connections.at(-1);
  const [frame] = last === undefined ? [] : framesOf(last, '>');
  if (last === undefined || frame === undefined) throw new TypeError('a recording without a request');
  const { release, auth, body } = frame;
  const bytes = encodeFrame({ release, messageName: 'REQUEST_JOB_INFO', auth, body });
  expect(bytes.length).toBe(frame.bytes.length);
  let isFirst = true;
  const events = last.events.flatMap((event) => {
    if (event.direction !== '>' || event.kind !== 'data') return [event];
    const all = isFirst ? [{ ...event, bytes }] : [];
    isFirst = false;
    return all;
  });
  return { ...fixture, connections: [...fixture.connections.slice(0, -1), { ...last, events }] };
}

test.each([
  ['another job', (slurm: SlurmClient, job: number) => slurm.killJob(job + 1), 'body/sjobId'],
  ['another signal', (slurm: SlurmClient, job: number) => slurm.killJob(job, 'SIGTERM'), 'body/signal'],
  [
    'another flag',
    (slurm: SlurmClient, job: number) => slurm.killJob(job, 'SIGKILL', { hurry: true }),
    'body/flags',
  ],
  ['another message', (slurm: SlurmClient, job: number) => slurm.killJobStep(`${job}.0`), 'field length'],
])('%s is not what was recorded: the first differing byte is named', async (_, call, field) => {
  const fixture = await recorded('kill-job');
  const { slurm } = await playing(fixture);
  const error = await call(slurm, callOf(fixture).args[0] as number).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'SLURMWIRE_REPLAY_MISMATCH' });
  expect(String(error)).toContain(field);
});

test('a conversation that stops early is noticed', async () => {
  const { slurm, player } = await playing(await recorded('ping'));
  await slurm.close();
  expect(() => player.finish()).toThrow(/the client opened 0/);
});
