/** A SACK daemon that does what a test says, and remembers what it was asked. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  decodeSackRequest,
  encodeCreated,
  encodeVerified,
  type SackRequest,
} from '../../src/auth/sack-messages.js';
import { fakeToken } from './support-tokens.js';

export type SackScript = (socket: Socket, request: SackRequest) => void;

/** The claims that a daemon of 24.11 puts into a token. */
export function sackClaims(request: SackRequest, more: object = {}): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1000);
  const payload = request.rpc === 'create' ? Buffer.from(request.payload).toString('base64') : '';
  const ruid = request.rpc === 'create' ? (request.restrictUid ?? 0xffffffff) : 0;
  const made = { iat: now, exp: now + 60, ver: 10752, ruid, context: 'sack', cluster: 'lab' };
  return { ...made, uid: 1000, gid: 100, host: 'login', payload, ...more };
}

/** Makes and takes every token. */
export const willing: SackScript = (socket, request) => {
  socket.end(request.rpc === 'create' ? encodeCreated(fakeToken(sackClaims(request))) : encodeVerified(0));
};

export class FakeSack {
  readonly path: string;
  readonly requests: SackRequest[] = [];
  /** Connections that were opened. */
  connections = 0;
  readonly #directory: string;
  readonly #open = new Set<Socket>();
  #server: Server | undefined;
  #script: SackScript = willing;

  private constructor() {
    this.#directory = mkdtempSync(join(tmpdir(), 'swsack-'));
    this.path = join(this.#directory, 'sack.socket');
  }

  /** @param listens false for a place where nobody listens yet. */
  static async start(script: SackScript = willing, listens = true): Promise<FakeSack> {
    const sack = new FakeSack();
    sack.#script = script;
    if (listens) await sack.listen();
    return sack;
  }

  play(script: SackScript): void {
    this.#script = script;
  }

  /** Open connections, as the daemon sees them. */
  get open(): number {
    return this.#open.size;
  }

  async listen(): Promise<void> {
    const server = createServer((socket) => this.#serve(socket));
    await new Promise<void>((resolve) => server.listen(this.path, resolve));
    this.#server = server;
  }

  #serve(socket: Socket): void {
    this.connections += 1;
    this.#open.add(socket);
    socket.on('close', () => this.#open.delete(socket));
    socket.on('error', () => {});
    let received = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      const request = decodeSackRequest(received);
      if (request === null) return;
      this.requests.push(request);
      this.#script(socket, request);
    });
  }

  async close(): Promise<void> {
    for (const socket of this.#open) socket.destroy();
    await new Promise<void>((resolve) =>
      this.#server === undefined ? resolve() : this.#server.close(() => resolve()),
    );
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
