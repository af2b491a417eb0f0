import { resolve } from 'node:path';
import type { Context } from '../base/context.js';
import { CliError } from '../base/errors.js';
import type { ContainerSpec, HealthConfig, PortConfig, ServiceSpec, TaskSpec, UpdateConfig } from '../base/wire.js';
import { mergeCapabilities } from '../service/capabilities.js';
import { readEnvFiles } from '../service/env-file.js';
import type { Project } from './compose/load.js';
import type { ComposeService } from './compose/schema.js';
import { mountsOf } from './mounts.js';
import { imageLabel, scoped, stackLabels } from './names.js';
import { attachments } from './networks.js';

type Deploy = NonNullable<ComposeService['deploy']>;

/**
 * The service that one of a compose file becomes, but for its secrets and configs, which have ids only once they are made.
 * Throws `CliError` that names the service.
 */
export async function serviceSpec(
  context: Context,
  stack: string,
  project: Project,
  [name, service]: readonly [string, ComposeService],
): Promise<ServiceSpec> {
  if (!service.image) throw new CliError(`invalid image reference for service ${name}: no image specified`);
  const deploy: Deploy = service.deploy ?? {};
  const refuse = (what: string) => new CliError(`service ${name}: ${what}`);
  const template: TaskSpec = {
    ContainerSpec: {
      ...containerSpec(service, refuse),
      Image: service.image,
      Labels: stackLabels(stack, service.labels),
      Env: await environmentOf(context, project, service),
      Mounts: mountsOf(stack, project, name, service),
    },
    Resources: resourcesOf(deploy),
    Placement: {
      Constraints: deploy.placement?.constraints ?? [],
      Preferences: (deploy.placement?.preferences ?? []).map(({ spread = '' }) => ({
        Spread: { SpreadDescriptor: spread },
      })),
      MaxReplicas: deploy.placement?.max_replicas_per_node ?? 0,
    },
    Networks: attachments(stack, project, name, service),
    ForceUpdate: 0,
  };
  const restart = restartPolicy(deploy, service.restart, refuse);
  if (restart !== undefined) template.RestartPolicy = restart;
  if (service.logging) {
    template.LogDriver = {
      Name: service.logging.driver ?? '',
      Options: Object.fromEntries(service.logging.options ?? []),
    };
  }
  const spec: ServiceSpec = {
    Name: scoped(stack, name),
    Labels: { ...stackLabels(stack, deploy.labels), [imageLabel]: service.image },
    TaskTemplate: template,
    Mode: modeOf(deploy, refuse),
    EndpointSpec: endpointSpec(deploy, service.ports ?? []),
  };
  const update = updateConfig(deploy.update_config);
  if (update !== undefined) spec.UpdateConfig = update;
  const rollback = updateConfig(deploy.rollback_config);
  if (rollback !== undefined) spec.RollbackConfig = rollback;
  return spec;
}

function containerSpec(service: ComposeService, refuse: (what: string) => CliError): ContainerSpec {
  const capabilities = mergeCapabilities({ add: service.cap_add ?? [], drop: service.cap_drop ?? [] }, [], []);
  const spec: ContainerSpec = {
    Command: service.entrypoint ?? [],
    Args: service.command ?? [],
    Hostname: service.hostname ?? '',
    Dir: service.working_dir ?? '',
    User: service.user ?? '',
    StopSignal: service.stop_signal ?? '',
    TTY: service.tty ?? false,
    OpenStdin: service.stdin_open ?? false,
    ReadOnly: service.read_only ?? false,
    Hosts: (service.extra_hosts ?? []).map(([host, address]) => `${address} ${host}`),
    Isolation: service.isolation ?? '',
    Sysctls: Object.fromEntries(service.sysctls ?? []),
    CapabilityAdd: capabilities.add,
    CapabilityDrop: capabilities.drop,
    Ulimits: [...(service.ulimits ?? [])]
      .map(([Name, { soft, hard }]) => ({ Name, Soft: soft, Hard: hard }))
      .sort((a, b) => (a.Name < b.Name ? -1 : 1)),
    OomScoreAdj: service.oom_score_adj ?? 0,
  };
  if (service.init !== undefined) spec.Init = service.init;
  if (service.stop_grace_period !== undefined) spec.StopGracePeriod = service.stop_grace_period;
  if (service.dns || service.dns_search) {
    spec.DNSConfig = { Nameservers: service.dns ?? [], Search: service.dns_search ?? [] };
  }
  const health = healthOf(service, refuse);
  if (health !== undefined) spec.Healthcheck = health;
  const { file, registry } = service.credential_spec ?? {};
  if (file || registry) spec.Privileges = { CredentialSpec: file ? { File: file } : { Registry: registry } };
  return spec;
}

