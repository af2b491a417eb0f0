import { isIP } from 'node:net';
import type { Route } from '../../model/types.js';

/** An endpoint that can be connected to. */
export interface EndpointAddress {
  /** Task, host and port: what makes it the same endpoint in the next message. */
  key: string;
  taskID: string;
  host: string;
  port: number;
}

/** A route that can be served: everything in it has been checked. */
export interface CheckedRoute {
  protocol: 'tcp' | 'udp';
  port: number;
  endpoints: EndpointAddress[];
  /** Endpoints that were left out because nothing could be connected to there. */
  dropped: number;
}

const isPort = (port: unknown): port is number =>
  Number.isInteger(port) && (port as number) > 0 && (port as number) < 65536;

/**
 * A route as it came from the manager, made sure of. A route that cannot be served at all gives the reason; a bad endpoint is left out
 * and the others serve. Endpoints named twice count once.
 */
export function checkRoute(route: Route): CheckedRoute | { reason: string } {
  if (route === null || typeof route !== 'object') return { reason: 'must be a route' };
  const { Protocol: protocol, PublishedPort: port } = route;
  if (protocol !== 'tcp' && protocol !== 'udp') {
    return { reason: `Protocol: ${quoted(protocol)} is not balanced by the user-space plane, only tcp and udp` };
  }
  if (!isPort(port)) return { reason: `PublishedPort: ${quoted(port)} is not a port (1 to 65535)` };
  if (!Array.isArray(route.Endpoints)) return { reason: 'Endpoints: must be a list' };
  const endpoints = new Map<string, EndpointAddress>();
  let dropped = 0;
  for (const endpoint of route.Endpoints) {
    const good =
      endpoint !== null &&
      typeof endpoint === 'object' &&
      typeof endpoint.TaskID === 'string' &&
      typeof endpoint.Host === 'string' &&
      isIP(endpoint.Host) !== 0 &&
      isPort(endpoint.Port);
    if (!good) {
      dropped += 1;
      continue;
    }
    const key = `${endpoint.TaskID} ${endpoint.Host} ${endpoint.Port}`;
    endpoints.set(key, { key, taskID: endpoint.TaskID, host: endpoint.Host, port: endpoint.Port });
  }
  return { protocol, port, endpoints: [...endpoints.values()], dropped };
}

function quoted(value: unknown): string {
  return typeof value === 'string'
    ? JSON.stringify(value.slice(0, 32))
    : typeof value === 'number'
      ? `${value}`
      : typeof value;
}
