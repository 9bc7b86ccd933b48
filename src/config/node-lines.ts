/**
 * NodeName lines of a slurm.conf: which nodes there are and where their slurmd listens.
 *
 * Source of the facts: slurm.conf(5); `_parse_nodename()` in `src/common/read_config.c` and `expand_nodeline_info()` in
 * `src/common/node_conf.c` upstream, 20.11 to 26.11. The counts are those of the newer releases: up to 24.05, one built
 * without support for several slurmd on a host wants at least as many addresses as nodes, and ignores what is over.
 */
import { isSlurmError, SlurmConfigError, showValue } from '../protocol/slurm-error.js';
import { ConfigErrorCode } from './config-error-code.js';
import { expandHostlist, MAX_HOSTS } from './hostlist.js';
import type { ConfEntry, ConfValue, SlurmConf } from './slurm-conf.js';

/** SlurmdPort where nobody says otherwise. */
export const DEFAULT_SLURMD_PORT = 6818;

/** One node of the file. Dynamic nodes are in none. */
export interface ConfNode {
  readonly name: string;
  /** NodeHostname, default the name. */
  readonly hostname: string;
  /** What to connect to: NodeAddr, default the hostname. See {@link hasStaticAddress}. */
  readonly address: string;
  readonly port: number;
  /** State in upper case, as the line or DEFAULT has it; `null` if neither does. Not checked: releases differ. */
  readonly state: string | null;
}

export interface InterpretNodeLinesOptions {
  /** Port of a node without Port. Default {@link DEFAULT_SLURMD_PORT}; {@link interpretNodeParameters} knows the file's. */
  readonly slurmdPort?: number | undefined;
  /** More nodes than this in all lines are an error. Default {@link MAX_HOSTS}, Slurm's own limit. */
  readonly maxNodes?: number | undefined;
}

/**
 * The nodes of all NodeName lines, in the order of the file. Entries of other keys are passed over.
 *
 * @throws SlurmConfigError `SLURMWIRE_CONFIG_VALUE` with file and line: a value that is no hostlist (the reason is in
 * `cause`), counts that do not fit, a port that is none, a node defined twice, too many nodes.
 */
export function interpretNodeLines(
  entries: readonly ConfEntry[],
  options: InterpretNodeLinesOptions = {},
): ConfNode[] {
  const { slurmdPort = DEFAULT_SLURMD_PORT, maxNodes = MAX_HOSTS } = options;
  const nodes = new Map<string, ConfNode>();
  let defaults: NodeDefaults = {};
  for (const entry of entries) {
    if (entry.key !== 'NodeName') continue;
    const word = entry.value.toUpperCase();
    if (word === 'ALL') throw badValue(entry, entry, 'ALL is reserved: give the nodes another name.');
    if (word === 'DEFAULT') {
      refuseInDefault(entry);
      // Only what this line names is replaced; and of that only what is asked for is kept.
      const own = valuesOf(entry);
      defaults = {
        port: own.get('port') ?? defaults.port,
        state: own.get('state') ?? defaults.state,
      };
      continue;
    }
    for (const node of nodesOfLine(entry, { defaults, slurmdPort, room: maxNodes - nodes.size, maxNodes })) {
      if (nodes.has(node.name))
        throw badValue(entry, entry, `The node ${node.name} is there twice: remove one.`);
      nodes.set(node.name, node);
    }
  }
  return [...nodes.values()];
}

/**
 * False for a node whose address in the file is only a placeholder: State=CLOUD or FUTURE. Ask slurmctld for it, unless
 * SlurmctldParameters has `cloud_dns`.
 */
export function hasStaticAddress({ state }: ConfNode): boolean {
  // As state_str2int() does: any word that begins with CLOUD, FUTURE only whole.
  return state === null || !(state.startsWith('CLOUD') || state === 'FUTURE');
}

/** Parameters of the whole cluster that say how nodes are reached. */
export interface NodeParameters {
  /** SlurmdPort, default {@link DEFAULT_SLURMD_PORT}. */
  readonly slurmdPort: number;
  /** TreeWidth; `null` if the file has none: the default depends on the release (50, from 23.11 on 16). */
  readonly treeWidth: number | null;
}

/** @throws SlurmConfigError `SLURMWIRE_CONFIG_VALUE` */
export function interpretNodeParameters(conf: SlurmConf): NodeParameters {
  return {
    slurmdPort: readNumber(conf, 'SlurmdPort', 65_535) ?? DEFAULT_SLURMD_PORT,
    treeWidth: readTreeWidth(conf),
  };
}

// --- one line ------------------------------------------------------------------------------------------------------

/** Parameters of a line that list as many things as it has nodes. */
type ListKey = 'NodeHostname' | 'NodeAddr' | 'BcastAddr' | 'Port';

/** What lines with NodeName=DEFAULT said so far. */
interface NodeDefaults {
  readonly port?: string | undefined;
  readonly state?: string | undefined;
}

interface LineContext {
  readonly defaults: NodeDefaults;
  readonly slurmdPort: number;
  /** Nodes that may still come. */
  readonly room: number;
  readonly maxNodes: number;
}

