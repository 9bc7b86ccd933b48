/** The version table and what is asked of it. */
import { describe, expect, test } from 'vitest';
import {
  headerVersionOf,
  isAtLeast,
  isRelease,
  messageTypeName,
  protocolOf,
  RELEASE_NAMES,
  RELEASES,
  type Release,
  releaseOfHeaderVersion,
} from '../../src/protocol/index.js';
import { protocolErrorOf } from '../support/codec.js';

describe('the table', () => {
  test("is that of upstream's SLURM_PROTOCOL_VERSION and SLURM_MIN_PROTOCOL_VERSION", () => {
    expect(
      RELEASES.map(({ release, protocol, oldestAccepted }) => [release, protocol, oldestAccepted]),
    ).toEqual([
      ['20.11', 36, 34],
      ['21.08', 37, 35],
      ['22.05', 38, 36],
      ['23.02', 39, 37],
      ['23.11', 40, 38],
      ['24.05', 41, 39],
      ['24.11', 42, 39],
      ['25.05', 43, 40],
      ['25.11', 44, 41],
      ['26.05', 45, 42],
      ['26.11', 46, 43],
    ]);
    expect(RELEASE_NAMES).toEqual(RELEASES.map(({ release }) => release));
  });

  test('is in order: names and numbers rise together, numbers without a gap', () => {
    expect([...RELEASE_NAMES].sort()).toEqual(RELEASE_NAMES);
    for (const [i, { protocol }] of RELEASES.entries()) expect(protocol).toBe(RELEASES[0].protocol + i);
  });

  test('a release accepts its own protocol and two older ones, three from 24.11 on', () => {
    for (const { release, protocol, oldestAccepted } of RELEASES) {
      expect(protocol - oldestAccepted, release).toBe(isAtLeast(release, '24.11') ? 3 : 2);
    }
  });
});

describe('header versions', () => {
  test.each(RELEASES.map((row) => [row.release, row.protocol] as const))('%s', (release, protocol) => {
    expect(protocolOf(release)).toBe(protocol);
    expect(headerVersionOf(release)).toBe(protocol * 256);
    expect(releaseOfHeaderVersion(protocol * 256)).toBe(release);
  });

  test('all other values are none: older, newer, with a low byte', () => {
    const known = new Set(RELEASE_NAMES.map(headerVersionOf));
    const all = Array.from({ length: 0x10000 }, (_, version) => version);
    const taken = all.filter((version) => releaseOfHeaderVersion(version) !== null);
    expect(taken).toEqual([...known]);
    expect(known.size).toBe(11);
  });
});

describe('isAtLeast', () => {
  test('is the order of the table', () => {
    for (const [i, release] of RELEASE_NAMES.entries()) {
      for (const [j, since] of RELEASE_NAMES.entries()) expect(isAtLeast(release, since)).toBe(i >= j);
    }
  });
});

describe('names', () => {
  test('isRelease', () => {
    expect(RELEASE_NAMES.filter(isRelease)).toEqual(RELEASE_NAMES);
    const others = [
      '22.5',
      '22.05.8',
      '22.11',
      '',
      'auto',
      'toString',
      22.05,
      38,
      null,
      undefined,
      ['22.05'],
    ];
    expect(others.filter(isRelease)).toEqual([]);
  });

  test.each(['22.11', '', 'constructor', null, undefined, 38, 38n, {}])(
    '%s is the typed error everywhere',
    (name) => {
      const release = name as Release;
      const asked = [
        () => protocolOf(release),
        () => headerVersionOf(release),
        () => isAtLeast(release, '22.05'),
        () => isAtLeast('22.05', release),
        () => messageTypeName(1008, release),
      ];
      for (const ask of asked) {
        const error = protocolErrorOf(ask);
        expect(error).toMatchObject({ code: 'SLURMWIRE_BAD_RELEASE', errno: 'EINVAL', outcome: 'not-sent' });
        expect(error.message).toContain('20.11, 21.08');
      }
    },
  );
});
