/** The authentication sections of a recorded connection, and what is known about each. */
import type { AuthSection } from '../protocol/auth-section.js';
import { decodeFrame } from '../protocol/frame.js';
import { FrameAssembler } from '../protocol/frame-assembler.js';
import { payloadDigest } from '../protocol/payload-digest.js';
import { SlurmProtocolError } from '../protocol/slurm-error.js';
import { type CredentialFacts, type Direction, type RedactedConnection, streamOf } from './conversation.js';
import { NO_FACTS, parsePlaceholder } from './placeholder.js';

export interface RecordedSection {
  readonly section: AuthSection;
  readonly facts: CredentialFacts;
  /** Where its frame ends within the bytes of its direction. */
  readonly frameEnd: number;
}

/** In order; frames that cannot be decoded and frames without a section are passed over. */
export function sectionsOf(connection: RedactedConnection, direction: Direction): RecordedSection[] {
  const assembler = new FrameAssembler();
  assembler.push(streamOf(connection, direction));
  const sections: RecordedSection[] = [];
  let end = 0;
  for (let index = 0; ; index++) {
    const bytes = orNull(() => assembler.take());
    if (bytes === null) return sections;
    end += bytes.length;
    const frame = orNull(() => decodeFrame(bytes));
    if (frame === null || frame.auth === null) continue;
    const { auth, release, header, body } = frame;
    if (auth.plugin === 'auth/none') {
      const facts = { uid: auth.uid, gid: auth.gid, payload: payloadDigest(release, header.msgType, body) };
      sections.push({ section: auth, facts, frameEnd: end });
      continue;
    }
    const text = auth.plugin === 'auth/munge' ? auth.credential : auth.token;
    const beside = connection.credentials.find(
      (known) => known.direction === direction && known.frame === index,
    );
    const facts = beside ?? (text === null ? null : parsePlaceholder(text)) ?? NO_FACTS;
    sections.push({ section: auth, facts, frameEnd: end });
  }
}

function orNull<T>(step: () => T | null): T | null {
  try {
    return step();
  } catch (thrown) {
    if (thrown instanceof SlurmProtocolError) return null;
    throw thrown;
  }
}
