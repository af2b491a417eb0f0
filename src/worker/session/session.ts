import type { Logger } from 'winston';
import type { Clock } from '../../model/clock.js';
import { ShoalError } from '../../model/errors.js';
import type { Random } from '../../model/random.js';
import type {
  Assignments,
  AttachNetworkRequestInit,
  DispatcherClient,
  HelloInit,
  Managers,
  NodeDescriptionInit,
  Routes,
  Task,
  TaskStatus,
  ToNode,
  TrustRoots,
} from '../../model/types.js';
import { Attempt, welcome_ms_max } from './attempt.js';
import { type Manager, ManagerChoice } from './manager-choice.js';

/** What the node learns from its session. Calls come in the order in which the manager sent. */
export interface SessionHandlers {
  onAssignments(assignments: Assignments): void;
  onRoutes(routes: Routes): void;
  /** Every manager of the cluster; for the node to remember over a restart. */
  onManagers(managers: Managers): void;
  onTrust(roots: TrustRoots): void;
  /** What the cluster wants the node to be. */
  onRole(role: string): void;
  /** The cluster does not take this node; `isRemoval`: because it was taken out of it, and not just is not known here. */
  onRefused(reason: string, about: { isRemoval: boolean }): void;
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
  /** The node's own id. */
  self: string;
  /** Managers known from before, host:port; at least one that is alive must be among them. */
  managers: readonly { nodeID: string; address: string }[];
  connect(address: string): DispatcherClient;
  /** What the node is, asked for anew for each session. */
  hello(): Promise<HelloInit>;
  handlers: SessionHandlers;
  clock: Clock;
  random: Random;
  log: Logger;
}

/** Of 16 KiB at most: together below what a manager takes from a worker in one message. */
const reportsAtOnce = 200;
const wait_ms = { least: 50, most: 1_000 };
/** A connection takes a few round trips and two signatures. On machines too busy for the least of it, each round of all managers allows twice as much. */
const answer_ms = { least: 1_000, most: welcome_ms_max };
/**
 * A session that ended sooner than this did not hold: two daemons with one identity (a copied machine) drive each other out. Longer than
 * any wait, or waiting itself would count as holding.
 */
const lasting_ms = 3_000;
/** How often a node looks whether its preferred manager is back: soon, for it may just be starting, and then ever less. */
const look_ms = { least: 1_000, most: 30_000 };

/**
 * The node's session with a manager: one at a time, renewed at once with another when it is lost. What the node runs and routes does
 * not depend on there being one.
 */
export class NodeSession {
  private readonly choice: ManagerChoice;
  /** The session that is open, or that is being opened while there is none. */
  private current: Attempt | undefined;
  /** One with a manager that is preferred, being opened while `current` goes on. */
  private move: Attempt | undefined;
  private cancelRetry = () => {};
  private cancelMove = () => {};
  private backoff_ms = wait_ms.least;
  private answer_ms = answer_ms.least;
  private look_ms = look_ms.least;
  private opened_ms: number | undefined;
  /** Managers whose failure was told since a session held: an outage of hours says little more than one of seconds. */
  private readonly told = new Set<string>();
  private stopped = false;

  constructor(private readonly options: SessionOptions) {
    this.choice = new ManagerChoice(options.self, options.managers, options.random);
    this.connect();
  }

  /** Reports of tasks; without a session they are dropped, because the next one starts with all assignments and the agent compares. */
  report(reports: { taskID: string; status: TaskStatus }[]): void {
    const Reports = reports.map(({ taskID, status }) => ({ TaskID: taskID, Status: status }));
    for (let at = 0; at < Reports.length; at += reportsAtOnce) {
      this.current?.send({ TaskReports: { Reports: Reports.slice(at, at + reportsAtOnce) } });
    }
  }

  /** The data plane routes as of `revision`; `busy` are tasks outside rotation with connections still open. */
  routesApplied(revision: number, busy: readonly string[]): void {
    this.current?.send({ RoutesApplied: { Revision: revision, BusyTaskIDs: [...busy] } });
  }

  /** Asks for an address for a container of this node's own. Throws what the manager does, `unavailable` while there is none. */
  async attachNetwork(request: AttachNetworkRequestInit): Promise<Task> {
    if (this.current === undefined) throw new ShoalError('unavailable', 'this node has no session with a manager');
    const { Task } = await this.current.attachNetwork(request);
    if (Task === null) throw new ShoalError('internal', 'AttachNetwork: the manager named no task');
    return Task;
  }

  /** The node or its engine is not what it was. */
  describe(Description: NodeDescriptionInit, EngineError: string): void {
    this.current?.describe({ Description, EngineError });
    this.move?.describe({ Description, EngineError });
  }

  /** Ends the session, so that its manager knows at once that nobody listens. */
  stop(): void {
    this.stopped = true;
    this.cancelRetry();
    this.cancelMove();
    this.current?.close();
    this.move?.close();
    this.current = undefined;
    this.move = undefined;
  }

