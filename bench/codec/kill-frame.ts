/** The frame of one kill, as `killJob` sends it. */
import {
  type AuthSection,
  encodeBody,
  encodeFrame,
  type MessageInput,
  type Release,
} from '../../src/protocol/index.js';
import { NO_STEP_ID } from '../../src/protocol/step-id.js';

export const KILL = 'REQUEST_KILL_JOB';

export const KILL_RECORD: MessageInput<typeof KILL> = {
  stepId: NO_STEP_ID,
  sjobId: '1234567',
  signal: 9,
  flags: 0,
};

/** As long as munged makes them for a payload of 33 bytes. It is text to both codecs, and opens nothing. */
export const CREDENTIAL: AuthSection = {
  plugin: 'auth/munge',
  credential: `MUNGE:${'AwQDAABxk1Zr'.repeat(16)}=:`,
};

export function killFrame(release: Release): { readonly frame: Uint8Array; readonly bodyAt: number } {
  const body = encodeBody(KILL, release, KILL_RECORD);
  const frame = encodeFrame({ release, messageName: KILL, auth: CREDENTIAL, body });
  return { frame, bodyAt: frame.length - body.length };
}
