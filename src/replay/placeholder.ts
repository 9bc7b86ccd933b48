/**
 * The text that stands in a recording for a credential or token: as long as the real one, so that every frame keeps its
 * lengths, and readable:
 *
 * ```
 * MUNGE:REDACTED:uid=1000:payload=0248…3a:gid=1000:xxxxxxxxxxxx:      a MUNGE credential
 * REDACTED:uid=1000:payload=0248…3a:xxxxxxxxxxxx:                     a token (auth/jwt, auth/slurm)
 * ```
 *
 * Fields are put in the order uid, payload, gid; one that is not known or does not fit is left out whole. A text too short for
 * the head is `x` throughout. What did not fit goes into the fixture beside the connection (`RecordedCredential`).
 */
import type { CredentialFacts } from './conversation.js';

/** Which kind of secret a text stands for. */
export type SecretKind = 'munge' | 'jwt';

const HEADS: Readonly<Record<SecretKind, string>> = { munge: 'MUNGE:REDACTED:', jwt: 'REDACTED:' };

/** Longest payload a placeholder holds, in bytes. Slurm's are 3 or 33; the bound keeps a placeholder from carrying a text. */
const MAX_PAYLOAD = 64;

export const NO_FACTS: CredentialFacts = { uid: null, gid: null, payload: null };

/** A text of exactly `length` characters, and whether all that is known found room in it. */
export function makePlaceholder(
  kind: SecretKind,
  length: number,
  facts: CredentialFacts = NO_FACTS,
): { readonly text: string; readonly complete: boolean } {
  const { uid, gid, payload } = facts;
  let text = HEADS[kind];
  let complete = true;
  const fields = [
    uid === null ? null : `uid=${uid}:`,
    payload === null ? null : `payload=${Buffer.from(payload).toString('hex')}:`,
    gid === null ? null : `gid=${gid}:`,
  ];
  for (const field of fields) {
    if (field === null) continue;
    const tooLong = field.startsWith('payload=') && (payload?.length ?? 0) > MAX_PAYLOAD;
    if (!tooLong && text.length + field.length + 1 <= length) text += field;
    else complete = false;
  }
  if (text.length + 1 > length)
    return { text: 'x'.repeat(length), complete: fields.every((f) => f === null) };
  return { text: `${text}${'x'.repeat(length - text.length - 1)}:`, complete };
}

const PATTERN = `(MUNGE:)?REDACTED:(?:uid=(\\d{1,10}):)?(?:payload=((?:[0-9a-f]{2}){0,${MAX_PAYLOAD}}):)?(?:gid=(\\d{1,10}):)?x*:`;
const WHOLE = new RegExp(`^${PATTERN}$`);
const LONGEST_HEAD = HEADS.munge.length + 'uid=4294967295:payload=:gid=4294967295:'.length + 2 * MAX_PAYLOAD;
const HEAD = /^(MUNGE:)?REDACTED:(?:uid=\d{1,10}:)?(?:payload=(?:[0-9a-f]{2})*:)?(?:gid=\d{1,10}:)?/;

/** What a placeholder says, or `null` when the text is none. */
export function parsePlaceholder(text: string): CredentialFacts | null {
  const match = WHOLE.exec(text);
  if (match === null) return null;
  const [, , uid, payload, gid] = match;
  return {
    uid: uid === undefined ? null : Number(uid),
    gid: gid === undefined ? null : Number(gid),
    payload: payload === undefined ? null : Uint8Array.from(Buffer.from(payload, 'hex')),
  };
}

/** Length of the placeholder that begins at `at`, or 0 when none does. */
export function placeholderLength(bytes: Buffer, at: number): number {
  const head = HEAD.exec(bytes.toString('latin1', at, at + LONGEST_HEAD));
  if (head === null || head[0].length > LONGEST_HEAD) return 0;
  let end = at + head[0].length;
  while (bytes[end] === 0x78) end++;
  if (bytes[end] !== 0x3a) return 0;
  return parsePlaceholder(`${head[0]}:`) === null ? 0 : end + 1 - at;
}
