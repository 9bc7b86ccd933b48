/** Replies as daemons make them, and the usual scripts. */
import {
  type AuthSection,
  encodeBody,
  encodeFrame,
  isAtLeast,
  isMessageName,
  type MessageInput,
  type MessageName,
  type MessageRecord,
  messageTypeName,
  messageTypeNumber,
  payloadDigest,
  type Release,
} from '../../../src/protocol/index.js';
import { messageType } from '../../../src/protocol/messages/index.js';
import type { JobRecord } from '../../../src/protocol/messages/job-record.js';
import { NO_VAL } from '../../../src/protocol/sentinels.js';
import { NO_STEP_ID } from '../../../src/protocol/step-id.js';
import { exampleOf, settled } from '../../support/description.js';
import { CALLER, SLURM_USER, sealCredential } from './fake-auth.js';
import type { PeerConnection, PeerRequest, Script } from './scripted-peer.js';

export interface ReplyDetails {
  readonly release?: Release;
  /** Who signs; `null`: no credential. Default: SlurmUser up to 22.05, nobody since, as the daemons do. */
  readonly signer?: number | null;
  /** Payload of the credential in place of the right one. */
  readonly payload?: Uint8Array;
  /** The whole section in place of a good one. */
  readonly auth?: AuthSection;
  readonly flags?: number;
}

/** A whole reply frame with a body that is given packed. */
export function replyOf(name: string, body: Uint8Array, details: ReplyDetails = {}): Uint8Array {
  const { release = '22.05', flags = 0 } = details;
  const signer =
    details.signer === undefined ? (isAtLeast(release, '23.02') ? null : SLURM_USER) : details.signer;
  const type = messageTypeNumber(name, release);
  if (type === null) throw new Error(`no ${name} in ${release}`);
  const payload = Buffer.from(details.payload ?? payloadDigest(release, type, body)).toString('hex');
  const auth =
    details.auth ??
    (signer === null ? null : sealCredential({ uid: signer, gid: signer, payload, restrictUid: CALLER }));
  return encodeFrame({ release, messageName: name, auth, body, flags });
}

export function reply<N extends MessageName>(
  name: N,
  record: MessageInput<N>,
  details: ReplyDetails = {},
): Uint8Array {
  return replyOf(name, encodeBody(name, details.release ?? '22.05', record), details);
}

export function rc(number: number, details: ReplyDetails = {}): Uint8Array {
  return reply('RESPONSE_SLURM_RC', { returnCode: number >>> 0 }, details);
}

/** The answer to a look: job 7 alone, or with so many records in all the leader of a het job; else something in every field. */
export function jobInfo(count: number, details: ReplyDetails = {}): Uint8Array {
  return jobRecordsReply(
    Array.from({ length: count }, (_, index) => ({ jobId: 7 + index, hetJobId: count > 1 ? 7 : 0 })),
    details,
  );
}

/** Job records: what is not given says that it is no array, no het job, no scrontab job, and has no step manager. */
export function jobRecordsReply(jobs: readonly Partial<JobRecord>[], details: ReplyDetails = {}): Uint8Array {
  const { release = '22.05' } = details;
  const type = messageType('RESPONSE_JOB_INFO');
  const example = exampleOf(type, release) as MessageRecord<'RESPONSE_JOB_INFO'>;
  const given = jobs.map((job) => ({
    bitflags: 0n,
    arrayJobId: 0,
    arrayTaskId: NO_VAL,
    hetJobId: 0,
    cronspec: null,
    ...job,
    // Since 25.11 the job's number stands in its step id alone.
    stepId: job.stepId ?? { ...NO_STEP_ID, jobId: job.jobId ?? 7 },
  }));
  const full = { ...example, jobs: given.map((job) => ({ ...example.jobs[0], ...job })) };
  const record = settled(type, full, release) as MessageRecord<'RESPONSE_JOB_INFO'>;
  // What is null on purpose was filled in with an example.
  const own = record.jobs.map((job, index) => ({ ...job, ...given[index] }));
  return reply('RESPONSE_JOB_INFO', { ...record, jobs: own } as MessageInput<'RESPONSE_JOB_INFO'>, details);
}

/** When every daemon of these tests says that it answers, in seconds since 1970. */
const NOW = 1_700_000_000;

/** The configuration of a cluster without scrontab, told by a slurmctld of a release. */
export function buildInfoReply(
  daemon: {
    readonly release: Release;
    readonly upSeconds?: number;
    readonly scronParams?: string | undefined;
  },
  release: Release,
): Uint8Array {
  const type = messageType('RESPONSE_BUILD_INFO');
  const example = exampleOf(type, release) as Record<string, unknown>;
  const told = {
    lastUpdate: BigInt(NOW),
    bootTime: BigInt(NOW - (daemon.upSeconds ?? 86_400)),
    version: `${daemon.release}.3`,
    scronParams: daemon.scronParams ?? null,
    schedParams: null,
  };
  const record = settled(type, { ...example, ...told }, release) as MessageInput<'RESPONSE_BUILD_INFO'>;
  return reply('RESPONSE_BUILD_INFO', record, { release });
}

/** A reply of a kind that Slurm knows and this library has no description of, whichever that is by now. */
export function undescribedReply(details: ReplyDetails = {}): { name: string; bytes: Uint8Array } {
  const { release = '22.05' } = details;
  const names = Array.from({ length: 10_000 }, (_, type) => messageTypeName(type, release));
  const name = names.find((one) => one?.startsWith('RESPONSE_') && !isMessageName(one));
  if (typeof name !== 'string') throw new Error('every reply is described: take a number that is none');
  return { name, bytes: replyOf(name, new Uint8Array(), details) };
}

/** What a script does with one request. */
export type Answer =
  | Uint8Array
  | ((connection: PeerConnection, request: PeerRequest) => Promise<void> | void);

/** Reads each request and answers by its name; PING is answered with success unless said otherwise. */
export function answering(
  answers: { readonly [N in MessageName]?: Answer },
  release: Release = '22.05',
): Script {
  return async (connection) => {
    const request = await connection.readRequest();
    const name = request.name as MessageName;
    const answer = answers[name] ?? (name === 'REQUEST_PING' ? rc(0, { release }) : undefined);
    if (answer === undefined) throw new Error(`the script has no answer to ${name}`);
    if (typeof answer === 'function') await answer(connection, request);
    else {
      await connection.send(answer);
      connection.finish();
    }
  };
}

/** Accepts and says nothing. */
export const silence = () => {};

/** Sends and closes. */
export function saying(bytes: Uint8Array) {
  return async (connection: PeerConnection) => {
    await connection.send(bytes);
    connection.finish();
  };
}
