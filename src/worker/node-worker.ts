import type { Logger } from 'winston';
import type { Clock } from '../model/clock.js';
import { complete } from '../model/codec.js';
import { messageOf, ShoalError } from '../model/errors.js';
import { kindOfResource } from '../model/generic-resources.js';
import type { NetworkVerdict } from '../model/network-verdict.js';
import type { Random } from '../model/random.js';
import type {
  Assignments,
  DispatcherClient,
  GenericResource,
  HelloInit,
  NodeDescription,
  TLSInfo,
} from '../model/types.js';
import type { DataPlane } from '../network/data-plane.js';
import type { Encryption } from '../network/kernel/encryption/encryption.js';
import type { KernelNetworks } from '../network/kernel/kernel-networks.js';
import { PlaneDriver } from '../network/plane-driver.js';
import type { NodeRole } from '../security/identity.js';
import { type Agent, startAgent } from './agent.js';
import type { Engine } from './engine.js';
import { NodeNetworks } from './networks/node-networks.js';
import type { OwnContainers } from './networks/own-containers.js';
import { NodeSession } from './session/session.js';

/** What the worker's side tells the node as it hears it from a manager. */
export interface WorkerEvents {
  onRole: (role: NodeRole) => void;
  /** The roots to trust, and the public key of the one that the node's certificate shall be from, as of an entry of the managers' log. */
  onTrust: (rootsPEM: string, issuerKey: string, asOf: number) => void;
  /** Where the managers are, and the nodes whose manager's certificates count as of an entry of their log. */
  onManagers: (managers: { NodeID: string; Addr: string }[], trusted: { nodeIDs: string[]; asOf: number }) => void;
  onConnected: () => void;
  onRejected: (reason: string) => void;
}

export interface NodeWorkerOptions {
  /** `address`: where other nodes reach its tasks; `clusterAddress`: host:port of its cluster port; `dataPathAddress`: '' is `address`. */
  node: { id: string; hostname: string; address: string; clusterAddress: string; dataPathAddress: string };
  /** Added to the engine's own. */
  labels: Readonly<Record<string, string>>;
  /** Added to the engine's own; of a kind that both know, these hold. */
  genericResources: readonly GenericResource[];
  /** Managers known from before, host:port; at least one. */
  managers: readonly { NodeID: string; Addr: string }[];
  connect: (manager: string) => DispatcherClient;
  engine: Engine;
  /** Its own from now on: closed when the worker stops. */
  plane: DataPlane;
  /** Undefined: this process may not change the kernel's networking, so tasks on networks of the cluster cannot run here. */
  kernel: KernelNetworks | undefined;
  /** What encrypts networks that ask for it, in the kernel; or why it cannot. */
  encryption: Pick<Encryption, 'epoch' | 'onEpoch'> | { obstacle: string };
  /** Whether the kernel leads what other nodes send through the tunnel to tasks here: see Reach. */
  throughTunnel: boolean;
  /** See AgentOptions. */
  memoryDirectory: string | undefined;
  /** Of the node's certificate and roots as it has them now. */
  tlsInfo: () => TLSInfo;
  /** Calls back when that has changed; the result stops it. */
  onTLSChange: (call: () => void) => () => void;
  events: WorkerEvents;
  clock: Clock;
  random: Random;
  log: Logger;
}

// As long as a node may be silent before it is taken for lost (three heartbeats).
const engineAway_ms_max = 3_000;

/** What a node does as a worker, which managers do too: its session with a manager, its tasks, its routes. */
export class NodeWorker {
  readonly #options: NodeWorkerOptions;
  readonly #agent: Agent;
  readonly #session: NodeSession;
  readonly #routes: PlaneDriver;
  readonly #networks: NodeNetworks;
  #cancelEngineReport: () => void = () => {};
  readonly #stopWatching: () => void;
  #hasConnected = false;

