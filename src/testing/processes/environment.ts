/** What Slurm puts into the environment of a job's processes. Source: sbatch(1), srun(1), "OUTPUT ENVIRONMENT VARIABLES". */
import { compressHostlist } from '../../config/index.js';
import type { Job, Step } from '../model/job.js';

/** What all jobs of a cluster have. */
export interface ClusterEnvironment {
  readonly clusterName: string;
  readonly slurmConf: string;
  /** Where `srun` is. */
  readonly binDirectory: string;
}

/** Of the batch script, and the base of every task's. */
export function jobEnvironment(job: Job, cluster: ClusterEnvironment): Record<string, string> {
  const { spec, user, array, het } = job;
  // The components of a heterogeneous job all see the leader's number.
  const jobId = `${het?.jobId ?? job.jobId}`;
  const nodes = compressHostlist(job.nodes);
  return {
    PATH: `${cluster.binDirectory}:${process.env.PATH ?? '/usr/bin:/bin'}`,
    HOME: spec.workDirectory,
    SHELL: '/bin/sh',
    USER: user.name,
    SLURM_CONF: cluster.slurmConf,
    SLURM_CLUSTER_NAME: cluster.clusterName,
    SLURM_JOB_ID: jobId,
    SLURM_JOBID: jobId,
    SLURM_JOB_NAME: spec.name,
    SLURM_JOB_USER: user.name,
    SLURM_JOB_UID: `${user.uid}`,
    SLURM_JOB_PARTITION: spec.partition,
    SLURM_JOB_NODELIST: nodes,
    SLURM_NODELIST: nodes,
    SLURM_JOB_NUM_NODES: `${job.nodes.length}`,
    SLURM_NNODES: `${job.nodes.length}`,
    SLURM_NTASKS: `${spec.tasks}`,
    SLURM_NPROCS: `${spec.tasks}`,
    SLURM_CPUS_PER_TASK: `${spec.cpusPerTask}`,
    SLURM_SUBMIT_DIR: spec.workDirectory,
    SLURM_RESTART_COUNT: `${job.restartCnt}`,
    ...(array === null
      ? {}
      : { SLURM_ARRAY_JOB_ID: `${array.jobId}`, SLURM_ARRAY_TASK_ID: `${array.taskId ?? ''}` }),
    ...(het === null ? {} : { SLURM_HET_SIZE: `${het.jobIds.length}` }),
    ...spec.environment,
  };
}

/** Of one task of a step, beside what `srun` hands on. */
export function taskEnvironment(step: Step, node: string, task: number): Record<string, string> {
  const own = step.tasks.get(node) ?? [];
  const count = [...step.tasks.values()].reduce((sum, tasks) => sum + tasks.length, 0);
  return {
    SLURM_STEP_ID: `${step.stepId}`,
    SLURM_STEPID: `${step.stepId}`,
    SLURM_PROCID: `${task}`,
    SLURM_LOCALID: `${own.indexOf(task)}`,
    SLURM_NODEID: `${step.nodes.indexOf(node)}`,
    SLURMD_NODENAME: node,
    SLURM_NTASKS: `${count}`,
    SLURM_NPROCS: `${count}`,
    SLURM_STEP_NUM_TASKS: `${count}`,
    SLURM_STEP_NUM_NODES: `${step.nodes.length}`,
    SLURM_STEP_NODELIST: compressHostlist(step.nodes),
  };
}
