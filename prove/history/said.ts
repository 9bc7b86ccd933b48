/** What a call of the library came to, read out of its result or its error. */
import { inspect } from 'node:util';
import { isSlurmError, type Outcome } from '../../src/index.js';
import type { Claim, Said } from './history.js';

const OUTCOMES: ReadonlySet<unknown> = new Set<Outcome>([
  'not-sent',
  'refused',
  'accepted',
  'unknown',
  'partial',
]);

export const NEVER: Said = {
  settled: 'never',
  ...{
    outcome: null,
    error: null,
    code: null,
    message: null,
    claims: [],
    dead: false,
    isTyped: false,
    secrets: [],
  },
};

export function saidByResult(result: unknown): Said {
  const { outcome = null, code = null, dead = null } = (result ?? {}) as Record<string, unknown>;
  return {
    ...NEVER,
    settled: 'resolved',
    outcome: outcome as Said['outcome'],
    code: code as string | null,
    claims: claimsOf(result),
    dead: dead === true,
    isTyped: true,
    secrets: secretsIn(result),
  };
}

export function saidByError(error: unknown): Said {
  const secrets = secretsIn(error);
  if (!isSlurmError(error)) {
    const message = inspect(error, { depth: 3 });
    return { ...NEVER, settled: 'rejected', error: 'untyped', message, secrets };
  }
  const { outcome, name, code, message } = error;
  const isTyped = OUTCOMES.has(outcome) && /^[A-Z0-9_]+$/.test(code) && /^E[A-Z0-9]+$/.test(error.errno);
  return {
    ...{ settled: 'rejected', outcome, error: name, code, message, claims: claimsOf(error), dead: false },
    ...{ isTyped, secrets },
  };
}

interface Part {
  readonly target?: unknown;
  readonly node?: unknown;
  readonly outcome?: Outcome;
  readonly number?: number | null;
  readonly perhapsTwice?: boolean;
}

function claimsOf(value: unknown): Claim[] {
  const { nodes, parts, jobs, targets, sent } = (value ?? {}) as Record<string, unknown>;
  // `jobs` of a termination are looks, not answers.
  const lists = [nodes, parts, targets, sent === undefined ? jobs : undefined];
  return lists.flatMap((list) =>
    (Array.isArray(list) ? (list as Part[]) : []).flatMap(
      ({ target, node, outcome, number, perhapsTwice }) => {
        if (typeof target !== 'string') return [];
        const claimed = outcome ?? (number === 0 ? 'accepted' : 'refused');
        return [{ target, node: node as string | undefined, outcome: claimed, perhapsTwice }];
      },
    ),
  );
}

/** Everything of it as text, hidden fields and causes too. */
function secretsIn(value: unknown): string[] {
  const text = inspect(value, { depth: 12, showHidden: true, maxStringLength: null, maxArrayLength: null });
  return [...text.matchAll(/MUNGE:(?!…)[^\s'"]{8,}|eyJ[\w-]{8,}\.[\w-]+\.[\w-]*/g)].map(
    ([found]) => `${found.slice(0, 6)}… (${found.length} characters)`,
  );
}
