import type { Clock } from '../../src/model/clock.js';
import { ShoalError } from '../../src/model/errors.js';
import type { Container, ContainerConfig, ContainerEvent, ContainerSummary } from '../../src/worker/container.js';
import type { Engine, EngineInfo, EventStream } from '../../src/worker/engine.js';
import type { EndpointAddresses, EngineNetwork, NetworkConfig } from '../../src/worker/networks/engine-networks.js';
import { healthOf, programOf, SimulatedContainer } from './simulated-container.js';

export type EngineCall =
  | 'ping'
  | 'info'
  | 'pull'
  | 'create'
  | 'start'
  | 'stop'
  | 'remove'
  | 'inspect'
  | 'list'
  | 'events'
  | 'networks'
  | 'createNetwork'
  | 'removeNetwork'
  | 'connectNetwork'
  | 'disconnectNetwork';

interface Listener {
  labels: Readonly<Record<string, string>>;
  call: (event: ContainerEvent) => void;
  end: (reason: string) => void;
}

/** As the real engine's part: nothing waits for ever. */
const limit_ms = (call: EngineCall) => (call === 'ping' ? 5_000 : call === 'stop' ? 900_000 : 120_000);

/** What simulated engines say they are. */
export const simulatedInfo: EngineInfo = {
  version: '99.0.0',
  os: 'linux',
  architecture: 'x86_64',
  cpus: 2,
  memory_bytes: 4 * 2 ** 30,
  labels: ['disk=ssd'],
  genericResources: [],
  plugins: { Volume: ['local'], Network: ['bridge', 'host'], Log: ['json-file'] },
};

const firstEphemeralPort = 32768;

/**
 * A Docker Engine of the imagination, on a clock handed in, with the faults that real ones have. The world's side (images,
 * faults, what happens to containers) is what has no counterpart in `Engine`.
 */
export class SimulatedEngine implements Engine {
  readonly containers = new Map<string, SimulatedContainer>();
  readonly bridges = new Map<string, EngineNetwork & { config: NetworkConfig }>();
  /** On the node. */
  readonly images: Set<string>;
  /** What a pull finds; undefined: the registry cannot be reached, a pull hangs. */
  registry: Set<string> | undefined = new Set();
  /** How long a call takes: half before it has its effect, half after. */
  latency_ms: (call: EngineCall) => number = () => 0;
  /** How long an event is on its way: on its own connection it may be overtaken by answers. */
  eventDelay_ms = 0;
  /** Events reach nobody while set. */
  losesEvents = false;
  /** There is no room on its disk for another container. */
  isFull = false;
  readonly counts = new Map<EngineCall, number>();

  private alive = true;
  private hanging = false;
  private hung: (() => void)[] = [];
  private readonly givenUp = new Set<(reason: ShoalError) => void>();
  private readonly listeners = new Set<Listener>();
  private readonly failures: { call: EngineCall; error: ShoalError }[] = [];
  private readonly lostAnswers: EngineCall[] = [];
  private nextID = 1;
  private nextPort = firstEphemeralPort;

  constructor(
    private readonly clock: Clock,
    images: Iterable<string> = ['web'],
  ) {
    this.images = new Set(images);
  }

  // ---------------------------------------------------------------- faults and fate

  /** The next such call has no effect and is refused in these words (or, with `unavailable`, gets no answer). */
  failNext(call: EngineCall, error: ShoalError): void {
    this.failures.push({ call, error });
  }

  /** The next such call has its effect, but its answer is lost. */
  loseNextAnswer(call: EngineCall): void {
    this.lostAnswers.push(call);
  }

  /** The engine process is gone: calls in flight and all later ones fail, streams end. `containers`: whether they live on. */
  die(containers: 'live' | 'killed' = 'live'): void {
    this.alive = false;
    this.hanging = false;
    this.hung = [];
    this.disconnect('the engine died');
    if (containers === 'killed') {
      for (const container of this.containers.values()) if (container.phase === 'running') this.end(container, 137);
    }
  }

  boot(): void {
    this.alive = true;
  }

  /** Answers nothing from now on. What was asked meanwhile is done on `resume`, whether or not the caller still waits. */
  hang(): void {
    this.hanging = true;
  }

  resume(): void {
    this.hanging = false;
    for (const go of this.hung.splice(0)) go();
  }

  /** The container's process ends by itself. */
  exit(id: string, exitCode: number): void {
    const container = this.containers.get(id);
    if (container?.phase === 'running') this.end(container, exitCode);
  }

  setHealth(id: string, health: 'healthy' | 'unhealthy'): void {
    const container = this.containers.get(id);
    if (container?.phase !== 'running') return;
    container.health = health;
    this.tell(container, { kind: 'health', health });
  }

  /** Somebody else removes the container by force. */
  vanish(id: string): void {
    const container = this.containers.get(id);
    if (container !== undefined) this.drop(container);
  }

  running(): SimulatedContainer[] {
    return [...this.containers.values()].filter((container) => container.phase === 'running');
  }

  // ---------------------------------------------------------------- the engine's side

