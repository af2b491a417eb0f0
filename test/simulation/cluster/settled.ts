import { isDeepStrictEqual } from 'node:util';
import { isAfter } from '../../../src/model/states.js';
import type { Service, Task } from '../../../src/model/types.js';
import { routesOf } from '../../../src/network/endpoints.js';
import { kinds, type View } from '../../../src/store/view.js';
import type { Cluster } from './cluster.js';
import { taskOf } from './engine.js';
import { jobLacks, misplaced, needlesslyWaiting, nodesFor } from './placement.js';
import { slotOf } from './rollouts.js';
import { isJob } from './wishes.js';

/** What of the cluster is not yet as it is declared; undefined once everything is. */
export function notSettled(cluster: Cluster): string | undefined {
  const view = cluster.leader?.view;
  if (view === undefined) return 'nobody leads';
  return (
    servicesLack(view) ?? enginesDiffer(cluster, view) ?? planesDiffer(cluster, view) ?? managersDiffer(cluster, view)
  );
}

function managersDiffer(cluster: Cluster, view: View): string | undefined {
  for (const { name, core, view: other } of cluster.managers) {
    if (core === undefined || other === undefined) return `${name} does not run`;
    if (other.index !== view.index) return `${name} is at ${other.index}, the leader at ${view.index}`;
    for (const kind of kinds) {
      if (!isDeepStrictEqual([...other.list(kind)], [...view.list(kind)])) return `${name} has another ${kind} table`;
    }
  }
  return undefined;
}

function servicesLack(view: View): string | undefined {
  const nodes = [...view.list('Node')];
  const missing = nodes.find(({ Status }) => Status?.State !== 'ready');
  if (missing !== undefined) return `node ${missing.ID} is ${missing.Status?.State}: ${missing.Status?.Message}`;
  const services = new Set<string>();
  for (const service of view.list('Service')) {
    services.add(service.ID);
    const lack = serviceLacks(view, service);
    if (lack !== undefined) return `${service.Spec?.Name}: ${lack}`;
  }
  const orphan = [...view.list('Task')].find(({ ServiceID }) => !services.has(ServiceID));
  return orphan && `task ${orphan.Name} belongs to no service`;
}

function serviceLacks(view: View, service: Service): string | undefined {
  if (isJob(service.Spec)) return jobLacks(view, service);
  const isGlobal = service.Spec?.Mode?.Global != null;
  const count = isGlobal ? nodesFor(view, service).length : (service.Spec?.Mode?.Replicated?.Replicas ?? 1);
  const tasks = [...view.tasksOfService(service.ID)];
  const wanted = tasks.filter(({ DesiredState }) => !isAfter(DesiredState, 'running'));
  const running = wanted.filter((task) => task.DesiredState === 'running' && task.Status?.State === 'running');
  const states = () => wanted.map((task) => `${task.Slot} ${task.DesiredState}/${task.Status?.State}`).join(', ');
  const astray = misplaced(view, running);
  if (astray !== undefined) return `${astray.Name} runs against its constraints on ${astray.NodeID}`;
  const waiting = wanted.filter(({ NodeID }) => NodeID === '');
  for (const task of waiting) {
    const reason = needlesslyWaiting(view, task);
    if (reason !== undefined) return reason;
  }
  const slots = new Set(wanted.map(slotOf)).size;
  if (!isGlobal && slots !== count) return `${count} are to be: ${states()}`;
  if (waiting.length > 0) return undefined; // an update and a successor that starts first wait with it
  if (wanted.length !== count || running.length !== count) return `${count} are to run: ${states()}`;
  const leaving = tasks.find((task) => isAfter(task.DesiredState, 'running') && !isEnded(task));
  if (leaving !== undefined) return `${leaving.Name} is ${leaving.Status?.State}, and shall be ${leaving.DesiredState}`;
  const drained = running.find(({ NodeID }) => view.get('Node', NodeID)?.Spec?.Availability === 'drain');
  if (drained !== undefined) return `${drained.Name} runs on a drained node`;
  const update = service.UpdateStatus?.State ?? 'completed';
  if (update === 'updating' || update === 'rollback_started') return update;
  const isPaused = update === 'paused' || update === 'rollback_paused';
  const stale = running.find((task) => !isDeepStrictEqual(envOf(task), service.Spec?.TaskTemplate?.ContainerSpec?.Env));
  return stale && !isPaused ? `${stale.Name} has an old specification` : undefined;
}

function isEnded(task: Task): boolean {
  return isAfter(task.Status?.State ?? '', 'running');
}

function envOf(task: Task): readonly string[] | undefined {
  return task.Spec?.ContainerSpec?.Env;
}

/** What runs is what shall run; what is there besides is the history of tasks that are still known. */
function enginesDiffer(cluster: Cluster, view: View): string | undefined {
  for (const { name, nodeID, engine } of cluster.hosts) {
    const wanted = new Set([...view.tasksOfNode(nodeID)].filter((task) => !isEnded(task)).map(({ ID }) => ID));
    for (const container of engine.containers.values()) {
      const task = view.get('Task', taskOf(container));
      if (task?.NodeID !== nodeID) return `${name} has ${container.name}, which is no task of it any more`;
      const runs = container.phase === 'running';
      if (runs !== wanted.has(task.ID)) return `${name}: ${container.name} is ${container.phase}`;
      wanted.delete(task.ID);
    }
    for (const id of wanted) return `${name} has no container of ${view.get('Task', id)?.Name} ${id}`;
  }
  return undefined;
}

function planesDiffer(cluster: Cluster, view: View): string | undefined {
  const routes = routesOf(view);
  const other = cluster.hosts.find(({ plane }) => !isDeepStrictEqual(inOrder(plane?.routes ?? []), routes));
  return other && `${other.name} does not route as the state says`;
}

function inOrder<T extends { ID: string }>(routes: readonly T[]): T[] {
  return [...routes].sort((left, right) => (left.ID < right.ID ? -1 : 1));
}

/** How unevenly the tasks of a service are spread over the nodes that take tasks: most less least. */
export function unevenness(view: View, name: string): number {
  const service = view.byName('Service', name);
  const counts = [...view.list('Node')]
    .filter(({ Spec }) => Spec?.Availability === 'active')
    .map(
      ({ ID }) => [...view.tasksOfNode(ID)].filter((task) => task.ServiceID === service?.ID && !isEnded(task)).length,
    );
  return Math.max(...counts) - Math.min(...counts);
}
