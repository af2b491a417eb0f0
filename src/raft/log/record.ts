import { crc32 } from 'node:zlib';

export const recordTypes = {
  /** First of a segment: its SegmentHead. */
  head: 1,
  entry: 2,
  hardState: 3,
  /** The log starts over after this index: a snapshot was installed. */
  reset: 4,
  /** First of a snapshot file. */
  meta: 5,
  chunk: 6,
  /** Last of a snapshot file. */
  end: 7,
} as const;

/**
 * Before every payload: crc32 (4 bytes), length (4), synced (4), batch (4), type (1), magic (3), little-endian. The crc covers the
 * rest of the header and the payload, and is seeded with the file's number and the record's offset, so that a record is valid in its
 * own place only.
 * `synced`: up to this offset the file was durable when the record was written. What is broken before it was damaged later; what is
 * broken after it may never have been written whole.
 * `batch`: never falls within a file. A lower one was left over by a write that failed and was then written over.
 */
export const headerBytes = 20;
const magic = Buffer.from('Sh1', 'latin1');
const magicOffset = 17;

export interface FoundRecord {
  type: number;
  offset: number;
  synced: number;
  batch: number;
  payload: Buffer;
  /** Where the next record starts. */
  next: number;
}

function seed(fileNumber: number, offset: number): number {
  return (Math.imul(fileNumber, 0x9e3779b1) ^ Math.imul(offset, 0x85ebca6b)) >>> 0;
}

/** What the headers of one write have in common. */
export interface WritePlace {
  fileNumber: number;
  synced: number;
  batch: number;
}

function fillFields(bytes: Buffer, at: number, place: WritePlace, type: number, length: number): void {
  bytes.writeUInt32LE(length, at + 4);
  bytes.writeUInt32LE(place.synced % 2 ** 32, at + 8);
  bytes.writeUInt32LE(place.batch % 2 ** 32, at + 12);
  bytes[at + 16] = type;
  for (let byte = 0; byte < magic.length; byte++) bytes[at + magicOffset + byte] = magic[byte] as number;
}

/** A record's header, for a payload that is to be written right after it, at `offset` of the file. */
export function recordHeader(place: WritePlace, offset: number, type: number, payload: Uint8Array): Buffer {
  const header = Buffer.allocUnsafe(headerBytes);
  fillFields(header, 0, place, type, payload.length);
  header.writeUInt32LE(crc32(payload, crc32(header.subarray(4), seed(place.fileNumber, offset))), 0);
  return header;
}

/** Fills in the header at `at` of `bytes`, behind which the payload stands, up to the end. The record goes to `offset` of the file. */
export function fillHeader(bytes: Buffer, at: number, place: WritePlace, offset: number, type: number): void {
  fillFields(bytes, at, place, type, bytes.length - at - headerBytes);
  bytes.writeUInt32LE(crc32(bytes.subarray(at + 4), seed(place.fileNumber, offset)), at);
}

/** The record that starts at `at` of `bytes`; undefined when there is no valid one. `origin` is the file offset of `bytes`. */
export function readRecord(bytes: Buffer, at: number, fileNumber: number, origin = 0): FoundRecord | undefined {
  if (at + headerBytes > bytes.length) return undefined;
  if (bytes.compare(magic, 0, magic.length, at + magicOffset, at + headerBytes) !== 0) return undefined;
  const length = bytes.readUInt32LE(at + 4);
  const next = at + headerBytes + length;
  if (next > bytes.length) return undefined;
  const offset = origin + at;
  if (crc32(bytes.subarray(at + 4, next), seed(fileNumber, offset)) !== bytes.readUInt32LE(at)) return undefined;
  return {
    type: bytes[at + 16] as number,
    offset,
    synced: bytes.readUInt32LE(at + 8),
    batch: bytes.readUInt32LE(at + 12),
    payload: bytes.subarray(at + headerBytes, next),
    next: origin + next,
  };
}

/**
 * Whether a valid record somewhere after `from` says that the file was durable beyond `from`. A file made to be read for ever, full of
 * records that nearly are, counts as if one did: it is no file of ours.
 */
export function wasDurableBeyond(bytes: Buffer, from: number, fileNumber: number): boolean {
  let patience_bytes = 16 * bytes.length;
  for (let at = bytes.indexOf(magic, from); at !== -1; at = bytes.indexOf(magic, at + 1)) {
    const start = at - magicOffset;
    if (start <= from) continue;
    const length = bytes.readUInt32LE(start + 4);
    if (start + headerBytes + length > bytes.length) continue;
    patience_bytes -= length;
    if (patience_bytes < 0) return true;
    const record = readRecord(bytes, start, fileNumber);
    if (record !== undefined && record.synced > from) return true;
  }
  return false;
}
