import type { Clock } from '../model/clock.js';

/** Below this, clocks that differ do no harm, and what a message was on its way would only make the time jump to and fro. */
const tolerance_ms = 1_000;

/**
 * What time it is for the cluster: the leader's, as near as the other managers can tell, and they go on with it when one of them leads.
 * What one manager stamps and another judges (how long a task has run, when it failed) then means the same to both, though their clocks
 * differ by minutes.
 */
export class ClusterClock implements Clock {
  readonly #clock: Clock;
  #ahead_ms = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now() + this.#ahead_ms;
  }

  monotonic(): number {
    return this.#clock.monotonic();
  }

  after(delay_ms: number, call: () => void): () => void {
    return this.#clock.after(delay_ms, call);
  }

  /** The leader says that it is `time_ms` now (milliseconds since 1970). */
  follow(time_ms: number): void {
    if (Math.abs(time_ms - this.now()) > tolerance_ms) this.#ahead_ms = time_ms - this.#clock.now();
  }
}
