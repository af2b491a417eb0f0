import type { Logger } from 'winston';
import { messageOf } from '../model/errors.js';
import type { ContainerEvent, ContainerSummary } from './container.js';
import type { Engine } from './engine.js';
import { labelNames } from './labels.js';

/** This node's containers that no task here has asked for: kept until it is known which tasks are wanted, then removed. */
export class Leftovers {
  private readonly found = new Map<string, ContainerSummary>();
  private readonly removing = new Map<string, Promise<void>>();
  private stopped = false;

  constructor(
    private readonly engine: Engine,
    private readonly log: Logger,
  ) {}

  /** What a full look found of them. */
  replace(containers: readonly ContainerSummary[]): void {
    this.found.clear();
    for (const container of containers) this.found.set(container.id, container);
  }

  observe(event: ContainerEvent): void {
    if (event.kind === 'destroy') this.found.delete(event.id);
  }

  /** The container of a task that turns out to be wanted; no longer among the leftovers then. */
  take(taskID: string): ContainerSummary | undefined {
    for (const container of this.found.values()) {
      if (container.labels[labelNames.taskID] !== taskID) continue;
      this.found.delete(container.id);
      return container;
    }
    return undefined;
  }

  /** Stops and removes them, in the background; what fails is tried again when it is found again. */
  sweep(): void {
    for (const container of this.found.values()) {
      if (this.removing.has(container.id)) continue;
      this.log.info('removing the container of a task that is not assigned to this node', {
        container: container.id,
        name: container.name,
      });
      const removal = this.remove(container.id)
        .then(() => this.found.delete(container.id))
        .catch((error) =>
          this.log.warn('a container was not removed', { container: container.id, error: messageOf(error) }),
        )
        .then(() => {
          this.removing.delete(container.id);
        });
      this.removing.set(container.id, removal);
    }
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.all(this.removing.values());
  }

  private async remove(id: string): Promise<void> {
    const container = await this.engine.inspect(id);
    if (container?.phase === 'running' && !this.stopped) await this.engine.stop(id, container.stopGrace_ms);
    if (container !== undefined && !this.stopped) await this.engine.remove(id);
  }
}
