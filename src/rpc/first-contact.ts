/**
 * The first thing that is said to a daemon: a harmless question, asked before anything that has an effect.
 *
 * Releases up to 24.05 close without a word for a version they do not speak and for a credential they do not like. Asked first, such trouble
 * shows while the request proper is `not-sent`. Where the version is not given, this is also how it is found: `version-choice.ts`.
 */
import type { Authenticator, CallContext } from '../protocol/authenticator.js';
import { errorMeaning, signedReturnCode } from '../protocol/error-meaning.js';
import { errorNumber } from '../protocol/error-number.js';
import type { MessageRecord } from '../protocol/messages/index.js';
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
import { mayTake, nextVersion, type VersionAnswer, type VersionTry } from './version-choice.js';

/** A daemon that took a credential of ours, and how to speak to it. */
export interface Contact {
  readonly release: Release;
  /** False where the daemon did not tell its release: it may speak a newer version too. */
  readonly isNewest: boolean;
  /** Its release in its own words, `'24.11.5'`; `null` where it was not asked or did not tell. */
  readonly version: string | null;
  /**
   * When it was started at the latest, on the clock of `performance.now()`; `null` where it did not tell. Its answer has the second in which it
   * was made and that in which the daemon was started.
   */
  readonly upSince: number | null;
  /** What it answered, where that was that another controller is in charge. */
  readonly standby: Reply | null;
  /** What it told of the cluster on the way. */
  readonly facts: ClusterFacts | null;
}

/** Asks one harmless question in a version. */
export type Probe = (message: 'REQUEST_PING' | 'REQUEST_BUILD_INFO', release: Release) => Promise<Reply>;

/**
 * Contact in a version that is given: a PING. Where that is closed without a word, the controller is asked in other versions, for the error alone.
 *
 * @throws SlurmProtocolVersionError where the controller speaks another version, SlurmAuthError where it answers in none; else what the
 * exchange threw.
 */
export async function greet(
  probe: Probe,
  endpoint: Endpoint,
  release: Release,
  auth: Pick<Authenticator, 'name' | 'since'>,
  context: CallContext,
): Promise<Contact> {
  let reply: Reply;
  try {
    reply = await probe('REQUEST_PING', release);
  } catch (error) {
    if (!isSlurmError(error) || context.signal.aborted || answerIn(error)?.kind !== 'closed') throw error;
    throw await whyClosed({ release, answer: { kind: 'closed' }, error }, probe, endpoint, auth, context);
  }
  const standby = isStandby(reply) ? reply : null;
  return { release, isNewest: true, version: null, upSince: null, standby, facts: null };
}

/**
 * Contact in the newest version that both speak: the controller is asked for its configuration, in which it tells its release.
 *
 * @param hint the version to try first.
 * @param auth how to prove who we are: what it suits, and what may be wrong with it.
 * @param before what was tried already.
 * @throws SlurmAuthError where no version was answered, SlurmProtocolVersionError where the controller speaks none of ours; else what the
 * exchange threw.
 */
export async function findVersion(
  probe: Probe,
  endpoint: Endpoint,
  hint: Release | null,
  { name, since }: Pick<Authenticator, 'name' | 'since'>,
  context: CallContext,
  before: readonly FailedTry[] = [],
): Promise<Contact> {
  const tries: (VersionTry & { readonly error: SlurmError | null })[] = [...before];
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
        upSince: told === null ? null : performance.now() - upMs(told),
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

/** For how long it has been running at least, in milliseconds: both times are whole seconds. */
function upMs({ lastUpdate, bootTime }: MessageRecord<'RESPONSE_BUILD_INFO'>): number {
  return 1_000 * (Number(lastUpdate - bootTime) - 1);
}

interface FailedTry extends VersionTry {
  readonly error: SlurmError;
}

/** What can be said of a close without a word at first contact, where the version was given: what the daemon says in others tells. */
async function whyClosed(
  failed: FailedTry,
  probe: Probe,
  endpoint: Endpoint,
  auth: Pick<Authenticator, 'name' | 'since'>,
  context: CallContext,
): Promise<SlurmError> {
  const { release, error } = failed;
  let found: Contact;
  try {
    found = await findVersion(probe, endpoint, null, auth, context, [failed]);
  } catch (second) {
    return isSlurmError(second) && second.code === 'SLURM_PROTOCOL_AUTHENTICATION_ERROR' ? second : error;
  }
  // It would have taken the version: it was starting, or stopping.
  if (mayTake(found, release)) return error;
  const peer = showEndpoint(endpoint);
  const answer = `protocol ${found.release}${found.version === null ? '' : ` (Slurm ${found.version})`}`;
  return new SlurmProtocolVersionError(`${peer} does not take protocol ${release}: it speaks ${answer}.`, {
    code: 'SLURM_PROTOCOL_VERSION_ERROR',
    errno: 'EPROTO',
    outcome: 'not-sent',
    peer,
    rpc: 'REQUEST_PING',
    protocol: release,
    phase: 'wait',
    spoken: RELEASE_NAMES,
    tried: [release],
    answer,
    answerKind: 'closed',
    peerProtocol: found.release,
    hint: "The protocol option of connect() names a version that this controller does not take; 'auto' finds one that it does.",
    cause: error,
  });
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
        hint: `So a controller of these releases refuses the credential. ${refusedHint(method, null)} Is SlurmUser the user that slurmctld runs as? Its log has the reason. Else it is older, takes TLS connections only (25.05 and newer: see the tls option), or is no slurmctld.`,
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
