import type { MessageName } from '../protocol/messages/index.js';

/** Messages that change nothing: they may be repeated, and sent where a call is only explained. */
const READS: ReadonlySet<MessageName> = new Set<MessageName>([
  'REQUEST_PING',
  'REQUEST_BUILD_INFO',
  'REQUEST_JOB_INFO',
  'REQUEST_JOB_INFO_SINGLE',
  'REQUEST_JOB_USER_INFO',
  'REQUEST_JOB_STEP_INFO',
  'REQUEST_STEP_LAYOUT',
  'REQUEST_NODE_INFO',
  'REQUEST_NODE_INFO_SINGLE',
  'REQUEST_PARTITION_INFO',
  'REQUEST_RESERVATION_INFO',
]);

export function isRead(name: MessageName): boolean {
  return READS.has(name);
}
