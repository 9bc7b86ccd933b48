/**
 * The examples of docs/protocol.md: recorded conversations, decoded by the library. Each stands between a marker that names its fixture
 * and an end marker; what is between them is replaced.
 */
import { readFile } from 'node:fs/promises';
import { isMessageName } from '../../dist/protocol/index.js';
import { streamOf } from '../../dist/replay/conversation.js';
import { annotate, dissect, readFixture } from '../../dist/replay/index.js';

const root = new URL('../../', import.meta.url);
const BLOCK = /(<!-- wire: (\S+) -->\n)[\s\S]*?(<!-- end -->)/g;

/**
 * @param {string} page from the root of the repository
 * @returns {Promise<string>} the page with every example as the fixtures have it
 */
export async function withWireExamples(page) {
  const text = await readFile(new URL(page, root), 'utf8');
  /** @type {Map<string, string>} */
  const examples = new Map();
  for (const [, , name] of text.matchAll(BLOCK))
    if (name !== undefined) examples.set(name, await exampleOf(name));
  if (examples.size === 0) throw new Error(`${page} has no example`);
  return text.replace(BLOCK, (_, opening, name, end) => `${opening}${examples.get(name)}${end}`);
}

/**
 * The last connection of a recording: in one with several, the others are first contacts and looks.
 *
 * @param {string} name of a fixture, as `26.05/scancel-job`
 */
async function exampleOf(name) {
  const { connections, provenance } = await readFixture(new URL(`fixtures/${name}.msgpack`, root).pathname);
  const connection = connections.at(-1);
  if (connection === undefined) throw new Error(`${name}: no connection`);
  const frames = /** @type {const} */ (['>', '<']).map((direction) => {
    const bytes = streamOf(connection, direction);
    const { messageName, stopped } = dissect(bytes);
    if (!isMessageName(messageName) || stopped !== null) throw new Error(`${name}: not one whole message`);
    return `${direction === '>' ? 'Request' : 'Answer'}, \`${messageName}\`:\n\n\`\`\`\n${shortened(annotate(bytes))}\n\`\`\`\n`;
  });
  return `
Recorded ${provenance.recordedAt.slice(0, 10)}, Slurm ${provenance.slurm}, \`${provenance.client}\`. (The credential was replaced when it was recorded; its length is
that of the placeholder.)

${frames.join('\n')}
`;
}

/**
 * Without the inner lines of fields that go over several: credentials.
 *
 * @param {string} dump
 */
function shortened(dump) {
  const lines = dump.split('\n');
  /** @type {string[]} */
  const kept = [];
  for (const [i, line] of lines.entries()) {
    const isInner = (at = i) => /^[0-9a-f]{4} {2}(?:[0-9a-f]{2} ?)+$/.test(lines[at] ?? '');
    if (!isInner() || !isInner(i + 1)) kept.push(line);
    else if (!isInner(i - 1)) kept.push('      …');
  }
  return kept.join('\n');
}
