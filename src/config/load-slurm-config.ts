import { isSlurmError } from '../protocol/slurm-error.js';
import { type FindSlurmConfOptions, findSlurmConf } from './find-slurm-conf.js';
import { interpretNodeLines, interpretNodeParameters } from './node-lines.js';
import { readTextFile } from './read-text-file.js';
import { parseSlurmConf, type SlurmConf } from './slurm-conf.js';
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
  const { signal } = options;
  const file = await findSlurmConf(options);
  const text = await readTextFile(file, { what: 'slurm.conf', signal });
  const conf = await parseSlurmConf(text, {
    file,
    readInclude: ({ path, ...namedAt }) =>
      readTextFile(path, {
        what: 'the included file',
        namedAt,
        missingHint: 'Relative names start at the directory of the main slurm.conf.',
        signal,
      }),
    signal,
  });
  return { ...(await interpretSlurmConf(conf, options)), ...nodesOf(conf) };
}

/**
 * What the file says of the nodes. A line that cannot be understood is no reason to refuse a kill that needs no node's address: the
 * controller knows the addresses too.
 */
function nodesOf(conf: SlurmConf): Pick<SlurmConfig, 'nodes' | 'treeWidth'> {
  try {
    const { slurmdPort, treeWidth } = interpretNodeParameters(conf);
    return { nodes: interpretNodeLines(conf.entries, { slurmdPort }), treeWidth: treeWidth ?? undefined };
  } catch (error) {
    if (isSlurmError(error)) return {};
    throw error;
  }
}
