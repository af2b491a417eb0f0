import { timestamp } from '../model/clock.js';
import { messageOf, ShoalError } from '../model/errors.js';
import { isAfter, isFinal, rankOf } from '../model/states.js';
import type { Task, TaskStatus } from '../model/types.js';
import { Backoff } from './backoff.js';
import type { Container, ContainerEvent, ContainerSummary } from './container.js';
import { stopGrace_ms } from './container-config.js';
import { TaskContainer } from './task-container.js';
import { statusOf, tellsMore, unreported } from './task-status.js';
import { type Goal, goalOf, isUp, laterGoal, nextStep, type Seen, type Step } from './task-step.js';
import type { Workplace } from './workplace.js';

const retryFirst_ms = 500;
const retry_ms_max = 30_000;

/**
 * Brings one task from accepted to its end, one step at a time (task-step.ts says which). It goes by what is there, never by what it
 * remembers to have done: a call that got no answer is followed by a look.
 */
export class TaskController {
  private readonly own: TaskContainer;
  private status: TaskStatus;
  private goal: Goal;
  private seen: Seen;
  /** Why the task cannot go on; '' while it can. */
  private fault = '';
  private paused: boolean;
  private ended = false;
  private walking = false;
  private walk: Promise<void> = Promise.resolve();
  /** What was heard since the last look began: it found something older if one of these does not agree with it. */
  private heard: ((found: Container | undefined) => boolean)[] = [];
  private cancelRetry: (() => void) | undefined;
  private readonly unwanted = new AbortController();
  private readonly backoff: Backoff;

  /** `seen`: undefined of a task that cannot have a container yet. `paused`: the engine cannot be used now. */
  constructor(
    private readonly task: Task,
    private readonly place: Workplace,
    start: { seen: Seen; paused: boolean },
  ) {
    this.own = new TaskContainer(task, place);
    this.status = task.Status ?? unreported;
    this.goal = goalOf(task);
    if (!isUp(this.goal)) this.unwanted.abort();
    this.seen = start.seen;
    this.paused = start.paused;
    this.backoff = new Backoff(place.random, retryFirst_ms, retry_ms_max);
    this.proceed();
  }

  /** How long its container may take to stop, while it is not at its end. */
  get openGrace_ms(): number | undefined {
    return isFinal(this.status.State) ? undefined : stopGrace_ms(this.task);
  }

  // ---------------------------------------------------------------- what comes in

  /** The assignment as it is now. */
  update(task: Task): void {
    if (task.Status && isFinal(task.Status.State) && isAfter(task.Status.State, this.status.State)) {
      this.status = task.Status; // the managers ended it without us: what still runs must stop
      this.place.files.forget(task.ID);
    }
    this.aim(goalOf(task));
  }

  /** The task is no longer assigned: nothing of it may stay. */
  release(): void {
    this.aim('forgotten');
  }

  observe(event: ContainerEvent): void {
    if (this.walking) this.heard.push((found) => agrees(found, event));
    const container = this.seen;
    if (container === undefined || container === 'unknown' || container.id !== event.id) return;
    if (event.kind === 'start' && container.phase !== 'running' && !this.walking) this.seen = 'unknown';
    if (event.kind === 'health') this.seen = { ...container, health: event.health };
    if (event.kind === 'die') {
      this.seen = { ...container, phase: 'exited', started: true, exitCode: event.exitCode, health: '', pid: 0 };
    }
    if (event.kind === 'destroy') this.seen = undefined;
    this.proceed();
  }

  /** What a full look at the engine showed of the task's container. What differs from what was known is looked at closely. */
  looked(summary: ContainerSummary | undefined): void {
    if (this.walking) this.heard.push((found) => isSame(found, summary));
    else if (!isSame(this.seen, summary)) this.seen = 'unknown';
    this.paused = false;
    this.retry();
  }

  /** The engine cannot be used: nothing is done until the next look. */
  pause(): void {
    this.paused = true;
  }

  /** Ends the controller and leaves the container as it is. Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.ended = true;
    this.unwanted.abort();
    this.cancelRetry?.();
    await this.walk;
  }

  /** Tells the managers again if they know less. */
  reportAgain(known: TaskStatus | null): void {
    if (known === null || tellsMore(this.status, known)) this.place.changed(this.task.ID, this.status);
  }

  // ---------------------------------------------------------------- the walk

  private aim(goal: Goal): void {
    this.goal = laterGoal(this.goal, goal);
    if (!isUp(this.goal)) this.unwanted.abort();
    this.proceed();
  }

  private retry(): void {
    this.cancelRetry?.();
    this.cancelRetry = undefined;
    this.proceed();
  }

  private proceed(): void {
    if (this.walking || this.cancelRetry !== undefined) return;
    this.walking = true;
    this.walk = this.takeSteps();
  }

  private async takeSteps(): Promise<void> {
    try {
      while (!this.ended && !this.paused) {
        const step = this.next();
        if (step === 'wait') return;
        try {
          await this.take(step);
          if (step !== 'look') this.backoff.reset(); // a look comes after every failure
        } catch (error) {
          if (!this.meet(step, error)) return;
        }
      }
    } finally {
      this.walking = false; // in the same turn as the decision to stop: an event that comes next starts a new walk
    }
  }

