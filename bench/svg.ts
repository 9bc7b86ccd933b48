/** A chart on two logarithmic scales as an SVG that can be read on light and on dark ground, and without its colours. */
import type { Chart, Series } from './growth/curve.js';
import type { Point } from './growth/fit.js';
import { exponent } from './growth/fit.js';

const WIDTH = 800;
const HEIGHT = 460;
const PLOT = { left: 76, right: 560, top: 62, bottom: 396 };
/** Dark enough on white and light enough on black; no two of them are told apart by red and green alone. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#8a7500', '#5a6bd8'];
const DARK = ['#56b4e9', '#ff9248', '#2fd6a4', '#e8a0c8', '#f0e442', '#a3b0ff'];
const MARKS = ['circle', 'square', 'triangle', 'diamond', 'cross', 'ring'] as const;

/** The whole file. */
export function svgOf(chart: Chart): string {
  const { title, series, isLinearShown = true } = chart;
  const x = scale(decades(series.flatMap(({ points }) => points.map(([n]) => n))), PLOT.left, PLOT.right);
  const y = scale(
    decades(series.flatMap(({ points }) => points.map(([, cost]) => cost))),
    PLOT.bottom,
    PLOT.top,
  );
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-labelledby="title desc">`,
    `<title id="title">${text(title)}</title>`,
    `<desc id="desc">${text(described(chart))}</desc>`,
    style(series.length),
    `<rect class="ground" width="${WIDTH}" height="${HEIGHT}" rx="6"/>`,
    `<text class="title" x="20" y="32">${text(title)}</text>`,
    ...grid(x, y, chart),
    ...(isLinearShown ? linear(series, x, y) : []),
    ...series.flatMap((one, i) => curve(one, i, x, y)),
    ...legend(chart),
    '</svg>',
  ];
  return `${parts.join('\n')}\n`;
}

interface Scale {
  /** What lines are drawn for, the ends among them. */
  readonly ticks: readonly number[];
  at(value: number): number;
}

function scale([low, high]: readonly [number, number], from: number, to: number): Scale {
  const at = (value: number) => from + ((Math.log10(value) - low) / (high - low)) * (to - from);
  const powers = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i));
  // A scale of one or two powers of ten has lines between them.
  const between = high - low > 2 ? [1] : [1, 2, 5];
  const ticks = powers.flatMap((power) => between.map((by) => by * power));
  return { ticks: ticks.filter((tick) => tick <= 10 ** high), at };
}

/** The powers of ten around what is shown. */
function decades(values: readonly number[]): [number, number] {
  const logs = values.filter((value) => value > 0).map((value) => Math.log10(value));
  const low = Math.floor(Math.min(...logs) + 1e-9);
  return [low, Math.max(low + 1, Math.ceil(Math.max(...logs) - 1e-9))];
}

function grid(x: Scale, y: Scale, { x: xName, y: yName, unit }: Chart): string[] {
  const vertical = x.ticks.map((tick) => {
    const at = px(x.at(tick));
    return (
      `<line class="grid" x1="${at}" y1="${PLOT.top}" x2="${at}" y2="${PLOT.bottom}"/>` +
      `<text class="tick" text-anchor="middle" x="${at}" y="${PLOT.bottom + 20}">${tick.toLocaleString('en-US')}</text>`
    );
  });
  const horizontal = y.ticks.map((tick) => {
    const at = px(y.at(tick));
    return (
      `<line class="grid" x1="${PLOT.left}" y1="${at}" x2="${PLOT.right}" y2="${at}"/>` +
      `<text class="tick" text-anchor="end" x="${PLOT.left - 8}" y="${px(y.at(tick) + 4)}">${quantity(tick, unit)}</text>`
    );
  });
  const [middleX, middleY] = [(PLOT.left + PLOT.right) / 2, (PLOT.top + PLOT.bottom) / 2];
  return [
    ...vertical,
    ...horizontal,
    `<text class="axis" text-anchor="middle" x="${middleX}" y="${PLOT.bottom + 46}">${text(xName)}</text>`,
    `<text class="axis" text-anchor="middle" x="20" y="${middleY}" transform="rotate(-90 20 ${middleY})">${text(yName)}</text>`,
  ];
}

/** What a cost would be that doubles when n does: through the last point of the topmost curve, as far as the plot reaches. */
function linear(series: readonly Series[], x: Scale, y: Scale): string[] {
  const ends = series.flatMap(({ points }) => points.at(-1) ?? []);
  if (ends.length === 0) return [];
  const tops = series.map(({ points }) => points.at(-1) as Point);
  const [n, cost] = tops.reduce((top, one) => (one[1] / one[0] > top[1] / top[0] ? one : top));
  const lowest = y.ticks[0] ?? cost;
  const from = Math.max(x.ticks[0] ?? 1, (n * lowest) / cost);
  const [x1, y1, x2, y2] = [x.at(from), y.at((cost * from) / n), x.at(n), y.at(cost)].map(px);
  return [`<line class="linear" x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}"/>`];
}

