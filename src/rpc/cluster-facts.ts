/**
 * What of a cluster's configuration decides whom a kill reaches beside its target.
 *
 * Source: ScronParameters and SchedulerParameters of slurm.conf(5), words looked for anywhere in the text and in any case, as slurmctld
 * does in 20.11 to 26.11.
 */
import type { CallContext } from '../protocol/authenticator.js';
import type { MessageRecord } from '../protocol/messages/index.js';
import type { ControllerLink } from './controller-link.js';
import { lookUp, refuseIfPassing } from './job-lookup.js';

export interface ClusterFacts {
  /** `none`: no scrontab jobs. `guarded`: since 23.02 the controller refuses signals to them unless they are meant. `open`: it does not. */
  readonly scrontab: 'none' | 'guarded' | 'open';
  /** A signal to any component of a heterogeneous job is one to all of them. */
  readonly wholeHetJob: boolean;
  /** ClusterName in lower case, where it is known. */
  readonly clusterName?: string | undefined;
}

export function clusterFacts(scronParameters: string, schedulerParameters: string): ClusterFacts {
  const scrontab = /explicit_scancel/i.test(scronParameters) ? 'guarded' : 'open';
  return {
    scrontab: /enable/i.test(scronParameters) ? scrontab : 'none',
    wholeHetJob: /whole_(?:hetjob|pack)/i.test(schedulerParameters),
  };
}

/** What the controller's configuration says of it. */
export function factsOf({
  scronParams,
  schedParams,
  clusterName,
}: MessageRecord<'RESPONSE_BUILD_INFO'>): ClusterFacts {
  const facts = clusterFacts(scronParams ?? '', schedParams ?? '');
  return { ...facts, clusterName: clusterName?.toLowerCase() };
}

/** For a controller that does not tell: every job is looked at. */
export const UNTOLD: ClusterFacts = { scrontab: 'open', wholeHetJob: true };

/**
 * Asks the controller: a read.
 *
 * @returns `null` where it does not tell.
 * @throws SlurmError, always with outcome `not-sent`; also for an answer that may be another one soon: it is on standby, or asked too often.
 */
export async function askClusterFacts(
  link: ControllerLink,
  context: CallContext,
): Promise<ClusterFacts | null> {
  const record = { lastUpdate: 0n };
  const reply = await lookUp(link, { name: 'REQUEST_BUILD_INFO', record, repeatable: true }, context);
  if (reply.name === 'RESPONSE_BUILD_INFO') return factsOf(reply.record);
  refuseIfPassing(reply, 'REQUEST_BUILD_INFO', 'its configuration');
  return null;
}
