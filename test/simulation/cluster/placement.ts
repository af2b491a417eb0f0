import assert from 'node:assert/strict';
import { isAfter, isFinal } from '../../../src/model/states.js';
import type { Node, Service, Task, TaskSpec } from '../../../src/model/types.js';
import type { Commit, View } from '../../../src/store/view.js';

// What must hold of where tasks are and of jobs, said anew and simply: nothing of src/scheduler or src/manager/reconcile is used.

/** Whether the node satisfies the constraints that users ask for here. */
export function qualifies(node: Node, spec: TaskSpec | null): boolean {
  return (spec?.Placement?.Constraints ?? []).every((constraint) => {
    const tier = node.Spec?.Labels.tier ?? '';
    return constraint === 'node.labels.tier==a' ? tier === 'a' : tier !== 'b';
  });
}

/** A task that runs where its constraints do not allow it, as the labels of nodes are now. */
export function misplaced(view: View, tasks: readonly Task[]): Task | undefined {
  return tasks.find((task) => {
    const node = view.get('Node', task.NodeID);
    return node !== undefined && !qualifies(node, task.Spec);
  });
}

function isOpen(node: Node): boolean {
  return node.Status?.State === 'ready' && node.Spec?.Availability === 'active';
}

/** Nodes that a service may have tasks on, as they are now. */
export function nodesFor(view: View, service: Service): Node[] {
  return [...view.list('Node')].filter((node) => isOpen(node) && qualifies(node, service.Spec?.TaskTemplate ?? null));
}

/** How many tasks of its service a node may have. */
function mostOnNode({ Spec }: Task): number {
  return Spec?.Placement?.MaxReplicas || Number.POSITIVE_INFINITY;
}

/** Other tasks of the service on the node, those that leave it included. */
function besides(view: View, node: Node, task: Task): Task[] {
  return [...view.tasksOfNode(node.ID)].filter(
    (other) => other.ID !== task.ID && other.ServiceID === task.ServiceID && !isFinal(other.Status?.State ?? ''),
  );
}

function reserved(task: Task): number {
  return task.Spec?.Resources?.Reservations?.NanoCPUs ?? 0;
}

/** Why the task could have a node and has none; undefined when it is right to wait. */
export function needlesslyWaiting(view: View, task: Task): string | undefined {
  const reason = task.Status?.Err ?? '';
  const isSaid = task.OnlyNodeID === '' ? reason.startsWith('no suitable node') : reason !== '';
  if (!isSaid) return `${task.Name} waits without a reason: ${JSON.stringify(reason)}`;
  for (const node of view.list('Node')) {
    if (task.OnlyNodeID !== '' && task.OnlyNodeID !== node.ID) continue;
    const held = [...view.tasksOfNode(node.ID)].filter(({ Status }) => !isFinal(Status?.State ?? ''));
    const left = (node.Description?.Resources?.NanoCPUs ?? 0) - held.reduce((sum, one) => sum + reserved(one), 0);
    const isRoom = reserved(task) <= left && besides(view, node, task).length < mostOnNode(task);
    if (isOpen(node) && qualifies(node, task.Spec) && isRoom) return `${task.Name} waits, ${node.ID} has room`;
  }
  return undefined;
}

/** Checks a commit against the state right after it. */
export function checkPlacement(view: View, { index, changes, origin }: Commit): void {
  if (origin === 'snapshot') return; // of what happened in between only the end is seen
  const services = new Set<string>();
  for (const { kind, before, after } of changes) {
    if (kind !== 'Task' || after === undefined) continue;
    const [was, is] = [before as Task | undefined, after as Task];
    services.add(is.ServiceID);
    if (is.NodeID !== '' && (was?.NodeID ?? '') === '') checkPlaced(view, index, is);
    if (is.Status?.State === 'running' && was?.Status?.State !== 'running') checkRoom(view, index, is.NodeID);
  }
  for (const id of services) {
    const service = view.get('Service', id);
    if (service !== undefined) checkJob(view, index, service);
  }
}

