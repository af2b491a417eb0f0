/**
 * Encrypts what the log keeps on disk. A pure codec: it knows keys, and nothing of files. What was sealed for one `place` must open
 * there only, so that records cannot be moved about; one sealed under an older key must open for as long as any is on the disk.
 */
export interface Sealer {
  /** By how many bytes sealed data is longer: always the same. */
  readonly overheadBytes: number;
  seal(plain: Uint8Array, place: string): Buffer;
  /** Throws when it was not sealed for this place, or under no key that is known, or was changed since. */
  open(sealed: Uint8Array, place: string): Buffer;
}

/** Where a record of the log stands: the same bytes open nowhere else. */
export function recordPlace(fileNumber: number, offset: number, type: number): string {
  return `wal ${fileNumber} ${offset} ${type}`;
}
