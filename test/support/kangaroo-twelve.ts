/**
 * KangarooTwelve (KT128 of RFC 9861), written from the RFC for clarity: the oracle of the payload tests. Independent of the library
 * that `src` uses, and itself held against the RFC's vectors in payload-digest.test.ts.
 */
const MASK = (1n << 64n) - 1n;
const RATE = 168;
const CHUNK = 8192;

export function kangarooTwelve(message: Uint8Array, customization: Uint8Array, length = 32): Uint8Array {
  const input = joined(message, customization, lengthEncoded(customization.length));
  if (input.length <= CHUNK) return turboShake128(input, 0x07, length);
  const chunks = Array.from({ length: Math.ceil(input.length / CHUNK) }, (_, i) =>
    input.subarray(i * CHUNK, (i + 1) * CHUNK),
  );
  const [first = input, ...others] = chunks;
  const final = joined(
    first,
    Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0),
    ...others.map((chunk) => turboShake128(chunk, 0x0b, 32)),
    lengthEncoded(others.length),
    Uint8Array.of(0xff, 0xff),
  );
  return turboShake128(final, 0x06, length);
}

/** A number as its big-endian bytes without leading zeros, then how many those are. */
function lengthEncoded(value: number): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return Uint8Array.of(...bytes, bytes.length);
}

function turboShake128(message: Uint8Array, domain: number, length: number): Uint8Array {
  const padded = new Uint8Array(Math.ceil((message.length + 1) / RATE) * RATE);
  padded.set(message);
  padded[message.length] = domain;
  padded[padded.length - 1] = (padded[padded.length - 1] as number) ^ 0x80;
  const view = new DataView(padded.buffer);
  let state = Array<bigint>(25).fill(0n);
  for (let block = 0; block < padded.length; block += RATE) {
    for (let lane = 0; lane < RATE / 8; lane++) {
      state[lane] = (state[lane] as bigint) ^ view.getBigUint64(block + 8 * lane, true);
    }
    state = keccak(state);
  }
  const out = new DataView(new ArrayBuffer(200));
  for (const [lane, value] of state.entries()) out.setBigUint64(8 * lane, value, true);
  return new Uint8Array(out.buffer).slice(0, length);
}

/** Keccak-p[1600] with the last 12 of its 24 rounds. */
function keccak(before: readonly bigint[]): bigint[] {
  let a = [...before];
  const lane = (state: readonly bigint[], x: number, y: number) =>
    state[((x + 5) % 5) + 5 * ((y + 5) % 5)] as bigint;
  for (let round = 12; round < 24; round++) {
    const parity = [0, 1, 2, 3, 4].map((x) =>
      a.filter((_, i) => i % 5 === x).reduce((sum, value) => sum ^ value),
    );
    a = a.map((value, i) => value ^ lane(parity, (i % 5) - 1, 0) ^ rotated(lane(parity, (i % 5) + 1, 0), 1));
    const moved = Array<bigint>(25).fill(0n);
    moved[0] = a[0] as bigint;
    for (let t = 0, x = 1, y = 0; t < 24; t++) {
      const target = y + 5 * ((2 * x + 3 * y) % 5);
      moved[target] = rotated(lane(a, x, y), (((t + 1) * (t + 2)) / 2) % 64);
      [x, y] = [y, (2 * x + 3 * y) % 5];
    }
    a = moved.map((value, i) => {
      const [x, y] = [i % 5, Math.floor(i / 5)];
      return value ^ (~lane(moved, x + 1, y) & MASK & lane(moved, x + 2, y));
    });
    a[0] = (a[0] as bigint) ^ (ROUND_CONSTANTS[round] as bigint);
  }
  return a;
}

function rotated(value: bigint, by: number): bigint {
  const bits = BigInt(by);
  return ((value << bits) | (value >> (64n - bits))) & MASK;
}

/** From the linear feedback shift register of FIPS 202, 3.2.5. */
const ROUND_CONSTANTS: readonly bigint[] = (() => {
  let register = 1;
  const nextBit = () => {
    const bit = register & 1;
    register = (register << 1) ^ (register & 0x80 ? 0x171 : 0);
    return bit;
  };
  return Array.from({ length: 24 }, () => {
    let constant = 0n;
    for (let j = 0; j <= 6; j++) if (nextBit()) constant |= 1n << (2n ** BigInt(j) - 1n);
    return constant;
  });
})();

function joined(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}
