import { Redis } from 'ioredis';
import type { Logger } from 'winston';
import { messageOf } from '../../model/errors.js';
import type { ClusterEvent } from './events.js';
import { eventsKept, type History, MemoryHistory } from './history.js';

const unsentMax = 10_000;
const answer_ms_max = 2_000;

/**
 * A history that all managers share and that outlives them: one Redis stream a cluster. An entry's id is `<raft index>-<number>`, and Redis
 * refuses an id that is not above the last, so what every manager writes in the same order is kept once. While Redis cannot be
 * reached, this manager's own memory answers.
 */
export class RedisHistory implements History {
  private readonly redis: Redis;
  private readonly own = new MemoryHistory();
  private readonly key: string;
  private queue: { id: string; event: ClusterEvent }[] = [];
  private sending = false;
  private reachable = true;

  /** `url`: redis://[:password@]host:port[/db], rediss:// for TLS. */
  constructor(
    url: string,
    clusterID: string,
    private readonly log: Logger,
  ) {
    this.key = `shoal:${clusterID}:events`;
    this.redis = new Redis(url, {
      maxRetriesPerRequest: 0, // an answer or an error now: our own queue is what waits
      enableOfflineQueue: false,
      connectTimeout: answer_ms_max,
      socketTimeout: answer_ms_max, // of a Redis that hangs the connection is given up, and made anew
      retryStrategy: (attempt) => Math.min(200 * attempt, 5000),
    });
    this.redis.on('error', (error) => this.noteReach(false, messageOf(error)));
    this.redis.on('ready', () => {
      this.noteReach(true, '');
      void this.send();
    });
  }

  append(index: number, events: readonly ClusterEvent[]): void {
    this.own.append(index, events);
    for (const [at, event] of events.entries()) this.queue.push({ id: `${index}-${at}`, event });
    if (this.queue.length > unsentMax) this.queue = this.queue.slice(-unsentMax);
    void this.send();
  }

  async read(since: number, until: number): Promise<ClusterEvent[]> {
    let entries: [id: string, fields: string[]][];
    try {
      entries = (await this.redis.xrange(this.key, '-', '+')) as typeof entries;
    } catch {
      return this.own.read(since, until);
    }
    return entries
      .flatMap(([, fields]) => parse(fields[1]))
      .filter((event) => event.timeNano >= since && event.timeNano <= until);
  }

  async close(): Promise<void> {
    this.redis.disconnect();
    await this.own.close();
  }

  private async send(): Promise<void> {
    if (this.sending || this.redis.status !== 'ready') return;
    this.sending = true;
    try {
      for (let next = this.queue[0]; next !== undefined; next = this.queue[0]) {
        await this.redis
          .xadd(this.key, 'MAXLEN', '~', eventsKept, next.id, 'event', JSON.stringify(next.event))
          .catch((error: unknown) => {
            if (!/equal or smaller|must be greater/.test(messageOf(error))) throw error; // another manager was first
          });
        this.queue.shift();
      }
    } catch (error) {
      this.noteReach(false, messageOf(error)); // kept, and sent when it is ready again
    } finally {
      this.sending = false;
    }
  }

  private noteReach(reachable: boolean, reason: string): void {
    if (this.reachable === reachable) return;
    this.reachable = reachable;
    if (reachable) this.log.info('the shared history answers again');
    else this.log.warn('the shared history cannot be reached; events are kept in memory meanwhile', { reason });
  }
}

/** An event as we wrote it; nothing of what anybody else may have put into the stream. */
function parse(text: string | undefined): ClusterEvent[] {
  try {
    const event = JSON.parse(text ?? '') as Partial<ClusterEvent> | null;
    const whole =
      typeof event?.Type === 'string' &&
      typeof event.Action === 'string' &&
      typeof event.Actor?.ID === 'string' &&
      typeof event.Actor.Attributes === 'object' &&
      typeof event.timeNano === 'number';
    return whole ? [event as ClusterEvent] : [];
  } catch {
    return [];
  }
}
