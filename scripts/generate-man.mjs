/**
 * Writes man/*.1, and their list in package.json, from the commands of the built program and man/prose. With --check it writes nothing and fails when a checked-in page is not what it
 * would write.
 */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { allPages } from './man-pages.mjs';

const root = new URL('../', import.meta.url);
const directory = new URL('man/', root);
const built = new URL('dist/cli/run.js', root);

/** @type {typeof import('../dist/cli/run.js')} */
const { programOf } = await import(built.href).catch((error) => {
  if (error?.code !== 'ERR_MODULE_NOT_FOUND') throw error;
  console.error('the manual pages are made from the built program: run "npm run build" first');
  process.exit(1);
});

// A world that no command looks at before it runs.
const { stdin, stdout, stderr } = process;
const { signal } = new AbortController();
const io = {
  stdin,
  stdout,
  stderr,
  env: {},
  cwd: '/',
  signal,
  invokedAs: 'slurmwire',
  setExitCode: () => {},
};
const pages = await allPages(programOf(io));
const there = (await readdir(directory)).filter((name) => name.endsWith('.1'));

if (process.argv.includes('--check')) {
  const { man = [] } = JSON.parse(await readFile(new URL('package.json', root), 'utf8'));
  const stale = [];
  for (const [name, text] of pages) {
    const current = await readFile(new URL(name, directory), 'utf8').catch(() => '');
    if (current !== text) stale.push(`man/${name} is not what the command gives`);
    if (!man.includes(`./man/${name}`)) stale.push(`package.json does not list ./man/${name}`);
  }
  for (const name of there) if (!pages.has(name)) stale.push(`man/${name} is of no command`);
  for (const line of stale)
    console.error(`${line}: run "npm run build && npm run generate" and commit the result`);
  process.exitCode = stale.length > 0 ? 1 : 0;
} else {
  await mkdir(directory, { recursive: true });
  for (const name of there) if (!pages.has(name)) await rm(new URL(name, directory));
  for (const [name, text] of pages) await writeFile(new URL(name, directory), text);
  const manifest = JSON.parse(await readFile(new URL('package.json', root), 'utf8'));
  manifest.man = [...pages.keys()].map((name) => `./man/${name}`);
  await writeFile(new URL('package.json', root), `${JSON.stringify(manifest, null, 2)}\n`);
}
