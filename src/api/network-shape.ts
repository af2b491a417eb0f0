import { isAttachment } from '../model/attachment.js';
import { ShoalError } from '../model/errors.js';
import { addressIn, isOfIPv6 } from '../model/ip.js';
import { fromJSON } from '../model/json.js';
import { hasIPv6 } from '../model/network-block.js';
import type { Network, NetworkSpec } from '../model/types.js';
import type { View } from '../store/view.js';

// Docker's API writes a network in another shape than the cluster's objects have.

/** What is asked for of the cluster, by a body of POST /networks/create. Throws `invalid-argument` naming the field. */
export function specOf(body: unknown): NetworkSpec {
  const request = fromJSON('NetworkCreateRequest', body, '');
  if ((request.ConfigFrom?.Network ?? '') !== '') {
    throw new ShoalError('invalid-argument', 'ConfigFrom: not allowed with the overlay driver');
  }
  if (request.Ingress) {
    throw new ShoalError('not-supported', 'Ingress: published ports need no network of their own in this cluster');
  }
  if (request.EnableIPv4 === false) {
    const reason = 'cluster networks always have IPv4: names are asked for over it, and engines before 28 need it';
    throw new ShoalError('not-supported', `EnableIPv4: ${reason}`);
  }
  const { Name, Labels, Internal, Attachable, Scope, IPAM } = request;
  return {
    Name,
    Labels,
    DriverConfiguration: { Name: request.Driver || 'overlay', Options: request.Options },
    IPv6Enabled: request.EnableIPv6 ?? false,
    Internal,
    Attachable,
    Ingress: false,
    IPAMOptions: {
      Driver: { Name: IPAM?.Driver ?? '', Options: IPAM?.Options ?? {} },
      Configs: (IPAM?.Config ?? []).map(({ IPRange, ...config }) => ({ ...config, Range: IPRange })),
    },
    Scope,
  };
}

/** Whether a body of POST /networks/create asks for a network of the cluster; of anything malformed the engine says what is wrong. */
export function isForCluster(request: unknown): boolean {
  if (typeof request !== 'object' || request === null) return false;
  // What others are configured from is the node's own, whatever its driver.
  if (Object.entries(request).some(([key, value]) => key.toLowerCase() === 'configonly' && value === true))
    return false;
  return Object.entries(request).some(
    ([key, value]) =>
      (key.toLowerCase() === 'driver' && value === 'overlay') || (key.toLowerCase() === 'scope' && value === 'swarm'),
  );
}

/** The network as GET /networks shows it. `containers`: those of this node's engine that are on it. */
export function shownNetwork(network: Network, containers: unknown = null): Record<string, unknown> {
  const { Spec, IPAMOptions } = network;
  return {
    Name: Spec?.Name ?? '',
    Id: network.ID,
    Created: network.CreatedAt,
    Scope: 'swarm',
    Driver: 'overlay',
    EnableIPv6: hasIPv6(network),
    IPAM: {
      Driver: IPAMOptions?.Driver?.Name || 'default',
      Options: orNull(IPAMOptions?.Driver?.Options),
      Config: (IPAMOptions?.Configs ?? []).map(({ Subnet, Range, Gateway, AuxiliaryAddresses }) => ({
        Subnet,
        ...(Range !== '' && { IPRange: Range }),
        Gateway,
        ...(orNull(AuxiliaryAddresses) && { AuxiliaryAddresses }),
      })),
    },
    Internal: Spec?.Internal ?? false,
    Attachable: Spec?.Attachable ?? false,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: containers,
    Options: orNull(Spec?.DriverConfiguration?.Options),
    Labels: orNull(Spec?.Labels),
  };
}

/**
 * What stands in a cluster for the networks that every engine has: clients look for them there before they put a service on one, and name
 * it by the id that they find, here its name.
 */
export function predefinedNetwork(name: string): Record<string, unknown> | undefined {
  if (name !== 'host' && name !== 'bridge') return undefined;
  return {
    Name: name,
    Id: name,
    Created: '0001-01-01T00:00:00Z',
    Scope: 'swarm',
    Driver: name,
    EnableIPv6: false,
    IPAM: { Driver: '', Options: null, Config: [] },
    Internal: false,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: null,
    Options: null,
    Labels: { 'com.docker.swarm.predefined': 'true' },
  };
}

/** What `docker network inspect --verbose` adds: the nodes that carry the network, and its services with their tasks. */
export function verboseParts(network: Network, view: View): Record<string, unknown> {
  const peers = new Map<string, { Name: string; IP: string }>();
  const services = new Map<string, VerboseService>();
  for (const task of view.list('Task')) {
    const [cidr, cidr6] = task.NetworksAttachments.find((one) => one.Network?.ID === network.ID)?.Addresses ?? [];
    const node = view.get('Node', task.NodeID);
    if (cidr === undefined || task.Status?.State !== 'running') continue;
    const IP = node?.Status?.Addr ?? '';
    peers.set(task.NodeID, { Name: node?.Description?.Hostname ?? task.NodeID, IP });
    const service = view.get('Service', task.ServiceID);
    const vips = (service?.Endpoint?.VirtualIPs ?? []).filter((one) => one.NetworkID === network.ID);
    const vip = (isOne: (address: string) => boolean) => addressIn(vips.find(({ Addr }) => isOne(Addr))?.Addr ?? '');
    const shown = services.get(task.ServiceName) ?? {
      VIP: vip((address) => !isOfIPv6(address)),
      // Docker shows but one; what it has not is not there on a network without IPv6 either.
      ...(hasIPv6(network) && { VIPv6: vip(isOfIPv6) }),
      Ports: [],
      LocalLBIndex: 0,
      Tasks: [],
    };
    services.set(task.ServiceName, shown);
    shown.Tasks.push({
      Name: isAttachment(task) ? task.Name : `${task.Name}.${task.ID}`,
      EndpointID: task.ID,
      EndpointIP: addressIn(cidr),
      ...(cidr6 !== undefined && { EndpointIPv6: addressIn(cidr6) }),
      Info: { 'Host IP': IP },
    });
  }
  return { Peers: [...peers.values()], Services: Object.fromEntries(services) };
}

interface VerboseService {
  VIP: string;
  VIPv6?: string;
  Ports: string[];
  LocalLBIndex: number;
  Tasks: unknown[];
}

function orNull(map: Readonly<Record<string, string>> | undefined): Readonly<Record<string, string>> | null {
  return map === undefined || Object.keys(map).length === 0 ? null : map;
}
