/** Everything that can be read off an error or an event, searched for secrets. */
import { inspect } from 'node:util';
import { findSecrets, showSecret, TEST_CANARIES } from '../../scripts/secrets.mjs';

/** All that a log could make of a value: the texts of an error, its JSON, what `console.log` shows of it and of what is hidden in it. */
export function writings(value: unknown): string {
  const texts: string[] = [];
  const seen = new Set<unknown>();
  for (let one: unknown = value; one !== undefined && one !== null && !seen.has(one); ) {
    seen.add(one);
    if (one instanceof Error) texts.push(one.message, one.stack ?? '');
    texts.push(
      orEmpty(() => JSON.stringify(one)),
      orEmpty(() => String(one)),
    );
    one = (one as { cause?: unknown }).cause;
  }
  texts.push(
    inspect(value, {
      showHidden: value instanceof Error,
      depth: 6,
      maxArrayLength: 100,
      maxStringLength: 10_000,
    }),
  );
  return texts.join('\n');
}

/**
 * What secrets a value shows, in words that have none of them.
 *
 * @param asItStands no bytes that are written in some other way are looked at, which is quick.
 */
export function secretsShownBy(value: unknown, asItStands = false): string[] {
  const name = value instanceof Error ? `${value.name}` : typeof value;
  return findSecrets(Buffer.from(writings(value)), { canaries: TEST_CANARIES, asItStands }).map(
    (found) => `${name} ${(value as { code?: string }).code ?? ''}: ${showSecret(found)}`,
  );
}

function orEmpty(write: () => string | undefined): string {
  try {
    return write() ?? '';
  } catch {
    return ''; // what cannot be written shows nothing
  }
}
