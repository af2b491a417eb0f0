import { parseConstraints } from '../constraints.js';
import { messageOf, ShoalError } from '../errors.js';
import type {
  GenericResource,
  NetworkAttachmentConfig,
  Placement,
  ResourceRequirements,
  RestartPolicy,
  TaskSpec,
} from '../types.js';
import { checkLabels, checkNotNegative, checkOneOf, checkPlain, refuse, refuseAs, shown } from './check.js';
import { checkContainer } from './container.js';

/** The smallest limits that the kernel makes sense of, as swarmkit has them. */
const nanoCPUsMin = 1_000_000;
const memoryMin_bytes = 4 * 1024 * 1024;

export function checkTaskTemplate(where: string, spec: TaskSpec): void {
  if (spec.PluginSpec || spec.Runtime === 'plugin') {
    throw new ShoalError('not-supported', `${where}.Runtime: plugins as services are not supported; use container`);
  }
  if (spec.Runtime !== '' && spec.Runtime !== 'container') refuseAs('unsupported runtime', `${where}.Runtime`);
  if (spec.NetworkAttachmentSpec || !spec.ContainerSpec) {
    refuseAs('mismatched Runtime and *Spec fields', `${where}.ContainerSpec`);
  }
  checkContainer(`${where}.ContainerSpec`, spec.ContainerSpec);
  if (spec.Resources) checkResources(`${where}.Resources`, spec.Resources);
  if (spec.RestartPolicy) checkRestartPolicy(`${where}.RestartPolicy`, spec.RestartPolicy);
  if (spec.Placement) checkPlacement(`${where}.Placement`, spec.Placement);
  checkNetworks(`${where}.Networks`, spec.Networks);
  if (spec.LogDriver) {
    checkPlain(`${where}.LogDriver.Name`, spec.LogDriver.Name);
    checkLabels(`${where}.LogDriver.Options`, spec.LogDriver.Options);
  }
}

function checkResources(where: string, resources: ResourceRequirements): void {
  const { Limits: limits, Reservations: reservations } = resources;
  for (const [name, part] of [
    ['Limits', limits],
    ['Reservations', reservations],
  ] as const) {
    if (!part) continue;
    if (part.NanoCPUs !== 0 && part.NanoCPUs < nanoCPUsMin) {
      refuseAs(`invalid cpu value ${part.NanoCPUs / 1e9}: Must be at least 0.001`, `${where}.${name}.NanoCPUs`);
    }
    if (part.MemoryBytes !== 0 && part.MemoryBytes < memoryMin_bytes) {
      refuseAs(`invalid memory value ${part.MemoryBytes}: Must be at least 4MiB`, `${where}.${name}.MemoryBytes`);
    }
  }
  if (limits && limits.Pids < -1) refuse(`${where}.Limits.Pids`, `${limits.Pids} must be 0 or -1 (no limit) or more`);
  if (limits && reservations) {
    for (const field of ['NanoCPUs', 'MemoryBytes'] as const) {
      if (limits[field] > 0 && reservations[field] > limits[field]) {
        refuse(`${where}.Reservations.${field}`, `${reservations[field]} is above the limit of ${limits[field]}`);
      }
    }
  }
  for (const [at, resource] of (reservations?.GenericResources ?? []).entries()) {
    checkGenericResource(`${where}.Reservations.GenericResources[${at}]`, resource);
  }
}

function checkGenericResource(where: string, resource: GenericResource): void {
  const { NamedResourceSpec: named, DiscreteResourceSpec: counted } = resource;
  if ((named === null) === (counted === null)) {
    refuse(where, 'must have exactly one of NamedResourceSpec and DiscreteResourceSpec');
  }
  const kind = named?.Kind ?? counted?.Kind ?? '';
  if (kind === '') refuse(`${where}.Kind`, 'must not be empty');
  checkPlain(`${where}.Kind`, kind);
  if (counted) checkNotNegative(`${where}.DiscreteResourceSpec.Value`, counted.Value);
}

function checkRestartPolicy(where: string, policy: RestartPolicy): void {
  const words = `invalid RestartCondition: ${shown(policy.Condition)}`;
  checkOneOf(`${where}.Condition`, policy.Condition, ['', 'none', 'on-failure', 'any'], words);
  if ((policy.Delay ?? 0) < 0) refuseAs('TaskSpec: restart-delay cannot be negative', `${where}.Delay`);
  if ((policy.Window ?? 0) < 0) refuseAs('TaskSpec: restart-window cannot be negative', `${where}.Window`);
}

function checkPlacement(where: string, placement: Placement): void {
  for (const [at, constraint] of placement.Constraints.entries()) {
    const path = `${where}.Constraints[${at}]`;
    checkPlain(path, constraint);
    try {
      parseConstraints([constraint]);
    } catch (thrown) {
      refuseAs(messageOf(thrown), path);
    }
  }
  for (const [at, { Spread: spread }] of placement.Preferences.entries()) {
    const path = `${where}.Preferences[${at}].Spread.SpreadDescriptor`;
    if (!spread || spread.SpreadDescriptor === '') refuse(path, 'must be a node attribute, such as node.labels.zone');
    checkPlain(path, spread.SpreadDescriptor);
  }
}

/** Attachments to networks. Whether those exist is checked against the store. */
export function checkNetworks(where: string, networks: readonly NetworkAttachmentConfig[]): void {
  const targets = new Set<string>();
  for (const [at, network] of networks.entries()) {
    const path = `${where}[${at}]`;
    if (network.Target === '') refuse(`${path}.Target`, 'must be the name or id of a network');
    if (targets.has(network.Target)) refuse(`${path}.Target`, `${shown(network.Target)} is attached twice`);
    targets.add(network.Target);
    checkPlain(`${path}.Target`, network.Target);
    for (const [alias, name] of network.Aliases.entries()) checkPlain(`${path}.Aliases[${alias}]`, name);
    checkLabels(`${path}.DriverOpts`, network.DriverOpts);
  }
}
