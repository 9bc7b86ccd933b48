/**
 * Slurm's forwarding tree: which slurmd is contacted, what it is asked to pass on, and how long that may take. Pure functions.
 *
 * A wrong pair of count and node list crashes or hangs a forwarding slurmd, and a depth of 0 makes a 26.05 or 26.11 one divide by
 * it. So the forward block is made here and nowhere else, from one array without duplicates, and {@link checkForward} looks once
 * more at what is about to be sent.
 *
 * Source: observed on slurmd 22.05 (a count too small aborted it, one too large left it without an answer); timeouts as read in 20.11 to 26.11.
 */
import { compressHostlist, expandHostlist } from '../config/index.js';
import { isWireText } from '../protocol/byte-text.js';
import type { HeaderInput } from '../protocol/header.js';
import { isAtLeast, type Release } from '../protocol/release.js';
import { SlurmUsageError } from '../protocol/slurm-error.js';

/** One subtree: a slurmd to contact, and the nodes it is to pass the message on to. */
export interface Branch {
  readonly root: string;
  /** Without the root, without duplicates; empty for a node contacted directly. */
  readonly below: readonly string[];
}

/** How a set of nodes is reached. */
export interface TreePlan {
  readonly branches: readonly Branch[];
  /** Levels below this client: 1 when every node is contacted directly. */
  readonly depth: number;
  readonly width: number;
}

/** Largest TreeWidth that Slurm takes. */
export const MAX_TREE_WIDTH = 65533;

/**
 * Splits nodes into at most `width` branches of consecutive nodes whose sizes differ by at most one.
 *
 * @param nodes each name once.
 * @param width TreeWidth, 1 to 65533.
 */
export function planTree(nodes: readonly string[], width: number): TreePlan {
  if (new Set(nodes).size !== nodes.length) throw new RangeError('a node stands twice in the list of a tree');
  if (!Number.isInteger(width) || width < 1 || width > MAX_TREE_WIDTH) {
    throw new RangeError(`a tree of width ${width}`);
  }
  const count = Math.min(width, nodes.length);
  const branches: Branch[] = [];
  let start = 0;
  for (let index = 0; index < count; index++) {
    const size = Math.floor(nodes.length / count) + (index < nodes.length % count ? 1 : 0);
    const [root, ...below] = nodes.slice(start, start + size);
    branches.push({ root: root as string, below });
    start += size;
  }
  return { branches, depth: treeDepth(nodes.length, width), width };
}

/** The fewest levels of a tree of this width that hold so many nodes; at least 1. */
export function treeDepth(count: number, width: number): number {
  let [depth, level, room] = [1, width, width];
  while (room < count) {
    level *= width;
    // A tree of width 1 is a chain.
    room += level;
    depth++;
  }
  return depth;
}

/** Times of a tree, in milliseconds. */
export interface TreeTimes {
  /** What one hop may take: never below the daemons' own MessageTimeout, which they use further down. */
  readonly hopTimeoutMs: number;
  /** The daemons' MessageTimeout. */
  readonly messageTimeoutMs: number;
}

/** Largest values of the header's timeout and depth fields. */
const MAX_TIMEOUT = 0xffffffff;
const MAX_TREE_DEPTH = 0xffff;
/** Longest time a timer can take (about 24.8 days): a chain of all nodes of a large cluster comes to more. */
const MAX_WAIT_MS = 0x7fffffff;

/**
 * The forward block for a branch, or undefined where nothing is forwarded.
 *
 * Never with a `netCred` (addresses of dynamic nodes, 23.11 and newer): a slurmd that cannot open it forwards nothing and waits for ever for the
 * answers (read in 24.11 and 26.05), and nobody can tell before. Dynamic nodes are contacted without a forwarder.
 */
export function forwardBlock(
  { below }: Branch,
  { depth, width }: TreePlan,
  release: Release,
  { hopTimeoutMs, messageTimeoutMs }: TreeTimes,
): HeaderInput['forward'] {
  if (below.length === 0) return undefined;
  const hop = Math.max(hopTimeoutMs, messageTimeoutMs);
  const scaled = isAtLeast(release, '24.11');
  return {
    cnt: below.length,
    nodelist: compressHostlist(below),
    timeout: Math.min(MAX_TIMEOUT, Math.ceil(scaled ? 2 * depth * hop : hop)),
    treeWidth: width,
    ...(scaled ? { treeDepth: Math.min(MAX_TREE_DEPTH, Math.max(1, depth)) } : {}),
  };
}

/**
 * How long the root of a branch may take to answer for all of it. A daemon older or newer than the protocol spoken counts in its
 * own way, so this is the longest of the ways.
 */
export function branchWaitMs(
  { below }: Branch,
  { depth, width }: TreePlan,
  { hopTimeoutMs, messageTimeoutMs }: TreeTimes,
): number {
  const hop = Math.max(hopTimeoutMs, messageTimeoutMs);
  if (below.length === 0) return Math.min(MAX_WAIT_MS, hop);
  const steps = Math.floor((below.length + 1) / width);
  const upTo2405 = messageTimeoutMs * steps + hop * (steps + 1);
  return Math.min(MAX_WAIT_MS, Math.max(upTo2405, 2 * depth * hop));
}

/**
 * Refuses a forward block that would harm the slurmd that gets it: the last look before it is sent.
 *
 * @param root the node that gets it.
 * @param messageTimeoutMs the daemons' MessageTimeout: with less, forwarders would give up on nodes that have got the message.
 * @throws SlurmUsageError `SLURMWIRE_UNSAFE_MESSAGE`
 */
export function checkForward(
  forward: HeaderInput['forward'],
  root: string,
  release: Release,
  messageTimeoutMs: number,
): void {
  if (forward === undefined) return;
  const refuse = (field: string, value: unknown, why: string): never => {
    throw new SlurmUsageError(`a message is not forwarded: ${why}.`, {
      code: 'SLURMWIRE_UNSAFE_MESSAGE',
      field: `forward.${field}`,
      value,
      protocol: release,
    });
  };
  const { cnt, nodelist, timeout = 0, treeWidth = 0, treeDepth = 0, netCred = null } = forward;
  const names = expandHostlist(nodelist ?? '');
  if (cnt < 1 || names.length !== cnt) {
    refuse(
      'cnt',
      cnt,
      `the count says ${cnt} nodes and the list names ${names.length}, which crashes or hangs a slurmd`,
    );
  }
  // A newline separates since 23.02 and is part of a name before.
  if (/\s/.test(nodelist ?? '')) refuse('nodelist', nodelist, 'white space is read in more than one way');
  // What differs here may be one name on the wire.
  if (new Set(names).size !== cnt || !isWireText(nodelist ?? ''))
    refuse('nodelist', nodelist, 'a node stands twice in the list, which hangs a slurmd');
  if (names.includes(root)) refuse('nodelist', nodelist, `${root} would pass it on to itself`);
  // Written so that NaN is refused too.
  if (!(timeout >= Math.max(1, Math.min(messageTimeoutMs, MAX_TIMEOUT))))
    refuse('timeout', timeout, `passing it on may take ${messageTimeoutMs} ms`);
  if (!(treeWidth >= 1 && treeWidth <= MAX_TREE_WIDTH))
    refuse('treeWidth', treeWidth, `the width is not from 1 to ${MAX_TREE_WIDTH}`);
  if (isAtLeast(release, '24.11') && !(treeDepth >= 1))
    refuse('treeDepth', treeDepth, 'a depth of 0 crashes a slurmd');
  if (netCred !== null)
    refuse('netCred', 'a credential', 'a slurmd that cannot open a credential of addresses never answers');
}
