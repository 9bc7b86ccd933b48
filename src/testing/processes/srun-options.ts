/** The options of `srun` that say something to an embedded cluster; those about resources it has none of are taken and passed over. */
import { parseArgs } from 'node:util';

export interface SrunOptions {
  /** `null` where not given. */
  readonly nodes: number | null;
  readonly tasks: number | null;
  readonly name: string | null;
  readonly hetGroup: number | null;
  readonly command: readonly string[];
}

const OPTIONS = {
  ntasks: { type: 'string', short: 'n' },
  nodes: { type: 'string', short: 'N' },
  'job-name': { type: 'string', short: 'J' },
  'het-group': { type: 'string' },
  'cpus-per-task': { type: 'string', short: 'c' },
  time: { type: 'string', short: 't' },
  mem: { type: 'string' },
  label: { type: 'boolean', short: 'l' },
  unbuffered: { type: 'boolean', short: 'u' },
  overlap: { type: 'boolean' },
  overcommit: { type: 'boolean', short: 'O' },
  exact: { type: 'boolean' },
  exclusive: { type: 'boolean' },
  quiet: { type: 'boolean', short: 'Q' },
  'no-kill': { type: 'boolean', short: 'k' },
} as const;

/** @returns what is wrong with it, as text, or the options. */
export function parseSrun(argv: readonly string[]): SrunOptions | string {
  try {
    // What follows the command is the command's.
    const { tokens } = parseArgs({
      args: [...argv],
      options: OPTIONS,
      allowPositionals: true,
      strict: false,
      tokens: true,
    });
    const first = tokens.find(({ kind }) => kind === 'positional' || kind === 'option-terminator');
    const end = first?.index ?? argv.length;
    const { values } = parseArgs({ args: argv.slice(0, end), options: OPTIONS, strict: true });
    const command = argv.slice(first?.kind === 'option-terminator' ? end + 1 : end);
    if (command.length === 0) return 'No command given to execute.';
    return {
      nodes: count(values.nodes),
      tasks: count(values.ntasks),
      name: values['job-name'] ?? null,
      hetGroup: count(values['het-group'], 0),
      command,
    };
  } catch (error) {
    return (error as Error).message;
  }
}

function count(text: string | undefined, least = 1): number | null {
  if (text === undefined) return null;
  const value = Number(text.split('-')[0]);
  if (!Number.isInteger(value) || value < least) throw new Error(`${text} is no count`);
  return value;
}
