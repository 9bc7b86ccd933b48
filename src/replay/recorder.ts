/** Records the conversations of this library's own client: wraps its transport and its authenticator. */
import type { AuthSection } from '../protocol/auth-section.js';
import type { Authenticator } from '../protocol/authenticator.js';
import { type Connection, type Endpoint, showEndpoint, type Transport } from '../protocol/transport.js';
import type { ConversationEvent, CredentialFacts, Direction, EventKind } from './conversation.js';
import {
  asLabel,
  checkProvenance,
  FIXTURE_FORMAT,
  FIXTURE_VERSION,
  type Fixture,
  type Provenance,
} from './fixture.js';
import { type RedactOptions, redactConnection } from './redact.js';

/** Options of {@link Recorder}. */
export interface RecorderOptions {
  /** Uid in the credentials that are made. Default: the effective uid of this process, where the system has one. */
  readonly clientUid?: number | undefined;
  /** Gid in the credentials that are made. Default: the effective gid of this process, where the system has one. */
  readonly clientGid?: number | undefined;
  /**
   * The role an endpoint is recorded as. Default: the provenance's daemon, then `slurmctld-2` and so on for further endpoints in
   * the order of their first use.
   */
  readonly label?: ((endpoint: Endpoint) => string) | undefined;
  /** Milliseconds on a clock that only goes forward. Default `performance.now()`. */
  readonly now?: (() => number) | undefined;
}

/**
 * Records what goes through the transport and the authenticator it wraps.
 *
 * ```ts
 * const recorder = new Recorder({ slurm: '22.05.8', daemon: 'slurmctld', client: 'slurmwire 0.1.0', recordedAt: new Date().toISOString(), note: '' });
 * const slurm = await connect({ transport: recorder.transport(inner), auth: recorder.auth(munge()) });
 * // … calls …
 * await writeFixture('kill.msgpack', recorder.fixture());
 * ```
 */
export class Recorder {
  readonly #log: ConversationLog;
  readonly #facts = new Map<string, CredentialFacts>();
  readonly #own: { readonly uid: number | null; readonly gid: number | null };
  readonly #label: (endpoint: Endpoint) => string;

  /** @throws SlurmProtocolError `SLURMWIRE_BAD_FIXTURE` or `SLURMWIRE_LIVE_SECRET` for a provenance that cannot be written. */
  constructor(provenance: Provenance, options: RecorderOptions = {}) {
    this.#log = new ConversationLog(provenance, options.now);
    this.#own = {
      uid: options.clientUid ?? process.geteuid?.() ?? null,
      gid: options.clientGid ?? process.getegid?.() ?? null,
    };
    this.#label = options.label ?? rolesInOrder(provenance.daemon);
  }

  /**
   * Wraps a transport, so that what goes through it is recorded. Connects, reads and writes reject as the inner ones do. An attempt to connect that the caller's
   * signal ended is not recorded.
   */
  transport(inner: Transport): Transport {
    return {
      connect: async (endpoint, context) => {
        // Entered before the connect, so that the order is that of the attempts.
        const record = this.#log.open(asLabel(this.#label(endpoint), 'endpoint'));
        try {
          return recordedConnection(await inner.connect(endpoint, context), record);
        } catch (error) {
          const code = systemCode(error);
          if (context.signal.aborted || code === undefined) this.#log.forget(record);
          else record.add('<', 'refused', undefined, code);
          throw error;
        }
      },
    };
  }

  /** Wraps an authenticator: the recorder remembers who made which credential and for what, and so can write it beside the redaction. */
  auth(inner: Authenticator): Authenticator {
    const { name, reach, since } = inner;
    return {
      name,
      reach,
      since,
      ...(inner.identity === undefined ? {} : { identity: inner.identity.bind(inner) }),
      create: async (payload, restrictUid, context) => {
        const bound = Uint8Array.from(payload);
        const section = await inner.create(payload, restrictUid, context);
        this.#remember(section, { ...this.#own, payload: bound });
        return section;
      },
      verify: async (section, context) => {
        const verified = await inner.verify(section, context);
        if (verified !== null) {
          const { uid, gid, payload } = verified;
          this.#remember(section, { uid, gid, payload: Uint8Array.from(payload) });
        }
        return verified;
      },
    };
  }

  /** What was recorded so far, redacted. May be called at any time and again. */
  fixture(): Fixture {
    return this.#log.fixture(() => ({ known: (text) => this.#facts.get(text), clientUid: this.#own.uid }));
  }

  #remember(section: AuthSection, facts: CredentialFacts): void {
    const text = secretOf(section);
    if (text !== null) this.#facts.set(text, facts);
  }
}

/** The secret text of a section, or `null` where it has none. */
export function secretOf(section: AuthSection): string | null {
  if (section.plugin === 'auth/none') return null;
  return section.plugin === 'auth/munge' ? section.credential : section.token;
}

