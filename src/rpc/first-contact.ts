/**
 * The first thing that is said to a daemon: a harmless question, asked before anything that has an effect.
 *
 * Releases up to 24.05 close without a word for a version they do not speak and for a credential they do not like. Asked first, such trouble
 * shows while the request proper is `not-sent`. Where the version is not given, this is also how it is found: `version-choice.ts`.
 */
import type { Authenticator, CallContext } from '../protocol/authenticator.js';
import { errorMeaning, errorNumber, signedReturnCode } from '../protocol/error-meaning.js';
import { RELEASE_NAMES, type Release } from '../protocol/release.js';
import {
  isSlurmError,
  SlurmAuthError,
  type SlurmError,
  SlurmProtocolVersionError,
} from '../protocol/slurm-error.js';
import { type Endpoint, showEndpoint } from '../protocol/transport.js';
import { refusedHint } from './auth-hints.js';
import { type ClusterFacts, factsOf } from './cluster-facts.js';
import type { Reply } from './reply.js';
import { nextVersion, type VersionAnswer, type VersionTry } from './version-choice.js';

/** A daemon that took a credential of ours, and how to speak to it. */
export interface Contact {
  readonly release: Release;
  /** False where the daemon did not tell its release: it may speak a newer version too. */
  readonly isNewest: boolean;
  /** Its release in its own words, `'24.11.5'`; `null` where it was not asked or did not tell. */
  readonly version: string | null;
  /** What it answered, where that was that another controller is in charge. */
  readonly standby: Reply | null;
  /** What it told of the cluster on the way. */
  readonly facts: ClusterFacts | null;
}

/** Asks one harmless question in a version. */
export type Probe = (message: 'REQUEST_PING' | 'REQUEST_BUILD_INFO', release: Release) => Promise<Reply>;

/** Contact in a version that is given: a PING. */
export async function greet(probe: Probe, release: Release): Promise<Contact> {
  const reply = await probe('REQUEST_PING', release);
  return { release, isNewest: true, version: null, standby: isStandby(reply) ? reply : null, facts: null };
}

/**
 * Contact in the newest version that both speak: the controller is asked for its configuration, in which it tells its release.
 *
 * @param hint the version to try first.
 * @param auth how to prove who we are: what it suits, and what may be wrong with it.
 * @throws SlurmAuthError where no version was answered, SlurmProtocolVersionError where the controller speaks none of ours; else what the
 * exchange threw.
 */
export async function findVersion(
  probe: Probe,
  endpoint: Endpoint,
  hint: Release | null,
  { name, since }: Pick<Authenticator, 'name' | 'since'>,
  context: CallContext,
): Promise<Contact> {
  const tries: (VersionTry & { readonly error: SlurmError | null })[] = [];
  let reply: Reply | undefined;
  for (;;) {
    const next = nextVersion(tries, hint, since);
    if (next.step === 'give-up') throw noVersion(next.because, endpoint, tries, { name, since });
    const { release } = next;
    if (next.step === 'use') {
      const told = reply?.name === 'RESPONSE_BUILD_INFO' ? reply.record : null;
      return {
        release,
        isNewest: next.isNewest,
        version: told?.version ?? null,
        standby: reply !== undefined && isStandby(reply) ? reply : null,
        facts: told === null ? null : factsOf(told),
      };
    }
    try {
      reply = await probe('REQUEST_BUILD_INFO', release);
      const daemon = reply.name === 'RESPONSE_BUILD_INFO' ? reply.record.version : null;
      tries.push({ release, answer: { kind: 'accepted', daemon }, error: null });
    } catch (error) {
      const answer = isSlurmError(error) && !context.signal.aborted ? answerIn(error) : null;
      if (answer === null) throw error;
      tries.push({ release, answer, error: error as SlurmError });
    }
  }
}

/** What a failed try says about versions; `null` where it says nothing. */
function answerIn(error: SlurmError): VersionAnswer | null {
  if (error.code === 'SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT') return { kind: 'closed' };
  if (!(error instanceof SlurmProtocolVersionError)) return null;
  switch (error.answerKind) {
    case 'http':
      return { kind: 'http' };
    case 'own-version':
      return { kind: 'own-version', release: (error.peerProtocol ?? null) as Release | null };
    default:
      return null;
  }
}

function noVersion(
  because: 'version' | 'credential',
  endpoint: Endpoint,
  tries: readonly (VersionTry & { readonly error: SlurmError | null })[],
  { name: method, since }: Pick<Authenticator, 'name' | 'since'>,
): SlurmError {
  const peer = showEndpoint(endpoint);
  const tried = tries.map(({ release }) => release);
  const place = { peer, rpc: 'REQUEST_BUILD_INFO', outcome: 'not-sent', cause: tries.at(-1)?.error } as const;
  const versions = tried.join(', ');
  const [oldest, newest] = [since ?? RELEASE_NAMES[0], RELEASE_NAMES.at(-1)];
  if (because === 'credential') {
    return new SlurmAuthError(
      `${peer} closed the connection without an answer in every protocol it was asked in (${versions}), one of which each release from ${oldest} to ${newest} takes.`,
      {
        ...place,
        code: 'SLURM_PROTOCOL_AUTHENTICATION_ERROR',
        number: errorNumber('SLURM_PROTOCOL_AUTHENTICATION_ERROR') ?? undefined,
        errno: 'EACCES',
        phase: 'authenticate',
        reason: 'closed-on-every-version',
        hint: `So a controller of these releases refuses the credential. ${refusedHint(method, null)} Is SlurmUser the user that slurmctld runs as? Its log has the reason. Else it is older, or no slurmctld.`,
      },
    );
  }
  const last = tries.findLast(({ error }) => error instanceof SlurmProtocolVersionError)?.error;
  const { answer, answerKind, peerProtocol } = last as SlurmProtocolVersionError;
  return new SlurmProtocolVersionError(`${peer} takes none of the protocols it was asked in (${versions}).`, {
    ...place,
    code: 'SLURM_PROTOCOL_VERSION_ERROR',
    errno: 'EPROTO',
    phase: 'wait',
    spoken: RELEASE_NAMES,
    tried,
    answer,
    answerKind,
    peerProtocol,
    hint: `slurmwire speaks ${oldest} to ${newest}; what answers there is a newer Slurm, or none: it said ${answer}.`,
  });
}

/** True for the answer of a controller that is not in charge. */
export function isStandby(reply: Reply): boolean {
  if (reply.name !== 'RESPONSE_SLURM_RC') return false;
  const { code } = errorMeaning(signedReturnCode(reply.record.returnCode), reply.protocol);
  return code === 'ESLURM_IN_STANDBY_MODE' || code === 'ESLURM_IN_STANDBY_USE_BACKUP';
}
