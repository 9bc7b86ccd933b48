/**
 * A slurmd's part in the forwarding tree: passes a message on, with its credential and body as they are, and gathers the answers.
 *
 * Source: `src/common/forward.c` as read in 20.11 to 26.05, and `docs/daemons.md`.
 */
import { compressHostlist, expandHostlist } from '../../config/index.js';
import { decodeBody } from '../../protocol/body.js';
import { decodeFrame, encodeFrame, type Frame } from '../../protocol/frame.js';
import { FrameAssembler } from '../../protocol/frame-assembler.js';
import { HEADER_FLAGS, type HeaderInput, type ReturnItem } from '../../protocol/header.js';
import { messageTypeNumber } from '../../protocol/message-type.js';
import { isMessageName } from '../../protocol/messages/index.js';
import { isAtLeast, type Release } from '../../protocol/release.js';
import type { Endpoint } from '../../protocol/transport.js';
import { Deadline } from '../../rpc/deadline.js';
import { MAX_TREE_WIDTH, treeDepth } from '../../rpc/forward-tree.js';
import type { Limiter } from '../../rpc/limiter.js';
import { tcpTransport } from '../../rpc/tcp-transport.js';
import { splitNodes } from './split.js';

/** What a forwarder says of a node it has no answer from. */
const CONNECTION_ERROR = 1001;
const UNKNOWN_ADDRESS = 1012;
const TIMED_OUT = 5004;
const NO_ANSWER = 5005;

/** What forwarding needs of the slurmd. */
export interface Forwarder {
  readonly own: Release;
  /** TreeWidth of its slurm.conf. */
  readonly treeWidth: number;
  readonly messageTimeoutMs: number;
  /** TCPTimeout of its slurm.conf, in milliseconds: how long to wait for a connection. */
  readonly tcpTimeoutMs: number;
  /** Where a node's slurmd listens; `null` for a name it does not know. */
  endpointOf(node: string): Endpoint | null;
  readonly signal: AbortSignal;
  /** Shared by all slurmds of a cluster: they have the file descriptors of one process. Only who passes nothing on waits here. */
  readonly leaves: Limiter;
}

/** Nodes at the ends of trees that are spoken with at a time, each by a connection with two descriptors. */
export const MAX_LEAVES = 256;

export type Forward = Frame['header']['forward'];

/** @returns why a forward block would make a real slurmd crash, or wait for ever; `null` for a sound one. */
export function harmOf(
  { cnt, nodelist, treeDepth: depth }: Forward,
  own: Release,
  release: Release,
): string | null {
  if (cnt === 0) return null;
  const nodes = namesOf(nodelist);
  if (nodes === null || nodes.length !== cnt || new Set(nodes).size !== cnt)
    return 'a forward count that is not that of its nodes';
  const divides = isAtLeast(own, '26.05') && isAtLeast(release, '24.11');
  return divides && depth === 0 ? 'a tree of depth 0' : null;
}

/** Passes a message on to the nodes of its forward block. @returns their answers in order of arrival. */
export async function forward(frame: Frame, by: Forwarder): Promise<ReturnItem[]> {
  const { forward: block } = frame.header;
  const nodes = namesOf(block.nodelist) ?? [];
  if (nodes.length === 0) return [];
  const items: ReturnItem[] = [];
  const width = Math.min(block.treeWidth === 0 ? by.treeWidth : block.treeWidth, MAX_TREE_WIDTH);
  await Promise.all(
    splitNodes(nodes, width, by.own).map(async ({ root, below }) => {
      items.push(...(await branch(frame, root, below, width, by)));
    }),
  );
  return items;
}

