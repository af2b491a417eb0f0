import type { Logger } from 'winston';
import { type Clock, timestamp } from '../../model/clock.js';
import { messageOf, ShoalError } from '../../model/errors.js';
import { addressIn, isOfIPv6 } from '../../model/ip.js';
import type { Random } from '../../model/random.js';
import { isFinal } from '../../model/states.js';
import type { AttachNetworkRequestInit, Network, Task, TaskStatus } from '../../model/types.js';
import { wholeAddress } from '../../network/network-table.js';
import type { ContainerEvent, ContainerNetwork, ContainerSummary } from '../container.js';
import type { Engine } from '../engine.js';
import { EngineWatch } from '../engine-watch.js';
import { labelNames } from '../labels.js';
import { unreported } from '../task-status.js';
import { nameserversLabel, networkLabel } from './labels.js';
import type { NodeNetworks } from './node-networks.js';

export interface AttachedContainersOptions {
  nodeID: string;
  engine: Engine;
  networks: NodeNetworks;
  /** Has the managers give a container an address: Dispatcher.AttachNetwork. */
  attach(request: AttachNetworkRequestInit): Promise<Task>;
  changed(taskID: string, status: TaskStatus): void;
  clock: Clock;
  random: Random;
  log: Logger;
}

/** A container that has just ended is looked at after this: one that is restarted runs again by then. */
const settle_ms = 300;
/** How long a container that starts waits until the address that it had before is off its hands. */
const handover_ms_max = 5_000;
const handoverLook_ms = 50;

/**
 * Containers that this node's users started on networks of the cluster (decision 32). The managers hold an address for each by a task; here
 * it is seen to that containers have those addresses and no others, and reported when they have ended. Which containers there are is
 * the engine's to say, which tasks the managers': nothing else is remembered.
 */
export class AttachedContainers {
  private readonly tasks = new Map<string, Task>();
  /** As reported last, by task. */
  private readonly statuses = new Map<string, TaskStatus>();
  /** Containers that are not a task's of a service, by id; undefined before the first look. */
  private containers: Map<string, ContainerSummary> | undefined;
  /** Ids on the cluster of the engine's networks, by their ids there. */
  private bridges: ReadonlyMap<string, string> = new Map();
  /** Containers that are being started or connected, with how often: what is seen of them meanwhile says nothing. */
  private readonly held = new Map<string, number>();
  private readonly adopting = new Set<string>();
  private watch: EngineWatch | undefined;
  private readonly cancels = new Map<string, () => void>();
  private isStopped = false;

  constructor(private readonly options: AttachedContainersOptions) {
    options.networks.onBridges = () => this.watchEngine();
  }

  // ---------------------------------------------------------------- what the managers say

  take(task: Task, isFull: boolean): void {
    this.watchEngine();
    this.tasks.set(task.ID, task);
    const told = this.statuses.get(task.ID);
    if (isFull && told !== undefined && told.State !== task.Status?.State) this.options.changed(task.ID, told);
    this.judge(task);
  }

  release(taskID: string): void {
    const task = this.tasks.get(taskID);
    if (task === undefined) return;
    this.tasks.delete(taskID);
    this.statuses.delete(taskID);
    this.options.networks.forget(taskID);
    this.lookLater(containerOf(task)); // it may run again
  }

  keepOnly(wanted: ReadonlySet<string>): void {
    for (const id of [...this.tasks.keys()]) if (!wanted.has(id)) this.release(id);
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    for (const cancel of this.cancels.values()) cancel();
    await this.watch?.stop();
  }

  // ---------------------------------------------------------------- what is done to a container

  /** Does something to a container of the node's own; what is seen of it meanwhile says nothing. */
  async holding(id: string, work: () => Promise<void>): Promise<void> {
    this.watchEngine();
    this.held.set(id, (this.held.get(id) ?? 0) + 1);
    try {
      await work();
    } finally {
      const left = (this.held.get(id) ?? 1) - 1;
      if (left > 0) this.held.set(id, left);
      else this.held.delete(id);
      await this.look(id);
    }
  }

  /** The managers' task for the container, and not one that was just reported to have ended, which is on its way out. Throws what the managers do. */
  async taskFor(container: ContainerSummary, network: Network, on: ContainerNetwork): Promise<Task> {
    const { attach, clock } = this.options;
    const end_ms = clock.monotonic() + handover_ms_max;
    const request = requestFor(container, network.ID, on);
    for (;;) {
      const task = await attach(request);
      if (!isFinal(this.statuses.get(task.ID)?.State ?? '')) {
        this.tasks.set(task.ID, task);
        return task;
      }
      if (clock.monotonic() > end_ms) throw new ShoalError('unavailable', 'its former address was not given back yet');
      await new Promise<void>((resolve) => clock.after(handoverLook_ms, resolve));
    }
  }

  // ---------------------------------------------------------------- what the engine says

  /** From the first network of the cluster that is on this node: without any there is nothing to look at. */
  private watchEngine(): void {
    if (this.watch !== undefined || this.isStopped) return;
    const { engine, clock, random, log } = this.options;
    this.watch = new EngineWatch({
      engine,
      labels: {},
      clock,
      random,
      log,
      onInfo: () => {},
      onEvent: (event) => this.observe(event),
      onLook: (containers) => void this.looked(containers),
      onDown: () => {
        this.containers = undefined;
      },
      onError: () => {},
    });
  }

  private observe({ id, kind, labels }: ContainerEvent): void {
    if (kind !== 'health' && !isOfTask({ labels })) this.lookLater(id);
  }

