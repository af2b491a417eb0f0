import type { Entry, Message, MessageType } from '../core/types.js';
import { ByteReader, ByteWriter, WireError } from './bytes.js';
import { readEntry, writeEntry } from './entry.js';

/** A message's type on the wire is its place here plus one. Append only. */
const types: readonly MessageType[] = [
  'pre-vote',
  'pre-vote-response',
  'vote',
  'vote-response',
  'append',
  'append-response',
  'heartbeat',
  'heartbeat-response',
  'timeout-now',
  'propose',
  'propose-refused',
  'read',
  'read-response',
  'snapshot-chunk',
  'snapshot-progress',
  'commit',
];
const numbers = new Map(types.map((type, place) => [type, place + 1]));
const nothing = new Uint8Array(0);
/** Terms and indexes count from one, by one: what is above this is not one of them. Leaves room to count on. */
const maxCount = 2 ** 50;

// One flat message on the wire for all types. `Reject` also carries vote's `transfer`; `Index` and `LogTerm` are whatever index
// and term the type has, `Sequence` also heartbeat's `readSequence` and a read's `request`.
function writeMessage(writer: ByteWriter, message: Message): void {
  writer
    .uint(1, numbers.get(message.type) as number)
    .uint(2, message.to)
    .uint(3, message.from)
    .uint(4, message.term);
  switch (message.type) {
    case 'pre-vote':
      writer.uint(5, message.lastTerm).uint(6, message.lastIndex);
      break;
    case 'vote':
      writer.uint(5, message.lastTerm).uint(6, message.lastIndex).bool(8, message.transfer);
      break;
    case 'pre-vote-response':
    case 'vote-response':
      writer.bool(8, message.reject);
      break;
    case 'append':
      writer.uint(5, message.prevTerm).uint(6, message.prevIndex).uint(7, message.commit);
      for (const entry of message.entries) writer.message(11, (inner) => writeEntry(inner, entry));
      break;
    case 'append-response':
      writer.uint(6, message.index).bool(8, message.reject).uint(9, message.hintIndex).uint(10, message.hintTerm);
      break;
    case 'heartbeat':
      writer.uint(7, message.commit).uint(13, message.readSequence);
      break;
    case 'commit':
      writer.uint(7, message.commit);
      break;
    case 'heartbeat-response':
      writer.uint(13, message.readSequence);
      break;
    case 'timeout-now':
      break;
    case 'propose':
      writer.uint(12, message.session).uint(13, message.sequence).uint(14, message.lowest).bytes(17, message.data);
      break;
    case 'propose-refused':
      writer.uint(12, message.session).uint(13, message.sequence).string(18, message.reason);
      break;
    case 'read':
      writer.uint(13, message.request);
      break;
    case 'read-response':
      writer.uint(13, message.request).uint(6, message.index);
      break;
    case 'snapshot-chunk':
      writer.uint(5, message.logTerm).uint(6, message.index).uint(15, message.offset).uint(16, message.total);
      writer.bytes(17, message.data);
      break;
    case 'snapshot-progress':
      writer.uint(5, message.logTerm).uint(6, message.index).uint(15, message.offset);
      break;
  }
}

interface Fields {
  type: number;
  to: number;
  from: number;
  term: number;
  logTerm: number;
  index: number;
  commit: number;
  reject: boolean;
  hintIndex: number;
  hintTerm: number;
  entries: Entry[];
  session: number;
  sequence: number;
  lowest: number;
  offset: number;
  total: number;
  data: Uint8Array;
  reason: string;
}

function readFields(reader: ByteReader, maxEntries: number): Fields {
  const fields: Fields = {
    type: 0,
    to: 0,
    from: 0,
    term: 0,
    logTerm: 0,
    index: 0,
    commit: 0,
    reject: false,
    hintIndex: 0,
    hintTerm: 0,
    entries: [],
    session: 0,
    sequence: 0,
    lowest: 0,
    offset: 0,
    total: 0,
    data: nothing,
    reason: '',
  };
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) fields.type = reader.uint();
    else if (field === 2) fields.to = reader.uint();
    else if (field === 3) fields.from = reader.uint();
    else if (field === 4) fields.term = reader.uint();
    else if (field === 5) fields.logTerm = reader.uint();
    else if (field === 6) fields.index = reader.uint();
    else if (field === 7) fields.commit = reader.uint();
    else if (field === 8) fields.reject = reader.bool();
    else if (field === 9) fields.hintIndex = reader.uint();
    else if (field === 10) fields.hintTerm = reader.uint();
    else if (field === 11 && fields.entries.length <= maxEntries) fields.entries.push(readEntry(reader.message()));
    else if (field === 12) fields.session = reader.uint();
    else if (field === 13) fields.sequence = reader.uint();
    else if (field === 14) fields.lowest = reader.uint();
    else if (field === 15) fields.offset = reader.uint();
    else if (field === 16) fields.total = reader.uint();
    else if (field === 17) fields.data = reader.bytes();
    else if (field === 18) fields.reason = reader.string();
    else reader.skip();
  }
  return fields;
}

