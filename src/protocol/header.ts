/**
 * The header of every message, in every version, and the answers of other nodes that a forwarded message's reply carries.
 *
 * Source: `header_t` and its packing in 20.11 to 26.11, checked against bytes of Slurm's own library of each release.
 */
import { address, NO_ADDRESS } from './address.js';
import { CodecFault } from './codec-fault.js';
import { messageTypeName } from './message-type.js';
import { empty } from './messages/empty.js';
import { isMessageName, messageType } from './messages/index.js';
import type { Release } from './release.js';
import {
  array,
  type Decoded,
  dependent,
  type Encodable,
  struct,
  text,
  u16,
  u32,
  type WireType,
} from './wire-type.js';

/** Bits of a header's `flags`. Replies echo those of the request. */
export const HEADER_FLAGS = {
  /** The credential is made and checked with the accounting storage's munge socket. */
  SLURM_GLOBAL_AUTH_KEY: 0x0001,
  /** Never send it: the reply then starts with an extra word (observed on 22.05). `rpc/guard.ts` refuses. */
  SLURMDBD_CONNECTION: 0x0002,
  SLURM_MSG_KEEP_BUFFER: 0x0004,
  SLURM_DROP_PRIV: 0x0008,
  /** Forwarding resolves BcastAddr in place of NodeAddr. */
  USE_BCAST_NETWORK: 0x0010,
  CTLD_QUEUE_PROCESSING: 0x0020,
  /** No authentication section in this message. */
  SLURM_NO_AUTH_CRED: 0x0040,
  /** The forward block carries `netCred`. */
  SLURM_PACK_ADDRS: 0x0080,
} as const;

const hasForward = (own: Record<string, unknown>) => (own.cnt as number) > 0;

const forward = struct({
  /** Number of distinct hosts in `nodelist`, exactly: `rpc/guard.ts` refuses anything else. */
  cnt: u16,
  nodelist: text.when(hasForward).else(null),
  /** Milliseconds. */
  timeout: u32.when(hasForward).else(0),
  /** 0: the receiver's own TreeWidth. */
  treeWidth: u16.when(hasForward).else(0),
  netCred: text
    .since('23.11')
    .when((own, outer) => hasForward(own) && ((outer.flags as number) & HEADER_FLAGS.SLURM_PACK_ADDRS) !== 0)
    .else(null),
  /** At least 1 where the release has it; `rpc/guard.ts` refuses anything else. */
  treeDepth: u16.since('24.11').when(hasForward).else(0),
});

const returnItem = struct({
  /** 0, or why that node's answer is missing: a Slurm number or an errno. */
  err: u32,
  /** Message type of the answer; 9001 with an error; 0 for requests that have no answer. */
  type: u16,
  nodeName: text,
  body: dependent<unknown>((own, release) => bodyOf(own.type as number, release)),
});

/** An item's body has no length of its own, so a type without a description makes the whole frame undecodable. */
function bodyOf(type: number, release: Release): WireType<unknown, unknown> {
  if (type === 0) return empty as WireType<unknown, unknown>;
  const name = messageTypeName(type, release);
  if (isMessageName(name) && hasKnownEnd(messageType(name))) return messageType(name);
  throw new CodecFault(
    'SLURMWIRE_UNKNOWN_TYPE',
    `message type ${type} (${name ?? 'no name'}) has no description that says where it ends`,
  );
}

function hasKnownEnd({ spec }: WireType<unknown, unknown>): boolean {
  return spec.kind !== 'struct' || spec.fields.every(([, field]) => field.spec.kind !== 'rest');
}

const NO_FORWARD = { cnt: 0, nodelist: null, timeout: 0, treeWidth: 0, netCred: null, treeDepth: 0 };

export const header = struct({
  /** Protocol number × 256. */
  version: u16,
  /** See {@link HEADER_FLAGS}. */
  flags: u16.else(0),
  msgIndex: u16.through('21.08').else(0),
  msgType: u16,
  /** Bytes of the body alone; the authentication section is not counted. */
  bodyLength: u32,
  forward: forward.else(NO_FORWARD),
  /** Answers of the nodes below the answering one, in order of arrival. */
  returnList: array(returnItem, 'u16').else([]),
  /** First sender of a forwarded message; clients write none. */
  origAddr: address.else(NO_ADDRESS),
});

/** A decoded header. */
export type Header = Decoded<typeof header>;
/** A header to encode: fields with a stated default may be left out. */
export type HeaderInput = Encodable<typeof header>;
/** The answer of a node below the one that answered, or why there is none. */
export type ReturnItem = Decoded<typeof returnItem>;
