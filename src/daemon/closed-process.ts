import { writeFileSync } from 'node:fs';
import type { Logger } from 'winston';
import { messageOf } from '../model/errors.js';

/**
 * Keeps others out of this process, which has keys and the secrets of tasks in its memory. Of core dumps the kernel leaves the memory out,
 * whoever allows or asks for them (core(5), coredump_filter; children inherit it). SIGUSR1, at which dockerd writes down what it is doing
 * and Node opens a debugger to every user of the machine, does nothing.
 */
export function closeProcess(log: Logger): void {
  try {
    writeFileSync('/proc/self/coredump_filter', '0');
  } catch (error) {
    log.warn('a core dump of this process would have its secrets in it', { reason: messageOf(error) });
  }
  process.on('SIGUSR1', () => log.info('SIGUSR1 does nothing here'));
}
