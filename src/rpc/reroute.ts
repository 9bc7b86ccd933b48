/**
 * RESPONSE_SLURM_REROUTE_MSG (8003): "ask there instead". A controller of a federation says so of jobs that another cluster began, and one whose
 * job has a step manager says so of its steps. It has done nothing itself.
 *
 * To the other cluster a call is not just sent on: it is planned anew there, in that controller's version and with what that cluster is like.
 * Its credential is for anybody, since that cluster's SlurmUser is not known, and for the same reason nobody in particular has to have signed the
 * answers. Requests carry SLURM_GLOBAL_AUTH_KEY, by which that daemon takes the key that its clusters share; the authenticator is the client's own.
 *
 * Source: slurmctld's `_slurm_rpc_kill_job` and `_route_msg_to_origin`, libslurm's `slurm_send_recv_controller_msg`, 20.11 to 26.05;
 * observed between two clusters of 22.05: `docs/daemons.md`.
 */
import type { CallContext } from '../protocol/authenticator.js';
import type { MessageName } from '../protocol/messages/index.js';
import { type Release, releaseOfHeaderVersion } from '../protocol/release.js';
import {
  isSlurmError,
  restate,
  type SlurmError,
  SlurmServerError,
  showValue,
} from '../protocol/slurm-error.js';
import { type Endpoint, showEndpoint } from '../protocol/transport.js';
import type { ControllerCall, ControllerLink } from './controller-link.js';
import { isRead } from './reads.js';
import type { Reply, ReplyOf } from './reply.js';
import { askStepManager, sentOn } from './step-manager.js';

/** Clusters a call is sent on to, one after the other. libslurm knows no limit; Slurm itself expects one hop. A constant of ours. */
export const MAX_REROUTES = 3;

type Reroute = ReplyOf<'RESPONSE_SLURM_REROUTE_MSG'>;
type Cluster = NonNullable<Reroute['record']['workingClusterRec']>;

/** Errors that say where a call belongs. Kept beside them: a caller has no use for it, and what is restated is not to be followed. */
const clusters = new WeakMap<SlurmError, Cluster>();

/** The error of a call that was rerouted, for {@link whereItBelongs} to follow. */
export function rerouted(reply: Reroute, rpc: MessageName): SlurmServerError {
  const { workingClusterRec: cluster, stepmgr } = reply.record;
  const where =
    cluster !== null
      ? `cluster ${showValue(cluster.name)} (${showValue(cluster.controlHost)}, port ${cluster.controlPort})`
      : stepmgr !== null
        ? `the step manager on ${showValue(stepmgr)}`
        : 'another controller, without saying which';
  const error = notFollowed(reply, rpc, `says that ${rpc} belongs to ${where}`, reply.doubt);
  // What was sent before, and may have been done, is not made undone by another cluster's answer.
  if (cluster !== null && reply.doubt === null) clusters.set(error, cluster);
  return error;
}

function notFollowed(
  { peer, protocol }: Pick<Reply, 'peer' | 'protocol'>,
  rpc: string,
  why: string,
  doubt: SlurmError | null = null,
  more: { readonly errno?: string; readonly cause?: unknown } = {},
): SlurmServerError {
  return new SlurmServerError(`${peer} did nothing and ${why}.`, {
    code: 'SLURMWIRE_REROUTED',
    errno: 'EREMOTE',
    outcome: doubt === null ? 'refused' : 'unknown',
    peer,
    rpc,
    protocol: protocol as Release,
    phase: 'wait',
    hint: 'Connect to the controller of that cluster (option controllers).',
    cause: doubt ?? undefined,
    ...more,
  });
}

/**
 * Does work at the controller in charge, and where that says that another cluster's has to be asked, there.
 *
 * @param work plans for the link it is given and sends; `isHome` is false at another cluster, of which nothing is known beforehand.
 * @returns what it resolved to; where it was rerouted, with the controllers that said so in `reroutedBy`.
 * @throws SlurmServerError `SLURMWIRE_REROUTED`, outcome `refused`, where the way leads nowhere: no address, one that was asked before, too many
 * hops. Else what `work` threw.
 */
