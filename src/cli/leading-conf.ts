/** A slurm.conf that leads clients somewhere else than the one it is made from: to recording proxies, or to a player. */
import { chmod, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { ConfEntry, ConfPair, SlurmConf, SlurmConfig } from '../config/index.js';
import { expandHostlist } from '../config/index.js';
import { SlurmUsageError } from '../protocol/slurm-error.js';
import type { Endpoint } from '../protocol/transport.js';

/** Where clients are led. */
export interface Leading {
  /** In place of the controllers, in their order, all on one port. */
  readonly controllers: readonly Endpoint[];
  /** In place of nodes, by their names. The others stay where they are. */
  readonly nodes?: ReadonlyMap<string, Endpoint> | undefined;
  /** Further parameters, which stand for those of the file. */
  readonly parameters?: Readonly<Record<string, string>> | undefined;
}

/** A directory with such a file. */
export interface LeadingConf {
  /** Path of the slurm.conf: what to set SLURM_CONF to. */
  readonly path: string;
  remove(): Promise<void>;
}

/** Makes a directory with the file, readable by all if the original is, and beside it links to what stands beside the original. */
export async function writeLeadingConf(
  conf: SlurmConf | null,
  config: Pick<SlurmConfig, 'controllers' | 'nodes'>,
  leading: Leading,
): Promise<LeadingConf> {
  const directory = await mkdtemp(join(tmpdir(), 'slurmwire-conf-')).catch((cause: NodeJS.ErrnoException) => {
    throw new SlurmUsageError(`No slurm.conf can be written in ${tmpdir()}: ${cause.code}.`, {
      code: 'SLURMWIRE_BAD_FILE',
      errno: cause.code ?? 'EIO',
      field: 'TMPDIR',
      value: tmpdir(),
      hint: 'Set TMPDIR to a directory that can be written to.',
      cause,
    });
  });
  const remove = () => rm(directory, { recursive: true, force: true });
  try {
    await chmod(directory, 0o755);
    // Slurm looks for its other files (topology.conf, plugstack.conf …) beside slurm.conf.
    if (conf !== null) await linkNeighbours(conf.file, directory);
    const path = join(directory, 'slurm.conf');
    await writeFile(path, leadingText(conf, config, leading), { mode: 0o600 });
    await chmod(path, conf === null ? 0o644 : await modeFor(conf));
    return { path, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** For all where all the files that it was put together from are; an included one may be closed, for it has a password in it. */
async function modeFor({ file, values, entries }: SlurmConf): Promise<number> {
  const files = new Set([file, ...[...values.values(), ...entries].map((item) => item.file)]);
  const modes = await Promise.all([...files].map(async (one) => (await stat(one)).mode));
  return modes.every((mode) => (mode & 0o004) !== 0) ? 0o644 : 0o600;
}

async function linkNeighbours(file: string, directory: string): Promise<void> {
  const own = basename(file);
  for (const name of await readdir(dirname(file)).catch(() => [])) {
    if (name === own || name === 'slurm.conf') continue;
    await symlink(join(dirname(file), name), join(directory, name));
  }
}

/** Parameters that say where controllers are, in today's form and the old ones. */
const WHERE = new Set([
  'controlmachine',
  'controladdr',
  'backupcontroller',
  'backupaddr',
  'slurmctldaddr',
  'slurmctldport',
]);

/** The text of the file; includes are written out. */
export function leadingText(
  conf: SlurmConf | null,
  { controllers: originals, nodes: known = [] }: Pick<SlurmConfig, 'controllers' | 'nodes'>,
  { controllers, nodes = new Map(), parameters = {} }: Leading,
): string {
  const ours = new Set(Object.keys(parameters).map((key) => key.toLowerCase()));
  const lines = ['# Written by slurmwire for one command.'];
  for (const [key, pair] of conf?.values ?? []) {
    if (!WHERE.has(key) && !ours.has(key)) lines.push(written(pair));
  }
  for (const [key, value] of Object.entries(parameters)) lines.push(written({ key, operator: '', value }));
  for (const [index, { host }] of controllers.entries()) {
    lines.push(`SlurmctldHost=${originals[index]?.name ?? `controller${index + 1}`}(${host})`);
  }
  lines.push(`SlurmctldPort=${controllers[0]?.port ?? 6817}`);
  const byName = new Map(known.map((node) => [node.name, node]));
  for (const entry of conf?.entries ?? []) {
    if (entry.key === 'SlurmctldHost') continue;
    const names =
      entry.key === 'NodeName' && nodes.size > 0 && !/^default$/i.test(entry.value)
        ? expandHostlist(entry.value)
        : [];
    if (names.every((name) => !nodes.has(name))) lines.push(line(entry));
    else {
      for (const name of names) {
        const { hostname = name, address = name, port = 6818 } = byName.get(name) ?? {};
        const at = nodes.get(name) ?? { host: address, port };
        lines.push(nodeLine(entry, name, hostname, at));
      }
    }
  }
  return `${lines.join('\n')}\n`;
}

const PLACE = /^(nodehostname|nodeaddr|bcastaddr|port)$/i;

function nodeLine(
  { pairs, ...entry }: ConfEntry,
  name: string,
  hostname: string,
  { host, port }: Endpoint,
): string {
  const place = { NodeHostname: hostname, NodeAddr: host, Port: String(port) };
  const own = Object.entries(place).map(([key, value]): ConfPair => ({ key, operator: '', value }));
  return line({ ...entry, value: name, pairs: [...own, ...pairs.filter(({ key }) => !PLACE.test(key))] });
}

function line({ key, value, pairs }: ConfEntry): string {
  return [{ key, operator: '' as const, value }, ...pairs].map(written).join(' ');
}

/** As Slurm reads it: a backslash keeps what follows it, blanks need quotes. */
function written({ key, operator, value }: ConfPair): string {
  const text = value.replace(/[\\#]/g, '\\$&');
  return `${key}${operator}=${text === '' || /\s/.test(text) ? `"${text}"` : text}`;
}
