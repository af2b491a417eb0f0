import assert from 'node:assert/strict';
import type { TransactionInit } from '../../../src/model/types.js';
import { encodeTransaction } from '../../../src/store/entry.js';
import { Orchestra } from '../../helpers/orchestra.js';

describe('reconcile of a replicated service', () => {
  let world: Orchestra;
  beforeEach(() => {
    world = new Orchestra();
    world.addNodes(3);
  });

  it('makes every replica with its slot and its node in one entry', () => {
    const service = world.create('web', 5);
    const [transaction, ...others] = world.look().transactions;
    assert.equal(others.length, 0);
    const actions = transaction!.Operations!.map((operation) => operation.Action);
    assert.deepEqual(
      actions.filter((action) => action === 'create'),
      Array(5).fill('create'),
    );
    assert.equal(transaction!.Origin, 'reconcile');
    world.apply(transaction!);
    const tasks = world.tasks('web');
    assert.deepEqual(
      tasks.map((task) => task.Slot),
      [1, 2, 3, 4, 5],
    );
    for (const task of tasks) {
      assert.notEqual(task.NodeID, '');
      assert.equal(task.Status?.State, 'assigned');
      assert.equal(task.Status?.Message, 'scheduler assigned task to node');
      assert.equal(task.DesiredState, 'running');
      assert.equal(task.Name, `web.${task.Slot}`);
      assert.equal(task.ServiceName, 'web');
      assert.equal(task.SpecVersion, service.SpecVersion);
      assert.equal(task.StartAfter, '');
    }
    assert.deepEqual([...world.spread(tasks).values()].sort(), [1, 2, 2]);
  });

  it('proposes nothing when all is as it should be', () => {
    world.create('web', 5);
    world.settle();
    assert.equal(world.running('web').length, 5);
    assert.deepEqual(world.look().transactions, []);
    assert.deepEqual(world.look().wakeAt, undefined);
  });

  it('fills the lowest free slots when it scales up', () => {
    world.create('web', 3);
    world.settle();
    world.scale('web', 1);
    world.settle();
    const [left] = world.running('web');
    world.scale('web', 4);
    world.settle();
    assert.deepEqual(
      world.running('web').map((task) => task.Slot),
      [1, 2, 3, 4],
    );
    assert.ok(world.running('web').some((task) => task.ID === left!.ID));
  });

  it('takes replicas from the fullest node first when it scales down', () => {
    world.setNode('node3', { Availability: 'pause' });
    world.create('web', 6); // three each on node1 and node2
    world.settle();
    world.setNode('node3', { Availability: 'active' });
    world.scale('web', 7);
    world.settle();
    assert.equal(world.spread(world.running('web')).get('node3'), 1);
    world.scale('web', 5);
    world.settle();
    const spread = world.spread(world.running('web'));
    assert.deepEqual([spread.get('node1'), spread.get('node2'), spread.get('node3')], [2, 2, 1]);
  });

  it('takes the newest slot of a node first, and removes its task for good', () => {
    world.create('web', 6);
    world.settle();
    world.scale('web', 3);
    world.planAll();
    const leaving = world.tasks('web').filter((task) => task.DesiredState === 'remove');
    assert.deepEqual(
      leaving.map((task) => task.Slot),
      [4, 5, 6],
    );
    world.settle();
    assert.equal(world.tasks('web').length, 3);
  });

  it('takes replicas that do not run before those that do', () => {
    world.create('web', 3);
    world.planAll();
    const [first, second, third] = world.tasks('web');
    world.report(second!, 'running');
    world.report(third!, 'running');
    world.scale('web', 2);
    world.planAll();
    assert.equal(world.store.get('Task', first!.ID)?.DesiredState, 'remove');
    assert.equal(world.wanted('web').length, 2);
  });

  it('replaces no task when only replicas or labels change', () => {
    world.create('web', 3);
    world.settle();
    const before = world.running('web').map((task) => task.ID);
    world.update('web', (spec) => {
      spec.Labels = { team: 'a' };
    });
    world.scale('web', 4);
    world.settle();
    const after = world.running('web').map((task) => task.ID);
    assert.ok(before.every((id) => after.includes(id)));
    assert.equal(after.length, 4);
    assert.equal(world.service('web').UpdateStatus, null);
  });

  it('stops and removes the tasks of a service that is gone', () => {
    world.create('web', 4);
    world.settle();
    world.removeService('web');
    world.planAll();
    assert.ok(world.tasks().every((task) => task.DesiredState === 'remove'));
    assert.equal(world.tasks().length, 4);
    world.settle();
    assert.equal(world.tasks().length, 0);
  });

  it('removes at once what never got to a node', () => {
    world.create('web', 2, { TaskTemplate: { Placement: { Constraints: ['node.labels.zone==x'] } } });
    world.settle();
    assert.equal(world.tasks('web').length, 2);
    world.removeService('web');
    world.planAll();
    assert.equal(world.tasks().length, 0);
  });

  it('says why a task has no node, and places it as soon as it can', () => {
    world.setNode('node2', { Availability: 'drain' });
    world.setNode('node3', { Availability: 'pause' });
    world.create('web', 1, { TaskTemplate: { Placement: { Constraints: ['node.labels.zone == x'] } } });
    world.settle();
    const [task] = world.tasks('web');
    assert.equal(task!.Status?.State, 'pending');
    assert.equal(
      task!.Status?.Err,
      'no suitable node (2 nodes not available for new tasks; scheduling constraints not satisfied on 1 node)',
    );
    assert.deepEqual(world.look().transactions, []);
    assert.ok(world.look().waiting.has(task!.ServiceID));
    world.setNode('node1', { Labels: { zone: 'x' } });
    world.settle();
    const [placed] = world.running('web');
    assert.equal(placed?.ID, task!.ID);
    assert.equal(placed?.NodeID, 'node1');
    assert.equal(placed?.Status?.Err, '');
  });

  it('makes thousands of tasks in one look, as entries that a manager can apply between two heartbeats', () => {
    world.create('web', 4500);
    const { transactions, left } = world.look();
    assert.equal(left.size, 0);
    const births = transactions.map(({ Operations }) => Operations!.filter(({ Action }) => Action === 'create').length);
    assert.deepEqual(births, [2000, 2000, 500]);
    world.planAll();
    assert.equal(world.plans, 1);
    assert.equal(world.wanted('web').length, 4500);
    const spread = [...world.spread(world.wanted('web')).values()];
    assert.ok(Math.max(...spread) - Math.min(...spread) <= 1);
  });

  it('divides a large plan by node, so that each entry is news to few of them', () => {
    world = new Orchestra();
    world.addNodes(30);
    for (const name of ['web', 'db']) world.create(name, 2500);
    const { transactions } = world.look();
    assert.equal(transactions.length, 3);
    const nodesOf = ({ Operations = [] }: TransactionInit) =>
      new Set(Operations.flatMap(({ Action, Task }) => (Action === 'create' ? Task!.NodeID! : [])));
    const told = transactions.reduce((sum, transaction) => sum + nodesOf(transaction).size, 0);
    assert.ok(told <= world.store.count('Node') + transactions.length - 1, `${told} messages to nodes`);
    world.planAll();
    const spread = [...world.spread(world.wanted('web')).values()];
    assert.ok(Math.max(...spread) - Math.min(...spread) <= 1);
  });

  it('does not divide by node what is of many services that say much: each entry would hold all their specs', () => {
    world = new Orchestra();
    world.addNodes(30);
    const services = 60;
    const FILL = 'x'.repeat(30_000);
    for (let at = 0; at < services; at++) {
      world.create(`web${at}`, 50, { TaskTemplate: { ContainerSpec: { Image: 'web:1', Env: [`FILL=${FILL}${at}`] } } });
    }
    let bytes = 0;
    const { transactions } = world.look();
    for (const transaction of transactions) bytes += encodeTransaction(transaction).length;
    assert.ok(transactions.length > 1);
    assert.ok(bytes < 1.5 * services * FILL.length + 3000 * 400, `${bytes} bytes`);
  });

  it('makes no entry that is large for its specs', () => {
    const FILL = 'x'.repeat(30_000);
    for (let at = 0; at < 150; at++) {
      const Env = [`FILL=${at}${FILL}`];
      world.create(`web${at}`, 1, { TaskTemplate: { ContainerSpec: { Image: 'web:1', Env } } });
    }
    const { transactions } = world.look();
    assert.equal(transactions.length, 3);
    for (const transaction of transactions) assert.ok(encodeTransaction(transaction).length < 2.1 * 2 ** 20);
    world.planAll();
    assert.equal(world.wanted().length, 150);
  });

  it('leaves to the next plan what would hold up everything else for too long', () => {
    world.create('web', 10_000);
    assert.equal(world.look().left.size, 1);
    world.planAll();
    assert.equal(world.plans, 2);
    assert.equal(world.wanted('web').length, 10_000);
  });

  it('leaves last what it has begun with, so that a large service does not keep the others waiting', () => {
    world.create('big', 10_000);
    world.create('small', 2);
    const left = [...world.look().left].map((id) => world.store.get('Service', id)?.Spec?.Name);
    assert.deepEqual(left, ['small', 'big']);
  });

  it('is right after each of a plan’s entries, so that another leader can go on from there', () => {
    world.create('web', 4500);
    world.settle();
    world.update('web', (spec) => {
      spec.TaskTemplate!.ContainerSpec!.Image = 'web:2';
      spec.UpdateConfig = { Parallelism: 0 };
    });
    let cut = 0;
    while (world.service('web').UpdateStatus?.State !== 'completed') {
      const { transactions, wakeAt } = world.look();
      const [first, ...others] = transactions;
      if (first !== undefined) world.apply(first);
      cut += others.length;
      const slots = world.wanted('web').map(({ Slot }) => Slot);
      assert.equal(slots.length, 4500);
      assert.equal(new Set(slots).size, 4500);
      if (!world.work() && first === undefined && wakeAt !== undefined) world.now = wakeAt;
    }
    assert.ok(cut > 0);
    assert.ok(world.running('web').every((task) => task.Spec?.ContainerSpec?.Image === 'web:2'));
  });

  it('writes a service together with all that is done for it', () => {
    world.create('web', 4500);
    world.planAll();
    world.create('other', 5000);
    world.update('web', (spec) => {
      spec.TaskTemplate!.ContainerSpec!.Image = 'web:2';
      spec.UpdateConfig = { Parallelism: 0 };
    });
    for (let plans = 0; plans < 20; plans++) {
      const { transactions } = world.look();
      for (const [at, { Operations }] of transactions.entries()) {
        const isWritten = transactions[0]!.Operations!.some(({ Service }) => Service?.ID === world.service('web').ID);
        const isTouched = Operations!.some(({ Task }) => Task?.ServiceID === world.service('web').ID);
        assert.ok(!(isWritten && isTouched) || at === 0);
      }
      for (const transaction of transactions) world.apply(transaction);
    }
    assert.equal(world.wanted('web').filter((task) => task.Spec?.ContainerSpec?.Image === 'web:2').length, 4500);
    assert.equal(world.wanted('other').length, 5000);
  });

  it('refuses nothing and loses nothing when the service changed while the plan was on its way', () => {
    world.create('web', 2);
    const stale = world.look().transactions[0]!;
    world.scale('web', 1);
    assert.throws(() => world.apply(stale), /changed meanwhile/);
    world.settle();
    assert.equal(world.running('web').length, 1);
  });

  it('is refused when a node it chose was changed meanwhile', () => {
    world.create('web', 3);
    const stale = world.look().transactions[0]!;
    world.setNode('node1', { Availability: 'drain' });
    assert.throws(() => world.apply(stale), /node1 changed meanwhile/);
    world.settle();
    assert.equal(world.spread(world.running('web')).get('node1'), undefined);
  });
});
