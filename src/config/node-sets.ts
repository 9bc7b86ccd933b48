/**
 * NodeSet lines of a slurm.conf: names that partitions use for groups of nodes.
 *
 * Source: `_parse_nodeset()` in `src/common/read_config.c` upstream, 20.11 to 26.05. Lists that come from the daemons name nodes only; so
 * nothing here is expanded.
 */
import { badValue } from './conf-values.js';
import type { ConfEntry } from './slurm-conf.js';

export interface ConfNodeSet {
  readonly name: string;
  /** Feature: the nodes that have it; `null` where the line has none. */
  readonly feature: string | null;
  /** Nodes: a hostlist expression, as written; `null` where the line has none. */
  readonly nodes: string | null;
}

/**
 * The node sets in the order of the file.
 *
 * @param nodeNames names of the nodes, which a set may not have (as `_validate_conf_nodeset_vs_nodenames()` upstream).
 * @throws SlurmConfigError `SLURMWIRE_CONFIG_VALUE`
 */
export function interpretNodeSets(
  entries: readonly ConfEntry[],
  nodeNames: ReadonlySet<string> = new Set(),
): ConfNodeSet[] {
  return entries
    .filter(({ key }) => key === 'NodeSet')
    .map((entry) => {
      const { value: name, pairs } = entry;
      if (name === '' || /[\s,[\]]/.test(name)) throw badValue(entry, 'Give the node set one name.');
      if (nodeNames.has(name)) throw badValue(entry, 'A node has this name: give the node set another one.');
      const last = (key: string) =>
        pairs.findLast((pair) => pair.key.toLowerCase() === key && pair.value !== '')?.value ?? null;
      return { name, feature: last('feature'), nodes: last('nodes') };
    });
}
