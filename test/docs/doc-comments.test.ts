/** The rule for doc comments that `npm run docs` applies to everything exported. */
import { expect, test } from 'vitest';
import { wrongWith } from '../../tools/docs/doc-comments.mjs';

test.each([
  'Signals a job.',
  'Signals a job: the whole of it.',
  '`host:port` of the peer.',
  '"Not set", 8 bits.',
  'Opens a connection.\n\nThrows the error of the system.',
  'What is done:\n\n- one thing',
])('good: %j', (summary) => {
  expect(wrongWith(summary)).toBeNull();
});

test.each([
  ['', 'no doc comment'],
  ['A name without end', 'has no end'],
  ['A name without end\n\nThen a sentence.', 'has no end'],
  ['opens a connection.', 'has no beginning'],
  ['The same transport, recorded.', 'needs another one'],
  ['See above.', 'needs another one'],
])('bad: %j', (summary, why) => {
  expect(wrongWith(summary)).toContain(why);
});
