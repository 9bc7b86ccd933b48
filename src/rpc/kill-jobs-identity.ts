/** Who asks, as the controller will see it: REQUEST_KILL_JOBS is safe only for those who may signal everybody's jobs, or for own jobs. */
import { readFileSync } from 'node:fs';

/** Whose credential a request will carry. */
export interface Identity {
  /** Effective uid; `null` where it is not known what the cluster will take it for. */
  readonly uid: number | null;
  /** Uid that slurmctld runs as, `null` where it is not known. */
  readonly slurmUser: number | null;
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

/** True for root and SlurmUser: slurmctld asks nothing more of them. Operators of the accounting database are not known here. */
export function isPrivileged({ uid, slurmUser }: Identity): boolean {
  return uid !== null && (uid === 0 || uid === slurmUser);
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
