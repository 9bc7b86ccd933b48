/**
 * One message to many slurmds, each of which answers for itself.
 *
 * Few nodes are contacted directly; many through Slurm's own forwarding tree. A branch whose root was never connected is taken over:
 * its other nodes are reached without it. After that nothing is sent again, for the root may have passed it on; but for nodes whose address the
 * forwarders did not know.
 */
import { BAD_HOSTLIST, MAX_HOSTS, splitNames } from '../config/index.js';
import type { CallContext } from '../protocol/authenticator.js';
import { encodeBody } from '../protocol/body.js';
import { errorMeaning, signedReturnCode } from '../protocol/error-meaning.js';
import type { ReturnItem } from '../protocol/header.js';
import { type MessageInput, type MessageName, messageNameOf } from '../protocol/messages/index.js';
import type { NodeResult } from '../protocol/node-result.js';
import type { Release } from '../protocol/release.js';
import { isSlurmError, type SlurmError, SlurmUsageError } from '../protocol/slurm-error.js';
import type { Endpoint } from '../protocol/transport.js';
import { checkAuthForNodes } from './auth-fits.js';
import { Deadline } from './deadline.js';
import { type ExchangeSetup, exchange, type Request } from './exchange.js';
import {
  type Branch,
  branchWaitMs,
  checkForward,
  forwardBlock,
  planTree,
  type TreePlan,
  type TreeTimes,
} from './forward-tree.js';
import { refuseUnsafe } from './guard.js';
import { Limiter } from './limiter.js';
import type { Reply } from './reply.js';
import { SlurmdJudge } from './slurmd-judge.js';

/** What a fan-out needs beside the nodes. */
export interface FanOutSetup extends ExchangeSetup {
  readonly addressOf: (node: string) => Endpoint | null;
  /** False for a node whose address slurmds do not know themselves: this client contacts it, and no tree has it. */
  readonly isKnownToSlurmds: (node: string) => boolean;
  readonly treeWidth: number;
  readonly messageTimeoutMs: number;
  /** `direct`: no forwarding at all. `tree`: Slurm's tree. `auto`: directly up to {@link DIRECT_LIMIT} nodes that could be in a tree. */
  readonly strategy: 'auto' | 'direct' | 'tree';
  /** Uid for which credentials are made; `null` for anybody. */
  readonly restrictUid: number | null;
  /** Shared by fan-outs that run side by side; left out for one alone. */
  readonly limiter?: Limiter | undefined;
}

/** Up to so many nodes are contacted directly: as many connections as TreeWidth of most clusters would open anyway. */
export const DIRECT_LIMIT = 32;
/** Connections open at a time. */
export const MAX_CONNECTIONS = 64;

/** A message for slurmds. */
export interface NodeMessage<N extends MessageName> {
  readonly name: N;
  readonly record: MessageInput<N>;
  readonly release: Release;
  /** A version that all slurmds of the cluster take, where that of the message may be too new for some; left out where no other may be spoken. */
  readonly fallback?: Release | undefined;
  readonly repeatable: boolean;
  /** Name of what is meant, for the results. */
  readonly target: string;
}

/** How a node fared. */
export interface NodeAnswer {
  readonly result: NodeResult;
  /** Why this client had no answer from the node or from the root of its branch; `null` where somebody said what became of it. */
  readonly error: SlurmError | null;
}

/**
 * Sends the message to every node. Nodes that certainly did not look at it, since it is of a version that they do not take, get it once more in the
 * fallback version.
 *
 * @param nodes each name once.
 * @returns one result per node, in the order given. Trouble with a node is a result, not a rejection.
 * @throws SlurmUsageError, SlurmProtocolError, SlurmAuthError (`SLURMWIRE_AUTH_NOT_FOR_NODES`) when the message cannot be sent at all.
 */
