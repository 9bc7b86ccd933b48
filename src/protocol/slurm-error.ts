/**
 * The one family of errors of this library: a message to a person and a decision for a program.
 *
 * Programs match on `code` (stable, never reused) and on `outcome`; `instanceof` fails when two copies of the
 * library meet in one process, so {@link isSlurmError} looks at a brand.
 */

import type { NodeResult } from './node-result.js';

/**
 * What is known about the request when the call ended.
 *
 * - `not-sent`: no byte of it can have been acted on.
 * - `refused`: the peer said that it did not do it.
 * - `accepted`: the peer said that it took it.
 * - `unknown`: it may or may not have been carried out; look before you repeat it.
 * - `partial`: of several parts some were accepted; the parts are listed.
 */
export type Outcome = 'not-sent' | 'refused' | 'accepted' | 'unknown' | 'partial';

/** Where in the way of one call it went wrong. */
export type Phase = 'config' | 'connect' | 'authenticate' | 'send' | 'wait' | 'decode';

/** How one part of an array fared. */
export interface JobPart {
  /** The task, tasks or step, as the verbs take them: `1234_7`, `1234_[1-5,9]`, `1234.0`. */
  readonly target: string;
  /** 0, or Slurm's error number. */
  readonly number: number;
  /** Name of the number; `SLURM_SUCCESS` for 0. */
  readonly code: string;
  /** The server's text, or what the number means. */
  readonly message: string;
  /** Where the number alone does not tell what is known of this part. */
  readonly outcome?: Exclude<Outcome, 'partial'> | undefined;
}

/** What every {@link SlurmError} may carry beside its message. */
export interface SlurmErrorDetails {
  /** Stable name programs match on: Slurm's or MUNGE's own where there is one, else one of `ErrorCode`. */
  readonly code: string;
  /** POSIX name of the nearest errno: `ESRCH`, `EPERM`, `EINVAL`, `ETIMEDOUT` … */
  readonly errno: string;
  /** What is known about the request. */
  readonly outcome: Outcome;
  /** True when the same call may succeed later with nothing changed, and repeating it can do no harm. */
  readonly retryable?: boolean | undefined;
  /** Slurm's or MUNGE's error number, whole (never cut to 8 bits). */
  readonly number?: number | undefined;
  /** `host:port` or path of the peer. */
  readonly peer?: string | undefined;
  /** Upstream's name of the message, for example `REQUEST_KILL_JOB`. */
  readonly rpc?: string | undefined;
  /** Release whose protocol was spoken, for example `22.05`. */
  readonly protocol?: string | undefined;
  /** Where in the call it went wrong. */
  readonly phase?: Phase | undefined;
  /** What to do about it, as a sentence. Part of `message` too. */
  readonly hint?: string | undefined;
  /** What each node of a fan-out said. */
  readonly nodes?: readonly NodeResult[] | undefined;
  /** Text the server sent with the number (RESPONSE_SLURM_RC_MSG); `null` where it sent none. */
  readonly serverMessage?: string | null | undefined;
  /** Where the server answered for each part of an array: all parts, those that were accepted too. Then `code` is the first refusal's. */
  readonly parts?: readonly JobPart[] | undefined;
  /** The error behind this one. */
  readonly cause?: unknown;
}

const BRAND = Symbol.for('slurmwire.SlurmError');

/** Base of all errors this library throws or rejects with. */
export class SlurmError extends Error {
  override readonly name: string = 'SlurmError';
  /** Stable name that programs match on: docs/errors.md has all. */
  readonly code: string;
  /** POSIX name of the nearest errno. */
  readonly errno: string;
  /** What is known about the request. */
  readonly outcome: Outcome;
  /** True when the same call may succeed later with nothing changed, and repeating it can do no harm. */
  readonly retryable: boolean;
  /** Slurm's or MUNGE's error number, where there is one. */
  readonly number: number | undefined;
  /** `host:port` or path of the peer, where there was one. */
  readonly peer: string | undefined;
  /** Upstream's name of the message it is about. */
  readonly rpc: string | undefined;
  /** Release whose protocol was spoken. */
  readonly protocol: string | undefined;
  /** Where in the call it went wrong. */
  readonly phase: Phase | undefined;
  /** What to do about it, as a sentence; part of `message` too. */
  readonly hint: string | undefined;
  /** What each node of a fan-out said. */
  readonly nodes: readonly NodeResult[] | undefined;
  /** Text the server sent with the number; `null` where it sent none. */
  readonly serverMessage: string | null | undefined;
  /** Where the server answered for each part of an array: all parts. */
  readonly parts: readonly JobPart[] | undefined;
  /** @internal The message without the prefix and the hint that the constructors add: what {@link restate} starts from. */
  readonly summary: string;

