import assert from 'node:assert/strict';
import fc from 'fast-check';
import { messageType } from '../../../src/model/codec.js';
import { agreedFormat } from '../../../src/model/format.js';
import type { Entry, Message } from '../../../src/raft/core/types.js';
import { ByteReader, ByteWriter, WireError } from '../../../src/raft/wire/bytes.js';
import { decodeEntry, writeEntry } from '../../../src/raft/wire/entry.js';
import { decodeFrame, encodeHello, encodePieces, pieceBytes } from '../../../src/raft/wire/frame.js';
import {
  decodeHardState,
  decodeMembership,
  decodeSnapshotMeta,
  encodeHardState,
  encodeMembership,
  encodeSnapshotMeta,
} from '../../../src/raft/wire/membership.js';
import { decodeBatch, encodeBatch } from '../../../src/raft/wire/message.js';

const toPlain = { longs: Number, defaults: true, arrays: true, objects: true };
const plain = (name: string, bytes: Uint8Array) => messageType(name).toObject(messageType(name).decode(bytes), toPlain);

const number = fc.nat(2 ** 31 - 1).map((half) => half * 2 ** 18);
const id = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const data = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));
const envelope = { from: id, to: id, term: number };
const entryOf = (index: number, term: number, body: Uint8Array): Entry => ({
  index,
  term,
  type: body.length % 3 === 0 ? 'normal' : 'noop',
  data: body,
  session: body.length,
  sequence: index % 7,
});

const append: fc.Arbitrary<Message> = fc
  .record({ ...envelope, prevIndex: fc.nat(1e9), prevTerm: fc.nat(1000), commit: number, bodies: fc.array(data) })
  .map(({ bodies, term, ...rest }) => ({
    type: 'append' as const,
    ...rest,
    term: Math.max(term, rest.prevTerm + 1),
    entries: bodies.map((body, at) => entryOf(rest.prevIndex + at + 1, rest.prevTerm + 1, body)),
  }));
const record = <T extends Message['type']>(type: T, fields: Record<string, fc.Arbitrary<unknown>>) =>
  fc.record({ type: fc.constant(type), ...envelope, ...fields }) as unknown as fc.Arbitrary<Message>;
const message: fc.Arbitrary<Message> = fc.oneof(
  append,
  record('pre-vote', { lastIndex: number, lastTerm: number }),
  record('pre-vote-response', { reject: fc.boolean() }),
  record('vote', { lastIndex: number, lastTerm: number, transfer: fc.boolean() }),
  record('vote-response', { reject: fc.boolean() }),
  record('append-response', { index: number, reject: fc.boolean(), hintIndex: number, hintTerm: number }),
  record('heartbeat', { commit: number, readSequence: number }),
  record('heartbeat-response', { readSequence: number }),
  record('commit', { commit: number }),
  record('timeout-now', {}),
  record('propose', { session: number, sequence: number, lowest: number, data }),
  record('propose-refused', { session: number, sequence: number, reason: fc.string({ maxLength: 100 }) }),
  record('read', { request: number }),
  record('read-response', { request: number, index: number }),
  record('snapshot-chunk', { index: number, logTerm: number, offset: number, total: number, data }),
  record('snapshot-progress', { index: number, logTerm: number, offset: number }),
);

/** With all byte arrays as hexadecimal text, so that their kinds do not matter. */
function comparable(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, comparable(field)]));
}

describe('what members send', () => {
  it('comes out as it went in', () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 5 }), (messages) => {
        const back = decodeBatch(encodeBatch(messages));
        assert.deepEqual(comparable(back), comparable(messages));
      }),
    );
  });

  it('is what proto/raft.proto says', () => {
    const entry: Entry = { index: 7, term: 3, type: 'noop', data: Buffer.from('x'), session: 2 ** 50, sequence: 9 };
    const batch = encodeBatch([
      { type: 'append', from: 1, to: 2, term: 3, prevIndex: 6, prevTerm: 3, commit: 5, entries: [entry] },
      { type: 'propose-refused', from: 1, to: 2, term: 3, session: 4, sequence: 5, reason: 'full' },
    ]);
    const [first, second] = (plain('RaftBatch', batch) as { Messages: Record<string, unknown>[] }).Messages;
    assert.equal(first?.Type, 5);
    assert.equal(first?.Index, 6);
    assert.equal(first?.Commit, 5);
    const [sent] = first!.Entries as [Record<string, unknown>];
    assert.deepEqual(comparable(sent), { Index: 7, Term: 3, Type: 2, Session: 2 ** 50, Sequence: 9, Data: '78' });
    assert.equal(second?.Reason, 'full');
    const member = { id: 5, nodeID: 'n', address: 'h:1' };
    const meta = encodeSnapshotMeta({ index: 4, term: 2, membership: { voters: [member], learners: [] } });
    assert.deepEqual(plain('RaftSnapshotMeta', meta), {
      Index: 4,
      Term: 2,
      Membership: { Voters: [{ ID: 5, NodeID: 'n', Address: 'h:1' }], Learners: [] },
    });
    assert.deepEqual(plain('RaftHardState', encodeHardState({ term: 1, vote: 2, commit: 3 })), {
      Term: 1,
      Vote: 2,
      Commit: 3,
    });
    const { Hello } = plain('RaftFrame', encodeHello(member, 9)) as { Hello: unknown };
    assert.deepEqual(Hello, { From: { ID: 5, NodeID: 'n', Address: 'h:1' }, To: 9, Format: agreedFormat });
  });

  it('is read as protobufjs writes it', () => {
    const type = messageType('RaftEntry');
    const value = { Index: 300, Term: 2, Type: 0, Session: 2 ** 40, Sequence: 1, Data: Buffer.from('abc') };
    assert.deepEqual(comparable(decodeEntry(type.encode(type.fromObject(value)).finish())), {
      index: 300,
      term: 2,
      type: 'normal',
      data: '616263',
      session: 2 ** 40,
      sequence: 1,
    });
  });

  it('travels in pieces when it is large', () => {
    const batch = Buffer.alloc(2 * pieceBytes + 5, 'shoal');
    const frames = encodePieces(batch).map((frame) => decodeFrame(frame));
    assert.deepEqual(
      frames.map((frame) => 'more' in frame && frame.more),
      [true, true, false],
    );
    assert.ok(Buffer.concat(frames.map((frame) => ('piece' in frame ? frame.piece : Buffer.alloc(0)))).equals(batch));
  });

  it('is refused when entries do not follow each other', () => {
    const entries = [entryOf(5, 1, Buffer.alloc(0)), entryOf(7, 1, Buffer.alloc(0))];
    const broken = { type: 'append', from: 1, to: 2, term: 3, prevIndex: 4, prevTerm: 1, commit: 0, entries } as const;
    assert.throws(() => decodeBatch(encodeBatch([broken])), WireError);
    const fromLater = [entryOf(5, 9, Buffer.alloc(0))];
    assert.throws(() => decodeBatch(encodeBatch([{ ...broken, entries: fromLater }])), WireError);
  });
});

