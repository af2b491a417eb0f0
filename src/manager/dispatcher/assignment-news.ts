import { isDeepStrictEqual } from 'node:util';
import type { Cluster, Task } from '../../model/types.js';
import type { View } from '../../store/view.js';
import { type AssignmentLedger, concernsNode, isEmpty } from './assignments.js';
import type { DrainGate } from './drain-gate.js';
import type { Session } from './session.js';

/** A session with a node, and what it was told there. */
export interface Held {
  session: Session;
  ledger: AssignmentLedger;
}

/** Changes of tasks on their way to the nodes that they concern: those with a session here. The others are told all when they come. */
export class AssignmentNews {
  /** Tasks that changed since they were last told of, by the node they are or were on. */
  private readonly changed = new Map<string, Set<string>>();

  constructor(
    private readonly store: View,
    private readonly held: ReadonlyMap<string, Held>,
    private readonly gate: DrainGate,
  ) {}

  learn(before: Task | undefined, after: Task | undefined): void {
    // a report changes nothing for the node, but may end a wait at the gate
    if (!concernsNode(before, after) && !this.gate.isWaiting(after?.ID ?? '')) return;
    for (const task of [before, after]) {
      if (task === undefined || !this.held.has(task.NodeID)) continue;
      const tasks = this.changed.get(task.NodeID);
      if (tasks === undefined) this.changed.set(task.NodeID, new Set([task.ID]));
      else tasks.add(task.ID);
    }
  }

  /** With other keys of encrypted networks each node is looked at. */
  clusterChanged(before: Cluster | undefined, after: Cluster | undefined): void {
    if (isDeepStrictEqual(before?.DataPathKeys, after?.DataPathKeys)) return;
    for (const nodeID of this.held.keys()) if (!this.changed.has(nodeID)) this.changed.set(nodeID, new Set());
  }

  /** Tells each node what has changed for it, in one message. Returns how many nodes there were to look at. */
  tell(): number {
    const { size } = this.changed;
    for (const [nodeID, taskIDs] of this.changed) this.send(nodeID, taskIDs);
    this.changed.clear();
    return size;
  }

  /** Tasks that wait for their drain may be free to stop now. */
  tellWaiting(): void {
    const byNode = new Map<string, string[]>();
    for (const id of this.gate.waitingTasks()) {
      const nodeID = this.store.get('Task', id)?.NodeID ?? '';
      if (!this.held.has(nodeID)) this.gate.forget(id);
      else if (byNode.get(nodeID)?.push(id) === undefined) byNode.set(nodeID, [id]);
    }
    for (const [nodeID, ids] of byNode) this.send(nodeID, ids);
  }

  private send(nodeID: string, taskIDs: Iterable<string>): void {
    const held = this.held.get(nodeID);
    if (held === undefined) return;
    const assignments = held.ledger.changes(this.store, taskIDs);
    if (!isEmpty(assignments)) held.session.send({ Assignments: assignments });
  }
}
