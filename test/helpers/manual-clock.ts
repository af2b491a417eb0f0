import type { Clock } from '../../src/model/clock.js';

interface Timer {
  at: number;
  order: number;
  call: () => void;
}

/** A clock that a test moves by hand. Timers fire in order of time, then of when they were set. */
export class ManualClock implements Clock {
  private time: number;
  private readonly start: number;
  private timers: Timer[] = [];
  private count = 0;

  constructor(start_ms = Date.parse('2030-01-01T00:00:00Z')) {
    this.start = start_ms;
    this.time = start_ms;
  }

  now(): number {
    return this.time;
  }

  monotonic(): number {
    return this.time - this.start;
  }

  after(delay_ms: number, call: () => void): () => void {
    this.count += 1;
    const timer = { at: this.time + Math.max(0, delay_ms), order: this.count, call };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((one) => one !== timer);
    };
  }

  /** How many timers wait. */
  get waiting(): number {
    return this.timers.length;
  }

  /** Moves time on, firing what falls due; between timers everything that promises lead to is done. */
  async advance(by_ms: number): Promise<void> {
    const end = this.time + by_ms;
    await settled();
    for (;;) {
      const next = this.timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at || a.order - b.order)[0];
      if (next === undefined) break;
      this.timers = this.timers.filter((one) => one !== next);
      this.time = Math.max(this.time, next.at);
      next.call();
      await settled();
    }
    this.time = end;
  }

  /** Time goes on while nothing runs, as when a machine is suspended; timers are late. */
  skip(by_ms: number): void {
    this.time += by_ms;
  }

  /** Moves time on until `done`; throws when it is not within `limit_ms`. */
  async advanceUntil(done: () => boolean, limit_ms = 600_000): Promise<void> {
    const end = this.time + limit_ms;
    await settled();
    while (!done()) {
      const next = Math.min(...this.timers.map((timer) => timer.at), Number.POSITIVE_INFINITY);
      if (next > end) throw new Error(`did not come true within ${limit_ms} simulated ms`);
      await this.advance(Math.max(0, next - this.time));
    }
  }
}

/** Resolves once everything that resolved promises lead to has run. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}
