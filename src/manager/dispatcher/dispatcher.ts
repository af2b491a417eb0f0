import type { Logger } from 'winston';
import { type Clock, timestamp } from '../../model/clock.js';
import { messageOf, ShoalError } from '../../model/errors.js';
import type { Random } from '../../model/random.js';
import { rankOf } from '../../model/states.js';
import type {
  DispatcherHandlers,
  FromNode,
  Hello,
  ManagerPeersClient,
  ManagerPeersHandlers,
  Node,
  NodeDescription,
  NodeStatusInit,
  Task,
  TaskReport,
} from '../../model/types.js';
import { type RouteChanges, RouteTable } from '../../network/route-table.js';
import type { IdentityOf } from '../../security/identity.js';
import { statusOf } from '../../security/rpc.js';
import type { Store } from '../../store/store.js';
import type { Commit, Proposer } from '../../store/view.js';
import { AssignmentLedger, concernsNode, isEmpty } from './assignments.js';
import { DrainGate } from './drain-gate.js';
import { type ManagerAddress, managersFor } from './managers.js';
import { NodeLiveness, silentMessage } from './node-liveness.js';
import { Peers } from './peers.js';
import { Reports } from './reports.js';
import { Session, type SessionCall } from './session.js';

export interface DispatcherOptions {
  /** Node id of this manager. */
  self: string;
  store: Store;
  proposer: Proposer;
  leadership(): Leadership;
  identityOf: IdentityOf;
  connectPeer(manager: ManagerAddress): ManagerPeersClient;
  clock: Clock;
  random: Random;
  log: Logger;
}

/** Raft's view of the managers, as far as sessions depend on it. */
export interface Leadership {
  hasLeader: boolean;
  leads: boolean;
  managers: readonly ManagerAddress[];
  /** On the leader: milliseconds since each other manager was last heard of, by node id. */
  silence_ms: ReadonlyMap<string, number>;
}

const beatsToLose = 3;
const heartbeat_ms_default = 1_000;

interface Held {
  session: Session;
  ledger: AssignmentLedger;
}

/**
 * The sessions of nodes with this manager. It reads its own copy of the store, so every manager serves; what nodes report goes
 * through Raft. While this manager knows of no leader it serves no session.
 */
export class Dispatcher {
  private readonly sessions = new Map<string, Held>();
  private readonly gate: DrainGate;
  private readonly liveness = new NodeLiveness();
  private readonly peers: Peers;
  private readonly reports: Reports;
  /** Tasks that changed since the last flush by the node they are or were on. */
  private readonly changedTasks = new Map<string, Set<string>>();
  private routes: RouteTable;
  private served = false;
  private flushing = false;
  private stopped = false;
  private readonly ends: (() => void)[] = [];
  private cancelSweep = () => {};
  private toldManagers = '';

  constructor(private readonly options: DispatcherOptions) {
    const { store, clock, log } = options;
    this.gate = new DrainGate(() => this.lost_ms);
    this.reports = new Reports(options.proposer, clock, log);
    this.peers = new Peers({
      ...options,
      connect: options.connectPeer,
      onProgress: (nodeID, progress) => {
        this.gate.setProgress(nodeID, progress);
        this.lookAtWaiting();
      },
      onLost: (nodeID) => this.gate.lose(nodeID, clock.monotonic()),
    });
    this.routes = new RouteTable(store);
    this.ends.push(store.watch((commit) => this.committed(commit)));
    this.leadershipChanged();
    this.sweepLater();
  }

  handlers(): { Dispatcher: DispatcherHandlers; ManagerPeers: ManagerPeersHandlers } {
    return { Dispatcher: { Session: (call) => this.accept(call) }, ManagerPeers: this.peers.handlers() };
  }

  /** To be called after every change of leader or membership. */
  leadershipChanged(): void {
    if (this.stopped) return;
    const { hasLeader, managers } = this.options.leadership();
    if (!hasLeader && this.served) {
      this.reports.clear();
      this.endAll(new ShoalError('no-leader', 'this manager knows of no leader'));
    }
    if (hasLeader !== this.served) this.liveness.reset();
    this.served = hasLeader;
    this.gate.setManagers(
      managers.map((one) => one.nodeID),
      this.options.clock.monotonic(),
    );
    this.peers.setManagers(managers);
    const told = JSON.stringify(managers);
    if (told === this.toldManagers) return;
    this.toldManagers = told;
    for (const { session } of this.sessions.values()) session.send({ Managers: managersFor(session.nodeID, managers) });
  }

