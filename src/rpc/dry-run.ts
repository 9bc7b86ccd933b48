/**
 * A verb run dry: lookups go out, and everything else is noted and answered with success in its place. So what a verb would send is what it
 * does send, up to the last step.
 */
import { expandHostlist } from '../config/index.js';
import { decodeBody } from '../protocol/body.js';
import type { ReturnItem } from '../protocol/header.js';
import { messageTypeNumber } from '../protocol/message-type.js';
import type { MessageName, MessageRecord } from '../protocol/messages/index.js';
import { NO_VAL } from '../protocol/sentinels.js';
import { type Endpoint, showEndpoint } from '../protocol/transport.js';
import type { LinkSetup } from './controller-link.js';
import type { Request } from './exchange.js';
import type { Reply } from './reply.js';

/** Messages that change nothing. Whatever is not in here is not sent. */
const READS: ReadonlySet<MessageName> = new Set<MessageName>([
  'REQUEST_PING',
  'REQUEST_BUILD_INFO',
  'REQUEST_JOB_INFO',
  'REQUEST_JOB_INFO_SINGLE',
  'REQUEST_JOB_USER_INFO',
  'REQUEST_JOB_STEP_INFO',
  'REQUEST_NODE_INFO',
  'REQUEST_NODE_INFO_SINGLE',
]);

/** A message that would have been sent. */
export type NotedRequest = { [N in MessageName]: NotedRequestOf<N> }[MessageName];

export interface NotedRequestOf<N extends MessageName> {
  readonly name: N;
  readonly record: MessageRecord<N>;
  readonly endpoint: Endpoint;
  /** Nodes that the one at the endpoint would pass it on to. */
  readonly forwardedTo: readonly string[];
}

/** A set-up that sends nothing but lookups, and the list that grows with what it did not send. */
export function dryRun(setup: LinkSetup): { readonly setup: LinkSetup; readonly noted: NotedRequest[] } {
  const noted: NotedRequest[] = [];
  const instead = (request: Request): Reply | null => {
    const { name, release, body, endpoint, forward } = request;
    if (READS.has(name)) return null;
    const forwardedTo = expandHostlist(forward?.nodelist ?? '');
    noted.push({ name, record: decodeBody(name, release, body), endpoint, forwardedTo } as NotedRequest);
    return accepted(request, forwardedTo);
  };
  return { setup: { ...setup, instead }, noted };
}

/** As if every job and every node had taken it. */
function accepted({ name, release, endpoint, body }: Request, forwardedTo: readonly string[]): Reply {
  const type = messageTypeNumber('RESPONSE_SLURM_RC', release) ?? 0;
  const ok = { returnCode: 0 };
  const returnList = forwardedTo.map((nodeName): ReturnItem => ({ err: 0, type, nodeName, body: ok }));
  const envelope = {
    protocol: release,
    peer: showEndpoint(endpoint),
    authenticated: false,
    returnList,
    passedOver: [],
    elapsedMs: 0,
  };
  if (name !== 'REQUEST_KILL_JOBS') return { name: 'RESPONSE_SLURM_RC', record: ok, ...envelope };
  const { jobsArray } = decodeBody(name, release, body);
  const jobResponses = jobsArray.map((text) => killed(Number.parseInt(text ?? '', 10)));
  return { name: 'RESPONSE_KILL_JOBS', record: { jobResponses }, ...envelope };
}

function killed(jobId: number): MessageRecord<'RESPONSE_KILL_JOBS'>['jobResponses'][number] {
  return {
    errorCode: 0,
    errorMsg: null,
    id: {
      stepId: { sluid: 0n, jobId, stepId: NO_VAL, stepHetComp: NO_VAL },
      arrayTaskId: NO_VAL,
      hetJobOffset: NO_VAL,
      arrayBitmap: null,
    },
    realJobId: jobId,
    siblingName: null,
  };
}
