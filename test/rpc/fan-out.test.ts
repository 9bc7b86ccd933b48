/** One result per node, whatever the slurmds do; nobody gets the message twice because of this client. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  encodeBody,
  isSlurmError,
  messageTypeNumber,
  RELEASE_NAMES,
  type Release,
} from '../../src/protocol/index.js';
import { DIRECT_LIMIT } from '../../src/rpc/fan-out.js';
import { tcpTransport } from '../../src/rpc/tcp-transport.js';
import { badCredential, FakeAuth, SLURMD_USER } from './support/fake-auth.js';
import {
  type Behaviour,
  type FakeItem,
  FakeSlurmds,
  GOOD,
  MESSAGE_TIMEOUT_MS,
  nodeNames,
  outcomes,
  runFanOut,
  slurmdAnswer,
  slurmdReply,
} from './support/fan-out.js';
import { leavesNothing, noStrayTrouble } from './support/leaks.js';
import { rc } from './support/replies.js';
import { deadEndpoint, ScriptedPeer } from './support/scripted-peer.js';
import { failureOf } from './support/setup.js';
import { until } from './support/until.js';

noStrayTrouble();

const says = (answer: Extract<Behaviour, { kind: 'says' }>['answer']): Behaviour => ({
  kind: 'says',
  answer,
});
const code = (number: number): Behaviour => ({ kind: 'rc', code: number });

/** All nodes got it so often; nobody else did. */
function expectDeliveries(slurmds: FakeSlurmds, nodes: readonly string[], times = 1): void {
  expect(slurmds.faults).toEqual([]);
  expect([...slurmds.deliveries].sort()).toEqual(nodes.map((node) => [node, times]).sort());
}

describe.each(['direct', 'tree'] as const)('%s', (strategy) => {
  test.each(RELEASE_NAMES)('all nodes take it, in %s', async (release) => {
    const slurmds = new FakeSlurmds();
    const nodes = nodeNames(23).reverse();
    const results = await runFanOut(slurmds, nodes, { strategy, treeWidth: 2, release });
    expect(results.map(({ node }) => node)).toEqual(nodes);
    for (const result of results) {
      expect(result).toMatchObject({
        outcome: 'accepted',
        target: '7.0',
        number: 0,
        code: null,
        message: null,
        perhapsTwice: false,
      });
      expect(result.elapsedMs).toBeGreaterThanOrEqual(0);
    }
    expectDeliveries(slurmds, nodes);
    // Two roots at most are contacted in a tree of width 2, and only they have no via.
    const roots = results.filter(({ via }) => via === null).map(({ node }) => node);
    expect(roots).toEqual(slurmds.contacts);
    expect(roots.length).toBe(strategy === 'tree' ? 2 : 23);
    expect(slurmds.received.every(({ frame }) => frame.release === release)).toBe(true);
    expect(slurmds.open).toBe(0);
  });

  test.each([
    [2017, 'refused', 'ESLURM_INVALID_JOB_ID'],
    [2010, 'refused', 'ESLURM_USER_ID_MISSING'],
    [4027, 'refused', 'ESLURMD_JOB_NOTRUNNING'],
    [5003, 'refused', 'ESLURM_PROTOCOL_INCOMPLETE_PACKET'],
    [-1, 'unknown', 'SLURM_ERROR'],
  ])('the answer %i is that of its node alone', async (number, outcome, name) => {
    // n1 and n4 are roots, the others are not.
    for (const node of ['n1', 'n2', 'n6']) {
      const slurmds = new FakeSlurmds().set(node, code(number));
      const results = await runFanOut(slurmds, nodeNames(6), { strategy, treeWidth: 2 });
      for (const result of results) {
        if (result.node === node) expect(result).toMatchObject({ outcome, number, code: name });
        else expect(result).toMatchObject({ outcome: 'accepted', number: 0 });
        expect(result.perhapsTwice).toBe(false);
      }
      expect(results.find((result) => result.node === node)?.message).toMatch(/\.$/);
      expectDeliveries(slurmds, nodeNames(6));
    }
  });

  test.each([
    ['a node that stands there twice', ['n1', 'n2', 'n1']],
    ['an empty name', ['n1', '']],
    ['a bracket', ['n1', 'n[2-3]']],
    ['a brace', ['n1', 'n{2-3}']],
    ['a comma', ['n1', 'n2,n3']],
    ['a space', ['n1', 'n2 n3']],
    ['a newline', ['n1', 'n2\nn3']],
    ['a NUL', ['n1', 'n2\0']],
    ['a name of 256 characters', ['n1', 'n'.repeat(256)]],
    ['a number beyond 64 bits', ['n1', 'n99999999999999999999']],
    ['what is no text', ['n1', 7 as unknown as string]],
    ['more nodes than there can be', nodeNames(65_537)],
  ])('refuses %s before anything is sent', async (_, names) => {
    // Wherever the bad one stands, and whichever branch it would be in.
    for (const nodes of names.length > 100
      ? [names]
      : [names, [...names].reverse(), [...names, ...nodeNames(9, 'x')]]) {
      const slurmds = new FakeSlurmds();
      const auth = new FakeAuth();
      const error = await failureOf(runFanOut(slurmds, nodes, { strategy, treeWidth: 2, auth }));
      expect(error).toMatchObject({
        name: 'SlurmUsageError',
        code: 'SLURMWIRE_BAD_HOSTLIST',
        outcome: 'not-sent',
      });
      expect([slurmds.contacts, auth.created]).toEqual([[], []]);
    }
  });

  test('no nodes: no results, nobody asked', async () => {
    const slurmds = new FakeSlurmds();
    expect(await runFanOut(slurmds, [], { strategy })).toEqual([]);
    expect(slurmds.contacts).toEqual([]);
  });

  test('munged fails: nothing was sent to anybody, and nobody is contacted', async () => {
    const auth = new FakeAuth();
    auth.beforeCreate = () => {
      throw badCredential('EMUNGE_SOCKET');
    };
    const slurmds = new FakeSlurmds();
    const results = await runFanOut(slurmds, nodeNames(9), { strategy, treeWidth: 2, auth });
    for (const result of results) {
      expect(result).toMatchObject({
        outcome: 'not-sent',
        code: 'EMUNGE_SOCKET',
        via: null,
        perhapsTwice: false,
      });
    }
    expect(slurmds.contacts).toEqual([]);
  });

  test('the credential is for the uid given', async () => {
    for (const restrictUid of [SLURMD_USER, null]) {
      const auth = new FakeAuth();
      await runFanOut(new FakeSlurmds(), nodeNames(5), { strategy, treeWidth: 2, auth, restrictUid });
      expect(new Set(auth.created.map((claims) => claims.restrictUid))).toEqual(new Set([restrictUid]));
    }
  });

  test('nobody can be reached: every node is tried once, none got it', async () => {
    const slurmds = new FakeSlurmds();
    const nodes = nodeNames(40);
    for (const node of nodes) slurmds.set(node, { kind: 'down' });
    const results = await runFanOut(slurmds, nodes, { strategy, treeWidth: 3 });
    expect(results.map(({ outcome }) => outcome)).toEqual(nodes.map(() => 'not-sent'));
    expect(results.every(({ via, perhapsTwice }) => via === null && !perhapsTwice)).toBe(true);
    expect(results[0]).toMatchObject({ code: 'SLURM_COMMUNICATIONS_CONNECTION_ERROR', number: null });
    expect([...slurmds.contacts].sort()).toEqual([...nodes].sort());
  });

  test('a node nobody knows the address of: not sent, the others take it', async () => {
    for (const node of ['n1', 'n2', 'n3', 'n6']) {
      const slurmds = new FakeSlurmds();
      slurmds.strangers.add(node);
      const results = await runFanOut(slurmds, nodeNames(6), {
        strategy,
        treeWidth: 2,
        addressOf: (name) => (name === node ? null : { host: name, port: 6818 }),
      });
      for (const result of results) {
        if (result.node !== node) expect(result.outcome).toBe('accepted');
        else expect(result).toMatchObject({ outcome: 'not-sent', code: 'SLURM_UNKNOWN_FORWARD_ADDR' });
      }
      expectDeliveries(
        slurmds,
        nodeNames(6).filter((name) => name !== node),
      );
    }
  });
});

