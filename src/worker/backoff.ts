import type { Random } from '../model/random.js';

/** Growing pauses between attempts: each twice the one before up to a limit, half of it left to chance so that nodes spread out. */
export class Backoff {
  private attempts = 0;

  constructor(
    private readonly random: Random,
    private readonly first_ms: number,
    private readonly max_ms: number,
  ) {}

  /** How long to pause after one more failure. */
  next_ms(): number {
    const full_ms = Math.min(this.max_ms, this.first_ms * 2 ** Math.min(this.attempts, 20));
    this.attempts += 1;
    return full_ms / 2 + this.random.below(Math.ceil(full_ms / 2));
  }

  reset(): void {
    this.attempts = 0;
  }
}
