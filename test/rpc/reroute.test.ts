/** What a federation's controller sends on to another cluster (8003): scripted controllers of several versions. */
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import {
  decodeBody,
  type Endpoint,
  encodeBody,
  headerVersionOf,
  type MessageInput,
  type MessageName,
  type MessageRecord,
  RELEASES,
  type Release,
  type Transport,
} from '../../src/protocol/index.js';
import { messageType } from '../../src/protocol/messages/index.js';
import type { LinkSetup } from '../../src/rpc/controller-link.js';
import { MAX_REROUTES } from '../../src/rpc/reroute.js';
import { tcpTransport } from '../../src/rpc/tcp-transport.js';
import { exampleOf, settled } from '../support/description.js';
import { openCredential } from './support/fake-auth.js';
import { FakeSlurmds } from './support/fan-out.js';
import { mixedTransport } from './support/fan-out-controller.js';
import { noStrayTrouble } from './support/leaks.js';
import { jobRecordsReply, rc, reply, replyOf } from './support/replies.js';
import { deadEndpoint, type PeerConnection, ScriptedPeer } from './support/scripted-peer.js';
import { clientOf, failureOf } from './support/setup.js';

noStrayTrouble();

type Cluster = NonNullable<MessageRecord<'RESPONSE_SLURM_REROUTE_MSG'>['workingClusterRec']>;

/** "Ask there", as a controller of this release says it. */
function sendOn(to: Partial<Endpoint> & Partial<Cluster>, release: Release): Uint8Array {
  const { host, port, ...fields } = to;
  const type = messageType('RESPONSE_SLURM_REROUTE_MSG');
  const example = exampleOf(type, release) as MessageRecord<'RESPONSE_SLURM_REROUTE_MSG'>;
  const own = { controlHost: host ?? null, controlPort: port ?? 0, rpcVersion: 0, name: 'east', ...fields };
  const workingClusterRec = { ...(example.workingClusterRec as Cluster), ...own };
  const record = settled(type, { workingClusterRec, stepmgr: null }, release);
  const filled = record as MessageInput<'RESPONSE_SLURM_REROUTE_MSG'>;
  // What is null on purpose was filled in with an example.
  const body = encodeBody('RESPONSE_SLURM_REROUTE_MSG', release, {
    ...filled,
    stepmgr: null,
    workingClusterRec: { ...(filled.workingClusterRec as Cluster), ...own },
  });
  return replyOf('RESPONSE_SLURM_REROUTE_MSG', body, { release });
}

/** Bytes, in a version or in that of the request, or what is done with the connection. */
type Said =
  | Uint8Array
  | ((release: Release) => Uint8Array)
  | { readonly play: (connection: PeerConnection) => void };
type Answers = { [N in MessageName]?: Said };

/** A slurmctld that tells its release, takes the versions that one of it takes, and closes on others. */
class Controller {
  readonly peer: ScriptedPeer;
  readonly release: Release;
  answers: Answers;
  /** Who signs, where that is not SlurmUser. */
  signer: number | undefined;
  scronParams: string | null = null;

  private constructor(peer: ScriptedPeer, release: Release, answers: Answers, takes: readonly Release[]) {
    this.peer = peer;
    this.release = release;
    this.answers = answers;
    peer.play(async (connection) => {
      const request = await connection.readRequest();
      const { release: spoken } = request.frame;
      if (!takes.includes(spoken)) return connection.finish();
      const name = request.name as MessageName;
      const said = this.answers[name] ?? this.#usual(name, spoken);
      if ('play' in said) return said.play(connection);
      await connection.send(typeof said === 'function' ? said(spoken) : said);
      connection.finish();
    });
  }

