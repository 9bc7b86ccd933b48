#!/usr/bin/env node
/** The program `slurmwire`: the process around `run()`. */
import { basename } from 'node:path';
import { EXIT } from './failure.js';
import { Stopped } from './io.js';
import { run } from './run.js';

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // Once: who asks a second time is not made to wait for what the first one began.
  process.once(signal, () => stop.abort(new Stopped(signal)));
}
// A reader that has gone (`slurmwire … | head`) ends the program without a word, as it does other commands.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    stop.abort(new Stopped('SIGPIPE'));
  });
}

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
