/** What a decoder notes for dumps: names, places and values of all fields. */
import { expect, test } from 'vitest';
import type { Trace } from '../../src/protocol/byte-reader.js';
import { decodeBody, decodeFrame, encodeFrame } from '../../src/protocol/index.js';
import { describedGoldenLines, fromHex, releaseOfProtocol } from '../support/golden.js';

const newTrace = (): Trace => ({ path: [], spans: [] });

test('a kill request of 24.11, field by field', () => {
  const line = describedGoldenLines().find(
    (l) => l.name === 'REQUEST_KILL_JOB' && l.v === 42 && l.case === 'init',
  );
  const trace = newTrace();
  decodeBody('REQUEST_KILL_JOB', '24.11', fromHex(line?.hex ?? ''), trace);
  expect(trace.spans).toEqual([
    { path: 'stepId/sluid', start: 0, end: 8, value: expect.any(BigInt) },
    { path: 'stepId/jobId', start: 8, end: 12, value: 0xfffffffe },
    { path: 'stepId/stepId', start: 12, end: 16, value: 0xfffffffe },
    { path: 'stepId/stepHetComp', start: 16, end: 20, value: 0xfffffffe },
    { path: 'sjobId', start: 20, end: 24, value: null },
    { path: 'sibling', start: 24, end: 28, value: null },
    { path: 'signal', start: 28, end: 30, value: 0 },
    { path: 'flags', start: 30, end: 32, value: 0 },
  ]);
});

test('a frame from its length word to its credential', () => {
  const auth = { plugin: 'auth/munge', credential: 'M' } as const;
  const returnList = [{ err: 0, type: 8001, nodeName: 'n1', body: { returnCode: 1 } }];
  const body = new Uint8Array(4);
  const bytes = encodeFrame({ release: '22.05', messageName: 'RESPONSE_SLURM_RC', auth, body, returnList });
  const trace = newTrace();
  decodeFrame(bytes, trace);
  expect(trace.path).toEqual([]);
  expect(trace.spans.map(({ path }) => path)).toEqual([
    'length',
    'header/version',
    'header/flags',
    'header/msgType',
    'header/bodyLength',
    'header/forward/cnt',
    'header/returnList (count)',
    'header/returnList/0/err',
    'header/returnList/0/type',
    'header/returnList/0/nodeName',
    'header/returnList/0/body/returnCode',
    'header/origAddr',
    'auth/pluginId',
    'auth/credential',
  ]);
  expect(trace.spans[0]).toEqual({ path: 'length', start: 0, end: 4, value: bytes.length - 4 });
  expect(trace.spans.at(-2)).toMatchObject({ value: 101 });
  expect(trace.spans.at(-1)).toEqual({
    path: 'auth/credential',
    start: bytes.length - 10,
    end: bytes.length - 4,
    value: 'M',
  });
});

test('the spans of every golden body cover it without gap or overlap, and decoding does not depend on them', () => {
  for (const line of describedGoldenLines()) {
    const release = releaseOfProtocol(line.v);
    const bytes = fromHex(line.hex);
    const trace = newTrace();
    expect(decodeBody(line.name, release, bytes, trace)).toEqual(decodeBody(line.name, release, bytes));
    expect(trace.path).toEqual([]);
    let end = 0;
    for (const span of trace.spans) {
      expect(span.start, `${line.name} ${span.path}`).toBe(end);
      expect(span.end).toBeGreaterThan(span.start);
      end = span.end;
    }
    expect(end).toBe(bytes.length);
    // A cluster record has two presence bytes since 24.11.
    const paths = trace.spans.map(({ path }) => path).filter((path) => !path.endsWith(' (present)'));
    expect(new Set(paths).size).toBe(paths.length);
  }
});

test('counts and presence bytes have spans of their own', () => {
  const line = describedGoldenLines().find(
    (l) => l.name === 'RESPONSE_STEP_LAYOUT' && l.v === 46 && l.case === 'typical-1',
  );
  const trace = newTrace();
  decodeBody('RESPONSE_STEP_LAYOUT', '26.11', fromHex(line?.hex ?? ''), trace);
  const layout = 'slurmStepLayout';
  expect(trace.spans.slice(0, 2)).toEqual([
    { path: `${layout} (present)`, start: 0, end: 2, value: 1 },
    { path: `${layout}/frontEnd`, start: 2, end: 6, value: null },
  ]);
  const tids = trace.spans.filter(({ path }) => path.startsWith(`${layout}/tids`));
  expect(tids.map(({ path, value }) => [path, value])).toEqual([
    [`${layout}/tids/0 (count)`, 3],
    [`${layout}/tids/0/0`, 0],
    [`${layout}/tids/0/1`, 1],
    [`${layout}/tids/0/2`, 2],
    [`${layout}/tids/1 (count)`, 2],
    [`${layout}/tids/1/0`, 3],
    [`${layout}/tids/1/1`, 4],
  ]);
});
