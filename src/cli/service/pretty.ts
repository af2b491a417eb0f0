import { ago, formatBytes, formatCpus, formatDuration } from '../base/units.js';
import type { ContainerSpec, PortConfig, Service, ServiceSpec, TaskSpec, UpdateConfig } from '../base/wire.js';
import { shortImage } from './ls.js';

/** A service in Docker's layout for people. */
export function describeService(
  service: Service,
  now_ms: number,
  networkNames: ReadonlyMap<string, string> = new Map(),
): string {
  const spec = service.Spec ?? {};
  const task = spec.TaskTemplate ?? {};
  const lines = [
    '',
    `ID:\t\t${service.ID ?? ''}`,
    `Name:\t\t${spec.Name ?? ''}`,
    ...section('Labels:', pairs(spec.Labels, '=')),
    ...describeMode(spec),
    ...describeStatus(service, now_ms),
    ...describePlacement(task),
    ...describeUpdate('UpdateConfig:', 'Update order:     ', spec.UpdateConfig),
    ...describeUpdate('RollbackConfig:', 'Rollback order:   ', spec.RollbackConfig),
    ...describeContainer(task.ContainerSpec ?? {}),
    ...describeLogs(task),
    ...describeResources(task),
    ...list(
      'Networks:',
      task.Networks?.map(({ Target = '' }) => networkNames.get(Target) ?? Target),
    ),
    `Endpoint Mode:\t${service.Endpoint?.Spec?.Mode || (spec.EndpointSpec?.Mode ?? '')}`,
    ...section('Ports:', (service.Endpoint?.Ports ?? []).flatMap(describePort)),
    ...describeHealth(task.ContainerSpec ?? {}),
  ];
  return `${lines.join('\n')}\n`;
}

/** A title with what stands under it; nothing when there is nothing. */
function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [title, ...lines.map((line) => ` ${line}`)];
}

function list(title: string, items: readonly string[] | undefined): string[] {
  return items === undefined || items.length === 0 ? [] : [`${title} ${items.join(' ')}`];
}

