/**
 * Who sees what, where PrivateData hides it: root, SlurmUser and operators all, coordinators what runs on their accounts, others their own.
 *
 * Source: `_hide_job_user_rec`, `job_alloc_info_ptr`, `_slurm_rpc_dump_nodes` of 20.11.9, 22.05.8, 24.11.5 and 26.05.3.
 */
import type { Job } from '../model/job.js';
import type { ControllerCall } from './handler.js';
import { maySignal } from './rights.js';

type Asker = Pick<ControllerCall, 'uid' | 'world' | 'own'>;

export function maySeeJob(asker: Asker, job: Job): boolean {
  return !isPrivate(asker.world.settings.privateData, 'jobs') || maySignal(asker, job);
}

/** Of these the whole table is denied to everybody else. */
export function maySeeTable(
  { uid, world: { users, settings } }: Asker,
  table: 'nodes' | 'partitions',
): boolean {
  return !isPrivate(settings.privateData, table) || users.isOperator(uid);
}

export function isPrivate(privateData: ReadonlySet<string>, what: string): boolean {
  return privateData.has(what) || privateData.has('all');
}