  #usual(name: MessageName, release: Release): Uint8Array {
    const details = { release, ...(this.signer === undefined ? {} : { signer: this.signer }) };
    if (name !== 'REQUEST_BUILD_INFO') return rc(0, details);
    const type = messageType('RESPONSE_BUILD_INFO');
    const example = exampleOf(type, release) as MessageRecord<'RESPONSE_BUILD_INFO'>;
    const record = settled(type, example, release) as MessageRecord<'RESPONSE_BUILD_INFO'>;
    const own = { version: `${this.release}.1`, scronParams: this.scronParams, schedParams: null };
    return reply(
      'RESPONSE_BUILD_INFO',
      { ...record, ...own } as MessageInput<'RESPONSE_BUILD_INFO'>,
      details,
    );
  }

  static async start(release: Release, answers: Answers = {}, takes = takenBy(release)) {
    const controller = new Controller(await ScriptedPeer.listen(() => {}), release, answers, takes);
    running.push(controller.peer);
    return controller;
  }

  get address(): string {
    return this.peer.peer;
  }

  count(name: MessageName): number {
    return this.peer.count(name);
  }

  /** Frames of the requests of a name. */
  frames(name: MessageName) {
    return this.peer.connections.flatMap(({ request }) => (request?.name === name ? [request.frame] : []));
  }
}

function takenBy(release: Release): readonly Release[] {
  const { oldestAccepted, protocol } = RELEASES.find((row) => row.release === release) ?? expect.fail();
  return RELEASES.filter((row) => row.protocol >= oldestAccepted && row.protocol <= protocol).map(
    (row) => row.release,
  );
}

const running: ScriptedPeer[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((peer) => peer.close()));
});

/** A client of the first one. Its version is given or found. */
function clientTo({ peer, release }: Controller, given: Partial<LinkSetup> & { timeoutMs?: number } = {}) {
  return clientOf([peer.endpoint], { release, ...given });
}

/** West sends KILL_JOB (or another one) on to east. */
async function federation(
  west: Release,
  east: Release,
  { rpc = 'REQUEST_KILL_JOB', told = headerVersionOf(east) }: { rpc?: MessageName; told?: number } = {},
) {
  const there = await Controller.start(east);
  const here = await Controller.start(west, {
    [rpc]: (release: Release) => sendOn({ ...there.peer.endpoint, rpcVersion: told }, release),
  });
  return { here, there };
}