function pairs(map: Readonly<Record<string, string>> | null | undefined, separator: string): string[] {
  return Object.entries(map ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}${separator}${value}`);
}

function describeMode({ Mode: mode }: ServiceSpec): string[] {
  if (mode?.Global) return ['Service Mode:\tGlobal'];
  if (mode?.GlobalJob) return ['Service Mode:\tGlobal Job'];
  if (mode?.ReplicatedJob) {
    return [
      'Service Mode:\tReplicated Job',
      ` Max Concurrent:\t${mode.ReplicatedJob.MaxConcurrent ?? 1}`,
      ` Total Completions:\t${mode.ReplicatedJob.TotalCompletions ?? 1}`,
    ];
  }
  return ['Service Mode:\tReplicated', ` Replicas:\t${mode?.Replicated?.Replicas ?? 1}`];
}

function describeStatus({ UpdateStatus: status }: Service, now_ms: number): string[] {
  if (!status?.State) return [];
  return section('UpdateStatus:', [
    `State:\t\t${status.State}`,
    ...(status.StartedAt ? [`Started:\t${ago(status.StartedAt, now_ms)}`] : []),
    ...(status.CompletedAt ? [`Completed:\t${ago(status.CompletedAt, now_ms)}`] : []),
    `Message:\t${status.Message ?? ''}`,
  ]);
}

function describePlacement({ Placement: placement }: TaskSpec): string[] {
  const preferences = (placement?.Preferences ?? []).map(({ Spread }) => `spread=${Spread?.SpreadDescriptor ?? ''}`);
  return [
    'Placement:',
    ...(placement?.Constraints?.length ? [` Constraints:\t[${placement.Constraints.join(' ')}]`] : []),
    ...(preferences.length > 0 ? [` Preferences:   [${preferences.join(' ')}]`] : []),
    ...(placement?.MaxReplicas ? [` Max Replicas Per Node:   ${placement.MaxReplicas}`] : []),
  ];
}

function describeUpdate(title: string, order: string, config: UpdateConfig | null | undefined): string[] {
  if (!config) return [];
  return section(title, [
    `Parallelism:\t${config.Parallelism ?? 0}`,
    ...(config.Delay ? [`Delay:\t\t${formatDuration(config.Delay)}`] : []),
    ...(config.FailureAction ? [`On failure:\t${config.FailureAction}`] : []),
    ...(config.Monitor ? [`Monitoring Period: ${formatDuration(config.Monitor)}`] : []),
    `Max failure ratio: ${config.MaxFailureRatio ?? 0}`,
    `${order} ${config.Order || 'stop-first'}`,
  ]);
}

function describeContainer(container: ContainerSpec): string[] {
  const field = (name: string, value: string | undefined) => (value ? [`${name}${value}`] : []);
  return [
    ...section('ContainerSpec:', [
      `Image:\t\t${shortImage(container.Image ?? '')}`,
      ...field('Command:\t', container.Command?.join(' ')),
      ...field('Args:\t\t', container.Args?.join(' ')),
      ...field('Env:\t\t', container.Env?.join(' ')),
      ...field('Dir:\t\t', container.Dir),
      ...(container.Init === undefined || container.Init === null ? [] : [`Init:\t\t${container.Init}`]),
      ...field('User: ', container.User),
    ]),
    ...section('Capabilities:', [...list('Add:', container.CapabilityAdd), ...list('Drop:', container.CapabilityDrop)]),
    ...section('SysCtls:', pairs(container.Sysctls, ': ')),
    ...section(
      'Ulimits:',
      (container.Ulimits ?? []).map(({ Name, Soft, Hard }) => `${Name}: ${Soft ?? 0}:${Hard ?? 0}`),
    ),
    ...section(
      'Mounts:',
      (container.Mounts ?? []).flatMap((mount) => [
        `Target:\t${mount.Target ?? ''}`,
        ` Source:\t${mount.Source ?? ''}`,
        ` ReadOnly:\t${mount.ReadOnly ?? false}`,
        ` Type:\t\t${mount.Type ?? ''}`,
      ]),
    ),
    ...section(
      'Configs:',
      (container.Configs ?? []).flatMap(({ File, ConfigName }) => [
        `Target:\t${File?.Name ?? ''}`,
        ` Source:\t${ConfigName}`,
      ]),
    ),
    ...section(
      'Secrets:',
      (container.Secrets ?? []).flatMap(({ File, SecretName }) => [
        `Target:\t${File?.Name ?? ''}`,
        ` Source:\t${SecretName}`,
      ]),
    ),
  ];
}

function describeLogs({ LogDriver: driver }: TaskSpec): string[] {
  if (!driver?.Name) return [];
  return section('Log Driver:', [`Name:\t\t${driver.Name}`, ...section('LogOpts:', pairs(driver.Options, ':\t'))]);
}

function describeResources({ Resources: resources }: TaskSpec): string[] {
  const amounts = (part: { NanoCPUs?: number | undefined; MemoryBytes?: number | undefined } | null | undefined) => [
    ...(part?.NanoCPUs ? [`CPU:\t\t${formatCpus(part.NanoCPUs)}`] : []),
    ...(part?.MemoryBytes ? [`Memory:\t${formatBytes(part.MemoryBytes)}`] : []),
  ];
  const pids = resources?.Limits?.Pids ? [`PIDs:\t\t${resources.Limits.Pids}`] : [];
  return section('Resources:', [
    ...section('Reservations:', amounts(resources?.Reservations)),
    ...section('Limits:', [...amounts(resources?.Limits), ...pids]),
  ]);
}

function describePort(port: PortConfig): string[] {
  return [
    `PublishedPort = ${port.PublishedPort ?? 0}`,
    ` Protocol = ${port.Protocol ?? ''}`,
    ` TargetPort = ${port.TargetPort ?? 0}`,
    ` PublishMode = ${port.PublishMode ?? ''}`,
  ];
}

function describeHealth({ Healthcheck: check }: ContainerSpec): string[] {
  if (!check) return [];
  const waits = [
    ['Interval', check.Interval],
    ['StartPeriod', check.StartPeriod],
    ['StartInterval', check.StartInterval],
    ['Timeout', check.Timeout],
  ] as const;
  return section('Healthcheck:', [
    ...waits.filter(([, value]) => value).map(([name, value]) => `${name} = ${formatDuration(value ?? 0)}`),
    ...(check.Retries ? [`Retries = ${check.Retries}`] : []),
    ...(check.Test?.length ? [`Test = ${check.Test.join(' ')}`] : []),
  ]);
}
