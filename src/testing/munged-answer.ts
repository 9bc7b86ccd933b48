/** What munged answers to a request, given who asks: from one message of `munge-wire.ts` to another. */
import { EMUNGE, EMUNGE_SUCCESS } from '../auth/emunge.js';
import { ANY_ID, encodeMungeMessage, type MungeBody, type MungeRequest } from '../auth/munge-wire.js';
import { encodeText } from '../protocol/byte-text.js';
import type { Refusal } from './credential-text.js';
import type { CredentialStore, UserAndGroup } from './credentials.js';

/** An answer. */
export interface MungedAnswer {
  /** The whole message. */
  readonly bytes: Uint8Array;
  /** MUNGE's error number in it, 0 for success. */
  readonly error: number;
  /** To be called when the answer did not reach who asked. */
  readonly undo?: (() => void) | undefined;
}

/** `MUNGE_SOCKET_RETRY_ATTEMPTS`: what repeats a transaction more often is refused. */
const MAX_RETRY = 5;

/** @param client who asks; null when the kernel does not say. */
export function answerOf(
  store: CredentialStore,
  request: MungeRequest,
  client: UserAndGroup | null,
): MungedAnswer {
  if (request.name === 'decodeRequest' && request.body.data.length === 0) {
    return refuse(request, { error: EMUNGE.SNAFU, text: 'the request has no credential' });
  }
  if (client === null) return refuse(request, { error: EMUNGE.SNAFU, text: 'who asks cannot be found out' });
  if (request.retry > MAX_RETRY) {
    return refuse(request, { error: EMUNGE.SOCKET, text: 'the request was repeated too often' });
  }
  return request.name === 'encodeRequest'
    ? encode(store, request, client)
    : decode(store, request, client, request.retry);
}

/** The answer that carries an error and nothing else. */
export function refuse({ name }: Pick<MungeRequest, 'name'>, { error, text }: Refusal): MungedAnswer {
  // Without words of its own an error gets libmunge's (munge_strerror).
  const body = { errorNum: error, errorStr: text, data: new Uint8Array(0) };
  const bytes =
    name === 'encodeRequest'
      ? encodeMungeMessage('encodeResponse', body)
      : encodeMungeMessage('decodeResponse', { ...NOTHING, ...body });
  return { bytes, error };
}

function encode(
  store: CredentialStore,
  request: Extract<MungeRequest, { name: 'encodeRequest' }>,
  { uid, gid }: UserAndGroup,
): MungedAnswer {
  const { cipher, mac, zip, realm, ttl, authUid, authGid, data } = request.body;
  const made = store.make({
    ...{ uid, gid, payload: data, cipher, mac, zip, realm, ttlSeconds: ttl },
    // The number that means anybody is the same in a credential.
    ...{ restrictUid: authUid, restrictGid: authGid },
  });
  if (typeof made !== 'string') return refuse(request, made);
  const body = { errorNum: EMUNGE_SUCCESS, errorStr: null, data: encodeText(`${made}\0`) };
  return { bytes: encodeMungeMessage('encodeResponse', body), error: EMUNGE_SUCCESS };
}

function decode(
  store: CredentialStore,
  request: Extract<MungeRequest, { name: 'decodeRequest' }>,
  client: UserAndGroup,
  retry: number,
): MungedAnswer {
  const { data } = request.body;
  // Latin-1 keeps every byte apart; what is no ASCII is no credential either.
  const text = Buffer.from(data.buffer, data.byteOffset, data.length).toString('latin1');
  const { error, text: errorStr, credential } = store.open(text, client, retry);
  if (credential === null) return refuse(request, { error, text: errorStr });
  const { cipher, mac, zip, realm, ttlSeconds, address, uid, gid, payload } = credential;
  const bytes = encodeMungeMessage('decodeResponse', {
    ...{ errorNum: error, errorStr, cipher, mac, zip, realm, ttl: ttlSeconds, addr: address },
    ...{ time0: credential.encoded, time1: credential.decoded, credUid: uid, credGid: gid },
    authUid: credential.restrictUid ?? ANY_ID,
    authGid: credential.restrictGid ?? ANY_ID,
    data: payload,
  });
  const undo = error === EMUNGE_SUCCESS ? () => store.forget(credential) : undefined;
  return { bytes, error, undo };
}

/** A decoding that shows nothing of the credential (`m_msg_reset`). */
const NOTHING: Omit<MungeBody<'decodeResponse'>, 'errorNum' | 'errorStr' | 'data'> = {
  ...{ cipher: 0, mac: 0, zip: 0, realm: null, ttl: 0, addr: null, time0: 0, time1: 0 },
  ...{ credUid: ANY_ID, credGid: ANY_ID, authUid: ANY_ID, authGid: ANY_ID },
};
