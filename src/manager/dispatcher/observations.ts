import type { Logger } from 'winston';
import type { Clock } from '../../model/clock.js';
import { messageOf } from '../../model/errors.js';
import type { Node, NodeDescription, NodeReport, TaskReport } from '../../model/types.js';
import type { Proposer, View } from '../../store/view.js';
import { described, nodeState, silentNode } from './node-state.js';
import { Reports } from './reports.js';
import { descriptionFrom, statusFrom } from './said.js';
import type { Session } from './session.js';

export interface ObservationsOptions {
  store: View;
  proposer: Proposer;
  clock: Clock;
  log: Logger;
}

/** What nodes say of themselves and their tasks, and what their silence says, on its way into the replicated state. */
export class Observations {
  private readonly reports: Reports;
  /** Epochs in which nodes were found lost: that is news once, however long the declaration takes. */
  private readonly lostIn = new Map<string, number>();

  constructor(private readonly options: ObservationsOptions) {
    this.reports = new Reports(options.proposer, options.clock, options.log);
  }

  /** A node speaks for its own tasks only. */
  task(nodeID: string, { TaskID, Status }: TaskReport): void {
    const { store, clock, log } = this.options;
    const [task, node] = [store.get('Task', TaskID), store.get('Node', nodeID)];
    if (task?.NodeID !== nodeID || node === undefined) return;
    const seen = statusFrom(Status, task, node, clock);
    if (seen !== undefined) this.reports.addTask(TaskID, seen.status, seen.size_bytes);
    else log.warn('a report that cannot be used', { node: nodeID, task: TaskID, state: Status?.State.slice(0, 30) });
  }

  node({ nodeID, epoch }: Session, { Description: said, EngineError }: NodeReport): void {
    const node = this.options.store.get('Node', nodeID);
    const known = node?.Status ?? null;
    if (known === null) return;
    let Description: NodeDescription | null;
    try {
      Description = said && described(descriptionFrom(said, 'NodeReport.Description'), node?.Description);
    } catch (error) {
      this.options.log.warn('a report that cannot be used', { node: nodeID, reason: messageOf(error) });
      return;
    }
    const Status = { ...known, ...nodeState(EngineError), SessionEpoch: epoch };
    this.reports.addNode({ ID: nodeID, Description, Status });
  }

  /** Nobody hears of the node any more. May be told again until it is declared down. */
  lost({ ID, Status, Description }: Node): void {
    const epoch = Status?.SessionEpoch ?? 0;
    if (this.lostIn.get(ID) !== epoch) {
      this.lostIn.set(ID, epoch);
      this.options.log.warn('a node is down', { node: ID, hostname: Description?.Hostname });
    }
    this.reports.addNode({ ID, Status: { ...Status, ...silentNode } });
  }

  /** Forgets what is on its way: the nodes tell it anew in their next sessions. */
  clear(): void {
    this.lostIn.clear();
    this.reports.clear();
  }

  stop(): void {
    this.reports.stop();
  }
}
