import type { Task } from './types.js';

/**
 * The place of its service that a task fills: the number of a replica, or of a job's run, or the node. Runs are counted from 0, as in
 * Docker, whose client waits for the run of that number.
 */
export function placeOf(task: Pick<Task, 'Slot' | 'NodeID' | 'OnlyNodeID' | 'JobIteration'>): string {
  const isNumbered = task.Slot !== 0 || (task.JobIteration !== null && task.OnlyNodeID === '');
  return isNumbered ? String(task.Slot) : task.NodeID || task.OnlyNodeID;
}

/** The slot as users see it: a task without one (of a global service), and the first run of a job, has its node's id there. */
export function slotName(task: Pick<Task, 'Slot' | 'NodeID'>): string {
  return task.Slot === 0 ? task.NodeID : String(task.Slot);
}

/** `<service>.<slot>.<task id>`: the name of a task's container, and what templates know as `.Task.Name`. */
export function containerName(task: Pick<Task, 'ServiceName' | 'Slot' | 'NodeID' | 'ID'>): string {
  return `${task.ServiceName}.${slotName(task)}.${task.ID}`;
}
