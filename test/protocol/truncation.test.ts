/** Bytes cut short, lengths that lie, bits that flipped: only ever a SlurmProtocolError, quickly, and without believing a length. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Span, Trace } from '../../src/protocol/byte-reader.js';
import { header } from '../../src/protocol/header.js';
import {
  type AuthSection,
  decodeBody,
  decodeFrame,
  encodeFrame,
  MESSAGES,
  type MessageName,
  messageTypeName,
  type Release,
  type SlurmProtocolError,
} from '../../src/protocol/index.js';
import { decodeWith, protocolErrorIfAny, protocolErrorOf, withoutBigAllocations } from '../support/codec.js';
import { type AnyType, hasKnownEnd } from '../support/description.js';
import {
  describedGoldenLines,
  fromHex,
  type GoldenLine,
  goldenLines,
  goldenReplies,
  releaseOfProtocol,
} from '../support/golden.js';

const COUNT = ' (count)';
const LONG: readonly string[] = ['job-info-detail', 'node-info-detail', 'steps-all', 'build-info'];

interface Sample {
  readonly what: string;
  readonly release: Release;
  readonly bytes: Uint8Array;
  decode(bytes: Uint8Array, trace?: Trace): unknown;
}

/** Bodies that say where they end: of the others every beginning is good too. */
const bodies: readonly Sample[] = describedGoldenLines()
  .filter(({ name }) => hasKnownEnd(MESSAGES[name] as AnyType))
  .map((line) => ({
    what: `${line.name} ${line.case} v${line.v}`,
    release: releaseOfProtocol(line.v),
    bytes: fromHex(line.hex),
    decode: (bytes, trace) => decodeBody(line.name, releaseOfProtocol(line.v), bytes, trace),
  }));

/** Long answers of real daemons, of messages that Slurm's library does not pack: one of each kind in each version. */
const longReplies: readonly Sample[] = [
  ...new Map(
    goldenReplies()
      .filter(({ case: label }) => LONG.includes(label))
      .map((reply) => [`${reply.case} ${reply.v}`, reply]),
  ).values(),
].map((reply) => {
  const release = releaseOfProtocol(reply.v);
  const name = reply.name as MessageName;
  return {
    what: `${reply.name} ${reply.case} v${reply.v}`,
    release,
    bytes: fromHex(reply.hex),
    decode: (bytes, trace) => decodeBody(name, release, bytes, trace),
  };
});

/**
 * Offsets from 0 to `end`: each of the first, which cover whole messages or the first record of a list, then one in so many. The
 * time would else grow with the square of the length, and the records of a list are alike.
 */
function offsets(end: number, first: number): number[] {
  const step = Math.ceil((end - first) / 60);
  return Array.from({ length: end }, (_, at) => at).filter((at) => at < first || (at - first) % step === 0);
}

const headers: readonly Sample[] = [
  ...goldenLines('headers').map((line) => headerSample(line, line.hex)),
  // With answers of other nodes.
  ...goldenReplies()
    .filter((reply) => reply.case === 'signal-tasks-unknown-forwarded')
    .map((reply) => headerSample(reply, reply.header)),
];

function headerSample(line: GoldenLine, hex: string): Sample {
  const release = releaseOfProtocol(line.v);
  return {
    what: `header ${line.case} v${line.v}`,
    release,
    bytes: fromHex(hex),
    decode: (bytes, trace) => decodeWith(header, release, bytes, trace),
  };
}

const PLUGINS: readonly (AuthSection | null)[] = [
  { plugin: 'auth/munge', credential: 'MUNGE:AwQDAAB:' },
  { plugin: 'auth/none', uid: 1000, gid: 1000, hostname: 'login1' },
  { plugin: 'auth/jwt', token: 'a.b.c', username: null },
  { plugin: 'auth/slurm', token: 'a.b.c' },
  null,
];

/** A frame around each golden header: its flags, forward block, answers and address, and a body of zeros. */
const frames: readonly Sample[] = headers.map((sample, i) => {
  const head = decodeWith(header, sample.release, sample.bytes);
  const frame = encodeFrame({
    release: sample.release,
    messageName: messageTypeName(head.msgType, sample.release) as string,
    auth: PLUGINS[i % PLUGINS.length] as AuthSection | null,
    body: new Uint8Array(head.bodyLength),
    flags: head.flags & ~0x40,
    forward: head.forward,
    returnList: head.returnList,
    origAddr: head.origAddr,
  });
  return { what: `frame of ${sample.what}`, release: sample.release, bytes: frame, decode: decodeFrame };
});

