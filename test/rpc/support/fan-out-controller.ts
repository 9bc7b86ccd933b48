/** A slurmctld that knows jobs, steps and nodes, for the verbs that look before they signal. */
import {
  decodeBody,
  headerVersionOf,
  type MessageInput,
  type MessageName,
  type MessageRecord,
  RELEASES,
  type Release,
  type Transport,
} from '../../../src/protocol/index.js';
import { messageType } from '../../../src/protocol/messages/index.js';
import { SlurmClient } from '../../../src/rpc/client.js';
import type { LinkSetup } from '../../../src/rpc/controller-link.js';
import { tcpTransport } from '../../../src/rpc/tcp-transport.js';
import { exampleOf, settled } from '../../support/description.js';
import { FakeAuth, SLURMD_USER } from './fake-auth.js';
import { type FakeSlurmds, MESSAGE_TIMEOUT_MS, NO_VAL } from './fan-out.js';
import { type Answer, answering, buildInfoReply, jobRecordsReply, rc, reply, saying } from './replies.js';
import { ScriptedPeer } from './scripted-peer.js';
import { linkSetup } from './setup.js';

export interface FakeJob {
  readonly jobId: number;
  readonly jobState?: number;
  readonly arrayJobId?: number;
  readonly arrayTaskId?: number;
  readonly arrayTaskStr?: string | null;
  readonly hetJobId?: number;
  readonly hetJobOffset?: number;
  readonly batchFlag?: number;
  readonly batchHost?: string | null;
  readonly userId?: number;
  readonly restartCnt?: number;
  readonly cronspec?: string | null;
  readonly nodes?: string | null;
  readonly name?: string;
  /** Option bits. */
  readonly bitflags?: bigint;
  /** Told from 25.11 on. */
  readonly sluid?: bigint;
}

export interface FakeStep {
  readonly jobId: number;
  readonly stepId: number;
  readonly stepHetComp?: number;
  readonly nodes: string | null;
  /** Default: that of the controller. */
  readonly startedIn?: Release;
}

export interface FakeNode {
  readonly name: string;
  readonly nodeAddr?: string | null;
  readonly nodeHostname?: string | null;
  readonly port?: number;
  readonly nodeState?: number;
  readonly version?: string | null;
}

export class FakeController implements AsyncDisposable {
  jobs: FakeJob[] = [];
  steps: FakeStep[] = [];
  nodes: FakeNode[] = [];
  /** Hosts of step managers, by job. */
  readonly stepmgrs = new Map<number, string>();
  /** In place of the answer that follows from the above. */
  readonly instead = new Map<MessageName, Answer>();
  readonly release: Release;
  readonly peer: ScriptedPeer;

  private constructor(peer: ScriptedPeer, release: Release) {
    this.peer = peer;
    this.release = release;
    const details = { release };
    const lookup = (name: MessageName, build: (body: Uint8Array) => Uint8Array): Answer => {
      return async (connection, request) => {
        const given = this.instead.get(name);
        if (typeof given === 'function') return given(connection, request);
        await saying(given ?? build(request.frame.body))(connection);
      };
    };
    peer.play(
      answering(
        {
          REQUEST_JOB_INFO_SINGLE: lookup('REQUEST_JOB_INFO_SINGLE', (body) => {
            const { jobId } = decodeBody('REQUEST_JOB_INFO_SINGLE', release, body);
            const found = this.jobs.filter((job) =>
              [job.jobId, job.arrayJobId, job.hetJobId].includes(jobId),
            );
            return found.length === 0 ? rc(2017, details) : jobInfoReply(found, release);
          }),
          REQUEST_JOB_INFO: lookup('REQUEST_JOB_INFO', (body) => {
            const { jobIds } = decodeBody('REQUEST_JOB_INFO', release, body);
            return jobInfoReply(
              this.jobs.filter(({ jobId }) => jobIds?.includes(jobId) ?? true),
              release,
            );
          }),
          REQUEST_JOB_USER_INFO: lookup('REQUEST_JOB_USER_INFO', (body) => {
            const asked = decodeBody('REQUEST_JOB_USER_INFO', release, body).userId;
            return jobInfoReply(
              this.jobs.filter(({ userId }) => userId === asked),
              release,
            );
          }),
          REQUEST_JOB_STEP_INFO: lookup('REQUEST_JOB_STEP_INFO', (body) => {
            const { jobId, stepId } = decodeBody('REQUEST_JOB_STEP_INFO', release, body).stepId;
            const manager = this.stepmgrs.get(jobId);
            const found = this.steps.filter(
              (step) => step.jobId === jobId && (stepId === NO_VAL || step.stepId === stepId),
            );
            return stepInfoReply(found, release, manager === undefined ? [] : [[jobId, manager]]);
          }),
          // The only one that comes in other versions than its own.
          REQUEST_BUILD_INFO: async (connection, { frame }) => {
            const own = RELEASES.find((row) => row.release === release);
            const asked = RELEASES.find((row) => row.release === frame.release);
            const isTaken =
              asked && own && asked.protocol >= own.oldestAccepted && asked.protocol <= own.protocol;
            if (isTaken !== true) return connection.drop();
            await saying(buildInfoReply({ release }, frame.release))(connection);
          },
          REQUEST_NODE_INFO_SINGLE: lookup('REQUEST_NODE_INFO_SINGLE', (body) => {
            const { nodeName } = decodeBody('REQUEST_NODE_INFO_SINGLE', release, body);
            return nodeInfoReply(
              this.nodes.filter(({ name }) => name === nodeName),
              release,
            );
          }),
          REQUEST_NODE_INFO: lookup('REQUEST_NODE_INFO', () => nodeInfoReply(this.nodes, release)),
          REQUEST_CANCEL_JOB_STEP: lookup('REQUEST_CANCEL_JOB_STEP', () => rc(0, details)),
          REQUEST_KILL_JOB: lookup('REQUEST_KILL_JOB', () => rc(0, details)),
        },
        release,
      ),
    );
  }

