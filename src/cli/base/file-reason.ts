const words: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EISDIR: 'is a directory',
  EACCES: 'permission denied',
  ENOTDIR: 'not a directory',
};

/** Why a file could not be read, as Docker's command line says it: `open /x: no such file or directory`. */
export function fileReason(path: string, thrown: unknown): string {
  const { code = 'failed' } = thrown as NodeJS.ErrnoException;
  return `open ${path}: ${words[code] ?? code}`;
}