describe('which way', () => {
  test.each([
    ['auto', DIRECT_LIMIT, DIRECT_LIMIT],
    ['auto', DIRECT_LIMIT + 1, 16],
    ['direct', 50, 50],
    ['tree', 17, 16],
    ['tree', 16, 16],
  ] as const)('%s, %i nodes: %i are contacted', async (strategy, count, contacted) => {
    const slurmds = new FakeSlurmds();
    const results = await runFanOut(slurmds, nodeNames(count), { strategy });
    expect(slurmds.contacts.length).toBe(contacted);
    expect(results.filter(({ via }) => via === null).length).toBe(contacted);
    expect(slurmds.received.some(({ frame }) => frame.header.forward.cnt > 0)).toBe(contacted < count);
    expectDeliveries(slurmds, nodeNames(count));
  });

  test.each(['auto', 'tree'] as const)(
    '%s: nodes that slurmds have no address for are contacted directly, and stand in no forward list',
    async (strategy) => {
      const slurmds = new FakeSlurmds();
      const nodes = ['dyn1', ...nodeNames(40), 'dyn2'];
      for (const node of ['dyn1', 'dyn2']) slurmds.strangers.add(node);
      const isKnownToSlurmds = (node: string) => node.startsWith('n');
      const results = await runFanOut(slurmds, nodes, { strategy, treeWidth: 4, isKnownToSlurmds });
      expect(results.map(({ node, outcome }) => [node, outcome])).toEqual(
        nodes.map((node) => [node, 'accepted']),
      );
      expectDeliveries(slurmds, nodes);
      expect(slurmds.contacts.length).toBe(6);
      const lists = slurmds.received.map(({ frame }) => frame.header.forward.nodelist ?? '');
      expect(lists.filter((list) => list.includes('dyn'))).toEqual([]);
      for (const node of ['dyn1', 'dyn2'])
        expect(results.find((result) => result.node === node)?.via).toBeNull();
    },
  );

  test('auto counts only the nodes that could be in a tree', async () => {
    const slurmds = new FakeSlurmds();
    const nodes = [...nodeNames(DIRECT_LIMIT), ...nodeNames(30, 'dyn')];
    const isKnownToSlurmds = (node: string) => node.startsWith('n');
    await runFanOut(slurmds, nodes, { strategy: 'auto', treeWidth: 4, isKnownToSlurmds });
    expect(slurmds.contacts.length).toBe(nodes.length);
  });

  test('the largest cluster there can be, directly', async () => {
    // Nobody is there: what counts is that none is left out and nothing overflows.
    const results = await runFanOut(new FakeSlurmds(), nodeNames(65_536), {
      strategy: 'direct',
      addressOf: () => null,
    });
    expect(results.length).toBe(65_536);
    expect(results.every(({ outcome }) => outcome === 'not-sent')).toBe(true);
  });
});

