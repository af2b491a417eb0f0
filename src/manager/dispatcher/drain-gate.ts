import { isAfter } from '../../model/states.js';
import type { Task } from '../../model/types.js';

/** How far the sessions of one manager have come. */
export interface Progress {
  /** Every session there has applied the routes of the state up to this index. */
  revision: number;
  /** Tasks outside rotation to which a session there still has open connections. */
  busy: ReadonlySet<string>;
}

/** Docker's default (moby `container.DefaultStopTimeout`): how long a task may take to stop when its spec says nothing. */
export const stopGrace_ms_default = 10_000;

/**
 * Decides when a task may be told to stop: once no node anywhere sends it new connections and none has open ones, or its stop grace
 * is over. Managers of which nothing is known keep the gate closed for `lost_ms`, then they no longer count: their nodes
 * have lost their sessions by then.
 */
export class DrainGate {
  /** Invariant: every manager that counts is in exactly one of `progress` and `silentSince`, and no other is. */
  private readonly progress = new Map<string, Progress>();
  /** Managers that should tell their progress and have not, by when that was noticed. */
  private readonly silentSince = new Map<string, number>();
  /** When each task that waits here began to. */
  private readonly waiting = new Map<string, number>();

  constructor(private readonly lost_ms: () => number) {}

  /** The managers that count, by node id, this one among them. */
  setManagers(nodeIDs: readonly string[], now_ms: number): void {
    const counting = new Set(nodeIDs);
    for (const id of this.progress.keys()) if (!counting.has(id)) this.progress.delete(id);
    for (const id of this.silentSince.keys()) if (!counting.has(id)) this.silentSince.delete(id);
    for (const id of counting) if (!this.counts(id)) this.silentSince.set(id, now_ms);
  }

  /** Word of a manager; of one that does not count it is not listened to. */
  setProgress(nodeID: string, progress: Progress): void {
    if (!this.counts(nodeID)) return;
    this.progress.set(nodeID, progress);
    this.silentSince.delete(nodeID);
  }

  /** Nothing more will be heard of that manager, until it tells its progress anew. */
  lose(nodeID: string, now_ms: number): void {
    if (this.progress.delete(nodeID)) this.silentSince.set(nodeID, now_ms);
  }

  /** Whether the task must be shown to its node as still wanted, though it shall end. One that must is remembered as waiting. */
  holds(task: Task, now_ms: number): boolean {
    const since = this.waiting.get(task.ID) ?? now_ms;
    const isFree = !mustDrain(task) || now_ms - since >= stopGrace_ms(task) || this.isDrained(task, now_ms);
    if (isFree) this.waiting.delete(task.ID);
    else this.waiting.set(task.ID, since);
    return !isFree;
  }

  /** Tasks that wait, to be looked at again after any progress. */
  waitingTasks(): string[] {
    return [...this.waiting.keys()];
  }

  isWaiting(taskID: string): boolean {
    return this.waiting.has(taskID);
  }

  /** The task is gone, or is another manager's to stop. */
  forget(taskID: string): void {
    this.waiting.delete(taskID);
  }

  private counts(nodeID: string): boolean {
    return this.progress.has(nodeID) || this.silentSince.has(nodeID);
  }

  private isDrained(task: Task, now_ms: number): boolean {
    for (const since of this.silentSince.values()) if (now_ms - since < this.lost_ms()) return false;
    const index = task.Version?.Index ?? 0;
    for (const { revision, busy } of this.progress.values()) if (revision < index || busy.has(task.ID)) return false;
    return true;
  }
}

/** A task that runs, has an address that others connect to, and shall end. */
function mustDrain(task: Task): boolean {
  return isAfter(task.DesiredState, 'running') && task.Status?.State === 'running' && task.Status.Addresses.length > 0;
}

function stopGrace_ms(task: Task): number {
  const asked = task.Spec?.ContainerSpec?.StopGracePeriod;
  return asked === undefined ? stopGrace_ms_default : asked / 1e6;
}
