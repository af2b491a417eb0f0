import { isFinal, rankOf } from '../../model/states.js';
import type { ProgressLine } from '../base/progress-lines.js';
import type { ReplicatedJob, Service, Task } from '../base/wire.js';

const bars_max = 20; // more lines than that tell nobody anything
const progressStates = [
  'new',
  'allocated',
  'pending',
  'assigned',
  'accepted',
  'preparing',
  'ready',
  'starting',
  'running',
];
/** A job's run goes one further. */
const runStates = [...progressStates, 'complete'];
const longestState = Math.max(...progressStates.map((state) => state.length));
const idLength = 12;

export interface Convergence {
  readonly lines: ProgressLine[];
  readonly converged: boolean;
}

/** Where every slot of a replicated service stands on the screen; kept from one look to the next. */
export type Slots = Map<number, number>;

/**
 * How far a service is from what it should be: `tasks` are those of its current spec, `activeNodes` the nodes that are not down.
 * `rollback`: it is on its way back to its previous spec.
 */
export function convergenceOf(
  service: Service,
  tasks: readonly Task[],
  activeNodes: ReadonlySet<string>,
  slots: Slots,
  rollback: boolean,
): Convergence {
  const mode = service.Spec?.Mode ?? {};
  if (mode.ReplicatedJob) return replicatedJob(runsOf(service, tasks), mode.ReplicatedJob);
  if (mode.GlobalJob) return globalJob(runsOf(service, tasks));
  if (mode.Global) return global(tasks, activeNodes, rollback);
  return replicated(tasks, activeNodes, slots, mode.Replicated?.Replicas ?? 1, rollback);
}

function replicated(
  tasks: readonly Task[],
  activeNodes: ReadonlySet<string>,
  slots: Slots,
  replicas: number,
  rollback: boolean,
): Convergence {
  const current = foremost(tasks, (task) => String(task.Slot ?? 0));
  const lines: ProgressLine[] = [];
  let running = 0;
  for (const task of [...current.values()].sort((a, b) => (a.Slot ?? 0) - (b.Slot ?? 0))) {
    if (isUnreachable(task, activeNodes)) continue;
    const slot = task.Slot ?? 0;
    if (!slots.has(slot)) slots.set(slot, slots.size + 1);
    const place = slots.get(slot)!;
    if (isUp(task)) running++;
    if (replicas <= bars_max && place <= replicas) lines.push(...taskLine(`${place}/${replicas}`, task, rollback));
  }
  return { lines: [overall(running, replicas, rollback), ...lines], converged: running === replicas };
}

function global(tasks: readonly Task[], activeNodes: ReadonlySet<string>, rollback: boolean): Convergence {
  const placed = tasks.filter((task) => task.NodeID && !isUnreachable(task, activeNodes));
  const current = foremost(placed, (task) => task.NodeID ?? '');
  // Which nodes a service is for only its tasks tell, and they are made all at once.
  if (current.size === 0)
    return { lines: [{ id: 'overall progress', text: 'waiting for new tasks' }], converged: false };
  const running = [...current.values()].filter(isUp).length;
  const lines =
    current.size > bars_max
      ? []
      : [...current].flatMap(([node, task]) => taskLine(node.slice(0, idLength), task, rollback));
  return { lines: [overall(running, current.size, rollback), ...lines], converged: running === current.size };
}

/** Tasks of the job's present iteration. */
function runsOf(service: Service, tasks: readonly Task[]): Task[] {
  const iteration = service.JobStatus?.JobIteration?.Index ?? 0;
  return tasks.filter((task) => (task.JobIteration?.Index ?? 0) === iteration);
}

