/** Where the slurmds listen: the caller's own resolver first, then slurm.conf, then the controller's node table. */
import { type ConfNode, DEFAULT_SLURMD_PORT, hasStaticAddress, parseEndpoint } from '../config/index.js';
import type { CallContext } from '../protocol/authenticator.js';
import { type NODE_STATE_FLAGS, nodeStateFlags, nodeStateName } from '../protocol/messages/node-state.js';
import { SHOW_FLAGS } from '../protocol/messages/show-flags.js';
import { untilAborted } from '../protocol/on-abort.js';
import type { Release } from '../protocol/release.js';
import { isSlurmError, SlurmUsageError } from '../protocol/slurm-error.js';
import type { Endpoint } from '../protocol/transport.js';
import { badOption } from './check-options.js';
import { concurrently } from './concurrently.js';
import type { ControllerLink } from './controller-link.js';
import { lookUp, refuseIfPassing } from './job-lookup.js';
import { newestOf } from './version-choice.js';

/**
 * Tells where a node's slurmd listens: an endpoint, `'host:port'` (default port 6818), or `null` to have it looked up in slurm.conf or at
 * the controller. Up to 32 nodes are asked for at a time. A node whose address differs from that of slurm.conf is contacted by this client
 * itself and takes no part in Slurm's forwarding.
 */
export type NodeAddress = (node: string) => Endpoint | string | null | Promise<Endpoint | string | null>;

export interface NodeAddressSources {
  readonly nodeAddress: NodeAddress | undefined;
  readonly nodes: readonly ConfNode[] | undefined;
}

/** Where a slurmd listens. */
export interface NodePlace {
  readonly endpoint: Endpoint;
  /** True where the slurmds know the address themselves, so that they can pass messages on to the node. */
  readonly isKnownToSlurmds: boolean;
  /** The newest version that the slurmd takes, as the controller has it since it registered; `null` where that was not asked or not told. */
  readonly newest: Release | null;
}

/** Up to so many unknown nodes are asked for one by one; more of them by the whole table. */
const SINGLE_LOOKUPS = 4;
/** Calls of the caller's resolver at a time. */
const RESOLVER_CALLS = 32;

/**
 * The places of nodes; a node nobody knows is not in the map.
 *
 * @param versionsOf nodes whose version is to be told as well, for which the controller is asked.
 *
 * A slurmd that forwards takes the next one's address from its own slurm.conf. So it does not know dynamic nodes, nor those whose address in
 * the file is a placeholder (State=CLOUD, FUTURE), and it goes to another address than this client where the resolver says something else.
 */
export async function nodeAddresses(
  link: ControllerLink,
  { nodeAddress, nodes = [] }: NodeAddressSources,
  wanted: readonly string[],
  context: CallContext,
  versionsOf: ReadonlySet<string> = new Set(),
): Promise<Map<string, NodePlace>> {
  const found = new Map<string, NodePlace>();
  const inFile = staticAddresses(nodes);
  const resolved =
    nodeAddress === undefined
      ? []
      : await concurrently(wanted, RESOLVER_CALLS, context, (node, own) =>
          askResolver(nodeAddress, node, own),
        );
  for (const [index, node] of wanted.entries()) {
    const known = inFile.get(node);
    const given = resolved[index] ?? null;
    const endpoint = given ?? known;
    if (endpoint === undefined) continue;
    found.set(node, { endpoint, isKnownToSlurmds: isSame(endpoint, known), newest: null });
  }
  const missing = new Set(wanted.filter((node) => !found.has(node) || versionsOf.has(node)));
  for (const [node, told] of await askController(link, missing, context)) {
    // An address that was found nearer by goes before the controller's.
    found.set(node, { ...(found.get(node) ?? told), newest: told.newest });
  }
  return found;
}

/** By the nodes of a slurm.conf, which are the same in every call of a client, and thousands in a large cluster. */
const STATIC_ADDRESSES = new WeakMap<readonly ConfNode[], ReadonlyMap<string, Endpoint>>();

function staticAddresses(nodes: readonly ConfNode[]): ReadonlyMap<string, Endpoint> {
  let addresses = STATIC_ADDRESSES.get(nodes);
  if (addresses === undefined) {
    addresses = new Map(
      nodes.filter(hasStaticAddress).map(({ name, address, port }) => [name, { host: address, port }]),
    );
    STATIC_ADDRESSES.set(nodes, addresses);
  }
  return addresses;
}

function isSame(a: Endpoint, b: Endpoint | undefined): boolean {
  return a.host === b?.host && a.port === b.port;
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
  missing: ReadonlySet<string>,
  context: CallContext,
): Promise<[string, NodePlace][]> {
  if (missing.size === 0) return [];
  const showFlags = SHOW_FLAGS.SHOW_ALL;
  const replies =
    missing.size <= SINGLE_LOOKUPS
      ? await concurrently([...missing], SINGLE_LOOKUPS, context, (nodeName, own) =>
          lookUp(
            link,
            { name: 'REQUEST_NODE_INFO_SINGLE', record: { nodeName, showFlags }, repeatable: true },
            own,
          ),
        )
      : [await lookUp(link, { name: 'REQUEST_NODE_INFO', record: { showFlags }, repeatable: true }, context)];
  for (const reply of replies) refuseIfPassing(reply, 'REQUEST_NODE_INFO', 'the addresses of nodes');
  // An unknown node is answered with something else: it stays without an address.
  const records = replies.flatMap((reply) => (reply.name === 'RESPONSE_NODE_INFO' ? reply.record.nodes : []));
  return records.flatMap(
    ({ name, nodeAddr, nodeHostname, port, nodeState, version }): [string, NodePlace][] => {
      const host = nodeAddr ?? nodeHostname;
      if (name === null || host === null || !missing.has(name)) return [];
      const isKnownToSlurmds = !isDynamic(nodeState);
      return [[name, { endpoint: { host, port }, isKnownToSlurmds, newest: newestOf(version) }]];
    },
  );
}

/** True for a node whose address the controller learned when its slurmd registered, or when it was powered up. */
function isDynamic(nodeState: number): boolean {
  return (
    nodeStateName(nodeState) === 'FUTURE' || nodeStateFlags(nodeState).some((flag) => DYNAMIC_FLAGS.has(flag))
  );
}

const DYNAMIC_FLAGS: ReadonlySet<string> = new Set<keyof typeof NODE_STATE_FLAGS>([
  'NODE_STATE_CLOUD',
  'NODE_STATE_DYNAMIC_FUTURE',
  'NODE_STATE_DYNAMIC_NORM',
]);
