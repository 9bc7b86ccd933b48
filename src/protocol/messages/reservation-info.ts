/**
 * REQUEST_RESERVATION_INFO (2024) and RESPONSE_RESERVATION_INFO (2025), which `sinfo -T` asks for.
 *
 * Source: `resv_info_request_msg_t`, `reserve_info_msg_t`, `reserve_info_t`, read by `_unpack_reserve_info_members`; requests checked
 * against those of sinfo and scontrol of 20.11, 22.05, 24.11 and 26.05, answers against replies of live slurmctld of these in every version
 * they speak (20.11 to 26.05). 26.11 is from reading.
 */
import { NO_VAL } from '../sentinels.js';
import {
  array,
  bitString,
  counted,
  countOf,
  type Decoded,
  struct,
  text,
  time,
  u32,
  u64,
} from '../wire-type.js';

export const reservationInfoRequest = struct({
  /** Reservations as of this time are known: the answer is RC 1900 if nothing changed since. 0: tell in any case. */
  lastUpdate: time.else(0n),
});

export const reservationRecord = struct({
  accounts: text,
  burstBuffer: text,
  comment: text.since('23.02').else(null),
  coreCnt: u32,
  endTime: time,
  features: text,
  /** RESERVE_FLAG_* bits. */
  flags: u64,
  licenses: text,
  /** Seconds. */
  maxStartDelay: u32,
  name: text,
  nodeCnt: u32,
  /** Hostlist expression. */
  nodeList: text,
  partition: text,
  /** Seconds. */
  purgeCompTime: u32,
  resvWatts: u32.through('25.05').else(NO_VAL),
  startTime: time,
  tresStr: text,
  users: text,
  groups: text,
  qos: text.since('25.11').else(null),
  allowedParts: text.since('25.11').else(null),
  /** Positions in the node table. */
  nodeInx: bitString,
  /** Where only some cores of a node are reserved. */
  coreSpec: array(struct({ nodeName: text, coreId: text })),
});

/** A decoded reservation record. */
export type ReservationRecord = Decoded<typeof reservationRecord>;

export const reservationInfo = struct({
  recordCount: countOf('reservations'),
  lastUpdate: time,
  /** `reservation_array` upstream. */
  reservations: counted(reservationRecord, 'recordCount'),
});