function replicatedJob(tasks: readonly Task[], mode: ReplicatedJob): Convergence {
  const total = mode.TotalCompletions ?? 1;
  const most = mode.MaxConcurrent ?? total;
  const runs = latest(tasks, (task) => task.Slot ?? 0);
  const complete = runs.filter(([, task]) => task.Status?.State === 'complete').length;
  const active = runs.filter(([, task]) => !isFinal(task.Status?.State ?? '')).length;
  const padded = (count: number) => String(count).padStart(String(most).length);
  return {
    lines: [
      jobLine(complete, total),
      { id: 'active tasks', text: `${padded(active)} out of ${padded(Math.min(total - complete, most))} tasks` },
      ...(total > bars_max ? [] : runs.map(([slot, task]) => runLine(`${slot + 1}/${total}`, task))),
    ],
    converged: complete >= total,
  };
}

function globalJob(tasks: readonly Task[]): Convergence {
  const runs = latest(tasks, (task) => task.NodeID ?? '');
  if (runs.length === 0) return { lines: [{ id: 'job progress', text: 'waiting for tasks' }], converged: false };
  const complete = runs.filter(([, task]) => task.Status?.State === 'complete').length;
  const bars = runs.length > bars_max ? [] : runs.map(([node, task]) => runLine(node, task));
  return { lines: [jobLine(complete, runs.length), ...bars], converged: complete === runs.length };
}

function jobLine(complete: number, total: number): ProgressLine {
  const text = `${String(complete).padStart(String(total).length)} out of ${total} complete`;
  return { id: 'job progress', text };
}

/** In order of their slots or nodes; of several in one the one that is least far, which runs again what failed. */
function latest<K extends string | number>(tasks: readonly Task[], keyOf: (task: Task) => K): [K, Task][] {
  const byKey = new Map<K, Task>();
  for (const task of tasks) {
    const other = byKey.get(keyOf(task));
    if (other === undefined || rankOf(task.Status?.State ?? '') < rankOf(other.Status?.State ?? ''))
      byKey.set(keyOf(task), task);
  }
  return [...byKey].sort(([left], [right]) => (left < right ? -1 : 1));
}

function runLine(id: string, task: Task): ProgressLine {
  if (task.Status?.Err) return { id, text: task.Status.Err };
  const state = task.Status?.State ?? '';
  return { id, text: state.padEnd(longestState), bar: { at: runStates.indexOf(state) + 1, of: runStates.length } };
}

/** Of the tasks of one slot (or node) the one that counts: the one meant to run, and of two such the newer, which is less far along. */
function foremost(tasks: readonly Task[], keyOf: (task: Task) => string): Map<string, Task> {
  const byKey = new Map<string, Task>();
  for (const task of tasks) {
    const other = byKey.get(keyOf(task));
    if (other === undefined || isBefore(task, other)) byKey.set(keyOf(task), task);
  }
  return byKey;
}

function isBefore(task: Task, other: Task): boolean {
  const wanted = rankOf(task.DesiredState ?? '') - rankOf(other.DesiredState ?? '');
  if (wanted !== 0) return wanted < 0;
  return rankOf(task.Status?.State ?? '') < rankOf(other.Status?.State ?? '');
}

function isUnreachable(task: Task, activeNodes: ReadonlySet<string>): boolean {
  return Boolean(task.NodeID) && !activeNodes.has(task.NodeID ?? '');
}

function isUp(task: Task): boolean {
  return !isFinal(task.DesiredState ?? '') && task.Status?.State === 'running';
}

function taskLine(id: string, task: Task, rollback: boolean): ProgressLine[] {
  if (task.Status?.Err) return [{ id, text: task.Status.Err }];
  const state = task.Status?.State ?? '';
  if (isFinal(task.DesiredState ?? '') || isFinal(state)) return [];
  const step = progressStates.indexOf(state) + 1;
  const at = rollback ? progressStates.length - step : step;
  return [{ id, text: state.padEnd(longestState), bar: { at, of: progressStates.length } }];
}

function overall(running: number, wanted: number, rollback: boolean): ProgressLine {
  return {
    id: 'overall progress',
    text: `${rollback ? 'rolling back update: ' : ''}${running} out of ${wanted} tasks`,
  };
}