function healthOf({ healthcheck }: ComposeService, refuse: (what: string) => CliError): HealthConfig | undefined {
  if (healthcheck === undefined) return undefined;
  if (healthcheck.disable) {
    if (healthcheck.test !== undefined) throw refuse("test and disable can't be set at the same time");
    return { Test: ['NONE'] };
  }
  return {
    Test: healthcheck.test ?? [],
    Interval: healthcheck.interval ?? 0,
    Timeout: healthcheck.timeout ?? 0,
    StartPeriod: healthcheck.start_period ?? 0,
    StartInterval: healthcheck.start_interval ?? 0,
    Retries: healthcheck.retries ?? 0,
  };
}

/** The variables of the files, then those of the service; a name without a value takes ours, or stays as it is. In order of their names. */
async function environmentOf(context: Context, project: Project, service: ComposeService): Promise<string[]> {
  const paths = (service.env_file ?? []).map((path) => resolve(project.directory, path));
  const variables = new Map<string, string | null>();
  for (const line of await readEnvFiles(context, paths)) {
    const at = line.indexOf('=');
    variables.set(line.slice(0, at), line.slice(at + 1));
  }
  for (const [key, value] of service.environment ?? []) {
    variables.set(key, value ?? (Object.hasOwn(context.env, key) ? (context.env[key] ?? null) : null));
  }
  return [...variables].map(([key, value]) => (value === null ? key : `${key}=${value}`)).sort();
}

function resourcesOf({ resources }: Deploy): NonNullable<TaskSpec['Resources']> {
  const { limits, reservations } = resources ?? {};
  return {
    ...(limits && { Limits: { NanoCPUs: limits.cpus ?? 0, MemoryBytes: limits.memory ?? 0, Pids: limits.pids ?? 0 } }),
    ...(reservations && {
      Reservations: {
        NanoCPUs: reservations.cpus ?? 0,
        MemoryBytes: reservations.memory ?? 0,
        GenericResources: (reservations.generic_resources ?? []).map(({ discrete_resource_spec: one = {} }) => ({
          DiscreteResourceSpec: { Kind: one.kind ?? '', Value: one.value ?? 0 },
        })),
      },
    }),
  };
}

function restartPolicy(
  { restart_policy: policy }: Deploy,
  restart: string | undefined,
  refuse: (what: string) => CliError,
): TaskSpec['RestartPolicy'] {
  if (policy !== undefined) {
    return {
      Condition: policy.condition ?? '',
      ...(policy.delay === undefined ? {} : { Delay: policy.delay }),
      ...(policy.max_attempts === undefined ? {} : { MaxAttempts: policy.max_attempts }),
      ...(policy.window === undefined ? {} : { Window: policy.window }),
    };
  }
  const [, word = '', attempts] = /^([a-z-]*)(?::(\d{1,9}))?$/.exec(restart ?? '') ?? [];
  if (restart === undefined || restart === '' || restart === 'no') return undefined;
  if (restart === 'always' || restart === 'unless-stopped') return { Condition: 'any' };
  if (word !== 'on-failure') throw refuse(`unknown restart policy: ${restart}`);
  return { Condition: 'on-failure', ...(attempts === undefined ? {} : { MaxAttempts: Number(attempts) }) };
}

function modeOf(
  { mode = 'replicated', replicas }: Deploy,
  refuse: (what: string) => CliError,
): NonNullable<ServiceSpec['Mode']> {
  const isGlobal = mode === 'global' || mode === 'global-job';
  if (isGlobal && replicas !== undefined)
    throw refuse('replicas can only be used with replicated or replicated-job mode');
  if (mode === 'global') return { Global: {} };
  if (mode === 'global-job') return { GlobalJob: {} };
  const count = replicas === undefined ? {} : { Replicas: replicas };
  if (mode === '' || mode === 'replicated') return { Replicated: count };
  if (mode !== 'replicated-job') throw refuse(`Unknown mode: ${mode}`);
  return { ReplicatedJob: replicas === undefined ? {} : { MaxConcurrent: replicas, TotalCompletions: replicas } };
}

function updateConfig(config: Deploy['update_config']): UpdateConfig | undefined {
  if (config === undefined) return undefined;
  return {
    Parallelism: config.parallelism ?? 1,
    Delay: config.delay ?? 0,
    FailureAction: config.failure_action ?? '',
    Monitor: config.monitor ?? 0,
    MaxFailureRatio: config.max_failure_ratio ?? 0,
    Order: config.order ?? '',
  };
}

function endpointSpec(
  { endpoint_mode: mode = '' }: Deploy,
  ports: readonly PortConfig[],
): NonNullable<ServiceSpec['EndpointSpec']> {
  const order = (port: PortConfig) => port.PublishedPort ?? 0;
  return { Mode: mode, Ports: [...ports].sort((a, b) => order(a) - order(b)) };
}
