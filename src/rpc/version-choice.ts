/**
 * Which protocol version to try next with a daemon, and when to stop. Pure: what was tried and answered in, the next step out.
 *
 * Slurm negotiates nothing. A daemon takes its own version and two or three older ones, never a newer one, and says no more about it than
 * this (observed: 20.11, 22.05, 24.11, 26.05; read: the others):
 *
 * - accepted: it answers in the version it was asked in, and tells its exact release when asked for its configuration;
 * - 24.11, 25.05, some 25.11: 1007 in the header version of its own, which is the newest it takes;
 * - 20.11 to 24.05: it closes without a word, as it does for a credential it does not like;
 * - 25.11 and newer: what is no RPC of a version it takes is handed to its HTTP parser, which answers in HTTP or closes.
 *
 * So each answer narrows down which releases the daemon can be of. The next try is the version that most of those take, the newest of them
 * where several do: 25.05, then 23.02, then 20.11 for a daemon of which nothing is known, three tries at most for any release in the table,
 * a fourth for a newer one; one more where a hint has led astray.
 */
import { RELEASES, type Release, releaseNamed } from '../protocol/release.js';

/** What a daemon answered to one try. */
export type VersionAnswer =
  /** In the version of the request; `daemon` is its release in its own words (`'24.11.5'`), where it said so. */
  | { readonly kind: 'accepted'; readonly daemon: string | null }
  /** A refusal in a version of its own; `null` for one this library does not speak. */
  | { readonly kind: 'own-version'; readonly release: Release | null }
  /** An HTTP answer. */
  | { readonly kind: 'http' }
  /** The connection was closed without a word. */
  | { readonly kind: 'closed' };

export interface VersionTry {
  readonly release: Release;
  readonly answer: VersionAnswer;
}

export type VersionStep =
  | { readonly step: 'try'; readonly release: Release }
  /** `isNewest`: the daemon does not speak a newer version that this library speaks too; false where it did not tell. */
  | { readonly step: 'use'; readonly release: Release; readonly isNewest: boolean }
  /**
   * - `version`: the daemon speaks none of ours: it said so itself.
   * - `credential`: it closed on every version that any release takes. A Slurm daemon from 20.11 on does that only for a credential it refuses.
   */
  | { readonly step: 'give-up'; readonly because: 'version' | 'credential' };

/**
 * @param tries what was tried with this daemon, in order.
 * @param hint what it spoke when it was last asked, or what its neighbours speak: tried first.
 * @param since no version older than this is tried: the way to authenticate does not exist in it, nor in a daemon that speaks nothing newer.
 */
export function nextVersion(
  tries: readonly VersionTry[],
  hint: Release | null = null,
  since: Release = RELEASES[0].release,
): VersionStep {
  const accepted = tries.find(({ answer }) => answer.kind === 'accepted');
  if (accepted !== undefined) return useNewest(accepted);
  if (tries.length === 0 && hint !== null) return { step: 'try', release: hint };

  const untried = ({ release }: { readonly release: Release }) =>
    tries.every((one) => one.release !== release);
  const own = tries.map(({ answer }) => (answer.kind === 'own-version' ? answer.release : undefined));
  const told = own.findLast((release) => release !== undefined && release !== null);
  if (told !== undefined && told !== null) {
    // It named its own version, and refuses that too: nothing it says about versions can be gone by.
    return untried({ release: told })
      ? { step: 'try', release: told }
      : { step: 'give-up', because: 'version' };
  }
  const known = RELEASES.filter(({ protocol }) => protocol >= rowOf(since).protocol);
  const possible = known.filter((daemon) => tries.every((one) => fits(daemon, one)));
  const [best] = known
    .filter(untried)
    .map((row) => ({ row, count: possible.filter((daemon) => takes(daemon, row)).length }))
    .sort((a, b) => b.count - a.count || b.row.protocol - a.row.protocol);
  if (best !== undefined && best.count > 0) return { step: 'try', release: best.row.release };
  // A daemon newer than the table takes our newest version, if any.
  const newest = RELEASES.at(-1) as Row;
  if (untried(newest)) return { step: 'try', release: newest.release };
  const isForeign = own.includes(null) || tries.some(({ answer }) => answer.kind === 'http');
  return { step: 'give-up', because: isForeign ? 'version' : 'credential' };
}

