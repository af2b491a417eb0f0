import type { ContainerConfig, ContainerEvent } from '../../../src/worker/container.js';
import type { Engine, EventStream } from '../../../src/worker/engine.js';
import { labelNames } from '../../../src/worker/labels.js';
import type { SimulatedContainer } from '../../helpers/simulated-container.js';
import { SimulatedEngine } from '../../helpers/simulated-engine.js';
import type { World } from '../world.js';
import { processClock } from '../world.js';

/** What the engine of one host is told that changes something. */
export interface EngineWitness {
  created(taskID: string): void;
  started(taskID: string): void;
  /** The container runs, and is to be stopped or removed. */
  ending(taskID: string): void;
}

export function taskOf(container: Pick<SimulatedContainer, 'labels'>): string {
  return container.labels[labelNames.taskID] ?? '';
}

/** The engine of one host, which outlives its daemon. */
export class WatchedEngine extends SimulatedEngine {
  constructor(
    world: World,
    private readonly witness: EngineWitness,
  ) {
    super(
      processClock(world, 1, () => true),
      ['web', 'db'],
    );
  }

  override async create(name: string, config: ContainerConfig): Promise<string> {
    const taskID = config.Labels[labelNames.taskID] ?? '';
    const id = await super.create(name, config);
    this.witness.created(taskID);
    return id;
  }

  override async start(id: string): Promise<void> {
    await super.start(id);
    const container = this.containers.get(id);
    if (container?.phase === 'running') this.witness.started(taskOf(container));
  }

  override stop(id: string, grace_ms: number): Promise<void> {
    this.toldToEnd(id);
    return super.stop(id, grace_ms);
  }

  override remove(id: string): Promise<void> {
    this.toldToEnd(id);
    return super.remove(id);
  }

  private toldToEnd(id: string): void {
    const container = this.containers.get(id);
    if (container?.phase === 'running') this.witness.ending(taskOf(container));
  }
}

/** The engine as one process sees it: nothing of what it asked for reaches it any more once it is dead. */
export function engineFor(engine: Engine, alive: () => boolean): Engine & { disconnect(): void } {
  const streams = new Set<EventStream>();
  const answers = <T>(work: Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      work.then(
        (value) => alive() && resolve(value),
        (error) => alive() && reject(error),
      );
    });
  const guarded = new Proxy(engine, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      return (...values: unknown[]) => {
        if (!alive()) return new Promise(() => {});
        const result: unknown = member.apply(target, values);
        return result instanceof Promise ? answers(result) : result;
      };
    },
  });
  return Object.assign(Object.create(guarded) as Engine, {
    async events(labels: Readonly<Record<string, string>>, call: (event: ContainerEvent) => void) {
      const stream = await guarded.events(labels, (event) => alive() && call(event));
      streams.add(stream);
      return stream;
    },
    disconnect() {
      for (const stream of streams) stream.close();
    },
  });
}
