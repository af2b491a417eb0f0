import { complete } from '../codec.js';
import type { ServiceMode, ServiceSpec, SwarmSpec, UpdateConfig } from '../types.js';

const second_ns = 1e9;

/** What Docker writes into a spec when it stores it: the words for "unset" of what was given, and the mode. */
export function withStoredDefaults(given: ServiceSpec): ServiceSpec {
  const spec = complete('ServiceSpec', given);
  const template = spec.TaskTemplate;
  if (template?.ContainerSpec) {
    template.Runtime ||= 'container';
    template.ContainerSpec.Isolation ||= 'default';
    for (const mount of template.ContainerSpec.Mounts) mount.Type ||= 'bind';
  }
  if (template?.RestartPolicy) {
    template.RestartPolicy.Condition ||= isJob(spec.Mode) ? 'on-failure' : 'any';
    template.RestartPolicy.MaxAttempts ??= 0;
  }
  for (const config of [spec.UpdateConfig, spec.RollbackConfig]) {
    if (!config) continue;
    config.FailureAction ||= 'pause';
    config.Order ||= 'stop-first';
  }
  if (spec.EndpointSpec) {
    spec.EndpointSpec.Mode ||= 'vip';
    for (const port of spec.EndpointSpec.Ports) {
      port.Protocol ||= 'tcp';
      port.PublishMode ||= 'ingress';
    }
  }
  spec.Mode = withModeDefaults(spec.Mode);
  return spec;
}

function isJob(mode: ServiceMode | null): boolean {
  return Boolean(mode?.ReplicatedJob || mode?.GlobalJob);
}

function withModeDefaults(given: ServiceMode | null): ServiceMode {
  const mode = complete('ServiceSpec', { Mode: given ?? {} }).Mode!;
  if (mode.ReplicatedJob) {
    mode.ReplicatedJob.MaxConcurrent ??= 1;
    mode.ReplicatedJob.TotalCompletions ??= mode.ReplicatedJob.MaxConcurrent;
  } else if (!mode.Global && !mode.GlobalJob) {
    mode.Replicated ??= { Replicas: 1 };
    mode.Replicated.Replicas ??= 1;
  }
  return mode;
}

/** A stored spec with what Docker goes by where it says nothing: for `insertDefaults`. */
export function withShownDefaults(stored: ServiceSpec): ServiceSpec {
  const defaults = complete('ServiceSpec', {
    TaskTemplate: {
      ContainerSpec: { StopGracePeriod: 10 * second_ns, DNSConfig: {} },
      Resources: {},
      RestartPolicy: { Condition: 'any', Delay: 5 * second_ns, MaxAttempts: 0 },
      Placement: {},
    },
  }).TaskTemplate!;
  const spec = complete('ServiceSpec', stored);
  const template = spec.TaskTemplate!;
  if (template.ContainerSpec) {
    template.ContainerSpec.StopGracePeriod ??= defaults.ContainerSpec!.StopGracePeriod;
    template.ContainerSpec.DNSConfig ??= defaults.ContainerSpec!.DNSConfig;
  }
  template.Resources ??= defaults.Resources;
  template.RestartPolicy ??= defaults.RestartPolicy;
  template.RestartPolicy!.Delay ??= defaults.RestartPolicy!.Delay;
  template.Placement ??= defaults.Placement;
  spec.UpdateConfig ??= defaultUpdate();
  spec.RollbackConfig ??= defaultUpdate();
  for (const config of [spec.UpdateConfig, spec.RollbackConfig]) config.Monitor ||= defaultUpdate().Monitor;
  return spec;
}

function defaultUpdate(): UpdateConfig {
  return {
    Parallelism: 1,
    Delay: 0,
    FailureAction: 'pause',
    Monitor: 5 * second_ns,
    MaxFailureRatio: 0,
    Order: 'stop-first',
  };
}

/** The settings of a new cluster: Docker's, with our heartbeat and Raft figures (DESIGN: what we set differently, and why). */
export function withSwarmDefaults(given: SwarmSpec): SwarmSpec {
  const empty = complete('SwarmSpec', {
    Orchestration: {},
    Raft: {},
    Dispatcher: {},
    CAConfig: {},
    TaskDefaults: {},
    EncryptionConfig: {},
  });
  const present = Object.entries(given).filter(([, value]) => value !== null);
  const spec = complete('SwarmSpec', { ...empty, ...Object.fromEntries(present) });
  spec.Name ||= 'default';
  spec.Orchestration!.TaskHistoryRetentionLimit ??= 5;
  spec.Raft!.SnapshotInterval ||= 10_000;
  spec.Raft!.KeepOldSnapshots ??= 0;
  spec.Raft!.LogEntriesForSlowFollowers ||= 500;
  spec.Raft!.ElectionTick ||= 10;
  spec.Raft!.HeartbeatTick ||= 1;
  spec.Dispatcher!.HeartbeatPeriod ||= second_ns;
  spec.CAConfig!.NodeCertExpiry ||= 90 * 24 * 3600 * second_ns;
  return spec;
}