  private connect(): void {
    const manager = this.choice.next();
    const attempt: Attempt = this.open(manager, {
      onWelcome: () => this.opened(manager),
      onEnd: (reason) => {
        if (this.current === attempt) this.lost(manager, reason);
      },
    });
    this.current = attempt;
  }

  private open({ address }: Manager, events: { onWelcome(): void; onEnd(reason: ShoalError): void }): Attempt {
    const { connect, hello, clock } = this.options;
    return new Attempt({
      address,
      connect,
      hello,
      clock,
      answer_ms_max: this.answer_ms,
      ...events,
      onMessage: (message) => this.received(message),
    });
  }

  private opened({ nodeID, address }: Manager): void {
    this.opened_ms = this.options.clock.monotonic();
    this.answer_ms = answer_ms.least;
    this.choice.worked(address);
    this.options.log.info('session opened', { manager: nodeID || address });
    this.options.handlers.onState({ connected: true, manager: nodeID, reason: '' });
  }

  private lost({ address }: Manager, error: ShoalError): void {
    const { log, handlers, random, clock } = this.options;
    this.cancelMove();
    const { move } = this;
    this.move = undefined;
    if (error.code === 'out-of-sequence' && move !== undefined) {
      this.current = move; // its registration, which ended this session, is on the way back to us
      return;
    }
    this.current = undefined;
    move?.close();
    this.choice.failed(address, { answered: error.code !== 'unavailable' });
    const held = this.opened_ms !== undefined && clock.monotonic() - this.opened_ms >= lasting_ms;
    this.opened_ms = undefined;
    const reason = error.message;
    if (held) this.told.clear();
    log[this.told.has(address) ? 'debug' : 'warn']('no session', { manager: address, reason });
    this.told.add(address);
    handlers.onState({ connected: false, manager: '', reason });
    const isRemoval = error.code === 'node-removed';
    if (isRemoval || error.code === 'forbidden') handlers.onRefused(reason, { isRemoval });
    if (this.stopped) return;
    // The next manager is tried at once; only when all have failed in a row, or we were driven out by a twin, does waiting begin.
    const triedAll = this.choice.triedAll();
    if (held) this.backoff_ms = wait_ms.least;
    const waits = triedAll || (!held && error.code === 'out-of-sequence');
    const delay_ms = waits ? this.backoff_ms / 2 + random.below(this.backoff_ms) : 0;
    if (waits) this.backoff_ms = Math.min(this.backoff_ms * 2, wait_ms.most);
    if (triedAll) this.answer_ms = Math.min(this.answer_ms * 2, answer_ms.most);
    this.cancelRetry = clock.after(delay_ms, () => this.connect());
  }

  private received({ Assignments, Routes, NodeRole, Managers, TrustRoots }: ToNode): void {
    const { handlers } = this.options;
    if (Assignments) handlers.onAssignments(Assignments);
    if (Routes) handlers.onRoutes(Routes);
    if (TrustRoots) handlers.onTrust(TrustRoots);
    if (NodeRole) handlers.onRole(NodeRole.Role);
    if (Managers) this.managersChanged(Managers);
  }

  // ------------------------------------------------------------ moving to the preferred manager

  private managersChanged(managers: Managers): void {
    this.choice.set(
      managers.Managers.map((one) => ({ nodeID: one.NodeID, address: one.Addr, preferred: one.Preferred })),
    );
    this.options.handlers.onManagers(managers);
    this.lookForBetter();
  }

  /** Moves at once to a preferred manager that has not failed; looks again now and then whether one that has is back. */
  private lookForBetter(): void {
    this.cancelMove();
    const better = this.current && this.choice.betterThan(this.current.address);
    if (better === undefined || this.move?.address === better.address || this.stopped) return;
    const delay_ms = better.failed ? this.look_ms / 2 + this.options.random.below(this.look_ms) : 0;
    if (better.failed) this.look_ms = Math.min(this.look_ms * 2, look_ms.most);
    this.cancelMove = this.options.clock.after(delay_ms, () => this.moveTo(better));
  }

  /** The session that is open goes on until the other one is. */
  private moveTo(manager: Manager): void {
    if (this.current === undefined || this.current.address === manager.address) return;
    this.move?.close();
    const attempt: Attempt = this.open(manager, {
      onWelcome: () => {
        if (this.current !== attempt) this.current?.close();
        this.current = attempt;
        this.move = undefined;
        this.look_ms = look_ms.least;
        this.opened(manager);
      },
      onEnd: (reason) => {
        if (this.current === attempt) this.lost(manager, reason);
        if (this.move !== attempt) return;
        this.move = undefined;
        this.choice.failed(manager.address, { answered: reason.code !== 'unavailable' });
        this.lookForBetter();
      },
    });
    this.move = attempt;
  }
}
