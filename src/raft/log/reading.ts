import { damagedLog } from './damage.js';
import type { Disk, DiskFile } from './disk.js';
import { readRecord } from './record.js';
import { type LogReplay, openedRecord } from './recovery.js';
import type { Sealer } from './sealer.js';
import { decodeHead, segmentName, segmentNumber } from './segment.js';

/** No segment comes near it: they are finished at 16 MiB, and one write more holds what a leader takes at most (64 MiB). */
const maxSegmentBytes = 512 * 1024 * 1024;

export interface LogTail {
  /** Of the last segment that counts, in bytes: valid records, and what is torn behind them. */
  size: number;
  /** The name of a segment that was being created when the power went: nothing in it counts yet. */
  unfinished: string | undefined;
}

/** Brings all segments of a directory to `replay`, oldest first; changes nothing. Throws DamageError when what was durable is damaged. */
export async function readSegments(disk: Disk, replay: LogReplay, sealer: Sealer | undefined): Promise<LogTail> {
  const numbers = (await disk.list())
    .map(segmentNumber)
    .filter((number) => number !== undefined)
    .sort((left, right) => left - right);
  let size = 0;
  for (const [place, number] of numbers.entries()) {
    const next = numbers[place + 1];
    const content = await contentOf(disk, number, replay.lastIndex + 1);
    const counting = next === undefined ? content : await withoutLeftovers(disk, content, next, sealer);
    const segment = replay.add(number, counting, next === undefined);
    if (segment === undefined) return { size, unfinished: segmentName(number) };
    size = content.length;
  }
  return { size, unfinished: undefined };
}

async function reading<T>(disk: Disk, name: string, read: (file: DiskFile) => Promise<T>): Promise<T> {
  const file = await disk.open(name);
  try {
    return await read(file);
  } finally {
    await file.close();
  }
}

function contentOf(disk: Disk, number: number, index: number): Promise<Buffer> {
  const name = segmentName(number);
  return reading(disk, name, async (file) => {
    const size = await file.size();
    if (size <= maxSegmentBytes) return file.read(0, size);
    throw damagedLog(name, maxSegmentBytes, index, `it is ${size} bytes long, no segment is above ${maxSegmentBytes}`);
  });
}

/** Only what was there when the next segment was started counts: beyond it lies at most a write that failed. */
async function withoutLeftovers(
  disk: Disk,
  content: Buffer,
  next: number,
  sealer: Sealer | undefined,
): Promise<Buffer> {
  const first = await reading(disk, segmentName(next), async (file) => readRecord(await file.read(0, 1024), 0, next));
  if (first === undefined) return content;
  try {
    return content.subarray(0, decodeHead(openedRecord(first, next, sealer)).previousBytes);
  } catch {
    // What is the matter with that segment is told when its turn comes.
    return content;
  }
}
