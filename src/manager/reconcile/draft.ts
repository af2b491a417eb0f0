import type {
  Network,
  OperationInit,
  Service,
  Task,
  TaskSpec,
  TaskStatus,
  TransactionInit,
} from '../../model/types.js';
import { isWanted } from '../../scheduler/fleet.js';
import type { Wanted } from '../../scheduler/group.js';

/** A task that the plan brings into being; its node is chosen at the end of the pass. */
export interface Birth {
  task: Task;
  wanted: Omit<Wanted, 'id'>;
}

/** Changes to tasks that exist, before they become one operation a task. */
interface Change {
  task: Task;
  fields: Partial<Task>;
  status?: TaskStatus;
}

// A plan is cut off where it grows past these; what is left follows in the next. Applying an entry holds up everything else on
// a manager, heartbeats of Raft included: this many tasks take some 0.2 s, well below the shortest election timeout of 1 s.
const operations_max = 2000;
const bytes_max = 2 * 2 ** 20;
/** What a task takes in an entry besides its spec, roughly. */
const taskOverhead_bytes = 300;

/** The plan as it grows: every task and service at most once, turned into one transaction at the end. */
export class Draft {
  /** Set once something was left out for want of room. */
  cut = false;
  readonly #births = new Map<string, Birth>();
  readonly wakes = new Map<string, number>();
  readonly waiting = new Set<string>();
  readonly #changes = new Map<string, Change>();
  readonly #removed = new Map<string, Task>();
  readonly #services = new Map<string, { before: Service; after: Service }>();
  readonly #checkedServices = new Map<string, Service>();
  readonly #networks: Network[] = [];
  readonly #checks: OperationInit[] = [];
  #bytes = 0;
  readonly #specBytes = new Map<TaskSpec, number>(); // tasks of a service mostly share one

  /** Whether there is room for more; if not, notes that the plan is not whole. */
  hasRoom(): boolean {
    if (this.size < operations_max && this.#bytes < bytes_max) return true;
    this.cut = true;
    return false;
  }

  /** Sets desired fields of a task. */
  change(task: Task, fields: Partial<Task>): void {
    const change = this.#changeOf(task);
    change.fields = { ...change.fields, ...fields };
  }

  /** Sets the observed status of a task that no worker reports on. */
  observe(task: Task, status: TaskStatus): void {
    this.#changeOf(task).status = status;
  }

  /** Takes the task's object out of the store. */
  remove(task: Task): void {
    this.#changes.delete(task.ID);
    this.#removed.set(task.ID, task);
  }

  /** Has a task no longer wanted stop; one that never got to a node is taken out at once. */
  stop(task: Task, desired: 'shutdown' | 'remove'): void {
    if (task.NodeID === '') this.remove(task);
    else this.change(task, { DesiredState: desired });
  }

  bear(birth: Birth): void {
    this.#weigh(birth.task);
    this.#births.set(birth.task.ID, birth);
  }

  get births(): Iterable<Birth> {
    return this.#births.values();
  }

  writeService(before: Service, after: Service): void {
    this.#services.set(before.ID, { before: this.#services.get(before.ID)?.before ?? before, after });
  }

  writeNetwork(after: Network): void {
    this.#networks.push(after);
  }

  /** Tasks that the plan takes out of the store. */
  get removed(): Iterable<Task> {
    return this.#removed.values();
  }

  /** Has the plan refused if the service is no longer the one it was made for. */
  checkService(service: Service): void {
    this.#checkedServices.set(service.ID, service);
  }

  checkNode(id: string, version: number): void {
    this.#checks.push({ Action: 'check', Kind: 'Node', ID: id, ExpectedVersion: version });
  }

  wake(serviceID: string, at: number): void {
    this.wakes.set(serviceID, Math.min(at, this.wakes.get(serviceID) ?? at));
  }

  /** Whether the task exists and is wanted to run once the plan is applied. */
  keepsWanted(task: Task): boolean {
    if (this.#removed.has(task.ID)) return false;
    const DesiredState = this.#changes.get(task.ID)?.fields.DesiredState ?? task.DesiredState;
    return isWanted({ DesiredState, Status: task.Status });
  }

  /** How much was put into the draft: tells whether a step added anything. */
  get size(): number {
    return this.#births.size + this.#changes.size + this.#removed.size;
  }

  /** The whole as one transaction; undefined when nothing changes. */
  transaction(now: number): TransactionInit | undefined {
    const operations: OperationInit[] = [];
    for (const { before, after } of this.#services.values()) {
      operations.push({ Action: 'update', ID: after.ID, ExpectedVersion: before.Version?.Index ?? 0, Service: after });
    }
    for (const network of this.#networks) {
      operations.push({
        Action: 'update',
        ID: network.ID,
        ExpectedVersion: network.Version?.Index ?? 0,
        Network: network,
      });
    }
    for (const task of this.#removed.values()) {
      operations.push({ Action: 'remove', Kind: 'Task', ID: task.ID, ExpectedVersion: task.Version?.Index ?? 0 });
    }
    for (const { task, fields, status } of this.#changes.values()) {
      if (Object.keys(fields).length > 0) {
        const expected = task.Version?.Index ?? 0;
        operations.push({ Action: 'update', ID: task.ID, ExpectedVersion: expected, Task: { ...task, ...fields } });
      }
      if (status !== undefined)
        operations.push({ Action: 'observe', ID: task.ID, Task: { ID: task.ID, Status: status } });
    }
    for (const { task } of this.births) operations.push({ Action: 'create', ID: task.ID, Task: task });
    if (operations.length === 0) return undefined;
    return {
      Operations: [...this.#serviceChecks(), ...this.#checks, ...operations],
      Origin: 'reconcile',
      Time: new Date(now).toISOString(),
    };
  }

  #serviceChecks(): OperationInit[] {
    return [...this.#checkedServices.values()]
      .filter((service) => !this.#services.has(service.ID))
      .map((service) => ({
        Action: 'check',
        Kind: 'Service',
        ID: service.ID,
        ExpectedVersion: service.Version?.Index ?? 0,
      }));
  }

  #weigh(task: Task): void {
    let bytes = task.Spec === null ? 0 : this.#specBytes.get(task.Spec);
    if (bytes === undefined) {
      bytes = JSON.stringify(task.Spec).length;
      this.#specBytes.set(task.Spec!, bytes);
    }
    this.#bytes += bytes + taskOverhead_bytes;
  }

  #changeOf(task: Task): Change {
    let change = this.#changes.get(task.ID);
    if (change === undefined) {
      this.#weigh(task);
      change = { task, fields: {} };
      this.#changes.set(task.ID, change);
    }
    return change;
  }
}
