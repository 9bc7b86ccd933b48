/**
 * The job, step and node tables of live clusters: what the decoder makes of them is what `scontrol` of the same release prints, in every
 * key that it prints, and every byte is accounted for: what was decoded packs into the same bytes again.
 */
import { inspect, isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LabCluster } from '../../lab/cluster.js';
import { expandHostlist } from '../../src/config/index.js';
import {
  type Connection,
  connect,
  type MessageInput,
  type MessageName,
  type Release,
  type ReplyOf,
  type SlurmClient,
  type Transport,
  tcpTransport,
} from '../../src/index.js';
import {
  decodeFrame,
  encodeBody,
  isAtLeast,
  type JobRecord,
  type JobStepRecord,
  NO_STEP_ID,
  NO_VAL,
  type NodeRecord,
  RELEASES,
  SHOW_FLAGS,
} from '../../src/protocol/index.js';
import { jobRecord } from '../../src/protocol/messages/job-record.js';
import { jobStepRecord } from '../../src/protocol/messages/job-step-info.js';
import { nodeRecord } from '../../src/protocol/messages/node-record.js';
import { headerVersionOf } from '../../src/protocol/release.js';
import { type AnyType, fieldPlaces } from '../support/description.js';
import { BUSY_CLUSTER, type BusyJobs, makeBusy } from './support/busy-cluster.js';
import { describeReal, type RealLive } from './support/live.js';
import {
  type Context,
  noting,
  type Pair,
  pairsOf,
  type Records,
  stepName,
  told,
  UNSHOWN,
} from './support/scontrol-words.js';

const showFlags = SHOW_FLAGS.SHOW_ALL | SHOW_FLAGS.SHOW_DETAIL;

/** All that is asked for in one protocol. */
interface Tables {
  readonly jobs: readonly JobRecord[];
  readonly nodes: readonly NodeRecord[];
  readonly steps: readonly JobStepRecord[];
  readonly lastBackfill: bigint;
}

