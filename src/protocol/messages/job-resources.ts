/**
 * What a job has been given on each of its nodes; part of a job record.
 *
 * Source: `job_resources_t` with `pack_job_resources`; checked against replies of live slurmctld in every version from 20.11 to
 * 26.11.
 */
import { NO_VAL16 } from '../sentinels.js';
import { array, bitString, struct, text, u8, u16, u32, u64, unlessNoVal } from '../wire-type.js';

/** Null where the job holds nothing, or where it was not asked for. */
export const jobResources = unlessNoVal(
  struct({
    /** Number of nodes. */
    nhosts: u32,
    ncpus: u32,
    nextStepNodeInx: u32.since('24.11').else(0),
    /** 0 shared, 1 a row is free, 64 reserved. */
    nodeReq: u32,
    /** Hostlist expression of the allocation. */
    nodes: text,
    wholeNode: u8,
    threadsPerCore: u16.since('21.08').else(NO_VAL16),
    /** SelectTypeParameters, a bit set. */
    crType: u16.since('21.08').else(0),
    /** Run lengths of `cpuArrayValue`. */
    cpuArrayReps: array(u32),
    /** CPUs per node, run-length coded. */
    cpuArrayValue: array(u16),
    /** CPUs per node. */
    cpus: array(u16),
    cpusUsed: array(u16),
    /** MiB per node. */
    memoryAllocated: array(u64),
    memoryUsed: array(u64),
    /** Run-length coded. */
    socketsPerNode: array(u16),
    /** Run-length coded. */
    coresPerSocket: array(u16),
    /** Run lengths of the two above. */
    sockCoreRepCount: array(u32),
    /** Allocated cores, nodes one after the other. */
    coreBitmap: bitString,
    coreBitmapUsed: bitString,
    nodeBitmap: bitString.since('24.05').through('25.11').else(null),
    nodeRanks: array(u32).since('26.05').else([]),
  }),
);
