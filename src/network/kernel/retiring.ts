import type { Logger } from 'winston';
import type { Clock } from '../../model/clock.js';
import { messageOf } from '../../model/errors.js';
import type { Destinations } from './destinations.js';
import { type Flow, flows, forget } from './flows.js';
import type { KernelTools } from './tools.js';

/** How often connections to what has left rotation are looked at. */
const look_ms = 500;
/** A connection on which the task spoke last is idle after this long, as it is for the user-space plane. */
const idle_ms = 1_000;
/** One that was quiet from the first look on: who spoke last was not seen, and an answer may be on its way for a while. */
const unknownIdle_ms = 3_000;
/** A UDP client that goes on without a pause is led elsewhere all the same: there is no end to wait for. */
const datagrams_ms_max = 5_000;
/** Beyond any stop grace that makes sense, what is still connected is no longer waited for. */
const forgotten_ms = 15 * 60_000;

interface Watched {
  asked_bytes: number;
  answered_bytes: number;
  since_ms: number;
  /** Who sent what was seen to come last. */
  last: 'client' | 'task' | 'unknown';
}

/**
 * What the kernel still carries to tasks that have left rotation. Established TCP connections are never touched; those that are just being made
 * are made to go elsewhere, and so are UDP clients once they were answered.
 */
export class Retiring {
  private readonly destinations = new Map<string, { taskID: string; since_ms: number }>();
  private readonly watched = new Map<string, Watched>();
  private busy: ReadonlySet<string> = new Set();
  private looking: Promise<void> | undefined;
  private cancelLook: () => void = () => {};
  private readonly listeners = new Set<() => void>();
  private isClosed = false;

  constructor(private readonly options: { tools: KernelTools; clock: Clock; log: Logger }) {}

  /** Rules that lead to `after` have taken the place of those that led to `before`. Resolves once it is known who is busy. */
  async replaced(before: Destinations, after: Destinations): Promise<void> {
    const since_ms = this.options.clock.monotonic();
    let isNew = false;
    for (const [destination, taskID] of before) {
      if (after.has(destination)) continue;
      this.destinations.set(destination, { taskID, since_ms });
      isNew = true;
    }
    for (const destination of after.keys()) this.destinations.delete(destination);
    if (!isNew) return;
    await this.looking; // which may have begun before the rules changed
    await this.look();
  }

  busyTasks(): readonly string[] {
    return [...this.busy];
  }

  /** Calls back when `busyTasks` shrank; the result stops it. */
  onReleased(call: () => void): () => void {
    this.listeners.add(call);
    return () => this.listeners.delete(call);
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.cancelLook();
    await this.looking;
  }

  private look(): Promise<void> {
    this.cancelLook();
    this.looking ??= this.lookNow().finally(() => {
      this.looking = undefined;
    });
    return this.looking;
  }

  private async lookNow(): Promise<void> {
    const { tools, clock, log } = this.options;
    try {
      const now = clock.monotonic();
      const busy = new Set<string>();
      const seen = new Set<string>();
      for (const flow of await flows(tools)) {
        const retired = this.destinationOf(flow);
        if (retired === undefined) continue;
        seen.add(flow.key);
        if (await this.isBusy(flow, now, retired.since_ms)) busy.add(retired.taskID);
      }
      for (const key of this.watched.keys()) if (!seen.has(key)) this.watched.delete(key);
      this.forgetOld(busy, now);
      this.setBusy(busy);
    } catch (error) {
      log.warn('connections to tasks that leave could not be looked at', { reason: messageOf(error) });
    }
    if (this.destinations.size > 0 && !this.isClosed) {
      this.cancelLook = clock.after(look_ms, () => void this.look());
    }
  }

  private destinationOf({ protocol, address, port }: Flow): { taskID: string; since_ms: number } | undefined {
    return this.destinations.get(`${protocol} ${address} ${port}`) ?? this.destinations.get(address);
  }

  /** A destination without connections is done with: nothing new is led there. */
  private forgetOld(busy: ReadonlySet<string>, now: number): void {
    for (const [destination, { taskID, since_ms }] of this.destinations) {
      const isOver = now - since_ms >= look_ms && !busy.has(taskID);
      if (isOver || now - since_ms > forgotten_ms) this.destinations.delete(destination);
    }
  }

  private setBusy(busy: ReadonlySet<string>): void {
    const before = this.busy;
    this.busy = busy;
    if ([...before].some((taskID) => !busy.has(taskID))) for (const call of this.listeners) call();
  }

  private async isBusy(flow: Flow, now: number, since_ms: number): Promise<boolean> {
    const { tools } = this.options;
    const isDatagrams = flow.protocol === 'udp';
    if (isDatagrams ? this.mayMove(flow, now, since_ms) : flow.state === 'SYN_SENT') {
      // Of TCP nobody has answered: when the client asks again, it is led elsewhere.
      await forget(tools, flow);
      return false;
    }
    if (isDatagrams) return true;
    if (!openStates.has(flow.state)) return false;
    const { last, since_ms: quietSince_ms } = this.watch(flow, now);
    if (flow.state !== 'ESTABLISHED' || last === 'client') return true;
    return now - quietSince_ms < (last === 'task' ? idle_ms : unknownIdle_ms);
  }

  /** A UDP client: at once if it was never answered, else once every question has its answer, or it is quiet. */
  private mayMove(flow: Flow, now: number, since_ms: number): boolean {
    if (flow.isUnanswered || flow.answered >= flow.asked || now - since_ms > datagrams_ms_max) return true;
    return now - this.watch(flow, now).since_ms >= idle_ms;
  }

  private watch({ key, asked_bytes, answered_bytes }: Flow, now: number): Watched {
    const known = this.watched.get(key);
    const hasAsked = known?.asked_bytes !== asked_bytes;
    const hasAnswered = known?.answered_bytes !== answered_bytes;
    if (known !== undefined && !hasAsked && !hasAnswered) return known;
    const last = hasAsked && hasAnswered ? 'unknown' : hasAnswered ? 'task' : 'client';
    const watched: Watched = { asked_bytes, answered_bytes, since_ms: now, last };
    this.watched.set(key, watched);
    return watched;
  }
}

/** Those in which one side or both may still have something to say. */
const openStates = new Set(['SYN_RECV', 'ESTABLISHED', 'FIN_WAIT', 'CLOSE_WAIT']);
