/**
 * A process that loads the built command as root, gives up root for a user, and then runs `slurmwire` as often as its parent says, on streams of
 * its own: on the machine where the checkout may be unreadable to that user, and without a start of Node for each.
 */
import { PassThrough } from 'node:stream';
import { run } from '../../../dist/cli/run.js';
import { loadMunge } from '../../../dist/index.js';

const { uid, gid } = JSON.parse(process.argv[2] ?? '{}');
await loadMunge(); // before the drop: what is loaded later could not be read any more
if (uid !== 0) {
  process.setgroups?.([gid]);
  process.setgid?.(gid);
  process.setuid?.(uid);
  if (process.getuid?.() === 0) throw new Error('still root');
}

process.on('message', async (/** @type {any} */ { id, argv, env, input, invokedAs }) => {
  // The library reads these by itself.
  for (const name of ['SLURM_CONF', 'SLURM_CLUSTERS']) {
    if (env[name] === undefined) delete process.env[name];
    else process.env[name] = env[name];
  }
  const stdout = gatherer();
  const stderr = gatherer();
  const stdin = new PassThrough();
  stdin.end(input);
  const code = await run(argv, {
    stdin,
    stdout: stdout.stream,
    stderr: stderr.stream,
    env,
    cwd: process.cwd(),
    signal: new AbortController().signal,
    invokedAs,
  });
  process.send?.({ id, code, stdout: stdout.text(), stderr: stderr.text() });
});
process.on('disconnect', () => process.exit(0));
process.send?.({ ready: true });

function gatherer() {
  const stream = new PassThrough();
  return { stream, text: () => String(stream.read() ?? '') };
}
