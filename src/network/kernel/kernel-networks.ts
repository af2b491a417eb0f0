import type { Logger } from 'winston';
import type { Clock } from '../../model/clock.js';
import { messageOf, ShoalError } from '../../model/errors.js';
import { hasIPv6 } from '../../model/network-block.js';
import type { DataPathKey, Network, Route } from '../../model/types.js';
import { isSameItems, type NetworkItems } from '../network-table.js';
import { commandsFor } from './commands.js';
import { carriedNetworks, tunnelMTU } from './desired.js';
import { destinationsOf } from './destinations.js';
import { type Carrying, EncryptedWays } from './encryption/encrypted-ways.js';
import type { Encryption } from './encryption/encryption.js';
import { EngineChain } from './engine-chain.js';
import { HostIPv6 } from './host-ipv6.js';
import { InsideDoors } from './inside-doors.js';
import { encryptedTunnel, plainTunnel, tunnelOfNetwork } from './names.js';
import { type Observed, observe } from './observed.js';
import { RuleTables } from './tables.js';
import { type KernelTools, unlessMissing } from './tools.js';
import { Turnover } from './turnover.js';
import { differencesFrom } from './verify.js';
import { nothingWanted, underlayMTU, wantedFrom } from './wanted.js';
import { batch, makeWays } from './ways.js';

export interface KernelNetworksOptions {
  nodeID: string;
  tools: KernelTools;
  /** How published ports are balanced here; undefined: they are not, and nothing is put in that only they need. */
  plane: PlaneSettings | undefined;
  /** What encrypts networks that ask for it; left out: this kernel cannot. */
  encryption?: Encryption | undefined;
  clock: Clock;
  log: Logger;
}

export interface PlaneSettings {
  /** Address that published ports are asked for at; '' is every one of the node's. */
  publishAddress: string;
  /** Whether the kernel can have clients end kept connections to tasks that leave. */
  endsConnections: boolean;
}

/** How often what the kernel has is compared with what it shall have, though nothing changed. */
const look_ms = 3_000;
const failures_max = 3;

/** What a pass has to do: carry out what differs from what was made last, or compare everything with what is there. */
type Work = 'none' | 'changes' | 'all';

/**
 * The cluster's networks and published ports in this node's kernel: the tunnel to the other nodes, routes to addresses there, and the
 * rules. It goes by what is there, never by what was done before, so a killed agent's successor goes on, and what somebody else
 * removed comes back. The bridges are the engine's; they are cared for from when they appear.
 */
export class KernelNetworks {
  private items: NetworkItems | undefined;
  private routes: readonly Route[] = [];
  private readonly tables: RuleTables;
  private readonly engine: EngineChain;
  private readonly engine6: EngineChain;
  private readonly host: HostIPv6;
  private readonly encrypted: EncryptedWays;
  private readonly doors: InsideDoors;
  private readonly turnover: Turnover;
  /** As the last pass had them open. */
  private inside: ReadonlyMap<string, string> = new Map();
  /** What is there when nobody else has touched it; undefined when that is not known. */
  private seen: Observed | undefined;
  private looked_ms = Number.NEGATIVE_INFINITY;
  /** Something may be there that has to be removed. */
  private isMade = false;
  private running: Promise<void> | undefined;
  private work: Work = 'none';
  private turn: Promise<unknown> = Promise.resolve();
  private isClosed = false;
  private closing: Promise<void> | undefined;
  private failure = '';
  /** How often in a row it could not be made so. */
  private failures = 0;
  private cancelLook = () => {};
  /** Told after every look of the networks of which this node has the bridge, their gateways being addresses of it. */
  onCarried: (networks: readonly Network[]) => Promise<void> = async () => {};

  constructor(private readonly options: KernelNetworksOptions) {
    this.host = new HostIPv6(options.tools);
    this.tables = new RuleTables(options.tools, options.log, () => this.host.isThere);
    this.engine = new EngineChain('ip', options.tools, options.log);
    this.engine6 = new EngineChain('ip6', options.tools, options.log);
    this.encrypted = new EncryptedWays(options);
    this.doors = new InsideDoors(options.nodeID, options.clock);
    this.turnover = new Turnover({ ...options, endsConnections: options.plane?.endsConnections ?? false });
  }

  /** Why the kernel is not as it shall be; '' when it is. */
  get error(): string {
    return this.failure;
  }

