import { Actor } from './actor.js';
import type { Faults } from './faults.js';
import type { Group } from './group.js';
import type { Process } from './process.js';

/** What goes wrong at the very moment when most depends on it. */
export class Ambushes extends Actor {
  private newestTerm = 0;
  private doomed: { process: Process; messages: number } | undefined;
  private duelTerm = 0;

  constructor(
    group: Group,
    private readonly faults: Faults,
  ) {
    super(group);
  }

  /** To be called after every step. */
  watch(): void {
    if (this.group.quiet) return;
    this.watchLeaders();
    if (this.profile.duels) this.watchDuels();
  }

  /** Some leaders die, or are cut off, within the first messages of their term. */
  private watchLeaders(): void {
    const { doomed } = this;
    const { leader } = this.group;
    if (doomed !== undefined && (this.network.delivered.get(doomed.process.id) ?? 0) >= doomed.messages) {
      this.doomed = undefined;
      if (doomed.process.running) this.strike(doomed.process);
    }
    const term = leader?.core?.term ?? 0;
    if (leader === undefined || term <= this.newestTerm) return;
    this.newestTerm = term;
    if (this.world.random.below(100) >= this.profile.stillbirths) return;
    const messages = (this.network.delivered.get(leader.id) ?? 0) + this.world.between(0, 10);
    this.doomed = { process: leader, messages };
  }

  private strike(process: Process): void {
    if (this.world.oneIn(3)) {
      this.group.crashes++;
      process.crash();
      this.faults.restartLater(process);
      return;
    }
    // What it has just sent is lost with it.
    this.world.after(this.world.between(100, 4000), this.group.cutOff(new Set([process.id])));
  }

  private watchDuels(): void {
    const candidates = this.processes.filter(({ core }) => core?.role === 'candidate');
    if (candidates.length < 2) return;
    const term = Math.max(0, ...candidates.map(({ core }) => core?.term ?? 0));
    if (term <= this.duelTerm) return;
    this.duelTerm = term;
    // They do not hear of each other, and what they ask for comes again when it may have been forgotten.
    this.network.duplicateRate = 500;
    this.network.maxDelay_ms = 80;
    const links = candidates.flatMap((from) => candidates.map((to): [number, number] => [from.id, to.id]));
    this.world.after(400, this.network.cutAll(links));
    this.world.after(this.world.between(0, 60), () => {
      const voter = this.world.pick(
        this.processes.filter(({ core }) => core?.role === 'follower' && core.term === term),
      );
      if (voter === undefined || this.group.quiet) return;
      this.group.crashes++;
      voter.crash();
      this.world.after(this.world.between(1, 10), () => !voter.running && !voter.gone && voter.start());
    });
  }
}
