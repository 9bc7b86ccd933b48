/** Tokens without a key: the shape is right, the signature is nobody's. */

export const base64url = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

export const HEADER = { alg: 'HS256', typ: 'JWT' };
/** Looks like nothing a live secret looks like. */
export const SIGNATURE = 'c2lnbmF0dXJl';

export function fakeToken(claims: unknown, header: unknown = HEADER, signature = SIGNATURE): string {
  return `${base64url(header)}.${base64url(claims)}.${signature}`;
}

/** Context of a call with all the time it needs. */
export function within(ms: number): { signal: AbortSignal; remainingMs: () => number } {
  const endsAt = performance.now() + ms;
  return { signal: AbortSignal.timeout(ms), remainingMs: () => Math.max(0, endsAt - performance.now()) };
}