describe('a kill that belongs to another cluster', () => {
  const PAIRS: [Release, Release][] = [
    ['20.11', '20.11'],
    ['22.05', '24.11'],
    ['24.11', '22.05'],
    ['24.11', '24.11'],
    ['26.05', '25.05'],
    ['25.11', '26.11'],
  ];
  test.each(PAIRS)('from one of %s to one of %s, in its version', async (west, east) => {
    const { here, there } = await federation(west, east);
    for (const given of [{}, { findsVersion: true }]) {
      const before = there.count('REQUEST_KILL_JOB');
      const killed = await clientTo(here, given).killJob('7', 'SIGTERM');
      expect(killed).toMatchObject({
        outcome: 'accepted',
        peer: there.address,
        protocol: east,
        authenticated: false,
        reroutedBy: [here.address],
      });
      expect(there.count('REQUEST_KILL_JOB')).toBe(before + 1);
    }
    const [frame = expect.fail()] = there.frames('REQUEST_KILL_JOB');
    expect(frame.release).toBe(east);
    expect(frame.header.flags & 1).toBe(1);
    expect(openCredential(frame.auth).restrictUid).toBeNull();
    expect(decodeBody('REQUEST_KILL_JOB', east, frame.body)).toMatchObject({ sjobId: '7', signal: 15 });
    // The first contact says by which key it is to be read, too; what stays at home does not.
    expect(there.frames('REQUEST_BUILD_INFO').every(({ header }) => (header.flags & 1) === 1)).toBe(true);
    expect(here.frames('REQUEST_KILL_JOB').every(({ header }) => (header.flags & 1) === 0)).toBe(true);
  });

  test.each([
    ['none', 0],
    ['one that nobody speaks', 0x7f00],
    ['a wrong one', headerVersionOf('26.05')],
    ['no version at all', 0x26ff],
  ])('its version is found where the record says %s', async (_, told) => {
    const { here, there } = await federation('24.11', '23.02', { told });
    expect(await clientTo(here).killJob(7)).toMatchObject({ protocol: '23.02', peer: there.address });
    // What was found is kept.
    const asked = there.count('REQUEST_BUILD_INFO');
    const client = clientTo(here);
    await client.killJob(7);
    const once = there.count('REQUEST_BUILD_INFO') - asked;
    await client.killJob(8);
    expect(there.count('REQUEST_BUILD_INFO') - asked).toBe(once);
  });

  test('it is planned by what that cluster is like: a scrontab job there', async () => {
    const { here, there } = await federation('22.05', '22.05');
    there.scronParams = 'enable';
    there.answers.REQUEST_JOB_INFO_SINGLE = jobRecordsReply([
      { jobId: 7, jobState: 1, cronspec: '* * * * *' },
    ]);
    const error = await failureOf(clientTo(here).killJob(7, 'SIGUSR1', { idempotent: false }));
    // Its steps would be asked for; the script has none.
    expect(error.message).toContain(`It was rerouted by ${here.address}.`);
    expect(there.count('REQUEST_JOB_INFO_SINGLE')).toBe(1);
    expect(there.count('REQUEST_KILL_JOB')).toBe(0);
  });

  test("anybody's signature is taken there, a broken one is not", async () => {
    const { here, there } = await federation('22.05', '22.05');
    there.signer = 4711;
    expect(await clientTo(here).killJob(7)).toMatchObject({ outcome: 'accepted', authenticated: false });
    there.answers.REQUEST_KILL_JOB = rc(0, { payload: new Uint8Array(32) });
    expect(await failureOf(clientTo(here).killJob(7))).toMatchObject({
      name: 'SlurmAuthError',
      outcome: 'unknown',
      peer: there.address,
    });
  });

  test('suspend, resume, requeue, notify', async () => {
    const calls = {
      REQUEST_SUSPEND: ['suspend', 'resume'],
      REQUEST_JOB_REQUEUE: ['requeue'],
      REQUEST_JOB_NOTIFY: ['notify'],
    } as const;
    for (const [rpc, verbs] of Object.entries(calls) as [keyof typeof calls, readonly string[]][]) {
      const { here, there } = await federation('24.11', '24.05', { rpc });
      const client = clientTo(here);
      for (const verb of verbs) {
        const call = client[verb as 'notify'].bind(client);
        const args = verb === 'notify' ? (['hello'] as const) : ([] as const);
        expect(await call(7, ...(args as unknown as [string])), verb).toMatchObject({
          outcome: 'accepted',
          peer: there.address,
          protocol: '24.05',
          reroutedBy: [here.address],
        });
      }
    }
  });

  test('each job of many goes where it belongs', async () => {
    const { here, there } = await federation('22.05', '22.05');
    here.answers.REQUEST_JOB_INFO = jobRecordsReply([{ jobId: 7, jobState: 0 }]);
    here.answers.REQUEST_JOB_INFO_SINGLE = jobRecordsReply([{ jobId: 7, jobState: 0 }]);
    const { jobs } = await clientTo(here).killJobs([7], 'SIGTERM');
    expect(jobs).toMatchObject([{ target: '7', outcome: 'accepted' }]);
    expect(there.count('REQUEST_KILL_JOB')).toBe(1);
  });

  test('one that several others send calls on to is met once, and remembered once', async () => {
    const south = await Controller.start('24.11');
    const toSouth = (release: Release) => sendOn(south.peer.endpoint, release);
    const east = await Controller.start('24.11', { REQUEST_KILL_JOB: toSouth });
    const west = await Controller.start('24.11', { REQUEST_KILL_JOB: toSouth });
    const home = await Controller.start('24.11');
    const client = clientTo(home);
    const looks: number[] = [];
    for (const next of [east, west]) {
      home.answers = { REQUEST_KILL_JOB: (release) => sendOn(next.peer.endpoint, release) };
      expect(await client.killJob('7')).toMatchObject({ reroutedBy: [home.address, next.address] });
      looks.push(south.count('REQUEST_BUILD_INFO'));
    }
    expect(south.count('REQUEST_KILL_JOB')).toBe(2);
    expect(looks[1]).toBe(looks[0]);
  });

  test('request: the answer of the one it was sent on to', async () => {
    const { here, there } = await federation('24.11', '23.11');
    const record = {
      stepId: { jobId: 0xfffffffe, stepId: 0xfffffffe, stepHetComp: 0xfffffffe },
      sjobId: '7',
      signal: 15,
    };
    const told = await clientTo(here).request('REQUEST_KILL_JOB', record);
    expect(told).toMatchObject({
      name: 'RESPONSE_SLURM_RC',
      peer: there.address,
      reroutedBy: [here.address],
    });
  });
});

