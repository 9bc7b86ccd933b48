/** How much later a program starts for having imported the package: the time of a process that does, less that of one that is empty. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { atMost, type BenchContext, type Measure, type Measured, type Row } from '../measure.js';
import { installPackage } from '../package/installed.js';
import { moduleGraph } from '../package/module-graph.js';
import { median, type Pairing, playRounds } from '../paired.js';

export const importTime: Measure = {
  name: 'import-time',
  title: 'import time of the installed package',
  run,
};

/** Processes of one turn; its figure is their median. */
const PROCESSES = 15;

const EMPTY = 'an empty process';

async function run({ rounds, isQuick, log }: BenchContext): Promise<Measured> {
  using installed = installPackage();
  const { directory } = installed;
  const dist = join(directory, 'node_modules/slurmwire/dist');
  const graphs = Object.fromEntries(
    Object.entries({
      slurmwire: 'index.js',
      'slurmwire/protocol': 'protocol/index.js',
      'slurmwire/replay': 'replay/index.js',
      'slurmwire/testing': 'testing/index.js',
      'slurmwire --version': 'cli/main.js',
    }).map(([name, entry]) => [name, moduleGraph(join(dist, entry))]),
  );
  const graph = graphs.slurmwire;
  const modules = graph?.files.length ?? 0;
  const builtins = (graph?.foreign ?? []).filter((name) => name.startsWith('node:'));
  const floor = `${modules} empty modules`;
  const programs = {
    [EMPTY]: [program(directory, 'empty.mjs', '')],
    "import('slurmwire')": [program(directory, 'import.mjs', "await import('slurmwire');")],
    "require('slurmwire')": [program(directory, 'require.cjs', "require('slurmwire');")],
    ...Object.fromEntries(
      ['protocol', 'replay', 'testing'].map((part) => [
        `import('slurmwire/${part}')`,
        [program(directory, `${part}.mjs`, `await import('slurmwire/${part}');`)],
      ]),
    ),
    'import and connect()': [
      program(
        directory,
        'connect.mjs',
        "const { connect } = await import('slurmwire');\nawait connect({ controllers: ['127.0.0.1:1'] });",
      ),
    ],
    'slurmwire --version': [join(dist, 'cli/main.js'), '--version'],
    [floor]: [emptyModules(directory, modules)],
    "Node's own modules alone": [
      program(directory, 'builtins.mjs', builtins.map((name) => `import '${name}';`).join('\n')),
    ],
  };
  const turns = Object.fromEntries(
    Object.entries(programs).map(([name, args]) => [
      name,
      () => medianMs(directory, args, isQuick ? 1 : PROCESSES),
    ]),
  );
  log(`  ${Object.keys(turns).length} programs, ${PROCESSES} processes a turn`);
  const pairing = await playRounds(rounds, turns);
  const parts = `${modules} modules of ${Math.round((graph?.bytes ?? 0) / 1000)} kB: as many empty modules cost \
${overEmpty(pairing, floor).toFixed(1)} ms, Node's own modules among them ${overEmpty(pairing, "Node's own modules alone").toFixed(1)} ms; \
the empty process ${pairing.median(EMPTY).toFixed(0)} ms`;
  const rows = Object.keys(programs)
    .filter((name) => name !== EMPTY && name !== floor && !name.startsWith("Node's"))
    .map((name): Row => {
      const isTarget = name === "import('slurmwire')";
      return {
        what: 'import time',
        on: name,
        unit: 'ms',
        ours: overEmpty(pairing, name),
        peer: null,
        theirs: null,
        ratio: null,
        target: isTarget ? atMost(30) : null,
        note: isTarget ? parts : undefined,
      };
    });
  return { rows, raw: { processesPerTurn: PROCESSES, samples: pairing, graphs: sizes(graphs) } };
}

/** Less the empty process of the same round. */
function overEmpty(pairing: Pairing<string>, name: string): number {
  const empty = pairing.samples[EMPTY] ?? [];
  return median((pairing.samples[name] ?? []).map((ms, round) => ms - (empty[round] ?? Number.NaN)));
}

function medianMs(cwd: string, args: readonly string[], times: number): number {
  return median(Array.from({ length: times }, () => processMs(cwd, args)));
}

function processMs(cwd: string, args: readonly string[]): number {
  const began = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, {
    cwd,
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
  });
  const ms = performance.now() - began;
  if (status !== 0) throw new Error(`node ${args.join(' ')}: ${stderr}`);
  return ms;
}

function program(directory: string, name: string, text: string): string {
  const file = join(directory, name);
  writeFileSync(file, `${text}\n`);
  return file;
}

/** What so many modules cost with nothing in them. */
function emptyModules(directory: string, count: number): string {
  const place = join(directory, 'empty-modules');
  mkdirSync(place);
  const names = Array.from({ length: count - 1 }, (_, i) => `m${i}.mjs`);
  for (const name of names) program(place, name, 'export const nothing = 0;');
  return program(place, 'index.mjs', names.map((name) => `import './${name}';`).join('\n'));
}

function sizes(graphs: Record<string, ReturnType<typeof moduleGraph>>) {
  return Object.fromEntries(
    Object.entries(graphs).map(([name, { files, bytes, foreign }]) => [
      name,
      { modules: files.length, bytes, foreign },
    ]),
  );
}
