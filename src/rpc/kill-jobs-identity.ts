/** Who asks, as the controller will see it: REQUEST_KILL_JOBS is safe only for those who may signal everybody's jobs, or for own jobs. */
import { readFileSync } from 'node:fs';
import type { AuthIdentity } from '../protocol/authenticator.js';

/** Whose credential a request will carry. */
export interface Identity {
  /** Effective uid; `null` where it is not known what the cluster will take it for. */
  readonly uid: number | null;
  /** Uid that slurmctld runs as, `null` where it is not known. */
  readonly slurmUser: number | null;
  /** User name where the credential is not of this process's own user; `null`: not known. */
  readonly name?: string | null;
  /**
   * True where `uid` is what this host has for `name`, and the cluster may have another: good enough for choosing jobs, each of which the controller
   * still judges, and not for KILL_JOBS.
   */
  readonly isGuess?: boolean;
}

/**
 * This process's identity, read anew each time: programs change their uid.
 *
 * Inside a user namespace a process sees other uids than munged does outside (a container's root is an ordinary user there), so
 * there the uid is not known.
 */
export function ownIdentity(slurmUser: number | null): Identity {
  const uid = process.geteuid?.() ?? null;
  return { uid: seesRealUids() ? uid : null, slurmUser };
}

/** The user that slurmctld runs as, as far as it is known. */
export interface SlurmUser {
  readonly uid: number | null;
  readonly name: string | undefined;
}

/**
 * The identity that an authenticator tells of. A name alone is certain for root, and for SlurmUser by slurm.conf's own name for it: the
 * controller looks both up as it looks up the credential's. Any other is looked up on this host.
 *
 * @param lookUp the uid of a name on this host, `null` where it has none.
 */
export async function identityFrom(
  { uid, name }: AuthIdentity,
  slurmUser: SlurmUser,
  lookUp: (name: string) => Promise<number | null>,
): Promise<Identity> {
  const told = { slurmUser: slurmUser.uid, name };
  // An authenticator of the caller may say anything.
  if (typeof uid === 'number' && Number.isInteger(uid)) return { ...told, uid };
  if (typeof name !== 'string') return { ...told, uid: null };
  if (name === 'root') return { ...told, uid: 0 };
  if (name === slurmUser.name && slurmUser.uid !== null) return { ...told, uid: slurmUser.uid };
  return { ...told, uid: await lookUp(name), isGuess: true };
}

/** True for root and SlurmUser: slurmctld asks nothing more of them. Operators of the accounting database are not known here. */
export function isPrivileged(identity: Identity): boolean {
  const uid = certainUid(identity);
  return uid !== null && (uid === 0 || uid === identity.slurmUser);
}

/** The uid that the controller has for certain. */
export function certainUid({ uid, isGuess }: Identity): number | null {
  return isGuess === true ? null : uid;
}

/** Whether a job is the caller's own: by the name that the controller has for its owner where the uid is only this host's. `null`: not known. */
export function isOwn(
  { uid, name = null, isGuess }: Identity,
  job: { readonly userId: number; readonly userName: string | null },
): boolean | null {
  if (isGuess === true && job.userName !== null) return job.userName === name;
  return uid === null ? null : uid === job.userId;
}

/** True where this process's uids are those of the system. Only Linux has user namespaces. */
function seesRealUids(): boolean {
  if (process.platform !== 'linux') return true;
  try {
    return isWholeUidMap(readFileSync('/proc/self/uid_map', 'utf8'));
  } catch {
    return false; // nothing is told, so nothing is believed
  }
}

/** True for the map of the first user namespace: every uid is itself. */
export function isWholeUidMap(map: string): boolean {
  return /^\s*0\s+0\s+4294967295\s*$/.test(map);
}
