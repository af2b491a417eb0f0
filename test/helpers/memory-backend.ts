import type { Duplex } from 'node:stream';
import type {
  Backend,
  InitRequest,
  JoinRequest,
  LocalNode,
  ManagerBackend,
  NodeContainers,
} from '../../src/api/backend.js';
import { connectEngineSocket } from '../../src/daemon/engine-socket.js';
import { streamEngineSocket } from '../../src/daemon/engine-stream.js';
import { updateSwarm } from '../../src/manager/ca/update-swarm.js';
import { systemClock } from '../../src/model/clock.js';
import { complete } from '../../src/model/codec.js';
import { ShoalError } from '../../src/model/errors.js';
import type { NetworkVerdict } from '../../src/model/network-verdict.js';
import type { Node, NodeInit, TaskInit, TransactionInit } from '../../src/model/types.js';
import { withSwarmDefaults } from '../../src/model/validate/defaults.js';
import { createAuthority } from '../../src/security/authority.js';
import type { Commit, View } from '../../src/store/view.js';
import { LocalProposer } from './local-proposer.js';

export const localNodeID = 'local0000000000000000node';

const { certificatePEM: testRootPEM } = await createAuthority(Date.now());

/** The daemon as the API sees it, over a store in memory. What a test wants to be otherwise, it sets. */
export class MemoryBackend implements Backend {
  readonly version = '0.0.0-test';
  readonly proposer = new LocalProposer();
  readonly calls: unknown[] = [];
  state: LocalNode['state'] = 'inactive';
  /** Why, in the state `error`. */
  failure = '';
  private managing = false;
  private readonly onManagers: (() => void)[] = [];
  hasLeader = true;
  /** Sockets of engines, or what opens a stream to one: '' is this node's own. */
  readonly engines = new Map<string, string | (() => Promise<Duplex>)>();
  readonly managerMap = new Map<string, { leader: boolean; reachable: boolean; address: string }>();
  /** Runs before a proposal is applied: where a test lets something else come first. */
  beforePropose: (() => void) | undefined;

  /** Makes this node the manager of a cluster of its own. */
  found(): this {
    this.state = 'active';
    this.isManager = true;
    this.managerMap.set(localNodeID, { leader: true, reachable: true, address: '10.0.0.1:2377' });
    this.commit({
      Operations: [
        {
          Action: 'create',
          Cluster: {
            ID: 'cluster000000000000000000',
            Spec: withSwarmDefaults(complete('SwarmSpec', {})),
            JoinTokens: { Worker: 'SWMTKN-1-worker', Manager: 'SWMTKN-1-manager' },
            RootCA: { CertificatePEM: testRootPEM, KeyPEM: 'the root key' },
            DataPathPort: 4789,
            DefaultAddrPool: ['10.0.0.0/8'],
            SubnetSize: 24,
          },
        },
      ],
    });
    return this.addNode({ ID: localNodeID, Spec: { Role: 'manager', Availability: 'active' } }, 'node1');
  }

  addNode(node: NodeInit & { ID: string }, hostname: string): this {
    const full: NodeInit = {
      Description: { Hostname: hostname, Platform: { OS: 'linux', Architecture: 'x86_64' } },
      Status: { State: 'ready', Addr: '10.0.0.1' },
      ...node,
    };
    this.commit({ Operations: [{ Action: 'create', Node: full }] });
    return this;
  }

  addTask(task: TaskInit & { ID: string }): this {
    this.commit({ Operations: [{ Action: 'create', Task: task }] });
    return this;
  }

  commit(transaction: TransactionInit): void {
    this.proposer.commit(transaction);
  }

  get view(): View {
    return this.proposer.store;
  }

  /** This node's own containers on networks of the cluster. */
  containers: NodeContainers | undefined;

  ownContainers(): NodeContainers | undefined {
    return this.containers;
  }

  /** What `verifyNetworks` finds. */
  networkDifferences: string[] = [];

  async verifyNetworks(): Promise<NetworkVerdict> {
    return { revision: 7, differences: this.networkDifferences, delays: { count: 2, median_ms: 3.4, max_ms: 40 } };
  }

  local(): LocalNode {
    const isIn = this.state !== 'inactive';
    return {
      state: this.state,
      nodeID: isIn ? localNodeID : '',
      nodeAddress: isIn ? '10.0.0.1' : '',
      error: this.state === 'error' ? this.failure : '',
      remoteManagers: isIn ? [{ NodeID: localNodeID, Addr: '10.0.0.1:2377' }] : [],
    };
  }

  get isManager(): boolean {
    return this.managing;
  }
  set isManager(is: boolean) {
    this.managing = is;
    for (const call of this.onManagers) call();
  }
  onManager(call: () => void): void {
    this.onManagers.push(call);
  }

  async init(request: InitRequest): Promise<string> {
    this.calls.push({ init: request });
    this.found();
    return localNodeID;
  }

  async join(request: JoinRequest): Promise<void> {
    this.calls.push({ join: request });
    this.state = 'active';
  }

  async unlock(key: string): Promise<void> {
    this.calls.push({ unlock: key });
    this.state = 'active';
  }

  async leave(force: boolean): Promise<void> {
    this.calls.push({ leave: force });
    this.state = 'inactive';
    this.isManager = false;
  }

  private readonly asManager: ManagerBackend = {
    read: async () => {
      if (!this.hasLeader) throw noLeader();
      return this.view;
    },
    propose: async (transaction) => {
      if (!this.hasLeader) throw noLeader();
      this.beforePropose?.();
      return this.proposer.propose(transaction);
    },
    watch: (call: (commit: Commit) => void) => this.proposer.store.watch(call),
    managers: () => this.managerMap,
    connectEngineOf: (node: Node) => this.connect(node.ID === localNodeID ? '' : node.ID),
    checkRoleChange: (node, role) => {
      if (role === 'worker' && node.Spec?.Role === 'manager' && this.managerMap.size === 1) {
        throw new ShoalError('failed-precondition', 'attempting to demote the last manager of the swarm');
      }
    },
    removeNode: async (node, force) => {
      this.calls.push({ removeNode: node.ID, force });
      this.commit({ Operations: [{ Action: 'remove', Kind: 'Node', ID: node.ID }] });
    },
    updateSwarm: async (change) => {
      if (!this.hasLeader) throw noLeader();
      this.calls.push({ rotate: change.rotate });
      await updateSwarm(
        { read: async () => this.view, propose: (made) => this.proposer.propose(made) },
        systemClock,
        { keyPEM: '', certificatePEM: '' },
        change,
      );
    },
  };

  manager(): ManagerBackend | undefined {
    return this.isManager ? this.asManager : undefined;
  }

  connectEngine(): Promise<Duplex> {
    return this.connect('');
  }

  streamEngine(): Promise<Duplex> {
    return this.connect('', (path) => streamEngineSocket(path, systemClock));
  }

  private async connect(node: string, open: (path: string) => Promise<Duplex> = connectEngineSocket): Promise<Duplex> {
    const engine = this.engines.get(node);
    if (engine === undefined) throw new ShoalError('unavailable', 'no engine answers');
    return typeof engine === 'string' ? open(engine) : engine();
  }
}

function noLeader(): ShoalError {
  return new ShoalError('no-leader', 'The swarm does not have a leader.');
}