function recordedConnection(inner: Connection, record: ConnectionRecord): Connection {
  const broken = (direction: Direction, error: unknown) => {
    const code = systemCode(error);
    if (code !== undefined) record.add(direction, 'reset', undefined, code);
  };
  return {
    async write(bytes) {
      // Before the inner write: its answer may be read before its promise settles.
      record.add('>', 'data', bytes);
      try {
        await inner.write(bytes);
      } catch (error) {
        broken('<', error);
        throw error;
      }
    },
    async read() {
      try {
        const bytes = await inner.read();
        if (bytes === null) record.add('<', 'end');
        else record.add('<', 'data', bytes);
        return bytes;
      } catch (error) {
        broken('<', error);
        throw error;
      }
    },
    close() {
      record.add('>', 'end');
      record.stop();
      inner.close();
    },
  };
}

function systemCode(error: unknown): string | undefined {
  // Several addresses of one name were tried: the first failure stands for all.
  const first: unknown = error instanceof AggregateError ? (error.errors[0] ?? error) : error;
  const code = (first as NodeJS.ErrnoException | null)?.code;
  return typeof code === 'string' && /^E(?!RR_)[A-Z0-9_]{1,30}$/.test(code) ? code : undefined;
}

/** `slurmctld`, `slurmctld-2` … in the order in which endpoints are met. */
function rolesInOrder(daemon: string): (endpoint: Endpoint) => string {
  const labels = new Map<string, string>();
  return (endpoint) => {
    const key = showEndpoint(endpoint);
    const label = labels.get(key) ?? (labels.size === 0 ? daemon : `${daemon}-${labels.size + 1}`);
    labels.set(key, label);
    return label;
  };
}

/** The connections of a recording under way. What they carried stays private to it until it is redacted. */
export class ConversationLog {
  readonly #provenance: Provenance;
  readonly #now: () => number;
  readonly #startedAt: number;
  readonly #connections: ConnectionRecord[] = [];
  /** Bytes that may still be kept. */
  #room: number;
  /** Connections that were given up because they did not fit any more. */
  leftOut = 0;

  /** @param maxBytes kept of all connections together; a connection that goes beyond is left out whole. */
  constructor(
    provenance: Provenance,
    now: () => number = () => performance.now(),
    maxBytes = Number.POSITIVE_INFINITY,
  ) {
    this.#provenance = checkProvenance(provenance);
    this.#now = now;
    this.#startedAt = now();
    this.#room = maxBytes;
  }

  open(label: string): ConnectionRecord {
    const record = new ConnectionRecord(
      label,
      () => Math.max(0, Math.round(this.#now() - this.#startedAt)),
      (bytes) => this.#take(record, bytes),
    );
    this.#connections.push(record);
    return record;
  }

  #take(record: ConnectionRecord, bytes: number): boolean {
    if (bytes <= this.#room) {
      this.#room -= bytes;
      return true;
    }
    this.#room += record.drop();
    this.forget(record);
    this.leftOut++;
    return false;
  }

  forget(record: ConnectionRecord): void {
    const index = this.#connections.indexOf(record);
    if (index >= 0) this.#connections.splice(index, 1);
  }

  /** @param optionsFor a connection, by its label. */
  fixture(optionsFor: (label: string) => RedactOptions): Fixture {
    return {
      format: FIXTURE_FORMAT,
      version: FIXTURE_VERSION,
      provenance: this.#provenance,
      connections: this.#connections.map((record) => record.redacted(optionsFor(record.label))),
    };
  }
}

/** The events of one connection, as they come. */
export class ConnectionRecord {
  readonly label: string;
  readonly #clock: () => number;
  /** Whether there is room for so many bytes more. */
  readonly #mayKeep: (bytes: number) => boolean;
  #events: ConversationEvent[] = [];
  /** Directions that have ended: nothing can follow in them. */
  readonly #over = new Set<Direction>();

  constructor(label: string, clock: () => number, mayKeep: (bytes: number) => boolean) {
    this.label = label;
    this.#clock = clock;
    this.#mayKeep = mayKeep;
  }

  add(direction: Direction, kind: EventKind, bytes?: Uint8Array, code?: string): void {
    if (this.#over.has(direction) || (kind === 'data' && (bytes?.length ?? 0) === 0)) return;
    if (bytes !== undefined && !this.#mayKeep(bytes.length)) return;
    if (kind !== 'data') this.#over.add(direction);
    const usual = code === undefined || code === (kind === 'refused' ? 'ECONNREFUSED' : 'ECONNRESET');
    this.#events.push({
      direction,
      at: this.#clock(),
      kind,
      ...(bytes === undefined ? {} : { bytes: Uint8Array.from(bytes) }),
      ...(usual ? {} : { code }),
    });
  }

  /** Nothing more is recorded. */
  stop(): void {
    this.#over.add('>').add('<');
  }

  /** Forgets what was recorded, and records nothing more. Returns how many bytes that were. */
  drop(): number {
    const held = this.#events.reduce((sum, { bytes }) => sum + (bytes?.length ?? 0), 0);
    this.#events = [];
    this.stop();
    return held;
  }

  redacted(options: RedactOptions) {
    return redactConnection({ endpoint: this.label, events: this.#events }, options);
  }
}
