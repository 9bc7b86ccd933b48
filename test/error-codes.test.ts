/** Every code of our own that the sources use is in the published list, and the list has no dead ones. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { EMUNGE_ERRORS } from '../src/auth/emunge.js';
import { errorNumber, OWN_ERROR_CODES } from '../src/protocol/index.js';

const root = new URL('../src/', import.meta.url);
const sources = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.endsWith('error-codes.ts'))
  .map((name) => ({ name, text: readFileSync(new URL(name, root), 'utf8') }));

test('the list of own codes is what the sources use', () => {
  const used = new Set(
    sources.flatMap(({ text }) => [...text.matchAll(/'(SLURMWIRE_[A-Z_]+)'/g)].map(([, code = '']) => code)),
  );
  expect([...used].sort()).toEqual(Object.keys(OWN_ERROR_CODES).sort());
});

test("every other code in the sources is Slurm's or MUNGE's", () => {
  // EMUNGE_UNKNOWN is ours: a number newer than MUNGE's table.
  const munge = new Set([...EMUNGE_ERRORS.map((entry) => entry.code), 'EMUNGE_UNKNOWN']);
  const unknown = sources.flatMap(({ name, text }) =>
    [...text.matchAll(/code: '([A-Z0-9_]+)'/g)]
      .map(([, code = '']) => code)
      .filter(
        (code) =>
          !code.startsWith('SLURMWIRE_') &&
          errorNumber(code) === null &&
          !munge.has(code) &&
          !/^E[A-Z]+$/.test(code),
      )
      .map((code) => `${name}: ${code}`),
  );
  expect(unknown).toEqual([]);
});
