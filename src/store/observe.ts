import { isAfter, isFinal } from '../model/states.js';
import type { Node, NodeStatus, Task, TaskStatus } from '../model/types.js';

/**
 * Merges what a worker saw into a task, forward only: a later state replaces an earlier one, the same state may gain detail, a final
 * state never changes. Undefined when nothing changes. `time` is the transaction's: workers' clocks may be minutes off.
 */
export function observeTask(task: Task, seen: TaskStatus, time: string): Task | undefined {
  const now = task.Status;
  const state = now?.State ?? '';
  if (isFinal(state)) return undefined;
  const forward = isAfter(seen.State, state);
  if (!forward && (seen.State !== state || isOlder(seen, now) || !addsDetail(now, seen))) return undefined;
  const Status: TaskStatus = {
    ...seen,
    ContainerStatus: seen.ContainerStatus ?? now?.ContainerStatus ?? null,
    PortStatus: seen.PortStatus ?? now?.PortStatus ?? null,
    AppliedAt: forward ? time : (now?.AppliedAt ?? time),
    RunningAt: now?.RunningAt || (seen.State === 'running' ? time : ''),
  };
  return { ...task, Status };
}

/** A late report of the same worker, by that worker's clock; texts that are no UTC times of one length are not compared. */
function isOlder(seen: TaskStatus, now: TaskStatus | null): boolean {
  if (now === null || seen.AppliedBy !== now.AppliedBy) return false;
  return utcTime.test(seen.Timestamp) && utcTime.test(now.Timestamp) && seen.Timestamp < now.Timestamp;
}

const utcTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

function addsDetail(now: TaskStatus | null, seen: TaskStatus): boolean {
  if (now === null) return true;
  const shown = (status: TaskStatus) =>
    JSON.stringify([
      status.Message,
      status.Err,
      status.ContainerStatus,
      status.PortStatus,
      status.Addresses,
      status.AppliedBy,
    ]);
  return shown(now) !== shown(seen);
}

/**
 * Merges what was seen of a node. A status with SessionEpoch 0 opens a session, which gets `index` as its epoch; any other one
 * counts only when it is of the session that is open, so what an old session still says is dropped. Undefined when nothing changes.
 */
export function observeNode(node: Node, seen: Node, index: number): Node | undefined {
  const Status = mergeNodeStatus(node.Status, seen.Status, index);
  if (seen.Status !== null && Status === undefined) return undefined; // fenced off, and so is the description beside it
  if (Status === undefined && seen.Description === null) return undefined;
  return { ...node, Status: Status ?? node.Status, Description: seen.Description ?? node.Description };
}

function mergeNodeStatus(now: NodeStatus | null, seen: NodeStatus | null, index: number): NodeStatus | undefined {
  if (seen === null) return undefined;
  if (seen.SessionEpoch === 0) return { ...seen, SessionEpoch: index };
  if (seen.SessionEpoch !== (now?.SessionEpoch ?? 0)) return undefined;
  return seen;
}
