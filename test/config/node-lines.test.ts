import { describe, expect, it } from 'vitest';
import {
  hasStaticAddress,
  type InterpretNodeLinesOptions,
  interpretNodeLines,
  interpretNodeParameters,
} from '../../src/config/node-lines.js';
import { parseSlurmConf } from '../../src/config/slurm-conf.js';
import { SlurmUsageError } from '../../src/protocol/slurm-error.js';
import { configError } from './caught.js';

const FILE = '/etc/slurm/slurm.conf';

async function nodesOf(text: string, options?: InterpretNodeLinesOptions) {
  const conf = await parseSlurmConf(text, { file: FILE });
  return interpretNodeLines(conf.entries, options);
}

/** `name hostname address port state`, a line each. */
async function tableOf(text: string, options?: InterpretNodeLinesOptions): Promise<string[]> {
  const nodes = await nodesOf(text, options);
  return nodes.map(
    ({ name, hostname, address, port, state }) => `${name} ${hostname} ${address} ${port} ${state}`,
  );
}

describe('nodes', () => {
  it('have the defaults of Slurm', async () => {
    expect(await nodesOf('NodeName=n1 CPUs=8')).toEqual([
      { name: 'n1', hostname: 'n1', address: 'n1', port: 6818, state: null },
    ]);
  });

  it('are none in a file without NodeName lines', async () => {
    expect(await nodesOf('ClusterName=c\nPartitionName=p Nodes=n1\nNodeSet=s Nodes=n2')).toEqual([]);
  });

  it('stand in the order of the file', async () => {
    expect(await tableOf('NodeName=n[2-3],a\nNodeName=n1')).toEqual([
      'n2 n2 n2 6818 null',
      'n3 n3 n3 6818 null',
      'a a a 6818 null',
      'n1 n1 n1 6818 null',
    ]);
  });

  it('take element i of NodeHostname, NodeAddr and Port', async () => {
    const line = 'NodeName=n[1-2] NodeHostname=h[1-2] NodeAddr=10.0.0.[7,9] Port=[7001-7002] State=UNKNOWN';
    expect(await tableOf(line)).toEqual(['n1 h1 10.0.0.7 7001 UNKNOWN', 'n2 h2 10.0.0.9 7002 UNKNOWN']);
  });

  it('share a single element', async () => {
    expect(await tableOf('NodeName=n[1-2] NodeHostname=h NodeAddr=10.0.0.1 Port=7000')).toEqual([
      'n1 h 10.0.0.1 7000 null',
      'n2 h 10.0.0.1 7000 null',
    ]);
  });

  it('have the hostname as address, and the name as hostname', async () => {
    expect(await tableOf('NodeName=n[1-2] NodeHostname=h[1-2]')).toEqual([
      'n1 h1 h1 6818 null',
      'n2 h2 h2 6818 null',
    ]);
    expect(await tableOf('NodeName=n1 NodeAddr=fd00::1')).toEqual(['n1 n1 fd00::1 6818 null']);
  });

  it('pair lists of different shape in Slurm order', async () => {
    const line = 'NodeName=r[1-2]c[1-2]n[1-2] NodeAddr=a[0-7]';
    expect((await tableOf(line)).map((row) => row.split(' ').slice(0, 3).join(' '))).toEqual([
      'r1c1n1 r1c1n1 a0',
      'r1c1n2 r1c1n2 a1',
      'r2c1n1 r2c1n1 a2',
      'r2c1n2 r2c1n2 a3',
      'r1c2n1 r1c2n1 a4',
      'r1c2n2 r1c2n2 a5',
      'r2c2n1 r2c2n1 a6',
      'r2c2n2 r2c2n2 a7',
    ]);
  });

  it.each([
    ['7000', [7000, 7000, 7000]],
    ['7000-7002', [7000, 7001, 7002]],
    ['[7000-7002]', [7000, 7001, 7002]],
    ['7000,7002,7004', [7000, 7002, 7004]],
    ['[7000,7010-7011]', [7000, 7010, 7011]],
    ['""', [7777, 7777, 7777]],
  ])('with Port=%s', async (port, ports) => {
    const nodes = await nodesOf(`NodeName=n[1-3] Port=${port}`, { slurmdPort: 7777 });
    expect(nodes.map((node) => node.port)).toEqual(ports);
  });

  it('ignore keys they do not know, and case of keys', async () => {
    expect(await tableOf('nodename=n1 NODEADDR=a port=7000 BcastAddr=b FutureKey=x state=Idle')).toEqual([
      'n1 n1 a 7000 IDLE',
    ]);
  });

  it('have one by one the last of a key given twice', async () => {
    expect(await tableOf('NodeName=n1 Port=7000 NodeAddr=a NodeAddr=b Port=7001')).toEqual([
      'n1 n1 b 7001 null',
    ]);
  });

  it('can be as many as Slurm allows', async () => {
    const start = performance.now();
    expect(await nodesOf('NodeName=n[1-65536] NodeAddr=a[1-65536] Port=7000')).toHaveLength(65_536);
    expect(performance.now() - start).toBeLessThan(2_000);
  });
});