  stop(): void {
    this.stopped = true;
    for (const end of this.ends) end();
    this.cancelSweep();
    this.endAll(new ShoalError('unavailable', 'this manager is stopping'));
    this.reports.stop();
    this.peers.close();
  }

  private get heartbeat_ms(): number {
    const period = this.options.store.cluster()?.Spec?.Dispatcher?.HeartbeatPeriod ?? 0;
    return period > 0 ? period / 1e6 : heartbeat_ms_default;
  }

  private get lost_ms(): number {
    return beatsToLose * this.heartbeat_ms;
  }

  // ------------------------------------------------------------ sessions

  private accept(call: SessionCall): void {
    const { nodeID } = this.options.identityOf(call);
    const refuse = (error: ShoalError) => call.emit('error', statusOf(error));
    let held: Held | undefined;
    let greeted = false;
    call.on('error', () => {}); // 'close' follows
    call.on('close', () => this.closed(held));
    call.on('end', () => (held === undefined ? call.end() : held.session.end()));
    call.on('data', (message: FromNode) => {
      if (held !== undefined) {
        this.heard(held, message);
        return;
      }
      if (message.Hello === null || message.Hello === undefined || greeted) {
        if (!greeted) refuse(new ShoalError('invalid-argument', 'Session: the first message must be Hello'));
        return; // between Hello and Welcome nothing counts
      }
      greeted = true;
      this.register(nodeID, message.Hello, call).then(
        (opened) => {
          if (call.cancelled || this.stopped) opened.session.end();
          else held = this.open(opened);
        },
        (error: unknown) => refuse(error instanceof ShoalError ? error : new ShoalError('internal', messageOf(error))),
      );
    });
  }

  /** Makes the session known to the whole cluster; from then on no older one of the node counts. */
  private async register(nodeID: string, hello: Hello, call: SessionCall): Promise<Held> {
    if (!this.options.leadership().hasLeader || this.stopped)
      throw new ShoalError('no-leader', 'this manager knows of no leader');
    const { store, proposer, clock, self } = this.options;
    const Status: NodeStatusInit = {
      ...stateFrom(hello.EngineError),
      Addr: hello.Addr,
      ClusterAddr: hello.ClusterAddr,
      SessionManager: self,
      SessionEpoch: 0, // the store gives it its own
    };
    const { index } = await proposer.propose({
      Operations: [{ Action: 'observe', Node: { ID: nodeID, Description: hello.Description, Status } }],
      Origin: 'dispatcher',
      Time: timestamp(clock),
    });
    const node = store.get('Node', nodeID);
    if (node === undefined) throw new ShoalError('forbidden', `node ${nodeID} is not a member of this cluster`);
    return {
      session: new Session(nodeID, index, call, clock),
      ledger: new AssignmentLedger(nodeID, (task) => this.gate.holds(task, clock.monotonic())),
    };
  }

  private open(held: Held): Held {
    const { store, log } = this.options;
    const { session, ledger } = held;
    this.sessions.get(session.nodeID)?.session.end();
    this.sessions.set(session.nodeID, held);
    const node = store.get('Node', session.nodeID);
    log.info('session opened', { node: session.nodeID, epoch: session.epoch });
    session.send({
      Welcome: {
        NodeID: session.nodeID,
        ClusterID: store.cluster()?.ID ?? '',
        HeartbeatPeriod: this.heartbeat_ms * 1e6,
      },
    });
    session.send({ Managers: managersFor(session.nodeID, this.options.leadership().managers) });
    session.send({ NodeRole: { Role: node?.Spec?.Role ?? 'worker' } });
    session.send({ Assignments: ledger.full(store) });
    session.send({ Routes: { Full: true, Revision: store.index, Routes: this.routes.routes() } });
    session.routesSent(store.index);
    this.progressed();
    return held;
  }

