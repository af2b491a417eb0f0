import { agreedFormat } from '../../model/format.js';
import type { Member } from '../node.js';
import { ByteReader, ByteWriter, WireError } from './bytes.js';
import { readMember, writeMember } from './membership.js';

/** Large batches travel in pieces of this size, so that no gRPC message meets a size limit on the way (4 MiB by default). */
export const pieceBytes = 512 * 1024;

export interface Hello {
  from: Member;
  to: number;
  format: number;
}

export type Frame = { hello: Hello } | { piece: Uint8Array; more: boolean };

export function encodeHello(from: Member, to: number): Buffer {
  return new ByteWriter()
    .message(1, (hello) => {
      hello
        .message(1, (inner) => writeMember(inner, from))
        .uint(2, to)
        .uint(3, agreedFormat);
    })
    .finish();
}

/** The frames that carry an encoded batch. */
export function encodePieces(batch: Uint8Array): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at < batch.length; at += pieceBytes) {
    const piece = batch.subarray(at, at + pieceBytes);
    const more = at + pieceBytes < batch.length;
    frames.push(new ByteWriter(piece.length + 16).bytes(2, piece).bool(3, more).finish());
  }
  return frames;
}

function readHello(reader: ByteReader): Hello {
  let from: Member | undefined;
  let to = 0;
  let format = 0;
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) from = readMember(reader.message());
    else if (field === 2) to = reader.uint();
    else if (field === 3) format = reader.uint();
    else reader.skip();
  }
  if (from === undefined) throw new WireError('a hello without a sender');
  return { from, to, format };
}

/** Throws WireError on anything broken. */
export function decodeFrame(bytes: Uint8Array): Frame {
  const reader = new ByteReader(bytes);
  let hello: Hello | undefined;
  let piece: Uint8Array = new Uint8Array(0);
  let more = false;
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) hello = readHello(reader.message());
    else if (field === 2) piece = reader.bytes();
    else if (field === 3) more = reader.bool();
    else reader.skip();
  }
  return hello === undefined ? { piece, more } : { hello };
}
