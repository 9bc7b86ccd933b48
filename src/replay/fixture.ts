/**
 * The fixture file: one conversation in MessagePack, without its secrets. The format is version 1:
 *
 * ```
 * { format: 'slurmwire-conversation', version: 1,
 *   provenance: { slurm, daemon, client, recordedAt, note },
 *   connections: [
 *     { endpoint: 'slurmctld',
 *       events: [ { direction: '>', at: 0, kind: 'data', bytes }, … { direction: '<', at: 3, kind: 'end' } ],
 *       credentials: [ { direction, frame, uid, gid, payload } ] } ] }
 * ```
 *
 * Keys stand in this order, and optional ones are left out where they have no value, so the same fixture gives the same bytes.
 * Which protocol was spoken is in the header of each frame.
 */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { decode, encode } from '@msgpack/msgpack';
import { SlurmProtocolError, showValue } from '../protocol/slurm-error.js';
import { badFixture } from './bad-fixture.js';
import {
  type ConversationEvent,
  type Direction,
  type EventKind,
  type RecordedCredential,
  type RedactedConnection,
  streamOf,
} from './conversation.js';
import { checkShape } from './msgpack-shape.js';
import { findLiveSecrets, type LiveSecret } from './secrets.js';

/** Where a recording comes from. No field may hold a secret; host names are better left out. */
export interface Provenance {
  /** Release and package version of the daemon: `22.05.8 (Debian 22.05.8-4+deb12u3)`. */
  readonly slurm: string;
  /** Which daemon was spoken to. */
  readonly daemon: 'slurmctld' | 'slurmd';
  /** Who spoke: a command line (`scancel --signal=TERM 7`) or `slurmwire 0.1.0`. */
  readonly client: string;
  /** ISO 8601 date and time of the recording, in UTC. */
  readonly recordedAt: string;
  /** For people: what this shows. May be empty. */
  readonly note: string;
}

/** One recorded conversation. */
export interface Fixture {
  readonly format: typeof FIXTURE_FORMAT;
  readonly version: typeof FIXTURE_VERSION;
  readonly provenance: Provenance;
  /** In the order in which they were opened. */
  readonly connections: readonly RedactedConnection[];
}

/** What a fixture file says it is. */
export const FIXTURE_FORMAT = 'slurmwire-conversation';
/** Version of the fixture format. */
export const FIXTURE_VERSION = 1;
/** Largest fixture file, in bytes. */
export const MAX_FIXTURE_BYTES = 64 * 1024 * 1024;

/**
 * The bytes of a fixture file; the same for the same fixture.
 *
 * @throws SlurmProtocolError `SLURMWIRE_LIVE_SECRET` when something in it looks like a live credential,
 * `SLURMWIRE_BAD_FIXTURE` when it is no fixture of this version or above {@link MAX_FIXTURE_BYTES}.
 */
export function encodeFixture(fixture: Fixture): Uint8Array {
  const checked = asFixture(fixture);
  refuseLiveSecrets(checked);
  const bytes = encode(checked, { ignoreUndefined: true });
  refuseTooLarge(bytes.length);
  return bytes;
}

/**
 * Reads the bytes of a fixture file.
 *
 * @throws SlurmProtocolError `SLURMWIRE_BAD_FIXTURE` (with the path of the field) for anything else than a fixture of this version;
 * `SLURMWIRE_LIVE_SECRET` when it holds what looks like a live credential.
 */
export function decodeFixture(bytes: Uint8Array): Fixture {
  refuseTooLarge(bytes.length);
  checkShape(bytes);
  let value: unknown;
  try {
    value = decode(bytes);
  } catch (cause) {
    throw badFixture('', `the MessagePack cannot be read: ${(cause as Error).message}`, cause);
  }
  const fixture = asFixture(value);
  refuseLiveSecrets(fixture);
  return fixture;
}

/**
 * Reads a fixture file.
 *
 * @throws the system's error (`ENOENT` …) as it is; SlurmProtocolError as {@link decodeFixture}.
 */
export async function readFixture(path: string): Promise<Fixture> {
  // O_NONBLOCK: a FIFO must not block the opening; it is refused just below.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw badFixture('', `${path} is not a regular file`);
    refuseTooLarge(stat.size);
    return decodeFixture(await file.readFile());
  } finally {
    await file.close();
  }
}

/**
 * Writes a fixture file: the old one or the whole new one is there, never a part.
 *
 * @throws the system's error as it is; SlurmProtocolError as {@link encodeFixture}. Then nothing was written.
 */
