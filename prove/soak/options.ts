/** The command line of `npm run prove:soak`. */
import { parseArgs } from 'node:util';
import { RELEASE_NAMES, type Release } from '../../src/index.js';

export const PARTS = ['kills', 'fan-outs', 'clients', 'endpoints', 'terminate', 'loop'] as const;
export type PartName = (typeof PARTS)[number];

export const WAYS = ['plain', 'socket', 'libmunge'] as const;
/** How calls authenticate: by an authenticator of the program's own, munged's socket, or libmunge. */
export type Way = (typeof WAYS)[number];

export interface SoakOptions {
  readonly kills: number;
  readonly fanOuts: number;
  readonly clients: number;
  readonly release: Release;
  readonly seed: number;
  readonly minutes: number;
  readonly parts: readonly PartName[];
  readonly ways: readonly Way[];
  readonly json: string | undefined;
  /** What is leaked on purpose, to see that it is found. */
  readonly plant: 'listeners' | 'sockets' | 'memory' | undefined;
}

export const HELP = `Calls and calls, with trouble of every kind, and looks whether anything is left behind.

Usage: npm run prove:soak -- [OPTION…]

  --kills N        kills in all, with each way to authenticate a third of them (100000)
  --fan-outs N     signals to 8…64 nodes, directly and by the tree (10000)
  --clients N      clients that are made, used and closed; endpoints that come and go; looks of one termination, a fifth of it (10000)
  --release R      release of the cluster (26.05)
  --seed S         repeats the choices of an earlier run (else printed); times and order of events are the machine's
  --minutes N      begins nothing new after that; what was done by then is judged (60)
  --only A,B       parts: ${PARTS.join(', ')} (all)
  --ways A,B       ways to authenticate: ${WAYS.join(', ')} (all)
  --json FILE      all samples, as JSON
  --plant WHAT     leaks listeners, sockets or memory on purpose: the run has to fail

Exit codes: 0 flat, 1 something grew or broke, 2 a wrong command line.
`;

export class UsageError extends Error {}

/** `null` where help is wanted. */
export function readOptions(args: readonly string[]): SoakOptions | null {
  const { values } = parse(args);
  if (values.help === true) return null;
  const number = (name: 'kills' | 'fan-outs' | 'clients' | 'seed' | 'minutes', byDefault: number) => {
    const text = values[name];
    const value = text === undefined ? byDefault : Number(text);
    if (!Number.isFinite(value) || value < 0 || (name !== 'minutes' && !Number.isInteger(value)))
      throw new UsageError(`--${name}: ${text} is no number it can be`);
    return value;
  };
  const list = <T extends string>(name: 'only' | 'ways', all: readonly T[]): readonly T[] => {
    const chosen = values[name]?.split(',') ?? all;
    const wrong = chosen.find((one) => !(all as readonly string[]).includes(one));
    if (wrong !== undefined) throw new UsageError(`--${name}: ${wrong} is none of ${all.join(', ')}`);
    return chosen as readonly T[];
  };
  const { release = '26.05', plant } = values;
  if (!(RELEASE_NAMES as readonly string[]).includes(release))
    throw new UsageError(`--release: ${release} is none of ${RELEASE_NAMES.join(', ')}`);
  if (plant !== undefined && !['listeners', 'sockets', 'memory'].includes(plant))
    throw new UsageError(`--plant: ${plant} is none of listeners, sockets, memory`);
  return {
    kills: number('kills', 100_000),
    fanOuts: number('fan-outs', 10_000),
    clients: number('clients', 10_000),
    release: release as Release,
    seed: number('seed', Math.floor(Math.random() * 2 ** 32)),
    minutes: number('minutes', 60),
    parts: list('only', PARTS),
    ways: list('ways', WAYS),
    json: values.json,
    plant: plant as SoakOptions['plant'],
  };
}

function parse(args: readonly string[]) {
  const text = { type: 'string' } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        ...{ kills: text, 'fan-outs': text, clients: text, release: text, seed: text, minutes: text },
        ...{ only: text, ways: text, json: text, plant: text },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
