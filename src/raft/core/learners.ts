/**
 * When a learner has caught up (dissertation 4.2.1): rounds of replicating all that the leader had when the round began; once one
 * takes less than an election timeout, the rest can be had without a pause that anyone would notice.
 */
export class LearnerRounds {
  private readonly rounds = new Map<number, { target: number; ticks: number }>();

  constructor(private readonly electionTicks: number) {}

  /** To be called every tick; true when the learner can become a voter now. */
  tick(id: number, match: number, lastIndex: number): boolean {
    const round = this.rounds.get(id) ?? { target: lastIndex, ticks: 0 };
    this.rounds.set(id, round);
    round.ticks++;
    if (match < round.target) return false;
    if (round.ticks <= this.electionTicks) return true;
    this.rounds.set(id, { target: lastIndex, ticks: 0 });
    return false;
  }

  keep(ids: ReadonlySet<number>): void {
    for (const id of this.rounds.keys()) if (!ids.has(id)) this.rounds.delete(id);
  }
}
