import { messageOf } from '../../model/errors.js';
import type { LogPosition } from '../core/log.js';
import type { HardState, Membership, SnapshotMeta } from '../core/types.js';
import { WireError } from '../wire/bytes.js';
import { decodeEntry } from '../wire/entry.js';
import { decodeMembership } from '../wire/membership.js';
import { DamageError, missingLog } from './damage.js';
import type { Disk } from './disk.js';
import { readSegments } from './reading.js';
import { readRecord, recordTypes } from './record.js';
import { LogReplay, type SeenRecord } from './recovery.js';
import type { Sealer } from './sealer.js';
import { decodeHead, segmentName, segmentNumber } from './segment.js';
import { checkSnapshot, parseSnapshotName, snapshotName } from './snapshot-file.js';
import { asSnapshot } from './storage.js';

/** What was found of one file. */
export interface FileFinding {
  name: string;
  bytes: number;
  /** Records that can be read. */
  records: number;
  /** Of its entries; 0 when it has none. */
  firstIndex: number;
  lastIndex: number;
  /** `ok`, or what is the matter with it, in a few words. */
  state: string;
}

/** What a start of the member would find, and whether it would take it. */
export interface Inspection {
  files: FileFinding[];
  hardState: HardState;
  /** The entry before the first one that the log has. */
  base: LogPosition;
  last: LogPosition;
  membership: Membership;
  snapshot: SnapshotMeta | undefined;
  /** Why a member would not start from it; undefined: it would. */
  damage: string | undefined;
}

/** Reads all that a member keeps on disk, as a start would, and changes nothing. `seen` gets every record of the log that can be read. */
export async function inspectLog(
  disk: Disk,
  options: { sealer?: Sealer | undefined; seen?: (record: SeenRecord) => void } = {},
): Promise<Inspection> {
  const findings = new Findings(disk, options.sealer);
  await findings.lookAtSnapshots();
  const replay = new LogReplay(options.sealer, (record) => {
    findings.count(record);
    options.seen?.(record);
  });
  await findings.lookAtSegments(replay);
  const snapshot = findings.newest;
  const told = replay.entries.findLast(({ type }) => type === 'membership');
  return {
    files: findings.inOrder,
    hardState: replay.hardState,
    base: replay.base,
    last: { index: replay.lastIndex, term: replay.entries.at(-1)?.term ?? replay.base.term },
    membership:
      told === undefined ? (snapshot?.membership ?? { voters: [], learners: [] }) : decodeMembership(told.data),
    snapshot,
    damage: findings.damage,
  };
}

/** Whether the first record that can be read is not what an unencrypted log begins with. */
export async function isSealed(disk: Disk): Promise<boolean> {
  const name = (await disk.list()).filter((each) => segmentNumber(each) !== undefined).sort()[0];
  if (name === undefined) return false;
  const number = segmentNumber(name) as number;
  const file = await disk.open(name);
  try {
    const first = readRecord(await file.read(0, 1024), 0, number);
    return first !== undefined && decodeHead(first.payload).number !== number;
  } catch (error) {
    if (error instanceof WireError) return true;
    throw error;
  } finally {
    await file.close();
  }
}

class Findings {
  private readonly files = new Map<string, FileFinding>();
  /** The snapshot that a start would take, if it can be read. */
  newest: SnapshotMeta | undefined;
  damage: string | undefined;

  constructor(
    private readonly disk: Disk,
    private readonly sealer: Sealer | undefined,
  ) {}

  get inOrder(): FileFinding[] {
    return [...this.files.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
  }

  private async found(name: string, state: string): Promise<FileFinding> {
    const file = await this.disk.open(name);
    try {
      const bytes = await file.size();
      const finding = { name, bytes, records: 0, firstIndex: 0, lastIndex: 0, state };
      this.files.set(name, finding);
      return finding;
    } finally {
      await file.close();
    }
  }

  /** What was thrown as `name` was read; the first of them is what keeps the member from starting. */
  private blame(error: unknown, name: string): void {
    const damage = error instanceof DamageError ? error : undefined;
    const finding = this.files.get(damage?.file ?? name);
    if (finding !== undefined) {
      finding.state = damage === undefined ? messageOf(error) : `damaged at offset ${damage.offset}`;
    }
    this.damage ??= messageOf(error);
  }

  async lookAtSnapshots(): Promise<void> {
    const names = (await this.disk.list()).filter((name) => parseSnapshotName(name) !== undefined).sort();
    for (const name of names) {
      const { index, term } = parseSnapshotName(name) as { index: number; term: number };
      const isNewest = name === names.at(-1);
      const finding = await this.found(name, isNewest ? 'ok' : 'left over: a newer one counts');
      finding.lastIndex = index;
      if (!isNewest) continue;
      try {
        const file = asSnapshot(await this.disk.open(name), this.sealer);
        try {
          this.newest = await checkSnapshot(file, snapshotName(index, term), index, () => finding.records++);
        } finally {
          await file.close();
        }
      } catch (error) {
        this.blame(error, name);
      }
    }
  }

  count({ file, type, payload }: SeenRecord): void {
    const finding = this.files.get(file);
    if (finding === undefined) return;
    finding.records++;
    finding.state = 'ok';
    if (type !== recordTypes.entry) return;
    const { index } = decodeEntry(payload);
    finding.firstIndex ||= index;
    finding.lastIndex = Math.max(finding.lastIndex, index);
  }

  async lookAtSegments(replay: LogReplay): Promise<void> {
    const names = (await this.disk.list()).filter((name) => segmentNumber(name) !== undefined).sort();
    for (const name of names) await this.found(name, 'not read');
    try {
      const { unfinished } = await readSegments(this.disk, replay, this.sealer);
      const last = replay.segments.at(-1);
      if (last === undefined) throw missingLog();
      const finding = this.files.get(segmentName(last.number)) as FileFinding;
      if (last.bytes < finding.bytes) {
        finding.state = `torn at offset ${last.bytes}: a write that was cut off, harmless`;
      }
      if (unfinished !== undefined) (this.files.get(unfinished) as FileFinding).state = 'never finished, harmless';
      // Without the snapshot, whether the two fit together cannot be told.
      if (this.damage === undefined) replay.join(this.newest);
    } catch (error) {
      this.blame(error, '');
    }
  }
}
