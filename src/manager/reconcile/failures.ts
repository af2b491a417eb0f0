import type { Task, TaskFailure } from '../../model/types.js';
import { failuresUntilAvoided } from '../../scheduler/group.js';
import { timeOf } from './policy.js';

/** Failures longer ago than this no longer speak against a node (swarmkit nodeinfo.go monitorFailures). */
const memory_ms = 5 * 60_000;
/** Kept of each slot at most: enough for four nodes to be avoided at once. Every task carries them, in the store and in the log. */
const kept_max = 4 * failuresUntilAvoided;

/**
 * What failed lately in a task's slot, of the spec as of `specVersion`: those before it, and the task itself if it did. The oldest come
 * first; more of one node than it takes to avoid it tell nothing.
 */
export function failuresUpTo(task: Task, specVersion: number, now: number): TaskFailure[] {
  if (task.SpecVersion !== specVersion) return [];
  const all = [...task.Failures];
  const state = task.Status?.State;
  const at = task.Status?.AppliedAt || task.Status?.Timestamp;
  if ((state === 'failed' || state === 'rejected') && at) all.push({ NodeID: task.NodeID, At: at });
  if (all.length === 0) return all; // as of nearly all slots
  const counts = new Map<string, number>();
  const kept: TaskFailure[] = [];
  for (const failure of all.reverse()) {
    const count = counts.get(failure.NodeID) ?? 0;
    const isRecent = now - (timeOf(failure.At) ?? 0) < memory_ms;
    if (!isRecent || count === failuresUntilAvoided || kept.length === kept_max) continue;
    counts.set(failure.NodeID, count + 1);
    kept.push(failure);
  }
  return kept.reverse();
}
