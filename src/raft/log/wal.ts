import { ShoalError } from '../../model/errors.js';
import type { LogPosition } from '../core/log.js';
import type { Recovered } from '../core/state.js';
import type { Entry, HardState, SnapshotMeta } from '../core/types.js';
import { missingLog } from './damage.js';
import type { Disk, DiskFile } from './disk.js';
import { type LogTail, readSegments } from './reading.js';
import { LogReplay } from './recovery.js';
import type { Sealer } from './sealer.js';
import { BatchBuilder, recordSize, segmentName } from './segment.js';

export interface LogWrite {
  /** The log starts over after this; comes first. */
  reset?: LogPosition | undefined;
  /** Replace everything from the first of them on. */
  entries: readonly Entry[];
  hardState?: HardState | undefined;
}

export interface LogOptions {
  segmentBytes: number;
  /** Of a log that is encrypted. */
  sealer?: Sealer | undefined;
  /** There was a log once: that there is none is damage, too. */
  mustExist?: boolean;
}

/** Every write is waited for until it is on the disk, and nothing else ever is. */
const asLog = { durable: true };

/** Out of room: nothing was lost, and it can be tried again. */
export function isDiskFull(error: unknown): boolean {
  const code = (error as { code?: unknown } | undefined)?.code;
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/**
 * The write-ahead log: segment files that are only ever appended to. One `append` is one durable write, whatever it holds;
 * appends come one at a time. Old segments go when a snapshot has what they hold.
 */
export class WriteAheadLog {
  private file: DiskFile | undefined;
  private number = 0;
  private bytes = 0;
  private batch = 0;
  private maxIndex = 0;
  /** Finished segments, oldest first. */
  private finished: { number: number; maxIndex: number }[] = [];
  private last: LogPosition = { index: 0, term: 0 };
  private hardState: HardState = { term: 0, vote: 0, commit: 0 };
  private broken: unknown;

  private constructor(
    private readonly disk: Disk,
    private readonly options: LogOptions,
  ) {}

  /**
   * Reads what is there and makes it ready for appends. A torn tail is cut off. Throws ShoalError `failed-precondition`, naming file,
   * offset and entry, when something that was durable cannot be read.
   */
  static async open(
    disk: Disk,
    options: LogOptions,
    snapshot: SnapshotMeta | undefined,
  ): Promise<{ wal: WriteAheadLog; recovered: Recovered; isNew: boolean }> {
    const wal = new WriteAheadLog(disk, options);
    const replay = new LogReplay(options.sealer);
    const tail = await readSegments(disk, replay, options.sealer);
    if (options.mustExist === true && replay.segments.length === 0) throw missingLog();
    const isNew = snapshot === undefined && replay.lastIndex === 0 && replay.hardState.term === 0;
    const dropped = replay.join(snapshot);
    // A segment that is started from here on has to begin with them.
    wal.hardState = replay.hardState;
    wal.last = { index: replay.lastIndex, term: replay.entries.at(-1)?.term ?? replay.base.term };
    await wal.resume(replay, tail);
    if (dropped) await wal.append({ reset: replay.base, entries: [] });
    const { hardState, base, entries } = replay;
    return { wal, recovered: { hardState, base, entries, snapshot }, isNew };
  }

  /** Makes ready for appends: to the last segment, cut off where it is torn, or to a new one. */
  private async resume(replay: LogReplay, { size, unfinished }: LogTail): Promise<void> {
    const segment = replay.segments.at(-1);
    if (unfinished !== undefined) {
      await this.disk.remove(unfinished);
      await this.disk.syncDirectory();
    }
    if (segment === undefined) {
      await this.startSegment(1, 0);
      return;
    }
    const file = await this.disk.open(segmentName(segment.number), asLog);
    this.finished = replay.segments.slice(0, -1).map(({ number, maxIndex }) => ({ number, maxIndex }));
    this.file = file;
    this.number = segment.number;
    this.bytes = segment.bytes;
    this.batch = segment.lastBatch;
    this.maxIndex = segment.maxIndex;
    if (size > segment.bytes) await file.truncate(segment.bytes);
    // What was read was not necessarily durable yet; from now on it counts.
    await file.sync();
  }

  /**
   * Resolves when all of it is durable. When the disk is full it throws that error and leaves the log as it was, to be tried again;
   * any other failure is final, since what a failed sync left on disk is not known.
   */
  async append(write: LogWrite): Promise<void> {
    if (this.broken !== undefined) throw this.broken;
    try {
      if (this.bytes >= this.options.segmentBytes) await this.startSegment(this.number + 1, this.bytes);
      await this.writeBatch(write);
    } catch (error) {
      if (!isDiskFull(error)) this.broken = error;
      throw error;
    }
  }

  private async writeBatch(write: LogWrite): Promise<void> {
    const file = this.file as DiskFile;
    this.batch++;
    const place = { fileNumber: this.number, synced: this.bytes, batch: this.batch };
    const capacity = write.entries.reduce((sum, entry) => sum + recordSize(entry), 256);
    const builder = new BatchBuilder(place, this.bytes, this.options.sealer, capacity);
    if (write.reset !== undefined) builder.reset(write.reset);
    for (const entry of write.entries) builder.entry(entry);
    if (write.hardState !== undefined) builder.hardState(write.hardState);
    const data = builder.finish();
    await file.write(this.bytes, data);
    this.bytes += data.length;
    const last = write.entries.at(-1);
    this.maxIndex = Math.max(this.maxIndex, write.reset?.index ?? 0, last?.index ?? 0);
    this.last = last ?? write.reset ?? this.last;
    this.hardState = write.hardState ?? this.hardState;
  }

  private async startSegment(number: number, previousBytes: number): Promise<void> {
    const { disk } = this;
    const name = segmentName(number);
    // One that could not be finished because the disk was full is started over.
    if ((await disk.list()).includes(name)) await disk.remove(name);
    const file = await disk.open(name, { ...asLog, create: true });
    const place = { fileNumber: number, synced: 0, batch: 0 };
    const head = { number, previous: this.last, hardState: this.hardState, previousBytes };
    const data = new BatchBuilder(place, 0, this.options.sealer).head(head).finish();
    try {
      await file.write(0, data);
      await disk.syncDirectory();
    } catch (error) {
      await file.close();
      throw error;
    }
    if (this.file !== undefined) {
      this.finished.push({ number: this.number, maxIndex: this.maxIndex });
      await this.file.close();
    }
    this.file = file;
    this.number = number;
    this.bytes = data.length;
    this.batch = 0;
    this.maxIndex = 0;
  }

  /** Removes the segments that hold nothing after `index`. */
  async compact(index: number): Promise<void> {
    while (this.finished.length > 0 && (this.finished[0] as { maxIndex: number }).maxIndex <= index) {
      await this.disk.remove(segmentName((this.finished[0] as { number: number }).number));
      // One at a time: a gap between segments would look like damage.
      await this.disk.syncDirectory();
      this.finished.shift();
    }
  }

  async close(): Promise<void> {
    await this.file?.close();
    this.file = undefined;
    this.broken ??= new ShoalError('unavailable', 'the raft log is closed');
  }
}
