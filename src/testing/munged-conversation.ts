/** One connection to the embedded munged: one request is read, one answer is written, and it is closed, however the other side behaves. */
import type { Socket } from 'node:net';
import { type MungeRequest, MungeRequestAssembler } from '../auth/munge-wire.js';
import { isSlurmError } from '../protocol/slurm-error.js';
import type { MungedAnswer } from './munged-answer.js';

/** What a conversation needs to know. */
export interface ConversationRules {
  /** For the whole request, and again for the whole answer. Milliseconds. */
  readonly limitMs: number;
  /** Bytes of unfinished requests that may be held now, by all conversations together. */
  readonly room: { bytes: number };
  /** What to answer: nothing and keep it open, nothing and close it, or this. */
  answer(request: MungeRequest): MungedAnswer | 'hang' | 'close';
}

/**
 * Holds it. What is no request is closed without a word, as munged does (`_job_exec` and `m_msg_recv` of munge 0.5.18).
 *
 * @param socket an accepted one with `allowHalfOpen`: a client may have shut down its side before it reads.
 */
export function converse(socket: Socket, rules: ConversationRules): void {
  const assembler = new MungeRequestAssembler();
  let held = 0;
  let asked = false;
  /** What is to be taken back if the socket closes now. */
  let undo: (() => void) | undefined;
  let timer: NodeJS.Timeout | undefined = setTimeout(() => socket.destroy(), rules.limitMs);

  const letGo = () => {
    rules.room.bytes += held;
    held = 0;
  };
  // That the other side is gone is all there is to know: 'close' follows.
  socket.on('error', () => {});
  socket.on('close', () => {
    clearTimeout(timer);
    letGo();
    undo?.();
  });
  socket.on('end', () => {
    // Nobody can be served any more whose request is not whole, nor anybody who does not wait for a munged that hangs.
    if (!socket.writableEnded) socket.destroy();
  });
  socket.on('data', (piece: Buffer) => {
    // munged does not read on either.
    if (asked) return;
    held += piece.length;
    rules.room.bytes -= piece.length;
    if (rules.room.bytes < 0) socket.destroy();
    else take(piece);
  });

  function take(piece: Buffer): void {
    let request: MungeRequest | null;
    try {
      request = assembler.push(piece);
    } catch (error) {
      socket.destroy();
      if (isSlurmError(error)) return;
      throw error;
    }
    if (request === null) return;
    asked = true;
    letGo();
    clearTimeout(timer);
    timer = undefined;
    let answer: ReturnType<ConversationRules['answer']>;
    try {
      answer = rules.answer(request);
    } catch (error) {
      // A callback of the embedder's has failed, which is not to be hidden; the client must not wait for it.
      socket.destroy();
      throw error;
    }
    if (answer === 'hang') return;
    if (answer === 'close') {
      socket.destroy();
      return;
    }
    undo = answer.undo;
    timer = setTimeout(() => socket.destroy(), rules.limitMs);
    // Not the callback of end(): that one is called for a broken connection too.
    socket.once('finish', () => {
      undo = undefined;
      socket.destroy();
    });
    socket.end(answer.bytes);
  }
}
