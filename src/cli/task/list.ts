import type { Context } from '../base/context.js';
import { onOff, type Values } from '../base/flag.js';
import { formatList, type Listing, listFormatFlag } from '../base/format.js';
import { ellipsis } from '../base/table.js';
import { ago } from '../base/units.js';
import type { Node, PortConfig, Service, Task } from '../base/wire.js';
import { shortImage } from '../service/ls.js';

export const noResolveFlag = onOff('no-resolve', 'Do not map IDs to Names');
export const noTruncFlag = onOff('no-trunc', 'Do not truncate output');
export const taskQuietFlag = onOff('quiet', 'Only display task IDs', { short: 'q' });
export const taskFormatFlag = { ...listFormatFlag, usage: 'Pretty-print tasks using a Go template' };

const error_chars = 30;
const id_chars = 12;

interface Row {
  task: Task;
  name: string;
  node: string;
  now_ms: number;
  truncates: boolean;
}

export const taskListing: Listing<Row> = {
  table: ['ID', 'Name', 'Image', 'Node', 'DesiredState', 'CurrentState', 'Error', 'Ports'],
  id: ({ task }) => task.ID ?? '',
  columns: [
    { name: 'ID', header: 'ID', value: ({ task, truncates }) => shortID(task.ID ?? '', truncates) },
    { name: 'Name', header: 'NAME', value: ({ name }) => name },
    {
      name: 'Image',
      header: 'IMAGE',
      value({ task, truncates }) {
        const image = task.Spec?.ContainerSpec?.Image ?? '';
        return truncates ? shortImage(image) : image;
      },
    },
    { name: 'Node', header: 'NODE', value: ({ node }) => node },
    { name: 'DesiredState', header: 'DESIRED STATE', value: ({ task }) => capital(task.DesiredState ?? '') },
    {
      name: 'CurrentState',
      header: 'CURRENT STATE',
      value: ({ task, now_ms }) =>
        `${capital(task.Status?.State ?? '')} ${ago(task.Status?.Timestamp, now_ms).toLowerCase()}`.trimEnd(),
    },
    {
      name: 'Error',
      header: 'ERROR',
      value({ task, truncates }) {
        const text = task.Status?.Err ?? '';
        if (text === '') return '';
        return `"${truncates ? ellipsis(text, error_chars) : text}"`;
      },
    },
    { name: 'Ports', header: 'PORTS', value: ({ task }) => hostPorts(task.Status?.PortStatus?.Ports ?? []) },
  ],
};

function shortID(id: string, truncates: boolean): string {
  return truncates ? id.slice(0, id_chars) : id;
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

function hostPorts(ports: readonly PortConfig[]): string {
  return ports
    .map((port) => `*:${port.PublishedPort ?? 0}->${port.TargetPort ?? 0}/${port.Protocol ?? 'tcp'}`)
    .join(',');
}

/** Tasks by name, the newest of each slot first. */
function inOrder(a: Task, b: Task, nameOf: (task: Task) => string, order: Intl.Collator): number {
  return order.compare(nameOf(a), nameOf(b)) || Date.parse(b.CreatedAt ?? '') - Date.parse(a.CreatedAt ?? '');
}

/** Shows tasks as `service ps` and `node ps` do: those before in a slot below it, under ` \_ `. */
export async function showTasks(context: Context, tasks: readonly Task[], values: Values): Promise<void> {
  const isQuiet = values.get(taskQuietFlag) ?? false;
  const { serviceNames, nodeNames } = isQuiet || values.get(noResolveFlag) ? noNames : await namesOf(context);
  const nameOf = (task: Task) => {
    const service = serviceNames.get(task.ServiceID ?? '') ?? task.ServiceID ?? '';
    if (service === '') return task.Name || (task.ID ?? '');
    return `${service}.${task.Slot || task.NodeID || ''}`;
  };
  const order = new Intl.Collator('en', { numeric: true });
  const sorted = [...tasks].sort((a, b) => inOrder(a, b, nameOf, order));
  const isTable = !isQuiet && /^(table.*)?$/s.test(values.get(listFormatFlag) ?? '');
  const rows = sorted.map((task, at): Row => {
    const name = nameOf(task);
    const isHistory = isTable && at > 0 && nameOf(sorted[at - 1]!) === name;
    return {
      task,
      name: isHistory ? ` \\_ ${name}` : name,
      node: nodeNames.get(task.NodeID ?? '') ?? task.NodeID ?? '',
      now_ms: context.clock.now(),
      truncates: !values.get(noTruncFlag),
    };
  });
  context.out.write(await formatList(taskListing, rows, values));
}

interface Names {
  serviceNames: ReadonlyMap<string, string>;
  nodeNames: ReadonlyMap<string, string>;
}
const noNames: Names = { serviceNames: new Map(), nodeNames: new Map() };

async function namesOf(context: Context): Promise<Names> {
  const [services, nodes] = await Promise.all([
    context.client.get<Service[]>('/services'),
    context.client.get<Node[]>('/nodes'),
  ]);
  return {
    serviceNames: new Map(services.map(({ ID, Spec }) => [ID ?? '', Spec?.Name ?? ''])),
    nodeNames: new Map(
      nodes.map(({ ID, Spec, Description }) => [ID ?? '', Spec?.Name || (Description?.Hostname ?? '')]),
    ),
  };
}
