/** A munged by script, on a socket of its own: answers as told, and keeps what it was asked. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeMungeMessage, HEADER_LENGTH, type MungeBody } from '../../src/auth/munge-wire.js';

/** What to do with the n-th connection (from 0) once its whole request is there. */
export type MungedScript = (request: Buffer, connection: Socket, index: number) => void;

export interface FakeMunged {
  readonly socket: string;
  /** Every whole request, in order. */
  readonly requests: Buffer[];
  /** Connections taken, and those open now. */
  readonly connections: number;
  readonly open: number;
  /** The most ever open at a time. */
  readonly peak: number;
  script: MungedScript;
  /** Stops listening and breaks all connections; the socket goes. */
  stop(): Promise<void>;
  /** Listens again. */
  restart(): Promise<void>;
  /** Stops, and removes its directory. */
  remove(): Promise<void>;
}

export async function startFakeMunged(script: MungedScript): Promise<FakeMunged> {
  const directory = await mkdtemp(join(tmpdir(), 'slurmwire-fake-munged-'));
  const path = join(directory, 'socket');
  const open = new Set<Socket>();
  let connections = 0;
  let peak = 0;
  const requests: Buffer[] = [];

  const server = createServer((connection) => {
    const index = connections++;
    open.add(connection);
    peak = Math.max(peak, open.size);
    connection.on('error', () => {});
    connection.on('close', () => open.delete(connection));
    let bytes = Buffer.alloc(0);
    let asked = false;
    connection.on('data', (piece) => {
      bytes = Buffer.concat([bytes, piece as Buffer]);
      if (asked || bytes.length < HEADER_LENGTH) return;
      if (bytes.length < HEADER_LENGTH + bytes.readUInt32BE(7)) return;
      asked = true;
      requests.push(bytes);
      fake.script(bytes, connection, index);
    });
  });
  const listen = () =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
  const fake = {
    socket: path,
    requests,
    script,
    get connections() {
      return connections;
    },
    get open() {
      return open.size;
    },
    get peak() {
      return peak;
    },
    stop: () =>
      new Promise<void>((resolve) => {
        if (!server.listening) return resolve();
        server.close(() => resolve());
        for (const connection of open) connection.destroy();
      }),
    restart: listen,
    remove: async () => {
      await fake.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
  await listen();
  return fake;
}

/** An answer to the request for a credential. */
export function encodeAnswer(change: Partial<MungeBody<'encodeResponse'>> = {}): Uint8Array {
  return encodeMungeMessage('encodeResponse', {
    errorNum: 0,
    errorStr: null,
    data: Buffer.from('MUNGE:AwQFAAC7:\0'),
    ...change,
  });
}

/** An answer to the request to decode one. */
export function decodeAnswer(change: Partial<MungeBody<'decodeResponse'>> = {}): Uint8Array {
  return encodeMungeMessage('decodeResponse', {
    errorNum: 0,
    errorStr: null,
    cipher: 4,
    mac: 5,
    zip: 0,
    realm: null,
    ttl: 300,
    addr: Uint8Array.of(127, 0, 1, 1),
    time0: 1_700_000_000,
    time1: 1_700_000_001,
    credUid: 1000,
    credGid: 1001,
    authUid: 0xffffffff,
    authGid: 0xffffffff,
    data: Uint8Array.of(1, 2, 3),
    ...change,
  });
}
