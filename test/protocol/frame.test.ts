/** Whole frames: built and read in every release, as captured from daemons, and with every length and id made to lie. */
import { describe, expect, test } from 'vitest';
import {
  type AuthSection,
  decodeFrame,
  encodeBody,
  encodeFrame,
  type FrameInput,
  HEADER_FLAGS,
  isAtLeast,
  isMessageName,
  MAX_FRAME_LENGTH,
  NO_ADDRESS,
  NO_STEP_ID,
  protocolOf,
  RELEASE_NAMES,
  type Release,
} from '../../src/protocol/index.js';
import { protocolErrorOf, withoutBigAllocations } from '../support/codec.js';
import { fromHex, toHex } from '../support/golden.js';

const AUTH: readonly (readonly [hex: string, auth: AuthSection])[] = [
  [
    '00000064 000003e8 00000064 00000005 686f737400',
    { plugin: 'auth/none', uid: 1000, gid: 100, hostname: 'host' },
  ],
  ['00000065 00000008 4d554e47453a3a00', { plugin: 'auth/munge', credential: 'MUNGE::' }],
  ['00000066 00000006 61622e636400 00000000', { plugin: 'auth/jwt', token: 'ab.cd', username: null }],
  ['00000066 00000000 00000002 7500', { plugin: 'auth/jwt', token: null, username: 'u' }],
  ['00000067 00000006 61622e636400', { plugin: 'auth/slurm', token: 'ab.cd' }],
];

const NONE: AuthSection = { plugin: 'auth/none', uid: 0, gid: 0, hostname: null };
const NONE_HEX = '00000064000000000000000000000000';
const NO_FORWARD = { cnt: 0, nodelist: null, timeout: 0, treeWidth: 0, netCred: null, treeDepth: 0 };

/** Hex without its blanks. */
function squeeze(hex: string): string {
  return hex.replace(/\s/g, '');
}

/** A frame around this hex: the length word is put in front. */
function frameOf(...parts: string[]): Uint8Array {
  const rest = squeeze(parts.join(''));
  return fromHex((rest.length / 2).toString(16).padStart(8, '0') + rest);
}

function ping(release: Release, more: Partial<FrameInput> = {}): FrameInput {
  return { release, messageName: 'REQUEST_PING', auth: NONE, body: new Uint8Array(0), ...more };
}

/** The header of a message up to its forward count, written by hand from the layout. */
function headHex(release: Release, flags: number, type: number, bodyLength: number): string {
  const u16 = (value: number) => value.toString(16).padStart(4, '0');
  const index = isAtLeast(release, '22.05') ? '' : '0000';
  return u16(protocolOf(release) * 256) + u16(flags) + index + u16(type) + u16(0) + u16(bodyLength);
}