describe('garbage from outside', () => {
  const decoders: Record<string, (bytes: Uint8Array) => unknown> = {
    batch: decodeBatch,
    entry: decodeEntry,
    frame: decodeFrame,
    membership: decodeMembership,
    hardState: decodeHardState,
    snapshotMeta: decodeSnapshotMeta,
  };
  const readsOrRefuses = (decode: (bytes: Uint8Array) => unknown, bytes: Uint8Array) => {
    try {
      decode(bytes);
    } catch (error) {
      assert.ok(error instanceof WireError, String(error));
    }
  };

  for (const [name, decode] of Object.entries(decoders)) {
    it(`is read as a ${name} or refused, whatever it is`, () => {
      fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => readsOrRefuses(decode, bytes)));
    });
  }

  it('is read or refused when it was a batch once', () => {
    const change = fc.record({ at: fc.nat(), byte: fc.nat(255) });
    fc.assert(
      fc.property(
        fc.array(message, { minLength: 1, maxLength: 3 }),
        fc.array(change, { maxLength: 4 }),
        (sent, changes) => {
          const bytes = Buffer.from(encodeBatch(sent));
          for (const { at, byte } of changes) bytes[at % bytes.length] = byte;
          readsOrRefuses(decodeBatch, bytes);
          readsOrRefuses(decodeBatch, bytes.subarray(0, Math.floor(bytes.length / 2)));
        },
      ),
    );
  });

  it('cannot take much more memory than it has bytes', () => {
    const one = encodeBatch([{ type: 'timeout-now', from: 1, to: 2, term: 1 }]);
    const many = Buffer.alloc(one.length * 200_000, one);
    assert.throws(() => decodeBatch(many), /a batch of more than 100000 messages and entries/);
    assert.equal(decodeBatch(many.subarray(0, one.length * 99_000)).length, 99_000);
    const entry: Entry = { index: 1, term: 1, type: 'normal', data: Buffer.alloc(0), session: 0, sequence: 0 };
    const entries = Array.from({ length: 120_000 }, (_, place) => ({ ...entry, index: place + 1 }));
    const append: Message = { type: 'append', from: 1, to: 2, term: 1, prevIndex: 0, prevTerm: 0, commit: 0, entries };
    assert.throws(() => decodeBatch(encodeBatch([append])), /a batch of more than 100000/);
  });

  it('cannot make numbers that are not exact', () => {
    const bytes = Buffer.from([0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);
    const reader = new ByteReader(bytes);
    reader.field();
    assert.throws(() => reader.uint(), WireError);
    const largest = new ByteReader(new ByteWriter().uint(1, Number.MAX_SAFE_INTEGER).finish());
    largest.field();
    assert.equal(largest.uint(), Number.MAX_SAFE_INTEGER);
  });
});

describe('entries on the wire', () => {
  it('come out as they went in', () => {
    fc.assert(
      fc.property(id, id, data, number, number, (index, term, body, session, sequence) => {
        const entry: Entry = { index, term, type: 'membership', data: body, session, sequence };
        const writer = new ByteWriter();
        writeEntry(writer, entry);
        assert.deepEqual(comparable(decodeEntry(writer.finish())), comparable(entry));
      }),
    );
  });

  it('carry memberships with everyone in them', () => {
    const member = fc.record({ id, nodeID: fc.string({ maxLength: 30 }), address: fc.string({ maxLength: 30 }) });
    const members = fc.uniqueArray(member, { selector: (one) => one.id, minLength: 1, maxLength: 7 });
    fc.assert(
      fc.property(members, fc.nat(6), (all, split) => {
        const membership = { voters: all.slice(0, split + 1), learners: all.slice(split + 1) };
        assert.deepEqual(comparable(decodeMembership(encodeMembership(membership))), comparable(membership));
      }),
    );
  });
});
