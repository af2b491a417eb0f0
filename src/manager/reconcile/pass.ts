import { newID } from '../../model/ids.js';
import type { Random } from '../../model/random.js';
import type { Node, Service, Task, TaskSpec } from '../../model/types.js';
import { nodeMatcher } from '../../scheduler/filters.js';
import type { View } from '../../store/view.js';
import type { Addresses } from './addresses.js';
import { attachmentsOf } from './attachments.js';
import type { Draft } from './draft.js';
import { failuresUpTo } from './failures.js';
import { Freshness } from './freshness.js';
import type { Nodes } from './nodes.js';
import { historyLimitOf, type RestartPolicy, restartPolicyOf, type UpdatePolicy, updatePolicyOf } from './policy.js';
import type { PublishedPorts } from './ports.js';
import { isOlder, mayStillRun, Slot, slotsOf } from './slots.js';
import { isUpdating } from './update.js';

/** What all services of one pass share. */
export interface Pass {
  view: View;
  /** Milliseconds since 1970: the same moment for the whole pass. */
  now: number;
  random: Random;
  nodes: Nodes;
  ports: PublishedPorts;
  addresses: Addresses;
  draft: Draft;
}

/** One service under examination: its policies, its slots as the plan changes them, and the ways to change them. */
export class ServicePass {
  readonly pass: Pass;
  /** As the plan leaves it. */
  service: Service;
  /** Spec of new tasks. */
  readonly template: TaskSpec;
  /** One task a node. */
  readonly global: boolean;
  /** Of a job: the run that is on. */
  readonly iteration: number | undefined;
  readonly slots: Map<string, Slot>;
  /** Tasks on their way out of the store. */
  readonly removing: readonly Task[];
  /** Tasks of former runs of a job. */
  readonly outdated: readonly Task[];
  readonly restart: RestartPolicy;
  readonly freshness: Freshness;
  /** Whether a node satisfies the constraints of new tasks. */
  readonly suits: (node: Node) => boolean;
  /** Tasks kept for each slot. */
  readonly historyLimit: number;
  readonly #born = new Set<Task>();