describe('DEFAULT', () => {
  it('costs no more for what other lines of it had', async () => {
    const hardware = (line: number) => Array.from({ length: 500 }, (_, i) => `K${line}x${i}=1`).join(' ');
    const lines = Array.from({ length: 100 }, (_, line) => `NodeName=DEFAULT ${hardware(line)}\n`).join('');
    const began = performance.now();
    const [node] = await nodesOf(
      `NodeName=DEFAULT Port=7000\n${lines}${'NodeName=DEFAULT A=1\n'.repeat(5000)}NodeName=n1`,
    );
    expect(node?.port).toBe(7000);
    expect(performance.now() - began).toBeLessThan(5000);
  });

  it('sets Port and State for the lines below it only', async () => {
    const text = [
      'NodeName=n1',
      'NodeName=DEFAULT Port=7000 State=CLOUD CPUs=8',
      'NodeName=n2',
      'NodeName=n3 Port=7001 State=UNKNOWN',
      'NodeName=default Port=7002',
      'NodeName=n4',
      'NodeName=Default State=FUTURE',
      'NodeName=n5',
    ].join('\n');
    expect(await tableOf(text)).toEqual([
      'n1 n1 n1 6818 null',
      'n2 n2 n2 7000 CLOUD',
      'n3 n3 n3 7001 UNKNOWN',
      'n4 n4 n4 7002 CLOUD',
      'n5 n5 n5 7002 FUTURE',
    ]);
  });

  it.each(['NodeHostname', 'NodeAddr', 'BcastAddr', 'nodeaddr'])('does not take %s', async (key) => {
    const error = await configError(nodesOf(`ClusterName=c\nNodeName=DEFAULT ${key}=a\nNodeName=n1`));
    expect(error).toMatchObject({ code: 'SLURMWIRE_CONFIG_VALUE', file: FILE, line: 2 });
    expect(error.message).toContain(`${key} cannot stand in a line with NodeName=DEFAULT`);
  });
});

describe('a static address', () => {
  it.each([
    ['CLOUD', false],
    ['cloud', false],
    ['CLOUD+DRAIN', false],
    ['FUTURE', false],
    ['Future', false],
    ['UNKNOWN', true],
    ['DRAIN', true],
    ['EXTERNAL', true],
  ])('with State=%s: %s', async (state, isStatic) => {
    const [node] = await nodesOf(`NodeName=n1 State=${state}`);
    expect(node && hasStaticAddress(node)).toBe(isStatic);
  });

  it('without State: true', async () => {
    expect((await nodesOf('NodeName=n1')).map(hasStaticAddress)).toEqual([true]);
  });
});

