/** One request to a SACK socket and its answer: one connection, one write, and an end to the waiting. */
import { connect, type Socket } from 'node:net';
import { onAbort } from '../protocol/on-abort.js';

/** How an exchange ended without an answer. */
export type SackTrouble =
  /** It could not be connected; `errno` says why. */
  | { readonly kind: 'connect'; readonly errno: string; readonly cause: unknown }
  /** The daemon closed without a (whole) answer: it refused, or it ended. */
  | { readonly kind: 'closed'; readonly received: number; readonly cause: unknown }
  | { readonly kind: 'silent'; readonly timeoutMs: number }
  /** The answer is none. */
  | { readonly kind: 'nonsense'; readonly cause: unknown };

export class SackFailure extends Error {
  readonly trouble: SackTrouble;

  constructor(trouble: SackTrouble) {
    super(`no answer from the SACK socket (${trouble.kind})`);
    this.trouble = trouble;
  }
}

export interface SackCall<Answer> {
  readonly path: string;
  readonly request: Uint8Array;
  /** The answer in what has come so far; `null` while there has to be more. Throws for what can be none. */
  readonly decode: (bytes: Uint8Array) => Answer | null;
  /** Milliseconds for all of it. */
  readonly timeoutMs: number;
}

/**
 * @throws SackFailure; the signal's reason when that fires first. Nothing is left open.
 */
export async function sackExchange<Answer>(
  { path, request, decode, timeoutMs }: SackCall<Answer>,
  signal: AbortSignal,
): Promise<Answer> {
  signal.throwIfAborted();
  // allowHalfOpen: else Node would answer the daemon's FIN with one of its own accord; here only destroy() ends anything.
  const socket = connect({ path, allowHalfOpen: true });
  try {
    return await new Promise<Answer>((resolve, reject) => {
      const fail = (trouble: SackTrouble) => reject(new SackFailure(trouble));
      const timer = setTimeout(() => fail({ kind: 'silent', timeoutMs }), timeoutMs);
      const takeBack = onAbort(signal, () => reject(signal.reason));
      socket.once('close', () => {
        clearTimeout(timer);
        takeBack();
      });
      converse(socket, request, decode, resolve, fail);
    });
  } finally {
    socket.on('error', () => {}); // what a dropped connection says later concerns nobody
    socket.destroy();
  }
}

function converse<Answer>(
  socket: Socket,
  request: Uint8Array,
  decode: (bytes: Uint8Array) => Answer | null,
  resolve: (answer: Answer) => void,
  fail: (trouble: SackTrouble) => void,
): void {
  let isConnected = false;
  let received: Buffer = Buffer.alloc(0);
  socket.once('connect', () => {
    isConnected = true;
    // One write: a daemon may look at what has come so far.
    socket.write(request);
  });
  socket.on('data', (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    try {
      const answer = decode(received);
      if (answer !== null) resolve(answer);
    } catch (cause) {
      fail({ kind: 'nonsense', cause });
    }
  });
  socket.once('end', () => fail({ kind: 'closed', received: received.length, cause: undefined }));
  socket.on('error', (cause: NodeJS.ErrnoException) => {
    if (isConnected) fail({ kind: 'closed', received: received.length, cause });
    else fail({ kind: 'connect', errno: cause.code ?? 'EIO', cause });
  });
}
