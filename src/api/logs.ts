import { ShoalError } from '../model/errors.js';
import { isFinal } from '../model/states.js';
import type { Task } from '../model/types.js';
import type { Change, View } from '../store/view.js';
import { Limiter } from '../worker/limiter.js';
import type { ManagerBackend } from './backend.js';
import { type Api, drained, type Exchange, flag, managerOf } from './exchange.js';
import { errorStream, frame, type LogMessage } from './log-frames.js';
import { LogMerge } from './log-merge.js';
import { type LogOptions, LogSource } from './log-source.js';
import { find } from './lookup.js';
import type { Route } from './router.js';

export const logRoutes: readonly Route[] = [
  { method: 'GET', pattern: '/services/{id}/logs', handle: serviceLogs },
  { method: 'GET', pattern: '/tasks/{id}/logs', handle: taskLogs },
];

/** How long a message waits for older ones of other tasks: while following hardly noticed, else until an engine hangs. */
const followPatience_ms = 100;
const patience_ms = 5_000;
/**
 * Containers whose logs are read at a time for one request: each holds a connection and up to 64 KB. The others follow as those end; where
 * that is never, because they are being followed, the newest tasks of so large a service are heard once an older one ends.
 */
const readMax = 500;

/** Whose log it is, and when it is over. */
interface Subject {
  isOf(task: Task): boolean;
  tasks(view: View): Iterable<Task>;
  /** Whether no task of it can write any more. */
  isOver(view: View): boolean;
  /** Whether the change is what ends it. */
  isEnd(change: Change): boolean;
}

async function serviceLogs(api: Api, exchange: Exchange): Promise<void> {
  const manager = managerOf(api);
  const view = await manager.read();
  const { ID, Spec } = find(view, 'Service', exchange.params.id!);
  const isRaw = Spec?.TaskTemplate?.ContainerSpec?.TTY === true;
  await send(api, exchange, manager, isRaw, {
    isOf: (task) => task.ServiceID === ID,
    tasks: (current) => current.tasksOfService(ID),
    isOver: (current) => current.get('Service', ID) === undefined,
    isEnd: (change) => change.kind === 'Service' && change.id === ID && change.after === undefined,
  });
}

async function taskLogs(api: Api, exchange: Exchange): Promise<void> {
  const manager = managerOf(api);
  const view = await manager.read();
  const { ID, Spec } = find(view, 'Task', exchange.params.id!);
  await send(api, exchange, manager, Spec?.ContainerSpec?.TTY === true, {
    isOf: (task) => task.ID === ID,
    tasks: (current) => [current.get('Task', ID)].filter((task) => task !== undefined),
    isOver: (current) => isFinal(current.get('Task', ID)?.Status?.State ?? 'remove'),
    isEnd: (change) =>
      change.kind === 'Task' &&
      change.id === ID &&
      isFinal((change as Change<'Task'>).after?.Status?.State ?? 'remove'),
  });
}

async function send(
  api: Api,
  exchange: Exchange,
  manager: ManagerBackend,
  isRaw: boolean,
  subject: Subject,
): Promise<void> {
  const { response, over } = exchange;
  const options = optionsOf(exchange);
  const merge = new LogMerge<Task>(api.clock, options.follow ? followPatience_ms : patience_ms);
  const sources = new Map<string, LogSource>();
  const failures = new Map<string, string>();
  const turns = new Limiter(readMax);
  const reading = new Set<Promise<void>>();
  const add = (task: Task) => {
    if (sources.has(task.ID) || !task.Status?.ContainerStatus?.ContainerID) return;
    const fail = (nodeID: string, reason: string) => failures.set(nodeID, reason);
    const source = new LogSource(task, manager, api.clock, options, fail);
    sources.set(task.ID, source);
    const read = turns.run(() => merge.add(task, source.batches()));
    reading.add(read);
    void read.then(() => reading.delete(read));
  };
  const unwatch = !options.follow
    ? undefined
    : manager.watch((commit) => {
        for (const change of commit.changes) {
          const { after } = change as Change<'Task'>;
          if (change.kind === 'Task' && after !== undefined && subject.isOf(after)) add(after);
          if (change.kind === 'Task' && after === undefined) sources.delete(change.id); // it ends by itself
          if (subject.isEnd(change)) merge.close();
        }
      });
  const stop = () => {
    unwatch?.();
    for (const source of sources.values()) source.stop();
    merge.close();
  };
  over.addEventListener('abort', stop);
  response.writeHead(200, {
    'Content-Type':
      exchange.minor >= 42 && !isRaw
        ? 'application/vnd.docker.multiplexed-stream'
        : 'application/vnd.docker.raw-stream',
  });
  response.flushHeaders();
  try {
    const view = await manager.read();
    if (over.aborted) return;
    for (const task of subject.tasks(view)) add(task);
    if (!options.follow || subject.isOver(view)) void Promise.all([...reading]).then(() => merge.close());
    for await (const { source, message } of merge) {
      const payload = rendered(source, message, options);
      const hasRoom = response.write(isRaw ? payload : frame(message.stream, payload));
      if (!hasRoom) await drained(response);
      if (response.destroyed) return;
    }
    if (!isRaw && failures.size > 0) response.write(frame(errorStream, Buffer.from(incomplete(failures))));
    response.end();
  } finally {
    stop();
  }
}

function incomplete(failures: ReadonlyMap<string, string>): string {
  const reasons = [...failures].map(([nodeID, reason]) => `node ${nodeID}: ${reason}`);
  return `warning: incomplete log stream. some logs could not be retrieved for the following reasons: ${reasons.join('; ')}\n`;
}

/** A message as Docker writes it: its time, then whose it is, each when asked for. */
function rendered(task: Task, message: LogMessage, options: LogOptions): Buffer {
  let prefix = '';
  if (options.timestamps) prefix += `${message.timestamp} `;
  if (options.details) {
    const context = [
      `com.docker.swarm.node.id=${task.NodeID}`,
      `com.docker.swarm.service.id=${task.ServiceID}`,
      `com.docker.swarm.task.id=${task.ID}`,
      ...(message.details === '' ? [] : message.details.split(',')),
    ];
    prefix += `${context.sort().join(',')} `;
  }
  return prefix === '' ? message.line : Buffer.concat([Buffer.from(prefix), message.line]);
}

function optionsOf(exchange: Exchange): LogOptions {
  const { query } = exchange;
  const stdout = flag(exchange, 'stdout');
  const stderr = flag(exchange, 'stderr');
  if (!stdout && !stderr) {
    throw new ShoalError('invalid-argument', 'Bad parameters: you must choose at least one stream (stdout, stderr)');
  }
  const tail = query.get('tail') || 'all';
  if (tail !== 'all' && !/^\d{1,9}$/.test(tail)) {
    throw new ShoalError('invalid-argument', 'tail value must be a positive integer or "all"');
  }
  const instant = (name: string) => {
    const text = query.get(name) || '0';
    if (!/^\d{1,12}(\.\d{1,9})?$/.test(text)) {
      throw new ShoalError('invalid-argument', `${name}: must be a Unix timestamp`);
    }
    return text;
  };
  return {
    stdout,
    stderr,
    tail,
    follow: flag(exchange, 'follow'),
    timestamps: flag(exchange, 'timestamps'),
    details: flag(exchange, 'details'),
    since: instant('since'),
    until: instant('until'),
  };
}
