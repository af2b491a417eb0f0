import { crc32 } from 'node:zlib';
import type { SnapshotMeta } from '../core/types.js';
import { ByteWriter, WireError } from '../wire/bytes.js';
import { decodeSnapshotMeta, encodeSnapshotMeta } from '../wire/membership.js';
import { damagedSnapshot } from './damage.js';
import type { DiskFile } from './disk.js';
import { type FoundRecord, headerBytes, readRecord, recordHeader, recordTypes } from './record.js';

// A snapshot file: one `meta` record, the state machine's chunks, one `end` record that counts them. It gets its name only when it
// is whole and durable; the same bytes travel to members that are behind.

const namePattern = /^snapshot-([0-9a-f]{14})-([0-9a-f]{14})$/;
/** Written, and read, this much at a time. */
const blockBytes = 256 * 1024;
/** No record is longer: what says so is not one of ours, and must not be given the memory. */
const maxRecordBytes = 256 * 1024 * 1024;

export function snapshotName(index: number, term: number): string {
  return `snapshot-${index.toString(16).padStart(14, '0')}-${term.toString(16).padStart(14, '0')}`;
}

/** Index and term by the name; undefined of any other file. */
export function parseSnapshotName(name: string): { index: number; term: number } | undefined {
  const match = namePattern.exec(name);
  if (match === null) return undefined;
  return { index: Number.parseInt(match[1] as string, 16), term: Number.parseInt(match[2] as string, 16) };
}

/** What the last record says of those before it: two halves of different snapshots of one index are not one. */
class Sum {
  private chunks = 0;
  private bytes = 0;
  private crc = 0;

  add(payload: Uint8Array): void {
    this.chunks++;
    this.bytes += payload.length;
    this.crc = crc32(payload, this.crc);
  }

  encode(): Buffer {
    return new ByteWriter(32).uint(1, this.chunks).uint(2, this.bytes).uint(3, this.crc).finish();
  }
}

const receivingPattern = /^snapshot-receiving-([0-9a-f]{14})-([0-9a-f]{14})-([0-9a-f]{14})\.tmp$/;

/** Name of the snapshot of this index, term and length in bytes while it comes in: what is there of it stays good over a restart. */
export function receivingName(index: number, term: number, total: number): string {
  const [first, second, third] = [index, term, total].map((number) => number.toString(16).padStart(14, '0'));
  return `snapshot-receiving-${first}-${second}-${third}.tmp`;
}

/** The index by the name of a snapshot that comes in; undefined of any other file. */
export function receivingIndex(name: string): number | undefined {
  const match = receivingPattern.exec(name);
  return match === null ? undefined : Number.parseInt(match[1] as string, 16);
}

/** Writes all of it to `file` and syncs it. Gives the size in bytes. */
export async function writeSnapshot(
  file: DiskFile,
  meta: SnapshotMeta,
  chunks: AsyncIterable<Uint8Array>,
): Promise<number> {
  let position = 0;
  let gathered: Uint8Array[] = [];
  let gatheredBytes = 0;
  const flush = async () => {
    await file.write(position, Buffer.concat(gathered, gatheredBytes));
    position += gatheredBytes;
    gathered = [];
    gatheredBytes = 0;
  };
  const add = (type: number, payload: Uint8Array) => {
    const offset = position + gatheredBytes;
    gathered.push(recordHeader({ fileNumber: meta.index, synced: 0, batch: 0 }, offset, type, payload), payload);
    gatheredBytes += headerBytes + payload.length;
  };
  add(recordTypes.meta, encodeSnapshotMeta(meta));
  const sum = new Sum();
  for await (const chunk of chunks) {
    add(recordTypes.chunk, chunk);
    sum.add(chunk);
    if (gatheredBytes >= blockBytes) await flush();
  }
  add(recordTypes.end, sum.encode());
  await flush();
  await file.sync();
  return position;
}

/** Every record of the file in order; throws ShoalError naming file and offset when one is broken. */
async function* records(file: DiskFile, name: string, fileNumber: number): AsyncIterable<FoundRecord> {
  const size = await file.size();
  let position = 0;
  let block: Buffer = Buffer.alloc(0);
  let origin = 0;
  while (position < size) {
    let record = readRecord(block, position - origin, fileNumber, origin);
    if (record === undefined) {
      // Not all of it was read yet; how much it is stands in its header.
      const header = await file.read(position, headerBytes);
      const needed = header.length < headerBytes ? 0 : headerBytes + header.readUInt32LE(4);
      if (needed > 0 && needed <= Math.min(size - position, maxRecordBytes)) {
        origin = position;
        block = await file.read(position, Math.min(Math.max(needed, blockBytes), size - position));
        record = readRecord(block, 0, fileNumber, origin);
      }
    }
    if (record === undefined) throw damagedSnapshot(name, position, 'a record cannot be read');
    yield record;
    position = record.next;
  }
}

/** The meta record, then each chunk; ends only when the `end` record was found to agree. Throws ShoalError when anything is broken. */
async function* parts(file: DiskFile, name: string, fileNumber: number): AsyncIterable<SnapshotMeta | Uint8Array> {
  const sum = new Sum();
  let state: 'meta' | 'chunks' | 'done' = 'meta';
  for await (const record of records(file, name, fileNumber)) {
    if (state === 'meta' && record.type === recordTypes.meta) {
      yield readMeta(record, name);
      state = 'chunks';
    } else if (state === 'chunks' && record.type === recordTypes.chunk) {
      sum.add(record.payload);
      yield record.payload;
    } else if (state === 'chunks' && record.type === recordTypes.end) {
      if (!sum.encode().equals(record.payload)) {
        throw damagedSnapshot(name, record.offset, 'chunks are missing, or belong to another snapshot');
      }
      state = 'done';
    } else {
      throw damagedSnapshot(name, record.offset, `a record of type ${record.type} has no place here`);
    }
  }
  if (state !== 'done') throw damagedSnapshot(name, await file.size(), 'it ends early');
}

function readMeta(record: FoundRecord, name: string): SnapshotMeta {
  try {
    return decodeSnapshotMeta(record.payload);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw damagedSnapshot(name, record.offset, error.message);
  }
}

/** Reads and checks the whole file; `seen` is called for every part of it. Throws ShoalError when anything is broken. */
export async function checkSnapshot(
  file: DiskFile,
  name: string,
  index: number,
  seen: () => void = () => {},
): Promise<SnapshotMeta> {
  let meta: SnapshotMeta | undefined;
  for await (const part of parts(file, name, index)) {
    seen();
    if (!(part instanceof Uint8Array)) meta = part;
  }
  if (meta === undefined || meta.index !== index) throw damagedSnapshot(name, 0, 'it is of another index');
  return meta;
}

/** The state machine's chunks, as they were given; the file is closed at the end. */
export async function* snapshotChunks(open: () => Promise<DiskFile>, meta: SnapshotMeta): AsyncIterable<Uint8Array> {
  const name = snapshotName(meta.index, meta.term);
  const file = await open();
  try {
    for await (const part of parts(file, name, meta.index)) if (part instanceof Uint8Array) yield part;
  } finally {
    await file.close();
  }
}
