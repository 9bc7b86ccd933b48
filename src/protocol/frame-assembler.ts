import { LENGTH_WORD, MAX_FRAME_LENGTH } from './frame.js';
import { SlurmProtocolError } from './slurm-error.js';

/**
 * Puts frames together from the chunks of a TCP stream, by the length word alone. Holds what has arrived, never what is
 * announced: a peer that lies about its lengths costs nothing.
 */
export class FrameAssembler {
  readonly #maxLength: number;
  #chunks: Uint8Array[] = [];
  #held = 0;

  /** @param maxLength largest length word accepted, in bytes. */
  constructor(maxLength = MAX_FRAME_LENGTH) {
    this.#maxLength = maxLength;
  }

  /** Bytes held that no complete frame has taken yet. */
  get held(): number {
    return this.#held;
  }

  /** Length word of the frame under way, or `null` while fewer than four bytes of it are there. */
  get announced(): number | null {
    if (this.#held < LENGTH_WORD) return null;
    const [b0, b1, b2, b3] = this.peek(LENGTH_WORD) as unknown as [number, number, number, number];
    return ((b0 << 24) | (b1 << 16) | (b2 << 8) | b3) >>> 0;
  }

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#held += chunk.length;
  }

  /** The first bytes held, at most `count` of them. */
  peek(count: number): Uint8Array {
    const first = this.#chunks[0];
    if (first !== undefined && first.length >= count) return first.subarray(0, count);
    return this.#joined().subarray(0, count);
  }

  /**
   * The next whole frame, length word included, or `null` until more has arrived.
   *
   * @throws SlurmProtocolError `SLURM_PROTOCOL_INSANE_MSG_LENGTH` when the length word is above the limit.
   */
  take(): Uint8Array | null {
    const length = this.announced;
    if (length === null) return null;
    if (length > this.#maxLength) {
      throw new SlurmProtocolError(
        `a frame of ${length} bytes is announced, the limit is ${this.#maxLength}`,
        {
          code: 'SLURM_PROTOCOL_INSANE_MSG_LENGTH',
          errno: 'EMSGSIZE',
          outcome: 'not-sent',
          fieldPath: 'length',
          offset: 0,
        },
      );
    }
    if (this.#held < LENGTH_WORD + length) return null;
    const all = this.#joined();
    const rest = all.subarray(LENGTH_WORD + length);
    this.#chunks = rest.length > 0 ? [rest] : [];
    this.#held = rest.length;
    return all.subarray(0, LENGTH_WORD + length);
  }

  #joined(): Uint8Array {
    const [only] = this.#chunks;
    if (this.#chunks.length === 1 && only !== undefined) return only;
    const all = new Uint8Array(this.#held);
    let at = 0;
    for (const chunk of this.#chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    this.#chunks = [all];
    return all;
  }
}
