import { isDeepStrictEqual } from 'node:util';
import { isOfIPv6 } from '../../model/ip.js';
import { hasIPv6 } from '../../model/network-block.js';
import type { Endpoint, EndpointSpec, EndpointVirtualIP, PortConfig, Service } from '../../model/types.js';
import type { View } from '../../store/view.js';
import type { Addresses } from './addresses.js';
import { clusterNetworks } from './attachments.js';

// Docker's range for published ports that the user leaves to the cluster.
const firstPort = 30_000;
const lastPort = 32_767;

/** Published ports in use in the cluster, with those that this pass gives out; looked up only once one is needed. */
export class PublishedPorts {
  readonly #view: View;
  #used: Set<string> | undefined;
  #next = firstPort;

  constructor(view: View) {
    this.#view = view;
  }

  /** Whether another service publishes one of the ports that `spec` asks for. */
  conflict(serviceID: string, spec: EndpointSpec | null): boolean {
    const asked = new Set(
      (spec?.Ports ?? []).filter((port) => isIngress(port) && port.PublishedPort > 0).map(publication),
    );
    if (asked.size === 0) return false;
    for (const service of this.#view.list('Service')) {
      if (service.ID !== serviceID && publishedBy(service).some((port) => asked.has(port))) return true;
    }
    return false;
  }

  /** A port that no service publishes for the protocol; 0 when all are taken. */
  allocate(protocol: string): number {
    this.#used ??= portsInUse(this.#view);
    for (let tried = firstPort; tried <= lastPort; tried++) {
      const port = this.#next;
      this.#next = port === lastPort ? firstPort : port + 1;
      const key = `${protocol}/${port}`;
      if (this.#used.has(key)) continue;
      this.#used.add(key);
      return port;
    }
    return 0;
  }
}

/** What endpoints are made of. */
export interface EndpointParts {
  view: View;
  ports: PublishedPorts;
  addresses: Addresses;
}

function portsInUse(view: View): Set<string> {
  const used = new Set<string>();
  for (const service of view.list('Service')) for (const port of publishedBy(service)) used.add(port);
  return used;
}

/** Ports that the service publishes on every node, asked for and given out. */
function publishedBy(service: Service): string[] {
  return [...(service.Spec?.EndpointSpec?.Ports ?? []), ...(service.Endpoint?.Ports ?? [])]
    .filter((port) => isIngress(port) && port.PublishedPort > 0)
    .map(publication);
}

/**
 * The endpoint as the service's spec wants it: ports left to the cluster get one, and keep it for as long as the spec has
 * them. Undefined when the service's endpoint is that already.
 */
export function endpointFor(service: Service, { ports, addresses, view }: EndpointParts): Endpoint | undefined {
  const spec = service.Spec?.EndpointSpec ?? null;
  const before: Endpoint = service.Endpoint ?? { Spec: null, Ports: [], VirtualIPs: [] };
  const Ports = resolve(spec?.Ports ?? [], before.Ports, ports);
  const VirtualIPs = virtualIPs(service, before.VirtualIPs, addresses, view);
  // A service that publishes nothing and is on no network needs no endpoint written: that would cost it a version.
  const isBare = [Ports, VirtualIPs, before.Ports, before.VirtualIPs].every((list) => list.length === 0);
  const after: Endpoint = { Spec: spec, Ports, VirtualIPs };
  return isBare || isDeepStrictEqual(before, after) ? undefined : after;
}

/**
 * One of each family on each of the service's networks, IPv4 first, kept for as long as it is on it; none for a service that only its tasks
 * answer for.
 */
function virtualIPs(
  service: Service,
  before: readonly EndpointVirtualIP[],
  addresses: Addresses,
  view: View,
): EndpointVirtualIP[] {
  if (service.Spec?.EndpointSpec?.Mode === 'dnsrr') return [];
  return clusterNetworks(service.Spec, view).flatMap(({ Target: NetworkID }) => {
    const families = hasIPv6(view.get('Network', NetworkID)!) ? ([4, 6] as const) : ([4] as const);
    return families.flatMap((family) => {
      const known = before.find((one) => one.NetworkID === NetworkID && isOfIPv6(one.Addr) === (family === 6));
      if (known !== undefined) return known;
      const Addr = addresses.forService(NetworkID, family);
      return Addr === undefined ? [] : { NetworkID, Addr };
    });
  });
}

function resolve(wanted: readonly PortConfig[], before: readonly PortConfig[], ports: PublishedPorts): PortConfig[] {
  const asked = new Set(wanted.filter((port) => port.PublishedPort > 0).map(publication));
  // What was given out before, and is not asked for by number now, stays with its target port.
  const kept = before.filter((port) => isIngress(port) && port.PublishedPort > 0 && !asked.has(publication(port)));
  return wanted.map((port) => {
    const full = { ...port, Protocol: port.Protocol || 'tcp', PublishMode: port.PublishMode || 'ingress' };
    if (!isIngress(full) || full.PublishedPort > 0) return full;
    const at = kept.findIndex((old) => old.Protocol === full.Protocol && old.TargetPort === full.TargetPort);
    const old = at < 0 ? undefined : kept.splice(at, 1)[0];
    return { ...full, PublishedPort: old?.PublishedPort ?? ports.allocate(full.Protocol) };
  });
}

function publication(port: PortConfig): string {
  return `${port.Protocol || 'tcp'}/${port.PublishedPort}`;
}

function isIngress(port: PortConfig): boolean {
  return port.PublishMode !== 'host';
}
