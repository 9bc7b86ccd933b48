/**
 * Who is at the other end of a Unix socket: SO_PEERCRED, for which Node has no call, through koffi.
 *
 * One synchronous call of half a microsecond (measured, x64), in worker threads as well; koffi itself loads in some 10 ms, once.
 * The descriptor is `_handle.fd`, which is not documented, so what comes of it is tried out before it is relied on.
 */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ANY_ID } from '../auth/munge-wire.js';

/** Who connected, as the kernel knows it, with the identity it had then; null when the kernel does not say. */
export type PeerLookup = (socket: Socket) => { readonly uid: number; readonly gid: number } | null;

/** SOL_SOCKET and SO_PEERCRED of Linux, which are not the same everywhere; elsewhere nothing is tried. */
const LEVEL = 1;
const OPTION: Partial<Record<NodeJS.Architecture, number>> = {
  ...{ x64: 17, ia32: 17, arm: 17, arm64: 17, riscv64: 17, loong64: 17, s390x: 17 },
  ppc64: 21,
};

let known: Promise<PeerLookup | null> | undefined;

/** How to ask the kernel who connected; null where that does not work. Found out once. */
export function kernelPeerLookup(): Promise<PeerLookup | null> {
  known ??= findLookup();
  return known;
}

async function findLookup(): Promise<PeerLookup | null> {
  const option = process.platform === 'linux' ? OPTION[process.arch] : undefined;
  if (option === undefined) return null;
  const lookup = await bindLookup(option);
  return lookup !== null && (await knowsOurselves(lookup)) ? lookup : null;
}

async function bindLookup(option: number): Promise<PeerLookup | null> {
  let getsockopt: (
    fd: number,
    level: number,
    name: number,
    value: Uint32Array,
    length: Uint32Array,
  ) => number;
  try {
    const koffi = await import('koffi');
    getsockopt = koffi
      .load(null)
      .func('int getsockopt(int fd, int level, int name, void *value, void *length)') as never;
  } catch {
    // No koffi on this machine: what then holds is said in EmbeddedMunged.peerIdentity.
    return null;
  }
  return (socket) => {
    const fd = (socket as { _handle?: { fd?: unknown } | null })._handle?.fd;
    if (typeof fd !== 'number' || fd < 0) return null;
    // struct ucred: pid, uid, gid.
    const ucred = new Uint32Array(3);
    const length = Uint32Array.of(ucred.byteLength);
    if (getsockopt(fd, LEVEL, option, ucred, length) !== 0 || length[0] !== ucred.byteLength) return null;
    const [, uid = 0, gid = 0] = ucred;
    // Of a socket without a known peer.
    return uid === ANY_ID ? null : { uid, gid };
  };
}

/** Whether it finds out who this process is, on a socket that nobody else can reach. */
async function knowsOurselves(lookup: PeerLookup): Promise<boolean> {
  const directory = await mkdtemp(join(tmpdir(), 'slurmwire-peer-'));
  try {
    await chmod(directory, 0o700);
    return await new Promise<boolean>((resolve) => {
      const end = (verdict: boolean) => {
        client?.destroy();
        server.close(() => resolve(verdict));
      };
      let client: Socket | undefined;
      const server = createServer((accepted) => {
        accepted.on('error', () => {});
        const found = lookup(accepted);
        accepted.destroy();
        end(found?.uid === process.geteuid?.() && found?.gid === process.getegid?.());
      });
      server.on('error', () => resolve(false));
      server.listen({ path: join(directory, 's'), exclusive: true }, () => {
        client = connect(join(directory, 's'));
        client.on('error', () => end(false));
      });
    });
  } catch {
    return false;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
