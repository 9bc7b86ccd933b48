/**
 * Searches files for secrets that still work (`secrets.mjs`); without paths what is, or would be, in git, and dist. Fails where one is found, and
 * says where without showing it.
 *
 * usage: node scripts/scan-secrets.mjs [--key FILE] [--canary TEXT] [--output] [--package] [PATH …]
 *
 * --package  the package as it would be published
 * --output   what a test run wrote: the tests' own credentials and passwords are looked for as well
 * --key      a key whose content must be nowhere; those of this machine's munged and Slurm, where they can be read, are looked for anyway
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { findSecrets, showSecret, TEST_CANARIES } from './secrets.mjs';

const root = fileURLToPath(new URL('../', import.meta.url));
const KEY_FILES = ['/etc/munge/munge.key', '/etc/slurm/slurm.key', '/etc/slurm/jwt_hs256.key'];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    key: { type: 'string', multiple: true, default: [] },
    canary: { type: 'string', multiple: true, default: [] },
    output: { type: 'boolean', default: false },
    package: { type: 'boolean', default: false },
  },
});
const keys = [...KEY_FILES.flatMap(readable), ...values.key.map((path) => readFileSync(path))];
const canaries = [...values.canary, ...(values.output ? TEST_CANARIES : [])];

let bytes = 0;
let files = 0;
const scratch = mkdtempSync(join(tmpdir(), 'slurmwire-scan-'));
try {
  const given = [...positionals.flatMap(filesIn), ...(values.package ? packed() : [])];
  const paths = given.length > 0 ? given : [...tracked(), ...filesIn(join(root, 'dist'))];
  for (const path of paths) {
    const content = readFileSync(path);
    files += 1;
    bytes += content.length;
    for (const secret of findSecrets(content, { keys, canaries })) {
      console.error(`${relative(root, path)}: ${showSecret(secret)}`);
      process.exitCode = 1;
    }
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
console.log(
  `${process.exitCode ? 'secrets found' : 'no secret'} in ${files} files (${(bytes / 1e6).toFixed(1)} MB; ${keys.length} keys and ${canaries.length} canaries looked for)`,
);

/** @param {string} path */
function readable(path) {
  try {
    return [readFileSync(path)];
  } catch {
    return []; // no such key here, or not for us: then it is in nothing that we wrote
  }
}

/**
 * @param {string} path
 * @returns {string[]}
 */
function filesIn(path) {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

function tracked() {
  const list = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
  });
  return list
    .toString()
    .split('\0')
    .filter((path) => path !== '' && statSync(join(root, path), { throwIfNoEntry: false })?.isFile())
    .map((path) => join(root, path));
}

/** The tarball: what is in it is what strangers get. */
function packed() {
  execFileSync('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', scratch], { cwd: root });
  return filesIn(scratch);
}