  constructor(summary: string, details: SlurmErrorDetails, prefix = '') {
    const hint = details.hint === undefined ? '' : ` ${details.hint}`;
    const message = maskCredentials(`${prefix}${summary}${hint}`);
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.summary = maskCredentials(summary);
    this.code = details.code;
    this.errno = details.errno;
    this.outcome = details.outcome;
    this.retryable = details.retryable ?? false;
    this.number = details.number;
    this.peer = details.peer;
    this.rpc = details.rpc;
    this.protocol = details.protocol;
    this.phase = details.phase;
    this.hint = details.hint === undefined ? undefined : maskCredentials(details.hint);
    this.nodes = details.nodes;
    this.serverMessage = maskedOrNone(details.serverMessage);
    this.parts = details.parts?.map(maskedPart);
    Object.defineProperty(this, BRAND, { value: true });
    Object.defineProperty(this, 'summary', { enumerable: false });
  }

  /** Everything a log wants and nothing secret: no credential, no token, no payload. */
  toJSON(): Record<string, unknown> {
    const own: Record<string, unknown> = { name: this.name, message: this.message };
    for (const [key, value] of Object.entries(this)) {
      if (value !== undefined && key !== 'name') own[key] = value;
    }
    return own;
  }
}

/** True for an error of any copy of this library in the process. */
export function isSlurmError(value: unknown): value is SlurmError {
  return typeof value === 'object' && value !== null && BRAND in value;
}

/** An error of the same class with other words or another place in a call; what is not named stays as it was. */
export function restate<E extends SlurmError>(
  error: E,
  summary: string,
  changes: Partial<SlurmErrorDetails>,
): E {
  const Same = error.constructor as new (summary: string, details: SlurmErrorDetails) => E;
  const restated = new Same(summary, { ...error, cause: error.cause, ...changes });
  // A value is turned into text once only.
  return error instanceof SlurmUsageError ? Object.assign(restated, { value: error.value }) : restated;
}

/** The caller's fault: a bad argument. Nothing was sent; fixing the calling code fixes it. */
export class SlurmUsageError extends SlurmError {
  override readonly name = 'SlurmUsageError';
  /** The argument or option that is wrong, for example `unixSignal`. */
  readonly field: string;
  /** What was given, as text. */
  readonly value: string;

  constructor(summary: string, details: UsageDetails) {
    super(summary, { errno: 'EINVAL', ...details, outcome: 'not-sent', retryable: false });
    this.field = details.field;
    this.value = showValue(details.value);
  }
}

/** What a {@link SlurmUsageError} is made from. */
export interface UsageDetails {
  readonly code: string;
  readonly errno?: string;
  readonly field: string;
  readonly value: unknown;
  readonly hint?: string | undefined;
  readonly rpc?: string | undefined;
  readonly protocol?: string | undefined;
  readonly cause?: unknown;
}

/** The configuration's fault: a missing or bad slurm.conf or environment. Nothing was sent. */
export class SlurmConfigError extends SlurmError {
  override readonly name = 'SlurmConfigError';
  /** Path of the file, where there is one. */
  readonly file: string | undefined;
  /** 1-based line in `file`. */
  readonly line: number | undefined;

  constructor(summary: string, details: ConfigDetails) {
    const { file, line } = details;
    const where = file === undefined ? '' : line === undefined ? `${file}: ` : `${file}:${line}: `;
    super(summary, { errno: 'EINVAL', ...details, phase: 'config', outcome: 'not-sent' }, where);
    this.file = file;
    this.line = line;
  }
}

/** What a {@link SlurmConfigError} is made from. */
export interface ConfigDetails {
  readonly code: string;
  readonly errno?: string;
  readonly file?: string | undefined;
  readonly line?: number | undefined;
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

/** Credentials: none to be had, refused, expired, rewound, replayed, or a reply whose credential is not good. */
export class SlurmAuthError extends SlurmError {
  override readonly name = 'SlurmAuthError';
  /** Finer than `code` where one MUNGE error has several causes: `no-socket`, `no-permission`, `not-running`, `busy`, `no-library` … */
  readonly reason: string | undefined;
  /** Seconds the decoding host's clock is ahead of the encoding host's (negative: behind), where it was measured. */
  readonly clockSkewSeconds: number | undefined;

  constructor(
    summary: string,
    details: SlurmErrorDetails & {
      readonly reason?: string | undefined;
      readonly clockSkewSeconds?: number | undefined;
    },
  ) {
    super(summary, details);
    this.reason = details.reason;
    this.clockSkewSeconds = details.clockSkewSeconds;
  }
}

/** The network's fault: refused, reset, closed, unreachable. The system's error is in `cause`. */
export class SlurmConnectionError extends SlurmError {
  override readonly name = 'SlurmConnectionError';
  /** What may be behind a connection that was closed without a word, likeliest first. */
  readonly suspects: readonly string[];

