import { invariant } from './invariant.js';
import { type Entry, entrySize } from './types.js';

export interface LogPosition {
  readonly index: number;
  readonly term: number;
}

/**
 * The log from its base on, in memory. Always: base.index <= applied <= committed <= lastIndex, and stable < nextToPersist. The
 * terms of entries never fall.
 */
export class RaftLog {
  private entries: Entry[] = [];
  /** The entry just before the first one kept: the end of what was compacted. */
  private basePosition: LogPosition = { index: 0, term: 0 };
  private committedIndex = 0;
  private appliedIndex = 0;
  private stableIndex = 0;
  private nextToPersist = 1;

  constructor(base: LogPosition, entries: readonly Entry[]) {
    this.basePosition = base;
    this.entries = [...entries];
    this.committedIndex = base.index;
    this.appliedIndex = base.index;
    this.stableIndex = this.lastIndex;
    this.nextToPersist = this.lastIndex + 1;
    entries.forEach((entry, place) => {
      invariant(entry.index === base.index + 1 + place, `entry ${entry.index} is out of place`);
    });
  }

  get base(): LogPosition {
    return this.basePosition;
  }
  get lastIndex(): number {
    return this.basePosition.index + this.entries.length;
  }
  get lastTerm(): number {
    return this.entries.at(-1)?.term ?? this.basePosition.term;
  }
  get committed(): number {
    return this.committedIndex;
  }
  get applied(): number {
    return this.appliedIndex;
  }
  /** Everything up to here is on this member's disk. */
  get stable(): number {
    return this.stableIndex;
  }

  /** The term of the entry at `index`; undefined when it was compacted or does not exist. */
  term(index: number): number | undefined {
    if (index === this.basePosition.index) return this.basePosition.term;
    return this.entries[index - this.basePosition.index - 1]?.term;
  }

  /** Entries from `from` (which must be kept) up to and including `to`, at least one and no more than fits in `maxBytes`. */
  slice(from: number, maxBytes: number, to = this.lastIndex): Entry[] {
    invariant(from > this.basePosition.index, `entry ${from} was compacted`);
    const start = from - this.basePosition.index - 1;
    const limit = Math.min(to - this.basePosition.index, this.entries.length);
    let end = start;
    let bytes = 0;
    while (end < limit) {
      bytes += entrySize(this.entries[end] as Entry);
      if (bytes > maxBytes && end > start) break;
      end++;
    }
    return this.entries.slice(start, end);
  }

  /** Sum of the sizes of the entries after `after` up to and including `to`. */
  bytesBetween(after: number, to: number): number {
    let bytes = 0;
    for (let index = Math.max(after, this.basePosition.index) + 1; index <= to; index++) {
      bytes += entrySize(this.entries[index - this.basePosition.index - 1] as Entry);
    }
    return bytes;
  }

  /** The index before the last `entries` entries up to `index`; before fewer of them where those are more than `bytes` together. */
  beforeLast(entries: number, index: number, bytes: number): number {
    let at = index;
    let left = bytes;
    while (at > this.basePosition.index && index - at < entries) {
      left -= entrySize(this.entries[at - this.basePosition.index - 1] as Entry);
      if (left < 0) break;
      at--;
    }
    return at;
  }

  /** Whether a log that ends so is at least as up to date as this one (dissertation 3.6.1). */
  isUpToDate(lastIndex: number, lastTerm: number): boolean {
    return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.lastIndex);
  }

  /** Appends at the end: only a leader does, in its own term. */
  append(entry: Entry): void {
    invariant(entry.index === this.lastIndex + 1, `entry ${entry.index} appended after ${this.lastIndex}`);
    invariant(entry.term >= this.lastTerm, `entry ${entry.index} has a term below the one before it`);
    this.entries.push(entry);
  }

  /** The first of `entries` that is not in the log as it stands; undefined when all are. They follow an entry that is. */
  firstMissing(entries: readonly Entry[]): Entry | undefined {
    return entries.find((entry) => this.term(entry.index) !== entry.term);
  }

  /** Puts `entries` in place of everything from the first of them on. Committed entries are never replaced. */
  replaceFrom(entries: readonly Entry[]): void {
    const first = entries[0] as Entry;
    invariant(first.index > this.committedIndex, `committed entry ${first.index} would be replaced`);
    invariant(first.index <= this.lastIndex + 1, `entry ${first.index} leaves a gap after ${this.lastIndex}`);
    this.entries.length = first.index - this.basePosition.index - 1;
    this.stableIndex = Math.min(this.stableIndex, first.index - 1);
    this.nextToPersist = Math.min(this.nextToPersist, first.index);
    for (const entry of entries) this.append(entry);
  }

  /** The last index up to `index` whose term is not above `term`: where a log that has `term` at `index` may agree with this one. */
  lastWithTermUpTo(index: number, term: number): LogPosition {
    let candidate = Math.min(index, this.lastIndex);
    for (; candidate > this.basePosition.index; candidate--) {
      if ((this.term(candidate) as number) <= term) break;
    }
    return { index: candidate, term: this.term(candidate) ?? 0 };
  }

  commitTo(index: number): void {
    if (index <= this.committedIndex) return;
    invariant(index <= this.lastIndex, `commit of ${index} beyond the last entry ${this.lastIndex}`);
    this.committedIndex = index;
  }

  /** Hands out what has to go to disk next. */
  takeUnpersisted(): Entry[] {
    const entries = this.entries.slice(this.nextToPersist - this.basePosition.index - 1);
    this.nextToPersist = this.lastIndex + 1;
    return entries;
  }

  get hasUnpersisted(): boolean {
    return this.nextToPersist <= this.lastIndex;
  }

  /** These entries reached the disk; those that were replaced meanwhile do not count. */
  persisted(entries: readonly Entry[]): void {
    const last = entries.findLast((entry) => entry.index < this.nextToPersist && this.term(entry.index) === entry.term);
    if (last !== undefined) this.stableIndex = Math.max(this.stableIndex, last.index);
  }

  /** Hands out what can be applied next: committed, and on this member's own disk. */
  takeCommitted(maxBytes: number): Entry[] {
    const to = Math.min(this.committedIndex, this.stableIndex);
    if (to <= this.appliedIndex) return [];
    const entries = this.slice(this.appliedIndex + 1, maxBytes, to);
    this.appliedIndex += entries.length;
    return entries;
  }

  get hasCommitted(): boolean {
    return Math.min(this.committedIndex, this.stableIndex) > this.appliedIndex;
  }

  /** The state machine was started from a snapshot at `index`, which is within the log. */
  skipApplied(index: number): void {
    invariant(index >= this.appliedIndex && index <= this.committedIndex, `applied cannot start at ${index}`);
    this.appliedIndex = index;
  }

  /** Drops entries up to and including `index`; they are applied, and in a snapshot. */
  compact(index: number): void {
    if (index <= this.basePosition.index) return;
    invariant(index <= this.appliedIndex, `entry ${index} would be compacted before it is applied`);
    const term = this.term(index) as number;
    this.entries.splice(0, index - this.basePosition.index);
    this.basePosition = { index, term };
  }

  /** Starts over from a snapshot: everything up to `position` is committed, applied and on disk with it. */
  restore(position: LogPosition): void {
    invariant(position.index > this.committedIndex, `a snapshot of ${position.index} would undo committed entries`);
    this.entries = [];
    this.basePosition = position;
    this.committedIndex = position.index;
    this.appliedIndex = position.index;
    this.stableIndex = position.index;
    this.nextToPersist = position.index + 1;
  }
}
