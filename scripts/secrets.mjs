/**
 * Finds secrets that still work in any bytes: MUNGE credentials, tokens, private keys, keys that are given, and canaries. As they stand, and as
 * programs write bytes: hexadecimal, decimal lists, base64, gzip. Nothing of what is found is in what is told.
 */
import { gunzipSync } from 'node:zlib';

/**
 * @typedef {{ readonly kind: 'munge' | 'jwt' | 'private-key' | 'key' | 'canary', readonly offset: number, readonly written: string }} Secret
 * @typedef {{ readonly canaries?: readonly string[], readonly keys?: readonly Uint8Array[], readonly asItStands?: boolean }} Looking
 */

/** Of base64, from which on a credential is one: what redaction leaves, and what a page writes for one, is shorter or no base64. */
const MUNGE = /MUNGE:[A-Za-z0-9+/]{32}/g;
/** Header, claims and a signature. */
const JWT = /eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{16,}/g;
const PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----(?:[\s'"+]|\\+[nr])*[A-Za-z0-9+/]{40}/g;

/** What the tests' authenticators make, and the passwords that tests put into wrong places: it must not be in what a test run writes. */
export const TEST_CANARIES = /** @type {const} */ (['FAKE:{', 'hunter2', 'slurmwire-canary']);

/** Keys shorter than this are no keys, and would be found everywhere. */
const LEAST_KEY = 16;
/** A gzip bomb is none of ours. */
const MOST_UNPACKED = 256 * 1024 * 1024;

/**
 * Every secret in these bytes, in order of the ways it may be written.
 *
 * @param {Uint8Array} bytes
 * @param {Looking} [looking] texts that must not be there (canaries), and the contents of keys; `asItStands`: no other way of
 * writing is looked for, which is quick
 * @returns {Secret[]}
 */
export function findSecrets(bytes, looking = {}) {
  return search(bytes, looking, 'as it stands', looking.asItStands === true ? 0 : 2);
}

/**
 * In words, without the secret.
 *
 * @param {{ readonly kind: string, readonly offset?: number, readonly written?: string }} secret
 */
export function showSecret({ kind, offset = 0, written = '' }) {
  return `${NAMES[/** @type {keyof typeof NAMES} */ (kind)] ?? kind} at byte ${offset}, ${written}`;
}

const NAMES = {
  munge: 'a MUNGE credential',
  jwt: 'a signed token',
  'private-key': 'a private key',
  key: 'the content of a key',
  canary: 'a canary',
};

/**
 * @param {Uint8Array} bytes
 * @param {Looking} looking
 * @param {string} written
 * @param {number} depth
 * @returns {Secret[]}
 */
function search(bytes, looking, written, depth) {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = view.toString('latin1');
  /** @type {Secret[]} */
  const found = [];
  for (const [kind, pattern] of /** @type {const} */ ([
    ['munge', MUNGE],
    ['jwt', JWT],
    ['private-key', PRIVATE_KEY],
  ])) {
    for (const { index, 0: match } of text.matchAll(pattern))
      if (kind !== 'jwt' || isToken(match)) found.push({ kind, offset: index, written });
  }
  const { canaries = [], keys = [] } = looking;
  for (const canary of canaries) {
    const offset = view.indexOf(canary);
    if (offset >= 0) found.push({ kind: 'canary', offset, written });
  }
  for (const key of keys) {
    const offset = key.length >= LEAST_KEY ? view.indexOf(key) : -1;
    if (offset >= 0) found.push({ kind: 'key', offset, written });
  }
  if (depth > 0)
    for (const [way, at, inner] of unwrapped(view, text))
      found.push(...search(inner, looking, `${way} at byte ${at}`, depth - 1));
  return found;
}

/**
 * A header that is one, and a signature that is no filling.
 *
 * @param {string} match
 */
function isToken(match) {
  const [head = '', , signature = ''] = match.split('.');
  if (/^(.)\1*$/.test(signature)) return false;
  try {
    const { alg } = JSON.parse(Buffer.from(head, 'base64url').toString());
    return typeof alg === 'string' && alg !== 'none';
  } catch {
    return false;
  }
}

/** Bytes as programs write them: `<Buffer 4d 55 …>`, `[77, 85, …]`, one number a line, hexadecimal without blanks, base64. */
const WRAPPED = /** @type {const} */ ([
  [
    'in hexadecimal',
    /(?:[0-9a-f]{2}[ :]?){12,}/gi,
    (/** @type {string} */ text) => Buffer.from(text.replaceAll(/[ :]/g, ''), 'hex'),
  ],
  [
    'in decimal',
    /(?:\d{1,3},\s*){7,}\d{1,3}/g,
    (/** @type {string} */ text) => Buffer.from(text.split(',').map(Number)),
  ],
  ['in base64', /[A-Za-z0-9+/_-]{24,}/g, (/** @type {string} */ text) => Buffer.from(text, 'base64')],
]);

/**
 * @param {Buffer} view
 * @param {string} text
 * @returns {Generator<readonly [string, number, Uint8Array]>}
 */
function* unwrapped(view, text) {
  if (view[0] === 0x1f && view[1] === 0x8b) {
    yield ['in gzip', 0, gunzipSync(view, { maxOutputLength: MOST_UNPACKED })];
    return;
  }
  for (const [way, pattern, unwrap] of WRAPPED)
    for (const { index, 0: match } of text.matchAll(pattern)) {
      yield [way, index, unwrap(match)];
      // Where a run begins a digit or a character too early, what it says is shifted.
      if (way === 'in hexadecimal') yield [way, index + 1, unwrap(match.slice(1))];
      if (way === 'in base64') for (const by of [1, 2, 3]) yield [way, index + by, unwrap(match.slice(by))];
    }
}
