/** The corpus that is kept: `fixtures/corpus/TARGET.msgpack.gz`, the inputs of a target, smallest first. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { decode, encode } from '@msgpack/msgpack';
import { findLiveSecrets } from '../../src/replay/secrets.js';

const directory = join(process.cwd(), 'fixtures', 'corpus');

export function readCorpus(target: string): Uint8Array[] {
  const path = fileOf(target);
  if (!existsSync(path)) return [];
  return (decode(gunzipSync(readFileSync(path))) as Uint8Array[]).map((input) => Uint8Array.from(input));
}

/**
 * What looks like a live credential is left out, as from all fixtures, although it is made up: nobody who scans them has to know that. Targets
 * that want such inputs have them among their seeds.
 *
 * @returns bytes of the file.
 */
export function writeCorpus(target: string, inputs: readonly Uint8Array[]): number {
  const clean = inputs.filter((input) => findLiveSecrets(input).length === 0);
  mkdirSync(directory, { recursive: true });
  const bytes = gzipSync(encode(clean), { level: 9 });
  writeFileSync(fileOf(target), bytes);
  return bytes.length;
}

function fileOf(target: string): string {
  return join(directory, `${target}.msgpack.gz`);
}

/** An input that broke a promise once, and what it was. */
export interface Regression {
  readonly target: string;
  readonly what: string;
  /** In base64. */
  readonly input: string;
}

/** Inputs that broke a promise once: `fixtures/corpus/regressions.json`. */
export function readRegressions(): Regression[] {
  const path = join(directory, 'regressions.json');
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : [];
}
