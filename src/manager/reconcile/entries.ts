import { placeOf } from '../../model/task-names.js';
import type {
  Network,
  OperationInit,
  Service,
  Task,
  TaskSpec,
  TaskStatus,
  TransactionInit,
} from '../../model/types.js';

// Applying an entry holds up everything else on a manager, heartbeats of Raft included: this many tasks take some 0.2 s, well below
// the shortest election timeout of 1 s.
export const operations_max = 2000;
export const bytes_max = 2 * 2 ** 20;
const taskOverhead_bytes = 300;
const failure_bytes = 60;

/** What a task takes in an entry besides its spec, roughly. Of a spec there is one an entry (src/store/entry.ts). */
export function taskBytes({ Failures }: Task): number {
  return taskOverhead_bytes + Failures.length * failure_bytes;
}

/** Changes to a task that exists, before they become operations. */
export interface TaskChange {
  task: Task;
  fields: Partial<Task>;
  status?: TaskStatus;
}

/** All that a plan does. */
export interface Content {
  services: readonly { before: Service; after: Service }[];
  networks: readonly Network[];
  removed: readonly Task[];
  changes: readonly TaskChange[];
  births: readonly Task[];
  /** By id: services that must be as they were when the plan was made, for what is done to their tasks. */
  checkedServices: ReadonlyMap<string, Service>;
  /** By id: versions that nodes must have when they are given tasks. */
  checkedNodes: ReadonlyMap<string, number>;
  /** What a spec takes in an entry, roughly. */
  bytesOf(spec: TaskSpec): number;
}

/**
 * The plan as entries for Raft's log, to be carried out in this order. Each is right without those after it, whoever leads by then: what is
 * done in one slot is in one entry, and so is all that is done for a service whose own object changes, with that change.
 */
export function entriesOf(content: Content, now: number): TransactionInit[] {
  const entries = divide(content).map((entry, at) => ({
    Operations: [
      ...checksOf(entry, content),
      ...(at === 0 ? objects(content) : []),
      ...entry.removed.map(removal),
      ...entry.changes.flatMap(changing),
      ...entry.births.map((task): OperationInit => ({ Action: 'create', ID: task.ID, Task: task })),
    ],
    Origin: 'reconcile',
    Time: new Date(now).toISOString(),
  }));
  return entries.filter(({ Operations }) => Operations.length > 0);
}

/** What is done in one slot. */
interface SlotWork {
  tasks: number;
  bytes: number;
  specs: TaskSpec[];
  /** Its service's own object changes. */
  isFirst: boolean;
  /** Where its newest task is. */
  nodeID: string;
}

interface Entry {
  removed: Task[];
  changes: TaskChange[];
  births: Task[];
}

function divide({ services, removed, changes, births, bytesOf }: Content): Entry[] {
  const slots = new Map<string, SlotWork>();
  const written = new Set(services.map(({ after }) => after.ID));
  const weigh = (task: Task, spec: TaskSpec | null) => {
    const key = slotKey(task);
    const isFirst = written.has(task.ServiceID);
    const slot = slots.get(key) ?? { tasks: 0, bytes: 0, specs: [], isFirst, nodeID: '' };
    slot.tasks++;
    slot.bytes += taskBytes(task);
    slot.nodeID = task.NodeID || slot.nodeID;
    if (spec !== null) slot.specs.push(spec);
    slots.set(key, slot);
  };
  for (const task of removed) weigh(task, null);
  for (const { task } of changes) weigh(task, task.Spec);
  for (const task of births) weigh(task, task.Spec);

  const entries: Entry[] = [{ removed: [], changes: [], births: [] }];
  const entryOf = new Map<string, Entry>();
  const specs = new Set<TaskSpec>();
  let [tasks, bytes] = [0, 0];
  const put = (key: string, slot: SlotWork) => {
    entryOf.set(key, entries.at(-1)!);
    tasks += slot.tasks;
    bytes += slot.bytes;
    for (const spec of slot.specs) if (!specs.has(spec)) bytes += bytesOf(spec);
    for (const spec of slot.specs) specs.add(spec);
  };
  for (const [key, slot] of slots) if (slot.isFirst) put(key, slot);
  const rest = [...slots].filter(([, { isFirst }]) => !isFirst);
  for (const [key, slot] of isBetterByNode(rest, bytesOf) ? rest.sort(byNode) : rest) {
    if (tasks >= operations_max || bytes >= bytes_max) {
      entries.push({ removed: [], changes: [], births: [] });
      specs.clear();
      [tasks, bytes] = [0, 0];
    }
    put(key, slot);
  }
  for (const task of removed) entryOf.get(slotKey(task))!.removed.push(task);
  for (const change of changes) entryOf.get(slotKey(change.task))!.changes.push(change);
  for (const task of births) entryOf.get(slotKey(task))!.births.push(task);
  return entries;
}

