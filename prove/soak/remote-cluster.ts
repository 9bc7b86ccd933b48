/** An embedded cluster in a process of its own, so that memory, descriptors and timers of this one are the client's alone. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Authenticator } from '../../src/protocol/authenticator.js';
import type {
  ClusterOptions,
  Fault,
  FaultMatch,
  MungedFault,
  MungedFaultScope,
  SubmitOptions,
} from '../../src/testing/index.js';

/** How much trouble there is. */
export interface TroubleOptions {
  readonly seed: number;
  /** Of all requests, those that meet a fault. */
  readonly share: number;
  /** Milliseconds from one event (a daemon dies, munged stops, a take-over) to the next, on average. */
  readonly everyMs: number;
  /** Whether munged has its part in it. */
  readonly munged: boolean;
  readonly backups: number;
  /** Left out: wrong numbers and flipped bits too, which a look would have to believe. */
  readonly isHonest?: boolean;
}

/** What the process does. */
export interface ClusterMethods {
  start(options: ClusterOptions): Promise<{ slurmConf: string; mungeSocket: string }>;
  submit(count: number, options: SubmitOptions): Promise<number[]>;
  untilRunning(jobIds: readonly number[]): Promise<void>;
  /** Those of the jobs that run. */
  running(jobIds: readonly number[]): Promise<number[]>;
  trouble(options: TroubleOptions): Promise<void>;
  /** @returns how often each kind of trouble came. */
  noTrouble(): Promise<Record<string, number>>;
  fault(match: FaultMatch, fault: Fault): Promise<void>;
  clearFaults(): Promise<void>;
  /** From now on every kill is another cluster's, each another one, where nobody listens. */
  sendOn(): Promise<void>;
  munged(
    what: 'crash' | 'start' | 'stop' | { readonly fault: MungedFault; readonly scope?: MungedFaultScope },
  ): Promise<void>;
  /** Takes the last fault of munged's back. */
  mungedWell(): Promise<void>;
  daemon(name: string, what: 'start' | 'stop' | 'kill' | 'pause' | 'resume'): Promise<void>;
  create(payload: readonly number[], restrictUid: number | null): ReturnType<Authenticator['create']>;
  verify(
    section: Parameters<Authenticator['verify']>[0],
  ): Promise<{ uid: number; gid: number; payload: readonly number[] } | null>;
  down(): Promise<void>;
}

export interface Asked {
  readonly id: number;
  readonly method: keyof ClusterMethods;
  readonly parameters: readonly unknown[];
}

export interface Told {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

export class RemoteCluster {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  #asked = 0;
  slurmConf = '';
  mungeSocket = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', ({ id, value, error }: Told) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(value as never);
      else waiting?.reject(new Error(error));
    });
    child.on('exit', (code, signal) => {
      for (const { reject } of this.#waiting.values())
        reject(new Error(`the cluster's process ended: ${signal ?? code}`));
      this.#waiting.clear();
    });
  }

  static async start(options: ClusterOptions): Promise<RemoteCluster> {
    const program = fileURLToPath(new URL('cluster-process.js', import.meta.url));
    const cluster = new RemoteCluster(fork(program, { execArgv: [], serialization: 'advanced' }));
    try {
      const { slurmConf, mungeSocket } = await cluster.ask('start', options);
      cluster.slurmConf = slurmConf;
      cluster.mungeSocket = mungeSocket;
      return cluster;
    } catch (error) {
      await cluster.end();
      throw error;
    }
  }

  ask<M extends keyof ClusterMethods>(
    method: M,
    ...parameters: Parameters<ClusterMethods[M]>
  ): ReturnType<ClusterMethods[M]> {
    const id = ++this.#asked;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      const asked: Asked = { id, method, parameters };
      this.#child.send(asked, (error) => error && this.#waiting.delete(id) && reject(error));
    }) as ReturnType<ClusterMethods[M]>;
  }

  /** An authenticator without munge: each credential is asked of the cluster's process. */
  authenticator(): Authenticator {
    return {
      name: 'auth/munge',
      create: (payload, restrictUid) => this.ask('create', [...payload], restrictUid),
      verify: async (section) => {
        const verified = await this.ask('verify', section);
        return verified && { ...verified, payload: Uint8Array.from(verified.payload) };
      },
    };
  }

  /** Takes the cluster down and waits for the end of its process. */
  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    await this.ask('down').catch(() => {});
    this.#child.disconnect();
    await exited;
  }
}
