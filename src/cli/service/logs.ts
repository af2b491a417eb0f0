import type { CommandSpec } from '../base/command.js';
import type { Context } from '../base/context.js';
import { CliError, DaemonError } from '../base/errors.js';
import { filtersQuery } from '../base/filter.js';
import { flag, onOff, text } from '../base/flag.js';
import { pathOf } from '../base/path.js';
import { parseDuration } from '../base/units.js';
import type { Node, Service, Task } from '../base/wire.js';
import { readFrames } from './log-frames.js';
import { formatLogLine, type LogNames, parseLogLine } from './log-lines.js';

const detailsFlag = onOff('details', 'Show extra details provided to logs');
const followFlag = onOff('follow', 'Follow log output', { short: 'f' });
const noResolveFlag = onOff('no-resolve', 'Do not map IDs to Names in output');
const noTaskIDsFlag = onOff('no-task-ids', 'Do not include task IDs in output');
const noTruncFlag = onOff('no-trunc', 'Do not truncate output');
const rawFlag = onOff('raw', 'Do not neatly format logs');
const sinceFlag = text(
  'since',
  'Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)',
);
const tailFlag = flag(
  'tail',
  'string',
  'Number of lines to show from the end of the logs',
  (word) => {
    if (word !== 'all' && !/^\d{1,15}$/.test(word)) throw new Error('use a number of lines, or all');
    return word;
  },
  { short: 'n', shown: '"all"' },
);
const timestampsFlag = onOff('timestamps', 'Show timestamps', { short: 't' });

/** `shoal service logs` */
export const serviceLogs: CommandSpec = {
  usage: '[OPTIONS] SERVICE|TASK',
  operands: { min: 1, max: 1 },
  flags: [
    detailsFlag,
    followFlag,
    noResolveFlag,
    noTaskIDsFlag,
    noTruncFlag,
    rawFlag,
    sinceFlag,
    tailFlag,
    timestampsFlag,
  ],
  async run(context, values, [reference = '']) {
    const source = await findSource(context, reference);
    const isRaw = values.get(rawFlag) ?? false;
    if (source.isTty && !isRaw) throw new CliError('tty service logs only supported with --raw');
    const timestamps = values.get(timestampsFlag) ?? false;
    const stream = await context.client.stream(source.path, {
      query: {
        stdout: true,
        stderr: true,
        // The details name the task and node of each line.
        details: isRaw ? (values.get(detailsFlag) ?? false) : true,
        follow: values.get(followFlag) ?? false,
        since: sinceSeconds(values.get(sinceFlag), context.clock.now()),
        tail: values.get(tailFlag) ?? 'all',
        timestamps,
      },
    });
    if (source.isTty) {
      for await (const chunk of stream) context.out.write(chunk);
      return;
    }
    const style = {
      details: values.get(detailsFlag) ?? false,
      taskIDs: !values.get(noTaskIDsFlag),
      truncates: !values.get(noTruncFlag),
      slotDigits: source.slotDigits,
    };
    let names = noNames;
    const asked = new Set<string>();
    for await (const { isError, payload } of readFrames(stream)) {
      const out = isError ? context.err : context.out;
      const line = isRaw ? undefined : parseLogLine(payload.toString('utf8'), timestamps);
      if (line === undefined) {
        out.write(payload);
        continue;
      }
      // A task that started since we last asked has a name by now.
      if (!values.get(noResolveFlag) && names.task(line.taskID) === undefined && !asked.has(line.taskID)) {
        asked.add(line.taskID);
        names = await namesOf(context, source.serviceID);
      }
      out.write(formatLogLine(line, names, style));
    }
  },
};

interface Source {
  path: string;
  serviceID: string;
  isTty: boolean;
  slotDigits: number;
}

/** A service by that name or id, else a task by that id. */
async function findSource(context: Context, reference: string): Promise<Source> {
  try {
    const service = await context.client.get<Service>(pathOf('services', reference));
    return {
      path: pathOf('services', service.ID ?? reference, 'logs'),
      serviceID: service.ID ?? reference,
      isTty: service.Spec?.TaskTemplate?.ContainerSpec?.TTY ?? false,
      slotDigits: String(service.Spec?.Mode?.Replicated?.Replicas ?? 1).length,
    };
  } catch (thrown) {
    if (!(thrown instanceof DaemonError) || thrown.status !== 404) throw thrown;
  }
  try {
    const task = await context.client.get<Task>(pathOf('tasks', reference));
    return {
      path: pathOf('tasks', task.ID ?? reference, 'logs'),
      serviceID: task.ServiceID ?? '',
      isTty: task.Spec?.ContainerSpec?.TTY ?? false,
      slotDigits: 1,
    };
  } catch (thrown) {
    if (!(thrown instanceof DaemonError) || thrown.status !== 404) throw thrown;
    throw new CliError(`no such task or service: ${reference}`);
  }
}

/** `--since` as the API takes it: seconds since 1970. Throws for what is neither a time nor a duration. */
export function sinceSeconds(since: string | undefined, now_ms: number): string | undefined {
  if (since === undefined || since === '') return undefined;
  if (/^\d+(\.\d{1,9})?$/.test(since)) return since;
  try {
    return String((now_ms - parseDuration(since) / 1e6) / 1000);
  } catch {
    const time = /^\d{4}-\d\d-\d\d/.test(since) ? Date.parse(since) : Number.NaN;
    if (Number.isNaN(time)) {
      throw new CliError(
        `invalid value for "since": ${JSON.stringify(since)}: use a time such as 2013-01-02T13:23:37Z, or 42m`,
      );
    }
    return String(time / 1000);
  }
}

const noNames: LogNames = { task: () => undefined, node: () => undefined };

/** The names of a service's tasks as they are now, and of all nodes. */
async function namesOf(context: Context, serviceID: string): Promise<LogNames> {
  const filters = filtersQuery([['service', serviceID]]);
  const [services, tasks, nodes] = await Promise.all([
    context.client.get<Service[]>('/services', { query: { filters: filtersQuery([['id', serviceID]]) } }),
    context.client.get<Task[]>('/tasks', { query: { filters } }),
    context.client.get<Node[]>('/nodes'),
  ]);
  const service = services.find(({ ID }) => ID === serviceID)?.Spec?.Name ?? serviceID;
  const byID = new Map(
    tasks.map(({ ID, Slot, NodeID }) => [ID ?? '', { name: `${service}.${Slot || NodeID}`, slot: Slot ?? 0 }]),
  );
  const hosts = new Map(nodes.map(({ ID, Spec, Description }) => [ID ?? '', Spec?.Name || Description?.Hostname]));
  return { task: (id) => byID.get(id), node: (id) => hosts.get(id) };
}
