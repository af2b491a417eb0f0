import type { Logger } from 'winston';
import { patiently } from '../../model/attended-clock.js';
import type { Clock } from '../../model/clock.js';
import { ShoalError } from '../../model/errors.js';
import type { Random } from '../../model/random.js';
import { toMany } from '../../model/services.js';
import type {
  Cluster,
  DispatcherHandlers,
  FromNode,
  ManagerPeersClient,
  ManagerPeersHandlers,
  Node,
  Task,
} from '../../model/types.js';
import type { IdentityOf } from '../../security/identity.js';
import { statusOf, unary } from '../../security/rpc.js';
import type { Store } from '../../store/store.js';
import type { Commit, Proposer } from '../../store/view.js';
import { AssignmentNews, type Held } from './assignment-news.js';
import { AssignmentLedger, isToEnd } from './assignments.js';
import { Attaching } from './attaching.js';
import { Draining } from './draining.js';
import { GatheredNews } from './gathered-news.js';
import { LostNodes } from './lost-nodes.js';
import type { Leadership, ManagerAddress } from './managers.js';
import { isSilenced } from './node-state.js';
import { Observations } from './observations.js';
import { Reception } from './reception.js';
import { RouteNews } from './route-news.js';
import type { Session } from './session.js';
import { TrustNews } from './trust-news.js';

export interface DispatcherOptions {
  /** Node id of this manager. */
  self: string;
  store: Store;
  proposer: Proposer;
  leadership(): Leadership;
  identityOf: IdentityOf;
  connectPeer(manager: ManagerAddress): ManagerPeersClient;
  clock: Clock;
  /** The leader said what time it is, in milliseconds since 1970. */
  onTime(time_ms: number): void;
  random: Random;
  log: Logger;
}

const heartbeat_ms_default = 1_000;
/**
 * How long sessions go on without a leader: an election is over by then, if there can be one (a manager finds its leader gone after 1 to
 * 2 s, and one round of votes may be split), and its nodes are spared the search. Added up it must stay below the time after which
 * the leader takes the nodes of a manager that it does not hear of for lost (twice `lost_ms`).
 */
const election_ms_max = 2_000;

/**
 * The sessions of nodes with this manager. It reads its own copy of the store, so every manager serves; what nodes report goes
 * through Raft. A manager that knows of no leader opens no session, and ends those it has when an election has not brought one.
 */
export class Dispatcher {
  /** Invariant: one session a node, that of the highest epoch. */
  private readonly held = new Map<string, Held>();
  private readonly attaching: Attaching;
  private readonly reception: Reception;
  private readonly draining: Draining;
  private readonly lostNodes: LostNodes;
  private readonly observations: Observations;
  private readonly assignments: AssignmentNews;
  private readonly routes: RouteNews;
  private readonly trust: TrustNews;
  /** Whether there was a leader lately. */
  private served = false;
  /** Cancels the end of the sessions; undefined while that is not on its way. */
  private cancelCutOff: (() => void) | undefined;
  private readonly news: GatheredNews;
  private awaited = false;
  private stopped = false;
  private readonly unwatch: () => void;

  constructor(private readonly options: DispatcherOptions) {
    const { store } = options;
    const heartbeat_ms = () => this.heartbeat_ms;
    this.news = new GatheredNews(options.clock, () => this.flush());
    this.observations = new Observations(options);
    this.routes = new RouteNews(store);
    this.trust = new TrustNews({ ...options, sessions: () => this.sessions() });
    this.draining = new Draining({
      ...options,
      connect: options.connectPeer,
      leads: () => options.leadership().leads,
      lost_ms: () => this.lostNodes.lost_ms,
      onProgress: () => this.assignments.tellWaiting(),
    });
    this.assignments = new AssignmentNews(store, this.held, this.draining.gate);
    this.lostNodes = new LostNodes({
      ...options,
      heartbeat_ms,
      sessions: () => this.sessions(),
      sessionOf: (nodeID) => this.held.get(nodeID)?.session,
      onSilent: (session) => this.drop(session, new ShoalError('unavailable', 'no heartbeat')),
      onLost: (node) => this.observations.lost(node),
      onSweep: (lost_ms) => {
        this.draining.peers.expire(lost_ms);
        this.flushLater(false); // and the stop grace of a waiting task may be over
      },
    });
    this.attaching = new Attaching({ ...options, checkServing: () => this.checkServing() });
    this.reception = new Reception({
      ...options,
      heartbeat_ms,
      checkServing: () => this.checkServing(),
      onOpen: (session) => this.open(session),
      onMessage: (session, message) => this.heard(session, message),
      onClose: (session) => this.drop(session),
    });
    this.unwatch = store.watch((commit) => this.committed(commit));
    this.leadershipChanged();
  }

