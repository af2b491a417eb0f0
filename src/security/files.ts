import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { messageOf, ShoalError } from '../model/errors.js';

/** What helps when a file that only this node had is damaged or gone. */
export const lostFileAdvice =
  'Put it back from a copy, or give this node\'s place up ("docker swarm leave --force" here, "docker node rm --force" on a manager) and join again.';

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Replaces a file whole or not at all, on disk when it resolves: a power cut leaves the old one or the new one. Throws `internal` naming the
 * file when the disk refuses.
 */
export async function replaceFile(path: string, content: string | Uint8Array, mode: number): Promise<void> {
  try {
    await replace(path, content, mode);
  } catch (error) {
    throw new ShoalError('internal', `${path}: cannot be written: ${messageOf(error)}`, { cause: error });
  }
}

async function replace(path: string, content: string | Uint8Array, mode: number): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.new`;
  await rm(draft, { force: true });
  try {
    const handle = await open(draft, 'wx', mode);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  await syncDirectory(dirname(path));
}
