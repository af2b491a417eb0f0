import { complete } from '../../model/codec.js';
import { ShoalError } from '../../model/errors.js';
import type { Random } from '../../model/random.js';
import { isFinal, rankOf } from '../../model/states.js';
import type { OperationInit, Service, Task, UpdateConfig } from '../../model/types.js';
import { encodeTransaction } from '../../store/entry.js';
import { Store } from '../../store/store.js';
import { othersTurn } from '../../store/turns.js';
import type { Commit, View } from '../../store/view.js';
import { Agenda } from '../agenda.js';
import { reconcile } from '../reconcile/reconcile.js';

// An update of thousands of tasks, one at a time, is imagined step by step only so far: every step looks at all of them.
const steps_max = 60;
const looks_max = 100_000; // at tasks, some 2 µs each
/** After that the rest is imagined at once; this many steps more do for any service there can be. */
const lumpedSteps_max = 200;

/**
 * A copy of the cluster in which time passes at once: plans are made by `reconcile` as the leader makes them, workers do what they
 * are told, and every task that is started runs (one of a job: to its end).
 */
export class Imagination {
  readonly store: Store;
  /** Steps taken: plans that started, placed or stopped something. */
  steps = 0;
  /** The step from which on updates and jobs went all at once; 0: none did. */
  lumpedFrom = 0;
  unfinished = false;
  /** Services that were looked at. */
  readonly planned = new Set<string>();
  /** Tasks that came into being, as they were last seen. */
  readonly born = new Map<string, Task>();
  /** At which step a task was born, placed at last, or told to stop. */
  readonly startedAt = new Map<string, number>();
  readonly stoppedAt = new Map<string, number>();
  readonly #agenda = new Agenda();
  readonly #random: Random;
  #now: number;
  #moving = new Set<string>();
  #looks = 0;

  /** `view`: the cluster as it is, of which nothing changes. `now`: milliseconds since 1970. */
  constructor(view: View, now: number, random: Random) {
    this.store = Store.copyOf(view);
    this.#random = random;
    this.#now = now;
    this.#agenda.take(now); // only what follows from the change is looked at
    const waiting = new Set<string>();
    for (const task of view.list('Task')) if (task.NodeID === '') waiting.add(task.ServiceID);
    const paced = new Set(Array.from(view.list('Service'), ({ ID }) => ID)); // any of them may be in the middle of an update
    this.#agenda.keep(new Set(), { transactions: [], waiting, wakes: new Map(), paced, left: new Set() });
    this.store.watch((commit) => this.#note(commit));
  }

  /** Makes the change and lets happen what follows from it. Throws what the store would refuse the change for. */
  async run(operations: readonly OperationInit[]): Promise<void> {
    this.#commit(operations, 'api');
    for (let plans = 0; ; plans++) {
      const due = this.#agenda.take(this.#now);
      if (due !== undefined) this.#plan(due === 'all' ? this.planned : due);
      const moved = this.#work();
      if (due === undefined && !moved) {
        const wake = this.#agenda.nextWake();
        if (wake === undefined) return;
        this.#now = Math.max(this.#now, wake);
      }
      const steps = this.lumpedFrom === 0 ? plans : plans - steps_max;
      if (this.lumpedFrom === 0 && (steps >= steps_max || this.#looks > looks_max)) this.#lump();
      else if (steps >= lumpedSteps_max) {
        this.unfinished = true;
        return;
      }
      await othersTurn();
    }
  }

  #plan(due: Set<string>): void {
    for (const id of due) {
      const isNew = !this.planned.has(id);
      this.planned.add(id);
      for (const task of this.store.tasksOfService(id)) {
        this.#looks++;
        if (isNew) this.#moving.add(task.ID);
      }
    }
    const plan = reconcile(this.store, this.#now, this.#random, due);
    this.#agenda.keep(due, plan);
    if (plan.transactions.length === 0) return;
    this.steps++;
    const before = this.startedAt.size + this.stoppedAt.size;
    for (const { Operations } of plan.transactions) this.#commit(Operations ?? [], 'reconcile');
    if (this.startedAt.size + this.stoppedAt.size === before) this.steps--; // only restated what there is
  }

  /** Takes every task as far as its worker may. Whether any moved. */
  #work(): boolean {
    const moving = this.#moving;
    this.#moving = new Set();
    const operations: OperationInit[] = [];
    for (const id of moving) {
      const task = this.store.get('Task', id);
      const State = task === undefined ? undefined : this.#nextState(task);
      if (State === undefined) continue;
      const Timestamp = new Date(this.#now).toISOString();
      operations.push({ Action: 'observe', Task: { ID: id, Status: { ...task!.Status, State, Timestamp } } });
    }
    if (operations.length > 0) this.#commit(operations, 'dispatcher');
    return operations.length > 0;
  }

  #nextState(task: Task): string | undefined {
    const state = task.Status?.State ?? '';
    const worker = this.store.get('Node', task.NodeID)?.Status?.State;
    if (isFinal(state) || worker !== 'ready') return undefined;
    if (rankOf(task.DesiredState) >= rankOf('shutdown')) return 'shutdown';
    if (task.DesiredState === 'ready') return rankOf(state) < rankOf('ready') ? 'ready' : undefined;
    if (state !== 'running') return 'running';
    return task.DesiredState === 'complete' ? 'complete' : undefined;
  }

  /** From now on what goes by parts goes at once. */
  #lump(): void {
    this.lumpedFrom = this.steps + 1;
    for (const id of this.planned) {
      const service = this.store.get('Service', id);
      if (service !== undefined) this.#commit([{ Action: 'update', ID: id, Service: atOnce(service) }], 'api');
    }
  }

  #commit(operations: readonly OperationInit[], origin: string): void {
    const transaction = { Operations: [...operations], Origin: origin, Time: new Date(this.#now).toISOString() };
    const verdict = this.store.apply(this.store.index + 1, encodeTransaction(transaction));
    if (!verdict.ok) throw new ShoalError(verdict.code, verdict.message);
  }

  #note(commit: Commit): void {
    this.#agenda.note(commit, this.store);
    for (const change of commit.changes) {
      if (change.kind !== 'Task') continue;
      this.#noteTask(change.before as Task | undefined, change.after as Task | undefined);
    }
  }

  #noteTask(before: Task | undefined, after: Task | undefined): void {
    const { ID: id } = (after ?? before)!;
    if (after !== undefined) {
      this.#moving.add(id);
      if (before === undefined || this.born.has(id)) this.born.set(id, after);
      if (before === undefined || before.NodeID !== after.NodeID) this.startedAt.set(id, this.steps);
    }
    const wasUp = before !== undefined && rankOf(before.DesiredState) < rankOf('shutdown');
    const isUp = after !== undefined && rankOf(after.DesiredState) < rankOf('shutdown');
    if (wasUp && !isUp) this.stoppedAt.set(id, this.steps);
  }
}

function atOnce(service: Service): Service {
  const spec = service.Spec;
  const all = (config: UpdateConfig | null) => complete('UpdateConfig', { ...config, Parallelism: 0, Delay: 0 });
  const job = spec?.Mode?.ReplicatedJob;
  return {
    ...service,
    Spec: spec && {
      ...spec,
      UpdateConfig: all(spec.UpdateConfig),
      RollbackConfig: all(spec.RollbackConfig),
      Mode: job ? { ...spec.Mode!, ReplicatedJob: { ...job, MaxConcurrent: job.TotalCompletions } } : spec.Mode,
    },
  };
}