/** Entries follow each other from `prevIndex` on; their terms never fall and never pass the message's. */
function checkEntries(fields: Fields): void {
  let { index } = fields;
  let term = fields.logTerm;
  for (const entry of fields.entries) {
    if (entry.index !== index + 1) throw new WireError(`entry ${entry.index} follows ${index}`);
    if (entry.term < term || entry.term > fields.term)
      throw new WireError(`entry ${entry.index} has term ${entry.term}`);
    index = entry.index;
    term = entry.term;
  }
}

function toMessage(fields: Fields): Message | undefined {
  const { to, from, term, index, logTerm, session, sequence, data, reject } = fields;
  const type = types[fields.type - 1];
  if (to === 0 || from === 0) throw new WireError('a message without sender or receiver');
  if (Math.max(term, logTerm, index, fields.commit) > maxCount)
    throw new WireError('a term or index that nobody reaches');
  switch (type) {
    case undefined:
      return undefined;
    case 'pre-vote':
      return { type, to, from, term, lastIndex: index, lastTerm: logTerm };
    case 'vote':
      return { type, to, from, term, lastIndex: index, lastTerm: logTerm, transfer: reject };
    case 'pre-vote-response':
    case 'vote-response':
      return { type, to, from, term, reject };
    case 'append':
      checkEntries(fields);
      return {
        type,
        to,
        from,
        term,
        prevIndex: index,
        prevTerm: logTerm,
        commit: fields.commit,
        entries: fields.entries,
      };
    case 'append-response':
      return { type, to, from, term, index, reject, hintIndex: fields.hintIndex, hintTerm: fields.hintTerm };
    case 'heartbeat':
      return { type, to, from, term, commit: fields.commit, readSequence: sequence };
    case 'commit':
      return { type, to, from, term, commit: fields.commit };
    case 'heartbeat-response':
      return { type, to, from, term, readSequence: sequence };
    case 'timeout-now':
      return { type, to, from, term };
    case 'propose':
      return { type, to, from, term, session, sequence, lowest: fields.lowest, data };
    case 'propose-refused':
      return { type, to, from, term, session, sequence, reason: fields.reason };
    case 'read':
      return { type, to, from, term, request: sequence };
    case 'read-response':
      return { type, to, from, term, request: sequence, index };
    case 'snapshot-chunk':
      return { type, to, from, term, index, logTerm, offset: fields.offset, total: fields.total, data };
    case 'snapshot-progress':
      return { type, to, from, term, index, logTerm, offset: fields.offset };
  }
}

/** Far above what fits in the batches that we send. A small message takes much more memory than bytes: without a limit 32 MiB become gigabytes. */
const maxParts = 100_000;

/** A RaftBatch; `capacity`: how many bytes it will be, roughly. */
export function encodeBatch(messages: readonly Message[], capacity = 1024): Buffer {
  const writer = new ByteWriter(capacity);
  for (const message of messages) writer.message(1, (inner) => writeMessage(inner, message));
  return writer.finish();
}

/** Throws WireError on anything broken; leaves out messages of a type that this version does not know. */
export function decodeBatch(bytes: Uint8Array): Message[] {
  const reader = new ByteReader(bytes);
  const messages: Message[] = [];
  let parts = 0;
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field !== 1) {
      reader.skip();
      continue;
    }
    const fields = readFields(reader.message(), maxParts - parts);
    parts += 1 + fields.entries.length;
    if (parts > maxParts) throw new WireError(`a batch of more than ${maxParts} messages and entries`);
    const message = toMessage(fields);
    if (message !== undefined) messages.push(message);
  }
  return messages;
}
