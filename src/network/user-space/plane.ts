import type { Logger } from 'winston';
import type { Clock } from '../../model/clock.js';
import { messageOf, ShoalError } from '../../model/errors.js';
import { type Random, systemRandom } from '../../model/random.js';
import type { Route } from '../../model/types.js';
import type { DataPlane } from '../data-plane.js';
import { Budget, descriptorLimit, type Limits, limitsFor } from './budget.js';
import { type CheckedRoute, checkRoute } from './checked-route.js';
import { Draining } from './draining.js';
import { HandleWires } from './handle-wires.js';
import { nodeHandles } from './node-handles.js';
import type { Port, PortSettings } from './port.js';
import { Rotation } from './rotation.js';
import { SocketWires } from './socket-wires.js';
import { TcpPort } from './tcp-port.js';
import { UdpPort } from './udp-port.js';
import type { Wires } from './wire.js';

export interface UserSpacePlaneOptions {
  log: Logger;
  clock: Clock;
  random?: Random;
  /** Addresses that published ports are listened on; every address of the machine when left out. */
  addresses?: readonly string[];
  /** How much may be open at once; as the process's descriptors allow when left out. */
  limits?: Limits;
  /** How long an endpoint may take to answer a connect. Long enough for one lost SYN to be sent again (after 1 s). */
  connectTimeout_ms?: number;
  /** A removed endpoint's connection is idle when its server spoke last and it was quiet for so long. */
  idle_ms?: number;
  /** A UDP flow ends when it was quiet for so long. */
  flowIdle_ms?: number;
  /** Where connections come from; the fastest that this Node has when left out. */
  wires?: Wires;
}

/** How often time-outs are looked at; they are late by this much at the most. */
const tick_ms = 250;
/** How often a port that could not be bound is tried again. */
const retry_ms = 5000;
/** No port gets more than this share of what may be open. */
const shareOfPort = 0.8;
/** What happens often is logged once in so long. */
const quiet_ms = 10_000;

/** A route that shall be: its port is undefined while it cannot be had. */
interface Published {
  route: Route;
  checked: CheckedRoute;
  rotation: Rotation;
  port: Port | undefined;
  reason: string;
}

/** Balances published ports in this process: no root, no kernel feature. One per process, for it counts the process's descriptors. */
export class UserSpacePlane implements DataPlane {
  private readonly log: Logger;
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly addresses: readonly string[];
  private readonly settings: PortSettings;
  private readonly draining: Draining;
  /** By protocol and port, as they were last asked for. */
  private published = new Map<string, Published>();
  /** No longer listening; connections are left. */
  private readonly retiring = new Set<Port>();
  private turn: Promise<unknown> = Promise.resolve();
  private stopTicking: (() => void) | undefined;
  private stopRetrying: (() => void) | undefined;
  private listening: () => void = () => {};
  private readonly loggedAt_ms = new Map<string, number>();
  private isClosed = false;

  constructor(options: UserSpacePlaneOptions) {
    this.log = options.log;
    this.clock = options.clock;
    this.random = options.random ?? systemRandom;
    this.addresses = options.addresses ?? ['0.0.0.0', '::'];
    this.draining = new Draining(() => this.wake());
    const limits = options.limits ?? limitsFor(descriptorLimit());
    this.settings = {
      clock: this.clock,
      random: this.random,
      wires: options.wires ?? fastestWires(),
      connections: new Budget(limits.connections),
      connectionsOfPort: Math.ceil(limits.connections * shareOfPort),
      flows: new Budget(limits.flows),
      flowsOfPort: Math.ceil(limits.flows * shareOfPort),
      idle_ms: options.idle_ms ?? 1000,
      connectTimeout_ms: options.connectTimeout_ms ?? 1500,
      flowIdle_ms: options.flowIdle_ms ?? 60_000,
      wake: () => this.wake(),
      unreachable: (target, code) => {
        target.suspect(this.clock.monotonic());
        const { taskID, host, port } = target.address;
        this.warn(`unreachable ${taskID}`, 'an endpoint does not answer; the next one is used', {
          taskID,
          host,
          port,
          code,
        });
      },
      exhausted: (what) => this.warn(`exhausted ${what}`, `no more ${what} can be open; some are refused`, { limits }),
    };
  }

  apply(routes: readonly Route[]): Promise<{ failed: readonly { routeID: string; reason: string }[] }> {
    return this.inTurn(() => this.applyNow(routes));
  }

  busyTasks(): readonly string[] {
    return this.draining.busyTasks();
  }

  onReleased(call: () => void): () => void {
    return this.draining.onReleased(call);
  }

  close(): Promise<void> {
    return this.inTurn(async () => {
      this.isClosed = true;
      this.stopTicking?.();
      this.stopRetrying?.();
      const ports = [...this.published.values()].flatMap(({ port }) => port ?? []);
      this.published.clear();
      for (const port of [...ports, ...this.retiring]) port.cut();
      await Promise.all(ports.map((port) => port.stop()));
      for (const port of ports) port.cut(); // what was accepted while it stopped
      this.retiring.clear();
    });
  }

  /** Whether the port of the route is ours. */
  listens(routeID: string): boolean {
    const published = this.published.get(routeID);
    return published?.port !== undefined;
  }

  /** Calls back when a port could be had that could not before. */
  onListening(call: () => void): void {
    this.listening = call;
  }

