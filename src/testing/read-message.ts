/** The bytes of one message from a connection, whoever is at its other end. */
import type { Socket } from 'node:net';
import { LENGTH_WORD, MAX_FRAME_LENGTH } from '../protocol/frame.js';
import { FrameAssembler } from '../protocol/frame-assembler.js';
import { MIN_HEADER_LENGTH } from './open-request.js';

/** No message to a daemon of a cluster in a test is longer. */
const MAX_REQUEST = 16 * 1024 * 1024;

/** What has to be there before a daemon that speaks HTTP as well decides which of the two it is. */
const FINGERPRINT = 8;

/** How a connection is listened to. */
export interface Listening {
  /** Milliseconds that it may bring nothing new. */
  readonly timeoutMs: number;
  /** Whether eight bytes are waited for before a length word is refused. */
  readonly speaksHttp: boolean;
  /** While it says so, no time passes for the connection. */
  isPaused(): boolean;
}

/** A whole frame; why its length word was refused; `null` where the peer left or took too long. */
export type Message = Uint8Array | 'too-short' | 'too-long' | null;

/** Reads the first frame. What comes behind it is read and dropped from then on, so that the end of the connection is noticed. */
export function readMessage(
  socket: Socket,
  { timeoutMs, speaksHttp, isPaused }: Listening,
): Promise<Message> {
  return new Promise((resolve) => {
    const assembler = new FrameAssembler(MAX_REQUEST);
    const done = (message: Message) => {
      socket.setTimeout(0);
      socket.off('timeout', onTimeout).off('data', onData).off('end', onEnd).off('close', onEnd);
      socket.on('data', () => {});
      resolve(message);
    };
    const onTimeout = () => {
      if (isPaused()) socket.setTimeout(timeoutMs);
      else done(null);
    };
    const onEnd = () => done(null);
    const onData = (chunk: Buffer) => {
      assembler.push(chunk);
      const { announced, held } = assembler;
      if (announced === null || (speaksHttp && held < FINGERPRINT)) return;
      if (announced < MIN_HEADER_LENGTH) return done('too-short');
      if (announced > MAX_FRAME_LENGTH) return done('too-long');
      // A daemon would wait for all of it; nobody who tests one has to.
      if (announced > MAX_REQUEST) return done(null);
      if (held < LENGTH_WORD + announced) return;
      done(assembler.take());
    };
    socket.setTimeout(timeoutMs);
    socket.on('timeout', onTimeout).on('data', onData).on('end', onEnd).on('close', onEnd);
  });
}
