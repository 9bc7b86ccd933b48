/** Socket addresses on the wire: byte order, the spelling of IPv6, and what is no address. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { address } from '../../src/protocol/address.js';
import {
  type Address,
  AF_INET,
  AF_INET6,
  AF_UNSPEC,
  NO_ADDRESS,
  RELEASE_NAMES,
} from '../../src/protocol/index.js';
import { anyAddress } from '../support/arbitrary.js';
import { decodeWith, encodeWith, protocolErrorOf } from '../support/codec.js';
import { fromHex, toHex } from '../support/golden.js';

const v6 = (text: string, port = 0): Address => ({ family: AF_INET6, address: text, port });

function ipv6Hex(groups: string): string {
  return `000a00000010${groups.replaceAll(' ', '')}0000`;
}

describe('IPv4', () => {
  test.each([
    ['127.0.0.1', 43966, '00020100007fbeab'],
    ['192.0.2.200', 6818, '0002c80200c0a21a'],
    ['0.0.0.0', 0, '0002000000000000'],
    ['255.255.255.255', 65535, '0002ffffffffffff'],
    ['1.2.3.4', 1, '0002040302010100'],
  ])('%s port %d', (text, port, hex) => {
    const value = { family: AF_INET, address: text, port };
    for (const release of RELEASE_NAMES) {
      expect(toHex(encodeWith(address, release, value))).toBe(hex);
      expect(decodeWith(address, release, fromHex(hex))).toEqual(value);
    }
  });
});

describe('IPv6', () => {
  test('the address stands as it is, the port reversed', () => {
    const hex = '000a0000001020010db800010002000300040005000660ea';
    const value = v6('2001:db8:1:2:3:4:5:6', 60000);
    expect(toHex(encodeWith(address, '22.05', value))).toBe(hex);
    expect(decodeWith(address, '22.05', fromHex(hex))).toEqual(value);
  });

  test.each([
    ['0000 0000 0000 0000 0000 0000 0000 0000', '::'],
    ['0000 0000 0000 0000 0000 0000 0000 0001', '::1'],
    ['0001 0000 0000 0000 0000 0000 0000 0000', '1::'],
    ['2001 0db8 0000 0000 0000 0000 0002 0001', '2001:db8::2:1'],
    // RFC 5952: one zero group is not shortened, the longest run is, of equal ones the first, in lower case, no leading zeros.
    ['2001 0db8 0000 0001 0001 0001 0001 0001', '2001:db8:0:1:1:1:1:1'],
    ['2001 0000 0000 0001 0000 0000 0000 0001', '2001:0:0:1::1'],
    ['2001 0db8 0000 0000 0001 0000 0000 0001', '2001:db8::1:0:0:1'],
    ['fe80 00ab 0000 0000 0000 0000 0000 abcd', 'fe80:ab::abcd'],
    ['0000 0000 0000 0000 0000 ffff 0102 0304', '::ffff:102:304'],
    ['0000 0001 0002 0003 0004 0005 0006 0007', '0:1:2:3:4:5:6:7'],
    ['0000 0000 0002 0003 0004 0005 0006 0000', '::2:3:4:5:6:0'],
    ['ffff ffff ffff ffff ffff ffff ffff ffff', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ])('%s is written %s', (groups, text) => {
    expect(decodeWith(address, '22.05', fromHex(ipv6Hex(groups)))).toEqual(v6(text));
    expect(toHex(encodeWith(address, '22.05', v6(text)))).toBe(ipv6Hex(groups));
  });

  test.each([
    ['2001:DB8::ABCD', '2001 0db8 0000 0000 0000 0000 0000 abcd'],
    ['2001:0db8:0000:0000:0000:0000:0000:abcd', '2001 0db8 0000 0000 0000 0000 0000 abcd'],
    ['1:2:3:4:5:6:7::', '0001 0002 0003 0004 0005 0006 0007 0000'],
    ['::2:3:4:5:6:7:8', '0000 0002 0003 0004 0005 0006 0007 0008'],
    ['1::3:4:5:6:7:8', '0001 0000 0003 0004 0005 0006 0007 0008'],
  ])('%s is read', (text, groups) => {
    expect(toHex(encodeWith(address, '22.05', v6(text)))).toBe(ipv6Hex(groups));
  });

  test.each(['00000000', '0000000f', '00000011', 'ffffffff'])('a length of 0x%s is none', (length) => {
    const bytes = fromHex(`000a${length}${'00'.repeat(20)}`);
    expect(protocolErrorOf(() => decodeWith(address, '22.05', bytes))).toMatchObject({
      code: 'SLURMWIRE_BAD_COUNT',
      offset: 2,
    });
  });
});

describe('no address', () => {
  test.each([AF_UNSPEC, 1, 3, 9, 11, 30, 0xffff])('family %d has nothing more', (family) => {
    const hex = family.toString(16).padStart(4, '0');
    expect(toHex(encodeWith(address, '22.05', { family }))).toBe(hex);
    expect(decodeWith(address, '22.05', fromHex(hex))).toEqual({ family });
  });

  test('NO_ADDRESS is family 0, for everybody and for good', () => {
    expect(NO_ADDRESS).toEqual({ family: 0 });
    expect(Object.isFrozen(NO_ADDRESS)).toBe(true);
  });
});

test('all of them there and back', () => {
  fc.assert(
    fc.property(anyAddress(), (value) => {
      expect(decodeWith(address, '26.11', encodeWith(address, '26.11', value as Address))).toEqual(value);
    }),
    { numRuns: 1000 },
  );
});

describe('what cannot be written', () => {
  test.each([
    [
      'IPv4',
      [
        '',
        '1.2.3',
        '1.2.3.4.5',
        '1.2.3.256',
        '1.2.3.-1',
        '1.2.3.4 ',
        '01.2.3.4',
        '1.2.3.',
        '0x1.2.3.4',
        '::1',
        7,
        null,
      ],
    ],
    [
      'IPv6',
      [
        '',
        ':',
        ':::',
        '1::2::3',
        '1:2:3:4:5:6:7',
        '1:2:3:4:5:6:7:8:9',
        '1:2:3:4:5:6:7:8::',
        '::1:2:3:4:5:6:7:8',
        '12345::',
      ],
    ],
    [
      'IPv6',
      [
        'g::',
        '1:2:3:4:5:6:7:',
        ':1:2:3:4:5:6:7',
        '::1%eth0',
        '[::1]',
        '127.0.0.1',
        '::ffff:1.2.3.4',
        ' ::1',
        7,
        null,
      ],
    ],
  ])('as %s: %j', (kind, texts) => {
    const family = kind === 'IPv4' ? AF_INET : AF_INET6;
    for (const text of texts) {
      const value = { family, address: text as string, port: 1 };
      const error = protocolErrorOf(() => encodeWith(address, '22.05', value));
      expect(error.code, String(text)).toBe('SLURMWIRE_BAD_VALUE');
      expect(error.message).toContain(`is not an ${kind} address`);
    }
  });

  test.each([-1, 65536, 1.5, Number.NaN, '80', null])('port %s', (port) => {
    for (const value of [
      { family: AF_INET, address: '127.0.0.1' },
      { family: AF_INET6, address: '::1' },
    ]) {
      const error = protocolErrorOf(() => encodeWith(address, '22.05', { ...value, port: port as number }));
      expect(error.code).toBe('SLURMWIRE_BAD_VALUE');
    }
  });

  test.each([
    [{ family: AF_INET }, 'SLURMWIRE_FIELD_MISSING'],
    [{ family: AF_INET6, port: 1 }, 'SLURMWIRE_FIELD_MISSING'],
    [{ family: AF_INET, address: '127.0.0.1' }, 'SLURMWIRE_FIELD_MISSING'],
    // It would be lost, or stand where a reader of this family does not look for it.
    [{ family: AF_UNSPEC, address: '127.0.0.1', port: 1 }, 'SLURMWIRE_BAD_VALUE'],
    [{ family: AF_UNSPEC, port: 1 }, 'SLURMWIRE_BAD_VALUE'],
    [{ family: 30, address: '::1', port: 1 }, 'SLURMWIRE_BAD_VALUE'],
    [{ family: AF_INET, address: '127.0.0.1', port: 1, scope: 2 }, 'SLURMWIRE_BAD_VALUE'],
    [{ family: -1 }, 'SLURMWIRE_BAD_VALUE'],
    [{}, 'SLURMWIRE_BAD_VALUE'],
    [null, 'SLURMWIRE_BAD_VALUE'],
    ['127.0.0.1', 'SLURMWIRE_BAD_VALUE'],
  ])('%j', (value, code) => {
    expect(protocolErrorOf(() => encodeWith(address, '22.05', value as Address)).code).toBe(code);
  });
});
