/** The way from a message to the controller in charge: first contact, version, order of the controllers, take-over. */
import { type ConfNode, resolveUser } from '../config/index.js';
import type { CallContext } from '../protocol/authenticator.js';
import { encodeBody } from '../protocol/body.js';
import { HEADER_FLAGS } from '../protocol/header.js';
import type { MessageInput, MessageName } from '../protocol/messages/index.js';
import { untilAborted } from '../protocol/on-abort.js';
import type { Release } from '../protocol/release.js';
import { isSlurmError, restate, SlurmAuthError, SlurmConfigError } from '../protocol/slurm-error.js';
import { type Endpoint, showEndpoint } from '../protocol/transport.js';
import { callFailure } from './call-failure.js';
import { callOf } from './call-trace.js';
import { type Clock, systemClock } from './clock.js';
import { askClusterFacts, type ClusterFacts, UNTOLD } from './cluster-facts.js';
import { Deadline } from './deadline.js';
import { contactChannel } from './diagnostics.js';
import { type ExchangeSetup, exchange, type Request } from './exchange.js';
import { type Contact, findVersion, greet, isStandby } from './first-contact.js';
import { refuseUnsafe } from './guard.js';
import { type Found, findInCharge, inOrder, type Visit } from './in-charge.js';
import { type Identity, identityFrom, ownIdentity } from './kill-jobs-identity.js';
import type { NodeAddress } from './node-addresses.js';
import { isBackoff, type Pace, Pacer, wasHeldBack } from './pacer.js';
import { isRead } from './reads.js';
import type { Reply } from './reply.js';
import { SharedWork } from './shared-work.js';
import { judgeClose, mayBeVersions, versionChanged } from './silent-close.js';

/** What a client knows about its cluster. */
export interface LinkSetup extends ExchangeSetup {
  /** At least one; the primary first. */
  readonly controllers: readonly Endpoint[];
  /** Protocol to speak; with `findsVersion` the one that calls are planned in until another one is found. */
  readonly release: Release;
  /** Each controller is asked which version it speaks. */
  readonly findsVersion?: boolean | undefined;
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
  /** Default: one of its own. */
  readonly pacer?: Pacer | undefined;
  /** Header flags of every message, besides its own. */
  readonly flags?: number | undefined;
  /** Milliseconds a call may wait for a standby controller to take over. Default 0. */
  readonly takeoverMs?: number | undefined;
  /** Times what was learned and the wait for a take-over; that of this host where it is left out. */
  readonly clock?: Clock | undefined;
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

interface KnownContact {
  readonly work: SharedWork<Contact>;
  /** By the link's clock. */
  readonly at: number;
  lifetimeMs: number;
}

interface Learned {
  readonly pacer: Pacer;
  /** Endpoints that have been spoken to, or are being asked. */
  readonly contacts: Map<string, KnownContact>;
  /** What each endpoint spoke when it was last asked: tried first when it is asked again. */
  readonly spoke: Map<string, Release>;
  /** Who was in charge at the last answer: asked first. */
  inCharge: string | null;
  cluster: ClusterFacts | null;
  asking: SharedWork<ClusterFacts | null> | null;
  /** The same about controllers of other clusters, which calls were rerouted to: one list for all of them, or it would be bounded by each only. */
  readonly elsewhere: Map<string, Learned>;
  /** Uids of user names on this host; `null` for those it does not know. */
  readonly users: Map<string, number | null>;
}

/**
 * How long a version that was found is gone by, in milliseconds. A daemon that was upgraded still takes the old one, so nothing else would show
 * that there is a newer one to speak. A constant of ours.
 */
const VERSION_LIFETIME_MS = 600_000;
/** How long what a controller on standby said is gone by, in milliseconds: less than the pause between two rounds (`in-charge.ts`). */
const STANDBY_LIFETIME_MS = 500;

/** What is known of another cluster, whose users, nodes and configuration need not be those of this one. */
const STRANGERS = {
  findsVersion: true,
  slurmUser: null,
  slurmUserName: undefined,
  slurmdUser: null,
  trusted: null,
  nodes: undefined,
  nodeAddress: undefined,
  treeWidth: undefined,
  cluster: null,
  takeoverMs: 0,
  flags: HEADER_FLAGS.SLURM_GLOBAL_AUTH_KEY,
} as const satisfies Partial<LinkSetup>;

const MAX_CLUSTERS = 64;

const CLOCK = systemClock();

function learnedAnew({ pacer = new Pacer(), cluster }: LinkSetup, elsewhere: Learned['elsewhere']): Learned {
  return {
    ...{ pacer, cluster, elsewhere },
    ...{ contacts: new Map(), spoke: new Map(), users: new Map() },
    ...{ inCharge: null, asking: null },
  };
}

/** Controllers of one cluster and what has been learned about them. */
export class ControllerLink {
  readonly setup: LinkSetup;
  readonly #learned: Learned;
  readonly #count: { exchanges: number; backoffs: number };
  readonly #clock: Clock;
  /** This link in the version that it was last settled in. */
  #settled: ControllerLink | undefined;

