import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ShoalError } from '../../../src/model/errors.js';
import { isAfter, isFinal } from '../../../src/model/states.js';
import { labelNames } from '../../../src/worker/labels.js';
import { ManualClock } from '../../helpers/manual-clock.js';
import { NodeUnderTest, taskID, taskOf } from '../../helpers/node-under-test.js';
import { type EngineCall, SimulatedEngine } from '../../helpers/simulated-engine.js';

const desiredStates = ['ready', 'running', 'shutdown', 'remove'];
const kinds = {
  polite: {},
  stubborn: { Command: ['sleep', '1000000'] },
  short: { Command: ['sh', '-c', 'sleep 3; exit 0'] },
  failing: { Command: ['false'] },
  missing: { Image: 'nobody/has:1' },
  pulled: { Image: 'db:2' },
  checked: { Healthcheck: { Test: ['CMD', 'check'] } },
};

class World {
  readonly clock = new ManualClock();
  readonly engine = new SimulatedEngine(this.clock, ['web']);
  readonly node = new NodeUnderTest(this.engine, this.clock);
  readonly withdrawn = new Set<string>();
  foreign = '';

  async begin(): Promise<void> {
    this.engine.registry = new Set(['db:2']);
    this.foreign = await this.engine.create('foreign', { Image: 'web', Labels: {}, HostConfig: {} });
    this.node.start();
    this.node.assignAll();
  }

  containersOf(id: string) {
    return [...this.engine.containers.values()].filter((one) => one.labels[labelNames.taskID] === id);
  }

  /** The container of the n-th task, if it has one. */
  containerID(number: number): string {
    return this.containersOf(taskID(number))[0]?.id ?? '';
  }

  checkAlways(): void {
    for (const [id, states] of this.node.history) {
      const container = this.containersOf(id);
      assert.ok(container.length <= 1, `${container.length} containers of ${id}`);
      for (const one of container) assert.ok(one.starts <= 1, `${one.name} was started ${one.starts} times`);
      for (let at = 1; at < states.length; at++) {
        const [before, after] = [states[at - 1] as string, states[at] as string];
        assert.ok(isAfter(after, before) || after === before, `${id} went from ${before} to ${after}`);
        assert.ok(!isFinal(before) || after === before, `${id} went on after ${before}`);
      }
    }
    assert.ok(this.engine.containers.has(this.foreign), 'a foreign container is gone');
  }

  /** All faults end, and there is time for everything. */
  async heal(): Promise<void> {
    this.engine.boot();
    this.engine.resume();
    this.engine.losesEvents = false;
    this.engine.latency_ms = () => 0;
    this.engine.eventDelay_ms = 0;
    this.engine.registry = new Set(['db:2']);
    if (this.node.agent === undefined) this.node.start();
    this.node.assignAll();
    await this.clock.advance(300_000);
  }

  checkSettled(): void {
    assert.equal(this.node.agent?.engineError(), '');
    for (const id of this.withdrawn) assert.deepEqual(this.containersOf(id), [], `${id} is withdrawn`);
    for (const [id, task] of this.node.tasks) {
      const state = this.node.state(id);
      const container = this.containersOf(id)[0];
      const what = `${id}, wanted ${task.DesiredState}, is ${state}, its container ${container?.phase}`;
      if (isFinal(state)) assert.notEqual(container?.phase, 'running', what);
      if (task.DesiredState === 'remove') assert.ok(isFinal(state) && container === undefined, what);
      if (task.DesiredState === 'shutdown') assert.ok(isFinal(state), what);
      if (isFinal(state)) continue;
      if (task.DesiredState === 'ready') assert.deepEqual([state, container?.phase], ['ready', 'created'], what);
      if (task.DesiredState === 'running') {
        const waits = container?.health === 'starting';
        assert.deepEqual([state, container?.phase], [waits ? 'starting' : 'running', 'running'], what);
        assert.equal(task.Status?.ContainerStatus?.ContainerID ?? container?.id, container?.id, what);
      }
    }
  }
}

type Act = (world: World) => void | Promise<void>;

