import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeFixture, type Provenance, startRecordingProxies, writeFixture } from '../src/replay/index.js';
import type { LabCluster } from './lab-cluster.js';
import type { LibslurmPeer } from './libslurm-peer.js';
import type { LabUser } from './record.js';
import { runUserProgram } from './run-user-program.js';
import type { UserCall } from './user-program.js';

/** How a command is recorded. */
export interface RecordOptions {
  /** Who runs it; alice where not given. */
  readonly user?: LabUser;
  /** slurm.conf parameters that the command alone reads: `{ TreeWidth: '1' }`. */
  readonly parameters?: Readonly<Record<string, string>>;
}

type PeerCall = Parameters<LibslurmPeer['call']>[1];

/** Writes what clients and the daemons of one cluster say to each other into fixture files. */
export class Recording {
  readonly #cluster: LabCluster;
  readonly #slurm: string;
  readonly #target: string;

  /** @param slurm release and package version of the daemons. @param target directory of the files. */
  constructor(cluster: LabCluster, slurm: string, target: string) {
    this.#cluster = cluster;
    this.#slurm = slurm;
    this.#target = target;
  }

  /** One of Slurm's own commands. */
  async command(
    name: string,
    argv: readonly string[],
    note: string,
    options: RecordOptions = {},
  ): Promise<void> {
    await this.#through(name, argv.join(' '), note, options, async (user, env) => {
      const { code, stderr } = await this.#cluster.exec(argv, { user, env });
      return `exit ${code} ${stderr.trim()}`;
    });
  }

  /** A call of libslurm's. */
  async libslurm(
    name: string,
    peer: LibslurmPeer,
    call: PeerCall,
    note: string,
    options: RecordOptions = {},
  ): Promise<void> {
    await this.#through(name, `libslurm slurm_${call.join(' ')}`, note, options, async (user, env) =>
      JSON.stringify(await peer.call(user, call, env)),
    );
  }

  /** A call of slurmwire; its arguments stand in the recording as JSON, to be made again by whoever plays it. */
  async call(
    name: string,
    { method, args }: UserCall,
    note: string,
    { user = 'alice' }: Pick<RecordOptions, 'user'> = {},
  ): Promise<void> {
    const { users, slurmConf } = this.#cluster;
    const client = `slurmwire ${method}(${JSON.stringify(args).slice(1, -1)})`;
    const record = this.#provenance('slurmctld', client, note);
    const calls = [{ method, args }];
    const { fixture = '', results } = await runUserProgram({
      ...users[user],
      conf: slurmConf,
      calls,
      record,
    });
    await this.#write(name, decodeFixture(Buffer.from(fixture, 'base64')), JSON.stringify(results));
  }

  /** Runs a client whose slurm.conf has a recording proxy in place of each daemon. */
  async #through(
    name: string,
    client: string,
    note: string,
    { user = 'alice', parameters = {} }: RecordOptions,
    run: (user: LabUser, env: Record<string, string>) => Promise<string>,
  ): Promise<void> {
    const { users, controller, nodes, workDirectory, slurmConf } = this.#cluster;
    const daemons = [
      { label: 'slurmctld', port: controller.port, serverUid: users.slurm.uid },
      ...nodes.map(({ port }, index) => ({ label: `slurmd-${index + 1}`, port, serverUid: users.root.uid })),
    ];
    const proxies = await startRecordingProxies({
      provenance: this.#provenance('slurmctld', client, note),
      clientUid: users[user].uid,
      targets: daemons.map(({ port, ...daemon }) => ({ ...daemon, target: { host: controller.host, port } })),
    });
    try {
      const ports = new Map(daemons.map(({ port }, i) => [String(port), proxies.endpoints[i]?.port]));
      const own = (await readFile(slurmConf, 'utf8')).replace(
        /Port=(\d+)/g,
        (whole, port: string) => `Port=${ports.get(port) ?? whole}`,
      );
      const path = join(workDirectory, 'proxied.conf');
      const more = Object.entries(parameters).map(([key, value]) => `${key}=${value}\n`);
      await writeFile(path, more.join('') + own, { mode: 0o644 });
      const said = await run(user, { SLURM_CONF: path });
      await proxies.close();
      const fixture = proxies.fixture();
      // Roles one after the other: which node of a fan-out comes first is chance, and would make each recording another.
      const connections = [...fixture.connections].sort((a, b) => a.endpoint.localeCompare(b.endpoint));
      await this.#write(name, { ...fixture, connections }, said);
    } finally {
      await proxies.close();
    }
  }

  async #write(name: string, fixture: Parameters<typeof writeFixture>[1], said: string): Promise<void> {
    await writeFixture(join(this.#target, `${name}.msgpack`), fixture);
    console.log(`${this.#cluster.release} ${name}: ${fixture.connections.length} connections, ${said}`);
  }

  #provenance(daemon: Provenance['daemon'], client: string, note: string): Provenance {
    return { slurm: this.#slurm, daemon, client, recordedAt: new Date().toISOString(), note };
  }
}
