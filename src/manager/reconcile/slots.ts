import { isFinal } from '../../model/states.js';
import type { Task } from '../../model/types.js';
import { isWanted } from '../../scheduler/fleet.js';
import type { Nodes } from './nodes.js';

/** All tasks that ever filled one place of a service: a replica's number, or for a global service a node. */
export class Slot {
  /** Wanted tasks, the oldest first. More than one only while a successor starts before its predecessor stops. */
  readonly live: Task[] = [];
  /** No longer wanted, but what they started may still run. */
  readonly leaving: Task[] = [];
  /** No longer wanted, and nothing of them runs or can be told to stop. */
  readonly ended: Task[] = [];

  constructor(
    readonly key: string,
    /** 0 of a global service. */
    readonly number: number,
    /** Of a global service. */
    readonly nodeID: string,
  ) {}

  /** The task that was made last. */
  get newest(): Task | undefined {
    const candidates = [this.live.at(-1), this.leaving.at(-1), this.ended.at(-1)].filter((task) => task !== undefined);
    return candidates.reduce<Task | undefined>((a, b) => (a === undefined || isOlder(a, b) ? b : a), undefined);
  }

  *tasks(): Iterable<Task> {
    yield* this.live;
    yield* this.leaving;
    yield* this.ended;
  }
}

export function isEnded(task: Task): boolean {
  return isFinal(task.Status?.State ?? '');
}

export function isRunning(task: Task): boolean {
  return task.Status?.State === 'running';
}

/** Order of making. Of tasks made in one plan a successor is the younger; else their ids decide, the same everywhere. */
export function isOlder(a: Task, b: Task): boolean {
  if (a.BornIndex !== b.BornIndex) return a.BornIndex < b.BornIndex;
  if (a.ReplacesTaskID === b.ID) return false;
  return b.ReplacesTaskID === a.ID || a.ID < b.ID;
}

function byAge(a: Task, b: Task): number {
  return isOlder(a, b) ? -1 : 1;
}

/**
 * A service's tasks by slot, but for those on their way out of the store (desired state remove): they hold no slot, and come
 * back separately.
 */
export function slotsOf(
  tasks: Iterable<Task>,
  global: boolean,
  nodes: Nodes,
): { slots: Map<string, Slot>; removing: Task[] } {
  const slots = new Map<string, Slot>();
  const removing: Task[] = [];
  for (const task of tasks) {
    if (task.DesiredState === 'remove') {
      removing.push(task);
      continue;
    }
    const nodeID = task.NodeID || task.OnlyNodeID;
    const key = global ? nodeID : String(task.Slot);
    let slot = slots.get(key);
    if (slot === undefined) {
      slot = new Slot(key, task.Slot, global ? nodeID : '');
      slots.set(key, slot);
    }
    if (isWanted(task) || isFailedRun(task)) slot.live.push(task);
    else if (mayStillRun(task, nodes)) slot.leaving.push(task);
    else slot.ended.push(task);
  }
  for (const slot of slots.values()) {
    for (const list of [slot.live, slot.leaving, slot.ended]) if (list.length > 1) list.sort(byAge);
  }
  return { slots, removing };
}

/** A task of a job that ended otherwise than it should: live until it was dealt with, as a service's task that ended is. */
function isFailedRun(task: Task): boolean {
  return task.DesiredState === 'complete' && task.Status?.State !== 'complete';
}

/** Whether something of the task may run on a node that can be told to stop it. */
export function mayStillRun(task: Task, nodes: Nodes): boolean {
  return task.NodeID !== '' && !isEnded(task) && nodes.reachable(task.NodeID);
}
