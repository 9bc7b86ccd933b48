import { connect, createServer, type Server } from 'node:net';
import { LabError } from './lab-error.js';

/** How long a command waits for another on the same cluster. */
export const lockMs = 180_000;

/**
 * Runs `body` while no other process on this machine runs one under the same name; waits its turn.
 *
 * The lock is a listening socket in Linux's abstract namespace: the kernel drops it with its process, so
 * there is no stale lock file, and whoever waits is woken by the connection closing instead of polling.
 */
export async function withLock<T>(name: string, timeoutMs: number, body: () => Promise<T>): Promise<T> {
  const path = `\0slurmwire-lab-lock-${name}`;
  const deadline = Date.now() + timeoutMs;
  let server = await tryListen(path);
  while (!server) {
    const leftMs = deadline - Date.now();
    if (leftMs <= 0) throw new LabError(`another lab command is still at work after ${timeoutMs} ms`);
    await releaseOf(path, leftMs);
    server = await tryListen(path);
  }
  const waiting = new Set<{ destroy(): void }>();
  server.on('connection', (socket) => {
    waiting.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => waiting.delete(socket));
  });
  try {
    return await body();
  } finally {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of waiting) socket.destroy();
    await closed;
  }
}

/** The listening server, or nothing if another holds the name. */
function tryListen(path: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(path, () => resolve(server));
  });
}

/** Resolves when the holder lets go (or was never there), or after `timeoutMs`. */
function releaseOf(path: string, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const timer = setTimeout(() => socket.destroy(), timeoutMs);
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(timer);
      resolve();
    });
    socket.resume();
  });
}