  constructor(setup: LinkSetup, learned?: Learned, count = { exchanges: 0, backoffs: 0 }) {
    this.setup = setup;
    this.#learned = learned ?? learnedAnew(setup, new Map());
    this.#count = count;
    this.#clock = setup.clock ?? CLOCK;
  }

  /** A link that shares what has been learned about the cluster and counts anew. */
  counted(): ControllerLink {
    return new ControllerLink(this.setup, this.#learned);
  }

  /** A link that shares what has been learned about the cluster, and goes another way. */
  through(setup: LinkSetup): ControllerLink {
    return new ControllerLink(setup, this.#learned);
  }

  /**
   * A link to the controller of another cluster, of which nothing else is known. What is learned there is kept for the next call.
   *
   * @param hint the version to try first.
   */
  toward(endpoint: Endpoint, hint: Release | null): ControllerLink {
    const { elsewhere } = this.#learned;
    const key = showEndpoint(endpoint);
    const setup: LinkSetup = { ...this.setup, ...STRANGERS, controllers: [endpoint] };
    const link = new ControllerLink(setup, elsewhere.get(key) ?? learnedAnew(setup, elsewhere), this.#count);
    if (!elsewhere.has(key)) {
      if (hint !== null) link.#learned.spoke.set(key, hint);
      // A federation has up to 63 clusters; more are made up by somebody.
      if (elsewhere.size >= MAX_CLUSTERS) elsewhere.clear();
      elsewhere.set(key, link.#learned);
    }
    return link;
  }

  /** Exchanges begun through this link, first contacts and those that failed included. */
  get exchanges(): number {
    return this.#count.exchanges;
  }

  /**
   * This link in the version of the controller in charge, which is asked where it is not known. What has an effect is planned and sent in
   * that version only: see {@link call}.
   *
   * @throws SlurmError of the first contact, always with outcome `not-sent`.
   */
  async settle(context: CallContext): Promise<ControllerLink> {
    if (this.setup.findsVersion !== true) return this;
    const { value } = await this.#inTurn(true, context, async (endpoint) => {
      const contact = await this.#contact(endpoint, 'REQUEST_BUILD_INFO', context);
      return { value: contact, isStandby: contact.standby !== null };
    });
    if (value.release === this.setup.release) return this;
    if (this.#settled?.setup.release !== value.release) {
      this.#settled = new ControllerLink(
        { ...this.setup, release: value.release },
        this.#learned,
        this.#count,
      );
    }
    return this.#settled;
  }

  /** Answers through this link that said: too many requests. */
  get backoffs(): number {
    return this.#count.backoffs;
  }

  /** How the client of this link stands with each controller. */
  paces(): Pace[] {
    return this.#learned.pacer.paces();
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
    const asking = learned.asking ?? this.#askCluster(context);
    try {
      const told = await asking.wait(context);
      if (told !== null) learned.cluster = told;
      else if (learned.asking === asking) learned.asking = null;
      return told ?? UNTOLD;
    } catch (thrown) {
      if (!context.signal.aborted) throw thrown;
      const [controller] = this.setup.controllers;
      const place = this.#place('REQUEST_BUILD_INFO', controller as Endpoint, true);
      throw callFailure(context.signal.reason, { phase: 'wait', sent: false }, place);
    }
  }

  /** One question for all calls that wait for it. */
  #askCluster(starter: CallContext): SharedWork<ClusterFacts | null> {
    const learned = this.#learned;
    const forget = () => {
      if (learned.asking === asking) learned.asking = null;
    };
    // First contact and the question.
    const asking = new SharedWork(
      2 * this.setup.messageTimeoutMs,
      starter,
      (own) => askClusterFacts(this, own),
      forget,
    );
    learned.asking = asking;
    return asking;
  }

