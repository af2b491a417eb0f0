import { isDeepStrictEqual } from 'node:util';
import type { Service, Task, TaskSpec } from '../model/types.js';
import { type Change, type Kind, kinds, type Tables, type View } from './view.js';

type Named = Exclude<Kind, 'Task' | 'Node'>;
const named = new Set<Kind>(['Cluster', 'Service', 'Network', 'Secret', 'Config']);

/**
 * The objects and their indexes. Invariant: every index holds exactly what the objects say; only `put` and `drop` change either. Objects
 * are never written to after they were put, so whoever holds one (a snapshot, a watcher) sees it as it was.
 */
export class ObjectTables implements View {
  index = 0;
  private readonly objects: { [K in Kind]: Map<string, Tables[K]> } = {
    Cluster: new Map(),
    Node: new Map(),
    Service: new Map(),
    Task: new Map(),
    Network: new Map(),
    Secret: new Map(),
    Config: new Map(),
  };
  private readonly names = new Map<string, string>(); // "Service/web" → id
  private readonly ports = new Map<string, string>(); // "tcp/8080" → id of the service that publishes it
  private readonly byService = new Map<string, Map<string, Task>>();
  private readonly byNode = new Map<string, Map<string, Task>>();

  get<K extends Kind>(kind: K, id: string): Tables[K] | undefined {
    return this.objects[kind].get(id);
  }

  byName<K extends Exclude<Kind, 'Task'>>(kind: K, name: string): Tables[K] | undefined {
    if (kind === 'Node') {
      for (const node of this.objects.Node.values()) if (node.Spec?.Name === name) return node as Tables[K];
      return undefined;
    }
    const id = this.names.get(`${kind}/${name}`);
    return id === undefined ? undefined : this.get(kind, id);
  }

  list<K extends Kind>(kind: K): Iterable<Tables[K]> {
    return this.objects[kind].values();
  }

  count(kind: Kind): number {
    return this.objects[kind].size;
  }

  tasksOfService(serviceID: string): Iterable<Task> {
    return this.byService.get(serviceID)?.values() ?? [];
  }

  tasksOfNode(nodeID: string): Iterable<Task> {
    return this.byNode.get(nodeID)?.values() ?? [];
  }

  cluster() {
    for (const cluster of this.objects.Cluster.values()) return cluster;
    return undefined;
  }

  /** Id of the service that publishes the port in ingress mode. */
  serviceOnPort(key: string): string | undefined {
    return this.ports.get(key);
  }

  /** Adds or replaces an object. */
  put<K extends Kind>(kind: K, object: Tables[K]): void {
    const before = this.get(kind, object.ID);
    if (before !== undefined) this.unindex(kind, before);
    const kept = kind === 'Task' ? (this.shareSpec(object as Task) as Tables[K]) : object;
    this.objects[kind].set(object.ID, kept); // an id that is there keeps its place in the order
    if (named.has(kind)) this.names.set(`${kind}/${nameOf(object as Tables[Named])}`, object.ID);
    if (kind === 'Service') for (const port of ingressPorts(object as Service)) this.ports.set(port, object.ID);
    if (kind === 'Task') {
      const task = kept as Task;
      member(this.byService, task.ServiceID).set(task.ID, task);
      if (task.NodeID !== '') member(this.byNode, task.NodeID).set(task.ID, task);
    }
  }

  drop(kind: Kind, id: string): void {
    const before = this.get(kind, id);
    if (before === undefined) return;
    this.unindex(kind, before);
    this.objects[kind].delete(id);
  }

  /** Undoes or redoes a change. */
  set(change: { kind: Kind; id: string }, to: Tables[Kind] | undefined): void {
    if (to === undefined) this.drop(change.kind, change.id);
    else this.put(change.kind, to);
  }

  /** What must change for these tables to become `next`. */
  differences(next: ObjectTables): Change[] {
    const changes: Change[] = [];
    for (const kind of kinds) {
      for (const before of this.list(kind)) {
        if (next.get(kind, before.ID) === undefined) changes.push({ kind, id: before.ID, before });
      }
      for (const after of next.list(kind)) {
        const before = this.get(kind, after.ID);
        if (!isDeepStrictEqual(before, after)) changes.push({ kind, id: after.ID, ...(before && { before }), after });
      }
    }
    return changes;
  }

  private unindex(kind: Kind, object: Tables[Kind]): void {
    if (named.has(kind)) this.names.delete(`${kind}/${nameOf(object as Tables[Named])}`);
    if (kind === 'Service') for (const port of ingressPorts(object as Service)) this.ports.delete(port);
    if (kind === 'Task') {
      leave(this.byService, (object as Task).ServiceID, object.ID);
      leave(this.byNode, (object as Task).NodeID, object.ID);
    }
  }

  /** Tasks of a service mostly have one spec; they share it, so that 100,000 tasks cost what their differences cost. */
  private shareSpec(task: Task): Task {
    for (const sibling of this.tasksOfService(task.ServiceID)) {
      const shared: TaskSpec | null = sibling.Spec;
      if (shared !== task.Spec && isDeepStrictEqual(shared, task.Spec)) return { ...task, Spec: shared };
      return task;
    }
    return task;
  }
}

function nameOf(object: Tables[Named]): string {
  return object.Spec?.Name ?? '';
}

function member<V>(groups: Map<string, Map<string, V>>, key: string): Map<string, V> {
  let group = groups.get(key);
  if (group === undefined) {
    group = new Map();
    groups.set(key, group);
  }
  return group;
}

function leave<V>(groups: Map<string, Map<string, V>>, key: string, id: string): void {
  const group = groups.get(key);
  group?.delete(id);
  if (group?.size === 0) groups.delete(key);
}

/** `protocol/port` of each port a service publishes in ingress mode, asked for or allocated. */
export function ingressPorts(service: Service): string[] {
  const asked = service.Spec?.EndpointSpec?.Ports ?? [];
  const allocated = service.Endpoint?.Ports ?? [];
  const keys = [...asked, ...allocated]
    .filter((port) => port.PublishedPort !== 0 && port.PublishMode !== 'host')
    .map((port) => `${port.Protocol || 'tcp'}/${port.PublishedPort}`);
  return [...new Set(keys)];
}