describe('what the other cluster says', () => {
  test('a refusal there is one, and says which way it came', async () => {
    const { here, there } = await federation('24.11', '24.11');
    there.answers.REQUEST_KILL_JOB = rc(2017, { release: '24.11' });
    const error = await failureOf(clientTo(here).killJob(7));
    expect(error).toMatchObject({ code: 'ESLURM_INVALID_JOB_ID', outcome: 'refused', peer: there.address });
    expect(error.message).toContain(`It was rerouted by ${here.address}.`);
    expect(await clientTo(here).killJob(7, 9, { idempotent: true })).toMatchObject({
      outcome: 'refused',
      reroutedBy: [here.address],
    });
  });

  test('a close after the kill: unknown', async () => {
    const { here, there } = await federation('24.11', '24.11');
    there.answers.REQUEST_KILL_JOB = { play: (connection) => connection.finish() };
    const error = await failureOf(clientTo(here).killJob(7, 'SIGTERM'));
    expect(error).toMatchObject({ outcome: 'unknown', peer: there.address, retryable: false });
    expect(there.count('REQUEST_KILL_JOB')).toBe(1);
    expect(here.count('REQUEST_KILL_JOB')).toBe(1);
  });

  test('nobody listens there, or none of our versions is taken: not sent', async () => {
    const dead = await deadEndpoint();
    const here = await Controller.start('24.11', {
      REQUEST_KILL_JOB: (release: Release) =>
        sendOn({ ...dead, rpcVersion: headerVersionOf('24.11') }, release),
    });
    expect(await failureOf(clientTo(here).killJob(7))).toMatchObject({
      code: 'SLURM_COMMUNICATIONS_CONNECTION_ERROR',
      outcome: 'not-sent',
    });
    const deaf = await Controller.start('24.11', {}, []);
    here.answers.REQUEST_KILL_JOB = sendOn({ ...deaf.peer.endpoint }, '24.11');
    expect(await failureOf(clientTo(here).killJob(7))).toMatchObject({
      code: 'SLURM_PROTOCOL_AUTHENTICATION_ERROR',
      outcome: 'not-sent',
      peer: deaf.address,
    });
  });

  test('one that is silent: the one deadline ends it', async () => {
    const { here, there } = await federation('24.11', '24.11');
    there.answers.REQUEST_KILL_JOB = { play: () => {} };
    const error = await failureOf(clientTo(here, { timeoutMs: 400 }).killJob(7, 'SIGTERM'));
    expect(error).toMatchObject({ name: 'SlurmTimeoutError', outcome: 'unknown', peer: there.address });
    there.answers = { REQUEST_BUILD_INFO: { play: () => {} } };
    expect(await failureOf(clientTo(here, { timeoutMs: 400 }).killJob(7, 'SIGTERM'))).toMatchObject({
      name: 'SlurmTimeoutError',
      outcome: 'not-sent',
    });
    expect(there.count('REQUEST_KILL_JOB')).toBe(1);
  });
});

