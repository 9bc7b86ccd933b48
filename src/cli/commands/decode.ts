import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { Command, InvalidArgumentError, Option } from 'commander';
import { isMessageName, type MessageName } from '../../protocol/messages/index.js';
import { RELEASE_NAMES, type Release } from '../../protocol/release.js';
import { SlurmUsageError } from '../../protocol/slurm-error.js';
import { dissect } from '../../replay/index.js';
import { outputOptions } from '../connection.js';
import { type DecodeInput, type InputFrame, readInput } from '../decode/input.js';
import { frameDocument, frameLines, type ShowOptions, titleOf } from '../decode/show.js';
import { EXIT } from '../failure.js';
import type { CommandIo } from '../io.js';
import { type OutputOptions, outputOf } from '../output.js';
import { readInputFile } from '../read-input.js';
import { safeText } from '../safe-text.js';

interface DecodeOptions extends OutputOptions {
  readonly release?: Release | undefined;
  readonly message?: MessageName | undefined;
  readonly filter?: readonly string[] | undefined;
  readonly hex: boolean;
  readonly maxBytes: number;
}

/** `slurmwire decode`: bytes of the wire, field by field. */
export function decodeCommand(io: CommandIo): Command {
  const command = new Command('decode')
    .description('show what is in a frame, a capture (pcap, pcapng) or a recording, byte by byte')
    .argument('[file]', 'binary or hex dump of a frame, a capture, or a fixture; - for stdin', '-')
    .addOption(
      new Option('--release <release>', 'decode as this release, whatever the header says').choices(
        RELEASE_NAMES,
      ),
    )
    .addOption(
      new Option(
        '--message <name>',
        'the input is the bare body of this message (needs --release)',
      ).argParser(asMessageName),
    )
    .addOption(
      new Option(
        '--filter <what>',
        'only frames of this message (part of its name), port, or role in a fixture; may be repeated',
      ).argParser((value: string, all: readonly string[] | undefined) => [...(all ?? []), value]),
    )
    .option('--no-hex', 'fields and values, without the bytes')
    .addOption(
      new Option('--max-bytes <count>', 'of each frame show so many bytes; 0 for all')
        .default(4096)
        .argParser(asCount),
    )
    .action(async (file: string, options: DecodeOptions) => decode(io, file, options));
  command.addHelpText('after', HELP);
  return outputOptions(command);
}

const HELP = `
Credentials and tokens are never shown, only how long they are.
Exit code 0: all was decoded; 1: decoding stopped somewhere, or there was nothing to decode; 2: the input cannot be read.

  tcpdump -i any -s 0 -w kill.pcap port 6817 or port 6818      capture it
  slurmwire decode kill.pcap                                   and look
  slurmwire decode --no-hex --filter KILL_JOB kill.pcap
  echo 0000008c2600… | slurmwire decode                        a frame as hex
`;

async function decode(io: CommandIo, file: string, options: DecodeOptions): Promise<void> {
  const { release, message: messageName } = options;
  if (messageName !== undefined && release === undefined) {
    const why = '--message needs --release: a bare body does not say which release it is of.';
    throw new SlurmUsageError(why, { code: 'SLURMWIRE_BAD_OPTION', field: 'release', value: release });
  }
  const bytes = await readInputFile(file, io);
  const input = readInput(bytes, { messageName, anyVersion: release !== undefined });
  const output = outputOf(io, options);
  const show: ShowOptions = {
    hex: options.hex,
    maxBytes: options.maxBytes === 0 ? Number.POSITIVE_INFINITY : options.maxBytes,
  };
  const wanted = filterOf(options.filter ?? []);
  const documents: unknown[] = [];
  let [shown, stopped, hidden] = [0, 0, 0];
  if (!output.json) for (const line of aboutInput(input)) output.line(line);
  let connection: InputFrame['connection'] = null;
  let [taken, fields] = [0, 0];
  for (const frame of input.frames) {
    if (++taken % FRAMES_PER_TURN === 0) await letGo(io);
    const dissection = dissect(frame.bytes, { release, messageName });
    if (!wanted(frame, dissection.messageName)) {
      hidden++;
      continue;
    }
    shown++;
    if (dissection.stopped !== null || frame.missing > 0) stopped++;
    if (output.json) {
      fields += dissection.fields.length;
      if (fields > MAX_JSON_FIELDS) throw tooMuchJson(file);
      documents.push(frameDocument(frame, dissection, input, show));
      continue;
    }
    if (frame.connection !== connection && frame.connection !== null) {
      connection = frame.connection;
      const { index, client, server, remarks } = connection;
      output.line('');
      output.line(output.paint('bold', safeText(`connection ${index}: ${client} > ${server}`)));
      for (const remark of remarks) output.line(`  ${safeText(remark)}`);
    }
    output.line('');
    output.line(output.paint('bold', titleOf(frame, dissection, input)));
    for (const line of frameLines(frame, dissection, show)) output.line(line);
  }
  if (hidden > 0) output.note(`${hidden} frames that --filter does not name were left out`);
  const { kind, provenance, notes, connections } = input;
  if (output.json)
    output.result({ input: { file, kind, provenance, notes, connections }, frames: documents }, () => []);
  if (shown === 0 || stopped > 0 || notes.some((note) => note.startsWith('the file was read'))) {
    io.setExitCode(EXIT.refused);
  }
  if (shown === 0) output.note(hidden > 0 ? 'no frame left' : 'no frame found');
}

