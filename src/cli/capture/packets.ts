/** What a capture file holds, whatever its format. */

/** One captured packet. */
export interface Packet {
  /** Microseconds since 1970-01-01 UTC; fractions below are dropped. */
  readonly atUs: number;
  /** `LINKTYPE_…` number: what the bytes begin with. */
  readonly linkType: number;
  /** What was captured of it. A view into the file. */
  readonly bytes: Uint8Array;
}

/** What is wrong in a capture file: reading stops here, and what came before counts. */
export class CaptureFault extends Error {
  readonly offset: number;

  constructor(offset: number, message: string) {
    super(message);
    this.offset = offset;
  }
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
