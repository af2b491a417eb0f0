import type { ServicePass } from './pass.js';
import { stopGraceOf, timeOf } from './policy.js';
import { isEnded, type Slot } from './slots.js';

/**
 * Past its stop grace, a task that will not end holds up its successor for no longer than this: Docker's figure
 * (swarmkit restart.go defaultOldTaskTimeout).
 */
const patience_ms = 60_000;

/** Lets tasks that are held back start: when their restart delay is over, and nothing of the slot still has to stop. */
export function promoteSlot(pass: ServicePass, slot: Slot): void {
  for (const task of slot.live) {
    if (task.DesiredState !== 'ready' || pass.isBorn(task) || isEnded(task)) continue;
    const startAfter = timeOf(task.StartAfter) ?? Number.NEGATIVE_INFINITY;
    if (startAfter > pass.pass.now) {
      pass.wake(startAfter);
      continue;
    }
    if (slot.leaving.length > 0) {
      const slowest_ms = Math.max(...slot.leaving.map((leaving) => stopGraceOf(leaving.Spec)));
      const until = (timeOf(task.CreatedAt) ?? 0) + slowest_ms + patience_ms;
      if (until > pass.pass.now) {
        pass.wake(until);
        continue;
      }
    }
    pass.draft.change(task, { DesiredState: pass.goal });
  }
}