/** Frames after which the event loop gets its turn: signals arrive there, and that nobody reads any more. */
const FRAMES_PER_TURN = 32;

/** Waits until what was written is on its way, so that a slow reader is not answered with memory. */
async function letGo({ stdout, signal }: CommandIo): Promise<void> {
  await setImmediate();
  if ((stdout as { writableNeedDrain?: boolean }).writableNeedDrain === true) {
    await once(stdout, 'drain', { signal }).catch(() => {}); // an error is the abort's reason, or comes with it
  }
  signal.throwIfAborted();
}

/** One document holds all frames, and a text has a largest size. */
const MAX_JSON_FIELDS = 250_000;

function tooMuchJson(file: string): SlurmUsageError {
  return new SlurmUsageError(`${file} has more than ${MAX_JSON_FIELDS} fields, too many for one document.`, {
    code: 'SLURMWIRE_BAD_FILE',
    errno: 'EFBIG',
    field: 'FILE',
    value: file,
    hint: 'Narrow it down with --filter, or leave --json out.',
  });
}

function* aboutInput({ kind, provenance, notes, connections }: DecodeInput): Generator<string> {
  if (provenance !== null) {
    const { client, daemon, slurm, recordedAt, note } = provenance;
    yield safeText(`recording of ${client} and ${daemon} ${slurm}, ${recordedAt}`);
    if (note !== '') yield safeText(note);
  } else if (kind !== 'frames' && kind !== 'body') {
    yield `${kind}, ${connections.length} connections with frames of Slurm`;
  }
  for (const note of notes) yield safeText(note);
  // A refused connection has no frame that would bring it up.
  for (const { index, server, remarks } of kind === 'fixture' ? connections : []) {
    for (const remark of remarks) {
      if (remark.includes('refused')) yield safeText(`connection ${index} to ${server}: ${remark}`);
    }
  }
}

/** Names and places narrow down each other; several of one kind add up. */
function filterOf(filters: readonly string[]): (frame: InputFrame, messageName: string | null) => boolean {
  const isPort = (text: string) => /^\d{1,5}$/.test(text);
  const isRole = (text: string) => /^(slurmctld|slurmd)(-\d+)?$/.test(text);
  const places = filters.filter((text) => isPort(text) || isRole(text));
  const names = filters.filter((text) => !isPort(text) && !isRole(text)).map((text) => text.toUpperCase());
  return ({ connection }, messageName) => {
    const ends = connection === null ? [] : [connection.client, connection.server];
    const isThere = (place: string) =>
      ends.some((end) => (isPort(place) ? end.endsWith(`:${place}`) : end === place));
    return (
      (places.length === 0 || places.some(isThere)) &&
      (names.length === 0 || names.some((name) => messageName?.includes(name) === true))
    );
  };
}

function asMessageName(text: string): MessageName {
  if (isMessageName(text)) return text;
  throw new InvalidArgumentError(
    'It is not the name of a message that slurmwire knows, such as REQUEST_KILL_JOB.',
  );
}

function asCount(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It is not a number of bytes.');
}
