import { isDeepStrictEqual } from 'node:util';
import type { Service, Task, TaskSpec } from '../model/types.js';
import { Sharing } from './sharing.js';
import type { Kind, Tables, View } from './view.js';

const specsKept = 4; // of a service: what runs, what an update brings, what it rolls back to, and one to spare

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
  private readonly specs = new Map<string, TaskSpec[]>(); // by service, the newest first
  private readonly highest: { Node: number | undefined; Network: number | undefined } = { Node: 0, Network: 0 }; // undefined: to be looked up
  private readonly sharing = new Sharing();
  private readonly twins = new WeakMap<TaskSpec, TaskSpec>(); // the tasks of one entry come with one spec: it is compared once

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

  /** Id of the object with the name, as `nameKey` writes it. */
  holderOfName(key: string): string | undefined {
    return this.names.get(key);
  }

  /** Id of the service that publishes the port in ingress mode. */
  holderOfPort(port: string): string | undefined {
    return this.ports.get(port);
  }

  /** The highest number of any node, or any network, that is there; 0 when none is. */
  highestNumber(kind: 'Node' | 'Network'): number {
    let highest = this.highest[kind];
    if (highest === undefined) {
      highest = 0;
      for (const object of this.objects[kind].values()) highest = Math.max(highest, object.Number);
      this.highest[kind] = highest;
    }
    return highest;
  }

  /** Adds or replaces an object, and gives what is kept: the same, sharing what it has in common with others. */
  put<K extends Kind>(kind: K, object: Tables[K]): Tables[K] {
    if (kind === 'Task') return this.putTask(object as Task) as Tables[K];
    const before = this.get(kind, object.ID);
    if (before !== undefined) this.unindex(kind, before);
    this.objects[kind].set(object.ID, object); // an id that is there keeps its place in the order
    if (kind === 'Node' || kind === 'Network') this.rememberNumber(kind, (object as Tables['Node' | 'Network']).Number);
    const name = nameKey(kind, object);
    if (name !== undefined) this.names.set(name, object.ID);
    if (kind === 'Service') for (const port of ingressPorts(object as Service)) this.ports.set(port, object.ID);
    return object;
  }

  private rememberNumber(kind: 'Node' | 'Network', number: number): void {
    const highest = this.highest[kind];
    if (highest !== undefined && number > highest) this.highest[kind] = number;
  }

  private putTask(task: Task): Task {
    const Spec = this.sharedSpec(task);
    const kept = Spec === task.Spec ? task : { ...task, Spec };
    const before = this.objects.Task.get(kept.ID);
    if (before?.Labels === kept.Labels) this.sharing.status(kept);
    else this.sharing.whole(kept);
    if (before !== undefined) {
      // What changed last comes last of its service and node, which is the order that the simulations have tried plans in.
      leave(this.byService, before.ServiceID, before.ID);
      leave(this.byNode, before.NodeID, before.ID);
    }
    this.objects.Task.set(kept.ID, kept);
    member(this.byService, kept.ServiceID).set(kept.ID, kept);
    if (kept.NodeID !== '') member(this.byNode, kept.NodeID).set(kept.ID, kept);
    return kept;
  }

  drop(kind: Kind, id: string): void {
    const before = this.get(kind, id);
    if (before === undefined) return;
    this.unindex(kind, before);
    this.objects[kind].delete(id);
  }

  private unindex(kind: Kind, object: Tables[Kind]): void {
    const name = nameKey(kind, object);
    if (this.names.get(name ?? '') === object.ID) this.names.delete(name as string);
    if (kind === 'Service')
      for (const port of ingressPorts(object as Service)) {
        if (this.ports.get(port) === object.ID) this.ports.delete(port); // a later put of the same commit may have it
      }
    if (kind === 'Node' || kind === 'Network') {
      const number = (object as Tables['Node' | 'Network']).Number;
      if (number === this.highest[kind]) this.highest[kind] = undefined;
    }
    if (kind === 'Task') {
      this.leaveService(object as Task);
      leave(this.byNode, (object as Task).NodeID, object.ID);
    }
  }

  /** Tasks of a service mostly have one of a few specs; they share it, so that 100,000 tasks cost what their differences cost. */
  sharedSpec({ ServiceID, Spec }: Task): TaskSpec | null {
    if (Spec === null) return null;
    const known = this.specs.get(ServiceID) ?? [];
    if (known.includes(Spec)) return Spec;
    const twin = this.twins.get(Spec);
    const same = twin !== undefined && known.includes(twin) ? twin : known.find((one) => isDeepStrictEqual(one, Spec));
    if (same !== undefined) {
      this.twins.set(Spec, same);
      return same;
    }
    this.specs.set(ServiceID, [Spec, ...known.slice(0, specsKept - 1)]);
    return Spec;
  }

  private leaveService({ ServiceID, ID }: Task): void {
    leave(this.byService, ServiceID, ID);
    if (!this.byService.has(ServiceID)) this.specs.delete(ServiceID);
  }
}

/** What an object's name is known by; undefined of the kinds whose names may repeat. */
export function nameKey(kind: Kind, object: Tables[Kind]): string | undefined {
  if (kind === 'Task' || kind === 'Node') return undefined;
  return `${kind}/${(object as Exclude<Tables[Kind], Task>).Spec?.Name ?? ''}`;
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