  static async start(release: Release = '22.05'): Promise<FakeController> {
    return new FakeController(await ScriptedPeer.listen(() => {}), release);
  }

  count(name: MessageName): number {
    return this.peer.count(name);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.peer.close();
  }
}

type Plain = Record<string, unknown>;

/** Example records with these fields in place of theirs. */
function built<N extends MessageName>(name: N, fields: Plain, release: Release): MessageInput<N> {
  const type = messageType(name);
  const example = exampleOf(type, release) as Plain;
  return settled(type, { ...example, ...fields }, release) as MessageInput<N>;
}

function records<N extends MessageName>(
  name: N,
  list: string,
  own: readonly Plain[],
  release: Release,
): Plain[] {
  const [example] = (exampleOf(messageType(name), release) as Record<string, Plain[]>)[list] ?? [];
  return own.map((fields) => ({ ...example, ...fields }));
}

export function jobInfoReply(jobs: readonly FakeJob[], release: Release): Uint8Array {
  const own = jobs.map(({ sluid = 0n, ...job }) => ({
    jobState: 1,
    arrayTaskStr: null,
    hetJobOffset: NO_VAL,
    batchFlag: 0,
    batchHost: null,
    ...job,
    stepId: { sluid, jobId: job.jobId, stepId: NO_VAL, stepHetComp: NO_VAL },
  }));
  return jobRecordsReply(own, { release });
}

export function stepInfoReply(
  steps: readonly FakeStep[],
  release: Release,
  managers: readonly (readonly [jobId: number, host: string])[] = [],
): Uint8Array {
  const own = steps.map(({ jobId, stepId, stepHetComp = NO_VAL, nodes, startedIn = release }) => ({
    startProtocolVer: headerVersionOf(startedIn),
    // Since 24.11 a controller says the sluid, which is never sent on.
    stepId: { sluid: 77n, jobId, stepId, stepHetComp },
    nodes,
  }));
  const jobSteps = records('RESPONSE_JOB_STEP_INFO', 'jobSteps', own, release);
  const stepmgrJobs = managers.map(([jobId, stepmgr]) => ({
    jobId,
    stepId: { sluid: 0n, jobId, stepId: NO_VAL, stepHetComp: NO_VAL },
    stepmgr,
  }));
  const fields = { jobSteps, stepmgrJobs: stepmgrJobs.length === 0 ? null : stepmgrJobs };
  return reply('RESPONSE_JOB_STEP_INFO', built('RESPONSE_JOB_STEP_INFO', fields, release), { release });
}

export function nodeInfoReply(nodes: readonly FakeNode[], release: Release): Uint8Array {
  const own = nodes.map((node) => ({
    nodeAddr: node.name,
    nodeHostname: node.name,
    port: 6818,
    nodeState: 2,
    version: `${release}.3`,
    ...node,
  }));
  const list = records('RESPONSE_NODE_INFO', 'nodes', own, release);
  const fields = { nodes: list, hiddenNodes: null };
  return reply('RESPONSE_NODE_INFO', built('RESPONSE_NODE_INFO', fields, release), { release });
}

/** TCP to 127.0.0.1, the slurmds in memory to everywhere else. */
export function mixedTransport(slurmds: FakeSlurmds): Transport {
  const tcp = tcpTransport();
  return {
    connect: (endpoint, context) =>
      (endpoint.host === '127.0.0.1' ? tcp : slurmds.transport).connect(endpoint, context),
  };
}

export function world(
  controller: FakeController,
  slurmds: FakeSlurmds,
  given: Partial<LinkSetup> = {},
): LinkSetup {
  return {
    ...linkSetup([controller.peer.endpoint]),
    release: controller.release,
    transport: mixedTransport(slurmds),
    messageTimeoutMs: MESSAGE_TIMEOUT_MS,
    slurmdUser: SLURMD_USER,
    nodes: undefined,
    nodeAddress: (node) => ({ host: node, port: 6818 }),
    treeWidth: undefined,
    auth: new FakeAuth(),
    ...given,
  };
}

export function clientIn(
  controller: FakeController,
  slurmds: FakeSlurmds,
  given: Partial<LinkSetup> = {},
): SlurmClient {
  return new SlurmClient(world(controller, slurmds, given), undefined);
}

/** Body of the only message that a node got. */
export function taken(slurmds: FakeSlurmds, node: string): MessageRecord<'REQUEST_SIGNAL_TASKS'>[] {
  return slurmds.received
    .filter((message) => message.node === node)
    .map(({ frame }) => decodeBody(frame.messageName as 'REQUEST_SIGNAL_TASKS', frame.release, frame.body));
}
