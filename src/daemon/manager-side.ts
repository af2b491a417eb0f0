import type { Logger } from 'winston';
import { Manager } from '../manager/composition/manager.js';
import { serviceClient } from '../model/services.js';
import type { RaftStatus } from '../raft/node.js';
import type { Credentials } from '../security/credentials.js';
import type { ClusterListener } from '../security/listener.js';
import type { NodeVault } from './node-vault.js';
import type { Parts } from './parts.js';
import type { NodeState } from './state.js';

export interface ManagerPlace {
  parts: Parts;
  /** The node's state of the moment. */
  state: () => NodeState;
  /** Where the Raft log is. */
  raftDirectory: string;
  credentials: Credentials;
  vault: NodeVault;
  listener: ClusterListener;
  /** Something happened that asks the node to look at what it is. */
  poke: () => void;
  /** Throws when the node is stopping: what takes time must not come to life after that. */
  checkRunning: () => void;
  log: Logger;
}

export interface ManagerStart {
  /** It founds the cluster: the first member of its Raft group. */
  isFirst?: boolean;
  forceNewCluster?: boolean;
}

// Nothing comes back on a stream between managers: without pings one through a path that swallows packets would stay until TCP gives
// up, minutes after the path is whole again, and drains would not wait for that manager's nodes.
const lastingStream = { 'grpc.keepalive_time_ms': 2_000, 'grpc.keepalive_timeout_ms': 5_000 };

/** What this node is as a manager, while it is one; and why it cannot be at the moment. */
export class ManagerSide {
  #manager: Manager | undefined;
  #failure = '';
  #isOut = false;

  constructor(private readonly place: ManagerPlace) {}

  get manager(): Manager | undefined {
    return this.#manager;
  }
  /** Why Raft could not go on; '' while it does. */
  get failure(): string {
    return this.#failure;
  }
  /** The group goes on without us: whatever we are to be, we are not that member any more. */
  get isOut(): boolean {
    return this.#isOut;
  }
  /** Whether the manager has caught up and counts for the quorum. */
  get isVoter(): boolean {
    const status = this.#manager?.raft.status();
    return status?.members.some(({ id, learner }) => id === status.id && !learner) ?? false;
  }

  async start({ isFirst = false, forceNewCluster = false }: ManagerStart): Promise<void> {
    const { parts, state, raftDirectory, credentials, vault, listener, checkRunning } = this.place;
    const { nodeID, raftID, advertiseAddress } = state();
    const self = { id: raftID, nodeID, address: advertiseAddress };
    const { clock, random, log, streamEngine } = parts;
    const sealer = await vault.sealer();
    this.#failure = ''; // before the start: it may fail while it starts
    const manager = await Manager.start({
      nodeID,
      openRaft: (stateMachine) =>
        parts.openRaft({
          self,
          directory: raftDirectory,
          sealer,
          isFirst,
          forceNewCluster,
          stateMachine,
          listener,
          dialer: credentials,
          onFatal: (error) => this.#failed(error),
        }),
      listener,
      dialer: credentials,
      showing: () => credentials.material,
      connectPeer: ({ nodeID: peer, address }) =>
        serviceClient(
          'ManagerPeers',
          address,
          credentials.credentials({ role: 'manager', nodeID: peer }),
          lastingStream,
        ),
      onUnlockKey: (key, asOf) => this.#lock(key, asOf),
      connectEngine: streamEngine,
      isForced: forceNewCluster,
      clock,
      random,
      log,
    });
    try {
      await vault.dropUnusedKeys();
      checkRunning();
    } catch (error) {
      await manager.stop();
      throw error;
    }
    this.#manager = manager;
    parts.onManager?.();
    // A member that catches up sees the group as it was before its own time: it is out only if it was in.
    let wasIn = false;
    const follow = ({ members }: Pick<RaftStatus, 'members'>) => {
      const isIn = members.some(({ id }) => id === raftID);
      wasIn ||= isIn;
      if (isIn || !wasIn || this.#isOut) return;
      this.#isOut = true; // what the node is to be now, its next certificate says
      this.place.poke();
    };
    follow(manager.raft.status());
    manager.raft.onStatus(follow);
  }

  #lock(unlockKey: string, asOf: number): void {
    const { vault, log } = this.place;
    vault.lockWith(unlockKey, asOf).then(
      (changed) => {
        if (changed) log.info(unlockKey === '' ? 'this manager is locked no more' : 'this manager has a new lock');
      },
      (error) => log.error('the keys of this manager could not be saved', { error }),
    );
  }

  /** The node goes on as a worker, and tries to come back as the manager it was. */
  #failed(error: Error): void {
    this.place.log.error('fatal: this manager cannot go on', { error });
    this.#failure = `this manager cannot go on: ${error.message}`;
    if (this.#manager !== undefined) this.place.poke(); // else it is being started, and must not be a second time meanwhile
  }

  async stop(): Promise<void> {
    const manager = this.#manager;
    this.#manager = undefined;
    this.place.parts.onManager?.();
    await manager?.stop();
  }

  /** Stops for good: the node is no member any more. */
  async resign(): Promise<void> {
    await this.stop();
    this.#isOut = false;
  }
}
