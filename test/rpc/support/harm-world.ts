/**
 * A cluster in memory that may do anything: a controller that knows some jobs, steps and nodes and sometimes fails, lies or says no, and slurmds that
 * take what they are told. All that it is sent goes to a judge.
 */
import {
  type Connection,
  decodeFrame,
  type Endpoint,
  type Frame,
  type MessageName,
  messageTypeNumber,
  RELEASE_NAMES,
  type Release,
  type Transport,
} from '../../../src/protocol/index.js';
import { OutgoingJudge } from '../../support/outgoing-judge.js';
import { openCredential } from './fake-auth.js';
import { slurmdReply } from './fan-out.js';
import {
  type FakeJob,
  type FakeNode,
  type FakeStep,
  jobInfoReply,
  nodeInfoReply,
  stepInfoReply,
} from './fan-out-controller.js';
import { buildInfoReply, jobRecordsReply, rc, reply } from './replies.js';

/** What may happen to one connection. `none`: the honest answer. */
export const TROUBLES = [
  'refused-connection',
  'closed',
  'reset',
  'cut',
  'noise',
  'http',
  'tls-alert',
  'own-version',
  'number',
  'silence',
] as const;
export type Trouble = (typeof TROUBLES)[number] | 'none';

export interface HarmWorld {
  readonly release: Release;
  readonly jobs: readonly FakeJob[];
  readonly steps: readonly FakeStep[];
  readonly nodes: readonly FakeNode[];
  /** Nodes that manage the steps of a job. */
  readonly stepmgrs: readonly (readonly [number, string])[];
  /** In order of the connections; after the last one all is well. */
  readonly troubles: readonly Trouble[];
  /** What is answered where a number is the trouble. */
  readonly number: number;
  readonly scronParams?: string | undefined;
  /** Longest that silence lasts. */
  readonly messageTimeoutMs: number;
  /** Whose credentials these are. */
  readonly caller: { readonly uid: number | null; readonly isPrivileged: boolean };
}

const CONTROLLERS = new Set(['ctl1', 'ctl2']);
export const CONTROLLER_ENDPOINTS: readonly Endpoint[] = [...CONTROLLERS].map((host) => ({
  host,
  port: 6817,
}));

/** The transport into such a cluster, and the judge that looks on. */
export function enter(world: HarmWorld): { transport: Transport; judge: OutgoingJudge; clear: Clear[] } {
  const { messageTimeoutMs, caller } = world;
  const judge = new OutgoingJudge({ messageTimeoutMs, caller, payloadOf });
  const clear: Clear[] = [];
  let connections = 0;
  const inner: Transport = {
    connect: async (endpoint, { signal }): Promise<Connection> => {
      signal.throwIfAborted();
      const trouble = world.troubles[connections++] ?? 'none';
      await null;
      if (trouble === 'refused-connection')
        throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
      let answer: Uint8Array | null | 'reset' | 'silence' = null;
      return {
        write: async (bytes) => {
          answer = answerTo(bytes, endpoint, trouble, world);
          if (trouble === 'none' || trouble === 'number') noteClear(bytes, endpoint, answer, clear);
        },
        read: async () => {
          const said = answer;
          answer = null;
          if (said === 'reset') throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
          if (said !== 'silence') return said;
          return new Promise<never>((_, reject) => {
            if (signal.aborted) reject(signal.reason);
            else signal.addEventListener('abort', () => reject(signal.reason), { once: true });
          });
        },
        close: () => {},
      };
    },
  };
  const nodeOf = (host: string) => (CONTROLLERS.has(host) ? undefined : host);
  return { transport: judge.watch(inner, (host) => ({ node: nodeOf(host) })), judge, clear };
}

/** The payload that a credential of these tests was made for. */
function payloadOf(credential: string): Uint8Array | null {
  try {
    return Buffer.from(
      openCredential({ plugin: 'auth/munge', credential: decodeText(credential) }).payload,
      'hex',
    );
  } catch {
    return null;
  }
}

const decodeText = (bytes: string) => Buffer.from(bytes, 'latin1').toString('utf8');

/** A message that was answered by a number, after which it may not be said once more without leave. */
export interface Clear {
  readonly what: string;
  readonly signal: number;
  readonly number: number;
}

