import type { PortConfig, TaskSpec } from '../model/types.js';

/** What a task of a spec takes from the node it is on, for as long as it may still run. */
export interface Demand {
  nanoCPUs: number;
  memory_bytes: number;
  generic: readonly GenericDemand[];
  /** Ports bound on the node itself, as `hostPortKey` writes them. */
  hostPorts: readonly string[];
}

export interface GenericDemand {
  kind: string;
  count: number;
}

const none: readonly never[] = [];

const nothing: Demand = { nanoCPUs: 0, memory_bytes: 0, generic: none, hostPorts: none };
/** Of specs, which nobody writes to and thousands of tasks share: every plan that places anything books all tasks there are. */
const known = new WeakMap<TaskSpec, Demand>();

/** What `spec` reserves. Limits reserve nothing; a host port of 0 is chosen by the engine and conflicts with none. */
export function demandOf(spec: TaskSpec | null): Demand {
  if (spec === null) return nothing;
  let demand = known.get(spec);
  if (demand === undefined) {
    demand = readDemand(spec);
    known.set(spec, demand);
  }
  return demand;
}

function readDemand(spec: TaskSpec): Demand {
  const reserved = spec.Resources?.Reservations;
  const ports = spec.EndpointPorts ?? none;
  return {
    nanoCPUs: reserved?.NanoCPUs ?? 0,
    memory_bytes: reserved?.MemoryBytes ?? 0,
    generic: reserved?.GenericResources.length ? genericDemands(spec) : none,
    hostPorts: ports.length === 0 ? none : ports.filter(bindsOnHost).map(hostPortKey),
  };
}

function genericDemands(spec: TaskSpec): GenericDemand[] {
  const demands: GenericDemand[] = [];
  for (const { DiscreteResourceSpec: counted, NamedResourceSpec: named } of spec.Resources!.Reservations!
    .GenericResources) {
    if (counted) demands.push({ kind: counted.Kind, count: counted.Value });
    else if (named) demands.push({ kind: named.Kind, count: 1 });
  }
  return demands;
}

function bindsOnHost(port: PortConfig): boolean {
  return port.PublishMode === 'host' && port.PublishedPort > 0;
}

function hostPortKey(port: PortConfig): string {
  return `${port.Protocol || 'tcp'}/${port.PublishedPort}`;
}
