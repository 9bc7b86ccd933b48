/** What the ways of `auth/munge` can be told, and the checks of it. */
import { SlurmUsageError, showValue } from '../protocol/slurm-error.js';

/** What every way of `auth/munge` can be told. Every field has a default. */
export interface MungeSocketOptions {
  /**
   * Path of munged's socket, at most 107 bytes. Default: `/run/munge/munge.socket.2`, which is what libmunge is usually built with
   * (through libmunge: whatever it was built with). Slurm's own setting is `AuthInfo=socket=…`.
   */
  readonly socket?: string | undefined;
  /**
   * Lifetime of the credentials in seconds, a whole number from 1. Default: munged's, usually 300.
   * munged shortens what is above its own maximum, usually 3600. Slurm's own setting is `AuthInfo=ttl=…`.
   */
  readonly ttl?: number | undefined;
  /**
   * The only uid that may decode the credentials (0 … 4294967294), or `null` for anybody, whatever `create` is asked for.
   * Default: what `create` is asked for.
   */
  readonly uid?: number | null | undefined;
}

/** What can be told to the ways that use libmunge. Every field has a default. */
export interface MungeOptions extends MungeSocketOptions {
  /** Path or name of the shared object. Default: `libmunge.so.2` (macOS: `libmunge.2.dylib`) in the system's usual places. */
  readonly library?: string | undefined;
}

/** Room in `sockaddr_un.sun_path` without its final NUL. */
const MAX_SOCKET_PATH = process.platform === 'linux' ? 107 : 103;

/**
 * Refuses options that are not valid.
 *
 * @param caller name of the function they were given to.
 */
export function checkMungeOptions(caller: string, { socket, ttl, uid, library }: MungeOptions): void {
  if (socket !== undefined) checkSocketPath(caller, socket);
  if (library !== undefined) checkPath(caller, 'library', library);
  if (ttl !== undefined && !(Number.isInteger(ttl) && ttl >= 1 && ttl <= 0x7fffffff)) {
    throw badOption(caller, 'ttl', ttl, 'not a whole number of seconds from 1 to 2147483647');
  }
  if (uid !== undefined && uid !== null) checkUid(caller, 'uid', uid);
}

/** Refuses what cannot be the path of a Unix socket. */
export function checkSocketPath(caller: string, socket: unknown): asserts socket is string {
  checkPath(caller, 'socket', socket);
  if (Buffer.byteLength(socket) > MAX_SOCKET_PATH) {
    throw badOption(
      caller,
      'socket',
      socket,
      `longer than the ${MAX_SOCKET_PATH} bytes a socket's path may have`,
    );
  }
}

function checkPath(caller: string, field: string, value: unknown): asserts value is string {
  if (typeof value !== 'string' || value === '' || value.includes('\0')) {
    throw badOption(caller, field, value, 'not a path');
  }
}

/** 0xffffffff is MUNGE's "anybody" (`MUNGE_UID_ANY`); here that is `null`, so that nobody says it by mistake. */
export function checkUid(caller: string, field: string, value: unknown): void {
  if (!(Number.isInteger(value) && (value as number) >= 0 && (value as number) < 0xffffffff)) {
    throw badOption(caller, field, value, 'not a uid (0 … 4294967294, or null for anybody)');
  }
}

function badOption(caller: string, field: string, value: unknown, why: string): SlurmUsageError {
  return new SlurmUsageError(`${caller}: ${field} is ${why}: ${showValue(value)}.`, {
    code: 'SLURMWIRE_BAD_OPTION',
    field,
    value,
  });
}
