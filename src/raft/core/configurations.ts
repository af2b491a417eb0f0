import { decodeMembership } from '../wire/membership.js';
import { invariant } from './invariant.js';
import { emptyMembership } from './membership.js';
import type { Entry, Membership } from './types.js';

/**
 * The memberships that the log brings about. A member goes by the latest one in its log, committed or not (dissertation 4.1), and
 * goes back to the one before when that entry is overwritten.
 */
export class Configurations {
  /** In order of index; the first is the base, which is committed. Never empty. */
  private steps: { index: number; membership: Membership }[] = [{ index: 0, membership: emptyMembership }];

  get latest(): Membership {
    return (this.steps.at(-1) as { membership: Membership }).membership;
  }

  get latestIndex(): number {
    return (this.steps.at(-1) as { index: number }).index;
  }

  /** The membership as of `index`, which must not be below the base. */
  at(index: number): Membership {
    const step = this.steps.findLast((candidate) => candidate.index <= index);
    invariant(step !== undefined, `no membership is known as of index ${index}`);
    return step.membership;
  }

  reset(index: number, membership: Membership): void {
    this.steps = [{ index, membership }];
  }

  /** Throws WireError when a membership entry among `entries` cannot be read. */
  check(entries: readonly Entry[]): void {
    for (const entry of entries) if (entry.type === 'membership') decodeMembership(entry.data);
  }

  /** Notes membership entries among `entries`, which were just put into the log. */
  append(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (entry.type !== 'membership' || entry.index <= (this.steps[0] as { index: number }).index) continue;
      invariant(entry.index > this.latestIndex, `membership of index ${entry.index} noted twice`);
      this.steps.push({ index: entry.index, membership: decodeMembership(entry.data) });
    }
  }

  /** Forgets everything from `index` on. */
  truncate(index: number): void {
    invariant(index > (this.steps[0] as { index: number }).index, 'a committed membership would be undone');
    this.steps = this.steps.filter((step) => step.index < index);
  }

  /** Nothing before `index` will be asked for again. */
  compact(index: number): void {
    const keep = this.steps.findLastIndex((step) => step.index <= index);
    if (keep > 0) this.steps = this.steps.slice(keep);
  }
}
