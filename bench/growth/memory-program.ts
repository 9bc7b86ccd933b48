/** Holds calls that nobody answers, or bare sockets, and says what memory that takes. In a fresh process each time. */
import { connect as connectSocket, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { type Authenticator, connect, mungeSocket, type SlurmClient } from '../../src/index.js';
import { serve } from './child.js';
import type { ClusterPlace } from './cluster-program.js';

export interface Held {
  readonly calls: number;
  /** All of one client, which has 64 requests under way and the others in its line; or of as many clients as send them all. */
  readonly isOneClient: boolean;
  /** By munged's socket, or ready at once. */
  readonly auth: 'munge' | 'plain';
}

export interface PerCall {
  /** Bytes on V8's heap, and beside it for what is on it. */
  readonly used: number;
  /** Resident bytes of the process. What the kernel has for a socket is not among them. */
  readonly resident: number;
}

const UNDER_WAY = 64;
const timeoutMs = 3_600_000;

let clients: SlurmClient[] = [];
let sockets: Socket[] = [];
let before = { used: 0, resident: 0 };
let isPlain = false;

const actions = {
  /** Everything that is not a call's own: clients that have been in contact. */
  async prepare({ place, calls, isOneClient, auth: way }: Held & { place: ClusterPlace }): Promise<void> {
    const munge = mungeSocket({ socket: place.mungeSocket });
    const auth = way === 'plain' ? plain(munge) : munge;
    const count = isOneClient ? 1 : Math.ceil(calls / UNDER_WAY);
    for (let i = 0; i < count; i++) {
      const client = await connect({ conf: place.slurmConf, auth });
      await client.killJob(1, 'SIGUSR1', { idempotent: true });
      clients.push(client);
    }
    isPlain = true;
    before = await settled();
  },

  start({ calls }: Pick<Held, 'calls'>): void {
    const each = Math.ceil(calls / clients.length);
    for (let i = 0; i < calls; i++) {
      const call = clients[Math.floor(i / each)]?.killJob(1, 'SIGUSR1', { timeoutMs });
      call?.catch((error) => {
        // The end of this process ends them all; one that ends before was not held.
        if (process.connected) throw error;
      });
    }
  },

  async perCall({ calls }: Pick<Held, 'calls'>): Promise<PerCall> {
    const after = await settled();
    return { used: (after.used - before.used) / calls, resident: (after.resident - before.resident) / calls };
  },

  /** Connected sockets with nothing around them: less a call that has a connection cannot take. */
  async openSockets({ count, host, port }: { count: number; host: string; port: number }): Promise<void> {
    before = await settled();
    await Promise.all(
      Array.from({ length: count }, async () => {
        const socket = connectSocket({ host, port, noDelay: true, allowHalfOpen: true });
        await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
        socket.removeAllListeners('error').on('error', ignore);
        sockets.push(socket);
      }),
    );
  },
};

export type MemoryActions = typeof actions;

serve(actions, async () => {
  clients = [];
  sockets = [];
  process.exit();
});

function ignore(): void {}

/** A credential that is there at once and is nothing, as soon as the first contact was made with a real one. */
function plain(munge: Authenticator): Authenticator {
  const section = { plugin: 'auth/munge', credential: 'nothing' } as const;
  return { ...munge, create: async (...given) => (isPlain ? section : munge.create(...given)) };
}

/** What is left once all is collected that can be: what was freed may have held what only the next collection finds. */
async function settled(): Promise<{ used: number; resident: number }> {
  for (let i = 0; i < 6; i++) {
    globalThis.gc?.();
    await pause(20);
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return { used: heapUsed + external, resident: rss };
}
