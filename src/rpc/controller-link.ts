/** The way from a message to the controller in charge: protocol choice, first contact, order of the controllers. */
import { type ConfNode, resolveUser } from '../config/index.js';
import type { CallContext } from '../protocol/authenticator.js';
import { encodeBody } from '../protocol/body.js';
import { errorMeaning, signedReturnCode } from '../protocol/error-meaning.js';
import type { MessageInput, MessageName } from '../protocol/messages/index.js';
import { untilAborted } from '../protocol/on-abort.js';
import type { Release } from '../protocol/release.js';
import { isSlurmError, restate, SlurmAuthError, SlurmConfigError } from '../protocol/slurm-error.js';
import { type Endpoint, showEndpoint } from '../protocol/transport.js';
import { callFailure } from './call-failure.js';
import { askClusterFacts, type ClusterFacts, UNTOLD } from './cluster-facts.js';
import { type ExchangeSetup, exchange, type Request } from './exchange.js';
import { refuseUnsafe } from './guard.js';
import { type Identity, identityFrom, ownIdentity } from './kill-jobs-identity.js';
import type { NodeAddress } from './node-addresses.js';
import type { Reply } from './reply.js';
import { SharedWork } from './shared-work.js';

/** What a client knows about its cluster. */
export interface LinkSetup extends ExchangeSetup {
  /** At least one; the primary first. */
  readonly controllers: readonly Endpoint[];
  /** Protocol to speak. */
  readonly release: Release;
  /** Uid that slurmctld runs as, to which credentials are restricted; `null` where it is not known: anybody may decode. */
  readonly slurmUser: number | null;
  /** Its name in slurm.conf; left out where it is not known. */
  readonly slurmUserName?: string | undefined;
  /** Uid that slurmds run as, to which credentials for them are restricted; `null` where it is not known. */
  readonly slurmdUser: number | null;
  /** Nodes of slurm.conf; undefined where it is not known. */
  readonly nodes: readonly ConfNode[] | undefined;
  /** The caller's own resolver of node addresses. */
  readonly nodeAddress: NodeAddress | undefined;
  /** TreeWidth of slurm.conf. */
  readonly treeWidth: number | undefined;
  /** `null` where it is not known: the controller is asked. */
  readonly cluster: ClusterFacts | null;
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

interface Learned {
  /** Endpoints that have answered a PING with a good credential, or are being asked. */
  readonly contacts: Map<string, SharedWork<Reply>>;
  cluster: ClusterFacts | null;
  asking: SharedWork<ClusterFacts | null> | null;
  /** Uids of user names on this host; `null` for those it does not know. */
  readonly users: Map<string, number | null>;
}

/** Controllers of one cluster and what has been learned about them. */
export class ControllerLink {
  readonly setup: LinkSetup;
  readonly #learned: Learned;
  #exchanges = 0;

  constructor(setup: LinkSetup, learned?: Learned) {
    this.setup = setup;
    this.#learned = learned ?? {
      contacts: new Map(),
      cluster: setup.cluster,
      asking: null,
      users: new Map(),
    };
  }

