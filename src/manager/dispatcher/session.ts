import type * as grpc from '@grpc/grpc-js';
import type { Clock } from '../../model/clock.js';
import type { FromNode, ToNodeInit } from '../../model/types.js';

export type SessionCall = grpc.ServerDuplexStream<FromNode, ToNodeInit>;

const unreadMax = 2_000; // messages: a node that stops reading is cut off before it costs the manager its memory
const beatsToLose = 3;

/** One node's session as its manager holds it: the stream, the last sign of life, and which routes the node has applied. */
export class Session {
  /** Tasks outside rotation to which the node still has open connections. */
  busy: ReadonlySet<string> = new Set();
  private lastWord_ms: number;
  /** What the node knows of how often it must be heard. */
  private toldPeriod_ms: number;
  private sentRevision = 0;
  private ackedRevision = 0;
  private ended = false;

  constructor(
    readonly nodeID: string,
    /** Raft index of the registration: what is said under an older one is dropped. */
    readonly epoch: number,
    private readonly call: SessionCall,
    private readonly clock: Clock,
    heartbeat_ms: number,
  ) {
    this.lastWord_ms = clock.monotonic();
    this.toldPeriod_ms = heartbeat_ms;
  }

  send(message: ToNodeInit): void {
    if (this.ended) return;
    this.call.write(message);
    if (this.call.writableLength > unreadMax) this.call.destroy(new Error('the node does not read'));
  }

  /** The node gave a sign of life. */
  heard(): void {
    this.lastWord_ms = this.clock.monotonic();
  }

  /** Answers a heartbeat; from then on the node beats as often as it is told here. */
  acknowledge(heartbeat_ms: number): void {
    this.toldPeriod_ms = heartbeat_ms;
    this.send({ HeartbeatAck: { HeartbeatPeriod: Math.round(heartbeat_ms * 1e6) } });
  }

  get silent_ms(): number {
    return this.clock.monotonic() - this.lastWord_ms;
  }

  /** Whether the node has missed its beats. A period that was shortened counts once the node knows it. */
  isLost(heartbeat_ms: number): boolean {
    return this.silent_ms >= beatsToLose * Math.max(heartbeat_ms, this.toldPeriod_ms);
  }

  routesSent(revision: number): void {
    this.sentRevision = revision;
  }

  /** A node that claims routes it was never sent is not believed. */
  routesApplied(revision: number, busy: Iterable<string>): void {
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
