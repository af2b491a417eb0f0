import type { Clock } from '../../src/model/clock.js';
import type { Random } from '../../src/model/random.js';

interface Event {
  at_ms: number;
  order: number;
  call: (() => void) | undefined;
}

// Far more than ever happen within a millisecond: whoever does more turns in a circle.
const stepsNow_max = 100_000;

/** Simulated time: what is to happen when, one thing after the other. Everything in it follows from the seed. */
export class World {
  now_ms = 0;
  steps = 0;
  private readonly heap: Event[] = [];
  private order = 0;
  /** Since the last whole millisecond began: time that moves by ever smaller amounts stands still too. */
  private stepsNow = 0;
  /** Looked at after every step. */
  check: () => void = () => {};

  /** `settled`: lets everything run that waits for no simulated time. */
  constructor(
    readonly random: Random,
    private readonly settled: () => Promise<void> = turnSettled,
  ) {}

  /** The result cancels it. */
  after(delay_ms: number, call: () => void): () => void {
    const event: Event = { at_ms: this.now_ms + Math.max(0, delay_ms), order: this.order++, call };
    this.push(event);
    return () => {
      event.call = undefined;
    };
  }

  sleep(delay_ms: number): Promise<void> {
    return new Promise((resolve) => this.after(delay_ms, resolve));
  }

  /** Runs until `until_ms`, or until `done`. Errors thrown by `check` end it. */
  async run(until_ms: number, done: () => boolean = () => false): Promise<void> {
    await this.settled();
    while (!done()) {
      const event = this.heap[0];
      if (event === undefined || event.at_ms > until_ms) break;
      this.pop();
      if (event.call === undefined) continue;
      this.stepsNow = Math.floor(event.at_ms) > Math.floor(this.now_ms) ? 0 : this.stepsNow + 1;
      if (this.stepsNow > stepsNow_max) throw new Error(`time stands still at ${this.now_ms} ms`);
      this.now_ms = event.at_ms;
      this.steps++;
      event.call();
      await this.settled();
      this.check();
    }
    if (!done()) this.now_ms = Math.max(this.now_ms, until_ms);
  }

  /** One chance in `n`. */
  oneIn(n: number): boolean {
    return this.random.below(n) === 0;
  }

  between(from: number, to: number): number {
    return from + this.random.below(to - from + 1);
  }

  pick<T>(items: readonly T[]): T | undefined {
    return items.length === 0 ? undefined : items[this.random.below(items.length)];
  }

  private before(left: Event, right: Event): boolean {
    return left.at_ms < right.at_ms || (left.at_ms === right.at_ms && left.order < right.order);
  }

  private push(event: Event): void {
    const { heap } = this;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.before(heap[at] as Event, heap[parent] as Event)) break;
      [heap[at], heap[parent]] = [heap[parent] as Event, heap[at] as Event];
      at = parent;
    }
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop() as Event;
    if (heap.length === 0) return;
    heap[0] = last;
    let at = 0;
    for (;;) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < heap.length && this.before(heap[child] as Event, heap[least] as Event)) least = child;
      }
      if (least === at) return;
      [heap[at], heap[least]] = [heap[least] as Event, heap[at] as Event];
      at = least;
    }
  }
}

/** The next turn of the real event loop comes after all that waits for no simulated time, streams and their like included. */
function turnSettled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * Of a simulation in which everything waits for promises only: Node calls the next tick once no promise has anything left to do. It
 * costs a tenth of a turn of the event loop.
 */
export function promisesSettled(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}

/** How far a process's clocks have jumped: the wall clock either way, the other only forward (a machine that was suspended). */
export interface Jumps {
  wall_ms: number;
  monotonic_ms: number;
}

/** The clock of one process: it runs at its own rate, and its timers die with the process. */
export function processClock(world: World, rate: number, alive: () => boolean, jumps?: Jumps): Clock {
  return {
    now: () => 1_700_000_000_000 + Math.floor(world.now_ms * rate + (jumps?.wall_ms ?? 0)),
    monotonic: () => world.now_ms * rate + (jumps?.monotonic_ms ?? 0),
    after: (delay_ms, call) =>
      // As real timers do, it comes after a time that a clock can tell from none.
      world.after(Math.ceil((delay_ms / rate) * 1000) / 1000, () => {
        if (alive()) call();
      }),
  };
}
