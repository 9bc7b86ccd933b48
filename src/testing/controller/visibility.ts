/**
 * Who sees what, where PrivateData hides it: root, SlurmUser and operators all, coordinators what runs on their accounts, others their own.
 *
 * Source: `_hide_job_user_rec`, `job_alloc_info_ptr`, `_slurm_rpc_dump_nodes` of 20.11.9, 22.05.8, 24.11.5 and 26.05.3.
 */
import type { Job } from '../model/job.js';
import type { ControllerCall } from './handler.js';

type Asker = Pick<ControllerCall, 'uid' | 'world'>;

/** ESLURM_ACCESS_DENIED. */
export const ACCESS_DENIED = 2002;

export function maySeeJob({ uid, world: { users, settings } }: Asker, { user, spec }: Job): boolean {
  if (!isPrivate(settings.privateData, 'jobs')) return true;
  return user.uid === uid || users.isOperator(uid) || users.isCoordinator(uid, spec.account);
}

/** Of these the whole table is denied to everybody else. */
export function maySeeTable(
  { uid, world: { users, settings } }: Asker,
  table: 'nodes' | 'partitions',
): boolean {
  return !isPrivate(settings.privateData, table) || users.isOperator(uid);
}

function isPrivate(privateData: ReadonlySet<string>, what: string): boolean {
  return privateData.has(what) || privateData.has('all');
}
