/** Who may do what to whose job. */
import type { Job } from '../model/job.js';
import { type ControllerCall, since } from './handler.js';

type Caller = Pick<ControllerCall, 'uid' | 'world' | 'own'>;

/** The owner, root, SlurmUser, operators, and coordinators of the job's account. */
export function maySignal({ uid, world: { users } }: Caller, job: Job): boolean {
  return job.user.uid === uid || users.isOperator(uid) || users.isCoordinator(uid, job.spec.account);
}

/** The owner, root and SlurmUser; since 25.05 all who may signal the job. */
export function maySignalStep(caller: Caller, job: Job): boolean {
  const { uid, world } = caller;
  return since(caller, '25.05') ? maySignal(caller, job) : job.user.uid === uid || world.users.isSuper(uid);
}

/** Operators; since 24.05 coordinators too, since 26.05 the owner. */
export function maySuspend(caller: Caller, job: Job): boolean {
  const {
    uid,
    world: { users },
  } = caller;
  if (users.isOperator(uid)) return true;
  if (since(caller, '24.05') && users.isCoordinator(uid, job.spec.account)) return true;
  return since(caller, '26.05') && job.user.uid === uid;
}
