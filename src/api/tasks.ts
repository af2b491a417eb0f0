import { isAttachment } from '../model/attachment.js';
import { ShoalError } from '../model/errors.js';
import { toJSON } from '../model/json.js';
import { taskStates } from '../model/states.js';
import type { Task, TaskSpec } from '../model/types.js';
import type { View } from '../store/view.js';
import { answerList } from './answer-list.js';
import { type Api, answerJSON, type Exchange, managerOf } from './exchange.js';
import { type Filters, filtersOf } from './filters.js';
import { find } from './lookup.js';
import type { Route } from './router.js';

export const taskRoutes: readonly Route[] = [
  { method: 'GET', pattern: '/tasks', handle: list },
  { method: 'GET', pattern: '/tasks/{id}', handle: inspect },
];

async function list(api: Api, exchange: Exchange): Promise<void> {
  const manager = managerOf(api);
  const filters = filtersOf(exchange, [
    'name',
    'id',
    'label',
    'service',
    'node',
    'desired-state',
    '_up-to-date',
    'runtime',
  ]);
  filters.checkOneOf('desired-state', ['', ...taskStates]);
  const view = await manager.read();
  const services = idsOf(filters, 'service', (reference) => find(view, 'Service', reference).ID);
  const nodes = idsOf(filters, 'node', (reference) => find(view, 'Node', reference).ID);
  const upToDate = upToDateOf(filters);
  const found: Task[] = [];
  for (const task of candidates(view, services, nodes)) {
    if (isAttachment(task)) continue; // Docker shows tasks of services only
    if (services !== undefined && !services.has(task.ServiceID)) continue;
    if (nodes !== undefined && !nodes.has(nodeOf(task))) continue;
    if (!filters.matchesPrefix('id', task.ID) || !filters.matchesPrefix('name', fullName(view, task))) continue;
    if (!filters.matchesLabels('label', task.ServiceLabels) && !filters.matchesLabels('label', task.Labels)) continue;
    if (!filters.matches('desired-state', task.DesiredState)) continue;
    if (!filters.matches('runtime', task.Spec?.Runtime || 'container')) continue;
    if (upToDate !== undefined && isUpToDate(view, task) !== upToDate) continue;
    found.push(task);
  }
  await answerList(exchange, found, shown);
}

/** Specs as they are shown: tasks of one service share theirs, which is most of what is to be written of each. */
const shownSpecs = new WeakMap<TaskSpec, Record<string, unknown>>();

/** A task of a global service that waits for room shows the node it is for, as in Docker. */
function shown(given: Task): Record<string, unknown> {
  const task = { ...given, NodeID: nodeOf(given) };
  if (task.Spec === null) return withGeneric(toJSON('Task', task));
  let spec = shownSpecs.get(task.Spec);
  if (spec === undefined) {
    spec = toJSON('TaskSpec', task.Spec);
    shownSpecs.set(task.Spec, spec);
  }
  return withGeneric({ ...toJSON('Task', { ...task, Spec: null }), Spec: spec });
}

/** What Docker's reference calls AssignedGenericResources, its daemon and clients call GenericResources: it is there by both names. */
function withGeneric(shown: Record<string, unknown>): Record<string, unknown> {
  const resources = shown.AssignedGenericResources;
  return Array.isArray(resources) && resources.length > 0 ? { ...shown, GenericResources: resources } : shown;
}

async function inspect(api: Api, exchange: Exchange): Promise<void> {
  const manager = managerOf(api);
  answerJSON(exchange, 200, shown(find(await manager.read(), 'Task', exchange.params.id!)));
}

/** What a filter by service or node names, as ids; one that there is not is an error, as in Docker. */
function idsOf(filters: Filters, name: string, idOf: (reference: string) => string): ReadonlySet<string> | undefined {
  return filters.has(name) ? new Set(filters.get(name).map(idOf)) : undefined;
}

/** The node a task is on, or waits for. */
function nodeOf(task: Task): string {
  return task.NodeID || task.OnlyNodeID;
}

/** The smallest set of tasks that holds all matches: the whole table is large. */
function* candidates(
  view: View,
  services: ReadonlySet<string> | undefined,
  nodes: ReadonlySet<string> | undefined,
): Iterable<Task> {
  if (services !== undefined) for (const id of services) yield* view.tasksOfService(id);
  else if (nodes !== undefined) {
    for (const id of nodes) yield* view.tasksOfNode(id);
    // what of a global service waits for one of them is not among a node's own yet
    for (const { ID, Spec } of view.list('Service')) {
      if (!Spec?.Mode?.Global && !Spec?.Mode?.GlobalJob) continue;
      for (const task of view.tasksOfService(ID)) if (task.NodeID === '') yield task;
    }
  } else yield* view.list('Task');
}

/** The name that `docker ps` shows of the task's container: `<service>.<slot or node id>.<task id>`. */
function fullName(view: View, task: Task): string {
  const service = task.ServiceName || view.get('Service', task.ServiceID)?.Spec?.Name || task.ServiceID;
  return `${service}.${task.Slot > 0 ? task.Slot : nodeOf(task)}.${task.ID}`;
}

function upToDateOf(filters: Filters): boolean | undefined {
  const [value] = filters.get('_up-to-date');
  if (value === undefined) return undefined;
  if (/^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  throw new ShoalError(
    'invalid-argument',
    `Invalid _up-to-date filter: '${value.slice(0, 100)}', expected true or false`,
  );
}

/** Whether the task was made from its service's present template (and, of a job, in its present iteration). */
function isUpToDate(view: View, task: Task): boolean {
  const service = view.get('Service', task.ServiceID);
  if (service === undefined) return false;
  const iteration = service.JobStatus?.JobIteration;
  return (
    task.SpecVersion === service.SpecVersion && (!iteration || (task.JobIteration?.Index ?? 0) === iteration.Index)
  );
}
