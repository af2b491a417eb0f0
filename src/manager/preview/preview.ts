import type { Random } from '../../model/random.js';
import { placeOf } from '../../model/task-names.js';
import type { Node, OperationInit, Preview, PreviewNode, PreviewTask, Service, Task } from '../../model/types.js';
import { isWanted } from '../../scheduler/fleet.js';
import type { View } from '../../store/view.js';
import { isUpdating } from '../reconcile/update.js';
import { Imagination } from './imagination.js';

/**
 * What would follow from a change if it were made now: every task of the services concerned, and every node. Changes nothing. `now`:
 * milliseconds since 1970. Throws ShoalError as proposing `operations` would.
 */
export async function preview(
  view: View,
  operations: readonly OperationInit[],
  now: number,
  random: Random,
): Promise<Omit<Preview, 'Changes'>> {
  const subjects = new Set(
    operations.map(({ Service: service, Kind, ID }) => service?.ID ?? (Kind === 'Service' ? ID : '')),
  );
  const before = new Map<string, Task[]>();
  const imagined = new Imagination(view, now, random);
  const wantedOf = (id: string, of: View) => [...of.tasksOfService(id)].filter(isWanted);
  const earlier = new Map<string, Service>();
  for (const service of view.list('Service')) {
    earlier.set(service.ID, service);
    before.set(service.ID, wantedOf(service.ID, view));
  }
  await imagined.run(operations);
  const tasks: PreviewTask[] = [];
  for (const id of imagined.planned) {
    const service = imagined.store.get('Service', id) ?? earlier.get(id);
    if (service === undefined) continue;
    const rows = rowsOf(service, before.get(id) ?? [], finallyOf(imagined, id), imagined);
    if (subjects.has(id) || rows.some(({ Step }) => Step !== 0)) tasks.push(...rows);
  }
  return {
    Tasks: tasks,
    Nodes: nodesOf(tasks),
    Steps: imagined.steps,
    LumpedFrom: imagined.lumpedFrom,
    Unfinished: imagined.unfinished,
    Warnings: warningsOf(imagined),
  };
}

/** What the user would not see from the tasks alone. */
function warningsOf({ store, planned, unfinished }: Imagination): string[] {
  if (unfinished) return [];
  const stuck = [...planned]
    .map((id) => store.get('Service', id))
    .filter((service) => isUpdating(service?.UpdateStatus ?? null));
  return stuck.map(
    (service) =>
      `the update of ${service?.Spec?.Name} would not come to an end: it goes on only when the tasks that wait have a node`,
  );
}

/** Tasks of a service as they are in the end: those of a job that have run count too. */
function finallyOf(imagined: Imagination, serviceID: string): Task[] {
  const found = [...imagined.store.tasksOfService(serviceID)].filter(isWanted);
  for (const task of imagined.born.values()) {
    if (task.ServiceID === serviceID && task.Status?.State === 'complete' && !found.some(({ ID }) => ID === task.ID)) {
      found.push(task);
    }
  }
  return found;
}

function rowsOf(
  service: Service,
  before: readonly Task[],
  after: readonly Task[],
  imagined: Imagination,
): PreviewTask[] {
  const slots = new Map<string, { number: number; gone: Task[]; fresh: Task[]; stays: Task[] }>();
  const slotOf = (task: Task) => {
    const key = placeOf(task);
    const slot = slots.get(key) ?? { number: task.Slot, gone: [], fresh: [], stays: [] };
    slots.set(key, slot);
    return slot;
  };
  const then = new Map(after.map((task) => [task.ID, task]));
  const known = new Set(before.map((task) => task.ID));
  for (const task of before) {
    const later = then.get(task.ID);
    if (later === undefined) slotOf(task).gone.push(task);
    else if (later.NodeID === task.NodeID) slotOf(task).stays.push(later);
    else slotOf(task).fresh.push(later); // it waited for a node
  }
  for (const task of after) if (!known.has(task.ID)) slotOf(task).fresh.push(task);
  const rows: PreviewTask[] = [];
  for (const [key, slot] of [...slots].sort(([a, { number: x }], [b, { number: y }]) => x - y || (a < b ? -1 : 1))) {
    const row = (from: Task | undefined, to: Task | undefined) =>
      rowOf(service, `${service.Spec?.Name ?? ''}.${key}`, from, to, imagined);
    for (const task of slot.stays) rows.push(row(task, task));
    while (slot.gone.length > 0 || slot.fresh.length > 0) rows.push(row(slot.gone.shift(), slot.fresh.shift()));
  }
  return rows;
}

function rowOf(
  service: Service,
  name: string,
  from: Task | undefined,
  to: Task | undefined,
  { store, startedAt, stoppedAt }: Imagination,
): PreviewTask {
  const nodeName = (id: string) => nameOf(store.get('Node', id));
  const waits = to !== undefined && to.NodeID === '';
  const started = to === undefined ? 0 : (startedAt.get(to.ID) ?? 0);
  const stopped = from === undefined ? 0 : (stoppedAt.get(from.ID) ?? 0);
  const replaces = from !== undefined && from !== to && from.NodeID !== '';
  const action = waits ? 'wait' : from === to ? 'keep' : to === undefined ? 'stop' : replaces ? 'replace' : 'start';
  return {
    Service: service.Spec?.Name ?? '',
    ServiceID: service.ID,
    Name: name,
    Action: action,
    FromNodeID: from?.NodeID ?? '',
    FromNode: nodeName(from?.NodeID ?? ''),
    ToNodeID: to?.NodeID ?? '',
    ToNode: nodeName(to?.NodeID ?? ''),
    Order: action !== 'replace' ? '' : stopped > started ? 'start-first' : 'stop-first',
    Step: action === 'keep' ? 0 : to === undefined ? stopped : started,
    Reason: waits ? (to.Status?.Err ?? '') : '',
  };
}

function nameOf(node: Node | undefined): string {
  return node?.Spec?.Name || (node?.Description?.Hostname ?? '');
}

function nodesOf(tasks: readonly PreviewTask[]): PreviewNode[] {
  const nodes = new Map<string, PreviewNode>();
  const count = (id: string | undefined, name: string | undefined, what: 'Kept' | 'Stopped' | 'Started') => {
    if (!id) return;
    const node = nodes.get(id) ?? { NodeID: id, Node: name ?? '', Kept: 0, Stopped: 0, Started: 0 };
    node[what]++;
    nodes.set(id, node);
  };
  for (const { Action, FromNodeID, FromNode, ToNodeID, ToNode } of tasks) {
    if (Action === 'keep') count(ToNodeID, ToNode, 'Kept');
    else {
      count(FromNodeID, FromNode, 'Stopped');
      count(ToNodeID, ToNode, 'Started');
    }
  }
  return [...nodes.values()].sort((a, b) =>
    a.Node < b.Node ? -1 : a.Node > b.Node ? 1 : a.NodeID < b.NodeID ? -1 : 1,
  );
}
