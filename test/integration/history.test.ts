import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import winston from 'winston';
import type { ClusterEvent } from '../../src/manager/history/events.js';
import { type History, MemoryHistory } from '../../src/manager/history/history.js';
import { RedisHistory } from '../../src/manager/history/redis-history.js';
import { eventually } from '../helpers/lab.js';

const log = winston.createLogger({ silent: true });
const event = (id: string, timeNano: number): ClusterEvent => ({
  Type: 'service',
  Action: 'create',
  Actor: { ID: id, Attributes: { name: id } },
  scope: 'swarm',
  time: Math.floor(timeNano / 1e9),
  timeNano,
});
const idsIn = async (history: History, since = 0, until = Number.MAX_SAFE_INTEGER) =>
  (await history.read(since, until)).map((one) => one.Actor.ID);
const holds = (history: History, ids: string[]) =>
  eventually(async () => {
    const found = await idsIn(history);
    return found.join() === ids.join() ? undefined : `it holds ${found}`;
  });

function behavesAsHistory(open: () => History): void {
  it('gives back what was appended, oldest first, within the time asked for', async () => {
    const history = open();
    history.append(5, [event('a', 100), event('b', 200)]);
    history.append(9, [event('c', 300)]);
    await holds(history, ['a', 'b', 'c']);
    assert.deepEqual(await idsIn(history, 200, 250), ['b']);
    await history.close();
  });

  it('keeps the events of an index once', async () => {
    const history = open();
    history.append(5, [event('a', 100)]);
    history.append(5, [event('a', 100)]);
    history.append(6, [event('b', 100)]);
    await holds(history, ['a', 'b']);
    await history.close();
  });
}

describe('the history in memory', () => {
  behavesAsHistory(() => new MemoryHistory());
});

describe('the history in Redis', () => {
  const directory = mkdtempSync(join(tmpdir(), 'shoal-redis-'));
  const socket = join(directory, 'redis.sock');
  let server: ChildProcess;
  let clusters = 0;

  const start = async () => {
    server = spawn(
      'redis-server',
      ['--port', '0', '--unixsocket', socket, '--dir', directory, '--save', '', '--appendonly', 'no'],
      { stdio: 'ignore' },
    );
    await eventually(async () => {
      const probe = new Redis(socket, { lazyConnect: true, retryStrategy: () => null });
      probe.on('error', () => {});
      const answer = await probe.connect().then(
        () => probe.ping(),
        () => 'no',
      );
      probe.disconnect();
      return answer === 'PONG' ? undefined : 'redis does not answer';
    });
  };
  const stop = async () => {
    server.kill('SIGTERM');
    await once(server, 'exit');
  };
  before(start);
  after(async () => {
    await stop();
    rmSync(directory, { recursive: true });
  });

  behavesAsHistory(() => new RedisHistory(socket, `cluster${++clusters}`, log));

  it('is shared: three managers that tell the same leave it once, for a fourth to read', async () => {
    const managers = [1, 2, 3].map(() => new RedisHistory(socket, 'shared', log));
    for (const manager of managers) {
      manager.append(1, [event('a', 100)]);
      manager.append(2, [event('b', 200), event('c', 200)]);
    }
    const late = new RedisHistory(socket, 'shared', log);
    await holds(late, ['a', 'b', 'c']);
    await Promise.all([...managers, late].map((one) => one.close()));
  });

  /** Until Redis has so many events of a cluster: a history answers for itself until it is connected. */
  const stored = async (cluster: string, count: number) => {
    const redis = new Redis(socket);
    await eventually(async () => {
      const found = await redis.xlen(`shoal:${cluster}:events`);
      return found === count ? undefined : `Redis has ${found} events`;
    });
    redis.disconnect();
  };

  it('answers from memory while Redis is away, and brings it what it missed', async () => {
    const history = new RedisHistory(socket, 'away', log);
    history.append(1, [event('a', 100)]);
    await stored('away', 1);
    await stop();
    history.append(2, [event('b', 200)]);
    await holds(history, ['a', 'b']);
    await start(); // empty, as nothing was saved
    await holds(history, ['b']);
    await history.close();
  });

  it('answers from memory while Redis hangs, and brings it what it missed', async () => {
    const history = new RedisHistory(socket, 'hung', log);
    history.append(1, [event('a', 100)]);
    await stored('hung', 1);
    server.kill('SIGSTOP');
    history.append(2, [event('b', 200)]);
    await holds(history, ['a', 'b']);
    server.kill('SIGCONT');
    await stored('hung', 2);
    await history.close();
  });

  it('passes over what others put into its stream', async () => {
    const history = new RedisHistory(socket, 'dirty', log);
    const redis = new Redis(socket);
    for (const text of ['', 'null', '{"Type":1}', '[]', '{"Type":"service"'])
      await redis.xadd('shoal:dirty:events', '*', 'event', text);
    assert.deepEqual(await idsIn(history), []);
    redis.disconnect();
    await history.close();
  });
});
