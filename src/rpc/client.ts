import type { CallContext } from '../protocol/authenticator.js';
import type { JobId, StepTarget } from '../protocol/job-id.js';
import { isMessageName, type MessageInput, type MessageName } from '../protocol/messages/index.js';
import { SlurmUsageError, showValue } from '../protocol/slurm-error.js';
import type { UnixSignal } from '../protocol/unix-signal.js';
import { checkUid } from './check-uid.js';
import { ControllerLink, type LinkSetup } from './controller-link.js';
import { Deadline } from './deadline.js';
import { type Accepted, type AlreadyEnded, KILL_EXCHANGES, killJob, killJobStep } from './kill.js';
import type { CallOptions, KillCallOptions, KillJobOptions } from './kill-options.js';
import { type ControllerPing, ping } from './ping.js';
import type { Reply } from './reply.js';

/** Options of `request`. */
export interface RequestOptions extends CallOptions {
  /** Header flags. Only 0x0001 and 0x0010 may be set. Default 0. */
  readonly flags?: number | undefined;
  /** The only uid that may decode the credential, or `null` for anybody. Default: SlurmUser where it is known. */
  readonly restrictUid?: number | null | undefined;
}

/** The kills of one cluster. Made by `connect()`; holds no connection between calls, so closing it frees nothing but ends its use. */
export class SlurmClient implements AsyncDisposable {
  readonly #link: ControllerLink;
  readonly #timeoutMs: number | undefined;
  readonly #inFlight = new Set<Promise<unknown>>();
  #closed = false;

