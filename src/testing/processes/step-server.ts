/** Where an `srun` inside a job asks for a step: a Unix socket, JSON by lines. */
import { randomBytes } from 'node:crypto';
import { chmod } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { expandHostlist } from '../../config/index.js';
import { isJobRunning } from '../../protocol/messages/job-state.js';
import { UNIX_SIGNALS } from '../../protocol/unix-signal.js';
import type { Job, Step } from '../model/job.js';
import type { Life } from '../model/life.js';
import { type ClusterEnvironment, jobEnvironment } from './environment.js';
import { parseSrun, type SrunOptions } from './srun-options.js';

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

/** A step, in one component of its job. */
interface Started {
  readonly job: Job;
  readonly step: Step;
}

export class StepServer {
  readonly #life: Life;
  readonly #path: string;
  readonly #environment: ClusterEnvironment;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Only processes of a job know its key. */
  readonly #keys = new Map<string, Job>();

  constructor(life: Life, path: string, environment: ClusterEnvironment) {
    this.#life = life;
    this.#environment = environment;
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

  /** Of all processes of a job: what Slurm sets, and what it takes to ask for a step. */
  jobEnvironment(job: Job): Record<string, string> {
    const key = randomBytes(16).toString('hex');
    this.#keys.set(key, job);
    return {
      ...jobEnvironment(job, this.#environment),
      SLURMWIRE_STEPS: this.#path,
      SLURMWIRE_STEP_KEY: key,
    };
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    let text = '';
    let started: readonly Started[] = [];
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#sockets.delete(socket);
      // An srun that is gone takes its tasks along.
      this.#signal(started, UNIX_SIGNALS.SIGKILL);
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
          if (unixSignal !== undefined)
            this.#signal(started, unixSignal === UNIX_SIGNALS.SIGTERM ? UNIX_SIGNALS.SIGKILL : unixSignal);
        } else started = this.#start(socket, asked);
      }
    });
  }

  #start(socket: Socket, asked: Extract<Asked, { argv: unknown }>): Started[] {
    const { SLURMWIRE_STEP_KEY: key = '', ...environment } = asked.environment;
    const own = this.#keys.get(key);
    const say = (message: object) => socket.write(`${JSON.stringify(message)}\n`);
    const fail = (why: string) => {
      say({ stream: 'stderr', bytes: Buffer.from(`srun: error: ${why}\n`).toString('base64') });
      say({ exitCode: 1 });
      return [];
    };
    const options = parseSrun(asked.argv);
    if (typeof options === 'string') return fail(options);
    const parts = own === undefined ? [] : this.#partsOf(own, options);
    if (parts.length === 0 || !parts.every(({ job }) => isJobRunning(job.state)))
      return fail('Unable to create step: Job/step already completing or completed');
    if (parts.some(({ job, nodes }) => !nodes.every((node) => job.nodes.includes(node))))
      return fail('Unable to create step: Requested node configuration is not available');
    const { command, name = command[0]?.split('/').at(-1) } = { ...options, name: options.name ?? undefined };
    const program = {
      argv: command,
      workDirectory: asked.workDirectory,
      environment: { ...environment, SLURMWIRE_STEP_KEY: key, SLURMWIRE_STEPS: this.#path },
      output: (stream: 'stdout' | 'stderr', bytes: Uint8Array) =>
        say({ stream, bytes: Buffer.from(bytes).toString('base64') }),
    };
    let left = parts.length;
    let worst = 0;
    const ended = (status: number) => {
      worst = Math.max(worst, status);
      left -= 1;
      if (left === 0) say({ exitCode: worst > 0xff ? worst >> 8 : worst === 0 ? 0 : 128 + worst });
    };
    const stepId = Math.max(...parts.map(({ job }) => job.nextStepId));
    let firstTask = 0;
    return parts.map(({ job, nodes, tasks }) => {
      const options = { name, nodeList: nodes, tasks, program: { ...program, ended }, stepId, firstTask };
      firstTask += tasks;
      return { job, step: this.#life.startStep(job, options) };
    });
  }

  /** The components that a step is of, with its nodes and the number of its tasks in each. */
  #partsOf(own: Job, { hetGroups, nodes, nodeList, tasks }: SrunOptions) {
    const components = this.#life.components(own);
    const offsets = hetGroups ?? [own.het?.offset ?? 0];
    const jobs = offsets.flatMap((offset) => components[offset] ?? []);
    return jobs.map((job) => {
      const chosen =
        nodeList === null ? job.nodes.slice(0, nodes ?? job.nodes.length) : expandHostlist(nodeList);
      const least = chosen.length;
      const asked = tasks ?? (nodes === null && nodeList === null ? job.spec.tasks : least);
      return { job, nodes: chosen, tasks: Math.max(asked, least) };
    });
  }

  #signal(started: readonly Started[], unixSignal: number): void {
    for (const { job, step } of started) {
      const { stepId, stepHetComp, nodes } = step;
      if (job.steps.get(stepId) === step)
        this.#life.signalNodes(job, { stepId, stepHetComp, flags: 0 }, unixSignal, nodes);
    }
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
