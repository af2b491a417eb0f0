import type { Clock } from '../../model/clock.js';
import type { RaftCore } from '../core/core.js';
import type { RaftStatus } from '../node.js';

type Told = Pick<RaftCore, 'role' | 'leader' | 'term' | 'membership'>;

/** What others are told about this member, and when. */
export class Statuses {
  private readonly listeners = new Set<() => void>();
  private readonly lastHeard_ms = new Map<number, number>();
  private leadingSince_ms = 0;
  /** Who led last, other than this member: the one that a follower hears of all the time. */
  private lastLeader = 0;
  private told: Told;

  constructor(
    private readonly core: RaftCore,
    private readonly clock: Clock,
  ) {
    this.told = this.snapshot();
  }

  heard(id: number): void {
    this.lastHeard_ms.set(id, this.clock.monotonic());
  }

  now(appliedIndex: number): RaftStatus {
    const { core } = this;
    const { voters, learners } = core.membership;
    const members = [
      ...voters.map((member) => ({ ...member, learner: false })),
      ...learners.map((member) => ({ ...member, learner: true })),
    ];
    const silence_ms = new Map<number, number>();
    if (core.role === 'leader') {
      const now_ms = this.clock.monotonic();
      for (const { id } of members) {
        // Members that did not lead had no reason to speak to us before. The former leader's silence began before our time.
        const since_ms = id === this.lastLeader ? 0 : this.leadingSince_ms;
        const heard_ms = Math.max(this.lastHeard_ms.get(id) ?? this.leadingSince_ms, since_ms);
        if (id !== core.id) silence_ms.set(id, now_ms - heard_ms);
      }
    }
    const { id, term, role, leader, committed } = core;
    return { id, term, role, leader, commitIndex: committed, appliedIndex, members, silence_ms };
  }

  private snapshot(): Told {
    const { role, leader, term, membership } = this.core;
    return { role, leader, term, membership };
  }

  /** Calls the listeners if role, leader, term or membership changed since the last time. */
  tell(): void {
    const { told, core } = this;
    const same = told.role === core.role && told.leader === core.leader && told.term === core.term;
    if (same && told.membership === core.membership) return;
    this.told = this.snapshot();
    if (core.leader !== 0 && core.leader !== core.id) this.lastLeader = core.leader;
    if (told.role !== 'leader' && core.role === 'leader') this.leadingSince_ms = this.clock.monotonic();
    for (const call of [...this.listeners]) call();
  }

  listen(call: () => void): () => void {
    this.listeners.add(call);
    return () => this.listeners.delete(call);
  }

  close(): void {
    this.listeners.clear();
  }
}
