/** Whatever live clients and daemons of four releases said in the recordings, we read it and write the same bytes, both ways. */
import { describe, expect, test } from 'vitest';
import { LENGTH_WORD } from '../../src/protocol/frame.js';
import { header } from '../../src/protocol/header.js';
import {
  decodeBody,
  encodeBody,
  type Frame,
  isMessageName,
  type MessageInput,
  type MessageName,
  payloadDigest,
} from '../../src/protocol/index.js';
import { encodeWith } from '../support/codec.js';
import { toHex } from '../support/golden.js';
import { framesOf, isOwnCall, RECORDED_RELEASES, recorded, recordedNames } from './support.js';

describe.each(RECORDED_RELEASES)('%s', (release) => {
  const names = recordedNames(release);

  test.each(names)('%s', async (name) => {
    const fixture = await recorded(name, release);
    expect(fixture.provenance.slurm).toContain(`${release} (Debian ${release}.`);
    for (const connection of fixture.connections) {
      const [sent, answered] = [framesOf(connection, '>'), framesOf(connection, '<')];
      // Slurm's own clients know the version; ours asks for it in others, to some of which nothing is said.
      const isSearch = isOwnCall(fixture) && sent[0]?.messageName === 'REQUEST_BUILD_INFO';
      expect(sent.length).toBe(1);
      expect(isSearch && answered.length === 0 ? 1 : answered.length).toBe(1);
      for (const frame of [...sent, ...answered]) {
        if (!isSearch) expect(frame.release).toBe(release);
        expectSameBody(frame);
        const head = toHex(encodeWith(header, frame.release, frame.header));
        expect(toHex(frame.bytes.subarray(LENGTH_WORD)).slice(0, head.length)).toBe(head);
        expectBoundDigest(frame);
      }
    }
  });

  test('the calls of the library and both ways to a step were recorded', () => {
    expect(names).toEqual(
      expect.arrayContaining([
        'libslurm-kill-job',
        'libslurm-kill-step',
        'libslurm-signal-job',
        'libslurm-signal-step',
        'libslurm-terminate-step',
        'scancel-step',
        'scancel-step-signal',
      ]),
    );
  });
});

function expectSameBody({ messageName, release, body }: Frame): void {
  if (!isMessageName(messageName)) throw new TypeError(`${messageName} is not described`);
  const record = decodeBody(messageName, release, body);
  expect(toHex(encodeBody(messageName, release, record as MessageInput<MessageName>))).toBe(toHex(body));
}

/** The recording writes the digest it computed into the redacted credential: the daemons took the original for the same bytes. */
function expectBoundDigest({ auth, release, header: { msgType }, body }: Frame): void {
  if (auth?.plugin !== 'auth/munge') return; // replies to a client that nobody else can read carry none, since 23.02
  const digest = Buffer.from(payloadDigest(release, msgType, body)).toString('hex');
  expect(auth.credential).toContain(digest);
}
