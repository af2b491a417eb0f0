import { ShoalError } from '../model/errors.js';
import type { GenericResource, HealthConfig, Task, TaskSpec } from '../model/types.js';
import { expandContainer, type TemplateNode } from '../template/index.js';
import { type ContainerConfig, type HostConfig, ipamConfig, type MountConfig } from './container.js';
import { containerLabels } from './labels.js';
import { mountConfig } from './mounts.js';
import type { Attached } from './networks/node-networks.js';
import { portBindings, usesHostNetwork } from './ports.js';
import { securityOptions } from './security-options.js';

const stopGrace_ms_default = 10_000; // Docker's

/** How long a task's container may take to end after its stop signal. */
export function stopGrace_ms(task: Task): number {
  const grace_ns = task.Spec?.ContainerSpec?.StopGracePeriod;
  return grace_ns === undefined ? stopGrace_ms_default : Math.max(0, grace_ns / 1e6);
}

/**
 * What the engine is asked to create for a task, its templates filled in. `node`: where others reach it, and what it is. `files`
 * are the mounts that bring in its secrets and configs, `attached` its places on networks of the cluster; of several the engine is
 * given the first. Throws ShoalError `not-supported` or `invalid-argument`, naming the field,
 * on a spec that no container can be made of.
 */
export function containerConfig(
  task: Task,
  node: { address: string; description: TemplateNode },
  files: readonly MountConfig[],
  attached: readonly Attached[],
): ContainerConfig {
  const spec = task.Spec;
  if (!spec?.ContainerSpec) {
    throw new ShoalError('not-supported', 'TaskTemplate.ContainerSpec is missing: this node runs containers only');
  }
  const container = expandContainer(task, spec.ContainerSpec, node.description);
  const [main] = attached;
  const bindings = usesHostNetwork(task) ? {} : portBindings(task, node.address);
  return {
    Image: container.Image,
    Hostname: container.Hostname || undefined,
    User: container.User || undefined,
    Env: [...container.Env, ...resourceEnv(task.AssignedGenericResources)],
    Entrypoint: some(container.Command),
    Cmd: some(container.Args),
    WorkingDir: container.Dir || undefined,
    Labels: containerLabels(task),
    Tty: container.TTY || undefined,
    OpenStdin: container.OpenStdin || undefined,
    StopSignal: container.StopSignal || undefined,
    StopTimeout: Math.ceil(stopGrace_ms(task) / 1000),
    Healthcheck: container.Healthcheck ? healthcheck(container.Healthcheck) : undefined,
    ExposedPorts: Object.fromEntries(Object.keys(bindings).map((port) => [port, {}])),
    HostConfig: {
      Mounts: [...container.Mounts.map(mountConfig), ...files],
      PortBindings: bindings,
      NetworkMode: main?.network ?? networkMode(spec),
      ...limits(spec),
      Init: container.Init,
      ReadonlyRootfs: container.ReadOnly || undefined,
      // What the engine's own resolver does not know it then asks us, who ask the task's own name servers.
      Dns: main === undefined ? some(container.DNSConfig?.Nameservers) : [main.gateway],
      DnsSearch: some(container.DNSConfig?.Search),
      DnsOptions: some(container.DNSConfig?.Options),
      ExtraHosts: some(container.Hosts.flatMap(extraHosts)),
      GroupAdd: some(container.Groups),
      CapAdd: some(container.CapabilityAdd),
      CapDrop: some(container.CapabilityDrop),
      Ulimits: some(container.Ulimits.map(({ Name, Soft, Hard }) => ({ Name, Soft, Hard }))),
      Sysctls: Object.keys(container.Sysctls).length > 0 ? container.Sysctls : undefined,
      SecurityOpt: some(securityOptions(container.Privileges)),
      OomScoreAdj: container.OomScoreAdj || undefined,
      Isolation: container.Isolation || undefined,
      LogConfig: spec.LogDriver?.Name ? { Type: spec.LogDriver.Name, Config: spec.LogDriver.Options } : undefined,
    },
    NetworkingConfig: main && {
      EndpointsConfig: { [main.network]: { IPAMConfig: ipamConfig(main) } },
    },
  };
}

/** An empty list is what the image or the engine decides: not sent. */
function some<T>(list: readonly T[] | undefined): T[] | undefined {
  return list === undefined || list.length === 0 ? undefined : [...list];
}

function healthcheck(config: HealthConfig): ContainerConfig['Healthcheck'] {
  return {
    Test: some(config.Test),
    Interval: config.Interval || undefined,
    Timeout: config.Timeout || undefined,
    StartPeriod: config.StartPeriod || undefined,
    StartInterval: config.StartInterval || undefined,
    Retries: config.Retries || undefined,
  };
}

/** A reservation of CPUs is the scheduler's matter; one of memory is also the kernel's. */
function limits(spec: TaskSpec): Pick<HostConfig, 'NanoCpus' | 'Memory' | 'MemoryReservation' | 'PidsLimit'> {
  return {
    NanoCpus: spec.Resources?.Limits?.NanoCPUs || undefined,
    Memory: spec.Resources?.Limits?.MemoryBytes || undefined,
    PidsLimit: spec.Resources?.Limits?.Pids || undefined,
    MemoryReservation: spec.Resources?.Reservations?.MemoryBytes || undefined,
  };
}

const ownNetworks = new Set(['bridge', 'host', 'none']); // an engine has these by itself

function networkMode(spec: TaskSpec): string | undefined {
  const [first, second] = spec.Networks;
  if (first === undefined) return undefined;
  if (second !== undefined || !ownNetworks.has(first.Target)) {
    throw new ShoalError(
      'not-supported',
      `TaskTemplate.Networks: ${JSON.stringify(spec.Networks.map((network) => network.Target))} is not supported: allowed is one of bridge, host and none`,
    );
  }
  return first.Target;
}

/** The model has a line of /etc/hosts ("IP host [alias…]"), the engine takes "host:IP". */
function extraHosts(line: string): string[] {
  const [address, ...names] = line.trim().split(/\s+/);
  return names.map((name) => `${name}:${address}`);
}

/** Docker tells a container its generic resources so: DOCKER_RESOURCE_GPU=id1,id2. */
function resourceEnv(resources: readonly GenericResource[]): string[] {
  const values = new Map<string, string[]>();
  for (const { NamedResourceSpec: named, DiscreteResourceSpec: discrete } of resources) {
    const kind = named?.Kind ?? discrete?.Kind;
    if (kind === undefined) continue;
    const list = values.get(kind) ?? [];
    list.push(String(named?.Value ?? discrete?.Value));
    values.set(kind, list);
  }
  return [...values].map(([kind, list]) => `DOCKER_RESOURCE_${kind.toUpperCase()}=${list.join(',')}`);
}
