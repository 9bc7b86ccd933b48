/** The table of `docs/scancel.md`: option × release, made of what a run beside the real scancel has shown. */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { Release } from '../../../src/protocol/index.js';
import type { Compared } from './scancel-beside.js';

const PAGE = fileURLToPath(new URL('../../../docs/scancel.md', import.meta.url));
const BEGIN = '<!-- table: made by test/live/cancel.test.ts -->';
const END = '<!-- end of table -->';

/** Fails where the page says something else; with SLURMWIRE_WRITE_SCANCEL=1 the table is written anew. */
export async function checkScancelPage(
  compared: readonly Compared[],
  releases: readonly Release[],
): Promise<void> {
  const page = await readFile(PAGE, 'utf8');
  const [before = '', rest = ''] = page.split(BEGIN);
  const [, after = ''] = rest.split(END);
  const text = `${before}${BEGIN}\n${tableOf(compared, releases)}\n${END}${after}`;
  if (process.env.SLURMWIRE_WRITE_SCANCEL === '1') return writeFile(PAGE, text);
  const hint = 'SLURMWIRE_WRITE_SCANCEL=1 npx vitest run test/live/cancel.test.ts writes it anew';
  expect(page, hint).toBe(text);
}

function tableOf(compared: readonly Compared[], releases: readonly Release[]): string {
  const options = [...new Set(compared.map(({ option }) => option))];
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const rows = options.flatMap((option) => {
    const own = compared.filter((one) => one.option === option);
    const tries = [...new Set(own.map(tryOf))];
    return tries.map((shown, index) =>
      row([
        index > 0 ? '' : option.startsWith('*') ? option.replaceAll('*', '') : `\`${option}\``,
        shown,
        ...releases.map((release) =>
          cellOf(own.filter((one) => tryOf(one) === shown && one.release === release)),
        ),
      ]),
    );
  });
  return [
    row(['option', 'command line, and jobs J1, J2 …', ...releases]),
    row(['---', '---', ...releases.map(() => '---')]),
    ...rows,
  ].join('\n');
}

function tryOf({ shown, circumstances }: Compared): string {
  return `\`${shown}\`${circumstances === '' ? '' : ` (${circumstances})`}`;
}

function cellOf(runs: readonly Compared[]): string {
  if (runs.length === 0) return 'not tried';
  return runs.find(({ why }) => why !== null)?.why ?? 'same';
}