  /** @internal Use `connect()`. */
  constructor(setup: LinkSetup, timeoutMs: number | undefined) {
    this.#link = new ControllerLink(setup);
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Signals a job through the controller: `slurm_kill_job(3)`, `scancel`.
   *
   * SIGKILL ends the whole job, pending or running. Any other signal goes to the job's steps, not to the batch shell, unless
   * `batch` or `full` says so; a pending job refuses it.
   *
   * @param job `1234`, `'1234_7'`, `'1234_[1-5,9]'`, `'1234_*'`, `'1234+1'` or an object. A plain number that is an array or a
   * het leader stands for all its parts.
   * @param unixSignal name or number, Linux numbering. Default SIGKILL.
   * @param options `timeoutMs` defaults to three times MessageTimeout: first contact, the kill, a look at what a refusal means.
   * @returns when the controller has accepted: it signals the nodes afterwards.
   * @throws SlurmUsageError, SlurmAuthError, SlurmConnectionError, SlurmTimeoutError, SlurmProtocolVersionError,
   * SlurmProtocolError, SlurmServerError: each with `code` and `outcome`.
   */
  killJob(
    job: JobId,
    unixSignal: UnixSignal | undefined,
    options: KillJobOptions & { idempotent: true },
  ): Promise<Accepted | AlreadyEnded>;
  killJob(
    job: JobId,
    unixSignal?: UnixSignal,
    options?: KillJobOptions & { idempotent?: false | undefined },
  ): Promise<Accepted>;
  killJob(job: JobId, unixSignal?: UnixSignal, options?: KillJobOptions): Promise<Accepted | AlreadyEnded>;
  killJob(
    job: JobId,
    unixSignal: UnixSignal = 'SIGKILL',
    options: KillJobOptions = {},
  ): Promise<Accepted | AlreadyEnded> {
    return this.#run(options, KILL_EXCHANGES, (context) =>
      killJob(this.#link, job, unixSignal, options, context),
    );
  }

  /**
   * Signals one step of a job through the controller: `slurm_kill_job_step(3)`, `scancel 1234.0`.
   *
   * @param step `'1234.0'`, `'1234.batch'`, `'1234.extern'`, `'1234.interactive'` or an object. Steps of array tasks and of
   * het components are named by the job number of their own record.
   * @param unixSignal name or number, Linux numbering. Default SIGKILL.
   * @param options `timeoutMs` defaults to three times MessageTimeout.
   * @returns when the controller has accepted.
   * @throws as `killJob`.
   */
  killJobStep(
    step: StepTarget,
    unixSignal: UnixSignal | undefined,
    options: KillCallOptions & { idempotent: true },
  ): Promise<Accepted | AlreadyEnded>;
  killJobStep(
    step: StepTarget,
    unixSignal?: UnixSignal,
    options?: KillCallOptions & { idempotent?: false | undefined },
  ): Promise<Accepted>;
  killJobStep(
    step: StepTarget,
    unixSignal?: UnixSignal,
    options?: KillCallOptions,
  ): Promise<Accepted | AlreadyEnded>;
  killJobStep(
    step: StepTarget,
    unixSignal: UnixSignal = 'SIGKILL',
    options: KillCallOptions = {},
  ): Promise<Accepted | AlreadyEnded> {
    return this.#run(options, KILL_EXCHANGES, (context) =>
      killJobStep(this.#link, step, unixSignal, options, context),
    );
  }

  /**
   * Asks every controller whether it is there: `slurm_ping(3)`. Never rejects for a controller that is not.
   *
   * @param options `timeoutMs` defaults to MessageTimeout.
   */
  ping(options: CallOptions = {}): Promise<ControllerPing[]> {
    return this.#run(options, 1, (context) => ping(this.#link, context));
  }

  /**
   * The low-level door: sends any described request to the controller and returns its reply, whatever error number it carries.
   *
   * @param message upstream's name, for example `'REQUEST_KILL_JOB'`.
   * @param body the record, field names as upstream's in camel case.
   * @param options `timeoutMs` defaults to twice MessageTimeout: first contact and the request.
   * @throws SlurmUsageError `SLURMWIRE_UNSAFE_MESSAGE` for what could harm a cluster, SlurmProtocolError for a record that does
   * not fit the message; else as `killJob`, but for SlurmServerError.
   */
  request<N extends MessageName>(
    message: N,
    body: MessageInput<N>,
    options: RequestOptions = {},
  ): Promise<Reply> {
    return this.#run(options, 2, (context) => {
      if (!isMessageName(message)) throw unknownMessage(message);
      const { flags = 0, restrictUid } = options;
      checkUid('restrictUid', restrictUid);
      const call = { name: message, record: body, repeatable: false, flags };
      return this.#link.call(restrictUid === undefined ? call : { ...call, restrictUid }, context);
    });
  }

  /** No new calls; resolves when those in flight have settled, each by its own deadline. May be called again. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#inFlight);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #run<T>(
    options: CallOptions,
    exchanges: number,
    work: (context: CallContext) => Promise<T>,
  ): Promise<T> {
    if (this.#closed) throw closedClient();
    if (typeof options !== 'object' || options === null) throw badOptions(options);
    const plan = exchanges * this.#link.setup.messageTimeoutMs;
    const deadline = new Deadline(options.timeoutMs ?? this.#timeoutMs ?? plan, options.signal);
    const running = (async () => work(deadline))().finally(() => deadline.dispose());
    this.#inFlight.add(running);
    try {
      return await running;
    } finally {
      this.#inFlight.delete(running);
    }
  }
}

function closedClient(): SlurmUsageError {
  return new SlurmUsageError('the client is closed.', {
    code: 'SLURMWIRE_CLOSED',
    errno: 'EBADF',
    field: 'client',
    value: 'closed',
  });
}

function badOptions(value: unknown): SlurmUsageError {
  return new SlurmUsageError('options is not an object.', {
    code: 'SLURMWIRE_BAD_OPTION',
    field: 'options',
    value,
  });
}

function unknownMessage(value: unknown): SlurmUsageError {
  return new SlurmUsageError(`message ${showValue(value)} is not described here.`, {
    code: 'SLURMWIRE_UNKNOWN_MESSAGE',
    field: 'message',
    value,
  });
}
