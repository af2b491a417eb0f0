import { createLogger, transports } from 'winston';
import type { Clock } from '../../src/model/clock.js';
import { complete } from '../../src/model/codec.js';
import { ShoalError } from '../../src/model/errors.js';
import { seededRandom } from '../../src/model/random.js';
import type {
  AssignmentsInit,
  ConfigInit,
  ContainerSpecInit,
  SecretInit,
  Task,
  TaskInit,
  TaskStatus,
} from '../../src/model/types.js';
import { type Agent, startAgent } from '../../src/worker/agent.js';
import type { Engine } from '../../src/worker/engine.js';
import { NodeNetworks } from '../../src/worker/networks/node-networks.js';

export const quiet = createLogger({ silent: true, transports: [new transports.Console()] });

/** A task id as the cluster makes them, from a number. */
export const taskID = (number: number) => `task${number.toString(36).padStart(21, '0')}`;

/** A whole task of the service `web`, as a dispatcher assigns it. */
export function taskOf(number: number, nodeID: string, container: ContainerSpecInit, init: TaskInit = {}): Task {
  return complete('Task', {
    ID: taskID(number),
    ServiceID: 'service0000000000000000000',
    ServiceName: 'web',
    Slot: number,
    NodeID: nodeID,
    DesiredState: 'running',
    Status: { State: 'assigned' },
    ...init,
    Spec: { ContainerSpec: { Image: 'web', ...container }, ...init.Spec },
  });
}

/**
 * The managers' side of one node: what they have assigned to it and what they were told. Agents come and go over it, as they do when
 * the daemon restarts.
 */
export class NodeUnderTest {
  readonly tasks = new Map<string, Task>();
  /** Every state that was reported, a list a task. */
  readonly history = new Map<string, string[]>();
  agent: Agent | undefined;

  constructor(
    private readonly engine: Engine,
    private readonly clock: Clock,
    readonly id = 'node0000000000000000000001',
    private readonly memoryDirectory?: string,
    readonly address = '10.0.0.1',
  ) {}

  start(): Agent {
    this.agent = startAgent({
      engine: this.engine,
      node: { id: this.id, hostname: 'host', address: this.address, throughTunnel: false },
      clock: this.clock,
      random: seededRandom(1),
      log: quiet,
      memoryDirectory: this.memoryDirectory,
      networks: new NodeNetworks({
        nodeID: this.id,
        engine: this.engine,
        kernel: undefined,
        clock: this.clock,
        random: seededRandom(1),
        log: quiet,
      }),
      attachNetwork: () => Promise.reject(new ShoalError('unavailable', 'there are no managers')),
      report: (reports) => {
        for (const { taskID, status } of reports) this.learn(taskID, status);
      },
    });
    return this.agent;
  }

  async stop(): Promise<void> {
    await this.agent?.stop();
    this.agent = undefined;
  }

  /** A full assignment, as at the begin of a session. */
  assignAll(data: { secrets?: SecretInit[]; configs?: ConfigInit[] } = {}): void {
    this.send({ Full: true, Tasks: [...this.tasks.values()], Secrets: data.secrets, Configs: data.configs });
  }

  /** Assigns one new or changed task. */
  assign(task: Task): string {
    this.tasks.set(task.ID, task);
    this.send({ Tasks: [task] });
    return task.ID;
  }

  want(id: string, desired: string): void {
    const task = this.tasks.get(id);
    if (task !== undefined) this.assign({ ...task, DesiredState: desired });
  }

  withdraw(id: string): void {
    this.tasks.delete(id);
    this.send({ RemovedTaskIDs: [id] });
  }

  status(id: string): TaskStatus {
    const status = this.tasks.get(id)?.Status ?? this.last.get(id);
    if (status === undefined || status === null) throw new Error(`nothing is known of ${id}`);
    return status;
  }

  state(id: string): string {
    return this.status(id).State;
  }

  private readonly last = new Map<string, TaskStatus>();

  private learn(id: string, status: TaskStatus): void {
    this.last.set(id, status);
    this.history.set(id, [...(this.history.get(id) ?? []), status.State]);
    const task = this.tasks.get(id);
    if (task !== undefined) this.tasks.set(id, { ...task, Status: status });
  }

  private send(init: AssignmentsInit): void {
    this.agent?.assign({
      Full: init.Full ?? false,
      Tasks: (init.Tasks ?? []) as Task[],
      RemovedTaskIDs: init.RemovedTaskIDs ?? [],
      Secrets: (init.Secrets ?? []).map((secret) => complete('Secret', secret)),
      RemovedSecretIDs: [],
      Configs: (init.Configs ?? []).map((config) => complete('Config', config)),
      RemovedConfigIDs: [],
      DataPathKeys: null,
    });
  }
}
