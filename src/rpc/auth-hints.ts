/** What may be wrong with a credential that a daemon refused, by the method that made it. */

const REFUSED: Readonly<Record<string, string>> = {
  'auth/munge': 'Same munge key and clocks on both hosts?',
  'auth/jwt':
    "Is auth/jwt in the controllers' AuthAltTypes, is the token signed with their key, does its user exist there, and do the clocks agree?",
  'auth/slurm':
    "Is the cluster's AuthType auth/slurm? Same slurm.key (or slurm.jwks) and clocks on both hosts?",
};

const SUSPECTED: Readonly<Record<string, string>> = {
  'auth/munge': 'another munge key, clocks apart, a uid restriction that is not its own, a replay',
  'auth/jwt':
    'auth/jwt is not in its AuthAltTypes, a token of another key or for no user of its host, clocks apart',
  'auth/slurm': 'another slurm.key, another AuthType, clocks apart, a uid restriction that is not its own',
};

/** A sentence or two for the daemon's refusal of a credential. */
export function refusedHint(method: string, restrictUid: number | null): string {
  const hint =
    REFUSED[method] ?? `Does the daemon take ${method}, with the same keys and clocks on both hosts?`;
  // A token is for anybody who takes it.
  return restrictUid === null || method === 'auth/jwt'
    ? hint
    : `${hint} The credential was for uid ${restrictUid} only.`;
}

/** The same as a suspicion, where the daemon says nothing. */
export function suspectedCredential(method: string): string {
  return `it refused the credential (${SUSPECTED[method] ?? `made by ${method}`})`;
}
