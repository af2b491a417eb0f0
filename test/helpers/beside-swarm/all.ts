import { storedFiles } from './files.js';
import { networks } from './networks.js';
import { newer } from './newer.js';
import { nodes } from './nodes.js';
import { placement } from './placement.js';
import type { Scenario } from './scenario.js';
import { serviceCreate } from './service-create.js';
import { serviceUpdate } from './service-update.js';
import { stacks } from './stacks.js';
import { changing, ending, founding } from './swarms.js';
import { system } from './system.js';

/** In this order: the first founds the cluster that the others use, the last ends it. */
export const scenarios: readonly Scenario[] = [
  founding,
  ...nodes,
  ...storedFiles,
  ...networks,
  ...serviceCreate,
  ...serviceUpdate,
  ...placement,
  ...stacks,
  ...system,
  newer,
  changing,
  ending,
];
