/** The codec run on any declaration, and its errors caught: for tests below the level of whole messages. */
import { ByteReader, type Trace } from '../../src/protocol/byte-reader.js';
import { ByteWriter } from '../../src/protocol/byte-writer.js';
import { CODEC_FAULTS, withProtocolErrors } from '../../src/protocol/codec-fault.js';
import { codecOf } from '../../src/protocol/compile.js';
import { type Release, SlurmProtocolError } from '../../src/protocol/index.js';
import type { WireType } from '../../src/protocol/wire-type.js';

/** Decodes all of `bytes`; bytes left over are an error. */
export function decodeWith<Out, In>(
  type: WireType<Out, In>,
  release: Release,
  bytes: Uint8Array,
  trace?: Trace,
): Out {
  return withProtocolErrors(undefined, release, () => {
    const reader = new ByteReader(bytes, trace);
    const value = codecOf(type, release).decode(reader, {});
    reader.finish();
    return value;
  });
}

export function encodeWith<Out, In>(type: WireType<Out, In>, release: Release, value: In): Uint8Array {
  return withProtocolErrors(undefined, release, () => {
    const writer = new ByteWriter();
    codecOf(type, release).encode(writer, value, {});
    return writer.finish();
  });
}

/** The error of a step that must fail with one of the codec's own. Anything else, success too, fails the test. */
export function protocolErrorOf(step: () => unknown): SlurmProtocolError {
  const error = protocolErrorIfAny(step);
  if (error === null) throw new Error('expected a SlurmProtocolError, but it went well');
  return error;
}

/** The codec's error, or null where the step went well. Anything else that is thrown fails the test. */
export function protocolErrorIfAny(step: () => unknown): SlurmProtocolError | null {
  try {
    step();
    return null;
  } catch (thrown) {
    if (thrown instanceof SlurmProtocolError && Object.hasOwn(CODEC_FAULTS, thrown.code)) return thrown;
    throw thrown;
  }
}

/**
 * Runs a step in a world where an array or byte block of more than `limit` elements cannot be made, so that a decoder that believes
 * a length from the wire fails with an Error that is none of the library's.
 */
export function withoutBigAllocations<T>(limit: number, step: () => T): T {
  const names = ['Uint8Array', 'ArrayBuffer', 'Array'] as const;
  const real = names.map((name) => globalThis[name]);
  for (const name of names) {
    const original = globalThis[name];
    const guard = {
      apply: (_: unknown, self: unknown, args: unknown[]) =>
        Reflect.apply(original as never, self, checked(args)),
      construct: (_: unknown, args: unknown[], target: new () => object) =>
        Reflect.construct(original, checked(args), target),
    };
    Object.assign(globalThis, { [name]: new Proxy(original, guard as ProxyHandler<typeof original>) });
  }
  try {
    return step();
  } finally {
    for (const [i, name] of names.entries()) Object.assign(globalThis, { [name]: real[i] });
  }

  function checked(args: unknown[]): unknown[] {
    if (typeof args[0] === 'number' && args[0] > limit) throw new Error(`an allocation of ${args[0]}`);
    return args;
  }
}