describe('a bad line', () => {
  it.each([
    ['NodeName=ALL', 'NodeName="ALL" is not usable. ALL is reserved'],
    ['NodeName=all', 'ALL is reserved'],
    ['NodeName=""', 'NodeName="" is not usable. Name at least one node.'],
    ['NodeName=,', 'Name at least one node.'],
    ['NodeName=n[1', 'NodeName="n[1" is not usable. NodeName has a group that is not closed (character 2).'],
    ['NodeName=n1 NodeAddr=a[2-1]', 'NodeAddr has a range that runs backwards, 2-1 (character 3).'],
    ['NodeName=n1 NodeHostname=h]', 'NodeHostname has a bracket that has no partner (character 2).'],
    ['NodeName=n[1-3] NodeAddr=a[1-2]', 'NodeAddr="a[1-2]" is not usable. It has 2 elements for 3 nodes'],
    [
      'NodeName=n[1-3] NodeHostname=h[1-4]',
      'It has 4 elements for 3 nodes: give one for all, or one for each.',
    ],
    ['NodeName=n1 NodeHostname=h[1-2]', 'It has 2 elements for 1 node:'],
    ['NodeName=n1 NodeAddr=,', 'It has 0 elements for 1 node:'],
    ['NodeName=n[1-3] Port=7000-7001', 'Port="7000-7001" is not usable. It has 2 elements for 3 nodes'],
    ['NodeName=n1 Port=0', 'Port="0" is not usable. Give ports from 1 to 65535.'],
    ['NodeName=n1 Port=65536', 'Give ports from 1 to 65535.'],
    ['NodeName=n[1-2] Port=65535-65536', 'Port="65535-65536" is not usable. Give ports from 1 to 65535.'],
    ['NodeName=n1 Port=ssh', 'Give ports from 1 to 65535.'],
    ['NodeName=n1 Port=7000-', 'is not usable. Port has "]" where a number should be'],
    ['NodeName=n[1-2],n2', 'NodeName="n[1-2],n2" is not usable. The node n2 is there twice: remove one.'],
    [
      'NodeName=n1\nNodeName=n[0-1]',
      'NodeName="n[0-1]" is not usable. The node n1 is there twice: remove one.',
    ],
    ['NodeName=n[1-65537]', 'NodeName has more than 65536 names (character 3).'],
    ['NodeName=n[1-65536]\nNodeName=m', 'With this line there are more than 65536 nodes.'],
  ])('%s', async (text, words) => {
    const error = await configError(nodesOf(`# comment\n${text}`));
    expect(error).toMatchObject({
      code: 'SLURMWIRE_CONFIG_VALUE',
      errno: 'EINVAL',
      phase: 'config',
      file: FILE,
    });
    expect(error.line).toBe(1 + text.split('\n').length);
    expect(error.message).toContain(words);
  });

  it('keeps the error of the hostlist as the cause', async () => {
    const error = await configError(nodesOf('NodeName=n[1'));
    expect(error.cause).toBeInstanceOf(SlurmUsageError);
    expect(error.cause).toMatchObject({ code: 'SLURMWIRE_BAD_HOSTLIST', field: 'NodeName' });
  });

  it('can be one line too many for the caller', async () => {
    expect(await nodesOf('NodeName=n1\nNodeName=n2', { maxNodes: 2 })).toHaveLength(2);
    const error = await configError(nodesOf('NodeName=n1\nNodeName=n[2-3]', { maxNodes: 2 }));
    expect(error.message).toContain('more than 2 nodes');
  });
});

describe('parameters of the cluster', () => {
  const parametersOf = async (text: string) =>
    interpretNodeParameters(await parseSlurmConf(text, { file: FILE }));

  it.each([
    ['', 6818, null],
    ['SlurmdPort=7000\nTreeWidth=20', 7000, 20],
    ['slurmdport=0x1b58 treewidth=0x10', 7000, 16],
    ['SlurmdPort="" TreeWidth=""', 6818, null],
    // Slurm complains and takes the default.
    ['TreeWidth=0', 6818, null],
    ['TreeWidth=65533', 6818, 65_533],
    ['TreeWidth=INFINITE', 6818, 65_533],
  ])('%j', async (text, slurmdPort, treeWidth) => {
    expect(await parametersOf(text)).toEqual({ slurmdPort, treeWidth });
  });

  it.each([
    'SlurmdPort=0',
    'SlurmdPort=65536',
    'SlurmdPort=7000-7001',
    'TreeWidth=65534',
    'TreeWidth=-1',
    'TreeWidth=x',
  ])('%s is not usable', async (text) => {
    const error = await configError(parametersOf(`ClusterName=c\n${text}`));
    expect(error).toMatchObject({ code: 'SLURMWIRE_CONFIG_VALUE', file: FILE, line: 2 });
  });
});
