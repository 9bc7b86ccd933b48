/** How commands fail: the exit codes, and an error in lines that a person can act on. */
import { isSlurmError, type Outcome, type SlurmError } from '../protocol/slurm-error.js';
import type { CliIo } from './io.js';
import { type OutputOptions, outputOf } from './output.js';
import { safeText } from './safe-text.js';

/**
 * The exit codes of `slurmwire`, all commands but `cancel`, which has those of scancel(1) (docs/scancel.md).
 *
 * | code | meaning |
 * |---|---|
 * | 0 | done: what was asked for was accepted, or found |
 * | 1 | refused: the cluster said no, nothing was done; or the answer of a question is no |
 * | 2 | usage: a bad option or argument; nothing was sent |
 * | 3 | not sent: configuration, network or credentials failed before anything could be acted on, or a look showed that there is nothing (left) to signal |
 * | 4 | unknown: it may or may not have been done; look before you repeat it |
 * | 5 | partial: of several parts some were done; the parts are listed |
 * | 6 | unconfirmed: accepted, and not seen to have ended in the time given |
 * | 70 | a bug of this program |
 * | 74 | done, but its output could not be written (a full disk): it is not known from here |
 * | 129, 130, 143, 141 | stopped by SIGHUP, by SIGINT, by SIGTERM, because nobody read its output any more |
 */
export const EXIT = {
  done: 0,
  refused: 1,
  usage: 2,
  notSent: 3,
  unknown: 4,
  partial: 5,
  unconfirmed: 6,
  bug: 70,
  outputLost: 74,
  SIGHUP: 129,
  SIGINT: 130,
  SIGTERM: 143,
  SIGPIPE: 141,
} as const;

const BY_OUTCOME: Readonly<Record<Outcome, number>> = {
  'not-sent': EXIT.notSent,
  refused: EXIT.refused,
  accepted: EXIT.unconfirmed,
  unknown: EXIT.unknown,
  partial: EXIT.partial,
};

/** The exit code of something thrown. */
export function exitCodeOf(error: unknown): number {
  if (!isSlurmError(error)) return EXIT.bug;
  return error.name === 'SlurmUsageError' ? EXIT.usage : BY_OUTCOME[error.outcome];
}

/** Reports what was thrown, on stderr and with `--json` on stdout too, and returns the exit code. `who` begins the first line. */
export function reportFailure(io: CliIo, who: string, error: unknown, options: OutputOptions = {}): number {
  const output = outputOf(io, options);
  const paint = (text: string) => output.paintNote('red', text);
  for (const [index, line] of failureLines(error).entries()) {
    output.note(index === 0 ? `${who}: ${paint(line)}` : line);
  }
  if (output.json) output.result({ error: failureDocument(error) }, () => []);
  return exitCodeOf(error);
}

/** What `--json` says of something thrown. */
export function failureDocument(error: unknown): unknown {
  if (isSlurmError(error)) return error.toJSON();
  return { name: 'Error', message: error instanceof Error ? error.message : String(error) };
}

/** What happened, what became of the request, by what we know it, what to do: each on a line of its own. */
export function failureLines(error: unknown): string[] {
  if (!isSlurmError(error)) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return [`internal error, please report it: ${text}`];
  }
  const { outcome } = error;
  const hint = HINTS[error.code] ?? error.hint;
  const evidence = evidenceOf(error);
  const lines = [`${withoutHint(error)} [${nameOf(error)}]`, `  outcome:  ${outcome}: ${MEANING[outcome]}`];
  if (evidence !== '') lines.push(`  evidence: ${evidence}`);
  for (const part of error.parts ?? []) {
    lines.push(
      `  part:     ${part.target}: ${part.number === 0 ? 'accepted' : `${part.message} [${part.code}]`}`,
    );
  }
  for (const node of error.nodes ?? []) {
    if (node.outcome !== 'accepted') lines.push(`  node:     ${node.node}: ${node.outcome} [${node.code}]`);
  }
  if (hint !== undefined) lines.push(`  to do:    ${hint}`);
  return lines.map(safeText);
}

/** Where the library's own hint speaks of its options: the same for who has only a command line. */
const HINTS: Readonly<Record<string, string>> = {
  SLURMWIRE_CONFIG_NOT_FOUND:
    'Name a slurm.conf by --conf FILE or SLURM_CONF, or a controller by --controller HOST:PORT.',
};

/** What an outcome means, for people. */
export const MEANING: Readonly<Record<Outcome, string>> = {
  'not-sent': 'nothing was sent that could have been acted on',
  refused: 'the cluster said no and did nothing',
  accepted: 'the cluster took it',
  unknown: 'it may or may not have been done; look before you repeat it',
  partial: 'some parts were done, others were not',
};

function nameOf({ code, number }: SlurmError): string {
  return number === undefined ? code : `${code} ${number}`;
}

function evidenceOf({ message, rpc, peer, protocol, phase, cause }: SlurmError): string {
  const facts = [
    rpc,
    peer === undefined ? undefined : `to ${peer}`,
    protocol === undefined ? undefined : `in protocol ${protocol}`,
    phase === undefined ? undefined : `while ${DOING[phase]}`,
  ].filter((fact) => fact !== undefined);
  const reason = cause instanceof Error ? withoutHint(cause) : '';
  // What the message says already is no evidence for it.
  return [facts.join(' '), message.includes(reason) ? '' : reason].filter((text) => text !== '').join('; ');
}

const DOING: Readonly<Record<NonNullable<SlurmError['phase']>, string>> = {
  config: 'reading the configuration',
  connect: 'connecting',
  authenticate: 'authenticating',
  send: 'sending',
  wait: 'waiting for the answer',
  decode: 'reading the answer',
};

function withoutHint({ message, hint }: Error & { readonly hint?: string | undefined }): string {
  return hint !== undefined && message.endsWith(` ${hint}`) ? message.slice(0, -hint.length - 1) : message;
}
