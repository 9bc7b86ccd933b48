/** The package as users get it: packed, and installed into an empty project with all it depends on. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

export interface InstalledPackage extends Disposable {
  /** The empty project; its `node_modules` has the package. */
  readonly directory: string;
  /** Of the file that `npm pack` made. */
  readonly tarballBytes: number;
  /** Of what is in it. */
  readonly unpackedBytes: number;
  readonly files: number;
}

/** Builds, packs and installs. Dependencies come from npm's cache where they are in it. */
export function installPackage(): InstalledPackage {
  const directory = mkdtempSync(join(tmpdir(), 'slurmwire-bench-'));
  const remove = () => rmSync(directory, { recursive: true, force: true });
  try {
    npm(ROOT, 'run', '--silent', 'build');
    const packed = JSON.parse(npm(ROOT, 'pack', '--json', '--pack-destination', directory));
    const [{ filename, size, unpackedSize, entryCount }] = packed;
    writeFileSync(join(directory, 'package.json'), '{ "private": true }\n');
    npm(directory, 'install', '--prefer-offline', '--no-audit', '--no-fund', `./${filename}`);
    return {
      directory,
      tarballBytes: size,
      unpackedBytes: unpackedSize,
      files: entryCount,
      [Symbol.dispose]: remove,
    };
  } catch (error) {
    remove();
    throw error;
  }
}

function npm(cwd: string, ...args: string[]): string {
  // What npm says goes to stderr, of which only the end of a failure is shown.
  return execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
