/** From the bytes of a reply to a record that can be believed: version, credential, digest, body. */
import type { CallContext } from '../protocol/authenticator.js';
import { decodeBody } from '../protocol/body.js';
import { decodeBodyInSlices } from '../protocol/decode-in-slices.js';
import { errorMeaning, signedReturnCode } from '../protocol/error-meaning.js';
import { decodeFrame, type Frame } from '../protocol/frame.js';
import type { ReturnItem } from '../protocol/header.js';
import { isMessageName, type MessageName, type MessageRecord } from '../protocol/messages/index.js';
import { untilAborted } from '../protocol/on-abort.js';
import { isPayloadOf, isPayloadOfInSlices } from '../protocol/payload-digest.js';
import { isAtLeast, RELEASE_NAMES, type Release } from '../protocol/release.js';
import { serverError } from '../protocol/server-error.js';
import {
  isSlurmError,
  SlurmAuthError,
  type SlurmError,
  SlurmProtocolError,
  SlurmProtocolVersionError,
  type VersionDetails,
} from '../protocol/slurm-error.js';
import { refusedHint } from './auth-hints.js';
import type { CallPlace, Progress } from './call-failure.js';
import type { ExchangeSetup, Request } from './exchange.js';
import type { ExchangeTrace } from './exchange-trace.js';
import { inSlices, SHORT_BODY } from './in-slices.js';
import { TLS_NEEDED } from './tls-failure.js';
import { mayTake } from './version-choice.js';

/** Uids whose credential makes a reply believable: root, SlurmUser, SlurmdUser. `null` where SlurmUser is not known. */
export type TrustedUids = ReadonlySet<number> | null;

/** A decoded reply. */
export type Reply = { [N in MessageName]: ReplyOf<N> }[MessageName];

/** A decoded reply of one kind, and how it came. */
export interface ReplyOf<N extends MessageName> {
  readonly name: N;
  readonly record: MessageRecord<N>;
  /** Protocol of the reply, which is that of the request. */
  readonly protocol: Release;
  /** `host:port` that answered. */
  readonly peer: string;
  /**
   * True when the reply's credential proves that root, SlurmUser or SlurmdUser made it for this very body. Protocols since
   * 23.02 carry none, those to auth/jwt prove nothing, and without knowing SlurmUser only the digest is checked. Then it is the TCP
   * connection that is trusted.
   */
  readonly authenticated: boolean;
  /** Answers of the nodes below the one that answered, in order of arrival. Empty where nothing was forwarded. */
  readonly returnList: readonly ReturnItem[];
  /** Why controllers before the one that answered were passed over. */
  readonly passedOver: readonly string[];
  /** `host:port` of those that sent the request on to another one, in order; left out where none did. */
  readonly reroutedBy?: readonly string[];
  /** What became of this request when it was made before, at this or another controller, where that is not known; else `null`. */
  readonly doubt: SlurmError | null;
  /** Milliseconds from the first step of the exchange to here. */
  readonly elapsedMs: number;
}

interface Opening {
  readonly setup: ExchangeSetup;
  readonly request: Request;
  readonly place: CallPlace;
  readonly context: CallContext;
  readonly startedAt: number;
  readonly progress: Progress;
  readonly trace: ExchangeTrace | null;
}

export async function openReply(bytes: Uint8Array, opening: Opening): Promise<Reply> {
  const { place, progress, trace } = opening;
  const frame = unpack(bytes, place);
  if (frame.release !== place.protocol) throw wrongVersion(frame, opening);
  progress.phase = 'authenticate';
  if (frame.auth !== null) trace?.enter('verify');
  const authenticated = await isAuthenticated(frame, opening);
  progress.phase = 'decode';
  trace?.enter('decode');
  const { messageName, header } = frame;
  if (!isMessageName(messageName)) {
    throw new SlurmProtocolError(
      `the reply is ${messageName ?? `message ${header.msgType}`}, which nobody asked for`,
      {
        ...unknown(place),
        code: 'SLURM_UNEXPECTED_MSG_ERROR',
        errno: 'EPROTO',
        phase: 'decode',
      },
    );
  }
  const record = await decode(messageName, frame, opening);
  refuseAuthFailure(messageName, record, opening);
  return {
    name: messageName,
    record,
    protocol: frame.release,
    peer: place.peer,
    authenticated,
    returnList: header.returnList,
    passedOver: [],
    doubt: null,
    elapsedMs: performance.now() - opening.startedAt,
  } as Reply;
}

