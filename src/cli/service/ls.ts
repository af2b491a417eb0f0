import type { CommandSpec } from '../base/command.js';
import type { Context } from '../base/context.js';
import { filterFlag, filtersQuery } from '../base/filter.js';
import type { Values } from '../base/flag.js';
import { formatList, type Listing, listFormatFlag, quietFlag } from '../base/format.js';
import type { PortConfig, Service } from '../base/wire.js';

const id_chars = 12;

export const serviceListing: Listing<Service> = {
  table: ['ID', 'Name', 'Mode', 'Replicas', 'Image', 'Ports'],
  id: (service) => (service.ID ?? '').slice(0, id_chars),
  columns: [
    { name: 'ID', header: 'ID', value: ({ ID }) => (ID ?? '').slice(0, id_chars) },
    { name: 'Name', header: 'NAME', value: ({ Spec }) => Spec?.Name ?? '' },
    { name: 'Mode', header: 'MODE', value: modeOf },
    { name: 'Replicas', header: 'REPLICAS', value: replicasOf },
    { name: 'Image', header: 'IMAGE', value: ({ Spec }) => shortImage(Spec?.TaskTemplate?.ContainerSpec?.Image ?? '') },
    { name: 'Ports', header: 'PORTS', value: ({ Endpoint }) => portsOf(Endpoint?.Ports ?? []) },
  ],
};

export function modeOf({ Spec }: Service): string {
  if (Spec?.Mode?.Global) return 'global';
  if (Spec?.Mode?.ReplicatedJob) return 'replicated job';
  if (Spec?.Mode?.GlobalJob) return 'global job';
  return Spec?.Mode?.Replicated ? 'replicated' : '';
}

function replicasOf(service: Service): string {
  const { RunningTasks = 0, DesiredTasks = 0, CompletedTasks = 0 } = service.ServiceStatus ?? {};
  const running = `${RunningTasks}/${DesiredTasks}`;
  const { ReplicatedJob: job, GlobalJob } = service.Spec?.Mode ?? {};
  if (job) return `${running} (${CompletedTasks}/${job.TotalCompletions ?? 1} completed)`;
  // what a global job desires is what has not completed
  if (GlobalJob) return `${running} (${CompletedTasks}/${CompletedTasks + DesiredTasks} completed)`;
  const most = service.Spec?.TaskTemplate?.Placement?.MaxReplicas ?? 0;
  return most > 0 && service.Spec?.Mode?.Replicated ? `${running} (max ${most} per node)` : running;
}

/** An image without the digest it was pinned to. */
export function shortImage(image: string): string {
  const at = image.indexOf('@');
  if (at < 0) return image;
  const name = image.slice(0, at);
  return /:[^/]*$/.test(name) ? name : image;
}

/** Ports that every node publishes: `*:8080->80/tcp`; neighbours of one kind together: `*:8000-8002->80-82/tcp`. */
export function portsOf(ports: readonly PortConfig[]): string {
  const ingress = ports.filter((port) => (port.PublishMode || 'ingress') === 'ingress');
  const sorted = [...ingress].sort(
    (a, b) =>
      (a.Protocol ?? '').localeCompare(b.Protocol ?? '') ||
      (a.PublishedPort ?? 0) - (b.PublishedPort ?? 0) ||
      (a.TargetPort ?? 0) - (b.TargetPort ?? 0),
  );
  const ranges: { protocol: string; published: number; target: number; more: number }[] = [];
  for (const { Protocol: protocol = 'tcp', PublishedPort: published = 0, TargetPort: target = 0 } of sorted) {
    const last = ranges.at(-1);
    const isNext =
      last !== undefined &&
      last.protocol === protocol &&
      last.published + last.more + 1 === published &&
      last.target + last.more + 1 === target;
    if (isNext) last.more++;
    else ranges.push({ protocol, published, target, more: 0 });
  }
  const span = (first: number, more: number) => (more === 0 ? `${first}` : `${first}-${first + more}`);
  return ranges
    .map(({ protocol, published, target, more }) => `*:${span(published, more)}->${span(target, more)}/${protocol}`)
    .join(', ');
}

/** `shoal service ls` */
export const serviceLs: CommandSpec = {
  usage: '[OPTIONS]',
  operands: { min: 0, max: 0 },
  flags: [filterFlag, listFormatFlag, quietFlag],
  async run(context, values) {
    await showServices(context, values, filtersQuery(values.get(filterFlag) ?? []));
  },
};

/** Lists the services that the filters let through, in order of their names; gives how many they are. */
export async function showServices(context: Context, values: Values, filters: string | undefined): Promise<number> {
  const services = await context.client.get<Service[]>('/services', {
    query: { status: !values.get(quietFlag) || undefined, filters },
  });
  const order = new Intl.Collator('en', { numeric: true });
  services.sort((a, b) => order.compare(a.Spec?.Name ?? '', b.Spec?.Name ?? ''));
  context.out.write(await formatList(serviceListing, services, values));
  return services.length;
}
