/**
 * The meaning of a slurm.conf, as far as this library needs it: where the controllers are and how to prove who we are.
 * Parameters, defaults and units are those of Slurm's slurm.conf(5), releases 20.11 to 26.11.
 */
import { isIPv6 } from 'node:net';
import { hostname as systemHostname } from 'node:os';
import { SlurmConfigError, SlurmUsageError } from '../protocol/slurm-error.js';
import { readAuthParameters, type SlurmAuthParameters } from './auth-parameters.js';
import { readClusterParameters, type SlurmClusterParameters } from './cluster-parameters.js';
import { readCommunication, type SlurmCommunication } from './communication.js';
import { badValue, findValue, readNumber, readSeconds, textOf } from './conf-values.js';
import { ConfigErrorCode } from './config-error-code.js';
import { DEFAULT_SLURMCTLD_PORT, isHostName } from './endpoint.js';
import type { ConfNode } from './node-lines.js';
import type { ConfNodeSet } from './node-sets.js';
import { MAX_UID, resolveUser } from './resolve-user.js';
import type { ConfEntry, ConfValue, SlurmConf } from './slurm-conf.js';

/** One slurmctld. An `Endpoint` with a name. */
export interface SlurmController {
  /** Its name in slurm.conf, which messages and people use. */
  readonly name: string;
  /** What to connect to: host name, IPv4 or IPv6 address (without brackets). */
  readonly host: string;
  readonly port: number;
}

/** A user of the cluster. The name is for people, the uid is what counts. */
export interface SlurmUserId {
  /** As slurm.conf has it; digits if it has a number. */
  readonly name: string;
  readonly uid: number;
}

/**
 * What connect() needs to know of a cluster. `loadSlurmConfig()` reads it from slurm.conf; a program that knows these
 * things from elsewhere writes the object itself:
 *
 * ```ts
 * const config: SlurmConfig = {
 *   file: null,
 *   clusterName: null,
 *   controllers: [{ name: 'ctl1', host: '10.0.0.1', port: 6817 }],
 *   slurmUser: { name: 'slurm', uid: 64030 },
 *   slurmdUser: { name: 'root', uid: 0 },
 *   authType: 'auth/munge',
 *   authInfo: { socket: null, ttlSeconds: null },
 *   messageTimeoutMs: 10_000,
 *   tcpTimeoutMs: 2_000,
 * };
 * ```
 */
export interface SlurmConfig extends SlurmAuthParameters, SlurmClusterParameters {
  /** Path of the slurm.conf it came from; `null` if from none. */
  readonly file: string | null;
  /** ClusterName in lower case; `null` if not known (only auth/slurm needs it). */
  readonly clusterName: string | null;
  /** At least one, the primary first, then the backups in order. With SlurmctldAddr: that address alone. */
  readonly controllers: readonly SlurmController[];
  /** SlurmUser, default root: who slurmctld runs as. */
  readonly slurmUser: SlurmUserId;
  /** SlurmdUser, default root: to whom credentials for slurmd may be restricted. */
  readonly slurmdUser: SlurmUserId;
  /** MessageTimeout, default 10,000: how long to wait for a reply. */
  readonly messageTimeoutMs: number;
  /** TCPTimeout, default 2,000: how long to wait for a connection. */
  readonly tcpTimeoutMs: number;
  /** CommunicationParameters; left out where they are not known: then both kinds of addresses are used, IPv4 first. */
  readonly communication?: SlurmCommunication | undefined;
  /**
   * The nodes of the NodeName lines; left out where they are not known: their addresses are then asked of the controller. So are
   * those of nodes that are not in here.
   */
  readonly nodes?: readonly ConfNode[] | undefined;
  /** The NodeSet lines. */
  readonly nodeSets?: readonly ConfNodeSet[] | undefined;
  /** TreeWidth; left out for the default (50, from 23.11 on 16). */
  readonly treeWidth?: number | undefined;
  /**
   * ScronParameters and SchedulerParameters, `''` where the file sets none. Left out where they are not known, which is also so for a file
   * without partitions (a stub for clients): the controller is then asked before the first kill.
   */
  readonly scronParameters?: string | undefined;
  readonly schedulerParameters?: string | undefined;
}

