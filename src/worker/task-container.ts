import { messageOf, ShoalError } from '../model/errors.js';
import { containerName } from '../model/task-names.js';
import type { Task } from '../model/types.js';
import type { Container, ContainerConfig } from './container.js';
import { containerConfig, stopGrace_ms } from './container-config.js';
import { labelNames, specHash } from './labels.js';
import type { Workplace } from './workplace.js';

/** One task's container on the engine: every call that is made for it. Throws what `Engine` throws. */
export class TaskContainer {
  private id: string;
  private readonly specHash: string;

  constructor(
    private readonly task: Task,
    private readonly place: Workplace,
  ) {
    this.id = task.Status?.ContainerStatus?.ContainerID ?? '';
    this.specHash = specHash(task.Spec);
  }

  /** What is there now; undefined when there is none. `before` is called right before the engine is asked. */
  async look(before: () => void): Promise<Container | undefined> {
    const found = await this.place.looks.run(async () => {
      before();
      const byID = this.id === '' ? undefined : await this.place.engine.inspect(this.id);
      return byID ?? this.place.engine.inspect(containerName(this.task));
    });
    return this.own(found);
  }

  /** Why the container is not one that this task asked for; '' when it is. */
  mismatch(container: Container): string {
    return container.labels[labelNames.specHash] === this.specHash
      ? ''
      : 'task: its container was made from another specification';
  }

  /**
   * Creates it, at once when the image is on the node, else after a pull. Resolves with undefined when `signal` was aborted before
   * the engine was asked. Takes over a container of this task that is there already.
   */
  async create(signal: AbortSignal): Promise<Container | undefined> {
    const node = this.place.description();
    const files = this.place.files.bring(this.task, node);
    const attached = await this.place.networks.attach(this.task);
    const config = containerConfig(this.task, { address: this.place.node.address, description: node }, files, attached);
    const attempt = () =>
      this.place.changes.run(async () => {
        if (signal.aborted) return undefined;
        const container = await this.createOrTakeOver(config);
        for (const place of attached.slice(1)) {
          await this.place.engine.connectNetwork(place.network, container.id, place);
        }
        return container;
      });
    try {
      return await attempt();
    } catch (error) {
      if (!isMissingImage(error)) throw error;
      await this.pull(config.Image, error, signal);
      return attempt();
    }
  }

  async start(container: Container, signal: AbortSignal): Promise<void> {
    await this.place.changes.run(async () => {
      if (!signal.aborted) await this.place.engine.start(container.id);
    });
    if (this.task.NetworksAttachments.length > 0) await this.place.networks.started();
  }

  stop(container: Container): Promise<void> {
    return this.place.engine.stop(container.id, stopGrace_ms(this.task));
  }

  remove(container: Container): Promise<void> {
    return this.place.changes.run(() => this.place.engine.remove(container.id));
  }

  private async createOrTakeOver(config: ContainerConfig): Promise<Container> {
    const name = containerName(this.task);
    try {
      const id = await this.place.engine.create(name, config);
      this.id = id;
      return asCreated(id, name, config);
    } catch (error) {
      if (!(error instanceof ShoalError && error.code === 'name-conflict')) throw error;
      const found = this.own(await this.place.engine.inspect(name));
      if (found === undefined) throw error; // somebody else's
      return found;
    }
  }

  private async pull(image: string, missing: ShoalError, signal: AbortSignal): Promise<void> {
    this.place.log.info('pulling an image that is not on the node', { task: this.task.ID, image });
    try {
      await this.place.images.pull(image, this.task.RegistryAuth, signal);
    } catch (error) {
      if (error instanceof ShoalError && error.code === 'unavailable') throw error;
      throw new ShoalError(missing.code, `${missing.message} (pulling it: ${messageOf(error)})`, { cause: error });
    }
  }

  private own(found: Container | undefined): Container | undefined {
    if (found?.labels[labelNames.taskID] !== this.task.ID) return undefined;
    this.id = found.id;
    return found;
  }
}

function isMissingImage(error: unknown): error is ShoalError {
  return error instanceof ShoalError && error.code === 'not-found' && /no such image/i.test(error.message);
}

/** A container just created, without asking the engine what it looks like. */
function asCreated(id: string, name: string, config: ContainerConfig): Container {
  return {
    id,
    name,
    labels: config.Labels,
    phase: 'created',
    started: false,
    pid: 0,
    exitCode: 0,
    error: '',
    health: '',
    stopGrace_ms: (config.StopTimeout ?? 0) * 1000,
    bindings: [],
    autoRemove: false,
    address: '',
    networks: [],
  };
}