export async function fanOut<N extends MessageName>(
  setup: FanOutSetup,
  message: NodeMessage<N>,
  nodes: readonly string[],
  context: CallContext,
): Promise<NodeAnswer[]> {
  const { name, record, release, repeatable, fallback } = message;
  if (nodes.length === 0) return [];
  checkAuthForNodes(setup.auth, { rpc: name, release });
  checkNodes(nodes);
  const body = encodeBody(name, release, record);
  refuseUnsafe(name, release, body, 0);
  const request = { name, release, body, flags: 0, restrictUid: setup.restrictUid, repeatable };
  const other = fallback === release ? undefined : fallback;
  const limiter = setup.limiter ?? new Limiter(MAX_CONNECTIONS);
  const judge = other === undefined ? null : new SlurmdJudge(setup, limiter, release, other, context);
  const run = new FanOutRun({ ...setup, limiter }, request, message.target, judge, context);
  const inTree = setup.strategy === 'direct' ? [] : nodes.filter(setup.isKnownToSlurmds);
  if (setup.strategy === 'auto' && inTree.length <= DIRECT_LIMIT) inTree.length = 0;
  const isInTree = new Set(inTree);
  const apart = nodes.filter((node) => !isInTree.has(node));
  await Promise.all([run.reach(directPlan(apart)), run.reach(planTree(inTree, setup.treeWidth))]);
  const unread = nodes.filter((node) => run.isUnread(node));
  if (unread.length === 0 || other === undefined) return nodes.map((node) => run.answerOf(node));
  const again = await fanOut(setup, { ...message, release: other, fallback: undefined }, unread, context);
  const anew = new Map(unread.map((node, index) => [node, again[index]]));
  return nodes.map((node) => anew.get(node) ?? run.answerOf(node));
}

/**
 * Refuses what is no list of nodes, before anything is sent to any of them.
 *
 * @throws SlurmUsageError `SLURMWIRE_BAD_HOSTLIST` for a name that Slurm would read as something else, a node that stands there twice, or
 * more nodes than a cluster can have.
 */
export function checkNodes(nodes: readonly string[]): void {
  const bad = (why: string, value: unknown) =>
    new SlurmUsageError(`nodes ${why}.`, { code: BAD_HOSTLIST, field: 'nodes', value });
  if (nodes.length > MAX_HOSTS) throw bad(`are more than the ${MAX_HOSTS} of Slurm`, nodes.length);
  splitNames(nodes); // throws for what is no name
  if (new Set(nodes).size === nodes.length) return;
  const seen = new Set<string>();
  const twice = nodes.find((node) => seen.has(node) || !seen.add(node));
  throw bad('name a node twice, which would get the message twice', twice);
}

function directPlan(nodes: readonly string[]): TreePlan {
  return { branches: nodes.map((root) => ({ root, below: [] })), depth: 1, width: 1 };
}

class FanOutRun {
  readonly #setup: FanOutSetup & { readonly limiter: Limiter };
  readonly #request: Omit<Request, 'endpoint'>;
  readonly #target: string;
  readonly #context: CallContext;
  readonly #limiter: Limiter;
  readonly #answers = new Map<string, NodeAnswer>();
  readonly #startedAt = performance.now();
  readonly #judge: SlurmdJudge | null;
  readonly #unread = new Set<string>();

  constructor(
    setup: FanOutSetup & { readonly limiter: Limiter },
    request: Omit<Request, 'endpoint'>,
    target: string,
    judge: SlurmdJudge | null,
    context: CallContext,
  ) {
    this.#judge = judge;
    this.#setup = setup;
    this.#limiter = setup.limiter;
    this.#request = request;
    this.#target = target;
    this.#context = context;
  }

  answerOf(node: string): NodeAnswer {
    const answer = this.#answers.get(node);
    if (answer === undefined) throw new TypeError(`no result for node ${node}`);
    return answer;
  }

  /** True for a node that cannot have looked at the message, nor passed it on, since it does not take the version. */
  isUnread(node: string): boolean {
    return this.#unread.has(node);
  }

