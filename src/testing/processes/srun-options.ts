/** The options of `srun` that say something to an embedded cluster; those about resources it has none of are taken and passed over. */
import { parseArgs } from 'node:util';
import { tasksOf } from '../model/task-list.js';

export interface SrunOptions {
  /** `null` where not given. */
  readonly nodes: number | null;
  readonly tasks: number | null;
  readonly name: string | null;
  /** Components of a heterogeneous job. */
  readonly hetGroups: readonly number[] | null;
  /** Hostlist of the nodes it must have. */
  readonly nodeList: string | null;
  readonly command: readonly string[];
}

const OPTIONS = {
  ntasks: { type: 'string', short: 'n' },
  nodes: { type: 'string', short: 'N' },
  'job-name': { type: 'string', short: 'J' },
  'het-group': { type: 'string' },
  nodelist: { type: 'string', short: 'w' },
  'kill-on-bad-exit': { type: 'string', short: 'K' },
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
      hetGroups: values['het-group'] === undefined ? null : groups(values['het-group']),
      nodeList: values.nodelist ?? null,
      command,
    };
  } catch (error) {
    return (error as Error).message;
  }
}

/** `0,2-3`. */
function groups(text: string): number[] {
  const offsets = tasksOf(text, MAX_COMPONENTS);
  if (offsets === null) throw new Error(`${text} is no list of components`);
  return offsets;
}

/** MAX_HET_JOB_COMPS. */
const MAX_COMPONENTS = 128;

function count(text: string | undefined, least = 1): number | null {
  if (text === undefined) return null;
  const value = Number(text.split('-')[0]);
  if (!Number.isInteger(value) || value < least) throw new Error(`${text} is no count`);
  return value;
}
