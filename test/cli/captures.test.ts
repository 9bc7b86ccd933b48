/** Capture files as connections: formats, link layers, TCP put together, and files made to hurt. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { isCapture, readCapture } from '../../src/cli/capture/read-capture.js';
import type { TcpStream } from '../../src/cli/capture/tcp-reassembly.js';
import { readInput } from '../../src/cli/decode/input.js';
import { dissect } from '../../src/replay/index.js';
import { fakeMunge, killFrame, latin1, munge, okFrame } from '../replay/support.js';
import {
  captureOf,
  conversation,
  endsOf,
  type Format,
  fileOf,
  LINK_TYPES,
  type Link,
  type Segment,
  START_US,
} from './support/pcap-writer.js';

const DIRECTORY = fileURLToPath(new URL('../../fixtures/captures/', import.meta.url));
const real = (name: string) => readFileSync(`${DIRECTORY}${name}`);

const request = Buffer.from(killFrame('24.11', munge(fakeMunge(1))));
const reply = Buffer.from(okFrame('24.11', '', 2017));
const exchange = conversation([
  { direction: '>', payload: request },
  { direction: '<', payload: reply },
]);

const bytesOf = ({ pieces }: TcpStream) => Buffer.concat(pieces.map(({ bytes }) => bytes));
const only = (file: Uint8Array) => {
  const { connections, notes } = readCapture(file);
  expect(notes).toEqual([]);
  expect(connections).toHaveLength(1);
  return connections[0] as (typeof connections)[0];
};
const isWhole = (stream: TcpStream, expected: Uint8Array) => {
  expect(bytesOf(stream)).toEqual(Buffer.from(expected));
  expect(stream.length).toBe(expected.length);
};

describe('formats and link layers', () => {
  const formats: Format[] = ['pcap', 'pcap-be', 'pcap-nano', 'pcap-nano-be', 'pcapng', 'pcapng-be'];
  const links = Object.keys(LINK_TYPES) as Link[];
  const all = formats.flatMap((format) =>
    links.flatMap((link) => ([4, 6, '6-extended'] as const).map((ip) => ({ format, link, ip }))),
  );

  it.each(all)('$format, $link, IPv$ip', (options) => {
    const file = captureOf(exchange, options);
    expect(isCapture(file)).toBe(true);
    const { client, server, streams } = only(file);
    expect({ client, server }).toEqual(endsOf(options));
    isWhole(streams['>'], request);
    isWhole(streams['<'], reply);
    expect(streams['>'].pieces[0]?.atUs).toBe(START_US + 2000);
    expect(streams['<']).toMatchObject({ sawStart: true, ending: 'end', repeated: 0, contradicting: 0 });
  });

  it('pcapng: a second section in the other byte order, simple packets, a coarser clock', () => {
    const file = Buffer.concat([
      captureOf(exchange, { format: 'pcapng' }),
      captureOf(exchange, { format: 'pcapng-be', clientPort: 40_001 }),
    ]);
    expect(readCapture(file).connections.map(({ client }) => client)).toEqual([
      '10.0.0.1:40000',
      '10.0.0.1:40001',
    ]);
  });

  it('says what it left out: link types, fragments', () => {
    const { notes } = readCapture(captureOf(exchange).fill(147, 20, 21));
    expect(notes).toEqual([`${exchange.length} packets of link type 147 (not known here) were left out`]);
    const packet = captureOf(exchange, { link: 'raw' }).subarray(24 + 16, 24 + 16 + 44);
    packet.writeUInt16BE(0x2000, 6);
    expect(readCapture(fileOf([packet], { format: 'pcap', linkType: 101 })).notes).toEqual([
      '1 IP fragments were left out: they are not put together',
    ]);
  });
});

describe('TCP', () => {
  const stream = Buffer.concat([request, request, request]);
  const cutAt = (sizes: readonly number[]): Segment[] => {
    const parts: Buffer[] = [];
    let at = 0;
    for (const size of sizes) {
      if (at >= stream.length) break;
      parts.push(stream.subarray(at, at + size));
      at += size;
    }
    parts.push(stream.subarray(at));
    return conversation(
      parts.filter(({ length }) => length > 0).map((payload) => ({ direction: '>', payload })),
      { '>': 0xfffffff0, '<': 7 },
    );
  };

  it('any order, any repetition, any overlap, numbers that wrap around', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 400 }), { maxLength: 12 }),
        fc.array(fc.tuple(fc.nat(stream.length - 1), fc.integer({ min: 1, max: 300 })), { maxLength: 8 }),
        fc.infiniteStream(fc.nat()),
        (sizes, again, order) => {
          const [syn, synAck, ...rest] = cutAt(sizes) as [Segment, Segment, ...Segment[]];
          const extra = again.map(
            ([from, length]): Segment => ({
              direction: '>',
              sequence: (0xfffffff1 + from) >>> 0,
              payload: stream.subarray(from, from + length),
            }),
          );
          const keyed = [...rest, ...extra, syn, synAck].map((segment) => ({
            segment,
            key: order.next().value as number,
          }));
          const shuffled = keyed.sort((a, b) => a.key - b.key).map(({ segment }) => segment);
          const { streams } = only(captureOf(shuffled));
          isWhole(streams['>'].length > 0 ? streams['>'] : streams['<'], stream);
        },
      ),
    );
  });

  it('missing bytes are a gap, at the beginning, inside and at the end', () => {
    const whole = cutAt([100, 200, 300]);
    for (const missing of [2, 3, 4]) {
      const { streams } = only(captureOf(whole.filter((_, i) => i !== missing)));
      const lost = whole[missing]?.payload?.length ?? 0;
      expect(streams['>'].length).toBe(stream.length);
      expect(bytesOf(streams['>']).length).toBe(stream.length - lost);
    }
    const last = whole.findLastIndex(({ payload }) => payload !== undefined);
    const { streams } = only(captureOf(whole.filter((_, i) => i !== last)));
    expect(streams['>'].length).toBe(stream.length); // its FIN tells
  });

  it('packets that were cut short leave gaps', () => {
    const { streams } = only(captureOf(exchange, { snapLength: 100 }));
    expect(streams['>'].length).toBe(request.length);
    expect(bytesOf(streams['>'])).toEqual(request.subarray(0, 100 - 14 - 20 - 24));
  });

  it('a capture that begins later; a port used again; a reset', () => {
    const { streams, client } = only(captureOf(exchange.slice(2)));
    expect(streams['>']).toMatchObject({ sawStart: false, length: request.length });
    expect(client).toBe(endsOf().client);
    const again = conversation([{ direction: '>', payload: request }], { '>': 999_999, '<': 4 });
    expect(
      readCapture(captureOf([...exchange, ...again])).connections.map(({ streams: s }) => s['>'].length),
    ).toEqual([request.length, request.length]);
    const reset: Segment[] = [...exchange.slice(0, 3), { direction: '<', sequence: 0, flags: 'R' }];
    expect(only(captureOf(reset)).streams['<'].ending).toBe('reset');
  });

  it('bytes that were not the same each time are counted', () => {
    const other = Buffer.from(request).fill(0xff, 10, 14);
    const twice = [...exchange, { ...(exchange[2] as Segment), payload: other }];
    expect(only(captureOf(twice)).streams['>']).toMatchObject({ repeated: request.length, contradicting: 4 });
  });
});

describe('real captures', () => {
  const files = readdirSync(DIRECTORY).filter((name) => name.includes('.pcap'));
  const messages = (bytes: Uint8Array) =>
    [...readInput(bytes).frames].map((frame) => {
      const { messageName, release, stopped } = dissect(frame.bytes);
      return `${frame.direction}${messageName} ${release}${stopped === null ? '' : ' stopped'}`;
    });

  it.each(['ethernet.pcap', 'ethernet.pcapng', 'raw.pcap'])('%s', (name) => {
    expect(messages(real(name))).toEqual(['>REQUEST_KILL_JOB 22.05', '<RESPONSE_SLURM_RC 22.05']);
    expect(only(real(name)).streams['>'].pieces.length).toBeGreaterThan(1);
  });

  it('ipv6.pcap', () => {
    expect(messages(real('ipv6.pcap'))).toEqual(['>REQUEST_KILL_JOB 24.11', '<RESPONSE_SLURM_RC 24.11']);
  });

  it('any-nano.pcap, of which the kernel dropped packets', () => {
    const all = messages(real('any-nano.pcap'));
    expect(all).toContain('>REQUEST_JOB_INFO 22.05');
    expect(all.some((text) => /^>.* stopped$/.test(text))).toBe(true);
    expect(all.filter((text) => text.startsWith('>REQUEST_SIGNAL_TASKS'))).toHaveLength(2);
  });

  it.each(['sll.pcap', 'cut-short.pcap'])('%s: what is missing is said', (name) => {
    const frames = [...readInput(real(name)).frames];
    expect(frames.some(({ missing }) => missing > 0)).toBe(true);
    expect(frames.every(({ isFrame }) => isFrame)).toBe(true);
  });

  test.each(files)('%s, cut at every byte: what is before the cut comes out', (name) => {
    const whole = real(name);
    let before = 0;
    for (let cut = 4; cut < whole.length; cut += whole.length > 5000 ? 37 : 1) {
      if (!isCapture(whole.subarray(0, cut))) continue;
      const { connections } = readCapture(whole.subarray(0, cut));
      const bytes = connections
        .flatMap(({ streams }) => [streams['>'], streams['<']])
        .reduce((sum, s) => sum + bytesOf(s).length, 0);
      expect(bytes).toBeGreaterThanOrEqual(before);
      before = bytes;
    }
    expect(before).toBeGreaterThan(0);
  });
});

describe('hostile files', () => {
  const samples = ['ethernet.pcap', 'ethernet.pcapng', 'sll.pcap'].map(real);

  it('mutated captures never throw, hang or show a credential', () => {
    const secret = fakeMunge(7);
    const live = captureOf(
      conversation([{ direction: '>', payload: Buffer.from(killFrame('24.11', munge(secret))) }]),
    );
    const change = fc.record({ at: fc.nat(4000), value: fc.oneof(fc.nat(255), fc.constantFrom(0, 255)) });
    fc.assert(
      fc.property(
        fc.constantFrom(...samples, live),
        fc.array(change, { maxLength: 30 }),
        (sample, changes) => {
          const bytes = Buffer.from(sample);
          for (const { at, value } of changes) bytes[at % bytes.length] = value;
          if (!isCapture(bytes)) return;
          for (const frame of readInput(bytes).frames) {
            const { bytes: masked } = dissect(frame.bytes);
            for (const shown of [masked, ...frame.behindGap.map((gap) => gap.bytes)]) {
              expect(latin1(shown)).not.toMatch(/AwQDAA[A-Za-z0-9+/]{20}/);
            }
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('a credential over a gap: neither its beginning nor its rest is shown', () => {
    const secret = fakeMunge(3);
    const frame = Buffer.from(killFrame('22.05', munge(secret)));
    const at = frame.indexOf(secret);
    for (const [from, to] of [
      [at + 40, at + 60],
      [at - 30, at + 5],
      [at - 2, at + 1],
      [0, 40],
      [at + 8, at + 9],
    ] as const) {
      const whole = conversation(
        [frame.subarray(0, from), frame.subarray(from, to), frame.subarray(to)]
          .filter(({ length }) => length > 0)
          .map((payload) => ({ direction: '>' as const, payload })),
      );
      const holed = whole.filter(
        ({ payload }) => payload === undefined || Buffer.compare(payload, frame.subarray(from, to)) !== 0,
      );
      for (const found of readInput(captureOf(holed)).frames) {
        const shown = [dissect(found.bytes).bytes, ...found.behindGap.map(({ bytes }) => bytes)]
          .map(latin1)
          .join('|');
        for (let i = 6; i + 24 < secret.length; i++) expect(shown).not.toContain(secret.slice(i, i + 24));
      }
    }
  });

  it('numbers far apart cost nothing; an announced gigabyte neither', () => {
    const head = Buffer.from('3fffffff2a0000', 'hex');
    const far: Segment[] = [
      { direction: '>', sequence: 1, flags: 'S' },
      { direction: '>', sequence: 2, payload: head },
      ...Array.from(
        { length: 50 },
        (_, i): Segment => ({ direction: '>', sequence: ((i + 1) * 0x7fffff00) >>> 0, payload: head }),
      ),
    ];
    const before = process.memoryUsage().arrayBuffers;
    const frames = [...readInput(captureOf(far)).frames];
    expect(frames.length).toBeGreaterThan(0);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50e6);
  });

  it('a hundred thousand connections in one file', () => {
    const packets = Array.from({ length: 100_000 }, (_, i) => {
      const packet = captureOf([{ direction: '>', sequence: 1, flags: 'S' }], {
        link: 'raw',
        clientPort: i % 60_000,
      }).subarray(40);
      packet[14] = i >> 16;
      return packet;
    });
    const { connections, notes } = readCapture(fileOf(packets, { format: 'pcap', linkType: 101 }));
    expect(connections.length).toBeLessThanOrEqual(65_536);
    expect(notes.join()).toContain('beyond the first 65536');
  });
});
