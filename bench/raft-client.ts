import { type ClientHttp2Session, connect } from 'node:http2';
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

/** One connection to a node, for gRPC calls with one message each way; as little as that takes, for it shares the processors. */
export class Connection {
  private session: ClientHttp2Session | undefined;

  constructor(private readonly port: number) {}

  private get open(): ClientHttp2Session {
    if (this.session === undefined || this.session.closed || this.session.destroyed) {
      this.session = connect(`http://127.0.0.1:${this.port}`);
      this.session.on('error', () => {});
    }
    return this.session;
  }

  /** Resolves when the node said yes; rejects when it did not, or not within `patience_ms`. */
  call(path: string, message: Uint8Array, patience_ms: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const stream = this.open.request({
        ':method': 'POST',
        ':path': path,
        'content-type': 'application/grpc',
        te: 'trailers',
      });
      let status: unknown;
      const late = setTimeout(() => stream.close(), patience_ms);
      const look = (headers: Record<string, unknown>) => {
        status ??= headers['grpc-status'];
      };
      stream.on('response', look);
      stream.on('trailers', look);
      stream.on('error', () => {});
      stream.on('close', () => {
        clearTimeout(late);
        if (status === '0') resolve();
        else reject(new Error(`gRPC status ${String(status)}`));
      });
      stream.resume();
      stream.end(framed(message));
    });
  }

  close(): void {
    this.session?.destroy();
  }
}
