/** A cluster with jobs to kill, and those who kill them. */
import { type ChildProcess, execFile, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type LabCluster, up } from '../../lab/cluster.js';
import { ensureExtraPackages } from '../../lab/extra-packages.js';
import { compilePeer } from '../../lab/libslurm-peer.js';
import { waitUntil } from '../../lab/wait.js';
import { connect } from '../../src/index.js';
import { encodeBody } from '../../src/protocol/body.js';
import { encodeFrame } from '../../src/protocol/frame.js';
import { messageTypeNumber } from '../../src/protocol/message-type.js';
import type { MessageName } from '../../src/protocol/messages/index.js';
import { RELEASE_NAMES, type Release } from '../../src/protocol/release.js';
import { NO_STEP_ID } from '../../src/protocol/step-id.js';
import { mayTake } from '../../src/rpc/version-choice.js';
import type { Killed, KillRun } from './kill-run.js';

/** Everybody kills as this user, whose jobs they are. */
const USER = 'alice';

/** Who kills, given what. */
export type Killer = (run: KillRun) => Promise<Killed>;

/**
 * What is killed: allocations that stay pending, each of which is killed once, by SIGKILL. That is scancel's everyday work, slurmctld does
 * all of it (credential, record, state) and asks no node, so its own work is as little as it can be.
 */
export class KillStage implements AsyncDisposable {
  readonly cluster: LabCluster;
  readonly release: Release;
  readonly #ending: (() => Promise<void> | void)[] = [];
  readonly #program: string;

  private constructor(cluster: LabCluster, program: string) {
    this.cluster = cluster;
    this.release = cluster.release as Release;
    this.#program = program;
  }

