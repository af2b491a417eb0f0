import type { Duplex } from 'node:stream';
import type { SwarmChange } from '../manager/ca/update-swarm.js';
import type { NetworkVerdict } from '../model/network-verdict.js';
import type { Node } from '../model/types.js';
import type { Commit, Proposer, View } from '../store/view.js';
import type { OwnContainers } from '../worker/networks/own-containers.js';

/** What the API needs of the daemon it runs in: implemented once in src/daemon, and over an in-memory store in unit tests. */
export interface Backend {
  readonly version: string; // of Shoal
  local(): LocalNode;
  /** `docker swarm init`: makes this node the first manager of a new cluster. Resolves with its node id. */
  init(request: InitRequest): Promise<string>;
  /** `docker swarm join`: the token says as what. Resolves once the node is a member. */
  join(request: JoinRequest): Promise<void>;
  leave(force: boolean): Promise<void>;
  /** `docker swarm unlock`: a manager whose keys are locked takes up its place. Throws `invalid-argument` on a wrong key. */
  unlock(key: string): Promise<void>;
  /** Set while this node is a manager; else the API answers 503 "This node is not a swarm manager…". */
  manager(): ManagerBackend | undefined;
  /** Calls back when this node becomes a manager, and when it is none any more. */
  onManager(call: () => void): void;
  /**
   * Compares this node's kernel with the managers' state as the node has it, which is of `revision`: what differs, a line each. Throws
   * `not-a-manager` outside a cluster, `not-supported` on a node that has nothing in the kernel.
   */
  verifyNetworks(): Promise<NetworkVerdict>;
  /** What its users do with containers of this node and networks of the cluster; undefined while it is in no cluster. */
  ownContainers(): NodeContainers | undefined;
  /** A fresh byte stream to this node's own Docker Engine API. */
  connectEngine(): Promise<Duplex>;
  /** One that is read in large pieces: for answers that go on. */
  streamEngine(): Promise<Duplex>;
}

/** See OwnContainers, which this is in a daemon. */
export type NodeContainers = Pick<OwnContainers, 'find' | 'bring' | 'starting' | 'connect' | 'disconnect'>;

export interface LocalNode {
  state: 'inactive' | 'pending' | 'active' | 'error' | 'locked';
  nodeID: string;
  nodeAddress: string;
  error: string;
  /** Managers this node knows: what `info` shows as RemoteManagers. */
  remoteManagers: readonly { NodeID: string; Addr: string }[];
}

/** Body of POST /swarm/init, checked but for the addresses, which are as the user wrote them ('' for what was left out). */
export interface InitRequest {
  listenAddress: string;
  advertiseAddress: string;
  dataPathAddress: string;
  dataPathPort: number;
  defaultAddressPool: readonly string[];
  subnetSize: number;
  forceNewCluster: boolean;
  availability: 'active' | 'pause' | 'drain';
  spec: import('../model/types.js').SwarmSpec;
}
export interface JoinRequest {
  listenAddress: string;
  advertiseAddress: string;
  dataPathAddress: string;
  remoteAddresses: readonly string[]; // tried in turn
  token: string;
  availability: 'active' | 'pause' | 'drain';
}

export interface ManagerBackend extends Proposer {
  /** The store once everything acknowledged before the call is in it. Throws ShoalError `no-leader` at once when there is none. */
  read(): Promise<View>;
  /** Every commit from now on, in order; the result stops it. */
  watch(call: (commit: Commit) => void): () => void;
  /** Raft's view of the managers, by node id. */
  managers(): ReadonlyMap<string, { leader: boolean; reachable: boolean; address: string }>;
  /** A byte stream to the Docker Engine API of any node of the cluster. Throws `unavailable` when it cannot be reached. */
  connectEngineOf(node: Node): Promise<Duplex>;
  /** Throws when giving the node this role must be refused (the last manager, quorum). Called before a node's spec is written. */
  checkRoleChange(node: Node, role: string): void;
  /** Removes a node for good: its membership, its certificate's rights, its object. Refused as Docker refuses unless `force`. */
  removeNode(node: Node, force: boolean): Promise<void>;
  /** Changes the cluster's settings and replaces tokens and keys, all or nothing. Throws `out-of-sequence` when `version` is not the last. */
  updateSwarm(change: SwarmChange): Promise<void>;
}
