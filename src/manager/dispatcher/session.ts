import type * as grpc from '@grpc/grpc-js';
import type { Clock } from '../../model/clock.js';
import type { FromNode, ToNodeInit } from '../../model/types.js';

export type SessionCall = grpc.ServerDuplexStream<FromNode, ToNodeInit>;

const unread_bytes_max = 64 * 1024 * 1024; // a node that stops reading is cut off before it costs the manager its memory

/** One node's session as its manager holds it: the stream, the last sign of life, and which routes the node has applied. */
export class Session {
  private lastWord_ms: number;
  private sentRevision = 0;
  private ackedRevision = 0;
  busy: ReadonlySet<string> = new Set();
  private ended = false;

  constructor(
    readonly nodeID: string,
    /** Raft index of the registration: what is said under an older one is dropped. */
    readonly epoch: number,
    private readonly call: SessionCall,
    private readonly clock: Clock,
  ) {
    this.lastWord_ms = clock.monotonic();
  }

  send(message: ToNodeInit): void {
    if (this.ended) return;
    this.call.write(message);
    if (this.call.writableLength > unread_bytes_max) this.call.destroy(new Error('the node does not read'));
  }

  heard(): void {
    this.lastWord_ms = this.clock.monotonic();
  }

  get silent_ms(): number {
    return this.clock.monotonic() - this.lastWord_ms;
  }

  routesSent(revision: number): void {
    this.sentRevision = revision;
  }

  /** A node that claims routes it was never sent is not believed. */
  routesApplied(revision: number, busy: readonly string[]): void {
    this.ackedRevision = Math.max(this.ackedRevision, Math.min(revision, this.sentRevision));
    this.busy = new Set(busy);
  }

  /** Up to which index of the state the node's routes are right; `index` is that of the store. */
  revision(index: number): number {
    return this.ackedRevision === this.sentRevision ? index : this.ackedRevision;
  }

  /** Ends the stream; with an error the node is told why. */
  end(error?: Partial<grpc.StatusObject>): void {
    if (this.ended) return;
    this.ended = true;
    if (error === undefined) this.call.end();
    else this.call.emit('error', error);
  }
}
