import { isFinal, rankOf } from '../../model/states.js';
import type { ProgressLine } from '../base/progress-lines.js';
import type { Service, Task } from '../base/wire.js';

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
  if (mode.ReplicatedJob) return job(service, tasks, mode.ReplicatedJob.TotalCompletions ?? 1);
  if (mode.GlobalJob) return job(service, tasks, new Set(tasks.map((task) => task.NodeID)).size);
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

function job(service: Service, tasks: readonly Task[], total: number): Convergence {
  const iteration = service.JobStatus?.JobIteration?.Index;
  const ours = tasks.filter((task) => iteration === undefined || task.JobIteration?.Index === iteration);
  const complete = ours.filter((task) => task.Status?.State === 'complete').length;
  const active = ours.filter((task) => !isFinal(task.Status?.State ?? '')).length;
  return {
    lines: [
      { id: 'job progress', text: `${complete} out of ${total} complete` },
      { id: 'active tasks', text: `${active} out of ${Math.max(0, total - complete)} tasks` },
    ],
    converged: total > 0 && complete >= total,
  };
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
