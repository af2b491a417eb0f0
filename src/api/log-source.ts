import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Clock } from '../model/clock.js';
import { messageOf, ShoalError } from '../model/errors.js';
import { isFinal } from '../model/states.js';
import type { Task } from '../model/types.js';
import type { ManagerBackend } from './backend.js';
import { openRequest, responseOf } from './engine.js';
import { type LogMessage, LogReader } from './log-frames.js';

/** What the client asked for, checked. */
export interface LogOptions {
  stdout: boolean;
  stderr: boolean;
  follow: boolean;
  timestamps: boolean;
  details: boolean;
  since: string;
  until: string;
  tail: string;
}

/** After how long a log that broke off while it was being followed is asked for again. */
const retry_ms = 1_000;

/** The log of one task, from the engine that has its container. */
export class LogSource {
  readonly taskID: string;
  private readonly manager: ManagerBackend;
  private readonly clock: Clock;
  private readonly options: LogOptions;
  private readonly onFailure: (nodeID: string, reason: string) => void;
  private request: { destroy(): void } | undefined;
  private isStopped = false;
  private lastTimestamp = '';
  private wake: () => void = () => undefined;

  constructor(
    task: Task,
    manager: ManagerBackend,
    clock: Clock,
    options: LogOptions,
    onFailure: (nodeID: string, reason: string) => void,
  ) {
    this.taskID = task.ID;
    this.manager = manager;
    this.clock = clock;
    this.options = options;
    this.onFailure = onFailure;
  }

  stop(): void {
    this.isStopped = true;
    this.request?.destroy();
    this.wake();
  }

  /** Batches of messages. While following it comes back after a break, until the task will write no more; it never throws. */
  async *batches(): AsyncGenerator<readonly LogMessage[]> {
    while (!this.isStopped) {
      const task = await this.task();
      if (task === undefined) return;
      try {
        yield* this.once(task);
      } catch (thrown) {
        if (!this.isStopped && !this.options.follow) this.onFailure(task.NodeID, messageOf(thrown));
      }
      const after = await this.task();
      if (!this.options.follow || after === undefined || isFinal(after.Status?.State ?? '')) return;
      await new Promise<void>((resolve) => {
        const cancel = this.clock.after(retry_ms, resolve);
        this.wake = () => {
          cancel();
          resolve();
        };
      });
    }
  }

  private async task(): Promise<Task | undefined> {
    try {
      return (await this.manager.read()).get('Task', this.taskID);
    } catch {
      return undefined; // without a leader nobody can say where the task is
    }
  }

  private async *once(task: Task): AsyncGenerator<readonly LogMessage[]> {
    const node = (await this.manager.read()).get('Node', task.NodeID);
    if (node === undefined) throw new ShoalError('not-found', `node ${task.NodeID} is not available`);
    const request = await openRequest(() => this.manager.connectEngineOf(node), {
      method: 'GET',
      path: `/containers/${task.Status?.ContainerStatus?.ContainerID}/logs?${this.query()}`,
    });
    if (this.isStopped) {
      request.destroy();
      return;
    }
    this.request = request;
    try {
      yield* this.read(request, task);
    } finally {
      request.destroy(); // also of an answer that is not read to its end
    }
  }

  private async *read(request: ClientRequest, task: Task): AsyncGenerator<readonly LogMessage[]> {
    request.end();
    const answer = await responseOf(request);
    if (answer.statusCode === 404) return; // the container is gone, and its log with it
    if (answer.statusCode !== 200) throw new ShoalError('unavailable', await errorText(answer));
    const reader = new LogReader({
      isRaw: task.Spec?.ContainerSpec?.TTY === true,
      hasDetails: this.options.details,
    });
    const resumeAfter = this.lastTimestamp;
    const fresh = (messages: readonly LogMessage[]) => {
      const unseen = resumeAfter === '' ? messages : messages.filter((one) => one.timestamp > resumeAfter);
      this.lastTimestamp = unseen.at(-1)?.timestamp || this.lastTimestamp;
      return unseen;
    };
    for await (const chunk of answer as AsyncIterable<Buffer>) yield fresh(reader.push(chunk));
    yield fresh(reader.end());
  }

  private query(): string {
    const { options } = this;
    return new URLSearchParams({
      stdout: options.stdout ? '1' : '0',
      stderr: options.stderr ? '1' : '0',
      follow: options.follow ? '1' : '0',
      details: options.details ? '1' : '0',
      timestamps: '1',
      tail: this.lastTimestamp === '' ? options.tail : 'all',
      since: this.lastTimestamp === '' ? options.since : String(Math.floor(Date.parse(this.lastTimestamp) / 1000)),
      until: options.until,
    }).toString();
  }
}

/** The engine's own words for why it gives no log, such as a log driver that cannot be read. */
async function errorText(answer: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    text += chunk.toString('utf8');
    if (text.length > 10_000) break;
  }
  try {
    return String((JSON.parse(text) as { message?: unknown }).message);
  } catch {
    return text.trim() || `the engine answered ${answer.statusCode}`;
  }
}
