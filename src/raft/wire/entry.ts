import type { Entry, EntryType } from '../core/types.js';
import { ByteReader, type ByteWriter, WireError } from './bytes.js';

const typeNumbers: Record<EntryType, number> = { normal: 0, membership: 1, noop: 2 };
const typeNames: readonly EntryType[] = ['normal', 'membership', 'noop'];
const nothing = new Uint8Array(0);

export function writeEntry(writer: ByteWriter, entry: Entry): void {
  writer
    .uint(1, entry.index)
    .uint(2, entry.term)
    .uint(3, typeNumbers[entry.type])
    .uint(4, entry.session)
    .uint(5, entry.sequence)
    .bytes(6, entry.data);
}

export function readEntry(reader: ByteReader): Entry {
  let index = 0;
  let term = 0;
  let type: EntryType | undefined = 'normal';
  let session = 0;
  let sequence = 0;
  let data = nothing;
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) index = reader.uint();
    else if (field === 2) term = reader.uint();
    else if (field === 3) type = typeNames[reader.uint()];
    else if (field === 4) session = reader.uint();
    else if (field === 5) sequence = reader.uint();
    else if (field === 6) data = reader.bytes() as Uint8Array<ArrayBuffer>;
    else reader.skip();
  }
  if (index === 0 || term === 0) throw new WireError('an entry without index or term');
  if (type === undefined) throw new WireError('an entry of unknown type');
  return { index, term, type, data, session, sequence };
}

export function decodeEntry(bytes: Uint8Array): Entry {
  return readEntry(new ByteReader(bytes));
}
