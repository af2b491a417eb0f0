import type { Task } from '../../model/types.js';
import type { Pass } from './pass.js';
import { isEnded, mayStillRun } from './slots.js';

/** Tasks on their way out leave the store once nothing of them can run. */
export function finishRemoval(pass: Pass, removing: Iterable<Task>): void {
  for (const task of removing) {
    if (!mayStillRun(task, pass.nodes) && pass.draft.hasRoom()) pass.draft.remove(task);
  }
}

/** Tasks of a service that is gone, or of former runs of a job, stop and leave the store. */
export function removeTasks(pass: Pass, tasks: Iterable<Task>): void {
  for (const task of tasks) {
    if (!pass.draft.hasRoom()) return;
    if (isEnded(task) || !mayStillRun(task, pass.nodes)) pass.draft.remove(task);
    else if (task.DesiredState !== 'remove') pass.draft.stop(task, 'remove');
  }
}
