/** The completion scripts, judged by the shells themselves. A shell that is not installed is skipped aloud. */
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { completedCommand } from '../../src/cli/completion/tree.js';
import { programOf } from '../../src/cli/run.js';
import { runCli } from './support/cli-run.js';
import { stillIo } from './support/still-io.js';

const run = promisify(execFile);
const directory = mkdtempSync(join(tmpdir(), 'slurmwire-completion-'));
const scripts = {
  bash: join(directory, 'slurmwire.bash'),
  zsh: join(directory, '_slurmwire'),
  fish: join(directory, 'slurmwire.fish'),
};

function isThere(shell: string): boolean {
  try {
    execFileSync(shell, ['-c', 'true']);
    return true;
  } catch {
    process.stderr.write(`\n*** completion tests of ${shell} SKIPPED: it is not installed\n\n`);
    return false;
  }
}

beforeAll(async () => {
  for (const [shell, path] of Object.entries(scripts)) {
    const { code, stdout, stderr } = await runCli(['completion', shell]);
    expect([code, stderr]).toEqual([0, '']);
    writeFileSync(path, stdout);
  }
  writeFileSync(join(directory, 'some.conf'), '');
});
afterAll(() => rmSync(directory, { recursive: true }));

describe('the tree', () => {
  const program = completedCommand(programOf(stillIo()));

  test('has every command with its options, and knows what stands behind them', () => {
    expect(program.commands.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'cancel',
        'signal',
        'terminate',
        'probe',
        'ping',
        'explain',
        'doctor',
        'completion',
      ]),
    );
    const signal = program.commands.find(({ name }) => name === 'signal');
    const option = (long: string) => signal?.options.find((one) => one.long === long);
    expect(option('--conf')?.value?.values).toEqual({ kind: 'file' });
    expect(option('--color')?.value?.values).toEqual({ kind: 'words', words: ['auto', 'always', 'never'] });
    expect(option('--signal')?.value?.values).toMatchObject({
      kind: 'words',
      words: expect.arrayContaining(['USR1', 'KILL']),
    });
    expect(option('--signal')?.short).toBe('-s');
    expect(option('--direct')?.value).toBeNull();
  });

  test('no description has more than one line, or is empty', () => {
    for (const command of program.commands) {
      for (const { description } of [command, ...command.options]) expect(description).toMatch(/^\S[^\n]*$/);
    }
  });
});

/** The words typed, the last one not finished; what is offered for it. */
const CASES: readonly [typed: readonly string[], offered: readonly string[]][] = [
  [['pro'], ['probe']],
  [
    ['signal', '-s', 'USR'],
    ['USR1', 'USR2'],
  ],
  [['signal', '--via'], ['--via-controller']],
  [
    ['terminate', '--requeued', ''],
    ['end', 'leave'],
  ],
  [['explain', 'susp'], ['suspend']],
  [
    ['completion', ''],
    ['bash', 'fish', 'zsh'],
  ],
  [['doctor', '--conf', 'some'], ['some.conf']],
  [
    ['doctor', '--auth', 'munge'],
    ['munge', 'munge-socket'],
  ],
];

describe.skipIf(!isThere('bash'))('bash', () => {
  async function offered(words: readonly string[]): Promise<string[]> {
    const ask = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _slurmwire; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout } = await run('bash', ['--norc', '-c', ask, 'bash', scripts.bash, 'slurmwire', ...words], {
      cwd: directory,
    });
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .sort();
  }

  test.each(CASES)('%j', async (typed, expected) => {
    expect(await offered(typed)).toEqual(expected);
  });

  test('a value after "=", which bash splits off', async () => {
    expect(await offered(['doctor', '--color', '=', 'al'])).toEqual(['always']);
    expect(await offered(['doctor', '--color', '='])).toEqual(['always', 'auto', 'never']);
  });
});

describe.skipIf(!isThere('fish'))('fish', () => {
  test.each(CASES)('%j', async (typed, expected) => {
    const line = ['slurmwire', ...typed].join(' ');
    const { stdout } = await run(
      'fish',
      ['--no-config', '-c', 'source $argv[1]; complete -C $argv[2]', scripts.fish, line],
      {
        cwd: directory,
      },
    );
    const offered = stdout
      .split('\n')
      .map((one) => one.split('\t')[0])
      .filter((one) => one !== '');
    expect(offered.sort()).toEqual(expected);
  });
});

describe.skipIf(!isThere('zsh'))('zsh', () => {
  /** Types the line into an interactive zsh, TAB included, and tells with which arguments the command was called. */
  async function typed(line: string): Promise<string> {
    const script = `
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z 'PROMPT= RPROMPT=; autoload -Uz compinit; compinit -u -D; source ${scripts.zsh}; cd ${directory}; slurmwire() { print -r -- "ARGS""<$*>" }; print READ""Y'
while zpty -r z out; do [[ $out == *READY* ]] && break; done
zpty -w z $'slurmwire ${line}'
while zpty -r z out; do [[ $out == *'ARGS<'* ]] && break; done
print -r -- $out
zpty -d z
`;
    const { stdout } = await run('zsh', ['-f', '-c', script], { timeout: 15_000 });
    return /ARGS<(.*)>/.exec(stdout)?.[1] ?? stdout;
  }

  test.each([
    ['prob\\t 1', 'probe 1'],
    ['signal --via\\t 1', 'signal --via-controller 1'],
    ['signal -s USR2 --tree-w\\t3 1', 'signal -s USR2 --tree-width=3 1'],
    ['explain susp\\t 1', 'explain suspend 1'],
    ['doctor --color=alw\\t', 'doctor --color=always'],
    ['doctor --conf som\\t', 'doctor --conf some.conf'],
  ])('%j', async (line, expected) => {
    expect((await typed(line)).trim()).toBe(expected);
  });
});
