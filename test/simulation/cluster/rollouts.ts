import assert from 'node:assert/strict';
import { isAfter, isFinal } from '../../../src/model/states.js';
import type { Node, Service, Task, UpdateConfig } from '../../../src/model/types.js';
import type { Commit, View } from '../../../src/store/view.js';
import { qualifies } from './placement.js';

// What must hold of updates and restarts, said anew and simply: nothing of src/manager/reconcile is used.

/** Past its stop grace, a predecessor that will not end holds its successor up for a minute and no longer. */
const patience_ms = 60_000;
const stopGrace_ms = 10_000;
/** Entries that may come between what a plan is made from and the plan. */
const plansUnderWay_max = 10;

/**
 * How many tasks run at once: of a slot never more than the order of updates allows, and of slots never more are under way to a new
 * specification than its parallelism allows. To be told every commit of every manager; each entry is looked at once.
 */
export class Rollouts {
  private seen = 0;
  /** Entry in which a node last was down: a plan may have been made just before it came back. */
  private readonly downAt = new Map<string, number>();
  /** By task: the entry that told that it runs. */
  private readonly runsSince = new Map<string, number>();
  /** Entry in which a service's order last allowed a successor to start first. */
  private readonly startFirstAt = new Map<string, number>();
  /** Successors that the update gave to slots that served, until they run: by task, their service. */
  private readonly underWay = new Map<string, string>();
  /** By service: the parallelism that those under way were allowed, which may have been lowered since. */
  private readonly mostAllowed = new Map<string, number>();
  /** By service: number of the change that it went back to by itself. */
  private readonly wentBackTo = new Map<string, string | undefined>();
  /** Tasks that were let run while one before them had not ended in all the time that it has. */
  private readonly impatient = new Set<string>();
  readonly counts = { handovers: 0, steps: 0 };

  check(view: View, { index, changes, origin, time }: Commit): void {
    if (index <= this.seen) return;
    this.seen = index;
    if (origin === 'snapshot') return; // what happened in between is not seen
    const before = new Map<string, Task | undefined>();
    const services = new Map<string, boolean>(); // whether the update took a step in this entry
    for (const change of changes) {
      if (change.kind === 'Node' && isDown(change.before as Node | undefined)) this.downAt.set(change.id, index);
      if (change.kind === 'Service') this.noteService(change.after as Service | undefined, index);
      if (change.kind !== 'Task') continue;
      before.set(change.id, change.before as Task | undefined);
      const [was, is] = [change.before as Task | undefined, change.after as Task | undefined];
      if (is?.Status?.State === 'running' && was?.Status?.State !== 'running') this.runsSince.set(change.id, index);
      services.set(((change.after ?? change.before) as Task).ServiceID, false);
    }
    for (const [id, was] of before) {
      const task = view.get('Task', id);
      if (task !== undefined && shallRun(task) && !(was !== undefined && shallRun(was))) {
        this.checkTurn(view, index, task, Date.parse(time));
      }
      if (task !== undefined && was === undefined && this.noteStep(view, index, task, before)) {
        services.set(task.ServiceID, true);
      }
    }
    for (const [id, hasStepped] of services) {
      const service = view.get('Service', id);
      if (service !== undefined) this.checkParallelism(view, index, service, hasStepped);
    }
  }

  private noteService(service: Service | undefined, index: number): void {
    if (service === undefined) return;
    if (service.UpdateStatus?.Message.startsWith('update rolled back')) {
      this.wentBackTo.set(service.ID, service.Spec?.Labels.change);
    }
    const allows = [service.Spec?.UpdateConfig, service.Spec?.RollbackConfig].some(
      (config) => config?.Order === 'start-first',
    );
    if (allows || this.startFirstAt.get(service.ID) === Number.POSITIVE_INFINITY) {
      this.startFirstAt.set(service.ID, allows ? Number.POSITIVE_INFINITY : index);
    }
  }

  /** Whether the service is what it went back to by itself, as an update failed. */
  wentBack({ ID, Spec }: Service): boolean {
    return this.wentBackTo.has(ID) && this.wentBackTo.get(ID) === Spec?.Labels.change;
  }

  /** A task is let run: what was in its slot before has stopped, or may run beside it. */
  private checkTurn(view: View, index: number, task: Task, now_ms: number): void {
    if (task.DesiredState !== 'running') return; // a job's
    this.counts.handovers++;
    const others = [...view.tasksOfService(task.ServiceID)].filter(
      (other) => other.ID !== task.ID && slotOf(other) === slotOf(task) && other.DesiredState !== 'remove',
    );
    const live = others.filter((other) => mayRun(view, other) && !this.wasJustDown(index, other.NodeID));
    const wanted = live.filter(shallRun);
    const told_ms = (other: Task) => now_ms - Date.parse(other.UpdatedAt);
    const isOutwaited = (other: Task) => !shallRun(other) && told_ms(other) >= graceOf(other) + patience_ms;
    if (live.some(isOutwaited)) this.impatient.add(task.ID);
    const leaving = live.filter((other) => !shallRun(other) && !isOutwaited(other));
    const most = this.isStartedFirst(task) ? 1 : 0;
    const why = live.map(({ ID, DesiredState, Status }) => `${ID} is ${Status?.State}, and shall be ${DesiredState}`);
    assert.ok(
      leaving.length === 0 && wanted.length <= most,
      `entry ${index}: ${task.Name} ${task.ID} may run, but ${why}`,
    );
  }

