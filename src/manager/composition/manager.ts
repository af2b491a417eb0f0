import type { Duplex } from 'node:stream';
import type { Logger } from 'winston';
import type { Clock } from '../../model/clock.js';
import { messageOf, ShoalError } from '../../model/errors.js';
import type { Random } from '../../model/random.js';
import { type ServiceName, type Services, serviceDefinition } from '../../model/services.js';
import type { ManagerPeersClient, Node, TransactionInit } from '../../model/types.js';
import type { RaftNode, RaftStatus, StateMachine } from '../../raft/node.js';
import type { Caller } from '../../security/external-ca.js';
import type { Dialer, Guard, ServiceHost } from '../../security/identity.js';
import { Store } from '../../store/store.js';
import type { Change, Commit, View } from '../../store/view.js';
import { RotationKeeper } from '../ca/rotation-keeper.js';
import { certificateAuthority } from '../ca/service.js';
import { type SwarmChange, updateSwarm } from '../ca/update-swarm.js';
import { ClusterClock } from '../cluster-clock.js';
import { DataPathKeyKeeper } from '../data-path-keys/keeper.js';
import { Dispatcher, type ManagerAddress } from '../dispatcher/dispatcher.js';
import { demoteOthers } from '../membership/demotion.js';
import { MembershipKeeper } from '../membership/keeper.js';
import { checkRoleChange } from '../membership/refusals.js';
import { removeNode } from '../membership/removal.js';
import { membershipService } from '../membership/service.js';
import { guardOf } from '../membership/standing.js';
import { Planner } from '../planner.js';
import { openTunnel } from '../tunnel/client.js';
import { leadershipOf, type ManagerState, managersOf } from './managers.js';
import { ReplicatedStore } from './replicated-store.js';
import { followSettings } from './settings.js';

export interface OpenedRaft {
  node: RaftNode;
  /** Stops it and takes its service off the cluster port. */
  close(): Promise<void>;
}

/** The node's cluster port, as far as a manager uses it. */
export interface ClusterPort extends ServiceHost {
  /** The result puts the guard before it in place again. */
  setGuard(guard: Guard): () => void;
  /** Cuts the connections of nodes that the guard has come to refuse. */
  recheck(): void;
}

export interface ManagerOptions {
  nodeID: string;
  /** This manager's membership of the Raft group, replicating the state machine. */
  openRaft: (stateMachine: StateMachine) => Promise<OpenedRaft>;
  /** The managers' services are mounted on it. */
  listener: ClusterPort;
  dialer: Dialer;
  /** How this manager shows itself to an external CA. */
  showing: () => Caller;
  connectPeer: (manager: ManagerAddress) => ManagerPeersClient;
  /** It is made the only manager of a cluster that lost its others: nobody is taken in before `demoteOthers`. */
  isForced: boolean;
  /** What the cluster wants its managers to be locked with ('': nothing), as of this version of the cluster object. */
  onUnlockKey: (unlockKey: string, asOf: number) => void;
  /** A byte stream to this node's own engine. */
  connectEngine: () => Promise<Duplex>;
  clock: Clock;
  random: Random;
  log: Logger;
}

const tunnel_ms = 5_000;
const told_ms = 1_000;

/** Whether a node was removed or is a manager no more. */
function isLossOfStanding({ kind, before, after }: Change): boolean {
  if (kind !== 'Node') return false;
  const isManager = (node: Change['after']) => (node as Node | undefined)?.Spec?.Role === 'manager';
  return after === undefined || (isManager(before) && !isManager(after));
}

/** What runs on a manager and not on a worker, put together. It serves from `start` until `stop`. */
export class Manager {
  readonly raft: RaftNode;
  readonly #options: ManagerOptions;
  readonly #store: Store;
  readonly #replicated: ReplicatedStore;
  readonly #closeRaft: () => Promise<void>;
  #keeper: MembershipKeeper | undefined;
  #cancelRecheck = () => {};
  readonly #ends: (() => void | Promise<void>)[] = [];

