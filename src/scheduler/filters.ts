import { parseConstraints, satisfies } from '../model/constraints.js';
import { canEncrypt } from '../model/encrypted-networks.js';
import type { Node, Platform, TaskSpec } from '../model/types.js';
import { demandOf } from './demand.js';
import type { Candidate, Fleet } from './fleet.js';

/**
 * A reason for which a node may not get a task. `steady` filters answer the same all through a wave of placements; the others
 * only ever turn from yes to no, as the node fills up.
 */
export interface Filter {
  readonly steady: boolean;
  passes(candidate: Candidate, present: number): boolean;
  /** What is told to the user when the filter alone kept the task from `nodes` nodes: Docker's words. */
  reason(nodes: number): string;
}

/** What every filter needs to know of a task; made once for all tasks of a spec. `present`: tasks of the service on the node. */
export function filtersOf(spec: TaskSpec, { encryptedNetworks }: Pick<Fleet, 'encryptedNetworks'>): Filter[] {
  // Docker's order: a node counts for the first filter it fails.
  return [
    ready,
    resources(spec),
    plugins(spec),
    encryption(spec, encryptedNetworks),
    constraints(spec),
    platform(spec),
    hostPorts(spec),
    maxReplicas(spec),
  ].filter((filter) => filter !== undefined);
}

/** Of those only the ones that are not steady. */
export function fillingFilters(spec: TaskSpec): Filter[] {
  return [resources(spec), hostPorts(spec), maxReplicas(spec)].filter((filter) => filter !== undefined);
}

const ready: Filter = {
  steady: true,
  passes: (candidate) => candidate.open,
  reason: (nodes) =>
    nodes === 1 ? '1 node not available for new tasks' : `${nodes} nodes not available for new tasks`,
};

function resources(spec: TaskSpec): Filter | undefined {
  const demand = demandOf(spec);
  if (demand.nanoCPUs === 0 && demand.memory_bytes === 0 && demand.generic.length === 0) return undefined;
  return {
    steady: false,
    passes: (candidate) => candidate.hasResources(demand),
    reason: (nodes) => `insufficient resources on ${nodesOf(nodes)}`,
  };
}

function plugins(spec: TaskSpec): Filter | undefined {
  const volumeDrivers = pluginsNeeded(spec);
  const logDriver = spec.LogDriver?.Name ?? '';
  const needsLog = logDriver !== '' && logDriver !== 'none';
  if (volumeDrivers.length === 0 && !needsLog) return undefined;
  return {
    steady: true,
    passes({ node }) {
      if (!volumeDrivers.every((name) => hasPlugin(node, 'Volume', name))) return false;
      // An engine that lists no log drivers at all does not tell which it has.
      return !needsLog || !listsPlugins(node, 'Log') || hasPlugin(node, 'Log', logDriver);
    },
    reason: (nodes) => `missing plugin on ${nodesOf(nodes)}`,
  };
}

function encryption(spec: TaskSpec, encryptedNetworks: ReadonlySet<string>): Filter | undefined {
  if (!needsEncryption(spec, encryptedNetworks)) return undefined;
  return {
    steady: true,
    passes: ({ node }) => canEncrypt(node),
    reason: (nodes) => `encrypted networks not supported by the kernel on ${nodesOf(nodes)}`,
  };
}

/** Whether a task is to be on a network that is encrypted. */
export function needsEncryption(spec: TaskSpec, encryptedNetworks: ReadonlySet<string>): boolean {
  return encryptedNetworks.size > 0 && spec.Networks.some(({ Target }) => encryptedNetworks.has(Target));
}

function constraints(spec: TaskSpec): Filter | undefined {
  const expressions = spec.Placement?.Constraints ?? [];
  if (expressions.length === 0) return undefined;
  const matches = nodeMatcher(expressions);
  return {
    steady: true,
    passes: (candidate) => matches(candidate.node),
    reason: (nodes) => `scheduling constraints not satisfied on ${nodesOf(nodes)}`,
  };
}

function platform(spec: TaskSpec): Filter | undefined {
  const platforms = spec.Placement?.Platforms ?? [];
  if (platforms.length === 0) return undefined;
  return {
    steady: true,
    passes: ({ node }) => platforms.some((wanted) => runs(node.Description?.Platform ?? null, wanted)),
    reason: (nodes) => `unsupported platform on ${nodesOf(nodes)}`,
  };
}

function hostPorts(spec: TaskSpec): Filter | undefined {
  const demand = demandOf(spec);
  if (demand.hostPorts.length === 0) return undefined;
  return {
    steady: false,
    passes: (candidate) => candidate.hasHostPorts(demand),
    reason: (nodes) => `host-mode port already in use on ${nodesOf(nodes)}`,
  };
}

function maxReplicas(spec: TaskSpec): Filter | undefined {
  const limit = spec.Placement?.MaxReplicas ?? 0;
  if (limit === 0) return undefined;
  return {
    steady: false,
    passes: (_candidate, present) => present < limit,
    reason: () => 'max replicas per node limit exceed',
  };
}

/** Whether a node satisfies constraints that were stored. Expressions that do not parse match no node (the API refuses them). */
export function nodeMatcher(expressions: readonly string[]): (node: Node) => boolean {
  if (expressions.length === 0) return () => true;
  try {
    const parsed = parseConstraints(expressions);
    return (node) => satisfies(node, parsed);
  } catch {
    return () => false;
  }
}

/** Volume drivers, besides the engine's own, that the task's mounts name. */
export function pluginsNeeded(spec: TaskSpec): string[] {
  const names: string[] = [];
  for (const mount of spec.ContainerSpec?.Mounts ?? []) {
    const name = mount.Type === 'volume' ? (mount.VolumeOptions?.DriverConfig?.Name ?? '') : '';
    if (name !== '' && name !== 'local') names.push(name);
  }
  return names;
}

function hasPlugin(node: Node, type: string, name: string): boolean {
  const named = name.includes(':') ? name : `${name}:latest`;
  return (node.Description?.Engine?.Plugins ?? []).some(
    (plugin) => plugin.Type === type && (plugin.Name === name || plugin.Name === named),
  );
}

function listsPlugins(node: Node, type: string): boolean {
  return (node.Description?.Engine?.Plugins ?? []).some((plugin) => plugin.Type === type);
}

/** Other names of the same architecture, as kernels and image manifests write it. */
const architectures: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  'x86-64': 'amd64',
  aarch64: 'arm64',
  armhf: 'arm',
  armel: 'arm',
  i386: '386',
  i686: '386',
};

function architectureOf(name: string): string {
  const lower = name.toLowerCase();
  return Object.hasOwn(architectures, lower) ? architectures[lower]! : lower;
}

function runs(actual: Platform | null, wanted: Platform): boolean {
  if (wanted.OS !== '' && wanted.OS.toLowerCase() !== (actual?.OS ?? '').toLowerCase()) return false;
  return (
    wanted.Architecture === '' || architectureOf(wanted.Architecture) === architectureOf(actual?.Architecture ?? '')
  );
}

function nodesOf(count: number): string {
  return count === 1 ? '1 node' : `${count} nodes`;
}
