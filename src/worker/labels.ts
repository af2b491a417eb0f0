import { createHash } from 'node:crypto';
import { containerName } from '../model/task-names.js';
import type { Task, TaskSpec } from '../model/types.js';

/** The labels that Docker gives a task's container, and ours: what the agent knows its containers by. */
export const labelNames = {
  serviceID: 'com.docker.swarm.service.id',
  serviceName: 'com.docker.swarm.service.name',
  task: 'com.docker.swarm.task',
  taskID: 'com.docker.swarm.task.id',
  taskName: 'com.docker.swarm.task.name',
  nodeID: 'com.docker.swarm.node.id',
  specHash: 'shoal.spec.hash',
} as const;

/** The user's container labels, then those that no user can take over. */
export function containerLabels(task: Task): Record<string, string> {
  return {
    ...task.Spec?.ContainerSpec?.Labels,
    [labelNames.serviceID]: task.ServiceID,
    [labelNames.serviceName]: task.ServiceName,
    [labelNames.task]: '',
    [labelNames.taskID]: task.ID,
    [labelNames.taskName]: containerName(task),
    [labelNames.nodeID]: task.NodeID,
    [labelNames.specHash]: specHash(task.Spec),
  };
}

/**
 * The same for specs that make the same container: of those parts only, in one order, empty fields left out, so that a
 * field added to the model later does not change the hash of what runs.
 */
export function specHash(spec: TaskSpec | null): string {
  if (spec === null) return hashOf(null);
  let hash = hashes.get(spec);
  if (hash === undefined) {
    hash = hashOf(spec);
    hashes.set(spec, hash);
  }
  return hash;
}

const hashes = new WeakMap<TaskSpec, string>(); // nobody writes to a spec, and a task asks several times for its hash

function hashOf(spec: TaskSpec | null): string {
  const shaping = {
    ContainerSpec: spec?.ContainerSpec,
    Resources: spec?.Resources,
    LogDriver: spec?.LogDriver,
    Networks: spec?.Networks,
    EndpointPorts: spec?.EndpointPorts,
  };
  return createHash('sha256').update(canonical(shaping)).digest('hex');
}

function canonical(value: unknown): string {
  if (value instanceof Uint8Array) return JSON.stringify(Buffer.from(value).toString('base64'));
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null);
  const fields = Object.entries(value)
    .filter(([, field]) => !isEmpty(field))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, field]) => `${JSON.stringify(name)}:${canonical(field)}`);
  return `{${fields.join(',')}}`;
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === 0 || value === false) return true;
  if (value instanceof Uint8Array || Array.isArray(value)) return value.length === 0;
  return typeof value === 'object' && Object.keys(value).length === 0;
}
