/** What callers and operators write: job and step ids, signals, endpoints, ladders, durations, lists of options, arguments of scancel. */
import { Command, Option } from 'commander';
import { parseDuration } from '../../../src/cli/connection.js';
import { getopt } from '../../../src/cli/getopt.js';
import { readOperands } from '../../../src/cli/scancel/job-ids.js';
import { ScancelTrouble } from '../../../src/cli/scancel/trouble.js';
import { parseLadder } from '../../../src/cli/terminate/ladder-text.js';
import { parseEndpoint } from '../../../src/config/endpoint.js';
import { readOptionList } from '../../../src/config/option-list.js';
import { parseJobId, parseStepId } from '../../../src/protocol/job-id.js';
import { unixSignalNumber } from '../../../src/protocol/unix-signal.js';
import { checkState } from '../../../src/rpc/terminate-state.js';
import { reportFault, reportShape } from '../shape.js';
import { Broken, type Target } from '../target.js';
import { chosen, textOf } from '../text.js';

const command = new Command()
  .addOption(new Option('-s, --signal <name>'))
  .addOption(new Option('-b, --batch'))
  .addOption(new Option('--full'))
  .addOption(new Option('-n, --name <name>'))
  .addOption(new Option('--jobname <name>'))
  .addOption(new Option('-u, --user <name>'))
  .addOption(new Option('--help'));
const rules = {
  aliases: { jobname: 'name' },
  whole: new Set(['full']),
  last: new Set(['help']),
  posix: false,
};

const READERS: readonly ((text: string) => unknown)[] = [
  (text) => again(parseJobId(text), (id) => (id.kind === 'sluid' ? id : parseJobId(id.text))),
  (text) => again(parseStepId(text), (id) => parseStepId(id.text)),
  (text) => readOperands(text.split('\n')),
  (text) => unixSignalNumber(text as 'SIGTERM'),
  (text) => parseEndpoint(text),
  (text) => parseLadder(text),
  (text) => readOptionList(text),
  (text) => getopt(command, text.split('\n'), rules),
  (text) => checkState(asJson(text) as Parameters<typeof checkState>[0]),
  (text) => durationOf(text),
];

/** Shows the same thing when what it wrote is read again. */
function again<T>(value: T, read: (value: T) => T): T {
  const second = show(read(value));
  if (second !== show(value)) throw new Broken(`${show(value)} is read again as ${second}`);
  return value;
}

const show = (value: unknown) =>
  JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? String(inner) : inner));

/** A terminate state comes from a file of JSON; what is none of it is not the library's to read. */
function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** commander's error, which it shows as a bad argument. */
function durationOf(text: string): number | null {
  try {
    return parseDuration(text);
  } catch (error) {
    if ((error as { code?: string }).code === 'commander.invalidArgument') return null;
    throw error;
  }
}

const STATE = {
  ...{
    version: 1,
    target: '7',
    stepHetComp: null,
    confirm: true,
    confirmMs: 1000,
    requeued: 'end',
    cron: false,
  },
  ladder: [
    { signal: 'SIGTERM', graceMs: 1000, to: null },
    { signal: 'SIGKILL', graceMs: 0, to: null },
  ],
  ...{ rung: 0, since: null, sent: [], runs: [] },
};

export const ids: Target = {
  name: 'ids',
  weight: 5,
  prefix: 1,
  isText: true,
  dictionary: [
    ...[
      '_[1-5,9]',
      '_*',
      '_4',
      '+1',
      '.0',
      '.batch',
      '.extern',
      '.interactive',
      ':2',
      '%5',
      '[',
      ']',
      's0',
      '--',
      '-s',
      '=',
    ],
    ...[
      'SIGKILL',
      'SIGRTMIN+1',
      'TERM',
      '::1',
      '[::1]:6817',
      ':10s',
      '1m',
      ',',
      '--sig',
      '--name=',
      '-bn',
      '4294967294',
    ],
  ],

  *seeds() {
    const jobs = [
      '1234',
      '1234_4',
      '1234_[1-5,9]',
      '1234_[0-15:4]',
      '1234_*',
      '123+1',
      's0123456789ABC',
      '7_[1-9%3]',
    ];
    for (const text of jobs) yield chosen(0, text);
    for (const text of ['1.0', '1.batch', '1+1.extern', '7_4.interactive']) yield chosen(1, text);
    for (const text of ['1,2,3', '12_3,4', '12_[1-3]', '1.0', '5\n6_7']) yield chosen(2, text);
    for (const text of ['SIGTERM', 'KILL', '9', 'RTMIN+3', 'SIGRTMAX-1']) yield chosen(3, text);
    for (const text of ['host', 'host:6817', '[::1]:1', '::1', '10.0.0.1:6817']) yield chosen(4, text);
    for (const text of ['SIGTERM:10s,SIGKILL', 'INT:1m,TERM']) yield chosen(5, text);
    yield chosen(6, 'ca_cert_file=/etc/a.pem,load_system_certificates');
    for (const text of ['-s\nTERM\n1', '--signal=9\n--batch\n2', '--na=x\n-bn\ny', '--\n1'])
      yield chosen(7, text);
    yield chosen(8, JSON.stringify(STATE));
    for (const text of ['30s', '1m', '250ms', '1.5h']) yield chosen(9, text);
  },

  run(input, report) {
    const choice = (input[0] as number) % READERS.length;
    const text = textOf(input.subarray(1));
    try {
      reportShape(READERS[choice]?.(text), choice * 7919, report);
    } catch (error) {
      reportFault(error, choice, report);
      // Shows the operand as scancel does, whole: it is what somebody typed, and made harmless where it is written.
      if (!(error instanceof ScancelTrouble)) throw error;
    }
  },
};
