/**
 * One question to munged over its socket, with libmunge's policy of trying again.
 *
 * Every try is a connection of its own (munged answers one request and closes). On Linux munged takes the caller's identity from the
 * connection, so nothing else is sent. No native code and no thread is involved: a munged that hangs costs a timer.
 *
 * Source of the policy: `m_msg_client_xfer` and the MUNGE_SOCKET_ constants of munge 0.5.16 to 0.5.18.
 */
import { stat } from 'node:fs/promises';
import { createConnection } from 'node:net';
import type { CallContext } from '../protocol/authenticator.js';
import { onAbort, untilAborted } from '../protocol/on-abort.js';
import { isSlurmError } from '../protocol/slurm-error.js';
import { MungeAssembler, type MungeMessage, type MungeMessageName } from './munge-wire.js';
import { pause } from './pause.js';

/** When to give up and how long to wait in between. */
export interface MungePolicy {
  /** Connects per try, with a pause of 1, 2, 3 … times `connectPauseMs` between them. */
  readonly connects: number;
  readonly connectPauseMs: number;
  /** Tries of the transaction, with a pause of 1, 2, 3 … times `pauseMs` between them. */
  readonly tries: number;
  readonly pauseMs: number;
  /** For sending the request, and again for receiving the whole answer. */
  readonly limitMs: number;
}

export const LIBMUNGE_POLICY: MungePolicy = {
  connects: 10,
  connectPauseMs: 50,
  tries: 5,
  pauseMs: 10,
  limitMs: 2_000,
};

/** Why there is no answer. */
export interface SocketTrouble {
  /**
   * What `connect` or the exchange ended with. `ENOTSOCK`: the path is no socket. `ETIMEDOUT`: taken and not answered.
   * `ECONNRESET`: broken off. `EPROTO`: what answered is no munged.
   */
  readonly errno: string;
  /** What happened, in words that name no path and no credential. */
  readonly text: string;
}

export type Answer<N extends MungeMessageName> =
  | { readonly message: MungeMessage<N>; readonly trouble?: undefined }
  | { readonly message?: undefined; readonly trouble: SocketTrouble };

/**
 * Asks munged, and tries again as libmunge does.
 *
 * @param request the message for the n-th repetition: `retry` is above 0 only when an earlier try of this transaction may have
 *   reached munged.
 * @param context ends it at once: the promise rejects with the reason of its signal, and no socket and no timer is left. After a try
 *   without an answer, none is begun that could not end in time: it would only replace "munged hangs" by a timeout.
 */
export async function askMunged<N extends MungeMessageName>(
  path: string,
  request: (retry: number) => Uint8Array,
  answer: N,
  context: CallContext,
  policy: MungePolicy = LIBMUNGE_POLICY,
): Promise<Answer<N>> {
  const { signal } = context;
  let connects = 1;
  for (let tries = 1; ; ) {
    const outcome = await attempt(path, request(tries - 1), answer, signal, policy.limitMs);
    if (outcome.message !== undefined) return outcome;

    if (!outcome.connected) {
      const met = tries > 1;
      if (connects >= policy.connects || !(await mayConnectLater(path, outcome.trouble.errno, met, signal))) {
        return outcome;
      }
      await pause(signal, connects * policy.connectPauseMs);
      connects += 1;
      continue;
    }
    const silent = outcome.trouble.errno === 'ETIMEDOUT';
    if (tries >= policy.tries || (silent && context.remainingMs() <= policy.limitMs)) return outcome;
    await pause(signal, tries * policy.pauseMs);
    tries += 1;
    connects = 1;
  }
}

/**
 * A full backlog or a socket without a listener may pass. A missing path does not, unless an earlier try of this transaction has
 * met munged: then it is restarting. (libmunge gives up there too; the one difference between the two policies.)
 */
async function mayConnectLater(
  path: string,
  errno: string,
  met: boolean,
  signal: AbortSignal,
): Promise<boolean> {
  if (errno === 'EAGAIN') return true;
  if (errno === 'ENOENT') return met;
  // Linux says ECONNREFUSED for a plain file as well.
  return errno === 'ECONNREFUSED' && (await untilAborted(signal, isSocket(path)));
}

async function isSocket(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isSocket();
  } catch {
    // Gone, or not to be looked at: the next connect says which.
    return true;
  }
}

type Outcome<N extends MungeMessageName> = Answer<N> & {
  /** Whether a connection was made, so that munged may have seen the request. */
  readonly connected: boolean;
};

/** One connection: connect, send, receive one message, close. */
function attempt<N extends MungeMessageName>(
  path: string,
  request: Uint8Array,
  answer: N,
  signal: AbortSignal,
  limitMs: number,
): Promise<Outcome<N>> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const assembler = new MungeAssembler(answer);
    const socket = createConnection({ path });
    let connected = false;
    let done = false;
    let timer: NodeJS.Timeout | undefined;

    const takeBack = onAbort(signal, () => {
      finish();
      reject(signal.reason);
    });
    function finish(): void {
      done = true;
      clearTimeout(timer);
      takeBack();
      socket.destroy();
    }
    function settle(outcome: Answer<N>): void {
      // The listeners stay: errors may still come while it closes.
      if (done) return;
      finish();
      resolve({ ...outcome, connected });
    }
    const fail = (errno: string, text: string) => settle({ trouble: { errno, text } });
    function limit(doing: string): void {
      clearTimeout(timer);
      timer = setTimeout(() => fail('ETIMEDOUT', `timed out after ${limitMs} ms ${doing}`), limitMs);
    }

    limit('sending the request');
    socket.on('connect', () => {
      connected = true;
      socket.write(request, (error) => {
        // Nothing to wait for if the answer, or a failure, was faster.
        if (!error && !done) limit('waiting for the answer');
      });
    });
    socket.on('data', (piece) => {
      if (done) return;
      try {
        const message = assembler.push(piece as Buffer);
        if (message !== null) settle({ message });
      } catch (error) {
        if (isSlurmError(error)) fail('EPROTO', `the answer is not one of munged: ${error.message}`);
        else {
          finish();
          reject(error);
        }
      }
    });
    socket.on('end', () => {
      const { received } = assembler;
      fail(
        'ECONNRESET',
        `the connection was closed ${received === 0 ? 'without an answer' : `after ${received} bytes`}`,
      );
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const code = error.code ?? 'EIO';
      // EPIPE and ECONNRESET are the same thing, seen while sending or receiving.
      if (connected) fail('ECONNRESET', `the connection broke (${code})`);
      else fail(code, `connect failed (${code})`);
    });
    socket.on('close', () => fail('ECONNRESET', 'the connection was closed'));
  });
}
