import type { Logger } from 'winston';
import type { Clock } from '../model/clock.js';
import type { Random } from '../model/random.js';
import type { NodeDescription, TaskStatus } from '../model/types.js';
import type { Engine } from './engine.js';
import type { ImagePulls } from './image-pulls.js';
import type { Limiter } from './limiter.js';
import type { NodeNetworks } from './networks/node-networks.js';
import type { Reach } from './ports.js';
import type { TaskFiles } from './task-files.js';

/** What the controllers of one node share. */
export interface Workplace {
  engine: Engine;
  node: { id: string } & Reach;
  /** What the node is, as far as its engine has told. */
  description(): NodeDescription;
  clock: Clock;
  random: Random;
  log: Logger;
  /** Bounds the creates and starts under way: enough to keep the engine busy, not to swamp it. */
  changes: Limiter;
  /** Bounds the inspects under way. */
  looks: Limiter;
  images: ImagePulls;
  files: TaskFiles;
  networks: NodeNetworks;
  changed(taskID: string, status: TaskStatus): void;
  /** Nothing is left of a task that is no longer assigned. */
  gone(taskID: string): void;
}
