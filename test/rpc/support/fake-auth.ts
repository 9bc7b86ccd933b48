/**
 * An authenticator without munged: its credentials look like MUNGE's to the codec and are readable to a test.
 * `FAKE:{"uid":…,"payload":"<hex>",…}:<checksum>`; whatever is changed in one makes the checksum wrong.
 */
import { createHash } from 'node:crypto';
import type {
  Authenticator,
  AuthSection,
  CallContext,
  VerifiedCredential,
} from '../../../src/protocol/index.js';
import { SlurmAuthError } from '../../../src/protocol/index.js';

/** What stands in a fake credential. */
export interface FakeClaims {
  readonly uid: number;
  readonly gid: number;
  /** Hex. */
  readonly payload: string;
  readonly restrictUid: number | null;
  /** Makes each one different, as a credential can be used once only. */
  readonly serial: number;
}

let serial = 0;

export function sealCredential(claims: Omit<FakeClaims, 'serial'>): AuthSection {
  const text = JSON.stringify({ ...claims, serial: ++serial });
  return { plugin: 'auth/munge', credential: `FAKE:${text}:${checksum(text)}` };
}

export function openCredential(section: AuthSection | null): FakeClaims {
  const credential = section?.plugin === 'auth/munge' ? section.credential : null;
  const match = /^FAKE:(\{.*\}):([0-9a-f]{16})$/s.exec(credential ?? '');
  const [, text = '', sum] = match ?? [];
  if (match === null || checksum(text) !== sum) throw badCredential('EMUNGE_CRED_INVALID');
  return JSON.parse(text) as FakeClaims;
}

export function badCredential(code: string, more: { peer?: string; rpc?: string } = {}): SlurmAuthError {
  return new SlurmAuthError(`the fake credential is not good (${code}).`, {
    code,
    errno: 'EACCES',
    outcome: 'not-sent',
    phase: 'authenticate',
    ...more,
  });
}

function checksum(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/** The caller's own uid in these tests. */
export const CALLER = 1000;
/** Uid that slurmctld runs as in these tests. */
export const SLURM_USER = 64030;
/** Uid that slurmd runs as in these tests: not root, so that its place among the trusted can be seen. */
export const SLURMD_USER = 64031;

/** Counts what it makes; each step can be held up or made to fail. */
export class FakeAuth implements Authenticator {
  readonly name = 'auth/munge';
  readonly created: FakeClaims[] = [];
  verified = 0;
  /** Runs before each credential is made. */
  beforeCreate: (context: CallContext) => Promise<void> | void = () => {};
  /** Runs before each credential is verified. */
  beforeVerify: (context: CallContext) => Promise<void> | void = () => {};

  async create(payload: Uint8Array, restrictUid: number | null, context: CallContext): Promise<AuthSection> {
    await this.beforeCreate(context);
    const claims = { uid: CALLER, gid: CALLER, payload: Buffer.from(payload).toString('hex'), restrictUid };
    const section = sealCredential(claims);
    this.created.push(openCredential(section));
    return section;
  }

  async verify(section: AuthSection, context: CallContext): Promise<VerifiedCredential> {
    this.verified += 1;
    await this.beforeVerify(context);
    const { uid, gid, payload } = openCredential(section);
    return { uid, gid, payload: Uint8Array.from(Buffer.from(payload, 'hex')) };
  }
}