export interface InterpretSlurmConfOptions {
  /** The uid of SlurmUser: nothing is looked up then. */
  readonly slurmUser?: number | undefined;
  /** The uid of SlurmdUser: nothing is looked up then. */
  readonly slurmdUser?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** @internal Milliseconds since the epoch; default the system's clock. */
  readonly now?: (() => number) | undefined;
  /** @internal Default `process.pid`. */
  readonly pid?: number | undefined;
  /** @internal Default the system's. */
  readonly hostname?: string | undefined;
  /** @internal Default `resolveUser`. */
  readonly resolveUser?: typeof resolveUser | undefined;
}

/**
 * The typed configuration in a parsed slurm.conf. A parameter written `Key=""` counts as not given.
 *
 * @throws SlurmConfigError `SLURMWIRE_CONFIG_VALUE`, `SLURMWIRE_CONFIG_NO_CONTROLLER`, `SLURMWIRE_CONFIG_UNKNOWN_USER`;
 * SlurmUsageError `SLURMWIRE_BAD_UID` for a `slurmUser` that is none. Rejects with `signal.reason` when the signal fires.
 */
export async function interpretSlurmConf(
  conf: SlurmConf,
  options: InterpretSlurmConfOptions = {},
): Promise<SlurmConfig> {
  options.signal?.throwIfAborted();
  return {
    file: conf.file,
    clusterName: readClusterName(conf),
    controllers: readControllers(conf, options),
    slurmUser: await readUser(conf, 'SlurmUser', options.slurmUser, options),
    slurmdUser: await readUser(conf, 'SlurmdUser', options.slurmdUser, options),
    ...readAuthParameters(conf),
    messageTimeoutMs: readSeconds(conf, 'MessageTimeout', 10) * 1000,
    tcpTimeoutMs: readSeconds(conf, 'TCPTimeout', 2) * 1000,
    communication: readCommunication(conf),
    ...readClusterParameters(conf),
    ...readKillParameters(conf),
  };
}

/** It is part of file names (sockets, %c of Include). */
function readClusterName(conf: SlurmConf): string | null {
  const found = findValue(conf, 'ClusterName');
  if (found?.value.includes('/')) throw badValue(found, 'Give a name without a slash.');
  return found?.value.toLowerCase() ?? null;
}

/** What a file does not set is unset only in a whole one, which slurmctld can use too: it has partitions. */
function readKillParameters(conf: SlurmConf): Pick<SlurmConfig, 'scronParameters' | 'schedulerParameters'> {
  const isWhole = conf.entries.some(({ key }) => key === 'PartitionName');
  const read = (parameter: string) => textOf(conf, parameter) ?? (isWhole ? '' : undefined);
  return {
    scronParameters: read('ScronParameters'),
    schedulerParameters: read('SchedulerParameters'),
  };
}

// --- controllers ---------------------------------------------------------------------------------------------------

interface NamedHost {
  readonly name: string;
  readonly host: string;
  readonly at: ConfValue | ConfEntry;
}

function readControllers(conf: SlurmConf, options: InterpretSlurmConfOptions): SlurmController[] {
  const lines = conf.entries.filter((entry) => entry.key === 'SlurmctldHost');
  const hosts = lines.length > 0 ? lines.map(readSlurmctldHost) : readOldControllers(conf);
  const port = readSlurmctldPort(conf, options);
  const controllers = hosts.map(({ name, host }) => ({
    name: ownNameForLocalhost(name, options),
    host,
    port,
  }));
  refuseDuplicates(controllers, hosts);

  const virtual = findValue(conf, 'SlurmctldAddr');
  if (virtual !== undefined) {
    const host = checkHost(virtual.value, virtual);
    return [{ name: controllers[0]?.name ?? host, host, port }];
  }
  if (controllers.length > 0) return controllers;
  throw new SlurmConfigError('there is no SlurmctldHost.', {
    code: ConfigErrorCode.NO_CONTROLLER,
    file: conf.file,
    hint: "Add SlurmctldHost=name, or give connect() controllers: ['host:port'].",
  });
}

/** `name` or `name(address)`. */
function readSlurmctldHost(entry: ConfEntry): NamedHost {
  const parts = /^([^()]*)(?:\(([^()]*)\))?$/.exec(entry.value);
  if (parts === null) {
    throw badValue(entry, 'Write SlurmctldHost=name or SlurmctldHost=name(address).');
  }
  const [, name = '', address] = parts;
  checkHost(name, entry);
  return { name, host: address === undefined ? name : checkHost(address, entry), at: entry };
}

