import type { Task } from '../../model/types.js';
import { isWanted } from '../../scheduler/fleet.js';
import type { ServicePass } from './pass.js';
import { isBeyond, stopGraceOf, timeOf } from './policy.js';
import { heldBackUntil } from './restart.js';
import { isEnded, isRunning, type Slot } from './slots.js';

/**
 * Past its stop grace, a task that will not end holds up its successor for no longer than this: Docker's figure
 * (swarmkit restart.go defaultOldTaskTimeout).
 */
const patience_ms = 60_000;

/** Lets tasks that are held back start: when their restart delay is over, and nothing of the slot still has to stop. */
export function promoteSlot(pass: ServicePass, slot: Slot): void {
  for (const task of [...slot.live]) {
    if (task.DesiredState !== 'ready' || pass.isBorn(task) || isEnded(task)) continue;
    const startAfter = heldBackUntil(pass, task);
    if (startAfter !== undefined) {
      pass.wake(startAfter);
      continue;
    }
    // What would bring an outdated spec does not push out what serves: the slot's turn in the update that is on now will come.
    if (!pass.freshness.isFresh(task) && slot.live.some((other) => other !== task && isRunning(other))) {
      pass.stop(slot, task);
      continue;
    }
    // A step of an update ends in the order in which it was begun; a restart keeps to the order of now.
    const alone = task.StartAfter !== '' && !pass.update.startFirst;
    if (alone) for (const other of slot.live.filter((one) => one !== task)) pass.stop(slot, other);
    if (slot.leaving.length > 0) {
      const until = Math.max(...slot.leaving.map((leaving) => toldToStop(pass, leaving) + stopGraceOf(leaving.Spec)));
      if (until + patience_ms > pass.pass.now) {
        pass.wake(until + patience_ms);
        continue;
      }
    }
    pass.draft.change(task, { DesiredState: pass.goal });
  }
}

/**
 * When a task that is leaving was told to: now, if this plan does it, else when what it shall be last changed. What a wrong clock wrote of that
 * is written anew: its time begins now, for this leader and the next.
 */
function toldToStop(pass: ServicePass, task: Task): number {
  const { now } = pass.pass;
  if (isWanted(task)) return now;
  const told = timeOf(task.UpdatedAt) ?? 0;
  if (!isBeyond(told, now)) return told;
  pass.draft.change(task, { DesiredState: task.DesiredState });
  return now;
}