  constructor(pass: Pass, service: Service) {
    const cluster = pass.view.cluster()?.Spec;
    this.pass = pass;
    this.service = service;
    this.template = templateOf(service, cluster?.TaskDefaults?.LogDriver ?? null);
    const mode = service.Spec?.Mode;
    this.global = mode?.Global != null || mode?.GlobalJob != null;
    const job = mode?.ReplicatedJob != null || mode?.GlobalJob != null;
    this.iteration = job ? (service.JobStatus?.JobIteration?.Index ?? 0) : undefined;
    const tasks = [...pass.view.tasksOfService(service.ID)];
    this.outdated = tasks.filter((task) => !this.#isOfThisRun(task));
    const { slots, removing } = slotsOf(
      this.outdated.length === 0 ? tasks : tasks.filter((task) => this.#isOfThisRun(task)),
      this.global,
      pass.nodes,
    );
    this.slots = slots;
    this.removing = removing;
    this.restart = restartPolicyOf(this.template);
    this.freshness = new Freshness(service, this.template, pass.nodes);
    this.suits = nodeMatcher(this.template.Placement?.Constraints ?? []);
    this.historyLimit = historyLimitOf(cluster?.Orchestration?.TaskHistoryRetentionLimit, this.restart);
  }

  /** Of the update that is on, or would be if one started now. */
  get update(): UpdatePolicy {
    return updatePolicyOf(this.service);
  }

  /** The desired state of a task that may run. */
  get goal(): 'running' | 'complete' {
    return this.iteration === undefined ? 'running' : 'complete';
  }

  get draft(): Draft {
    return this.pass.draft;
  }

  /** Whether a task that comes to run is waited for, in an update or by one that it is to replace; as the plan leaves it. */
  get isPaced(): boolean {
    if (isUpdating(this.service.UpdateStatus)) return true;
    for (const { live } of this.slots.values()) if (live.length > 1) return true;
    return false;
  }

  /** Whether the task comes into being with this plan. */
  isBorn(task: Task): boolean {
    return this.#born.size > 0 && this.#born.has(task);
  }

  /** Has this pass come back to the service at `at` though nothing changed. */
  wake(at: number): void {
    this.draft.wake(this.service.ID, at);
  }

  writeService(fields: Partial<Service>): void {
    const after = { ...this.service, ...fields };
    this.draft.writeService(this.service, after);
    this.service = after;
  }

  slot(key: string, number: number, nodeID: string): Slot {
    let slot = this.slots.get(key);
    if (slot === undefined) {
      slot = new Slot(key, number, nodeID);
      this.slots.set(key, slot);
    }
    return slot;
  }

  /** Takes a live task of the slot out of service. What is born in the slot starts once that has stopped. */
  stop(slot: Slot, task: Task, desired: 'shutdown' | 'remove' = 'shutdown'): void {
    slot.live.splice(slot.live.indexOf(task), 1);
    const list = mayStillRun(task, this.pass.nodes) ? slot.leaving : slot.ended;
    const at = list.findIndex((other) => isOlder(task, other));
    list.splice(at < 0 ? list.length : at, 0, task);
    this.draft.stop(task, desired);
    if (list === slot.leaving) for (const other of slot.live) if (this.isBorn(other)) other.DesiredState = 'ready';
  }

  /**
   * Makes a new task for the slot. It starts at once, unless it restarts another (`startAfter`, milliseconds since 1970) or
   * something of the slot has still to stop: of a slot at most two tasks run at once, and those only where successors start first.
   */
  bear(slot: Slot, options: { replaces?: Task; startAfter?: number; startFirst?: boolean } = {}): Task {
    const { pass, service } = this;
    const waits = options.startAfter !== undefined || slot.leaving.length > 0;
    const now = new Date(pass.now).toISOString();
    const task: Task = {
      ID: newID(pass.random),
      Version: null,
      CreatedAt: now,
      UpdatedAt: now,
      Name: `${service.Spec?.Name ?? ''}.${this.global ? slot.nodeID : slot.number}`,
      Labels: {},
      Spec: this.template,
      ServiceID: service.ID,
      Slot: slot.number,
      NodeID: '',
      AssignedGenericResources: [],
      Status: null,
      DesiredState: waits ? 'ready' : this.goal,
      NetworksAttachments: [],
      JobIteration: this.iteration === undefined ? null : { Index: this.iteration },
      ServiceName: service.Spec?.Name ?? '',
      ServiceLabels: service.Spec?.Labels ?? {},
      SpecVersion: service.SpecVersion,
      StartAfter: options.startAfter === undefined ? '' : new Date(options.startAfter).toISOString(),
      ReplacesTaskID: options.replaces?.ID ?? '',
      OnlyNodeID: slot.nodeID,
      BornIndex: pass.view.index + 1, // younger than all there are; the store sets the real one
      RegistryAuth: '',
      Failures: options.replaces === undefined ? [] : failuresUpTo(options.replaces, service.SpecVersion, pass.now),
    };
    slot.live.push(task);
    this.#born.add(task);
    const predecessor = options.startFirst === true ? undefined : slot.leaving.at(-1);
    this.draft.bear({
      task,
      wanted: {
        onlyNodeID: this.global ? slot.nodeID : undefined,
        preferredNodeID: options.startAfter === undefined ? options.replaces?.NodeID : undefined,
        replaces: predecessor,
      },
    });
    return task;
  }

  #isOfThisRun(task: Task): boolean {
    return this.iteration === undefined || (task.JobIteration?.Index ?? 0) === this.iteration;
  }
}

function templateOf(service: Service, defaultLogDriver: TaskSpec['LogDriver']): TaskSpec {
  const template = service.Spec?.TaskTemplate ?? emptyTaskSpec;
  return {
    ...template,
    Networks: [...attachmentsOf(service.Spec)],
    LogDriver: template.LogDriver ?? defaultLogDriver,
    EndpointPorts: service.Endpoint?.Ports ?? [],
  };
}

const emptyTaskSpec: TaskSpec = {
  PluginSpec: null,
  ContainerSpec: null,
  NetworkAttachmentSpec: null,
  Resources: null,
  RestartPolicy: null,
  Placement: null,
  Networks: [],
  LogDriver: null,
  ForceUpdate: 0,
  Runtime: '',
  EndpointPorts: [],
};
