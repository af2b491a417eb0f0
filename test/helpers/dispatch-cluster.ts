import * as grpc from '@grpc/grpc-js';
import { Dispatcher } from '../../src/manager/dispatcher/dispatcher.js';
import { type ManagerAddress, managersFor } from '../../src/manager/dispatcher/managers.js';
import { AttendedClock } from '../../src/model/attended-clock.js';
import { seededRandom } from '../../src/model/random.js';
import { serviceClient, serviceDefinition } from '../../src/model/services.js';
import type {
  Assignments,
  DispatcherClient,
  FromNodeInit,
  HelloInit,
  OperationInit,
  Routes,
  ToNode,
} from '../../src/model/types.js';
import { WantedRoutes } from '../../src/network/wanted-routes.js';
import { NodeSession, type SessionState } from '../../src/worker/session/session.js';
import { ManualClock } from './manual-clock.js';
import { until } from './net.js';
import { quiet } from './node-under-test.js';
import { type LogMember, TestLog } from './test-log.js';

const nodeIDKey = 'test-node-id';
const asNode = (nodeID: string): grpc.ClientOptions => ({
  'grpc.use_local_subchannel_pool': 1,
  interceptors: [
    (options, next) =>
      new grpc.InterceptingCall(next(options), {
        start: (metadata, listener, start) => {
          metadata.set(nodeIDKey, nodeID);
          start(metadata, listener);
        },
      }),
  ],
});

/** A manager's dispatcher behind a port of its own, without TLS: a caller is whom it says it is. */
export class TestManager {
  readonly server = new grpc.Server();
  readonly member: LogMember;
  dispatcher!: Dispatcher;
  address = '';
  hasLeader = true;
  leads = false;
  readonly silence_ms = new Map<string, number>();

  constructor(
    private readonly cluster: TestCluster,
    readonly nodeID: string,
  ) {
    this.member = cluster.log.join();
  }

  get store() {
    return this.member.store;
  }

