/**
 * Judges what goes out: the rules by which a client never harms a cluster, held against the bytes themselves. It knows nothing of how they were
 * made, and reads them by itself (`outgoing-frame.ts`).
 */
import type { Connection, Transport } from '../../src/protocol/index.js';
import { kangarooTwelve } from './kangaroo-twelve.js';
import {
  namesOf,
  type OutgoingFrame,
  readKill,
  readKillJobs,
  readOutgoing,
  readSignalTasks,
  readSuspend,
} from './outgoing-frame.js';

/** What the judge is told beside the bytes. */
export interface Facts {
  /** Whose credential it is, for KILL_JOBS: `null` where that is not known for certain. Left out: not judged. */
  readonly caller?: { readonly uid: number | null; readonly isPrivileged: boolean };
  /** The daemons' MessageTimeout in milliseconds; default 0. */
  readonly messageTimeoutMs?: number;
  /** Name of the node that it is sent to, where it is one. */
  readonly node?: string | undefined;
  /** Slurmds that forward send by the same sockets: what they pass on has its sender's credential, and to some of them a width of 0. */
  readonly hasForwarders?: boolean;
  /** Credentials of a fake munged that has but one. */
  readonly onlyOnes?: ReadonlySet<string>;
  /** What a credential of the tests is bound to. Left out: not judged. */
  readonly payloadOf?: (credential: string) => Uint8Array | null;
}

const TYPE = {
  KILL_JOB: 5032,
  CANCEL_JOB_STEP: 5005,
  KILL_JOBS: 5041,
  SUSPEND: 5014,
  SIGNAL_TASKS: 6004,
  TERMINATE_TASKS: 6006,
  JOB_NOTIFY: 4022,
} as const;

/** Requests that a client may have a use for: questions, by their numbers, and what is described above. */
const CLIENTS = new Set<number>([
  ...[1008, 2053], // ping, control status
  ...[2001, 2003, 2005, 2007, 2009, 2013, 2015, 2021, 2024, 2039, 2040, 2049, 2057], // tables and records
  ...[3016, 4014, 4027, 5021], // addresses, allocations, layout
  ...[5007, 5023], // time limit of a step, requeue
  ...Object.values(TYPE),
]);
/** What slurmctld tells its slurmds: from anybody else it takes a job away behind its back. */
const DAEMONS_OWN: ReadonlyMap<number, string> = new Map([
  [5031, 'SUSPEND_INT'],
  [6009, 'KILL_TIMELIMIT'],
  [6011, 'TERMINATE_JOB'],
  [6013, 'ABORT_JOB'],
  [6016, 'KILL_PREEMPTED'],
]);

/** First and last protocol in which a client may set a KILL_* bit. */
const KILL_BITS: ReadonlyMap<number, readonly [number, number]> = new Map([
  [0x0001, [36, 46]],
  [0x0004, [36, 46]],
  [0x0008, [36, 46]],
  [0x0020, [36, 46]],
  [0x0200, [39, 43]],
  [0x0800, [40, 46]],
  [0x1000, [41, 46]],
  [0x2000, [43, 46]],
]);
const VERBOSE = 0x0800;
const TREE_WIDTHS = [1, 65_533] as const;

/** The rules that one frame breaks, in words; empty when there are none. */
export function judgeFrame(bytes: Uint8Array, facts: Facts = {}): string[] {
  let frame: OutgoingFrame;
  try {
    frame = readOutgoing(bytes);
  } catch (error) {
    return [`no request frame: ${(error as Error).message}`];
  }
  const { protocol, flags, type, auth } = frame;
  const broken: string[] = [];
  const rule = (isKept: boolean, what: string) => {
    if (!isKept) broken.push(what);
  };
  rule(protocol >= 36 && protocol <= 46, `protocol ${protocol}`);
  rule((flags & ~0x0011) === 0, `header flags 0x${flags.toString(16)}`);
  rule(auth !== null && auth.text !== null && auth.text !== '', 'no credential');
  rule(!DAEMONS_OWN.has(type), `${DAEMONS_OWN.get(type)} is slurmctld's own`);
  rule(CLIENTS.has(type) || DAEMONS_OWN.has(type), `message ${type} is none that a client sends`);
  rule(type !== TYPE.JOB_NOTIFY || facts.node === undefined, 'a slurmd never answers JOB_NOTIFY');
  broken.push(...judgeForward(frame, facts), ...judgeBody(frame, facts), ...judgeBinding(frame, facts));
  return broken;
}

