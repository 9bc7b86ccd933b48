/**
 * How the daemons of each release refuse what they do not take, and whether they sign what they answer. Pure.
 *
 * Source: observed on live daemons of 20.11, 22.05, 24.11 and 26.05 (`docs/daemons.md`); the releases between as read in their sources.
 */
import { protocolOf, RELEASES, type Release } from '../protocol/release.js';

/** The daemons of an embedded cluster. */
export type DaemonKind = 'slurmctld' | 'slurmd';

/** Why a message is refused before anything is done with it. */
export type Rejection =
  /** A protocol that the daemon does not take. */
  | 'version'
  /** No credential, or one that is not good. */
  | 'credential'
  /** The digest is of another message, the body cannot be decoded, or nobody knows the message type. */
  | 'body'
  /** A message that the daemon knows but does not serve. */
  | 'not-served';

/** What the peer gets: nothing but the end of the connection, words of another protocol, or a number in some version. */
export type Refusal = 'close' | 'http' | { readonly rc: number; readonly release: Release };

/** SLURM_PROTOCOL_AUTHENTICATION_ERROR, SLURM_COMMUNICATIONS_RECEIVE_ERROR, EINVAL. */
const [AUTHENTICATION_ERROR, RECEIVE_ERROR, NOT_SERVED] = [1007, 5003, 22];

/** True when a daemon of this release takes messages in that protocol. */
export function accepts(own: Release, asked: Release): boolean {
  const row = RELEASES.find(({ release }) => release === own);
  const protocol = protocolOf(asked);
  return row !== undefined && protocol >= row.oldestAccepted && protocol <= row.protocol;
}

/**
 * How a daemon refuses.
 *
 * @param asked protocol of the request, as far as the daemon takes it.
 */
export function refusalOf(kind: DaemonKind, own: Release, why: Rejection, asked: Release): Refusal {
  const protocol = protocolOf(own);
  // Read from events rather than by a thread: slurmctld since 24.11, slurmd since 25.05. They say why.
  const speaks = protocol >= (kind === 'slurmctld' ? 42 : 43);
  switch (why) {
    case 'version':
      if (!speaks) return 'close';
      return protocol >= 44 ? 'http' : { rc: AUTHENTICATION_ERROR, release: own };
    case 'credential':
      if (!speaks) return 'close';
      return { rc: AUTHENTICATION_ERROR, release: kind === 'slurmctld' ? asked : own };
    case 'body':
      return kind === 'slurmctld' ? 'close' : { rc: RECEIVE_ERROR, release: asked };
    case 'not-served':
      return { rc: NOT_SERVED, release: asked };
  }
}

/** True when a daemon of this release puts a credential on its reply to a request in that protocol. */
export function signsReplies(own: Release, asked: Release): boolean {
  if (protocolOf(own) >= protocolOf('24.05')) return false;
  return protocolOf(own) < protocolOf('23.02') || protocolOf(asked) < protocolOf('23.02');
}