  handlers(): { Dispatcher: DispatcherHandlers; ManagerPeers: ManagerPeersHandlers } {
    return {
      Dispatcher: {
        Session: (call) => this.reception.accept(call),
        AttachNetwork: unary((request, call) => this.attaching.attach(this.options.identityOf(call).nodeID, request)),
      },
      ManagerPeers: this.draining.peers.handlers(),
    };
  }

  /** To be called after every change of leader or membership. */
  leadershipChanged(): void {
    if (this.stopped) return;
    const { hasLeader, managers } = this.options.leadership();
    if (hasLeader) {
      this.cancelCutOff?.();
      this.cancelCutOff = undefined;
      if (!this.served) this.lostNodes.reset();
      this.served = true;
    } else if (this.served) {
      this.cancelCutOff ??= patiently(this.options.clock, election_ms_max, () => this.cutOff());
    }
    this.draining.setManagers(managers);
    this.trust.managersChanged();
  }

  /** No leader was found: others may know of one. */
  private cutOff(): void {
    this.cancelCutOff = undefined;
    this.served = false;
    this.lostNodes.reset();
    this.observations.clear();
    this.dropAll(new ShoalError('no-leader', 'this manager knows of no leader'));
  }

  /** Ends every session; the nodes turn to other managers. */
  stop(): void {
    if (this.stopped) return;
    this.stopped = true;
    this.cancelCutOff?.();
    this.news.stop();
    this.unwatch();
    this.lostNodes.stop();
    this.dropAll(new ShoalError('unavailable', 'this manager is stopping'));
    this.observations.stop();
    this.draining.peers.close();
  }

  private get heartbeat_ms(): number {
    const period = this.options.store.cluster()?.Spec?.Dispatcher?.HeartbeatPeriod ?? 0;
    return period > 0 ? period / 1e6 : heartbeat_ms_default;
  }

  private checkServing(): void {
    if (this.stopped) throw new ShoalError('unavailable', 'this manager is stopping');
    if (!this.options.leadership().hasLeader) throw new ShoalError('no-leader', 'this manager knows of no leader');
  }

  // ------------------------------------------------------------ sessions

  private *sessions(): Iterable<Session> {
    for (const { session } of this.held.values()) yield session;
  }

  private open(session: Session): void {
    const { store, clock, log } = this.options;
    const { nodeID, epoch } = session;
    this.checkServing();
    const older = this.held.get(nodeID)?.session;
    if (older !== undefined) this.drop(older, movedOn(nodeID));
    const ledger = new AssignmentLedger(nodeID, (task) => this.draining.gate.holds(task, clock.monotonic()));
    this.held.set(nodeID, { session, ledger });
    log.info('session opened', { node: nodeID, epoch });
    session.send({
      Welcome: {
        NodeID: nodeID,
        ClusterID: store.cluster()?.ID ?? '',
        HeartbeatPeriod: Math.round(this.heartbeat_ms * 1e6),
      },
    });
    this.trust.welcome(session);
    session.send({ NodeRole: { Role: store.get('Node', nodeID)?.Spec?.Role ?? 'worker' } });
    session.send({ Routes: { Full: true, Revision: store.index, ...this.routes.all() } });
    session.routesSent(store.index);
    this.draining.look(this.sessions(), store.index); // until the node has these routes, it may send traffic to its tasks that shall end
    session.send({ Assignments: ledger.full(store) }); // it may name networks of which the routes tell
    this.flushLater();
  }

