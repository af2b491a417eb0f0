import type { Logger } from 'winston';
import { Manager } from '../manager/composition/manager.js';
import { tunnelService } from '../manager/tunnel/server.js';
import { ShoalError } from '../model/errors.js';
import { serviceClient, serviceDefinition } from '../model/services.js';
import { renewalTime, renewCertificate } from '../security/admission.js';
import { Credentials, loadMaterial, saveMaterial } from '../security/credentials.js';
import type { NodeRole } from '../security/identity.js';
import { ClusterListener } from '../security/listener.js';
import { callOnce } from '../security/rpc.js';
import { splitHostPort } from './addresses.js';
import { Convergence } from './convergence.js';
import { drainNode, type Leaving, leaveRaft } from './leaving.js';
import { NodeRecord } from './node-record.js';
import type { Parts } from './parts.js';
import type { NodeState, StateDirectory } from './state.js';
import type { WorkerSide } from './worker-side.js';

export interface MemberStart {
  /** It founds the cluster: the first member of its Raft group. */
  isFirst?: boolean;
  forceNewCluster?: boolean;
}

// Nothing comes back on a stream between managers: without pings one through a path that swallows packets would stay until TCP gives
// up, minutes after the path is whole again, and drains would not wait for that manager's nodes.
const lastingStream = { 'grpc.keepalive_time_ms': 2_000, 'grpc.keepalive_timeout_ms': 2_000 };
const joinRaft_ms = 20_000;
const patience_ms = 2_000; // for a change of role that is under way when the node stops

/** This node as part of a cluster: its cluster port, its side as a worker, and as a manager while it is one. */
export class ClusterMember {
  readonly #parts: Parts;
  readonly #directory: StateDirectory;
  readonly #log: Logger;
  readonly #credentials: Credentials;
  readonly #listener: ClusterListener;
  readonly #record: NodeRecord;
  readonly #convergence: Convergence;
  #manager: Manager | undefined;
  #worker: WorkerSide | undefined;
  #wanted: NodeRole | undefined;
  #renewAt_ms: number;
  #rejection = '';
  /** The group goes on without us: whatever we are to be, we are not that member any more. */
  #isOut = false;
  #raftFailure = '';