const KILLS = new Set(['REQUEST_KILL_JOB', 'REQUEST_CANCEL_JOB_STEP', 'REQUEST_SIGNAL_TASKS']);

function noteClear(
  bytes: Uint8Array,
  { host }: Endpoint,
  answer: Uint8Array | null | string,
  clear: Clear[],
): void {
  const { messageName, release, body, header } = decodeFrame(bytes);
  if (!KILLS.has(messageName ?? '') || !(answer instanceof Uint8Array)) return;
  const said = decodeFrame(answer);
  if (said.messageName !== 'RESPONSE_SLURM_RC') return;
  const at = messageName === 'REQUEST_SIGNAL_TASKS' ? body.length - 2 : body.length - 4;
  const signal = Buffer.from(body).readUInt16BE(at);
  const where = CONTROLLERS.has(host) ? 'slurmctld' : host;
  const what = `${messageName} ${release} to ${where}: ${Buffer.from(body).toString('hex')} ${header.forward.nodelist}`;
  clear.push({ what, signal, number: Buffer.from(said.body).readInt32BE() });
}

function answerTo(
  bytes: Uint8Array,
  { host }: Endpoint,
  trouble: Trouble,
  world: HarmWorld,
): Uint8Array | null | 'reset' | 'silence' {
  const frame = decodeFrame(bytes);
  const honest = () =>
    CONTROLLERS.has(host) ? controllerAnswer(frame, world) : nodeAnswer(frame, frame.release, 0);
  switch (trouble) {
    case 'closed':
      return null;
    case 'reset':
    case 'silence':
      return trouble;
    case 'cut':
      return honest().subarray(0, -3);
    case 'noise':
      return Uint8Array.of(0, 0, 0, 9, ...frame.body.subarray(0, 9));
    case 'http':
      return Buffer.from('HTTP/1.1 405 METHOD NOT ALLOWED\r\n\r\n');
    case 'tls-alert':
      return Uint8Array.of(0x15, 3, 3, 0, 2, 2, 10);
    case 'own-version': {
      const index = RELEASE_NAMES.indexOf(world.release);
      return rc(1007, { release: RELEASE_NAMES[Math.max(3, index - 1)] as Release, signer: null });
    }
    case 'number':
      return CONTROLLERS.has(host)
        ? rc(world.number, { release: frame.release })
        : nodeAnswer(frame, frame.release, world.number);
    default:
      return honest();
  }
}

function nodeAnswer({ header, messageName }: Frame, release: Release, code: number): Uint8Array {
  if (messageName === 'REQUEST_PING') return slurmdReply({ release }, 2010);
  const type = messageTypeNumber('RESPONSE_SLURM_RC', release) as number;
  // Whoever is named. What is no list at all, the judge has seen.
  const names = header.forward.cnt === 0 ? [] : Array.from({ length: header.forward.cnt }, (_, i) => `x${i}`);
  return slurmdReply(
    { release },
    code,
    names.map((nodeName) => ({ err: 0, type, nodeName, body: { returnCode: 0 } })),
  );
}

function controllerAnswer({ messageName, release, body }: Frame, world: HarmWorld): Uint8Array {
  const { jobs, steps, nodes, stepmgrs, scronParams } = world;
  switch (messageName as MessageName) {
    case 'REQUEST_BUILD_INFO':
      return buildInfoReply({ release: world.release, scronParams }, release);
    case 'REQUEST_JOB_INFO':
    case 'REQUEST_JOB_INFO_SINGLE':
    case 'REQUEST_JOB_USER_INFO':
      return jobs.length === 0 ? rc(2017, { release }) : jobInfoReply(jobs, release);
    case 'REQUEST_JOB_STEP_INFO':
      return stepInfoReply(steps, release, stepmgrs);
    case 'REQUEST_NODE_INFO':
    case 'REQUEST_NODE_INFO_SINGLE':
      return nodeInfoReply(nodes, release);
    case 'REQUEST_KILL_JOBS':
      return reply('RESPONSE_KILL_JOBS', { jobResponses: [] }, { release });
    case 'REQUEST_PARTITION_INFO':
    case 'REQUEST_RESERVATION_INFO':
      return jobRecordsReply([], { release });
    default:
      return rc(body.length === 0 ? 0 : 0, { release });
  }
}
