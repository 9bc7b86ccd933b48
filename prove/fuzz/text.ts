/** Texts as inputs: each byte is a character, so that every input is a text and every text of Latin-1 an input. */
export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

export function bytesOfText(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'latin1'));
}

/** An input that begins with one byte that chooses among several readers. */
export function chosen(choice: number, bytes: Uint8Array | string): Uint8Array {
  const rest = typeof bytes === 'string' ? bytesOfText(bytes) : bytes;
  const input = new Uint8Array(1 + rest.length);
  input[0] = choice;
  input.set(rest, 1);
  return input;
}