describe('a way that leads nowhere', () => {
  const refused = {
    name: 'SlurmServerError',
    code: 'SLURMWIRE_REROUTED',
    outcome: 'refused',
    retryable: false,
  };

  const NOWHERE: [string, Partial<Endpoint> & Partial<Cluster>][] = [
    ['no host', { port: 6817 }],
    ['an empty host', { host: '', port: 6817 }],
    ['a host that is none', { host: 'a b\nc', port: 6817 }],
    ['a host without end', { host: 'x'.repeat(5_000), port: 6817 }],
    ['port 0', { host: '127.0.0.1', port: 0 }],
    ['port 65536', { host: '127.0.0.1', port: 65_536 }],
    ['no port at all', { host: '127.0.0.1', port: 0xfffffffe }],
  ];
  test.each(NOWHERE)('%s', async (_, to) => {
    for (const release of ['22.05', '24.11'] as const) {
      const here = await Controller.start(release, { REQUEST_KILL_JOB: sendOn(to, release) });
      const error = await failureOf(clientTo(here).killJob(7));
      expect(error).toMatchObject({ ...refused, errno: 'EREMOTE', peer: here.address, protocol: release });
      expect(error.message.length).toBeLessThan(1_000);
      expect(here.count('REQUEST_KILL_JOB')).toBe(1);
    }
  });

  test('whatever stands there: refused or not sent, and the transport gets no nonsense', async () => {
    const here = await Controller.start('24.11');
    const tcp = tcpTransport();
    const asked: Endpoint[] = [];
    const transport: Transport = {
      connect(endpoint, context) {
        if (endpoint.port === here.peer.endpoint.port) return tcp.connect(endpoint, context);
        asked.push(endpoint);
        return Promise.reject(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }));
      },
    };
    const hosts = fc.oneof(fc.string({ unit: 'binary' }), fc.domain(), fc.ipV4(), fc.ipV6());
    const ports = fc.oneof(fc.integer({ min: 0, max: 70_000 }), fc.nat(0xffffffff));
    await fc.assert(
      fc.asyncProperty(hosts, ports, async (host, port) => {
        fc.pre(port !== here.peer.endpoint.port && !host.includes('\0'));
        here.answers.REQUEST_KILL_JOB = sendOn({ host, port }, '24.11');
        const { outcome } = await failureOf(clientTo(here, { transport }).killJob(7));
        expect(['refused', 'not-sent']).toContain(outcome);
      }),
      { numRuns: 60 },
    );
    expect(asked.length).toBeGreaterThan(0);
    for (const { host, port } of asked) {
      expect(host).toMatch(/^[\w.:%-]+$/);
      expect(port).toBeGreaterThan(0);
      expect(port).toBeLessThan(65_536);
    }
  });

  test('its own address, and back to where it came from', async () => {
    const here = await Controller.start('24.11');
    here.answers.REQUEST_KILL_JOB = sendOn(here.peer.endpoint, '24.11');
    expect(await failureOf(clientTo(here).killJob(7))).toMatchObject({ ...refused, errno: 'ELOOP' });
    expect(here.count('REQUEST_KILL_JOB')).toBe(1);

    const there = await Controller.start('23.11', { REQUEST_KILL_JOB: sendOn(here.peer.endpoint, '23.11') });
    here.answers.REQUEST_KILL_JOB = sendOn(there.peer.endpoint, '24.11');
    const error = await failureOf(clientTo(here).killJob(7));
    expect(error).toMatchObject({ ...refused, errno: 'ELOOP', peer: there.address });
    expect(here.count('REQUEST_KILL_JOB')).toBe(2);
  });

  test('the other controllers of the same cluster were asked, too', async () => {
    const standby = await Controller.start('24.11');
    const here = await Controller.start('24.11', {
      REQUEST_KILL_JOB: sendOn(standby.peer.endpoint, '24.11'),
    });
    const client = clientOf([here.peer.endpoint, standby.peer.endpoint], { release: '24.11' });
    expect(await failureOf(client.killJob(7))).toMatchObject({ ...refused, errno: 'ELOOP' });
    expect(standby.count('REQUEST_KILL_JOB')).toBe(0);
  });

  test(`${MAX_REROUTES} hops and no more`, async () => {
    const last = await Controller.start('24.11');
    const chain = [last];
    for (let hop = 0; hop < MAX_REROUTES + 1; hop++) {
      const [next = expect.fail()] = chain;
      const answers = { REQUEST_KILL_JOB: sendOn(next.peer.endpoint, '24.11') };
      chain.unshift(await Controller.start('24.11', answers));
    }
    const [tooFar = expect.fail(), first = expect.fail()] = chain;
    const path = chain.slice(1, -1).map(({ address }) => address);
    expect(await clientTo(first).killJob(7)).toMatchObject({ peer: last.address, reroutedBy: path });
    const error = await failureOf(clientTo(tooFar).killJob(7));
    expect(error).toMatchObject({ ...refused, errno: 'ELOOP', peer: path.at(-1) });
    expect(error.message).toContain(tooFar.address);
    expect(last.count('REQUEST_KILL_JOB')).toBe(1);
  });

  test('after a kill whose outcome is not known, it stays so', async () => {
    const there = await Controller.start('24.11');
    const lost = await Controller.start('24.11', {
      REQUEST_KILL_JOB: { play: (connection) => connection.reset() },
    });
    const here = await Controller.start('24.11', { REQUEST_KILL_JOB: sendOn(there.peer.endpoint, '24.11') });
    const client = clientOf([lost.peer.endpoint, here.peer.endpoint], { release: '24.11' });
    expect(await failureOf(client.killJob(7))).toMatchObject({
      code: 'SLURMWIRE_REROUTED',
      outcome: 'unknown',
    });
    expect(there.count('REQUEST_KILL_JOB')).toBe(0);
  });
});

