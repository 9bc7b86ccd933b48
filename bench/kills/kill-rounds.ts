/** Rounds of kills, of which more than one figure is taken. */
import { Pairing, playRounds } from '../paired.js';
import type { Killed } from './kill-run.js';

/** A contestant's turn: kills, and says what it took. */
export type KillTurn = () => Promise<Killed>;

export class KillRounds<Name extends string> {
  readonly #killed: Readonly<Record<Name, readonly Killed[]>>;

  private constructor(killed: Readonly<Record<Name, readonly Killed[]>>) {
    this.#killed = killed;
  }

  static async play<Name extends string>(
    rounds: number,
    turns: Readonly<Record<Name, KillTurn>>,
  ): Promise<KillRounds<Name>> {
    const names = Object.keys(turns) as Name[];
    const killed = Object.fromEntries(names.map((name) => [name, [] as Killed[]])) as Record<Name, Killed[]>;
    const kill = (name: Name) => async (round: number) => {
      const done = await turns[name]();
      if (done.failed > 0) throw new Error(`${done.failed} of ${name}'s ${done.kills} kills failed`);
      if (round >= 0) killed[name].push(done);
      return done.kills;
    };
    const figures = Object.fromEntries(names.map((name) => [name, kill(name)]));
    await playRounds(rounds, figures as Record<Name, (round: number) => Promise<number>>);
    return new KillRounds(killed);
  }

  /** One figure of each turn. */
  pairing(figure: (killed: Killed) => number): Pairing<Name> {
    const taken = Object.entries<readonly Killed[]>(this.#killed).map(([name, all]) => [
      name,
      all.map(figure),
    ]);
    return new Pairing(Object.fromEntries(taken));
  }

  /** Without the single latencies, which are many. */
  toJSON(): unknown {
    return Object.fromEntries(
      Object.entries<readonly Killed[]>(this.#killed).map(([name, all]) => [
        name,
        all.map(({ latencies: _, ...rest }) => rest),
      ]),
    );
  }
}
