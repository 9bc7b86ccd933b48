/** Looks a recording over: whether this library understands all of it. */
import { decodeFrame } from '../protocol/frame.js';
import { isPayloadOf } from '../protocol/payload-digest.js';
import { dissect } from './annotate.js';
import type { RedactedConnection } from './conversation.js';
import type { Fixture } from './fixture.js';
import { framesOf } from './frames-of.js';
import { sectionsOf } from './recorded-sections.js';

/** Something in a recording that is not as it should be. */
export interface FixtureProblem {
  /** Which connection, from 0. */
  readonly connection: number;
  readonly direction: '>' | '<';
  /** Which frame of that direction, from 0. */
  readonly frame: number;
  /** Upstream's name of the message, or `null` where there is none. */
  readonly messageName: string | null;
  /** Field to blame, or empty. */
  readonly fieldPath: string;
  /** Offset within the frame, length word included. */
  readonly offset: number;
  readonly reason: string;
}

/**
 * Decodes every frame to its last byte, and compares the digests that are known of the credentials with the frames they are in.
 * Empty when all is well. Fixtures older than this library are worth a look after each update of it.
 *
 * What has no description here, and what a broken connection left of a frame, is reported too: a daemon that dies in the middle of a
 * reply makes a recording with a problem.
 */
export function checkFixture({ connections }: Pick<Fixture, 'connections'>): FixtureProblem[] {
  return connections.flatMap((connection, index) =>
    (['>', '<'] as const).flatMap((direction) =>
      problemsOf(connection, direction).map((problem) => ({ connection: index, direction, ...problem })),
    ),
  );
}

type Problem = Omit<FixtureProblem, 'connection' | 'direction'>;

function problemsOf(connection: RedactedConnection, direction: '>' | '<'): Problem[] {
  const problems: Problem[] = [];
  const sections = new Map(sectionsOf(connection, direction).map((section) => [section.frameEnd, section]));
  let end = 0;
  for (const [frame, bytes] of framesOf(connection, direction).entries()) {
    end += bytes.length;
    const { stopped, messageName } = dissect(bytes);
    if (stopped !== null) {
      problems.push({ frame, messageName, ...stopped });
      continue;
    }
    const payload = sections.get(end)?.facts.payload;
    if (payload === undefined || payload === null) continue;
    const { release, header, body } = decodeFrame(bytes);
    if (isPayloadOf(payload, release, header.msgType, body)) continue;
    const reason = 'the digest in the credential is not that of the message';
    problems.push({ frame, messageName, fieldPath: 'auth', offset: 0, reason });
  }
  return problems;
}
