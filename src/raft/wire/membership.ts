import type { HardState, Membership, SnapshotMeta } from '../core/types.js';
import type { Member } from '../node.js';
import { ByteReader, ByteWriter, WireError } from './bytes.js';

export function writeMember(writer: ByteWriter, member: Member): void {
  writer.uint(1, member.id).string(2, member.nodeID).string(3, member.address);
}

export function readMember(reader: ByteReader): Member {
  const member = { id: 0, nodeID: '', address: '' };
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) member.id = reader.uint();
    else if (field === 2) member.nodeID = reader.string();
    else if (field === 3) member.address = reader.string();
    else reader.skip();
  }
  if (member.id === 0) throw new WireError('a member without an id');
  return member;
}

function writeMembership(writer: ByteWriter, membership: Membership): void {
  for (const member of membership.voters) writer.message(1, (inner) => writeMember(inner, member));
  for (const member of membership.learners) writer.message(2, (inner) => writeMember(inner, member));
}

function readMembership(reader: ByteReader): Membership {
  const voters: Member[] = [];
  const learners: Member[] = [];
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) voters.push(readMember(reader.message()));
    else if (field === 2) learners.push(readMember(reader.message()));
    else reader.skip();
  }
  if (voters.length === 0) throw new WireError('a membership without voters');
  const ids = new Set([...voters, ...learners].map((member) => member.id));
  if (ids.size !== voters.length + learners.length) throw new WireError('a member is listed twice');
  return { voters, learners };
}

export function encodeMembership(membership: Membership): Uint8Array {
  const writer = new ByteWriter();
  writeMembership(writer, membership);
  return writer.finish();
}

export function decodeMembership(bytes: Uint8Array): Membership {
  return readMembership(new ByteReader(bytes));
}

export function writeHardState(writer: ByteWriter, state: HardState): void {
  writer.uint(1, state.term).uint(2, state.vote).uint(3, state.commit);
}

export function encodeHardState(state: HardState): Buffer {
  const writer = new ByteWriter(32);
  writeHardState(writer, state);
  return writer.finish();
}

export function decodeHardState(bytes: Uint8Array): HardState {
  const reader = new ByteReader(bytes);
  const state: HardState = { term: 0, vote: 0, commit: 0 };
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) state.term = reader.uint();
    else if (field === 2) state.vote = reader.uint();
    else if (field === 3) state.commit = reader.uint();
    else reader.skip();
  }
  return state;
}

export function encodeSnapshotMeta(meta: SnapshotMeta): Buffer {
  return new ByteWriter()
    .uint(1, meta.index)
    .uint(2, meta.term)
    .message(3, (inner) => writeMembership(inner, meta.membership))
    .finish();
}

export function decodeSnapshotMeta(bytes: Uint8Array): SnapshotMeta {
  const reader = new ByteReader(bytes);
  let index = 0;
  let term = 0;
  let membership: Membership = { voters: [], learners: [] };
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) index = reader.uint();
    else if (field === 2) term = reader.uint();
    else if (field === 3) membership = readMembership(reader.message());
    else reader.skip();
  }
  if (index === 0 || term === 0) throw new WireError('a snapshot without index or term');
  return { index, term, membership };
}
