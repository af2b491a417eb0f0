import type { Logger } from 'winston';
import type { Clock } from '../model/clock.js';
import type { Random } from '../model/random.js';
import type { Assignments, NodeDescription, TaskStatus } from '../model/types.js';
import type { Engine } from './engine.js';

/** Makes what runs on this node's engine be what the node is assigned. Containers live on when it stops. */
export interface Agent {
  /** What the node shall have from now on; a full one replaces, others change what was told before. */
  assign(assignments: Assignments): void;
  /** What the node is: the last known of an engine that does not answer now. Never rejects. */
  description(): Promise<NodeDescription>;
  /** Why the engine cannot be used, for NodeReport; '' while it can. */
  engineError(): string;
  /** Calls back when `engineError` or the description changed; the result stops it. */
  onEngineChange(call: () => void): () => void;
  /** Nothing is called back and nothing done to the engine once this resolved. */
  stop(): Promise<void>;
}

export interface AgentOptions {
  engine: Engine;
  /** `address` is where other nodes reach this one: ingress ports of tasks are bound to it. */
  node: { id: string; hostname: string; address: string };
  clock: Clock;
  random: Random;
  log: Logger;
  /** Every change of a task's status, those of one moment together. Also again what the assignments show as not yet known. */
  report(reports: { taskID: string; status: TaskStatus }[]): void;
  /**
   * Directory in memory (tmpfs) that the engine sees under the same path: secrets and configs of tasks live there while they
   * are needed. Undefined: tasks that ask for them are rejected.
   */
  memoryDirectory: string | undefined;
}
