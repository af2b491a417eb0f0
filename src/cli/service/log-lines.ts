/** How the logs of a service's tasks are written: who said it, then what was said. */
export interface LogNames {
  /** `web.1` of a task id. */
  task(id: string): { name: string; slot: number } | undefined;
  node(id: string): string | undefined;
}

export interface LogStyle {
  readonly details: boolean;
  readonly taskIDs: boolean;
  readonly truncates: boolean;
  /** Digits of the greatest slot: shorter ones are padded to it, so that the messages line up. */
  readonly slotDigits: number;
}

const id_chars = 12;
const labelPrefix = 'com.docker.swarm.';

export interface LogLine {
  readonly time: string;
  readonly taskID: string;
  readonly nodeID: string;
  /** Details that the log driver gave, besides those of the cluster. */
  readonly details: readonly string[];
  readonly message: string;
}

/** The parts of one message of the API (`[time] details text`). Undefined when it is not of that form. */
export function parseLogLine(payload: string, timestamps: boolean): LogLine | undefined {
  const parts = (timestamps ? /^(\S+) (\S*) ([\s\S]*)$/ : /^()(\S*) ([\s\S]*)$/).exec(payload);
  if (parts === null) return undefined;
  const [, time = '', detailText = '', message = ''] = parts;
  const details = new Map<string, string>();
  for (const pair of detailText.split(',')) {
    const equals = pair.indexOf('=');
    if (equals > 0) details.set(decode(pair.slice(0, equals)), decode(pair.slice(equals + 1)));
  }
  const taskID = details.get(`${labelPrefix}task.id`);
  const nodeID = details.get(`${labelPrefix}node.id`);
  if (taskID === undefined || nodeID === undefined) return undefined;
  const own = [...details].filter(([key]) => !key.startsWith(labelPrefix)).map(([key, value]) => `${key}=${value}`);
  return { time, taskID, nodeID, details: own, message };
}

/** A message as people read it: `web.1.abc@host    | text`. */
export function formatLogLine(line: LogLine, names: LogNames, style: LogStyle): string {
  const time = line.time === '' ? '' : `${line.time} `;
  const details = style.details && line.details.length > 0 ? `${line.details.join(',')} ` : '';
  return `${time}${sourceOf(line.taskID, line.nodeID, names, style)}    | ${details}${line.message}`;
}

function sourceOf(taskID: string, nodeID: string, names: LogNames, style: LogStyle): string {
  const short = (id: string) => (style.truncates ? id.slice(0, id_chars) : id);
  const task = names.task(taskID);
  const name = task === undefined ? short(taskID) : `${task.name}${style.taskIDs ? `.${short(taskID)}` : ''}`;
  const padding = style.slotDigits - String(task?.slot ?? 0).length;
  return `${name}@${names.node(nodeID) ?? short(nodeID)}${' '.repeat(Math.max(0, padding))}`;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}
