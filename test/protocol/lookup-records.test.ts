/** Shapes of the lookups' records that no recorded answer has, and the names of states. */
import { describe, expect, expectTypeOf, test } from 'vitest';
import {
  decodeBody,
  encodeBody,
  isJobFinished,
  JOB_STATE_FLAGS,
  JOB_STATES,
  type JobRecord,
  jobStateFlags,
  jobStateName,
  MESSAGES,
  type MessageInput,
  type MessageName,
  type MessageRecord,
  NO_STEP_ID,
  NO_VAL,
  NODE_STATES,
  nodeStateFlags,
  nodeStateName,
  RELEASE_NAMES,
  type Release,
} from '../../src/protocol/index.js';
import { jobRecord } from '../../src/protocol/messages/job-record.js';
import { selectJobinfo } from '../../src/protocol/messages/select-jobinfo.js';
import { decodeWith, encodeWith, protocolErrorOf } from '../support/codec.js';
import { type AnyType, exampleOf, settled } from '../support/description.js';
import { fromHex, toHex } from '../support/golden.js';

const exampleBody = (name: MessageName, release: Release) => exampleOf(MESSAGES[name] as AnyType, release);

describe('a job record', () => {
  test.each(RELEASE_NAMES.slice(6))('without details, %s', (release) => {
    const full = exampleOf(jobRecord as AnyType, release) as JobRecord;
    const brief = settled(jobRecord as AnyType, { ...full, hasDetails: false }, release) as JobRecord;
    expect(brief).toMatchObject({ numCpus: 3, numNodes: 3, nice: 3, workDir: null, numTasks: 0 });
    const counted = { ...brief, numCpus: 0x11111111, numNodes: 0x22222222, nice: 0x33333333 };
    const hex = toHex(encodeWith(jobRecord, release, counted));
    // The three stand together, right behind the flag, and only there.
    expect(hex.split(`00${'1'.repeat(8)}${'2'.repeat(8)}${'3'.repeat(8)}`)).toHaveLength(2);
    expect(decodeWith(jobRecord, release, fromHex(hex))).toEqual(counted);

    const error = protocolErrorOf(() => encodeWith(jobRecord, release, { ...brief, workDir: '/tmp' }));
    expect([error.code, error.fieldPath]).toEqual(['SLURMWIRE_NOT_IN_RELEASE', 'workDir']);
  });

  test('has its container twice from 21.08 to 24.05', () => {
    for (const release of RELEASE_NAMES) {
      const full = exampleOf(jobRecord as AnyType, release) as JobRecord;
      const container = release === '20.11' ? null : 'bundle';
      const hex = toHex(encodeWith(jobRecord, release, { ...full, container }));
      const times = hex.split(Buffer.from('bundle').toString('hex')).length - 1;
      expect(times).toBe(release === '20.11' ? 0 : RELEASE_NAMES.indexOf(release) < 6 ? 2 : 1);
    }
  });
});

test('nodes that are hidden are counted but have no record', () => {
  const [node] = (exampleBody('RESPONSE_NODE_INFO', '26.05') as MessageRecord<'RESPONSE_NODE_INFO'>).nodes;
  const hiddenNodes = { size: 5, set: [1, 4] };
  const nodes = [node, node, node] as NonNullable<typeof node>[];
  const bytes = encodeBody('RESPONSE_NODE_INFO', '26.05', { lastUpdate: 0n, hiddenNodes, nodes });
  const decoded = decodeBody('RESPONSE_NODE_INFO', '26.05', bytes);
  expect([decoded.recordCount, decoded.nodes.length]).toEqual([5, 3]);
  expect(decoded.hiddenNodes).toEqual(hiddenNodes);
});

test('generic resources of a job, and the absence of a list since 25.05', () => {
  const example = exampleBody('REQUEST_TERMINATE_JOB', '25.05') as MessageInput<'REQUEST_TERMINATE_JOB'>;
  const head = { magic: 0x438a34d4, pluginId: 7696487 };
  const jobGres = [
    { ...head, nodeCnt: 2, gresCntNodeAlloc: [1n, 2n], gresBitAlloc: [{ size: 4, set: [0] }, null] },
    { ...head, nodeCnt: 9, gresCntNodeAlloc: null, gresBitAlloc: null },
  ];
  for (const release of ['24.11', '25.05'] as const) {
    const bytes = encodeBody('REQUEST_TERMINATE_JOB', release, { ...example, jobGres });
    expect(decodeBody('REQUEST_TERMINATE_JOB', release, bytes).jobGres).toEqual(jobGres);
  }
  const none = encodeBody('REQUEST_TERMINATE_JOB', '25.05', { ...example, jobGres: null });
  expect(decodeBody('REQUEST_TERMINATE_JOB', '25.05', none).jobGres).toBeNull();
  const error = protocolErrorOf(() =>
    encodeBody('REQUEST_TERMINATE_JOB', '24.11', { ...example, jobGres: null }),
  );
  expect([error.code, error.fieldPath]).toEqual(['SLURMWIRE_BAD_VALUE', 'jobGres']);
});

test("a job credential and a step's accounting are not described", () => {
  const bytes = encodeBody(
    'REQUEST_TERMINATE_JOB',
    '22.05',
    exampleBody('REQUEST_TERMINATE_JOB', '22.05') as MessageInput<'REQUEST_TERMINATE_JOB'>,
  );
  const withCred = Uint8Array.from(bytes).fill(1, 0, 1);
  expect(protocolErrorOf(() => decodeBody('REQUEST_TERMINATE_JOB', '22.05', withCred))).toMatchObject({
    code: 'SLURMWIRE_UNKNOWN_TYPE',
    fieldPath: 'cred',
    offset: 1,
  });
});

