import type { Plan } from '../../src/manager/reconcile/plan.js';
import { reconcile } from '../../src/manager/reconcile/reconcile.js';
import { complete } from '../../src/model/codec.js';
import { newID } from '../../src/model/ids.js';
import { type Random, seededRandom } from '../../src/model/random.js';
import { isFinal } from '../../src/model/states.js';
import type {
  Node,
  NodeInit,
  OperationInit,
  Service,
  ServiceInit,
  ServiceSpecInit,
  SwarmSpecInit,
  Task,
  TaskStatusInit,
  TransactionInit,
} from '../../src/model/types.js';
import { isWanted } from '../../src/scheduler/fleet.js';
import { LocalProposer } from './local-proposer.js';

const start_ms = Date.parse('2030-01-01T00:00:00Z');

/** A store, a clock moved by hand, and workers that do at once what they are told: what reconcile needs to play. */
export class Orchestra {
  now = start_ms;
  readonly random: Random;
  readonly proposer = new LocalProposer();
  /** Nodes whose worker does nothing (it hangs, or is cut off). */
  readonly asleep = new Set<string>();
  /** What becomes of a task that was told to start; running, if it says nothing. */
  fate: (task: Task) => 'running' | 'failed' | 'rejected' | 'complete' = () => 'running';
  /** How many of the plans so far did something. */
  plans = 0;

  constructor(seed = 1, swarm: SwarmSpecInit = {}) {
    this.random = seededRandom(seed);
    this.commit([{ Action: 'create', Cluster: { ID: 'cluster', Spec: { Name: 'default', ...swarm } } }]);
  }

  get store() {
    return this.proposer.store;
  }

  commit(operations: OperationInit[]): void {
    this.apply({ Operations: operations, Origin: 'test', Time: new Date(this.now).toISOString() });
  }

  apply(transaction: TransactionInit): void {
    this.proposer.commit(transaction);
  }

  // ---- what users and managers do

  addNode(id: string, init: NodeInit = {}): Node {
    const node: NodeInit = {
      ID: id,
      Spec: { Role: 'worker', Availability: 'active', ...init.Spec },
      Description: {
        Hostname: id,
        Platform: { OS: 'linux', Architecture: 'x86_64' },
        Resources: { NanoCPUs: 4e9, MemoryBytes: 8 * 2 ** 30 },
        Engine: { EngineVersion: '28.0.0' },
        ...init.Description,
      },
      Status: { State: 'ready', Addr: '10.0.0.1', SessionEpoch: 1, ...init.Status },
    };
    this.commit([{ Action: 'create', Node: node }]);
    return this.node(id);
  }

  addNodes(count: number): void {
    for (let at = 1; at <= count; at++) this.addNode(`node${at}`);
  }

  node(id: string): Node {
    return this.store.get('Node', id)!;
  }

  setNode(id: string, spec: NodeInit['Spec']): void {
    const node = this.node(id);
    this.commit([{ Action: 'update', Node: { ...node, Spec: { ...node.Spec, ...spec } } }]);
  }

  /** Manager marks the node down, or it opens a session again. */
  setNodeState(id: string, state: 'ready' | 'down'): void {
    const node = this.node(id);
    this.commit([{ Action: 'observe', Node: { ID: id, Status: { ...node.Status, State: state } } }]);
    if (state === 'down') this.asleep.add(id);
    else this.asleep.delete(id);
  }

  removeNode(id: string): void {
    this.commit([{ Action: 'remove', Kind: 'Node', ID: id }]);
    this.asleep.add(id);
  }

  create(name: string, replicas: number, spec: ServiceSpecInit = {}): Service {
    const ID = newID(this.random);
    const service: ServiceInit = {
      ID,
      Spec: {
        Name: name,
        Mode: { Replicated: { Replicas: replicas } },
        ...spec,
        TaskTemplate: { ContainerSpec: { Image: 'web:1' }, ...spec.TaskTemplate },
      },
    };
    this.commit([{ Action: 'create', Service: service }]);
    return this.service(name);
  }

  service(name: string): Service {
    return this.store.byName('Service', name)!;
  }

  /** As the API does it: the former spec is kept, and the status of an update starts anew. */
  update(name: string, change: (spec: ServiceSpecInit) => void): void {
    const service = this.service(name);
    const Spec = complete('ServiceSpec', service.Spec!);
    change(Spec);
    this.commit([{ Action: 'update', Service: { ...service, Spec, PreviousSpec: service.Spec, UpdateStatus: null } }]);
  }