  ping(): Promise<void> {
    return this.answer('ping', () => {});
  }

  info(): Promise<EngineInfo> {
    return this.answer('info', () => ({ ...simulatedInfo }));
  }

  pull(image: string, options: { auth?: string; signal: AbortSignal }): Promise<void> {
    const pulled = this.answer('pull', async () => {
      if (this.registry === undefined) return new Promise<void>(() => {});
      if (!this.registry.has(image)) throw new ShoalError('not-found', `pull access denied for ${image}`);
      this.images.add(image);
    });
    const aborted = new Promise<void>((_resolve, reject) => {
      const giveUp = () => reject(new ShoalError('unavailable', 'the pull was given up'));
      if (options.signal.aborted) giveUp();
      options.signal.addEventListener('abort', giveUp, { once: true });
    });
    return Promise.race([pulled, aborted]);
  }

  create(name: string, config: ContainerConfig): Promise<string> {
    return this.answer('create', () => {
      if (!this.images.has(config.Image)) throw new ShoalError('not-found', `No such image: ${config.Image}`);
      if (this.isFull) throw new ShoalError('internal', 'no space left on device');
      const other = [...this.containers.values()].find((container) => container.name === name);
      if (other !== undefined) {
        throw new ShoalError(
          'name-conflict',
          `Conflict. The container name "/${name}" is already in use by container "${other.id}".`,
        );
      }
      const id = this.nextID.toString(16).padStart(64, '0');
      this.nextID += 1;
      const made = new SimulatedContainer(id, name, structuredClone(config));
      made.names = (network) => this.bridges.get(network)?.name ?? network;
      this.containers.set(id, made);
      return id;
    });
  }

  start(id: string): Promise<void> {
    return this.answer('start', () => {
      const container = this.mustHave(id);
      if (container.phase === 'running') return;
      container.bindings = this.bind(container);
      container.phase = 'running';
      container.starts += 1;
      container.pid = 1000 + this.nextPort;
      container.health = container.hasHealthcheck ? 'starting' : '';
      this.tell(container, { kind: 'start' });
      const { ends } = programOf(container.config);
      if (ends !== undefined) {
        container.cancelEnd = this.clock.after(ends.after_ms, () => this.end(container, ends.exitCode));
      }
      const check = healthOf(container.config);
      if (check !== undefined) this.clock.after(check.after_ms, () => this.setHealth(id, check.health));
    });
  }

  stop(id: string, grace_ms: number): Promise<void> {
    return this.answer('stop', async () => {
      const container = this.containers.get(id);
      if (container?.phase !== 'running') return;
      if (programOf(container.config).polite) return this.end(container, 0);
      const ended = new Promise<void>((resolve) => container.waiting.push(resolve));
      this.clock.after(grace_ms, () => {
        if (this.alive) this.end(container, 137);
      });
      await ended;
    });
  }

  remove(id: string): Promise<void> {
    return this.answer('remove', () => {
      const container = this.containers.get(id);
      if (container !== undefined) this.drop(container);
    });
  }

  inspect(id: string): Promise<Container | undefined> {
    return this.answer('inspect', () => {
      const found = this.containers.get(id) ?? [...this.containers.values()].find((one) => one.name === id);
      return found?.inspect();
    });
  }

  list(labels: Readonly<Record<string, string>>): Promise<ContainerSummary[]> {
    return this.answer('list', () =>
      [...this.containers.values()]
        .filter((container) => container.carries(labels))
        .map((container) => container.summary()),
    );
  }

  events(labels: Readonly<Record<string, string>>, call: (event: ContainerEvent) => void): Promise<EventStream> {
    return this.answer('events', () => {
      let end: (reason: string) => void = () => {};
      const ended = new Promise<string>((resolve) => {
        end = resolve;
      });
      const listener = { labels, call, end };
      this.listeners.add(listener);
      const close = () => {
        this.listeners.delete(listener);
        end('the event stream was closed');
      };
      return { ended, close };
    });
  }

  networks(label: string): Promise<EngineNetwork[]> {
    const [name = '', value] = label.split('=');
    return this.answer('networks', () =>
      [...this.bridges.values()].filter(({ labels }) =>
        value === undefined ? labels[name] !== undefined : labels[name] === value,
      ),
    );
  }

  createNetwork(config: NetworkConfig): Promise<string> {
    return this.answer('createNetwork', () => {
      if ([...this.bridges.values()].some(({ name }) => name === config.Name)) {
        throw new ShoalError('name-conflict', `network with name ${config.Name} already exists`);
      }
      const id = `n${(this.nextID++).toString(16).padStart(63, '0')}`;
      this.bridges.set(id, { id, name: config.Name, labels: config.Labels, config });
      return id;
    });
  }

  removeNetwork(id: string): Promise<void> {
    return this.answer('removeNetwork', () => {
      const used = [...this.containers.values()].some((one) => one.phase === 'running' && one.networks().includes(id));
      if (used) throw new ShoalError('forbidden', `error while removing network: network ${id} has active endpoints`);
      this.bridges.delete(id);
    });
  }

