import type { Clock } from '../model/clock.js';
import type { Limiter } from './limiter.js';

const look_ms = 500;
const starved = 0.5; // share of the time in which this process ran
const atEase = 0.9;
/** What still goes on on a node that is starved: a wave ends, however slowly. */
export const leastAtOnce = 2;

/**
 * How many changes shall be under way from now on, when `full` is what an idle machine takes: half as many each time that this process
 * hardly came to run, twice as many each time that it ran freely. The engine's work is what a node can put off; heartbeats are not.
 */
export function nextPace(now: number, full: number, share: number): number {
  if (share < starved) return Math.max(Math.floor(now / 2), Math.min(leastAtOnce, full));
  return share < atEase ? Math.min(now, full) : Math.min(now * 2, full);
}

/** Keeps a limiter at what the machine can take beside this process. */
export class WorkPace {
  private now: number;
  private cancel = () => {};
  private attended_ms: number;
  private at_ms: number;

  /** `clock.monotonic` is the time in which this process ran (AttendedClock), `clock.now` all time. */
  constructor(
    private readonly limiter: Limiter,
    private full: number,
    private readonly clock: Clock,
  ) {
    this.now = full;
    this.attended_ms = clock.monotonic();
    this.at_ms = clock.now();
    this.lookLater();
  }

  setFull(full: number): void {
    if (this.now === this.full) this.set(full);
    this.full = full;
  }

  stop(): void {
    this.cancel();
  }

  private lookLater(): void {
    this.cancel = this.clock.after(look_ms, () => {
      this.look();
      this.lookLater();
    });
  }

  private look(): void {
    const attended_ms = this.clock.monotonic();
    const at_ms = this.clock.now();
    const passed_ms = at_ms - this.at_ms;
    // A wall clock that is set forward looks like a stall once; one that is set back tells nothing.
    if (passed_ms > 0) this.set(nextPace(this.now, this.full, (attended_ms - this.attended_ms) / passed_ms));
    this.attended_ms = attended_ms;
    this.at_ms = at_ms;
  }

  private set(pace: number): void {
    if (pace === this.now) return;
    this.now = pace;
    this.limiter.setMax(pace);
  }
}