  /**
   * Sends the message to the first controller that can be reached and is in charge, beginning with the one that was last.
   *
   * A controller is passed over where it cannot have acted: it could not be reached, or said that it is on standby. Of what may be repeated also
   * where that is not known; the reply then has it in `doubt`. While none is in charge and one has said that it is on standby, all are asked again
   * every second or so, for `takeoverMs` at most; where one has been in charge before, and now none can be reached, for MessageTimeout.
   *
   * @throws SlurmError of the exchange; SlurmProtocolError when the record does not fit; SlurmUsageError
   * `SLURMWIRE_UNSAFE_MESSAGE` from the guard; SlurmProtocolVersionError, `retryable`, where the controller's version has changed and nothing was
   * done: to be planned anew. An error number in the reply is no error here.
   */
  async call<N extends MessageName>(call: ControllerCall<N>, context: CallContext): Promise<Reply> {
    const packed = this.#pack(call, this.setup.release);
    await this.#guardKillJobs(packed, context);
    const { value, passedOver, doubt } = await this.#inTurn(call.repeatable, context, async (endpoint) => {
      const reply = await this.#callOne(call, { ...packed, endpoint }, context);
      return { value: reply, isStandby: isStandby(reply) };
    });
    return passedOver.length === 0 && doubt === null ? value : { ...value, passedOver, doubt };
  }

  /** A PING to one controller, which need not be in charge; in its own version where that is found. */
  async ping(endpoint: Endpoint, context: CallContext): Promise<{ reply: Reply; version: string | null }> {
    const call = { name: 'REQUEST_PING', record: {}, repeatable: true } as const;
    if (this.setup.findsVersion !== true) {
      return { reply: await this.#pingOnly(endpoint, this.setup.release, context), version: null };
    }
    const { release, version } = await this.#contact(endpoint, call.name, context);
    return { reply: await this.#pingOnly(endpoint, release, context), version };
  }

  #pingOnly(endpoint: Endpoint, release: Release, context: CallContext): Promise<Reply> {
    const request = this.#pack({ name: 'REQUEST_PING', record: {}, repeatable: true }, release);
    return this.#forgetting(endpoint, this.#exchange({ ...request, endpoint }, context));
  }

  /** Packs and checks: after this, nothing is left that could refuse the message but the network and the peer. */
  #pack<N extends MessageName>(call: ControllerCall<N>, release: Release): Omit<Request, 'endpoint'> {
    const { slurmUser } = this.setup;
    const { name, flags: given = 0, repeatable, restrictUid = slurmUser } = call;
    // What a caller gave may be no number, and is looked at as it is.
    const flags = this.setup.flags === undefined ? given : given | this.setup.flags;
    const body = encodeBody(name, release, call.record);
    // Who asks matters for KILL_JOBS alone, and for anything else a token would be read for nothing.
    if (name !== 'REQUEST_KILL_JOBS') refuseUnsafe(name, release, body, flags, NOT_ASKED);
    return { release, name, body, flags, repeatable, restrictUid };
  }

  async #guardKillJobs(
    { name, release, body, flags }: Omit<Request, 'endpoint'>,
    context: CallContext,
  ): Promise<void> {
    if (name === 'REQUEST_KILL_JOBS') refuseUnsafe(name, release, body, flags, await this.identity(context));
  }

  /** The controller in charge, beginning with the one that was last; and again while a take-over is to be expected. */
  #inTurn<T>(repeatable: boolean, context: CallContext, visit: Visit<T>): Promise<Found<T>> {
    const { controllers, takeoverMs = 0, messageTimeoutMs } = this.setup;
    const { inCharge } = this.#learned;
    return findInCharge({
      controllers: () => inOrder(controllers, this.#learned.inCharge),
      found: (endpoint) => {
        this.#learned.inCharge = showEndpoint(endpoint);
      },
      // A backup that takes over closes its port for a moment. Where none has shown itself, libslurm tries for MessageTimeout.
      patienceMs: (sawStandby) =>
        sawStandby ? takeoverMs : inCharge === null ? 0 : Math.min(takeoverMs, messageTimeoutMs),
      clock: this.#clock,
      repeatable,
      context,
      visit,
    });
  }

  async #callOne<N extends MessageName>(
    call: ControllerCall<N>,
    planned: Request,
    context: CallContext,
  ): Promise<Reply> {
    const { endpoint } = planned;
    if (call.name === 'REQUEST_PING' && this.setup.findsVersion !== true) {
      return this.#forgetting(endpoint, this.#exchange(planned, context));
    }
    for (let isAgain = false; ; isAgain = true) {
      const contact = await this.#contact(endpoint, call.name, context);
      if (contact.standby !== null && call.name !== 'REQUEST_PING') return contact.standby;
      let request = planned;
      if (contact.release !== planned.release) {
        // A read says the same in every version; what has an effect was planned for another one.
        if (!isRead(call.name)) throw versionChanged(planned, contact, 'not-sent');
        request = { ...this.#pack(call, contact.release), endpoint };
      }
      const startedAt = performance.now();
      try {
        return await this.#forgetting(endpoint, this.#exchange(request, context));
      } catch (error) {
        if (!isSlurmError(error) || context.signal.aborted || !mayBeVersions(error)) throw error;
        const again = this.#contact(endpoint, call.name, context);
        const judged = await judgeClose(error, { request, startedAt }, again, this.setup.auth.name);
        if (isAgain || !judged.isVersion || !isRead(call.name)) throw judged.error;
      }
    }
  }

  /**
   * What was learned may no longer hold after trouble (a restart, an upgrade, a new key): the next call looks again. What others have learned
   * meanwhile stays: one look is enough for many requests that were cut off together.
   */
  async #forgetting(endpoint: Endpoint, work: Promise<Reply>): Promise<Reply> {
    const { contacts } = this.#learned;
    const key = showEndpoint(endpoint);
    const before = contacts.get(key);
    const forget = () => {
      if (contacts.get(key) === before) contacts.delete(key);
    };
    try {
      const reply = await work;
      // Or the next plan would be made for this one's version again, and the one in charge may speak another.
      if (this.setup.findsVersion === true && isStandby(reply)) forget();
      return reply;
    } catch (error) {
      if (!wasHeldBack(error)) forget();
      throw error;
    }
  }

  /**
   * What is known of a controller; it is asked where nothing is.
   *
   * @param rpc what it is for.
   * @throws SlurmError, always with outcome `not-sent`.
   */
  async #contact(endpoint: Endpoint, rpc: MessageName, context: CallContext): Promise<Contact> {
    const key = showEndpoint(endpoint);
    const place = this.#place(rpc, endpoint, true);
    if (context.signal.aborted)
      throw callFailure(context.signal.reason, { phase: 'authenticate', sent: false }, place);
    const known = this.#learned.contacts.get(key);
    const isOld = known !== undefined && this.#clock.now() - known.at > known.lifetimeMs;
    const contact = known === undefined || isOld ? this.#ask(key, endpoint, context) : known.work;
    try {
      return await contact.wait(context);
    } catch (thrown) {
      if (!context.signal.aborted) throw notSent(thrown, rpc);
      const ended = callFailure(context.signal.reason, { phase: 'wait', sent: false }, place);
      throw restate(ended, `${rpc} was not sent: ${ended.summary} It was for the first contact.`, {});
    }
  }

  /** One first contact for all calls that wait for it. */
  #ask(key: string, endpoint: Endpoint, starter: CallContext): SharedWork<Contact> {
    const { contacts, spoke } = this.#learned;
    const forget = () => {
      if (contacts.get(key)?.work === contact) contacts.delete(key);
    };
    const { findsVersion, messageTimeoutMs, cluster } = this.setup;
    const contact = new SharedWork<Contact>(
      (findsVersion === true ? 2 : 1) * messageTimeoutMs,
      starter,
      async (context) => {
        const probe = (name: 'REQUEST_PING' | 'REQUEST_BUILD_INFO', release: Release) => {
          const record = name === 'REQUEST_PING' ? {} : { lastUpdate: 0n };
          const request = this.#pack({ name, record, repeatable: true }, release);
          return this.#exchange({ ...request, endpoint }, context, true);
        };
        if (findsVersion !== true) {
          const { release, auth } = this.setup;
          const met = await greet(probe, endpoint, release, auth, context);
          tellContact(endpoint, met, false, context);
          return { ...met, standby: null };
        }
        const hint = spoke.get(key) ?? [...spoke.values()].at(-1) ?? null;
        const found = await findVersion(probe, endpoint, hint, this.setup.auth, context);
        tellContact(endpoint, found, true, context);
        spoke.set(key, found.release);
        if (cluster === null && found.facts !== null) this.#learned.cluster = found.facts;
        // Who is on standby now may soon be in charge; of many calls that wait for that, one asks.
        if (found.standby !== null) known.lifetimeMs = STANDBY_LIFETIME_MS;
        return found;
      },
      forget,
    );
    const lifetimeMs = findsVersion === true ? VERSION_LIFETIME_MS : Number.POSITIVE_INFINITY;
    const known: KnownContact = { work: contact, at: this.#clock.now(), lifetimeMs };
    contacts.set(key, known);
    return contact;
  }

  #place(rpc: MessageName, endpoint: Endpoint, repeatable: boolean) {
    return { peer: showEndpoint(endpoint), rpc, protocol: this.setup.release, repeatable };
  }

  /** @param isUrgent others wait for it. */
  #exchange(request: Request, context: CallContext, isUrgent = false): Promise<Reply> {
    // What an explanation notes is not sent, so it does not wait.
    const noted = this.setup.instead?.(request) ?? null;
    if (noted !== null) return noted;
    let attempt = 0;
    let queuedSince = performance.now();
    const send = async () => {
      this.#count.exchanges += 1;
      attempt += 1;
      const queuedMs = performance.now() - queuedSince;
      const reply = await this.#inTime(request, context, (own) =>
        exchange(this.setup, request, own, attempt, queuedMs),
      );
      if (isBackoff(reply)) this.#count.backoffs += 1;
      queuedSince = performance.now();
      return reply;
    };
    return this.#learned.pacer.run(request, context, send, isUrgent);
  }

  /**
   * Another controller may be in charge: where the request may be repeated, one that is silent is given no more than twice MessageTimeout. Where it
   * may not, five times, which is what a call may take where there is one controller; the rest of its time is for take-overs. Waiting in line is not silence, and not in it. A PING has a limit of its own.
   */
  async #inTime(
    request: Request,
    context: CallContext,
    send: (own: CallContext) => Promise<Reply>,
  ): Promise<Reply> {
    const { controllers, messageTimeoutMs } = this.setup;
    const limitMs = (request.repeatable ? 2 : 5) * messageTimeoutMs;
    const isAlone = controllers.length === 1 || request.name === 'REQUEST_PING';
    // A limit that the call's own time is within would only take its place.
    if (isAlone || limitMs >= context.remainingMs()) return send(context);
    const own = new Deadline(limitMs, context.signal);
    try {
      return await send(own);
    } finally {
      own.dispose();
    }
  }
}

function tellContact(
  endpoint: Endpoint,
  { release, version, standby }: Contact,
  found: boolean,
  { signal }: CallContext,
): void {
  if (!contactChannel.hasSubscribers) return;
  const [call, peer] = [callOf(signal), showEndpoint(endpoint)];
  contactChannel.publish({ call, peer, protocol: release, found, version, standby: standby !== null });
}

const NOT_ASKED: Identity = { uid: null, slurmUser: null };

/** The trouble of a first contact, told as that of the request that was therefore not sent. */
function notSent(thrown: unknown, rpc: MessageName): unknown {
  if (!isSlurmError(thrown)) return thrown;
  // Before a call is planned there is nothing that could be named.
  const nothing = rpc === 'REQUEST_BUILD_INFO' ? 'Nothing was sent' : `${rpc} was not sent`;
  return restate(thrown, `${nothing}, since the first contact failed: ${thrown.summary}`, {
    rpc,
    outcome: 'not-sent',
    cause: thrown,
  });
}
