/** The bytes on docs/protocol.md are those of the recordings it names, and the payloads those that were bound into the credentials. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { decodeFrame } from '../../src/protocol/index.js';
import { streamOf } from '../../src/replay/conversation.js';
import { readFixture } from '../../src/replay/index.js';
import { parsePlaceholder } from '../../src/replay/placeholder.js';

const root = new URL('../../', import.meta.url);
const page = readFileSync(new URL('docs/protocol.md', root), 'utf8');
const examples = [...page.matchAll(/<!-- generated: recording (\S+) -->\n([\s\S]*?)<!-- end -->/g)].map(
  ([, name = '', text = '']) => ({ name, text }),
);

test('there are a kill of an old release, one of a new release, and a forwarded signal', () => {
  expect(examples.map(({ name }) => name)).toEqual([
    '20.11/scancel-job',
    '26.05/scancel-job',
    '24.11/libslurm-signal-step-forwarded',
  ]);
});

describe.each(examples)('$name', ({ name, text }) => {
  const dumps = [...text.matchAll(/```\n([\s\S]*?)\n```/g)].map(([, dump = '']) => dump.split('\n'));
  const recorded = readFixture(fileURLToPath(new URL(`fixtures/${name}.msgpack`, root))).then(
    ({ connections }) => {
      const connection = connections.at(-1);
      if (connection === undefined) throw new Error('no connection');
      return (['>', '<'] as const).map((direction) => streamOf(connection, direction));
    },
  );

  test('shows the recorded bytes at their offsets, and leaves out nothing but a credential', async () => {
    const frames = await recorded;
    expect(dumps.length).toBe(frames.length);
    for (const [i, bytes] of frames.entries()) {
      let at = 0;
      for (const line of dumps[i] ?? []) {
        const [, offset, hex = ''] = /^([0-9a-f]{4}) {2}((?:[0-9a-f]{2} ?)+)(?: |$)/.exec(line) ?? [];
        if (offset === undefined) {
          expect(line.trim()).toMatch(/^(…|[0-9a-f]{4} {2}not shown .*)$/);
          continue;
        }
        const start = Number.parseInt(offset, 16);
        const { auth } = decodeFrame(bytes);
        if (start !== at) expect(auth, 'bytes are left out where there is no credential').not.toBeNull();
        const shown = Buffer.from(hex.replaceAll(' ', ''), 'hex');
        expect(Buffer.from(bytes.subarray(start, start + shown.length)).toString('hex')).toBe(
          shown.toString('hex'),
        );
        at = start + shown.length;
      }
      expect(at).toBe(bytes.length);
    }
  });

  test('names the payload that the credential had', async () => {
    for (const bytes of await recorded) {
      const { auth } = decodeFrame(bytes);
      if (auth?.plugin !== 'auth/munge') continue;
      const payload = parsePlaceholder(auth.credential ?? '')?.payload;
      expect(payload).toBeDefined();
      expect(text).toContain(`\`${Buffer.from(payload ?? []).toString('hex')}\``);
    }
  });
});
