import { ShoalError } from '../../model/errors.js';
import type { Recovered } from '../core/state.js';
import type { SnapshotMeta } from '../core/types.js';
import type { Disk, DiskFile } from './disk.js';
import { SealedFile } from './sealed-file.js';
import type { Sealer } from './sealer.js';
import {
  checkSnapshot,
  parseSnapshotName,
  receivingIndex,
  receivingName,
  snapshotChunks,
  snapshotName,
  writeSnapshot,
} from './snapshot-file.js';
import { type LogOptions, type LogWrite, WriteAheadLog } from './wal.js';

const writingName = 'snapshot-writing.tmp';

/** A snapshot file that comes in from the leader, piece by piece. */
export interface IncomingSnapshot {
  index: number;
  term: number;
  total: number;
  /** How much of it is here. */
  received: number;
  file: DiskFile;
}

const nameOf = ({ index, term, total }: IncomingSnapshot) => receivingName(index, term, total);

/** How much of a file that was not finished can be built upon. */
function whereToGoOn(file: DiskFile): Promise<number> {
  return file instanceof SealedFile ? file.goOn() : file.size();
}

/** The file of a snapshot as its content is read and written. */
export function asSnapshot(file: DiskFile, sealer: Sealer | undefined): DiskFile {
  return sealer === undefined ? file : new SealedFile(file, sealer, 'snapshot');
}

/** All that a member keeps on disk: the write-ahead log, and the snapshots beside it. */
export class RaftStorage {
  private constructor(
    private readonly disk: Disk,
    private readonly wal: WriteAheadLog,
    private readonly sealer: Sealer | undefined,
  ) {}

  /**
   * `isNew`: nothing has ever counted in it. With a `sealer` everything in it is sealed. Throws ShoalError `failed-precondition` when
   * something in it is damaged or missing.
   */
  static async open(
    disk: Disk,
    options: LogOptions,
  ): Promise<{ storage: RaftStorage; recovered: Recovered; isNew: boolean }> {
    const { sealer } = options;
    const names = await disk.list();
    for (const name of names) if (name.endsWith('.tmp') && receivingIndex(name) === undefined) await disk.remove(name);
    let snapshot: SnapshotMeta | undefined;
    const newest = snapshotsAmong(names)[0];
    if (newest !== undefined) {
      const name = snapshotName(newest.index, newest.term);
      const file = asSnapshot(await disk.open(name), sealer);
      try {
        snapshot = await checkSnapshot(file, name, newest.index);
      } finally {
        await file.close();
      }
    }
    const { wal, recovered, isNew } = await WriteAheadLog.open(disk, options, snapshot);
    const storage = new RaftStorage(disk, wal, sealer);
    if (snapshot !== undefined) await storage.dropReceived(snapshot.index);
    return { storage, recovered, isNew };
  }

  /** See WriteAheadLog.append. */
  append(write: LogWrite): Promise<void> {
    return this.wal.append(write);
  }

  /** Writes a snapshot beside the log; it counts from the moment this resolves. What could not be finished leaves nothing behind. */
  async saveSnapshot(meta: SnapshotMeta, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    await this.discard(writingName);
    const file = asSnapshot(await this.disk.open(writingName, { create: true }), this.sealer);
    try {
      await writeSnapshot(file, meta, chunks);
    } catch (error) {
      await file.close();
      await this.discard(writingName);
      throw error;
    }
    await file.close();
    await this.disk.rename(writingName, snapshotName(meta.index, meta.term));
    await this.disk.syncDirectory();
  }

  private async discard(name: string): Promise<void> {
    if ((await this.disk.list()).includes(name)) await this.disk.remove(name);
  }

