import { FrameAssembler } from '../protocol/frame-assembler.js';
import { SlurmProtocolError } from '../protocol/slurm-error.js';
import { type Direction, type RawConnection, streamOf } from './conversation.js';

/**
 * The frames of one direction of a connection, in order, each with its length word: for `decodeFrame`, {@link dissect} or
 * {@link annotate}. Bytes that no whole frame can be taken from (one that was cut off, an HTTP answer) are the last item. Never throws.
 */
export function framesOf(connection: RawConnection, direction: Direction): Uint8Array[] {
  const stream = streamOf(connection, direction);
  const assembler = new FrameAssembler();
  assembler.push(stream);
  const frames: Uint8Array[] = [];
  for (let at = 0; at < stream.length; at += frames.at(-1)?.length ?? 0) {
    frames.push(takeFrom(assembler) ?? stream.subarray(at));
  }
  return frames;
}

/** `null` too where a length is announced that no frame has. */
function takeFrom(assembler: FrameAssembler): Uint8Array | null {
  try {
    return assembler.take();
  } catch (thrown) {
    if (thrown instanceof SlurmProtocolError) return null;
    throw thrown;
  }
}
