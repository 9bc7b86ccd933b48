/**
 * What an execution reached. Two kinds of evidence: how often each place of the instrumented code ran, in AFL's buckets (1, 2, 3, 4–7, 8–15,
 * 16–31, 32–127, more), and features that a target reports itself: this codec is a walk over declarations, so the same few lines
 * of code read every field of every message, and lines alone would not tell one from another.
 */

/** Where instrumented files keep their counters: `globalThis[COUNTERS]`. */
export const COUNTERS = '__slurmwireFuzzCounters';

/** Counters of all files that this thread has loaded. */
const MAX_PLACES = 1 << 16;
const counters = new Uint8Array(MAX_PLACES);
const words = new Uint32Array(counters.buffer);
let places = 0;
/** Instrumented files that this thread has loaded, and where their counters are. */
export const loadedFiles: { readonly file: string; readonly start: number; readonly count: number }[] = [];

interface Registry {
  /** Called by an instrumented file while it is loaded: the part of the table that is its own. */
  allot(count: number, file: string): Uint8Array;
}

/** Has to be called before the first instrumented file is loaded. */
export function installCounters(): void {
  const registry: Registry = {
    allot(count, file) {
      loadedFiles.push({ file, start: places, count });
      if (places + count > MAX_PLACES) throw new RangeError('more places than there are counters');
      const own = counters.subarray(places, places + count);
      places += count;
      return own;
    },
  };
  Object.assign(globalThis, { [COUNTERS]: registry });
}

/** log2 of the number of features told apart; two that meet are one. */
const FEATURE_BITS = 20;

/** What one target has reached so far. */
export class Coverage {
  /** Buckets seen at each place, as bits. */
  readonly #seen = new Uint8Array(MAX_PLACES);
  readonly #features = new Uint8Array(1 << FEATURE_BITS);
  /** Features of the execution under way. */
  readonly #now = new Uint32Array(4096);
  #nowCount = 0;
  #placesReached = 0;
  #featuresReached = 0;

  /** Places of the code that ran at least once. */
  get places(): number {
    return this.#placesReached;
  }

  /** Places of the code that was loaded. */
  get placesLoaded(): number {
    return places;
  }

  get features(): number {
    return this.#featuresReached;
  }

  /** Which counters of each file never ran, by their index in it. */
  gaps(): Record<string, number[]> {
    return Object.fromEntries(
      loadedFiles.map(({ file, start, count }) => {
        const indexes = Array.from({ length: count }, (_, i) => i);
        return [file, indexes.filter((i) => this.#seen[start + i] === 0)];
      }),
    );
  }

  /** Before an execution. */
  begin(): void {
    words.fill(0, 0, (places + 3) >> 2);
    this.#nowCount = 0;
  }

  /** A feature of the execution under way: any number that stands for it. */
  readonly feature = (number: number): void => {
    if (this.#nowCount < this.#now.length) this.#now[this.#nowCount++] = mix(number);
  };

  /** After an execution: how much of what it reached is new. */
  learn(): number {
    let found = 0;
    const end = (places + 3) >> 2;
    for (let word = 0; word < end; word++) {
      if (words[word] === 0) continue;
      for (let at = word * 4; at < word * 4 + 4; at++) {
        const bucket = BUCKETS[counters[at] as number] as number;
        const seen = this.#seen[at] as number;
        if ((bucket & ~seen) === 0) continue;
        if (seen === 0) this.#placesReached++;
        this.#seen[at] = seen | bucket;
        found++;
      }
    }
    for (let i = 0; i < this.#nowCount; i++) {
      const at = this.#now[i] as number;
      if (this.#features[at] === 1) continue;
      this.#features[at] = 1;
      this.#featuresReached++;
      found++;
    }
    return found;
  }

  /** All that the execution reached, as numbers: for minimising a corpus. */
  signature(): Uint32Array {
    const reached: number[] = [];
    for (let at = 0; at < places; at++) {
      const count = counters[at] as number;
      if (count > 0) reached.push(at * 256 + (BUCKETS[count] as number));
    }
    for (let i = 0; i < this.#nowCount; i++) reached.push(0x80000000 + (this.#now[i] as number));
    return Uint32Array.from(reached);
  }
}

/** Bucket of a count, as a bit. A counter that overflows begins again at 0, which costs nothing worse than a missed input. */
const BUCKETS = Uint8Array.from({ length: 256 }, (_, count) => {
  if (count <= 3) return count === 0 ? 0 : 1 << (count - 1);
  return count < 8 ? 8 : count < 16 ? 16 : count < 32 ? 32 : count < 128 ? 64 : 128;
});

function mix(number: number): number {
  let hash = Math.imul(number ^ (number >>> 16), 0x45d9f3b);
  hash = Math.imul(hash ^ (hash >>> 13), 0x45d9f3b);
  return (hash ^ (hash >>> 16)) >>> (32 - FEATURE_BITS);
}

/** One number for several: to make features of. */
export function hashOf(...parts: readonly (number | string)[]): number {
  let hash = 0x811c9dc5;
  for (const part of parts) {
    if (typeof part === 'number') hash = Math.imul(hash ^ part, 0x01000193);
    else for (let i = 0; i < part.length; i++) hash = Math.imul(hash ^ part.charCodeAt(i), 0x01000193);
    hash = Math.imul(hash ^ 0xff, 0x01000193);
  }
  return hash >>> 0;
}