function curve({ points }: Series, i: number, x: Scale, y: Scale): string[] {
  const places = points.filter(([, cost]) => cost > 0).map(([n, cost]) => [x.at(n), y.at(cost)] as const);
  const line = places.map(([a, b]) => `${px(a)},${px(b)}`).join(' ');
  return [`<polyline class="curve c${i}" points="${line}"/>`, ...places.map(([a, b]) => mark(i, a, b))];
}

/** Curves are told apart by these too. */
function mark(i: number, a: number, b: number): string {
  const shape = (d: string) => `<path class="mark m${i}" d="M${px(a)} ${px(b)}${d}"/>`;
  switch (MARKS[i % MARKS.length]) {
    case 'square':
      return shape('m-4 -4h8v8h-8z');
    case 'triangle':
      return shape('m0 -5.5l5 9h-10z');
    case 'diamond':
      return shape('m0 -5.5l5.5 5.5l-5.5 5.5l-5.5 -5.5z');
    case 'cross':
      return shape('m-1.6 -5h3.2v3.4h3.4v3.2h-3.4v3.4h-3.2v-3.4h-3.4v-3.2h3.4z');
    case 'ring':
      return `<circle class="ring m${i}" cx="${px(a)}" cy="${px(b)}" r="4"/>`;
    default:
      return `<circle class="mark m${i}" cx="${px(a)}" cy="${px(b)}" r="4.2"/>`;
  }
}

/** Beside the plot, in the order in which the curves end. */
function legend({ series, isLinearShown = true, unit }: Chart): string[] {
  const end = ({ points }: Series) => points.at(-1)?.[1] ?? 0;
  const order = series.map((_, i) => i).sort((a, b) => end(series[b] as Series) - end(series[a] as Series));
  const left = PLOT.right + 20;
  const entries = order.flatMap((i, place) => {
    const { name, points } = series[i] as Series;
    const at = PLOT.top + 14 + place * 52;
    const [n, cost] = points.at(-1) ?? [0, 0];
    const last = `${quantity(cost, unit)} at ${n.toLocaleString('en-US')}`;
    const grows = isLinearShown ? `, slope ${exponent(points).toFixed(2)}` : '';
    return [
      mark(i, left + 6, at - 4),
      `<text class="name" x="${left + 18}" y="${at}">${text(name)}</text>`,
      `<text class="detail" x="${left + 18}" y="${at + 16}">${text(last + grows)}</text>`,
    ];
  });
  const at = PLOT.top + 14 + order.length * 52;
  const line = `<line class="linear" x1="${left}" y1="${at - 4}" x2="${left + 14}" y2="${at - 4}"/>`;
  return isLinearShown
    ? [...entries, line, `<text class="name" x="${left + 18}" y="${at}">linear</text>`]
    : entries;
}

function style(count: number): string {
  const colours = (all: readonly string[]) =>
    Array.from({ length: count }, (_, i) => {
      const colour = all[i % all.length];
      return `.c${i}{stroke:${colour}}.m${i}{fill:${colour};stroke:${colour}}`;
    }).join('');
  return `<style>
text{font:13px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;fill:#1f2328}
.title{font-size:16px;font-weight:600}.tick,.detail{font-size:12px;fill:#59636e}.axis{fill:#59636e}
.ground{fill:#fff;stroke:#d1d9e0}.grid{stroke:#d1d9e0;stroke-width:1}
.curve{fill:none;stroke-width:2;stroke-linejoin:round}.mark{stroke-width:0}.ring.ring{fill:none;stroke-width:2}
.linear{stroke:#59636e;stroke-width:1.5;stroke-dasharray:3 4}
${colours(COLOURS)}
@media (prefers-color-scheme:dark){text{fill:#f0f6fc}.tick,.detail,.axis{fill:#9198a1}.ground{fill:#0d1117;stroke:#3d444d}.grid{stroke:#3d444d}.linear{stroke:#9198a1}
${colours(DARK)}}
</style>`;
}

/** For who cannot see it: where each curve begins and ends. */
function described({ x, unit, series }: Chart): string {
  const told = series.map(({ name, points }) => {
    const ends = [points[0], points.at(-1)].map(
      (point) => point && `${quantity(point[1], unit)} at ${point[0].toLocaleString('en-US')} ${x}`,
    );
    return `${name}: ${ends.join(', ')}`;
  });
  return `${told.join('; ')}.`;
}

function quantity(value: number, unit: Chart['unit']): string {
  const digits = (number: number) =>
    Number(number.toPrecision(3)).toLocaleString('en-US', { maximumFractionDigits: 3 });
  if (unit === 'per second') return digits(value);
  if (unit === 'bytes') {
    if (value >= 1e6) return `${digits(value / 1e6)} MB`;
    return value >= 1000 ? `${digits(value / 1000)} kB` : `${digits(value)} B`;
  }
  if (value >= 600_000) return `${digits(value / 60_000)} min`;
  return value >= 1000 ? `${digits(value / 1000)} s` : `${digits(value)} ms`;
}

function px(value: number): number {
  return Math.round(value * 10) / 10;
}

function text(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
