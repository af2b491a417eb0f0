/**
 * One flat directory, as the write-ahead log needs it. What was written is durable only after `sync` of the file; that a
 * name exists (create, rename, remove) only after `syncDirectory`. Failures are errors with Node's `code` (`ENOSPC`…).
 */
export interface Disk {
  /** Names in the directory, in no particular order. */
  list(): Promise<string[]>;
  /**
   * Opens for reading and writing; `create` makes an empty file and fails when the name exists. With `durable` every write is durable
   * when it resolves, at less than a write and a `sync` cost.
   */
  open(name: string, options?: OpenOptions): Promise<DiskFile>;
  rename(from: string, to: string): Promise<void>;
  /** Fails when the name does not exist. Open files of that name stay readable. */
  remove(name: string): Promise<void>;
  syncDirectory(): Promise<void>;
}

export interface OpenOptions {
  create?: boolean;
  durable?: boolean;
}

export interface DiskFile {
  size(): Promise<number>;
  /** Up to `length` bytes from `position`; fewer only at the end of the file. */
  read(position: number, length: number): Promise<Buffer>;
  /** Writes all of `data`, growing the file as needed; a gap reads as zeros. */
  write(position: number, data: Uint8Array): Promise<void>;
  truncate(size: number): Promise<void>;
  /** Resolves when everything written so far is durable (fdatasync). */
  sync(): Promise<void>;
  close(): Promise<void>;
}
