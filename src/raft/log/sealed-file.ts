import { messageOf, ShoalError } from '../../model/errors.js';
import type { DiskFile } from './disk.js';
import type { Sealer } from './sealer.js';

/** Sealed and opened as one. Large, since every block costs the same again in calls; small beside what is read at a time. */
const blockBytes = 64 * 1024;

/**
 * A file that is sealed on disk and read and written as if it were not: blocks of equal length, each sealed for its own place, the last
 * one shorter. Written from start to end; the end reaches the disk with `sync`. That blocks are missing at the end is for the content
 * to show (a snapshot's last record counts the others).
 */
export class SealedFile implements DiskFile {
  /** The end that does not fill a block yet; undefined while nothing was written. */
  private tail: Buffer | undefined;
  private blocks = 0;

  constructor(
    private readonly file: DiskFile,
    private readonly sealer: Sealer,
    /** What kind of file this is: blocks of one kind do not open in another. */
    private readonly kind: string,
  ) {}

  async size(): Promise<number> {
    if (this.tail !== undefined) return this.blocks * blockBytes + this.tail.length;
    const stored = await this.file.size();
    const whole = Math.floor(stored / this.storedBlockBytes);
    return whole * blockBytes + Math.max(stored - whole * this.storedBlockBytes - this.sealer.overheadBytes, 0);
  }

  async read(position: number, length: number): Promise<Buffer> {
    const end = Math.min(position + length, await this.size());
    const parts: Buffer[] = [];
    for (let at = position; at < end; ) {
      const block = Math.floor(at / blockBytes);
      const plain = await this.block(block);
      const from = at - block * blockBytes;
      const part = plain.subarray(from, Math.min(plain.length, end - block * blockBytes));
      if (part.length === 0) break;
      parts.push(part);
      at += part.length;
    }
    return Buffer.concat(parts);
  }

  async write(position: number, data: Uint8Array): Promise<void> {
    const tail = this.tail ?? Buffer.alloc(0);
    if (position !== this.blocks * blockBytes + tail.length) throw new Error('a sealed file is written in order');
    const all = Buffer.concat([tail, data]);
    let from = 0;
    for (; all.length - from >= blockBytes; from += blockBytes) {
      await this.put(this.blocks, all.subarray(from, from + blockBytes));
      this.blocks += 1;
    }
    this.tail = Buffer.from(all.subarray(from));
  }

  /** Goes on writing to a file that was not finished, behind its last whole block; gives the position. */
  async goOn(): Promise<number> {
    this.blocks = Math.floor((await this.file.size()) / this.storedBlockBytes);
    this.tail = Buffer.alloc(0);
    return this.blocks * blockBytes;
  }

  truncate(): Promise<void> {
    return Promise.reject(new Error('a sealed file is not truncated'));
  }

  async sync(): Promise<void> {
    if (this.tail !== undefined && this.tail.length > 0) await this.put(this.blocks, this.tail);
    await this.file.sync();
  }

  close(): Promise<void> {
    return this.file.close();
  }

  private get storedBlockBytes(): number {
    return blockBytes + this.sealer.overheadBytes;
  }

  private place(block: number): string {
    return `${this.kind} ${block}`;
  }

  private put(block: number, plain: Uint8Array): Promise<void> {
    return this.file.write(block * this.storedBlockBytes, this.sealer.seal(plain, this.place(block)));
  }

  private async block(block: number): Promise<Buffer> {
    if (this.tail !== undefined && block === this.blocks) return this.tail;
    const sealed = await this.file.read(block * this.storedBlockBytes, this.storedBlockBytes);
    try {
      return this.sealer.open(sealed, this.place(block));
    } catch (error) {
      const what = `the raft ${this.kind} is damaged: at block ${block}: ${messageOf(error)}`;
      throw new ShoalError('failed-precondition', what, { cause: error });
    }
  }
}