describe.each(RELEASE_NAMES)('%s', (release) => {
  test.each(AUTH)('with authentication %s', (hex, auth) => {
    const body = encodeBody('RESPONSE_SLURM_RC', release, { returnCode: 2017 });
    const bytes = encodeFrame({ release, messageName: 'RESPONSE_SLURM_RC', auth, body, flags: 1 });
    expect(toHex(bytes)).toBe(
      toHex(frameOf(headHex(release, 1, 8001, 4), '0000 0000 0000', hex, '000007e1')),
    );

    const frame = decodeFrame(bytes);
    expect(frame).toEqual({
      release,
      messageName: 'RESPONSE_SLURM_RC',
      auth,
      body: Uint8Array.of(0, 0, 7, 0xe1),
      header: {
        version: protocolOf(release) * 256,
        flags: 1,
        msgIndex: 0,
        msgType: 8001,
        bodyLength: 4,
        forward: NO_FORWARD,
        returnList: [],
        origAddr: NO_ADDRESS,
      },
    });
  });

  test('without authentication: flag 0x0040 says so', () => {
    const bytes = encodeFrame(ping(release, { auth: null, flags: 0x10 }));
    expect(toHex(bytes)).toBe(toHex(frameOf(headHex(release, 0x50, 1008, 0), '0000 0000 0000')));
    expect(decodeFrame(bytes)).toMatchObject({
      release,
      auth: null,
      header: { flags: 0x50 },
      body: new Uint8Array(0),
    });
  });

  test('with a forward block', () => {
    const hasDepth = isAtLeast(release, '24.11');
    const forward = {
      cnt: 2,
      nodelist: 'n[2-3]',
      timeout: 10_000,
      treeWidth: 50,
      treeDepth: hasDepth ? 1 : 0,
    };
    const bytes = encodeFrame(ping(release, { forward }));
    const wire = `0002 00000007 6e5b322d335d00 00002710 0032 ${hasDepth ? '0001' : ''}`;
    expect(toHex(bytes)).toBe(toHex(frameOf(headHex(release, 0, 1008, 0), wire, '0000 0000', NONE_HEX)));
    expect(decodeFrame(bytes).header.forward).toEqual({ ...NO_FORWARD, ...forward });
  });

  const carriesNetCred = isAtLeast(release, '23.11');
  test('with a net credential: between width and depth, under its flag, from 23.11 on', () => {
    const hasDepth = isAtLeast(release, '24.11');
    const forward = { ...NO_FORWARD, cnt: 1, nodelist: 'c1', netCred: 'cred', treeDepth: hasDepth ? 3 : 0 };
    const input = ping(release, { forward, flags: HEADER_FLAGS.SLURM_PACK_ADDRS });
    if (!carriesNetCred) {
      const error = protocolErrorOf(() => encodeFrame(input));
      expect([error.code, error.fieldPath]).toEqual(['SLURMWIRE_NOT_IN_RELEASE', 'forward/netCred']);
      return;
    }
    const bytes = encodeFrame(input);
    const wire = `0001 00000003 633100 00000000 0000 00000005 6372656400 ${hasDepth ? '0003' : ''}`;
    expect(toHex(bytes)).toBe(toHex(frameOf(headHex(release, 0x80, 1008, 0), wire, '0000 0000', NONE_HEX)));
    expect(decodeFrame(bytes).header.forward).toEqual(forward);
  });

  test('the flag of net credentials means nothing to older releases and to a message that is not forwarded', () => {
    const bytes = encodeFrame(ping(release, { flags: HEADER_FLAGS.SLURM_PACK_ADDRS }));
    expect(toHex(bytes)).toBe(toHex(frameOf(headHex(release, 0x80, 1008, 0), '0000 0000 0000', NONE_HEX)));
    expect(decodeFrame(bytes).header.forward).toEqual(NO_FORWARD);
  });

  test('with answers of other nodes: a code, a failure, and type 0 for a request without an answer', () => {
    const returnList = [
      { err: 0, type: 8001, nodeName: 'n2', body: { returnCode: 0xffffffff } },
      { err: 1001, type: 9001, nodeName: 'n3', body: {} },
      { err: 0, type: 0, nodeName: null, body: {} },
    ];
    const body = Uint8Array.of(0, 0, 0, 0);
    const bytes = encodeFrame({ release, messageName: 'RESPONSE_SLURM_RC', auth: NONE, body, returnList });
    const items = [
      '00000000 1f41 00000003 6e3200 ffffffff',
      '000003e9 2329 00000003 6e3300',
      '00000000 0000 00000000',
    ];
    const head = headHex(release, 0, 8001, 4);
    expect(toHex(bytes)).toBe(toHex(frameOf(head, '0000 0003', ...items, '0000', NONE_HEX, '00000000')));
    expect(decodeFrame(bytes).header.returnList).toEqual(returnList);
  });

  test('with the address of the first sender', () => {
    const origAddr = { family: 2, address: '127.0.0.1', port: 43966 };
    const bytes = encodeFrame(ping(release, { origAddr }));
    expect(toHex(bytes)).toBe(
      toHex(frameOf(headHex(release, 0, 1008, 0), '0000 0000 0002 0100007f beab', NONE_HEX)),
    );
    expect(decodeFrame(bytes).header.origAddr).toEqual(origAddr);
  });
});

