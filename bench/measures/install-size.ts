/** What an installation takes on disk, with all dependencies of this platform, and which package takes how much of it. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { atMost, type BenchContext, type Measure, type Measured, type Row } from '../measure.js';
import { installPackage } from '../package/installed.js';

export const installSize: Measure = { name: 'install-size', title: 'size of an installation', run };

const MB = 1e6;

interface Size {
  /** Of all files. */
  readonly bytes: number;
  /** In whole blocks of this file system, directories too. */
  readonly onDisk: number;
  readonly files: number;
}

async function run({ log }: BenchContext): Promise<Measured> {
  using installed = installPackage();
  const modules = join(installed.directory, 'node_modules');
  const packages = Object.fromEntries(
    packagesIn(modules)
      .map((name) => [name, sizeOf(join(modules, name))] as const)
      .sort(([, a], [, b]) => b.bytes - a.bytes),
  );
  const all = sizeOf(modules);
  const parts = Object.entries(packages).map(([name, { bytes }]) => `${name} ${(bytes / MB).toFixed(2)}`);
  log(`  ${parts.join(', ')}`);
  const row = (on: string, bytes: number, target: Row['target'], note?: string): Row => ({
    what: 'install size',
    ...{ on, unit: 'MB', ours: bytes / MB, peer: null, theirs: null, ratio: null, target, note },
  });
  const own = packages.slurmwire?.bytes ?? Number.NaN;
  const { tarballBytes, unpackedBytes, files } = installed;
  return {
    rows: [
      row('node_modules', all.bytes, atMost(6), `MB of files: ${parts.join(', ')}`),
      row('node_modules, in blocks on disk', all.onDisk, null),
      row('slurmwire alone', own, null),
      row('slurmwire packed', tarballBytes, null),
    ],
    raw: { all, packages, tarballBytes, unpackedBytes, files },
  };
}

function packagesIn(modules: string): string[] {
  return readdirSync(modules)
    .filter((name) => !name.startsWith('.'))
    .flatMap((name) =>
      name.startsWith('@') ? readdirSync(join(modules, name)).map((one) => `${name}/${one}`) : [name],
    );
}

function sizeOf(directory: string): Size {
  const paths = readdirSync(directory, { recursive: true, encoding: 'utf8' });
  const stats = [directory, ...paths.map((path) => join(directory, path))].map((path) => statSync(path));
  const files = stats.filter((stat) => stat.isFile());
  return {
    bytes: files.reduce((sum, { size }) => sum + size, 0),
    onDisk: stats.reduce((sum, { blocks }) => sum + 512 * blocks, 0),
    files: files.length,
  };
}
