import assert from 'node:assert/strict';
import type { ServiceSpecInit, Task, UpdateConfigInit } from '../../../src/model/types.js';
import { Orchestra } from '../../helpers/orchestra.js';

const second = 1e9;

describe('a rolling update', () => {
  let world: Orchestra;
  beforeEach(() => {
    world = new Orchestra();
    world.addNodes(3);
  });

  function running(replicas: number, UpdateConfig?: UpdateConfigInit, more: ServiceSpecInit = {}): void {
    world.create('web', replicas, { ...more, ...(UpdateConfig && { UpdateConfig }) });
    world.settle();
  }
  const isNew = (task: Task) => task.Spec?.ContainerSpec?.Image === 'web:2';
  const status = () => world.service('web').UpdateStatus;
  /** Those that a worker was told to have running or to prepare: what is up or may come up. */
  const old = () => world.wanted('web').filter((task) => !isNew(task));
  const fresh = () => world.wanted('web').filter(isNew);

  it('replaces one task after the other, each once its predecessor has stopped, by default', () => {
    running(3);
    world.setImage('web', 'web:2');
    world.planAll();
    assert.equal(status()?.State, 'updating');
    assert.equal(status()?.Message, 'update in progress');
    assert.notEqual(status()?.StartedAt, '');
    assert.equal(old().length, 2);
    assert.equal(fresh().length, 1);
    const [born] = fresh();
    const replaced = world.store.get('Task', born!.ReplacesTaskID)!;
    assert.equal(replaced.DesiredState, 'shutdown');
    assert.equal(replaced.Slot, born!.Slot);
    assert.equal(born!.DesiredState, 'ready');
    world.report(born!, 'ready');
    world.planAll();
    assert.equal(fresh()[0]!.DesiredState, 'ready', 'the old task has not stopped yet');
    world.report(replaced, 'shutdown');
    world.planAll();
    assert.equal(fresh()[0]!.DesiredState, 'running');
    assert.equal(fresh().length, 1, 'the next waits for this one to run');
    world.report(fresh()[0]!, 'running');
    world.planAll();
    assert.equal(fresh().length, 2);
  });

  it('stops the old and makes the new in one entry', () => {
    running(1);
    world.setImage('web', 'web:2');
    const operations = world.look().transactions[0]!.Operations!;
    assert.deepEqual(
      operations.map((operation) => operation.Action),
      ['check', 'update', 'update', 'create'],
    );
  });

  it('is completed once its last task was observed for the monitoring time', () => {
    running(3);
    world.setImage('web', 'web:2');
    world.settleNow();
    assert.equal(old().length, 0);
    assert.equal(status()?.State, 'updating');
    assert.equal(world.look().wakeAt, world.now + 5000);
    world.pass(5000);
    world.settleNow();
    assert.equal(status()?.State, 'completed');
    assert.equal(status()?.Message, 'update completed');
    assert.notEqual(status()?.CompletedAt, '');
    assert.deepEqual(world.look().transactions, []);
  });

  it('keeps replicas where they were spread', () => {
    running(6);
    const before = [...world.spread(world.running('web'))].sort();
    for (const image of ['web:2', 'web:3']) {
      world.setImage('web', image);
      world.settle();
      assert.deepEqual([...world.spread(world.running('web'))].sort(), before);
    }
  });

  it('keeps replicas evenly spread when the new start first', () => {
    running(3, { Parallelism: 1, Order: 'start-first' });
    for (const image of ['web:2', 'web:3', 'web:4']) {
      world.setImage('web', image);
      world.settle();
      assert.equal(world.spread(world.running('web')).size, 3);
    }
  });

  it('replaces as many at a time as parallelism allows, and all when it is 0', () => {
    running(6, { Parallelism: 2 });
    world.setImage('web', 'web:2');
    world.planAll();
    assert.equal(fresh().length, 2);
    world.settle();
    world.update('web', (spec) => {
      spec.UpdateConfig = { Parallelism: 0 };
      spec.TaskTemplate!.ContainerSpec!.Image = 'web:3';
    });
    world.planAll();
    assert.deepEqual(world.images(world.wanted('web')), Array(6).fill('web:3'));
  });

  it('waits the delay after a task runs before it goes on', () => {
    running(2, { Parallelism: 1, Delay: 30 * second });
    world.setImage('web', 'web:2');
    world.settleNow();
    assert.equal(fresh().length, 1);
    assert.equal(world.look().wakeAt, world.now + 30_000);
    world.pass(29_999);
    world.settleNow();
    assert.equal(fresh().length, 1);
    world.pass(1);
    world.settleNow();
    assert.equal(fresh().length, 2);
  });

  it('starts the new before it stops the old when told so', () => {
    running(2, { Parallelism: 1, Order: 'start-first' });
    world.setImage('web', 'web:2');
    world.planAll();
    assert.equal(old().length, 2);
    const [born] = fresh();
    assert.equal(born!.DesiredState, 'running');
    world.report(born!, 'starting');
    world.planAll();
    assert.equal(old().length, 2);
    world.report(born!, 'running');
    world.planAll();
    assert.equal(old().length, 1);
    assert.equal(world.store.get('Task', born!.ReplacesTaskID)?.DesiredState, 'shutdown');
    world.settle();
    assert.equal(world.running('web').length, 2);
  });

  it('makes no third task for a slot when the old one fails while the new one starts', () => {
    running(1, { Parallelism: 1, Order: 'start-first' });
    world.setImage('web', 'web:2');
    world.planAll();
    const [born] = fresh();
    world.report(old()[0]!, 'failed');
    world.planAll();
    assert.deepEqual(
      world.wanted('web').map((task) => task.ID),
      [born!.ID],
    );
  });

  it('stops first what does not run yet, whatever the order', () => {
    world.create('web', 1, { UpdateConfig: { Parallelism: 1, Order: 'start-first' } });
    world.planAll();
    world.report(world.wanted('web')[0]!, 'starting');
    world.setImage('web', 'web:2');
    world.planAll();
    assert.equal(old().length, 0);
    assert.equal(fresh()[0]!.DesiredState, 'ready');
  });

  it('remembers its failures however short the history', () => {
    world = new Orchestra(1, { Orchestration: { TaskHistoryRetentionLimit: 1 } });
    world.addNodes(3);
    running(4, { Parallelism: 1, MaxFailureRatio: 0.5 });
    const seen = new Set<number>();
    world.fate = (task) => {
      const first = isNew(task) && task.StartAfter === '';
      if (first) seen.add(task.Slot);
      return first ? 'failed' : 'running';
    };
    world.setImage('web', 'web:2');
    world.settle();
    assert.equal(status()?.State, 'paused');
    assert.equal(seen.size, 3);
  });

  it('pauses at the first failure by default, and leaves the other tasks alone', () => {
    running(3, undefined, { TaskTemplate: { RestartPolicy: { Condition: 'none' } } });
    world.fate = (task) => (isNew(task) ? 'failed' : 'running');
    world.setImage('web', 'web:2');
    world.settle();
    const failed = world.tasks('web').find((task) => task.Status?.State === 'failed')!;
    assert.equal(status()?.State, 'paused');
    assert.equal(status()?.Message, `update paused due to failure or early termination of task ${failed.ID}`);
    assert.equal(old().length, 2);
  });

  it('goes on with a paused update when the service is updated again', () => {
    running(3, undefined, { TaskTemplate: { RestartPolicy: { Condition: 'none' } } });
    world.fate = (task) => (isNew(task) ? 'failed' : 'running');
    world.setImage('web', 'web:2');
    world.settle();
    assert.equal(status()?.State, 'paused');
    world.fate = () => 'running';
    world.pass(1000);
    world.update('web', () => {});
    world.settle();
    assert.equal(status()?.State, 'completed');
    assert.equal(old().length, 0);
  });

  it('tolerates the share of failures that it may', () => {
    running(4, { Parallelism: 1, MaxFailureRatio: 0.25 }, { TaskTemplate: { RestartPolicy: { Condition: 'none' } } });
    world.fate = (task) => (isNew(task) && task.Slot === 1 ? 'failed' : 'running');
    world.setImage('web', 'web:2');
    world.settle();
    assert.equal(status()?.State, 'completed');
    world.fate = (task) => (task.Slot <= 2 ? 'failed' : 'running');
    world.pass(1000);
    world.setImage('web', 'web:3');
    world.settle();
    assert.equal(status()?.State, 'paused');
  });

  it('does not count a task that failed after its monitoring time', () => {
    running(2, { Parallelism: 1, Delay: 60 * second, Monitor: 10 * second });
    world.setImage('web', 'web:2');
    world.settleNow();
    world.pass(10_001);
    world.report(fresh()[0]!, 'failed');
    world.settle();
    assert.equal(status()?.State, 'completed');
  });

  it('goes on over failures when told to continue', () => {
    running(
      3,
      { Parallelism: 1, FailureAction: 'continue' },
      { TaskTemplate: { RestartPolicy: { Condition: 'none' } } },
    );
    world.fate = (task) => (isNew(task) ? 'failed' : 'running');
    world.setImage('web', 'web:2');
    world.settle();
    assert.equal(status()?.State, 'completed');
    assert.equal(old().length, 0);
  });

  it('goes back to the former spec when told to roll back', () => {
    running(4, { Parallelism: 1, FailureAction: 'rollback' });
    const before = world.running('web').map((task) => task.ID);
    world.fate = (task) => (isNew(task) ? 'failed' : 'running');
    world.setImage('web', 'web:2');
    world.settleNow();
    const failed = world.tasks('web').find((task) => task.Status?.State === 'failed')!;
    assert.equal(status()?.State, 'rollback_started');
    assert.equal(status()?.Message, `update rolled back due to failure or early termination of task ${failed.ID}`);
    world.settle();
    assert.equal(status()?.State, 'rollback_completed');
    assert.equal(status()?.Message, 'rollback completed');
    assert.deepEqual(world.images(world.running('web')), Array(4).fill('web:1'));
    const kept = world.running('web').filter((task) => before.includes(task.ID));
    assert.equal(kept.length, 3, 'tasks that the update had not reached are left alone');
    assert.equal(world.service('web').PreviousSpec, null);
  });

  it('pauses a rollback that fails, and never rolls back a rollback', () => {
    running(2, { Parallelism: 1, FailureAction: 'rollback' }, { RollbackConfig: { FailureAction: 'rollback' } });
    world.setImage('web', 'web:2');
    world.settleNow();
    world.fate = () => 'failed';
    world.report(world.running('web')[0]!, 'failed');
    world.plan();
    assert.equal(status()?.State, 'rollback_started');
    world.settleNow();
    const culprit = world
      .tasks('web')
      .find((task) => task.Status?.State === 'failed' && status()?.Message.endsWith(task.ID));
    assert.equal(status()?.State, 'rollback_paused');
    assert.equal(status()?.Message, `rollback paused due to failure or early termination of task ${culprit?.ID}`);
  });

  it('does not roll back onto a port that another service has taken', () => {
    running(
      1,
      { Parallelism: 1, FailureAction: 'rollback' },
      { EndpointSpec: { Ports: [{ Protocol: 'tcp', TargetPort: 80, PublishedPort: 8080, PublishMode: 'ingress' }] } },
    );
    world.fate = (task) => (isNew(task) ? 'failed' : 'running');
    world.update('web', (spec) => {
      spec.TaskTemplate!.ContainerSpec!.Image = 'web:2';
      spec.EndpointSpec = { Ports: [] };
    });
    world.plan();
    world.create('other', 1, { EndpointSpec: { Ports: [{ Protocol: 'tcp', TargetPort: 80, PublishedPort: 8080 }] } });
    world.settleNow();
    assert.equal(status()?.State, 'paused');
  });

  it('rolls back by hand with the policy of rollbacks', () => {
    running(4, { Parallelism: 1 }, { RollbackConfig: { Parallelism: 4 } });
    world.setImage('web', 'web:2');
    world.settle();
    world.rollBack('web');
    world.planAll();
    assert.deepEqual(world.images(world.wanted('web')), Array(4).fill('web:1'));
    world.settle();
    assert.equal(status()?.State, 'rollback_completed');
  });

  it('turns to a newer spec in the middle, and never runs two of a slot at once', () => {
    running(4, { Parallelism: 2 });
    world.setImage('web', 'web:2');
    world.planAll();
    const halfway = fresh();
    world.setImage('web', 'web:3');
    world.planAll();
    for (const task of halfway) assert.equal(world.store.get('Task', task.ID)?.DesiredState, 'shutdown');
    for (const task of halfway) world.report(task, 'shutdown');
    world.planAll();
    // Tasks of the first spec in those slots have not stopped: their slots start nothing.
    const slots = new Set(halfway.map((task) => task.Slot));
    for (const task of world.wanted('web')) if (slots.has(task.Slot)) assert.equal(task.DesiredState, 'ready');
    world.settle();
    assert.deepEqual(world.images(world.running('web')), Array(4).fill('web:3'));
  });

  it('replaces tasks whose ports or forced update changed', () => {
    running(2);
    const before = world.running('web').map((task) => task.ID);
    world.update('web', (spec) => {
      spec.TaskTemplate!.ForceUpdate = 1;
    });
    world.settle();
    const forced = world.running('web').map((task) => task.ID);
    assert.ok(!forced.some((id) => before.includes(id)));
    world.update('web', (spec) => {
      spec.EndpointSpec = { Ports: [{ Protocol: 'tcp', TargetPort: 80, PublishedPort: 8080, PublishMode: 'ingress' }] };
    });
    world.settle();
    assert.ok(!world.running('web').some((task) => forced.includes(task.ID)));
    for (const task of world.running('web')) assert.equal(task.Spec?.EndpointPorts[0]?.PublishedPort, 8080);
  });

  it('leaves tasks alone whose spec came back to what it was', () => {
    running(3);
    const before = world.running('web').map((task) => task.ID);
    world.setImage('web', 'web:2');
    world.setImage('web', 'web:1');
    world.settle();
    assert.deepEqual(
      world.running('web').map((task) => task.ID),
      before,
    );
    assert.equal(status(), null);
  });

  it('moves only the tasks that new constraints do not allow where they are', () => {
    world.setNode('node1', { Labels: { zone: 'a' } });
    world.setNode('node2', { Labels: { zone: 'a' } });
    running(3);
    const before = world.running('web');
    world.update('web', (spec) => {
      spec.TaskTemplate!.Placement = { Constraints: ['node.labels.zone==a'] };
    });
    world.settle();
    const after = world.running('web');
    assert.deepEqual([...world.spread(after).keys()].sort(), ['node1', 'node2']);
    const ids = after.map((task) => task.ID);
    for (const task of before) assert.equal(ids.includes(task.ID), task.NodeID !== 'node3');
  });

  it('replaces on its own node a task that leaves no room beside it', () => {
    const EndpointSpec = { Ports: [{ Protocol: 'tcp', TargetPort: 80, PublishedPort: 80, PublishMode: 'host' }] };
    const Resources = { Reservations: { NanoCPUs: 3e9 } };
    running(3, { Parallelism: 0 }, { EndpointSpec, TaskTemplate: { Resources } });
    assert.equal(world.spread(world.running('web')).size, 3);
    world.setImage('web', 'web:2');
    world.settle();
    assert.equal(world.spread(world.running('web')).size, 3);
    assert.deepEqual(world.images(world.running('web')), Array(3).fill('web:2'));
  });

  it('goes on when another leader takes over, whatever it was at', () => {
    running(5, { Parallelism: 2, Delay: 3 * second, Order: 'start-first' });
    world.setImage('web', 'web:2');
    for (let step = 0; step < 60; step++) {
      // Every plan is made by a reconcile that has seen nothing before.
      const { transactions, wakeAt } = world.look();
      for (const transaction of transactions) world.apply(transaction);
      assert.ok(world.running('web').length >= 5);
      assert.ok(world.wanted('web').length <= 7);
      if (!world.work() && transactions.length === 0 && wakeAt !== undefined) world.now = wakeAt;
    }
    assert.equal(status()?.State, 'completed');
  });

  it('updates a service with no replicas without a word', () => {
    running(0);
    world.setImage('web', 'web:2');
    world.settle();
    assert.equal(status(), null);
    world.scale('web', 2);
    world.settle();
    assert.deepEqual(world.images(world.running('web')), ['web:2', 'web:2']);
  });

  it('replaces tasks that had ended for good as well', () => {
    running(2, undefined, { TaskTemplate: { RestartPolicy: { Condition: 'none' } } });
    for (const task of world.running('web')) world.report(task, 'complete');
    world.settle();
    assert.equal(world.wanted('web').length, 0);
    world.setImage('web', 'web:2');
    world.settle();
    assert.deepEqual(world.images(world.running('web')), ['web:2', 'web:2']);
  });

  it('leaves a slot that serves to its turn when the task that was to come after it is gone, whatever the order was then', () => {
    running(3, { Parallelism: 0, Order: 'start-first' });
    world.setImage('web', 'web:2');
    world.planAll();
    assert.equal(fresh().length, 3, 'all are to start beside the old');
    const gone = fresh().map((task) => task.ID);
    world.update('web', (spec) => {
      spec.TaskTemplate!.ContainerSpec!.Image = 'web:3';
      spec.UpdateConfig = { Parallelism: 1, Order: 'stop-first' };
    });
    for (const id of gone) world.report(world.store.get('Task', id)!, 'failed');
    world.planAll();
    const serving = world.running('web');
    assert.equal(serving.length, 2, 'one slot at a time');
    const successors = world.wanted('web').filter((task) => task.Spec?.ContainerSpec?.Image === 'web:3');
    assert.deepEqual(
      successors.map(({ DesiredState }) => DesiredState),
      ['ready'],
    );
    world.settle();
    assert.deepEqual(world.images(world.running('web')), Array(3).fill('web:3'));
  });

  it('stops what was to run beside its successor once it is told to stop first', () => {
    running(1, { Parallelism: 1, Order: 'start-first', FailureAction: 'continue' });
    world.setImage('web', 'web:2');
    world.planAll();
    world.report(fresh()[0]!, 'failed');
    world.planAll();
    const [restarted] = fresh();
    assert.equal(restarted?.DesiredState, 'ready');
    world.report(restarted!, 'ready');
    world.update('web', (spec) => {
      spec.UpdateConfig = { Parallelism: 1, Order: 'stop-first' };
    });
    world.pass(3600_000);
    world.planAll();
    const [before] = world.tasks('web').filter((task) => !isNew(task));
    assert.equal(before?.DesiredState, 'shutdown');
    assert.equal(fresh()[0]!.DesiredState, 'ready', 'that one has not stopped yet');
    world.report(before!, 'shutdown');
    world.planAll();
    assert.equal(fresh()[0]!.DesiredState, 'running');
  });

  it('leaves what serves in peace when the one that was to follow it is itself out of date', () => {
    running(3, { Parallelism: 0, Order: 'start-first', FailureAction: 'continue' });
    world.setImage('web', 'web:2');
    world.planAll();
    for (const task of fresh()) world.report(task, 'failed');
    world.planAll();
    assert.deepEqual(
      fresh().map(({ DesiredState }) => DesiredState),
      ['ready', 'ready', 'ready'],
    );
    world.update('web', (spec) => {
      spec.TaskTemplate!.ContainerSpec!.Image = 'web:3';
      spec.UpdateConfig = { Parallelism: 1, Order: 'stop-first' };
    });
    world.pass(3600_000);
    world.planAll();
    assert.equal(world.running('web').length, 2, 'one slot at a time');
    world.settle();
    assert.deepEqual(world.images(world.running('web')), Array(3).fill('web:3'));
  });

  it('counts as under way what an update before began with the spec that is the present one again', () => {
    running(5, { Parallelism: 2, FailureAction: 'continue' });
    const to = (image: string, Parallelism: number) => {
      world.update('web', (spec) => {
        spec.TaskTemplate!.ContainerSpec!.Image = image;
        spec.UpdateConfig = { Parallelism };
      });
      world.planAll();
    };
    to('web:2', 2);
    assert.equal(old().length, 3);
    to('web:3', 1);
    to('web:2', 2);
    assert.equal(old().length, 3, 'two slots at a time');
    world.settle();
    assert.deepEqual(world.images(world.running('web')), Array(5).fill('web:2'));
  });

  it('runs no more than two of a slot at once, however fast updates follow each other', () => {
    running(1, { Parallelism: 1, Order: 'start-first' });
    world.setImage('web', 'web:2');
    world.planAll();
    const [second] = fresh();
    world.report(second!, 'running');
    world.planAll();
    const [first] = world.tasks('web').filter((task) => !isNew(task));
    assert.equal(first?.DesiredState, 'shutdown');
    world.setImage('web', 'web:3');
    world.planAll();
    const third = () => world.wanted('web').find((task) => task.Spec?.ContainerSpec?.Image === 'web:3');
    assert.equal(third()?.DesiredState, 'ready', 'the first has not stopped');
    world.report(first!, 'shutdown');
    world.planAll();
    assert.equal(third()?.DesiredState, 'running');
    assert.equal(world.store.get('Task', second!.ID)?.DesiredState, 'running');
  });
});
