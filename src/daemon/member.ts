import type { Logger } from 'winston';
import type { Manager } from '../manager/composition/manager.js';
import { tunnelService } from '../manager/tunnel/server.js';
import { ShoalError } from '../model/errors.js';
import { agreedFormat } from '../model/format.js';
import type { NetworkVerdict } from '../model/network-verdict.js';
import { serviceDefinition } from '../model/services.js';
import { demotionOf, type Guard, type NodeRole } from '../security/identity.js';
import { ClusterListener } from '../security/listener.js';
import { callOnce } from '../security/rpc.js';
import type { OwnContainers } from '../worker/networks/own-containers.js';
import { splitHostPort } from './addresses.js';
import { Convergence } from './convergence.js';
import { KnownManagers } from './known-managers.js';
import { drainNode, type Leaving, leaveRaft } from './leaving.js';
import { ManagerSide, type ManagerStart } from './manager-side.js';
import { NodeCertificate } from './node-certificate.js';
import { NodeRecord } from './node-record.js';
import { NodeVault } from './node-vault.js';
import type { Parts } from './parts.js';
import { isOwnAddress } from './probe.js';
import type { NodeState, StateDirectory } from './state.js';
import type { WorkerSide } from './worker-side.js';

export interface MemberStart extends ManagerStart {
  /** Opens a node file whose keys are encrypted. */
  unlockKey?: string;
}

const joinRaft_ms = 20_000;
const patience_ms = 2_000; // for a change of role that is under way when the node stops

/** This node as part of a cluster: its cluster port, its side as a worker, and as a manager while it is one. */
export class ClusterMember {
  readonly #parts: Parts;
  readonly #directory: StateDirectory;
  readonly #log: Logger;
  readonly #vault: NodeVault;
  readonly #certificate: NodeCertificate;
  readonly #listener: ClusterListener;
  readonly #record: NodeRecord;
  readonly #convergence: Convergence;
  readonly #managerSide: ManagerSide;
  readonly #managers: KnownManagers;
  #worker: WorkerSide | undefined;
  #wanted: NodeRole | undefined;
  #rejection = '';

