/**
 * One request and its reply: credential, connection, one write, exactly one frame read by its length. Every way it can end
 * says what is known about the request.
 */
import type { AuthSection } from '../protocol/auth-section.js';
import type { Authenticator, CallContext } from '../protocol/authenticator.js';
import { packFrame } from '../protocol/frame.js';
import { FrameAssembler } from '../protocol/frame-assembler.js';
import type { HeaderInput } from '../protocol/header.js';
import { messageTypeNumber } from '../protocol/message-type.js';
import type { MessageName } from '../protocol/messages/index.js';
import { StepsUntilAborted } from '../protocol/on-abort.js';
import { payloadDigest } from '../protocol/payload-digest.js';
import { isAtLeast, RELEASE_NAMES, type Release } from '../protocol/release.js';
import { SlurmConnectionError, SlurmProtocolVersionError } from '../protocol/slurm-error.js';
import { type Connection, type Endpoint, showEndpoint, type Transport } from '../protocol/transport.js';
import { checkAuthFor, checkAuthForNodes } from './auth-fits.js';
import { suspectedCredential } from './auth-hints.js';
import { type CallPlace, callFailure, type Progress } from './call-failure.js';
import { type ExchangeTrace, exchangeTrace, traceExchange } from './exchange-trace.js';
import { pooled } from './pooled.js';
import { openReply, type Reply, type TrustedUids, unsignedRefusal } from './reply.js';
import { TLS_NEEDED } from './tls-failure.js';

/** What all exchanges of one client share. */
export interface ExchangeSetup {
  readonly transport: Transport;
  readonly auth: Authenticator;
  /** Who may sign a reply. */
  readonly trusted: TrustedUids;
  /** Largest reply accepted, in bytes. */
  readonly maxReplyBytes: number;
  /** For explanations: what is answered here is not sent. `null` for what is. */
  readonly instead?: ((request: Request) => Promise<Reply> | null) | undefined;
}

/** One request. */
export interface Request {
  readonly endpoint: Endpoint;
  readonly release: Release;
  readonly name: MessageName;
  /** The packed body; it has passed the guard. */
  readonly body: Uint8Array;
  readonly flags: number;
  /** The only uid that may decode the credential, or `null` for anybody. */
  readonly restrictUid: number | null;
  /** True for reads and kills that do no harm when they are repeated. */
  readonly repeatable: boolean;
  /** What a slurmd is to pass on, made by `forward-tree.ts`; only slurmds forward. */
  readonly forward?: HeaderInput['forward'];
  /** Name of the node whose slurmd it is for. */
  readonly node?: string;
}

/**
 * Sends a request and reads its reply.
 *
 * @param attempt how often it was sent before, and one.
 * @param queuedMs milliseconds it waited for its turn. Both are for those who observe exchanges (`diagnostics.ts`).
 * @throws SlurmError with `outcome`, `phase`, `peer`, `rpc`, `protocol`: SlurmAuthError, SlurmConnectionError, SlurmTimeoutError,
 * SlurmProtocolVersionError, SlurmProtocolError. A reply that carries an error number is no error here.
 */
export async function exchange(
  setup: ExchangeSetup,
  request: Request,
  context: CallContext,
  attempt = 1,
  queuedMs = 0,
): Promise<Reply> {
  const instead = setup.instead?.(request) ?? null;
  if (instead !== null) return instead;
  const trace = exchangeTrace(request, setup.auth.name, context, attempt, queuedMs);
  if (trace === null) return sendAndReceive(setup, request, context, null);
  return traceExchange(trace, () => sendAndReceive(setup, request, context, trace));
}

