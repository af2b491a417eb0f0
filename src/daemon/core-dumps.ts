import { writeFileSync } from 'node:fs';
import type { Logger } from 'winston';
import { messageOf } from '../model/errors.js';

/**
 * Keeps this process's memory, with its keys and the secrets of tasks in it, out of core dumps, whoever allows or asks for them: of its memory
 * the kernel writes nothing then (core(5), coredump_filter), of its threads where they were. Children inherit it.
 */
export function keepMemoryOutOfCoreDumps(log: Logger): void {
  try {
    writeFileSync('/proc/self/coredump_filter', '0');
  } catch (error) {
    log.warn('a core dump of this process would have its secrets in it', { reason: messageOf(error) });
  }
}
