import { execFile } from 'node:child_process';
import { SlurmConfigError, showValue } from '../protocol/slurm-error.js';
import { ConfigErrorCode } from './config-error-code.js';
import { readTextFile } from './read-text-file.js';

/** The largest uid: 2^32 - 1 means "no uid" to the system and "anybody" to MUNGE. */
export const MAX_UID = 0xffff_fffe;

export interface ResolveUserOptions {
  /** The parameter the user came from, for the error. Default `SlurmUser`. */
  readonly parameter?: 'SlurmUser' | 'SlurmdUser' | undefined;
  /** Where the parameter stands, for the error. */
  readonly file?: string | undefined;
  readonly line?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Default `/etc/passwd`. */
  readonly passwdFile?: string | undefined;
  /** The command to ask when the file does not know the name. Default `getent`, along PATH. */
  readonly getent?: string | undefined;
  /** How long that command may take, in milliseconds. Default 5000. */
  readonly getentTimeoutMs?: number | undefined;
}

/**
 * The uid of a user: digits are the uid itself; a name is looked up in /etc/passwd and then with
 * `getent passwd NAME`, which also knows LDAP and sssd. Blocks nothing; no shell is involved.
 *
 * @throws SlurmConfigError `SLURMWIRE_CONFIG_UNKNOWN_USER`, `SLURMWIRE_CONFIG_VALUE` for a number that is no uid. Rejects
 * with `signal.reason` when the signal fires.
 */
export async function resolveUser(user: string, options: ResolveUserOptions = {}): Promise<number> {
  const { signal, passwdFile = '/etc/passwd' } = options;
  signal?.throwIfAborted();
  if (/^[0-9]+$/.test(user)) return checkUid(user, options);
  if (!isPlainName(user)) throw unknownUser(user, 'is not a user name', options);
  const uid = findUid(await readPasswd(passwdFile, signal), user);
  return uid ?? (await askGetent(user, options));
}

function checkUid(digits: string, options: ResolveUserOptions): number {
  const uid = Number(digits);
  if (uid <= MAX_UID) return uid;
  const { parameter = 'SlurmUser', file, line } = options;
  throw new SlurmConfigError(`${parameter}=${digits} is not a uid.`, {
    code: ConfigErrorCode.VALUE,
    file,
    line,
    hint: `Give a number up to ${MAX_UID}, or a name.`,
  });
}

/** Names as AD and sssd have them too (`DOMAIN\user`, `user@domain`), but nothing that is an option, a list or a line. */
function isPlainName(user: string): boolean {
  return user.length <= 256 && /^[\p{L}\p{N}_.][\p{L}\p{M}\p{N}_.@\\$-]*$/u.test(user);
}

async function readPasswd(path: string, signal: AbortSignal | undefined): Promise<string> {
  try {
    return await readTextFile(path, { signal });
  } catch (error) {
    // A container without /etc/passwd is no error: getent is still to be asked.
    if (error instanceof SlurmConfigError) return '';
    throw error;
  }
}

/** The third field of the first line `name:password:uid:…` of that name. */
function findUid(passwd: string, user: string): number | undefined {
  for (const line of passwd.split('\n')) {
    if (line.startsWith(`${user}:`)) return uidOfLine(line);
  }
  return undefined;
}

function uidOfLine(line: string): number | undefined {
  const field = line.split(':')[2] ?? '';
  const uid = /^[0-9]+$/.test(field) ? Number(field) : undefined;
  return uid !== undefined && uid <= MAX_UID ? uid : undefined;
}

async function askGetent(user: string, options: ResolveUserOptions): Promise<number> {
  const { signal, getent = 'getent', getentTimeoutMs = 5000 } = options;
  const timeout = AbortSignal.timeout(getentTimeoutMs);
  let output: string;
  try {
    output = await run(
      getent,
      ['passwd', user],
      signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    );
  } catch (cause) {
    signal?.throwIfAborted();
    if (timeout.aborted) {
      throw unknownUser(
        user,
        `was not found: getent did not answer within ${getentTimeoutMs} ms`,
        options,
        cause,
      );
    }
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    const trouble = missing
      ? 'is not in /etc/passwd, and there is no getent to ask'
      : 'is not known on this host';
    throw unknownUser(user, trouble, options, cause);
  }
  // The name in the answer may be spelled otherwise (sssd does not care about case), so only the uid is read.
  const uid = uidOfLine(output.split('\n')[0] ?? '');
  if (uid === undefined) throw unknownUser(user, 'is not known on this host', options);
  return uid;
}

function run(command: string, args: readonly string[], signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const limits = { signal, killSignal: 'SIGKILL', maxBuffer: 64 * 1024, windowsHide: true } as const;
    execFile(command, args, limits, (error, stdout) => (error === null ? resolve(stdout) : reject(error)));
  });
}

function unknownUser(
  user: string,
  trouble: string,
  options: ResolveUserOptions,
  cause?: unknown,
): SlurmConfigError {
  const { parameter = 'SlurmUser', file, line } = options;
  const option = parameter === 'SlurmUser' ? 'slurmUser' : 'slurmdUser';
  return new SlurmConfigError(`${parameter}: ${showValue(user)} ${trouble}.`, {
    code: ConfigErrorCode.UNKNOWN_USER,
    file,
    line,
    hint: `Pass ${option}: <uid> to connect().`,
    cause,
  });
}