  async listen(): Promise<void> {
    const port = await new Promise<number>((resolve, reject) => {
      this.server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
    this.address = `127.0.0.1:${port}`;
  }

  serve(): void {
    const { cluster, member, nodeID } = this;
    this.dispatcher = new Dispatcher({
      self: nodeID,
      store: member.store,
      proposer: member.proposer,
      leadership: () => ({
        hasLeader: this.hasLeader,
        leads: this.leads,
        managers: cluster.managerAddresses(),
        silence_ms: this.silence_ms,
      }),
      identityOf: (call) => ({
        nodeID: String(call.metadata.get(nodeIDKey)[0]),
        role: 'worker',
        clusterID: 'cluster',
        asOf: 0,
      }),
      connectPeer: ({ address }) =>
        serviceClient('ManagerPeers', address, grpc.credentials.createInsecure(), asNode(nodeID)),
      clock: cluster.attended,
      onTime: () => {},
      random: seededRandom(1),
      log: quiet,
    });
    const { Dispatcher: sessions, ManagerPeers: peers } = this.dispatcher.handlers();
    this.server.addService(serviceDefinition('Dispatcher'), sessions);
    this.server.addService(serviceDefinition('ManagerPeers'), peers);
  }

  setLeader(hasLeader: boolean): void {
    this.hasLeader = hasLeader;
    this.dispatcher.leadershipChanged();
  }

  /** As when the process is killed. */
  kill(): void {
    this.dispatcher.stop();
    this.server.forceShutdown();
  }
}

/** A node with its session, which remembers what it was told and says what the test wants. */
export class TestNode {
  readonly assignments: Assignments[] = [];
  readonly routes: Routes[] = [];
  readonly states: SessionState[] = [];
  readonly roles: string[] = [];
  readonly removals: string[] = [];
  /** Nothing of it reaches any manager, nor the other way. */
  isMute = false;
  /** Routes are in force as soon as they arrive. */
  acknowledges = true;
  engineError = '';
  log = quiet;
  beatsSent = 0;
  beatsAnswered = 0;
  session!: NodeSession;

  constructor(
    private readonly cluster: TestCluster,
    readonly id: string,
  ) {}

  start(managers: readonly Pick<TestManager, 'nodeID' | 'address'>[]): this {
    this.session = new NodeSession({
      self: this.id,
      managers: managers.map(({ nodeID, address }) => ({ nodeID, address })),
      connect: (address) => this.connect(address),
      hello: async (): Promise<HelloInit> => ({
        Description: { Hostname: this.id },
        Addr: '10.0.0.1',
        ClusterAddr: '10.0.0.1:2377',
        DataPathAddr: '10.9.0.1',
        EngineError: this.engineError,
      }),
      handlers: {
        onAssignments: (assignments) => this.assignments.push(assignments),
        onRoutes: (routes) => {
          this.routes.push(routes);
          if (this.acknowledges) this.session.routesApplied(routes.Revision, []);
        },
        onManagers: () => {},
        onTrust: () => {},
        onRole: (role) => this.roles.push(role),
        onRefused: (reason) => this.removals.push(reason),
        onState: (state) => this.states.push(state),
      },
      clock: this.cluster.attended,
      random: seededRandom(7),
      log: this.log,
    });
    return this;
  }

  /** Node id of the manager that holds the session. */
  get manager(): string {
    return this.states.at(-1)?.manager ?? '';
  }

  /** What the node shall have, by task id, as the assignments so far add up. */
  get desired(): Record<string, string> {
    let tasks: Record<string, string> = {};
    for (const { Full, Tasks, RemovedTaskIDs } of this.assignments) {
      if (Full) tasks = {};
      for (const task of Tasks) tasks[task.ID] = task.DesiredState;
      for (const id of RemovedTaskIDs) delete tasks[id];
    }
    return tasks;
  }

  /** The routes that the node has, as `<route id>: <task ids>`. */
  get routed(): string[] {
    const wanted = new WantedRoutes();
    for (const message of this.routes) wanted.take(message);
    return [...wanted.routes.values()].map(
      ({ ID, Endpoints }) => `${ID}: ${Endpoints.map((one) => one.TaskID).join(' ')}`,
    );
  }

  acknowledge(busy: readonly string[] = []): void {
    this.session.routesApplied(this.routes.at(-1)!.Revision, busy);
  }

  private connect(address: string): DispatcherClient {
    const client = serviceClient('Dispatcher', address, grpc.credentials.createInsecure(), asNode(this.id));
    const open = client.Session.bind(client) as () => grpc.ClientDuplexStream<FromNodeInit, ToNode>;
    const opened = () => {
      const stream = open();
      const write = stream.write.bind(stream);
      stream.write = ((message: FromNodeInit) => {
        if (this.isMute) return true;
        if (message.Heartbeat) this.beatsSent += 1;
        return write(message);
      }) as typeof stream.write;
      const on = stream.on.bind(stream);
      stream.on = ((event: string, listener: (...parameters: unknown[]) => void) =>
        on(event, (...parameters: unknown[]) => {
          if (event === 'data' && (parameters[0] as ToNode).HeartbeatAck && !this.isMute) this.beatsAnswered += 1;
          if (!(event === 'data' && this.isMute)) listener(...parameters);
        })) as typeof stream.on;
      // beats that were on their way when a session ended are never answered
      stream.on('close', () => {
        this.beatsAnswered = this.beatsSent;
      });
      return stream;
    };
    client.Session = opened as typeof client.Session;
    return client;
  }
}

/** Dispatchers and nodes that talk over loopback, on a clock that the test moves. */
export class TestCluster {
  readonly clock = new ManualClock();
  /** What the parts go by; `clock.skip` is a stall of all of them. */
  readonly attended = new AttendedClock(this.clock);
  readonly log = new TestLog();
  readonly managers: TestManager[] = [];
  readonly nodes: TestNode[] = [];

  static async start(managerCount: number): Promise<TestCluster> {
    const cluster = new TestCluster();
    for (let at = 1; at <= managerCount; at++) cluster.managers.push(new TestManager(cluster, `manager${at}`));
    await Promise.all(cluster.managers.map((manager) => manager.listen()));
    await cluster.commit([{ Action: 'create', Cluster: { ID: 'cluster', Spec: { Name: 'default' } } }]);
    for (const manager of cluster.managers) manager.serve();
    if (cluster.managers[0]) cluster.managers[0].leads = true;
    return cluster;
  }

  managerAddresses(): ManagerAddress[] {
    return this.managers.map(({ nodeID, address }) => ({ nodeID, address }));
  }

  async commit(Operations: OperationInit[]): Promise<number> {
    const { index } = await this.managers[0]!.member.proposer.propose({
      Operations,
      Origin: 'test',
      Time: new Date(this.clock.now()).toISOString(),
    });
    return index;
  }

  /** A node that the cluster knows, not started yet. */
  async addNode(id: string): Promise<TestNode> {
    await this.commit([{ Action: 'create', Node: { ID: id, Spec: { Role: 'worker' }, Status: { State: 'unknown' } } }]);
    const node = new TestNode(this, id);
    this.nodes.push(node);
    return node;
  }

  /** A node that prefers the manager and has its session with it. */
  async connected(manager: TestManager): Promise<TestNode> {
    const node = (await this.addNode(this.idPreferring(manager))).start([manager]);
    await this.until(() => node.routes.length > 0 && node.manager === manager.nodeID);
    return node;
  }

  /** A second daemon that says it is the same node; an heir starts when the first has ended. */
  addTwin(node: TestNode, manager: TestManager, isHeir = true): TestNode {
    const twin = new TestNode(this, node.id);
    if (isHeir) node.session.stop();
    this.nodes.push(twin.start([manager]));
    return twin;
  }

  /** An id that no node has yet, of one that shall have its session with the manager. */
  idPreferring(manager: TestManager): string {
    for (let count = 1; ; count++) {
      const id = `node${count}`;
      if (this.nodes.some((node) => node.id === id)) continue;
      const preferred = managersFor(id, this.managerAddresses()).Managers?.find((one) => one.Preferred);
      if (preferred?.NodeID === manager.nodeID) return id;
    }
  }

  /** Moves time on in steps, each once all beats of nodes that can be heard were answered. */
  async pass(by_ms: number): Promise<void> {
    for (let left_ms = by_ms; left_ms > 0; left_ms -= 100) {
      await this.clock.advance(Math.min(100, left_ms));
      await until(() => this.nodes.every((node) => node.isMute || node.beatsAnswered >= node.beatsSent));
    }
  }

  /** Waits for what messages on their way bring about; timers that wait (a retry, at once) fire, but no time passes. */
  async until(done: () => boolean): Promise<void> {
    await until(async () => {
      await this.clock.advance(0);
      return done();
    });
  }

  /** A service with a published port, and a task of it that runs on the node. */
  async runWeb(taskID: string, nodeID: string, over: { StopGracePeriod?: number } = {}): Promise<void> {
    const port = { Protocol: 'tcp', TargetPort: 80, PublishedPort: 8080, PublishMode: 'ingress' };
    if (this.managers[0]!.store.get('Service', 'web') === undefined) {
      await this.commit([
        {
          Action: 'create',
          Service: { ID: 'web', Spec: { Name: 'web', EndpointSpec: { Ports: [port] } }, Endpoint: { Ports: [port] } },
        },
      ]);
    }
    await this.commit([
      {
        Action: 'create',
        Task: {
          ID: taskID,
          ServiceID: 'web',
          NodeID: nodeID,
          DesiredState: 'running',
          Spec: { ContainerSpec: { Image: 'web', ...over } },
          Status: {
            State: 'running',
            Addresses: [{ Protocol: 'tcp', TargetPort: 80, Host: '10.0.0.1', Port: 30_000 }],
          },
        },
      },
    ]);
  }

  /** What reconcile does to end a task. */
  async shutDown(taskID: string): Promise<number> {
    const task = this.managers[0]!.store.get('Task', taskID)!;
    return this.commit([{ Action: 'update', Task: { ...task, DesiredState: 'shutdown' } }]);
  }

  stop(): void {
    for (const node of this.nodes) node.session?.stop();
    for (const manager of this.managers) manager.kill();
  }
}
