import { complete } from '../model/codec.js';
import type { Task, TaskStatus } from '../model/types.js';
import type { Container } from './container.js';
import { portsOf, type Reach } from './ports.js';

/** Docker's words for a state that was reached. A task that failed or was rejected keeps those of where it was. */
const messages: Record<string, string> = {
  accepted: 'accepted',
  preparing: 'preparing',
  ready: 'prepared',
  starting: 'starting',
  running: 'started',
  complete: 'finished',
  shutdown: 'shutdown',
};

/** The status of a task about which nothing was reported. */
export const unreported: TaskStatus = complete('TaskStatus', { State: 'assigned' });

/** The status to report: `container` is what is there now, `before` what was reported last. */
export function statusOf(
  task: Task,
  before: TaskStatus,
  now: { state: string; error: string; container: Container | undefined; timestamp: string },
  node: { id: string } & Reach,
): TaskStatus {
  const { container } = now;
  const isRunning = now.state === 'running' && container !== undefined;
  const ports = isRunning ? portsOf(task, container, node) : { addresses: [], published: [] };
  return {
    ...unreported,
    Timestamp: now.timestamp,
    State: now.state,
    Message: messages[now.state] ?? before.Message,
    Err: now.error,
    ContainerStatus: container
      ? { ContainerID: container.id, PID: container.pid, ExitCode: container.exitCode }
      : before.ContainerStatus,
    PortStatus: ports.published.length > 0 ? { Ports: ports.published } : null,
    Addresses: ports.addresses,
    AppliedBy: node.id,
  };
}

/** Whether there is anything in `after` that the managers do not know from `before`. */
export function tellsMore(after: TaskStatus, before: TaskStatus): boolean {
  const what = ({ State, Err, ContainerStatus, PortStatus, Addresses }: TaskStatus) =>
    JSON.stringify([State, Err, ContainerStatus, PortStatus?.Ports, Addresses]);
  return what(after) !== what(before);
}