  /** A link that shares what has been learned about the cluster and counts anew. */
  counted(): ControllerLink {
    return new ControllerLink(this.setup, this.#learned);
  }

  /** A link that shares what has been learned about the cluster, and goes another way. */
  through(setup: LinkSetup): ControllerLink {
    return new ControllerLink(setup, this.#learned);
  }

  /** Exchanges begun through this link, first contacts and those that failed included. */
  get exchanges(): number {
    return this.#exchanges;
  }

  /**
   * Who asks, as the controller will see it.
   *
   * @throws SlurmAuthError of the authenticator, where its credential cannot be had.
   */
  async identity(context: CallContext): Promise<Identity> {
    const { auth, slurmUser: uid, slurmUserName: name } = this.setup;
    if (auth.identity === undefined) return ownIdentity(uid);
    try {
      const told = await untilAborted(context.signal, auth.identity(context));
      return await identityFrom(told, { uid, name }, (user) => this.#lookUpUser(user, context));
    } catch (cause) {
      if (isSlurmError(cause)) throw cause;
      throw new SlurmAuthError(`${auth.name} could not say who asks.`, {
        code: 'SLURMWIRE_INTERNAL',
        errno: 'EIO',
        outcome: 'not-sent',
        phase: 'authenticate',
        cause,
      });
    }
  }

  async #lookUpUser(user: string, { signal }: CallContext): Promise<number | null> {
    const { users } = this.#learned;
    const known = users.get(user);
    if (known !== undefined) return known;
    const uid = await resolveUser(user, { signal }).catch((error: unknown) => {
      if (signal.aborted || !(error instanceof SlurmConfigError)) throw error;
      return null; // a user of the cluster need not be one of this host
    });
    users.set(user, uid);
    return uid;
  }

  /**
   * Asked of the controller once, where the configuration did not tell; again where the controller did not tell either.
   *
   * @throws SlurmError of the exchange, always with outcome `not-sent`.
   */
  async clusterFacts(context: CallContext): Promise<ClusterFacts> {
    const learned = this.#learned;
    if (learned.cluster !== null) return learned.cluster;
    const asking = learned.asking ?? this.#askCluster();
    try {
      const told = await asking.wait(context);
      if (told !== null) learned.cluster = told;
      else if (learned.asking === asking) learned.asking = null;
      return told ?? UNTOLD;
    } catch (thrown) {
      if (!context.signal.aborted) throw thrown;
      const [controller] = this.setup.controllers;
      const place = {
        peer: showEndpoint(controller as Endpoint),
        rpc: 'REQUEST_BUILD_INFO',
        protocol: this.setup.release,
        repeatable: true,
      };
      throw callFailure(context.signal.reason, { phase: 'wait', sent: false }, place);
    }
  }

  /** One question for all calls that wait for it. */
  #askCluster(): SharedWork<ClusterFacts | null> {
    const learned = this.#learned;
    const forget = () => {
      if (learned.asking === asking) learned.asking = null;
    };
    // First contact and the question.
    const asking = new SharedWork(
      2 * this.setup.messageTimeoutMs,
      (own) => askClusterFacts(this, own),
      forget,
    );
    learned.asking = asking;
    return asking;
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
    const request = this.#pack(call);
    await this.#guard(request, context);
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
    return { ...this.#pack({ name: 'REQUEST_PING', record: {}, repeatable: true }), endpoint };
  }

  /** At once, before the caller's object can change. */
  #pack<N extends MessageName>(call: ControllerCall<N>): Omit<Request, 'endpoint'> {
    const { release, slurmUser } = this.setup;
    const { name, flags = 0, repeatable, restrictUid = slurmUser } = call;
    const body = encodeBody(name, release, call.record);
    return { release, name, body, flags, repeatable, restrictUid };
  }

  /** After this, nothing is left that could refuse the message but the network and the peer. */
  async #guard(
    { name, release, body, flags }: Omit<Request, 'endpoint'>,
    context: CallContext,
  ): Promise<void> {
    // Looked at for KILL_JOBS alone: for anything else a token would be read for nothing.
    const identity = name === 'REQUEST_KILL_JOBS' ? await this.identity(context) : NOT_ASKED;
    refuseUnsafe(name, release, body, flags, identity);
  }

  async #callOne(request: Request, context: CallContext): Promise<Reply> {
    if (request.name !== 'REQUEST_PING') await this.#firstContact(request, context);
    try {
      return await this.#exchange(request, context);
    } catch (error) {
      // What was learned may no longer hold (a restart, an upgrade, a new key): the next call looks again.
      this.#learned.contacts.delete(showEndpoint(request.endpoint));
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
    const contact = this.#learned.contacts.get(key) ?? this.#ask(key, request.endpoint);
    try {
      await contact.wait(context);
    } catch (thrown) {
      if (!context.signal.aborted) throw notSent(thrown, request);
      const ended = callFailure(context.signal.reason, { phase: 'wait', sent: false }, place);
      throw restate(
        ended,
        `${request.name} was not sent: ${ended.summary} It was for the PING of a first contact.`,
        {},
      );
    }
  }

  /** One PING for all calls that wait for it. */
  #ask(key: string, endpoint: Endpoint): SharedWork<Reply> {
    const { contacts } = this.#learned;
    const forget = () => {
      if (contacts.get(key) === contact) contacts.delete(key);
    };
    const ping = (context: CallContext) => this.#exchange(this.#pingTo(endpoint), context);
    const contact = new SharedWork(this.setup.messageTimeoutMs, ping, forget);
    this.#learned.contacts.set(key, contact);
    return contact;
  }

  #exchange(request: Request, context: CallContext): Promise<Reply> {
    this.#exchanges += 1;
    return exchange(this.setup, request, context);
  }
}

const NOT_ASKED: Identity = { uid: null, slurmUser: null };

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
