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
  const lines = text.split(/\r\n|[\n\r\v\f]/);
  const style = DUMPS.find(({ row }) => row.test(lines.find((line) => line.trim() !== '') ?? ''));
  const parts: string[] = [];
  let count = 0;
  let base: number | undefined;
  for (const [index, line] of lines.entries()) {
    const place = `line ${index + 1}`;
    let data = line;
    if (style !== undefined && line.trim() !== '') {
      if (line.trim() === '*')
        throw badHex(place, 'leaves repeated rows out', 'Make the dump with xxd, hexdump -v or od -v.');
      const found = OFFSET.exec(line);
      const offset = found === null ? Number.NaN : Number.parseInt(found[1] as string, 16);
      base ??= offset;
      if (found === null || offset !== base + count)
        throw badHex(
          place,
          'has no offset that follows',
          'Offsets have to be hexadecimal, and without a gap.',
        );
      data = style.column(line.slice(found[0].length));
    }
    const digits = data.replaceAll(/0x|[\s,:;]/gi, '');
    if (!/^(?:[0-9a-f]{2})*$/i.test(digits)) {
      const hint = 'Give a frame as binary, as hex digits or as a hex dump.';
      throw badHex(place, 'is not whole bytes in hexadecimal', hint);
    }
    parts.push(digits);
    count += digits.length / 2;
  }
  return Buffer.from(parts.join(''), 'hex');
}

const OFFSET = /^\s*(?:0x)?([0-9a-f]{4,16})(?=:|\s|$)/i;

interface Dump {
  /** The first line of such a dump. */
  readonly row: RegExp;
  /** The hexadecimal part of a row, without offset and characters. */
  column(row: string): string;
}

/** Bytes end where two blanks follow them. */
const untilGap = (row: string): string => row.replace(/^:?\s*/, '').split(/ {2}/, 1)[0] ?? '';

const DUMPS: readonly Dump[] = [
  // xxd, tcpdump -x
  { row: /^\s*(?:0x)?[0-9a-f]{4,16}:\s/i, column: untilGap },
  // hexdump -C; what `slurmwire decode` prints, where values may have bars in them
  {
    row: /^\s*(?:0x)?[0-9a-f]{4,16} {2}\s*[0-9a-f]{2}(?:\s|$)/i,
    column: (row) => /^([0-9a-f\s]*)\|.*\|\s*$/i.exec(row)?.[1] ?? untilGap(row),
  },
  // od -A x -t x1
  { row: /^\s*(?:0x)?[0-9a-f]{6,16} [0-9a-f]{2}(?:\s|$)/i, column: untilGap },
];

function badHex(where: string, what: string, hint: string): SlurmUsageError {
  return new SlurmUsageError(`The text is no hex dump: ${where} ${what}.`, {
    code: 'SLURMWIRE_BAD_HEX',
    field: 'FILE',
    value: where,
    hint,
  });
}
