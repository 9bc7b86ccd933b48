/** Where kills are measured: the controllers of two releases, and the responder in place of one. */
import type { BenchContext } from '../measure.js';
import type { Killed, KillRun } from './kill-run.js';
import { type Killer, KillStage, type Responder } from './stage.js';

/** SIGKILL. */
const SIGNAL = 9;
/** Of the release whose library takes answers without credentials. */
const RESPONDER_RELEASE = '26.05';
/** What is measured is a process that has been at work for a while: V8 goes on compiling for the first ten thousand kills. */
const WARM_UP_AT_A_TIME = 16;

export interface KillPlace {
  /** `slurmctld 22.05`, `minimal responder`. */
  readonly name: string;
  readonly stage: KillStage;
  readonly slurmwire: Killer;
  readonly libslurm: Killer;
  readonly responder: Responder | null;
  /** Lets somebody kill fresh jobs. */
  kill(killer: Killer, run: KillCount): Promise<Killed>;
}

export interface KillCount {
  readonly kills: number;
  readonly atATime: number;
  readonly warmUp?: number;
  readonly pauseMs?: number;
}

/** Does the work at each place, one after the other. */
export async function atEachPlace<T>(
  context: BenchContext,
  work: (place: KillPlace) => Promise<T>,
): Promise<T[]> {
  const done: T[] = [];
  for (const release of ['22.05', '26.05']) {
    await using stage = await KillStage.open(release, context.log);
    const slurmwire = await stage.slurmwire();
    const kill = async (killer: Killer, count: KillCount) =>
      killer(runOf(count, await stage.submit(count.kills + (count.warmUp ?? 0))));
    const libslurm = stage.libslurm();
    const own = { name: `slurmctld ${release}`, stage, slurmwire, libslurm, kill, responder: null };
    context.log(own.name);
    await kill(slurmwire, { kills: context.isQuick ? 100 : 5_000, atATime: WARM_UP_AT_A_TIME });
    done.push(await work(own));
  }
  await using stage = await KillStage.open(RESPONDER_RELEASE, context.log);
  const responder = await stage.responder();
  const slurmwire = await stage.slurmwire(responder.conf);
  const libslurm = stage.libslurm(responder.conf);
  const kill = (killer: Killer, count: KillCount) =>
    killer(
      runOf(
        count,
        Array.from({ length: count.kills + (count.warmUp ?? 0) }, (_, at) => at + 1),
      ),
    );
  const name = `minimal responder (${RESPONDER_RELEASE})`;
  context.log(name);
  await kill(slurmwire, { kills: context.isQuick ? 100 : 20_000, atATime: WARM_UP_AT_A_TIME });
  done.push(await work({ name, stage, slurmwire, libslurm, kill, responder }));
  return done;
}

function runOf({ atATime, warmUp = 0, pauseMs = 0 }: KillCount, ids: readonly number[]): KillRun {
  return { ids, atATime, warmUp, pauseMs, signal: SIGNAL };
}
