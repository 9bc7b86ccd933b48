/**
 * The record of a cluster: its controller, its federation, its root association. Part of several answers.
 *
 * Source: `slurmdb_cluster_rec_t`, `slurmdb_assoc_rec_t`, `slurmdb_accounting_rec_t`, `slurmdb_tres_rec_t`; checked against bytes of Slurm's
 * own library of every release.
 */
import { bool, list, optional, struct, text, time, u8, u16, u32, u64, versions } from '../wire-type.js';

const tresRec = struct({ allocSecs: u64, count: u64, id: u32, name: text, type: text });

const clusterAccounting = struct({
  allocSecs: u64,
  tresRec,
  downSecs: u64,
  idleSecs: u64,
  overSecs: u64,
  pdownSecs: u64,
  periodStart: time,
  /** Called `resv_secs` in 20.11. */
  planSecs: u64,
});

const accounting = struct({
  allocSecs: u64,
  tresRec,
  id: u32,
  idAlt: u32.since('24.11').else(0),
  periodStart: time,
});

const association = struct({
  accountingList: list(accounting),
  acct: text,
  cluster: text,
  comment: text.since('23.02').else(null),
  defQosId: u32,
  flags: versions({ '20.11': u16, '24.05': u32 }),
  sharesRaw: u32,
  grpTresMins: text,
  grpTresRunMins: text,
  grpTres: text,
  grpJobs: u32,
  grpJobsAccrue: u32,
  grpSubmitJobs: u32,
  grpWall: u32,
  id: u32,
  isDef: u16,
  lft: u32.through('23.02').else(0),
  lineage: text.since('23.11').else(null),
  maxTresMinsPj: text,
  maxTresRunMins: text,
  maxTresPj: text,
  maxTresPn: text,
  maxJobs: u32,
  maxJobsAccrue: u32,
  minPrioThresh: u32,
  maxSubmitJobs: u32,
  maxWallPj: u32,
  parentAcct: text,
  parentId: u32,
  partition: text,
  priority: u32,
  qosList: list(text),
  rgt: u32.through('23.02').else(0),
  uid: u32,
  user: text,
});

const record = struct({
  accountingList: list(clusterAccounting),
  classification: u16,
  controlHost: text,
  controlPort: u32,
  dimensions: u16,
  fed: struct({ featureList: list(text), name: text, id: u32, state: u32, syncRecvd: bool, syncSent: bool }),
  flags: u32,
  id: u16.since('24.11').else(0),
  name: text,
  nodes: text,
  pluginIdSelect: u32.through('23.11').else(0),
  rootAssoc: association,
  /** Protocol version of that cluster's controller, as in a header (number × 256). */
  rpcVersion: u16,
  fedRecv: u8,
  fedSend: u8,
  tresStr: text,
});

/** Since 24.11 it has a presence byte of its own; null does not occur in practice. */
export const clusterRec = versions({ '20.11': record, '24.11': optional(record) });
