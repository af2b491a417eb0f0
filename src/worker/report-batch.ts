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

/** Gathers what is to be reported: of several states of one task only the last is told. */
export class ReportBatch {
  private readonly statuses = new Map<string, TaskStatus>();
  private cancel: (() => void) | undefined;
  private isUrgent = false;
  private sent_ms = Number.NEGATIVE_INFINITY;
  private stopped = false;

  constructor(
    private readonly clock: Clock,
    private readonly send: (reports: { taskID: string; status: TaskStatus }[]) => void,
  ) {}

  /** `running` and what comes after it is told at once, unless the last batch was a moment ago, with all that was gathered. */
  add(taskID: string, status: TaskStatus): void {
    if (this.stopped) return;
    this.statuses.set(taskID, status);
    const isUrgent = rankOf(status.State) >= rankOf('running');
    if (this.cancel !== undefined && (this.isUrgent || !isUrgent)) return;
    this.cancel?.();
    this.isUrgent = isUrgent;
    const urgent_ms = Math.max(0, this.sent_ms + between_ms_min - this.clock.monotonic());
    this.cancel = this.clock.after(isUrgent ? urgent_ms : onTheWay_ms_max, () => this.flush());
  }

  /** Nothing more is sent. */
  stop(): void {
    this.stopped = true;
    this.cancel?.();
  }

  /** Sends what is gathered now, without waiting for more. */
  flush(): void {
    this.cancel?.();
    this.cancel = undefined;
    if (this.statuses.size === 0) return;
    this.sent_ms = this.clock.monotonic();
    const reports = [...this.statuses].map(([taskID, status]) => ({ taskID, status }));
    this.statuses.clear();
    this.send(reports);
  }
}