describe('captured from daemons', () => {
  test.each([
    ['ping, protocol 38', '2600 0000 03f0 00000000 0000 0000 0000', '22.05', 'REQUEST_PING'],
    ['ping, protocol 37', '2500 0000 0000 03f0 00000000 0000 0000 0000', '21.08', 'REQUEST_PING'],
  ] as const)('%s', (_, hex, release, messageName) => {
    const bytes = frameOf(hex, NONE_HEX);
    expect(toHex(encodeFrame(ping(release, { messageName })))).toBe(toHex(bytes));
    expect(decodeFrame(bytes)).toMatchObject({ release, messageName });
  });

  test('a return code, protocol 38', () => {
    const bytes = frameOf('2600 0000 1f41 00000004 0000 0000 0000', NONE_HEX, '000007e1');
    const frame = decodeFrame(bytes);
    expect(frame).toMatchObject({ release: '22.05', messageName: 'RESPONSE_SLURM_RC' });
    expect(toHex(frame.body)).toBe('000007e1');
    const { release, auth, body } = frame;
    expect(toHex(encodeFrame({ release, messageName: 'RESPONSE_SLURM_RC', auth, body }))).toBe(toHex(bytes));
  });

  test('scancel 4242 of 22.05.8', () => {
    const credential = 'MUNGE:AwQDAAB:';
    const body = encodeBody('REQUEST_KILL_JOB', '22.05', { stepId: NO_STEP_ID, sjobId: '4242', signal: 9 });
    const auth = { plugin: 'auth/munge', credential } as const;
    const bytes = encodeFrame({ release: '22.05', messageName: 'REQUEST_KILL_JOB', auth, body });
    expect(toHex(bytes)).toBe(
      toHex(
        frameOf(
          '2600 0000 13a8 0000001d 0000 0000 0000',
          `00000065 0000000f ${toHex(Buffer.from(credential))} 00`,
          'fffffffe fffffffe fffffffe 00000005 3432343200 00000000 0009 0000',
        ),
      ),
    );
  });

  // A forwarded ping: n1 answers, with the ping of n2 and the failure of n3 in its header.
  const forwardedPing = frameOf(
    '2600 0000 03f8 0000000c 0000 0002',
    '00000000 03f8 00000003 6e3200 0000004f 00000000000055d9',
    '000003e9 2329 00000003 6e3300',
    '0000',
    NONE_HEX,
    '00000050 00000000000055da',
  );
  test('the reply to a forwarded ping', () => {
    if (!isMessageName('RESPONSE_PING_SLURMD')) {
      // An item of a type without a description has no known end.
      const error = protocolErrorOf(() => decodeFrame(forwardedPing));
      expect([error.code, error.fieldPath]).toEqual(['SLURMWIRE_UNKNOWN_TYPE', 'header/returnList/0/body']);
      expect(error.message).toContain('1016 (RESPONSE_PING_SLURMD)');
      return;
    }
    const frame = decodeFrame(forwardedPing);
    expect(frame.header.returnList).toMatchObject([
      { err: 0, type: 1016, nodeName: 'n2' },
      { err: 1001, type: 9001, nodeName: 'n3', body: {} },
    ]);
    const { returnList } = frame.header;
    const { release, auth, body } = frame;
    const messageName = 'RESPONSE_PING_SLURMD';
    expect(toHex(encodeFrame({ release, messageName, auth, body, returnList }))).toBe(toHex(forwardedPing));
  });
  test('a reply of 24.11 with the flags its daemons set beside the echoed ones', () => {
    const frame = decodeFrame(frameOf('2a00 0044 1f41 00000004 0000 0000 0002 0100007f 5ed6', '000007e1'));
    expect(frame).toMatchObject({ release: '24.11', auth: null, header: { flags: 0x44 } });
    expect(frame.header.origAddr).toEqual({ family: 2, address: '127.0.0.1', port: 0xd65e });
  });
});

describe('what is read from a larger block of memory', () => {
  test('bytes before and after do not matter', () => {
    const inner = encodeFrame(ping('23.02', { origAddr: { family: 2, address: '192.0.2.1', port: 1 } }));
    const outer = new Uint8Array(inner.length + 20).fill(0xff);
    outer.set(inner, 7);
    expect(decodeFrame(outer.subarray(7, 7 + inner.length))).toEqual(decodeFrame(inner));
    expect(decodeFrame(Buffer.from(inner))).toMatchObject({ messageName: 'REQUEST_PING' });
  });
});