function judgeForward(
  { forward, type }: OutgoingFrame,
  { messageTimeoutMs = 0, node, hasForwarders = false }: Facts,
): string[] {
  if (forward === null) return [];
  const { count, nodeList, timeout, treeWidth, netCred, treeDepth } = forward;
  let names: string[];
  try {
    names = namesOf(nodeList ?? '');
  } catch (error) {
    return [`a node list that is none: ${(error as Error).message}`];
  }
  const distinct = new Set(names).size;
  const [thinnest, widest] = TREE_WIDTHS;
  return [
    ...(count === distinct ? [] : [`count ${count} for ${distinct} nodes`]),
    ...(names.length === distinct ? [] : ['a node stands twice in the list']),
    ...(node !== undefined && names.includes(node) ? [`${node} is to pass it on to itself`] : []),
    ...(timeout >= Math.max(1, messageTimeoutMs) ? [] : [`${timeout} ms to pass it on`]),
    ...((treeWidth >= thinnest && treeWidth <= widest) || (hasForwarders && treeWidth === 0)
      ? []
      : [`tree width ${treeWidth}`]),
    ...(treeDepth === null || treeDepth >= 1 ? [] : ['tree depth 0']),
    ...(netCred === null ? [] : ['a credential of addresses']),
    ...(type === TYPE.SIGNAL_TASKS || type === TYPE.TERMINATE_TASKS ? [] : [`message ${type} forwarded`]),
  ];
}

function judgeBody(frame: OutgoingFrame, facts: Facts): string[] {
  const { type, protocol } = frame;
  const broken: string[] = [];
  const signalled = (signal: number, flags: number) => {
    if (signal < 1 || signal > 64) broken.push(`signal ${signal}`);
    for (let bit = 1; bit <= 0x8000; bit <<= 1) {
      const [first, last] = KILL_BITS.get(bit) ?? [Infinity, 0];
      if ((flags & bit) !== 0 && !(protocol >= first && protocol <= last))
        broken.push(`KILL flag 0x${bit.toString(16)} in protocol ${protocol}`);
    }
  };
  try {
    switch (type) {
      case TYPE.KILL_JOB: {
        const { jobText, signal, flags } = readKill(frame);
        if (jobText === null || jobText === '') broken.push('KILL_JOB without an id text');
        signalled(signal, flags);
        break;
      }
      case TYPE.CANCEL_JOB_STEP: {
        const { signal, flags } = readKill(frame);
        signalled(signal, flags);
        break;
      }
      case TYPE.SIGNAL_TASKS:
      case TYPE.TERMINATE_TASKS: {
        const { signal, flags } = readSignalTasks(frame);
        // A slurmd does not look at that of TERMINATE_TASKS.
        signalled(type === TYPE.TERMINATE_TASKS && signal === 0xffff ? 9 : signal, flags);
        break;
      }
      case TYPE.KILL_JOBS: {
        const { ids, signal, flags, userId, userName } = readKillJobs(frame);
        signalled(signal, flags);
        if ((flags & VERBOSE) === 0) broken.push('KILL_JOBS whose answer tells nothing');
        for (const id of ids)
          if (id === null || id === '' || /[+.]/.test(id)) broken.push(`KILL_JOBS of ${JSON.stringify(id)}`);
        const { caller } = facts;
        if (caller === undefined || caller.isPrivileged) break;
        if (caller.uid === null || userName === null || userId !== caller.uid)
          broken.push("KILL_JOBS that may reach another user's job");
        break;
      }
      case TYPE.SUSPEND: {
        const { op } = readSuspend(frame);
        if (op > 1) broken.push(`SUSPEND with op ${op}`);
        break;
      }
    }
  } catch (error) {
    broken.push(`a body that is none: ${(error as Error).message}`);
  }
  return broken;
}

