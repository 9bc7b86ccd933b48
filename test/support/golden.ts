/** Bytes that Slurm's own library and daemons wrote: see fixtures/golden/README.md. */
import { readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { isMessageName, type MessageName, RELEASES, type Release } from '../../src/protocol/index.js';

const directory = new URL('../../fixtures/golden/', import.meta.url);

export interface GoldenLine {
  readonly v: number;
  readonly release: string;
  readonly type: number;
  readonly name: string;
  readonly case: string;
  readonly fields: Record<string, unknown>;
  readonly hex: string;
  readonly payload?: string;
  readonly payload_k12?: string;
}

export interface GoldenReply extends GoldenLine {
  readonly source: 'slurmctld' | 'slurmd';
  readonly header: string;
  readonly request: { readonly type: number; readonly name: string; readonly hex: string };
}

/** The lines of one vector file. */
export function goldenLines(file: 'signalling' | 'lookups' | 'headers'): GoldenLine[] {
  return parseLines(readFileSync(new URL(`${file}.jsonl`, directory), 'utf8'));
}

/** The lines whose message this library has a description of. */
export function describedGoldenLines(): (GoldenLine & { name: MessageName })[] {
  return [...goldenLines('signalling'), ...goldenLines('lookups')].filter(
    (line): line is GoldenLine & { name: MessageName } => isMessageName(line.name),
  );
}

/** What `scontrol show` of a release printed just before its daemons were asked. */
export interface GoldenShow {
  readonly release: string;
  readonly show: Shown;
}

type Shown = Readonly<Partial<Record<'job' | 'node' | 'step' | 'partition' | 'reservation', string>>>;

/** Answers of real daemons of all recorded releases. */
export function goldenReplies(): GoldenReply[] {
  return replyLines().filter((line): line is GoldenReply => 'name' in line);
}

/** By release; jobs, nodes and steps are of another cluster than partitions and reservations. */
export function goldenShows(): ReadonlyMap<string, Shown> {
  const shows = new Map<string, Shown>();
  for (const line of replyLines())
    if ('show' in line) shows.set(line.release, { ...shows.get(line.release), ...line.show });
  return shows;
}

function replyLines(): (GoldenReply | GoldenShow)[] {
  return readdirSync(directory)
    .filter((name) => name.startsWith('replies-'))
    .flatMap((name) => parseLines(gunzipSync(readFileSync(new URL(name, directory))).toString('utf8')));
}

export function releaseOfProtocol(protocol: number): Release {
  const row = RELEASES.find((candidate) => candidate.protocol === protocol);
  if (row === undefined) throw new Error(`no release for protocol ${protocol}`);
  return row.release;
}

export function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/**
 * A golden record with the library's field names: snake case to camel case. Values stay as JSON has them, so 64-bit numbers are
 * numbers or decimal strings: compare through {@link comparable}.
 */
export function camelCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camelCase);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key.replace(/_([a-z0-9])/g, (_, c: string) => c.toUpperCase()),
      camelCase(inner),
    ]),
  );
}

/** Both sides in one notation: 64-bit numbers as decimal text, and only the keys that `like` has. */
export function comparable(value: unknown, like: unknown = value): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value))
    return value.map((item, i) => comparable(item, Array.isArray(like) ? like[i] : item));
  if (typeof value === 'object' && value !== null && typeof like === 'object' && like !== null) {
    const record = value as Record<string, unknown>;
    return Object.fromEntries(
      Object.keys(like).map((key) => [key, comparable(record[key], (like as Record<string, unknown>)[key])]),
    );
  }
  return value;
}

/** `comparable` where the other side is a bigint: numbers become decimal text in the places where `like` has a bigint. */
export function asDecoded(golden: unknown, decoded: unknown): unknown {
  if (typeof decoded === 'bigint') return String(golden);
  if (Array.isArray(golden))
    return golden.map((item, i) => asDecoded(item, Array.isArray(decoded) ? decoded[i] : undefined));
  if (typeof golden === 'object' && golden !== null) {
    const record = (decoded ?? {}) as Record<string, unknown>;
    return Object.fromEntries(
      Object.entries(golden).map(([key, inner]) => [key, asDecoded(inner, record[key])]),
    );
  }
  return golden;
}

function parseLines<T = GoldenLine>(text: string): T[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}
