/** Bytes written as hexadecimal text: digits alone, or the dumps of `xxd`, `hexdump -C` and `od -A x -t x1`. */
import { SlurmUsageError } from '../../protocol/slurm-error.js';

/** True where all is printable ASCII, which no frame, capture or fixture is: their lengths have zero bytes. */
export function isText(bytes: Uint8Array): boolean {
  return (
    bytes.length > 0 && bytes.every((byte) => (byte >= 0x20 && byte < 0x7f) || (byte >= 9 && byte <= 13))
  );
}

/**
 * The bytes that a text stands for.
 *
 * @throws SlurmUsageError `SLURMWIRE_BAD_HEX` naming the line. What stands there is not shown: it may be anything.
 */
export function bytesOfHex(text: string): Uint8Array {
  const parts: string[] = [];
  let count = 0;
  let base: number | undefined;
  for (const [index, line] of text.split(/\r\n|[\n\r\v\f]/).entries()) {
    const place = `line ${index + 1}`;
    if (line.trim() === '*')
      throw badHex(place, 'leaves repeated rows out', 'Make the dump with hexdump -v, xxd or od -v.');
    const row = OFFSET.exec(line);
    const offset = row === null ? null : Number.parseInt(row[1] as string, 16);
    // `0000008c 00000001` may be an offset or data: an offset fits what came before.
    const isDump = offset !== null && (base === undefined ? count === 0 : offset === base + count);
    if (row !== null && row[2] === ':' && !isDump)
      throw badHex(
        place,
        'has an offset that does not follow',
        'Offsets have to be hexadecimal, and without a gap.',
      );
    if (isDump) base ??= offset;
    const data = isDump && row !== null ? columnOf(line.slice(row[0].length)) : line;
    const digits = data.replaceAll(/0x|[\s,:;]/gi, '');
    if (!/^(?:[0-9a-f]{2})*$/i.test(digits))
      throw badHex(
        place,
        'is not whole bytes in hexadecimal',
        'Give a frame as binary, as hex digits or as a hex dump.',
      );
    parts.push(digits);
    count += digits.length / 2;
  }
  return Buffer.from(parts.join(''), 'hex');
}

/** An offset of at least four digits with a colon, or with two spaces, or of seven digits and more with one. */
const OFFSET = /^\s*(?:0x)?([0-9a-f]{4,16})(?:(:)\s|\s\s|(?<=[0-9a-f]{7})\s|(?<=[0-9a-f]{7})$)/i;

/** The bytes of a row, without the characters beside them. */
function columnOf(row: string): string {
  const bar = row.indexOf('|');
  if (bar >= 0) return row.slice(0, bar);
  const text = row.trimStart();
  const gap = text.search(/ {2}/);
  return gap < 0 ? text : text.slice(0, gap);
}

function badHex(where: string, what: string, hint: string): SlurmUsageError {
  return new SlurmUsageError(`The text is no hex dump: ${where} ${what}.`, {
    code: 'SLURMWIRE_BAD_HEX',
    field: 'FILE',
    value: where,
    hint,
  });
}