const number = fc.integer({ min: 1, max: 4 });
const acts: fc.Arbitrary<[name: string, act: Act]> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(number, fc.constantFrom(...Object.keys(kinds)), fc.constantFrom('ready', 'running'))
      .map(([n, kind, desired]): [string, Act] => [
        `assign ${n} ${kind} ${desired}`,
        (world) => {
          if (world.node.tasks.has(taskID(n)) || world.withdrawn.has(taskID(n))) return;
          world.node.assign(taskOf(n, world.node.id, kinds[kind as keyof typeof kinds], { DesiredState: desired }));
        },
      ]),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(number, fc.constantFrom(...desiredStates)).map(([n, desired]): [string, Act] => [
      `want ${n} ${desired}`,
      (world) => {
        const now = world.node.tasks.get(taskID(n))?.DesiredState ?? '';
        if (desiredStates.indexOf(desired) > desiredStates.indexOf(now)) world.node.want(taskID(n), desired);
      },
    ]),
  },
  {
    weight: 1,
    arbitrary: number.map((n): [string, Act] => [
      `withdraw ${n}`,
      (world) => {
        if (!world.node.tasks.has(taskID(n))) return;
        world.withdrawn.add(taskID(n));
        world.node.withdraw(taskID(n));
      },
    ]),
  },
  {
    weight: 6,
    arbitrary: fc
      .constantFrom(1, 30, 400, 5_000, 40_000)
      .map((ms): [string, Act] => [`advance ${ms}`, (world) => world.clock.advance(ms)]),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom<[string, Act]>(
      ['die', (world) => world.engine.die('live')],
      ['die with containers', (world) => world.engine.die('killed')],
      ['hang', (world) => world.engine.hang()],
      [
        'lose events',
        (world) => {
          world.engine.losesEvents = true;
        },
      ],
      [
        'registry unreachable',
        (world) => {
          world.engine.registry = undefined;
        },
      ],
    ),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom<[string, Act]>(
      ['boot', (world) => world.engine.boot()],
      ['resume', (world) => world.engine.resume()],
      [
        'tell events',
        (world) => {
          world.engine.losesEvents = false;
        },
      ],
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(0, 20, 900).map((ms): [string, Act] => [
      `latency ${ms}`,
      (world) => {
        world.engine.latency_ms = () => ms;
        world.engine.eventDelay_ms = ms / 2;
      },
    ]),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(
        fc.constantFrom<EngineCall>('create', 'start', 'stop', 'remove', 'inspect', 'list', 'events'),
        fc.constantFrom('internal' as const, 'unavailable' as const, 'lost' as const),
      )
      .map(([call, code]): [string, Act] => [
        `fail ${call} ${code}`,
        (world) => {
          if (code === 'lost') world.engine.loseNextAnswer(call);
          else world.engine.failNext(call, new ShoalError(code, 'made to fail'));
        },
      ]),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(number, fc.constantFrom('exit', 'vanish', 'healthy', 'unhealthy'))
      .map(([n, what]): [string, Act] => [
        `${what} ${n}`,
        (world) => {
          const id = world.containerID(n);
          if (what === 'exit') world.engine.exit(id, n);
          else if (what === 'vanish') world.engine.vanish(id);
          else world.engine.setHealth(id, what as 'healthy' | 'unhealthy');
        },
      ]),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom<[string, Act]>(
      ['stop agent', (world) => world.node.stop()],
      [
        'start agent',
        (world) => {
          if (world.node.agent !== undefined) return;
          world.node.start();
          world.node.assignAll();
        },
      ],
      ['assign all', (world) => world.node.assignAll()],
    ),
  },
);

describe('agent, whatever happens', () => {
  it('keeps to one container a task, moves only forward, and settles to what is wanted', async function () {
    this.timeout(300_000);
    await fc.assert(
      fc.asyncProperty(fc.array(acts, { maxLength: 40 }), async (script) => {
        const world = new World();
        await world.begin();
        try {
          for (const [, act] of script) {
            await act(world);
            world.checkAlways();
          }
          await world.heal();
          world.checkAlways();
          world.checkSettled();
        } catch (error) {
          throw new Error(`${(error as Error).message}\n  after: ${script.map(([name]) => name).join('; ')}`);
        } finally {
          await world.node.stop();
        }
      }),
      { numRuns: Number(process.env.SHOAL_PROPERTY_RUNS ?? 300) },
    );
  });
});
