import type { GenericResource, Task, TaskSpec } from '../model/types.js';

/** Tasks of one service and one spec that need a node: they are alike, so what is found out for one holds for all. */
export interface Group {
  serviceID: string;
  /** As the tasks will have it, `EndpointPorts` included. */
  spec: TaskSpec;
  /** By node id: tasks of the service there that will stay (those about to be replaced are not counted). */
  running: ReadonlyMap<string, number>;
  /** By node id: other tasks of the service that may still run there; they count for the limit of replicas a node only. */
  leaving: ReadonlyMap<string, number>;
  /** By node id: tasks of the service that failed there lately. A node with `failuresUntilAvoided` is taken last. */
  failures: ReadonlyMap<string, number>;
  wanted: readonly Wanted[];
}

export interface Wanted {
  /** Id of the task to be placed. */
  id: string;
  /** The only node it may go to: a task of a global service. */
  onlyNodeID?: string;
  /** Among nodes that are equally good for the spread, the one to take. */
  preferredNodeID?: string;
  /** The task it replaces, which is stopped first: if nothing else is free, what that one holds on its node will be. */
  replaces?: Task;
}

/** Docker's: a node where a service failed this often within five minutes gets its tasks last. */
export const failuresUntilAvoided = 5;

export interface Placement {
  /** By task id. */
  placed: Map<string, Placed>;
  /** By task id: why not, in the words of Docker. */
  unplaced: Map<string, string>;
}

export interface Placed {
  nodeID: string;
  generic: GenericResource[];
}
