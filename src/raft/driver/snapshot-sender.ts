import type { Logger } from 'winston';
import { messageOf } from '../../model/errors.js';
import type { RaftCore } from '../core/core.js';
import type { Message, MessageOf, SnapshotMeta } from '../core/types.js';
import type { DiskFile } from '../log/disk.js';
import type { RaftStorage } from '../log/storage.js';

/** Ticks until an unanswered chunk is sent again, and until the transfer is given up. */
const retryTicks = 5;
const giveUpTicks = 50;

interface Transfer {
  meta: SnapshotMeta;
  term: number;
  file: DiskFile;
  total: number;
  offset: number;
  silentTicks: number;
}

/** Sends the latest snapshot to members that are too far behind, a chunk at a time; a broken transfer goes on where it was. */
export class SnapshotSender {
  private readonly transfers = new Map<number, Transfer>();
  /** Of each member the latest attempt to open the snapshot for it; one that was overtaken comes to nothing. */
  private readonly starting = new Map<number, object>();
  private closed = false;

  constructor(
    private readonly core: RaftCore,
    private readonly storage: RaftStorage,
    private readonly send: (message: Message) => void,
    private readonly log: Logger,
    private readonly chunkBytes: number,
  ) {}

  async start(id: number): Promise<void> {
    const meta = this.core.snapshot;
    if (meta === undefined) return;
    this.finish(id);
    const attempt = {};
    this.starting.set(id, attempt);
    const isCurrent = () => !this.closed && this.starting.get(id) === attempt;
    let file: DiskFile | undefined;
    try {
      file = await this.storage.openSnapshot(meta);
      const total = await file.size();
      if (!isCurrent()) {
        this.close(file);
        return;
      }
      const transfer = { meta, term: this.core.term, file, total, offset: 0, silentTicks: 0 };
      this.transfers.set(id, transfer);
      this.log.info('sending a snapshot', { to: id, index: meta.index, bytes: total });
      await this.sendChunk(id, transfer);
    } catch (error) {
      if (file !== undefined) this.close(file);
      this.log.warn('cannot read the snapshot to send', { to: id, reason: messageOf(error) });
      if (isCurrent()) this.fail(id);
    }
  }

  private async sendChunk(id: number, transfer: Transfer): Promise<void> {
    const { meta, total, offset } = transfer;
    try {
      const data = await transfer.file.read(offset, Math.min(this.chunkBytes, total - offset));
      if (this.transfers.get(id) !== transfer || transfer.offset !== offset) return;
      const envelope = { from: this.core.id, to: id, term: transfer.term };
      this.send({ type: 'snapshot-chunk', ...envelope, index: meta.index, logTerm: meta.term, offset, total, data });
    } catch (error) {
      if (this.transfers.get(id) !== transfer) return;
      this.log.warn('cannot read the snapshot to send', { to: id, reason: messageOf(error) });
      this.fail(id);
    }
  }

  async progress(message: MessageOf<'snapshot-progress'>): Promise<void> {
    const transfer = this.transfers.get(message.from);
    if (transfer === undefined || transfer.term !== message.term) return;
    if (transfer.meta.index !== message.index || transfer.meta.term !== message.logTerm) return;
    transfer.silentTicks = 0;
    if (message.offset >= transfer.total) {
      this.finish(message.from);
      this.core.snapshotReport(message.from, true);
    } else if (message.offset !== transfer.offset) {
      transfer.offset = message.offset;
      await this.sendChunk(message.from, transfer);
    }
  }

  tick(): void {
    for (const [id, transfer] of this.transfers) {
      transfer.silentTicks++;
      if (transfer.term !== this.core.term || transfer.silentTicks > giveUpTicks) this.fail(id);
      else if (transfer.silentTicks % retryTicks === 0) void this.sendChunk(id, transfer);
    }
  }

  private fail(id: number): void {
    this.finish(id);
    this.core.snapshotReport(id, false);
  }

  private finish(id: number): void {
    const transfer = this.transfers.get(id);
    if (transfer === undefined) return;
    this.transfers.delete(id);
    this.close(transfer.file);
  }

  private close(file: DiskFile): void {
    file.close().catch((error) => this.log.warn('cannot close a snapshot', { reason: messageOf(error) }));
  }

  shutDown(): void {
    this.closed = true;
    for (const id of [...this.transfers.keys()]) this.finish(id);
  }
}
