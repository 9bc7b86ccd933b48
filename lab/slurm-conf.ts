/** One node of the cluster: its name in Slurm and the port its slurmd listens on. */
export interface LabNode {
  readonly name: string;
  readonly port: number;
  /** Its slurmd registers by itself (`slurmd -Z`); slurm.conf does not name it. */
  readonly dynamic?: boolean;
}

/** An account inside the cluster. */
export interface LabAccount {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** The host name every process of the cluster sees (its own UTS namespace). */
export const labHostName = 'lab';

/** The host name and address of the second slurmctld. */
export const backupHost = { name: 'lab2', address: '127.0.0.2' };

/** The ordinary users that exist inside the cluster only. */
export const ordinaryUsers: readonly LabAccount[] = [
  { name: 'alice', uid: 2001, gid: 2001 },
  { name: 'bob', uid: 2002, gid: 2002 },
];

/** CommunicationParameters without which every daemon listens on all interfaces. */
export const onOneAddress = 'NoInAddrAny,NoCtldInAddrAny';

/** What slurm.conf depends on. */
export interface SlurmConfInput {
  readonly controllerPort: number;
  readonly nodes: readonly LabNode[];
  readonly mungeSocket: string;
  /** Who slurmctld runs as, a name or a uid. */
  readonly slurmUser: string;
  readonly stateDirectory: string;
  readonly spoolDirectory: string;
  readonly logDirectory: string;
  readonly runDirectory: string;
  /** Whether there is a second slurmctld. */
  readonly backup: boolean;
  /** Where the daemons listen. */
  readonly address: string;
  /** Parameters set on top of the lab's own, `{ MessageTimeout: '3' }`. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** The text of slurm.conf. */
export function slurmConf(input: SlurmConfInput): string {
  const parameters: Record<string, string> = {
    ClusterName: 'lab',
    SlurmctldHost: `${labHostName}(${input.address})`,
    SlurmctldPort: String(input.controllerPort),
    CommunicationParameters: onOneAddress,
    AuthType: 'auth/munge',
    AuthInfo: `socket=${input.mungeSocket}`,
    CredType: 'cred/munge',
    // Not root: a client must not be able to take one for the other.
    SlurmUser: input.slurmUser,
    SlurmdUser: 'root',
    StateSaveLocation: input.stateDirectory,
    SlurmdSpoolDir: `${input.spoolDirectory}/%n`,
    SlurmctldPidFile: `${input.runDirectory}/slurmctld.pid`,
    SlurmdPidFile: `${input.runDirectory}/%n.pid`,
    // Files, though all run in the foreground: stderr has no times, and a slurmstepd has no stderr.
    SlurmctldLogFile: `${input.logDirectory}/slurmctld.log`,
    SlurmdLogFile: `${input.logDirectory}/%n.log`,
    SlurmctldDebug: 'verbose',
    SlurmdDebug: 'verbose',
    SlurmctldSyslogDebug: 'quiet',
    SlurmdSyslogDebug: 'quiet',
    ProctrackType: 'proctrack/linuxproc',
    TaskPlugin: 'task/none',
    SwitchType: 'switch/none',
    MpiDefault: 'none',
    JobAcctGatherType: 'jobacct_gather/none',
    AccountingStorageType: 'accounting_storage/none',
    SelectType: 'select/cons_tres',
    SelectTypeParameters: 'CR_CPU',
    // Nodes claim more than the machine has, so that some dozen small jobs run at once.
    SlurmdParameters: 'config_overrides',
    ReturnToService: '2',
    // From SIGTERM to SIGKILL of a job; the default of 30 s would be waited out by every test that stops one.
    KillWait: '3',
    // Otherwise a job waits up to 3 s for others to be started together with it.
    SchedulerParameters: 'batch_sched_delay=0',
    MailProg: '/bin/true',
    // The limits of whoever runs the tests are none of the jobs' business.
    PropagateResourceLimits: 'NONE',
    ...(input.nodes.some(({ dynamic }) => dynamic) ? { MaxNodeCount: String(input.nodes.length) } : {}),
    ...input.parameters,
  };
  const fixed = input.nodes.filter(({ dynamic }) => !dynamic);
  const nodes = fixed.map(
    ({ name, port }) =>
      `NodeName=${name} NodeHostname=${labHostName} NodeAddr=${input.address} Port=${port} CPUs=16 RealMemory=16000 State=UNKNOWN`,
  );
  // ALL has the dynamic ones too.
  const names = fixed.length < input.nodes.length ? 'ALL' : fixed.map(({ name }) => name).join(',');
  const partition = `PartitionName=main Nodes=${names} Default=YES MaxTime=INFINITE State=UP`;
  const lines = Object.entries(parameters).map(([key, value]) => `${key}=${value}`);
  // The second of its name: the order is that of the controllers.
  if (input.backup) lines.push(`SlurmctldHost=${backupHost.name}(${backupHost.address})`);
  return [...lines, ...nodes, partition, ''].join('\n');
}

/**
 * The text of cgroup.conf. From 23.11 on a slurmd looks for cgroups even where no plugin uses them, and ends if
 * it finds none; releases before do not know the word for not looking.
 */
export function cgroupConf(release: string): string | undefined {
  return release < '23.11' ? undefined : 'CgroupPlugin=disabled\n';
}

/** A passwd text with the ordinary users in it; whoever had their names or uids gives way. */
export function passwdWithOrdinaryUsers(
  passwd: string,
  home: string,
  users: readonly LabAccount[] = ordinaryUsers,
): string {
  const kept = keepLines(
    passwd,
    ([name, , uid]) => !users.some((user) => user.name === name || `${user.uid}` === uid),
  );
  // Not `x`, which would want a line in shadow: `su` then refuses, and slurmd asks it for the environment of scrontab jobs.
  const added = users.map(({ name, uid, gid }) => `${name}:*:${uid}:${gid}:${name}:${home}:/bin/sh`);
  return [...kept, ...added, ''].join('\n');
}

/** A group text with the ordinary users' own groups in it. */
export function groupWithOrdinaryUsers(group: string, users: readonly LabAccount[] = ordinaryUsers): string {
  const kept = keepLines(
    group,
    ([name, , gid]) => !users.some((user) => user.name === name || `${user.gid}` === gid),
  );
  const added = users.map(({ name, gid }) => `${name}:x:${gid}:`);
  return [...kept, ...added, ''].join('\n');
}

/** The machine's hosts file, with the cluster's host and nodes at their address before anything else. */
export function hostsWithCluster(hosts: string, nodes: readonly LabNode[], address: string): string {
  const own = [labHostName, ...nodes.map(({ name }) => name)].join(' ');
  return `${address} ${own}\n${backupHost.address} ${backupHost.name}\n${hosts}`;
}

/** The account of that name in a passwd text. */
export function findAccount(passwd: string, name: string): LabAccount | undefined {
  for (const line of passwd.split('\n')) {
    const [lineName, , uid, gid] = line.split(':');
    if (lineName === name) return { name, uid: Number(uid), gid: Number(gid) };
  }
  return undefined;
}

function keepLines(text: string, keep: (fields: string[]) => boolean): string[] {
  return text.split('\n').filter((line) => line !== '' && keep(line.split(':')));
}
