/** The rows as one table, in Markdown: docs/performance.md takes it as it is. */
import { isMet, type Row, type Target } from './measure.js';

const HEADINGS = ['measure', 'on', 'slurmwire', 'peer', 'its figure', 'ratio', 'target', ''];

export function table(rows: readonly Row[]): string {
  const lines = rows.map((row) => [
    row.what,
    row.on,
    `${figure(row.ours)} ${row.unit}`,
    row.peer ?? '—',
    row.theirs === null ? '—' : `${figure(row.theirs)} ${row.unit}`,
    row.ratio === null ? '—' : `${figure(row.ratio)} ×`,
    row.target === null ? '—' : bound(row.target, row.ratio === null ? ` ${row.unit}` : ' ×'),
    { true: 'met', false: '**missed**', null: '' }[`${isMet(row)}`],
  ]);
  const all = [HEADINGS, HEADINGS.map(() => '---'), ...lines];
  const notes = rows.flatMap((row) =>
    row.note === undefined ? [] : [`- ${row.what}, ${row.on}: ${row.note}`],
  );
  return [...all.map((cells) => `| ${cells.join(' | ')} |`), '', ...new Set(notes)].join('\n').trimEnd();
}

function bound({ at, bound }: Target, unit: string): string {
  return `${at === 'most' ? '≤' : '≥'} ${figure(bound)}${unit}`;
}

/** Three digits that count, thousands apart. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '—';
  const whole = Math.abs(value) >= 100;
  return value.toLocaleString(
    'en-US',
    whole ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 3 },
  );
}
