/**
 * The messages this library has a description of, by upstream's name. Both directions of each: the recorder, the player and
 * the embedded cluster live on the daemons' half.
 */

import { messageTypeName } from '../message-type.js';
import type { Release } from '../release.js';
import type { Decoded, Encodable, WireType } from '../wire-type.js';
import { empty } from './empty.js';
import { jobInfo, jobInfoSingleRequest } from './job-info.js';
import { jobStepKill } from './kill-job.js';
import { reroute } from './reroute.js';
import { returnCode, returnCodeMsg } from './return-code.js';

export const MESSAGES = {
  REQUEST_PING: empty,
  REQUEST_KILL_JOB: jobStepKill,
  REQUEST_CANCEL_JOB_STEP: jobStepKill,
  REQUEST_JOB_INFO_SINGLE: jobInfoSingleRequest,
  RESPONSE_JOB_INFO: jobInfo,
  RESPONSE_SLURM_RC: returnCode,
  RESPONSE_SLURM_RC_MSG: returnCodeMsg,
  RESPONSE_SLURM_REROUTE_MSG: reroute,
  RESPONSE_FORWARD_FAILED: empty,
} as const;

/** Upstream's name of a message that is described here. */
export type MessageName = keyof typeof MESSAGES;

/** What decoding a message gives. */
export type MessageRecord<N extends MessageName> = Decoded<(typeof MESSAGES)[N]>;

/** What encoding a message takes: fields with a stated default may be left out. */
export type MessageInput<N extends MessageName> = Encodable<(typeof MESSAGES)[N]>;

/** True for the name of a message that is described here. */
export function isMessageName(name: unknown): name is MessageName {
  return typeof name === 'string' && Object.hasOwn(MESSAGES, name);
}

/** The described message with this number in this release, or `null`. */
export function messageNameOf(type: number, release: Release): MessageName | null {
  const name = messageTypeName(type, release);
  return isMessageName(name) ? name : null;
}

/** The description of a message, untyped: for walkers. */
export function messageType(name: MessageName): WireType<unknown, unknown> {
  return MESSAGES[name] as WireType<unknown, unknown>;
}
