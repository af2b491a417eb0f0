import { isMasqueraded, isOpaque, isSticky } from '../model/extensions.js';
import type { PortConfig, Route, RouteEndpoint, Service, Task, TaskAddress } from '../model/types.js';
import type { View } from '../store/view.js';

/**
 * Where published ports lead, as of `view`: a route for each ingress port of each service, in order of id. Its endpoints are the tasks
 * that are running and shall go on running and have an address for the port, in order of task id.
 * Should two services claim one port (the store refuses that; a plan may lag behind it), the one with the lower id has it.
 */
export function routesOf(view: View): Route[] {
  const routes = new Map<string, Route>();
  for (const service of view.list('Service')) {
    for (const [id, port] of ingressPorts(service)) {
      const owner = routes.get(id);
      if (owner !== undefined && owner.ServiceID <= service.ID) continue;
      routes.set(id, routeTo(service, id, port, inOrder(view.tasksOfService(service.ID))));
    }
  }
  return [...routes.values()].sort((a, b) => compare(a.ID, b.ID));
}

/** The ingress ports of a service that have been given a published port, by route id. Of two with the same id the first counts. */
export function ingressPorts(service: Service): Map<string, PortConfig> {
  const ports = new Map<string, PortConfig>();
  for (const port of service.Endpoint?.Ports ?? []) {
    if (port.PublishMode === 'host' || port.PublishedPort === 0) continue;
    const id = routeID(port.Protocol, port.PublishedPort);
    if (!ports.has(id)) ports.set(id, port);
  }
  return ports;
}

/** `<protocol>/<published port>`: what a route is known by. */
export function routeID(protocol: string, publishedPort: number): string {
  return `${protocolOf(protocol)}/${publishedPort}`;
}

/** Whether a task may be sent traffic at all; which ports it serves is in its addresses. */
export function isServing(task: Task | undefined): task is Task & { Status: NonNullable<Task['Status']> } {
  return (
    task !== undefined &&
    task.DesiredState === 'running' &&
    task.Status?.State === 'running' &&
    task.Status.Addresses.length > 0
  );
}

/** The route of one port over tasks that are given in order of id. */
export function routeTo(service: Service, id: string, port: PortConfig, tasks: Iterable<Task>): Route {
  const protocol = protocolOf(port.Protocol);
  const labels = service.Spec?.Labels ?? {};
  const endpoints: RouteEndpoint[] = [];
  for (const task of tasks) {
    const endpoint = endpointOf(task, protocol, port.TargetPort);
    if (endpoint !== undefined) endpoints.push(endpoint);
  }
  return {
    ID: id,
    ServiceID: service.ID,
    ServiceName: service.Spec?.Name ?? '',
    Protocol: protocol,
    PublishedPort: port.PublishedPort,
    TargetPort: port.TargetPort,
    Endpoints: endpoints,
    Masquerade: isMasqueraded(labels),
    Sticky: isSticky(labels),
    Opaque: isOpaque(labels),
  };
}

/** Where the task serves a port; undefined when it does not. */
export function endpointOf(task: Task, protocol: string, targetPort: number): RouteEndpoint | undefined {
  const address = addressOf(task, protocol, targetPort);
  if (address === undefined) return undefined;
  const { Host, Port, Inside } = address;
  return { TaskID: task.ID, NodeID: task.NodeID, Host, Port, Inside };
}

/** The order of ids everywhere in routes: by code unit, the same on every machine. */
export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function addressOf(task: Task, protocol: string, targetPort: number): TaskAddress | undefined {
  if (!isServing(task)) return undefined;
  return task.Status.Addresses.find(
    (address) => protocolOf(address.Protocol) === protocol && address.TargetPort === targetPort,
  );
}

function protocolOf(protocol: string): string {
  return protocol === '' ? 'tcp' : protocol; // Docker's default
}

function inOrder(tasks: Iterable<Task>): Task[] {
  return [...tasks].sort((a, b) => compare(a.ID, b.ID));
}
