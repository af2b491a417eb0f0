import assert from 'node:assert/strict';
import { Orchestra } from '../../helpers/orchestra.js';

describe('tasks and the nodes they are on', () => {
  let world: Orchestra;
  beforeEach(() => {
    world = new Orchestra();
    world.addNodes(3);
  });

  it('run elsewhere at once when their node is lost', () => {
    world.create('web', 6);
    world.settle();
    const lost = world.running('web').filter((task) => task.NodeID === 'node1');
    world.setNodeState('node1', 'down');
    world.plan();
    for (const task of lost) assert.equal(world.store.get('Task', task.ID)?.DesiredState, 'shutdown');
    assert.ok(world.wanted('web').every((task) => task.NodeID !== 'node1' && task.DesiredState === 'running'));
    world.settle();
    assert.equal(world.running('web').length, 6);
    assert.deepEqual([...world.spread(world.running('web')).values()], [3, 3]);
  });

  it('stop on a node that comes back once they run elsewhere', () => {
    world.create('web', 3);
    world.settle();
    world.setNodeState('node1', 'down');
    world.settle();
    const stale = world.tasks('web').filter((task) => task.NodeID === 'node1' && task.Status?.State === 'running');
    assert.equal(stale.length, 1);
    world.setNodeState('node1', 'ready');
    world.settle();
    assert.equal(world.store.get('Task', stale[0]!.ID)?.Status?.State, 'shutdown');
    assert.equal(world.running('web').length, 3);
  });

  it('wait when no node is left, and are placed when one comes', () => {
    world.create('web', 2);
    world.settle();
    for (const id of ['node1', 'node2', 'node3']) world.setNodeState(id, 'down');
    world.settle();
    assert.deepEqual(
      world.wanted('web').map((task) => task.Status?.Err),
      Array(2).fill('no suitable node (3 nodes not available for new tasks)'),
    );
    world.setNodeState('node2', 'ready');
    world.settle();
    assert.equal(world.running('web').length, 2);
  });

  it('leave a drained node, each once its predecessor has stopped', () => {
    world.create('web', 3);
    world.settle();
    world.setNode('node1', { Availability: 'drain' });
    world.plan();
    const moved = world.wanted('web').find((task) => task.ReplacesTaskID !== '')!;
    assert.equal(moved.DesiredState, 'ready');
    assert.equal(moved.StartAfter, '', 'the restart delay does not apply');
    world.settle();
    assert.equal(world.running('web').length, 3);
    assert.equal(world.spread(world.running('web')).get('node1'), undefined);
  });

  it('leave a drained node without loss of capacity when the service starts first', () => {
    world.create('web', 3, { UpdateConfig: { Parallelism: 1, Order: 'start-first' } });
    world.settle();
    world.setNode('node1', { Availability: 'drain' });
    for (let step = 0; step < 10; step++) {
      world.plan();
      assert.ok(world.running('web').length >= 3);
      world.work();
    }
    world.settle();
    assert.equal(world.running('web').length, 3);
    assert.equal(world.spread(world.running('web')).get('node1'), undefined);
    assert.equal(world.service('web').UpdateStatus, null);
  });

  it('stay on a node that is paused, which gets no new ones', () => {
    world.create('web', 3);
    world.settle();
    world.setNode('node1', { Availability: 'pause' });
    world.scale('web', 6);
    world.settle();
    assert.equal(world.spread(world.running('web')).get('node1'), 1);
    assert.equal(world.running('web').length, 6);
  });

  it('are orphaned and replaced when their node is removed', () => {
    world.create('web', 3);
    world.settle();
    const lost = world.running('web').find((task) => task.NodeID === 'node1')!;
    world.removeNode('node1');
    world.settle();
    assert.equal(world.store.get('Task', lost.ID)?.Status?.State, 'orphaned');
    assert.equal(world.running('web').length, 3);
  });

  it('leave the store at once when their service is gone and their node cannot be told', () => {
    world.create('web', 3);
    world.settle();
    world.setNodeState('node1', 'down');
    world.removeNode('node2');
    world.removeService('web');
    world.settle();
    assert.equal(world.tasks().length, 0);
  });

  it('move when a label of their node no longer satisfies their constraints', () => {
    for (const id of ['node1', 'node2', 'node3']) world.setNode(id, { Labels: { zone: 'a' } });
    world.create('web', 3, { TaskTemplate: { Placement: { Constraints: ['node.labels.zone==a'] } } });
    world.settle();
    world.setNode('node2', { Labels: { zone: 'b' } });
    world.settle();
    assert.equal(world.running('web').length, 3);
    assert.equal(world.spread(world.running('web')).get('node2'), undefined);
  });

  it('stop at once where their constraints forbid them, though nobody can follow and the service starts first', () => {
    for (const id of ['node1', 'node2', 'node3']) world.setNode(id, { Labels: { zone: 'a' } });
    const Placement = { Constraints: ['node.labels.zone==a'], MaxReplicas: 1 };
    world.create('web', 3, { TaskTemplate: { Placement }, UpdateConfig: { Parallelism: 1, Order: 'start-first' } });
    world.settle();
    world.setNode('node2', { Labels: { zone: 'b' } });
    world.settle();
    assert.deepEqual([...world.spread(world.running('web')).keys()].sort(), ['node1', 'node3']);
  });

  it('are not moved by a restart policy that forbids restarts', () => {
    world.create('web', 3, { TaskTemplate: { RestartPolicy: { Condition: 'none' } } });
    world.settle();
    world.setNodeState('node1', 'down');
    world.settle();
    assert.equal(world.running('web').length, 2);
  });
});

