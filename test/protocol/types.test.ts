/** What a caller's editor sees: the types of messages, frames and errors. Proved by the compiler (`npm run check`). */
import { describe, expect, expectTypeOf, test } from 'vitest';
import {
  type AuthSection,
  decodeBody,
  encodeBody,
  type Frame,
  isMessageName,
  type MessageInput,
  type MessageName,
  type MessageRecord,
  NO_STEP_ID,
  type Release,
  SlurmProtocolError,
  type StepId,
  type UnixSignal,
} from '../../src/protocol/index.js';

describe('REQUEST_KILL_JOB', () => {
  test('decoded: every field, with one type', () => {
    expectTypeOf<MessageRecord<'REQUEST_KILL_JOB'>>().toEqualTypeOf<{
      stepId: { sluid: bigint; jobId: number; stepId: number; stepHetComp: number };
      sjobId: string | null;
      sibling: string | null;
      signal: number;
      flags: number;
    }>();
    const bytes = encodeBody('REQUEST_KILL_JOB', '20.11', { stepId: NO_STEP_ID, sjobId: '1', signal: 9 });
    const record = decodeBody('REQUEST_KILL_JOB', '20.11', bytes);
    expectTypeOf(record.stepId).toEqualTypeOf<StepId>();
    expectTypeOf(record.stepId.sluid).toEqualTypeOf<bigint>();
    expect(record).toEqual({ stepId: NO_STEP_ID, sjobId: '1', sibling: null, signal: 9, flags: 0 });
  });

  test('given: what has a default may be left out, the target may not', () => {
    expectTypeOf<MessageInput<'REQUEST_KILL_JOB'>>().toEqualTypeOf<{
      readonly stepId: {
        readonly jobId: number;
        readonly stepId: number;
        readonly stepHetComp: number;
        readonly sluid?: bigint | undefined;
      };
      readonly sjobId: string | null;
      readonly signal: number;
      readonly sibling?: string | null | undefined;
      readonly flags?: number | undefined;
    }>();
    expectTypeOf<MessageInput<'REQUEST_CANCEL_JOB_STEP'>>().toEqualTypeOf<MessageInput<'REQUEST_KILL_JOB'>>();
  });

  test('a record that was decoded can be encoded', () => {
    expectTypeOf<MessageRecord<'REQUEST_KILL_JOB'>>().toExtend<MessageInput<'REQUEST_KILL_JOB'>>();
    expectTypeOf<MessageRecord<'RESPONSE_SLURM_REROUTE_MSG'>>().toExtend<
      MessageInput<'RESPONSE_SLURM_REROUTE_MSG'>
    >();
    expectTypeOf<MessageRecord<MessageName>>().toExtend<MessageInput<MessageName>>();
  });

  test('mistakes do not compile, and throw where nobody compiles', () => {
    const stepId = NO_STEP_ID;
    const wrongId = { ...NO_STEP_ID, sluid: 0 };
    const attempts = [
      // @ts-expect-error sjobId is left out
      () => encodeBody('REQUEST_KILL_JOB', '22.05', { stepId, signal: 9 }),
      // @ts-expect-error a signal is a number here
      () => encodeBody('REQUEST_KILL_JOB', '22.05', { stepId, sjobId: '1', signal: 'SIGKILL' }),
      // @ts-expect-error there is no such field
      () => encodeBody('REQUEST_KILL_JOB', '22.05', { stepId, sjobId: '1', signal: 9, job: 1 }),
      // @ts-expect-error sluid is a bigint
      () => encodeBody('REQUEST_KILL_JOB', '24.11', { stepId: wrongId, sjobId: '1', signal: 9 }),
      // @ts-expect-error there is no release 22.11
      () => encodeBody('REQUEST_PING', '22.11', {}),
      // @ts-expect-error there is no such message
      () => encodeBody('REQUEST_TEA', '22.05', {}),
    ];
    for (const attempt of attempts) expect(attempt).toThrow(SlurmProtocolError);
  });
});

test('other messages', () => {
  expectTypeOf<MessageRecord<'RESPONSE_SLURM_RC'>>().toEqualTypeOf<{ returnCode: number }>();
  expectTypeOf<MessageRecord<'RESPONSE_SLURM_RC_MSG'>>().toEqualTypeOf<{
    returnCode: number;
    errMsg: string | null;
  }>();
  // biome-ignore lint/complexity/noBannedTypes: a record without fields is just that
  expectTypeOf<MessageRecord<'REQUEST_PING'>>().toEqualTypeOf<{}>();
  type Cluster = NonNullable<MessageRecord<'RESPONSE_SLURM_REROUTE_MSG'>['workingClusterRec']>;
  expectTypeOf<Cluster['rootAssoc']['flags']>().toEqualTypeOf<number>();
  expectTypeOf<Cluster['fed']['featureList']>().toEqualTypeOf<(string | null)[] | null>();
});

test('names narrow', () => {
  const name: string = 'REQUEST_PING';
  expect(isMessageName(name)).toBe(true);
  if (isMessageName(name)) expectTypeOf(name).toEqualTypeOf<MessageName>();
  expect(['toString', '__proto__', 'request_ping', '', 1008, null, undefined].filter(isMessageName)).toEqual(
    [],
  );
});

test('frames', () => {
  expectTypeOf<Frame['auth']>().toEqualTypeOf<AuthSection | null>();
  expectTypeOf<Frame['release']>().toEqualTypeOf<Release>();
  expectTypeOf<Frame['header']['forward']['netCred']>().toEqualTypeOf<string | null>();
  expectTypeOf<Frame['body']>().toEqualTypeOf<Uint8Array>();
});

test('signals: names are offered, other strings and numbers taken', () => {
  expectTypeOf<'SIGTERM'>().toExtend<UnixSignal>();
  expectTypeOf<'TERM'>().toExtend<UnixSignal>();
  expectTypeOf<'rtmin+3'>().toExtend<UnixSignal>();
  expectTypeOf<9>().toExtend<UnixSignal>();
  expectTypeOf<9n>().not.toExtend<UnixSignal>();
});
