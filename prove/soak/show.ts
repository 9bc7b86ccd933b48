/** A part's report as text. */
import type { Bound, Trend } from './flat.js';
import { GOAL_MS, type LoopReport } from './loop.js';
import type { PartReport } from './parts.js';

export function showReport({ soak, troubles }: PartReport): string {
  const { name, calls, asked, seconds, became, trends } = soak;
  const rate = Math.round(calls / seconds);
  const early = calls < asked ? ` of ${asked} (the time was up)` : '';
  const lines = [`${name}: ${calls}${early} calls in ${seconds.toFixed(1)} s, ${rate} a second`];
  lines.push(`  became: ${showCounts(became)}`);
  if (Object.keys(troubles).length > 0) lines.push(`  trouble: ${showCounts(troubles)}`);
  const rows = trends.filter((trend) => !isDull(trend));
  const width = Math.max(...rows.map((trend) => trend.name.length), 7);
  lines.push(
    `  ${'measure'.padEnd(width)} ${'first'.padStart(10)} ${'last'.padStart(10)} ${'growth'.padStart(10)} ${'bound'.padStart(10)}`,
  );
  for (const { name, from, to, growth, bound, isFlat } of rows) {
    const cells = [from, to, growth, bound.growth].map((value) => show(value, bound).padStart(10));
    lines.push(`  ${name.padEnd(width)} ${cells.join(' ')} ${isFlat ? '' : ' GROWS'}`.trimEnd());
  }
  return `${lines.join('\n')}\n`;
}

/** What was never there needs no line. */
function isDull({ from, to, growth }: Trend): boolean {
  return from === 0 && to === 0 && growth === 0;
}

function showCounts(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .sort(([, a], [, b]) => b - a)
    .map(([what, count]) => `${what} ${count}`)
    .join('; ');
}

function show(value: number, { unit }: Bound): string {
  return unit === 'bytes' ? `${(value / 1024 / 1024).toFixed(2)} MB` : String(Math.round(value * 10) / 10);
}

/** One line; times in milliseconds. */
export function showLoop({ name, done, seconds, p50, p99, max, late, cpu }: LoopReport): string {
  const ms = (value: number) => value.toFixed(1).padStart(7);
  const own = `${ms(late.p50)} ${ms(late.p99)} ${ms(late.max)}`;
  const verdict = p99 > GOAL_MS ? ` ABOVE ${GOAL_MS}` : '';
  const what = `${done}, ${seconds.toFixed(1)} s`;
  return `${name.padEnd(40)} p50 ${ms(p50)}  p99 ${ms(p99)}  max ${ms(max)}  probe ${own}  cpu ${ms(cpu)}${verdict}  (${what})\n`;
}
