/**
 * What this library never sends, not even through `request()`. The pure codec can encode all of it, since recorders and
 * embedded clusters need it; here, at the door, it is refused.
 *
 * The checks read the packed bytes that are about to go out, not the caller's object, which could change in between.
 *
 * Source: observed on live daemons: a KILL_JOB without its id text crashes slurmctld (20.11, 22.05, 24.11, 26.05); flag 0x0002
 * makes the reply unreadable (22.05); neither slurmctld nor slurmd checks the range of a signal, and Slurm gives 253 and
 * 991 to 999 meanings of their own. A KILL_JOBS that comes to check whether an unprivileged caller may signal somebody else's job hangs
 * a slurmctld without accounting storage, and one with the id text `N+K` signals job number N + K whatever that is (24.11, 26.05). A slurmd
 * does not ask slurmctld about the orders that come from it (read in 20.11 to 26.05).
 */
import { decodeBody } from '../protocol/body.js';
import { HEADER_FLAGS } from '../protocol/header.js';
import { KILL_FLAGS, sendableKillBits } from '../protocol/kill-flags.js';
import type { MessageName, MessageRecord } from '../protocol/messages/index.js';
import { SUSPEND_OPS } from '../protocol/messages/suspend.js';
import type { Release } from '../protocol/release.js';
import { SlurmUsageError } from '../protocol/slurm-error.js';
import { isUnixSignalNumber } from '../protocol/unix-signal.js';
import { certainUid, type Identity, isPrivileged, ownIdentity } from './kill-jobs-identity.js';

/** Header flags a client may set: the others are internal to the daemons or change how the reply is framed. */
const SENDABLE_FLAGS = HEADER_FLAGS.SLURM_GLOBAL_AUTH_KEY | HEADER_FLAGS.USE_BCAST_NETWORK;

/** What slurmctld tells its slurmds. They take it from root and SlurmUser too, and end or stop a job behind slurmctld's back. */
const BETWEEN_DAEMONS: ReadonlySet<MessageName> = new Set<MessageName>([
  'REQUEST_TERMINATE_JOB',
  'REQUEST_ABORT_JOB',
  'REQUEST_KILL_TIMELIMIT',
  'REQUEST_KILL_PREEMPTED',
  'REQUEST_SUSPEND_INT',
]);

/**
 * Refuses a message that could harm a cluster.
 *
 * @param identity who asks; default: this process, SlurmUser not known.
 * @throws SlurmUsageError `SLURMWIRE_UNSAFE_MESSAGE` naming the field and its value. Nothing was sent.
 */
export function refuseUnsafe(
  name: MessageName,
  release: Release,
  body: Uint8Array,
  flags: number,
  identity: Identity = ownIdentity(null),
): void {
  const refuse: Refuse = (field, value, why) => {
    throw new SlurmUsageError(`${name} is not sent: ${why}.`, {
      code: 'SLURMWIRE_UNSAFE_MESSAGE',
      field,
      value,
      rpc: name,
      protocol: release,
    });
  };
  if (!name.startsWith('REQUEST_')) refuse('message', name, 'only requests are sent to a daemon');
  if (BETWEEN_DAEMONS.has(name))
    refuse(
      'message',
      name,
      'a slurmd takes it for an order of slurmctld, which then has another idea of the job',
    );
  // Compared as a number: `&` looks at 32 bits only, so 2^32 would pass for none.
  if (!Number.isInteger(flags) || flags < 0 || flags > 0xffff || (flags & ~SENDABLE_FLAGS) !== 0) {
    refuse(
      'flags',
      flags,
      `a client may set only the header flags 0x${SENDABLE_FLAGS.toString(16).padStart(4, '0')}`,
    );
  }
  if (name === 'REQUEST_SUSPEND') {
    const { op } = decodeBody(name, release, body);
    // Observed on 22.05, 24.11, 26.05: any other is answered with success, and nothing is done.
    if (op !== SUSPEND_OPS.SUSPEND_JOB && op !== SUSPEND_OPS.RESUME_JOB) {
      refuse(
        'op',
        op,
        'it is neither 0 (suspend) nor 1 (resume), which slurmctld answers with success all the same',
      );
    }
  }
  switch (name) {
    case 'REQUEST_KILL_JOB':
    case 'REQUEST_CANCEL_JOB_STEP': {
      const { sjobId, signal, flags: killFlags } = decodeBody(name, release, body);
      if (name === 'REQUEST_KILL_JOB' && (sjobId === null || sjobId === '')) {
        refuse('sjobId', sjobId, 'without its id text it crashes slurmctld');
      }
      checkSignal(signal, refuse);
      checkKillFlags(killFlags, release, refuse);
      return;
    }
    case 'REQUEST_KILL_JOBS': {
      const record = decodeBody(name, release, body);
      checkSignal(record.signal, refuse);
      checkKillFlags(record.flags, release, refuse);
      checkKillJobs(record, identity, refuse);
      return;
    }
    case 'REQUEST_SIGNAL_TASKS':
    case 'REQUEST_TERMINATE_TASKS': {
      const { signal, flags: killFlags } = decodeBody(name, release, body);
      // slurmd does not look at the signal of a TERMINATE_TASKS; libslurm sends 0xffff.
      if (name === 'REQUEST_SIGNAL_TASKS' || signal !== 0xffff) checkSignal(signal, refuse);
      checkKillFlags(killFlags, release, refuse);
      return;
    }
    default:
      return;
  }
}

/** Throws. */
type Refuse = (field: string, value: unknown, why: string) => never;

/** What an unprivileged KILL_JOBS may reach is only what its caller owns: at somebody else's job a slurmctld may hang for good. */
function checkKillJobs(record: MessageRecord<'REQUEST_KILL_JOBS'>, identity: Identity, refuse: Refuse): void {
  const { flags, jobsArray, userName, userId } = record;
  if ((flags & KILL_FLAGS.KILL_JOBS_VERBOSE.bit) === 0) {
    refuse(
      'flags',
      flags,
      'without KILL_JOBS_VERBOSE its answer does not tell all is well from nothing done',
    );
  }
  for (const id of jobsArray) {
    if (id === null || id === '') refuse('jobsArray', id, 'an id text is missing');
    if (id.includes('+')) {
      refuse('jobsArray', id, 'here slurmctld adds the numbers of N+K up and signals the job of that number');
    }
    if (id.includes('.')) refuse('jobsArray', id, 'the step is not heeded: the whole job would be signalled');
  }
  if (isPrivileged(identity)) return;
  const own = certainUid(identity);
  if (own === null) {
    refuse(
      'userId',
      userId,
      "it is not known for certain which user the caller is to the cluster, and somebody else's job can hang slurmctld",
    );
  }
  const why = `a caller who is neither root nor SlurmUser must limit it to own jobs (userName and userId ${own}): somebody else's can hang slurmctld`;
  if (userName === null) refuse('userName', userName, why);
  if (userId !== own) refuse('userId', userId, why);
}

function checkSignal(signal: number, refuse: Refuse): void {
  if (!isUnixSignalNumber(signal)) {
    refuse(
      'signal',
      signal,
      'the signal is not from 1 to 64, and Slurm gives numbers beyond meanings of their own',
    );
  }
}

function checkKillFlags(killFlags: number, release: Release, refuse: Refuse): void {
  const foreign = killFlags & ~sendableKillBits(release);
  if (foreign !== 0) {
    refuse(
      'flags',
      killFlags,
      `the bits 0x${foreign.toString(16)} are slurmctld's own or not of protocol ${release}`,
    );
  }
}
