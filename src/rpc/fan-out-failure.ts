/** The error of a fan-out that not every node took: class, code and errno are those of what matters most, and one sentence names the nodes. */
import { compressHostlist } from '../config/index.js';
import { errorMeaning } from '../protocol/error-meaning.js';
import type { NodeResult } from '../protocol/node-result.js';
import type { Release } from '../protocol/release.js';
import {
  type Outcome,
  restate,
  SlurmAuthError,
  SlurmConfigError,
  SlurmConnectionError,
  type SlurmError,
  type SlurmErrorDetails,
  SlurmProtocolError,
  SlurmServerError,
  SlurmUsageError,
} from '../protocol/slurm-error.js';
import { type NodeAnswer, UNEXPECTED } from './fan-out.js';

/** What was asked of the nodes. */
export interface FanOutOrder {
  readonly rpc: 'REQUEST_SIGNAL_TASKS' | 'REQUEST_TERMINATE_TASKS';
  /** The job or step as it was named. */
  readonly target: string;
  readonly protocol: Release;
  /** True where another try can do no harm. */
  readonly repeatable: boolean;
}

/**
 * A refusal matters more than silence, one for good more than one for now, and what may have happened more than what has not.
 *
 * @param answers of all nodes.
 * @param failed those of them that make the call fail, at least one.
 */
export function fanOutFailed(
  order: FanOutOrder,
  answers: readonly NodeAnswer[],
  failed: readonly NodeAnswer[],
  hint?: string,
): SlurmError {
  const { rpc, target, protocol, repeatable } = order;
  const nodes = answers.map(({ result }) => result);
  const outcome = joint(nodes);
  const worst = worstOf(failed);
  const { code, errno, number } = worst.result;
  const mayHaveDone = outcome === 'partial' || outcome === 'unknown';
  const details = {
    code: code ?? 'SLURM_ERROR',
    errno: errno ?? 'EIO',
    number: number ?? undefined,
    outcome,
    rpc,
    protocol,
    peer: failed.length === 1 ? worst.error?.peer : undefined,
    phase: worst.error?.phase ?? 'wait',
    nodes,
    retryable: failed.every((answer) => isWorthAnotherTry(answer, order)) && (repeatable || !mayHaveDone),
    hint: hint ?? (mayHaveDone ? "The error's nodes say which node did what." : undefined),
    cause: worst.error ?? undefined,
  } as const;
  const count = `${failed.length} of ${nodes.length} nodes`;
  return errorOf(worst, `${target}: ${count} did not take it: ${reasons(failed, nodes)}.`, details);
}

/** What is known of all together. */
function joint(nodes: readonly NodeResult[]): Outcome {
  const kinds = new Set(nodes.map(({ outcome }) => outcome));
  if (kinds.has('accepted')) return 'partial';
  if (kinds.has('unknown')) return 'unknown';
  return kinds.has('refused') ? 'refused' : 'not-sent';
}

function worstOf(failed: readonly NodeAnswer[]): NodeAnswer {
  const rank = ({ result: { outcome, errno } }: NodeAnswer) => {
    if (outcome === 'refused') return errno === 'EAGAIN' ? 1 : 0;
    return outcome === 'unknown' ? 2 : 3;
  };
  return failed.reduce((worst, answer) => (rank(answer) < rank(worst) ? answer : worst));
}

function isWorthAnotherTry({ result, error }: NodeAnswer, { protocol, repeatable }: FanOutOrder): boolean {
  if (error !== null) return error.retryable;
  if (result.outcome === 'unknown') return repeatable;
  return result.number !== null && errorMeaning(result.number, protocol).retryable;
}

function errorOf({ result, error }: NodeAnswer, summary: string, details: SlurmErrorDetails): SlurmError {
  if (error !== null) {
    // These say `not-sent` whatever they are told, and thrown by an authenticator they are about credentials.
    if (error instanceof SlurmUsageError || error instanceof SlurmConfigError)
      return new SlurmAuthError(summary, details);
    return restate(error, summary, details);
  }
  if (result.code === UNEXPECTED) return new SlurmProtocolError(summary, details);
  // The node's own number: a forwarder's is about the network.
  if (result.outcome === 'refused' || result.number === -1) return new SlurmServerError(summary, details);
  return new SlurmConnectionError(summary, details);
}

/** Groups of nodes with the same reason shown; a message is no list. */
const SHOWN_REASONS = 4;
const SHOWN_NAMES = 80;

function reasons(failed: readonly NodeAnswer[], nodes: readonly NodeResult[]): string {
  const hasParts = new Set(nodes.map(({ target }) => target)).size > 1;
  const groups = new Map<string, string[]>();
  for (const { result } of failed) {
    const why = `${hasParts ? `of ${result.target} ` : ''}${WORDS[result.outcome]} (${reason(result)})`;
    groups.set(why, [...(groups.get(why) ?? []), result.node]);
  }
  const shown = [...groups].slice(0, SHOWN_REASONS).map(([why, names]) => `${showNames(names)} ${why}`);
  const left = groups.size - shown.length;
  return `${shown.join('; ')}${left > 0 ? `; and ${left} more` : ''}`;
}

const WORDS: Readonly<Record<NodeResult['outcome'], string>> = {
  accepted: 'accepted',
  refused: 'refused',
  unknown: 'may have got it',
  'not-sent': 'not reached',
};

function reason({ outcome, code, errno, message }: NodeResult): string {
  if (outcome === 'refused') return `${code}: ${(message ?? '').replace(/\.$/, '')}`;
  return code === errno ? `${code}` : `${code}, ${errno}`;
}

function showNames(names: readonly string[]): string {
  const all = compressHostlist(names);
  if (all.length <= SHOWN_NAMES) return all;
  const some = names.slice(0, 3);
  return `${compressHostlist(some)} and ${names.length - some.length} more`;
}
