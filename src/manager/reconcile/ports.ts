import { isDeepStrictEqual } from 'node:util';
import type { Endpoint, EndpointSpec, PortConfig, Service } from '../../model/types.js';
import type { View } from '../../store/view.js';

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
export function endpointFor(service: Service, ports: PublishedPorts): Endpoint | undefined {
  const spec = service.Spec?.EndpointSpec ?? null;
  const before = service.Endpoint;
  const wanted = spec?.Ports ?? [];
  // A service that publishes nothing needs no endpoint written: that would cost it a version.
  if (wanted.length === 0 && (before?.Ports ?? []).length === 0) return undefined;
  const Ports = resolve(wanted, before?.Ports ?? [], ports);
  if (before !== null && isDeepStrictEqual(before.Spec, spec) && isDeepStrictEqual(before.Ports, Ports))
    return undefined;
  return { Spec: spec, Ports, VirtualIPs: before?.VirtualIPs ?? [] };
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
