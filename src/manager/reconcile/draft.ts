import type { Network, Service, Task, TaskSpec, TaskStatus, TransactionInit } from '../../model/types.js';
import { isWanted } from '../../scheduler/fleet.js';
import type { Wanted } from '../../scheduler/group.js';
import { bytes_max, type Content, entriesOf, operations_max, type TaskChange, taskBytes } from './entries.js';

/** A task that the plan brings into being; its node is chosen at the end of the pass. */
export interface Birth {
  task: Task;
  wanted: Omit<Wanted, 'id'>;
}

/**
 * A plan is cut off where it would be more entries than this; what is left follows in the next. Each plan looks at all tasks of its services,
 * so one entry a plan would cost a service of 100,000 tasks fifty such looks; and for as long as a plan is being carried out nothing else is
 * planned, some 0.2 s for each entry, nor does this manager do anything else while it makes the plan.
 */
const entries_max = 3;

/** The plan as it grows: every task and service at most once, turned into transactions at the end. */
export class Draft {
  /** Set once something was left out for want of room. */
  cut = false;
  readonly #births = new Map<string, Birth>();
  readonly wakes = new Map<string, number>();
  readonly waiting = new Set<string>();
  readonly paced = new Set<string>();
  readonly #changes = new Map<string, TaskChange>();
  readonly #removed = new Map<string, Task>();
  readonly #services = new Map<string, { before: Service; after: Service }>();
  readonly #checkedServices = new Map<string, Service>();
  readonly #networks: Network[] = [];
  readonly #checkedNodes = new Map<string, number>();
  #current = '';
  #bytes = 0;
  readonly #specBytes = new Map<TaskSpec, number>(); // tasks of a service mostly share one

  /** What comes next is planned for this service. */
  begin(serviceID: string): void {
    this.#current = serviceID;
  }

  /** Whether there is room for more; if not, notes that the plan is not whole. */
  hasRoom(): boolean {
    return this.#fits(this.#services.has(this.#current) ? 1 : entries_max);
  }

  /** Whether the service's object may still change in this plan: all that is done for it then goes into the first entry, with that. */
  mayWriteService(): boolean {
    return this.#services.has(this.#current) || this.#fits(1);
  }

  #fits(entries: number): boolean {
    if (this.size < entries * operations_max && this.#bytes < entries * bytes_max) return true;
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
    this.#checkedNodes.set(id, version);
  }

  wake(serviceID: string, at: number): void {
    this.wakes.set(serviceID, Math.min(at, this.wakes.get(serviceID) ?? at));
  }

  /** Whether the task exists and is wanted to run once the plan is applied. */
  keepsWanted(task: Task): boolean {
    if (this.#removed.size > 0 && this.#removed.has(task.ID)) return false;
    const DesiredState = this.#changes.size === 0 ? undefined : this.#changes.get(task.ID)?.fields.DesiredState;
    return isWanted(DesiredState === undefined ? task : { DesiredState, Status: task.Status });
  }

  /** How much was put into the draft: tells whether a step added anything. */
  get size(): number {
    return this.#births.size + this.#changes.size + this.#removed.size;
  }

  /** The whole as entries of Raft's log, in order; none when nothing changes. */
  transactions(now: number): TransactionInit[] {
    const content: Content = {
      services: [...this.#services.values()],
      networks: this.#networks,
      removed: [...this.#removed.values()],
      changes: [...this.#changes.values()],
      births: Array.from(this.births, ({ task }) => task),
      checkedServices: this.#checkedServices,
      checkedNodes: this.#checkedNodes,
      bytesOf: (spec) => this.#specBytes.get(spec) ?? 0,
    };
    return entriesOf(content, now);
  }

  #weigh(task: Task): void {
    const { Spec } = task;
    this.#bytes += taskBytes(task);
    if (Spec === null || this.#specBytes.has(Spec)) return;
    const bytes = JSON.stringify(Spec).length;
    this.#specBytes.set(Spec, bytes);
    this.#bytes += bytes;
  }

  #changeOf(task: Task): TaskChange {
    let change = this.#changes.get(task.ID);
    if (change === undefined) {
      this.#weigh(task);
      change = { task, fields: {} };
      this.#changes.set(task.ID, change);
    }
    return change;
  }
}
