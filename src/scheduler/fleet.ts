import { isFinal, rankOf } from '../model/states.js';
import type { GenericResource, Node, Task } from '../model/types.js';
import { type Demand, demandOf } from './demand.js';
import { GenericStock } from './generic.js';

const running = rankOf('running');

/** Whether a task is one that the cluster wants to run, now or once it may start. That of a job is, until it has ended. */
export function isWanted(task: Pick<Task, 'DesiredState' | 'Status'>): boolean {
  const desired = rankOf(task.DesiredState);
  if (task.DesiredState === 'complete') return !isFinal(task.Status?.State ?? '');
  return desired >= 0 && desired <= running;
}

/** One node and what it has left, kept up to date while a wave of tasks is placed. */
export class Candidate {
  /** Takes new tasks: ready and active. */
  readonly open: boolean;
  /** Tasks on the node that the cluster wants to run, of any service. */
  tasks = 0;
  nanoCPUs: number;
  memory_bytes: number;
  readonly generic: GenericStock;
  /** Times each host port is taken: two while a task that leaves still holds the port its successor was given. */
  readonly #hostPorts = new Map<string, number>();

  constructor(
    readonly node: Node,
    readonly index: number,
  ) {
    const resources = node.Description?.Resources;
    this.open = node.Status?.State === 'ready' && (node.Spec?.Availability || 'active') === 'active';
    this.nanoCPUs = resources?.NanoCPUs ?? 0;
    this.memory_bytes = resources?.MemoryBytes ?? 0;
    this.generic = new GenericStock(resources?.GenericResources ?? []);
  }

  hasResources(demand: Demand): boolean {
    return (
      (demand.nanoCPUs === 0 || demand.nanoCPUs <= this.nanoCPUs) &&
      (demand.memory_bytes === 0 || demand.memory_bytes <= this.memory_bytes) &&
      (demand.generic.length === 0 || this.generic.has(demand.generic))
    );
  }

  hasHostPorts(demand: Demand): boolean {
    return demand.hostPorts.length === 0 || demand.hostPorts.every((port) => !this.#hostPorts.has(port));
  }

  /** Takes what a new task demands and says which generic resources it got. */
  claim(demand: Demand): GenericResource[] {
    const generic = demand.generic.length === 0 ? [] : this.generic.take(demand.generic);
    this.#take(demand, 1);
    this.tasks++;
    return generic;
  }

  /** Books a task that is already on the node: its resources until it has ended, its place in the count while it is wanted. */
  book(task: Task, wanted: boolean): void {
    if (wanted) this.tasks++;
    if (!isFinal(task.Status?.State ?? '')) this.hold(task);
  }

  hold(task: Task): void {
    this.#take(demandOf(task.Spec), 1);
    if (task.AssignedGenericResources.length > 0) this.generic.remove(task.AssignedGenericResources);
  }

  /** Undoes `hold`. */
  release(task: Task): void {
    this.#take(demandOf(task.Spec), -1);
    if (task.AssignedGenericResources.length > 0) this.generic.giveBack(task.AssignedGenericResources);
  }

  #take(demand: Demand, sign: 1 | -1): void {
    this.nanoCPUs -= sign * demand.nanoCPUs;
    this.memory_bytes -= sign * demand.memory_bytes;
    if (demand.hostPorts.length === 0) return;
    for (const port of demand.hostPorts) {
      const holders = (this.#hostPorts.get(port) ?? 0) + sign;
      if (holders === 0) this.#hostPorts.delete(port);
      else this.#hostPorts.set(port, holders);
    }
  }
}

/** All nodes of the cluster with what is on them: what `place` chooses from and uses up. */
export class Fleet {
  readonly candidates: readonly Candidate[];
  readonly #byID = new Map<string, Candidate>();

  /** `encryptedNetworks`: ids of those that only nodes can carry which can encrypt. */
  constructor(
    nodes: Iterable<Node>,
    readonly encryptedNetworks: ReadonlySet<string> = new Set(),
  ) {
    this.candidates = Array.from(nodes, (node, index) => new Candidate(node, index));
    for (const candidate of this.candidates) this.#byID.set(candidate.node.ID, candidate);
  }

  get(nodeID: string): Candidate | undefined {
    return this.#byID.get(nodeID);
  }

  /** Books a task that has a node; one whose node is gone, or that has none, takes up nothing. */
  book(task: Task, wanted: boolean): void {
    if (task.NodeID !== '') this.#byID.get(task.NodeID)?.book(task, wanted);
  }
}
