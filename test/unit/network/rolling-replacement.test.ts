import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { fileURLToPath } from 'node:url';
import winston from 'winston';
import { systemClock } from '../../../src/model/clock.js';
import { seededRandom } from '../../../src/model/random.js';
import { HandleWires } from '../../../src/network/user-space/handle-wires.js';
import { nodeHandles } from '../../../src/network/user-space/node-handles.js';
import { UserSpacePlane } from '../../../src/network/user-space/plane.js';
import { SocketWires } from '../../../src/network/user-space/socket-wires.js';
import type { Wires } from '../../../src/network/user-space/wire.js';
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
  const ask = (agent: Agent | false, takes_ms: number, body?: Buffer) =>
    new Promise<void>((resolve) => {
      const failed = (error: NodeJS.ErrnoException) => {
        failures.push(`${error.code ?? error.message} (${agent === false ? 'new' : 'kept'} connection)`);
        resolve();
      };
      const asked = request(
        {
          host: '127.0.0.1',
          port: published,
          agent,
          method: body === undefined ? 'GET' : 'POST',
          headers: { 'x-takes-ms': takes_ms },
        },
        (answer) => {
          let name = '';
          answer.on('data', (bytes) => {
            name += bytes;
          });
          answer.on('error', failed);
          answer.on('end', () => {
            if (answer.statusCode !== 200 || !answer.complete)
              failures.push(`broken answer ${answer.statusCode} ${name}`);
            const sent = createHash('sha256').update(body ?? '');
            if (answer.headers['x-got'] !== sent.digest('hex')) failures.push(`${name} got another body`);
            answered.set(name, (answered.get(name) ?? 0) + 1);
            resolve();
          });
        },
      );
      asked.on('error', failed);
      // In two parts: the first goes out with the head, the second by itself, and the length is not said before.
      if (body !== undefined) asked.write(body.subarray(0, body.length / 2));
      asked.end(body?.subarray(body.length / 2));
    });
  const keeping = () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    agents.push(agent);
    return agent;
  };
  /** Clients that ask on and on until the load is off. */
  const clients = (count: number, each: (random: { below(limit: number): number }) => Promise<void>) => {
    for (let client = 0; client < count; client++) {
      const random = seededRandom(load.length);
      load.push(
        (async () => {
          while (loadIsOn) await each(random);
        })(),
      );
    }
  };
  const total = () => [...answered.values()].reduce((sum, count) => sum + count, 0);

  const begin = async (idle_ms: number, wires?: Wires) => {
    const log = winston.createLogger({ silent: true });
    plane = new UserSpacePlane({ log, clock: systemClock, idle_ms, wires });
    published = await freePort();
    running = await Promise.all([startTask(), startTask(), startTask()]);
    await publish(running);
  };
  beforeEach(() => {
    started = 0;
    answered = new Map();
    failures = [];
    load = [];
    loadIsOn = true;
  });
  afterEach(async () => {
    loadIsOn = false;
    await Promise.all(load);
    for (const agent of agents.splice(0)) agent.destroy();
    await plane.close();
    for (const { child } of running) child.kill();
  });

  /** One task for another, as the cluster does it: in, out, drained, told to go. */
  const replaceOldest = async (how: 'exit' | 'stop') => {
    const fresh = await startTask();
    const old = running.shift()!;
    running.push(fresh);
    await publish([old, ...running]);
    await publish(running);
    await until(() => !plane.busyTasks().includes(old.task));
    const before = total();
    old.child.send(how);
    await once(old.child, 'exit');
    await until(() => total() > before + 10 || failures.length > 0);
  };

  it('loses no request when each task goes the moment nobody is busy with it', async () => {
    // The product's own limit: a client that pauses for as long between two requests on one connection has to expect its end.
    await begin(1000);
    clients(4, async (random) => ask(false, random.below(30)));
    clients(6, async (random) => {
      // a burst on one connection, then a pause in which that connection counts as idle
      const agent = keeping();
      for (let asked = 0; asked < 8; asked++) await ask(agent, random.below(30));
      await new Promise((resolve) => setTimeout(resolve, 2500));
      await ask(agent, 0);
      agent.destroy();
    });
    for (let replaced = 0; replaced < 6; replaced++) await replaceOldest('exit');
    loadIsOn = false;
    await Promise.all(load);
    assert.deepEqual(failures, []);
    assert.equal(answered.size, 9, `answers of ${[...answered.keys()]}`);
  });

  const wires = { "on Node's handles": () => new HandleWires(nodeHandles()!), 'on sockets': () => new SocketWires() };
  for (const [which, make] of Object.entries(wires)) {
    it(`loses none either on kept connections that never pause, and no task waits for them, ${which}`, async () => {
      await begin(Number.POSITIVE_INFINITY, make()); // nothing counts as idle: what ends a connection is an answer
      const bodies = [0, 1, 1000, 100_000].map((size) => randomBytes(size));
      const steadily = (agent: Agent) => async (random: { below(limit: number): number }) => {
        await ask(agent, random.below(5), bodies[random.below(bodies.length * 2)]);
        await new Promise((resolve) => setTimeout(resolve, random.below(21)));
      };
      for (let client = 0; client < 3; client++) clients(1, steadily(keeping()));
      // in turn, so that none of the sockets is left lying
      const shared = new Agent({ keepAlive: true, maxSockets: 3, scheduling: 'fifo' });
      agents.push(shared);
      clients(6, steadily(shared));
      for (let replaced = 0; replaced < 4; replaced++) await replaceOldest('stop');
      loadIsOn = false;
      await Promise.all(load);
      assert.deepEqual(failures, []);
    });
  }
});
