import type { Logger } from 'winston';
import { messageOf } from '../../model/errors.js';
import type { RaftCore } from '../core/core.js';
import type { Message, MessageOf, SnapshotMeta } from '../core/types.js';
import type { IncomingSnapshot, RaftStorage } from '../log/storage.js';

/** Takes in a snapshot that the leader sends, chunk after chunk, and gives it to the core when it is whole. */
export class SnapshotReceiver {
  private incoming: IncomingSnapshot | undefined;
  /** Whole, and wanted by the core; its time comes with the next Ready. */
  private accepted: IncomingSnapshot | undefined;
  private busy = false;

  constructor(
    private readonly core: RaftCore,
    private readonly storage: RaftStorage,
    private readonly send: (message: Message) => void,
    private readonly log: Logger,
  ) {}

  async chunk(message: MessageOf<'snapshot-chunk'>): Promise<void> {
    const { core } = this;
    if (message.term !== core.term || message.from !== core.leader) return;
    if (message.index <= core.committed) {
      this.answer(message, message.total);
      return;
    }
    // The sender repeats what is not answered.
    if (this.busy || this.accepted !== undefined) return;
    this.busy = true;
    try {
      await this.take(message);
    } catch (error) {
      this.log.warn('cannot take in a snapshot', {
        from: message.from,
        index: message.index,
        reason: messageOf(error),
      });
      await this.drop().catch((failed) => this.log.warn('cannot drop it', { reason: messageOf(failed) }));
    } finally {
      this.busy = false;
    }
  }

  private async take(message: MessageOf<'snapshot-chunk'>): Promise<void> {
    const { index, logTerm: term, total, offset, data } = message;
    const current = this.incoming;
    if (current === undefined || current.index !== index || current.term !== term || current.total !== total) {
      await this.drop();
      this.incoming = await this.storage.receiveSnapshot(index, term, total);
    }
    const incoming = this.incoming as IncomingSnapshot;
    if (offset === incoming.received && data.length > 0 && offset + data.length <= total) {
      await this.storage.writeIncoming(incoming, data);
    }
    if (incoming.received === total) await this.complete(message, incoming);
    else this.answer(message, incoming.received);
  }

  private async complete(message: MessageOf<'snapshot-chunk'>, incoming: IncomingSnapshot): Promise<void> {
    const meta = await this.storage.finishIncoming(incoming);
    // Set first: the core may hand the snapshot out as soon as it has it.
    this.incoming = undefined;
    this.accepted = incoming;
    if (!this.core.receiveSnapshot(message.from, message.term, meta)) {
      this.accepted = undefined;
      await this.storage.dropIncoming(incoming);
    }
    this.answer(message, message.total);
  }

  private answer(message: MessageOf<'snapshot-chunk'>, offset: number): void {
    const { index, logTerm } = message;
    const envelope = { from: this.core.id, to: message.from, term: message.term };
    this.send({ type: 'snapshot-progress', ...envelope, index, logTerm, offset });
  }

  /** The file behind a snapshot that the core put into a Ready; `placed` ends its time here. */
  acceptedFile(meta: SnapshotMeta): IncomingSnapshot {
    const { accepted } = this;
    if (accepted === undefined || accepted.index !== meta.index || accepted.term !== meta.term) {
      throw new Error(`the snapshot of ${meta.index} is not here`);
    }
    return accepted;
  }

  placed(): void {
    this.accepted = undefined;
  }

  async drop(): Promise<void> {
    const { incoming } = this;
    this.incoming = undefined;
    if (incoming !== undefined) await this.storage.dropIncoming(incoming);
  }

  async close(): Promise<void> {
    await this.incoming?.file.close();
    await this.accepted?.file.close();
    this.incoming = undefined;
    this.accepted = undefined;
  }
}