const samples = [...bodies, ...longReplies, ...headers, ...frames];

/** One test for all samples of a message: a test of its own for each would cost more than what it does. */
function testEach(some: readonly Sample[], title: string, check: (sample: Sample) => void): void {
  const byMessage = new Map<string, Sample[]>();
  for (const sample of some) {
    const name = sample.what.replace(/ .*/, '');
    byMessage.set(name, [...(byMessage.get(name) ?? []), sample]);
  }
  test.each([...byMessage])(title, (_, group) => {
    // Errors by the ten thousand: vitest's stacks of 100 frames would take half of the time.
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 4;
    try {
      for (const sample of group) checkNamed(sample, check);
    } finally {
      Error.stackTraceLimit = limit;
    }
  });
}

function checkNamed(sample: Sample, check: (sample: Sample) => void): void {
  try {
    check(sample);
  } catch (thrown) {
    if (thrown instanceof Error) thrown.message = `${sample.what}: ${thrown.message}`;
    throw thrown;
  }
}

function overwritten(bytes: Uint8Array, at: number, value: number): Uint8Array {
  // Not Uint8Array.from, which takes its time where Uint8Array is guarded.
  const copy = bytes.slice();
  new DataView(copy.buffer).setUint32(at, value);
  return copy;
}

/** The length word put right, so that what lies behind it is what decoding stumbles over. */
function relabelled(frame: Uint8Array): Uint8Array {
  return overwritten(frame, 0, frame.length - 4);
}

test('the samples are many: all described messages, headers with answers, frames of every plugin', () => {
  expect(bodies.length).toBeGreaterThan(2400);
  expect(longReplies).toHaveLength(11 * LONG.length);
  expect(headers.filter(({ bytes }) => bytes.length > 60).length).toBeGreaterThanOrEqual(16);
  expect(frames).toHaveLength(headers.length);
});

describe('cut at every byte', () => {
  testEach([...bodies, ...longReplies, ...headers], '%s', ({ bytes, decode }) => {
    for (const length of offsets(bytes.length, 700)) {
      const error = protocolErrorOf(() => decode(bytes.subarray(0, length)));
      assert.match(error.code, /^SLURMWIRE_(TRUNCATED|BAD_COUNT)$/, `${length} bytes`);
      assert.notEqual(error.fieldPath, '', `${length} bytes`);
      assert.ok(error.offset !== undefined && error.offset <= length, `${length} bytes`);
    }
  });

  testEach(frames, '%s', ({ bytes, decode }) => {
    for (let length = 0; length < bytes.length; length++) {
      const cut = bytes.subarray(0, length);
      const code = length < 4 ? 'SLURMWIRE_TRUNCATED' : 'SLURMWIRE_BAD_LENGTH';
      assert.equal(protocolErrorOf(() => decode(cut)).code, code);
      if (length < 4) continue;
      const error = protocolErrorOf(() => decode(relabelled(cut)));
      assert.match(error.code, /^SLURMWIRE_(TRUNCATED|BAD_COUNT|BAD_LENGTH)$/, `${length} bytes`);
    }
  });
});

describe('one byte too many', () => {
  testEach([...bodies, ...longReplies, ...headers], '%s', ({ bytes, decode }) => {
    for (const extra of [0, 0xff]) {
      const error = protocolErrorOf(() => decode(Uint8Array.from([...bytes, extra])));
      expect([error.code, error.offset]).toEqual(['SLURMWIRE_TRAILING_BYTES', bytes.length]);
    }
  });

  testEach(frames, '%s', ({ bytes, decode }) => {
    const longer = Uint8Array.from([...bytes, 0]);
    expect(protocolErrorOf(() => decode(longer)).code).toBe('SLURMWIRE_BAD_LENGTH');
    expect(protocolErrorOf(() => decode(relabelled(longer))).code).toBe('SLURMWIRE_BAD_LENGTH');
  });
});

