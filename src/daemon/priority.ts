import { readFileSync, writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import type { Logger } from 'winston';
import { messageOf } from '../model/errors.js';

const niceness = -10; // about nine times the share of an ordinary process (sched(7))

/**
 * Containers may take all the processor time there is; heartbeats and elections should not wait for them. Only root may ask for this.
 * Without it the daemon runs all the same: it is slower under load, but takes nobody for dead because of that (AttendedClock).
 */
export function comeFirst(log: Logger): void {
  try {
    setPriority(niceness);
    if (leadsSession(readFileSync('/proc/self/stat', 'utf8'))) raiseSession(log);
  } catch (error) {
    log.info('the daemon runs at ordinary priority', { reason: messageOf(error) });
  }
}

/**
 * With autogroups (sched(7); the default of most distributions) a nice value counts only among the processes of one session, and each
 * session gets the share of one process. Only a session of our own is raised: not the shell that the daemon was started from.
 */
function raiseSession(log: Logger): void {
  try {
    writeFileSync('/proc/self/autogroup', String(niceness));
  } catch (error) {
    log.debug('no autogroup to raise', { reason: messageOf(error) }); // a kernel without them, or one that is asked too often
  }
}

/** Whether the process of this /proc/[pid]/stat is the leader of its session (proc(5): the name, in brackets, may contain anything). */
export function leadsSession(stat: string): boolean {
  const pid = stat.slice(0, stat.indexOf(' '));
  const session = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3];
  return pid !== '' && pid === session;
}