  /** Whether a plan that is carried out now may have taken the node for lost. */
  private wasJustDown(index: number, nodeID: string): boolean {
    return index - (this.downAt.get(nodeID) ?? Number.NEGATIVE_INFINITY) <= plansUnderWay_max;
  }

  /** Whether a plan that is carried out now may have found the task not running yet. */
  private runsOnlyJust(index: number, task: Task): boolean {
    return index - (this.runsSince.get(task.ID) ?? Number.NEGATIVE_INFINITY) <= plansUnderWay_max;
  }

  /** How many of its slot may run while the task starts: what would not end, as time goes for the cluster, is waited for no longer. */
  mostBeside(task: Task): number {
    if (this.impatient.has(task.ID)) return Number.POSITIVE_INFINITY;
    return this.isStartedFirst(task) ? 1 : 0;
  }

  /** Whether the task may start before another of its slot has stopped: updates were so ordered since it was made. */
  private isStartedFirst(task: Task): boolean {
    return (this.startFirstAt.get(task.ServiceID) ?? -1) >= task.BornIndex;
  }

  /** Whether the update put the task in the place of one that served, and could have gone on where it was; notes it if so. */
  private noteStep(view: View, index: number, task: Task, before: ReadonlyMap<string, Task | undefined>): boolean {
    const replaced = before.get(task.ReplacesTaskID) ?? view.get('Task', task.ReplacesTaskID);
    if (replaced === undefined || replaced.SpecVersion === task.SpecVersion || task.JobIteration !== null) return false;
    const node = view.get('Node', replaced.NodeID);
    const served = replaced.Status?.State === 'running' && shallRun(replaced) && keeps(node, replaced, task);
    if (!served || this.wasJustDown(index, replaced.NodeID) || this.runsOnlyJust(index, replaced)) return false;
    this.underWay.set(task.ID, task.ServiceID);
    this.counts.steps++;
    return true;
  }

  /** What fails by itself, or is lost, is not the update's doing: it only must not go on to the next slot meanwhile. */
  private checkParallelism(view: View, index: number, service: Service, hasStepped: boolean): void {
    let slots = 0;
    for (const [id, serviceID] of this.underWay) {
      if (serviceID !== service.ID) continue;
      const task = view.get('Task', id);
      const state = task?.Status?.State ?? '';
      const waits =
        task !== undefined && !isAfter(task.DesiredState, 'running') && state !== 'running' && !isFinal(state);
      if (waits && (task.SpecVersion === service.SpecVersion || !isServed(view, task))) slots++;
      if (waits) continue;
      this.underWay.delete(id);
    }
    const rollsBack = service.UpdateStatus?.State.startsWith('rollback') === true;
    const most = parallelismOf((rollsBack ? service.Spec?.RollbackConfig : service.Spec?.UpdateConfig) ?? null);
    const before = this.mostAllowed.get(service.ID) ?? 0;
    this.mostAllowed.set(service.ID, slots > most ? Math.max(before, most) : most);
    assert.ok(
      !hasStepped || slots <= Math.max(most, before),
      `entry ${index}: ${slots} slots of ${service.Spec?.Name} are under way at once of ${most}`,
    );
  }
}

/** Whether another task of the slot runs: this one was to come after it. */
function isServed(view: View, task: Task): boolean {
  return [...view.tasksOfService(task.ServiceID)].some(
    (other) =>
      other.ID !== task.ID && slotOf(other) === slotOf(task) && shallRun(other) && other.Status?.State === 'running',
  );
}

export function slotOf(task: Task): string {
  const isRun = task.JobIteration !== null && task.OnlyNodeID === '';
  return task.Slot === 0 && !isRun ? task.NodeID || task.OnlyNodeID : String(task.Slot);
}

function shallRun(task: Task): boolean {
  return task.DesiredState === 'running' && !isFinal(task.Status?.State ?? '');
}

/** Whether something of the task may run on a node that can be told to stop it. */
function mayRun(view: View, task: Task): boolean {
  const node = view.get('Node', task.NodeID);
  return node !== undefined && !isDown(node) && !isFinal(task.Status?.State ?? '');
}

function isDown(node: Node | undefined): boolean {
  return node?.Status?.State === 'down';
}

/** Whether the node goes on with the replaced task but for the update. */
function keeps(node: Node | undefined, replaced: Task, successor: Task): boolean {
  if (node?.Status?.State !== 'ready' || node.Spec?.Availability === 'drain') return false;
  return qualifies(node, replaced.Spec) && qualifies(node, successor.Spec);
}

function graceOf(task: Task): number {
  const grace = task.Spec?.ContainerSpec?.StopGracePeriod;
  return grace === undefined ? stopGrace_ms : grace / 1e6;
}

function parallelismOf(config: UpdateConfig | null): number {
  if (config === null) return 1;
  return config.Parallelism === 0 ? Number.POSITIVE_INFINITY : config.Parallelism;
}
