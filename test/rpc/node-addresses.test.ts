/** Where the slurmds listen: the caller's word first, then slurm.conf, then the controller's table. */
import { afterEach, describe, expect, test } from 'vitest';
import type { ConfNode } from '../../src/config/index.js';
import { RELEASE_NAMES } from '../../src/protocol/index.js';
import { ControllerLink } from '../../src/rpc/controller-link.js';
import { Deadline } from '../../src/rpc/deadline.js';
import { type NodeAddress, type NodeAddressSources, nodeAddresses } from '../../src/rpc/node-addresses.js';
import { FakeSlurmds, nodeNames } from './support/fan-out.js';
import { FakeController, nodeInfoReply, world } from './support/fan-out-controller.js';
import { leavesNothing, noStrayTrouble } from './support/leaks.js';
import { rc, silence } from './support/replies.js';
import { failureOf } from './support/setup.js';
import { turn, until } from './support/until.js';

noStrayTrouble();

const deadlines: Deadline[] = [];
afterEach(() => {
  for (const deadline of deadlines.splice(0)) deadline.dispose();
});

async function addresses(
  controller: FakeController,
  wanted: readonly string[],
  sources: Partial<NodeAddressSources> = {},
  deadline = new Deadline(20_000),
): Promise<Record<string, string>> {
  deadlines.push(deadline);
  const link = new ControllerLink(world(controller, new FakeSlurmds()));
  const found = await nodeAddresses(
    link,
    { nodeAddress: undefined, nodes: undefined, ...sources },
    wanted,
    deadline,
  );
  return Object.fromEntries(
    [...found].map(([node, { endpoint, isKnownToSlurmds }]) => [
      node,
      `${endpoint.host}:${endpoint.port}${isKnownToSlurmds ? '' : ' apart'}`,
    ]),
  );
}

const conf = (name: string, more: Partial<ConfNode> = {}): ConfNode => ({
  name,
  hostname: name,
  address: `${name}.conf`,
  port: 7001,
  state: null,
  ...more,
});

/** Names of lookups, without the PING of the first contact. */
const lookups = (controller: FakeController) =>
  controller.peer.requests.filter((name) => name !== 'REQUEST_PING');

