import type { Random } from '../../src/model/random.js';
import type { Disk, DiskFile } from '../../src/raft/log/disk.js';

type FileOperation = { position: number; data: Buffer } | { truncate: number };
type DirectoryOperation = { set: string; inode: Inode } | { remove: string };

/** Bytes that grow at the end without being copied each time. */
class Content {
  private buffer: Buffer = Buffer.alloc(0);
  length = 0;

  get bytes(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  set(bytes: Uint8Array): void {
    this.buffer = Buffer.from(bytes);
    this.length = bytes.length;
  }

  apply(operation: FileOperation): void {
    if ('truncate' in operation) {
      this.resize(operation.truncate);
      return;
    }
    const { position, data } = operation;
    if (position > this.length) this.resize(position);
    this.reserve(position + data.length);
    this.buffer.set(data, position);
    this.length = Math.max(this.length, position + data.length);
  }

  private reserve(length: number): void {
    if (length <= this.buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(length, 2 * this.buffer.length, 512));
    this.buffer.copy(grown, 0, 0, this.length);
    this.buffer = grown;
  }

  private resize(length: number): void {
    this.reserve(length);
    if (length > this.length) this.buffer.fill(0, this.length, length);
    this.length = length;
  }
}

/** A file's bytes as programs see them, and as a power cut would leave them. */
class Inode {
  readonly live = new Content();
  readonly durable = new Content();
  pending: FileOperation[] = [];

  apply(operation: FileOperation): void {
    this.live.apply(operation);
    this.pending.push(operation);
  }

  /** Makes the first `count` pending operations durable. */
  settle(count: number): void {
    for (const operation of this.pending.splice(0, count)) this.durable.apply(operation);
  }
}

function errorOf(code: string, what: string): Error {
  return Object.assign(new Error(`${code}: ${what}`), { code });
}

export interface DiskFaults {
  /** Bytes that files may take together. */
  capacity: number;
  /** Waits as long as an operation takes. */
  delay(): Promise<void>;
}

const sectorBytes = 512;
/** One of its own for whoever waits: a single one would remember them all. */
const never = () => new Promise<never>(() => {});

/**
 * A disk in memory that keeps only what was synced. A power cut (`crash`) keeps an arbitrary part of the rest: of unsynced writes any
 * sectors in any order, of unsynced names a prefix.
 */
export class SimulatedDisk {
  private names = new Map<string, Inode>();
  private durableNames = new Map<string, Inode>();
  private pendingNames: DirectoryOperation[] = [];
  private mounted = 0;
  readonly faults: DiskFaults = { capacity: Number.POSITIVE_INFINITY, delay: async () => {} };
  syncs = 0;

  /** The disk as the next process sees it. Those that had it before hang from now on. */
  mount(): Disk {
    const epoch = ++this.mounted;
    const alive = async () => {
      await this.faults.delay();
      if (this.mounted !== epoch) await never();
    };
    const find = (name: string): Inode => {
      const inode = this.names.get(name);
      if (inode === undefined) throw errorOf('ENOENT', name);
      return inode;
    };
    return {
      list: async () => {
        await alive();
        return [...this.names.keys()];
      },
      open: async (name, options) => {
        await alive();
        const durable = options?.durable === true;
        if (options?.create !== true) return this.file(find(name), alive, durable);
        if (this.names.has(name)) throw errorOf('EEXIST', name);
        if (this.used() >= this.faults.capacity) throw errorOf('ENOSPC', name);
        const inode = new Inode();
        this.change({ set: name, inode });
        return this.file(inode, alive, durable);
      },
      rename: async (from, to) => {
        await alive();
        const inode = find(from);
        this.change({ set: to, inode });
        this.change({ remove: from });
      },
      remove: async (name) => {
        await alive();
        find(name);
        this.change({ remove: name });
      },
      syncDirectory: async () => {
        const count = this.pendingNames.length;
        await alive();
        for (const operation of this.pendingNames.splice(0, count)) change(this.durableNames, operation);
      },
    };
  }

  private change(operation: DirectoryOperation): void {
    change(this.names, operation);
    this.pendingNames.push(operation);
  }

  private file(inode: Inode, alive: () => Promise<void>, durable: boolean): DiskFile {
    const sync = async () => {
      const count = inode.pending.length;
      this.syncs++;
      await alive();
      inode.settle(Math.min(count, inode.pending.length));
    };
    return {
      size: async () => {
        await alive();
        return inode.live.length;
      },
      read: async (position, length) => {
        await alive();
        return Buffer.from(inode.live.bytes.subarray(position, position + length));
      },
      write: async (position, data) => {
        const copy = Buffer.from(data);
        await alive();
        const growth = Math.max(0, position + copy.length - inode.live.length);
        const room = this.faults.capacity - this.used();
        if (growth > room) {
          // As much as fits is there all the same.
          const fits = copy.length - growth + Math.max(0, room);
          if (fits > 0) inode.apply({ position, data: copy.subarray(0, fits) });
          throw errorOf('ENOSPC', 'no space left on device');
        }
        inode.apply({ position, data: copy });
        if (durable) await sync();
      },
      truncate: async (size) => {
        await alive();
        inode.apply({ truncate: size });
      },
      sync,
      close: alive,
    };
  }

  private used(): number {
    let bytes = 0;
    for (const inode of this.names.values()) bytes += inode.live.length;
    return bytes;
  }

  /** The process that has it mounted is gone, the machine is not: what was written is there. */
  abandon(): void {
    this.mounted++;
  }

  /** The power goes, and comes back. */
  crash(random: Random): void {
    this.mounted++;
    const kept = random.below(this.pendingNames.length + 1);
    for (const operation of this.pendingNames.slice(0, kept)) change(this.durableNames, operation);
    this.pendingNames = [];
    this.names = new Map(this.durableNames);
    for (const inode of new Set(this.names.values())) {
      for (const operation of inode.pending.splice(0)) {
        for (const part of torn(operation, random)) inode.durable.apply(part);
      }
      inode.live.set(inode.durable.bytes);
    }
  }

  /** The bytes of a file as they are, to be looked at or spoilt. */
  content(name: string): Buffer {
    const inode = this.names.get(name);
    if (inode === undefined) throw errorOf('ENOENT', name);
    return inode.live.bytes;
  }

  /** Puts a file on the disk, durable. */
  put(name: string, content: Uint8Array): void {
    const inode = new Inode();
    inode.live.set(content);
    inode.durable.set(content);
    this.names.set(name, inode);
    this.durableNames.set(name, inode);
  }

  fileNames(): string[] {
    return [...this.names.keys()].sort();
  }
}

function change(names: Map<string, Inode>, operation: DirectoryOperation): void {
  if ('set' in operation) names.set(operation.set, operation.inode);
  else names.delete(operation.remove);
}

/** What a power cut leaves of a write: nothing, all, a prefix, or some of its sectors. */
function torn(operation: FileOperation, random: Random): FileOperation[] {
  const how = random.below(4);
  if (how === 0) return [];
  if (how === 1 || 'truncate' in operation) return [operation];
  const { position, data } = operation;
  if (how === 2) return [{ position, data: data.subarray(0, random.below(data.length + 1)) }];
  const parts: FileOperation[] = [];
  for (let at = 0; at < data.length; ) {
    const end = Math.min(data.length, at + sectorBytes - ((position + at) % sectorBytes));
    if (random.below(2) === 0) parts.push({ position: position + at, data: data.subarray(at, end) });
    at = end;
  }
  return parts;
}
