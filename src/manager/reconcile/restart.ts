import type { Task } from '../../model/types.js';
import type { ServicePass } from './pass.js';
import { isBeyond, timeOf } from './policy.js';
import { isEnded, isRunning, type Slot } from './slots.js';

/** Waits between tries of a task that never got to run, such as one whose image is not there: doubles up to this. */
const backOff_ms_max = 30_000;
const backOff_ms_first = 1000;

/**
 * Deals with every live task of the slot that has ended, or is where it may not be: takes it out of service and, where the
 * restart policy says so, has a successor made.
 */
export function tendSlot(pass: ServicePass, slot: Slot): void {
  for (const task of [...slot.live]) {
    if (pass.isBorn(task)) continue;
    if (isEnded(task)) replaceEnded(pass, slot, task);
    else if (mustMove(pass, task)) move(pass, slot, task);
  }
}

/** When the restart delay of a task is over; undefined when it is. No delay is longer than this one could be, whatever a clock said. */
export function heldBackUntil(pass: ServicePass, task: Task): number | undefined {
  const startAfter = timeOf(task.StartAfter);
  const longest_ms = Math.max(pass.restart.delay_ms, backOff_ms_max);
  if (startAfter === undefined || startAfter <= pass.pass.now) return undefined;
  return isBeyond(startAfter, pass.pass.now + longest_ms) ? undefined : startAfter;
}

/** Whether a task that is no longer wanted leaves its slot to be filled again. If not, the slot counts as done. */
export function shouldRestart(pass: ServicePass, slot: Slot, task: Task): boolean {
  const { condition, maxAttempts } = pass.restart;
  const state = task.Status?.State ?? '';
  if (condition === 'none') return false;
  if (state === 'complete' && (condition === 'on-failure' || pass.iteration !== undefined)) return false;
  // Only what ended by itself used up an attempt, not what was stopped or lost with its node.
  const endedItself = state === 'complete' || state === 'failed' || state === 'rejected';
  return maxAttempts === 0 || !endedItself || attempts(pass, slot, task) < maxAttempts;
}

/** Restarts before `task` ended, of its own spec and within the window: counted back from the end, so the answer never changes. */
function attempts(pass: ServicePass, slot: Slot, task: Task): number {
  const endedAt = timeOf(task.Status?.AppliedAt) ?? timeOf(task.Status?.Timestamp) ?? pass.pass.now;
  const since = pass.restart.window_ms === 0 ? Number.NEGATIVE_INFINITY : endedAt - pass.restart.window_ms;
  let count = 0;
  for (const other of slot.tasks()) {
    if (other.StartAfter === '' || other.SpecVersion !== task.SpecVersion) continue;
    const madeAt = timeOf(other.CreatedAt) ?? Number.NEGATIVE_INFINITY;
    if (madeAt >= since && madeAt <= endedAt) count++;
  }
  return count;
}

function replaceEnded(pass: ServicePass, slot: Slot, task: Task): void {
  const startAfter = task.DesiredState === 'ready' ? heldBackUntil(pass, task) : undefined;
  if (startAfter !== undefined) {
    // It ended while it waited for its turn: its successor gets the next turn, or a missing image would spin.
    pass.wake(startAfter);
    return;
  }
  pass.stop(slot, task);
  if (hasSuccessor(pass, slot, task) || !shouldRestart(pass, slot, task)) return;
  if (!pass.freshness.isFresh(task)) {
    if (isServed(pass, slot)) return;
    pass.bear(slot, { replaces: task }); // what comes is not what failed: nothing to wait for
    return;
  }
  pass.bear(slot, { replaces: task, startAfter: pass.pass.now + Math.max(pass.restart.delay_ms, backOff(slot, task)) });
}

/** 1 s after the first try that never got to run, 2 s after the second in a row, and so on. */
function backOff(slot: Slot, task: Task): number {
  if (task.Status?.State !== 'rejected') return 0;
  let rejections = 0;
  for (const other of slot.ended.toReversed()) {
    if (other.Status?.State !== 'rejected' || other.SpecVersion !== task.SpecVersion) break;
    rejections++;
  }
  return Math.min(backOff_ms_first * 2 ** Math.max(0, rejections - 1), backOff_ms_max);
}

function mustMove(pass: ServicePass, task: Task): boolean {
  return pass.pass.nodes.standing(task.NodeID) !== 'fine' || !pass.freshness.mayStay(task);
}

function move(pass: ServicePass, slot: Slot, task: Task): void {
  const { nodes } = pass.pass;
  const lost = !nodes.reachable(task.NodeID);
  const replaceable = pass.restart.condition !== 'none' && !pass.global;
  if (!lost && replaceable && pass.update.startFirst && isRunning(task) && pass.freshness.mayStay(task)) {
    // What runs on a node to be emptied keeps running until its successor does, or a better one is in the slot. Where constraints
    // forbid it, it stops at once, as with Docker.
    if (!hasSuccessor(pass, slot, task)) pass.bear(slot, { replaces: task, startFirst: true });
    return;
  }
  if (nodes.standing(task.NodeID) === 'gone') {
    pass.draft.observe(task, { ...task.Status!, State: 'orphaned', Timestamp: new Date(pass.pass.now).toISOString() });
  }
  pass.stop(slot, task);
  if (replaceable && !hasSuccessor(pass, slot, task) && !isServed(pass, slot)) pass.bear(slot, { replaces: task });
}

/**
 * Whether a task of an older spec runs in the slot and may stay: the one that was to come after it is gone, and the update gives the slot
 * another in its turn and order.
 */
function isServed(pass: ServicePass, slot: Slot): boolean {
  return slot.live.some((task) => isRunning(task) && !mustMove(pass, task));
}

/** Whether another live task of the slot is one that shall stay. */
function hasSuccessor(pass: ServicePass, slot: Slot, task: Task): boolean {
  return slot.live.some((other) => other !== task && shallStay(pass, other));
}

/** Whether the task is what the service asks for, where it may be. */
export function shallStay(pass: ServicePass, task: Task): boolean {
  return pass.isBorn(task) || (!isEnded(task) && pass.freshness.isFresh(task) && !mustMove(pass, task));
}

/**
 * Leaves one live task in the slot where there are several: one that is as it shall be and runs stands for all; until there is
 * one, the best to come and one that runs meanwhile.
 */
export function settleSlot(pass: ServicePass, slot: Slot): void {
  if (slot.live.length < 2) return;
  const good = slot.live.filter((task) => shallStay(pass, task));
  if (good.length === 0) return; // the update replaces them
  const keep = good.find(isRunning) ?? good[0]!;
  const meanwhile = isRunning(keep) ? undefined : slot.live.find((task) => task !== keep && isRunning(task));
  for (const task of [...slot.live]) {
    if (task !== keep && task !== meanwhile && !pass.isBorn(task)) pass.stop(slot, task);
  }
}