  /** Goes on with what is there of this very snapshot, from before a restart; drops what is there of any other. */
  async receiveSnapshot(index: number, term: number, total: number): Promise<IncomingSnapshot> {
    const name = receivingName(index, term, total);
    const names = await this.disk.list();
    for (const other of names) if (receivingIndex(other) !== undefined && other !== name) await this.disk.remove(other);
    const file = asSnapshot(await this.disk.open(name, { create: !names.includes(name) }), this.sealer);
    const incoming = { index, term, total, received: await whereToGoOn(file), file };
    if (incoming.received <= total) return incoming;
    await this.dropIncoming(incoming);
    return this.receiveSnapshot(index, term, total);
  }

  async writeIncoming(incoming: IncomingSnapshot, data: Uint8Array): Promise<void> {
    await incoming.file.write(incoming.received, data);
    incoming.received += data.length;
  }

  /** Checks what was received and makes it durable. Throws ShoalError when it is not a whole snapshot. */
  async finishIncoming(incoming: IncomingSnapshot): Promise<SnapshotMeta> {
    await incoming.file.sync();
    const meta = await checkSnapshot(incoming.file, nameOf(incoming), incoming.index);
    if (meta.term !== incoming.term) {
      throw new ShoalError('internal', `a snapshot of term ${incoming.term} came with term ${meta.term} in it`);
    }
    return meta;
  }

  async dropIncoming(incoming: IncomingSnapshot): Promise<void> {
    await incoming.file.close();
    await this.discard(nameOf(incoming));
  }

  /**
   * Puts a received snapshot in its place; to be followed by an `append` that resets the log. Interrupted anywhere, the next start
   * finds the old state or the new one.
   */
  async placeIncoming(incoming: IncomingSnapshot): Promise<void> {
    await this.disk.rename(nameOf(incoming), snapshotName(incoming.index, incoming.term));
    await this.disk.syncDirectory();
    await incoming.file.close();
  }

  /** The state machine's chunks of the snapshot. */
  chunks(meta: SnapshotMeta): AsyncIterable<Uint8Array> {
    return snapshotChunks(() => this.openSnapshot(meta), meta);
  }

  /** The snapshot's file, to be sent as it was before it was sealed. The caller closes it; it stays readable when it is replaced meanwhile. */
  async openSnapshot(meta: SnapshotMeta): Promise<DiskFile> {
    return asSnapshot(await this.disk.open(snapshotName(meta.index, meta.term)), this.sealer);
  }

  /**
   * Drops what `snapshot` has made unnecessary: older snapshots, but for the `keepOld` newest of them, and log segments with nothing after
   * `compactTo` or after the oldest snapshot that is kept: a member could start from that too, if those after it were taken away.
   */
  async compact(snapshot: SnapshotMeta, compactTo: number, keepOld = 0): Promise<void> {
    const names = await this.disk.list();
    const kept = snapshotsAmong(names)
      .filter(({ index }) => index < snapshot.index)
      .slice(0, keepOld);
    const keptNames = new Set(kept.map(({ index, term }) => snapshotName(index, term)));
    for (const name of names) {
      const index = parseSnapshotName(name)?.index ?? receivingIndex(name);
      if (index === undefined || keptNames.has(name)) continue;
      if (parseSnapshotName(name) === undefined ? index <= snapshot.index : index < snapshot.index)
        await this.disk.remove(name);
    }
    const oldest = kept.at(-1)?.index ?? compactTo;
    await this.wal.compact(Math.min(compactTo, oldest));
  }

  /** Drops snapshots that were coming in and are not newer than one that is there. */
  private async dropReceived(newest: number): Promise<void> {
    for (const name of await this.disk.list()) {
      if ((receivingIndex(name) ?? newest + 1) <= newest) await this.disk.remove(name);
    }
  }

  close(): Promise<void> {
    return this.wal.close();
  }
}

/** The snapshots among the files of a directory, newest first. */
function snapshotsAmong(names: readonly string[]) {
  return names
    .map(parseSnapshotName)
    .filter((parsed) => parsed !== undefined)
    .sort((left, right) => right.index - left.index || right.term - left.term);
}
