import { Agent, type ClientRequest } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { messageOf } from '../model/errors.js';

/** Long enough for a client that asks every few seconds; an engine that stops closes them by itself. */
const idle_ms = 15_000;
/** Kept at a time; a burst may open more, which are closed as they come free. */
const freeMax = 32;

/**
 * Connections to one engine that outlive a request, so that the next finds one open: opening one costs as much as a short call. Only
 * sockets are kept; the stream of a tunnel ends with its request.
 */
export class KeptConnections extends Agent {
  constructor(readonly connect: () => Promise<Duplex>) {
    super({ keepAlive: true, maxFreeSockets: freeMax });
  }

  /** For `Agent`, where no connection is free. */
  override createConnection(
    _options: unknown,
    opened: (error: Error | null, stream: Duplex) => void = () => {},
  ): undefined {
    const failed = (thrown: unknown) =>
      (opened as (error: Error) => void)(thrown instanceof Error ? thrown : new Error(messageOf(thrown)));
    this.connect().then((stream) => opened(null, stream), failed);
  }

  /** For `Agent`, once a request is done with its connection: whether it is kept. `Agent` closes a kept one that times out. */
  override keepSocketAlive(stream: Duplex): boolean {
    if (!(stream instanceof Socket)) return false;
    stream.allowHalfOpen = false; // between requests, one that the engine has ended is of no use to the next
    stream.setTimeout(idle_ms);
    stream.unref();
    return true;
  }

  /** For `Agent`, when a kept connection gets its next request. */
  override reuseSocket(stream: Duplex, request: ClientRequest): void {
    super.reuseSocket(stream, request);
    if (!(stream instanceof Socket)) return;
    stream.allowHalfOpen = true;
    stream.setTimeout(0);
  }
}
