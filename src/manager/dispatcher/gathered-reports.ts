import { isAfter } from '../../model/states.js';
import type { NodeInit, OperationInit, TaskStatus } from '../../model/types.js';

interface Seen {
  status: TaskStatus;
  size_bytes: number;
}

/**
 * What nodes said since the last transaction. Of a task every state that it passed through is kept once, the newest report of each, so
 * that the store sees a task that ran and failed in one moment run; of a node the last word is.
 */
export class GatheredReports {
  private readonly tasks = new Map<string, Seen[]>();
  private readonly nodes = new Map<string, NodeInit>();

  addTask(id: string, status: TaskStatus, size_bytes: number): void {
    const seen = this.tasks.get(id);
    const last = seen?.at(-1);
    if (seen === undefined || last === undefined) this.tasks.set(id, [{ status, size_bytes }]);
    else if (last.status.State === status.State) seen[seen.length - 1] = { status, size_bytes };
    else if (isAfter(status.State, last.status.State)) seen.push({ status, size_bytes });
  }

  addNode(node: NodeInit & { ID: string }): void {
    this.nodes.set(node.ID, node);
  }

  /** Takes out operations of at most about `bytes_max`; none when there is nothing. What nodes said of themselves goes first. */
  take(bytes_max: number): OperationInit[] {
    const operations: OperationInit[] = [...this.nodes.values()].map((Node) => ({ Action: 'observe', Node }));
    this.nodes.clear();
    let left_bytes = bytes_max;
    for (const [id, seen] of this.tasks) {
      if (left_bytes <= 0) break;
      this.tasks.delete(id);
      for (const { status, size_bytes } of seen) {
        operations.push({ Action: 'observe', Task: { ID: id, Status: status } });
        left_bytes -= size_bytes;
      }
    }
    return operations;
  }

  clear(): void {
    this.tasks.clear();
    this.nodes.clear();
  }
}
