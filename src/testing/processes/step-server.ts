/** Where an `srun` inside a job asks for a step: a Unix socket, JSON by lines. */
import { randomBytes } from 'node:crypto';
import { chmod } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { isJobRunning } from '../../protocol/messages/job-state.js';
import { NO_VAL } from '../../protocol/sentinels.js';
import { UNIX_SIGNALS } from '../../protocol/unix-signal.js';
import type { Job, Step } from '../model/job.js';
import type { Life } from '../model/life.js';
import { parseSrun } from './srun-options.js';

/** An `srun`'s request is its arguments and environment. */
const MAX_LINE = 4 * 1024 * 1024;

/** What an `srun` says. */
type Asked =
  | {
      readonly argv: readonly string[];
      readonly workDirectory: string;
      readonly environment: Record<string, string>;
    }
  | { readonly signal: string };

export class StepServer {
  readonly #life: Life;
  readonly #path: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Only processes of a job know its key. */
  readonly #keys = new Map<string, Job>();

  constructor(life: Life, path: string) {
    this.#life = life;
    this.#path = path;
    this.#server = createServer((socket) => this.#serve(socket));
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#path, resolve);
    });
    await chmod(this.#path, 0o777);
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (this.#server.listening) await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  /** What the processes of a job need to ask. */
  environmentOf(job: Job): Record<string, string> {
    const key = randomBytes(16).toString('hex');
    this.#keys.set(key, job);
    return { SLURMWIRE_STEPS: this.#path, SLURMWIRE_STEP_KEY: key };
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    let text = '';
    let started: { readonly job: Job; readonly step: Step } | null = null;
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#sockets.delete(socket);
      // An srun that is gone takes its tasks along.
      if (started !== null) this.#signal(started.job, started.step, UNIX_SIGNALS.SIGKILL);
    });
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (text.length > MAX_LINE) return void socket.destroy();
      const lines = text.split('\n');
      text = lines.pop() ?? '';
      for (const line of lines) {
        const asked = parsed(line);
        if (asked === null) return void socket.destroy();
        if ('signal' in asked) {
          const unixSignal = UNIX_SIGNALS[asked.signal as keyof typeof UNIX_SIGNALS];
          // An srun that gets SIGTERM ends its tasks by force.
          if (started !== null && unixSignal !== undefined)
            this.#signal(
              started.job,
              started.step,
              unixSignal === UNIX_SIGNALS.SIGTERM ? UNIX_SIGNALS.SIGKILL : unixSignal,
            );
        } else started = this.#start(socket, asked);
      }
    });
  }

  #start(socket: Socket, asked: Extract<Asked, { argv: unknown }>): { job: Job; step: Step } | null {
    const { SLURMWIRE_STEP_KEY: key = '', ...environment } = asked.environment;
    const own = this.#keys.get(key);
    const say = (message: object) => socket.write(`${JSON.stringify(message)}\n`);
    const fail = (why: string) => {
      say({ stream: 'stderr', bytes: Buffer.from(`srun: error: ${why}\n`).toString('base64') });
      say({ exitCode: 1 });
      return null;
    };
    const options = parseSrun(asked.argv);
    if (typeof options === 'string') return fail(options);
    const job =
      own === undefined ? undefined : this.#life.components(own)[options.hetGroup ?? own.het?.offset ?? 0];
    if (job === undefined || !isJobRunning(job.state))
      return fail('Unable to create step: Job/step already completing or completed');
    const { nodes, tasks, command } = options;
    const count = Math.min(nodes ?? job.nodes.length, job.nodes.length);
    const step = this.#life.startStep(job, {
      name: options.name ?? command[0]?.split('/').at(-1),
      nodes: count,
      tasks: tasks ?? (nodes === null ? Math.max(job.spec.tasks, count) : count),
      program: {
        argv: command,
        workDirectory: asked.workDirectory,
        environment: { ...environment, SLURMWIRE_STEP_KEY: key, SLURMWIRE_STEPS: this.#path },
        output: (stream, bytes) => say({ stream, bytes: Buffer.from(bytes).toString('base64') }),
        ended: (status) => say({ exitCode: status > 0xff ? status >> 8 : status === 0 ? 0 : 128 + status }),
      },
    });
    return { job, step };
  }

  #signal(job: Job, { stepId, nodes }: Step, unixSignal: number): void {
    if (!job.steps.has(stepId)) return;
    this.#life.signalNodes(job, { stepId, stepHetComp: NO_VAL, flags: 0 }, unixSignal, nodes);
  }
}

function parsed(line: string): Asked | null {
  try {
    const asked = JSON.parse(line);
    return typeof asked === 'object' ? asked : null;
  } catch {
    return null;
  }
}