describe("the caller's resolver", () => {
  test.each([
    ['an endpoint', () => ({ host: '10.0.0.1', port: 6900 }), '10.0.0.1:6900'],
    ['a promise of one', async () => ({ host: '10.0.0.1', port: 6900 }), '10.0.0.1:6900'],
    ['a text', () => 'host.example:6900', 'host.example:6900'],
    ['a text without a port', () => 'host.example', 'host.example:6818'],
    ['an IPv6 address', async () => '[2001:db8::1]:6900', '2001:db8::1:6900'],
  ])('%s', async (_, nodeAddress, expected) => {
    await using controller = await FakeController.start();
    // It goes before everything else.
    const nodes = [conf('n1')];
    expect(await addresses(controller, ['n1'], { nodeAddress, nodes })).toEqual({ n1: `${expected} apart` });
    expect(controller.peer.requests).toEqual([]);
  });

  test.each([
    ['null', null],
    ['undefined', undefined as unknown as null],
  ])('%s: looked up elsewhere', async (_, answer) => {
    await using controller = await FakeController.start();
    controller.nodes = [{ name: 'n2', nodeAddr: 'n2.table', port: 7002 }];
    const asked: string[] = [];
    const nodeAddress = (node: string) => {
      asked.push(node);
      return node === 'n3' ? 'n3.mine' : answer;
    };
    expect(await addresses(controller, ['n1', 'n2', 'n3'], { nodeAddress, nodes: [conf('n1')] })).toEqual({
      n1: 'n1.conf:7001',
      n2: 'n2.table:7002',
      n3: 'n3.mine:6818 apart',
    });
    expect(asked).toEqual(['n1', 'n2', 'n3']);
    expect(lookups(controller)).toEqual(['REQUEST_NODE_INFO_SINGLE']);
  });

  test.each<[string, NodeAddress, string]>([
    [
      'throws',
      () => {
        throw new Error('no such rack');
      },
      'SLURMWIRE_BAD_OPTION',
    ],
    ['rejects', () => Promise.reject(new Error('no such rack')), 'SLURMWIRE_BAD_OPTION'],
    [
      'throws what is no error',
      () => {
        throw 'no such rack';
      },
      'SLURMWIRE_BAD_OPTION',
    ],
    ['answers with no host', () => ({ host: '', port: 6818 }), 'SLURMWIRE_BAD_OPTION'],
    ['answers with port 0', () => ({ host: 'n1', port: 0 }), 'SLURMWIRE_BAD_OPTION'],
    ['answers with a port that is none', () => ({ host: 'n1', port: 65_536 }), 'SLURMWIRE_BAD_OPTION'],
    ['answers with a number', () => 6818 as unknown as string, 'SLURMWIRE_BAD_OPTION'],
    ['answers with a URL', () => 'http://n1:6818', 'SLURMWIRE_BAD_ENDPOINT'],
    ['answers with nothing', () => '', 'SLURMWIRE_BAD_ENDPOINT'],
  ])('%s: the call is refused, and nothing is sent', async (_, nodeAddress: NodeAddress, code) => {
    await using controller = await FakeController.start();
    const error = await failureOf(addresses(controller, ['n1', 'n2'], { nodeAddress }));
    expect(error).toMatchObject({ name: 'SlurmUsageError', code, outcome: 'not-sent' });
    expect((error as unknown as { field: string }).field).toContain('nodeAddress');
    expect(error.message).not.toContain('undefined');
    expect(controller.peer.requests).toEqual([]);
  });

  test('some nodes at a time; the first failure ends it, and nobody is asked any more', async () => {
    await using controller = await FakeController.start();
    const nodes = nodeNames(100);
    let [running, peak, asked] = [0, 0, 0];
    const slowly = async (node: string) => {
      running += 1;
      asked += 1;
      peak = Math.max(peak, running);
      await until(() => running === 32 || asked === 100, '32 at a time');
      for (let i = 0; i < 3; i++) await turn();
      running -= 1;
      return `${node}.mine`;
    };
    const found = await addresses(controller, nodes, { nodeAddress: slowly });
    expect(Object.keys(found)).toEqual(nodes);
    expect(peak).toBe(32);

    const calls: string[] = [];
    const failing = (node: string) => {
      calls.push(node);
      return node === 'n5' ? Promise.reject(new Error('no such rack')) : new Promise<never>(() => {});
    };
    const error = await failureOf(addresses(controller, nodes, { nodeAddress: failing }));
    expect(error).toMatchObject({ code: 'SLURMWIRE_BAD_OPTION', outcome: 'not-sent' });
    expect(calls).toEqual(nodeNames(32));
  });

  test('what it threw is the cause', async () => {
    await using controller = await FakeController.start();
    const cause = new Error('no such rack');
    const nodeAddress = () => Promise.reject(cause);
    const error = await failureOf(addresses(controller, ['n1'], { nodeAddress }));
    expect(error.cause).toBe(cause);
    expect(error.message).toContain('nodeAddress(n1) failed: no such rack');
  });

  test('hangs: the deadline and the caller end it', async () => {
    await using controller = await FakeController.start();
    const nodeAddress = () => new Promise<never>(() => {});
    expect(await failureOf(addresses(controller, ['n1'], { nodeAddress }, new Deadline(30)))).toMatchObject({
      code: 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT',
      outcome: 'not-sent',
    });
    const abort = new AbortController();
    const deadline = new Deadline(20_000, abort.signal);
    const running = failureOf(addresses(controller, ['n1'], { nodeAddress }, deadline));
    abort.abort();
    expect(await running).toMatchObject({ code: 'SLURMWIRE_ABORTED', outcome: 'not-sent' });
  });
});

describe('a controller that is asked too often', () => {
  test.each([1, 9])('no address is not taken for an unknown node: %i nodes', async (count) => {
    await using controller = await FakeController.start('24.11');
    for (const name of ['REQUEST_NODE_INFO', 'REQUEST_NODE_INFO_SINGLE'] as const)
      controller.instead.set(name, rc(1804, { release: '24.11' }));
    const error = await failureOf(addresses(controller, nodeNames(count), {}));
    expect(error).toMatchObject({
      code: 'SLURMCTLD_COMMUNICATIONS_BACKOFF',
      outcome: 'not-sent',
      retryable: true,
    });
  });
});

describe('slurm.conf', () => {
  test('its address and port; placeholders are not believed', async () => {
    await using controller = await FakeController.start();
    controller.nodes = nodeNames(9).map((name) => ({ name, nodeAddr: `${name}.table`, port: 7002 }));
    const nodes = [
      conf('n1'),
      conf('n2', { state: 'CLOUD' }),
      conf('n3', { state: 'FUTURE' }),
      conf('n4', { state: 'DRAIN', address: '10.0.0.4', port: 7004 }),
      conf('n9'),
    ];
    expect(await addresses(controller, ['n4', 'n3', 'n2', 'n1'], { nodes })).toEqual({
      n1: 'n1.conf:7001',
      n2: 'n2.table:7002',
      n3: 'n3.table:7002',
      n4: '10.0.0.4:7004',
    });
    expect(lookups(controller)).toEqual(['REQUEST_NODE_INFO_SINGLE', 'REQUEST_NODE_INFO_SINGLE']);
  });

  test('a resolver that says the same: the slurmds know it too', async () => {
    await using controller = await FakeController.start();
    const nodes = nodeNames(4).map((name) => conf(name));
    const nodeAddress = (node: string) =>
      ({ n1: 'n1.conf:7001', n2: { host: 'n2.conf', port: 7002 }, n3: 'n3.mine:7001' })[node] ?? null;
    expect(await addresses(controller, nodeNames(4), { nodeAddress, nodes })).toEqual({
      n1: 'n1.conf:7001',
      n2: 'n2.conf:7002 apart',
      n3: 'n3.mine:7001 apart',
      n4: 'n4.conf:7001',
    });
  });

  test('knows all of them: nobody is asked', async () => {
    await using controller = await FakeController.start();
    expect(await addresses(controller, ['n1'], { nodes: [conf('n1')] })).toEqual({ n1: 'n1.conf:7001' });
    expect(controller.peer.requests).toEqual([]);
  });
});

