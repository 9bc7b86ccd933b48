/** The manual pages: as the commands are, and as man takes them. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { proseToMan } from '../../scripts/man-page.mjs';
import { allPages } from '../../scripts/man-pages.mjs';
import { programOf } from '../../src/cli/run.js';
import { stillIo } from './support/still-io.js';

const directory = new URL('../../man/', import.meta.url);
const files = readdirSync(directory).filter((name) => name.endsWith('.1'));
const program = programOf(stillIo());

function hasGroff(): boolean {
  try {
    execFileSync('groff', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    process.stderr.write('\n*** groff tests of the manual pages SKIPPED: it is not installed\n\n');
    return false;
  }
}

test('there is one for each command, committed as the command gives it (npm run build && npm run generate)', async () => {
  const pages = await allPages(program);
  expect([...pages.keys()].sort()).toEqual([...files].sort());
  expect(pages.size).toBe(1 + program.commands.length);
  for (const [name, text] of pages) expect(readFileSync(new URL(name, directory), 'utf8'), name).toBe(text);
});

test('package.json lists them all', () => {
  const { man } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  expect([...man].sort()).toEqual(files.map((name) => `./man/${name}`).sort());
});

test('every option of a command is in its page', () => {
  for (const command of program.commands) {
    const page = readFileSync(new URL(`slurmwire-${command.name()}.1`, directory), 'utf8').replaceAll(
      '\\-',
      '-',
    );
    for (const { long } of command.createHelp().visibleOptions(command)) expect(page).toContain(long);
  }
});

describe.skipIf(!hasGroff())('groff', () => {
  test.each(files)('%s has nothing it warns of', (name) => {
    const path = fileURLToPath(new URL(name, directory));
    const { stdout, stderr } = spawnSync('groff', ['-man', '-ww', '-Tascii', '-P-cbu', path], {
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    expect(stdout).toContain('SYNOPSIS');
  });

  test('what roff would act on is shown as it stands', () => {
    const lines = [
      '.TH X 1',
      ...proseToMan('# A "title"\n.not a macro\n\'nor this -- \\fB ^~`b-c`\n- t: x\n\n    .so /etc/passwd\n'),
    ];
    const { stdout, stderr } = spawnSync('groff', ['-man', '-ww', '-Tascii', '-P-cbu'], {
      input: `${lines.join('\n')}\n`,
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    for (const shown of ['A "TITLE"', ".not a macro 'nor this -- \\fB ^~b-c", '.so /etc/passwd'])
      expect(stdout).toContain(shown);
  });
});
