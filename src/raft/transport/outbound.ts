import type * as grpc from '@grpc/grpc-js';
import type { Logger } from 'winston';
import type { Clock } from '../../model/clock.js';
import type { Random } from '../../model/random.js';
import { type Message, messageSize } from '../core/types.js';
import type { Member } from '../node.js';
import { encodeHello, encodePieces } from '../wire/frame.js';
import { encodeBatch } from '../wire/message.js';
import { streamPath } from './service.js';

const asIs = (bytes: Buffer): Buffer => bytes;
/** More than this waits for nobody: the peer is too slow, and Raft sends again what it still needs. */
const maxQueueBytes = 32 * 1024 * 1024;
const batchBytes = 1024 * 1024;
const backoffMin_ms = 50;
const backoffMax_ms = 1000;

export interface OutboundParts {
  self: Member;
  clock: Clock;
  random: Random;
  log: Logger;
  unreachable(id: number): void;
}

/** One lane to one peer: a stream that is opened anew, with a growing and jittered pause, whenever it breaks. */
export class OutboundLane {
  private call: grpc.ClientWritableStream<Buffer> | undefined;
  private queue: Message[] = [];
  private queueBytes = 0;
  private blocked = false;
  private failures = 0;
  private cancelRetry: (() => void) | undefined;
  private stopped = false;

  constructor(
    private readonly parts: OutboundParts,
    private readonly peer: Member,
    private readonly client: grpc.Client,
    private readonly name: string,
  ) {}

  send(message: Message): void {
    if (this.stopped || this.cancelRetry !== undefined || this.queueBytes > maxQueueBytes) {
      this.parts.unreachable(this.peer.id);
      return;
    }
    this.queue.push(message);
    this.queueBytes += messageSize(message);
  }

  /** Sends what was queued, as far as the peer takes it. */
  flush(): void {
    if (this.queue.length === 0) return;
    if (this.call === undefined) this.open();
    while (this.queue.length > 0 && !this.blocked && this.call !== undefined) this.writeBatch(this.call);
  }

  private writeBatch(call: grpc.ClientWritableStream<Buffer>): void {
    let count = 0;
    let bytes = 0;
    while (count < this.queue.length && (count === 0 || bytes < batchBytes)) {
      bytes += messageSize(this.queue[count] as Message);
      count++;
    }
    const batch = this.queue.splice(0, count);
    this.queueBytes -= bytes;
    const encoded = encodeBatch(batch, bytes + Math.ceil(bytes / 4));
    for (const frame of encodePieces(encoded)) if (!call.write(frame)) this.blocked = true;
  }

  private open(): void {
    const call = this.client.makeClientStreamRequest<Buffer, Buffer>(streamPath, asIs, asIs, (error) =>
      this.closed(call, error?.details ?? 'closed by the peer'),
    );
    this.call = call;
    this.blocked = !call.write(encodeHello(this.parts.self, this.peer.id));
    call.on('drain', () => {
      if (this.call !== call) return;
      this.blocked = false;
      this.failures = 0;
      this.flush();
    });
    // The callback above has the reason.
    call.on('error', () => {});
  }

  private closed(call: grpc.ClientWritableStream<Buffer>, reason: string): void {
    if (this.call !== call) return;
    this.call = undefined;
    this.blocked = false;
    this.queue = [];
    this.queueBytes = 0;
    if (this.stopped) return;
    const ceiling = Math.min(backoffMin_ms * 2 ** this.failures, backoffMax_ms);
    const pause_ms = Math.ceil(ceiling / 2) + this.parts.random.below(Math.ceil(ceiling / 2) + 1);
    const level = this.failures === 0 && this.name === 'control' ? 'info' : 'debug';
    this.parts.log.log(level, 'raft stream closed', { peer: this.peer, lane: this.name, reason, pause_ms });
    this.failures = Math.min(this.failures + 1, 10);
    this.cancelRetry = this.parts.clock.after(pause_ms, () => {
      this.cancelRetry = undefined;
    });
    this.parts.unreachable(this.peer.id);
  }

  /** The peer answered on a stream of its own, so it is worth trying at once. */
  alive(): void {
    this.failures = 0;
  }

  stop(): void {
    this.stopped = true;
    this.cancelRetry?.();
    this.call?.end();
  }

  abort(): void {
    this.call?.cancel();
  }
}
