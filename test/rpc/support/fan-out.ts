/** Slurmds in memory that forward as real ones were seen to, and fan-outs over them. */
import { compressHostlist, expandHostlist } from '../../../src/config/index.js';
import {
  type CallContext,
  type Connection,
  decodeFrame,
  type Endpoint,
  encodeBody,
  encodeFrame,
  type Frame,
  isAtLeast,
  messageTypeNumber,
  payloadDigest,
  RELEASES,
  type Release,
  type Transport,
} from '../../../src/protocol/index.js';
import type { NodeResult } from '../../../src/protocol/node-result.js';
import { Deadline } from '../../../src/rpc/deadline.js';
import { type FanOutSetup, fanOut } from '../../../src/rpc/fan-out.js';
import { CALLER, FakeAuth, openCredential, SLURM_USER, SLURMD_USER, sealCredential } from './fake-auth.js';

export const NO_VAL = 0xfffffffe;
export const MESSAGE_TIMEOUT_MS = 5_000;

/** An item of a return list, its body as a record. */
export interface FakeItem {
  readonly err: number;
  readonly type: number;
  readonly nodeName: string;
  readonly body: unknown;
}

/** What a slurmd does with a message. Other than `down`, all of them get it. */
export type Behaviour =
  /** Handles it, passes it on, answers with this return code. */
  | { readonly kind: 'rc'; readonly code: number }
  /** Nobody listens. */
  | { readonly kind: 'down' }
  /** Handles it, passes it on, and answers nobody: `close`, `reset`; `hang`: for good. */
  | { readonly kind: 'close' | 'reset' | 'hang' }
  /** Handles it and dies before it passes it on. */
  | { readonly kind: 'die' }
  /** Handles it, passes it on, and is down for ever after, without an answer. */
  | { readonly kind: 'last-gasp' }
  /** Handles it, passes it on, and answers with 0: `alone` for itself only; `stutter` with every item twice and without the last. */
  | { readonly kind: 'alone' | 'stutter' }
  /** Handles it, passes nothing on, answers with what is given. */
  | { readonly kind: 'says'; readonly answer: (request: Frame) => Uint8Array };

export const GOOD: Behaviour = { kind: 'rc', code: 0 };

type Outcome = Uint8Array | 'refused' | 'closed' | 'reset' | 'silent';

const CONNECTION_ERROR = 1001;
const UNKNOWN_ADDRESS = 1012;
const LOST = { closed: 5005, reset: 104, silent: 5004 } as const;

/** A cluster of slurmds, by node name. */
export class FakeSlurmds {
  /** How often each node got a message. */
  readonly deliveries = new Map<string, number>();
  /** Every message that reached a node, in order. */
  readonly received: { readonly node: string; readonly frame: Frame }[] = [];
  /** What no client may do to a slurmd; must stay empty. */
  readonly faults: string[] = [];
  readonly behaviours = new Map<string, Behaviour>();
  /** Releases of slurmds that take their own version and some older ones; those not in it take every version. */
  readonly releases = new Map<string, Release>();
  /** Slurmds that refuse every credential. */
  readonly distrustful = new Set<string>();
  /** How many PINGs a slurmd closes upon before it is well again. */
  readonly distrustsPings = new Map<string, number>();
  /** Nodes that were asked with a PING, and in which version. */
  readonly pings: { readonly node: string; readonly release: Release }[] = [];
  /** Connections by the client itself. */
  contacts: string[] = [];
  open = 0;
  peak = 0;
  /** Runs in each node that handles a message, before it answers. */
  beforeAnswer: (node: string) => Promise<void> | void = () => {};
  /** Names that a forwarding slurmd has no address for. */
  readonly strangers = new Set<string>();
  /** Puts return lists into another order. */
  shuffle: (items: FakeItem[]) => FakeItem[] = (items) => items;

  set(node: string, behaviour: Behaviour): this {
    this.behaviours.set(node, behaviour);
    return this;
  }

  timesOf(node: string): number {
    return this.deliveries.get(node) ?? 0;
  }

  /** Connects to the slurmd of the node that the host names. */
  readonly transport: Transport = {
    connect: async ({ host }: Endpoint, { signal }: CallContext): Promise<Connection> => {
      signal.throwIfAborted();
      await null;
      this.contacts.push(host);
      if (this.behaviours.get(host)?.kind === 'down') {
        throw Object.assign(new Error(`connect ECONNREFUSED ${host}`), { code: 'ECONNREFUSED' });
      }
      this.open += 1;
      this.peak = Math.max(this.peak, this.open);
      let isOpen = true;
      let answer: Promise<Outcome> | undefined;
      return {
        write: async (bytes) => {
          answer = this.handle(host, bytes);
        },
        read: async () => {
          const said = await answer;
          answer = Promise.resolve('closed');
          if (said === 'silent') return new Promise<never>(() => {});
          if (said === 'reset') throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
          return said instanceof Uint8Array ? said : null;
        },
        close: () => {
          if (isOpen) this.open -= 1;
          isOpen = false;
        },
      };
    },
  };