  private closed(held: Held | undefined): void {
    if (held === undefined) return;
    const { session } = held;
    session.end();
    if (this.sessions.get(session.nodeID) !== held) return; // a newer one took its place
    this.sessions.delete(session.nodeID);
    this.options.log.info('session ended', { node: session.nodeID, epoch: session.epoch });
    this.liveness.ended(session.nodeID, session.epoch, this.options.clock.monotonic(), session.silent_ms);
    this.progressed();
  }

  private endAll(error: ShoalError): void {
    for (const held of [...this.sessions.values()]) {
      held.session.end(statusOf(error));
      this.closed(held);
    }
  }

  // ------------------------------------------------------------ what nodes say

  private heard(held: Held, message: FromNode): void {
    const { session } = held;
    session.heard();
    if (message.Heartbeat) session.send({ HeartbeatAck: {} });
    if (message.TaskReports) for (const report of message.TaskReports.Reports) this.reported(session.nodeID, report);
    if (message.RoutesApplied) {
      session.routesApplied(message.RoutesApplied.Revision, message.RoutesApplied.BusyTaskIDs);
      this.progressed();
    }
    if (message.NodeReport) this.described(session, message.NodeReport.Description, message.NodeReport.EngineError);
  }

  /** A node speaks for its own tasks only. */
  private reported(nodeID: string, { TaskID, Status }: TaskReport): void {
    const task = this.options.store.get('Task', TaskID);
    if (task === undefined || task.NodeID !== nodeID) return;
    if (Status === null || rankOf(Status.State) < 0) {
      this.options.log.warn('a report without a known state', { node: nodeID, task: TaskID, state: Status?.State });
      return;
    }
    this.reports.add({ Action: 'observe', Task: { ID: TaskID, Status: { ...Status, AppliedBy: nodeID } } });
  }

  private described(session: Session, Description: NodeDescription | null, engineError: string): void {
    const known = this.options.store.get('Node', session.nodeID)?.Status;
    if (known === undefined || known === null) return;
    const Status: NodeStatusInit = { ...known, ...stateFrom(engineError), SessionEpoch: session.epoch };
    this.reports.add({ Action: 'observe', Node: { ID: session.nodeID, Description, Status } });
  }

  // ------------------------------------------------------------ what the state says

  private committed(commit: Commit): void {
    const changes = commit.origin === 'snapshot' ? this.rebuiltRoutes() : this.routes.apply(commit);
    if (changes.changed.length + changes.removed.length > 0) this.sendRoutes(commit.index, changes);
    for (const change of commit.changes) {
      if (change.kind === 'Task') this.taskChanged(change.before as Task | undefined, change.after as Task | undefined);
      if (change.kind === 'Node')
        this.nodeChanged(change.id, change.before as Node | undefined, change.after as Node | undefined);
    }
    this.flushLater();
  }

  private rebuiltRoutes(): RouteChanges {
    const before = this.routes.routes().map((route) => route.ID);
    this.routes = new RouteTable(this.options.store);
    const changed = this.routes.routes();
    const now = new Set(changed.map((route) => route.ID));
    return { changed, removed: before.filter((id) => !now.has(id)) };
  }

  private sendRoutes(Revision: number, { changed, removed }: RouteChanges): void {
    for (const { session } of this.sessions.values()) {
      session.send({ Routes: { Full: false, Revision, Routes: changed, RemovedRouteIDs: removed } });
      session.routesSent(Revision);
    }
  }

  private taskChanged(before: Task | undefined, after: Task | undefined): void {
    if (after === undefined && before !== undefined) this.gate.forget(before.ID);
    // a report changes nothing for the node, but may end a wait at the gate
    if (!concernsNode(before, after) && !this.gate.isWaiting(after?.ID ?? '')) return;
    for (const task of [before, after]) {
      if (task === undefined || !this.sessions.has(task.NodeID)) continue;
      const tasks = this.changedTasks.get(task.NodeID);
      if (tasks === undefined) this.changedTasks.set(task.NodeID, new Set([task.ID]));
      else tasks.add(task.ID);
    }
  }

