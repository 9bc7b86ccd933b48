/** A small generator of random numbers (sfc32): the same seed gives the same run. */
export class Random {
  #a = 0;
  #b = 0;
  #c = 0;
  #counter = 1;

  /** @param seed any text. */
  constructor(seed: string) {
    let hash = 0x811c9dc5;
    for (let i = 0; i < seed.length; i++) hash = Math.imul(hash ^ seed.charCodeAt(i), 0x01000193);
    [this.#a, this.#b, this.#c] = [hash, Math.imul(hash, 0x9e3779b1), ~hash];
    for (let i = 0; i < 16; i++) this.u32();
  }

  /** 0 to 2^32 − 1. */
  u32(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** 0 to `bound` − 1; 0 for a bound of 0. */
  below(bound: number): number {
    return bound <= 1 ? 0 : this.u32() % bound;
  }

  /** True once in `n` times. */
  oneIn(n: number): boolean {
    return this.u32() % n === 0;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }
}
