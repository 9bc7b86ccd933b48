import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeMungeMessage,
  encodeMungeMessage,
  HEADER_LENGTH,
  MAX_BODY,
  MUNGE_MESSAGE_NAMES,
  MungeAssembler,
  type MungeBody,
  type MungeMessageName,
  MungeRequestAssembler,
} from '../../src/auth/munge-wire.js';
import { SlurmProtocolError } from '../../src/protocol/slurm-error.js';

const u8 = fc.integer({ min: 0, max: 0xff });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const shortText = fc.option(
  fc
    .string({ unit: 'grapheme', maxLength: 40 })
    .filter((s) => !s.includes('\0') && Buffer.byteLength(s) < 255),
);
const data = fc.uint8Array({ maxLength: 64 });

const BODIES: { readonly [N in MungeMessageName]: fc.Arbitrary<MungeBody<N>> } = {
  encodeRequest: fc.record({
    ...{ cipher: u8, mac: u8, zip: u8, realm: shortText, ttl: u32, authUid: u32, authGid: u32, data },
  }),
  encodeResponse: fc.record({ errorNum: u8, errorStr: shortText, data }),
  decodeRequest: fc.record({ data }),
  decodeResponse: fc.record({
    ...{ errorNum: u8, errorStr: shortText, cipher: u8, mac: u8, zip: u8, realm: shortText, ttl: u32 },
    addr: fc.option(fc.uint8Array({ minLength: 4, maxLength: 4 })),
    ...{ time0: u32, time1: u32, credUid: u32, credGid: u32, authUid: u32, authGid: u32, data },
  }),
};

const anyMessage = fc.constantFrom(...MUNGE_MESSAGE_NAMES).chain((name) =>
  fc.record({
    name: fc.constant(name),
    body: BODIES[name] as fc.Arbitrary<MungeBody<MungeMessageName>>,
    retry: u8,
  }),
);

const hex = (text: string) => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');

type AnyBody = MungeBody<MungeMessageName>;

/** Written by hand from the layout; munged and libmunge themselves judge in munge-socket.test.ts. */
const GOLDEN = [
  [
    'encodeRequest',
    0,
    {
      ...{ cipher: 1, mac: 1, zip: 1, realm: null, ttl: 0, authUid: 0xffffffff, authGid: 0xffffffff },
      data: new Uint8Array(Buffer.from('xyz')),
    },
    hex('00606d4b 04 02 00 00000017 01 01 01 00 00000000 ffffffff ffffffff 00000003 78797a'),
  ],
  [
    'encodeResponse',
    0,
    { errorNum: 10, errorStr: 'no', data: new Uint8Array(0) },
    hex('00606d4b 04 03 00 00000009 0a 03 6e6f00 00000000'),
  ],
  ['decodeRequest', 2, { data: Uint8Array.of(0x4d, 0) }, hex('00606d4b 04 04 02 00000006 00000002 4d00')],
  [
    'decodeResponse',
    0,
    {
      ...{ errorNum: 17, errorStr: null, cipher: 4, mac: 5, zip: 0, realm: 'r', ttl: 300 },
      addr: Uint8Array.of(127, 0, 1, 1),
      ...{ time0: 1, time1: 2, credUid: 3, credGid: 4, authUid: 5, authGid: 6, data: Uint8Array.of(9) },
    },
    hex(`00606d4b 04 05 00 0000002e 11 00 04 05 00 02 7200 0000012c 04 7f000101
      00000001 00000002 00000003 00000004 00000005 00000006 00000001 09`),
  ],
] as unknown as readonly (readonly [MungeMessageName, number, AnyBody, Buffer])[];

function fault(run: () => unknown): SlurmProtocolError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(SlurmProtocolError);
    return error as SlurmProtocolError;
  }
  return expect.unreachable('no error');
}

