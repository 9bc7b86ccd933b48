/**
 * What stands in a credential of an embedded cluster, and how it is sealed.
 *
 * It begins as MUNGE's own does (version, kinds of cipher, MAC and compression, realm), so that a credential of the one that is given
 * to the other fails with the same error as one made with another key. The rest is our own: everything is encrypted and
 * authenticated with AES-256-GCM, whatever kinds are written at its beginning; those are only what was asked for.
 *
 * Source of the checks, their order and their numbers: `dec_unarmor`, `dec_unpack_outer` and `enc_validate_msg` of munge 0.5.18.
 */
import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto';
import { EMUNGE } from '../auth/emunge.js';
import { ByteReader } from '../protocol/byte-reader.js';
import { decodeText, encodeText } from '../protocol/byte-text.js';
import { ByteWriter } from '../protocol/byte-writer.js';

/** What a credential carries; ids are 0xffffffff for "anybody". */
export interface CredentialContent {
  /** `munge_cipher_t`, `munge_mac_t`, `munge_zip_t` as real numbers, no default. */
  readonly cipher: number;
  readonly mac: number;
  readonly zip: number;
  readonly realm: string | null;
  /** IPv4 address of the host that made it. */
  readonly address: Uint8Array;
  /** Seconds since 1970, by the clock of that host. */
  readonly encoded: number;
  /** Seconds it lives. */
  readonly ttl: number;
  readonly uid: number;
  readonly gid: number;
  readonly restrictUid: number;
  readonly restrictGid: number;
  readonly payload: Uint8Array;
}

/** Why something is not done: one of MUNGE's numbers, and words about this very case if there are any. */
export interface Refusal {
  readonly error: number;
  readonly text: string | null;
}

/** Of a realm, in bytes: munged's field for it has 255 with the final NUL. */
export const MAX_REALM = 254;

const PREFIX = 'MUNGE:';
const SUFFIX = ':';
/** MUNGE's own, since 0.5. */
const VERSION = 3;
/** Version, cipher, MAC, compression, length of the realm. */
const OUTER_LENGTH = 5;
const NONCE_LENGTH = 12;
const TAG_LENGTH = 16;
const CIPHER = 'aes-256-gcm';

/** Bytes of key that each cipher wants, and of digest that each MAC has. */
const CIPHER_KEYS = new Map([
  [0, 0],
  [2, 16],
  [3, 16],
  [4, 16],
  [5, 32],
]);
const MAC_DIGESTS = new Map([
  [2, 16],
  [3, 20],
  [4, 20],
  [5, 32],
  [6, 64],
]);
const ZIPS: ReadonlySet<number> = new Set([0, 2, 3]);

/** Kinds that MUNGE has and takes together, or why not. One that is missing was cut off. */
export function checkKinds(
  cipher: number | undefined,
  mac: number | undefined,
  zip: number | undefined,
): Pick<CredentialContent, 'cipher' | 'mac' | 'zip'> | Refusal {
  if (cipher === undefined) return CUT;
  const key = CIPHER_KEYS.get(cipher);
  if (key === undefined) return refusal(EMUNGE.BAD_CIPHER, `there is no cipher ${cipher}`);
  if (mac === undefined) return CUT;
  const digest = MAC_DIGESTS.get(mac);
  if (digest === undefined) return refusal(EMUNGE.BAD_MAC, `there is no MAC ${mac}`);
  if (digest < key) return refusal(EMUNGE.BAD_MAC, `MAC ${mac} is too short for cipher ${cipher}`);
  if (zip === undefined) return CUT;
  if (!ZIPS.has(zip)) return refusal(EMUNGE.BAD_ZIP, `there is no compression ${zip}`);
  return { cipher, mac, zip };
}

