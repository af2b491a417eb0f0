import type { Duplex } from 'node:stream';
import type { Logger } from 'winston';
import type { Backend, InitRequest, JoinRequest, LocalNode, ManagerBackend } from '../api/backend.js';
import { messageOf, ShoalError } from '../model/errors.js';
import type { NetworkVerdict } from '../model/network-verdict.js';
import { parseUnlockKey } from '../security/unlock-key.js';
import { Backoff } from '../worker/backoff.js';
import type { OwnContainers } from '../worker/networks/own-containers.js';
import { splitHostPort } from './addresses.js';
import { arrived, joined_ms } from './arrival.js';
import { foundCluster } from './founding.js';
import { joinAsMember } from './joining.js';
import { ClusterMember } from './member.js';
import type { DaemonOptions } from './options.js';
import type { Parts } from './parts.js';
import { type NodeState, StateDirectory } from './state.js';

// An address that comes up late at boot is there within seconds; a file system that is full is emptied within minutes.
const comeBack_ms = { first: 1_000, most: 30_000 };

/** Whether what keeps the node from its cluster stays so until somebody mends it: waiting changes nothing. */
function isLasting(error: unknown): boolean {
  return error instanceof ShoalError && ['locked', 'failed-precondition', 'invalid-argument'].includes(error.code);
}

/** The node as the API sees it: in no cluster, or a member of one; and the way from one to the other. */
export class Daemon implements Backend {
  readonly version: string;
  readonly #parts: Parts;
  readonly #options: DaemonOptions;
  readonly #directory: StateDirectory;
  readonly #log: Logger;
  #member: ClusterMember | undefined;
  /** Why the cluster that the state directory tells of could not be taken up. */
  #failure = '';
  /** The node file is encrypted: nothing of the cluster can be taken up before `unlock`. */
  #isLocked = false;
  #isChanging = false;
  /** The attempt to take up the cluster that is under way, and the wait for the next. */
  #comingBack: Promise<void> = Promise.resolve();
  #cancelComeBack = () => {};
  #isStopped = false;
  readonly #onManager = new Set<() => void>();

  constructor(parts: Parts, options: DaemonOptions, version: string) {
    this.version = version;
    this.#parts = { ...parts, onManager: () => this.#tellOfManager() };
    this.#options = options;
    this.#directory = new StateDirectory(options.stateDirectory);
    this.#log = parts.log.child({ part: 'daemon' });
  }

  /**
   * Takes up the role it had. What keeps it from that is logged and told by the API (state `error`); the daemon itself goes on, and tries
   * again unless only the user can mend it. Resolves after the first attempt.
   */
  start(): Promise<void> {
    const backoff = new Backoff(this.#parts.random, comeBack_ms.first, comeBack_ms.most);
    this.#comingBack = this.#comeBack(backoff);
    return this.#comingBack;
  }

  async #comeBack(backoff: Backoff): Promise<void> {
    try {
      const state = await this.#directory.load();
      if (state === undefined) return await this.#sayRemains();
      if (this.#isStopped || this.#member !== undefined) return;
      if (this.#isChanging) this.#comeBackLater(backoff, 'the user has asked for something meanwhile');
      else await this.#exclusively(() => this.#takeUp(state));
    } catch (error) {
      this.#fail(error);
      if (this.#isLocked) this.#log.warn('this manager is locked, and waits to be unlocked');
      else if (isLasting(error)) this.#log.error('the node could not take up its place in the cluster', { error });
      else this.#comeBackLater(backoff, error);
    }
  }

  /** An init or join that was cut off leaves this, and so does a node.json that somebody lost. */
  async #sayRemains(): Promise<void> {
    const files = await this.#directory.remains();
    if (files.length === 0) return;
    const file = this.#directory.nodeFile;
    this.#log.warn('there is no node.json, so this node is in no cluster; "swarm init" and "swarm join" remove', {
      files,
      file,
    });
  }

