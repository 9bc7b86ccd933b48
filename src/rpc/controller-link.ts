/** The way from a message to the controller in charge: protocol choice, first contact, order of the controllers. */
import type { ConfNode } from '../config/index.js';
import type { CallContext } from '../protocol/authenticator.js';
import { encodeBody } from '../protocol/body.js';
import { errorMeaning, signedReturnCode } from '../protocol/error-meaning.js';
import type { MessageInput, MessageName } from '../protocol/messages/index.js';
import { untilAborted } from '../protocol/on-abort.js';
import type { Release } from '../protocol/release.js';
import { isSlurmError, restate } from '../protocol/slurm-error.js';
import { type Endpoint, showEndpoint } from '../protocol/transport.js';
import { callFailure } from './call-failure.js';
import { Deadline } from './deadline.js';
import { type ExchangeSetup, exchange, type Request } from './exchange.js';
import { refuseUnsafe } from './guard.js';
import { ownIdentity } from './kill-jobs-identity.js';
import type { NodeAddress } from './node-addresses.js';
import type { Reply } from './reply.js';

/** What a client knows about its cluster. */
export interface LinkSetup extends ExchangeSetup {
  /** At least one; the primary first. */
  readonly controllers: readonly Endpoint[];
  /** Protocol to speak. */
  readonly release: Release;
  /** Uid that slurmctld runs as, to which credentials are restricted; `null` where it is not known: anybody may decode. */
  readonly slurmUser: number | null;
  /** Uid that slurmds run as, to which credentials for them are restricted; `null` where it is not known. */
  readonly slurmdUser: number | null;
  /** Nodes of slurm.conf; undefined where it is not known. */
  readonly nodes: readonly ConfNode[] | undefined;
  /** The caller's own resolver of node addresses. */
  readonly nodeAddress: NodeAddress | undefined;
  /** TreeWidth of slurm.conf. */
  readonly treeWidth: number | undefined;
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
  readonly #contacts: Map<string, FirstContact>;
  #exchanges = 0;

  constructor(setup: LinkSetup, contacts = new Map<string, FirstContact>()) {
    this.setup = setup;
    this.#contacts = contacts;
  }

  /** A link that shares what has been learned about the controllers and counts anew. */
  counted(): ControllerLink {
    return new ControllerLink(this.setup, this.#contacts);
  }

  /** Exchanges begun through this link, first contacts and those that failed included. */
  get exchanges(): number {
    return this.#exchanges;
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
    const passedOver: string[] = [];
    for (const [index, endpoint] of controllers.entries()) {
      const last = index === controllers.length - 1;
      try {
        const reply = await this.#callOne({ ...request, endpoint }, context);
        if (last || !isStandby(reply)) return passedOver.length === 0 ? reply : { ...reply, passedOver };
        passedOver.push(`${reply.peer} is on standby`);
      } catch (error) {
        if (!isSlurmError(error) || last || context.signal.aborted || !isUnreached(error)) {
          throw withPassedOver(error, passedOver);
        }
        passedOver.push(error.summary);
      }
    }
    throw new TypeError('a link without controllers');
  }

  /** A PING to one controller, which need not be in charge. */
  ping(endpoint: Endpoint, context: CallContext): Promise<Reply> {
    return this.#callOne(this.#pingTo(endpoint), context);
  }

  #pingTo(endpoint: Endpoint): Request {
    return { ...this.#request({ name: 'REQUEST_PING', record: {}, repeatable: true }), endpoint };
  }

  /** Packs and checks: after this, nothing is left that could refuse the message but the network and the peer. */
  #request<N extends MessageName>(call: ControllerCall<N>): Omit<Request, 'endpoint'> {
    const { release, slurmUser } = this.setup;
    const { name, flags = 0, repeatable, restrictUid = slurmUser } = call;
    const body = encodeBody(name, release, call.record);
    refuseUnsafe(name, release, body, flags, ownIdentity(slurmUser));
    return { release, name, body, flags, repeatable, restrictUid };
  }

  async #callOne(request: Request, context: CallContext): Promise<Reply> {
    if (request.name !== 'REQUEST_PING') await this.#firstContact(request, context);
    try {
      return await this.#exchange(request, context);
    } catch (error) {
      // What was learned may no longer hold (a restart, an upgrade, a new key): the next call looks again.
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
    if (context.signal.aborted)
      throw callFailure(context.signal.reason, { phase: 'authenticate', sent: false }, place);
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
      const ended = callFailure(context.signal.reason, { phase: 'wait', sent: false }, place);
      throw restate(
        ended,
        `${request.name} was not sent: ${ended.summary} It was for the PING of a first contact.`,
        {},
      );
    } finally {
      contact.waiting -= 1;
    }
  }

  /** One PING for all calls that wait for it, with a deadline of its own: none of them may end it for the others. */
  #ask(key: string, endpoint: Endpoint): FirstContact {
    const giveUp = new AbortController();
    const deadline = new Deadline(this.setup.messageTimeoutMs, giveUp.signal);
    const answer = this.#exchange(this.#pingTo(endpoint), deadline).finally(() => deadline.dispose());
    const contact = { answer, waiting: 0, giveUp };
    this.#contacts.set(key, contact);
    answer.catch(() => this.#forget(key, contact));
    return contact;
  }

  #exchange(request: Request, context: CallContext): Promise<Reply> {
    this.#exchanges += 1;
    return exchange(this.setup, request, context);
  }

  #forget(key: string, contact: FirstContact): void {
    if (this.#contacts.get(key) === contact) this.#contacts.delete(key);
  }
}

/** The trouble of a first contact, told as that of the request that was therefore not sent. */
function notSent(thrown: unknown, { name }: Request): unknown {
  if (!isSlurmError(thrown)) return thrown;
  return restate(thrown, `${name} was not sent, since the first contact failed: ${thrown.summary}`, {
    rpc: name,
    outcome: 'not-sent',
    cause: thrown,
  });
}

/** The trouble with the last controller, and why those before it were passed over. */
function withPassedOver(error: unknown, passedOver: readonly string[]): unknown {
  if (!isSlurmError(error) || passedOver.length === 0) return error;
  return restate(error, `${error.summary} ${showPassedOver(passedOver)}`, {});
}

/** A sentence about the controllers tried before the one that an error is about. */
export function showPassedOver(passedOver: readonly string[]): string {
  return passedOver.length === 0 ? '' : `Passed over before: ${passedOver.join('; ')}.`;
}

function isUnreached(error: unknown): boolean {
  return isSlurmError(error) && error.outcome === 'not-sent' && error.phase === 'connect';
}

function isStandby(reply: Reply): boolean {
  if (reply.name !== 'RESPONSE_SLURM_RC') return false;
  const { code } = errorMeaning(signedReturnCode(reply.record.returnCode), reply.protocol);
  return code === 'ESLURM_IN_STANDBY_MODE' || code === 'ESLURM_IN_STANDBY_USE_BACKUP';
}
