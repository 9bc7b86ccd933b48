/** Clients and single exchanges for these tests, and what every failure is compared with. */
import { expect } from 'vitest';
import {
  type Endpoint,
  encodeBody,
  isSlurmError,
  type MessageInput,
  type MessageName,
  type Outcome,
  type Phase,
  type Release,
  type SlurmError,
  type Transport,
} from '../../../src/protocol/index.js';
import { SlurmClient } from '../../../src/rpc/client.js';
import type { LinkSetup } from '../../../src/rpc/controller-link.js';
import { Deadline } from '../../../src/rpc/deadline.js';
import { exchange } from '../../../src/rpc/exchange.js';
import { Pacer } from '../../../src/rpc/pacer.js';
import type { Reply } from '../../../src/rpc/reply.js';
import { tcpTransport } from '../../../src/rpc/tcp-transport.js';
import { FakeAuth, SLURM_USER, SLURMD_USER } from './fake-auth.js';
import { TestClock } from './test-clock.js';

export interface TestSetup extends Partial<Omit<LinkSetup, 'controllers'>> {
  readonly timeoutMs?: number;
}

export function linkSetup(controllers: readonly Endpoint[], given: TestSetup = {}): LinkSetup {
  const { timeoutMs: _, ...setup } = given;
  return {
    controllers,
    release: '22.05',
    slurmUser: SLURM_USER,
    slurmdUser: SLURMD_USER,
    nodes: undefined,
    nodeAddress: undefined,
    treeWidth: undefined,
    cluster: { scrontab: 'none', wholeHetJob: false },
    trusted: new Set([0, SLURM_USER, SLURMD_USER]),
    messageTimeoutMs: 5_000,
    maxReplyBytes: 1_000_000,
    auth: new FakeAuth(),
    transport: tcpTransport(),
    // Pauses take no time, so a controller that says 1804 for ever is asked as often as it is at most.
    pacer: new Pacer(new TestClock()),
    ...setup,
  };
}

export function clientOf(controllers: readonly Endpoint[], given: TestSetup = {}): SlurmClient {
  return new SlurmClient(linkSetup(controllers, given), given.timeoutMs);
}

export interface ExchangeOptions extends TestSetup {
  readonly signal?: AbortSignal;
  readonly repeatable?: boolean;
  readonly name?: MessageName;
  readonly record?: MessageInput<MessageName>;
}

export const KILL_RECORD = {
  stepId: { jobId: 0xfffffffe, stepId: 0xfffffffe, stepHetComp: 0xfffffffe },
  sjobId: '7',
  signal: 15,
} as const;

/** One exchange without first contact: a KILL_JOB that may not be repeated unless said otherwise. */
export async function exchangeOnce(endpoint: Endpoint, options: ExchangeOptions = {}): Promise<Reply> {
  const {
    signal,
    repeatable = false,
    name = 'REQUEST_KILL_JOB',
    record = KILL_RECORD,
    timeoutMs = 5_000,
  } = options;
  const { signal: _s, repeatable: _r, name: _n, record: _e, ...given } = options;
  const setup = linkSetup([endpoint], given);
  const deadline = new Deadline(timeoutMs, signal);
  const body = encodeBody(name, setup.release, record as MessageInput<typeof name>);
  const request = {
    endpoint,
    release: setup.release,
    name,
    body,
    flags: 0,
    restrictUid: setup.slurmUser,
    repeatable,
  };
  try {
    return await exchange(setup, request, deadline);
  } finally {
    deadline.dispose();
  }
}

/** The SlurmError that a promise rejects with; fails when it resolves or rejects with anything else. */
export async function failureOf(work: Promise<unknown>): Promise<SlurmError> {
  const settled = await work.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ('value' in settled) throw new Error(`resolved with ${JSON.stringify(settled.value)}`);
  if (!isSlurmError(settled.error)) throw settled.error;
  return settled.error;
}

/** What every failure has to say; nothing may be left out. */
export interface Failure {
  readonly name: string;
  readonly code: string;
  readonly phase: Phase | undefined;
  readonly outcome: Outcome;
  readonly retryable: boolean;
  readonly rpc: string | undefined;
  readonly peer: string | undefined;
  readonly protocol: Release | undefined;
}

export function shown(error: SlurmError): Failure {
  const { name, code, phase, outcome, retryable, rpc, peer, protocol } = error;
  return { name, code, phase, outcome, retryable, rpc, peer, protocol: protocol as Release | undefined };
}

/** Waits for the failure, compares all of it, and hands it out for more. */
export async function expectFailure(work: Promise<unknown>, expected: Failure): Promise<SlurmError> {
  const error = await failureOf(work);
  expect(shown(error), error.message).toEqual(expected);
  expect(error.message).not.toContain('FAKE:');
  expect(JSON.stringify(error)).not.toContain('FAKE:');
  return error;
}

/** A usage error of the verbs: nothing was sent, and it names field and value. */
export async function expectUsageError(
  work: Promise<unknown>,
  expected: { code: string; field: string; value?: string; rpc?: string; protocol?: Release },
): Promise<void> {
  const error = await expectFailure(work, {
    name: 'SlurmUsageError',
    code: expected.code,
    phase: undefined,
    outcome: 'not-sent',
    retryable: false,
    rpc: expected.rpc,
    peer: undefined,
    protocol: expected.protocol,
  });
  expect(error).toMatchObject({ field: expected.field, errno: 'EINVAL' });
  if (expected.value !== undefined) expect(error).toMatchObject({ value: expected.value });
}

/** A transport that runs over a script in memory. */
export function transportOf(connect: Transport['connect']): Transport {
  return { connect };
}

/** A promise that only the signal ends, with its reason: how a well-behaved transport or authenticator hangs. */
export function hanging(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
