import { constants, fdatasync, ftruncate, read, write } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Disk, DiskFile } from './disk.js';

const { O_CREAT, O_DSYNC, O_EXCL, O_RDWR } = constants;

// Plain calls on the descriptor: FileHandle's own cost several times as much, and the log waits for each of them.
const writeAt = promisify(write) as (
  descriptor: number,
  data: Uint8Array,
  offset: number,
  length: number,
  position: number,
) => Promise<{ bytesWritten: number }>;
const readAt = promisify(read) as (
  descriptor: number,
  data: Uint8Array,
  offset: number,
  length: number,
  position: number,
) => Promise<{ bytesRead: number }>;
const syncData = promisify(fdatasync);
const truncateTo = promisify(ftruncate);

class NodeDiskFile implements DiskFile {
  constructor(private readonly handle: FileHandle) {}

  async size(): Promise<number> {
    return (await this.handle.stat()).size;
  }

  async read(position: number, length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(length);
    let done = 0;
    while (done < length) {
      const { bytesRead } = await readAt(this.handle.fd, buffer, done, length - done, position + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return buffer.subarray(0, done);
  }

  async write(position: number, data: Uint8Array): Promise<void> {
    let done = 0;
    while (done < data.length) {
      const { bytesWritten } = await writeAt(this.handle.fd, data, done, data.length - done, position + done);
      done += bytesWritten;
    }
  }

  truncate(size: number): Promise<void> {
    return truncateTo(this.handle.fd, size);
  }

  sync(): Promise<void> {
    return syncData(this.handle.fd);
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}

async function filesOf(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
}

/** The directory `path` as a Disk that nothing can be changed on. */
export function readOnlyDisk(path: string): Disk {
  const refuse = () => Promise.reject(new Error(`${path} is only read`));
  return {
    list: () => filesOf(path),
    open: async (name) => new NodeDiskFile(await open(join(path, name), 'r')),
    rename: refuse,
    remove: refuse,
    syncDirectory: refuse,
  };
}

/** The directory `path` as a Disk; it is made when it is not there. Files are for the owner only. */
export async function nodeDisk(path: string): Promise<Disk> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  return {
    list: () => filesOf(path),
    async open(name, { create = false, durable = false } = {}) {
      const flags = O_RDWR | (create ? O_CREAT | O_EXCL : 0) | (durable ? O_DSYNC : 0);
      return new NodeDiskFile(await open(join(path, name), flags, 0o600));
    },
    rename: (from, to) => rename(join(path, from), join(path, to)),
    remove: (name) => unlink(join(path, name)),
    async syncDirectory() {
      const directory = await open(path, 'r');
      try {
        await directory.sync();
      } finally {
        await directory.close();
      }
    },
  };
}