for (const release of ['20.11', '22.05', '24.11', '26.05'] as const) {
  describeReal(`tables of a live ${release}`, { release, ...BUSY_CLUSTER }, (live) => {
    const readers = new Map<Release, Reader>();
    let busy: BusyJobs;
    let shown: Record<'job' | 'node' | 'step', Pair[][]>;
    let tables: Map<Release, Tables>;

    beforeAll(async () => {
      busy = await makeBusy(live());
      for (const protocol of spokenBy(release)) readers.set(protocol, await Reader.start(live(), protocol));
      ({ shown, tables } = await atRest(live().cluster, () => showsAndTables(live(), busy, readers)));
    });
    afterAll(async () => {
      for (const reader of readers.values()) await reader.slurm.close();
    });

    const own = () => tables.get(release) as Tables;
    const context = (): Context => ({
      release,
      lastBackfill: own().lastBackfill,
      names: new Map([
        [0, 'root'],
        ...Object.values(live().cluster.users).map(({ uid, name }) => [uid, name] as const),
      ]),
    });

    test('jobs: every key of scontrol', () => {
      compare('job', own().jobs, shown.job, ({ jobId }) => `${jobId}`, context());
    });

    test('nodes: every key of scontrol', () => {
      compare('node', own().nodes, shown.node, ({ name }) => `${name}`, context());
    });

    test('steps: every key of scontrol', () => {
      compare('step', own().steps, shown.step, stepName, context());
    });

    const older = spokenBy(release).filter((protocol) => protocol !== release);
    // 20.11 speaks no other, and states alone can be asked for since 23.11: no test is left out aloud that there is nothing to test for.
    test.for(older.length > 0 ? [older] : [])(`the same in protocols ${older.join(', ')}`, () => {
      for (const protocol of older) {
        const there = tables.get(protocol) as Tables;
        for (const [kind, type] of [
          ['jobs', TYPES.job],
          ['nodes', TYPES.node],
          ['steps', TYPES.step],
        ] as const) {
          expect(there[kind].length).toBe(own()[kind].length);
          const differences = there[kind].flatMap((record, index) =>
            differing(type, [protocol, record], [release, own()[kind][index]]),
          );
          expect([...new Set(differences)], `${kind} in ${protocol}`).toEqual([]);
        }
      }
    });

    test('single jobs, those of a user, single nodes, steps of one job: the same records', async () => {
      for (const reader of readers.values()) {
        const look = () => tablesAndParts(live(), reader, Object.values(busy));
        const { all, byJob, byUser, nodes } = await atRest(live().cluster, look);
        for (const { jobId, jobs, steps } of byJob) {
          const isMeant = (job: JobRecord) => [job.jobId, job.arrayJobId, job.hetJobId].includes(jobId);
          expect(byId(jobs)).toEqual(byId(all.jobs.filter(isMeant)));
          const mine = (step: JobStepRecord) => step.stepId.jobId === jobId || step.arrayJobId === jobId;
          expect(steps.map(withoutClock)).toEqual(all.steps.filter(mine).map(withoutClock));
        }
        for (const { uid, jobs } of byUser) {
          expect(byId(jobs)).toEqual(byId(all.jobs.filter(({ userId }) => userId === uid)));
        }
        expect(nodes).toEqual(all.nodes);
      }
    });

    test('what scontrol does not print: names and positions, what was asked for', () => {
      const { jobs, nodes, steps } = own();
      const names = (positions: { set: readonly number[] } | null) =>
        (positions?.set ?? []).map((position) => nodes[position]?.name);
      for (const job of jobs) {
        expect(names(job.nodeInx)).toEqual(expandHostlist(job.nodes ?? ''));
        expect(names(job.reqNodeInx)).toEqual(expandHostlist(job.reqNodes ?? ''));
        expect(names(job.excNodeInx)).toEqual(expandHostlist(job.excNodes ?? ''));
        expect(job).toMatchObject({ siteFactor: 0x80000000, fedSiblingsActive: 0n, cronspec: null });
        expect(job.stepId).toMatchObject({ jobId: job.jobId, stepId: NO_VAL, stepHetComp: NO_VAL });
      }
      for (const step of steps) {
        expect(names(step.nodeInx)).toEqual(expandHostlist(step.nodes ?? ''));
        expect(step.startProtocolVer).toBe(headerVersionOf(release));
      }
      const big = jobs.find(({ jobId }) => jobId === busy.big);
      expect(big).toMatchObject({ wckey: 'key', profile: 4, startProtocolVer: headerVersionOf(release) });
    });

    const states = spokenBy(release).filter((protocol) => isAtLeast(protocol, '23.11'));
    test.for(states.length > 0 ? [states] : [])('the short answer about states', async () => {
      for (const protocol of states) {
        const { jobs } = await (readers.get(protocol) as Reader).ask(
          'REQUEST_JOB_STATE',
          {},
          'RESPONSE_JOB_STATE',
        );
        const told = jobs.map(({ jobId, arrayJobId, arrayTaskId, hetJobId, state }) => [
          jobId,
          arrayJobId,
          arrayTaskId,
          hetJobId,
          state,
        ]);
        const known = own().jobs.map((job) => [
          job.jobId,
          job.arrayJobId,
          job.arrayTaskId,
          job.hetJobId,
          job.jobState,
        ]);
        const sorted = (rows: number[][]) => rows.sort(([a = 0], [b = 0]) => a - b);
        expect(sorted(told)).toEqual(sorted(known));
      }
    });
  });
}

const TYPES = { job: jobRecord as AnyType, node: nodeRecord as AnyType, step: jobStepRecord as AnyType };

/** The fields that both releases have and in which the records differ. */
function differing(
  type: AnyType,
  [older, there]: [Release, unknown],
  [newer, here]: [Release, unknown],
): string[] {
  const fieldsIn = (release: Release, record: unknown) =>
    fieldPlaces(type, release, record)
      .filter(({ present }) => present)
      .map(({ path }) => path.join('.'));
  const known = new Set(fieldsIn(newer, here));
  const shared = fieldsIn(older, there).filter((path) => known.has(path));
  // Of what has parts the parts are compared; a step counts its seconds.
  const leaves = shared.filter(
    (path) => path !== 'runTime' && !shared.some((other) => other.startsWith(`${path}.`)),
  );
  return leaves.flatMap((path) => {
    const [a, b] = [at(there, path), at(here, path)];
    return isDeepStrictEqual(a, TOLD_OLDER[path]?.(b, older) ?? b)
      ? []
      : [`${path}: ${inspect(a)} and ${inspect(b)}`];
  });
}

