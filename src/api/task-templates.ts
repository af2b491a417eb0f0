import { complete } from '../model/codec.js';
import type { ServiceSpec } from '../model/types.js';
import { expandContainer } from '../template/index.js';

/**
 * Refuses a spec with a template that cannot be filled in, `invalid-argument`, as Docker does: by filling it in for a task that is
 * imagined (swarmkit controlapi validateContainerSpec). What depends on the node, such as `{{if eq .Node.Hostname "a"}}`, shows only there.
 */
export function checkTemplates(spec: ServiceSpec): void {
  const container = spec.TaskTemplate?.ContainerSpec;
  if (!container) return;
  const task = complete('Task', {
    ID: 'taskid',
    ServiceID: 'serviceid',
    ServiceName: spec.Name,
    ServiceLabels: spec.Labels,
    Slot: spec.Mode?.Global || spec.Mode?.GlobalJob ? 0 : 1,
    NodeID: 'nodeid',
  });
  expandContainer(task, container, { Hostname: 'hostname', Platform: { OS: 'linux', Architecture: 'x86_64' } });
}
