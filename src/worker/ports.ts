import type { PortConfig, Task, TaskAddress } from '../model/types.js';
import { wholeAddress } from '../network/network-table.js';
import type { Container, HostConfig } from './container.js';

const protocolOf = (port: PortConfig) => port.Protocol || 'tcp';
const isHostMode = (port: PortConfig) => port.PublishMode === 'host';

/** Whether the task uses the node's own network stack: its ports are then the node's, nothing is bound for it. */
export function usesHostNetwork(task: Task): boolean {
  return task.Spec?.Networks.some((network) => network.Target === 'host') ?? false;
}

/**
 * How the engine shall bind a task's ports: a host-mode port on every address of the node (PublishedPort 0: one of the engine's
 * choice); an ingress port on one of the engine's choice at the node's address, where the balancers of all nodes reach it.
 */
export function portBindings(task: Task, nodeAddress: string): NonNullable<HostConfig['PortBindings']> {
  const bindings: NonNullable<HostConfig['PortBindings']> = {};
  const ingress = new Set<string>();
  for (const port of task.Spec?.EndpointPorts ?? []) {
    const target = `${port.TargetPort}/${protocolOf(port)}`;
    if (!isHostMode(port)) {
      if (ingress.has(target)) continue; // published twice: one way in serves both
      ingress.add(target);
    }
    bindings[target] ??= [];
    bindings[target].push(
      isHostMode(port)
        ? { HostIp: '', HostPort: port.PublishedPort === 0 ? '' : String(port.PublishedPort) }
        : { HostIp: nodeAddress, HostPort: '' },
    );
  }
  return bindings;
}

/** Where a node's tasks are reached: `address` by other nodes; and whether its kernel leads to them what comes through the tunnel. */
export interface Reach {
  address: string;
  throughTunnel: boolean;
}

/**
 * Where a running task answers: ingress targets as addresses for the balancers, its own addresses on networks of the cluster, host-mode
 * ports as published.
 */
export function portsOf(
  task: Task,
  container: Container,
  { address: nodeAddress, throughTunnel }: Reach,
): { addresses: TaskAddress[]; published: PortConfig[] } {
  const addresses = new Map<string, TaskAddress>();
  const published: PortConfig[] = [];
  const onHost = usesHostNetwork(task);
  for (const address of networkAddresses(task)) {
    addresses.set(address, { Protocol: wholeAddress, TargetPort: 0, Host: address, Port: 0, Inside: '' });
  }
  const inside = onHost ? nodeAddress : (networkAddresses(task)[0] ?? container.address);
  for (const port of task.Spec?.EndpointPorts ?? []) {
    const protocol = protocolOf(port);
    const bound = container.bindings.filter(
      (binding) => binding.targetPort === port.TargetPort && binding.protocol === protocol,
    );
    if (isHostMode(port)) {
      const hostPort = onHost ? port.TargetPort : hostModePort(port, bound, nodeAddress);
      if (hostPort !== undefined) published.push({ ...port, Protocol: protocol, PublishedPort: hostPort });
      continue;
    }
    const hostPort = onHost ? port.TargetPort : bound.find((one) => one.hostAddress === nodeAddress)?.hostPort;
    if (hostPort === undefined) continue;
    addresses.set(`${port.TargetPort}/${protocol}`, {
      Protocol: protocol,
      TargetPort: port.TargetPort,
      Host: nodeAddress,
      Port: hostPort,
      Inside: throughTunnel ? inside : '',
    });
  }
  return { addresses: [...addresses.values()], published };
}

function networkAddresses(task: Task): string[] {
  return task.NetworksAttachments.flatMap(({ Addresses }) => Addresses.map((cidr) => cidr.replace(/\/.*$/, '')));
}

function hostModePort(port: PortConfig, bound: Container['bindings'], nodeAddress: string): number | undefined {
  if (port.PublishedPort !== 0) return bound.find((one) => one.hostPort === port.PublishedPort)?.hostPort;
  return bound.find((one) => one.hostAddress !== nodeAddress)?.hostPort;
}
