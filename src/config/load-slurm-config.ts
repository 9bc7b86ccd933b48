import { type FindSlurmConfOptions, findSlurmConf } from './find-slurm-conf.js';
import { interpretNodeLines, interpretNodeParameters } from './node-lines.js';
import { interpretNodeSets } from './node-sets.js';
import { readTextFile } from './read-text-file.js';
import {
  type IncludeReader,
  type ParseSlurmConfOptions,
  parseSlurmConf,
  type SlurmConf,
} from './slurm-conf.js';
import { type InterpretSlurmConfOptions, interpretSlurmConf, type SlurmConfig } from './slurm-config.js';

/** All optional. */
export interface LoadSlurmConfigOptions extends FindSlurmConfOptions, InterpretSlurmConfOptions {}

/**
 * Finds the slurm.conf in use as Slurm's own tools do, reads it with its includes, and looks up its users.
 *
 * @throws SlurmConfigError with one of `ConfigErrorCode`, and with file and line where a line is to blame;
 * SlurmUsageError for an option that cannot be meant. Rejects with `signal.reason` when the signal fires.
 */
export async function loadSlurmConfig(options: LoadSlurmConfigOptions = {}): Promise<SlurmConfig> {
  return slurmConfigOf(await loadSlurmConf(options), options);
}

/**
 * Finds the slurm.conf in use and reads it with its includes, as lines: for who writes another one from it.
 *
 * @throws as {@link loadSlurmConfig}, values of parameters apart.
 */
export async function loadSlurmConf(options: FindSlurmConfOptions = {}): Promise<SlurmConf> {
  const { signal } = options;
  const file = await findSlurmConf(options);
  const text = await readTextFile(file, { what: 'slurm.conf', signal });
  const readInclude: IncludeReader = ({ path, file: by, line }) =>
    readTextFile(path, {
      what: 'the included file',
      namedAt: { file: by, line },
      missingHint: 'Relative names start at the directory of the main slurm.conf.',
      signal,
    });
  return parseSlurmConf(text, { file, readInclude, signal });
}

/** Options of {@link readSlurmConfig}. */
export interface ReadSlurmConfigOptions extends ParseSlurmConfOptions, InterpretSlurmConfOptions {}

/**
 * The configuration in the text of a slurm.conf, wherever it came from.
 *
 * @throws as {@link loadSlurmConfig}.
 */
export async function readSlurmConfig(
  text: string,
  options: ReadSlurmConfigOptions = {},
): Promise<SlurmConfig> {
  return slurmConfigOf(await parseSlurmConf(text, options), options);
}

/**
 * What a slurm.conf means.
 *
 * @throws as {@link loadSlurmConfig}.
 */
export async function slurmConfigOf(
  conf: SlurmConf,
  options: InterpretSlurmConfOptions = {},
): Promise<SlurmConfig> {
  return { ...(await interpretSlurmConf(conf, options)), ...nodesOf(conf) };
}

/** As strict as Slurm, whose clients do not start with a line here that is wrong. */
function nodesOf(conf: SlurmConf): Pick<SlurmConfig, 'nodes' | 'nodeSets' | 'treeWidth'> {
  const { slurmdPort, treeWidth } = interpretNodeParameters(conf);
  const nodes = interpretNodeLines(conf.entries, { slurmdPort });
  const nodeSets = interpretNodeSets(conf.entries, new Set(nodes.map(({ name }) => name)));
  return { nodes, nodeSets, treeWidth: treeWidth ?? undefined };
}
