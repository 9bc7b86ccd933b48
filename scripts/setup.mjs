/**
 * Installs the packages of package-lock.json where they are not there yet, so that every npm script of this project works on a
 * fresh clone. Does nothing, in a few milliseconds, where they are.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`slurmwire needs Node.js 20.19 or newer, this is ${process.versions.node}`);
  process.exit(1);
}
if (!isInstalled()) {
  console.log('Installing packages (npm install) ...');
  // Not npm ci: that refuses a lock file without the optional packages of other platforms, and some registries do not carry all of
  // those. The versions are the lock file's all the same, and --no-save leaves it alone.
  const { status } = spawnSync(
    'npm',
    ['install', '--no-save', '--no-audit', '--no-fund', '--ignore-scripts'],
    {
      cwd: root,
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  if (status !== 0) process.exit(status ?? 1);
}

/** npm writes what it installed into node_modules/.package-lock.json: the same packages as the lock file's, less its root. */
function isInstalled() {
  const installed = `${root}node_modules/.package-lock.json`;
  if (!existsSync(installed)) return false;
  const wanted = JSON.parse(readFileSync(`${root}package-lock.json`, 'utf8')).packages;
  const there = JSON.parse(readFileSync(installed, 'utf8')).packages;
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '' || entry.optional) return true;
    return there[path]?.integrity === entry.integrity;
  });
}