  async reach(plan: TreePlan): Promise<void> {
    await Promise.all(plan.branches.map((branch) => this.#reachBranch(branch, plan)));
  }

  async #reachBranch(branch: Branch, plan: TreePlan): Promise<void> {
    const { root, below } = branch;
    const endpoint = this.#setup.addressOf(root);
    const trouble = endpoint === null ? noAddress(root) : await this.#ask({ ...branch, endpoint }, plan);
    if (trouble === null) return this.#reachUnplaced(below);
    // A slurmd looks at the version before it passes anything on (read in 20.11 to 26.05).
    if (endpoint !== null && (await this.#judge?.isUnread(trouble, endpoint, root)) === true) {
      for (const node of [root, ...below]) this.#unread.add(node);
    }
    const reached = trouble.outcome !== 'not-sent';
    const said = trouble.outcome === 'refused' ? 'refused' : 'unknown';
    const error = isSlurmError(trouble) ? trouble : null;
    this.#note(root, { outcome: reached ? said : 'not-sent', ...told(trouble), via: null }, error);
    if (below.length === 0) return;
    if (reached || trouble.phase !== 'connect' || this.#context.signal.aborted) {
      // The root may have passed it on, or trouble that is not the root's would meet the others too.
      for (const node of below) {
        const result = { outcome: reached ? 'unknown' : 'not-sent', via: reached ? root : null } as const;
        // Whatever trouble the forwarders below had, nobody told of it.
        const perhapsTwice = reached && mayForwardFurther(branch);
        this.#note(node, { ...result, ...told(trouble), perhapsTwice }, error);
      }
      return;
    }
    await this.reach(planTree(below, plan.width));
  }

  /** Nodes of a branch that forwarders had no address for have not got it: this client tries the address that it has. */
  async #reachUnplaced(below: readonly string[]): Promise<void> {
    const unplaced = below.filter((node) => {
      const { outcome, code } = this.answerOf(node).result;
      return outcome === 'not-sent' && code === NO_ADDRESS && this.#setup.addressOf(node) !== null;
    });
    await this.reach(directPlan(unplaced));
  }

  /** Sends to one slurmd; notes all results of its branch, or returns why there are none. */
  async #ask(
    { endpoint, ...branch }: Branch & { endpoint: Endpoint },
    plan: TreePlan,
  ): Promise<NodeTrouble | null> {
    const times: TreeTimes = {
      hopTimeoutMs: this.#setup.messageTimeoutMs,
      messageTimeoutMs: this.#setup.messageTimeoutMs,
    };
    const forward = forwardBlock(branch, plan, this.#request.release, times);
    checkForward(forward, branch.root, this.#request.release, times.messageTimeoutMs);
    try {
      return await this.#limiter.run(async () => {
        const deadline = new Deadline(branchWaitMs(branch, plan, times), this.#context.signal);
        try {
          const request = { ...this.#request, endpoint, node: branch.root };
          const whole = forward === undefined ? request : { ...request, forward };
          this.#noteReply(branch, await exchange(this.#setup, whole, deadline));
          return null;
        } finally {
          deadline.dispose();
        }
      });
    } catch (error) {
      if (isSlurmError(error)) return error;
      throw error;
    }
  }

  #noteReply(branch: Branch, reply: Reply): void {
    const { root, below } = branch;
    this.#note(root, { ...this.#answer(reply.name, reply.record), via: null });
    const { returnList } = reply;
    // Each node once and nothing else: then no forwarder has filled its list up.
    const named = new Set(returnList.map(({ nodeName }) => nodeName));
    const isFilledUp = returnList.length !== below.length || below.some((node) => !named.has(node));
    // With 0 from each, which is what nearly every tree says, there is nothing to weigh.
    if (!isFilledUp && returnList.every((item) => this.#isDone(item))) {
      for (const node of below) this.#note(node, { ...DONE, via: root });
      return;
    }
    const items = new Map<string, Said[]>(below.map((node) => [node, []]));
    for (const item of returnList) items.get(item.nodeName ?? '')?.push(this.#said(item, root, isFilledUp));
    for (const said of items.values()) if (said.length === 0) said.push(notTold(root));

    // A forwarder that has lost one below it contacts that one's nodes itself: all but the lost one may get the message again.
    const lost = [...items].filter(([, said]) => said.some(({ isLost }) => isLost)).map(([node]) => node);
    const isResent = (node: string) =>
      mayForwardFurther(branch) && (lost.length > 1 || (lost.length === 1 && lost[0] !== node));
    for (const [node, said] of items) {
      const telling = said.filter(({ isFiller }) => !isFiller);
      const { isLost: _, isFiller, ...surest } = (telling.length > 0 ? telling : said).reduce(surer);
      const tries = telling.filter(({ outcome }) => outcome !== 'not-sent').length;
      const perhapsTwice = tries > 1 || isResent(node);
      // One forwarder could not reach it, but another that was lost may have.
      const outcome = surest.outcome === 'not-sent' && isResent(node) ? 'unknown' : surest.outcome;
      this.#note(node, { ...surest, outcome, via: root, perhapsTwice });
    }
  }

  /** True for an item by which its node took the message. */
  #isDone({ err, type, body }: ReturnItem): boolean {
    if (err !== 0 || !isReturnCode(messageNameOf(type, this.#request.release))) return false;
    return (body as { returnCode: number }).returnCode === 0;
  }

  /** What an item of a return list says of its node. */
  #said({ err, type, body }: ReturnItem, via: string, isFilledUp: boolean): Said {
    const { release } = this.#request;
    const name = messageNameOf(type, release);
    // An error without a number: it answered for itself and for none of those below it, and was not listened to.
    if (err === 0 && name === 'RESPONSE_FORWARD_FAILED') return { ...notTold(via), isFiller: false };
    if (err === 0) return { ...this.#answer(name, body), isLost: false, isFiller: false };
    const { code, errno, text } = errorMeaning(err, release);
    const isFiller = code === NO_CONNECTION && isFilledUp;
    const isLost = code !== NO_ADDRESS && code !== NO_CONNECTION;
    const message = `Node ${via} could not get its answer: ${text}`;
    const outcome = isLost || isFiller ? 'unknown' : 'not-sent';
    return { outcome, number: err, code, errno, message, isLost, isFiller };
  }

  /** What the answer of a slurmd says. */
  #answer(name: string | null, record: unknown): Answer {
    if (!isReturnCode(name)) {
      const message = 'The answer is none that the message can have.';
      return { outcome: 'unknown', number: null, code: UNEXPECTED, errno: 'EPROTO', message };
    }
    const number = signedReturnCode((record as { returnCode: number }).returnCode);
    if (number === 0) return DONE;
    const { code, errno, text } = errorMeaning(number, this.#request.release);
    // -1 does not say whether anything was done.
    return { outcome: number === -1 ? 'unknown' : 'refused', number, code, errno, message: text };
  }

  #note(
    node: string,
    result: Omit<NodeResult, 'node' | 'target' | 'protocol' | 'elapsedMs' | 'perhapsTwice'> & {
      perhapsTwice?: boolean;
    },
    error: SlurmError | null = null,
  ): void {
    const { outcome, number, code, errno, message, via, perhapsTwice = false } = result;
    const elapsedMs = performance.now() - this.#startedAt;
    const { release: protocol } = this.#request;
    const target = this.#target;
    // Field by field: a spread of thousands of them costs as much as everything else here.
    const whole = {
      node,
      target,
      protocol,
      elapsedMs,
      perhapsTwice,
      outcome,
      number,
      code,
      errno,
      message,
      via,
    };
    this.#answers.set(node, { result: whole, error });
  }
}

const NO_ADDRESS = 'SLURM_UNKNOWN_FORWARD_ADDR';
/** A forwarder says this of a node that nobody listens at, and of one that is missing from a list that has more items than nodes. */
const NO_CONNECTION = 'SLURM_COMMUNICATIONS_CONNECTION_ERROR';
export const UNEXPECTED = 'SLURM_UNEXPECTED_MSG_ERROR';

type NodeTrouble = Pick<SlurmError, 'outcome' | 'code' | 'errno' | 'message'> & {
  readonly phase?: SlurmError['phase'];
  readonly number?: number | undefined;
};

function told(trouble: NodeTrouble): { number: number | null; code: string; errno: string; message: string } {
  const { code, errno, number = null } = trouble;
  // Without the hint, which is about a single call.
  return { number, code, errno, message: isSlurmError(trouble) ? trouble.summary : trouble.message };
}

function noAddress(node: string): NodeTrouble {
  const message = `The address of node ${node} is not known.`;
  return { outcome: 'not-sent', code: NO_ADDRESS, errno: 'EHOSTUNREACH', message, phase: 'connect' };
}

type Answer = Pick<NodeResult, 'outcome' | 'number' | 'code' | 'errno' | 'message'>;

/** A slurmd's 0. */
const DONE: Answer = { outcome: 'accepted', number: 0, code: null, errno: null, message: null };

function isReturnCode(name: string | null): boolean {
  return name === 'RESPONSE_SLURM_RC' || name === 'RESPONSE_SLURM_RC_MSG';
}

interface Said extends Answer {
  /** The node may have got the message, and a forwarder did not get its answer. */
  readonly isLost: boolean;
  /** It may only stand there to fill a list up, and then says nothing. */
  readonly isFiller: boolean;
}

/** Of two things said of one node: what it did counts most, and what proves nothing more than a proof of the contrary elsewhere. */
function surer(a: Said, b: Said): Said {
  return SURENESS.indexOf(a.outcome) <= SURENESS.indexOf(b.outcome) ? a : b;
}
const SURENESS: readonly NodeResult['outcome'][] = ['accepted', 'unknown', 'refused', 'not-sent'];

function notTold(via: string): Said {
  const message = `Node ${via} took the message for it and did not say what became of it.`;
  const code = 'SLURM_COMMUNICATIONS_RECEIVE_ERROR';
  return { outcome: 'unknown', number: null, code, errno: 'EIO', message, isLost: true, isFiller: false };
}

/**
 * True when a node below the root may pass the message on to others in its turn. By the width it does so where there are more than that, by switches
 * (RoutePlugin=route/topology, TopologyParam=RouteTree) as soon as there are two, and which of them a cluster does is not seen from here.
 */
function mayForwardFurther({ below }: Branch): boolean {
  return below.length > 1;
}
