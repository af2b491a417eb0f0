import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';

/** Counts what is under way, so that a flood of requests is refused at its door instead of filling the memory. */
export class Admission {
  private count = 0;

  constructor(private readonly max: number) {}

  /** Whether there is room for one more; it counts until `until` closes. */
  admits(until: EventEmitter): boolean {
    if (this.count >= this.max) return false;
    this.count += 1;
    until.once('close', () => {
      this.count -= 1;
    });
    return true;
  }
}

/**
 * Requests that a client sends on one connection without waiting for answers. No client of this API does; one that sends thousands in one
 * packet would have them all answered before anybody else's turn comes.
 */
export class Pipelines {
  private readonly waiting = new WeakMap<Socket, number>();

  constructor(private readonly max: number) {}

  /** Whether the request may be answered; else its connection is cut. It counts until `until` closes. */
  admits(socket: Socket, until: EventEmitter): boolean {
    if (socket.destroyed) return false; // of what came in the same packet
    const count = (this.waiting.get(socket) ?? 0) + 1;
    if (count > this.max) {
      socket.destroy();
      return false;
    }
    this.waiting.set(socket, count);
    until.once('close', () => this.waiting.set(socket, (this.waiting.get(socket) ?? 1) - 1));
    return true;
  }
}

/**
 * Connections that have not asked for anything yet. Above the limit the one that has been silent longest goes, so that a client which
 * opens thousands and says nothing leaves room for one that comes to ask.
 */
export class SilentConnections {
  private readonly silent = new Map<unknown, Socket>();

  constructor(private readonly max: number) {}

  opened(socket: Socket): void {
    const key = keyOf(socket);
    this.silent.set(key, socket);
    socket.once('close', () => {
      if (this.silent.get(key) === socket) this.silent.delete(key);
    });
    if (this.silent.size <= this.max) return;
    const [oldest] = this.silent.values();
    oldest?.destroy();
  }

  /** A request came over it. */
  asked(socket: Socket): void {
    this.silent.delete(keyOf(socket));
  }
}

/** The same of a TLS connection as of the TCP connection below it. A unix socket has no address: it is itself. */
function keyOf(socket: Socket): unknown {
  return socket.remotePort === undefined ? socket : `${socket.remoteAddress} ${socket.remotePort}`;
}