/** The form before 18.08, which later releases still take: at most one controller and one backup. */
function readOldControllers(conf: SlurmConf): NamedHost[] {
  const primary = readOldController(conf, 'ControlMachine', 'ControlAddr');
  const backup = readOldController(conf, 'BackupController', 'BackupAddr');
  // A backup of nothing is no controller, for Slurm either.
  if (primary === null) return [];
  return backup === null ? [primary] : [primary, backup];
}

function readOldController(conf: SlurmConf, nameKey: string, addressKey: string): NamedHost | null {
  const name = findValue(conf, nameKey);
  const address = findValue(conf, addressKey);
  if (name === undefined) {
    if (address === undefined) return null;
    throw badValue(address, `${addressKey} needs a ${nameKey}.`);
  }
  if (address !== undefined) return { name: name.value, host: checkHost(address.value, address), at: name };
  // ControlMachine may be a list of the hosts that share one address; without that address none can be chosen.
  const several = /[,[]/.test(name.value);
  if (several) throw badValue(name, `Several names need one address: add ${addressKey}.`);
  return { name: name.value, host: checkHost(name.value, name), at: name };
}

/** As Slurm does: `localhost` in the file is the name of the host that reads it. What is connected to stays `localhost`. */
function ownNameForLocalhost(name: string, options: InterpretSlurmConfOptions): string {
  if (name.toLowerCase() !== 'localhost') return name;
  const [shortName] = (options.hostname ?? systemHostname()).split('.');
  return shortName || name;
}

function refuseDuplicates(controllers: readonly SlurmController[], hosts: readonly NamedHost[]): void {
  const seen = new Set<string>();
  for (const [index, { name }] of controllers.entries()) {
    const at = hosts[index]?.at;
    if (seen.has(name) && at !== undefined)
      throw badValue(at, `The controller ${name} is there twice: remove one.`);
    seen.add(name);
  }
}

/** A port, or a range from which one is picked as Slurm's clients do: first + ((time + pid) mod count). */
function readSlurmctldPort(conf: SlurmConf, options: InterpretSlurmConfOptions): number {
  const found = findValue(conf, 'SlurmctldPort');
  if (found === undefined) return DEFAULT_SLURMCTLD_PORT;
  const [from = '', to = from, ...more] = found.value.split('-');
  const first = readNumber(from);
  const last = readNumber(to);
  const isRange = first !== undefined && last !== undefined && more.length === 0;
  if (!isRange || first < 1 || last < first || last > 65_535) {
    throw badValue(found, 'Give a port from 1 to 65535, or a range such as 6817-6820.');
  }
  const seconds = Math.floor((options.now ?? Date.now)() / 1000);
  return first + ((seconds + (options.pid ?? process.pid)) % (last - first + 1));
}

function checkHost(host: string, at: ConfValue | ConfEntry): string {
  if (isHostName(host) || isIPv6(host)) return host;
  throw badValue(at, 'Give one host name or address.');
}

// --- users -------------------------------------------------------------------------------------

async function readUser(
  conf: SlurmConf,
  parameter: 'SlurmUser' | 'SlurmdUser',
  givenUid: number | undefined,
  options: InterpretSlurmConfOptions,
): Promise<SlurmUserId> {
  const found = findValue(conf, parameter);
  if (givenUid !== undefined) {
    return { name: found?.value ?? String(givenUid), uid: checkGivenUid(parameter, givenUid) };
  }
  if (found === undefined) return { name: 'root', uid: 0 };
  const { value: name, file, line } = found;
  const { signal } = options;
  return { name, uid: await (options.resolveUser ?? resolveUser)(name, { parameter, file, line, signal }) };
}

function checkGivenUid(parameter: 'SlurmUser' | 'SlurmdUser', uid: number): number {
  if (Number.isInteger(uid) && uid >= 0 && uid <= MAX_UID) return uid;
  const field = parameter === 'SlurmUser' ? 'slurmUser' : 'slurmdUser';
  throw new SlurmUsageError(`${field} is not a uid.`, {
    code: 'SLURMWIRE_BAD_UID',
    field,
    value: uid,
    hint: `Give a whole number from 0 to ${MAX_UID}.`,
  });
}
