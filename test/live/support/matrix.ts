/** `docs/matrix.md`: verb × release × proved how, made of what a run of the contract has proved. */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { RELEASE_NAMES, type Release } from '../../../src/protocol/index.js';

/** One verb did on one live daemon, in one protocol, what it promises. */
export interface Proof {
  readonly verb: string;
  /** Release of the daemon. */
  readonly daemon: Release;
  readonly protocol: Release;
  /** The client found the protocol by itself. */
  readonly isFound: boolean;
}

const PAGE = fileURLToPath(new URL('../../../docs/matrix.md', import.meta.url));

/** Fails where the page says something else; with SLURMWIRE_WRITE_MATRIX=1 the page is written anew. */
export async function checkMatrix(proofs: readonly Proof[]): Promise<void> {
  const text = pageOf(proofs);
  if (process.env.SLURMWIRE_WRITE_MATRIX === '1') return writeFile(PAGE, text);
  const hint = 'SLURMWIRE_WRITE_MATRIX=1 npx vitest run test/live/contract.test.ts writes it anew';
  expect(await readFile(PAGE, 'utf8'), hint).toBe(text);
}

function pageOf(proofs: readonly Proof[]): string {
  const verbs = [...new Set(proofs.map(({ verb }) => verb))].sort();
  const rows = verbs.map((verb) => [
    `\`${verb}\``,
    ...RELEASE_NAMES.map((release) => cellOf(proofs, verb, release)),
  ]);
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [
    '# What is proved, and how',
    '',
    'Made by `test/live/contract.test.ts`: one program, the same calls and the same assertions on what became of jobs and processes, on live daemons',
    'of four releases (Debian’s 20.11, 22.05, 24.11 and 26.05). `npm test` fails where this page says something else.',
    '',
    '- **live**: a daemon of this very release; the client found its version by itself, and did the same with the version given.',
    '- **22.05**, **24.11**, **26.05**: a live daemon of that release, spoken to in the version of the column’s release, which it takes too.',
    '- bytes: no daemon to be had that speaks it; its messages are held against bytes packed by Slurm’s own library (`fixtures/golden/`).',
    '',
    row(['verb', ...RELEASE_NAMES]),
    row(['---', ...RELEASE_NAMES.map(() => '---')]),
    ...rows.map(row),
    '',
  ].join('\n');
}

function cellOf(proofs: readonly Proof[], verb: string, release: Release): string {
  const own = proofs.filter((proof) => proof.verb === verb && proof.protocol === release);
  const isLive = own.some(({ daemon, isFound }) => daemon === release && isFound);
  const others = new Set(own.filter(({ daemon }) => daemon !== release).map(({ daemon }) => daemon));
  const cells = [...(isLive ? ['**live**'] : []), ...[...others].sort()];
  if (cells.length > 0) return cells.join(', ');
  return proofs.some((proof) => proof.protocol === release) ? 'not proved' : 'bytes';
}