describe('a read that belongs to a step manager', () => {
  const layout = { stepId: { jobId: 7, stepId: 0, stepHetComp: 0xfffffffe } };
  const given = (slurmds: FakeSlurmds) => ({
    transport: mixedTransport(slurmds),
    nodeAddress: (node: string) => ({ host: node, port: 6818 }),
  });
  const toManager = (release: Release) =>
    reply('RESPONSE_SLURM_REROUTE_MSG', { workingClusterRec: null, stepmgr: 'n1' }, { release });

  test('the slurmd answers in its place; only for reads, and once', async () => {
    const here = await Controller.start('24.11', {
      REQUEST_STEP_LAYOUT: toManager,
      REQUEST_KILL_JOB: toManager,
    });
    const slurmds = new FakeSlurmds().set('n1', { kind: 'rc', code: 2017 });
    const client = clientTo(here, given(slurmds));
    expect(await client.request('REQUEST_STEP_LAYOUT', layout)).toMatchObject({
      name: 'RESPONSE_SLURM_RC',
      record: { returnCode: 2017 },
      peer: 'n1:6818',
      reroutedBy: [here.address],
    });
    const record = { ...layout, sjobId: '7', signal: 15 };
    expect(await client.request('REQUEST_KILL_JOB', record)).toMatchObject({
      name: 'RESPONSE_SLURM_REROUTE_MSG',
    });
    expect(await failureOf(client.killJob(7))).toMatchObject({
      code: 'SLURMWIRE_REROUTED',
      outcome: 'refused',
    });
    expect(slurmds.received).toHaveLength(1);

    slurmds.set('n1', { kind: 'says', answer: ({ release }) => toManager(release) });
    expect(await failureOf(client.request('REQUEST_STEP_LAYOUT', layout))).toMatchObject({
      code: 'SLURMWIRE_REROUTED',
      outcome: 'not-sent',
    });
  });
});
