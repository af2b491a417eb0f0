import type { Task } from '../../model/types.js';
import type { Pass } from './pass.js';
import { isEnded, mayStillRun } from './slots.js';

/** Tasks on their way out leave the store once nothing of them can run. */
export function finishRemoval(pass: Pass, removing: Iterable<Task>): void {
  for (const task of removing) {
    if (!mayStillRun(task, pass.nodes) && pass.draft.hasRoom()) pass.draft.remove(task);
  }
}

/** All tasks of a service that is gone stop and leave the store. */
export function removeTasksOf(pass: Pass, serviceID: string): void {
  for (const task of pass.view.tasksOfService(serviceID)) {
    if (!pass.draft.hasRoom()) return;
    if (isEnded(task) || !mayStillRun(task, pass.nodes)) pass.draft.remove(task);
    else if (task.DesiredState !== 'remove') pass.draft.stop(task, 'remove');
  }
}
