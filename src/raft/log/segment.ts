import type { LogPosition } from '../core/log.js';
import type { Entry, HardState } from '../core/types.js';
import { ByteReader, ByteWriter } from '../wire/bytes.js';
import { encodeEntry } from '../wire/entry.js';
import { decodeHardState, encodeHardState } from '../wire/membership.js';
import { headerBytes, recordHeader, recordTypes } from './record.js';
import { recordPlace, type Sealer } from './sealer.js';

/** What a segment has to know when all segments before it are gone. */
export interface SegmentHead {
  /** Counts up by one from segment to segment. */
  number: number;
  /** The last entry before this segment. */
  previous: LogPosition;
  hardState: HardState;
  /** How long the segment before it was in the end; 0 of the first. */
  previousBytes: number;
}

const namePattern = /^wal-([0-9a-f]{12})$/;

export function segmentName(number: number): string {
  return `wal-${number.toString(16).padStart(12, '0')}`;
}

/** The segment's number; undefined of any other file. */
export function segmentNumber(name: string): number | undefined {
  const match = namePattern.exec(name);
  return match === null ? undefined : Number.parseInt(match[1] as string, 16);
}

function encodePosition(position: LogPosition): Buffer {
  return new ByteWriter(32).uint(1, position.index).uint(2, position.term).finish();
}

export function decodePosition(bytes: Uint8Array): LogPosition {
  const reader = new ByteReader(bytes);
  let index = 0;
  let term = 0;
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) index = reader.uint();
    else if (field === 2) term = reader.uint();
    else reader.skip();
  }
  return { index, term };
}

function encodeHead(head: SegmentHead): Buffer {
  return new ByteWriter(64)
    .uint(1, head.number)
    .uint(2, head.previous.index)
    .uint(3, head.previous.term)
    .uint(4, head.previousBytes)
    .bytes(5, encodeHardState(head.hardState))
    .finish();
}

export function decodeHead(bytes: Uint8Array): SegmentHead {
  const reader = new ByteReader(bytes);
  const head = { number: 0, previousBytes: 0, hardState: { term: 0, vote: 0, commit: 0 } };
  const previous = { index: 0, term: 0 };
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) head.number = reader.uint();
    else if (field === 2) previous.index = reader.uint();
    else if (field === 3) previous.term = reader.uint();
    else if (field === 4) head.previousBytes = reader.uint();
    else if (field === 5) head.hardState = decodeHardState(reader.bytes());
    else reader.skip();
  }
  return { ...head, previous };
}

/** Records for one write, one after the other. */
export class BatchBuilder {
  private readonly parts: Uint8Array[] = [];
  private bytes = 0;

  constructor(
    private readonly place: { fileNumber: number; offset: number; synced: number; batch: number },
    private readonly sealer?: Sealer,
  ) {}

  private add(type: number, plain: Uint8Array): this {
    const offset = this.place.offset + this.bytes;
    const payload = this.sealer?.seal(plain, recordPlace(this.place.fileNumber, offset, type)) ?? plain;
    const header = recordHeader({ ...this.place, offset }, type, payload);
    this.parts.push(header, payload);
    this.bytes += headerBytes + payload.length;
    return this;
  }

  head(head: SegmentHead): this {
    return this.add(recordTypes.head, encodeHead(head));
  }
  entry(entry: Entry): this {
    return this.add(recordTypes.entry, encodeEntry(entry));
  }
  hardState(state: HardState): this {
    return this.add(recordTypes.hardState, encodeHardState(state));
  }
  reset(position: LogPosition): this {
    return this.add(recordTypes.reset, encodePosition(position));
  }

  finish(): Buffer {
    return Buffer.concat(this.parts, this.bytes);
  }
}
