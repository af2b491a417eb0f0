import protobuf from 'protobufjs';
import { messageType } from '../model/codec.js';
import { ShoalError } from '../model/errors.js';
import type { SnapshotRecord } from '../model/types.js';
import { ObjectTables } from './tables.js';
import { othersTurn } from './turns.js';
import { type Kind, kinds } from './view.js';

const chunk_bytes = 64 * 1024;
const recordsPerTurn = 200; // a few milliseconds of decoding
const record_bytes_max = 64 * 1024 * 1024; // far above any object; a length beyond it is damage

/**
 * Snapshot: the applied index, then every object, each a SnapshotRecord behind its length. What is read is fixed by the call: a list of
 * references to objects that are never written to. Between chunks other work gets its turn.
 */
export function writeSnapshot(tables: ObjectTables): AsyncIterable<Uint8Array> {
  return chunksOf(
    tables.index,
    kinds.map((kind) => [kind, [...tables.list(kind)]]),
  );
}

async function* chunksOf(
  AppliedIndex: number,
  objects: readonly [Kind, readonly object[]][],
): AsyncIterable<Uint8Array> {
  const type = messageType('SnapshotRecord');
  let writer = type.encodeDelimited({ AppliedIndex });
  for (const [kind, list] of objects) {
    for (const object of list) {
      type.encodeDelimited({ [kind]: object }, writer);
      if (writer.len < chunk_bytes) continue;
      yield writer.finish();
      writer = protobuf.Writer.create();
      await othersTurn();
    }
  }
  if (writer.len > 0) yield writer.finish();
}

/** Tables from the chunks of a snapshot, however they are cut. Throws ShoalError `internal` on damage. */
export async function readSnapshot(chunks: AsyncIterable<Uint8Array>): Promise<ObjectTables> {
  const tables = new ObjectTables();
  const type = messageType('SnapshotRecord');
  let rest: Uint8Array = new Uint8Array(0);
  let records = 0;
  for await (const chunk of chunks) {
    const bytes = Buffer.concat([rest, chunk]); // a copy: what objects keep of it is theirs
    let at = 0;
    for (let end = recordEnd(bytes, at); end !== undefined; end = recordEnd(bytes, at)) {
      let record: SnapshotRecord;
      try {
        const message = type.decodeDelimited(bytes.subarray(at, end));
        record = type.toObject(message, {
          longs: Number,
          enums: String,
          defaults: true,
          arrays: true,
          objects: true,
        }) as SnapshotRecord;
      } catch (error) {
        throw new ShoalError('internal', 'the snapshot of the store is damaged', { cause: error });
      }
      take(tables, record);
      at = end;
      if (++records % recordsPerTurn === 0) await othersTurn();
    }
    rest = bytes.subarray(at);
  }
  if (rest.length > 0) throw new ShoalError('internal', 'the snapshot of the store ends in the middle of an object');
  return tables;
}

function take(tables: ObjectTables, record: SnapshotRecord): void {
  for (const kind of kinds) {
    const object = record[kind];
    if (object) tables.put(kind, object);
  }
  if (record.AppliedIndex > 0) tables.index = record.AppliedIndex;
}

/** Where the record that starts at `at` ends; undefined when its end is not here yet. */
function recordEnd(bytes: Uint8Array, at: number): number | undefined {
  let length = 0;
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = bytes[at++];
    if (byte === undefined) return undefined;
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) {
      if (length > record_bytes_max) break;
      return at + length <= bytes.length ? at + length : undefined;
    }
  }
  throw new ShoalError('internal', 'the snapshot of the store is damaged: a length is not possible');
}