  private lookLater(id: string): void {
    if (this.cancels.has(id) || this.isStopped) return;
    const cancel = this.options.clock.after(settle_ms, () => {
      this.cancels.delete(id);
      void this.look(id);
    });
    this.cancels.set(id, cancel);
  }

  private async looked(containers: readonly ContainerSummary[]): Promise<void> {
    try {
      await this.findBridges();
      this.containers = new Map(containers.filter((one) => !isOfTask(one)).map((one) => [one.id, one]));
      for (const task of this.tasks.values()) this.judge(task);
      for (const container of this.containers.values()) await this.adopt(container);
    } catch (error) {
      this.options.log.debug('containers on networks could not be looked at', { reason: messageOf(error) });
    }
  }

  /** Looks at one container. Never rejects. */
  async look(id: string): Promise<void> {
    if (this.containers === undefined || this.isStopped) return;
    try {
      const container = await this.options.engine.inspect(id);
      await this.findBridges();
      if (container === undefined) {
        this.containers.delete(id);
        this.options.networks.sweepLater();
      } else this.containers.set(id, container);
      for (const task of this.tasks.values()) if (containerOf(task) === id) this.judge(task);
      if (container !== undefined) await this.adopt(container);
    } catch (error) {
      this.options.log.debug('a container could not be looked at', { container: id, reason: messageOf(error) });
    }
  }

  private async findBridges(): Promise<void> {
    const bridges = await this.options.engine.networks(networkLabel);
    this.bridges = new Map(bridges.map(({ id, labels }) => [id, labels[networkLabel] ?? '']));
  }

  // ---------------------------------------------------------------- comparing

  /** Reports how it is with a task's container, if that is to be said now. */
  private judge(task: Task): void {
    const id = containerOf(task);
    const [attachment] = task.NetworksAttachments;
    if (attachment === undefined) return; // the managers look for an address still
    if (this.containers === undefined || this.held.has(id)) return;
    const container = this.containers.get(id);
    const on = container?.networks.find((one) => this.bridges.get(one.id) === attachment.Network?.ID);
    const given = attachment.Addresses.map(addressIn);
    const isIts = (address: string) => (isOfIPv6(address) ? on?.address6 : on?.address) === address;
    const isThere = container?.phase === 'running' && given.length > 0 && given.every(isIts);
    this.report(task, isThere ? 'running' : 'complete', given);
  }

  private report(task: Task, State: 'running' | 'complete', given: readonly string[]): void {
    const before = this.statuses.get(task.ID)?.State ?? task.Status?.State ?? '';
    if (before === State || isFinal(before)) return;
    const told = State === 'running' ? given : [];
    const Addresses = told.map((Host) => ({ Protocol: wholeAddress, TargetPort: 0, Host, Port: 0, Inside: '' }));
    const status: TaskStatus = {
      ...unreported,
      Timestamp: timestamp(this.options.clock),
      State,
      Message: State === 'running' ? 'started' : 'finished',
      Addresses,
      AppliedBy: this.options.nodeID,
    };
    this.statuses.set(task.ID, status);
    this.options.changed(task.ID, status);
  }

  /** A container that got on a network without us asks for the address that it has; where it may not have that, it is taken off. */
  private async adopt(container: ContainerSummary): Promise<void> {
    const { attach, engine, networks, log } = this.options;
    if (container.phase !== 'running' || isOfTask(container)) return;
    for (const on of container.networks) {
      const network = networks.find(this.bridges.get(on.id) ?? '');
      if (network === undefined || on.address === '' || this.isSpokenFor(container.id, network.ID)) continue;
      this.adopting.add(container.id);
      try {
        const task = await attach(requestFor(container, network.ID, { ...on, asked: on.address, asked6: on.address6 }));
        log.info('a container is on a network of the cluster', {
          container: container.name,
          network: network.Spec?.Name,
        });
        this.take(task, false);
      } catch (error) {
        const isRefusal = error instanceof ShoalError && refusals.has(error.code);
        if (!isRefusal) throw error;
        log.warn('a container is taken off a network: it may not have its address there', {
          container: container.name,
          network: network.Spec?.Name,
          address: on.address,
          reason: error.message,
        });
        await engine.disconnectNetwork(on.id, container.id);
      } finally {
        this.adopting.delete(container.id);
      }
    }
  }

  private isSpokenFor(containerID: string, networkID: string): boolean {
    if (this.held.has(containerID) || this.adopting.has(containerID)) return true;
    return [...this.tasks.values()].some(
      (task) => containerOf(task) === containerID && task.Spec?.Networks[0]?.Target === networkID,
    );
  }
}

/** What the managers say about a container that shall not have its address; anything else may pass. */
const refusals: ReadonlySet<string> = new Set(['forbidden', 'not-found', 'failed-precondition', 'invalid-argument']);

function requestFor(
  container: Pick<ContainerSummary, 'id' | 'name' | 'labels'>,
  NetworkID: string,
  { asked, asked6, aliases }: ContainerNetwork,
): AttachNetworkRequestInit {
  return {
    NetworkID,
    ContainerID: container.id,
    ContainerName: container.name,
    Aliases: aliases.filter((alias) => !container.id.startsWith(alias)), // the engine adds the short id
    Nameservers: (container.labels[nameserversLabel] ?? '').split(' ').filter((one) => one !== ''),
    Address: asked,
    Address6: asked6,
  };
}

function containerOf(task: Task): string {
  return task.Spec?.NetworkAttachmentSpec?.ContainerID ?? '';
}

/** Whether the container is of a service's task. */
export function isOfTask({ labels }: Pick<ContainerSummary, 'labels'>): boolean {
  return labels[labelNames.taskID] !== undefined;
}
