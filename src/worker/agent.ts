import type { Logger } from 'winston';
import { isAttachment } from '../model/attachment.js';
import type { Clock } from '../model/clock.js';
import type { Random } from '../model/random.js';
import type { Assignments, AttachNetworkRequestInit, NodeDescription, Task, TaskStatus } from '../model/types.js';
import type { ContainerEvent, ContainerSummary } from './container.js';
import type { Engine, EngineInfo } from './engine.js';
import { leaseOf } from './engine-lease.js';
import { EngineWatch } from './engine-watch.js';
import { ImagePulls } from './image-pulls.js';
import { labelNames } from './labels.js';
import { Leftovers } from './leftovers.js';
import { Limiter } from './limiter.js';
import { AttachedContainers } from './networks/attached-containers.js';
import type { NodeNetworks } from './networks/node-networks.js';
import { OwnContainers } from './networks/own-containers.js';
import { nodeDescription } from './node-description.js';
import type { Reach } from './ports.js';
import { ReportBatch } from './report-batch.js';
import { TaskController } from './task-controller.js';
import { TaskFiles } from './task-files.js';
import { WorkPace } from './work-pace.js';
import type { Workplace } from './workplace.js';

/** Makes what runs on this node's engine be what the node is assigned. Containers live on when it stops. */
export interface Agent {
  /** What the node shall have from now on; a full one replaces, others change what was told before. */
  assign(assignments: Assignments): void;
  /** What the node is: the last known of an engine that does not answer now. Never rejects. */
  description(): Promise<NodeDescription>;
  /** Why the engine cannot be used, for NodeReport; '' while it can. */
  engineError(): string;
  /** Calls back when `engineError` or the description changed; the result stops it. */
  onEngineChange(call: () => void): () => void;
  /** Stop graces of the tasks that are not at their end, in milliseconds. */
  openTasks(): number[];
  /** Reports at once what waits to be reported. */
  tellAll(): void;
  /** Containers of the node's own users on networks of the cluster. */
  readonly ownContainers: OwnContainers;
  /** Nothing is called back and nothing done to the engine once this resolved. */
  stop(): Promise<void>;
}

export interface AgentOptions {
  engine: Engine;
  /** `address` is where other nodes reach this one: ingress ports of tasks are bound to it. */
  node: { id: string; hostname: string } & Reach;
  clock: Clock;
  random: Random;
  log: Logger;
  /** Every change of a task's status that lasts (see report-batch.ts), those of one moment together. Also again what the assignments show as not yet known. */
  report(reports: { taskID: string; status: TaskStatus }[]): void;
  /**
   * Directory in memory (tmpfs) that the engine sees under the same path: secrets and configs of tasks live there while they
   * are needed. Undefined: tasks that ask for them are rejected.
   */
  memoryDirectory: string | undefined;
  /** The networks of the cluster on this node. */
  networks: NodeNetworks;
  /** Has the managers give a container of the node's own an address: Dispatcher.AttachNetwork. */
  attachNetwork(request: AttachNetworkRequestInit): Promise<Task>;
}

// On two cores the engine is as busy as it gets with 4 containers under way; more do not make a wave end sooner. Below 16 the
// limit showed in the time of a wave of 12 (8 with its looks: 1.14 x the bare engine, none: 1.03, each +/- 0.05), so it starts there
// and is only there to keep a wave of hundreds from swamping the engine; on a machine that is too busy for this process it shrinks.
const changes_min = 16;
const changesPerCPU = 2;
const looks_max = 16;

/** Starts the agent: it connects to the engine, and does nothing there before the first assignment. */
export function startAgent(options: AgentOptions): Agent {
  return new NodeAgent(options);
}

class NodeAgent implements Agent {
  private readonly controllers = new Map<string, TaskController>();
  private readonly lease: ReturnType<typeof leaseOf>;
  private readonly leftovers: Leftovers;
  private readonly watch: EngineWatch;
  private readonly attached: AttachedContainers;
  readonly ownContainers: OwnContainers;
  private readonly place: Workplace;
  private readonly pace: WorkPace;
  private readonly listeners = new Set<() => void>();
  private readonly reports: ReportBatch;
  private info: EngineInfo | undefined;
  /** Whether the engine can be used: what is there was looked at since it was last lost. */
  private ready = false;
  /** Whether a full assignment said which tasks are wanted. */
  private informed = false;
  private stopped = false;

