/** Bytes of Slurm's own library in every version: our decoder reads them, our encoder writes the same. */
import { describe, expect, test } from 'vitest';
import {
  decodeBody,
  encodeBody,
  isPayloadOf,
  MESSAGES,
  type MessageInput,
  type MessageName,
  messageTypeName,
  messageTypeNumber,
  payloadDigest,
  RELEASE_NAMES,
} from '../../src/protocol/index.js';
import {
  asDecoded,
  camelCase,
  comparable,
  describedGoldenLines,
  fromHex,
  goldenReplies,
  releaseOfProtocol,
  toHex,
} from '../support/golden.js';

const lines = describedGoldenLines();

describe('message bodies', () => {
  test('there are golden bytes for every described message in every release', () => {
    const seen = new Set([
      ...lines.map((line) => `${line.name} ${line.v}`),
      // daemon-replies.test.ts proves these.
      ...goldenReplies().flatMap(({ name, request, v }) => [`${name} ${v}`, `${request.name} ${v}`]),
    ]);
    const wanted = Object.keys(MESSAGES).flatMap((name) => RELEASE_NAMES.map((_, i) => `${name} ${36 + i}`));
    expect(wanted.filter((key) => !seen.has(key))).toEqual([]);
  });

  test.each(lines.map((line) => [`${line.name} ${line.case} v${line.v}`, line] as const))('%s', (_, line) => {
    const release = releaseOfProtocol(line.v);
    const bytes = fromHex(line.hex);
    expect(messageTypeName(line.type, release)).toBe(line.name);
    expect(messageTypeNumber(line.name, release)).toBe(line.type);

    const decoded = decodeBody(line.name, release, bytes);
    const golden = camelCase(line.fields);
    // A NULL association is packed as a filled record: the decoder sees that record, the golden file says null.
    const expected = withoutNullAssociation(asDecoded(golden, decoded));
    expect(comparable(decoded, expected)).toEqual(expected);

    expect(toHex(encodeBody(line.name, release, decoded as MessageInput<MessageName>))).toBe(line.hex);
    expect(toHex(payloadDigest(release, line.type, bytes))).toBe(line.payload);
    expect(isPayloadOf(fromHex(line.payload ?? ''), release, line.type, bytes)).toBe(true);
    if (line.payload_k12 !== undefined) {
      expect(isPayloadOf(fromHex(line.payload_k12), release, line.type, bytes)).toBe(true);
    }
  });
});

function withoutNullAssociation(value: unknown): unknown {
  const record = value as { workingClusterRec?: { rootAssoc?: unknown } | null };
  if (record.workingClusterRec?.rootAssoc === null) delete record.workingClusterRec.rootAssoc;
  return value;
}
