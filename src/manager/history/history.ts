import type { ClusterEvent } from './events.js';

/** What has happened in the cluster, for `GET /events?since=…`. Losing it loses no state: it is only ever looked at. */
export interface History {
  /** Remembers the events of one Raft index. Every manager tells all of them, in order; they are kept once. Never throws. */
  append(index: number, events: readonly ClusterEvent[]): void;
  /** What is remembered from `since` to `until` (nanoseconds since 1970, both included), oldest first. */
  read(since: number, until: number): Promise<ClusterEvent[]>;
  close(): Promise<void>;
}

/** How many events are remembered; Docker's own engine keeps 256 and users find that short. */
export const eventsKept = 10_000;

/** A manager's own memory: what happened since it started. */
export class MemoryHistory implements History {
  private events: ClusterEvent[] = [];
  private lastIndex = 0;

  append(index: number, events: readonly ClusterEvent[]): void {
    if (index <= this.lastIndex) return;
    this.lastIndex = index;
    this.events.push(...events);
    if (this.events.length > eventsKept * 2) this.events = this.events.slice(-eventsKept); // seldom, so that an append stays cheap
  }

  async read(since: number, until: number): Promise<ClusterEvent[]> {
    return this.events.slice(-eventsKept).filter((event) => event.timeNano >= since && event.timeNano <= until);
  }

  async close(): Promise<void> {
    this.events = [];
  }
}