/** What a controller translates for older clients (observed: 22.05). */
const TOLD_OLDER: Readonly<Record<string, (value: unknown, older: Release) => unknown>> = {
  numTasks: (value, older) => (value === NO_VAL && older < '21.08' ? 0 : value),
  bitflags: (value, older) => (older < '21.08' ? BigInt(value as bigint) & 0xffffffffn : value),
};

function at(record: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>((value, name) => (value as Record<string, unknown> | null | undefined)?.[name], record);
}

const byId = (jobs: readonly JobRecord[]) => [...jobs].sort((a, b) => a.jobId - b.jobId);

/** A step counts its seconds. */
const withoutClock = ({ runTime: _, ...step }: JobStepRecord) => step;

/** Fails with all that differs. */
function compare<W extends keyof Records>(
  what: W,
  records: readonly Records[W][],
  lines: readonly Pair[][],
  nameOf: (record: Records[W]) => string,
  context: Context,
): void {
  const byName = new Map(records.map((record) => [nameOf(record), record]));
  const differences = new Set<string>();
  const read = new Set<string>();
  for (const shown of lines) {
    const record = byName.get(firstValue(shown));
    if (record === undefined) differences.add(`${what} ${firstValue(shown)} was not decoded`);
    else {
      const ours = told(what, noting(record, read), shown, context);
      for (const [index, [key, value]] of ours.entries()) {
        const [, theirs] = shown[index] ?? [key, 'nothing'];
        if (value !== theirs)
          differences.add(`${what} ${firstValue(shown)}: ${key} is ${theirs}, was decoded as ${value}`);
      }
    }
  }
  expect([...differences]).toEqual([]);
  expect([...byName.keys()].sort()).toEqual(lines.map(firstValue).sort());
  const places = fieldPlaces(TYPES[what], context.release, records[0]);
  const here = places
    .filter(({ path, present }) => present && path.length === 1)
    .map(({ path }) => String(path[0]));
  expect(here.filter((field) => !read.has(field) && !UNSHOWN[what].includes(field))).toEqual([]);
}

/** The protocols that a daemon of this release takes and this library speaks. */
function spokenBy(release: Release): Release[] {
  const { protocol, oldestAccepted } = RELEASES.find(
    (row) => row.release === release,
  ) as (typeof RELEASES)[number];
  return RELEASES.filter((row) => row.protocol >= oldestAccepted && row.protocol <= protocol).map(
    (row) => row.release,
  );
}

const firstValue = (pairs: readonly Pair[]) => pairs[0]?.[1] ?? '';

/** A client in one protocol that checks of each reply that it packs into the bytes it came in. */
class Reader {
  readonly slurm: SlurmClient;
  readonly protocol: Release;
  readonly #replies: Uint8Array[][];

  private constructor(slurm: SlurmClient, protocol: Release, replies: Uint8Array[][]) {
    this.slurm = slurm;
    this.protocol = protocol;
    this.#replies = replies;
  }

  static async start({ cluster }: RealLive, protocol: Release): Promise<Reader> {
    const replies: Uint8Array[][] = [];
    const transport = listening(tcpTransport(), replies);
    return new Reader(await connect({ conf: cluster.slurmConf, protocol, transport }), protocol, replies);
  }

