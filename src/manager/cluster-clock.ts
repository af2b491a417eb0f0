import type { Clock } from '../model/clock.js';
import type { View } from '../store/view.js';

/** Below this, clocks that differ do no harm, and what a message was on its way would only make the time jump to and fro. */
const tolerance_ms = 1_000;
const inheritance_ms_max = 3_600_000;

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

  /**
   * A manager begins to lead that may never have heard the leader before it: time goes on from the latest that was stamped on a task. Not
   * from beyond an hour: that was no clock to go by.
   */
  goOnFrom(view: Pick<View, 'list'>): void {
    let latest = '';
    for (const { UpdatedAt, Status } of view.list('Task')) {
      if (UpdatedAt > latest) latest = UpdatedAt;
      if (Status !== null && Status.AppliedAt > latest) latest = Status.AppliedAt;
    }
    const time_ms = Date.parse(latest);
    if (time_ms > this.now() && time_ms < this.now() + inheritance_ms_max) this.follow(time_ms);
  }

  /** The leader says that it is `time_ms` now (milliseconds since 1970). */
  follow(time_ms: number): void {
    if (Math.abs(time_ms - this.now()) > tolerance_ms) this.#ahead_ms = time_ms - this.#clock.now();
  }
}
