import { rankOf } from '../model/states.js';
import type { Service, ServiceStatus, Task } from '../model/types.js';
import type { View } from '../store/view.js';

/** How many tasks of a service run and shall run, as `service ls` shows it (swarmkit controlapi ListServiceStatuses). */
export function statusOf(view: View, service: Service): ServiceStatus {
  const mode = service.Spec?.Mode;
  const isJob = Boolean(mode?.ReplicatedJob || mode?.GlobalJob);
  const iteration = service.JobStatus?.JobIteration?.Index ?? 0;
  const tasks = [...view.tasksOfService(service.ID)].filter(
    (task) => !isJob || (task.JobIteration?.Index ?? 0) === iteration,
  );
  const running = tasks.filter((task) => isRunning(view, task)).length;
  const completed = tasks.filter((task) => task.Status?.State === 'complete').length;
  return { RunningTasks: running, DesiredTasks: desired(service, tasks), CompletedTasks: isJob ? completed : 0 };
}

/** Nobody knows what a task on a lost node does; it does not count as running. */
function isRunning(view: View, task: Task): boolean {
  if (task.Status?.State !== 'running') return false;
  const node = view.get('Node', task.NodeID);
  return node !== undefined && node.Status?.State !== 'down';
}

function desired(service: Service, tasks: readonly Task[]): number {
  const mode = service.Spec?.Mode;
  if (mode?.Replicated) return mode.Replicated.Replicas ?? 1;
  if (mode?.ReplicatedJob) return mode.ReplicatedJob.MaxConcurrent || (mode.ReplicatedJob.TotalCompletions ?? 1);
  // Of a global service or job: one a node that it has been given a task on.
  const wanted = mode?.GlobalJob ? rankOf('complete') : rankOf('running');
  return tasks.filter((task) => rankOf(task.DesiredState) <= wanted).length;
}
