import { connect, type Socket } from 'node:net';
import type { CallContext } from '../protocol/authenticator.js';
import { onAbort } from '../protocol/on-abort.js';
import type { Endpoint } from '../protocol/transport.js';

/** A connected TCP socket. Rejects with the system's error, or with the reason of the context's signal, and leaves nothing open then. */
export async function openSocket(
  { host, port }: Endpoint,
  { signal }: CallContext,
  timeoutMs: number,
): Promise<Socket> {
  signal.throwIfAborted();
  // allowHalfOpen: else Node answers the peer's FIN with one of its own accord; here only close() ends anything.
  const socket = connect({ host, port, noDelay: true, allowHalfOpen: true });
  await untilReady(socket, 'connect', signal, timeoutMs, `no connection within ${timeoutMs} ms (TCPTimeout)`);
  return socket;
}

/** Waits for the event that makes a socket ready. A socket that does not get there is destroyed. */
export async function untilReady(
  socket: Socket,
  event: 'connect' | 'secureConnect',
  signal: AbortSignal,
  timeoutMs: number,
  late: string,
): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => settle(() => reject(systemError(late, 'ETIMEDOUT'))), timeoutMs);
      const settle = (act: () => void) => {
        clearTimeout(timer);
        takeBack();
        // Somebody has to listen: an error nobody hears ends the process. It is not `failed`, which would keep all of this in memory as long as the socket.
        socket.off(event, ready).off('close', closed).off('error', failed).on('error', ignore);
        act();
      };
      const takeBack = onAbort(signal, () => settle(() => reject(signal.reason)));
      const ready = () => settle(resolve);
      const failed = (error: Error) => settle(() => reject(error));
      const closed = () => settle(() => reject(systemError('the connection was closed', 'ECONNRESET')));
      socket.on(event, ready).on('error', failed).on('close', closed);
    });
  } catch (error) {
    socket.on('error', ignore); // what a dropped attempt says later concerns nobody
    socket.destroy();
    throw error;
  }
}

function ignore(): void {}

/** An error as the system makes them: told by its code. */
export function systemError(message: string, code: string): Error {
  return Object.assign(new Error(message), { code });
}
