/** What the tests of the embedded munged have in common. */
import { spawn } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { AuthSection } from '../../src/protocol/auth-section.js';
import {
  type EmbeddedMunged,
  type EmbeddedMungedOptions,
  startEmbeddedMunged,
} from '../../src/testing/embedded-munged.js';

/** Starts one in a directory of its own that every user can search, and takes both away. */
export async function withDirectory(): Promise<{
  readonly directory: string;
  start(options?: Omit<EmbeddedMungedOptions, 'socket'>): Promise<EmbeddedMunged>;
  remove(): Promise<void>;
}> {
  const directory = await mkdtemp(join(tmpdir(), 'slurmwire-embedded-munged-'));
  await chmod(directory, 0o755);
  const started: EmbeddedMunged[] = [];
  return {
    directory,
    start: async (options = {}) => {
      const socket = join(directory, `socket.${started.length}`);
      const munged = await startEmbeddedMunged({ socket, ...options });
      started.push(munged);
      return munged;
    },
    remove: async () => {
      await Promise.all(started.map((munged) => munged.stop()));
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** The text of a credential. */
export function textOf(section: AuthSection): string {
  return ('credential' in section && section.credential) || expect.unreachable('no credential');
}

/** What comes back for these bytes, up to the end of the connection; empty if it was closed without an answer. */
export function exchange(socket: string, pieces: readonly Uint8Array[], halfClose = false): Promise<Buffer> {
  return new Promise((resolve) => {
    const answer: Buffer[] = [];
    const connection = connect({ path: socket, allowHalfOpen: true }, () => {
      for (const piece of pieces) connection.write(piece);
      if (halfClose) connection.end();
    });
    connection.on('data', (piece) => answer.push(piece as Buffer));
    // A side that closes with something unread is seen as a reset.
    connection.on('error', () => {});
    connection.on('end', () => connection.destroy());
    connection.on('close', () => resolve(Buffer.concat(answer)));
  });
}

export interface Finished {
  readonly status: number | null;
  readonly output: string;
  readonly errors: string;
}

/** Runs a program, as another user if told so; `input` is its standard input. */
export function run(
  program: string,
  args: readonly string[],
  input: string | Uint8Array = '',
  identity: { readonly uid?: number; readonly gid?: number } = {},
): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { ...identity, stdio: 'pipe' });
    let output = '';
    let errors = '';
    child.stdout.on('data', (piece) => {
      output += piece;
    });
    child.stderr.on('data', (piece) => {
      errors += piece;
    });
    child.on('error', reject);
    // It may end without having read all.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    child.on('close', (status) => resolve({ status, output, errors }));
  });
}