/** The table of a large cluster is megabytes of records. */
async function decode(name: MessageName, { release, body }: Frame, { context }: Opening): Promise<unknown> {
  if (body.length < SHORT_BODY) return decodeBody(name, release, body);
  return inSlices(decodeBodyInSlices(name, release, body, 16), context.signal);
}

function unknown({ repeatable, ...place }: CallPlace) {
  return { ...place, outcome: 'unknown', retryable: repeatable } as const;
}

function unpack(bytes: Uint8Array, place: CallPlace): Frame {
  try {
    return decodeFrame(bytes);
  } catch (thrown) {
    if (!isSlurmError(thrown) || thrown.code !== 'SLURM_PROTOCOL_VERSION_ERROR') throw thrown;
    const summary = 'the reply is of a version that slurmwire does not speak';
    throw versionError(summary, { answer: thrown.message, answerKind: 'own-version' }, 'unknown', place);
  }
}

function versionError(
  summary: string,
  answer: Pick<VersionDetails, 'answer' | 'answerKind' | 'peerProtocol'>,
  outcome: 'unknown' | 'refused',
  { repeatable: _, ...place }: CallPlace,
): SlurmProtocolVersionError {
  return new SlurmProtocolVersionError(
    `${place.rpc} to ${place.peer} in protocol ${place.protocol}: ${summary}.`,
    {
      ...place,
      code: 'SLURM_PROTOCOL_VERSION_ERROR',
      errno: 'EPROTO',
      outcome,
      phase: 'decode',
      spoken: RELEASE_NAMES,
      tried: [place.protocol],
      ...answer,
    },
  );
}

/**
 * A daemon answers in the version of the request; in its own only to say that it does not take the request's: RC 1007 from 24.11
 * on, RC 13000 where it wants TLS. Anything else in another version is not believed, least of all a success.
 */
function wrongVersion(frame: Frame, opening: Opening): Error {
  const { place } = opening;
  const said = `a reply in protocol ${frame.release}`;
  if (frame.messageName === 'RESPONSE_SLURM_RC') {
    const { returnCode } = decodeBody('RESPONSE_SLURM_RC', frame.release, frame.body);
    const { code } = errorMeaning(signedReturnCode(returnCode), frame.release);
    // A slurmd from 25.05 on says the same, in a version of its own too, of a credential in a version that it takes.
    if (code === 'SLURM_PROTOCOL_AUTHENTICATION_ERROR' && isTaken(frame.release, place.protocol))
      return credentialRefused(returnCode, unsignedRefusal(place), opening);
    if (code === 'SLURM_PROTOCOL_AUTHENTICATION_ERROR') {
      const summary = `the daemon speaks ${frame.release} and not ${place.protocol}`;
      const answer = `${code} in protocol ${frame.release}`;
      const heard = { answer, answerKind: 'own-version', peerProtocol: frame.release } as const;
      return versionError(summary, heard, unsignedRefusal(place), place);
    }
    if (code === 'ESLURM_TLS_REQUIRED') return tlsRequired(place);
  }
  const heard = { answer: said, answerKind: 'other', peerProtocol: frame.release } as const;
  return versionError(`${said} to a request in ${place.protocol}`, heard, 'unknown', place);
}

/**
 * What a "no" without a credential proves. Daemons of protocols before 23.02 sign their replies, and the first contact has shown that the
 * peer speaks the protocol: from then on such a "no" may be a stranger's. It is an answer to be expected only of the first contact itself.
 */