test('what a Cray says of a job', () => {
  const cray = {
    bladeMap: { size: 4, set: [1] },
    cleaning: 1,
    npc: 2,
    usedBlades: null,
  };
  const hex = '0000006e 00000004 00000004 30783200 0001 02 fffffffe'.replaceAll(' ', '');
  expect(toHex(encodeWith(selectJobinfo, '20.11', { pluginId: 110, cray }))).toBe(hex);
  expect(decodeWith(selectJobinfo, '20.11', fromHex(hex))).toEqual({ pluginId: 110, cray });
  expect(decodeWith(selectJobinfo, '20.11', fromHex('0000006d'))).toEqual({ pluginId: 109, cray: null });
});

describe('a job named by its number alone or as a step id', () => {
  test.each(RELEASE_NAMES)('either is taken in %s, and both are read', (release) => {
    const byNumber = encodeBody('REQUEST_JOB_INFO_SINGLE', release, { jobId: 7, showFlags: 1 });
    const stepId = { ...NO_STEP_ID, jobId: 7 };
    const byStep = encodeBody('REQUEST_JOB_INFO_SINGLE', release, { stepId, showFlags: 1 });
    expect(toHex(byNumber)).toBe(toHex(byStep));
    const decoded = decodeBody('REQUEST_JOB_INFO_SINGLE', release, byNumber);
    expect(decoded).toEqual({ jobId: 7, stepId, showFlags: 1 });
  });

  test.each(RELEASE_NAMES)('a step whose time limit changes, %s', (release) => {
    const stepId = { sluid: 0n, jobId: 7, stepId: 2, stepHetComp: NO_VAL };
    const parts = encodeBody('REQUEST_UPDATE_JOB_STEP', release, { jobId: 7, stepNumber: 2, timeLimit: 5 });
    const whole = encodeBody('REQUEST_UPDATE_JOB_STEP', release, { stepId, timeLimit: 5 });
    expect(toHex(parts)).toBe(toHex(whole));
    expect(decodeBody('REQUEST_UPDATE_JOB_STEP', release, whole)).toMatchObject({ stepId, stepNumber: 2 });
  });

  test('one that is missing altogether', () => {
    for (const [release, path] of [
      ['22.05', 'jobId'],
      ['26.05', 'stepId'],
    ] as const) {
      const error = protocolErrorOf(() => encodeBody('REQUEST_JOB_INFO_SINGLE', release, { showFlags: 1 }));
      expect([error.code, error.fieldPath]).toEqual(['SLURMWIRE_FIELD_MISSING', path]);
    }
  });
});

describe('states', () => {
  test('of jobs, in the words of Slurm', () => {
    const names = Object.values(JOB_STATES).map(jobStateName);
    expect(names).toEqual([
      ...['PENDING', 'RUNNING', 'SUSPENDED', 'COMPLETED', 'CANCELLED', 'FAILED', 'TIMEOUT', 'NODE_FAIL'],
      ...['PREEMPTED', 'BOOT_FAIL', 'DEADLINE', 'OUT_OF_MEMORY', 'UNKNOWN(12)'],
    ]);
    expect(jobStateName(JOB_STATES.JOB_CANCELLED | JOB_STATE_FLAGS.JOB_COMPLETING)).toBe('CANCELLED');
    expect(jobStateName(0xff)).toBe('UNKNOWN(255)');
  });

  test('have flags, of which those without a name are left out', () => {
    expect(jobStateFlags(0x8004)).toEqual(['JOB_COMPLETING']);
    expect(jobStateFlags(0x80408401)).toEqual(['JOB_REQUEUE', 'JOB_COMPLETING', 'JOB_SIGNALING']);
    expect(jobStateFlags(0xff)).toEqual([]);
  });

  test('that are final', () => {
    expect([0, 1, 2, 3, 0x8004, 0x8001, 11].map(isJobFinished)).toEqual([
      ...[false, false, false, true, true, false, true],
    ]);
  });

  test('of nodes', () => {
    expect(Object.values(NODE_STATES).map(nodeStateName)).toEqual([
      ...['UNKNOWN', 'DOWN', 'IDLE', 'ALLOCATED', 'ERROR', 'MIXED', 'FUTURE'],
    ]);
    expect(nodeStateName(0xa0f)).toBe('UNKNOWN(15)');
    expect(nodeStateFlags(0xa02)).toEqual(['NODE_STATE_DRAIN', 'NODE_STATE_NO_RESPOND']);
  });
});

test('the types of a job list', () => {
  type List = MessageRecord<'RESPONSE_JOB_INFO'>;
  expectTypeOf<List['jobs']>().toEqualTypeOf<JobRecord[]>();
  expectTypeOf<JobRecord['bitflags']>().toEqualTypeOf<bigint>();
  expectTypeOf<JobRecord['cronspec']>().toEqualTypeOf<string | null>();
  expectTypeOf<NonNullable<JobRecord['jobResources']>['cpus']>().toEqualTypeOf<number[]>();
  expectTypeOf<MessageRecord<'RESPONSE_BUILD_INFO'>['prolog']>().toEqualTypeOf<(string | null)[]>();
  expectTypeOf<MessageRecord<'RESPONSE_JOB_ALLOCATION_INFO'>['cpusPerNode']>().toEqualTypeOf<
    number[] | null
  >();
});
