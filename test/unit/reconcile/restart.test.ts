import assert from 'node:assert/strict';
import type { RestartPolicyInit } from '../../../src/model/types.js';
import { Orchestra } from '../../helpers/orchestra.js';

const second = 1e9;

describe('restarts', () => {
  let world: Orchestra;
  beforeEach(() => {
    world = new Orchestra();
    world.addNodes(2);
  });

  function running(replicas: number, RestartPolicy?: RestartPolicyInit): void {
    world.create('web', replicas, { TaskTemplate: { RestartPolicy } });
    world.settle();
  }

  it('make a new task in the same slot, which starts five seconds later by default', () => {
    running(2);
    const [task] = world.running('web');
    world.report(task!, 'failed', { Err: 'task: non-zero exit (1)' });
    world.planAll();
    const successor = world.wanted('web').find((one) => one.Slot === task!.Slot)!;
    assert.equal(world.store.get('Task', task!.ID)?.DesiredState, 'shutdown');
    assert.equal(successor.ReplacesTaskID, task!.ID);
    assert.equal(successor.DesiredState, 'ready');
    assert.equal(successor.StartAfter, new Date(world.now + 5000).toISOString());
    world.work();
    world.planAll();
    assert.equal(world.store.get('Task', successor.ID)?.Status?.State, 'ready');
    assert.equal(world.look().wakeAt, world.now + 5000);
    world.pass(4999);
    assert.deepEqual(world.look().transactions, []);
    world.pass(1);
    world.planAll();
    assert.equal(world.store.get('Task', successor.ID)?.DesiredState, 'running');
  });

  it('happen after any end when the condition is any', () => {
    running(1, { Condition: 'any', Delay: 0 });
    world.report(world.running('web')[0]!, 'complete');
    world.settle();
    assert.equal(world.running('web').length, 1);
  });

  it('happen only after failures when the condition is on-failure', () => {
    running(2, { Condition: 'on-failure', Delay: second });
    const [one, two] = world.running('web');
    world.report(one!, 'complete');
    world.report(two!, 'failed');
    world.settle();
    assert.deepEqual(
      world.running('web').map((task) => task.Slot),
      [2],
    );
    assert.deepEqual(world.look().transactions, []);
  });

  it('never happen when the condition is none, and the slot stays taken', () => {
    running(2, { Condition: 'none' });
    world.report(world.running('web')[0]!, 'failed');
    world.settle();
    assert.equal(world.running('web').length, 1);
    world.scale('web', 3);
    world.settle();
    assert.deepEqual(
      world.running('web').map((task) => task.Slot),
      [2, 3],
    );
  });

  it('end after the attempts that are allowed, however short the history', () => {
    world.fate = () => 'failed';
    world.create('web', 1, { TaskTemplate: { RestartPolicy: { MaxAttempts: 8, Delay: second } } });
    world.settle();
    assert.equal(world.tasks('web').length, 9);
    assert.equal(world.wanted('web').length, 0);
    world.pass(3_600_000);
    assert.deepEqual(world.look().transactions, [], 'the decision stands');
  });

  it('count only attempts within the window', () => {
    running(1, { MaxAttempts: 2, Window: 60 * second, Delay: second });
    for (let crash = 0; crash < 6; crash++) {
      world.pass(40_000); // never more than one other within a minute
      world.report(world.running('web')[0]!, 'failed');
      world.settle();
      assert.equal(world.running('web').length, 1, `after crash ${crash}`);
    }
    world.report(world.running('web')[0]!, 'failed'); // two restarts within the last minute
    world.settle();
    assert.equal(world.running('web').length, 0);
    world.pass(3_600_000);
    assert.deepEqual(world.look().transactions, [], 'the decision stands');
  });

  it('of an image that is not there do not spin', () => {
    world.fate = () => 'rejected';
    world.create('web', 1);
    world.settleNow();
    const attempts: number[] = [];
    for (let at = 0; at < 120; at++) {
      const before = new Set(world.tasks('web').map((task) => task.ID));
      world.settleNow();
      for (const task of world.tasks('web')) if (!before.has(task.ID)) attempts.push(at);
      world.pass(1000);
    }
    // 5, 5, 5 s, then 8, 16, 30 s between attempts
    assert.ok(attempts.length >= 4 && attempts.length <= 12, `${attempts}`);
    assert.equal(world.wanted('web').length, 1);
  });

  it('keep the history that the cluster asks for, the task that runs included', () => {
    world = new Orchestra(1, { Orchestration: { TaskHistoryRetentionLimit: 3 } });
    world.addNodes(1);
    running(2, { Delay: 0 });
    for (let crash = 0; crash < 5; crash++) {
      for (const task of world.running('web')) world.report(task, 'failed');
      world.pass(1);
      world.settle();
    }
    assert.equal(world.tasks('web').length, 6);
    assert.equal(world.running('web').length, 2);
    const [oldest] = world.tasks('web');
    assert.ok(Date.parse(oldest!.CreatedAt) > Date.parse('2030-01-01'), 'the oldest went first');
  });

  it('keep all history when the limit is negative, and none when it is 0', () => {
    for (const [limit, expected] of [
      [-1, 8],
      [0, 1],
    ] as const) {
      world = new Orchestra(1, { Orchestration: { TaskHistoryRetentionLimit: limit } });
      world.addNodes(1);
      running(1, { Delay: 0 });
      for (let crash = 0; crash < 7; crash++) {
        for (const task of world.running('web')) world.report(task, 'failed');
        world.pass(1);
        world.settle();
      }
      assert.equal(world.tasks('web').length, expected);
    }
  });

  it('are not brought about by forgetting that the slot is done', () => {
    world = new Orchestra(1, { Orchestration: { TaskHistoryRetentionLimit: 0 } });
    world.addNodes(1);
    running(1, { Condition: 'none' });
    world.report(world.running('web')[0]!, 'complete');
    world.settle();
    assert.equal(world.wanted('web').length, 0);
    assert.equal(world.tasks('web').length, 1);
  });

  it('avoid a node where the service fails again and again', () => {
    world = new Orchestra();
    world.addNode('bad');
    world.addNode('good1');
    world.addNode('good2');
    world.fate = (task) => (task.NodeID === 'bad' ? 'failed' : 'running');
    world.create('web', 3, { TaskTemplate: { RestartPolicy: { Delay: second } } });
    world.settle();
    assert.equal(world.running('web').length, 3);
    assert.equal(world.spread(world.running('web')).get('bad'), undefined);
  });

  it('wait for no clock that is hours behind, and an update for none that was ahead', () => {
    running(1, { Delay: 10 * second });
    world.report(world.running('web')[0]!, 'failed');
    world.planAll();
    world.pass(-3600_000); // another leads, and goes by its own clock
    world.settleNow();
    assert.equal(world.running('web').length, 1);
    world.setImage('web', 'web:2');
    world.plan();
    world.settleNow();
    world.pass(-3600_000);
    world.settleNow();
    assert.equal(world.service('web').UpdateStatus?.State, 'completed');
  });

  it('avoid it for a single replica too, however short the history, and for five minutes only', () => {
    world = new Orchestra(1, { Orchestration: { TaskHistoryRetentionLimit: 1 } });
    world.addNode('bad');
    world.addNode('full');
    world.create('other', 3, { TaskTemplate: { Placement: { Constraints: ['node.id==full'] } } });
    world.settle();
    world.fate = (task) => (task.NodeID === 'bad' ? 'failed' : 'running');
    world.create('web', 1, { TaskTemplate: { RestartPolicy: { Delay: second } } });
    world.settle();
    const [task] = world.running('web');
    assert.equal(task?.NodeID, 'full', 'the node with more tasks');
    assert.equal(task?.Failures.length, 5);
    world.pass(5 * 60_000);
    world.fate = () => 'running';
    world.report(task!, 'failed');
    world.settle();
    assert.deepEqual([world.running('web')[0]?.NodeID, world.running('web')[0]?.Failures.length], ['bad', 1]);
  });

  it('of a task that will not stop do not hold up its successor for ever', () => {
    running(1);
    const [stuck] = world.running('web');
    world.asleep.add(stuck!.NodeID);
    world.setImage('web', 'web:2');
    world.settleNow();
    assert.equal(world.running('web').length, 0);
    assert.equal(world.look().wakeAt, world.now + 70_000); // the stop grace and Docker's minute
    world.asleep.clear();
    world.asleep.add('none');
    world.pass(70_000);
    world.plan();
    assert.equal(world.wanted('web')[0]?.DesiredState, 'running');
  });

  it('wait for what stops before them as long as ever when the clock that told it to stop was ahead', () => {
    running(1);
    const [stuck] = world.running('web');
    world.asleep.add(stuck!.NodeID);
    world.setImage('web', 'web:2');
    world.settleNow();
    world.pass(-600_000); // it is set right
    world.settleNow();
    assert.equal(world.wanted('web')[0]?.DesiredState, 'ready');
    assert.equal(world.look().wakeAt, world.now + 70_000);
    assert.equal(world.plan(), false);
    world.pass(70_000);
    world.plan();
    assert.equal(world.wanted('web')[0]?.DesiredState, 'running');
  });
});
