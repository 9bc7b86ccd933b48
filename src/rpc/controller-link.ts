/** The way from a message to the controller in charge: protocol choice, first contact, order of the controllers. */
import type { CallContext } from '../protocol/authenticator.js';
import { encodeBody } from '../protocol/body.js';
import { errorMeaning, signedReturnCode } from '../protocol/error-meaning.js';
import type { MessageInput, MessageName } from '../protocol/messages/index.js';
import { untilAborted } from '../protocol/on-abort.js';
import type { Release } from '../protocol/release.js';
import { isSlurmError, type Phase, restate, SlurmError } from '../protocol/slurm-error.js';
import { type Endpoint, showEndpoint } from '../protocol/transport.js';
import { callFailure } from './call-failure.js';
import { Deadline } from './deadline.js';
import { type ExchangeSetup, exchange, type Request } from './exchange.js';
import { refuseUnsafe } from './guard.js';
import type { Reply } from './reply.js';

/** What a client knows about its cluster. */
export interface LinkSetup extends ExchangeSetup {
  /** At least one; the primary first. */
  readonly controllers: readonly Endpoint[];
  /** Protocol to speak. */
  readonly release: Release;
  /** Uid that slurmctld runs as, to which credentials are restricted; `null` where it is not known: anybody may decode. */
  readonly slurmUser: number | null;
  /** Milliseconds one exchange may take: slurm.conf's MessageTimeout. */
  readonly messageTimeoutMs: number;
}

/** A message for the controller in charge. */
export interface ControllerCall<N extends MessageName> {
  readonly name: N;
  readonly record: MessageInput<N>;
  /** True for reads and kills that do no harm when they are repeated. */
  readonly repeatable: boolean;
  /** Header flags; default 0. */
  readonly flags?: number;
  /** Overrides whom the credential is for. */
  readonly restrictUid?: number | null;
}

/** A PING that several calls may wait for. */
interface FirstContact {
  readonly answer: Promise<Reply>;
  /** Calls that wait for it now. */
  waiting: number;
  /** Ends it early, when nobody waits any more. */
  readonly giveUp: AbortController;
}

/** Controllers of one cluster and what has been learned about them. */
export class ControllerLink {
  readonly setup: LinkSetup;
  /** Endpoints that have answered a PING with a good credential, or are being asked. */
  readonly #contacts = new Map<string, FirstContact>();

  constructor(setup: LinkSetup) {
    this.setup = setup;
  }

  /**
   * Sends the message to the first controller that can be reached and is in charge. Only a controller that cannot have acted is
   * passed over: one that could not be connected, or said that it is on standby.
   *
   * @throws SlurmError of the exchange; SlurmProtocolError when the record does not fit; SlurmUsageError
   * `SLURMWIRE_UNSAFE_MESSAGE` from the guard. An error number in the reply is no error here.
   */
  async call<N extends MessageName>(call: ControllerCall<N>, context: CallContext): Promise<Reply> {
    const { controllers } = this.setup;
    const request = this.#request(call);
    for (const [index, endpoint] of controllers.entries()) {
      const last = index === controllers.length - 1;
      try {
        const reply = await this.#callOne({ ...request, endpoint }, context);
        if (last || !isStandby(reply)) return reply;
      } catch (error) {
        if (last || context.signal.aborted || !isUnreached(error)) throw error;
      }
    }
    throw new TypeError('a link without controllers');
  }

  /** A PING to one controller, which need not be in charge. */
  ping(endpoint: Endpoint, context: CallContext): Promise<Reply> {
    const request = this.#request({ name: 'REQUEST_PING', record: {}, repeatable: true });
    return exchange(this.setup, { ...request, endpoint }, context);
  }

  /** Packs and checks: after this, nothing is left that could refuse the message but the network and the peer. */
  #request<N extends MessageName>(call: ControllerCall<N>): Omit<Request, 'endpoint'> {
    const { release, slurmUser } = this.setup;
    const { name, flags = 0, repeatable, restrictUid = slurmUser } = call;
    const body = encodeBody(name, release, call.record);
    refuseUnsafe(name, release, body, flags);
    return { release, name, body, flags, repeatable, restrictUid };
  }

  async #callOne(request: Request, context: CallContext): Promise<Reply> {
    if (request.name !== 'REQUEST_PING') await this.#firstContact(request, context);
    try {
      return await exchange(this.setup, request, context);
    } catch (error) {
      // What was learned may no longer hold (an upgrade, a new key): the next call looks again.
      if (isSlurmError(error) && error.outcome === 'unknown')
        this.#contacts.delete(showEndpoint(request.endpoint));
      throw error;
    }
  }

  /**
   * Releases up to 24.05 close without a word for a version they do not speak and for a credential they do not like. So an
   * endpoint never spoken to is asked with a harmless PING first: such trouble then shows while the request is `not-sent`.
   */
  async #firstContact(request: Request, context: CallContext): Promise<void> {
    const key = showEndpoint(request.endpoint);
    const place = { peer: key, rpc: request.name, protocol: request.release, repeatable: request.repeatable };
    const ended = (phase: Phase) => callFailure(context.signal.reason, { phase, sent: false }, place);
    if (context.signal.aborted) throw ended('authenticate');
    const contact = this.#contacts.get(key) ?? this.#ask(key, request.endpoint);
    contact.waiting += 1;
    try {
      await untilAborted(context.signal, contact.answer);
    } catch (thrown) {
      if (!context.signal.aborted) throw notSent(thrown, request);
      // The last one to leave ends it: nothing of a call outlives the call.
      if (contact.waiting === 1) {
        this.#forget(key, contact);
        contact.giveUp.abort();
      }
      throw ended('wait');
    } finally {
      contact.waiting -= 1;
    }
  }

  /** One PING for all calls that wait for it, with a deadline of its own: none of them may end it for the others. */
  #ask(key: string, endpoint: Endpoint): FirstContact {
    const giveUp = new AbortController();
    const deadline = new Deadline(this.setup.messageTimeoutMs, giveUp.signal);
    const answer = this.ping(endpoint, deadline).finally(() => deadline.dispose());
    const contact = { answer, waiting: 0, giveUp };
    this.#contacts.set(key, contact);
    answer.catch(() => this.#forget(key, contact));
    return contact;
  }

  #forget(key: string, contact: FirstContact): void {
    if (this.#contacts.get(key) === contact) this.#contacts.delete(key);
  }
}

/** The trouble of a first contact, told as that of the request that was therefore not sent. */
function notSent(thrown: unknown, { name }: Request): unknown {
  if (!(thrown instanceof SlurmError)) return thrown;
  return restate(thrown, `${name} was not sent, since the first contact failed: ${thrown.summary}`, {
    rpc: name,
    outcome: 'not-sent',
    cause: thrown,
  });
}

function isUnreached(error: unknown): boolean {
  return isSlurmError(error) && error.outcome === 'not-sent' && error.phase === 'connect';
}

function isStandby(reply: Reply): boolean {
  if (reply.name !== 'RESPONSE_SLURM_RC') return false;
  const { code } = errorMeaning(signedReturnCode(reply.record.returnCode), reply.protocol);
  return code === 'ESLURM_IN_STANDBY_MODE' || code === 'ESLURM_IN_STANDBY_USE_BACKUP';
}
