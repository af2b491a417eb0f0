import { type ClusterEvent, eventsOf } from '../manager/history/events.js';
import { type History, MemoryHistory } from '../manager/history/history.js';
import type { ManagerBackend } from './backend.js';

/** What changes in the cluster, remembered and told on, for as long as this node is a manager. */
export class EventLog {
  private readonly now: () => number;
  private readonly newHistory: () => History;
  private readonly listeners = new Set<(event: ClusterEvent) => void>();
  private manager: ManagerBackend | undefined;
  private history: History | undefined;
  private unwatch: (() => void) | undefined;

  constructor(now: () => number, newHistory: () => History = () => new MemoryHistory()) {
    this.now = now;
    this.newHistory = newHistory;
  }

  /** Listens to the manager that this node now is, or to none any more. */
  follow(manager: ManagerBackend | undefined): void {
    if (manager === this.manager) return;
    this.unwatch?.();
    this.history?.close().catch(() => {}); // only ever looked at: what cannot be closed is let go
    this.manager = manager;
    const history = manager && this.newHistory();
    this.history = history;
    this.unwatch = manager?.watch((commit) => {
      const events = eventsOf(commit, this.now());
      if (events.length === 0) return;
      // A snapshot says what is different now, not what happened: news to whoever listens, nothing to remember.
      if (commit.origin !== 'snapshot') history?.append(commit.index, events);
      for (const event of events) for (const call of this.listeners) call(event);
    });
  }

  /** What is remembered from `since` to `until` (nanoseconds since 1970), oldest first. */
  async past(since: number, until: number): Promise<readonly ClusterEvent[]> {
    return (await this.history?.read(since, until)) ?? [];
  }

  /** Calls back with every event from now on; the result stops it. */
  listen(call: (event: ClusterEvent) => void): () => void {
    this.listeners.add(call);
    return () => this.listeners.delete(call);
  }
}
