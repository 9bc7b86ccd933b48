/** munged's two calls over its socket. */
import type { CallContext } from '../protocol/authenticator.js';
import { encodeText } from '../protocol/byte-text.js';
import { EMUNGE, EMUNGE_SUCCESS } from './emunge.js';
import type { CredentialTimes, MungeCallPort, MungeResult, MungeSettings } from './munge-way.js';
import {
  ANY_ID,
  DEFAULT_CIPHER,
  DEFAULT_MAC,
  DEFAULT_TTL,
  DEFAULT_ZIP,
  encodeMungeMessage,
  HEADER_LENGTH,
  MAX_BODY,
  MAX_OLD_REQUEST_BODY,
  MAX_PAYLOAD,
  type MungeBody,
} from './munge-wire.js';
import { askMunged, type SocketTrouble } from './munged-transaction.js';

export const MUNGED_CALLS: MungeCallPort = {
  async encode(settings, payload, context) {
    if (payload.length > MAX_PAYLOAD) {
      return tooLong(settings, `a payload of ${payload.length} bytes, MUNGE takes at most ${MAX_PAYLOAD}`);
    }
    const body: MungeBody<'encodeRequest'> = {
      cipher: DEFAULT_CIPHER,
      mac: DEFAULT_MAC,
      zip: DEFAULT_ZIP,
      realm: null,
      ttl: settings.ttl ?? DEFAULT_TTL,
      authUid: settings.restrictUid ?? ANY_ID,
      authGid: ANY_ID,
      data: payload,
    };
    return ask(settings, 'encodeRequest', body, 'encodeResponse', context, ({ data }) => {
      const value = credentialIn(data);
      return value === null ? null : { value, times: null };
    });
  },

  async decode(settings, credential, context) {
    if (credential === '') return refused(settings, EMUNGE.BAD_ARG, 'no credential given');
    // Behind a NUL munged would see something else than what is here.
    if (credential.includes('\0'))
      return refused(settings, EMUNGE.BAD_CRED, 'a credential with a NUL inside');
    const body = { data: encodeText(`${credential}\0`) };
    if (4 + body.data.length > MAX_BODY) {
      return tooLong(
        settings,
        `a credential of ${credential.length} bytes, munged takes at most ${MAX_BODY}`,
      );
    }
    return ask(settings, 'decodeRequest', body, 'decodeResponse', context, (answer) => {
      const value = { uid: answer.credUid, gid: answer.credGid, payload: answer.data };
      // A credential has a maker. Nothing else may pass for one.
      const nobody = answer.errorNum === EMUNGE_SUCCESS && (value.uid === ANY_ID || value.gid === ANY_ID);
      return nobody ? null : { value, times: timesIn(answer) };
    });
  },
};

/** What libmunge is usually built with; `/var/run`, its older form, is the same place. */
export const DEFAULT_SOCKET =
  process.platform === 'linux' ? '/run/munge/munge.socket.2' : '/var/run/munge/munge.socket.2';

/**
 * One question, with what it came to as a result.
 *
 * @param read what an answer says; null when it cannot be one of munged.
 */
async function ask<
  Q extends 'encodeRequest' | 'decodeRequest',
  A extends 'encodeResponse' | 'decodeResponse',
  Value,
>(
  settings: MungeSettings,
  question: Q,
  body: MungeBody<Q>,
  answer: A,
  context: CallContext,
  read: (body: MungeBody<A>) => { value: Value; times: CredentialTimes | null } | null,
): Promise<MungeResult<Value>> {
  const socket = settings.socket ?? DEFAULT_SOCKET;
  const request = (retry: number) => encodeMungeMessage(question, body, retry);
  const { message, trouble } = await askMunged(socket, request, answer, context);
  if (message === undefined) return inTrouble(settings, trouble, request(0).length - HEADER_LENGTH);
  const { errorNum, errorStr } = message.body;
  const found = errorNum === EMUNGE_SUCCESS || answer === 'decodeResponse' ? read(message.body) : null;
  if (errorNum === EMUNGE_SUCCESS && found === null) {
    const text = 'the answer says success and has nothing in it that could be one';
    return inTrouble(settings, { errno: 'EPROTO', text }, 0);
  }
  return {
    error: errorNum,
    text: errorStr === null ? null : printable(errorStr),
    speaker: 'munged',
    socketErrno: null,
    socket,
    value: found?.value ?? null,
    times: found?.times ?? null,
  };
}

/** The credential in an answer: printable ASCII and one final NUL; null when it is anything else. */
function credentialIn(data: Uint8Array): string | null {
  const text = Buffer.from(data.buffer, data.byteOffset, data.length).toString('latin1');
  return /^[\x21-\x7e]+\0$/.test(text) ? text.slice(0, -1) : null;
}

function timesIn({ ttl, time0, time1 }: MungeBody<'decodeResponse'>): CredentialTimes | null {
  return time0 > 0 && time1 > 0 ? { ttl, encoded: time0, decoded: time1 } : null;
}

/** munged's words go into an error's message, so nothing in them may act on a terminal. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  return text.replaceAll(/[\x00-\x1f\x7f-\x9f]/g, '?');
}

/** @param bodyLength of the request; a munged before 0.5.17 closes the connection on a long one and says nothing. */
function inTrouble(
  settings: MungeSettings,
  { errno, text }: SocketTrouble,
  bodyLength: number,
): MungeResult<never> {
  if (errno === 'ECONNRESET' && bodyLength > MAX_OLD_REQUEST_BODY) {
    return tooLong(settings, `${text}; munged before 0.5.17 takes at most ${MAX_OLD_REQUEST_BODY} bytes`);
  }
  return { ...refused(settings, EMUNGE.SOCKET, text), socketErrno: errno };
}

function tooLong(settings: MungeSettings, text: string): MungeResult<never> {
  return refused(settings, EMUNGE.BAD_LENGTH, text);
}

function refused({ socket }: MungeSettings, error: number, text: string): MungeResult<never> {
  const base = { speaker: null, socketErrno: null, value: null, times: null } as const;
  return { ...base, error, text, socket: socket ?? DEFAULT_SOCKET };
}
