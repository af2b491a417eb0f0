import type * as grpc from '@grpc/grpc-js';
import type { Logger } from 'winston';
import type { Clock } from '../../model/clock.js';
import type { Random } from '../../model/random.js';
import type {
  Assignments,
  DispatcherClient,
  FromNodeInit,
  HelloInit,
  ManagerPeer,
  NodeDescriptionInit,
  Routes,
  TaskStatus,
  ToNode,
  Welcome,
} from '../../model/types.js';
import { ManagerChoice } from './manager-choice.js';

/** What the node learns from its session. Calls come in the order in which the manager sent. */
export interface SessionHandlers {
  onAssignments(assignments: Assignments): void;
  onRoutes(routes: Routes): void;
  /** Every manager of the cluster; for the node to remember over a restart. */
  onManagers(managers: readonly ManagerPeer[]): void;
  /** What the cluster wants the node to be. */
  onRole(role: string): void;
  /** The cluster answers that this node is none of its own: it was removed. */
  onRemoved(reason: string): void;
  onState(state: SessionState): void;
}
export interface SessionState {
  connected: boolean;
  /** Node id of the manager that holds the session; '' while there is none. */
  manager: string;
  /** Why there is none. */
  reason: string;
}

export interface SessionOptions {
  self: string;
  /** Managers known from before, host:port; at least one that is alive must be among them. */
  managers: readonly { nodeID: string; address: string }[];
  connect(address: string): DispatcherClient;
  hello(): Promise<HelloInit>;
  handlers: SessionHandlers;
  clock: Clock;
  random: Random;
  log: Logger;
}

const wait_ms = { least: 50, most: 1_000 };
const beatsToLose = 3;
const welcome_ms_max = 5_000; // a registration is one Raft commit; a manager that takes longer is left for another
const heartbeat_ms_default = 1_000;

/**
 * The node's session with a manager: one at a time, renewed at once with another when it is lost. What the node runs and routes does
 * not depend on there being one.
 */
export class NodeSession {
  private readonly choice: ManagerChoice;
  private current: Attempt | undefined;
  private cancelRetry = () => {};
  private backoff_ms = wait_ms.least;
  private stopped = false;

  constructor(private readonly options: SessionOptions) {
    this.choice = new ManagerChoice(options.managers, options.random);
    this.connect();
  }

  /** Reports of tasks; without a session they are dropped, because the next one starts with all assignments and the agent compares. */
  report(reports: { taskID: string; status: TaskStatus }[]): void {
    this.current?.send({
      TaskReports: { Reports: reports.map(({ taskID, status }) => ({ TaskID: taskID, Status: status })) },
    });
  }

  /** The data plane routes as of `revision`; `busy` are tasks outside rotation with connections still open. */
  routesApplied(revision: number, busy: readonly string[]): void {
    this.current?.send({ RoutesApplied: { Revision: revision, BusyTaskIDs: [...busy] } });
  }

  /** The node or its engine is not what it was. */
  describe(Description: NodeDescriptionInit, EngineError: string): void {
    this.current?.send({ NodeReport: { Description, EngineError } });
  }

  /** Ends the session, so that its manager knows at once that nobody listens. */
  stop(): void {
    this.stopped = true;
    this.cancelRetry();
    this.current?.close();
    this.current = undefined;
  }

  private connect(): void {
    const { options } = this;
    const manager = this.choice.next();
    const attempt = new Attempt(manager.address, options, {
      welcomed: (welcome) => {
        this.backoff_ms = wait_ms.least;
        this.choice.worked(manager.address);
        options.log.info('session opened', { manager: manager.nodeID || manager.address, cluster: welcome.ClusterID });
        options.handlers.onState({ connected: true, manager: manager.nodeID, reason: '' });
      },
      managers: (managers) => this.managersChanged(managers, manager.address),
      ended: (reason, removed) => this.lost(attempt, manager.address, reason, removed),
    });
    this.current = attempt;
  }

  private managersChanged(managers: readonly ManagerPeer[], connectedTo: string): void {
    this.choice.set(managers.map((one) => ({ nodeID: one.NodeID, address: one.Addr, preferred: one.Preferred })));
    this.options.handlers.onManagers(managers);
    if (!this.choice.shouldMove(connectedTo)) return;
    this.options.log.info('moving the session to the preferred manager');
    this.current?.close();
    this.retryAfter(0);
  }