describe('a global service', () => {
  let world: Orchestra;
  beforeEach(() => {
    world = new Orchestra();
    world.addNodes(3);
    world.create('agent', 0, { Mode: { Global: {} } });
    world.settle();
  });
  const nodes = () => [...world.spread(world.running('agent')).keys()].sort();

  it('has one task on every node, named after it', () => {
    assert.deepEqual(nodes(), ['node1', 'node2', 'node3']);
    assert.equal(world.running('agent').length, 3);
    for (const task of world.running('agent')) {
      assert.equal(task.Slot, 0);
      assert.equal(task.Name, `agent.${task.NodeID}`);
    }
  });

  it('comes to a new node at once', () => {
    world.addNode('node4');
    world.settle();
    assert.deepEqual(nodes(), ['node1', 'node2', 'node3', 'node4']);
  });

  it('leaves a drained node, and comes back when it is active again', () => {
    world.setNode('node2', { Availability: 'drain' });
    world.settle();
    assert.deepEqual(nodes(), ['node1', 'node3']);
    world.setNode('node2', { Availability: 'active' });
    world.settle();
    assert.deepEqual(nodes(), ['node1', 'node2', 'node3']);
  });

  it('runs nowhere else when its node is lost, and again there when it is back', () => {
    world.setNodeState('node2', 'down');
    world.settle();
    assert.deepEqual(nodes(), ['node1', 'node3']);
    world.setNodeState('node2', 'ready');
    world.settle();
    assert.deepEqual(nodes(), ['node1', 'node2', 'node3']);
    assert.equal(world.running('agent').length, 3);
  });

  it('follows its constraints', () => {
    world.setNode('node1', { Labels: { gpu: 'yes' } });
    world.update('agent', (spec) => {
      spec.TaskTemplate!.Placement = { Constraints: ['node.labels.gpu==yes'] };
    });
    world.settle();
    assert.deepEqual(nodes(), ['node1']);
    world.setNode('node3', { Labels: { gpu: 'yes' } });
    world.settle();
    assert.deepEqual(nodes(), ['node1', 'node3']);
  });

  it('is updated node by node', () => {
    world.setImage('agent', 'web:2');
    world.planAll();
    assert.equal(world.images(world.wanted('agent')).filter((image) => image === 'web:2').length, 1);
    world.settle();
    assert.deepEqual(world.images(world.running('agent')), Array(3).fill('web:2'));
    assert.deepEqual(nodes(), ['node1', 'node2', 'node3']);
    assert.equal(world.service('agent').UpdateStatus?.State, 'completed');
  });

  it('is left as it is on a paused node while it is updated elsewhere', () => {
    world.setNode('node2', { Availability: 'pause' });
    world.setImage('agent', 'web:2');
    world.settle();
    assert.deepEqual(world.images(world.running('agent')), ['web:1', 'web:2', 'web:2']);
    world.setNode('node2', { Availability: 'active' });
    world.settle();
    assert.deepEqual(world.images(world.running('agent')), Array(3).fill('web:2'));
  });

  it('restarts on the node where it failed', () => {
    const [task] = world.running('agent');
    world.report(task!, 'failed');
    world.settle();
    assert.deepEqual(nodes(), ['node1', 'node2', 'node3']);
  });

  it('waits for a node that has no room for it, says why, and comes the moment there is', () => {
    world.addNode('small', { Description: { Resources: { NanoCPUs: 1e8, MemoryBytes: 1 } } });
    world.addNode('paused', { Spec: { Availability: 'pause' } });
    world.create('big', 0, { Mode: { Global: {} }, TaskTemplate: { Resources: { Reservations: { NanoCPUs: 1e9 } } } });
    world.settle();
    assert.equal(world.running('big').length, 3);
    assert.deepEqual(world.look().transactions, []);
    const waiting = () => world.wanted('big').filter(({ NodeID }) => NodeID === '');
    const [task] = waiting();
    assert.deepEqual([task?.OnlyNodeID, task?.Name, task?.Status?.State], ['small', 'big.small', 'pending']);
    assert.equal(task?.Status?.Err, 'insufficient resources on 1 node');
    world.setImage('big', 'web:2'); // it is made anew, and does not hold up the update of the others
    world.settle();
    assert.equal(world.images(world.running('big')).join(), 'web:2,web:2,web:2');
    assert.deepEqual(world.images(waiting()), ['web:2']);
    world.setNode('small', { Availability: 'drain' });
    world.settle();
    assert.deepEqual(waiting(), []);
    world.setNode('small', { Availability: 'active' });
    world.settle();
    assert.equal(waiting().length, 1);
    const Description = { ...world.node('small').Description, Resources: { NanoCPUs: 4e9 } };
    world.commit([{ Action: 'observe', Node: { ID: 'small', Description, Status: world.node('small').Status } }]);
    world.settle();
    assert.deepEqual([waiting().length, world.running('big').length], [0, 4]);
  });

  it('leaves the nodes that new constraints rule out, whatever the order of its update, and comes to rest', () => {
    world.setNode('node1', { Labels: { zone: 'a' } });
    for (const Order of ['start-first', 'stop-first']) {
      for (const Condition of ['any', 'none']) {
        world.update('agent', (spec) => {
          spec.UpdateConfig = { Parallelism: 1, Order };
          spec.TaskTemplate!.Placement = { Constraints: [] };
          spec.TaskTemplate!.RestartPolicy = { Condition };
        });
        world.settle();
        world.update('agent', (spec) => {
          spec.TaskTemplate!.Placement = { Constraints: ['node.labels.zone==a'] };
        });
        world.settle();
        assert.deepEqual(nodes(), ['node1']);
        assert.deepEqual(world.look().transactions, []);
        assert.notEqual(world.service('agent').UpdateStatus?.State, 'updating');
      }
    }
  });

  it('gives no node up to an update that has no room there', () => {
    world.settle();
    world.update('agent', (spec) => {
      spec.TaskTemplate!.Resources = { Reservations: { NanoCPUs: 64e9 } };
    });
    world.settle();
    assert.equal(world.running('agent').length, 2); // one at a time, and the first waits
    assert.equal(world.service('agent').UpdateStatus?.State, 'updating');
  });
});
