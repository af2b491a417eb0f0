import * as grpc from '@grpc/grpc-js';
import type { Logger } from 'winston';
import { messageOf, ShoalError } from '../../model/errors.js';
import { formatObstacle } from '../../model/format.js';
import type { Message } from '../core/types.js';
import type { Member } from '../node.js';
import { WireError } from '../wire/bytes.js';
import { decodeFrame, type Hello } from '../wire/frame.js';
import { decodeBatch } from '../wire/message.js';

/** A batch is never larger: an entry is 16 MiB at most, and batches are cut off when they pass 1 MiB. */
const maxBatchBytes = 32 * 1024 * 1024;

export type InboundCall = grpc.ServerReadableStream<Buffer, Buffer>;

export interface InboundOwner {
  /** The member that was greeted; undefined before `start`. */
  readonly self: Member | undefined;
  readonly log: Logger;
  /** Who called, as a node id; undefined: not known, any member may speak on the stream. Throws ShoalError to refuse the call. */
  authorise(call: InboundCall): string | undefined;
  /** Throws ShoalError when the member is known under another node id. */
  opened(from: Member): void;
  closed(from: Member): void;
  received(messages: readonly Message[]): void;
}

/** Serves one stream that a peer opened: a hello, then batches in pieces. Anything else cuts it off, and nothing more happens. */
export function serveInbound(owner: InboundOwner, call: InboundCall, callback: grpc.sendUnaryData<Buffer>): () => void {
  let from: Member | undefined;
  let pieces: Uint8Array[] = [];
  let bytes = 0;
  let done = false;

  const finish = (error: { code: grpc.status; details: string } | undefined) => {
    if (done) return;
    done = true;
    pieces = [];
    if (from !== undefined) owner.closed(from);
    if (error === undefined) callback(null, Buffer.alloc(0));
    else callback(error);
  };

  const greet = (hello: Hello, nodeID: string | undefined) => {
    if (from !== undefined) throw new WireError('a second hello');
    if (owner.self === undefined) throw new ShoalError('unavailable', 'raft has not started yet');
    if (hello.to !== owner.self.id) throw new WireError(`a stream for member ${hello.to} came to ${owner.self.id}`);
    const obstacle = formatObstacle(hello.format);
    if (obstacle !== undefined) throw new WireError(obstacle);
    if (nodeID !== undefined && nodeID !== hello.from.nodeID)
      throw new WireError('the caller gives another node as itself');
    owner.opened(hello.from);
    from = hello.from;
  };

  const take = (piece: Uint8Array, more: boolean) => {
    if (from === undefined) throw new WireError('a batch before the hello');
    if (more && piece.length === 0) throw new WireError('a piece with nothing in it');
    pieces.push(piece);
    bytes += piece.length;
    if (bytes > maxBatchBytes) throw new WireError(`a batch above the limit of ${maxBatchBytes} bytes`);
    if (more) return;
    const messages = decodeBatch(pieces.length === 1 ? piece : Buffer.concat(pieces, bytes));
    pieces = [];
    bytes = 0;
    for (const message of messages) {
      if (message.from !== from.id) throw new WireError(`member ${from.id} speaks for ${message.from}`);
    }
    owner.received(messages);
  };

  let nodeID: string | undefined;
  try {
    nodeID = owner.authorise(call);
  } catch (error) {
    finish({ code: grpc.status.PERMISSION_DENIED, details: messageOf(error) });
    return () => {};
  }
  call.on('data', (data: Buffer) => {
    if (done) return;
    try {
      const frame = decodeFrame(data);
      if ('hello' in frame) greet(frame.hello, nodeID);
      else take(frame.piece, frame.more);
    } catch (error) {
      const broken = error instanceof WireError;
      if (!broken && !(error instanceof ShoalError)) throw error;
      if (broken) owner.log.warn('cut off a raft stream', { peer: call.getPeer(), from, reason: messageOf(error) });
      finish({
        code: broken ? grpc.status.INVALID_ARGUMENT : grpc.status.UNAVAILABLE,
        details: messageOf(error),
      });
    }
  });
  call.on('end', () => finish(undefined));
  call.on('cancelled', () => finish({ code: grpc.status.CANCELLED, details: 'cancelled' }));
  call.on('error', () => finish({ code: grpc.status.CANCELLED, details: 'the stream broke' }));
  return () => finish({ code: grpc.status.UNAVAILABLE, details: 'this manager stops' });
}