  private judge(): void {
    const { seen } = this;
    if (seen === undefined || seen === 'unknown' || this.fault !== '') return;
    this.fault = seen.health === 'unhealthy' ? 'task: unhealthy container' : this.own.mismatch(seen);
  }

  private next(): Step {
    this.judge();
    const { seen } = this;
    return nextStep(this.status.State, this.goal, seen, this.fault);
  }

  private async take(step: Step): Promise<void> {
    switch (step) {
      case 'accept':
        return this.reach('accepted');
      case 'prepare':
        return this.reach('preparing');
      case 'prepared':
        return this.reach('ready');
      case 'begin':
        return this.reach('starting');
      case 'running':
        return this.reach('running');
      case 'shutdown':
        return this.reach('shutdown');
      case 'fail':
        return this.reach(rankOf(this.status.State) < rankOf('starting') ? 'rejected' : 'failed', this.fault);
      case 'lost':
        return this.reach('failed', 'task: its container is gone: somebody removed it');
      case 'ended':
        return this.reachExit(this.container());
      case 'look':
        return this.look();
      case 'create':
        this.seen = await this.own.create(this.unwanted.signal);
        return;
      case 'start':
        await this.own.start(this.container(), this.unwanted.signal);
        this.seen = 'unknown';
        return;
      case 'stop':
        if (this.fault !== '') this.withdraw();
        await this.own.stop(this.container());
        if (this.seen !== undefined && this.container().phase === 'running') this.seen = 'unknown'; // its event is late
        return;
      case 'remove':
        await this.own.remove(this.container());
        this.seen = undefined;
        return;
      case 'done':
        this.ended = true;
        return this.place.gone(this.task.ID);
      case 'wait':
        return;
    }
  }

  /** A step did not succeed. Whether the walk goes on at once; else it does after a pause. */
  private meet(step: Step, error: unknown): boolean {
    if (this.ended) return false;
    const refused = !(error instanceof ShoalError && error.code === 'unavailable');
    if (refused && (step === 'create' || step === 'start')) {
      this.fault = step === 'start' ? `starting container failed: ${messageOf(error)}` : messageOf(error);
      if (step === 'start') this.seen = 'unknown';
      return true;
    }
    this.seen = 'unknown'; // it may have had its effect
    if (step === 'create' && this.unwanted.signal.aborted) return true; // a pull that was given up
    const pause_ms = this.backoff.next_ms();
    const what = { task: this.task.ID, step, error: messageOf(error), pause_ms: Math.round(pause_ms) };
    this.place.log.warn('a step of a task did not succeed and is tried again', what);
    this.cancelRetry = this.place.clock.after(pause_ms, () => this.retry());
    return false;
  }

  private async look(): Promise<void> {
    const found = await this.own.look(() => {
      this.heard = [];
    });
    this.seen = this.heard.every((agree) => agree(found)) ? found : 'unknown';
    this.judge();
    if (this.status.State !== 'running' || this.fault !== '') return;
    if (this.seen === 'unknown' || this.seen?.phase !== 'running') return;
    if (tellsMore(this.statusAt('running', ''), this.status)) this.reach('running'); // adopted, or its ports moved
  }

  /** Nobody shall connect any more to what is stopped for a fault of its own, which may take its whole stop grace. */
  private withdraw(): void {
    if (this.status.Addresses.length === 0) return;
    this.status = { ...this.status, Addresses: [], Timestamp: timestamp(this.place.clock) };
    this.place.changed(this.task.ID, this.status);
  }

  private reach(state: string, error = ''): void {
    this.status = this.statusAt(state, error);
    if (isFinal(state)) this.place.files.forget(this.task.ID);
    this.place.changed(this.task.ID, this.status);
  }

  private reachExit({ exitCode, error }: Container): void {
    if (exitCode === 0) this.reach('complete');
    else this.reach('failed', `task: non-zero exit (${exitCode})${error === '' ? '' : `: ${error}`}`);
  }

  private statusAt(state: string, error: string): TaskStatus {
    const container = this.seen === 'unknown' ? undefined : this.seen;
    const now = { state, error, container, timestamp: timestamp(this.place.clock) };
    return statusOf(this.task, this.status, now, this.place.node);
  }

  /** The container that a step is about: nextStep asks for these steps only when there is one. */
  private container(): Container {
    if (this.seen === undefined || this.seen === 'unknown') throw new ShoalError('internal', 'there is no container');
    return this.seen;
  }
}

/** Whether what a look found is what the event told of. The usual event, of our own start, comes while the look is under way. */
function agrees(found: Container | undefined, event: ContainerEvent): boolean {
  if (found === undefined) return event.kind === 'destroy';
  if (found.id !== event.id) return true;
  if (event.kind === 'start') return found.started;
  if (event.kind === 'die') return found.phase === 'exited';
  return event.kind === 'health' && found.health === event.health;
}

function isSame(seen: Seen, summary: ContainerSummary | undefined): boolean {
  if (seen === 'unknown') return false;
  return seen?.id === summary?.id && seen?.phase === summary?.phase && (seen?.health ?? '') === (summary?.health ?? '');
}