  private constructor(options: ManagerOptions, store: Store, { node, close }: OpenedRaft) {
    this.#options = options;
    this.#store = store;
    this.raft = node;
    this.#closeRaft = close;
    this.#replicated = new ReplicatedStore(node, store);
  }

  /** Restores what is on disk and takes part in the group. Throws `internal` naming the file when the disk's content is damaged. */
  static async start(options: ManagerOptions): Promise<Manager> {
    const store = new Store(options.log.child({ part: 'store' }));
    const manager = new Manager(options, store, await options.openRaft(store));
    manager.#open();
    return manager;
  }

  #open(): void {
    const { listener, dialer, connectPeer, clock, random, log } = this.#options;
    const { raft } = this;
    const store = this.#replicated;
    const { identityOf } = listener;

    this.#serve(
      'CertificateAuthority',
      certificateAuthority({
        store,
        identityOf,
        showing: this.#options.showing,
        isRaftMember: (nodeID) => raft.status().members.some((member) => member.nodeID === nodeID),
        clock,
        random,
        log: log.child({ part: 'ca' }),
      }),
    );
    const membershipLog = log.child({ part: 'membership' });
    if (!this.#options.isForced) this.#keepMembership();
    this.#serve('Membership', membershipService({ raft, store, dialer, identityOf, clock, log: membershipLog }));

    const clusterClock = new ClusterClock(clock);
    const dispatcher = new Dispatcher({
      self: this.#options.nodeID,
      store: this.#store,
      proposer: store,
      leadership: () => leadershipOf(raft.status()),
      identityOf,
      connectPeer,
      clock: clusterClock,
      onTime: (time_ms) => clusterClock.follow(time_ms),
      random,
      log: log.child({ part: 'dispatcher' }),
    });
    const { Dispatcher: sessions, ManagerPeers: peers } = dispatcher.handlers();
    this.#serve('Dispatcher', sessions);
    this.#serve('ManagerPeers', peers);
    this.#ends.push(() => dispatcher.stop());
    this.#ends.push(raft.onStatus(() => dispatcher.leadershipChanged()));

    const planner = new Planner({
      store: this.#store,
      proposer: store,
      raft,
      clock: clusterClock,
      random,
      log: log.child({ part: 'planner' }),
      onLead: () => clusterClock.goOnFrom(this.#store),
    });
    this.#ends.push(() => planner.stop());
    planner.start();

    const rotation = new RotationKeeper({
      view: () => this.#store,
      leads: () => raft.status().role === 'leader',
      proposer: store,
      clock,
      log: log.child({ part: 'ca' }),
    });
    this.#ends.push(() => rotation.stop());
    this.#ends.push(raft.onStatus(() => rotation.wake()));
    const keys = new DataPathKeyKeeper({
      view: () => this.#store,
      leads: () => raft.status().role === 'leader',
      proposer: store,
      clock: clusterClock,
      random,
      log: log.child({ part: 'networks' }),
    });
    this.#ends.push(() => keys.stop());
    this.#ends.push(raft.onStatus(() => keys.wake()));
    this.#ends.push(followSettings({ store: this.#store, raft, onUnlockKey: this.#options.onUnlockKey }));
    this.#ends.push(listener.setGuard(guardOf(this.#store, raft)));
    this.#ends.push(() => this.#cancelRecheck());
    this.#ends.push(raft.onStatus(() => this.#recheckLater()));
    this.#ends.push(
      this.#store.watch(({ changes }) => {
        if (changes.some(isLossOfStanding)) this.#recheckLater();
        if (changes.some(({ kind }) => kind === 'Node')) this.#keeper?.wake();
        if (changes.some(({ kind }) => kind === 'Cluster' || kind === 'Node')) rotation.wake();
        if (changes.some(({ kind }) => kind === 'Cluster' || kind === 'Network')) keys.wake();
      }),
    );
  }

  #keepMembership(): void {
    const { clock, log } = this.#options;
    this.#keeper = new MembershipKeeper({
      raft: this.raft,
      view: () => this.#store,
      proposer: this.#replicated,
      clock,
      log: log.child({ part: 'membership' }),
    });
    this.#ends.push(() => this.#keeper?.stop());
  }

  /** Nodes that were removed or demoted are first told so on what is open; what they keep open all the same is cut. */
  #recheckLater(): void {
    this.#cancelRecheck();
    this.#cancelRecheck = this.#options.clock.after(told_ms, () => this.#options.listener.recheck());
  }

  #serve<N extends ServiceName>(name: N, handlers: Services[N]['handlers']): void {
    const { listener } = this.#options;
    const definition = serviceDefinition(name);
    listener.addService(definition, handlers);
    this.#ends.push(() => listener.removeService(definition));
  }

  /** Gives leadership to another manager, if this one has it; everything still serves. Best effort. */
  async handOver(): Promise<void> {
    if (this.raft.status().role !== 'leader') return;
    await this.raft.transferLeadership().catch((error) => {
      this.#options.log.warn('leadership could not be handed over', { reason: messageOf(error) });
    });
  }

  /** Stops serving. */
  async stop(): Promise<void> {
    for (const end of this.#ends.splice(0).reverse()) await end();
    await this.#closeRaft();
  }

  propose(transaction: TransactionInit): Promise<{ index: number }> {
    return this.#replicated.propose(transaction);
  }

  read(): Promise<View> {
    return this.#replicated.read();
  }

  /** The store as it is here and now; it may be behind the leader's. */
  get view(): View {
    return this.#store;
  }

  watch(call: (commit: Commit) => void): () => void {
    return this.#store.watch(call);
  }

  managers(): ReadonlyMap<string, ManagerState> {
    return managersOf(this.raft.status(), this.#store);
  }

  /** Resolves once the group has a leader and this manager's store is as recent as that. Throws `unavailable` after `timeout_ms`. */
  async ready(timeout_ms: number): Promise<void> {
    await this.#until((status) => status.leader !== 0, timeout_ms);
    await this.raft.readBarrier();
  }

  #until(holds: (status: RaftStatus) => boolean, timeout_ms: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (!holds(this.raft.status())) return;
        unwatch();
        cancel();
        resolve();
      };
      const unwatch = this.raft.onStatus(look);
      const cancel = this.#options.clock.after(timeout_ms, () => {
        unwatch();
        reject(new ShoalError('unavailable', 'the managers have not elected a leader yet'));
      });
      look();
    });
  }

  async connectEngineOf(node: Node): Promise<Duplex> {
    const { nodeID, dialer, connectEngine } = this.#options;
    if (node.ID === nodeID) return connectEngine();
    const address = node.Status?.ClusterAddr || node.ManagerStatus?.Addr || '';
    if (address === '') throw new ShoalError('unavailable', `node ${node.ID} has not said where it can be reached`);
    return openTunnel(dialer, { nodeID: node.ID, address }, tunnel_ms);
  }

  checkRoleChange(node: Node, role: string): void {
    checkRoleChange(this.#store, this.managers(), node, role);
  }

  removeNode(node: Node, force: boolean): Promise<void> {
    return removeNode(this.#replicated, this.#options.clock, node.ID, force);
  }

  /** After a cluster was forced anew; only then are nodes taken in again. Throws `unavailable` once this manager stops. */
  async demoteOthers(): Promise<void> {
    const { nodeID, clock, log } = this.#options;
    const ending = new AbortController();
    this.#ends.push(() => ending.abort());
    await demoteOthers({
      nodeID,
      store: this.#replicated,
      clock,
      log: log.child({ part: 'membership' }),
      signal: ending.signal,
    });
    this.#keepMembership();
  }

  updateSwarm(change: SwarmChange): Promise<void> {
    const { clock, showing } = this.#options;
    return updateSwarm(this.#replicated, clock, showing(), change);
  }
}
