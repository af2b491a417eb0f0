import type { Task } from './types.js';

/** The slot as users see it: a task without one (of a global service) has its node's id there. */
export function slotName(task: Pick<Task, 'Slot' | 'NodeID'>): string {
  return task.Slot === 0 ? task.NodeID : String(task.Slot);
}

/** `<service>.<slot>.<task id>`: the name of a task's container, and what templates know as `.Task.Name`. */
export function containerName(task: Pick<Task, 'ServiceName' | 'Slot' | 'NodeID' | 'ID'>): string {
  return `${task.ServiceName}.${slotName(task)}.${task.ID}`;
}