function nodesOfLine(entry: ConfEntry, { defaults, slurmdPort, room, maxNodes }: LineContext): ConfNode[] {
  const own = valuesOf(entry);
  const names = expand(entry, entry, maxNodes);
  if (names.length > room) {
    throw badValue(entry, entry, `With this line there are more than ${maxNodes} nodes.`);
  }
  if (names.length === 0) throw badValue(entry, entry, 'Name at least one node.');

  const listOf = (key: ListKey, value: string | undefined) =>
    value === undefined ? undefined : expandFor(entry, { key, value }, names.length);
  const hostnames = listOf('NodeHostname', own.get('nodehostname')) ?? names;
  const addresses = listOf('NodeAddr', own.get('nodeaddr')) ?? hostnames;
  // Only sbcast goes there. What is wrong with it is wrong for Slurm all the same.
  listOf('BcastAddr', own.get('bcastaddr'));
  const port = own.get('port') ?? defaults.port;
  const ports = listOf('Port', port)?.map((text) => readPort(entry, text, port ?? text)) ?? [slurmdPort];
  const state = own.get('state') ?? defaults.state;

  return names.map((name, index) => {
    const hostname = elementFor(hostnames, index);
    const address = elementFor(addresses, index);
    return { name, hostname, address, port: elementFor(ports, index), state: state?.toUpperCase() ?? null };
  });
}

/** Element i belongs to node i; a single one belongs to all. */
function elementFor<T>(list: readonly T[], index: number): T {
  return list[list.length === 1 ? 0 : index] as T;
}

/** The list in a parameter: one element, or as many as there are nodes. */
function expandFor(entry: ConfEntry, parameter: Parameter, nodes: number): string[] {
  const { key, value } = parameter;
  // A range or list of ports may stand without its brackets.
  const bare = key === 'Port' && !value.startsWith('[') && /[-,]/.test(value);
  const list = expand(entry, { key, value: bare ? `[${value}]` : value }, MAX_HOSTS);
  if (list.length === 1 || list.length === nodes) return list;
  throw badValue(
    entry,
    parameter,
    `It has ${list.length} elements for ${nodes} ${nodes === 1 ? 'node' : 'nodes'}: give one for all, or one for each.`,
  );
}

function expand(entry: ConfEntry, parameter: Parameter, maxHosts: number): string[] {
  const { key, value } = parameter;
  try {
    return expandHostlist(value, { maxHosts, field: key });
  } catch (cause) {
    if (!isSlurmError(cause)) throw cause;
    throw badValue(entry, parameter, cause.summary, cause);
  }
}

function readPort(entry: ConfEntry, text: string, value: string): number {
  const port = /^[0-9]+$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= 65_535) return port;
  throw badValue(entry, { key: 'Port', value }, 'Give ports from 1 to 65535.');
}

/** Slurm does not take these in a DEFAULT line; the hardware is what DEFAULT is for, and Port and State. */
function refuseInDefault(entry: ConfEntry): void {
  for (const pair of entry.pairs) {
    if (/^(nodehostname|nodeaddr|bcastaddr)$/i.test(pair.key)) {
      throw badValue(entry, pair, `${pair.key} cannot stand in a line with NodeName=DEFAULT.`);
    }
  }
}

/** Key in lower case → last value. `Key=""` counts as not given. */
function valuesOf(entry: ConfEntry): Map<string, string> {
  return new Map(
    entry.pairs.filter(({ value }) => value !== '').map(({ key, value }) => [key.toLowerCase(), value]),
  );
}

// --- parameters of the cluster -------------------------------------------------------------------------------------

/** The largest that slurm.conf(5) allows; what is above are sentinels of a u16. */
const MAX_TREE_WIDTH = 65_533;

/** Slurm logs an error for 0 and goes on with the default, so this does too. */
function readTreeWidth(conf: SlurmConf): number | null {
  const value = conf.values.get('treewidth')?.value ?? '';
  if (/^(0+|0x0+)$/i.test(value)) return null;
  if (/^(infinite|unlimited)$/i.test(value)) return MAX_TREE_WIDTH;
  return readNumber(conf, 'TreeWidth', MAX_TREE_WIDTH);
}

/** Decimal or `0x`, from 1 to `max`; `null` if it is not there. */
function readNumber(conf: SlurmConf, parameter: string, max: number): number | null {
  const found = conf.values.get(parameter.toLowerCase());
  if (found === undefined || found.value === '') return null;
  const number = /^([0-9]{1,15}|0x[0-9a-f]{1,12})$/i.test(found.value) ? Number(found.value) : 0;
  if (number >= 1 && number <= max) return number;
  throw badValue(found, found, `Give a number from 1 to ${max}.`);
}

// --- errors --------------------------------------------------------------------------------------------------------

interface Parameter {
  readonly key: string;
  readonly value: string;
}

function badValue(
  at: ConfEntry | ConfValue,
  { key, value }: Parameter,
  hint: string,
  cause?: unknown,
): SlurmConfigError {
  return new SlurmConfigError(`${key}=${showValue(value)} is not usable.`, {
    code: ConfigErrorCode.VALUE,
    file: at.file,
    line: at.line,
    hint,
    cause,
  });
}