  /** Starts: it turns to the managers that the node knows and does what they assign. */
  constructor(options: NodeWorkerOptions) {
    this.#options = options;
    const { node, events, clock, random, log } = options;
    this.#networks = new NodeNetworks({
      nodeID: node.id,
      engine: options.engine,
      kernel: options.kernel,
      clock,
      random,
      log: log.child({ part: 'networks' }),
    });
    this.#agent = startAgent({
      engine: options.engine,
      node: { ...node, throughTunnel: options.throughTunnel },
      clock,
      random,
      log: log.child({ part: 'agent' }),
      report: (reports) => this.#session.report(reports),
      memoryDirectory: options.memoryDirectory,
      networks: this.#networks,
      attachNetwork: (request) => this.#session.attachNetwork(request),
    });
    this.#routes = new PlaneDriver({
      plane: options.plane,
      networks: this.#networks,
      clock,
      log: log.child({ part: 'plane' }),
      applied: (revision, busy) => this.#session.routesApplied(revision, busy),
    });
    this.#session = new NodeSession({
      self: node.id,
      managers: options.managers.map(({ NodeID, Addr }) => ({ nodeID: NodeID, address: Addr })),
      connect: options.connect,
      hello: () => this.#hello(),
      handlers: {
        onAssignments: (assignments) => this.#assign(assignments),
        onRoutes: (routes) => this.#routes.receive(routes),
        onManagers: ({ Managers, TrustedIDs, AsOf }) =>
          events.onManagers(
            Managers.map(({ NodeID, Addr }) => ({ NodeID, Addr })),
            { nodeIDs: TrustedIDs, asOf: AsOf },
          ),
        onTrust: ({ RootCertificatesPEM, IssuerKey, AsOf }) => events.onTrust(RootCertificatesPEM, IssuerKey, AsOf),
        onRole: (role) => events.onRole(role === 'manager' ? 'manager' : 'worker'),
        onRefused: (reason, { isRemoval }) => {
          events.onRejected(reason);
          if (isRemoval) this.#forsake();
        },
        onState: ({ connected }) => {
          if (!connected) return;
          this.#hasConnected = true;
          events.onConnected();
        },
      },
      clock,
      random,
      log: log.child({ part: 'session' }),
    });
    this.#agent.onEngineChange(() => this.#engineChanged());
    if ('epoch' in options.encryption) options.encryption.onEpoch = () => this.#report();
    this.#stopWatching = options.onTLSChange(() => this.#report());
  }

  /** Whether a manager has welcomed the node since it started. */
  get isConnected(): boolean {
    return this.#hasConnected;
  }

  #assign(assignments: Assignments): void {
    // First: tasks on encrypted networks need them.
    if (assignments.DataPathKeys) void this.#options.kernel?.setKeys(assignments.DataPathKeys.Keys);
    this.#agent.assign(assignments);
  }

  /** Good news travels at once. Bad news waits: an engine that is only being restarted must not send its tasks elsewhere. */
  #engineChanged(): void {
    this.#cancelEngineReport();
    if (this.#agent.engineError() === '') this.#report();
    else this.#cancelEngineReport = this.#options.clock.after(engineAway_ms_max, () => this.#report());
  }

  #report(): void {
    this.#describe().then(
      (description) => this.#session.describe(description, this.#agent.engineError()),
      (error) => this.#options.log.warn('the node could not describe itself', { reason: messageOf(error) }),
    );
  }

  async #describe(): Promise<NodeDescription> {
    const description = await this.#agent.description();
    const { Engine, Resources } = description;
    const { genericResources: own, encryption } = this.#options;
    const kinds = new Set(own.map(kindOfResource));
    const others = (Resources?.GenericResources ?? []).filter((resource) => !kinds.has(kindOfResource(resource)));
    return {
      ...description,
      Resources: Resources && { ...Resources, GenericResources: [...others, ...own] },
      Engine: Engine && { ...Engine, Labels: { ...Engine.Labels, ...this.#options.labels } },
      TLSInfo: this.#options.tlsInfo(),
      Encryption:
        'epoch' in encryption ? { Epoch: encryption.epoch, Obstacle: '' } : { Epoch: 0, Obstacle: encryption.obstacle },
    };
  }

  async #hello(): Promise<HelloInit> {
    const { address, clusterAddress, dataPathAddress } = this.#options.node;
    const Description = await this.#describe();
    return {
      Description,
      Addr: address,
      ClusterAddr: clusterAddress,
      DataPathAddr: dataPathAddress,
      EngineError: this.#agent.engineError(),
    };
  }

  /** Containers of the node's own users on networks of the cluster. */
  get ownContainers(): OwnContainers {
    return this.#agent.ownContainers;
  }

  /** Where the kernel's networking differs from what the managers say, a line each. Throws `not-supported` on a node without the right to it. */
  async verifyNetworks(): Promise<NetworkVerdict> {
    const { kernel } = this.#options;
    if (kernel === undefined) {
      throw new ShoalError(
        'not-supported',
        'the agent of this node does not run as root: nothing of it is in the kernel',
      );
    }
    const { revision, delays } = this.#routes;
    return { revision, differences: await kernel.verify(), delays: delays.summary };
  }

  /** The longest stop grace among the tasks that have not ended here; undefined when there is none. */
  get openGrace_ms(): number | undefined {
    const graces = this.#agent.openTasks();
    return graces.length === 0 ? undefined : Math.max(...graces);
  }

  /** The node was taken out of the cluster, which runs its tasks elsewhere: it stops them, and serves their ports no more. */
  #forsake(): void {
    this.#assign({
      Full: true,
      Tasks: [],
      RemovedTaskIDs: [],
      Secrets: [],
      RemovedSecretIDs: [],
      Configs: [],
      RemovedConfigIDs: [],
      DataPathKeys: { Keys: [] },
    });
    const nothingNewer = Number.MAX_SAFE_INTEGER;
    this.#routes.receive(complete('Routes', { Full: true, Revision: nothingNewer }));
  }

  /** Stops; the containers run on. */
  async stop(): Promise<void> {
    this.#cancelEngineReport();
    this.#stopWatching();
    this.#agent.tellAll(); // the ends of tasks that a node which leaves has waited for, while somebody still listens
    this.#session.stop();
    await this.#routes.close();
    await Promise.all([this.#options.plane.close(), this.#networks.close(), this.#agent.stop()]);
  }
}