  constructor(private readonly options: AgentOptions) {
    const { node, clock, random, log } = options;
    const changes = new Limiter(changes_min);
    this.reports = new ReportBatch(
      clock,
      () => changes.isBusy,
      (reports) => options.report(reports),
    );
    this.lease = leaseOf(options.engine);
    const { engine } = this.lease;
    this.place = {
      engine,
      node,
      description: () => nodeDescription(node.hostname, this.info),
      clock,
      random,
      log,
      changes,
      looks: new Limiter(looks_max),
      images: new ImagePulls(engine),
      files: new TaskFiles(options.memoryDirectory, log),
      networks: options.networks,
      changed: (taskID, status) => this.reports.add(taskID, status),
      gone: (taskID) => this.forget(taskID),
    };
    const { networks } = options;
    this.attached = new AttachedContainers({
      nodeID: node.id,
      engine,
      networks,
      attach: (request) => options.attachNetwork(request),
      changed: this.place.changed,
      clock,
      random,
      log,
    });
    this.ownContainers = new OwnContainers({ engine, networks, attached: this.attached, log });
    this.pace = new WorkPace(this.place.changes, changes_min, clock);
    this.leftovers = new Leftovers(engine, log);
    this.watch = new EngineWatch({
      engine,
      labels: { [labelNames.nodeID]: node.id },
      clock,
      random,
      log,
      onInfo: (info) => this.learn(info),
      onEvent: (event) => this.observe(event),
      onLook: (containers) => this.look(containers),
      onDown: () => this.pause(),
      onError: () => this.tell(),
    });
  }

  assign(assignments: Assignments): void {
    if (this.stopped) return;
    const { files } = this.place;
    files.assign(assignments.Full, assignments.Secrets, assignments.Configs);
    for (const task of assignments.Tasks) this.take(task, assignments.Full);
    for (const id of assignments.RemovedTaskIDs) {
      this.controllers.get(id)?.release();
      this.attached.release(id);
    }
    files.withdraw(assignments.RemovedSecretIDs, assignments.RemovedConfigIDs);
    if (!assignments.Full) return;

    const wanted = new Set(assignments.Tasks.map((task) => task.ID));
    for (const [id, controller] of this.controllers) if (!wanted.has(id)) controller.release();
    this.attached.keepOnly(wanted);
    files.keepOnly(new Set(this.controllers.keys()));
    this.informed = true;
    if (this.ready) this.leftovers.sweep();
  }

  async description(): Promise<NodeDescription> {
    await this.watch.tried;
    return this.place.description();
  }

  engineError(): string {
    return this.watch.error;
  }

  onEngineChange(call: () => void): () => void {
    this.listeners.add(call);
    return () => this.listeners.delete(call);
  }

  openTasks(): number[] {
    return [...this.controllers.values()].flatMap((controller) => controller.openGrace_ms ?? []);
  }

  tellAll(): void {
    this.reports.flush();
  }

  async stop(): Promise<void> {
    if (this.stopped) return;
    this.stopped = true;
    this.pace.stop();
    this.reports.stop();
    const ends = [...this.controllers.values()].map((controller) => controller.stop());
    ends.push(this.watch.stop(), this.attached.stop(), this.leftovers.stop());
    this.lease.end();
    await Promise.all(ends);
    this.place.files.close();
  }

  // ---------------------------------------------------------------- tasks

  private take(task: Task, isFull: boolean): void {
    if (task.NodeID !== this.options.node.id) {
      this.options.log.error('a task of another node was assigned to this one', { task: task.ID, node: task.NodeID });
      return;
    }
    if (isAttachment(task)) {
      this.attached.take(task, isFull);
      return;
    }
    const controller = this.controllers.get(task.ID);
    if (controller !== undefined) {
      controller.update(task);
      if (isFull) controller.reportAgain(task.Status);
      return;
    }
    // Before the first look nothing is known. After it, a container that is not among the leftovers is not there, unless the
    // managers know of one.
    const container = this.leftovers.take(task.ID);
    const mayExist = !this.ready || container !== undefined || (task.Status?.ContainerStatus?.ContainerID ?? '') !== '';
    const start = { seen: mayExist ? ('unknown' as const) : undefined, paused: !this.ready };
    this.controllers.set(task.ID, new TaskController(task, this.place, start));
  }

  private forget(taskID: string): void {
    this.controllers.delete(taskID);
    this.place.files.forget(taskID);
    this.place.networks.forget(taskID);
  }

  // ---------------------------------------------------------------- the engine

  private learn(info: EngineInfo): void {
    this.pace.setFull(Math.max(changes_min, info.cpus * changesPerCPU));
    const before = JSON.stringify(this.info);
    this.info = info;
    if (JSON.stringify(info) !== before) this.tell();
  }

  private observe(event: ContainerEvent): void {
    if (this.stopped) return;
    const controller = this.controllers.get(event.labels[labelNames.taskID] ?? '');
    if (controller === undefined) this.leftovers.observe(event);
    else controller.observe(event);
  }

  private look(containers: readonly ContainerSummary[]): void {
    if (this.stopped) return;
    const ofTask = new Map(containers.map((container) => [container.labels[labelNames.taskID] ?? '', container]));
    this.ready = true;
    this.leftovers.replace(containers.filter(({ labels }) => !this.controllers.has(labels[labelNames.taskID] ?? '')));
    for (const [id, controller] of this.controllers) controller.looked(ofTask.get(id));
    if (this.informed) this.leftovers.sweep();
  }

  private pause(): void {
    this.ready = false;
    for (const controller of this.controllers.values()) controller.pause();
  }

  // ---------------------------------------------------------------- telling

  private tell(): void {
    if (this.stopped) return;
    for (const call of [...this.listeners]) call();
  }
}
