/** What the tests of `auth/munge` have in common. */
import { connect, type Socket } from 'node:net';
import { expect } from 'vitest';
import type { AuthSection } from '../../src/protocol/auth-section.js';
import type { CallContext } from '../../src/protocol/authenticator.js';
import { SlurmAuthError, SlurmTimeoutError } from '../../src/protocol/slurm-error.js';

/** A context as the client makes it: the signal fires with a timeout error when the time is up. */
export function within(
  milliseconds: number,
): CallContext & { readonly reason: SlurmTimeoutError; abort(): void } {
  const controller = new AbortController();
  const reason = new SlurmTimeoutError('The deadline of the test passed.', {
    code: 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT',
    errno: 'ETIMEDOUT',
    outcome: 'not-sent',
  });
  const ends = performance.now() + milliseconds;
  setTimeout(() => controller.abort(reason), milliseconds).unref();
  return {
    remainingMs: () => Math.max(0, ends - performance.now()),
    signal: controller.signal,
    reason,
    abort: () => controller.abort(reason),
  };
}

export async function rejection(promise: Promise<unknown>): Promise<SlurmAuthError> {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(SlurmAuthError);
  return error as SlurmAuthError;
}

/** What every error of MUNGE has, whatever it is; and no credential anywhere in it. */
export function expectWhole(error: SlurmAuthError, socket: string, credential?: string): void {
  expect(error).toMatchObject({
    name: 'SlurmAuthError',
    outcome: 'not-sent',
    phase: 'authenticate',
    peer: socket,
  });
  expect(error.hint).toBeTruthy();
  expect(error.errno).toMatch(/^E[A-Z]+$/);
  if (credential === undefined || credential === '') return;
  const all = [JSON.stringify(error), error.stack, String((error.cause as Error | undefined)?.stack)].join(
    '\n',
  );
  expect(all).not.toContain(credential.slice(0, 16));
}

export const sectionOf = (credential: string): AuthSection => ({ plugin: 'auth/munge', credential });

/** Connections that a stopped munged does not accept, until no more fit. */
export async function fillBacklog(path: string): Promise<Socket[]> {
  const sockets: Socket[] = [];
  for (;;) {
    const socket = connect(path);
    const full = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(false));
      socket.once('error', () => resolve(true));
    });
    if (full) return sockets;
    socket.on('error', () => {});
    sockets.push(socket);
  }
}
