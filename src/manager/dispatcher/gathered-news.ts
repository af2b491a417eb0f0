import type { Clock } from '../../model/clock.js';

/**
 * A message to a node, and the node's answer, cost a manager a tenth of a millisecond or two: once many were told something, what comes next
 * gathers for this long for each. Few are told at once.
 */
const gather_ms = 0.5;
const few = 50;

/** Has nodes told of everything that happens in one turn of the event loop at once, and in large clusters of what happens in a moment. */
export class GatheredNews {
  private coming = false;
  private next_ms = Number.NEGATIVE_INFINITY;
  private cancel = () => {};
  private stopped = false;

  /** `tell` says how many messages it sent. */
  constructor(
    private readonly clock: Clock,
    private readonly tell: () => number,
  ) {}

  /** There is news, or may be. */
  tellSoon(): void {
    if (this.coming || this.stopped) return;
    this.coming = true;
    const wait_ms = this.next_ms - this.clock.monotonic();
    if (wait_ms > 0) this.cancel = this.clock.after(wait_ms, () => this.tellNow());
    else setImmediate(() => this.tellNow());
  }

  stop(): void {
    this.stopped = true;
    this.cancel();
  }

  private tellNow(): void {
    this.coming = false;
    if (this.stopped) return;
    const sent = this.tell();
    if (sent > few) this.next_ms = this.clock.monotonic() + sent * gather_ms;
  }
}
