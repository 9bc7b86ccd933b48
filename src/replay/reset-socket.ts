/** Breaks a TCP connection off by a reset. */
import type { Socket } from 'node:net';

/**
 * As `resetAndDestroy()`, which cannot be called at any time: while the end of the stream is being told to the peer, the system refuses it
 * (EINVAL), and Node then never closes the socket: its descriptor stays, and the process spins for ever when it wants to end (seen on Node 20.20).
 */
export function resetSocket(socket: Socket): void {
  if (socket.destroyed) return;
  const isShuttingDown = socket.writableEnded && !socket.writableFinished && socket.writableLength === 0;
  if (!isShuttingDown) {
    socket.resetAndDestroy();
    return;
  }
  // All has been handed over, so that takes no longer than a turn of the event loop.
  socket.once('finish', () => {
    if (!socket.destroyed) socket.resetAndDestroy();
  });
}
