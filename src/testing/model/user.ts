/** Who uses an embedded cluster. Nobody of them need exist on this machine. */
export interface ClusterUser {
  readonly name: string;
  readonly uid: number;
  /** Default: the uid. */
  readonly gid: number;
  /** May see and signal everybody's jobs, as AdminLevel in Slurm's accounting. Default `None`. */
  readonly adminLevel?: 'None' | 'Operator' | 'Administrator' | undefined;
  /** Accounts it is coordinator of. */
  readonly coordinates?: readonly string[] | undefined;
}

export class Users {
  readonly #all: readonly ClusterUser[];
  readonly slurmUser: ClusterUser;

  constructor(all: readonly ClusterUser[], slurmUser: ClusterUser) {
    this.#all = all;
    this.slurmUser = slurmUser;
  }

  get all(): readonly ClusterUser[] {
    return this.#all;
  }

  named(name: string): ClusterUser | null {
    return this.#all.find((user) => user.name === name) ?? null;
  }

  /** Anybody may come with a credential: a uid that is not listed is a user without a name. */
  numbered(uid: number, gid = uid): ClusterUser {
    return this.#all.find((user) => user.uid === uid) ?? { name: `${uid}`, uid, gid };
  }

  /** root and SlurmUser. */
  isSuper(uid: number): boolean {
    return uid === 0 || uid === this.slurmUser.uid;
  }

  /** Those and AdminLevel Operator or more (`validate_operator`). */
  isOperator(uid: number): boolean {
    const level = this.numbered(uid).adminLevel ?? 'None';
    return this.isSuper(uid) || level !== 'None';
  }

  isCoordinator(uid: number, account: string | null): boolean {
    return account !== null && (this.numbered(uid).coordinates?.includes(account) ?? false);
  }
}
