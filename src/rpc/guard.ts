/**
 * What this library never sends, not even through `request()`. The pure codec can encode all of it, since recorders and
 * embedded clusters need it; here, at the door, it is refused.
 *
 * The checks read the packed bytes that are about to go out, not the caller's object, which could change in between.
 *
 * Source: observed on live daemons: a KILL_JOB without its id text crashes slurmctld (20.11, 22.05, 24.11, 26.05); flag 0x0002
 * makes the reply unreadable (22.05); neither slurmctld nor slurmd checks the range of a signal, and Slurm gives 253 and
 * 991 to 999 meanings of their own.
 */
import { decodeBody } from '../protocol/body.js';
import { HEADER_FLAGS } from '../protocol/header.js';
import { sendableKillBits } from '../protocol/kill-flags.js';
import type { MessageName } from '../protocol/messages/index.js';
import type { Release } from '../protocol/release.js';
import { SlurmUsageError } from '../protocol/slurm-error.js';
import { isUnixSignalNumber } from '../protocol/unix-signal.js';

/** Header flags a client may set: the others are internal to the daemons or change how the reply is framed. */
const SENDABLE_FLAGS = HEADER_FLAGS.SLURM_GLOBAL_AUTH_KEY | HEADER_FLAGS.USE_BCAST_NETWORK;

/**
 * Refuses a message that could harm a cluster.
 *
 * @throws SlurmUsageError `SLURMWIRE_UNSAFE_MESSAGE` naming the field and its value. Nothing was sent.
 */
export function refuseUnsafe(name: MessageName, release: Release, body: Uint8Array, flags: number): void {
  const refuse = (field: string, value: unknown, why: string): never => {
    throw new SlurmUsageError(`${name} is not sent: ${why}.`, {
      code: 'SLURMWIRE_UNSAFE_MESSAGE',
      field,
      value,
      rpc: name,
      protocol: release,
    });
  };
  if (!name.startsWith('REQUEST_')) refuse('message', name, 'only requests are sent to a daemon');
  // Compared as a number: `&` looks at 32 bits only, so 2^32 would pass for none.
  if (!Number.isInteger(flags) || flags < 0 || flags > 0xffff || (flags & ~SENDABLE_FLAGS) !== 0) {
    refuse(
      'flags',
      flags,
      `a client may set only the header flags 0x${SENDABLE_FLAGS.toString(16).padStart(4, '0')}`,
    );
  }
  if (name !== 'REQUEST_KILL_JOB' && name !== 'REQUEST_CANCEL_JOB_STEP') return;

  const { sjobId, signal, flags: killFlags } = decodeBody(name, release, body);
  if (name === 'REQUEST_KILL_JOB' && (sjobId === null || sjobId === '')) {
    refuse('sjobId', sjobId, 'without its id text it crashes slurmctld');
  }
  if (!isUnixSignalNumber(signal)) {
    refuse(
      'signal',
      signal,
      'the signal is not from 1 to 64, and Slurm gives numbers beyond meanings of their own',
    );
  }
  const foreign = killFlags & ~sendableKillBits(release);
  if (foreign !== 0) {
    refuse(
      'flags',
      killFlags,
      `the bits 0x${foreign.toString(16)} are slurmctld's own or not of protocol ${release}`,
    );
  }
}
