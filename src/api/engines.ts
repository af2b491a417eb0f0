import type { Clock } from '../model/clock.js';
import type { Task } from '../model/types.js';
import type { Commit } from '../store/view.js';
import { Limiter } from '../worker/limiter.js';
import type { Backend, ManagerBackend } from './backend.js';
import { type Connect, getJSON } from './engine.js';
import { EngineVersion } from './engine-version.js';
import type { Exchange } from './exchange.js';
import { KeptConnections } from './kept-connections.js';
import { decodeSegments } from './router.js';

/** An engine that a request may go to. */
export interface Engine {
  /** Empty of this node's own. */
  nodeID: string;
  connect: Connect;
  /** For answers that go on and what leaves HTTP, read in large pieces. */
  streams: Connect;
  /** For questions: connections that outlive a request. */
  kept: KeptConnections;
  version: EngineVersion;
}

/** Exec ids are made by engines and name no container; whose they are is remembered, the oldest forgotten. */
const execsMax = 10_000;
/** Engines that are asked at a time for an exec that nobody here has heard of. */
const asksMax = 32;
/** How long the others have to answer then. */
const others_ms = 1_000;
/** And this node's own engine, when another node is said to have a container: one that hangs shall not keep the others from being asked. */
const own_ms = 1_000;
/** A container's id, or its beginning: as many characters as `docker ps` shows; fewer could be meant for one of this node's. */
const shortID = /^[0-9a-f]{12,64}$/;

/** The container of a task, by the engine's id; undefined while there is none. */
function containerOf(task: Task | undefined): string | undefined {
  const id = task?.Status?.ContainerStatus?.ContainerID ?? '';
  return /^[0-9a-f]{64}$/.test(id) ? id : undefined;
}

/** The tasks that lay claim to a container. */
function claimants(claims: string | ReadonlySet<string> = new Set()): Iterable<string> {
  return typeof claims === 'string' ? [claims] : claims;
}

function engineAt(nodeID: string, connect: Connect, streams: Connect, clock: Clock): Engine {
  const version = new EngineVersion(connect, () => clock.monotonic());
  return { nodeID, connect, streams, kept: new KeptConnections(connect), version };
}

/**
 * Which engine a request is for. It is this node's own, but for the containers of tasks that run elsewhere: a manager
 * reaches those through the tunnel, so that they can be looked at, followed and exec'd into from any manager.
 */
export class Engines {
  readonly own: Engine;
  private readonly backend: Backend;
  private readonly clock: Clock;
  private readonly others = new Map<string, Engine>();
  private readonly nodeOfExec = new Map<string, string>();
  /** By what nodes say: of a container that two tasks lay claim to, one of them is a lie, and nobody is led there by its id. */
  private readonly tasksOfContainer = new Map<string, string | Set<string>>(); // a set where there are several
  private readonly nodeOfTask = new Map<string, string>();
  private manager: ManagerBackend | undefined;
  private unwatch: (() => void) | undefined;

  constructor(backend: Backend, clock: Clock) {
    this.backend = backend;
    this.clock = clock;
    this.own = engineAt(
      '',
      () => backend.connectEngine(),
      () => backend.streamEngine(),
      clock,
    );
  }

  /** Lets go of the engines' connections. */
  close(): void {
    for (const engine of [this.own, ...this.others.values()]) engine.kept.destroy();
  }

  /** Keeps track of where containers are by the manager that this node now is, or is none any more. */
  async follow(manager: ManagerBackend | undefined): Promise<void> {
    if (manager === this.manager) return;
    this.unwatch?.();
    this.manager = manager;
    for (const known of [this.others, this.tasksOfContainer, this.nodeOfTask, this.nodeOfExec]) known.clear();
    this.unwatch = manager?.watch((commit) => this.learn(commit));
    if (manager === undefined) return;
    try {
      for (const task of (await manager.read()).list('Task')) this.note(task);
    } catch {
      if (this.manager === manager) {
        this.unwatch?.();
        this.manager = undefined; // no leader yet: the next request looks again
      }
    }
  }

  /** The engine that has what the request's path names; this node's own for all it does not know of. */
  async of(exchange: Exchange): Promise<Engine> {
    const [kind, reference = ''] = decodeSegments(exchange.path);
    if (kind === 'exec') return this.ofExec(reference);
    const node = kind === 'containers' ? this.nodeOfContainer(reference) : '';
    if (node === '') return this.own;
    // An id is the other node's word; what our own engine has is not its, be it a task's or not.
    const isOurs = shortID.test(reference) && (await this.knows(this.own, `/containers/${reference}/json`, own_ms));
    return isOurs ? this.own : this.at(node);
  }

