/**
 * One process of a fleet: either the controller and munged, or its share of the slurmds. All have the same world, made in the same order from
 * the same settings, so that job numbers and nodes are the same in each; the parent tells every one of them where the others' slurmds listen.
 */
import { createSecretKey } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Endpoint } from '../../src/protocol/transport.js';
import { Limiter } from '../../src/rpc/limiter.js';
import { Slurmctld } from '../../src/testing/controller/slurmctld.js';
import { CredentialStore } from '../../src/testing/credentials.js';
import { startEmbeddedMunged } from '../../src/testing/embedded-munged.js';
import { FaultList } from '../../src/testing/faults.js';
import { Life } from '../../src/testing/model/life.js';
import { RecordExecutor } from '../../src/testing/model/record-executor.js';
import { specsOf } from '../../src/testing/model/submit-options.js';
import { World } from '../../src/testing/model/world.js';
import { settingsOf } from '../../src/testing/settings.js';
import { mungeSocketIn, slurmConfOf } from '../../src/testing/slurm-conf-text.js';
import { MAX_LEAVES } from '../../src/testing/slurmd/forward.js';
import { NodeDaemon } from '../../src/testing/slurmd/node-daemon.js';
import type { RequestSeen, WireHost } from '../../src/testing/wire-server.js';
import type { FleetCounts, FleetOrder, FleetShare } from './fleet.js';

// Whoever started it has gone.
process.on('disconnect', () => process.exit());
process.once('message', (share: FleetShare) => {
  begin(share).catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
});

async function begin(share: FleetShare): Promise<void> {
  const { release, nodes: count, parameters, jobs, directory, key } = share;
  const settings = settingsOf({ release, nodes: count, parameters: { ...parameters } });
  const world = new World(settings);
  const life = new Life(world, new RecordExecutor());
  const credentials = new CredentialStore({}, createSecretKey(Buffer.from(key, 'hex')));
  const counts = new Counter();
  const host: WireHost = {
    faults: new FaultList(),
    messageTimeoutMs: Number(parameters.MessageTimeout ?? 10) * 1000,
    seen: (request) => counts.add(request),
    turned: () => {},
  };
  const places = new Map<string, { server: { endpoint: Endpoint } }>();
  const setup = { world, life, nodes: places, credentials, leaves: new Limiter(MAX_LEAVES) };
  const own = [...world.nodes.values()]
    .filter((_, index) => share.index !== null && index % share.of === share.index)
    .map((node) => new NodeDaemon(node, host, setup));
  for (const { node, server } of own) {
    await server.start();
    places.set(node.name, { server });
  }

  process.on('message', (order: FleetOrder) => {
    obey(order).catch((error: unknown) => {
      console.error(error);
      process.exit(1);
    });
  });
  process.send?.(Object.fromEntries(own.map(({ node, server }) => [node.name, server.endpoint.port])));

  async function obey(order: FleetOrder): Promise<void> {
    if (order === 'count') {
      const told = counts.take(world.signals.length);
      world.signals.length = 0;
      process.send?.(told);
      return;
    }
    for (const node of world.nodes.values()) {
      node.port = order.ports[node.name] ?? 0;
      if (places.has(node.name)) continue;
      places.set(node.name, { server: { endpoint: { host: '127.0.0.1', port: node.port } } });
    }
    const root = world.users.all.find(({ uid }) => uid === 0);
    if (root === undefined) throw new Error('a world without root');
    for (const size of jobs) {
      const what = { nodes: size, script: null, steps: [{ nodes: size }] };
      life.submit(root, specsOf(what, world, directory), null);
    }
    if (share.index === null) await control();
    process.send?.('ready');
  }

  async function control(): Promise<void> {
    // Controllers have the slurmds only to look at their releases, which they know without.
    const controller = new Slurmctld(0, host, { ...setup, nodes: new Map() });
    await startEmbeddedMunged({ socket: mungeSocketIn(directory), store: credentials });
    await controller.server.start({ port: 0 });
    const controllers = [controller.server.endpoint];
    const slurmConf = join(directory, 'slurm.conf');
    const slurmConfText = slurmConfOf(world, controllers, directory);
    world.place = { directory, slurmConf, slurmConfText, controllers };
    await writeFile(slurmConf, slurmConfText);
  }
}

/** What the daemons of this process have seen since they were last asked. */
class Counter {
  #requests = new Map<string, number>();
  #lengths = new Map<number, number>();

  add({ name, bytes }: RequestSeen): void {
    const key = name ?? 'none';
    this.#requests.set(key, (this.#requests.get(key) ?? 0) + 1);
    if (key === 'REQUEST_SIGNAL_TASKS') this.#lengths.set(bytes, (this.#lengths.get(bytes) ?? 0) + 1);
  }

  take(signals: number): FleetCounts {
    const told = {
      requests: Object.fromEntries(this.#requests),
      lengths: Object.fromEntries(this.#lengths),
      signals,
    };
    this.#requests = new Map();
    this.#lengths = new Map();
    return told;
  }
}
