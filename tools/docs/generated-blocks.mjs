/**
 * What docs/protocol.md has of tables and recordings. Each block stands between a marker that says what belongs there and an end marker;
 * what is between them is replaced.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import {
  decodeFrame,
  isMessageName,
  KILL_FLAGS,
  payloadDigest,
  RELEASES,
} from '../../dist/protocol/index.js';
import { streamOf } from '../../dist/replay/conversation.js';
import { annotate, dissect, readFixture } from '../../dist/replay/index.js';

const root = new URL('../../', import.meta.url);
const BLOCK = /(<!-- generated: (\S+)(?: (\S+))? -->\n)[\s\S]*?(<!-- end -->)/g;

/**
 * @param {string} page from the root of the repository
 * @returns {Promise<string>} the page with every block as it should be
 */
export async function withGeneratedBlocks(page) {
  const text = await readFile(new URL(page, root), 'utf8');
  /** @type {string[]} */
  const blocks = [];
  for (const [, , kind = '', argument = ''] of text.matchAll(BLOCK))
    blocks.push(await blockOf(kind, argument));
  if (blocks.length === 0) throw new Error(`${page} has no generated block`);
  return text.replace(
    BLOCK,
    (_, opening, _kind, _argument, end) => `${opening}\n${blocks.shift()}\n\n${end}`,
  );
}

/**
 * @param {string} kind
 * @param {string} argument
 */
async function blockOf(kind, argument) {
  switch (kind) {
    case 'releases':
      return releaseTable();
    case 'kill-flags':
      return killFlagTable();
    case 'recording':
      return recording(argument);
    default:
      throw new Error(`nothing is known about a block named ${kind}`);
  }
}

function releaseTable() {
  const rows = RELEASES.map(
    ({ release, protocol, oldestAccepted }) =>
      `| ${release} | ${protocol} | \`${hex(protocol << 8, 4)}\` | ${oldestAccepted} to ${protocol} |`,
  );
  return `| release | number | in a header | numbers its daemons accept |\n|---|---|---|---|\n${rows.join('\n')}`;
}

function killFlagTable() {
  const rows = Object.entries(KILL_FLAGS).map(([name, { bit, first, last, internal }]) => {
    const releases =
      last === null ? (first === RELEASES[0].release ? 'all' : `${first} on`) : `${first} to ${last}`;
    return `| \`${hex(bit, 4)}\` | \`${name}\` | ${releases} | ${internal ? "Slurm's own" : 'clients'} |`;
  });
  return `| bit | name | releases | set by |\n|---|---|---|---|\n${rows.join('\n')}`;
}

/**
 * The last connection of a recording: in one with several, the others are first contacts and looks.
 *
 * @param {string} name of a fixture, as `26.05/scancel-job`
 */
async function recording(name) {
  const { connections, provenance } = await readFixture(
    fileURLToPath(new URL(`fixtures/${name}.msgpack`, root)),
  );
  const connection = connections.at(-1);
  if (connection === undefined) throw new Error(`${name}: no connection`);
  const frames = /** @type {const} */ (['>', '<']).map((direction) => {
    const bytes = streamOf(connection, direction);
    const { messageName, stopped } = dissect(bytes);
    if (!isMessageName(messageName) || stopped !== null) throw new Error(`${name}: not one whole message`);
    const who = direction === '>' ? 'Request' : 'Answer';
    return `${who}, \`${messageName}\`:\n\n\`\`\`\n${shortened(annotate(bytes))}\n\`\`\`\n\n${boundPayload(bytes)}`;
  });
  return `\`${provenance.client}\` to a live ${connection.endpoint.replace(/-.*/, '')}, ${provenance.slurm}. Fixture: \`fixtures/${name}.msgpack\`.\n\n${frames.join('\n\n')}`;
}

/**
 * What the credential of a frame is bound to.
 *
 * @param {Uint8Array} bytes
 */
function boundPayload(bytes) {
  const { release, header, auth, body } = decodeFrame(bytes);
  if (auth === null) return 'No credential: flag 0x0040 is set, and there is no authentication section.';
  const payload = Buffer.from(payloadDigest(release, header.msgType, body)).toString('hex');
  return `The payload that binds a credential to this message: \`${payload}\`.`;
}

/**
 * Without the inner lines of fields that go over several: credentials.
 *
 * @param {string} dump
 */
function shortened(dump) {
  const lines = dump.split('\n');
  const isInner = (/** @type {number} */ at) => /^[0-9a-f]{4} {2}(?:[0-9a-f]{2} ?)+$/.test(lines[at] ?? '');
  return lines
    .flatMap((line, i) => {
      if (!isInner(i) || !isInner(i + 1)) return [line];
      return isInner(i - 1) ? [] : ['      …'];
    })
    .join('\n');
}

/**
 * @param {number} value
 * @param {number} digits
 */
function hex(value, digits) {
  return `0x${value.toString(16).padStart(digits, '0')}`;
}