export async function whereItBelongs<T extends object>(
  shared: ControllerLink,
  context: CallContext,
  work: (link: ControllerLink, isHome: boolean) => Promise<T>,
): Promise<T> {
  // In a version that is given, work begins at once.
  let link = shared.setup.findsVersion === true ? await shared.settle(context) : shared;
  const asked = new Set(shared.setup.controllers.map(showEndpoint));
  const path: string[] = [];
  for (;;) {
    try {
      const value = await work(link, path.length === 0);
      return path.length === 0 ? value : { ...value, reroutedBy: path };
    } catch (error) {
      const cluster = isSlurmError(error) ? clusters.get(error) : undefined;
      if (cluster === undefined) throw onItsWay(error, path);
      const from = error as SlurmError;
      const endpoint = nextStop(cluster, from, asked, path);
      asked.add(showEndpoint(endpoint));
      path.push(from.peer ?? '');
      try {
        link = await link.toward(endpoint, releaseOfHeaderVersion(cluster.rpcVersion)).settle(context);
      } catch (trouble) {
        throw onItsWay(trouble, path);
      }
    }
  }
}

/** Where a controller sends a call. What it says is not trusted to be an address, nor to lead anywhere. */
function nextStop(
  { controlHost, controlPort }: Cluster,
  error: SlurmError,
  asked: ReadonlySet<string>,
  path: readonly string[],
): Endpoint {
  const { peer = '', rpc = '', protocol } = error;
  const refuse = (why: string, errno?: string) =>
    onItsWay(
      notFollowed({ peer, protocol: protocol as Release }, rpc, why, null, {
        ...(errno && { errno }),
        cause: error,
      }),
      path,
    );
  const named = `${showValue(controlHost)}, port ${controlPort}`;
  // A name or an address, by the characters that these have.
  if (controlHost === null || !/^[\w.:%-]{1,255}$/.test(controlHost))
    throw refuse(`says that ${rpc} belongs to ${named}, which is no address`);
  if (controlPort < 1 || controlPort > 65_535)
    throw refuse(`says that ${rpc} belongs to ${named}, which is no port`);
  const endpoint = { host: controlHost, port: controlPort };
  if (asked.has(showEndpoint(endpoint)))
    throw refuse(`sends ${rpc} to ${named}, where it was asked for before`, 'ELOOP');
  if (path.length === MAX_REROUTES)
    throw refuse(`sends ${rpc} on to ${named}, after ${MAX_REROUTES} others had done so`, 'ELOOP');
  return endpoint;
}

function onItsWay<E>(error: E, path: readonly string[]): E {
  if (path.length === 0 || !isSlurmError(error)) return error;
  return restate(error, `${error.summary} It was rerouted by ${path.join(', then ')}.`, {}) as E & SlurmError;
}

/**
 * The answer to a read, of the step manager where the controller sends it there.
 *
 * @throws SlurmError of the step manager, outcome `not-sent`; {@link rerouted} for another cluster.
 */
export async function answerTo<N extends MessageName>(
  link: ControllerLink,
  call: ControllerCall<N>,
  context: CallContext,
): Promise<Reply> {
  const reply = await link.call(call, context);
  if (reply.name !== 'RESPONSE_SLURM_REROUTE_MSG') return reply;
  const { workingClusterRec: cluster, stepmgr } = reply.record;
  if (cluster !== null) throw rerouted(reply, call.name);
  if (stepmgr === null || !isRead(call.name)) return reply;
  const told = await askStepManager(link, call, stepmgr, context);
  if (told.name === 'RESPONSE_SLURM_REROUTE_MSG') throw sentOn(told, call.name, told.record.stepmgr);
  return { ...told, reroutedBy: [reply.peer] };
}