  /** Ends a session, if it has not ended; with an error its node is told why. */
  private drop(session: Session, error?: ShoalError): void {
    session.end(error && statusOf(error));
    if (this.held.get(session.nodeID)?.session !== session) return; // a newer one took its place
    this.held.delete(session.nodeID);
    this.options.log.info('session ended', {
      node: session.nodeID,
      epoch: session.epoch,
      ...(error && { reason: error.message }),
    });
    this.lostNodes.ended(session);
    this.flushLater();
  }

  private dropAll(error: ShoalError): void {
    for (const session of [...this.sessions()]) this.drop(session, error);
  }

  // ------------------------------------------------------------ what nodes say

  private heard(session: Session, { Heartbeat, TaskReports, RoutesApplied, NodeReport }: FromNode): void {
    if (this.held.get(session.nodeID)?.session !== session) return; // what was still on its way when it ended
    session.heard();
    if (Heartbeat) session.acknowledge(this.heartbeat_ms);
    if (TaskReports) for (const report of TaskReports.Reports) this.observations.task(session.nodeID, report);
    if (RoutesApplied) {
      const known = RoutesApplied.BusyTaskIDs.filter((id) => this.options.store.get('Task', id) !== undefined);
      session.routesApplied(RoutesApplied.Revision, known);
      this.flushLater();
    }
    if (NodeReport) this.observations.node(session, NodeReport);
  }

  // ------------------------------------------------------------ what the state says

  private committed(commit: Commit): void {
    this.routes.learn(commit);
    let ends = false;
    for (const { kind, id, before, after } of commit.changes) {
      if (kind === 'Task') {
        this.assignments.learn(before as Task | undefined, after as Task | undefined);
        ends ||= isToEnd(before as Task | undefined, after as Task | undefined);
      } else if (kind === 'Cluster') {
        this.trust.rootsChanged();
        this.assignments.clusterChanged(before as Cluster | undefined, after as Cluster | undefined);
      } else if (kind === 'Node') this.nodeChanged(id, before as Node | undefined, after as Node | undefined);
    }
    this.flushLater(ends);
  }

  private nodeChanged(id: string, before: Node | undefined, after: Node | undefined): void {
    if (after?.Spec?.Role !== before?.Spec?.Role) this.trust.managersChanged();
    const session = this.held.get(id)?.session;
    if (session === undefined) return;
    if (after === undefined) {
      this.drop(session, new ShoalError('node-removed', `node ${id} was removed from the cluster`));
      return;
    }
    const epoch = after.Status?.SessionEpoch ?? 0;
    if (epoch > session.epoch)
      this.drop(session); // it has opened another one, here or elsewhere
    else if (epoch === session.epoch && after.Status && isSilenced(after.Status)) {
      this.drop(session, new ShoalError('unavailable', `node ${id} was taken for lost, and must register anew`));
    } else if (after.Spec?.Role !== before?.Spec?.Role) {
      session.send({ NodeRole: { Role: after.Spec?.Role ?? 'worker' } });
    }
  }

  /** `awaited`: a task may wait, here or at another manager, for what has happened to our sessions. */
  private flushLater(awaited = true): void {
    this.awaited ||= awaited;
    this.news.tellSoon();
  }

  /** Routes go first: a node that gets both stops sending to a task before it stops the task. Returns how many messages that took. */
  private flush(): number {
    const { store } = this.options;
    const news = this.routes.take();
    let told = 0;
    if (news !== undefined) {
      const message = toMany({ Routes: { Full: false, Revision: store.index, ...news } });
      for (const session of this.sessions()) {
        session.send(message);
        session.routesSent(store.index);
        told++;
      }
    }
    told += this.assignments.tell();
    this.draining.progressed(this.sessions(), store.index, this.awaited);
    this.awaited = false;
    return told;
  }
}

/** Tells a node that its newer session, here or elsewhere, is the one that counts. */
function movedOn(nodeID: string): ShoalError {
  return new ShoalError('out-of-sequence', `node ${nodeID} has opened another session`);
}

export type { Leadership, ManagerAddress };