describe('lies', () => {
  const rc = frameOf('2600 0000 1f41 00000004 0000 0000 0000', NONE_HEX, '000007e1');
  const BODY_LENGTH_AT = 4 + 6;

  function patched(bytes: Uint8Array, at: number, value: number): Uint8Array {
    const copy = Uint8Array.from(bytes);
    new DataView(copy.buffer).setUint32(at, value);
    return copy;
  }

  test.each([0, rc.length - 5, rc.length - 3, rc.length, 0x40000001, 0xffffffff])(
    'length word %d',
    (length) => {
      const error = protocolErrorOf(() => decodeFrame(patched(rc, 0, length)));
      expect([error.code, error.offset]).toEqual(['SLURMWIRE_BAD_LENGTH', 0]);
    },
  );

  test.each([0, 3, 5, 0x40000001, 0xffffffff])('body length %d', (length) => {
    const error = protocolErrorOf(() => decodeFrame(patched(rc, BODY_LENGTH_AT, length)));
    expect([error.code, error.fieldPath, error.offset]).toEqual([
      'SLURMWIRE_BAD_LENGTH',
      'body',
      rc.length - 4,
    ]);
    expect(error.message).toContain(`${length} bytes of body, the frame has 4`);
  });

  test('bytes behind the frame', () => {
    const longer = Uint8Array.from([...rc, 0]);
    expect(protocolErrorOf(() => decodeFrame(longer)).code).toBe('SLURMWIRE_BAD_LENGTH');
    const counted = patched(longer, 0, longer.length - 4);
    expect(protocolErrorOf(() => decodeFrame(counted))).toMatchObject({
      code: 'SLURMWIRE_BAD_LENGTH',
      fieldPath: 'body',
    });
  });

  test('a length word that ends early', () => {
    for (let length = 0; length < 4; length++) {
      expect(protocolErrorOf(() => decodeFrame(rc.subarray(0, length))).code).toBe('SLURMWIRE_TRUNCATED');
    }
  });

  test.each([
    [35, 0x2300],
    [47, 0x2f00],
    [63, 0x3f00],
    [0, 0],
    [255, 0xff00],
    ['38 and a low byte that is not 0', 0x2601],
    ['HTTP/1.1', 0x2f31],
  ])('version %s', (_, version) => {
    const bytes = Uint8Array.from(rc);
    new DataView(bytes.buffer).setUint16(4, version);
    const error = protocolErrorOf(() => decodeFrame(bytes));
    expect(error.code).toBe('SLURM_PROTOCOL_VERSION_ERROR');
    expect([error.fieldPath, error.offset]).toEqual(['header/version', 4]);
    expect(error.message).toContain(`0x${version.toString(16).padStart(4, '0')}`);
  });

  test.each([0, 99, 104, 0xffffffff])('authentication plugin %d', (id) => {
    const error = protocolErrorOf(() => decodeFrame(patched(rc, 4 + 16, id)));
    expect([error.code, error.fieldPath, error.offset]).toEqual([
      'SLURMWIRE_UNKNOWN_TYPE',
      'auth/pluginId',
      20,
    ]);
    expect(error.message).toContain(String(id));
  });

  test('an item of a type without a description', () => {
    const bytes = frameOf(
      '2600 0000 1f41 00000004 0000 0001 00000000 03ef 00000000 00000000 0000',
      NONE_HEX,
      '00000000',
    );
    const error = protocolErrorOf(() => decodeFrame(bytes));
    expect([error.code, error.fieldPath]).toEqual(['SLURMWIRE_UNKNOWN_TYPE', 'header/returnList/0/body']);
    expect(error.message).toContain('1007');
  });

  test('an item whose body is a list of records ends with them', () => {
    const item = {
      err: 0,
      type: 2004,
      nodeName: null,
      body: { recordCount: 0, lastUpdate: 7n, lastBackfill: 8n, jobs: [] },
    };
    const frame = encodeFrame(ping('22.05', { returnList: [item, item] }));
    expect(decodeFrame(frame).header.returnList).toEqual([item, item]);
  });

  test('more items than bytes', () => {
    const bytes = frameOf('2600 0000 1f41 00000004 0000 ffff 0000', NONE_HEX, '00000000');
    const error = protocolErrorOf(() => withoutBigAllocations(1000, () => decodeFrame(bytes)));
    expect([error.code, error.fieldPath, error.offset]).toEqual([
      'SLURMWIRE_BAD_COUNT',
      'header/returnList',
      16,
    ]);
  });

  test('a claim of more than 1 GiB, or of just 1 GiB, allocates nothing', () => {
    for (const claim of [MAX_FRAME_LENGTH, MAX_FRAME_LENGTH + 1, 0x48545450, 0xffffffff]) {
      for (const at of [0, BODY_LENGTH_AT, rc.length - 8]) {
        withoutBigAllocations(1000, () => protocolErrorOf(() => decodeFrame(patched(rc, at, claim))));
      }
    }
  });

  test('the guard against allocations does catch one', () => {
    expect(() => withoutBigAllocations(1000, () => new Uint8Array(1001))).toThrow('an allocation of 1001');
    expect(() => withoutBigAllocations(1000, () => Array<number>(1001))).toThrow('an allocation of 1001');
    expect(withoutBigAllocations(1000, () => new Uint8Array(1000))).toHaveLength(1000);
  });
});

