import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { fileURLToPath } from 'node:url';
import winston from 'winston';
import { systemClock } from '../../../src/model/clock.js';
import { seededRandom } from '../../../src/model/random.js';
import { UserSpacePlane } from '../../../src/network/user-space/plane.js';
import { route, type Serving } from '../../helpers/data-plane-contract.js';
import { freePort, until } from '../../helpers/net.js';

const program = fileURLToPath(new URL(`../../helpers/http-task${import.meta.url.slice(-3)}`, import.meta.url));

interface TaskProcess extends Serving {
  child: ChildProcess;
}

describe('a rolling replacement under steady HTTP load', () => {
  let plane: UserSpacePlane;
  let published: number;
  let running: TaskProcess[];
  let started: number;
  let loadIsOn: boolean;
  let load: Promise<void>[];
  let answered: Map<string, number>;
  let failures: string[];
  const agents: Agent[] = [];

  const startTask = async (): Promise<TaskProcess> => {
    const task = `task-${++started}`;
    const child = fork(program, [task]);
    const [port] = (await once(child, 'message')) as [number];
    return { task, port, child };
  };
  const publish = async (tasks: readonly Serving[]) => {
    assert.deepEqual((await plane.apply([route(published, tasks)])).failed, []);
  };
  const ask = (agent: Agent | false, takes_ms: number) =>
    new Promise<void>((resolve) => {
      const failed = (error: NodeJS.ErrnoException) => {
        failures.push(`${error.code ?? error.message} (${agent === false ? 'new' : 'kept'} connection)`);
        resolve();
      };
      const asked = request(
        { host: '127.0.0.1', port: published, agent, headers: { 'x-takes-ms': takes_ms } },
        (answer) => {
          let name = '';
          answer.on('data', (bytes) => {
            name += bytes;
          });
          answer.on('error', failed);
          answer.on('end', () => {
            if (answer.statusCode !== 200 || !answer.complete)
              failures.push(`broken answer ${answer.statusCode} ${name}`);
            answered.set(name, (answered.get(name) ?? 0) + 1);
            resolve();
          });
        },
      );
      asked.on('error', failed);
      asked.end();
    });
  const keeping = () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    agents.push(agent);
    return agent;
  };
  /** Clients that ask on and on until the load is off. */
  const clients = (count: number, each: (random: { below(limit: number): number }) => Promise<void>) => {
    for (let client = 0; client < count; client++) {
      const random = seededRandom(client);
      load.push(
        (async () => {
          while (loadIsOn) await each(random);
        })(),
      );
    }
  };
  const total = () => [...answered.values()].reduce((sum, count) => sum + count, 0);

  beforeEach(async () => {
    plane = new UserSpacePlane({ log: winston.createLogger({ silent: true }), clock: systemClock, idle_ms: 150 });
    published = await freePort();
    started = 0;
    answered = new Map();
    failures = [];
    load = [];
    loadIsOn = true;
    running = await Promise.all([startTask(), startTask(), startTask()]);
    await publish(running);
  });
  afterEach(async () => {
    loadIsOn = false;
    await Promise.all(load);
    for (const agent of agents.splice(0)) agent.destroy();
    await plane.close();
    for (const { child } of running) child.kill();
  });

  /** One task for another, as the cluster does it: in, out, drained, told to go. */
  const replaceOldest = async (drained: (task: string) => Promise<void>, how: 'exit' | 'stop') => {
    const fresh = await startTask();
    const old = running.shift()!;
    running.push(fresh);
    await publish([old, ...running]);
    await publish(running);
    await drained(old.task);
    const before = total();
    old.child.send(how);
    await once(old.child, 'exit');
    await until(() => total() > before + 10 || failures.length > 0);
  };

  it('loses no request when each task goes the moment nobody is busy with it', async () => {
    clients(4, async (random) => ask(false, random.below(30)));
    clients(6, async (random) => {
      // a burst on one connection, then a pause in which that connection counts as idle
      const agent = keeping();
      for (let asked = 0; asked < 8; asked++) await ask(agent, random.below(30));
      await new Promise((resolve) => setTimeout(resolve, 1000));
      await ask(agent, 0);
      agent.destroy();
    });
    for (let replaced = 0; replaced < 6; replaced++) {
      await replaceOldest((task) => until(() => !plane.busyTasks().includes(task)), 'exit');
    }
    loadIsOn = false;
    await Promise.all(load);
    assert.deepEqual(failures, []);
    assert.equal(answered.size, 9, `answers of ${[...answered.keys()]}`);
  });

  it('loses none either on connections that are never idle, when tasks end each with its next answer', async () => {
    clients(6, async (random) => {
      const agent = keeping();
      while (loadIsOn) await ask(agent, random.below(20));
    });
    for (let replaced = 0; replaced < 3; replaced++) {
      const grace = () => new Promise<void>((resolve) => setTimeout(resolve, 200)); // the drain's bound; busy to the end of it
      await replaceOldest(grace, 'stop');
    }
    loadIsOn = false;
    await Promise.all(load);
    assert.deepEqual(failures, []);
  });
});
