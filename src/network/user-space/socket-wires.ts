import { createServer, Socket } from 'node:net';
import { listening } from './handle-wires.js';
import { keepAlive_s, type Listening, noEvents, type Wire, type WireEvents, type Wires } from './wire.js';

/** Wires over `net.Socket`: what every Node has. */
export class SocketWires implements Wires {
  async listen(host: string, port: number, accepted: (wire: Wire) => void): Promise<Listening> {
    const server = createServer(
      {
        allowHalfOpen: true,
        pauseOnConnect: true,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: keepAlive_s * 1000,
      },
      (socket) => accepted(new SocketWire(socket)),
    );
    await listening(server, host, port);
    // `close` of a server calls back only when its connections are gone too; the port is free before.
    return {
      async close() {
        server.close();
      },
    };
  }

  connect(host: string, port: number, done: (code: string | undefined) => void): Wire {
    const socket = new Socket({ allowHalfOpen: true });
    const wire = new SocketWire(socket);
    const failed = (error: NodeJS.ErrnoException) => {
      if (!wire.closed) done(error.code ?? 'UNKNOWN');
    };
    socket.once('error', failed);
    socket.connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAlive_s * 1000 }, () => {
      socket.off('error', failed);
      if (!wire.closed) done(undefined);
    });
    socket.pause();
    return wire;
  }
}

class SocketWire implements Wire {
  events: WireEvents = noEvents;
  closed = false;
  private failure = false;
  private ending = false;

  constructor(private readonly socket: Socket) {
    socket.on('data', (bytes) => this.events.data(bytes));
    socket.pause();
    socket.on('end', () => {
      // As in HandleWire.wasReset; the address is looked up here for the first time, so it is not remembered from before.
      if (!this.ending && socket.remoteAddress === undefined) this.fail('ECONNRESET');
      else this.events.ended();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => this.fail(error.code ?? 'UNKNOWN'));
    socket.on('close', () => this.fail('ECONNRESET')); // without a word before: torn down below us
  }

  resume(): void {
    this.socket.resume();
  }

  pause(): void {
    this.socket.pause();
  }

  write(bytes: Uint8Array): boolean {
    if (this.closed) return true;
    this.socket.write(bytes, (error) => {
      if (error === undefined || error === null) this.events.drained();
    });
    return this.socket.writableLength === 0;
  }

  end(): void {
    this.ending = true;
    this.socket.end(() => {
      if (!this.closed && !this.failure) this.events.finished();
    });
  }

  close(): void {
    if (this.leave()) this.socket.destroy();
  }

  reset(): void {
    if (this.leave()) this.socket.resetAndDestroy();
  }

  /** Remembered by the socket from then on: a break that comes together with data passes for an end (above). */
  peer(): string {
    return this.socket.remoteAddress ?? '';
  }

  private fail(code: string): void {
    if (this.failure) return;
    this.failure = true;
    this.events.failed(code);
  }

  private leave(): boolean {
    if (this.closed) return false;
    this.closed = true;
    this.events = noEvents;
    return true;
  }
}
