/** Some slurmds, asked whether they can be reached from here: what `signal` straight to the nodes needs, and nothing else. */
import { hasStaticAddress, type SlurmConfig } from '../../config/index.js';
import type { Authenticator } from '../../protocol/authenticator.js';
import { MAX_FRAME_LENGTH } from '../../protocol/frame.js';
import type { MessageRecord } from '../../protocol/messages/index.js';
import { nodeStateFlags, nodeStateName } from '../../protocol/messages/node-state.js';
import { SHOW_FLAGS } from '../../protocol/messages/show-flags.js';
import type { Release } from '../../protocol/release.js';
import { isSlurmError } from '../../protocol/slurm-error.js';
import { type Endpoint, showEndpoint, type Transport } from '../../protocol/transport.js';
import { connect } from '../../rpc/connect.js';
import { pingSlurmd } from '../../rpc/ping-slurmd.js';
import { newestOf, slurmdVersion } from '../../rpc/version-choice.js';
import type { InCharge } from './controllers.js';
import { type Bounds, bounded, type Finding, finding, sentenceOf, troubleFinding } from './finding.js';

/** Slurmds that are asked. */
const SAMPLE = 4;
const CHECK = 'slurmd';
const FOR_NODES =
  'Only "signal --direct" and "--tree" need this; "cancel" and "terminate" go through the controller.';

export interface NodesAsking {
  readonly config: SlurmConfig | null;
  readonly auth: Authenticator;
  readonly transport: Transport;
  readonly bounds: Bounds;
}

/** Rejects only where the user stops it. */
export async function askNodes(inCharge: InCharge, asking: NodesAsking): Promise<Finding[]> {
  const { auth, bounds } = asking;
  if (auth.reach === 'controllers') {
    const summary = `Not asked: slurmds do not take ${auth.name}.`;
    return [finding(CHECK, 'skipped', summary, { advice: FOR_NODES })];
  }
  let nodes: readonly Node[];
  try {
    nodes = await nodeTable(inCharge, asking);
  } catch (error) {
    bounds.signal.throwIfAborted();
    return [
      troubleFinding(CHECK, error, { advice: 'slurmctld did not tell which nodes there are; see its log.' }),
    ];
  }
  const asked = sampleOf(
    nodes.filter(({ isUp }) => isUp),
    SAMPLE,
  );
  const down = nodes.filter(({ isUp }) => !isUp).length;
  const details = { nodes: nodes.length, down, asked: asked.map(({ name }) => name) };
  if (asked.length === 0) {
    const summary = `None was asked: of ${nodes.length} nodes slurmctld has ${down} down, powered down or not responding.`;
    return [finding(CHECK, 'skipped', summary, { details, advice: 'See sinfo -R.' })];
  }
  const release = slurmdVersion(
    inCharge.protocol,
    asked.map(({ newest }) => newest),
    auth.since,
  );
  const answers = await Promise.all(asked.map((node) => askOne(node, release, inCharge, asking)));
  bounds.signal.throwIfAborted();
  const bad = answers.filter((one) => one !== null);
  if (bad.length === 0) {
    const others = down === 0 ? '' : `; slurmctld has ${down} down, powered down or not responding`;
    const summary = `${asked.length} of ${nodes.length} asked, and ${asked.length === 1 ? 'it answered' : 'all answered'} (protocol ${release})${others}.`;
    return [finding(CHECK, 'ok', summary, { details: { ...details, protocol: release } })];
  }
  return bad;
}

interface Node {
  readonly name: string;
  readonly endpoint: Endpoint;
  readonly newest: Release | null;
  /** Whether slurmctld has it as one that can be talked to. */
  readonly isUp: boolean;
}

async function nodeTable(
  inCharge: InCharge,
  { config, auth, transport, bounds }: NodesAsking,
): Promise<Node[]> {
  const { endpoint, protocol } = inCharge;
  const client = await connect({
    conf: config ?? undefined,
    controllers: [showEndpoint(endpoint)],
    protocol,
    auth,
    transport,
  });
  try {
    const reply = await bounded(bounds, ({ signal }) =>
      client.request(
        'REQUEST_NODE_INFO',
        { showFlags: SHOW_FLAGS.SHOW_ALL },
        { timeoutMs: bounds.limitMs, signal },
      ),
    );
    if (reply.name !== 'RESPONSE_NODE_INFO') return [];
    const inFile = new Map((config?.nodes ?? []).filter(hasStaticAddress).map((node) => [node.name, node]));
    return reply.record.nodes.flatMap((record) => {
      const node = inFile.get(record.name ?? '');
      return nodeOf(record, node === undefined ? null : { host: node.address, port: node.port });
    });
  } finally {
    await client.close();
  }
}

type NodeRecord = MessageRecord<'RESPONSE_NODE_INFO'>['nodes'][number];

function nodeOf(
  { name, nodeAddr, nodeHostname, port, nodeState, version }: NodeRecord,
  known: Endpoint | null,
): Node[] {
  const host = nodeAddr ?? nodeHostname;
  if (name === null || (host === null && known === null)) return [];
  const flags: readonly string[] = nodeStateFlags(nodeState);
  const isUp = !AWAY_STATES.has(nodeStateName(nodeState)) && !flags.some((flag) => AWAY_FLAGS.has(flag));
  return [{ name, endpoint: known ?? { host: host as string, port }, newest: newestOf(version), isUp }];
}

const AWAY_STATES: ReadonlySet<string> = new Set(['DOWN', 'UNKNOWN', 'FUTURE', 'ERROR']);
const AWAY_FLAGS: ReadonlySet<string> = new Set([
  'NODE_STATE_NO_RESPOND',
  'NODE_STATE_POWERED_DOWN',
  'NODE_STATE_POWERING_DOWN',
  'NODE_STATE_POWERING_UP',
]);

/** Some of them, first and last included, as far apart as can be. */
export function sampleOf<T>(all: readonly T[], count: number): T[] {
  if (all.length <= count) return [...all];
  const places = Array.from({ length: count }, (_, index) =>
    Math.round((index * (all.length - 1)) / (count - 1)),
  );
  return places.map((place) => all[place] as T);
}

/** `null`: it answered. */
async function askOne(
  { name: node, endpoint }: Node,
  release: Release,
  { told }: InCharge,
  { config, auth, transport, bounds }: NodesAsking,
): Promise<Finding | null> {
  const { slurmUserId, slurmdUserId } = told;
  const setup = {
    transport,
    auth,
    trusted: new Set([0, slurmUserId, slurmdUserId]),
    maxReplyBytes: MAX_FRAME_LENGTH,
  };
  const restrictUid = config?.slurmdUser.uid ?? slurmdUserId;
  try {
    await bounded(bounds, (context) => pingSlurmd(setup, { endpoint, node }, release, restrictUid, context));
    return null;
  } catch (error) {
    if (!isSlurmError(error)) return troubleFinding(CHECK, error, { subject: node, advice: FOR_NODES });
    return finding(CHECK, 'warning', sentenceOf(error), {
      subject: node,
      advice: `Can this host reach ${showEndpoint(endpoint)}, and does its slurmd run? ${FOR_NODES}`,
      details: { endpoint: showEndpoint(endpoint), code: error.code, errno: error.errno },
    });
  }
}
