/** A connection that is broken off is gone, whatever was under way on it. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { resetSocket } from '../../src/replay/reset-socket.js';

test.each([
  ['nothing', () => {}],
  ['a text', (socket: Socket) => socket.write('x')],
  ['its end', (socket: Socket) => socket.end()],
  ['a text and its end', (socket: Socket) => socket.end('x')],
  [
    'the end of all, by destroySoon()',
    (socket: Socket) => {
      socket.write('x');
      socket.destroySoon();
    },
  ],
  ['more than the peer takes', (socket: Socket) => socket.write(Buffer.alloc(20_000_000))],
  ['more than the peer takes, and its end', (socket: Socket) => socket.end(Buffer.alloc(20_000_000))],
])('having sent %s', async (_, send) => {
  const errors: Error[] = [];
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect({
    port: (server.address() as AddressInfo).port,
    host: '127.0.0.1',
    allowHalfOpen: true,
  });
  client.on('error', () => {});
  try {
    const [socket] = (await once(server, 'connection')) as [Socket];
    socket.on('error', (error) => errors.push(error));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    send(socket);
    resetSocket(socket);
    await closed;
    expect(errors).toEqual([]);
    // Nothing of it is left: the server has no connection any more.
    const left = await new Promise<number>((resolve) =>
      server.getConnections((_error, count) => resolve(count)),
    );
    expect(left).toBe(0);
  } finally {
    client.destroy();
    server.close();
  }
});