  private constructor(parts: Parts, directory: StateDirectory, state: NodeState, credentials: Credentials) {
    this.#parts = parts;
    this.#directory = directory;
    this.#log = parts.log.child({ part: 'member' });
    this.#record = new NodeRecord(directory, state, this.#log);
    this.#convergence = new Convergence(parts.clock, this.#log, () => this.#change());
    this.#credentials = credentials;
    this.#renewAt_ms = this.#nextRenewal();
    this.#listener = new ClusterListener({
      credentials,
      clock: parts.clock,
      log: parts.log.child({ part: 'listener' }),
    });
  }

  /** Takes up the membership that the state directory tells of. Throws when it cannot: the port is taken, a file is damaged. */
  static async start(
    parts: Parts,
    directory: StateDirectory,
    state: NodeState,
    how: MemberStart = {},
  ): Promise<ClusterMember> {
    const credentials = new Credentials(await loadMaterial(directory.certificates));
    if (credentials.identity.nodeID !== state.nodeID) {
      throw new ShoalError(
        'internal',
        `${directory.nodeFile}: damaged: the certificate is of node ${credentials.identity.nodeID}`,
      );
    }
    const { to_ms } = credentials.validity;
    if (to_ms <= parts.clock.now()) {
      const when = new Date(to_ms).toISOString();
      throw new ShoalError(
        'unauthorized',
        `${directory.certificates}: the certificate of this node ended at ${when}, while it was away; no other node takes it any more`,
      );
    }
    const member = new ClusterMember(parts, directory, state, credentials);
    try {
      await member.#start(how);
    } catch (error) {
      await member.stop({ handOver: false });
      throw error;
    }
    return member;
  }

  async #start(how: MemberStart): Promise<void> {
    const { connectEngine, log } = this.#parts;
    const { identityOf } = this.#listener;
    this.#listener.addService(
      serviceDefinition('Tunnel'),
      tunnelService({ connectEngine, identityOf, log: log.child({ part: 'tunnel' }) }),
    );
    const { host, port } = splitHostPort(this.state.listenAddress, 0, 'listen address');
    await this.#listener.listen(host, port);
    this.#log.info('cluster port open', {
      address: this.state.listenAddress,
      advertised: this.state.advertiseAddress,
    });
    if (this.state.role === 'manager' && (this.state.raftID > 0 || how.isFirst)) await this.#startManager(how);
    if (!how.isFirst) this.startWorker();
    this.#convergence.poke();
  }

  get state(): NodeState {
    return this.#record.state;
  }
  get credentials(): Credentials {
    return this.#credentials;
  }
  /** While this node is a manager. */
  get manager(): Manager | undefined {
    return this.#manager;
  }
  /** Whether the node takes part: as a manager its group has had a leader, or a manager has welcomed it. */
  get isActive(): boolean {
    return this.#worker?.isConnected === true || (this.#manager?.raft.status().leader ?? 0) !== 0;
  }
  /** Whether the node has become all that its certificate says: a manager counts for the quorum only once it has caught up. */
  get hasArrived(): boolean {
    if (!this.isActive) return false;
    if (this.#credentials.identity.role === 'worker') return true;
    const status = this.#manager?.raft.status();
    return status?.members.some(({ id, learner }) => id === status.id && !learner) ?? false;
  }
  /** Why the cluster refuses this node; '' while it does not. */
  get rejection(): string {
    return this.#rejection || this.#raftFailure;
  }

  /** Starts the worker's side: at once, or once the founder's cluster is there. */
  startWorker(): void {
    this.#worker ??= this.#parts.startWorker({
      state: this.state,
      credentials: this.#credentials,
      events: {
        onRole: (role) => {
          this.#wanted = role;
          if (role !== this.#runningRole()) this.#convergence.poke();
        },
        onManagers: (managers) => void this.#record.learnManagers(managers),
        onConnected: () => {
          this.#rejection = '';
        },
        onRejected: (reason) => {
          if (this.#rejection !== reason) this.#log.error('the cluster refuses this node', { reason });
          this.#rejection = reason;
        },
      },
    });
  }

  #runningRole(): NodeRole {
    return this.#manager === undefined ? 'worker' : 'manager';
  }

  /** Makes certificate and running parts what the cluster wants of the node; resolves with the time until the next renewal. */
  async #change(): Promise<number> {
    const isDue = this.#parts.clock.now() >= this.#renewAt_ms;
    const held = this.#credentials.identity.role;
    if (isDue || this.#isOut || (this.#wanted ?? held) !== held) await this.#renew();
    const { role } = this.#credentials.identity;
    await this.#checkRaft();
    if (this.state.role === 'manager' && (role === 'worker' || this.#isOut)) await this.#becomeWorker();
    if (role === 'manager' && this.#manager === undefined) {
      if (this.state.role === 'manager' && this.state.raftID > 0) await this.#startManager({});
      else await this.#becomeManager();
      await this.#checkRaft();
    }
    return this.#renewAt_ms - this.#parts.clock.now();
  }

  /** Throws when Raft cannot go on; after a pause the manager is started again. */
  async #checkRaft(): Promise<void> {
    if (this.#raftFailure === '' || this.#manager === undefined) return;
    await this.#stopManager();
    throw new ShoalError('internal', this.#raftFailure);
  }

  /** To be asked after everything that took time: what was begun must not come to life after `stop`. */
  #checkRunning(): void {
    if (this.#convergence.isStopped) throw new ShoalError('unavailable', 'the node is stopping');
  }

  async #renew(): Promise<void> {
    const material = await this.#askManagers((address) =>
      renewCertificate(this.#credentials, this.#credentials, address),
    );
    this.#checkRunning();
    await saveMaterial(this.#directory.certificates, material);
    this.#credentials.swap(material);
    this.#renewAt_ms = this.#nextRenewal();
    this.#log.info('certificate renewed', { role: this.#credentials.identity.role });
  }

  #nextRenewal(): number {
    return renewalTime(this.#credentials.validity, this.#parts.random.below(1000) / 1000);
  }

  async #becomeManager(): Promise<void> {
    const answer = await this.#askManagers((address) =>
      callOnce(
        'Membership',
        'JoinRaft',
        address,
        { Addr: this.state.advertiseAddress },
        { credentials: this.#credentials.credentials({ role: 'manager' }), timeout_ms: joinRaft_ms },
      ),
    );
    this.#checkRunning();
    if (answer.RaftID !== this.state.raftID) {
      await this.#directory.clearRaft();
      await this.#parts.prepareRaft(this.#directory.raft);
    }
    await this.#record.update({ role: 'manager', raftID: answer.RaftID });
    await this.#startManager({});
    this.#log.info('the node is a manager now', { raft: answer.RaftID });
  }

  async #becomeWorker(): Promise<void> {
    await this.#stopManager();
    await this.#record.update({ role: 'worker', raftID: 0 });
    await this.#directory.clearRaft();
    this.#isOut = false;
    this.#log.info('the node is a worker now');
  }

  async #startManager({ isFirst = false, forceNewCluster = false }: MemberStart): Promise<void> {
    const { nodeID, raftID, advertiseAddress } = this.state;
    const self = { id: raftID, nodeID, address: advertiseAddress };
    const { clock, random, log, connectEngine } = this.#parts;
    this.#raftFailure = ''; // before the start: it may fail while it starts
    const manager = await Manager.start({
      nodeID,
      openRaft: (stateMachine) =>
        this.#parts.openRaft({
          self,
          directory: this.#directory.raft,
          isFirst,
          forceNewCluster,
          stateMachine,
          listener: this.#listener,
          dialer: this.#credentials,
          onFatal: (error) => this.#raftFailed(error),
        }),
      listener: this.#listener,
      dialer: this.#credentials,
      connectPeer: ({ nodeID: peer, address }) =>
        serviceClient(
          'ManagerPeers',
          address,
          this.#credentials.credentials({ role: 'manager', nodeID: peer }),
          lastingStream,
        ),
      connectEngine,
      isForced: forceNewCluster,
      clock,
      random,
      log,
    });
    if (this.#convergence.isStopped) await manager.stop();
    this.#checkRunning();
    this.#manager = manager;
    this.#parts.onManager?.();
    manager.raft.onStatus(({ members }) => {
      if (this.#isOut || members.length === 0 || members.some(({ id }) => id === raftID)) return;
      this.#isOut = true; // what the node is to be now, its next certificate says
      this.#convergence.poke();
    });
  }

  /** The node goes on as a worker, and tries to come back as the manager it was. */
  #raftFailed(error: Error): void {
    this.#log.error('fatal: this manager cannot go on', { error });
    this.#raftFailure = `this manager cannot go on: ${error.message}`;
    if (this.#manager !== undefined) this.#convergence.poke(); // else it is being started, and must not be a second time meanwhile
  }

  async #stopManager(): Promise<void> {
    const manager = this.#manager;
    this.#manager = undefined;
    this.#parts.onManager?.();
    await manager?.stop();
  }

  /** The first answer of any manager that we know, our own last. Throws what the last one said. */
  async #askManagers<T>(ask: (address: string) => Promise<T>): Promise<T> {
    const known = this.#managerAddresses();
    let failure: unknown = new ShoalError('unavailable', 'no manager is known');
    for (const address of known) {
      try {
        return await ask(address);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  #managerAddresses(): string[] {
    const own = this.state.advertiseAddress;
    const members = this.#manager?.raft.status().members.map(({ address }) => address) ?? [];
    const others = new Set([...members, ...this.state.managers.map(({ Addr }) => Addr)]);
    others.delete(own);
    return this.#manager === undefined ? [...others] : [...others, own];
  }

  /** Has the node's tasks stop before it leaves, as in an update. Best effort. */
  async drain(): Promise<void> {
    const worker = this.#worker;
    if (worker !== undefined && !this.#isLastManager) await drainNode(this.#leaving, worker);
  }

  /** Leaves the Raft group if this is a manager among others, so that they do not go on counting it. Best effort; roles change no more. */
  async leaveRaft(): Promise<void> {
    await this.#convergence.stop(patience_ms);
    if (this.#manager !== undefined && !this.#isLastManager) await leaveRaft(this.#leaving);
  }

  get #isLastManager(): boolean {
    return this.#manager !== undefined && this.#manager.raft.status().members.length < 2;
  }

  get #leaving(): Leaving {
    const own = this.state.advertiseAddress;
    return {
      managers: this.#managerAddresses().filter((address) => address !== own),
      credentials: this.#credentials.credentials({ role: 'manager' }),
      clock: this.#parts.clock,
      log: this.#log,
    };
  }

  /** Stops everything; containers run on. A leader hands over first when `handOver`. */
  async stop({ handOver }: { handOver: boolean }): Promise<void> {
    const converged = this.#convergence.stop(patience_ms);
    if (handOver) await this.#manager?.handOver();
    await this.#worker?.stop();
    await this.#stopManager();
    await this.#listener.close();
    await converged;
    await this.#record.settled();
  }

  /** Stops, and removes the containers of the node's tasks. */
  async leave(): Promise<void> {
    await this.stop({ handOver: true });
    await this.#worker?.removeContainers();
  }
}
