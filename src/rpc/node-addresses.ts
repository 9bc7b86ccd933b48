/** Where the slurmds listen: the caller's own resolver first, then slurm.conf, then the controller's node table. */
import { type ConfNode, DEFAULT_SLURMD_PORT, hasStaticAddress, parseEndpoint } from '../config/index.js';
import type { CallContext } from '../protocol/authenticator.js';
import { SHOW_FLAGS } from '../protocol/messages/show-flags.js';
import { untilAborted } from '../protocol/on-abort.js';
import { isSlurmError, SlurmUsageError } from '../protocol/slurm-error.js';
import type { Endpoint } from '../protocol/transport.js';
import { badOption } from './check-options.js';
import type { ControllerLink } from './controller-link.js';
import { lookUp } from './job-lookup.js';

/**
 * Tells where a node's slurmd listens: an endpoint, `'host:port'` (default port 6818), or `null` to have it looked up in slurm.conf or at
 * the controller.
 */
export type NodeAddress = (node: string) => Endpoint | string | null | Promise<Endpoint | string | null>;

export interface NodeAddressSources {
  readonly nodeAddress: NodeAddress | undefined;
  readonly nodes: readonly ConfNode[] | undefined;
}

/** Up to so many unknown nodes are asked for one by one; more of them by the whole table. */
const SINGLE_LOOKUPS = 4;

/** The addresses of nodes; a node nobody knows is not in the map. */
export async function nodeAddresses(
  link: ControllerLink,
  { nodeAddress, nodes = [] }: NodeAddressSources,
  wanted: readonly string[],
  context: CallContext,
): Promise<Map<string, Endpoint>> {
  const found = new Map<string, Endpoint>();
  if (nodeAddress !== undefined) {
    for (const node of wanted) {
      const endpoint = await askResolver(nodeAddress, node, context);
      if (endpoint !== null) found.set(node, endpoint);
    }
  }
  const missing = new Set(wanted.filter((node) => !found.has(node)));
  for (const node of nodes) {
    if (missing.has(node.name) && hasStaticAddress(node))
      found.set(node.name, { host: node.address, port: node.port });
  }
  await askController(
    link,
    wanted.filter((node) => !found.has(node)),
    found,
    context,
  );
  return found;
}

/** The resolver is the caller's: it may throw, hang, or answer with anything. */
async function askResolver(
  nodeAddress: NodeAddress,
  node: string,
  { signal }: CallContext,
): Promise<Endpoint | null> {
  const field = `nodeAddress(${node})`;
  let answer: Endpoint | string | null | undefined;
  try {
    signal.throwIfAborted();
    answer = await untilAborted(signal, (async () => nodeAddress(node))());
  } catch (cause) {
    if (isSlurmError(cause)) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new SlurmUsageError(`${field} failed: ${why}`, {
      code: 'SLURMWIRE_BAD_OPTION',
      field: 'nodeAddress',
      value: node,
      cause,
    });
  }
  if (answer === null || answer === undefined) return null;
  if (typeof answer === 'string') return parseEndpoint(answer, { field, defaultPort: DEFAULT_SLURMD_PORT });
  const { host, port } = answer;
  if (typeof host !== 'string' || host === '') throw badOption(`${field}.host`, host, 'is no host');
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw badOption(`${field}.port`, port, 'is no port');
  return { host, port };
}

async function askController(
  link: ControllerLink,
  missing: readonly string[],
  found: Map<string, Endpoint>,
  context: CallContext,
): Promise<void> {
  if (missing.length === 0) return;
  const showFlags = SHOW_FLAGS.SHOW_ALL;
  const calls =
    missing.length <= SINGLE_LOOKUPS
      ? missing.map((nodeName) =>
          lookUp(
            link,
            { name: 'REQUEST_NODE_INFO_SINGLE', record: { nodeName, showFlags }, repeatable: true },
            context,
          ),
        )
      : [lookUp(link, { name: 'REQUEST_NODE_INFO', record: { showFlags }, repeatable: true }, context)];
  // All of them to their end: nothing of a call outlives the call.
  const answers = await Promise.allSettled(calls);
  for (const answer of answers) {
    if (answer.status === 'rejected') throw answer.reason;
    const reply = answer.value;
    if (reply.name !== 'RESPONSE_NODE_INFO') continue; // an unknown node: it stays without an address
    for (const { name, nodeAddr, nodeHostname, port } of reply.record.nodes) {
      const host = nodeAddr ?? nodeHostname;
      if (name !== null && host !== null && missing.includes(name)) found.set(name, { host, port });
    }
  }
}