  async #takeUp(state: NodeState): Promise<void> {
    this.#log.info('coming back', { node: state.nodeID, cluster: state.clusterID, role: state.role });
    this.#become(await ClusterMember.start(this.#parts, this.#directory, state));
    this.#failure = '';
  }

  #comeBackLater(backoff: Backoff, error: unknown): void {
    const wait_ms = backoff.next_ms();
    const what = 'the node could not take up its place in the cluster yet, and tries again';
    this.#log.error(what, { reason: messageOf(error), after_ms: wait_ms });
    this.#cancelComeBack = this.#parts.clock.after(wait_ms, () => {
      this.#comingBack = this.#comeBack(backoff);
    });
  }

  /** The state directory tells of a cluster that is not taken up: nothing but `leave` may clear it. */
  #fail(error: unknown): void {
    this.#isLocked = error instanceof ShoalError && error.code === 'locked';
    this.#failure = messageOf(error);
  }

  /** Stops as a member; containers run on. A leader hands over first. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelComeBack();
    await this.#comingBack;
    await this.#member?.stop({ handOver: true });
    this.#become(undefined);
  }

  /** Id of the cluster that this node is a member of; '' of none. */
  get clusterID(): string {
    return this.#member?.state.clusterID ?? '';
  }

  local(): LocalNode {
    const member = this.#member;
    if (member === undefined) {
      if (this.#isLocked)
        return { state: 'locked', nodeID: '', nodeAddress: '', error: this.#failure, remoteManagers: [] };
      const state = this.#failure === '' ? (this.#isChanging ? 'pending' : 'inactive') : 'error';
      return { state, nodeID: '', nodeAddress: '', error: this.#failure, remoteManagers: [] };
    }
    const { nodeID, advertiseAddress, managers } = member.state;
    return {
      state: member.rejection !== '' ? 'error' : member.isActive ? 'active' : 'pending',
      nodeID,
      nodeAddress: splitHostPort(advertiseAddress, 0, '').host,
      error: member.rejection,
      remoteManagers: managers,
    };
  }

  manager(): ManagerBackend | undefined {
    return this.#member?.manager;
  }

  onManager(call: () => void): void {
    this.#onManager.add(call);
  }

  #tellOfManager(): void {
    for (const call of this.#onManager) call();
  }

  /** The member that the node is from now on; it may have become a manager before anybody could ask it. */
  #become<M extends ClusterMember | undefined>(member: M): M {
    this.#member = member;
    this.#tellOfManager();
    return member;
  }

  async verifyNetworks(): Promise<NetworkVerdict> {
    if (this.#member === undefined) throw new ShoalError('not-a-manager', 'This node is not part of a swarm');
    return this.#member.verifyNetworks();
  }

  ownContainers(): OwnContainers | undefined {
    return this.#member?.ownContainers;
  }

  connectEngine(): Promise<Duplex> {
    return this.#parts.connectEngine();
  }

  streamEngine(): Promise<Duplex> {
    return this.#parts.streamEngine();
  }

  init(request: InitRequest): Promise<string> {
    return this.#exclusively(async () => {
      if (request.forceNewCluster) return this.#forceNewCluster();
      this.#refuseMember();
      return this.#become(await foundCluster(this.#parts, this.#directory, this.#options, request)).state.nodeID;
    });
  }

  join(request: JoinRequest): Promise<void> {
    return this.#exclusively(async () => {
      this.#refuseMember();
      await arrived(
        this.#become(await joinAsMember(this.#parts, this.#directory, this.#options, request)),
        this.#parts.clock,
      );
    });
  }

  /** That a manager is asked to `force` it is for the API to say. */
  leave(): Promise<void> {
    return this.#exclusively(async () => {
      const member = this.#member;
      if (member === undefined && this.#failure === '') {
        throw new ShoalError('not-a-manager', 'This node is not part of a swarm');
      }
      this.#cancelComeBack();
      const nodeID = member?.state.nodeID ?? (await this.#keptNodeID());
      await member?.drain();
      await member?.ownContainers?.release();
      this.#become(undefined);
      this.#failure = '';
      this.#isLocked = false;
      try {
        await member?.leaveRaft();
        await member?.stop({ handOver: true });
      } catch (error) {
        // Whatever could not be stopped in good order: the user gave the cluster up, and a node that comes back into it has not left.
        this.#log.error('the node left the cluster in disorder', { error });
      }
      if (nodeID !== undefined) await this.#parts.clearNode(nodeID);
      await this.#directory.clear();
      this.#log.info('left the cluster', { node: nodeID });
    });
  }

  /** Which node this was, of a cluster that could not be taken up; undefined, with a warning, when that cannot be read either. */
  async #keptNodeID(): Promise<string | undefined> {
    try {
      return (await this.#directory.load())?.nodeID;
    } catch (error) {
      this.#log.warn('which node this was is not known: containers of its tasks are left', {
        reason: messageOf(error),
      });
      return undefined;
    }
  }

  unlock(key: string): Promise<void> {
    return this.#exclusively(async () => {
      if (!this.#isLocked) throw new ShoalError('conflict', 'swarm is not locked');
      parseUnlockKey(key);
      const state = await this.#directory.load();
      if (state === undefined) throw new ShoalError('internal', `${this.#directory.nodeFile}: it is gone`);
      this.#become(await ClusterMember.start(this.#parts, this.#directory, state, { unlockKey: key }));
      this.#isLocked = false;
      this.#failure = '';
      this.#log.info('this manager was unlocked', { node: state.nodeID });
    });
  }

  #refuseMember(): void {
    if (this.#failure !== '') {
      throw new ShoalError(
        'already-in-swarm',
        `${this.#failure.replace(/\.$/, '')}. Use "docker swarm leave --force" to give up that cluster`,
      );
    }
    if (this.#member === undefined) return;
    throw new ShoalError(
      'already-in-swarm',
      'This node is already part of a swarm. Use "docker swarm leave" to leave this swarm and join another one.',
    );
  }

  /** One change of membership at a time; a second one is told so, as Docker does. */
  async #exclusively<T>(change: () => Promise<T>): Promise<T> {
    if (this.#isChanging) {
      throw new ShoalError('unavailable', 'Another init, join or leave of this node is under way. Try again later.');
    }
    this.#isChanging = true;
    try {
      return await change();
    } finally {
      this.#isChanging = false;
    }
  }

  /** `swarm init --force-new-cluster`: what this manager knows becomes a cluster of which it is the only manager. */
  async #forceNewCluster(): Promise<string> {
    const state = this.#member?.state ?? (await this.#directory.load());
    if (state === undefined || state.role !== 'manager' || state.raftID === 0) {
      throw new ShoalError(
        'invalid-argument',
        '--force-new-cluster: this node has no state of a manager to go on from',
      );
    }
    try {
      await this.#member?.stop({ handOver: false });
      this.#become(undefined);
      const how = { forceNewCluster: true };
      const member = this.#become(await ClusterMember.start(this.#parts, this.#directory, state, how));
      this.#failure = '';
      this.#isLocked = false;
      if (member.manager === undefined) throw new ShoalError('internal', member.rejection || 'the manager has stopped');
      const demoted = member.manager.demoteOthers();
      demoted.catch(() => {}); // whoever waits below is told; it goes on when that ended for want of a leader
      await member.manager.ready(joined_ms);
      await demoted;
    } catch (error) {
      if (this.#member === undefined) this.#fail(error); // else the member that runs tells how it is
      throw error;
    }
    this.#log.warn('this manager is the only one of the cluster now', { node: state.nodeID });
    return state.nodeID;
  }
}
