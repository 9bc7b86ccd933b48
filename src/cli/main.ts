#!/usr/bin/env node
/** The program `slurmwire`: the process around `run()`. */
import { basename } from 'node:path';
import { EXIT } from './failure.js';
import { Stopped } from './io.js';
import { run } from './run.js';

const stop = new AbortController();
// SIGHUP too: a terminal that went away must leave no job half down its ladder, no process of a demo, no temporary slurm.conf.
for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) {
  // Once: who asks a second time is not made to wait for what the first one began.
  process.once(signal, () => stop.abort(new Stopped(signal)));
}
let isLost = false;
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // A reader that has gone (`slurmwire … | head`) ends the program without a word, as it does other commands.
    if (error.code === 'EPIPE') return stop.abort(new Stopped('SIGPIPE'));
    // A full disk stops nothing half-way: what is under way goes on, and the exit code stays what it was, but for a success.
    if (stream !== process.stdout || isLost) return;
    isLost = true;
    process.stderr.write(`slurmwire: the output cannot be written: ${error.code}\n`);
  });
}
process.once('exit', (code) => {
  if (isLost && code === EXIT.done) process.exitCode = EXIT.outputLost;
});

const [, path = 'slurmwire', ...argv] = process.argv;
process.exitCode = EXIT.bug;
process.exitCode = await run(argv, {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  cwd: process.cwd(),
  signal: stop.signal,
  invokedAs: basename(path),
});
// A terminal or pipe that was read from would keep the process alive for a next line.
process.stdin.unref?.();