  /** `service rollback`, as the API does it: the two specs change places. */
  rollBack(name: string): void {
    const service = this.service(name);
    const UpdateStatus = {
      State: 'rollback_started',
      Message: 'manually requested rollback',
      StartedAt: new Date(this.now).toISOString(),
    };
    const exchanged = { Spec: service.PreviousSpec, PreviousSpec: service.Spec, UpdateStatus };
    this.commit([{ Action: 'update', Service: { ...service, ...exchanged } }]);
  }

  scale(name: string, replicas: number): void {
    this.update(name, (spec) => {
      spec.Mode = { Replicated: { Replicas: replicas } };
    });
  }

  setImage(name: string, image: string): void {
    this.update(name, (spec) => {
      spec.TaskTemplate!.ContainerSpec!.Image = image;
    });
  }

  removeService(name: string): void {
    this.commit([{ Action: 'remove', Kind: 'Service', ID: this.service(name).ID }]);
  }

  // ---- what reconcile and the workers do

  look(): Plan {
    return reconcile(this.store, this.now, this.random);
  }

  /** Plans and commits once. Whether there was anything to do. */
  plan(): boolean {
    const { transactions } = this.look();
    if (transactions.length === 0) return false;
    this.plans++;
    for (const transaction of transactions) this.apply(transaction);
    return true;
  }

  /** Plans until there is nothing to do at this moment. */
  planAll(): void {
    for (let round = 0; this.plan(); round++) if (round > 50) throw new Error('planning does not come to an end');
  }

  report(task: Task, state: string, more: TaskStatusInit = {}): void {
    const Status = { State: state, Timestamp: new Date(this.now).toISOString(), ...more };
    this.commit([{ Action: 'observe', Task: { ID: task.ID, Status } }]);
  }

  /** Every worker takes each of its tasks as far as it may go. Whether any moved. */
  work(): boolean {
    let moved = false;
    for (const task of [...this.store.list('Task')]) {
      if (task.NodeID === '' || this.asleep.has(task.NodeID)) continue;
      const next = this.#nextState(task);
      if (next === undefined) continue;
      this.report(task, next);
      moved = true;
    }
    return moved;
  }

  #nextState(task: Task): string | undefined {
    const state = task.Status?.State ?? '';
    if (isFinal(state)) return undefined;
    if (task.DesiredState === 'shutdown' || task.DesiredState === 'remove') return 'shutdown';
    if (state === 'running') return undefined;
    const fate = this.fate(task);
    if (fate === 'rejected') return 'rejected';
    if (task.DesiredState === 'ready') return state === 'ready' ? undefined : 'ready';
    return state === 'running' ? undefined : fate;
  }

  /** Plans and works, moving the clock where only time helps, until nothing is left to do. */
  settle(rounds_max = 500): void {
    for (let round = 0; round < rounds_max; round++) {
      const planned = this.plan();
      const worked = this.work();
      if (planned || worked) continue;
      const { wakeAt } = this.look();
      if (wakeAt === undefined) return;
      if (wakeAt <= this.now) throw new Error('asks to be woken in the past');
      this.now = wakeAt;
    }
    throw new Error(`not settled after ${rounds_max} rounds`);
  }

  /** Plans and works at this moment until only time would help. */
  settleNow(rounds_max = 200): void {
    for (let round = 0; round < rounds_max; round++) {
      const planned = this.plan();
      const worked = this.work();
      if (!planned && !worked) return;
    }
    throw new Error(`not settled after ${rounds_max} rounds`);
  }

  pass(milliseconds: number): void {
    this.now += milliseconds;
  }

  // ---- what is seen

  tasks(name?: string): Task[] {
    const all = name === undefined ? this.store.list('Task') : this.store.tasksOfService(this.service(name).ID);
    return [...all].sort((a, b) => a.Slot - b.Slot || (a.CreatedAt < b.CreatedAt ? -1 : 1));
  }

  wanted(name?: string): Task[] {
    return this.tasks(name).filter(isWanted);
  }

  /** Tasks that are wanted and run. */
  running(name?: string): Task[] {
    return this.wanted(name).filter((task) => task.Status?.State === 'running');
  }

  /** How many of the tasks are on each node that has any. */
  spread(tasks: readonly Task[]): Map<string, number> {
    const counts = new Map<string, number>();
    for (const task of tasks) counts.set(task.NodeID, (counts.get(task.NodeID) ?? 0) + 1);
    return counts;
  }

  images(tasks: readonly Task[]): string[] {
    return tasks.map((task) => task.Spec?.ContainerSpec?.Image ?? '').sort();
  }
}
