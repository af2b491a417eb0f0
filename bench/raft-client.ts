import { ByteReader, ByteWriter } from '../src/raft/wire/bytes.js';

/** Puts and linearizable reads of etcd's KV service, which the nodes of ours under test speak as well. */
export const putPath = '/etcdserverpb.KV/Put';
export const rangePath = '/etcdserverpb.KV/Range';

export function putRequest(key: string, value: Uint8Array): Buffer {
  return new ByteWriter(value.length + 64).string(1, key).bytes(2, value).finish();
}

export function rangeRequest(key: string): Buffer {
  return new ByteWriter(64).string(1, key).finish();
}

/** Key and value of a PutRequest; of a RangeRequest the key alone. */
export function readRequest(bytes: Uint8Array): { key: string; value: Uint8Array } {
  const reader = new ByteReader(bytes);
  let key = '';
  let value: Uint8Array = new Uint8Array(0);
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) key = reader.string();
    else if (field === 2) value = reader.bytes();
    else reader.skip();
  }
  return { key, value };
}

/** A gRPC message in its frame: not compressed, its length, itself. */
export function framed(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(message.length + 5);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  return frame;
}