export async function writeFixture(path: string, fixture: Fixture): Promise<void> {
  const bytes = encodeFixture(fixture);
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
  try {
    // Scripts, environments and names of users are in it: for others only once somebody has looked it over.
    await writeFile(temporary, bytes, { flag: 'wx', mode: 0o600, flush: true } as object);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** A secret that looks live, and where it is: `connections/0/>` for the joined bytes of a direction. */
export interface FixtureSecret extends LiveSecret {
  readonly fieldPath: string;
}

/** What in a fixture looks like a live credential, also where it is split over chunks. */
export function liveSecretsIn({
  provenance,
  connections,
}: Omit<Fixture, 'format' | 'version'>): FixtureSecret[] {
  const found: FixtureSecret[] = [];
  const scan = (fieldPath: string, bytes: Uint8Array) => {
    for (const secret of findLiveSecrets(bytes)) found.push({ ...secret, fieldPath });
  };
  for (const [key, text] of Object.entries(provenance)) scan(`provenance/${key}`, Buffer.from(String(text)));
  for (const [index, connection] of connections.entries()) {
    scan(`connections/${index}/>`, streamOf(connection, '>'));
    scan(`connections/${index}/<`, streamOf(connection, '<'));
    for (const [n, { payload }] of connection.credentials.entries()) {
      if (payload !== null) scan(`connections/${index}/credentials/${n}/payload`, payload);
    }
  }
  return found;
}

/**
 * The provenance, when it can be written.
 *
 * @throws SlurmProtocolError `SLURMWIRE_BAD_FIXTURE` or `SLURMWIRE_LIVE_SECRET`: better before a recording than after it.
 */
export function checkProvenance(provenance: Provenance): Provenance {
  const checked = asProvenance(provenance, 'provenance');
  refuseLiveSecrets({ provenance: checked, connections: [] });
  return checked;
}

function refuseLiveSecrets(fixture: Omit<Fixture, 'format' | 'version'>): void {
  const [first, ...more] = liveSecretsIn(fixture);
  if (first === undefined) return;
  const others = more.length === 0 ? '' : `, and ${more.length} more`;
  throw new SlurmProtocolError(`what looks like a live credential (${first.kind}) is in it${others}`, {
    code: 'SLURMWIRE_LIVE_SECRET',
    errno: 'EPERM',
    outcome: 'not-sent',
    fieldPath: first.fieldPath,
    offset: first.offset,
  });
}

function refuseTooLarge(length: number): void {
  if (length > MAX_FIXTURE_BYTES) throw badFixture('', `${length} bytes, the limit is ${MAX_FIXTURE_BYTES}`);
}

function asFixture(value: unknown): Fixture {
  const { format, version, provenance, connections } = asRecord(value, '', [
    'format',
    'version',
    'provenance',
    'connections',
  ]);
  if (format !== FIXTURE_FORMAT) throw badFixture('format', `${showValue(format)} is not ${FIXTURE_FORMAT}`);
  if (version !== FIXTURE_VERSION)
    throw badFixture('version', `version ${showValue(version)}, this library reads 1`);
  return {
    format: FIXTURE_FORMAT,
    version: FIXTURE_VERSION,
    provenance: asProvenance(provenance, 'provenance'),
    connections: asList(connections, 'connections').map((item, i) => asConnection(item, `connections/${i}`)),
  };
}

const ISO_DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?Z$/;

function asProvenance(value: unknown, path: string): Provenance {
  const keys = ['slurm', 'daemon', 'client', 'recordedAt', 'note'];
  const { slurm, daemon, client, recordedAt, note } = asRecord(value, path, keys);
  if (daemon !== 'slurmctld' && daemon !== 'slurmd')
    throw badFixture(`${path}/daemon`, 'neither slurmctld nor slurmd');
  const date = asText(recordedAt, `${path}/recordedAt`);
  if (!ISO_DATE.test(date) || Number.isNaN(Date.parse(date))) {
    throw badFixture(`${path}/recordedAt`, `${showValue(date)} is not an ISO 8601 date in UTC`);
  }
  return {
    slurm: asText(slurm, `${path}/slurm`),
    daemon,
    client: asText(client, `${path}/client`),
    recordedAt: date,
    note: asText(note, `${path}/note`),
  };
}

/** A role, so that no host name or port of the recording machine slips in. */
const LABEL = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;

/** @throws SlurmProtocolError `SLURMWIRE_BAD_FIXTURE` when the text is no role such as `slurmctld` or `slurmd-2`. */
export function asLabel(value: unknown, path: string): string {
  const label = asText(value, path);
  if (label.length > 32 || !LABEL.test(label)) {
    throw badFixture(path, `${showValue(label)} is not a role such as slurmctld or slurmd-2`);
  }
  return label;
}

function asConnection(value: unknown, path: string): RedactedConnection {
  const { endpoint, events, credentials } = asRecord(value, path, ['endpoint', 'events', 'credentials']);
  const checked = asList(events, `${path}/events`).map((item, i) => asEvent(item, `${path}/events/${i}`));
  const refusedAt = checked.findIndex(({ kind }) => kind === 'refused');
  if (refusedAt >= 0 && checked.length > 1) {
    throw badFixture(`${path}/events/${refusedAt}`, 'a refused connection has no other events');
  }
  const over = { '>': false, '<': false };
  for (const [i, { direction, kind }] of checked.entries()) {
    if (kind === 'data' && over[direction])
      throw badFixture(`${path}/events/${i}`, 'data behind the end of its direction');
    if (kind !== 'data') over[direction] = true;
  }
  return {
    endpoint: asLabel(endpoint, `${path}/endpoint`),
    events: checked,
    credentials: asList(credentials, `${path}/credentials`).map((item, i) =>
      asCredential(item, `${path}/credentials/${i}`),
    ),
  } as unknown as RedactedConnection;
}

const KINDS: ReadonlySet<unknown> = new Set(['data', 'end', 'reset', 'refused']);

function asEvent(value: unknown, path: string): ConversationEvent {
  const record = asRecord(value, path, ['direction', 'at', 'kind'], ['bytes', 'code']);
  const direction = asDirection(record.direction, `${path}/direction`);
  const at = asCount(record.at, `${path}/at`, Number.MAX_SAFE_INTEGER);
  if (!KINDS.has(record.kind))
    throw badFixture(`${path}/kind`, `${showValue(record.kind)} is no kind of event`);
  const kind = record.kind as EventKind;
  if (kind === 'refused' && direction !== '<') throw badFixture(`${path}/direction`, 'only a daemon refuses');
  const { bytes, code } = record;
  if (kind === 'data') {
    if (code !== undefined) throw badFixture(`${path}/code`, 'only reset and refused have one');
    const data = asBytes(bytes, `${path}/bytes`);
    if (data.length === 0) throw badFixture(`${path}/bytes`, 'no bytes');
    return { direction, at, kind, bytes: data };
  }
  if (bytes !== undefined) throw badFixture(`${path}/bytes`, 'only data has bytes');
  if (code === undefined) return { direction, at, kind };
  if (kind === 'end' || typeof code !== 'string' || !/^E[A-Z0-9_]{1,30}$/.test(code)) {
    throw badFixture(`${path}/code`, `${showValue(code)} is not the error code of a reset or a refusal`);
  }
  return { direction, at, kind, code };
}

function asCredential(value: unknown, path: string): RecordedCredential {
  const record = asRecord(value, path, ['direction', 'frame', 'uid', 'gid', 'payload']);
  const { uid, gid, payload } = record;
  return {
    direction: asDirection(record.direction, `${path}/direction`),
    frame: asCount(record.frame, `${path}/frame`, Number.MAX_SAFE_INTEGER),
    uid: uid === null ? null : asCount(uid, `${path}/uid`, 0xffffffff),
    gid: gid === null ? null : asCount(gid, `${path}/gid`, 0xffffffff),
    payload: payload === null ? null : asBytes(payload, `${path}/payload`),
  };
}

function asDirection(value: unknown, path: string): Direction {
  if (value === '>' || value === '<') return value;
  throw badFixture(path, `${showValue(value)} is neither > nor <`);
}

function asCount(value: unknown, path: string, largest: number): number {
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= largest)
    return value as number;
  throw badFixture(path, `${showValue(value)} is not a whole number from 0 to ${largest}`);
}

function asText(value: unknown, path: string): string {
  if (typeof value === 'string' && value.length <= 4096) return value;
  throw badFixture(path, 'not a text of at most 4096 characters');
}

/** A copy: what was decoded shares the memory of the whole file. */
function asBytes(value: unknown, path: string): Uint8Array {
  if (value instanceof Uint8Array) return Uint8Array.from(value);
  throw badFixture(path, `${showValue(value)} is not a byte block`);
}

function asList(value: unknown, path: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw badFixture(path, `${showValue(value)} is not a list`);
}

function asRecord(
  value: unknown,
  path: string,
  required: readonly string[],
  optional: readonly string[] = [],
): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array) {
    throw badFixture(path, `${showValue(value)} is not a record`);
  }
  const within = path === '' ? '' : `${path}/`;
  for (const key of Object.keys(value)) {
    if (!required.includes(key) && !optional.includes(key)) {
      throw badFixture(path, `${showValue(key)} is not one of its fields`);
    }
  }
  for (const key of required) {
    if (!Object.hasOwn(value, key)) throw badFixture(`${within}${key}`, 'is missing');
  }
  return value as Record<string, unknown>;
}
