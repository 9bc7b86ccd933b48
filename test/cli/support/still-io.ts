import { PassThrough } from 'node:stream';
import type { CommandIo } from '../../../src/cli/io.js';

/** A world in which nothing happens: for tests that look at the commands and run none. */
export function stillIo(): CommandIo {
  return {
    stdin: new PassThrough(),
    stdout: new PassThrough(),
    stderr: new PassThrough(),
    env: {},
    cwd: '/',
    signal: new AbortController().signal,
    invokedAs: 'slurmwire',
    setExitCode: () => {},
  };
}