type Row = (typeof RELEASES)[number];

/** Any accepted version carries everything Slurm has; the newest that both speak has the better digest and the newer requests. */
function useNewest({ release, answer }: VersionTry): VersionStep {
  const own = answer.kind === 'accepted' ? newestOf(answer.daemon) : null;
  if (own === null) return { step: 'use', release, isNewest: false };
  // What it says of itself is not followed to a version older than the one it has just answered in.
  return { step: 'use', release: newer(own, release), isNewest: true };
}

/**
 * The newest version that a daemon takes which says this of itself (`'24.11.5'`), of those in the table; `null` where it does not tell, or is
 * older. A daemon takes everything from its oldest version to its own, so one newer than the table takes the newest of the table.
 */
export function newestOf(daemon: string | null): Release | null {
  const name = /^(\d{2}\.\d{2})(?:\D|$)/.exec(daemon ?? '')?.[1];
  const newest = (RELEASES.at(-1) as Row).release;
  return name !== undefined && name > newest ? newest : releaseNamed(name);
}

function newer(a: Release, b: Release): Release {
  return rowOf(a).protocol >= rowOf(b).protocol ? a : b;
}

/**
 * The version for a message to slurmds: the oldest of what these speak, and never one that the controller does not take.
 *
 * A cluster's slurmds are of releases that its controller takes, and what a release takes at the oldest never gets older from release to release. So
 * the oldest version that the controller takes is one that all its slurmds take, as is any between that and the oldest of theirs.
 *
 * @param controller what is spoken with the controller.
 * @param slurmds what each of them spoke when it was last heard of; `null` for one of which nothing is known.
 * @param since the first version that has the way to authenticate, which all daemons of the cluster then know.
 */
export function slurmdVersion(
  controller: Release,
  slurmds: readonly (Release | null)[],
  since?: Release,
): Release {
  const oldest = slurmds.reduce<Release>(
    (least, one) => (one === null || newer(one, least) === one ? least : one),
    controller,
  );
  return newer(oldest, oldestForSlurmds(controller, since));
}

/** A version that all slurmds of a controller take. */
export function oldestForSlurmds(controller: Release, since: Release = RELEASES[0].release): Release {
  return newer(oldestTaken(controller), since);
}

function rowOf(release: Release): Row {
  return RELEASES.find((row) => row.release === release) as Row;
}

function takes(daemon: Row, { protocol }: Row): boolean {
  return protocol >= daemon.oldestAccepted && protocol <= daemon.protocol;
}

/** Whether a daemon of this release can have answered so. */
function fits(daemon: Row, { release, answer }: VersionTry): boolean {
  // An answer in a version that is not in the table is that of a newer daemon.
  if (takes(daemon, rowOf(release)) || answer.kind === 'own-version') return false;
  return answer.kind !== 'http' || daemon.protocol >= FIRST_WITH_HTTP.protocol;
}

const FIRST_WITH_HTTP = rowOf('25.11');

/** The oldest version that daemons of this release take, of those in the table. */
export function oldestTaken(release: Release): Release {
  const { oldestAccepted } = rowOf(release);
  return (RELEASES.find(({ protocol }) => protocol >= oldestAccepted) as Row).release;
}

/**
 * Whether a daemon can have looked at a message of another version.
 *
 * @param found the version found with it, and whether that is its own.
 */
export function mayTake(
  { release, isNewest }: { readonly release: Release; readonly isNewest: boolean },
  other: Release,
): boolean {
  const found = rowOf(release);
  const possible = isNewest ? [found] : RELEASES.filter((daemon) => takes(daemon, found));
  return possible.some((daemon) => takes(daemon, rowOf(other)));
}