  /**
   * The engine that made an exec. One that was made through another manager is looked for at the nodes that have tasks; where two say
   * that it is theirs one of them lies, to hear what it is told, and neither is asked further.
   */
  private async ofExec(id: string): Promise<Engine> {
    const known = this.nodeOfExec.get(id);
    if (known !== undefined) return known === '' ? this.own : this.at(known);
    const others = new Set(this.nodeOfTask.values());
    others.delete(this.backend.local().nodeID);
    if (others.size === 0 || !/^[0-9a-f]{64}$/.test(id)) return this.own;
    if (await this.knows(this.own, `/exec/${id}/json`)) return this.own;
    const [claimant, second] = await this.claimantsOf(id, others);
    if (claimant === undefined || second !== undefined) return this.own;
    this.rememberExec(id, claimant);
    return claimant;
  }

  /** The engines that say that the exec is theirs; once one has, the others have a moment to. */
  private claimantsOf(id: string, nodes: ReadonlySet<string>): Promise<Engine[]> {
    const turns = new Limiter(asksMax);
    const claimants: Engine[] = [];
    return new Promise((resolve) => {
      let patience: NodeJS.Timeout | undefined;
      const over = () => {
        clearTimeout(patience);
        resolve(claimants);
      };
      const asked = [...nodes].map(async (nodeID) => {
        const engine = this.at(nodeID);
        if (!(await turns.run(() => this.knows(engine, `/exec/${id}/json`)))) return;
        claimants.push(engine);
        patience ??= setTimeout(over, others_ms);
      });
      void Promise.all(asked).then(over);
    });
  }

  /** Whether the engine says that what is at the path is its. */
  private async knows(engine: Engine, path: string, time_ms?: number): Promise<boolean> {
    try {
      return (await getJSON(engine.connect, path, time_ms)).response.statusCode === 200;
    } catch {
      return false;
    }
  }

  /** Remembers whose engine made an exec. */
  rememberExec(id: string, engine: Engine): void {
    this.nodeOfExec.set(id, engine.nodeID);
    if (this.nodeOfExec.size > execsMax) {
      const [oldest] = this.nodeOfExec.keys();
      this.nodeOfExec.delete(oldest!);
    }
  }

  private at(nodeID: string): Engine {
    let engine = this.others.get(nodeID);
    if (engine === undefined) {
      const connect: Connect = async () => {
        const manager = this.manager;
        const node = manager && (await manager.read()).get('Node', nodeID);
        if (!manager || !node) throw new Error(`node ${nodeID} is not in the cluster any more`);
        return manager.connectEngineOf(node);
      };
      engine = engineAt(nodeID, connect, connect, this.clock); // the tunnel's other end reads in large pieces
      this.others.set(nodeID, engine);
    }
    return engine;
  }

  /** The other node that has a task's container, by the container's id (or the beginning of it) or its name. */
  private nodeOfContainer(reference: string): string {
    const task = this.taskByID(reference) ?? reference.slice(reference.lastIndexOf('.') + 1);
    const node = this.nodeOfTask.get(task) ?? '';
    return node === this.backend.local().nodeID ? '' : node;
  }

  private taskByID(reference: string): string | undefined {
    if (!shortID.test(reference)) return undefined;
    const tasks = new Set(claimants(this.tasksOfContainer.get(reference)));
    if (tasks.size === 0) {
      for (const [container, claims] of this.tasksOfContainer) {
        if (container.startsWith(reference)) for (const task of claimants(claims)) tasks.add(task);
      }
    }
    return tasks.size === 1 ? [...tasks][0] : undefined;
  }

  private learn(commit: Commit): void {
    for (const { kind, before, after } of commit.changes) {
      if (kind !== 'Task') continue;
      const [was, is] = [before as Task | undefined, after as Task | undefined];
      if (containerOf(was) === containerOf(is) && was?.NodeID === is?.NodeID) continue;
      if (was !== undefined) this.forget(was);
      if (is !== undefined) this.note(is);
    }
  }

  private note(task: Task): void {
    const container = containerOf(task);
    if (container === undefined) return;
    const claims = this.tasksOfContainer.get(container) ?? task.ID;
    if (claims instanceof Set) claims.add(task.ID);
    else this.tasksOfContainer.set(container, claims === task.ID ? claims : new Set([claims, task.ID]));
    this.nodeOfTask.set(task.ID, task.NodeID);
  }

  private forget(task: Task): void {
    const container = containerOf(task) ?? '';
    const claims = this.tasksOfContainer.get(container);
    if (claims instanceof Set) claims.delete(task.ID);
    if (claims === task.ID || (claims instanceof Set && claims.size === 0)) this.tasksOfContainer.delete(container);
    this.nodeOfTask.delete(task.ID);
  }
}
