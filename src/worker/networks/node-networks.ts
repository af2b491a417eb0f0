import type { Logger } from 'winston';
import type { Clock } from '../../model/clock.js';
import { isEncrypted } from '../../model/encrypted-networks.js';
import { messageOf, ShoalError } from '../../model/errors.js';
import { addressIn, contains, formatIP, isOfIPv6, parseIP } from '../../model/ip.js';
import { segmentsOf } from '../../model/network-block.js';
import type { Random } from '../../model/random.js';
import type { Network, Task } from '../../model/types.js';
import { Forwarder } from '../../network/dns/forwarder.js';
import { systemNameservers } from '../../network/dns/resolv-conf.js';
import { Resolver } from '../../network/dns/resolver.js';
import type { KernelNetworks } from '../../network/kernel/kernel-networks.js';
import type { NetworkItems } from '../../network/network-table.js';
import type { Engine } from '../engine.js';
import { bridgesFor } from './engine-bridges.js';
import type { EndpointAddresses, EngineNetwork } from './engine-networks.js';
import { networkLabel } from './labels.js';

/** A task's place on a network that is there on this node. */
export interface Attached extends EndpointAddresses {
  /** Id of the engine's network. */
  network: string;
  /** Of IPv4: names are asked for there. */
  gateway: string;
}

/** What the engine has for a segment of a network of the cluster. */
export interface Bridge {
  id: string;
  name: string;
  /** Of IPv4. */
  gateway: string;
  /** Whether an address is of its segment. */
  has(address: string): boolean;
}

export interface NodeNetworksOptions {
  nodeID: string;
  engine: Engine;
  /** Undefined: this process may not change the kernel's networking. */
  kernel: KernelNetworks | undefined;
  clock: Clock;
  random: Random;
  log: Logger;
}

/** A network that was brought is left alone for so long: what it was brought for may not be there yet. */
const fresh_ms = 10_000;
/** Networks are removed some time after their last task went, in one sweep. */
const sweep_ms = 2_000;
/** The wait before what could not be removed is tried again: doubled each time, up to the second. */
const retry_ms_min = 2_000;
const retry_ms_max = 60_000;

/** The networks of the cluster on this node: a bridge at the engine for each that a task here is on, and the kernel's ways between nodes. */
export class NodeNetworks {
  private items: NetworkItems = { peers: new Map(), networks: new Map(), services: new Map() };
  private readonly resolver: Resolver;
  private readonly kernel: KernelNetworks | undefined;
  private readonly making = new Map<string, Promise<EngineNetwork[]>>();
  private readonly removing = new Map<string, Promise<void>>();
  /** Of each task that was attached and is not forgotten: its networks. The managers' word of it may come later than its container. */
  private readonly users = new Map<string, readonly string[]>();
  /** When a network was last brought here, by the monotonic clock. */
  private readonly brought = new Map<string, number>();
  private cancelSweep: (() => void) | undefined;
  private cancelRetry: () => void = () => {};
  private retry_ms = retry_ms_min;
  /** Before the first sweep: those of an agent before us. */
  private mayHaveBridges = true;
  private isClosed = false;
  /** Told when the engine has something for a network of the cluster. */
  onBridges: () => void = () => {};

  constructor(private readonly options: NodeNetworksOptions) {
    const { clock, random, log } = options;
    const forwarder = new Forwarder({ nameservers: systemNameservers, clock, random });
    this.resolver = new Resolver({ forwarder, clock, log });
    this.kernel = options.kernel;
    if (this.kernel !== undefined) this.kernel.onCarried = (networks) => this.resolver.serve(networks);
  }

  /** Whether the managers have told of any network. */
  get hasAny(): boolean {
    return this.items.networks.size > 0;
  }

  /** A network by its whole id or its name, as far as the managers have told. */
  find(reference: string): Network | undefined {
    const { networks } = this.items;
    return networks.get(reference) ?? [...networks.values()].find(({ Spec }) => Spec?.Name === reference);
  }

  /** Names mean what the managers say of the cluster's networks. */
  know(items: NetworkItems): void {
    this.resolver.know(items);
  }

  /** The kernel has what the managers say of the cluster's networks. */
  async apply(items: NetworkItems): Promise<void> {
    this.items = items;
    this.know(items);
    await this.kernel?.apply(items);
    this.sweepLater();
  }

  /**
   * Has every network of the task ready on this node. Throws `unavailable` while the managers have not said what a network is, else why
   * the task cannot run here. They stay until the task is forgotten.
   */
  async attach(task: Task): Promise<Attached[]> {
    this.users.set(
      task.ID,
      task.NetworksAttachments.map(({ Network: named }) => named?.ID ?? ''),
    );
    const attached: Attached[] = [];
    for (const { Network: named, Addresses } of task.NetworksAttachments) {
      const network = this.items.networks.get(named?.ID ?? '');
      if (network === undefined) throw new ShoalError('unavailable', `network ${named?.ID} is not known here yet`);
      const address = addressIn(Addresses.find((cidr) => !isOfIPv6(cidr)) ?? '');
      const bridge = (await this.ready(network)).find(({ has }) => has(address));
      if (bridge === undefined) {
        throw new ShoalError('internal', `NetworksAttachments: ${JSON.stringify(Addresses)} are none of ${named?.ID}`);
      }
      const { id, gateway } = bridge;
      attached.push({ network: id, address, address6: addressIn(Addresses.find(isOfIPv6) ?? ''), gateway });
    }
    return attached;
  }

  /** A container on one of the networks was started. */
  async started(): Promise<void> {
    await this.kernel?.refresh();
  }

