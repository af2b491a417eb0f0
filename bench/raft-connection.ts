import { connect, type Socket } from 'node:net';
import { framed } from './raft-client.js';

// HTTP/2 (RFC 9113) as far as unary gRPC calls need it. Node's own client takes as much processor time for a call as three nodes
// of either side do, so that it was the client that was measured; this one takes a tenth of that.

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
const frames = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goAway: 7, windowUpdate: 8 } as const;
const flags = { ack: 1, endStream: 1, endHeaders: 4 } as const;
const frameHeaderBytes = 9;
const cancel = 8;
/** What may be sent before the peer says that it read some of it; and what it may send us, which we never hold up. */
const initialWindow = 65_535;
const ourWindow = 2 ** 30;

interface Call {
  /** A message came: a failed call has only trailers. */
  answered: boolean;
  late: NodeJS.Timeout;
  resolve(): void;
  reject(error: Error): void;
}

function frame(type: number, flag: number, stream: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(frameHeaderBytes + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flag;
  bytes.writeUInt32BE(stream, 5);
  bytes.set(payload, frameHeaderBytes);
  return bytes;
}

function word(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

const text = (value: string) => Buffer.concat([Buffer.from([value.length]), Buffer.from(value, 'latin1')]);

/** The header block of every call to `path`, for no table and thus always the same (RFC 7541, 6.2.2). */
function headerBlock(path: string): Buffer {
  return Buffer.concat([
    Buffer.from([0x83, 0x86]), // :method POST and :scheme http, of the static table
    Buffer.from([0x04]), // :path
    text(path),
    Buffer.from([0x01]), // :authority
    text('localhost'),
    Buffer.from([0x0f, 0x10]), // content-type
    text('application/grpc'),
    Buffer.from([0x00]),
    text('te'),
    text('trailers'),
  ]);
}

/** One connection to a node, for gRPC calls with one message each way. */
export class Connection {
  private socket: Socket | undefined;
  private readonly calls = new Map<number, Call>();
  private readonly blocks = new Map<string, Buffer>();
  private nextStream = 1;
  private window = initialWindow;
  /** Messages that wait for the window to open, each with what is left of it to be sent. */
  private waiting: { stream: number; message: Buffer }[] = [];
  private unread: Buffer = Buffer.alloc(0);

  constructor(private readonly port: number) {}

  private get open(): Socket {
    if (this.socket !== undefined && !this.socket.destroyed) return this.socket;
    const socket = connect(this.port, '127.0.0.1');
    this.socket = socket;
    this.nextStream = 1;
    this.window = initialWindow;
    this.unread = Buffer.alloc(0);
    socket.setNoDelay(true);
    socket.on('data', (bytes) => this.read(socket, bytes));
    socket.on('error', () => {});
    socket.on('close', () => {
      if (this.socket === socket) this.fail('the connection is closed');
    });
    // INITIAL_WINDOW_SIZE of streams, then the connection's own.
    const settings = Buffer.concat([Buffer.from([0, 4]), word(ourWindow)]);
    socket.write(Buffer.concat([preface, frame(frames.settings, 0, 0, settings)]));
    socket.write(frame(frames.windowUpdate, 0, 0, word(ourWindow)));
    return socket;
  }

  private fail(reason: string): void {
    this.waiting = [];
    for (const stream of [...this.calls.keys()]) this.end(stream, new Error(reason));
  }

  /** Resolves when the node said yes; rejects when it did not, or not within `patience_ms`. */
  call(path: string, message: Uint8Array, patience_ms: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = this.open;
      const stream = this.nextStream;
      this.nextStream += 2;
      const late = setTimeout(() => {
        if (!socket.destroyed) socket.write(frame(frames.reset, 0, stream, word(cancel)));
        this.end(stream, new Error('no answer'));
      }, patience_ms);
      this.calls.set(stream, { answered: false, late, resolve, reject });
      let block = this.blocks.get(path);
      if (block === undefined) {
        block = headerBlock(path);
        this.blocks.set(path, block);
      }
      // Whatever is sent in one turn goes in one write.
      if (socket.writableCorked === 0) {
        socket.cork();
        setImmediate(() => socket.uncork());
      }
      socket.write(frame(frames.headers, flags.endHeaders, stream, block));
      this.waiting.push({ stream, message: framed(message) });
      this.send(socket);
    });
  }

  private send(socket: Socket): void {
    let sent = 0;
    for (const { stream, message } of this.waiting) {
      if (message.length > this.window) break;
      this.window -= message.length;
      sent++;
      if (this.calls.has(stream)) socket.write(frame(frames.data, flags.endStream, stream, message));
    }
    this.waiting.splice(0, sent);
  }

  private read(socket: Socket, bytes: Buffer): void {
    const all = this.unread.length === 0 ? bytes : Buffer.concat([this.unread, bytes]);
    let at = 0;
    while (at + frameHeaderBytes <= all.length) {
      const end = at + frameHeaderBytes + all.readUIntBE(at, 3);
      if (end > all.length) break;
      const stream = all.readUInt32BE(at + 5) & 0x7fffffff;
      this.take(socket, all[at + 3] as number, all[at + 4] as number, stream, all.subarray(at + frameHeaderBytes, end));
      at = end;
    }
    this.unread = all.subarray(at);
  }

  private take(socket: Socket, type: number, flag: number, stream: number, payload: Buffer): void {
    const call = this.calls.get(stream);
    if (type === frames.data && call !== undefined && payload.length > 0) call.answered = true;
    if (type === frames.headers && (flag & flags.endStream) !== 0) {
      this.end(stream, call?.answered === true ? undefined : new Error('the node said no'));
    } else if (type === frames.reset) {
      this.end(stream, new Error('the node gave up'));
    } else if (type === frames.windowUpdate && stream === 0) {
      this.window += payload.readUInt32BE(0);
      this.send(socket);
    } else if (type === frames.settings && (flag & flags.ack) === 0) {
      socket.write(frame(frames.settings, flags.ack, 0, Buffer.alloc(0)));
    } else if (type === frames.ping && (flag & flags.ack) === 0) {
      socket.write(frame(frames.ping, flags.ack, 0, payload));
    } else if (type === frames.goAway) {
      socket.destroy();
    }
  }

  private end(stream: number, error: Error | undefined): void {
    const call = this.calls.get(stream);
    if (call === undefined) return;
    this.calls.delete(stream);
    clearTimeout(call.late);
    if (error === undefined) call.resolve();
    else call.reject(error);
  }

  close(): void {
    this.socket?.destroy();
    this.fail('closed');
  }
}