describe('what cannot be built', () => {
  test.each(RELEASE_NAMES)('%s: a net credential without its flag', (release) => {
    const forward = { cnt: 1, nodelist: 'c1', timeout: 1, treeWidth: 1, netCred: 'cred' };
    const error = protocolErrorOf(() => encodeFrame(ping(release, { forward })));
    expect([error.code, error.fieldPath]).toEqual(['SLURMWIRE_NOT_IN_RELEASE', 'forward/netCred']);
  });

  test('a node list without a count', () => {
    const error = protocolErrorOf(() => encodeFrame(ping('24.11', { forward: { cnt: 0, nodelist: 'n1' } })));
    expect([error.code, error.fieldPath]).toEqual(['SLURMWIRE_NOT_IN_RELEASE', 'forward/nodelist']);
    expect(error.message).toContain('not on the wire beside these other fields');
  });

  test('flag 0x0040 with an authentication section', () => {
    const error = protocolErrorOf(() => encodeFrame(ping('24.11', { flags: 0x41 })));
    expect([error.code, error.fieldPath]).toEqual(['SLURMWIRE_BAD_VALUE', 'flags']);
  });

  test.each([-1, 1.5, 0x10000, 2 ** 32, Number.NaN, '1', 1n])('flags %s', (flags) => {
    for (const auth of [NONE, null]) {
      const error = protocolErrorOf(() => encodeFrame(ping('24.11', { auth, flags: flags as number })));
      expect([error.code, error.fieldPath]).toEqual(['SLURMWIRE_BAD_VALUE', 'flags']);
    }
  });

  test.each([undefined, 'auth/none', {}, { plugin: 'auth/none/' }, { plugin: 'toString' }])(
    'authentication section %j',
    (auth) => {
      const error = protocolErrorOf(() => encodeFrame(ping('24.11', { auth: auth as never })));
      expect([error.code, error.fieldPath]).toEqual(['SLURMWIRE_BAD_VALUE', 'auth']);
    },
  );

  test('an authentication section with a field missing, too many or wrong', () => {
    const wrong: readonly [unknown, string, string][] = [
      [{ plugin: 'auth/munge' }, 'SLURMWIRE_FIELD_MISSING', 'auth/credential'],
      [{ plugin: 'auth/munge', credential: 'a\0b' }, 'SLURMWIRE_BAD_VALUE', 'auth/credential'],
      [{ plugin: 'auth/munge', credential: 'a', token: 'b' }, 'SLURMWIRE_BAD_VALUE', 'auth/token'],
      [{ plugin: 'auth/none', uid: -1, gid: 0, hostname: '' }, 'SLURMWIRE_BAD_VALUE', 'auth/uid'],
    ];
    for (const [auth, code, path] of wrong) {
      const error = protocolErrorOf(() => encodeFrame(ping('24.11', { auth: auth as AuthSection })));
      expect([error.code, error.fieldPath]).toEqual([code, path]);
    }
  });

  test('a message that the release does not have, or nobody has', () => {
    const late = protocolErrorOf(() => encodeFrame(ping('23.02', { messageName: 'REQUEST_KILL_JOBS' })));
    expect(late.code).toBe('SLURMWIRE_NOT_IN_RELEASE');
    expect(late.message).toMatch(/23\.02.*REQUEST_KILL_JOBS/);
    expect(late).toMatchObject({ rpc: 'REQUEST_KILL_JOBS', protocol: '23.02', errno: 'EINVAL' });
    const never = protocolErrorOf(() => encodeFrame(ping('23.11', { messageName: 'REQUEST_TEA' })));
    expect(never.code).toBe('SLURMWIRE_NOT_IN_RELEASE');
    expect(encodeFrame(ping('23.11', { messageName: 'REQUEST_KILL_JOBS' })).subarray(8, 10)).toEqual(
      Uint8Array.of(5041 >> 8, 5041 & 0xff),
    );
  });

  test('a release that there is not', () => {
    const error = protocolErrorOf(() => encodeFrame(ping('22.11' as Release)));
    expect(error.code).toBe('SLURMWIRE_BAD_RELEASE');
    expect(error.message).toContain('"22.11"');
  });
});