  connectNetwork(
    network: string,
    container: string,
    place: EndpointAddresses,
    aliases?: readonly string[],
  ): Promise<void> {
    return this.answer('connectNetwork', () => {
      if (!this.bridges.has(network)) throw new ShoalError('not-found', `network ${network} not found`);
      this.mustHave(container).connect(network, place, aliases);
    });
  }

  disconnectNetwork(network: string, container: string): Promise<void> {
    return this.answer('disconnectNetwork', () => {
      const bridge = [...this.bridges.values()].find(({ id, name }) => id === network || name === network);
      if (bridge !== undefined) this.containers.get(container)?.disconnect(bridge.id);
    });
  }

  reset(): void {
    this.disconnect('the call was given up: the engine does not answer');
  }

  // ---------------------------------------------------------------- inside

  private async answer<T>(call: EngineCall, work: () => T | Promise<T>): Promise<T> {
    this.counts.set(call, (this.counts.get(call) ?? 0) + 1);
    if (!this.alive) throw new ShoalError('unavailable', 'the engine cannot be reached');
    let giveUp: (reason: ShoalError) => void = () => {};
    const abandoned = new Promise<never>((_resolve, reject) => {
      giveUp = reject;
    });
    this.givenUp.add(giveUp);
    const cancel = this.clock.after(limit_ms(call), () => {
      giveUp(new ShoalError('unavailable', `the engine did not answer a ${call} in time`));
    });
    const working = this.work(call, work);
    working.catch(() => {}); // the caller may be gone by then
    try {
      return await Promise.race([working, abandoned]);
    } finally {
      cancel();
      this.givenUp.delete(giveUp);
    }
  }

  private async work<T>(call: EngineCall, work: () => T | Promise<T>): Promise<T> {
    const half_ms = this.latency_ms(call) / 2;
    await this.wait(half_ms);
    if (this.hanging) await new Promise<void>((resolve) => this.hung.push(resolve));
    if (!this.alive) throw new ShoalError('unavailable', 'the engine died');
    const at = this.failures.findIndex((failure) => failure.call === call);
    if (at >= 0) throw this.failures.splice(at, 1)[0]?.error;
    const result = await work();
    const lost = this.lostAnswers.indexOf(call);
    if (lost >= 0) {
      this.lostAnswers.splice(lost, 1);
      throw new ShoalError('unavailable', 'the connection was closed');
    }
    await this.wait(half_ms);
    return result;
  }

  private async wait(time_ms: number): Promise<void> {
    if (time_ms > 0) await new Promise<void>((resolve) => this.clock.after(time_ms, resolve));
  }

  private disconnect(reason: string): void {
    for (const giveUp of [...this.givenUp]) giveUp(new ShoalError('unavailable', reason));
    for (const listener of [...this.listeners]) listener.end(reason);
    this.listeners.clear();
  }

  private mustHave(id: string): SimulatedContainer {
    const container = this.containers.get(id);
    if (container === undefined) throw new ShoalError('not-found', `No such container: ${id}`);
    return container;
  }

  private bind(container: SimulatedContainer): SimulatedContainer['bindings'] {
    return Object.entries(container.config.HostConfig.PortBindings ?? {}).flatMap(([target, wanted]) => {
      const [port, protocol = 'tcp'] = target.split('/');
      return wanted.map(({ HostIp, HostPort }) => {
        const hostAddress = HostIp || '0.0.0.0';
        const hostPort = HostPort === '' ? this.nextPort++ : Number(HostPort);
        const taken = this.running().some((other) =>
          other.bindings.some((one) => one.hostPort === hostPort && one.protocol === protocol),
        );
        if (taken) {
          throw new ShoalError('internal', `Bind for ${hostAddress}:${hostPort} failed: port is already allocated`);
        }
        return { protocol, targetPort: Number(port), hostAddress, hostPort };
      });
    });
  }

  private end(container: SimulatedContainer, exitCode: number): void {
    if (container.phase !== 'running') return;
    container.cancelEnd();
    container.phase = 'exited';
    container.exitCode = exitCode;
    container.pid = 0;
    container.bindings = [];
    for (const call of container.waiting.splice(0)) call();
    this.tell(container, { kind: 'die', exitCode });
  }

  private drop(container: SimulatedContainer): void {
    this.end(container, 137);
    this.containers.delete(container.id);
    this.tell(container, { kind: 'destroy' });
  }

  private tell(container: SimulatedContainer, what: { kind: 'start' | 'destroy' } | ContainerHappening): void {
    if (this.losesEvents || !this.alive || this.hanging) return;
    const { id, labels } = container;
    const listeners = [...this.listeners].filter((listener) => container.carries(listener.labels));
    const deliver = () => {
      for (const listener of listeners) if (this.listeners.has(listener)) listener.call({ id, labels, ...what });
    };
    if (this.eventDelay_ms === 0) deliver();
    else this.clock.after(this.eventDelay_ms, deliver);
  }
}

type ContainerHappening = { kind: 'die'; exitCode: number } | { kind: 'health'; health: 'healthy' | 'unhealthy' };