describe('lengths that lie', () => {
  /** Where the u32 lengths of strings and counts of lists stand, from the spans that decoding notes. */
  function lengthsIn({ bytes, decode }: Sample): { at: number; path: string; isText: boolean }[] {
    const trace: Trace = { path: [], spans: [] };
    decode(bytes, trace);
    const found = trace.spans.flatMap((span) => {
      const { path, start, end } = span;
      if (isText(span, bytes)) return [{ at: start, path, isText: true }];
      // Counts of 16 bits cannot lie much: see frame.test.ts.
      const isCount = path.endsWith(COUNT) && end - start === 4;
      return isCount ? [{ at: start, path: path.slice(0, -COUNT.length), isText: false }] : [];
    });
    return offsets(found.length, 40).map((i) => found[i] as (typeof found)[number]);
  }

  function isText({ value, start, end }: Span, bytes: Uint8Array): boolean {
    if (typeof value === 'string') return true;
    return (
      value === null &&
      end - start === 4 &&
      new DataView(bytes.buffer, bytes.byteOffset).getUint32(start) === 0
    );
  }

  test('are found, of both kinds', () => {
    const reroute = bodies.filter(({ what }) => what.startsWith('RESPONSE_SLURM_REROUTE_MSG typical'));
    const found = reroute.flatMap(lengthsIn);
    expect(found.filter((length) => length.isText).length).toBeGreaterThan(100);
    expect(found.filter((length) => !length.isText).length).toBeGreaterThan(10);
  });

  testEach(samples, '%s', (sample) => {
    const { bytes, decode } = sample;
    withoutBigAllocations(100_000, () => {
      for (const { at, path, isText } of lengthsIn(sample)) {
        const left = bytes.length - at - 4;
        const lies = [0xffffffff, 0x40000001, left + 1, ...(isText ? [0xfffffffe] : [])];
        for (const lie of lies) {
          const error = protocolErrorOf(() => decode(overwritten(bytes, at, lie)));
          assert.deepEqual([error.code, error.fieldPath, error.offset], ['SLURMWIRE_BAD_COUNT', path, at]);
        }
      }
    });
  });

  // One random and one typical record of each message and version: the others have the same fields.
  const varied = samples.filter(({ what }) => !/ (zero|init|typical-[23]|random-2) /.test(what));

  testEach(varied, '%s: four bytes after the other, whatever they are', ({ bytes, decode }) => {
    withoutBigAllocations(100_000, () => {
      for (const at of offsets(Math.max(0, bytes.length - 3), 60)) {
        for (const lie of [0xffffffff, 0xfffffffe, bytes.length - at - 3]) {
          protocolErrorIfAny(() => decode(overwritten(bytes, at, lie)));
        }
      }
    });
  });
});

describe('at random', () => {
  const RUNS = { numRuns: 4000 };

  test('bits flipped in good bytes', () => {
    const flips = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 0xff })), {
      minLength: 1,
      maxLength: 6,
    });
    const nonEmpty = samples.filter(({ bytes }) => bytes.length > 0);
    const errors: SlurmProtocolError[] = [];
    fc.assert(
      fc.property(fc.constantFrom(...nonEmpty), flips, ({ bytes, decode }, positions) => {
        const copy = Uint8Array.from(bytes);
        for (const [where, mask] of positions)
          copy[where % copy.length] = (copy[where % copy.length] as number) ^ mask;
        const error = withoutBigAllocations(100_000, () => protocolErrorIfAny(() => decode(copy)));
        if (error !== null) errors.push(error);
      }),
      RUNS,
    );
    expect(errors.length).toBeGreaterThan(RUNS.numRuns / 10);
  });

  test('noise', () => {
    fc.assert(
      fc.property(fc.constantFrom(...samples), fc.uint8Array({ maxLength: 400 }), ({ decode }, bytes) => {
        withoutBigAllocations(100_000, () => protocolErrorIfAny(() => decode(bytes)));
      }),
      RUNS,
    );
  });

  test('noise behind a good beginning', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...frames),
        fc.nat(),
        fc.uint8Array({ maxLength: 200 }),
        ({ bytes, decode }, at, noise) => {
          const start = 4 + (at % (bytes.length - 4));
          const mixed = relabelled(Uint8Array.from([...bytes.subarray(0, start), ...noise]));
          withoutBigAllocations(100_000, () => protocolErrorIfAny(() => decode(mixed)));
        },
      ),
      RUNS,
    );
  });
});