/**
 * What is more than one entry is divided by node: a wave goes to all nodes, and so each entry would be a message to every node with a task or
 * two in it, and another one back, which is most of what a task costs a large cluster. What fits in one entry keeps its order; and so does what
 * is of many services that say much, for on a node there are tasks of most of them, and each entry would hold all their specs again.
 */
function isBetterByNode(slots: readonly [string, SlotWork][], bytesOf: Content['bytesOf']): boolean {
  let [tasks, alone_bytes] = [0, 0];
  const specs = new Set<TaskSpec>();
  for (const [, slot] of slots) {
    tasks += slot.tasks;
    for (const spec of slot.specs) {
      alone_bytes += bytesOf(spec);
      specs.add(spec);
    }
  }
  if (tasks <= operations_max) return false;
  let shared_bytes = 0;
  for (const spec of specs) shared_bytes += bytesOf(spec);
  return shared_bytes <= repeatedSpecs_bytes_max || alone_bytes <= 2 * shared_bytes;
}

const repeatedSpecs_bytes_max = bytes_max / 8;

function byNode([, { nodeID: a }]: [string, SlotWork], [, { nodeID: b }]: [string, SlotWork]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Of a global service a slot is a node. */
function slotKey(task: Task): string {
  return `${task.ServiceID}/${placeOf(task)}`;
}

function checksOf({ removed, changes, births }: Entry, content: Content): OperationInit[] {
  const checks: OperationInit[] = [];
  const written = new Set(content.services.map(({ after }) => after.ID));
  const services = new Set<string>();
  for (const { ServiceID } of [...removed, ...changes.map(({ task }) => task), ...births]) services.add(ServiceID);
  for (const ID of services) {
    const service = content.checkedServices.get(ID);
    if (service === undefined || written.has(ID)) continue;
    checks.push({ Action: 'check', Kind: 'Service', ID, ExpectedVersion: service.Version?.Index ?? 0 });
  }
  const nodes = new Set<string>();
  for (const { fields } of changes) if (fields.NodeID) nodes.add(fields.NodeID);
  for (const { NodeID } of births) if (NodeID !== '') nodes.add(NodeID);
  for (const ID of nodes) {
    const ExpectedVersion = content.checkedNodes.get(ID);
    if (ExpectedVersion !== undefined) checks.push({ Action: 'check', Kind: 'Node', ID, ExpectedVersion });
  }
  return checks;
}

function objects({ services, networks }: Content): OperationInit[] {
  return [
    ...services.map(
      ({ before, after }): OperationInit => ({
        Action: 'update',
        ID: after.ID,
        ExpectedVersion: before.Version?.Index ?? 0,
        Service: after,
      }),
    ),
    ...networks.map(
      (network): OperationInit => ({
        Action: 'update',
        ID: network.ID,
        ExpectedVersion: network.Version?.Index ?? 0,
        Network: network,
      }),
    ),
  ];
}

function removal(task: Task): OperationInit {
  return { Action: 'remove', Kind: 'Task', ID: task.ID, ExpectedVersion: task.Version?.Index ?? 0 };
}

function changing({ task, fields, status }: TaskChange): OperationInit[] {
  const operations: OperationInit[] = [];
  if (Object.keys(fields).length > 0) {
    const ExpectedVersion = task.Version?.Index ?? 0;
    operations.push({ Action: 'update', ID: task.ID, ExpectedVersion, Task: { ...task, ...fields } });
  }
  if (status !== undefined) operations.push({ Action: 'observe', ID: task.ID, Task: { ID: task.ID, Status: status } });
  return operations;
}
