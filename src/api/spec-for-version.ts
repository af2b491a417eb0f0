import type { ContainerSpec, ServiceSpec } from '../model/types.js';

/**
 * What a client of API 1.`minor` can mean by a spec. A field that its version does not know yet is passed over, as in Docker
 * (moby api/server/router/swarm, adjustForAPIVersion): such a client sends it by accident, or back from a newer one's service.
 */
export function specForVersion(spec: ServiceSpec, minor: number): ServiceSpec {
  const { TaskTemplate, Mode } = spec;
  const placement = TaskTemplate?.Placement;
  const limits = TaskTemplate?.Resources?.Limits;
  return {
    ...spec,
    Mode: minor < 41 && (Mode?.ReplicatedJob || Mode?.GlobalJob) ? null : Mode,
    TaskTemplate: TaskTemplate && {
      ...TaskTemplate,
      ContainerSpec: TaskTemplate.ContainerSpec && containerForVersion(TaskTemplate.ContainerSpec, minor),
      Placement: placement && minor < 40 ? { ...placement, MaxReplicas: 0 } : placement!,
      Resources:
        limits && minor < 41 ? { ...TaskTemplate.Resources!, Limits: { ...limits, Pids: 0 } } : TaskTemplate.Resources,
    },
  };
}

function containerForVersion(container: ContainerSpec, minor: number): ContainerSpec {
  const { Privileges, Healthcheck } = container;
  return {
    ...container,
    ...(minor < 46 && { OomScoreAdj: 0 }),
    ...(minor < 44 && {
      Healthcheck: Healthcheck && { ...Healthcheck, StartInterval: 0 },
      Privileges: Privileges && { ...Privileges, Seccomp: null, AppArmor: null, NoNewPrivileges: false },
    }),
    ...(minor < 41 && { CapabilityAdd: [], CapabilityDrop: [], Ulimits: [] }),
    ...(minor < 40 && { Sysctls: {} }),
  };
}
