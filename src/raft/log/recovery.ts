import { messageOf, ShoalError } from '../../model/errors.js';
import type { LogPosition } from '../core/log.js';
import type { Entry, HardState, SnapshotMeta } from '../core/types.js';
import { decodeEntry } from '../wire/entry.js';
import { decodeHardState, decodeMembership } from '../wire/membership.js';
import { damagedLog as damaged } from './damage.js';
import { type FoundRecord, readRecord, recordTypes, wasDurableBeyond } from './record.js';
import { recordPlace, type Sealer } from './sealer.js';
import { decodeHead, decodePosition, type SegmentHead, segmentName } from './segment.js';

/** What a record of the log says, as it was before it was sealed. Throws the sealer's error. */
export function openedRecord(record: FoundRecord, fileNumber: number, sealer: Sealer | undefined): Buffer {
  return sealer?.open(record.payload, recordPlace(fileNumber, record.offset, record.type)) ?? record.payload;
}

export interface ScannedSegment {
  number: number;
  head: SegmentHead;
  /** Where its valid records end. */
  bytes: number;
  maxIndex: number;
  lastBatch: number;
}

/** A record that was read and fits where it stands. */
export interface SeenRecord {
  file: string;
  offset: number;
  /** Of the file, header and all. */
  bytes: number;
  type: number;
  /** As it was before it was sealed. */
  payload: Buffer;
}

/** Rebuilds the log from its segments, oldest first. */
export class LogReplay {
  hardState: HardState = { term: 0, vote: 0, commit: 0 };
  /** Where the entries start; a term of -1 is not known. */
  base: LogPosition = { index: 0, term: 0 };
  entries: Entry[] = [];
  readonly segments: ScannedSegment[] = [];

  constructor(
    private readonly sealer?: Sealer,
    private readonly seen: (record: SeenRecord) => void = () => {},
  ) {}

  get lastIndex(): number {
    return this.base.index + this.entries.length;
  }

  /**
   * Takes in a segment. `last`: nothing follows it, so that its end may be torn. Undefined when it was never finished being
   * created. Throws ShoalError when what was durable is damaged.
   */
  add(number: number, content: Buffer, last: boolean): ScannedSegment | undefined {
    const file = segmentName(number);
    const first = readRecord(content, 0, number);
    if (first === undefined) {
      if (last && !wasDurableBeyond(content, 0, number)) return undefined;
      throw damaged(file, 0, this.lastIndex + 1, 'the head of the file cannot be read');
    }
    const head = this.read(file, number, first, decodeHead);
    this.enter(file, head);
    const segment = { number, head, bytes: first.next, maxIndex: 0, lastBatch: first.batch };
    while (segment.bytes < content.length) {
      const record = readRecord(content, segment.bytes, number);
      if (record === undefined || record.batch < segment.lastBatch) break;
      this.read(file, number, record, (payload) => this.apply(file, record, payload, segment));
      segment.bytes = record.next;
      segment.lastBatch = record.batch;
    }
    if (segment.bytes < content.length && wasDurableBeyond(content, segment.bytes, number)) {
      throw damaged(file, segment.bytes, this.lastIndex + 1, 'a record cannot be read, but later ones can');
    }
    this.segments.push(segment);
    return segment;
  }

  private read<T>(file: string, number: number, record: FoundRecord, decode: (payload: Buffer) => T): T {
    try {
      const payload = openedRecord(record, number, this.sealer);
      const result = decode(payload);
      const { type, offset, next } = record;
      this.seen({ file, offset, bytes: next - offset, type, payload });
      return result;
    } catch (error) {
      if (error instanceof ShoalError) throw error;
      throw damaged(file, record.offset, this.lastIndex + 1, messageOf(error));
    }
  }

  private enter(file: string, head: SegmentHead): void {
    const before = this.segments.at(-1);
    if (before === undefined) {
      this.base = head.previous;
      this.hardState = head.hardState;
      return;
    }
    const beforeName = segmentName(before.number);
    if (head.number !== before.number + 1) throw damaged(file, 0, this.lastIndex + 1, `it follows ${beforeName}`);
    if (head.previousBytes > before.bytes) {
      const what = `${head.previousBytes} bytes were written, ${before.bytes} can be read`;
      throw damaged(beforeName, before.bytes, this.lastIndex + 1, what);
    }
  }

  private apply(file: string, record: FoundRecord, payload: Buffer, segment: ScannedSegment): void {
    if (record.type === recordTypes.entry) {
      const entry = decodeEntry(payload);
      if (entry.type === 'membership') decodeMembership(entry.data);
      segment.maxIndex = Math.max(segment.maxIndex, entry.index);
      this.place(file, record.offset, entry);
    } else if (record.type === recordTypes.hardState) {
      this.hardState = decodeHardState(payload);
    } else if (record.type === recordTypes.reset) {
      this.base = decodePosition(payload);
      this.entries = [];
    } else {
      throw damaged(file, record.offset, this.lastIndex + 1, `a record of type ${record.type} has no place here`);
    }
  }

  private place(file: string, offset: number, entry: Entry): void {
    if (entry.index > this.lastIndex + 1) {
      throw damaged(file, offset, this.lastIndex + 1, `entry ${entry.index} follows entry ${this.lastIndex}`);
    }
    if (entry.index <= this.base.index) {
      // It replaced entries of segments that are compacted away; only the snapshot knows what comes before it.
      this.base = { index: entry.index - 1, term: -1 };
      this.entries = [];
    }
    this.entries.length = entry.index - 1 - this.base.index;
    this.entries.push(entry);
  }

  /**
   * Fits the log to the snapshot. True when the snapshot is all that counts, and the log, an empty one too, has yet to say that it goes
   * on from there: the next entry would be out of place.
   */
  join(snapshot: SnapshotMeta | undefined): boolean {
    if (snapshot === undefined) {
      if (this.base.index === 0) return false;
      throw damaged(this.firstFile(), 0, 1, `the log starts after entry ${this.base.index} and there is no snapshot`);
    }
    if (this.segments.length === 0) {
      throw damaged(segmentName(1), 0, snapshot.index + 1, 'there is a snapshot and no log, so the vote is not known');
    }
    if (this.base.index > snapshot.index) {
      const what = `the log starts after entry ${this.base.index}, the snapshot ends at ${snapshot.index}`;
      throw damaged(this.firstFile(), 0, snapshot.index + 1, what);
    }
    const term =
      this.base.index === snapshot.index ? this.base.term : this.entries[snapshot.index - this.base.index - 1]?.term;
    if (term !== snapshot.term && !(term === -1)) {
      this.base = { index: snapshot.index, term: snapshot.term };
      this.entries = [];
      return true;
    }
    if (this.base.term === -1) {
      this.entries.splice(0, snapshot.index - this.base.index);
      this.base = { index: snapshot.index, term: snapshot.term };
    }
    return false;
  }

  private firstFile(): string {
    return segmentName(this.segments[0]?.number ?? 0);
  }
}
