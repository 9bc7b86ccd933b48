/**
 * The TLS end of a cluster whose daemons speak none: one port for each daemon, what comes in by TLS goes on to the daemon in plain text.
 * A process of its own, so that it lives and ends with the cluster: see tls.ts, which starts it. Writes its ports into a file when it listens.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { createServer } from 'node:tls';

/**
 * @typedef {{ cert: string, key: string, ports: string, targets: { name: string, port: number }[] }} ProxyTask `cert`, `key` and
 * `ports` are paths; `targets` are the daemons, on 127.0.0.1.
 */

const [, , file = ''] = process.argv;
/** @type {ProxyTask} */
const task = JSON.parse(readFileSync(file, 'utf8'));
const identity = { cert: readFileSync(task.cert), key: readFileSync(task.key) };

/** @type {Record<string, number>} */
const ports = {};
for (const { name, port } of task.targets) ports[name] = await serve(name, port);
// Readers see all of it or nothing.
writeFileSync(`${task.ports}.new`, JSON.stringify(ports));
renameSync(`${task.ports}.new`, task.ports);

/**
 * @param {string} name
 * @param {number} port
 * @returns {Promise<number>} where it listens
 */
function serve(name, port) {
  // Half open both ways: the end of one direction is passed on as just that, never as the end of the other.
  const server = createServer({ ...identity, minVersion: 'TLSv1.2', allowHalfOpen: true, noDelay: true });
  server.on('secureConnection', (client) => {
    const daemon = connect({ host: '127.0.0.1', port, noDelay: true, allowHalfOpen: true });
    relay(client, daemon);
    relay(daemon, client);
    client.on('error', () => daemon.destroy());
    daemon.on('error', (error) => {
      console.error(`${name}: ${error.message}`);
      client.destroy();
    });
  });
  server.on('tlsClientError', (error, socket) => {
    console.error(`${name}: handshake failed: ${error.message}`);
    socket.destroy();
  });
  return new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      if (address === null || typeof address === 'string') reject(new Error('no port'));
      else resolve(address.port);
    });
  });
}

/**
 * @param {import('node:net').Socket} from
 * @param {import('node:net').Socket} to
 */
function relay(from, to) {
  from.on('data', (chunk) => {
    if (to.destroyed || to.write(chunk)) return;
    from.pause();
    to.once('drain', () => from.resume());
  });
  from.on('end', () => {
    if (!to.destroyed) to.end();
  });
  // Who has closed altogether will not read what the other may still say.
  from.on('close', () => {
    if (to.writableEnded) to.destroy();
    else to.end(() => to.destroy());
  });
}