  /** One slurmd's work on one message. */
  async handle(node: string, bytes: Uint8Array): Promise<Outcome> {
    const frame = decodeFrame(bytes);
    const behaviour = this.behaviours.get(node) ?? GOOD;
    if (behaviour.kind === 'down') return 'refused';
    const own = RELEASES.find(({ release }) => release === this.releases.get(node));
    const asked = RELEASES.find(({ release }) => release === frame.release);
    if (frame.messageName === 'REQUEST_PING') this.pings.push({ node, release: frame.release });
    const illFor = this.distrustsPings.get(node) ?? 0;
    if (frame.messageName === 'REQUEST_PING' && illFor > 0) {
      this.distrustsPings.set(node, illFor - 1);
      return 'closed';
    }
    if (own !== undefined && asked !== undefined) {
      const isTaken = asked.protocol >= own.oldestAccepted && asked.protocol <= own.protocol;
      if (!isTaken || this.distrustful.has(node)) {
        // Before anything is passed on.
        if (own.protocol <= 42) return 'closed';
        if (!isTaken && own.protocol >= 45) return Buffer.from('HTTP/1.1 405 METHOD NOT ALLOWED\r\n\r\n');
        return slurmdReply({ release: own.release }, 1007);
      }
    }
    // As for every user but root.
    if (frame.messageName === 'REQUEST_PING') return slurmdReply(frame, 2010);
    this.#inspect(node, frame);
    this.deliveries.set(node, this.timesOf(node) + 1);
    this.received.push({ node, frame });
    if (behaviour.kind === 'die') return 'closed';
    if (behaviour.kind === 'says') return behaviour.answer(frame);
    const items = await this.#forward(frame);
    await this.beforeAnswer(node);
    switch (behaviour.kind) {
      case 'rc':
        return slurmdReply(frame, behaviour.code, this.shuffle(items));
      case 'alone':
        return slurmdReply(frame, 0);
      case 'stutter':
        return slurmdReply(
          frame,
          0,
          items.slice(0, -1).flatMap((item) => [item, item]),
        );
      case 'last-gasp':
        this.set(node, { kind: 'down' });
        return 'closed';
      default:
        return ({ close: 'closed', reset: 'reset', hang: 'silent' } as const)[behaviour.kind];
    }
  }

  /** What crashes or hangs a real slurmd, or shows that somebody else's message would be executed. */
  #inspect(node: string, { release, header, auth, body }: Frame): void {
    const note = (what: string) => this.faults.push(`${node}: ${what}`);
    const { cnt, nodelist, timeout, treeWidth, treeDepth } = header.forward;
    const claims = openCredential(auth);
    const digest = Buffer.from(payloadDigest(release, header.msgType, body)).toString('hex');
    if (claims.payload !== digest) note('the credential is for another message');
    if (cnt === 0) return;
    const names = expandHostlist(nodelist ?? '');
    if (names.length !== cnt) note(`cnt ${cnt} for ${names.length} names`);
    if (new Set(names).size !== cnt) note('a name is there twice');
    if (names.includes(node)) note('a slurmd is to forward to itself');
    if (isAtLeast(release, '24.11') && treeDepth < 1) note('depth 0');
    if (treeWidth < 1 || treeWidth > 65533) note(`width ${treeWidth}`);
    if (timeout < MESSAGE_TIMEOUT_MS) note(`timeout ${timeout}`);
  }

  async #forward({ release, messageName, header, auth, body }: Frame): Promise<FakeItem[]> {
    const { cnt, nodelist, timeout, treeWidth, treeDepth } = header.forward;
    if (cnt === 0) return [];
    const items: FakeItem[] = [];
    const rc = messageTypeNumber('RESPONSE_SLURM_RC', release) as number;
    const branch = async (names: readonly string[]): Promise<void> => {
      let [first, ...rest] = names;
      while (first !== undefined) {
        const below = {
          cnt: rest.length,
          nodelist: compressHostlist(rest),
          timeout,
          treeWidth,
          ...(isAtLeast(release, '24.11') ? { treeDepth: Math.max(1, treeDepth - 1) } : {}),
        };
        const given = { release, messageName: messageName ?? '', auth, body };
        const bytes = encodeFrame(rest.length === 0 ? given : { ...given, forward: below });
        const said = this.strangers.has(first) ? 'unknown' : await this.handle(first, bytes);
        const answer = said instanceof Uint8Array ? decodeFrame(said) : null;
        const told = answer?.header.returnList ?? [];
        if (answer !== null && rest.length > 0 && told.length === 0) {
          // It is not listened to, and the errno that is told of it is 0.
          items.push({ err: 0, type: 9001, nodeName: first, body: {} });
          [first, ...rest] = rest;
          continue;
        }
        if (answer !== null) {
          const returnCode = Buffer.from(answer.body).readUInt32BE(0);
          items.push(
            { err: 0, type: rc, nodeName: first, body: { returnCode } },
            ...told.map(({ err, type, nodeName, body: record }) => ({
              err,
              type,
              nodeName: nodeName ?? '',
              body: record,
            })),
          );
          // A list that is not as long as it should be is filled up.
          const missing = rest.filter((node) => !told.some(({ nodeName }) => nodeName === node));
          if (told.length !== rest.length)
            for (const nodeName of missing)
              items.push({ err: CONNECTION_ERROR, type: 9001, nodeName, body: {} });
          return;
        }
        // It marks that node failed and contacts the remaining nodes of the sub-branch itself.
        const err =
          said === 'unknown'
            ? UNKNOWN_ADDRESS
            : said === 'refused'
              ? CONNECTION_ERROR
              : LOST[said as keyof typeof LOST];
        items.push({ err, type: 9001, nodeName: first, body: {} });
        [first, ...rest] = rest;
      }
    };
    await Promise.all(shares(expandHostlist(nodelist ?? ''), treeWidth).map(branch));
    return items;
  }
}

