/**
 * What stands in a JSON Web Token (RFC 7519, compact form), read without its key: nothing here proves anything. It is read so that what a daemon
 * would refuse is known before it is sent. No error of this file has a part of the token in it, nor one of the parser's as its cause, which would.
 */
import { errorNumber } from '../protocol/error-number.js';
import { SlurmAuthError } from '../protocol/slurm-error.js';

/** Longest token that is taken, in characters. Slurm's own are some hundred; those with a whole identity in them, a few thousand. */
export const MAX_TOKEN_LENGTH = 64 * 1024;

/** Header and claims of a token. */
export interface JwtText {
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: Readonly<Record<string, unknown>>;
}

/**
 * Reads a token.
 *
 * @param method upstream's plugin name, for the error.
 * @param from where the token came from, for the error: `option token`.
 * @throws SlurmAuthError `ESLURM_AUTH_CRED_INVALID`, reason `malformed`, outcome `not-sent`. The token is not in it.
 */
export function readJwt(token: string, method: string, from: string): JwtText {
  const bad = (why: string) => malformed(method, from, why);
  if (token === '') throw bad('it is empty');
  if (token.length > MAX_TOKEN_LENGTH) throw bad(`it is longer than ${MAX_TOKEN_LENGTH} characters`);
  if (/\s/.test(token)) throw bad('it has white space in it');
  const parts = token.split('.', 4);
  if (parts.length !== 3) throw bad('it does not have the three parts of a signed one');
  const [header = '', claims = '', signature = ''] = parts;
  if (!isBase64Url(signature) || signature === '') throw bad('its signature is missing or not base64url');
  return { header: readPart(header, 'header', bad), claims: readPart(claims, 'claims', bad) };
}

/** The integer that a claim has, in seconds since 1970 where it is a time; `null` where there is none. */
export function integerClaim({ claims }: JwtText, name: string): number | null {
  const value = own(claims, name);
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : null;
}

/** The text that a claim has; `null` where there is none, or an empty one. */
export function textClaim({ claims }: JwtText, name: string): string | null {
  const value = own(claims, name);
  return typeof value === 'string' && value !== '' ? value : null;
}

export function malformed(method: string, from: string, why: string): SlurmAuthError {
  const code = 'ESLURM_AUTH_CRED_INVALID';
  return new SlurmAuthError(`${from} is not a token that ${method} could use: ${why}.`, {
    code,
    number: errorNumber(code) ?? undefined,
    errno: 'EINVAL',
    outcome: 'not-sent',
    phase: 'authenticate',
    reason: 'malformed',
    hint: method === 'auth/jwt' ? 'scontrol token makes one.' : undefined,
  });
}

function own(record: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

function isBase64Url(text: string): boolean {
  return /^[A-Za-z0-9_-]*$/.test(text) && text.length % 4 !== 1;
}

function readPart(part: string, what: string, bad: (why: string) => Error): Record<string, unknown> {
  if (part === '' || !isBase64Url(part)) throw bad(`its ${what} part is missing or not base64url`);
  let value: unknown;
  try {
    const json = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(part, 'base64url'));
    value = JSON.parse(json);
  } catch {
    // The parser's own words quote what it read.
    throw bad(`its ${what} part is not JSON`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw bad(`its ${what} part is no JSON object`);
  return value as Record<string, unknown>;
}
