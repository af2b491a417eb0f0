import { createServer, isIPv6, type Server } from 'node:net';
import { getSystemErrorName } from 'node:util';
import type { NodeHandles, Request, TcpHandle } from './node-handles.js';
import { backlog, keepAlive_s, type Listening, noEvents, type Wire, type WireEvents, type Wires } from './wire.js';

const endOfFile = -4095; // libuv's UV_EOF

/** A small request or answer fits; a wire that fills it gets a large one. Two a connection, so it bounds what idle ones cost. */
const smallBuffer = 8 * 1024;
const largeBuffer = 64 * 1024;
/** Buffers kept for the next connection: 8 MB at the most. */
const spareSmall = 512;
const spareLarge = 64;

/** Wires straight on Node's TCP handles. */
export class HandleWires implements Wires {
  private readonly small: Uint8Array[] = [];
  private readonly large: Uint8Array[] = [];
  /** A write that went out at once leaves its request unused: the next one takes it. */
  private spareWrite: Request | undefined;

  constructor(readonly node: NodeHandles) {}

  async listen(host: string, port: number, accepted: (wire: Wire) => void): Promise<Listening> {
    const server = await listening(createServer(), host, port);
    // Node's server binds, listens and reports errors; only what it makes of each connection is bypassed.
    const handle = (server as unknown as { _handle: TcpHandle })._handle;
    // Linux hands both down to what is accepted, which saves five system calls a connection.
    handle.setNoDelay(true);
    handle.setKeepAlive(true, keepAlive_s);
    handle.onconnection = (status, connection) => {
      // A failed accept (out of descriptors, gone before its turn) costs that one connection.
      if (status !== 0 || connection === undefined) return;
      accepted(new HandleWire(this, connection));
    };
    return { close: () => new Promise((resolve) => server.close(() => resolve())) };
  }

  connect(host: string, port: number, done: (code: string | undefined) => void): Wire {
    const handle = this.node.newHandle();
    const wire = new HandleWire(this, handle);
    const request = this.node.newConnect();
    const finish = (status: number) => {
      if (wire.closed) return;
      if (status !== 0) return done(getSystemErrorName(status));
      handle.setNoDelay(true);
      handle.setKeepAlive(true, keepAlive_s);
      done(undefined);
    };
    request.oncomplete = finish;
    const status = isIPv6(host) ? handle.connect6(request, host, port) : handle.connect(request, host, port);
    if (status !== 0) setImmediate(finish, status);
    return wire;
  }

  writeRequest(): Request {
    const request = this.spareWrite ?? this.node.newWrite();
    this.spareWrite = undefined;
    return request;
  }

  unusedWrite(request: Request): void {
    this.spareWrite = request;
  }

  takeBuffer(size: 'small' | 'large'): Uint8Array {
    if (size === 'small') return this.small.pop() ?? Buffer.allocUnsafeSlow(smallBuffer);
    return this.large.pop() ?? Buffer.allocUnsafeSlow(largeBuffer);
  }

  giveBuffer(buffer: Uint8Array): void {
    if (buffer.length === smallBuffer) {
      if (this.small.length < spareSmall) this.small.push(buffer);
    } else if (this.large.length < spareLarge) this.large.push(buffer);
  }
}

/** Binds and listens; on IPv6 for IPv6 alone, so that 0.0.0.0 and :: can be had side by side. */
export async function listening(server: Server, host: string, port: number): Promise<Server> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog, ipv6Only: true, exclusive: true }, () => {
      server.off('error', reject);
      server.on('error', () => {}); // of a single accept: it costs that one connection
      resolve();
    });
  });
  return server;
}

class HandleWire implements Wire {
  events: WireEvents = noEvents;
  closed = false;
  private buffer: Uint8Array | undefined;
  private ending = false;

  constructor(
    private readonly wires: HandleWires,
    private readonly handle: TcpHandle,
  ) {
    handle.onread = () => this.onRead();
  }

  resume(): void {
    if (this.closed) return;
    if (this.buffer === undefined) {
      this.buffer = this.wires.takeBuffer('small');
      this.handle.useUserBuffer(this.buffer);
    }
    const status = this.handle.readStart();
    if (status !== 0) this.failLater(status);
  }

  pause(): void {
    if (!this.closed) this.handle.readStop();
  }

  write(bytes: Uint8Array): boolean {
    if (this.closed) return true;
    const request = this.wires.writeRequest();
    request.oncomplete = (status) => {
      request.bytes = undefined;
      if (this.closed) return;
      if (status !== 0) this.events.failed(getSystemErrorName(status));
      else this.events.drained();
    };
    const status = this.handle.writeBuffer(request, bytes);
    if (status !== 0) {
      this.failLater(status);
      return false;
    }
    if (this.wires.node.lastWriteWaits()) {
      request.bytes = bytes;
      return false;
    }
    this.wires.unusedWrite(request);
    return true;
  }

  end(): void {
    if (this.closed || this.ending) return;
    this.ending = true;
    const request = this.wires.node.newShutdown();
    request.oncomplete = (status) => {
      if (this.closed) return;
      if (status !== 0) this.events.failed(getSystemErrorName(status));
      else this.events.finished();
    };
    const status = this.handle.shutdown(request);
    if (status !== 0) this.failLater(status);
  }

  close(): void {
    if (!this.leave()) return;
    this.handle.close();
  }

  reset(): void {
    if (!this.leave()) return;
    // libuv refuses while a FIN is on its way; then the connection ends without ours being noticed
    if (this.handle.reset(() => {}) !== 0) this.handle.close();
  }

  peer(): string {
    const peer: { address?: string } = {};
    return !this.closed && this.handle.getpeername(peer) === 0 ? (peer.address ?? '') : '';
  }

  /** The kernel reads into `buffer`; returns the one to read into from now on, if it is another. */
  private onRead(): Uint8Array | undefined {
    const count = this.wires.node.lastRead();
    const buffer = this.buffer;
    if (this.closed || count === 0 || buffer === undefined) return undefined;
    if (count < 0) {
      this.handle.readStop();
      if (count !== endOfFile) this.events.failed(getSystemErrorName(count));
      else if (this.wasReset()) this.events.failed('ECONNRESET');
      else this.events.ended();
      return undefined;
    }
    this.events.data(count === buffer.length ? buffer : buffer.subarray(0, count));
    if (this.closed || count < smallBuffer || buffer.length !== smallBuffer) return undefined;
    this.buffer = this.wires.takeBuffer('large'); // the small one may still be on its way out, so nobody else gets it
    return this.buffer;
  }

  /**
   * When data and RST come together libuv (`uv__stream_io`, its way past a partial read) calls it an end of file. But a connection that
   * was reset has no peer any more, where one that only the other side has ended still has. Once both have ended nobody can tell.
   */
  private wasReset(): boolean {
    return !this.ending && this.handle.getpeername({}) !== 0;
  }

  /** As an event of its own, so that a caller never finds its connection gone under its hands. */
  private failLater(status: number): void {
    setImmediate(() => {
      if (!this.closed) this.events.failed(getSystemErrorName(status));
    });
  }

  private leave(): boolean {
    if (this.closed) return false;
    this.closed = true;
    this.events = noEvents;
    if (this.buffer !== undefined) this.wires.giveBuffer(this.buffer);
    this.buffer = undefined;
    return true;
  }
}