describe.each(RELEASE_NAMES)('a tree of slurmds of %s', (release) => {
  test('500 nodes, width 16: each gets it exactly once', async () => {
    const slurmds = new FakeSlurmds();
    const nodes = nodeNames(500);
    const results = await runFanOut(slurmds, nodes, { release });
    expect(results.map(({ node, outcome }) => [node, outcome])).toEqual(
      nodes.map((node) => [node, 'accepted']),
    );
    expectDeliveries(slurmds, nodes);
    expect(slurmds.contacts.length).toBe(16);
  });

  test('a root that refuses the connection is passed over, and its nodes get it once each', async () => {
    const slurmds = new FakeSlurmds();
    const nodes = nodeNames(60);
    // Of the first branch (n1-n15) the root, and the one that takes its place.
    for (const node of ['n1', 'n2', 'n16']) slurmds.set(node, { kind: 'down' });
    const results = await runFanOut(slurmds, nodes, { release, treeWidth: 4 });
    const down = new Set(['n1', 'n2', 'n16']);
    expect(outcomes(results)).toEqual(
      nodes.map((node) => `${node} ${down.has(node) ? 'not-sent' : 'accepted'}`),
    );
    expectDeliveries(
      slurmds,
      nodes.filter((node) => !down.has(node)),
    );
    expect(results.every(({ perhapsTwice }) => !perhapsTwice)).toBe(true);
  });
});

