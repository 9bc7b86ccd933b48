/**
 * The releases of Slurm this library speaks, and the protocol version of each.
 *
 * Versions are compared by release name through this table, never by a bare number in other code. A new release costs one
 * row here and the fields that changed.
 *
 * Source: `SLURM_PROTOCOL_VERSION` and `SLURM_MIN_PROTOCOL_VERSION` of each release's `src/common/slurm_protocol_common.h`;
 * accepted ranges of 20.11, 22.05, 24.11 and 26.05 observed on live daemons.
 */
import { SlurmProtocolError, showValue } from './slurm-error.js';

/** One row of the version table. */
export interface ReleaseRow {
  readonly release: string;
  /** Protocol number; the value in a header is this number × 256. */
  readonly protocol: number;
  /** The oldest protocol number a daemon of this release accepts. The newest is its own. */
  readonly oldestAccepted: number;
}

/** Oldest first; protocol numbers are consecutive. */
export const RELEASES = [
  { release: '20.11', protocol: 36, oldestAccepted: 34 },
  { release: '21.08', protocol: 37, oldestAccepted: 35 },
  { release: '22.05', protocol: 38, oldestAccepted: 36 },
  { release: '23.02', protocol: 39, oldestAccepted: 37 },
  { release: '23.11', protocol: 40, oldestAccepted: 38 },
  { release: '24.05', protocol: 41, oldestAccepted: 39 },
  { release: '24.11', protocol: 42, oldestAccepted: 39 },
  { release: '25.05', protocol: 43, oldestAccepted: 40 },
  { release: '25.11', protocol: 44, oldestAccepted: 41 },
  { release: '26.05', protocol: 45, oldestAccepted: 42 },
  { release: '26.11', protocol: 46, oldestAccepted: 43 },
] as const satisfies readonly ReleaseRow[];

/** Name of a release, and of the protocol version it introduced: `'22.05'`. */
export type Release = (typeof RELEASES)[number]['release'];

/** All release names, oldest first. */
export const RELEASE_NAMES: readonly Release[] = RELEASES.map((row) => row.release);

const BY_NAME: ReadonlyMap<string, (typeof RELEASES)[number]> = new Map(RELEASES.map((r) => [r.release, r]));
const BY_PROTOCOL: ReadonlyMap<number, (typeof RELEASES)[number]> = new Map(
  RELEASES.map((r) => [r.protocol, r]),
);

/** True for the name of a release this library speaks. */
export function isRelease(value: unknown): value is Release {
  return typeof value === 'string' && BY_NAME.has(value);
}

/** The release of that name, or `null`. */
export function releaseNamed(name: unknown): Release | null {
  return isRelease(name) ? name : null;
}

/** The protocol number of a release: `'22.05'` → 38. */
export function protocolOf(release: Release): number {
  const row = BY_NAME.get(release);
  if (row === undefined) {
    throw new SlurmProtocolError(`release ${showValue(release)} is not one of ${RELEASE_NAMES.join(', ')}`, {
      code: 'SLURMWIRE_BAD_RELEASE',
      errno: 'EINVAL',
      outcome: 'not-sent',
    });
  }
  return row.protocol;
}

/** The value that stands in a header for this release: `'22.05'` → 0x2600. */
export function headerVersionOf(release: Release): number {
  return protocolOf(release) << 8;
}

/** The release of a header's version word, or `null` for one this library does not speak. Only exact values count: the low byte must be 0. */
export function releaseOfHeaderVersion(version: number): Release | null {
  return (version & 0xff) === 0 ? (BY_PROTOCOL.get(version >> 8)?.release ?? null) : null;
}

/** True when `release` is `since` or newer. */
export function isAtLeast(release: Release, since: Release): boolean {
  return protocolOf(release) >= protocolOf(since);
}