  async ask<N extends MessageName, A extends MessageName>(
    name: N,
    body: MessageInput<N>,
    answer: A,
  ): Promise<ReplyOf<A>['record']> {
    const reply = await this.slurm.request(name, body);
    expect(reply.name).toBe(answer);
    const frame = decodeFrame(Buffer.concat(this.#replies.at(-1) ?? []));
    expect([frame.messageName, frame.release]).toEqual([answer, this.protocol]);
    const { record } = reply as ReplyOf<A>;
    // A byte left over would have been an error; and what was read is all there is.
    const again = encodeBody(answer, this.protocol, record as MessageInput<A>);
    expect(Buffer.compare(again, frame.body), `${answer} in ${this.protocol}`).toBe(0);
    return record;
  }

  /** A job's records and steps. */
  async job(jobId: number) {
    const { jobs } = await this.ask('REQUEST_JOB_INFO_SINGLE', { jobId, showFlags }, 'RESPONSE_JOB_INFO');
    const stepId = { ...NO_STEP_ID, jobId };
    const { jobSteps: steps } = await this.ask(
      'REQUEST_JOB_STEP_INFO',
      { stepId, showFlags },
      'RESPONSE_JOB_STEP_INFO',
    );
    return { jobId, jobs, steps };
  }

  async user(uid: number) {
    const { jobs } = await this.ask('REQUEST_JOB_USER_INFO', { userId: uid, showFlags }, 'RESPONSE_JOB_INFO');
    return { uid, jobs };
  }

  async node(nodeName: string): Promise<readonly NodeRecord[]> {
    return (await this.ask('REQUEST_NODE_INFO_SINGLE', { nodeName, showFlags }, 'RESPONSE_NODE_INFO')).nodes;
  }

  async tables(): Promise<Tables> {
    const { jobs, lastBackfill } = await this.ask('REQUEST_JOB_INFO', { showFlags }, 'RESPONSE_JOB_INFO');
    const { nodes } = await this.ask('REQUEST_NODE_INFO', { showFlags }, 'RESPONSE_NODE_INFO');
    const { jobSteps } = await this.ask('REQUEST_JOB_STEP_INFO', { showFlags }, 'RESPONSE_JOB_STEP_INFO');
    return { jobs, nodes, steps: jobSteps, lastBackfill };
  }
}

/** A transport that keeps what comes back, connection by connection. */
function listening(transport: Transport, replies: Uint8Array[][]): Transport {
  return {
    async connect(endpoint, context): Promise<Connection> {
      const connection = await transport.connect(endpoint, context);
      const chunks: Uint8Array[] = [];
      replies.push(chunks);
      return {
        write: (bytes) => connection.write(bytes),
        close: () => connection.close(),
        async read() {
          const chunk = await connection.read();
          if (chunk !== null) chunks.push(Uint8Array.from(chunk));
          return chunk;
        },
      };
    },
  };
}

/** One after the other: a reader knows a reply by its being the last. */
async function inTurn<T, R>(items: readonly T[], ask: (item: T) => Promise<R>): Promise<R[]> {
  const answers: R[] = [];
  for (const item of items) answers.push(await ask(item));
  return answers;
}

/** Looks until two looks, one after the other, show the same: nothing has changed meanwhile, the clock aside. */
async function atRest<T>(cluster: LabCluster, look: () => Promise<T>): Promise<T> {
  const still = (seen: T) =>
    inspect(seen, { depth: null, maxArrayLength: null, maxStringLength: null }).replace(CLOCKS, '');
  let seen = await look();
  const isQuiet = async () => {
    const before = still(seen);
    seen = await look();
    return still(seen) === before;
  };
  await cluster.waitFor(isQuiet, 30_000, 'the cluster to be at rest');
  return seen;
}

/** A job's run time in scontrol's words, a step's in our record. */
const CLOCKS = /'RunTime', '[^']*'|runTime: \d+n/g;

/** The tables, and their parts asked for one by one. */
async function tablesAndParts({ cluster }: RealLive, reader: Reader, jobIds: readonly number[]) {
  return {
    all: await reader.tables(),
    byJob: await inTurn(jobIds, (jobId) => reader.job(jobId)),
    byUser: await inTurn(Object.values(cluster.users), ({ uid }) => reader.user(uid)),
    nodes: (await inTurn(cluster.nodes, ({ name }) => reader.node(name))).flat(),
  };
}

/** What scontrol prints, and what is answered in all protocols. */
async function showsAndTables({ cluster }: RealLive, busy: BusyJobs, readers: ReadonlyMap<Release, Reader>) {
  const show = async (...what: string[]) => {
    const argv = ['scontrol', '--oneliner', '--details', '--all', 'show', ...what];
    const { code, stdout, stderr } = await cluster.exec(argv, { user: 'root', env: { TZ: 'UTC' } });
    expect([code, stderr]).toEqual([0, '']);
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map(pairsOf);
  };
  // Up to 22.05 the list of all steps leaves out those of array tasks; named, they are shown.
  const tasks = cluster.release < '24.11' ? [`${busy.array}_1`, `${busy.array}_3`] : [];
  const steps = [await show('step'), ...(await inTurn(tasks, (task) => show('step', task)))].flat();
  const tables = await inTurn(
    [...readers],
    async ([protocol, reader]) => [protocol, await reader.tables()] as const,
  );
  return {
    shown: { job: await show('job'), node: await show('node'), step: steps },
    tables: new Map(tables),
  };
}
