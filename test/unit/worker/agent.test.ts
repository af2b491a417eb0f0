import assert from 'node:assert/strict';
import { ShoalError } from '../../../src/model/errors.js';
import { containerName } from '../../../src/model/task-names.js';
import type { ContainerSpecInit, TaskInit } from '../../../src/model/types.js';
import { containerConfig } from '../../../src/worker/container-config.js';
import { ManualClock } from '../../helpers/manual-clock.js';
import { NodeUnderTest, taskOf } from '../../helpers/node-under-test.js';
import { SimulatedEngine } from '../../helpers/simulated-engine.js';

const sleeper: ContainerSpecInit = { Command: ['sleep', '100000'] };

describe('agent', () => {
  let clock: ManualClock;
  let engine: SimulatedEngine;
  let node: NodeUnderTest;

  beforeEach(async () => {
    clock = new ManualClock();
    engine = new SimulatedEngine(clock, ['web']);
    node = new NodeUnderTest(engine, clock);
    node.start();
    node.assignAll();
    await clock.advance(10);
  });
  afterEach(() => node.stop());

  const assign = (number: number, container: ContainerSpecInit = {}, init: TaskInit = {}) =>
    node.assign(taskOf(number, node.id, container, init));
  const only = () => {
    assert.equal(engine.containers.size, 1);
    return [...engine.containers.values()][0] as NonNullable<ReturnType<typeof engine.containers.get>>;
  };

  describe('a task', () => {
    it('is started with one create, one start and one look', async () => {
      engine.latency_ms = () => 400; // longer than a step on the way may wait to be told
      engine.counts.clear();
      const id = assign(1);
      await clock.advanceUntil(() => node.state(id) === 'running');
      await clock.advance(2_000);
      assert.deepEqual(
        [engine.counts.get('create'), engine.counts.get('start'), engine.counts.get('inspect')],
        [1, 1, 1],
      );
      assert.deepEqual(node.history.get(id), ['preparing', 'starting', 'running']);
      assert.equal(node.status(id).Message, 'started');
      assert.equal(node.status(id).ContainerStatus?.ContainerID, only().id);
      assert.equal(node.status(id).ContainerStatus?.PID, only().pid);
      assert.equal(node.status(id).AppliedBy, node.id);
      assert.equal(only().name, `web.1.${id}`);
    });

    it('is looked at once also when the event of its start is slower than the answer', async () => {
      engine.latency_ms = () => 20;
      for (const delay_ms of [5, 15, 25, 35, 60]) {
        engine.eventDelay_ms = delay_ms;
        engine.counts.clear();
        const id = assign(100 + delay_ms);
        await clock.advance(2_000);
        assert.deepEqual([node.state(id), engine.counts.get('inspect')], ['running', 1], `${delay_ms} ms`);
      }
    });

    it('reports where its ports answer', async () => {
      const EndpointPorts = [
        { Protocol: 'tcp', TargetPort: 80, PublishedPort: 8080, PublishMode: 'ingress' },
        { Protocol: 'udp', TargetPort: 53, PublishedPort: 5353, PublishMode: 'host' },
      ];
      const id = assign(1, {}, { Spec: { ContainerSpec: { Image: 'web' }, EndpointPorts } });
      await clock.advanceUntil(() => node.state(id) === 'running');
      const { Addresses, PortStatus } = node.status(id);
      const hostPort = only().bindings.find((one) => one.targetPort === 80)?.hostPort;
      assert.deepEqual(Addresses, [{ Protocol: 'tcp', TargetPort: 80, Host: '10.0.0.1', Port: hostPort, Inside: '' }]);
      assert.deepEqual(
        PortStatus?.Ports.map((port) => [port.Protocol, port.TargetPort, port.PublishedPort]),
        [['udp', 53, 5353]],
      );
      node.want(id, 'shutdown');
      await clock.advanceUntil(() => node.state(id) === 'shutdown');
      assert.deepEqual([node.status(id).Addresses, node.status(id).PortStatus], [[], null]);
    });

    it('that ends well is complete, and otherwise failed with its exit code', async () => {
      const well = assign(1, { Command: ['sh', '-c', 'sleep 1; exit 0'] });
      const ill = assign(2, { Command: ['sh', '-c', 'sleep 1; exit 42'] });
      await clock.advance(2_000);
      assert.deepEqual([node.state(well), node.status(well).Message], ['complete', 'finished']);
      assert.deepEqual(
        [node.state(ill), node.status(ill).Message, node.status(ill).Err, node.status(ill).ContainerStatus?.ExitCode],
        ['failed', 'started', 'task: non-zero exit (42)', 42],
      );
      assert.equal(engine.containers.size, 2, 'their containers stay for logs');
    });

    it('that ends while its start is under way is told as ended', async () => {
      engine.latency_ms = (call) => (call === 'start' ? 1_000 : 0);
      const id = assign(1, { Command: ['false'] });
      await clock.advance(3_000);
      assert.deepEqual([node.state(id), node.status(id).Err], ['failed', 'task: non-zero exit (1)']);
      assert.equal(engine.counts.get('start'), 1);
    });

    it('with DesiredState ready is prepared and then held', async () => {
      const id = assign(1, {}, { DesiredState: 'ready' });
      await clock.advance(60_000);
      assert.equal(node.state(id), 'ready');
      assert.equal(only().phase, 'created');
      node.want(id, 'running');
      await clock.advanceUntil(() => node.state(id) === 'running');
      assert.equal(engine.counts.get('create'), 1);
    });

    it('of a job (DesiredState complete) runs', async () => {
      const id = assign(1, { Command: ['true'] }, { DesiredState: 'complete' });
      await clock.advanceUntil(() => node.state(id) === 'complete');
    });

    it('is stopped within its grace, its container kept until it is removed', async () => {
      const id = assign(1, { ...sleeper, StopGracePeriod: 3e9 });
      await clock.advanceUntil(() => node.state(id) === 'running');
      node.want(id, 'shutdown');
      await clock.advance(2_900);
      assert.equal(node.state(id), 'running');
      await clock.advance(200);
      assert.deepEqual([node.state(id), node.status(id).Message], ['shutdown', 'shutdown']);
      assert.equal(node.status(id).ContainerStatus?.ExitCode, 137);
      assert.equal(only().phase, 'exited');
      node.withdraw(id);
      await clock.advance(10);
      assert.equal(engine.containers.size, 0);
    });

    it('with DesiredState remove is stopped and its container removed', async () => {
      const id = assign(1);
      await clock.advanceUntil(() => node.state(id) === 'running');
      node.want(id, 'remove');
      await clock.advanceUntil(() => node.state(id) === 'shutdown');
      assert.equal(engine.containers.size, 0);
    });

    it('wanted no more before anything was done for it is shut down without a container', async () => {
      const id = assign(1, {}, { DesiredState: 'shutdown' });
      await clock.advance(10);
      assert.equal(node.state(id), 'shutdown');
      assert.equal(engine.counts.get('create'), undefined);
    });

    it('stopped while it is being created leaves nothing that runs', async () => {
      engine.latency_ms = () => 100;
      const id = assign(1);
      await clock.advance(50);
      node.want(id, 'remove');
      await clock.advance(2_000);
      assert.equal(node.state(id), 'shutdown');
      assert.equal(engine.containers.size, 0);
    });

    it('that the managers ended themselves is stopped', async () => {
      const id = assign(1);
      await clock.advanceUntil(() => node.state(id) === 'running');
      const task = taskOf(1, node.id, {}, { DesiredState: 'shutdown', Status: { State: 'orphaned' } });
      node.assign(task);
      await clock.advance(10);
      assert.equal(only().phase, 'exited');
      assert.equal(node.state(id), 'orphaned');
    });

    it('of another node is not touched', async () => {
      node.assign(taskOf(1, 'node0000000000000000000002', {}));
      await clock.advance(1_000);
      assert.equal(engine.containers.size, 0);
    });
  });

  describe('an image', () => {
    it('that is on the node is used at once, whatever the registry does', async () => {
      engine.registry = undefined;
      const id = assign(1);
      await clock.advance(10);
      assert.equal(node.state(id), 'running');
      assert.equal(engine.counts.get('pull'), undefined);
    });

    it('that is not there is pulled, once for all tasks', async () => {
      engine.registry = new Set(['db:2']);
      engine.latency_ms = (call) => (call === 'pull' ? 5_000 : 10);
      const ids = [1, 2, 3].map((number) => assign(number, { Image: 'db:2' }));
      await clock.advance(3_000);
      assert.deepEqual(
        ids.map((id) => node.state(id)),
        ['preparing', 'preparing', 'preparing'],
      );
      await clock.advance(3_000);
      assert.deepEqual(
        ids.map((id) => node.state(id)),
        ['running', 'running', 'running'],
      );
      assert.equal(engine.counts.get('pull'), 1);
    });

    it('that nobody has ends the task as rejected, in the engine’s words', async () => {
      const id = assign(1, { Image: 'nobody/has:1' });
      await clock.advance(1_000);
      assert.deepEqual([node.state(id), node.status(id).Message], ['rejected', 'preparing']);
      assert.equal(
        node.status(id).Err,
        'No such image: nobody/has:1 (pulling it: pull access denied for nobody/has:1)',
      );
    });

    it('whose pull hangs does not keep a task from being stopped, nor other tasks from running', async () => {
      engine.registry = undefined;
      const stuck = assign(1, { Image: 'db:2' });
      const other = assign(2);
      await clock.advance(20_000);
      assert.deepEqual([node.state(stuck), node.state(other)], ['preparing', 'running']);
      node.want(stuck, 'shutdown');
      await clock.advance(10);
      assert.equal(node.state(stuck), 'shutdown');
    });
  });

  describe('health', () => {
    const check = { Healthcheck: { Test: ['CMD', 'check'] } };

    it('gates running', async () => {
      const id = assign(1, check);
      await clock.advance(5_000);
      assert.equal(node.state(id), 'starting');
      engine.setHealth(only().id, 'healthy');
      await clock.advance(10);
      assert.equal(node.state(id), 'running');
    });

    it('that is bad ends the task, its container stopped first', async () => {
      const id = assign(1, { ...check, ...sleeper });
      await clock.advance(10);
      engine.setHealth(only().id, 'healthy');
      await clock.advance(10);
      engine.setHealth(only().id, 'unhealthy');
      await clock.advance(9_000);
      assert.equal(node.state(id), 'running');
      await clock.advance(2_000);
      assert.deepEqual([node.state(id), node.status(id).Err], ['failed', 'task: unhealthy container']);
      assert.equal(only().phase, 'exited');
    });

    it('that is bad takes the task out of rotation before its container is told to stop', async () => {
      const EndpointPorts = [{ Protocol: 'tcp', TargetPort: 80, PublishedPort: 8080, PublishMode: 'ingress' }];
      const id = assign(1, {}, { Spec: { ContainerSpec: { Image: 'web', ...check, ...sleeper }, EndpointPorts } });
      await clock.advance(10);
      engine.setHealth(only().id, 'healthy');
      await clock.advance(10);
      assert.equal(node.status(id).Addresses.length, 1);
      engine.setHealth(only().id, 'unhealthy');
      await clock.advance(10);
      assert.deepEqual([only().phase, node.state(id), node.status(id).Addresses], ['running', 'running', []]);
      await clock.advance(20_000);
      assert.deepEqual([node.state(id), node.status(id).Addresses], ['failed', []]);
    });

    it('that turned while nobody was told is found by the next full look', async () => {
      const id = assign(1, check);
      await clock.advance(10);
      engine.losesEvents = true;
      engine.setHealth(only().id, 'healthy');
      await clock.advance(60_000);
      assert.equal(node.state(id), 'running');
    });
  });

  describe('an engine that refuses', () => {
    it('to create ends the task as rejected, in its words', async () => {
      engine.failNext(
        'create',
        new ShoalError('invalid-argument', 'invalid mount config for type "bind": no such path'),
      );
      const id = assign(1);
      await clock.advance(10);
      assert.deepEqual(
        [node.state(id), node.status(id).Err],
        ['rejected', 'invalid mount config for type "bind": no such path'],
      );
    });

    it('to start ends the task as failed, in its words', async () => {
      engine.failNext('start', new ShoalError('internal', 'exec: "nothing": executable file not found'));
      const id = assign(1);
      await clock.advance(10);
      assert.deepEqual(
        [node.state(id), node.status(id).Err],
        ['failed', 'starting container failed: exec: "nothing": executable file not found'],
      );
    });

    it('to stop or remove is asked again', async () => {
      const id = assign(1);
      await clock.advance(10);
      engine.failNext('stop', new ShoalError('internal', 'cannot stop'));
      engine.failNext('remove', new ShoalError('internal', 'device or resource busy'));
      node.want(id, 'remove');
      await clock.advance(5_000);
      assert.equal(node.state(id), 'shutdown');
      assert.equal(engine.containers.size, 0);
    });
  });

  describe('an engine that dies', () => {
    it('is reported, and used again when it returns', async () => {
      let told = 0;
      node.agent?.onEngineChange(() => {
        told += 1;
      });
      engine.die();
      await clock.advance(1_000);
      assert.match(node.agent?.engineError() ?? '', /cannot be reached/);
      const id = assign(1);
      await clock.advance(60_000);
      engine.boot();
      await clock.advance(6_000);
      assert.equal(node.agent?.engineError(), '');
      assert.equal(node.state(id), 'running');
      assert.equal(told, 2);
    });

    it('and leaves containers alive (live restore) fails no task', async () => {
      const id = assign(1);
      await clock.advance(10);
      engine.die('live');
      await clock.advance(30_000);
      engine.boot();
      await clock.advance(30_000);
      assert.deepEqual(node.history.get(id), ['running']);
      assert.equal(only().phase, 'running');
    });

    it('and takes its containers along fails their tasks when it is back', async () => {
      const id = assign(1);
      await clock.advance(10);
      engine.die('killed');
      await clock.advance(30_000);
      assert.equal(node.state(id), 'running', 'nothing is known while it is away');
      engine.boot();
      await clock.advance(6_000);
      assert.deepEqual([node.state(id), node.status(id).Err], ['failed', 'task: non-zero exit (137)']);
    });

    it('in the middle of a create does not lead to two containers', async () => {
      engine.latency_ms = (call) => (call === 'create' ? 1_000 : 0);
      const id = assign(1);
      await clock.advance(700); // it is made, the answer is not there yet
      assert.equal(engine.containers.size, 1);
      engine.die();
      await clock.advance(1_000);
      engine.boot();
      await clock.advanceUntil(() => node.state(id) === 'running');
      assert.equal(only().phase, 'running');
    });

    it('in the middle of a start does not lead to a second run', async () => {
      engine.latency_ms = (call) => (call === 'start' ? 1_000 : 0);
      const id = assign(1, { Command: ['true'] });
      await clock.advance(700);
      engine.die();
      await clock.advance(1_000);
      engine.boot();
      await clock.advance(10_000);
      assert.equal(node.state(id), 'complete');
      assert.equal(engine.counts.get('start'), 1);
    });
  });

  describe('an answer', () => {
    it('to a start that is lost does not lead to a second run, even when nothing is heard of the first', async () => {
      engine.losesEvents = true;
      engine.loseNextAnswer('start');
      const id = assign(1, { Command: ['false'] });
      await clock.advance(5_000);
      assert.deepEqual([node.state(id), only().starts], ['failed', 1]);
    });

    it('to a look that is older than an event is not believed', async () => {
      engine.latency_ms = (call) => (call === 'inspect' ? 1_000 : 0);
      const id = assign(1, { Command: ['sh', '-c', 'sleep 0.7; exit 3'] }); // ends when the look is on its way back
      await clock.advance(4_000);
      assert.equal(node.status(id).Err, 'task: non-zero exit (3)');
    });

    it('that a container of the task is there already is taken for having made it', async () => {
      const task = taskOf(1, node.id, {});
      const made = await engine.create(
        containerName(task),
        containerConfig(task, { address: node.address, description: undefined }, [], []),
      );
      node.assign(task);
      await clock.advance(10);
      assert.deepEqual([node.state(task.ID), only().id], ['running', made]);
    });
  });

  describe('an engine that hangs', () => {
    it('is reported within seconds, and goes on where it stopped', async () => {
      const first = assign(1);
      await clock.advance(10);
      engine.hang();
      const second = assign(2);
      await clock.advance(30_000);
      assert.match(node.agent?.engineError() ?? '', /did not answer|given up/);
      assert.equal(node.state(first), 'running');
      engine.resume();
      await clock.advance(10_000);
      assert.equal(node.agent?.engineError(), '');
      assert.deepEqual([node.state(first), node.state(second)], ['running', 'running']);
      assert.equal(engine.containers.size, 2);
    });

    it('does not keep the agent from stopping', async () => {
      engine.hang();
      assign(1);
      await clock.advance(100);
      await node.stop();
    });
  });

  describe('behind the agent’s back', () => {
    it('a container that is removed fails its task', async () => {
      const id = assign(1);
      await clock.advance(10);
      engine.vanish(only().id);
      await clock.advance(10);
      assert.equal(node.state(id), 'failed');
    });

    it('a container that ends or goes without an event is found by the next full look', async () => {
      const [ended, removed] = [assign(1), assign(2)];
      await clock.advance(10);
      engine.losesEvents = true;
      const [one, two] = [...engine.containers.keys()] as [string, string];
      engine.exit(one, 7);
      engine.vanish(two);
      await clock.advance(60_000);
      assert.equal(node.status(ended).Err, 'task: non-zero exit (7)');
      assert.match(node.status(removed).Err, /is gone/);
    });

    it('a prepared container that is removed is made anew', async () => {
      const id = assign(1, {}, { DesiredState: 'ready' });
      await clock.advance(10);
      engine.vanish(only().id);
      node.want(id, 'running');
      await clock.advance(10);
      assert.equal(node.state(id), 'running');
    });

    it('a foreign container with the task’s name is left alone, and the task rejected', async () => {
      const id = taskOf(1, node.id, {}).ID;
      const foreign = await engine.create(`web.1.${id}`, { Image: 'web', Labels: {}, HostConfig: {} });
      assign(1);
      await clock.advance(10);
      assert.equal(node.state(id), 'rejected');
      assert.match(node.status(id).Err, /already in use/);
      assert.ok(engine.containers.has(foreign));
    });
  });

  describe('that starts anew', () => {
    it('takes over what runs, and tells nothing new', async () => {
      const id = assign(1);
      await clock.advance(10);
      await node.stop();
      assert.equal(only().phase, 'running', 'containers live on');
      engine.counts.clear();
      node.start();
      node.assignAll();
      await clock.advance(1_000);
      assert.deepEqual(node.history.get(id), ['running']);
      assert.equal(engine.counts.get('create'), undefined);
      engine.exit(only().id, 1);
      await clock.advance(10);
      assert.equal(node.state(id), 'failed');
    });

    it('reports what happened while it was away', async () => {
      const id = assign(1);
      await clock.advance(10);
      await node.stop();
      engine.exit(only().id, 9);
      node.start();
      node.assignAll();
      await clock.advance(10);
      assert.equal(node.status(id).Err, 'task: non-zero exit (9)');
    });

    it('removes what is wanted no more, once it was told what is, and nothing of others', async () => {
      const [kept, left] = [assign(1), assign(2)];
      await clock.advance(10);
      const foreign = await engine.create('foreign', { Image: 'web', Labels: {}, HostConfig: {} });
      const others = await engine.create('other', {
        Image: 'web',
        Labels: { 'com.docker.swarm.node.id': 'node0000000000000000000002', 'com.docker.swarm.task.id': 'x' },
        HostConfig: {},
      });
      await node.stop();
      node.tasks.delete(left);
      node.start();
      await clock.advance(60_000);
      assert.equal(engine.containers.size, 4, 'nothing is removed before a full assignment');
      node.assignAll();
      await clock.advance(10);
      assert.deepEqual([...engine.containers.values()].map((one) => one.name).sort(), [
        'foreign',
        'other',
        `web.1.${kept}`,
      ]);
      assert.ok(engine.containers.has(foreign) && engine.containers.has(others));
    });

    it('tells again what the managers did not hear', async () => {
      const id = assign(1);
      await clock.advance(10);
      const task = node.tasks.get(id);
      assert.ok(task);
      node.tasks.set(id, { ...task, Status: taskOf(1, node.id, {}).Status });
      node.assignAll();
      await clock.advance(10);
      assert.equal(node.state(id), 'running');
    });

    it('fails a task whose container was made from another specification', async () => {
      const id = assign(1);
      await clock.advance(10);
      await node.stop();
      const changed = taskOf(1, node.id, { Env: ['A=1'] }, { Status: node.status(id) });
      node.tasks.set(id, changed);
      node.start();
      node.assignAll();
      await clock.advance(10);
      assert.deepEqual([node.state(id), only().phase], ['failed', 'exited']);
      assert.match(node.status(id).Err, /another specification/);
    });
  });

  it('shares one engine with the agent of another node', async () => {
    const other = new NodeUnderTest(engine, clock, 'node0000000000000000000002');
    other.start();
    other.assignAll();
    assign(1);
    const theirs = other.assign(taskOf(2, other.id, {}));
    await clock.advance(60_000);
    node.assignAll();
    other.assignAll();
    await clock.advance(60_000);
    assert.equal(engine.running().length, 2);
    await node.stop();
    other.withdraw(theirs);
    await clock.advance(10);
    assert.equal(engine.running().length, 1);
    await other.stop();
  });

  it('says what its node is', async () => {
    const description = await node.agent?.description();
    assert.deepEqual(description?.Platform, { Architecture: 'x86_64', OS: 'linux' });
    assert.equal(description?.Resources?.NanoCPUs, 2e9);
    assert.deepEqual(description?.Engine?.Labels, { disk: 'ssd' });
    assert.deepEqual(
      description?.Engine?.Plugins.map(({ Type, Name }) => `${Type}/${Name}`),
      ['Log/json-file', 'Network/bridge', 'Network/host', 'Volume/local'],
    );
  });

  it('keeps no more than a few creates and starts under way', async () => {
    let most = 0;
    let now = 0;
    engine.latency_ms = (call) => {
      if (call === 'create' || call === 'start') {
        now += 1;
        most = Math.max(most, now);
        clock.after(99, () => {
          now -= 1;
        });
      }
      return 100;
    };
    for (let number = 1; number <= 64; number++) assign(number);
    await clock.advance(60_000);
    assert.equal(engine.running().length, 64);
    assert.ok(most <= 16, `${most} at once`);
  });

  it('asks for nothing a container while nothing happens', async () => {
    for (let number = 1; number <= 5; number++) assign(number);
    await clock.advance(1_000);
    engine.counts.clear();
    await clock.advance(600_000);
    assert.deepEqual([...engine.counts.keys()].sort(), ['list', 'ping']);
  });
});