export function unsignedRefusal({ protocol, rpc }: CallPlace): 'refused' | 'unknown' {
  return isAtLeast(protocol, '23.02') || isProbe(rpc) ? 'refused' : 'unknown';
}

/** What a first contact asks. */
function isProbe(rpc: string): boolean {
  return rpc === 'REQUEST_PING' || rpc === 'REQUEST_BUILD_INFO';
}

function tlsRequired(place: CallPlace): SlurmError {
  const { peer, rpc, protocol } = place;
  const summary = `${rpc} to ${peer}: the controller takes TLS connections only.`;
  return serverError(summary, TLS_REQUIRED, protocol, {
    peer,
    rpc,
    outcome: unsignedRefusal(place),
    phase: 'wait',
    hint: TLS_NEEDED,
  });
}

/** ESLURM_TLS_REQUIRED. */
const TLS_REQUIRED = 13000;

function isTaken(daemon: Release, protocol: Release): boolean {
  return mayTake({ release: daemon, isNewest: true }, protocol);
}

/** Since 24.11 a daemon says in so many words that it refused the credential (same version as the request). */
function refuseAuthFailure(name: MessageName, record: unknown, opening: Opening): void {
  if (name !== 'RESPONSE_SLURM_RC') return;
  const { returnCode } = record as MessageRecord<'RESPONSE_SLURM_RC'>;
  const { code } = errorMeaning(signedReturnCode(returnCode), opening.place.protocol);
  if (code !== 'SLURM_PROTOCOL_AUTHENTICATION_ERROR') return;
  throw credentialRefused(returnCode, 'refused', opening);
}

function credentialRefused(
  returnCode: number,
  outcome: 'refused' | 'unknown',
  { place: { peer, rpc, protocol }, request, setup }: Opening,
): SlurmError {
  const { text } = errorMeaning(signedReturnCode(returnCode), protocol);
  return serverError(`${rpc} to ${peer}: ${text}`, returnCode, protocol, {
    peer,
    rpc,
    outcome,
    phase: 'authenticate',
    hint: refusedHint(setup.auth.name, request.restrictUid),
  });
}

async function isAuthenticated(frame: Frame, opening: Opening): Promise<boolean> {
  const { setup, place, context } = opening;
  const distrust = (summary: string, hint?: string) =>
    new SlurmAuthError(`${place.rpc} to ${place.peer}: ${summary}.`, {
      ...unknown(place),
      code: 'SLURM_PROTOCOL_AUTHENTICATION_ERROR',
      errno: 'EACCES',
      phase: 'authenticate',
      hint,
    });
  if (frame.auth === null) {
    if (isAtLeast(frame.release, '23.02')) return false;
    throw distrust(`the reply carries no credential, which no daemon does in protocol ${frame.release}`);
  }
  const verified = await untilAborted(context.signal, setup.auth.verify(frame.auth, context));
  if (verified === null) return false;
  const { uid, payload } = verified;
  // Who before what: any user of the cluster can make a good credential, and hashing a long body is work.
  if (setup.trusted !== null && !setup.trusted.has(uid)) {
    throw distrust(
      `the reply was made by uid ${uid}, which is none of ${[...setup.trusted].join(', ')}`,
      'Is SlurmUser in slurm.conf (or the slurmUser option) the user that slurmctld runs as?',
    );
  }
  if (!(await isBound(payload, frame, context))) {
    throw distrust('the credential of the reply was made for another message');
  }
  return setup.trusted !== null;
}

async function isBound(
  payload: Uint8Array,
  { release, header: { msgType }, body }: Frame,
  { signal }: CallContext,
): Promise<boolean> {
  if (body.length < SHORT_BODY) return isPayloadOf(payload, release, msgType, body);
  return inSlices(isPayloadOfInSlices(payload, release, msgType, body), signal);
}
