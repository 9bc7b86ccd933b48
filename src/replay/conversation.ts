/** What a recording is made of, as types: connections, their events, and what is known about the credentials in them. */

/** `>` from the client to the daemon, `<` from the daemon to the client. */
export type Direction = '>' | '<';

/**
 * What happened on a connection.
 *
 * - `data`: bytes, as one chunk arrived or was written.
 * - `end`: that side closed (its FIN). From the client it also stands for `Connection.close()`.
 * - `reset`: that side tore the connection down (RST), or it broke.
 * - `refused`: no connection came about. The only event of its connection, and always `<`.
 */
export type EventKind = 'data' | 'end' | 'reset' | 'refused';

/** One thing that happened on a connection. */
export interface ConversationEvent {
  readonly direction: Direction;
  /** Whole milliseconds since the recording began. */
  readonly at: number;
  readonly kind: EventKind;
  /** Only for `data`, and then never empty. */
  readonly bytes?: Uint8Array;
  /** Only for `reset` and `refused`: the system's error code where it is not `ECONNRESET` or `ECONNREFUSED`. */
  readonly code?: string;
}

/** What is known about a credential without its secret. `null` for what is not known. */
export interface CredentialFacts {
  readonly uid: number | null;
  readonly gid: number | null;
  /** What is bound into it: see `protocol/payload-digest.ts`. */
  readonly payload: Uint8Array | null;
}

/** Facts for which the text of a redacted credential had no room. */
export interface RecordedCredential extends CredentialFacts {
  readonly direction: Direction;
  /** Which frame of that direction carries it, from 0. */
  readonly frame: number;
}

/** A connection as it was seen, with whatever secrets went over it. It stays in memory: a fixture cannot hold it. */
export interface RawConnection {
  /** The peer's role, for example `slurmctld`: never a host name or a port. */
  readonly endpoint: string;
  readonly events: readonly ConversationEvent[];
}

declare const redacted: unique symbol;

/** A connection without its secrets. Only `redactConnection` and `decodeFixture` make one. */
export interface RedactedConnection extends RawConnection {
  /** Facts that did not fit into the redacted texts. Usually empty. */
  readonly credentials: readonly RecordedCredential[];
  /** For the type checker only. */
  readonly [redacted]: true;
}

/** All bytes of one direction, joined. */
export function streamOf({ events }: RawConnection, direction: Direction): Uint8Array {
  const chunks: Uint8Array[] = [];
  for (const event of events) {
    if (event.direction === direction && event.bytes !== undefined) chunks.push(event.bytes);
  }
  return joined(chunks);
}

/** The chunks as one block of its own memory. */
export function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}
