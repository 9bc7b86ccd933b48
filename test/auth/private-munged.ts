/**
 * A munged of our own for a test: own key, own socket, own directory, stopped by its recorded child process.
 *
 * munged is the judge here, so a test that cannot have one says so loudly: under CI it fails, elsewhere it is
 * skipped with the reason printed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const MUNGED = '/usr/sbin/munged';

/**
 * Whether munged, libmunge and faketime are there. The global set-up of the tests has installed them where it can.
 *
 * @returns null when all is well, else why the tests cannot run (after printing it).
 * @throws under CI, where a test that did not run must not look like one that passed.
 */
export function missingMunge(): string | null {
  if (present()) return null;
  return loudly('munged, libmunge.so.2 or libfaketime is missing: apt-get install munge libmunge2 faketime');
}

/** The same for tests that change their user. */
export function missingRoot(): string | null {
  return process.getuid?.() === 0 ? null : loudly('only root can run a process as another user');
}

function loudly(reason: string): string {
  const { CI } = process.env;
  if (CI) throw new Error(`MUNGE tests cannot run, and CI is set: ${reason}`);
  process.stderr.write(`\n*** MUNGE tests SKIPPED: ${reason}\n\n`);
  return reason;
}

function present(): boolean {
  return existsSync(MUNGED) && findLibrary('libmunge.so.2') !== null && faketime() !== null;
}

function faketime(): string | null {
  return findLibrary('faketime/libfaketime.so.1');
}

function findLibrary(name: string): string | null {
  const multiarch = existsSync('/usr/lib')
    ? readdirSync('/usr/lib').filter((entry) => entry.endsWith('-linux-gnu'))
    : [];
  const candidates = [...multiarch.map((entry) => join('/usr/lib', entry)), '/usr/lib64', '/usr/lib'];
  return candidates.map((dir) => join(dir, name)).find((path) => existsSync(path)) ?? null;
}

export interface MungedOptions {
  /** 128 bytes; default: random. Two munged with the same key accept each other's credentials. */
  readonly key?: Buffer;
  /** How far its clock is ahead of the real one (libfaketime). Default 0. */
  readonly clockAheadSeconds?: number;
}

export interface PrivateMunged {
  readonly directory: string;
  readonly socket: string;
  readonly key: Buffer;
  /** Sends a signal to this munged only. */
  kill(signal: 'SIGSTOP' | 'SIGCONT'): void;
  /** Ends it without a chance to remove its socket, and waits until it has gone. */
  crash(): Promise<void>;
  /** Starts it again on the same socket after {@link crash}. */
  restart(): Promise<void>;
  /** Ends it and removes its directory. */
  stop(): Promise<void>;
}

/** Starts a munged and resolves when it accepts connections. */
export async function startMunged(options: MungedOptions = {}): Promise<PrivateMunged> {
  const directory = await mkdtemp(join(tmpdir(), 'slurmwire-munged-'));
  await chmod(directory, 0o755);
  const key = options.key ?? randomBytes(128);
  const at = (name: string) => join(directory, name);
  await writeFile(at('key'), key, { mode: 0o600 });
  const env = { ...process.env, ...clockEnvironment(options.clockAheadSeconds ?? 0) };

  let child: ChildProcess | null = null;

  async function start(): Promise<void> {
    const started = spawn(
      MUNGED,
      [
        ...['--foreground', '--force'],
        ...[`--key-file=${at('key')}`, `--socket=${at('socket')}`, `--pid-file=${at('pid')}`],
        ...[`--log-file=${at('log')}`, `--seed-file=${at('seed')}`],
      ],
      { env, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    child = started;
    let words = '';
    started.stderr.on('data', (chunk) => {
      words = (words + chunk).slice(-4000);
    });
    const deadline = Date.now() + 10_000;
    while (!(await accepts(at('socket')))) {
      if (started.exitCode !== null) throw new Error(`munged ended with ${started.exitCode}: ${words}`);
      if (Date.now() > deadline) throw new Error(`munged is not ready after 10 s: ${words}`);
      await delay(10);
    }
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    const ending = child;
    child = null;
    if (ending === null || ending.exitCode !== null || ending.signalCode !== null) return;
    const gone = new Promise((resolve) => ending.once('exit', resolve));
    // A stopped process takes no other signal than SIGKILL.
    ending.kill('SIGCONT');
    ending.kill(signal);
    await gone;
  }

  // Should the test runner end without stop().
  const killAtExit = () => child?.kill('SIGKILL');
  process.once('exit', killAtExit);

  await start();
  return {
    directory,
    socket: at('socket'),
    key,
    kill: (signal) => {
      child?.kill(signal);
    },
    crash: () => end('SIGKILL'),
    restart: start,
    stop: async () => {
      await end('SIGKILL');
      process.removeListener('exit', killAtExit);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function clockEnvironment(aheadSeconds: number): NodeJS.ProcessEnv {
  if (aheadSeconds === 0) return {};
  const sign = aheadSeconds < 0 ? '-' : '+';
  return { FAKETIME: `${sign}${Math.abs(aheadSeconds)}s`, LD_PRELOAD: faketime() ?? '' };
}

function accepts(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
