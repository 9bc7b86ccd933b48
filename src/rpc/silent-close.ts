/**
 * What a connection that was closed without a word, or an answer in another version, meant: told by what the same daemon says when it is asked
 * a harmless question right afterwards.
 *
 * | it then | so the request |
 * |---|---|
 * | takes a version that is too far from the request's | was not looked at: a version gap, `refused` |
 * | does so too, and may have been started since | `unknown`: the daemon before it may have taken the request |
 * | takes the request's version and the credential | could not be decoded, or its answer got lost: `unknown` |
 * | closes on every version | met a refused credential, or a daemon that has lost its munged meanwhile: `unknown` |
 * | does not listen any more | was with a daemon that stopped or crashed: `unknown` |
 */
import { RELEASE_NAMES } from '../protocol/release.js';
import {
  isSlurmError,
  restate,
  SlurmConnectionError,
  type SlurmError,
  SlurmProtocolVersionError,
} from '../protocol/slurm-error.js';
import { showEndpoint } from '../protocol/transport.js';
import { suspectedCredential } from './auth-hints.js';
import type { Request } from './exchange.js';
import type { Contact } from './first-contact.js';
import { mayTake } from './version-choice.js';

/** True for trouble that a change of the peer's version can be behind. */
export function mayBeVersions(error: SlurmError): boolean {
  return (
    error.code === 'SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT' ||
    (error instanceof SlurmProtocolVersionError && error.answerKind !== 'other')
  );
}

/**
 * @param error what became of the request, which was begun at `startedAt` on the clock of `performance.now()`.
 * @param contact the question afterwards.
 * @param method how the request was authenticated.
 * @returns the error with what the question showed. `isVersion`: the request can be planned anew in the peer's version.
 */
export async function judgeClose(
  error: SlurmError,
  { request, startedAt }: { readonly request: Request; readonly startedAt: number },
  contact: Promise<Contact>,
  method: string,
): Promise<{ error: SlurmError; isVersion: boolean }> {
  let found: Contact;
  try {
    found = await contact;
  } catch (second) {
    return { error: isSlurmError(second) ? withSecond(error, second, method) : error, isVersion: false };
  }
  const { version, release, upSince } = found;
  const isClose = error instanceof SlurmConnectionError;
  const isGap = !mayTake(found, request.release);
  // A daemon that said no in its own words need not be asked since when it has been there.
  if (isGap && (!isClose || (upSince !== null && upSince <= startedAt))) {
    return { error: versionChanged(request, found, 'refused'), isVersion: true };
  }
  if (!isClose) return { error, isVersion: false };
  const daemon = version === null ? '' : ` It is Slurm ${version}.`;
  if (isGap) {
    const evidence = `Asked right afterwards, ${error.peer} speaks protocol ${release} and not ${request.release}, and may have been started since.${daemon}`;
    const suspects = [
      `it does not speak protocol ${request.release}`,
      'it took the place of a daemon that was stopped while it worked on the request',
    ];
    return { error: withEvidence(error, evidence, suspects), isVersion: false };
  }
  const suspects = [
    'it could not decode the message',
    'it stopped while it worked on it, and was started again',
    'it made no answer, or could not sign it',
  ];
  const evidence = `Asked right afterwards, ${error.peer} answers in protocol ${release} and takes the credential: it was neither the version nor the credential.${daemon}`;
  return { error: withEvidence(error, evidence, suspects), isVersion: false };
}

function withSecond(error: SlurmError, second: SlurmError, method: string): SlurmError {
  if (!(error instanceof SlurmConnectionError)) return error;
  if (second.phase === 'connect') {
    const evidence = `Right afterwards it could not be connected: ${second.cause instanceof Error ? second.cause.message : second.code}.`;
    return withEvidence(error, evidence, ['it stopped or crashed while it worked on the request']);
  }
  if (second.code !== 'SLURM_PROTOCOL_AUTHENTICATION_ERROR') return error;
  const evidence = 'Asked right afterwards, it closed on every version, or refused the credential.';
  return withEvidence(error, evidence, [
    suspectedCredential(method),
    'its munged stopped, so that it could not sign its answer',
  ]);
}

function withEvidence(
  error: SlurmConnectionError,
  evidence: string,
  suspects: readonly string[],
): SlurmError {
  const hint = `Suspects: ${suspects.join('; ')}. The log of slurmctld has the reason.`;
  return Object.assign(restate(error, `${error.summary} ${evidence}`, { hint }), { suspects });
}

/** The controller speaks another version than a request was planned for: nothing was done, and a new plan may go through. */
export function versionChanged(
  { name: rpc, release: planned, endpoint }: Request,
  { release, version }: Pick<Contact, 'release' | 'version'>,
  outcome: 'not-sent' | 'refused',
): SlurmProtocolVersionError {
  const peer = showEndpoint(endpoint);
  const now = version === null ? `protocol ${release}` : `protocol ${release} (Slurm ${version})`;
  const summary = `${rpc} to ${peer} was ${outcome === 'refused' ? 'not looked at' : 'not sent'}: it is in protocol ${planned}, and the controller speaks ${now} now.`;
  return new SlurmProtocolVersionError(summary, {
    code: 'SLURM_PROTOCOL_VERSION_ERROR',
    errno: 'EPROTO',
    outcome,
    retryable: true,
    peer,
    rpc,
    protocol: planned,
    phase: 'wait',
    spoken: RELEASE_NAMES,
    tried: [planned],
    answer: now,
    answerKind: 'own-version',
    peerProtocol: release,
  });
}

/** True for an error that says: nothing was done, plan it anew in the version that is spoken now. */
export function isVersionChange(error: unknown): error is SlurmProtocolVersionError {
  return (
    error instanceof SlurmProtocolVersionError &&
    error.retryable &&
    (error.outcome === 'not-sent' || error.outcome === 'refused')
  );
}