describe("the controller's table", () => {
  test.each(RELEASE_NAMES)('up to four by their names, more by the whole, in %s', async (release) => {
    for (const [count, expected] of [
      [4, Array(4).fill('REQUEST_NODE_INFO_SINGLE')],
      [5, ['REQUEST_NODE_INFO']],
    ] as const) {
      await using controller = await FakeController.start(release);
      controller.nodes = nodeNames(9).map((name, index) => ({
        name,
        nodeAddr: `10.0.0.${index}`,
        port: 7000 + index,
      }));
      const wanted = nodeNames(count);
      expect(await addresses(controller, wanted)).toEqual(
        Object.fromEntries(wanted.map((name, index) => [name, `10.0.0.${index}:${7000 + index}`])),
      );
      expect(lookups(controller)).toEqual(expected);
    }
  });

  test.each<[string, number, string]>([
    ['an idle one', 2, ''],
    ['an allocated one that drains', 0x203, ''],
    ['FUTURE', 6, ' apart'],
    ['CLOUD', 0x83, ' apart'],
    ['DYNAMIC_FUTURE', 0x80003, ' apart'],
    ['DYNAMIC_NORM', 0x4000003, ' apart'],
  ])('%s: do the slurmds know it', async (_, nodeState, apart) => {
    await using controller = await FakeController.start();
    controller.nodes = [{ name: 'n1', nodeState }];
    expect(await addresses(controller, ['n1'])).toEqual({ n1: `n1:6818${apart}` });
  });

  test('a node without NodeAddr is found by its host name', async () => {
    await using controller = await FakeController.start();
    controller.nodes = [{ name: 'n1', nodeAddr: null, nodeHostname: 'host1', port: 7001 }];
    expect(await addresses(controller, ['n1'])).toEqual({ n1: 'host1:7001' });
  });

  test('an unknown node has no address; the others have', async () => {
    await using controller = await FakeController.start();
    controller.nodes = [{ name: 'n1' }];
    expect(await addresses(controller, ['n1', 'nowhere'])).toEqual({ n1: 'n1:6818' });
    expect(await addresses(controller, ['n1', ...nodeNames(5, 'nowhere')])).toEqual({ n1: 'n1:6818' });
  });

  test('a refusal is an answer without addresses', async () => {
    await using controller = await FakeController.start();
    controller.instead.set('REQUEST_NODE_INFO_SINGLE', rc(2002));
    expect(await addresses(controller, ['n1'])).toEqual({});
  });

  test('a node nobody asked about, and hidden ones, are passed over', async () => {
    await using controller = await FakeController.start();
    const answer = nodeInfoReply(
      [{ name: 'n9' }, { name: null as unknown as string }, { name: 'n1' }],
      '22.05',
    );
    controller.instead.set('REQUEST_NODE_INFO_SINGLE', answer);
    expect(await addresses(controller, ['n1'])).toEqual({ n1: 'n1:6818' });
  });

  test('no nodes: nobody is asked', async () => {
    await using controller = await FakeController.start();
    expect(await addresses(controller, [])).toEqual({});
    expect(controller.peer.requests).toEqual([]);
  });

  test('one lookup that fails while others hang: the call ends when all have ended, and leaves nothing', async () => {
    await using controller = await FakeController.start();
    let calls = 0;
    controller.instead.set('REQUEST_NODE_INFO_SINGLE', (connection) => {
      calls += 1;
      if (calls === 1) connection.reset();
      else return until(() => connection.gone, 'the client to leave').then(() => connection.drop());
    });
    await leavesNothing(async () => {
      const deadline = new Deadline(500);
      const error = await failureOf(addresses(controller, ['n1', 'n2', 'n3'], {}, deadline));
      expect(error).toMatchObject({ rpc: 'REQUEST_NODE_INFO_SINGLE' });
      deadline.dispose();
      // Nothing of the call outlives it.
      // A first contact, three lookups, and a PING to find out what the reset meant.
      expect(controller.peer.connections.length).toBe(5);
      await controller.peer.allLeft();
    });
  });

  test('a controller that says nothing: the deadline ends it', async () => {
    await using controller = await FakeController.start();
    controller.instead.set('REQUEST_NODE_INFO_SINGLE', silence);
    expect(await failureOf(addresses(controller, ['n1'], {}, new Deadline(500)))).toMatchObject({
      code: 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT',
      rpc: 'REQUEST_NODE_INFO_SINGLE',
    });
  });
});
