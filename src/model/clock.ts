/** Time, handed in (a simulation gives a clock that it moves by hand). */
export interface Clock {
  /** Wall time, milliseconds since 1970. May jump. */
  now(): number;
  /** Milliseconds that only ever grow; for time-outs and durations. In a daemon, of the time in which it ran (AttendedClock). */
  monotonic(): number;
  /** Calls back once after `delay_ms`; the result cancels it. Never keeps the process alive by itself. */
  after(delay_ms: number, call: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delay_ms, call) {
    const timer = setTimeout(call, Math.min(delay_ms, 2 ** 31 - 1)); // the longest that Node's timers take
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Wall time as the API writes it. */
export function timestamp(clock: Clock): string {
  return new Date(clock.now()).toISOString();
}