  private constructor(parts: Parts, directory: StateDirectory, state: NodeState, vault: NodeVault) {
    const { clock, log } = parts;
    const certificate = NodeCertificate.take(vault, state, parts);
    const { credentials } = certificate;
    this.#vault = vault;
    this.#parts = parts;
    this.#directory = directory;
    this.#log = log.child({ part: 'member' });
    this.#certificate = certificate;
    this.#record = new NodeRecord(directory, state, this.#log);
    this.#convergence = new Convergence(clock, this.#log, () => this.#change());
    this.#listener = new ClusterListener({ credentials, clock, log: log.child({ part: 'listener' }) });
    this.#listener.setGuard(guardOf(this.#record));
    this.#managerSide = new ManagerSide({
      parts,
      state: () => this.state,
      raftDirectory: directory.raft,
      vault,
      credentials,
      listener: this.#listener,
      poke: () => this.#convergence.poke(),
      checkRunning: () => this.#checkRunning(),
      log: this.#log,
    });
    this.#managers = new KnownManagers(
      () => this.state.advertiseAddress,
      () => this.state.managers,
      () => this.manager?.raft.status().members,
    );
  }

  /** Takes up the membership that the state directory tells of. Throws when it cannot: it is `locked`, the port is taken, a file is damaged. */
  static async start(
    parts: Parts,
    directory: StateDirectory,
    state: NodeState,
    how: MemberStart = {},
  ): Promise<ClusterMember> {
    const vault = await NodeVault.open(directory.certificates, how.unlockKey);
    const member = new ClusterMember(parts, directory, state, vault);
    try {
      await member.#start(how);
    } catch (error) {
      await member.stop({ handOver: false });
      throw error;
    }
    return member;
  }

  /** A wrong one is found out by others only, and late. */
  async #checkAdvertised(): Promise<void> {
    const { host } = splitHostPort(this.state.advertiseAddress, 0, '');
    if (await isOwnAddress(host)) return;
    this.#log.warn(
      'the advertised address is none of this machine: tasks with published ports cannot be bound to it. Leave, and join again with another --advertise-addr',
      { advertised: host },
    );
  }

  async #start(how: MemberStart): Promise<void> {
    const { streamEngine, log } = this.#parts;
    const { identityOf } = this.#listener;
    this.#listener.addService(
      serviceDefinition('Tunnel'),
      tunnelService({ connectEngine: streamEngine, identityOf, log: log.child({ part: 'tunnel' }) }),
    );
    const { host, port } = splitHostPort(this.state.listenAddress, 0, 'listen address');
    await this.#listener.listen(host, port);
    this.#log.info('cluster port open', {
      address: this.state.listenAddress,
      advertised: this.state.advertiseAddress,
    });
    await this.#checkAdvertised();
    if (this.state.role === 'manager' && (this.state.raftID > 0 || how.isFirst)) await this.#managerSide.start(how);
    if (!how.isFirst) this.startWorker();
    this.#convergence.poke();
  }

  get state(): NodeState {
    return this.#record.state;
  }
  /** While this node is a manager. */
  get manager(): Manager | undefined {
    return this.#managerSide.manager;
  }
  /** Whether the node takes part: as a manager its group has had a leader, or a manager has welcomed it. */
  get isActive(): boolean {
    return this.#worker?.isConnected === true || (this.manager?.raft.status().leader ?? 0) !== 0;
  }
  /** Whether the node has become all that its certificate says: a manager counts for the quorum only once it has caught up. */
  get hasArrived(): boolean {
    return this.isActive && (this.#certificate.role === 'worker' || this.#managerSide.isVoter);
  }
  /** Why the cluster refuses this node; '' while it does not. */
  get rejection(): string {
    return this.#rejection || this.#managerSide.failure;
  }

  /** Starts the worker's side: at once, or once the founder's cluster is there. */
  startWorker(): void {
    this.#worker ??= this.#parts.startWorker({
      state: this.state,
      credentials: this.#certificate.credentials,
      events: {
        onRole: (role) => {
          this.#wanted = role;
          if (role !== (this.manager === undefined ? 'worker' : 'manager')) this.#convergence.poke();
        },
        onTrust: (rootsPEM, issuerKey, asOf) => {
          if (this.#certificate.trust({ rootsPEM, issuerKey, asOf })) this.#convergence.poke();
        },
        onManagers: (managers, trusted) => {
          void this.#record.learnManagers(managers, trusted);
          if (this.manager === undefined) this.#listener.recheck();
        },
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

  /** Makes certificate and running parts what the cluster wants of the node; resolves with the time until the next renewal. */
  async #change(): Promise<number> {
    const certificate = this.#certificate;
    const side = this.#managerSide;
    const isOther = (this.#wanted ?? certificate.role) !== certificate.role;
    await certificate.adoptTrust();
    this.#checkRunning();
    if (certificate.isDue || side.isOut || isOther) {
      await certificate.renew(
        (call) => this.#managers.ask(call),
        () => this.#checkRunning(),
      );
    }
    await this.#checkRaft();
    if (this.state.role === 'manager' && (certificate.role === 'worker' || side.isOut)) await this.#becomeWorker();
    if (certificate.role === 'manager' && this.manager === undefined) {
      if (this.state.role === 'manager' && this.state.raftID > 0) await side.start({});
      else await this.#becomeManager();
      await this.#checkRaft();
    }
    return certificate.dueIn_ms;
  }

  /** Throws when Raft cannot go on; after a pause the manager is started again. */
  async #checkRaft(): Promise<void> {
    const { failure, manager } = this.#managerSide;
    if (failure === '' || manager === undefined) return;
    await this.#managerSide.stop();
    throw new ShoalError('internal', failure);
  }

  /** To be asked after everything that took time: what was begun must not come to life after `stop`. */
  #checkRunning(): void {
    if (this.#convergence.isStopped) throw new ShoalError('unavailable', 'the node is stopping');
  }

  #asManager(timeout_ms: number) {
    return { credentials: this.#certificate.credentials.credentials({ role: 'manager' }), timeout_ms };
  }

  async #becomeManager(): Promise<void> {
    const { advertiseAddress: Addr, forgottenRaftID: ForgottenRaftID } = this.state;
    const request = { Addr, ForgottenRaftID, Format: agreedFormat };
    const answer = await this.#managers.ask((address) =>
      callOnce('Membership', 'JoinRaft', address, request, this.#asManager(joinRaft_ms)),
    );
    this.#checkRunning();
    if (answer.RaftID !== this.state.raftID) {
      await this.#directory.clearRaft();
      await this.#parts.prepareRaft(this.#directory.raft, await this.#vault.sealer());
    }
    await this.#record.update({ role: 'manager', raftID: answer.RaftID });
    await this.#managerSide.start({});
    this.#log.info('the node is a manager now', { raft: answer.RaftID });
  }

  async #becomeWorker(): Promise<void> {
    await this.#managerSide.stop();
    const forgottenRaftID = this.state.raftID || this.state.forgottenRaftID;
    await this.#record.update({ role: 'worker', raftID: 0, forgottenRaftID });
    await this.#directory.clearRaft();
    await this.#managerSide.resign();
    await this.#vault.becomeWorkers();
    this.#log.info('the node is a worker now');
  }

  /** Containers of the node's own users on networks of the cluster; undefined while the node is not at work. */
  get ownContainers(): OwnContainers | undefined {
    return this.#worker?.ownContainers;
  }

  /** See NodeWorker. Throws `unavailable` while the node's side as a worker is not there. */
  async verifyNetworks(): Promise<NetworkVerdict> {
    if (this.#worker === undefined) throw new ShoalError('unavailable', 'this node is not at work yet');
    return this.#worker.verifyNetworks();
  }

  /** Has the node's tasks stop before it leaves, as in an update. Best effort. */
  async drain(): Promise<void> {
    const worker = this.#worker;
    if (worker !== undefined && !this.#isLastManager) await drainNode(this.#leaving, worker);
  }

  /** Leaves the Raft group if this is a manager among others, so that they do not go on counting it. Best effort; roles change no more. */
  async leaveRaft(): Promise<void> {
    await this.#convergence.stop(patience_ms);
    if (this.manager !== undefined && !this.#isLastManager) await leaveRaft(this.#leaving);
  }

  get #isLastManager(): boolean {
    return this.manager !== undefined && this.manager.raft.status().members.length < 2;
  }

  get #leaving(): Leaving {
    return {
      managers: this.#managers.others(),
      credentials: this.#certificate.credentials.credentials({ role: 'manager' }),
      clock: this.#parts.clock,
      log: this.#log,
    };
  }

  /**
   * Stops everything; containers run on. A leader hands over first when `handOver`. What fails to stop keeps nothing else from stopping; the
   * first such failure is thrown at the end.
   */
  async stop({ handOver }: { handOver: boolean }): Promise<void> {
    const converged = this.#convergence.stop(patience_ms);
    const failures: unknown[] = [];
    for (const end of [
      async () => handOver && this.manager?.handOver(),
      async () => this.#worker?.stop(),
      () => this.#managerSide.stop(),
      () => this.#listener.close(),
      () => converged,
      () => this.#record.settled(),
    ]) {
      await end().catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  }
}

/** A worker's guard: what managers last said. One that was told nothing yet takes certificates at their word. */
function guardOf(record: NodeRecord): Guard {
  return {
    removal: () => undefined,
    demotion: (identity) => {
      const { trustedManagers, trustedAsOf } = record.state;
      if (trustedManagers.length === 0) return undefined;
      return demotionOf(identity, { asOf: trustedAsOf, isManager: (nodeID) => trustedManagers.includes(nodeID) });
    },
  };
}
