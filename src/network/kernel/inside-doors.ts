import type { Clock } from '../../model/clock.js';
import type { Route } from '../../model/types.js';
import { insideOf } from './mesh.js';

/** Other nodes may lead to a task for a moment after this one has heard that it left rotation. */
const stays_ms = 60_000;

/** The ports at which other nodes reach this node's tasks through the tunnel. */
export class InsideDoors {
  /** By what is asked for: where it leads, and until when. Infinity while the task is in rotation. */
  private readonly doors = new Map<string, { target: string; until_ms: number }>();

  constructor(
    private readonly nodeID: string,
    private readonly clock: Clock,
  ) {}

  /** Those that shall be open while these routes hold. */
  open(routes: readonly Route[]): ReadonlyMap<string, string> {
    const now = this.clock.monotonic();
    const wanted = insideOf(routes, this.nodeID);
    for (const [asked, { target, until_ms }] of this.doors) {
      if (wanted.has(asked)) continue;
      if (until_ms === Number.POSITIVE_INFINITY) this.doors.set(asked, { target, until_ms: now + stays_ms });
      else if (until_ms <= now) this.doors.delete(asked);
    }
    for (const [asked, target] of wanted) this.doors.set(asked, { target, until_ms: Number.POSITIVE_INFINITY });
    return new Map([...this.doors].map(([asked, { target }]) => [asked, target]));
  }
}
