/** Bytes to begin with: what Slurm's own library and daemons wrote (`fixtures/golden`), recorded conversations, captures. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { RELEASES, type Release } from '../../src/protocol/release.js';
import { streamOf } from '../../src/replay/conversation.js';
import { decodeFixture, type Fixture } from '../../src/replay/fixture.js';

/** The checkout: this program runs compiled, from a copy of itself, or as it is; always in the checkout's directory. */
const fixtures = join(process.cwd(), 'fixtures');

/** A message body that Slurm packed. */
export interface GoldenBody {
  readonly name: string;
  readonly release: Release;
  readonly bytes: Uint8Array;
}

interface GoldenLine {
  readonly v: number;
  readonly name?: string;
  readonly hex: string;
  readonly header?: string;
  readonly request?: { readonly name: string; readonly hex: string };
}

/** All golden bodies, requests and replies. */
export function goldenBodies(): GoldenBody[] {
  const bodies: GoldenBody[] = [];
  const add = (name: string, v: number, hex: string) => {
    const release = RELEASES.find(({ protocol }) => protocol === v)?.release;
    if (release !== undefined) bodies.push({ name, release, bytes: Buffer.from(hex, 'hex') });
  };
  for (const file of readdirSync(join(fixtures, 'golden')).sort()) {
    if (!/\.jsonl(\.gz)?$/.test(file) || file === 'headers.jsonl') continue;
    for (const line of linesOf(join('golden', file))) {
      if (line.name === undefined) continue;
      add(line.name, line.v, line.hex);
      if (line.request !== undefined) add(line.request.name, line.v, line.request.hex);
    }
  }
  return bodies;
}

/** Golden headers, without length word. */
export function goldenHeaders(): Uint8Array[] {
  return linesOf('golden/headers.jsonl').map(({ hex }) => Buffer.from(hex, 'hex'));
}

function linesOf(path: string): GoldenLine[] {
  const bytes = readFileSync(join(fixtures, path));
  const text = (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

/** A file of `fixtures/`, by its path there. */
export function fixtureFile(path: string): Uint8Array {
  return readFileSync(join(fixtures, path));
}

/** Recorded conversations: path within `fixtures/` and bytes. */
export function recordings(): { readonly path: string; readonly bytes: Uint8Array }[] {
  const found: { path: string; bytes: Uint8Array }[] = [];
  for (const release of readdirSync(fixtures).sort()) {
    if (!/^\d\d\.\d\d$/.test(release)) continue;
    for (const name of readdirSync(join(fixtures, release)).sort()) {
      const path = join(release, name);
      found.push({ path, bytes: fixtureFile(path) });
    }
  }
  return found;
}

/** What one side of each recorded connection sent, one after the other. */
export function recordedStreams(): Uint8Array[] {
  return recordings().flatMap(({ bytes }) =>
    decodeFixture(bytes).connections.flatMap((connection) =>
      (['>', '<'] as const).map((direction) => streamOf(connection, direction)),
    ),
  );
}

export function fixtureOf(path: string): Fixture {
  return decodeFixture(fixtureFile(path));
}

/** Captures of real traffic. */
export function captures(): Uint8Array[] {
  return readdirSync(join(fixtures, 'captures'))
    .filter((name) => /\.pcap(ng)?$/.test(name))
    .sort()
    .map((name) => fixtureFile(join('captures', name)));
}

/** Each input once. */
export function* unique(inputs: Iterable<Uint8Array>): Generator<Uint8Array> {
  const seen = new Set<string>();
  for (const input of inputs) {
    const key = Buffer.from(input).toString('latin1');
    if (seen.has(key)) continue;
    seen.add(key);
    yield input;
  }
}
