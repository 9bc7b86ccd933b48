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
  protocolOf,
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

/** No daemon of 26.11 was to be had: its source has them as 26.05 has. */
const FROM_READING = [
  'REQUEST_PARTITION_INFO 46',
  'RESPONSE_PARTITION_INFO 46',
  'REQUEST_RESERVATION_INFO 46',
  'RESPONSE_RESERVATION_INFO 46',
];

describe('message bodies', () => {
  test('there are golden bytes for every described message in every release', () => {
    const seen = new Set([
      ...lines.map((line) => `${line.name} ${line.v}`),
      // daemon-replies.test.ts proves these.
      ...goldenReplies().flatMap(({ name, request, v }) => [`${name} ${v}`, `${request.name} ${v}`]),
    ]);
    const wanted = Object.keys(MESSAGES).flatMap((name) =>
      RELEASE_NAMES.filter((release) => messageTypeNumber(name, release) !== null).map(
        (release) => `${name} ${protocolOf(release)}`,
      ),
    );
    expect(wanted.filter((key) => !seen.has(key))).toEqual(FROM_READING);
  });

  test.each(lines.map((line) => [`${line.name} ${line.case} v${line.v}`, line] as const))('%s', (_, line) => {
    const release = releaseOfProtocol(line.v);
    const bytes = fromHex(line.hex);
    expect(messageTypeName(line.type, release)).toBe(line.name);
    expect(messageTypeNumber(line.name, release)).toBe(line.type);

    const decoded = decodeBody(line.name, release, bytes);
    const expected = asOnTheWire(asDecoded(camelCase(line.fields), decoded), decoded);
    expect(comparable(decoded, expected)).toEqual(expected);

    expect(toHex(encodeBody(line.name, release, decoded as MessageInput<MessageName>))).toBe(line.hex);
    expect(toHex(payloadDigest(release, line.type, bytes))).toBe(line.payload);
    expect(isPayloadOf(fromHex(line.payload ?? ''), release, line.type, bytes)).toBe(true);
    if (line.payload_k12 !== undefined) {
      expect(isPayloadOf(fromHex(line.payload_k12), release, line.type, bytes)).toBe(true);
    }
  });
});

/** The few golden values that say something else than the bytes. */
function asOnTheWire(value: unknown, decoded: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map((item, i) => asOnTheWire(item, (decoded as readonly unknown[] | undefined)?.[i]));
  }
  if (typeof value !== 'object' || value === null) return value;
  const record: Record<string, unknown> = {};
  for (const [key, inner] of Object.entries(value)) {
    const own = (decoded as Record<string, unknown> | null | undefined)?.[key];
    // A NULL association is packed as a filled record.
    if (key === 'rootAssoc' && inner === null) continue;
    // Until 24.11 no list of generic resources and an empty one are the same bytes.
    if (key === 'jobGres' && inner === null && Array.isArray(own)) record[key] = [];
    // REQUEST_UPDATE_JOB_STEP until 25.05: the number of the step has the name that its id has since.
    else if (key === 'stepId' && typeof inner === 'number' && 'stepNumber' in (decoded as object)) {
      record.stepNumber = inner;
    } else record[key] = asOnTheWire(inner, own);
  }
  return record;
}
