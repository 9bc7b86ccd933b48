import type { ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import type { LabPaths } from './directory.js';
import { LabError } from './lab-error.js';
import { spawnInside } from './namespace.js';
import { anchorOf, type LabRecord, type LabUser } from './record.js';

/** How a command runs inside a cluster. */
export interface ExecOptions {
  readonly user: LabUser;
  /** Its standard input; empty where not given. */
  readonly input?: string;
  /** After it the command is killed (not what it started) and the call fails; 60 s where not given. */
  readonly timeoutMs?: number;
  /** Added to the cluster's environment, or taken out of it (undefined); nothing of the caller's gets in otherwise. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** How a command ended. */
export interface ExecResult {
  /** Its exit code; 128 and the signal's number where a signal ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a command inside a cluster and gathers what it says. Fails only if it cannot be started or does not end in time.
 */
export async function execInside(
  paths: LabPaths,
  record: LabRecord,
  argv: readonly string[],
  options: ExecOptions,
): Promise<ExecResult> {
  const { user, env = {} } = options;
  const child = spawnInside(paths, anchorOf(record), argv, {
    account: record.users[user],
    env,
    stdio: 'pipe',
  });
  return gather(child, argv, options);
}

/** More than this of stdout or of stderr is a command that has lost its way: scancel -i asks for ever where nobody answers. */
const MAX_OUTPUT = 64 * 1024 * 1024;

/** Feeds a command that was just started with pipes, and gathers what it says until it ends. */
export async function gather(
  child: ChildProcess,
  argv: readonly string[],
  { input = '', timeoutMs = 60_000 }: Pick<ExecOptions, 'input' | 'timeoutMs'>,
): Promise<ExecResult> {
  const { stdin, stdout, stderr } = child;
  if (!stdin || !stdout || !stderr) throw new LabError(`${argv[0]} was started without its pipes`);
  const output = { stdout: '', stderr: '' };
  let timer: NodeJS.Timeout | undefined;
  const failed = new Promise<never>((_, reject) => {
    const fail = (why: string) => {
      child.kill('SIGKILL');
      // What the command started may hold the pipes open for good.
      for (const pipe of [stdin, stdout, stderr]) pipe.destroy();
      reject(new LabError(`"${argv.join(' ')}" ${why}`));
    };
    timer = setTimeout(() => fail(`did not end within ${timeoutMs} ms`), timeoutMs);
    for (const [name, stream] of Object.entries({ stdout, stderr }) as ['stdout' | 'stderr', Readable][]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        output[name] += chunk;
        if (output[name].length > MAX_OUTPUT) fail('says too much');
      });
    }
  });
  stdin.on('error', () => {}); // a command need not read its input
  stdin.end(input);
  try {
    return { code: await Promise.race([exitCode(child), failed]), ...output };
  } finally {
    clearTimeout(timer);
  }
}

/** What a child's end comes to as an exit code. */
export function exitCode(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  });
}
