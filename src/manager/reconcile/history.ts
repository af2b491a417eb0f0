import type { Task } from '../../model/types.js';
import type { ServicePass } from './pass.js';
import type { Slot } from './slots.js';

/**
 * Removes what nobody looks at any more: tasks past the history limit of their slot, the oldest first. `keep` says which are
 * still needed as evidence.
 */
export function trimHistory(pass: ServicePass, slot: Slot, keep: (task: Task) => boolean): void {
  let surplus = slot.live.length + slot.leaving.length + slot.ended.length - pass.historyLimit;
  if (surplus <= 0) return; // as of nearly all slots
  const { newest } = slot;
  for (const task of slot.ended) {
    if (surplus <= 0) return;
    // A slot that is done is known by its last task.
    if ((slot.live.length === 0 && task === newest) || keep(task)) continue;
    pass.draft.remove(task);
    surplus--;
  }
}

/** Takes a slot that is no longer needed apart: what may still run stops, the rest is removed. */
export function dissolveSlot(pass: ServicePass, slot: Slot): void {
  for (const task of [...slot.live]) pass.stop(slot, task, 'remove');
  for (const task of slot.leaving) pass.draft.stop(task, 'remove');
  for (const task of slot.ended) pass.draft.remove(task);
  pass.slots.delete(slot.key);
}
