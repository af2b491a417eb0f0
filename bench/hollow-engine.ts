import type { Container, ContainerConfig, ContainerEvent, ContainerSummary } from '../src/worker/container.js';
import type { Engine, EngineInfo, EventStream } from '../src/worker/engine.js';
import { simulatedInfo } from '../test/helpers/simulated-engine.js';

/**
 * An engine that costs next to nothing: a thousand of them share a machine with the managers that are measured. Each call has its effect, and is
 * answered, at once; containers run until they are stopped. (test/helpers/simulated-engine.ts is the one with faults, and with a timer a call.)
 */
export class HollowEngine implements Engine {
  private readonly containers = new Map<string, Container>();
  private readonly byName = new Map<string, Container>();
  private tell: (event: ContainerEvent) => void = () => {};
  private made = 0;

  /** `node` numbers the engine: no two containers of a fleet have one id. */
  constructor(private readonly node: number) {}

  /** Containers that are there. */
  get size(): number {
    return this.containers.size;
  }

  async ping(): Promise<void> {}

  async info(): Promise<EngineInfo> {
    return simulatedInfo;
  }

  async pull(): Promise<void> {}

  async create(name: string, config: ContainerConfig): Promise<string> {
    const number = this.node * 2 ** 24 + this.made++;
    const id = number.toString(16).padStart(64, '0');
    const container: Container = {
      id,
      name,
      labels: config.Labels,
      phase: 'created',
      health: '',
      started: false,
      pid: 0,
      exitCode: 0,
      error: '',
      stopGrace_ms: 10_000,
      bindings: [],
      autoRemove: false,
      networks: [],
      address: '',
    };
    this.put(container);
    return id;
  }

  async start(id: string): Promise<void> {
    const container = this.containers.get(id);
    if (container === undefined || container.phase === 'running') return;
    this.put({ ...container, phase: 'running', started: true, pid: this.made });
    this.tell({ id, labels: container.labels, kind: 'start' });
  }

  async stop(id: string): Promise<void> {
    const container = this.containers.get(id);
    if (container?.phase !== 'running') return;
    this.put({ ...container, phase: 'exited', pid: 0 });
    this.tell({ id, labels: container.labels, kind: 'die', exitCode: 0 });
  }

  async remove(id: string): Promise<void> {
    const container = this.containers.get(id);
    if (container === undefined) return;
    await this.stop(id);
    this.containers.delete(id);
    this.byName.delete(container.name);
    this.tell({ id, labels: container.labels, kind: 'destroy' });
  }

  async inspect(id: string): Promise<Container | undefined> {
    return this.containers.get(id) ?? this.byName.get(id);
  }

  async list(): Promise<ContainerSummary[]> {
    return [...this.containers.values()];
  }

  async events(_labels: unknown, call: (event: ContainerEvent) => void): Promise<EventStream> {
    this.tell = call;
    return { ended: new Promise(() => {}), close: () => {} };
  }

  async networks(): Promise<[]> {
    return [];
  }

  async createNetwork(): Promise<string> {
    return '';
  }

  async removeNetwork(): Promise<void> {}

  async connectNetwork(): Promise<void> {}
  async disconnectNetwork(): Promise<void> {}

  reset(): void {}

  private put(container: Container): void {
    this.containers.set(container.id, container);
    this.byName.set(container.name, container);
  }
}
