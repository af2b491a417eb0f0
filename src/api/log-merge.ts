import type { Clock } from '../model/clock.js';
import type { LogMessage } from './log-frames.js';

/** A message together with what it came from. */
export interface Merged<S> {
  source: S;
  message: LogMessage;
}

interface Slot<S> {
  source: S;
  queue: LogMessage[];
  /** When the head of the queue began to wait. */
  since_ms: number;
  ended: boolean;
  drained: (() => void) | undefined;
}

/**
 * Several logs as one, in order of their time stamps. The oldest head goes out once every log has shown its next message, or
 * after `patience_ms`: a quiet log holds the others up no longer. Each log is read only as fast as the whole is taken.
 */
export class LogMerge<S> {
  private readonly clock: Clock;
  private readonly patience_ms: number;
  private readonly slots = new Set<Slot<S>>();
  private isClosed = false;
  private wake: () => void = () => undefined;

  constructor(clock: Clock, patience_ms: number) {
    this.clock = clock;
    this.patience_ms = patience_ms;
  }

  /** Takes one more log in, which may fail only by ending; resolves when it has. */
  add(source: S, batches: AsyncIterable<readonly LogMessage[]>): Promise<void> {
    const slot: Slot<S> = { source, queue: [], since_ms: 0, ended: false, drained: undefined };
    this.slots.add(slot);
    return this.pump(slot, batches);
  }

  /** No more logs will be added: the whole ends with the last of them. */
  close(): void {
    this.isClosed = true;
    this.wake();
  }

  private async pump(slot: Slot<S>, batches: AsyncIterable<readonly LogMessage[]>): Promise<void> {
    for await (const batch of batches) {
      if (batch.length === 0) continue;
      slot.queue = [...batch];
      slot.since_ms = this.clock.monotonic();
      const drained = new Promise<void>((resolve) => {
        slot.drained = resolve;
      });
      this.wake();
      await drained;
    }
    slot.ended = true;
    this.slots.delete(slot);
    this.wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Merged<S>> {
    for (;;) {
      const oldest = this.oldest();
      if (oldest === undefined) {
        if (this.isClosed && this.slots.size === 0) return;
        await this.change(undefined);
        continue;
      }
      const waited_ms = this.clock.monotonic() - oldest.since_ms;
      const areAllShown = [...this.slots].every((slot) => slot.queue.length > 0);
      if (!areAllShown && waited_ms < this.patience_ms) {
        await this.change(this.patience_ms - waited_ms);
        continue;
      }
      const message = oldest.queue.shift()!;
      if (oldest.queue.length === 0) oldest.drained?.();
      yield { source: oldest.source, message };
    }
  }

  private oldest(): Slot<S> | undefined {
    let oldest: Slot<S> | undefined;
    for (const slot of this.slots) {
      const head = slot.queue[0];
      if (head === undefined) continue;
      if (oldest === undefined || head.timestamp < oldest.queue[0]!.timestamp) oldest = slot;
    }
    return oldest;
  }

  private change(within_ms: number | undefined): Promise<void> {
    return new Promise((resolve) => {
      const cancel = within_ms === undefined ? undefined : this.clock.after(within_ms, resolve);
      this.wake = () => {
        cancel?.();
        resolve();
      };
    });
  }
}
