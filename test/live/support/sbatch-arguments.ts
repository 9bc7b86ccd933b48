/** Arguments of sbatch, and the `#SBATCH` lines of a script, as options of the embedded cluster. */
import { parseArgs } from 'node:util';
import type { ComponentOptions, SubmitOptions } from '../../../src/testing/index.js';

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;

const OPTIONS = {
  account: { ...text, short: 'A' },
  array: { ...text, short: 'a' },
  begin: { ...text, short: 'b' },
  comment: text,
  'cpus-per-task': { ...text, short: 'c' },
  dependency: { ...text, short: 'd' },
  error: { ...text, short: 'e' },
  exclude: { ...text, short: 'x' },
  hold: { ...flag, short: 'H' },
  'job-name': { ...text, short: 'J' },
  licenses: { ...text, short: 'L' },
  mem: text,
  nodelist: { ...text, short: 'w' },
  nodes: { ...text, short: 'N' },
  'no-requeue': flag,
  ntasks: { ...text, short: 'n' },
  output: { ...text, short: 'o' },
  overcommit: { ...flag, short: 'O' },
  parsable: flag,
  partition: { ...text, short: 'p' },
  qos: { ...text, short: 'q' },
  requeue: flag,
  reservation: text,
  time: { ...text, short: 't' },
  uid: text,
  wckey: text,
  wrap: text,
} as const;

/** What an sbatch is asked for; what it reads from its standard input is `script`. */
export function submissionOf(argv: readonly string[], script: string, user: string): SubmitOptions {
  const asked = componentsOf(argv);
  const written = componentsOf(linesOf(script));
  const count = Math.max(asked.length, written.length);
  const [first = {}, ...more] = Array.from({ length: count }, (_, i) => ({ ...written[i], ...asked[i] }));
  const own = first as Values;
  return {
    ...componentOf(own),
    components: more.length === 0 ? undefined : more.map(componentOf),
    user: own.uid ?? user,
    script: own.wrap === undefined ? withInterpreter(script) : `#!/bin/sh\n${own.wrap}\n`,
    name: own['job-name'] ?? (own.wrap === undefined ? 'sbatch' : 'wrap'),
    account: own.account,
    array: own.array,
    begin: own.begin === undefined ? undefined : timeOf(own.begin),
    comment: own.comment,
    dependency: own.dependency,
    error: own.error,
    hold: own.hold,
    licenses: own.licenses,
    output: own.output,
    partition: own.partition,
    qos: own.qos,
    requeue: own['no-requeue'] ? false : own.requeue,
    reservation: own.reservation,
    timeLimit: own.time === undefined ? undefined : minutesOf(own.time),
    wckey: own.wckey,
  };
}

type Values = ReturnType<typeof valuesOf>;

function valuesOf(args: string[]) {
  return parseArgs({ args, options: OPTIONS, strict: true }).values;
}

/** Of each component of a heterogeneous job, which a colon ends; of any other job one. */
function componentsOf(argv: readonly string[]): Values[] {
  const parts: string[][] = [[]];
  for (const word of argv) {
    if (word === ':') parts.push([]);
    else parts.at(-1)?.push(word);
  }
  return parts.map(valuesOf);
}

function linesOf(script: string): string[] {
  const words = script
    .split('\n')
    .filter((line) => line.startsWith('#SBATCH '))
    .flatMap((line) => line.split(/\s+/).slice(1));
  return words.map((word) => (word === 'hetjob' ? ':' : word));
}

function componentOf(values: Values): ComponentOptions {
  const { nodes, ntasks, nodelist, exclude } = values;
  return {
    nodes: nodes === undefined ? undefined : Number(nodes),
    tasks: ntasks === undefined ? undefined : Number(ntasks),
    cpusPerTask: values['cpus-per-task'] === undefined ? undefined : Number(values['cpus-per-task']),
    nodeList: nodelist,
    exclude,
  };
}

function withInterpreter(script: string): string {
  return script.startsWith('#!') ? script : `#!/bin/sh\n${script}\n`;
}

/** `now+2hours`, or a date. */
function timeOf(begin: string): Date {
  const [, count, unit = 's'] = /^now\+(\d+)([smhd]?)[a-z]*$/.exec(begin) ?? [];
  if (count === undefined) return new Date(begin);
  const seconds = { s: 1, m: 60, h: 3600, d: 86_400 }[unit || 's'] ?? 1;
  return new Date(Date.now() + Number(count) * seconds * 1000);
}

/** `30`, `2:00:00`. */
function minutesOf(time: string): number {
  const parts = time.split(':').map(Number);
  const [hours = 0, minutes = 0, seconds = 0] = parts.length === 3 ? parts : [0, ...parts];
  return Math.ceil(hours * 60 + minutes + seconds / 60);
}