function judgeBinding({ protocol, type, body, auth }: OutgoingFrame, { payloadOf }: Facts): string[] {
  const payload = auth?.plugin === 101 && auth.text !== null ? payloadOf?.(auth.text) : undefined;
  if (payload === undefined) return [];
  const right =
    protocol < 38
      ? Uint8Array.of(1, type & 0xff, type >> 8)
      : Uint8Array.of(2, ...kangarooTwelve(body, Uint8Array.of(type >> 8, type & 0xff)));
  return payload !== null && Buffer.compare(payload, right) === 0
    ? []
    : ['a credential that is bound to something else'];
}

/**
 * Credentials that may be there more than once: a token is the caller's, and good until it expires; those of auth/slurm are signed texts with a time in
 * seconds, so two that sackd makes in one second for the same bytes are the same.
 */
const REUSABLE = new Set([102, 103]);

/** Judges connections as well: what one frame alone does not show. */
export class OutgoingJudge {
  /** Every rule that was broken, with the number of the connection. */
  readonly broken: string[] = [];
  /** Frames, in order. */
  readonly frames: OutgoingFrame[] = [];
  /** Connections that were begun. */
  connections = 0;
  readonly #facts: Facts;
  readonly #used = new Map<string, number>();

  constructor(facts: Facts = {}) {
    this.#facts = facts;
  }

  /** Watches one connection; its result hears what is written and that its own direction ends before it is closed. */
  connection(facts: Facts = {}): { wrote(bytes: Uint8Array): void; halfClosed(): void } {
    const number = this.connections++;
    const breaks = (what: string) => this.broken.push(`connection ${number}: ${what}`);
    let writes = 0;
    return {
      wrote: (bytes) => {
        if (++writes > 1) breaks('more than one write');
        if (bytes[0] === 0x16 && bytes[1] === 0x03) return void breaks('a TLS handshake to a plain port');
        for (const what of judgeFrame(bytes, { ...this.#facts, ...facts })) breaks(what);
        let frame: OutgoingFrame;
        try {
          frame = readOutgoing(bytes);
        } catch {
          return; // told above
        }
        this.frames.push(frame);
        const { auth, type } = frame;
        if (auth === null || auth.text === null || REUSABLE.has(auth.plugin)) return;
        const isPassedOn = type === TYPE.SIGNAL_TASKS || type === TYPE.TERMINATE_TASKS;
        if (this.#facts.hasForwarders === true && isPassedOn) return;
        if (this.#facts.onlyOnes?.has(auth.text) === true) return;
        const before = this.#used.get(auth.text);
        if (before !== undefined) breaks(`the credential of connection ${before} once more`);
        this.#used.set(auth.text, number);
      },
      halfClosed: () => breaks('half-closed'),
    };
  }

  /** The transport, with this judge looking on. */
  watch(transport: Transport, factsOf: (host: string) => Facts = () => ({})): Transport {
    return {
      connect: async (endpoint, context) => {
        const inner = await transport.connect(endpoint, context);
        const seen = this.connection(factsOf(endpoint.host));
        const watched: Connection = {
          isTls: inner.isTls ?? false,
          write: (bytes) => {
            // What the transport was given, not what becomes of it.
            seen.wrote(Uint8Array.from(bytes));
            return inner.write(bytes);
          },
          read: () => inner.read(),
          close: () => inner.close(),
        };
        return watched;
      },
    };
  }
}
