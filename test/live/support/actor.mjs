/**
 * A process that loads the built library as root, gives up root for an ordinary user, and then does what its parent says: a
 * user's own program, on the machine where the checkout may be unreadable to that user.
 */
import {
  connect,
  defaultMunge,
  isSlurmError,
  loadMunge,
  munge,
  mungeSocket,
  tcpTransport,
} from '../../../dist/index.js';

const { uid, gid } = JSON.parse(process.argv[2] ?? '{}');
await loadMunge(); // before the drop: what is loaded later could not be read any more
process.setgroups?.([gid]);
process.setgid?.(gid);
process.setuid?.(uid);
if (process.getuid?.() === 0) throw new Error('still root');

/** @type {Record<string, typeof munge>} */
const WAYS = { munge, mungeSocket, defaultMunge };

/** @type {Map<string, Awaited<ReturnType<typeof connect>>>} */
const clients = new Map();
let lastTick = performance.now();
let longestPauseMs = 0;
setInterval(() => {
  longestPauseMs = Math.max(longestPauseMs, performance.now() - lastTick);
  lastTick = performance.now();
}, 10).unref();

let connections = 0;
const tcp = tcpTransport();
const countingTransport = {
  connect: (/** @type {Parameters<typeof tcp.connect>} */ ...args) => {
    connections++;
    return tcp.connect(...args);
  },
};

process.on('message', async (/** @type {any} */ { id, client, options, method, args, environment }) => {
  longestPauseMs = 0;
  connections = 0;
  lastTick = performance.now();
  for (const name of ['SLURM_JOB_ID', 'SLURM_CLUSTER_NAME']) delete process.env[name];
  Object.assign(process.env, environment);
  try {
    // munge: the way to munged and its options.
    const { munge: asked, countConnections, ...rest } = options;
    const plain = countConnections ? { ...rest, transport: countingTransport } : rest;
    const key = `${client} ${JSON.stringify(options)}`;
    let slurm = clients.get(key);
    if (slurm === undefined) {
      slurm = await connect(asked === undefined ? plain : { ...plain, auth: WAYS[asked.way](asked.options) });
      clients.set(key, slurm);
    }
    const value = await /** @type {any} */ (slurm)[method](...args);
    process.send?.({ id, value, longestPauseMs, connections });
  } catch (error) {
    const shown = isSlurmError(error) ? error.toJSON() : { name: 'not a SlurmError', message: String(error) };
    process.send?.({ id, error: shown, longestPauseMs, connections });
  }
});
process.on('disconnect', () => process.exit(0));
process.send?.({ ready: true });