async function sendAndReceive(
  setup: ExchangeSetup,
  request: Request,
  context: CallContext,
  trace: ExchangeTrace | null,
): Promise<Reply> {
  const place: CallPlace = {
    peer: showEndpoint(request.endpoint),
    rpc: request.name,
    protocol: request.release,
    repeatable: request.repeatable,
    method: setup.auth.name,
  };
  const progress: Progress = { phase: 'authenticate', sent: false };
  trace?.enter('authenticate');
  const startedAt = performance.now();
  let connection: Connection | undefined;
  let steps: StepsUntilAborted | undefined;
  try {
    steps = new StepsUntilAborted(context.signal);
    // The credential first: no thread of slurmctld is held by an open connection while munged is slow.
    const auth = await steps.step(createCredential(setup.auth, request, context));
    let frame: Uint8Array | null = packFrame({ ...request, messageName: request.name, auth }, pooled);

    progress.phase = 'connect';
    trace?.enter('connect');
    connection = await steps.step(openConnection(setup.transport, request.endpoint, context));
    connection = trace?.counted(connection) ?? connection;
    context.signal.throwIfAborted();

    progress.phase = 'send';
    trace?.enter('send');
    progress.sent = true;
    await writeFrame(connection, frame, place, steps);
    frame = null; // not to be kept while the answer is waited for, which may be long

    progress.phase = 'wait';
    trace?.enter('wait');
    const bytes = await readFrame(connection, replyLimit(setup, request), place, steps);

    progress.phase = 'decode';
    trace?.enter('decode');
    return await openReply(bytes, { setup, request, place, context, startedAt, progress, trace });
  } catch (thrown) {
    throw callFailure(thrown, progress, place);
  } finally {
    steps?.end();
    closeQuietly(connection);
  }
}

/** Whatever closing says, it is not what became of the request. */
function closeQuietly(connection: Connection | undefined): void {
  try {
    connection?.close();
  } catch {
    // The transport is somebody else's, and there is nothing left to do with it.
  }
}

/** Enough for any answer that is one number and a text. */
const SHORT_REPLY_BYTES = 1024 * 1024;

/** Only lookups have long answers: what answers a kill with megabytes is no Slurm daemon. */
function replyLimit({ maxReplyBytes }: ExchangeSetup, { name, forward }: Request): number {
  const isShort = SHORT_ANSWERS.has(name) && forward === undefined;
  return isShort ? Math.min(SHORT_REPLY_BYTES, maxReplyBytes) : maxReplyBytes;
}

const SHORT_ANSWERS: ReadonlySet<string> = new Set([
  'REQUEST_PING',
  'REQUEST_KILL_JOB',
  'REQUEST_CANCEL_JOB_STEP',
]);

/** An authenticator is somebody else's too: whatever it throws, it rejects. */
async function createCredential(
  auth: Authenticator,
  request: Request,
  context: CallContext,
): Promise<AuthSection> {
  const { name, release, body, restrictUid, node } = request;
  const use = { rpc: name, release };
  checkAuthFor(auth, use);
  if (node !== undefined) checkAuthForNodes(auth, use);
  const type = messageTypeNumber(name, release) as number; // the body was packed for this release, so it has the message
  return auth.create(payloadDigest(release, type, body), restrictUid, context);
}

/** A transport that does not heed the signal holds up nobody; a connection that comes too late is closed. */
function openConnection(transport: Transport, endpoint: Endpoint, context: CallContext): Promise<Connection> {
  const opening = transport.connect(endpoint, context);
  opening.then(
    (connection) => context.signal.aborted && closeQuietly(connection),
    () => {}, // told through the promise returned
  );
  return opening;
}

/** A peer that closes early is seen by the write or by the read, as it happens: both are told alike. */
async function writeFrame(
  connection: Connection,
  frame: Uint8Array,
  place: CallPlace,
  steps: StepsUntilAborted,
): Promise<void> {
  try {
    await steps.step(connection.write(frame));
  } catch (error) {
    if (isReset(error)) throw closedEarly(new FrameAssembler(), connection, place, error);
    throw error;
  }
}

async function readFrame(
  connection: Connection,
  maxLength: number,
  place: CallPlace,
  steps: StepsUntilAborted,
): Promise<Uint8Array> {
  const assembler = new FrameAssembler(maxLength);
  for (;;) {
    const chunk = await readChunk(connection, assembler, place, steps);
    if (chunk === null) throw closedEarly(assembler, connection, place);
    assembler.push(chunk);
    const foreign = foreignSpeech(assembler.peek(8));
    if (foreign === 'http') throw answeredHttp(await restOfLine(connection, assembler, place, steps), place);
    if (foreign === 'tls') throw answeredTls(place);
    const frame = assembler.take();
    if (frame !== null) return frame;
  }
}

/** The next bytes; a reset counts as the peer's close. */
async function readChunk(
  connection: Connection,
  assembler: FrameAssembler,
  place: CallPlace,
  steps: StepsUntilAborted,
): Promise<Uint8Array | null> {
  try {
    return await steps.step(connection.read());
  } catch (error) {
    if (isReset(error)) throw closedEarly(assembler, connection, place, error);
    throw error;
  }
}

