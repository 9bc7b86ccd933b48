/** Headers that Slurm's own library packed, in every version and with every kind of content. */
import { describe, expect, test } from 'vitest';
import { header } from '../../src/protocol/header.js';
import { RELEASE_NAMES } from '../../src/protocol/index.js';
import { decodeWith, encodeWith } from '../support/codec.js';
import { camelCase, fromHex, goldenLines, releaseOfProtocol, toHex } from '../support/golden.js';

interface GoldenHeader {
  readonly version: number;
  readonly flags: number;
  readonly msgIndex?: number;
  readonly msgType: number;
  readonly bodyLength: number;
  readonly forward: Record<string, unknown>;
  readonly retCnt: number;
  readonly origAddr: unknown;
}

const NOT_FORWARDED = { cnt: 0, nodelist: null, timeout: 0, treeWidth: 0, netCred: null, treeDepth: 0 };

const lines = goldenLines('headers');

describe('headers packed by libslurm', () => {
  test('there are some of every kind in every release', () => {
    const cases = [...new Set(lines.map((line) => line.case))];
    expect(cases.sort()).toEqual([
      'forward',
      'forward-max',
      'forward-one',
      'plain',
      'plain-ipv4',
      'plain-kill',
      'plain-rc',
    ]);
    expect(lines).toHaveLength(cases.length * RELEASE_NAMES.length);
  });

  test.each(lines.map((line) => [`${line.case} v${line.v}`, line] as const))('%s', (_, line) => {
    const release = releaseOfProtocol(line.v);
    const golden = camelCase(line.fields) as GoldenHeader;

    const decoded = decodeWith(header, release, fromHex(line.hex));
    expect(decoded).toEqual({
      version: golden.version,
      flags: golden.flags,
      msgIndex: golden.msgIndex ?? 0,
      msgType: golden.msgType,
      bodyLength: golden.bodyLength,
      forward: { ...NOT_FORWARDED, ...golden.forward },
      returnList: [],
      origAddr: golden.origAddr,
    });
    expect(golden.retCnt).toBe(0);
    expect(golden.msgType).toBe(line.type);
    // Golden `forward` objects show what is on the wire: none of their fields may be a default of ours.
    expect('treeDepth' in golden.forward).toBe(golden.forward.cnt !== 0 && line.v >= 42);

    expect(toHex(encodeWith(header, release, decoded))).toBe(line.hex);
  });
});