  constructor(summary: string, details: SlurmErrorDetails & { readonly suspects?: readonly string[] }) {
    super(summary, details);
    this.suspects = details.suspects ?? [];
  }
}

/** The deadline of the call passed, or its `AbortSignal` fired. */
export class SlurmTimeoutError extends SlurmError {
  override readonly name = 'SlurmTimeoutError';
}

/** Two releases do not meet: nobody's fault. */
export class SlurmProtocolVersionError extends SlurmError {
  override readonly name = 'SlurmProtocolVersionError';
  /** Releases this library speaks. */
  readonly spoken: readonly string[];
  /** Releases tried with this peer, in order. */
  readonly tried: readonly string[];
  /** What the peer answered, in words. */
  readonly answer: string;
  /** Which kind of answer that was: a refusal in a version of its own, HTTP, a close without a word, or something else. */
  readonly answerKind: 'own-version' | 'http' | 'closed' | 'other';
  /** Release whose protocol the peer answered in, where it is one of ours. */
  readonly peerProtocol: string | undefined;

  constructor(summary: string, details: VersionDetails) {
    super(summary, details);
    this.spoken = details.spoken;
    this.tried = details.tried;
    this.answer = maskCredentials(details.answer);
    this.answerKind = details.answerKind;
    this.peerProtocol = details.peerProtocol;
  }
}

export interface VersionDetails extends SlurmErrorDetails {
  readonly spoken: readonly string[];
  readonly tried: readonly string[];
  readonly answer: string;
  readonly answerKind: SlurmProtocolVersionError['answerKind'];
  readonly peerProtocol?: string | undefined;
}

/** Bytes that break the rules, either way: what came in cannot be decoded, or what was given cannot be encoded. */
export class SlurmProtocolError extends SlurmError {
  override readonly name = 'SlurmProtocolError';
  /** Path of the field, outermost first, for example `step_id/job_id`. Empty when no field is concerned. */
  readonly fieldPath: string;
  /** Byte offset within the body (or frame, for the envelope) where it went wrong. */
  readonly offset: number | undefined;

  constructor(
    summary: string,
    details: SlurmErrorDetails & { readonly fieldPath?: string; readonly offset?: number | undefined },
  ) {
    const path = details.fieldPath ?? '';
    const at = details.offset === undefined ? '' : ` at byte ${details.offset}`;
    super(summary, details, path === '' ? (at === '' ? '' : `${at.trimStart()}: `) : `field ${path}${at}: `);
    this.fieldPath = path;
    this.offset = details.offset;
  }
}

/** The server said no: `number` and `code` are Slurm's own. */
export class SlurmServerError extends SlurmError {
  override readonly name = 'SlurmServerError';
  declare readonly serverMessage: string | null;

  constructor(summary: string, details: SlurmErrorDetails) {
    super(summary, { ...details, serverMessage: details.serverMessage ?? null });
  }
}

/** A value for an error text: short, one line, never huge, and with nothing in it that looks like a credential. */
export function showValue(value: unknown): string {
  if (typeof value === 'string') {
    // More than is shown, so that what begins in it is known for what it is; and no more than that is searched.
    const text = withoutSecrets(value.slice(0, 512));
    return text.length > 80 || value.length > 512
      ? `${JSON.stringify(text.slice(0, 77))}…`
      : JSON.stringify(text);
  }
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'object' && value !== null)
    return Array.isArray(value) ? `an array of ${value.length}` : 'an object';
  return String(value);
}

/**
 * What callers put into the wrong place: a token or a private key instead of what would hold it, a URL with a password. Errors end in
 * logs, which more people read.
 */
function withoutSecrets(text: string): string {
  return maskCredentials(text)
    .replace(/-----BEGIN [A-Z ]*PRIVATE KEY.*/s, '-----BEGIN PRIVATE KEY…')
    .replaceAll(/[^\s/:]*:[^\s/]*@/g, '…@');
}

/** What a peer says is shown, and a peer may say what it was sent. */
function maskCredentials(text: string): string {
  return text.replaceAll(/eyJ[\w.-]{8,}/g, 'eyJ…').replaceAll(/MUNGE:[^\s"]*/g, 'MUNGE:…');
}

function maskedOrNone(text: string | null | undefined): string | null | undefined {
  return typeof text === 'string' ? maskCredentials(text) : text;
}

/** The same part where there is nothing to mask. */
function maskedPart(part: JobPart): JobPart {
  const message = maskCredentials(part.message);
  return message === part.message ? part : { ...part, message };
}
