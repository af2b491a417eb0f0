import type { Clock } from '../model/clock.js';
import { rankOf } from '../model/states.js';
import type { TaskStatus } from '../model/types.js';

/**
 * How long a task's steps on its way to running may wait for more news: nobody acts on them, they are there to be looked at, and
 * each batch is a Raft commit, which costs every manager a millisecond of its processor while containers are being started.
 */
const onTheWay_ms_max = 250;
/** From one batch to the next at least: of what comes within a moment, as in a large update, several share a commit. */
const between_ms_min = 20;
/**
 * While the engine has other containers to create or start it is what all wait for, so what a task reached may wait for them: traffic that may
 * begin, the least; a successor that waits for this one's end, which has to be started by an engine that is busy; and what is only counted.
 */
const beside_ms_max = { reachable: 100, ended: 250, counted: 500 };

/** Gathers what is to be reported: of several states of one task only the last is told. */
export class ReportBatch {
  private readonly statuses = new Map<string, TaskStatus>();
  /** Tasks that were said to have addresses. */
  private readonly reachable = new Set<string>();
  private cancel: (() => void) | undefined;
  /** When what was gathered is sent, if nothing comes that is in more of a hurry. */
  private due_ms = Number.POSITIVE_INFINITY;
  /** Something that was gathered waits for nothing but the engine's other work. */
  private hasReached = false;
  private sent_ms = Number.NEGATIVE_INFINITY;
  private stopped = false;

  /** `isBusy`: whether the engine has containers to create or start. */
  constructor(
    private readonly clock: Clock,
    private readonly isBusy: () => boolean,
    private readonly send: (reports: { taskID: string; status: TaskStatus }[]) => void,
  ) {}

  /**
   * `running` and what comes after it is told at once, with all that was gathered, unless the last batch was a moment ago or the engine is
   * busy with others.
   */
  add(taskID: string, status: TaskStatus): void {
    if (this.stopped) return;
    this.statuses.set(taskID, status);
    this.hasReached ||= rankOf(status.State) >= rankOf('running');
    const now_ms = this.clock.monotonic();
    const due_ms = Math.max(now_ms + this.patience_ms(taskID, status), this.sent_ms + between_ms_min);
    if (due_ms >= this.due_ms) return;
    this.cancel?.();
    this.due_ms = due_ms;
    this.cancel = this.clock.after(Math.max(0, due_ms - now_ms), () => this.flush());
  }

  private patience_ms(taskID: string, { State, Addresses }: TaskStatus): number {
    const wasReachable = this.reachable.has(taskID);
    const isReachable = Addresses.length > 0;
    if (isReachable) this.reachable.add(taskID);
    else this.reachable.delete(taskID);
    if (!this.hasReached) return onTheWay_ms_max;
    if (!this.isBusy()) return 0;
    if (rankOf(State) < rankOf('running')) return onTheWay_ms_max;
    if (wasReachable && !isReachable) return 0; // nobody shall connect any more
    if (isReachable) return beside_ms_max.reachable;
    return State === 'running' ? beside_ms_max.counted : beside_ms_max.ended;
  }

  /** Nothing more is sent. */
  stop(): void {
    this.stopped = true;
    this.cancel?.();
  }

  /** Sends what is gathered now, without waiting for more. */
  flush(): void {
    this.cancel?.();
    this.due_ms = Number.POSITIVE_INFINITY;
    this.hasReached = false;
    if (this.statuses.size === 0) return;
    this.sent_ms = this.clock.monotonic();
    const reports = [...this.statuses].map(([taskID, status]) => ({ taskID, status }));
    this.statuses.clear();
    this.send(reports);
  }
}