describe('the codec of munged’s messages', () => {
  it.each(GOLDEN)('%s as it is on the wire', (name, retry, body, bytes) => {
    expect(Buffer.from(encodeMungeMessage(name, body, retry)).toString('hex')).toBe(bytes.toString('hex'));
    expect(decodeMungeMessage(name, bytes)).toEqual({ retry, body });
  });

  it('reads back whatever it wrote', () => {
    fc.assert(
      fc.property(anyMessage, ({ name, body, retry }) => {
        const bytes = encodeMungeMessage(name, body, retry);
        expect(decodeMungeMessage(name, bytes)).toEqual({ retry, body });
        expect(encodeMungeMessage(name, decodeMungeMessage(name, bytes).body, retry)).toEqual(bytes);
      }),
    );
  });

  it.each(GOLDEN)(
    'refuses %s cut at any byte, with the length put right as well',
    (name, _retry, _body, bytes) => {
      for (let length = 0; length < bytes.length; length++) {
        const cut = Buffer.from(bytes.subarray(0, length));
        fault(() => decodeMungeMessage(name, cut));
        if (length < HEADER_LENGTH) continue;
        cut.writeUInt32BE(length - HEADER_LENGTH, 7);
        fault(() => decodeMungeMessage(name, cut));
      }
    },
  );

  it.each(GOLDEN)(
    'refuses %s with a byte too many, whether announced or not',
    (name, _retry, _body, bytes) => {
      const longer = Buffer.concat([bytes, Buffer.alloc(1)]);
      expect(fault(() => decodeMungeMessage(name, longer)).code).toBe('SLURMWIRE_BAD_LENGTH');
      longer.writeUInt32BE(longer.length - HEADER_LENGTH, 7);
      expect(fault(() => decodeMungeMessage(name, longer)).code).toBe('SLURMWIRE_TRAILING_BYTES');
    },
  );

  it.each([
    ['magic', 3],
    ['version', 4],
    ['type', 5],
  ])('refuses another %s', (field, at) => {
    for (const [name, , , bytes] of GOLDEN) {
      const other = Buffer.from(bytes);
      other[at] = (other[at] ?? 0) ^ 0x40;
      expect(fault(() => decodeMungeMessage(name, other))).toMatchObject({
        code: 'SLURMWIRE_UNKNOWN_TYPE',
        fieldPath: field,
      });
    }
  });

  it('takes an address of 4 bytes or none, and no other', () => {
    const bytes = GOLDEN[3]?.[3] as Buffer;
    const at = bytes.indexOf(hex('04 7f000101'));
    for (let length = 1; length < 256; length++) {
      if (length === 4) continue;
      const lying = Buffer.from(bytes);
      lying[at] = length;
      expect(fault(() => decodeMungeMessage('decodeResponse', lying))).toMatchObject({
        code: 'SLURMWIRE_BAD_LENGTH',
        fieldPath: 'addr',
      });
    }
  });

  it('allocates nothing for a length that lies', () => {
    for (const announced of [0xffffffff, 0x7fffffff, 4]) {
      const bytes = Buffer.from(GOLDEN[2]?.[3] as Buffer);
      bytes.writeUInt32BE(announced, HEADER_LENGTH);
      expect(fault(() => decodeMungeMessage('decodeRequest', bytes)).code).toBe('SLURMWIRE_BAD_COUNT');
    }
  });

  it('reads a text that has lost its NUL to the modulus, and cuts one at its NUL', () => {
    const long = Buffer.concat([hex('06 ff'), Buffer.alloc(255, 'x'), hex('00000000')]);
    const header = Buffer.concat([hex('00606d4b 04 03 00'), hex('00000105')]);
    expect(decodeMungeMessage('encodeResponse', Buffer.concat([header, long])).body.errorStr).toBe(
      'x'.repeat(255),
    );
    const cut = hex('00606d4b 04 03 00 0000000a 06 04 61006200 00000000');
    expect(decodeMungeMessage('encodeResponse', cut).body.errorStr).toBe('a');
  });

  it('throws only protocol errors at random bytes and at changed messages', () => {
    const changed = fc.constantFrom(...GOLDEN).chain(([name, , , bytes]) =>
      fc.record({
        name: fc.constant(name),
        bytes: fc.array(fc.tuple(fc.nat(bytes.length - 1), u8), { maxLength: 4 }).map((edits) => {
          const edited = Buffer.from(bytes);
          for (const [at, to] of edits) edited[at] = to;
          return edited;
        }),
      }),
    );
    const random = fc.record({
      name: fc.constantFrom(...MUNGE_MESSAGE_NAMES),
      bytes: fc.uint8Array({ maxLength: 80 }),
    });
    fc.assert(
      fc.property(fc.oneof(changed, random), ({ name, bytes }) => {
        try {
          decodeMungeMessage(name, bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(SlurmProtocolError);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ['cipher', 256],
    ['ttl', -1],
    ['authUid', 2 ** 32],
    ['realm', 'a\0b'],
    ['realm', 'x'.repeat(255)],
    ['data', 'text'],
  ])('refuses to write %s = %j', (field, value) => {
    const body = { ...GOLDEN[0]?.[2], [field]: value } as MungeBody<'encodeRequest'>;
    expect(fault(() => encodeMungeMessage('encodeRequest', body))).toMatchObject({
      code: 'SLURMWIRE_BAD_VALUE',
      fieldPath: field,
    });
  });
});

describe('MungeAssembler', () => {
  it.each(GOLDEN)('puts %s together from any two pieces, and byte by byte', (name, retry, body, bytes) => {
    for (let at = 0; at <= bytes.length; at++) {
      const assembler = new MungeAssembler(name);
      const first = assembler.push(bytes.subarray(0, at));
      expect(at === bytes.length ? first : assembler.push(bytes.subarray(at))).toEqual({ retry, body });
    }
    const assembler = new MungeAssembler(name);
    const results = [...bytes].map((byte) => assembler.push(Uint8Array.of(byte)));
    expect(results.slice(0, -1).every((result) => result === null)).toBe(true);
    expect(results.at(-1)).toEqual({ retry, body });
  });

  it('refuses a message as soon as its header says that it is none, or too long', () => {
    const head = hex('00606d4b 04 03 00');
    const of = (length: number) =>
      Buffer.concat([head, Buffer.from(Uint32Array.of(length).buffer).reverse()]);
    expect(new MungeAssembler('encodeResponse').push(of(MAX_BODY))).toBeNull();
    for (const length of [MAX_BODY + 1, 0x7fffffff, 0xffffffff]) {
      const error = fault(() => new MungeAssembler('encodeResponse').push(of(length)));
      expect(error.code).toBe('SLURM_PROTOCOL_INSANE_MSG_LENGTH');
    }
    fault(() => new MungeAssembler('decodeResponse').push(of(9)));
    fault(() => new MungeAssembler('encodeResponse').push(Buffer.from('HTTP/1.1 400')));
  });

  it('refuses more bytes than announced', () => {
    const bytes = GOLDEN[1]?.[3] as Buffer;
    fault(() => new MungeAssembler('encodeResponse').push(Buffer.concat([bytes, bytes])));
  });
});

describe('MungeRequestAssembler', () => {
  const requests = GOLDEN.filter(([name]) => name === 'encodeRequest' || name === 'decodeRequest');
  const answers = GOLDEN.filter(([name]) => name === 'encodeResponse' || name === 'decodeResponse');

  it.each(requests)(
    'knows %s by its header, in any two pieces and byte by byte',
    (name, retry, body, bytes) => {
      for (let at = 0; at <= bytes.length; at++) {
        const assembler = new MungeRequestAssembler();
        const first = assembler.push(bytes.subarray(0, at));
        const whole = at === bytes.length ? first : assembler.push(bytes.subarray(at));
        expect(whole).toEqual({ name, retry, body });
      }
      const assembler = new MungeRequestAssembler();
      const results = [...bytes].map((byte) => assembler.push(Uint8Array.of(byte)));
      expect(results.slice(0, -1).every((result) => result === null)).toBe(true);
      expect(results.at(-1)).toEqual({ name, retry, body });
    },
  );

  it.each(answers)('refuses %s, which is no request', (_name, _retry, _body, bytes) => {
    expect(fault(() => new MungeRequestAssembler().push(bytes))).toMatchObject({ fieldPath: 'type' });
  });

  it('refuses what is too long as soon as its header says so', () => {
    const header = Buffer.from(requests[0]?.[3].subarray(0, HEADER_LENGTH) as Buffer);
    header.writeUInt32BE(MAX_BODY + 1, 7);
    expect(fault(() => new MungeRequestAssembler().push(header)).code).toBe(
      'SLURM_PROTOCOL_INSANE_MSG_LENGTH',
    );
  });
});
