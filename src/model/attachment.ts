import type { Task } from './types.js';

/** SwarmKit's name for what a task is that stands for a container of a node's own on one network of the cluster. */
export const attachmentRuntime = 'attachment';

/** Whether a task is of no service, but keeps a network's address for a container that its node's user has started. */
export function isAttachment(task: Pick<Task, 'Spec'>): boolean {
  return task.Spec?.Runtime === attachmentRuntime;
}