function checkPlaced(view: View, index: number, task: Task): void {
  const node = view.get('Node', task.NodeID);
  assert.ok(node !== undefined, `entry ${index}: ${task.Name} is placed on ${task.NodeID}, which is no node`);
  assert.equal(node.Spec?.Availability, 'active', `entry ${index}: ${task.Name} is placed on a node that takes none`);
  // The one whose place it takes stops before it starts. Those of a spec that allows more may have come after it, in the same plan.
  const cameAfter = (other: Task) => other.Version?.Index === index && mostOnNode(other) > mostOnNode(task);
  const others = besides(view, node, task).filter(
    (other) => !isAfter(other.DesiredState, 'running') && !cameAfter(other),
  );
  assert.ok(others.length < mostOnNode(task), `entry ${index}: ${task.Name} is one too many on ${node.ID}`);
  assert.ok(qualifies(node, task.Spec), `entry ${index}: ${task.Name} is placed against its constraints on ${node.ID}`);
}

/** What runs on a node never takes more than there is. */
function checkRoom(view: View, index: number, nodeID: string): void {
  const running = [...view.tasksOfNode(nodeID)].filter(({ Status }) => Status?.State === 'running');
  const taken = running.reduce((sum, task) => sum + reserved(task), 0);
  const there = view.get('Node', nodeID)?.Description?.Resources?.NanoCPUs ?? 0;
  assert.ok(taken <= there, `entry ${index}: tasks on ${nodeID} take ${taken} of ${there}`);
}

/** A job never runs more at once, and never completes more often, than was asked. */
function checkJob(view: View, index: number, service: Service): void {
  const job = service.Spec?.Mode?.ReplicatedJob;
  if (!job) return;
  const tasks = runOf(view, service);
  const underWay = tasks.filter(
    ({ DesiredState, Status }) => DesiredState === 'complete' && !isFinal(Status?.State ?? ''),
  );
  assert.ok(
    underWay.length <= (job.MaxConcurrent ?? 1),
    `entry ${index}: ${underWay.length} runs at once of ${job.MaxConcurrent}`,
  );
  const completed = tasks.filter(hasCompleted);
  assert.ok(
    completed.length <= (job.TotalCompletions ?? 1),
    `entry ${index}: ${completed.length} completions of ${job.TotalCompletions}`,
  );
  const slots = new Set(completed.map(({ Slot }) => Slot));
  assert.equal(slots.size, completed.length, `entry ${index}: a slot of ${service.Spec?.Name} completed twice`);
}

/** A run that was given up with its node, and turns out to have completed there, does not count: another was made for it. */
function hasCompleted({ DesiredState, Status }: Task): boolean {
  return DesiredState === 'complete' && Status?.State === 'complete';
}

function runOf(view: View, service: Service): Task[] {
  const iteration = service.JobStatus?.JobIteration?.Index ?? 0;
  return [...view.tasksOfService(service.ID)].filter((task) => (task.JobIteration?.Index ?? 0) === iteration);
}

/** What a job has still to do; undefined when it is done, or waits for nodes as it must. */
export function jobLacks(view: View, service: Service): string | undefined {
  const tasks = runOf(view, service);
  const completed = tasks.filter(hasCompleted);
  const waiting = tasks.filter(({ NodeID, DesiredState }) => NodeID === '' && DesiredState === 'complete');
  const underWay = tasks.filter(({ NodeID, Status }) => NodeID !== '' && !isFinal(Status?.State ?? ''));
  if (underWay.length > 0) return `${underWay.length} runs are under way`;
  for (const task of waiting) {
    const reason = needlesslyWaiting(view, task);
    if (reason !== undefined) return reason;
  }
  const job = service.Spec?.Mode?.ReplicatedJob;
  if (job) {
    const asked = job.TotalCompletions ?? 1;
    return completed.length === asked || waiting.length > 0 ? undefined : `${completed.length} of ${asked} completed`;
  }
  // One that completed though its node was ruled out meanwhile has run there all the same.
  const ended = tasks.filter(({ Status }) => Status?.State === 'complete');
  const done = new Set([...ended, ...waiting].map((task) => task.NodeID || task.OnlyNodeID));
  const missing = nodesFor(view, service).find(({ ID }) => !done.has(ID));
  return missing && `it did not complete on ${missing.ID}`;
}