  /** The same of encrypted networks. */
  get encryptionError(): string {
    return this.failure || this.encrypted.error;
  }

  /** The keys of encrypted networks, in order of generation; none for a node without a task on one. Resolves as `apply` does. */
  setKeys(keys: readonly DataPathKey[]): Promise<void> {
    this.options.encryption?.setKeys(keys);
    return this.do('changes');
  }

  /** Whether no rule leads where it should not: they are as they shall be, or there are none. */
  get isCurrent(): boolean {
    return this.tables.isCurrent;
  }

  /** Tasks that the rules lead to no more, with connections under way here. */
  busyTasks(): readonly string[] {
    return this.turnover.busyTasks();
  }

  /** Calls back when `busyTasks` shrank; the result stops it. */
  onReleased(call: () => void): () => void {
    return this.turnover.onReleased(call);
  }

  /** Makes the kernel be so. Resolves when it is, or when it could not be made so: then it is tried again, and `error` says why. */
  apply(items: NetworkItems): Promise<void> {
    const { items: before } = this;
    if (before !== undefined && isSameItems(before, items)) return this.running ?? Promise.resolve();
    this.items = items;
    // Tasks come and go: that is told to the kernel without asking it what all of it looks like.
    const isOfTasks = before?.peers === items.peers && before.networks === items.networks;
    return this.do(isOfTasks ? 'changes' : 'all');
  }

  /**
   * Balances these routes. Resolves as `apply` does; but rules that lead elsewhere are not left then: without any, clients come to
   * whoever listens.
   */
  publish(routes: readonly Route[]): Promise<void> {
    const isFirst = this.routes.length === 0;
    this.routes = routes;
    return this.do(isFirst ? 'all' : 'changes');
  }

  /**
   * Before the engine makes bridges of the network. Resolves with how many bytes a packet between its containers may have. Throws
   * `not-supported` when this kernel cannot carry it.
   */
  async prepare(network: Network): Promise<number> {
    const seen = await observe(this.options.tools);
    const mtu = tunnelMTU(tunnelOfNetwork(network), underlayMTU(this.items, this.options.nodeID, seen));
    if (!hasIPv6(network)) return mtu;
    const obstacle = await this.host.obstacle(mtu);
    if (obstacle !== undefined) throw new ShoalError('not-supported', obstacle);
    await this.host.keepListening(seen.foreign);
    return mtu;
  }

  /** Looks at once: a bridge or a container on one is new. */
  refresh(): Promise<void> {
    return this.do('all');
  }

  /** Where the kernel is not as it shall be now, a line each. Nothing is put right. Throws what the tools throw. */
  verify(): Promise<string[]> {
    return this.inTurn(async () => {
      const { items } = this;
      const { tools } = this.options;
      const seen = await observe(tools);
      if (items === undefined || !this.isNeeded) {
        return differencesFrom(nothingWanted, { ...seen, oneWayPorts: [], bypassing: [] }, tools);
      }
      const wanted = this.wanted(items, seen);
      return [
        ...(await differencesFrom(wanted, seen, tools)),
        ...(await this.encrypted.differences(this.carrying(items, seen, wanted.carried), seen)),
      ];
    });
  }

  /** Removes everything of ours. */
  close(): Promise<void> {
    this.closing ??= this.closeNow();
    return this.closing;
  }

  private async closeNow(): Promise<void> {
    this.isClosed = true;
    this.cancelLook();
    await this.running;
    await this.turnover.close();
    // In turn: a `verify` under way has a table of its own.
    await this.inTurn(() => this.removeAll()).catch((error) =>
      this.options.log.warn('the networks of the cluster were left in the kernel', { reason: messageOf(error) }),
    );
  }

  private do(work: Work): Promise<void> {
    if (this.work !== 'all') this.work = work;
    this.running ??= this.inTurn(() => this.run()).finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  /** One at a time: what is under way must not be taken for what is there. */
  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.turn.then(work);
    this.turn = result.catch(() => {});
    return result;
  }

  private async run(): Promise<void> {
    while (this.work !== 'none' && !this.isClosed) {
      const { work } = this;
      this.work = 'none';
      this.cancelLook();
      try {
        await this.makeSo(work);
        if (this.failure !== '') this.options.log.info('the kernel carries the networks of the cluster again');
        this.failure = '';
        this.failures = 0;
      } catch (error) {
        await this.failed(messageOf(error));
      }
    }
    if (this.isClosed || !(this.isNeeded || this.isMade)) return;
    this.cancelLook = this.options.clock.after(look_ms, () => void this.do('all'));
  }

