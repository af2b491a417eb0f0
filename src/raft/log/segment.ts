import type { LogPosition } from '../core/log.js';
import type { Entry, HardState } from '../core/types.js';
import { ByteReader, ByteWriter } from '../wire/bytes.js';
import { writeEntry } from '../wire/entry.js';
import { decodeHardState, encodeHardState, writeHardState } from '../wire/membership.js';
import { fillHeader, headerBytes, recordTypes, type WritePlace } from './record.js';
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

function writePosition(writer: ByteWriter, position: LogPosition): void {
  writer.uint(1, position.index).uint(2, position.term);
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

function writeHead(writer: ByteWriter, head: SegmentHead): void {
  writer
    .uint(1, head.number)
    .uint(2, head.previous.index)
    .uint(3, head.previous.term)
    .uint(4, head.previousBytes)
    .bytes(5, encodeHardState(head.hardState));
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

/** Records for one write, one after the other, as the bytes of the file from `offset` on. */
export class BatchBuilder {
  private readonly writer: ByteWriter;

  /** `capacity`: how many bytes it will be, roughly. */
  constructor(
    private readonly place: WritePlace,
    private readonly offset: number,
    private readonly sealer?: Sealer,
    capacity = 256,
  ) {
    this.writer = new ByteWriter(capacity);
  }

  private add(type: number, write: (writer: ByteWriter) => void): this {
    const { writer, place, sealer } = this;
    const at = writer.gap(headerBytes);
    const offset = this.offset + at;
    if (sealer === undefined) write(writer);
    else {
      const plain = new ByteWriter();
      write(plain);
      writer.raw(sealer.seal(plain.finish(), recordPlace(place.fileNumber, offset, type)));
    }
    fillHeader(writer.written, at, place, offset, type);
    return this;
  }

  head(head: SegmentHead): this {
    return this.add(recordTypes.head, (writer) => writeHead(writer, head));
  }
  entry(entry: Entry): this {
    return this.add(recordTypes.entry, (writer) => writeEntry(writer, entry));
  }
  hardState(state: HardState): this {
    return this.add(recordTypes.hardState, (writer) => writeHardState(writer, state));
  }
  reset(position: LogPosition): this {
    return this.add(recordTypes.reset, (writer) => writePosition(writer, position));
  }

  finish(): Buffer {
    return this.writer.finish();
  }
}

/** About how long the record of an entry is, header and all. */
export function recordSize(entry: Entry): number {
  return entry.data.length + 64 + headerBytes;
}
