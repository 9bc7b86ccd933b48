/** Who the cluster takes the caller for, and what that user may do. */
import { userInfo } from 'node:os';
import type { SlurmConfig } from '../../config/index.js';
import { ownIdentity } from '../../rpc/kill-jobs-identity.js';
import type { InCharge } from './controllers.js';
import type { Credentials } from './credentials.js';
import { type Finding, finding } from './finding.js';
import type { RefusalFacts } from './refusals.js';

export interface Caller {
  readonly finding: Finding;
  readonly rank: RefusalFacts['rank'];
}

/** Pure but for this process's own user. */
export function describeCaller(
  { method, owner }: Credentials,
  config: SlurmConfig | null,
  inCharge: InCharge | null,
): Caller {
  const slurmUser = slurmUserOf(config, inCharge);
  // Of a token only the name is certain; else it is the uid in the credential, or that of this process.
  const isToken = method === 'auth/jwt';
  const uid = isToken ? null : (owner.uid ?? ownIdentity(null).uid);
  const name = isToken ? owner.name : uid === process.geteuid?.() ? ownName() : null;
  const rank = rankOf(uid, isToken ? name : null, slurmUser);
  const who = [name, uid === null ? null : `uid ${uid}`].filter((part) => part !== null);
  const shown = who.length === 2 ? `${who[0]} (${who[1]})` : (who[0] ?? 'somebody this host cannot name');
  const details = { uid, name, rank, slurmUser };
  return {
    finding: finding('identity', 'ok', `You are ${shown}: ${RANKS[rank ?? 'unknown']}.`, { details }),
    rank,
  };
}

const RANKS: Readonly<Record<NonNullable<Caller['rank']> | 'unknown', string>> = {
  root: 'root may signal every job',
  SlurmUser: 'that is SlurmUser, who may signal every job',
  user: 'an ordinary user, as far as can be told; whether an operator or coordinator only the controller knows',
  unknown: 'what you may do only the controller knows',
};

interface User {
  readonly uid: number | null;
  readonly name: string | null;
}

/** What the controller says goes before slurm.conf, whose name this host may take for another uid. */
function slurmUserOf(config: SlurmConfig | null, inCharge: InCharge | null): User {
  const { slurmUserId, slurmUserName } = inCharge?.told ?? {};
  if (slurmUserId !== undefined) return { uid: slurmUserId, name: slurmUserName ?? null };
  return { uid: config?.slurmUser.uid ?? null, name: config?.slurmUser.name ?? null };
}

function rankOf(uid: number | null, name: string | null, slurmUser: User): Caller['rank'] {
  if (uid === null && name === null) return null;
  if (uid === 0 || name === 'root') return 'root';
  const isSlurmUser = uid === null ? name === slurmUser.name : uid === slurmUser.uid;
  if (isSlurmUser) return 'SlurmUser';
  return slurmUser.uid === null && slurmUser.name === null ? null : 'user';
}

function ownName(): string | null {
  try {
    return userInfo().username;
  } catch {
    return null; // a uid without a name, as in containers
  }
}