  private async failed(reason: string): Promise<void> {
    if (reason !== this.failure) this.options.log.error('the kernel does not carry the networks', { reason });
    this.failure = reason;
    this.seen = undefined;
    this.failures += 1;
    // Rules that lead nowhere any more are worse than none; but a machine that is only slow right now shall keep them.
    if (this.failures >= failures_max) await this.tables.remove().catch(() => {});
  }

  private get isNeeded(): boolean {
    const { items, options } = this;
    const isAsked = (items?.networks.size ?? 0) > 0 || this.hasMesh;
    return isAsked && items?.peers.has(options.nodeID) === true;
  }

  /** Whether ports are published, or connections to what was published are under way: without the rules they would be cut. */
  private get hasMesh(): boolean {
    return this.routes.length > 0 || this.turnover.mayBeBusy;
  }

  private async makeSo(work: Work): Promise<void> {
    const { items } = this;
    if (items === undefined) return;
    if (!this.isNeeded) {
      await this.removeAll();
      await this.onCarried([]);
      return;
    }
    const isDue = this.options.clock.monotonic() - this.looked_ms >= look_ms;
    if (work === 'changes' && this.seen !== undefined && !isDue) {
      try {
        await this.make(items, this.seen, false);
        return;
      } catch {} // somebody else was there since the last look
    }
    this.looked_ms = this.options.clock.monotonic();
    await this.make(items, await observe(this.options.tools), true);
  }

  private async make(items: NetworkItems, seen: Observed, isLook: boolean): Promise<void> {
    const { nodeID, tools } = this.options;
    this.seen = seen;
    this.inside = this.doors.open(this.routes);
    const destinations = destinationsOf(items, carriedNetworks(items, seen.bridges), this.routes, nodeID);
    this.turnover.plan(destinations);
    const { carried, kernel, rules, hasPlane } = this.wanted(items, seen);
    this.isMade = true;
    // Rules first: nothing shall pass for a moment that they would stop.
    await this.tables.make(rules, isLook);
    if (isLook) await this.host.tend(kernel.bridges6.length > 0, items, seen.foreign);
    const there = await makeWays(kernel, seen, { isLook, hasPlane }, tools);
    const encrypted = await this.encrypted.make(this.carrying(items, seen, carried), seen, isLook);
    this.seen = { ...there, encrypted };
    if (isLook) {
      await this.engine.pass();
      if (kernel.bridges6.length > 0) await this.engine6.pass();
    }
    if (hasPlane) await this.turnover.made(destinations);
    if (isLook) await this.onCarried(carried);
  }

  private wanted(items: NetworkItems, seen: Observed) {
    const { nodeID, plane } = this.options;
    const { routes, inside, hasMesh } = this;
    const mesh = plane && { publishAddress: plane.publishAddress, inside, ...this.turnover.changing };
    const encrypts = this.encrypted.isOn(items, seen);
    return wantedFrom({ items, nodeID, routes, mesh, hasMesh, encrypts, knowsIPv6: this.host.isThere }, seen);
  }

  private carrying(items: NetworkItems, seen: Observed, carried: readonly Network[]): Carrying {
    const { host, options } = this;
    return { items, carried, underlayMTU: underlayMTU(items, options.nodeID, seen), knowsIPv6: host.isThere };
  }

  /** Whatever is there of ours: also what an agent before this one left. */
  private async removeAll(): Promise<void> {
    const { tools } = this.options;
    const isThere = tools.hasDevice(plainTunnel.device) || tools.hasDevice(encryptedTunnel.device);
    if (!isThere && !this.tables.mayBeThere) {
      this.isMade = false;
      return;
    }
    // Without `ip` nobody has made anything.
    const seen = await unlessMissing(observe(tools));
    const { ip } = seen === undefined ? { ip: [] } : commandsFor(nothingWanted.kernel, { ...seen, oneWayPorts: [] });
    await this.encrypted.remove();
    await this.tables.remove();
    await batch('ip', ip, tools);
    await this.engine.unpass();
    if (this.host.isThere) await this.engine6.unpass();
    if (seen !== undefined) await this.host.putBack(seen.foreign);
    this.isMade = false;
    this.seen = undefined;
    this.turnover.forget();
  }
}