  private lost(attempt: Attempt, address: string, reason: string, removed: boolean): void {
    if (this.stopped || this.current !== attempt) return;
    this.current = undefined;
    this.choice.failed(address);
    this.options.log.warn('no session', { manager: address, reason });
    this.options.handlers.onState({ connected: false, manager: '', reason });
    if (removed) this.options.handlers.onRemoved(reason);
    // the next manager is tried at once; only when all have failed in a row does waiting begin
    this.retryAfter(this.choice.triedAll() ? this.backoff_ms / 2 + this.options.random.below(this.backoff_ms) : 0);
    if (this.choice.triedAll()) this.backoff_ms = Math.min(this.backoff_ms * 2, wait_ms.most);
  }

  private retryAfter(delay_ms: number): void {
    this.current = undefined;
    this.cancelRetry();
    this.cancelRetry = this.options.clock.after(delay_ms, () => {
      if (!this.stopped) this.connect();
    });
  }
}

interface AttemptEvents {
  welcomed(welcome: Welcome): void;
  managers(managers: readonly ManagerPeer[]): void;
  ended(reason: string, removed: boolean): void;
}

/** One stream to one manager, from Hello to its end; `ended` is called at most once, and never after `close`. */
class Attempt {
  private readonly client: DispatcherClient;
  private readonly stream: grpc.ClientDuplexStream<FromNodeInit, ToNode>;
  private cancelBeat = () => {};
  private heartbeat_ms = heartbeat_ms_default;
  private welcomed = false;
  private over = false;
  private heard_ms: number;
  private readonly began_ms: number;

  constructor(
    address: string,
    private readonly options: SessionOptions,
    private readonly events: AttemptEvents,
  ) {
    this.began_ms = options.clock.monotonic();
    this.heard_ms = this.began_ms;
    this.client = options.connect(address);
    this.stream = this.client.Session();
    this.stream.on('data', (message: ToNode) => this.received(message));
    this.stream.on('error', (error: grpc.ServiceError) => this.end(error.details || error.message, isRemoval(error)));
    this.stream.on('end', () => this.end('the manager ended the session', false));
    options.hello().then(
      (hello) => {
        if (!this.over) this.stream.write({ Hello: hello });
      },
      (error: Error) => this.end(error.message, false),
    );
    this.beatLater();
  }

  /** What is said before the session is open is dropped: it is said again when the assignments come. */
  send(message: FromNodeInit): void {
    if (this.welcomed && !this.over) this.stream.write(message);
  }

  close(): void {
    if (this.over) return;
    this.over = true;
    this.cancelBeat();
    this.stream.end();
    this.stream.cancel();
    this.client.close();
  }

  private end(reason: string, removed: boolean): void {
    if (this.over) return;
    this.close();
    this.events.ended(reason, removed);
  }

  private received(message: ToNode): void {
    if (this.over) return;
    this.heard_ms = this.options.clock.monotonic();
    const { handlers } = this.options;
    if (message.Welcome) {
      this.welcomed = true;
      if (message.Welcome.HeartbeatPeriod > 0) this.heartbeat_ms = message.Welcome.HeartbeatPeriod / 1e6;
      this.events.welcomed(message.Welcome);
    }
    if (message.Assignments) handlers.onAssignments(message.Assignments);
    if (message.Routes) handlers.onRoutes(message.Routes);
    if (message.NodeRole) handlers.onRole(message.NodeRole.Role);
    if (message.Managers) this.events.managers(message.Managers.Managers);
  }

  private beatLater(): void {
    this.cancelBeat = this.options.clock.after(this.heartbeat_ms, () => {
      const now = this.options.clock.monotonic();
      if (!this.welcomed && now - this.began_ms > welcome_ms_max)
        return this.end('no answer to the registration', false);
      if (this.welcomed && now - this.heard_ms > beatsToLose * this.heartbeat_ms)
        return this.end('no heartbeat from the manager', false);
      this.send({ Heartbeat: {} });
      this.beatLater();
    });
  }
}

/** A manager that knows the cluster's state refuses this node for good (gRPC status PERMISSION_DENIED). */
function isRemoval(error: grpc.ServiceError): boolean {
  return error.code === 7;
}