/** The text of a credential; `content` is valid. */
export function seal(key: KeyObject, content: CredentialContent): string {
  const outer = new ByteWriter(64);
  const realm = encodeText(content.realm ?? '');
  for (const value of [VERSION, content.cipher, content.mac, content.zip, realm.length]) outer.u8(value);
  outer.raw(realm);
  const inner = new ByteWriter(64 + content.payload.length);
  inner.raw(content.address);
  for (const value of [content.encoded, content.ttl, content.uid, content.gid]) inner.u32(value);
  inner.u32(content.restrictUid);
  inner.u32(content.restrictGid);
  inner.raw(content.payload);

  const open = outer.finish();
  const nonce = randomBytes(NONCE_LENGTH);
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_LENGTH }).setAAD(open);
  const hidden = Buffer.concat([cipher.update(inner.finish()), cipher.final()]);
  const all = Buffer.concat([open, nonce, cipher.getAuthTag(), hidden]);
  return `${PREFIX}${all.toString('base64')}${SUFFIX}`;
}

/** A credential that was opened. */
export interface Unsealed {
  readonly content: CredentialContent;
  /** Tells this credential from every other one, however its text is written. */
  readonly id: string;
}

/** Reads what {@link seal} wrote. Whom it is for and how old it is are not looked at. */
export function unseal(key: KeyObject, text: string): Unsealed | Refusal {
  const bytes = unarmor(text);
  if (!(bytes instanceof Uint8Array)) return bytes;
  const [version, cipher, mac, zip, realmLength = 0] = bytes.subarray(0, OUTER_LENGTH);
  if (version === undefined) return CUT;
  if (version !== VERSION) return refusal(EMUNGE.BAD_VERSION, `there is no credential version ${version}`);
  const kinds = checkKinds(cipher, mac, zip);
  if ('error' in kinds) return kinds;
  if (bytes.length < OUTER_LENGTH + realmLength + NONCE_LENGTH + TAG_LENGTH) return CUT;
  const reader = new ByteReader(bytes);
  reader.raw(OUTER_LENGTH);
  const realm = reader.raw(realmLength);
  const open = bytes.subarray(0, reader.offset);
  const nonce = reader.raw(NONCE_LENGTH);
  const tag = reader.raw(TAG_LENGTH);
  const hidden = unlock(key, { open, nonce, tag, hidden: reader.raw(reader.remaining) });
  if (hidden === null) return refusal(EMUNGE.CRED_INVALID, null);

  // From here on it is what seal() wrote.
  const inner = new ByteReader(hidden);
  const content = {
    ...kinds,
    realm: realmLength === 0 ? null : decodeText(realm),
    address: new Uint8Array(inner.raw(4)),
    ...{ encoded: inner.u32(), ttl: inner.u32(), uid: inner.u32(), gid: inner.u32() },
    ...{ restrictUid: inner.u32(), restrictGid: inner.u32() },
    payload: new Uint8Array(inner.raw(inner.remaining)),
  };
  return { content, id: Buffer.from(tag).toString('latin1') };
}

/** The bytes between prefix and suffix; white space before and within is allowed, and anything behind. */
function unarmor(text: string): Uint8Array | Refusal {
  const start = text.replace(/^[ \t-\r]+/, '');
  if (start === '' || start.startsWith('\0')) return refusal(EMUNGE.BAD_ARG, 'there is no credential');
  if (!start.startsWith(PREFIX))
    return refusal(EMUNGE.BAD_CRED, `the credential does not begin with ${PREFIX}`);
  const end = start.lastIndexOf(SUFFIX);
  if (end < PREFIX.length) return refusal(EMUNGE.BAD_CRED, `the credential does not end with ${SUFFIX}`);
  const base64 = start.slice(PREFIX.length, end).replaceAll(/[ \t-\r]/g, '');
  // Buffer.from() would leave out what is no base64.
  if (base64.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) {
    return refusal(EMUNGE.BAD_CRED, 'the credential is not base64');
  }
  return Buffer.from(base64, 'base64');
}

/** What was encrypted; null when it was not with this key, or something was changed since. */
function unlock(
  key: KeyObject,
  { open, nonce, tag, hidden }: Readonly<Record<'open' | 'nonce' | 'tag' | 'hidden', Uint8Array>>,
): Uint8Array | null {
  const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_LENGTH });
  decipher.setAAD(open).setAuthTag(tag);
  const plain = decipher.update(hidden);
  try {
    return Buffer.concat([plain, decipher.final()]);
  } catch {
    // The only thing final() can object to is the tag.
    return null;
  }
}

function refusal(error: number, text: string | null): Refusal {
  return { error, text };
}

const CUT = refusal(EMUNGE.BAD_CRED, 'the credential is cut off');