/** Consecutive shares, handed out in turn. */
function shares(names: readonly string[], width: number): string[][] {
  const sizes = Array.from({ length: Math.min(width, names.length) }, () => 0);
  for (let i = 0; i < names.length; i++) sizes[i % sizes.length] = (sizes[i % sizes.length] ?? 0) + 1;
  let start = 0;
  return sizes.map((size) => {
    start += size;
    return names.slice(start - size, start);
  });
}

/** The answer of a slurmd with what came back from below. */
export function slurmdReply(
  { release }: { readonly release: Release },
  code: number,
  returnList: readonly FakeItem[] = [],
): Uint8Array {
  const body = encodeBody('RESPONSE_SLURM_RC', release, { returnCode: code >>> 0 });
  return slurmdAnswer(release, 'RESPONSE_SLURM_RC', body, returnList);
}

export function slurmdAnswer(
  release: Release,
  messageName: string,
  body: Uint8Array,
  returnList: readonly FakeItem[] = [],
): Uint8Array {
  const type = messageTypeNumber(messageName, release) as number;
  const payload = Buffer.from(payloadDigest(release, type, body)).toString('hex');
  // Signed until 22.05.
  const auth = isAtLeast(release, '23.02')
    ? null
    : sealCredential({ uid: SLURMD_USER, gid: SLURMD_USER, payload, restrictUid: CALLER });
  return encodeFrame({ release, messageName, auth, body, returnList: [...returnList] });
}

/** n1, n2 … */
export function nodeNames(count: number, prefix = 'n'): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i + 1}`);
}

export interface FanOutRunOptions extends Partial<FanOutSetup> {
  readonly release?: Release;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

/** SIGUSR1 to step 7.0 on every node. */
export async function runFanOut(
  slurmds: FakeSlurmds,
  nodes: readonly string[],
  options: FanOutRunOptions = {},
): Promise<NodeResult[]> {
  const { release = '22.05', signal, timeoutMs = 20_000, ...given } = options;
  const setup: FanOutSetup = {
    transport: slurmds.transport,
    auth: new FakeAuth(),
    trusted: new Set([0, SLURM_USER, SLURMD_USER]),
    maxReplyBytes: 10_000_000,
    addressOf: (node) => ({ host: node, port: 6818 }),
    isKnownToSlurmds: () => true,
    treeWidth: 16,
    messageTimeoutMs: MESSAGE_TIMEOUT_MS,
    strategy: 'tree',
    restrictUid: SLURMD_USER,
    ...given,
  };
  const record = { stepId: { jobId: 7, stepId: 0, stepHetComp: NO_VAL }, flags: 0, signal: 10 };
  const deadline = new Deadline(timeoutMs, signal);
  try {
    const answers = await fanOut(
      setup,
      { name: 'REQUEST_SIGNAL_TASKS', record, release, repeatable: false, target: '7.0' },
      nodes,
      deadline,
    );
    return answers.map(({ result }) => result);
  } finally {
    deadline.dispose();
  }
}

/** Node and outcome, in the order given. */
export function outcomes(results: readonly NodeResult[]): string[] {
  return results.map(({ node, outcome }) => `${node} ${outcome}`);
}
