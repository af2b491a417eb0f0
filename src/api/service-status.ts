import { rankOf } from '../model/states.js';
import type { Service, ServiceStatus, Task } from '../model/types.js';
import type { View } from '../store/view.js';

/** How many tasks of a service run and shall run, as `service ls` shows it (swarmkit controlapi ListServiceStatuses). */
export function statusOf(view: View, service: Service): ServiceStatus {
  const mode = service.Spec?.Mode;
  const isJob = Boolean(mode?.ReplicatedJob || mode?.GlobalJob);
  const iteration = service.JobStatus?.JobIteration?.Index ?? 0;
  const wantedUpTo = mode?.GlobalJob ? rankOf('complete') : rankOf('running');
  let [running, completed, wanted] = [0, 0, 0];
  for (const task of view.tasksOfService(service.ID)) {
    if (isJob && (task.JobIteration?.Index ?? 0) !== iteration) continue;
    if (isRunning(view, task)) running++;
    const isDone = isJob && task.Status?.State === 'complete';
    if (isDone) completed++;
    else if (rankOf(task.DesiredState) <= wantedUpTo) wanted++;
  }
  return { RunningTasks: running, DesiredTasks: desired(service) ?? wanted, CompletedTasks: completed };
}

/** Nobody knows what a task on a lost node does; it does not count as running. */
function isRunning(view: View, task: Task): boolean {
  if (task.Status?.State !== 'running') return false;
  const node = view.get('Node', task.NodeID);
  return node !== undefined && node.Status?.State !== 'down';
}

/** Undefined of a global service or job: one a node that it has been given a task on, and that has not completed. */
function desired({ Spec }: Service): number | undefined {
  const { Replicated, ReplicatedJob } = Spec?.Mode ?? {};
  if (Replicated) return Replicated.Replicas ?? 1;
  return ReplicatedJob ? ReplicatedJob.MaxConcurrent || (ReplicatedJob.TotalCompletions ?? 1) : undefined;
}
