import { expect, it } from 'vitest';
import { interpretNodeSets } from '../../src/config/node-sets.js';
import { parseSlurmConf } from '../../src/config/slurm-conf.js';
import { configError } from './caught.js';

const read = async (text: string, nodes: readonly string[] = []) =>
  interpretNodeSets((await parseSlurmConf(text)).entries, new Set(nodes));

it('are read in the order of the file, as written', async () => {
  const text = 'NodeSet=gpu Feature=a100\nNodeName=n1\nnodeset=rack1 nodes=n[1-9] Feature=""\nNodeSet=none';
  expect(await read(text)).toEqual([
    { name: 'gpu', feature: 'a100', nodes: null },
    { name: 'rack1', feature: null, nodes: 'n[1-9]' },
    { name: 'none', feature: null, nodes: null },
  ]);
});

it.each(['a,b', 'a[1-2]', '""', '"a b"'])('NodeSet=%s is no name', async (name) => {
  expect(await configError(read(`\nNodeSet=${name} Feature=x`))).toMatchObject({
    code: 'SLURMWIRE_CONFIG_VALUE',
    line: 2,
  });
});

it('cannot have the name of a node', async () => {
  expect(await configError(read('NodeSet=n1 Feature=x', ['n1']))).toMatchObject({ line: 1 });
});
