// Runs one scenario outside the test runner: as a child process (answer on stdout) or as a worker thread (answer as message).
// Arguments: scenario, path of munged's socket, and a uid to become once everything is loaded (a checkout may be closed to others).
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { loadMunge, munge, mungeSlots } from '../../dist/auth/munge.js';
import { mungeCalls } from '../../dist/auth/munge-library.js';
import { mungeSocket, mungeSocketSlots } from '../../dist/auth/munge-socket.js';

/** @type {[string, string, string | undefined]} */
const [scenario, socket, become] = isMainThread ? process.argv.slice(2) : workerData;

const never = { remainingMs: () => 60_000, signal: new AbortController().signal };

/** @param {import('../../src/protocol/authenticator.js').Authenticator} auth @param {Uint8Array} payload */
async function roundTrip(auth, payload) {
  const section = await auth.create(payload, null, never);
  const { uid, gid, payload: back } = await auth.verify(section, never);
  return { uid, gid, same: Buffer.compare(payload, back) === 0, section };
}

function residentMib() {
  globalThis.gc?.();
  const kib = /VmRSS:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return Number(kib) / 1024;
}

/** @type {Record<string, () => Promise<unknown>>} */
const scenarios = {
  async roundTrip() {
    const { uid, gid, same } = await roundTrip(munge({ socket }), randomBytes(33));
    return { uid, gid, same };
  },

  async socketRoundTrip() {
    const { uid, gid, same } = await roundTrip(mungeSocket({ socket }), randomBytes(33));
    return { uid, gid, same };
  },

  // Ends while a call waits for a munged that hangs.
  async exitInCall() {
    mungeSocket({ socket }).create(new Uint8Array(0), null, never);
    while (mungeSocketSlots().running === 0) await new Promise((resolve) => setImmediate(resolve));
    setImmediate(() => process.exit(0));
    return { before: Date.now() };
  },

  // The error as a program sees it.
  async failure() {
    try {
      await munge({ socket }).create(new Uint8Array(0), null, never);
      return null;
    } catch (error) {
      return JSON.parse(JSON.stringify(error));
    }
  },

  // Payloads large enough that one lost buffer per call would show: 2,000 × (16 KiB + 22 KiB) is 74 MiB.
  async leak() {
    const auth = munge({ socket });
    const payload = randomBytes(16_384);
    /** @param {number} calls @param {boolean} replay */
    const many = async (calls, replay) => {
      let left = calls;
      const worker = async () => {
        while (left-- > 0) {
          const { same, section } = await roundTrip(auth, payload);
          if (!same) throw new Error('the payload came back changed');
          if (replay) await auth.verify(section, never).catch(() => {});
        }
      };
      await Promise.all(Array.from({ length: 16 }, worker));
    };
    await many(300, true);
    const before = residentMib();
    const began = performance.now();
    await many(4000, false);
    const milliseconds = performance.now() - began;
    const afterRoundTrips = residentMib();
    await many(4000, true);
    const afterReplays = residentMib();
    return {
      before,
      afterRoundTrips,
      afterReplays,
      milliseconds,
      slots: mungeSlots(),
      held: (await mungeCalls()).held,
    };
  },
};

if (become !== undefined) {
  await loadMunge();
  process.setgid?.(Number(become));
  process.setuid?.(Number(become));
}
const answer = await scenarios[scenario]?.();
if (isMainThread) process.stdout.write(JSON.stringify(answer));
else parentPort?.postMessage(answer);
