import type { Logger } from 'winston';
import type { Clock } from '../../model/clock.js';
import { messageOf } from '../../model/errors.js';
import type { Destinations } from './destinations.js';
import { type Flow, flows, forget, forgetAll } from './flows.js';
import type { KernelTools } from './tools.js';

/** How often connections to what has left rotation are looked at. */
const look_ms = 500;
/** A connection on which the task spoke last is idle after this long, as it is for the user-space plane. */
const idle_ms = 1_000;
/** One that was quiet from the first look on: who spoke last was not seen, and an answer may be on its way for a while. */
const unknownIdle_ms = 3_000;
/** A UDP client that goes on without a pause is led elsewhere all the same: there is no end to wait for. */
const datagrams_ms_max = 5_000;
/**
 * A connection on which question and answer went on in so many looks since its task left will not end before its server is told to
 * stop: nothing is gained by waiting. Until then its client was told to end it, where that is possible (last-answer.ts).
 */
const exchanges_max = 4;
/** Beyond any stop grace that makes sense, what is still connected is no longer waited for. */
const forgotten_ms = 15 * 60_000;
/** Nor is what could not be looked at for this long. */
const unseen_ms_max = 60_000;
/** Each connection that is made to go elsewhere costs a process: of one destination so many a look, or all of them in one. */
const singles_max = 8;
/** Calls of `conntrack -D` a look: a change of routes waits for them. */
const calls_max = 32;

interface Watched {
  asked_bytes: number;
  answered_bytes: number;
  since_ms: number;
  /** Who sent what was seen to come last. */
  last: 'client' | 'task' | 'unknown';
  /** Looks between which both sides spoke. */
  exchanges: number;
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
  private isBlind = false;

  constructor(private readonly options: { tools: KernelTools; clock: Clock; log: Logger }) {}

  /** Rules that lead to `after` have taken the place of those that led to `before`. Resolves once it is known who is busy. */
  async replaced(before: Destinations, after: Destinations): Promise<void> {
    const since_ms = this.options.clock.monotonic();
    let isNew = false;
    for (const [destination, { taskID }] of before) {
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

  /** Whether there is something to wait for. */
  get isWatching(): boolean {
    return this.destinations.size > 0;
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
      const moves = new Map<string, Moves>();
      for (const flow of await flows(tools, this.addresses())) {
        const retired = this.destinationOf(flow);
        if (retired === undefined) continue;
        seen.add(flow.key);
        const verdict = this.judge(flow, now, retired.since_ms);
        if (verdict === 'busy') busy.add(retired.taskID);
        const key = `${flow.protocol} ${flow.address} ${flow.port}`;
        const ofIt = moves.get(key) ?? { taskID: retired.taskID, flows: [], isAll: true };
        moves.set(key, ofIt);
        if (verdict === 'moves') ofIt.flows.push(flow);
        else if (flow.protocol === 'udp') ofIt.isAll = false;
      }
      for (const taskID of await this.move([...moves.values()])) busy.add(taskID);
      for (const key of this.watched.keys()) if (!seen.has(key)) this.watched.delete(key);
      this.forgetOld(busy, now);
      this.setBusy(busy);
      this.isBlind = false;
    } catch (error) {
      if (!this.isBlind) log.warn('connections to tasks that leave cannot be looked at', { reason: messageOf(error) });
      this.isBlind = true;
      this.forgetUnseen();
    }
    if (this.destinations.size > 0 && !this.isClosed) {
      this.cancelLook = clock.after(look_ms, () => void this.look());
    }
  }

  /** Of whoever has left rotation: a destination is an address, or a protocol, an address and a port. */
  private addresses(): Set<string> {
    return new Set([...this.destinations.keys()].map((destination) => destination.split(' ')[1] ?? destination));
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

  private forgetUnseen(): void {
    const now = this.options.clock.monotonic();
    for (const [destination, { since_ms }] of this.destinations) {
      if (now - since_ms >= unseen_ms_max) this.destinations.delete(destination);
    }
    const watched = new Set([...this.destinations.values()].map(({ taskID }) => taskID));
    this.setBusy(new Set([...this.busy].filter((taskID) => watched.has(taskID))));
  }

  private setBusy(busy: ReadonlySet<string>): void {
    const before = this.busy;
    this.busy = busy;
    if ([...before].some((taskID) => !busy.has(taskID))) for (const call of this.listeners) call();
  }

  private judge(flow: Flow, now: number, since_ms: number): 'busy' | 'idle' | 'moves' {
    // Of TCP nobody has answered: when the client asks again, it is led elsewhere.
    if (flow.protocol === 'udp') return this.mayMove(flow, now, since_ms) ? 'moves' : 'busy';
    if (flow.state === 'SYN_SENT') return 'moves';
    if (!openStates.has(flow.state)) return 'idle';
    const { last, since_ms: quietSince_ms, exchanges } = this.watch(flow, now);
    if (exchanges >= exchanges_max) return 'idle';
    if (flow.state !== 'ESTABLISHED' || last === 'client') return 'busy';
    return now - quietSince_ms < (last === 'task' ? idle_ms : unknownIdle_ms) ? 'busy' : 'idle';
  }

  /** Lets the kernel forget them, as many as one look may. The tasks of the others, whose turn comes with the next. */
  private async move(moves: readonly Moves[]): Promise<Set<string>> {
    const { tools } = this.options;
    const left = new Set<string>();
    let calls = 0;
    for (const { taskID, flows, isAll } of moves) {
      const isOneCall = isAll && flows.length > singles_max;
      const now = isOneCall ? flows.slice(0, 1) : flows.slice(0, singles_max);
      for (const flow of now) {
        if (this.isClosed || calls >= calls_max) {
          left.add(taskID);
          break;
        }
        calls += 1;
        await (isOneCall ? forgetAll(tools, flow) : forget(tools, flow));
      }
      if (!isOneCall && flows.length > now.length) left.add(taskID);
    }
    return left;
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
    const exchanges = known === undefined ? 0 : known.exchanges + (hasAsked && hasAnswered ? 1 : 0);
    const watched: Watched = { asked_bytes, answered_bytes, since_ms: now, last, exchanges };
    this.watched.set(key, watched);
    return watched;
  }
}

/** Connections to one destination that shall go elsewhere. */
interface Moves {
  taskID: string;
  flows: Flow[];
  /** No other of its kind leads there: of UDP none waits for an answer, of TCP those being made are told apart by their state. */
  isAll: boolean;
}

/** Those in which one side or both may still have something to say. */
const openStates = new Set(['SYN_RECV', 'ESTABLISHED', 'FIN_WAIT', 'CLOSE_WAIT']);
