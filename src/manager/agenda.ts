import { isDeepStrictEqual } from 'node:util';
import { isFinal } from '../model/states.js';
import type { Cluster, Node, Task } from '../model/types.js';
import type { Change, Commit, View } from '../store/view.js';
import { earliestOf, type Plan } from './reconcile/plan.js';
import { allServices } from './reconcile/reconcile.js';

/** Less than this time goes back by itself, as a clock is slewed. */
const slack_ms = 1_000;

/**
 * Which services the next plan has to look at. Only saves work: what is decided about a service follows from the view alone, and
 * a new leader starts by looking at all of them.
 */
export class Agenda {
  #all = true;
  #due = new Set<string>();
  /** What the plan before had no room for. */
  #left: ReadonlySet<string> = new Set();
  readonly #waiting = new Set<string>();
  readonly #paced = new Set<string>();
  readonly #wakes = new Map<string, number>();
  /** When it was last asked what is due. */
  #asked = Number.NEGATIVE_INFINITY;

  /** Everything is to be looked at. */
  addAll(): void {
    this.#all = true;
  }

  add(services: Iterable<string>): void {
    for (const id of services) this.#due.add(id);
  }

  /** Takes in what an entry changed. */
  note(commit: Commit, view: View): void {
    if (commit.origin === 'snapshot') this.#all = true;
    for (const change of commit.changes) this.#noteChange(change, view);
  }

  /** What is due at `now`, taken off the agenda: ids of services, `'all'`, or undefined for nothing. */
  take(now: number): Set<string> | 'all' | undefined {
    if (now < this.#asked - slack_ms) this.#all = true; // the clock was set: what waits for a time by the former one would wait for long
    this.#asked = now;
    for (const [id, at] of this.#wakes) {
      if (at > now) continue;
      this.#wakes.delete(id);
      this.#due.add(id);
    }
    const due = this.#due;
    for (const id of this.#left) {
      due.delete(id);
      due.add(id); // last: a service that takes many plans does not keep the others waiting
    }
    this.#due = new Set();
    this.#left = new Set();
    if (this.#all) {
      this.#all = false;
      return 'all';
    }
    return due.size === 0 ? undefined : due;
  }

  /** One service of what is due at `now`, to be dealt with alone. */
  takeOne(now: number, view: View): Set<string> | undefined {
    let due = this.take(now);
    if (due === 'all') due = allServices(view);
    const [first, ...rest] = due ?? [];
    this.add(rest);
    return first === undefined ? undefined : new Set([first]);
  }

  /** Puts back what was taken and not dealt with. */
  putBack(taken: Set<string> | 'all'): void {
    if (taken === 'all') this.#all = true;
    else this.add(taken);
  }

  /** Keeps what a plan of `taken` says about later; before it is committed, so that what happens meanwhile counts. */
  keep(taken: Set<string> | 'all', plan: Plan): void {
    if (taken === 'all') {
      this.#waiting.clear();
      this.#paced.clear();
      this.#wakes.clear();
    } else {
      for (const id of taken) {
        this.#waiting.delete(id);
        this.#paced.delete(id);
        this.#wakes.delete(id);
      }
    }
    for (const id of plan.waiting) this.#waiting.add(id);
    for (const id of plan.paced) this.#paced.add(id);
    for (const [id, at] of plan.wakes) this.#wakes.set(id, at);
    this.#left = plan.left;
  }

  /** When the next service is due though nothing changed. */
  nextWake(): number | undefined {
    return earliestOf(this.#wakes.values());
  }

  #noteChange(change: Change, view: View): void {
    switch (change.kind) {
      case 'Service':
        this.#due.add(change.id);
        return;
      case 'Task':
        this.#noteTask(change.before as Task | undefined, change.after as Task | undefined);
        return;
      case 'Node':
        this.#noteNode(change.id, change.before as Node | undefined, change.after as Node | undefined, view);
        return;
      case 'Cluster':
        if (planningPart(change.before as Cluster) !== planningPart(change.after as Cluster)) this.#all = true;
    }
  }

  #noteTask(before: Task | undefined, after: Task | undefined): void {
    const { ServiceID } = (after ?? before)!;
    if (mattersToPlan(before, after, this.#paced.has(ServiceID))) this.#due.add(ServiceID);
    const held = before !== undefined && !isFinal(before.Status?.State ?? '');
    const freed = held && (after === undefined || isFinal(after.Status?.State ?? ''));
    if (freed) this.add(this.#waiting);
  }

  /** A node that changed matters to the services with tasks on it, to those that wait for one, and to those that want all. */
  #noteNode(id: string, before: Node | undefined, after: Node | undefined, view: View): void {
    if (before !== undefined && after !== undefined && isDeepStrictEqual(placingPart(before), placingPart(after)))
      return;
    for (const task of view.tasksOfNode(id)) this.#due.add(task.ServiceID);
    this.add(this.#waiting);
    for (const { ID, Spec } of view.list('Service')) {
      if (Spec?.Mode?.Global != null || Spec?.Mode?.GlobalJob != null) this.#due.add(ID);
    }
  }
}

/**
 * Of reports a plan takes into account that a task has ended, and where something is `paced` by it that one runs which took another's place.
 * The rest, most of all that there is to report, would have every service looked at several times a second while its tasks start, and all
 * services while what ran on a lost node starts elsewhere.
 */
function mattersToPlan(before: Task | undefined, after: Task | undefined, paced: boolean): boolean {
  if (before === undefined || after === undefined || before.Version?.Index !== after.Version?.Index) return true;
  const [was, is] = [before.Status?.State ?? '', after.Status?.State ?? ''];
  if (isFinal(was) !== isFinal(is)) return true;
  return paced && is === 'running' && was !== 'running' && after.ReplacesTaskID !== '';
}

/** What of a node decides whether tasks may come to it and stay. */
function placingPart(node: Node): unknown {
  const { TLSInfo: _, ...description } = node.Description ?? {};
  return [node.Spec, description, node.Status?.State, node.Status?.Addr];
}

function planningPart(cluster: Cluster | undefined): string {
  return JSON.stringify([cluster?.Spec?.Orchestration, cluster?.Spec?.TaskDefaults]);
}
