import { existsSync, lstatSync, mkdirSync, rmdirSync, rmSync, statfsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Logger } from 'winston';
import { messageOf } from '../model/errors.js';

// linux/magic.h TMPFS_MAGIC
const tmpfs = 0x01021994;

/**
 * Where secrets and configs of the node's tasks may be: in memory and nowhere else, at the first of `homes` that is a tmpfs where this
 * process may write. Makes the directory. Undefined, with a warning that says why, when the machine offers no such place.
 */
export function memoryDirectory(nodeID: string, homes: readonly string[], log: Logger): string | undefined {
  const reasons: string[] = [];
  for (const home of homes) {
    try {
      const own = join(home, 'shoal');
      const there = existsSync(own) ? own : home; // in a container only our own directory is the machine's
      if (statfsSync(there).type !== tmpfs) throw new Error(`${there}: not a tmpfs`);
      const directory = join(own, nodeID);
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      for (const path of [dirname(directory), directory]) checkOwn(path);
      return directory;
    } catch (error) {
      reasons.push(messageOf(error));
    }
  }
  log.warn('no directory in memory: tasks with secrets or configs are rejected on this node', { reasons });
  return undefined;
}

/** Removes what is left there of the node's tasks, at whichever of `homes` it was. Never throws. */
export function clearMemory(nodeID: string, homes: readonly string[], log: Logger): void {
  for (const home of homes) {
    const directory = join(home, 'shoal', nodeID);
    try {
      for (const path of [dirname(directory), directory]) checkOwn(path);
      rmSync(directory, { recursive: true });
      rmdirSync(dirname(directory));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTEMPTY' || code === 'EBUSY') continue; // nothing there, not ours alone, a mount
      log.warn('secrets and configs of tasks may be left in memory', { directory, reason: messageOf(error) });
    }
  }
}

/** /dev/shm is everybody's: whoever had made the directory there before us, or a link in its place, could take what we put into it. */
function checkOwn(path: string): void {
  const is = lstatSync(path);
  if (!is.isDirectory() || is.uid !== process.geteuid?.()) throw new Error(`${path}: not a directory of this user`);
}

/** The places in memory of a Linux machine, best first: /run is root's, of another user it is $XDG_RUNTIME_DIR. */
export function memoryHomes(env: NodeJS.ProcessEnv): string[] {
  const own = env.XDG_RUNTIME_DIR;
  return ['/run', ...(own?.startsWith('/') ? [own] : []), '/dev/shm'];
}
