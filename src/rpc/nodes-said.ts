/** Names of nodes in what a controller says. */
import { expandHostlist } from '../config/index.js';
import { isSlurmError, SlurmProtocolError, showValue } from '../protocol/slurm-error.js';

/**
 * The nodes of a hostlist in a record of the controller's; none for `null`.
 *
 * @throws SlurmProtocolError `SLURMWIRE_BAD_TEXT` for what is no hostlist, or one of more nodes than any cluster has: the caller did not write
 * it, so it is no usage error. Records are looked at before anything is sent: `not-sent`.
 */
export function nodesSaid(text: string | null): string[] {
  try {
    return expandHostlist(text ?? '');
  } catch (cause) {
    if (!isSlurmError(cause)) throw cause;
    throw unreadable('nodes', `the controller's list of nodes cannot be read: ${cause.summary}`, cause);
  }
}

/** One node, such as the batch host. @throws SlurmProtocolError as {@link nodesSaid}, for several too. */
export function nodeSaid(text: string, fieldPath: string): string {
  const [node, ...more] = nodesSaid(text);
  if (node === undefined || more.length > 0)
    throw unreadable(fieldPath, `the controller names ${showValue(text)} where one node should be.`);
  return node;
}

function unreadable(fieldPath: string, summary: string, cause?: unknown): SlurmProtocolError {
  const details = {
    code: 'SLURMWIRE_BAD_TEXT',
    errno: 'EPROTO',
    outcome: 'not-sent',
    phase: 'decode',
  } as const;
  return new SlurmProtocolError(summary, { ...details, fieldPath, cause });
}