describe('a root that got the message and does not answer', () => {
  test.each([
    ['dies at once', { kind: 'die' }, 'SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT'],
    ['closes after it passed it on', { kind: 'close' }, 'SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT'],
    ['resets', { kind: 'reset' }, 'SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT'],
  ] as const)('%s: its branch is unknown, and nothing is sent again', async (_, behaviour, name) => {
    // n1 to n5 hang on n1; then n6 to n10 on n6.
    const slurmds = new FakeSlurmds().set('n1', behaviour);
    const results = await runFanOut(slurmds, nodeNames(10), { treeWidth: 2 });
    for (const { node, outcome, code: said, via, perhapsTwice } of results.slice(0, 5)) {
      expect([node, outcome, said]).toEqual([node, 'unknown', name]);
      expect(via).toBe(node === 'n1' ? null : 'n1');
      // With four nodes below a width of two, forwarders below may have had trouble of their own. The root itself got one.
      expect(perhapsTwice).toBe(node !== 'n1');
    }
    expect(
      results.slice(5).every(({ outcome, perhapsTwice }) => outcome === 'accepted' && !perhapsTwice),
    ).toBe(true);
    expect(slurmds.contacts).toEqual(['n1', 'n6']);
    expect(slurmds.timesOf('n2')).toBe(behaviour.kind === 'die' ? 0 : 1);
    expect(slurmds.timesOf('n1')).toBe(1);
  });

  test('where nobody below the root forwards, nothing can have been sent twice', async () => {
    const slurmds = new FakeSlurmds().set('n1', { kind: 'close' });
    const results = await runFanOut(slurmds, nodeNames(4), { treeWidth: 2 });
    expect(outcomes(results).slice(0, 2)).toEqual(['n1 unknown', 'n2 unknown']);
    expect(results.every(({ perhapsTwice }) => !perhapsTwice)).toBe(true);
  });

  test.each(['direct', 'tree'] as const)(
    '%s: silent until the deadline, which is named as such',
    async (strategy) => {
      const slurmds = new FakeSlurmds().set('n1', { kind: 'hang' });
      const results = await leavesNothing(() =>
        runFanOut(slurmds, nodeNames(6), { strategy, treeWidth: 2, timeoutMs: 1_000 }),
      );
      const branch = strategy === 'direct' ? ['n1'] : ['n1', 'n2', 'n3'];
      for (const result of results) {
        if (branch.includes(result.node))
          expect(result).toMatchObject({ outcome: 'unknown', code: 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT' });
        else expect(result.outcome).toBe('accepted');
      }
      expectDeliveries(slurmds, nodeNames(6));
      expect(slurmds.open).toBe(0);
    },
  );

  test('silent beyond the time of its branch: unknown, long before the deadline of the call', async () => {
    const slurmds = new FakeSlurmds().set('n1', { kind: 'hang' });
    const results = await leavesNothing(() =>
      runFanOut(slurmds, nodeNames(2), { strategy: 'direct', messageTimeoutMs: 500, timeoutMs: 2 ** 31 - 1 }),
    );
    expect(results[0]).toMatchObject({ outcome: 'unknown', code: 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT' });
    expect(results[1]).toMatchObject({ outcome: 'accepted' });
  });

  test('a chain that may take longer than a timer can: it is waited for all the same', async () => {
    const slurmds = new FakeSlurmds();
    const results = await runFanOut(slurmds, nodeNames(40), { treeWidth: 1, messageTimeoutMs: 100_000_000 });
    expect(results.every(({ outcome }) => outcome === 'accepted')).toBe(true);
  });

  test('refuses the credential (24.11 and newer): refused by the root, unknown below, for it forwards before it looks', async () => {
    const slurmds = new FakeSlurmds().set('n1', code(1007));
    const results = await runFanOut(slurmds, nodeNames(3), { treeWidth: 1, release: '24.11' });
    expect(outcomes(results)).toEqual(['n1 refused', 'n2 unknown', 'n3 unknown']);
    expect(results[0]).toMatchObject({ code: 'SLURM_PROTOCOL_AUTHENTICATION_ERROR', number: 1007 });
    expect(slurmds.timesOf('n3')).toBe(1);
  });

  test('answers what cannot be read: unknown', async () => {
    const slurmds = new FakeSlurmds().set(
      'n1',
      says(() => Uint8Array.of(0, 0, 0, 2, 0x26, 0)),
    );
    expect(outcomes(await runFanOut(slurmds, nodeNames(2), { treeWidth: 1 }))).toEqual([
      'n1 unknown',
      'n2 unknown',
    ]);
  });
});

describe('what the return list says', () => {
  const RC = messageTypeNumber('RESPONSE_SLURM_RC', '22.05') as number;
  const FAILED = 9001;
  const took = (nodeName: string): FakeItem => ({ err: 0, type: RC, nodeName, body: { returnCode: 0 } });
  const refused = (nodeName: string): FakeItem => ({
    err: 0,
    type: RC,
    nodeName,
    body: { returnCode: 2017 },
  });
  const failed = (nodeName: string, err: number): FakeItem => ({ err, type: FAILED, nodeName, body: {} });

  /** Root n1 of a chain or fan answers with these items for n2 … */
  async function answersOf(count: number, width: number, items: readonly FakeItem[], rootCode = 0) {
    const slurmds = new FakeSlurmds().set(
      'n1',
      says((request) => slurmdReply(request, rootCode, items)),
    );
    // All of them hang on one root: as many branches as the width would make roots of their own.
    return runFanOut(slurmds, nodeNames(count), { treeWidth: width });
  }
  const told = (results: Awaited<ReturnType<typeof answersOf>>) =>
    results.map(({ outcome, perhapsTwice }) => outcome + (perhapsTwice ? ' twice?' : ''));

  test.each([
    [1001, 'not-sent', 'SLURM_COMMUNICATIONS_CONNECTION_ERROR', 'EHOSTUNREACH'],
    // A forwarder says 1001 where it was refused the connection: an errno is of something else, and proves nothing.
    [111, 'unknown', 'ECONNREFUSED', 'ECONNREFUSED'],
    [104, 'unknown', 'ECONNRESET', 'ECONNRESET'],
    [110, 'unknown', 'ETIMEDOUT', 'ETIMEDOUT'],
    [5003, 'unknown', 'ESLURM_PROTOCOL_INCOMPLETE_PACKET', 'EPROTO'],
    [5004, 'unknown', 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT', 'ETIMEDOUT'],
    [5005, 'unknown', 'SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT', 'EPIPE'],
  ])('err %i', async (err, outcome, name, errno) => {
    const results = await answersOf(3, 1, [failed('n2', err), took('n3')]);
    const expected = { outcome, number: err, code: name, errno, via: 'n1', perhapsTwice: false };
    expect(results[1]).toMatchObject(expected);
    expect(results[1]?.message).toContain('n1');
    // Below n2: if n2 may have got the message it may have passed it on, and n1 has sent it again.
    expect(results[2]).toMatchObject({ outcome: 'accepted', perhapsTwice: outcome === 'unknown' });
    expect(results[0]).toMatchObject({ outcome: 'accepted', perhapsTwice: false });
  });

  test('err 0 without an answer: it answered for itself alone, and its nodes were contacted once more', async () => {
    const results = await answersOf(3, 1, [failed('n2', 0), took('n3')]);
    expect(told(results)).toEqual(['accepted', 'unknown', 'accepted twice?']);
    expect(results[1]).toMatchObject({
      code: 'SLURM_COMMUNICATIONS_RECEIVE_ERROR',
      number: null,
      errno: 'EIO',
    });
  });

  test.each([
    ['another node is there twice', [failed('n2', 1001), took('n3'), took('n3')]],
    ['another node is missing', [failed('n2', 1001)]],
    ['a stranger is there', [failed('n2', 1001), took('n3'), took('n9')]],
    ['a node without a name is there', [failed('n2', 1001), took('n3'), failed('', 5004)]],
    ['it is there twice itself', [failed('n2', 1001), failed('n2', 1001), took('n3')]],
  ])('err 1001 in a list that may have been filled up proves nothing: %s', async (_, items) => {
    for (const list of [items, [...items].reverse()]) {
      const [, n2] = await answersOf(3, 1, list);
      expect(n2).toMatchObject({ outcome: 'unknown', number: 1001, errno: 'EHOSTUNREACH' });
    }
  });

  test('err 1012: this client contacts the node itself, where it knows the address', async () => {
    const slurmds = new FakeSlurmds()
      .set(
        'n1',
        says((request) => slurmdReply(request, 0, [failed('n2', 1012), took('n3'), failed('n4', 1012)])),
      )
      .set('n4', code(2010));
    const results = await runFanOut(slurmds, nodeNames(4), { treeWidth: 1 });
    expect(results.map(({ outcome, via }) => [outcome, via])).toEqual([
      ['accepted', null],
      ['accepted', null],
      ['accepted', 'n1'],
      ['refused', null],
    ]);
    expect([...slurmds.contacts].sort()).toEqual(['n1', 'n2', 'n4']);

    const unknown = await runFanOut(slurmds, nodeNames(3), {
      treeWidth: 1,
      addressOf: (node) => (node === 'n2' ? null : { host: node, port: 6818 }),
    });
    expect(unknown[1]).toMatchObject({
      outcome: 'not-sent',
      number: 1012,
      code: 'SLURM_UNKNOWN_FORWARD_ADDR',
      errno: 'EHOSTUNREACH',
      via: 'n1',
    });
  });

  test('err 1012 from one forwarder, while one that was lost may have passed it on: not contacted again', async () => {
    const slurmds = new FakeSlurmds().set(
      'n1',
      says((request) => slurmdReply(request, 0, [failed('n2', 5005), failed('n3', 1012)])),
    );
    const results = await runFanOut(slurmds, nodeNames(3), { treeWidth: 1 });
    expect(told(results)).toEqual(['accepted', 'unknown', 'unknown twice?']);
    expect(slurmds.contacts).toEqual(['n1']);
  });

  test('the order of the list says nothing', async () => {
    const items = [
      took('n2'),
      refused('n3'),
      failed('n4', 5004),
      failed('n5', 1001),
      took('n6'),
      took('n6'),
      took('stranger'),
    ];
    const expected = told(await answersOf(7, 1, items));
    expect(expected).toEqual([
      'accepted',
      'accepted twice?',
      'refused twice?',
      // n7 is missing, so that n4 is not the only one that was lost.
      'unknown twice?',
      // One that n4 or n7 may have sent it to.
      'unknown twice?',
      'accepted twice?',
      'unknown twice?',
    ]);
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray(items, { minLength: items.length }), async (shuffled) => {
        expect(told(await answersOf(7, 1, shuffled))).toEqual(expected);
      }),
      { numRuns: 40 },
    );
  });

  test.each([
    ['answered and lost', [took('n2'), failed('n2', 5004)], 'accepted twice?'],
    ['answered and not reached', [took('n2'), failed('n2', 1001)], 'accepted'],
    ['refused and not reached', [refused('n2'), failed('n2', 1001)], 'refused'],
    ['refused and taken', [refused('n2'), took('n2')], 'accepted twice?'],
    ['refused and lost', [refused('n2'), failed('n2', 5004)], 'unknown twice?'],
    ['lost and not reached', [failed('n2', 5004), failed('n2', 1001)], 'unknown'],
    ['lost twice', [failed('n2', 5004), failed('n2', 5005)], 'unknown twice?'],
    ['taken twice', [took('n2'), took('n2')], 'accepted twice?'],
    ['not reached twice', [failed('n2', 1001), failed('n2', 1001)], 'unknown'],
  ])('a node that is there twice: %s', async (_, items, expected) => {
    for (const list of [items, [...items].reverse()]) {
      expect(told(await answersOf(2, 1, list))).toEqual(['accepted', expected]);
    }
  });

  test('a node that one forwarder could not reach, and another that was lost may have', async () => {
    // n2 is lost with n3 and n4 below it; n1 then contacts these itself.
    const list = [failed('n2', 5005), failed('n3', 1001), took('n4')];
    expect(told(await answersOf(4, 1, list))).toEqual([
      'accepted',
      'unknown',
      'unknown twice?',
      'accepted twice?',
    ]);
  });

  test('where nobody below the root forwards, nothing is sent twice, and not reached is not sent', async () => {
    // Six nodes in three branches of two: a branch with one below forwards no further.
    const slurmds = new FakeSlurmds();
    for (const [root, items] of [
      ['n1', [failed('n2', 5004)]],
      ['n3', [failed('n4', 1001)]],
      ['n5', []],
    ] as const)
      slurmds.set(
        root,
        says((request) => slurmdReply(request, 0, items)),
      );
    expect(told(await runFanOut(slurmds, nodeNames(6), { treeWidth: 3 }))).toEqual([
      'accepted',
      'unknown',
      'accepted',
      'not-sent',
      'accepted',
      'unknown',
    ]);
  });

  test('two below the root, which splits by switches for all we know: one of them may pass it on to the other', async () => {
    const slurmds = new FakeSlurmds().set(
      'n1',
      says((request) => slurmdReply(request, 0, [failed('n2', 5004), took('n3')])),
    );
    expect(told(await runFanOut(slurmds, nodeNames(6), { treeWidth: 2 })).slice(0, 3)).toEqual([
      'accepted',
      'unknown',
      'accepted twice?',
    ]);
  });

  test('missing items: unknown, and not asked again', async () => {
    const slurmds = new FakeSlurmds().set(
      'n1',
      says((request) => slurmdReply(request, 0, [took('n3')])),
    );
    const results = await runFanOut(slurmds, nodeNames(4), { treeWidth: 1 });
    expect(told(results)).toEqual(['accepted', 'unknown twice?', 'accepted twice?', 'unknown twice?']);
    expect(results[1]).toMatchObject({ code: 'SLURM_COMMUNICATIONS_RECEIVE_ERROR', number: null, via: 'n1' });
    expect(slurmds.contacts).toEqual(['n1']);
  });

  test('names nobody asked about, and its own, are passed over', async () => {
    const list = [took('n9'), refused('n1'), failed('', 5004), took('n2'), { ...took('n2'), nodeName: 'N2' }];
    const results = await answersOf(2, 1, list);
    expect(told(results)).toEqual(['accepted', 'accepted']);
    expect(results.map(({ node }) => node)).toEqual(['n1', 'n2']);
  });

  test('answers that the message cannot have', async () => {
    const release: Release = '22.05';
    const ping = messageTypeNumber('RESPONSE_PING_SLURMD', release) as number;
    const list = [
      { err: 0, type: ping, nodeName: 'n2', body: { cpuLoad: 0, freeMem: 0n } },
      { err: 0, type: 0, nodeName: 'n3', body: {} },
      {
        err: 0,
        type: messageTypeNumber('RESPONSE_JOB_ID', release) as number,
        nodeName: 'n4',
        body: { jobId: 7, returnCode: 0 },
      },
      took('n5'),
    ];
    const results = await answersOf(5, 1, list);
    expect(told(results)).toEqual(['accepted', 'unknown', 'unknown', 'unknown', 'accepted']);
    for (const result of results.slice(1, 4))
      expect(result).toMatchObject({ code: 'SLURM_UNEXPECTED_MSG_ERROR', errno: 'EPROTO', number: null });
  });

  test('the root itself gives such an answer; its nodes are heard', async () => {
    const slurmds = new FakeSlurmds().set(
      'n1',
      says(({ release }) => {
        const body = encodeBody('RESPONSE_PING_SLURMD', release, { cpuLoad: 0, freeMem: 0n });
        return slurmdAnswer(release, 'RESPONSE_PING_SLURMD', body, [took('n2')]);
      }),
    );
    const results = await runFanOut(slurmds, nodeNames(2), { treeWidth: 1 });
    expect(outcomes(results)).toEqual(['n1 unknown', 'n2 accepted']);
    expect(results[0]?.code).toBe('SLURM_UNEXPECTED_MSG_ERROR');
  });

  test('the root refuses (5003), its nodes have answered', async () => {
    const results = await answersOf(3, 1, [took('n2'), refused('n3')], 5003);
    expect(outcomes(results)).toEqual(['n1 refused', 'n2 accepted', 'n3 refused']);
    expect(results[0]).toMatchObject({ number: 5003, code: 'ESLURM_PROTOCOL_INCOMPLETE_PACKET' });
  });
});

describe('forwarders in trouble', () => {
  test.each([
    ['dies', 'close'],
    ['answers for itself alone, so that its answer is lost', 'alone'],
  ] as const)(
    'one that %s: its nodes are told that they may have got it twice, which they have',
    async (_, kind) => {
      // A chain: n1 passes on to n2, which passes on; n1 hears of none of them and goes on with n3 itself.
      const slurmds = new FakeSlurmds().set('n2', { kind });
      const results = await runFanOut(slurmds, nodeNames(4), { treeWidth: 1 });
      expect(results.map(({ node, outcome, perhapsTwice }) => [node, outcome, perhapsTwice])).toEqual([
        ['n1', 'accepted', false],
        ['n2', 'unknown', false],
        ['n3', 'accepted', true],
        ['n4', 'accepted', true],
      ]);
      expect(nodeNames(4).map((node) => slurmds.timesOf(node))).toEqual([1, 1, 2, 2]);
    },
  );

  test('one whose list is filled up with 1001: the node that is told of so has got it', async () => {
    const slurmds = new FakeSlurmds().set('n2', { kind: 'stutter' });
    const results = await runFanOut(slurmds, nodeNames(6), { treeWidth: 1 });
    expect(results[5]).toMatchObject({ outcome: 'unknown', number: 1001, via: 'n1' });
    expect(nodeNames(6).map((node) => slurmds.timesOf(node))).toEqual([1, 1, 1, 1, 1, 1]);
  });

  test('one that took the message from a forwarder that died, and then died too, is not called not-sent', async () => {
    const slurmds = new FakeSlurmds().set('n2', { kind: 'close' }).set('n3', { kind: 'last-gasp' });
    const results = await runFanOut(slurmds, nodeNames(4), { treeWidth: 1 });
    expect(slurmds.timesOf('n3')).toBe(1);
    expect(outcomes(results)).toEqual(['n1 accepted', 'n2 unknown', 'n3 unknown', 'n4 accepted']);
  });
});

describe('an end in the middle', () => {
  test('aborted while some are answered, some wait and some are queued', async () => {
    const slurmds = new FakeSlurmds();
    const nodes = nodeNames(200);
    for (const node of nodes.slice(10)) slurmds.set(node, { kind: 'hang' });
    const abort = new AbortController();
    const results = await leavesNothing(async () => {
      const running = runFanOut(slurmds, nodes, {
        strategy: 'direct',
        signal: abort.signal,
        messageTimeoutMs: 60_000,
      });
      await until(
        () => slurmds.deliveries.size === 74 && slurmds.open === 64,
        'all connections to be in use',
      );
      abort.abort(new Error('enough'));
      return running;
    }, abort.signal);
    expect(results.slice(0, 10).every(({ outcome }) => outcome === 'accepted')).toBe(true);
    for (const { node, outcome, code: said } of results.slice(10)) {
      expect([node, outcome, said]).toEqual([
        node,
        slurmds.timesOf(node) > 0 ? 'unknown' : 'not-sent',
        'SLURMWIRE_ABORTED',
      ]);
    }
    expect(results.filter(({ outcome }) => outcome === 'unknown').length).toBe(64);
    expect(slurmds.open).toBe(0);
    expect(slurmds.deliveries.size).toBe(74);
  });

  test('aborted before: nobody is contacted', async () => {
    const slurmds = new FakeSlurmds();
    const results = await runFanOut(slurmds, nodeNames(40), { treeWidth: 4, signal: AbortSignal.abort() });
    expect(
      results.every(({ outcome, code: said }) => outcome === 'not-sent' && said === 'SLURMWIRE_ABORTED'),
    ).toBe(true);
    expect(slurmds.contacts).toEqual([]);
  });

  test('aborted while a root is being connected: nobody of its branch is tried instead', async () => {
    const abort = new AbortController();
    const tried: string[] = [];
    const transport = {
      connect: ({ host }: { host: string }) => {
        tried.push(host);
        abort.abort();
        return new Promise<never>(() => {});
      },
    };
    const results = await runFanOut(new FakeSlurmds(), nodeNames(4), {
      treeWidth: 1,
      transport,
      signal: abort.signal,
    });
    expect(outcomes(results)).toEqual(nodeNames(4).map((node) => `${node} not-sent`));
    expect(tried).toEqual(['n1']);
  });
});

describe('over TCP', () => {
  test('300 nodes: 64 connections at a time, not more and not fewer', async () => {
    let [open, peak, seen] = [0, 0, 0];
    await using peer = await ScriptedPeer.listen(async (connection) => {
      await connection.readRequest();
      open += 1;
      seen += 1;
      peak = Math.max(peak, open);
      await until(() => open === 64 || seen === 300, '64 connections at a time');
      // What is too many shows before the first one goes.
      for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
      open -= 1;
      await connection.send(rc(0, { signer: SLURMD_USER }));
      connection.finish();
    });
    const abort = new AbortController();
    const nodes = nodeNames(300);
    const results = await leavesNothing(
      () =>
        runFanOut(new FakeSlurmds(), nodes, {
          strategy: 'direct',
          transport: tcpTransport(),
          addressOf: () => peer.endpoint,
          signal: abort.signal,
        }),
      abort.signal,
    );
    expect(results.map(({ node, outcome }) => [node, outcome])).toEqual(
      nodes.map((node) => [node, 'accepted']),
    );
    expect(peak).toBe(64);
    expect(peer.connections.length).toBe(300);
  });

  test('every way of ending leaves nothing open', async () => {
    const good = rc(0, { signer: SLURMD_USER });
    const silent = await ScriptedPeer.listen(async (connection) => {
      await until(() => connection.gone, 'the client to leave');
      connection.drop();
    });
    const closing = await ScriptedPeer.listen(async (connection) => {
      await connection.readRequest();
      connection.finish();
    });
    const resetting = await ScriptedPeer.listen(async (connection) => {
      await connection.readRequest();
      connection.reset();
    });
    const answering = await ScriptedPeer.listen(async (connection) => {
      await connection.readRequest();
      await connection.send(good);
      connection.finish();
    });
    const dead = await deadEndpoint();
    const places: Record<string, ScriptedPeer | null> = {
      n1: answering,
      n2: silent,
      n3: closing,
      n4: resetting,
      n5: null,
    };
    const nodes = Object.keys(places);
    const addressOf = (node: string) => places[node]?.endpoint ?? dead;
    const options = { transport: tcpTransport(), addressOf, timeoutMs: 2_000 };
    try {
      const direct = await leavesNothing(() =>
        runFanOut(new FakeSlurmds(), nodes, { ...options, strategy: 'direct' }),
      );
      expect(outcomes(direct)).toEqual([
        'n1 accepted',
        'n2 unknown',
        'n3 unknown',
        'n4 unknown',
        'n5 not-sent',
      ]);
      expect(direct.map(({ code: said }) => said)).toEqual([
        null,
        'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT',
        'SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT',
        'SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT',
        'SLURM_COMMUNICATIONS_CONNECTION_ERROR',
      ]);
      // A chain whose first two are not there, then one that closes.
      const chain = await leavesNothing(() =>
        runFanOut(new FakeSlurmds(), ['n5', 'n6', 'n3', 'n1'], { ...options, treeWidth: 1 }),
      );
      expect(outcomes(chain)).toEqual(['n5 not-sent', 'n6 not-sent', 'n3 unknown', 'n1 unknown']);
      expect(answering.connections.length).toBe(1);
    } finally {
      for (const peer of [silent, closing, resetting, answering]) await peer.close();
    }
  });
});

describe('whatever fails', () => {
  const anyBehaviour = fc.oneof(
    { weight: 6, arbitrary: fc.constant(GOOD) },
    { weight: 2, arbitrary: fc.constant<Behaviour>({ kind: 'down' }) },
    {
      weight: 3,
      arbitrary: fc.constantFrom<Behaviour>(
        code(2017),
        code(2010),
        code(-1),
        code(5003),
        { kind: 'close' },
        { kind: 'reset' },
        { kind: 'die' },
        { kind: 'last-gasp' },
        { kind: 'alone' },
        { kind: 'stutter' },
      ),
    },
  );
  const takesIt = ({ kind }: Behaviour) => kind === 'alone' || kind === 'stutter';
  const anyWorld = fc.record({
    behaviours: fc.array(anyBehaviour, { minLength: 1, maxLength: 60 }),
    width: fc.integer({ min: 1, max: 8 }),
    strategy: fc.constantFrom('direct' as const, 'tree' as const, 'tree' as const),
    release: fc.constantFrom(...RELEASE_NAMES),
    strangers: fc.array(fc.nat(59), { maxLength: 3 }),
    seed: fc.nat(),
  });

  test('a result is never more than what is known of the node', async () => {
    const count = { twice: 0, lost: 0 };
    await fc.assert(
      fc.asyncProperty(anyWorld, async ({ behaviours, width, strategy, release, strangers, seed }) => {
        const slurmds = new FakeSlurmds();
        const nodes = nodeNames(behaviours.length);
        for (const [index, behaviour] of behaviours.entries()) slurmds.set(`n${index + 1}`, behaviour);
        for (const index of strangers) slurmds.strangers.add(`n${index + 1}`);
        const start = new Map(slurmds.behaviours);
        // A return list in another order each time.
        let state = seed;
        slurmds.shuffle = (items) =>
          items
            .map((item) => {
              state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
              return [state, item] as const;
            })
            .sort(([a], [b]) => a - b)
            .map(([, item]) => item);

        const results = await runFanOut(slurmds, nodes, { treeWidth: width, strategy, release });

        expect(slurmds.faults).toEqual([]);
        expect(results.map(({ node }) => node)).toEqual(nodes);
        for (const { node, outcome, number, perhapsTwice } of results) {
          const times = slurmds.timesOf(node);
          const behaviour = start.get(node) ?? GOOD;
          const where = `${node} ${outcome} ${times} ${JSON.stringify(behaviour)}`;
          if (outcome === 'accepted')
            expect([behaviour === GOOD || takesIt(behaviour), times > 0], where).toEqual([true, true]);
          if (outcome === 'refused') {
            expect(behaviour, where).toEqual(code(number ?? 0));
            expect(times, where).toBeGreaterThan(0);
          }
          if (outcome === 'not-sent') expect(times, where).toBe(0);
          if (times > 1) expect(perhapsTwice, where).toBe(true);
          if (strategy === 'direct') expect(perhapsTwice, where).toBe(false);
          if (times > 1) count.twice += 1;
          if (outcome === 'unknown') count.lost += 1;
          // Nobody who could be reached is left out: only what died on the way is unknown.
          if (behaviour === GOOD && strategy === 'direct')
            expect([outcome, times], where).toEqual(['accepted', 1]);
        }
        // Without anybody who is lost, all is known, and nothing was sent twice.
        const isQuiet = [...start.values()].every(
          (behaviour) => behaviour.kind === 'down' || (behaviour.kind === 'rc' && behaviour.code !== -1),
        );
        if (isQuiet) {
          for (const { node, outcome, perhapsTwice } of results) {
            expect([node, perhapsTwice, outcome === 'unknown']).toEqual([node, false, false]);
          }
        }
      }),
      { numRuns: 250 },
    );
    // The worlds were bad enough to show something.
    expect(count.twice).toBeGreaterThan(0);
    expect(count.lost).toBeGreaterThan(0);
  });

  test('what goes wrong inside is an error of this library, never a result', async () => {
    const broken = () => {
      throw new TypeError('a defect');
    };
    const error = await runFanOut(new FakeSlurmds(), ['n1'], { addressOf: broken }).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    expect([isSlurmError(error), String(error)]).toEqual([false, 'TypeError: a defect']);
  });

  test('the times asked of the forwarders are never below MessageTimeout', async () => {
    for (const release of ['22.05', '26.05'] as const) {
      const slurmds = new FakeSlurmds();
      await runFanOut(slurmds, nodeNames(7), { treeWidth: 2, release });
      const blocks = slurmds.received.map(({ frame }) => frame.header.forward).filter(({ cnt }) => cnt > 0);
      const expected = release === '22.05' ? MESSAGE_TIMEOUT_MS : 2 * 3 * MESSAGE_TIMEOUT_MS;
      expect(blocks.length).toBeGreaterThan(0);
      expect(blocks[0]).toMatchObject({
        timeout: expected,
        treeWidth: 2,
        treeDepth: release === '22.05' ? 0 : 3,
      });
    }
  });
});
