import type { Clock } from './clock.js';

const look_ms = 100;
const gap_ms_max = 250; // ordinary lateness of a busy event loop still counts in full

/**
 * A clock whose monotonic time is that in which this process came to run. A process that was stopped, suspended or starved has not
 * listened: it must not take what it missed for the silence of others. So durations measured by `monotonic` grow by at most
 * `gap_ms_max` over any time in which nothing ran here. `now` and `after` are those of the clock beneath: what is due is due.
 */
export class AttendedClock implements Clock {
  private attended_ms = 0;
  private seen_ms: number;

  /** Looks at the clock beneath from now on, for as long as the process lives. */
  constructor(private readonly real: Clock) {
    this.seen_ms = real.monotonic();
    this.attend();
  }

  now(): number {
    return this.real.now();
  }

  monotonic(): number {
    const now_ms = this.real.monotonic();
    this.attended_ms += Math.min(now_ms - this.seen_ms, gap_ms_max);
    this.seen_ms = now_ms;
    return this.attended_ms;
  }

  after(delay_ms: number, call: () => void): () => void {
    return this.real.after(delay_ms, call);
  }

  private attend(): void {
    this.real.after(look_ms, () => {
      this.monotonic();
      this.attend();
    });
  }
}

const early_ms = 1; // Node's timers are rounded: one may fire this much before its time

/**
 * Calls back once `delay_ms` of the clock's monotonic time have passed; the result cancels it. For deadlines that others must keep: a
 * timer alone fires first thing after a stall, before the answer that has long arrived is read.
 */
export function patiently(clock: Clock, delay_ms: number, call: () => void): () => void {
  const end_ms = clock.monotonic() + delay_ms;
  let cancel = () => {};
  const wait = (left_ms: number) => {
    cancel = clock.after(left_ms, () => {
      const missing_ms = end_ms - clock.monotonic();
      if (missing_ms > early_ms) wait(missing_ms);
      else call();
    });
  };
  wait(delay_ms);
  return () => cancel();
}