function isReset(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return code === 'ECONNRESET' || code === 'EPIPE' || code === 'ECONNABORTED';
}

function closedEarly(
  assembler: FrameAssembler,
  { isTls = false }: Connection,
  place: CallPlace,
  cause?: unknown,
): SlurmConnectionError {
  const { repeatable, ...where } = place;
  const errno = cause === undefined ? 'EPIPE' : 'ECONNRESET';
  const details = {
    ...where,
    errno,
    outcome: 'unknown',
    phase: 'wait',
    cause,
    retryable: repeatable,
  } as const;
  if (assembler.held === 0) {
    const suspects = silentCloseSuspects(place, isTls);
    return new SlurmConnectionError(
      `${place.rpc} to ${place.peer}: the connection was closed without an answer.`,
      {
        ...details,
        code: 'SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT',
        suspects,
        hint: `Suspects: ${suspects.join('; ')}. The log of slurmctld has the reason.`,
      },
    );
  }
  const announced = assembler.announced;
  const whole = announced === null ? 'the length word' : `${announced + 4} bytes`;
  return new SlurmConnectionError(
    `${place.rpc} to ${place.peer}: the reply was cut off after ${assembler.held} bytes of ${whole}.`,
    { ...details, code: 'SLURM_COMMUNICATIONS_RECEIVE_ERROR' },
  );
}

/** Releases up to 24.05 close without a word for all of these (observed on 20.11 and 22.05). */
function silentCloseSuspects({ protocol, method = 'auth/munge' }: CallPlace, isTls: boolean): string[] {
  // 25.05, the first that speaks TLS here, takes 24.05 as its oldest protocol.
  const tls = isTls
    ? ['it wants a certificate of the client (cert and key of the tls option)']
    : isAtLeast(protocol, '24.05')
      ? ['it takes TLS connections only (TLSType in its slurm.conf; see the tls option)']
      : [];
  return [
    `the daemon does not speak protocol ${protocol}`,
    suspectedCredential(method),
    'it could not decode the message',
    'it stopped or crashed while it worked',
    ...tls,
  ];
}

function foreignSpeech(first: Uint8Array): 'http' | 'tls' | null {
  const [a, b, c, d] = first;
  if (a === 0x48 && b === 0x54 && c === 0x54 && d === 0x50) return 'http';
  // A TLS record of type alert, any version 3.x.
  return a === 0x15 && b === 0x03 ? 'tls' : null;
}

/** What is there of the first line of an HTTP answer, at most 200 characters: the evidence. */
async function restOfLine(
  connection: Connection,
  assembler: FrameAssembler,
  place: CallPlace,
  steps: StepsUntilAborted,
): Promise<string> {
  while (assembler.held < 200 && !assembler.peek(200).includes(0x0a)) {
    const chunk = await readChunk(connection, assembler, place, steps).catch(() => null);
    if (chunk === null) break;
    assembler.push(chunk);
  }
  const text = String.fromCharCode(...assembler.peek(200));
  return (text.split(/[\r\n]/)[0] ?? '').replace(/[^\x20-\x7e]/g, '?');
}

function answeredHttp(line: string, call: CallPlace): SlurmProtocolVersionError {
  const { repeatable: _, ...place } = call;
  // 26.05 hands what is no RPC of a version it knows to its HTTP parser: the request was never looked at.
  return new SlurmProtocolVersionError(
    `${place.rpc} to ${place.peer}: the peer answered in HTTP, ${JSON.stringify(line)}.`,
    {
      ...place,
      code: 'SLURM_PROTOCOL_VERSION_ERROR',
      errno: 'EPROTO',
      outcome: unsignedRefusal(call),
      phase: 'wait',
      spoken: RELEASE_NAMES,
      tried: [place.protocol],
      answer: line,
      answerKind: 'http',
      hint: `A Slurm daemon of 26.05 or newer does this for a protocol version it does not speak, such as ${place.protocol}; else it is no Slurm daemon.`,
    },
  );
}

function answeredTls(call: CallPlace): SlurmConnectionError {
  const { repeatable: _, ...place } = call;
  return new SlurmConnectionError(`${place.rpc} to ${place.peer}: the peer answered with a TLS alert.`, {
    ...place,
    code: 'ESLURM_TLS_REQUIRED',
    errno: 'EPROTO',
    outcome: unsignedRefusal(call),
    phase: 'wait',
    hint: TLS_NEEDED,
  });
}