  /** A task is gone: its networks may be of no use here any more. */
  forget(taskID: string): void {
    this.users.delete(taskID);
    this.sweepLater();
  }

  /** Networks that are of no use here any more are removed soon. */
  sweepLater(): void {
    if (this.isClosed || this.kernel === undefined || !this.mayHaveBridges) return;
    this.cancelSweep ??= this.options.clock.after(sweep_ms, () => {
      this.cancelSweep = undefined;
      void this.sweep();
    });
  }

  /** Removes our part from the kernel; bridges stay, for the containers run on. */
  async close(): Promise<void> {
    this.isClosed = true;
    this.cancelSweep?.();
    this.cancelRetry();
    await Promise.allSettled([...this.making.values(), ...this.removing.values()]);
    await this.kernel?.close();
    await this.resolver.close();
  }

  /** Has a network on this node, segment by segment, for a container that is going to be on it. Throws why it cannot be. */
  bring(network: Network): Promise<Bridge[]> {
    this.brought.set(network.ID, this.options.clock.monotonic());
    return this.ready(network);
  }

  private async ready(network: Network): Promise<Bridge[]> {
    if (isEncrypted(network) && this.kernel?.encryptionError) {
      throw new ShoalError('not-supported', `network ${network.Spec?.Name}: ${this.kernel.encryptionError}`);
    }
    const found = await this.engineNetworks(network);
    if (this.kernel?.error) {
      throw new ShoalError('not-supported', `network ${network.Spec?.Name}: ${this.kernel.error}`);
    }
    return segmentsOf(network).map(({ ipv4, ipv6 }, at) => {
      const { id, name } = found[at]!;
      const has = (address: string) =>
        [ipv4, ipv6].some((block) => block !== undefined && contains(block.subnet, parseIP(address) ?? 0n));
      return { id, name, gateway: formatIP(ipv4.gateway), has };
    });
  }

  private engineNetworks(network: Network): Promise<EngineNetwork[]> {
    let making = this.making.get(network.ID);
    if (making === undefined) {
      const removed = this.removing.get(network.ID) ?? Promise.resolve();
      making = removed.then(() => this.make(network)).finally(() => this.making.delete(network.ID));
      this.making.set(network.ID, making);
    }
    return making;
  }

  /** In the order of its segments. */
  private async make(network: Network): Promise<EngineNetwork[]> {
    const { engine, log } = this.options;
    if (this.kernel === undefined) {
      throw new ShoalError(
        'not-supported',
        `network ${network.Spec?.Name}: networks of the cluster need the agent of this node to run as root`,
      );
    }
    this.mayHaveBridges = true;
    this.onBridges();
    return bridgesFor(network, { engine, kernel: this.kernel, log });
  }

  private async sweep(): Promise<void> {
    const { engine, log } = this.options;
    let kept = 0;
    let failed = 0;
    try {
      const there = await engine.networks(networkLabel);
      const unused = there.filter(({ labels }) => !this.isUsed(labels[networkLabel] ?? ''));
      // One that does not run would not find its network when it is started.
      const containers = unused.length === 0 ? [] : await engine.list({});
      const named = new Set(containers.flatMap(({ networks }) => networks.flatMap(({ id, name }) => [id, name])));
      for (const { id, name, labels } of there) {
        const networkID = labels[networkLabel] ?? '';
        const isNamed = this.items.networks.has(networkID) && (named.has(id) || named.has(name));
        if (this.isClosed || isNamed || this.isUsed(networkID) || this.making.has(networkID)) kept += 1;
        else if (!(await this.remove(id, networkID))) failed += 1;
      }
      if (kept > 0) this.onBridges();
      this.mayHaveBridges = kept + failed + this.making.size > 0;
      await this.kernel?.refresh();
    } catch (error) {
      log.debug('unused networks could not be looked for', { reason: messageOf(error) });
      failed += 1;
    }
    this.cancelRetry();
    if (failed === 0 && this.brought.size > 0)
      this.cancelRetry = this.options.clock.after(fresh_ms, () => this.sweepLater());
    if (failed === 0) this.retry_ms = retry_ms_min;
    else if (!this.isClosed) {
      this.cancelRetry = this.options.clock.after(this.retry_ms, () => this.sweepLater());
      this.retry_ms = Math.min(this.retry_ms * 2, retry_ms_max);
    }
  }

  /** Whether it is gone. Who would have the network meanwhile waits, and gets a new one. */
  private async remove(id: string, networkID: string): Promise<boolean> {
    const { engine, log } = this.options;
    let isGone = false;
    const removing = engine
      .removeNetwork(id)
      .then(
        () => {
          isGone = true;
          log.info('a network of the cluster is no longer on this node', { id: networkID });
        },
        (error) => log.debug('a network could not be removed', { id: networkID, reason: messageOf(error) }),
      )
      .then(() => {
        this.removing.delete(networkID);
      });
    this.removing.set(networkID, removing);
    await removing;
    return isGone;
  }

  /** Whether a task here is on the network, or is being put on it. */
  private isUsed(networkID: string): boolean {
    const { nodeID, clock } = this.options;
    const brought_ms = this.brought.get(networkID);
    if (brought_ms !== undefined) {
      if (clock.monotonic() - brought_ms < fresh_ms) return true;
      this.brought.delete(networkID);
    }
    for (const networks of this.users.values()) if (networks.includes(networkID)) return true;
    for (const { NetworkID, Endpoints } of this.items.services.values()) {
      if (NetworkID === networkID && Endpoints.some((one) => one.NodeID === nodeID)) return true;
    }
    return false;
  }
}