/** Where the first of a branch cannot be had, those below are contacted one after the other as first of what is left. */
async function branch(
  frame: Frame,
  root: string,
  below: readonly string[],
  width: number,
  by: Forwarder,
): Promise<ReturnItem[]> {
  const nodes = [root, ...below];
  const failed: ReturnItem[] = [];
  for (const [index, first] of nodes.entries()) {
    const endpoint = by.endpointOf(first);
    const isLast = index === nodes.length - 1;
    const asking = () => ask(frame, endpoint as Endpoint, nodes.slice(index), width, by);
    const answer = endpoint === null ? UNKNOWN_ADDRESS : await (isLast ? by.leaves.run(asking) : asking());
    if (typeof answer !== 'number') return [...failed, ...answer];
    failed.push(failure(frame, first, answer));
  }
  return failed;
}

async function ask(
  frame: Frame,
  endpoint: Endpoint,
  [root, ...below]: readonly string[],
  width: number,
  by: Forwarder,
): Promise<ReturnItem[] | number> {
  const { messageName, header } = frame;
  // Nobody below could make anything of it either.
  if (messageName === null || root === undefined) return NO_ANSWER;
  const { forward: block, origAddr, flags } = header;
  const timeoutMs = waitFor(block, below.length, width, by);
  const deadline = new Deadline(Math.max(1, Math.min(timeoutMs, 0x7fffffff)), by.signal);
  try {
    const connection = await tcpTransport({ connectTimeoutMs: by.tcpTimeoutMs }).connect(endpoint, deadline);
    const close = () => connection.close();
    deadline.signal.addEventListener('abort', close, { once: true });
    try {
      await connection.write(
        encodeFrame({
          release: frame.release,
          messageName,
          auth: frame.auth,
          body: frame.body,
          flags: flags & ~HEADER_FLAGS.SLURM_NO_AUTH_CRED,
          origAddr,
          forward: below.length === 0 ? undefined : blockFor(block, below, width, by),
        }),
      );
      const reply = await readFrame(connection);
      return reply === null ? NO_ANSWER : itemsOf(reply, root);
    } catch {
      return deadline.signal.aborted ? TIMED_OUT : NO_ANSWER;
    } finally {
      close();
    }
  } catch {
    return CONNECTION_ERROR;
  } finally {
    deadline.dispose();
  }
}

function blockFor(
  block: Forward,
  below: readonly string[],
  width: number,
  by: Forwarder,
): HeaderInput['forward'] {
  return {
    cnt: below.length,
    nodelist: compressHostlist(below),
    timeout: block.timeout,
    // Up to 22.05 the width is not handed on.
    treeWidth: isAtLeast(by.own, '23.02') ? width : 0,
    netCred: null,
    ...(block.treeDepth > 0
      ? { treeDepth: Math.max(1, Math.min(block.treeDepth - 1, treeDepth(below.length + 1, width))) }
      : {}),
  };
}

function waitFor(
  { timeout, treeDepth: depth }: Forward,
  below: number,
  width: number,
  by: Forwarder,
): number {
  if (isAtLeast(by.own, '24.11')) return depth > 1 ? (timeout * (depth - 1)) / depth : timeout;
  const levels = Math.floor((below + 1) / width);
  return below === 0 ? timeout : by.messageTimeoutMs * levels + timeout * (levels + 1);
}

async function readFrame(connection: { read(): Promise<Uint8Array | null> }): Promise<Frame | null> {
  const assembler = new FrameAssembler();
  for (;;) {
    const chunk = await connection.read();
    if (chunk === null) return null;
    assembler.push(chunk);
    const bytes = assembler.take();
    if (bytes !== null) return decodeFrame(bytes);
  }
}

/** The answering node's own, then those that came with it. */
function itemsOf({ messageName, header, release, body }: Frame, nodeName: string): ReturnItem[] | number {
  if (!isMessageName(messageName)) return NO_ANSWER;
  const own = { err: 0, type: header.msgType, nodeName, body: decodeBody(messageName, release, body) };
  return [own, ...header.returnList];
}

function failure({ release }: Frame, nodeName: string, err: number): ReturnItem {
  return { err, type: messageTypeNumber('RESPONSE_FORWARD_FAILED', release) ?? 0, nodeName, body: {} };
}

function namesOf(nodelist: string | null): string[] | null {
  try {
    return expandHostlist(nodelist ?? '');
  } catch {
    return null;
  }
}
