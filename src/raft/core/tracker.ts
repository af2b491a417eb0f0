import { isVoter } from './membership.js';
import { Progress } from './progress.js';
import { committedIndex, quorumSize } from './quorum.js';
import type { Membership } from './types.js';

export interface Limits {
  maxInflightMessages: number;
  maxInflightBytes: number;
}

/** A leader's view of all members: one Progress for each, itself included. */
export class Tracker {
  readonly progress = new Map<number, Progress>();
  membership: Membership = { voters: [], learners: [] };
  private voterIDs: readonly number[] = [];
  /** Members that were removed and may not know it yet: they still get the log, for a while; they count for nothing. */
  readonly departing = new Map<number, Progress>();

  constructor(private readonly limits: Limits) {}

  /** Follows a change of membership. New members are probed from `lastIndex`, the leader's last. */
  reconfigure(membership: Membership, lastIndex: number): void {
    this.membership = membership;
    this.voterIDs = membership.voters.map((member) => member.id);
    const members = new Set([...membership.voters, ...membership.learners].map((member) => member.id));
    for (const [id, progress] of this.progress) {
      if (members.has(id)) continue;
      this.progress.delete(id);
      this.departing.set(id, progress);
    }
    for (const id of members) {
      if (this.progress.has(id)) continue;
      const known = this.departing.get(id);
      this.departing.delete(id);
      this.progress.set(
        id,
        known ?? new Progress(Math.max(lastIndex, 1), this.limits.maxInflightMessages, this.limits.maxInflightBytes),
      );
    }
  }

  get(id: number): Progress | undefined {
    return this.progress.get(id) ?? this.departing.get(id);
  }

  /** All whom the log goes to. */
  forEach(call: (progress: Progress, id: number) => void): void {
    this.progress.forEach(call);
    this.departing.forEach(call);
  }

  isVoter(id: number): boolean {
    return isVoter(this.membership, id);
  }

  /** What a majority of the voters has on disk. */
  committed(): number {
    return committedIndex(this.voterIDs, (id) => this.progress.get(id)?.match);
  }

  /** The highest read sequence that a majority of the voters answered. */
  readQuorum(): number {
    return committedIndex(this.voterIDs, (id) => this.progress.get(id)?.readSequence);
  }

  /** Whether a majority of the voters was heard of since the last call. `self` always counts as heard of. */
  takeQuorumActive(self: number): boolean {
    let active = 0;
    for (const id of this.voterIDs) if (id === self || this.progress.get(id)?.recentlyActive) active++;
    this.forEach((progress) => {
      progress.recentlyActive = false;
    });
    return active >= quorumSize(this.membership.voters.length);
  }
}