  /** Connections and flows under way, of all ports. */
  get open(): number {
    return this.settings.connections.open + this.settings.flows.open;
  }

  private async applyNow(routes: readonly Route[]): Promise<{ failed: { routeID: string; reason: string }[] }> {
    if (this.isClosed) throw new ShoalError('unavailable', 'the data plane is closed');
    const failed: { routeID: string; reason: string }[] = [];
    const before = this.published;
    this.published = this.wanted(routes, before, failed);
    // First everything that takes endpoints out: it must not wait for a port that is slow to be had.
    const gone = [...before].filter(([key]) => !this.published.has(key)).map(([, published]) => published);
    await Promise.all(gone.map((published) => this.withdraw(published)));
    await Promise.all([...this.published.values()].map((published) => this.publish(published)));
    for (const { route, port, reason } of this.published.values()) {
      if (port === undefined) failed.push({ routeID: route.ID, reason });
    }
    this.retryLater();
    return { failed };
  }

  /** What is to be published after this: what was there keeps its port and its rotation, whosever service it now leads to. */
  private wanted(
    routes: readonly Route[],
    before: ReadonlyMap<string, Published>,
    failed: { routeID: string; reason: string }[],
  ): Map<string, Published> {
    const wanted = new Map<string, Published>();
    for (const route of routes) {
      const routeID = typeof route?.ID === 'string' ? route.ID : '';
      const known = before.get(routeID);
      const checked = known !== undefined && known.route === route ? known.checked : checkRoute(route);
      if ('reason' in checked) {
        failed.push({ routeID, reason: checked.reason });
        continue;
      }
      const key = `${checked.protocol}/${checked.port}`;
      if (wanted.has(key)) {
        failed.push({ routeID, reason: `PublishedPort: ${key} is in another route already` });
        continue;
      }
      const there = before.get(key);
      const published = there ?? this.unpublished(route, checked);
      if (there?.route !== route) this.setEndpoints(published, route, checked);
      wanted.set(key, published);
    }
    return wanted;
  }

  private unpublished(route: Route, checked: CheckedRoute): Published {
    const rotation = new Rotation(this.random, (target) => this.draining.emptied(target));
    return { route, checked, rotation, port: undefined, reason: '' };
  }

  private setEndpoints(published: Published, route: Route, checked: CheckedRoute): void {
    published.route = route;
    published.checked = checked;
    published.rotation.isSticky = route.Sticky;
    published.rotation.isOpaque = route.Opaque;
    this.draining.replaced(published.rotation.replace(checked.endpoints));
    if (checked.dropped > 0) {
      const { ID, ServiceName } = route;
      this.warn(`dropped ${ID}`, 'a route has endpoints that cannot be connected to', {
        route: ID,
        service: ServiceName,
        dropped: checked.dropped,
      });
    }
  }

  private async withdraw({ rotation, port }: Published): Promise<void> {
    this.draining.replaced(rotation.replace([]));
    if (port === undefined) return;
    this.retiring.add(port);
    await port.stop();
    this.wake();
  }

  private async publish(published: Published): Promise<void> {
    if (published.port !== undefined) return;
    const { route, checked, rotation } = published;
    const port =
      checked.protocol === 'tcp' ? new TcpPort(rotation, this.settings) : new UdpPort(rotation, this.settings);
    try {
      await port.listen(this.addresses, checked.port);
      published.port = port;
      this.log.info('published', { route: route.ID, service: route.ServiceName });
    } catch (error) {
      published.reason = messageOf(error);
      this.warn(`bind ${route.ID}`, 'a published port cannot be had', { route: route.ID, reason: published.reason });
    }
  }

  private retryLater(): void {
    this.stopRetrying?.();
    this.stopRetrying = undefined;
    if (this.isClosed || [...this.published.values()].every(({ port }) => port !== undefined)) return;
    this.stopRetrying = this.clock.after(retry_ms, () => {
      void this.inTurn(async () => {
        const missing = [...this.published.values()].filter(({ port }) => port === undefined);
        if (!this.isClosed) await Promise.all(missing.map((published) => this.publish(published)));
        if (missing.some(({ port }) => port !== undefined)) this.listening();
        this.retryLater();
      });
    });
  }

  private wake(): void {
    if (this.stopTicking !== undefined || this.isClosed) return;
    this.stopTicking = this.clock.after(tick_ms, () => {
      this.stopTicking = undefined;
      if (this.tick(this.clock.monotonic())) this.wake();
    });
  }

  private tick(now_ms: number): boolean {
    let again = this.draining.tick(now_ms);
    for (const { port } of this.published.values()) {
      if (port?.tick(now_ms)) again = true;
    }
    for (const port of this.retiring) {
      if (port.tick(now_ms)) again = true;
      if (port.open === 0) this.retiring.delete(port);
    }
    return again;
  }

  /** One change at a time, in the order they were asked for. */
  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.turn.then(work);
    this.turn = result.catch(() => {});
    return result;
  }

  private warn(about: string, message: string, fields: object): void {
    const now = this.clock.monotonic();
    const last = this.loggedAt_ms.get(about);
    if (last !== undefined && now - last < quiet_ms) return;
    if (this.loggedAt_ms.size >= 1000) this.loggedAt_ms.clear();
    this.loggedAt_ms.set(about, now);
    this.log.warn(message, fields);
  }
}

function fastestWires(): Wires {
  const handles = nodeHandles();
  return handles === undefined ? new SocketWires() : new HandleWires(handles);
}