  static async open(release: string, log: (line: string) => void): Promise<KillStage> {
    const directory = mkdtempSync(join(tmpdir(), 'slurmwire-bench-'));
    chmodSync(directory, 0o755);
    const cluster = await up({
      release,
      directory: join(directory, 'cluster'),
      nodes: 1,
      // Jobs that are over are forgotten soon, so that the last turn has no longer tables than the first.
      parameters: { MinJobAge: '2', MaxJobCount: '100000' },
      log,
    });
    const stage = new KillStage(cluster, join(cluster.workDirectory, 'libslurm-kills'));
    stage.#ending.push(() => rmSync(directory, { recursive: true, force: true }));
    stage.#ending.push(() => cluster.down());
    try {
      await compilePeer(release, textOf('libslurm-kills.c'), stage.#program);
      return stage;
    } catch (error) {
      await stage[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Ids of so many jobs that pend. */
  async submit(count: number): Promise<number[]> {
    const stdout = await this.#run([this.#program, 'submit', String(count)]);
    return stdout.trim().split('\n').map(Number);
  }

  /** libslurm's `slurm_kill_job()`, so many threads. */
  libslurm(conf = this.cluster.slurmConf): Killer {
    return async ({ ids, warmUp, atATime, pauseMs, signal }) => {
      const argv = [this.#program, 'kill', atATime, warmUp, pauseMs * 1e3, signal].map(String);
      return JSON.parse(await this.#run(argv, `${ids.join('\n')}\n`, conf));
    };
  }

  /** The command, a process a kill. */
  scancel(): Killer {
    return async ({ ids, atATime, signal }) => {
      const argv = ['xargs', '-n', '1', '-P', String(atATime), 'scancel', '-s', String(signal)];
      const beganAt = performance.now();
      await this.#run(argv, `${ids.join('\n')}\n`);
      const seconds = (performance.now() - beganAt) / 1e3;
      return { kills: ids.length, failed: 0, seconds, userSeconds: 0, systemSeconds: 0, latencies: [] };
    };
  }

  /** slurmwire, in a process that stays. */
  async slurmwire(conf = this.cluster.slurmConf, execArgv: readonly string[] = []): Promise<Killer> {
    const { uid, gid } = this.cluster.users[USER];
    const program = fileURLToPath(new URL('client.js', import.meta.url));
    return this.#process(fork(program, [conf, String(uid), String(gid)], { execArgv: [...execArgv] }));
  }

  /** slurmrestd on a Unix socket, which knows its clients by their uid, and a client of it in a process of its own. */
  async slurmrestd(log: (line: string) => void): Promise<Killer> {
    await ensureExtraPackages(this.release, ['slurmrestd'], log);
    const { uid, gid } = this.cluster.users[USER];
    const socket = join(this.cluster.workDirectory, 'slurmrestd.socket');
    const [plugins, api] =
      this.release === '22.05'
        ? ['-s openapi/v0.0.38', '/slurm/v0.0.38']
        : ['-s openapi/slurmctld -d data_parser/v0.0.45', '/slurm/v0.0.45'];
    // It takes a socket on its standard input for a client.
    const command = `exec slurmrestd -a rest_auth/local ${plugins} unix:${socket} < /dev/null`;
    const ended = this.#run(['sh', '-c', command]).then((said) => {
      throw new Error(`slurmrestd ended: ${said}`);
    });
    ended.catch(() => {}); // it ends with the cluster
    const isThere = () => existsSync(socket);
    await Promise.race([ended, waitUntil('slurmrestd to listen', isThere, { timeoutMs: 20_000 })]);
    const program = fileURLToPath(new URL('rest-client.js', import.meta.url));
    return this.#process(fork(program, [socket, api, String(uid), String(gid)]));
  }

  /** A program that kills what it is told over Node's own channel. */
  async #process(child: ChildProcess): Promise<Killer> {
    this.#ending.push(() => endOf(child));
    await answerOf(child);
    return async (run) => {
      const answer = answerOf<Killed>(child);
      child.send(run);
      return answer;
    };
  }

  /** The least that can answer, in place of slurmctld. */
  async responder(): Promise<Responder> {
    const program = join(this.cluster.workDirectory, 'responder');
    await run('gcc', ['-O2', '-Wall', '-Wextra', '-Werror', '-o', program, textOf('responder.c')]);
    const kill = this.#answer('REQUEST_KILL_JOB', 'RESPONSE_SLURM_RC', this.release, { returnCode: 0 });
    const files = [kill, ...(await this.#firstContacts())];
    const child = spawn(program, files, { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    this.#ending.push(() => endOf(child));
    const nextLine = async () => (await lines.next()).value as string;
    const port = await nextLine();
    const conf = join(this.cluster.workDirectory, 'responder.conf');
    const text = readFileSync(this.cluster.slurmConf, 'utf8');
    writeFileSync(conf, text.replace(/^SlurmctldPort=.*$/m, `SlurmctldPort=${port}`), { mode: 0o644 });
    const question = join(this.cluster.workDirectory, 'kill.frame');
    writeFileSync(question, killFrame(this.release));
    const floor = (which: 'net' | 'credential') => {
      const program = fileURLToPath(new URL('floor-client.js', import.meta.url));
      return this.#process(fork(program, [which, port, question, this.cluster.mungeSocket]));
    };
    return {
      conf,
      floor,
      answered: async () => {
        child.stdin.write('\n');
        return (await nextLine()).split(' ').map(Number);
      },
    };
  }

  /** What the real controller says of itself, in every version that a client may ask in. */
  async #firstContacts(): Promise<string[]> {
    const files: string[] = [];
    for (const protocol of RELEASE_NAMES) {
      if (!mayTake({ release: this.release, isNewest: true }, protocol)) continue;
      const client = await connect({ conf: this.cluster.slurmConf, protocol });
      const { name, record } = await client.request('REQUEST_BUILD_INFO', { lastUpdate: 0n });
      files.push(this.#answer('REQUEST_BUILD_INFO', name, protocol, record));
    }
    return files;
  }

  /** The file of one answer, as an argument for the responder. */
  #answer(question: MessageName, answer: MessageName, release: Release, record: unknown): string {
    const body = encodeBody(answer, release, record as never);
    const frame = encodeFrame({ release, messageName: answer, auth: null, body });
    const file = join(this.cluster.workDirectory, `${question}-${release}.frame`);
    writeFileSync(file, frame);
    return `${messageTypeNumber(question, release)}=${file}`;
  }

  async #run(argv: readonly string[], input = '', conf?: string): Promise<string> {
    const { code, stdout, stderr } = await this.cluster.exec(argv, {
      user: USER,
      input,
      timeoutMs: 7_200_000,
      env: conf === undefined ? {} : { SLURM_CONF: conf },
    });
    if (code !== 0) throw new Error(`${argv.join(' ')} ended with ${code}: ${stderr.trim()}`);
    return stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.#ending.splice(0).reverse()) await end();
  }
}

export interface Responder {
  /** The slurm.conf that leads to it. */
  readonly conf: string;
  /** What a kill cannot do without in Node, alone: `floor-client.ts`. */
  readonly floor: (which: 'net' | 'credential') => Promise<Killer>;
  /** Kills and first contacts answered since it was asked last. */
  readonly answered: () => Promise<number[]>;
}

/** A kill as it goes out, its credential aside: that has the length of a real one and is none. */
function killFrame(release: Release): Uint8Array {
  const record = { stepId: NO_STEP_ID, sjobId: '1', sibling: null, signal: 9, flags: 0 };
  const body = encodeBody('REQUEST_KILL_JOB', release, record);
  const auth = { plugin: 'auth/munge', credential: 'x'.repeat(250) } as const;
  return encodeFrame({ release, messageName: 'REQUEST_KILL_JOB', auth, body });
}

async function endOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  // One of Node's ends by itself then: a client leaves nothing behind that would keep it.
  if (child.connected) child.disconnect();
  else child.kill();
  await ended;
}

function answerOf<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const ended = () => reject(new Error(`${child.spawnargs.join(' ')} ended`));
    child.once('exit', ended);
    child.once('message', (message) => {
      child.off('exit', ended);
      resolve(message as T);
    });
  });
}

/** A program's text, which is not copied to `build/`. */
function textOf(name: string): string {
  return fileURLToPath(new URL(`../../../bench/peers/${name}`, import.meta.url));
}

const run = promisify(execFile);
