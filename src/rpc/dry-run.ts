/**
 * A verb run dry: lookups go out, and everything else is noted and answered in its place as if every job and every node had taken it. So what a
 * verb would send is what it does send, up to the last step.
 */
import { expandHostlist } from '../config/index.js';
import { decodeBody } from '../protocol/body.js';
import { errorNumber } from '../protocol/error-number.js';
import type { ReturnItem } from '../protocol/header.js';
import { type ParsedJobId, parseJobId } from '../protocol/job-id.js';
import { messageTypeNumber } from '../protocol/message-type.js';
import type { MessageName, MessageRecord } from '../protocol/messages/index.js';
import { isJobFinished } from '../protocol/messages/job-state.js';
import { NO_VAL } from '../protocol/sentinels.js';
import { NO_STEP_ID } from '../protocol/step-id.js';
import { type Endpoint, showEndpoint } from '../protocol/transport.js';
import type { ControllerLink } from './controller-link.js';
import type { Request } from './exchange.js';
import { hasTasks, tasksOf } from './job-filter.js';
import type { JobTables } from './job-tables.js';
import { isRead } from './reads.js';
import type { Reply } from './reply.js';

/** A message that would have been sent. */
export type NotedRequest = { [N in MessageName]: NotedRequestOf<N> }[MessageName];

export interface NotedRequestOf<N extends MessageName> {
  readonly name: N;
  readonly record: MessageRecord<N>;
  readonly endpoint: Endpoint;
  /** The node whose slurmd is at the endpoint; `null` for a controller. */
  readonly node: string | null;
  /** Nodes that the one at the endpoint would pass it on to. */
  readonly forwardedTo: readonly string[];
}

/** A link that sends nothing but lookups, and the list that grows with what it did not send. */
export function dryRun(
  link: ControllerLink,
  tables: JobTables,
): { readonly link: ControllerLink; readonly noted: readonly NotedRequest[] } {
  const noted: NotedRequest[] = [];
  const instead = (request: Request): Promise<Reply> | null => {
    const { name, release, body, endpoint, forward, node = null } = request;
    if (isRead(name)) return null;
    const forwardedTo = expandHostlist(forward?.nodelist ?? '');
    const record = decodeBody(name, release, body);
    noted.push({ name, record, endpoint, node, forwardedTo } as NotedRequest);
    return accepted(request, forwardedTo, tables);
  };
  return { link: link.through({ ...link.setup, instead }), noted };
}

async function accepted(
  { name, release, endpoint, body }: Request,
  forwardedTo: readonly string[],
  tables: JobTables,
): Promise<Reply> {
  const type = messageTypeNumber('RESPONSE_SLURM_RC', release) ?? 0;
  const ok = { returnCode: 0 };
  const returnList = forwardedTo.map((nodeName): ReturnItem => ({ err: 0, type, nodeName, body: ok }));
  const envelope = {
    protocol: release,
    peer: showEndpoint(endpoint),
    authenticated: false,
    returnList,
    passedOver: [],
    doubt: null,
    elapsedMs: 0,
  };
  if (name !== 'REQUEST_KILL_JOBS') return { name: 'RESPONSE_SLURM_RC', record: ok, ...envelope };
  const { jobsArray, userId, userName } = decodeBody(name, release, body);
  const whose = userName === null ? null : userId;
  const ids = jobsArray.map((text) => parseJobId(text ?? ''));
  await tables.expect(ids.length);
  const jobResponses: JobResponse[] = [];
  for (const id of ids) jobResponses.push(await answerFor(id, whose, tables));
  return { name: 'RESPONSE_KILL_JOBS', record: { jobResponses }, ...envelope };
}

type JobResponse = MessageRecord<'RESPONSE_KILL_JOBS'>['jobResponses'][number];

/** Who is asked for one by one afterwards depends on the answer: what there is not, and what the user filter keeps out. */
async function answerFor(id: ParsedJobId, whose: number | null, tables: JobTables): Promise<JobResponse> {
  const [job] = await tables.jobs(id);
  const isForeign =
    job !== undefined && whose !== null && job.userId !== whose && !isJobFinished(job.jobState);
  const tasks = hasTasks(id) ? tasksOf(id) : [];
  const [only, ...more] = tasks;
  const code = job === undefined ? 'ESLURM_INVALID_JOB_ID' : isForeign ? 'ESLURM_JOB_SIGNAL_FAILED' : null;
  return {
    errorCode: code === null ? 0 : (errorNumber(code) ?? -1),
    errorMsg: null,
    id: {
      stepId: { ...NO_STEP_ID, jobId: id.jobId },
      arrayTaskId: only !== undefined && more.length === 0 ? only : NO_VAL,
      hetJobOffset: NO_VAL,
      arrayBitmap: more.length === 0 ? null : { size: (more.at(-1) ?? 0) + 1, set: tasks },
    },
    realJobId: job?.jobId ?? NO_VAL,
    siblingName: null,
  };
}
