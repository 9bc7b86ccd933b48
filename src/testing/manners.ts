/**
 * How the daemons of each release refuse what they do not take, and whether they sign what they answer. Pure.
 *
 * Source: observed on live daemons of 20.11, 22.05, 24.11 and 26.05 (`docs/daemons.md`, `test/live/wire-manners.test.ts`); the releases
 * between as read in their sources.
 */
import { isAtLeast, protocolOf, RELEASES, type Release } from '../protocol/release.js';

/** The daemons of an embedded cluster. */
export type DaemonKind = 'slurmctld' | 'slurmd';

/** Why a message is refused before anything is done with it. */
export type Rejection =
  /** Its length word is below that of any message, or above 1 GiB. */
  | 'too-short'
  | 'too-long'
  /** A protocol that the daemon does not take. */
  | 'version'
  /** The header ends early, or does not fit together. */
  | 'header'
  /** The authentication section is not there, cannot be read, or is another method's than the cluster's. */
  | 'auth-section'
  /** The header says that there is no credential. */
  | 'no-credential'
  /** A credential that is not good. */
  | 'credential'
  /** The digest is of another message, the body cannot be decoded, or nobody knows the message type. */
  | 'body'
  /** A message that the daemon knows but does not serve. */
  | 'not-served';

/** What the peer gets: nothing but the end of the connection, words of another protocol, or a number in some version. */
export type Refusal = 'close' | 'http' | { readonly rc: number; readonly release: Release };

/** SLURM_PROTOCOL_AUTHENTICATION_ERROR, ESLURM_PROTOCOL_INCOMPLETE_PACKET, EINVAL. */
const [AUTHENTICATION_ERROR, INCOMPLETE_PACKET, NOT_SERVED] = [1007, 5003, 22];

/** True when a daemon of this release takes messages in that protocol. */
export function accepts(own: Release, asked: Release): boolean {
  const row = RELEASES.find(({ release }) => release === own);
  const protocol = protocolOf(asked);
  return row !== undefined && protocol >= row.oldestAccepted && protocol <= row.protocol;
}

/** True for daemons that look at the first eight bytes and take what is no message of theirs for HTTP. */
export function speaksHttp(own: Release): boolean {
  return isAtLeast(own, '25.11');
}

/**
 * How a daemon refuses.
 *
 * @param asked protocol of the request, as far as the daemon takes it.
 */
export function refusalOf(kind: DaemonKind, own: Release, why: Rejection, asked: Release): Refusal {
  // Read from events rather than by a thread: slurmctld since 24.11, slurmd since 25.05. They say why.
  const speaks = isAtLeast(own, kind === 'slurmctld' ? '24.11' : '25.05');
  // What is undecodable before the body is told up to 25.11 only.
  const tells = speaks && !isAtLeast(own, '26.05');
  const refused = (release: Release) => ({ rc: AUTHENTICATION_ERROR, release });
  switch (why) {
    case 'too-long':
      return speaksHttp(own) ? 'http' : 'close';
    case 'too-short':
    case 'version':
      if (speaksHttp(own)) return 'http';
      return speaks ? refused(own) : 'close';
    case 'header':
      return tells ? refused(own) : 'close';
    case 'auth-section':
      return tells ? refused(kind === 'slurmctld' ? asked : own) : 'close';
    case 'no-credential':
      return speaks ? refused(asked) : 'close';
    case 'credential':
      return speaks ? refused(kind === 'slurmctld' ? asked : own) : 'close';
    case 'body':
      return kind === 'slurmctld' ? 'close' : { rc: INCOMPLETE_PACKET, release: asked };
    case 'not-served':
      return { rc: NOT_SERVED, release: asked };
  }
}

/** True when a daemon of this release puts a credential on its reply to a request in that protocol. */
export function signsReplies(own: Release, asked: Release, name: string): boolean {
  // A slurmd answers a ping by another way than everything else.
  if (name === 'RESPONSE_PING_SLURMD') return true;
  if (isAtLeast(own, '24.05')) return false;
  return !isAtLeast(own, '23.02') || !isAtLeast(asked, '23.02');
}