  private nodeChanged(id: string, before: Node | undefined, after: Node | undefined): void {
    const held = this.sessions.get(id);
    if (held === undefined) return;
    if (after === undefined)
      held.session.end(statusOf(new ShoalError('forbidden', `node ${id} was removed from the cluster`)));
    else if (
      after.Status?.SessionEpoch !== before?.Status?.SessionEpoch &&
      (after.Status?.SessionEpoch ?? 0) > held.session.epoch
    ) {
      held.session.end(); // it has opened another session, here or elsewhere
    } else if (after.Spec?.Role !== before?.Spec?.Role)
      held.session.send({ NodeRole: { Role: after.Spec?.Role ?? 'worker' } });
  }

  /** After the commits of this turn: one message a node, and our progress to the other managers. */
  private flushLater(): void {
    if (this.flushing) return;
    this.flushing = true;
    setImmediate(() => {
      this.flushing = false;
      if (this.stopped) return;
      this.flush();
    });
  }

  private flush(): void {
    for (const [nodeID, taskIDs] of this.changedTasks) this.sendAssignments(nodeID, taskIDs);
    this.changedTasks.clear();
    this.progressed();
  }

  private sendAssignments(nodeID: string, taskIDs: Iterable<string>): void {
    const held = this.sessions.get(nodeID);
    if (held === undefined) return;
    const assignments = held.ledger.changes(this.options.store, taskIDs);
    if (!isEmpty(assignments)) held.session.send({ Assignments: assignments });
  }

  // ------------------------------------------------------------ draining

  /** Our own sessions came further, or the store did: tell the others, and look whether tasks may be stopped now. */
  private progressed(): void {
    if (this.stopped) return;
    const { store, self } = this.options;
    let revision = store.index;
    const busy = new Set<string>();
    for (const { session } of this.sessions.values()) {
      revision = Math.min(revision, session.revision(store.index));
      for (const id of session.busy) busy.add(id);
    }
    this.gate.setProgress(self, { revision, busy });
    this.peers.tell({ revision, busy });
    this.lookAtWaiting();
  }

  private lookAtWaiting(): void {
    const { store } = this.options;
    const byNode = new Map<string, string[]>();
    for (const id of this.gate.waitingTasks()) {
      const task = store.get('Task', id);
      if (task === undefined) this.gate.forget(id);
      else byNode.set(task.NodeID, [...(byNode.get(task.NodeID) ?? []), id]);
    }
    for (const [nodeID, ids] of byNode) this.sendAssignments(nodeID, ids);
  }

  // ------------------------------------------------------------ lost nodes

  private sweepLater(): void {
    this.cancelSweep = this.options.clock.after(this.heartbeat_ms / 4, () => {
      this.sweep();
      this.sweepLater();
    });
  }

  private sweep(): void {
    for (const held of [...this.sessions.values()]) {
      if (held.session.silent_ms < this.lost_ms) continue;
      this.options.log.warn('a node has gone silent', {
        node: held.session.nodeID,
        silent_ms: Math.round(held.session.silent_ms),
      });
      held.session.end(statusOf(new ShoalError('unavailable', 'no heartbeat')));
      this.closed(held);
    }
    this.lookAtWaiting(); // the stop grace of a waiting task may be over
    const { hasLeader, leads, managers, silence_ms } = this.options.leadership();
    if (!hasLeader) return;
    const members = new Set(managers.map((one) => one.nodeID));
    const lost = this.liveness.sweep(this.options.store, {
      now_ms: this.options.clock.monotonic(),
      lost_ms: this.lost_ms,
      self: this.options.self,
      leads,
      epochHere: (id) => this.sessions.get(id)?.session.epoch,
      managerGone: (id) => !members.has(id) || (silence_ms.get(id) ?? 0) >= this.lost_ms,
    });
    for (const node of lost) {
      this.options.log.warn('a node is down', { node: node.ID, hostname: node.Description?.Hostname });
      const Status: NodeStatusInit = { ...node.Status, State: 'down', Message: silentMessage };
      this.reports.add({ Action: 'observe', Node: { ID: node.ID, Status } });
    }
  }
}

/** A node whose engine cannot be used takes no tasks and serves none: it is down, and says why. */
function stateFrom(engineError: string): Pick<NodeStatusInit, 'State' | 'Message'> {
  return engineError === '' ? { State: 'ready', Message: '' } : { State: 'down', Message: `engine: ${engineError}` };
}

export type { ManagerAddress };
