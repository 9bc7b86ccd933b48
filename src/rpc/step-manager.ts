/**
 * Jobs whose steps are managed by one of their nodes (`sbatch --stepmgr`, SlurmctldParameters=enable_stepmgr, 24.05 and newer): the controller
 * knows their batch and extern step alone, and names the node whose slurmd knows the others. That one is asked the same question, once.
 *
 * Source: slurmctld's `_pack_ctld_job_steps`, slurmd's `_relay_stepd_msg`; observed on 24.11 and 26.05: `docs/daemons.md`.
 */
import type { CallContext } from '../protocol/authenticator.js';
import { encodeBody } from '../protocol/body.js';
import { errorNumber } from '../protocol/error-number.js';
import type { MessageName } from '../protocol/messages/index.js';
import type { JobRecord } from '../protocol/messages/job-record.js';
import { SHOW_FLAGS } from '../protocol/messages/show-flags.js';
import { isAtLeast, type Release } from '../protocol/release.js';
import { serverError } from '../protocol/server-error.js';
import { isSlurmError, restate, SlurmServerError, showValue } from '../protocol/slurm-error.js';
import type { Endpoint } from '../protocol/transport.js';
import { checkAuthForNodes } from './auth-fits.js';
import type { ControllerCall, ControllerLink } from './controller-link.js';
import { exchange } from './exchange.js';
import { refuseUnsafe } from './guard.js';
import { asLookup, lookUp } from './job-lookup.js';
import { nodeAddresses } from './node-addresses.js';
import type { Reply } from './reply.js';
import { mayBeVersions } from './silent-close.js';
import { newestOf } from './version-choice.js';

/** Exchanges that asking a step manager may take: where the node is, the question, its version, the question in that one. */
export const STEP_MANAGER_EXCHANGES = 4;

/** Slurm's STEPMGR_ENABLED among the option bits of a job. */
const STEPMGR_ENABLED = 1n << 41n;
/** The oldest protocol that a controller with step managers takes. */
const OLDEST_WITH_STEP_MANAGERS: Release = '23.02';

/** False where a controller of this protocol cannot have jobs with a step manager. */
export function mayHaveStepManagers(release: Release): boolean {
  return isAtLeast(release, OLDEST_WITH_STEP_MANAGERS);
}

/** Name of the node that manages the steps of a job; `null` where the controller does. */
export function stepManagerOf({ bitflags, batchHost }: JobRecord, release: Release): string | null {
  return mayHaveStepManagers(release) && (bitflags & STEPMGR_ENABLED) !== 0n ? batchHost : null;
}

/**
 * Asks the slurmd of a node what the controller was asked.
 *
 * A slurmd may be older than its controller: where it does not take the version, the controller is asked for the node's.
 *
 * @param call a read.
 * @param node the node that the controller named.
 * @throws SlurmServerError `SLURM_UNKNOWN_FORWARD_ADDR` where nobody knows the node's address; SlurmAuthError where the authenticator cannot
 * go to nodes; else SlurmError of the exchange. Always with outcome `not-sent`.
 */
export async function askStepManager<N extends MessageName>(
  link: ControllerLink,
  call: ControllerCall<N>,
  node: string,
  context: CallContext,
): Promise<Reply> {
  const { release } = link.setup;
  checkAuth(link, call.name);
  const endpoint = await endpointOf(link, call.name, node, context);
  const ask = (spoken: Release) =>
    asLookup(exchange(link.setup, requestFor(link, call, { node, endpoint, release: spoken }), context));
  try {
    return await ask(release);
  } catch (error) {
    if (!isSlurmError(error) || context.signal.aborted || !mayBeVersions(error)) throw error;
    const own = await versionOf(link, node, context);
    if (own === null || isAtLeast(own, release)) throw error;
    return ask(own);
  }
}

/** @throws SlurmAuthError `SLURMWIRE_AUTH_NOT_FOR_NODES`, before the node is looked up. */
function checkAuth({ setup: { auth, release } }: ControllerLink, rpc: MessageName): void {
  try {
    checkAuthForNodes(auth, { rpc, release });
  } catch (error) {
    if (!isSlurmError(error)) throw error;
    const hint =
      "The job has a step manager: its node alone knows its steps. Use the cluster's AuthType (auth/munge or auth/slurm), or killJob, which signals all steps.";
    throw restate(error, error.summary, { hint });
  }
}

function requestFor<N extends MessageName>(
  { setup }: ControllerLink,
  { name, record }: ControllerCall<N>,
  to: { readonly node: string; readonly endpoint: Endpoint; readonly release: Release },
) {
  const body = encodeBody(name, to.release, record);
  refuseUnsafe(name, to.release, body, 0);
  // With the node's name: it is a slurmd it goes to.
  return { ...to, name, body, flags: 0, restrictUid: setup.slurmdUser, repeatable: true };
}

async function endpointOf(
  link: ControllerLink,
  rpc: MessageName,
  node: string,
  context: CallContext,
): Promise<Endpoint> {
  const places = await nodeAddresses(link, link.setup, [node], context);
  const place = places.get(node);
  if (place !== undefined) return place.endpoint;
  const code = 'SLURM_UNKNOWN_FORWARD_ADDR';
  const { release } = link.setup;
  throw serverError(
    `${rpc} belongs to the step manager on ${showValue(node)}, a node whose address nobody knows.`,
    errorNumber(code) ?? -1,
    release,
    { errno: 'EHOSTUNREACH', outcome: 'not-sent', rpc, phase: 'connect' },
  );
}

/** What the node's slurmd said of itself when it registered; `null` where that is not known. */
async function versionOf(link: ControllerLink, node: string, context: CallContext): Promise<Release | null> {
  const record = { nodeName: node, showFlags: SHOW_FLAGS.SHOW_ALL };
  const reply = await lookUp(link, { name: 'REQUEST_NODE_INFO_SINGLE', record, repeatable: true }, context);
  if (reply.name !== 'RESPONSE_NODE_INFO') return null;
  const found = reply.record.nodes.find(({ name }) => name === node);
  return newestOf(found?.version ?? null);
}

/** A step manager that sends on to yet another one: there is no such thing, and nobody is asked a third time. */
export function sentOn({ peer, protocol }: Reply, rpc: MessageName, node: string | null): SlurmServerError {
  return new SlurmServerError(
    `${rpc} was sent to ${peer} as the step manager of the job, which names another one, ${showValue(node)}.`,
    {
      code: 'SLURMWIRE_REROUTED',
      errno: 'EREMOTE',
      outcome: 'not-sent',
      peer,
      rpc,
      protocol,
      phase: 'wait',
      hint: 'Steps are managed by one node; this is followed once only.',
    },
  );
}
