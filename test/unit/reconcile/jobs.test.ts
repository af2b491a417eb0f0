import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { ReplicatedJobInit, RestartPolicyInit } from '../../../src/model/types.js';
import { Orchestra } from '../../helpers/orchestra.js';

describe('a job', () => {
  let world: Orchestra;
  beforeEach(() => {
    world = new Orchestra();
    world.addNodes(3);
    world.fate = () => 'complete';
  });

  function job(
    Mode: { ReplicatedJob: ReplicatedJobInit } | { GlobalJob: object },
    RestartPolicy: RestartPolicyInit = {},
  ): void {
    const policy = { Condition: 'on-failure', Delay: 1e9, ...RestartPolicy };
    const service = world.create('job', 0, { Mode, TaskTemplate: { RestartPolicy: policy } });
    world.commit([{ Action: 'update', Service: { ...service, JobStatus: { JobIteration: { Index: 0 } } } }]);
  }
  const replicated = (MaxConcurrent: number, TotalCompletions: number, policy?: RestartPolicyInit) =>
    job({ ReplicatedJob: { MaxConcurrent, TotalCompletions } }, policy);
  const completed = () => world.tasks('job').filter((task) => task.Status?.State === 'complete');
  const underWay = () => world.wanted('job');

  /** As the API does it: every update is another run. */
  function runAgain(): void {
    const before = world.service('job').JobStatus!.JobIteration!.Index;
    world.update('job', (spec) => {
      spec.TaskTemplate!.ForceUpdate = before + 1;
    });
    const JobStatus = { JobIteration: { Index: before + 1 } };
    world.commit([{ Action: 'update', Service: { ...world.service('job'), JobStatus } }]);
  }

  it('runs as many tasks at once as it may, until there are as many completions as asked for', () => {
    replicated(2, 5);
    world.planAll();
    assert.equal(underWay().length, 2);
    assert.ok(underWay().every((task) => task.DesiredState === 'complete' && task.JobIteration?.Index === 0));
    while (world.work() || world.plan()) assert.ok(underWay().length <= 2);
    assert.equal(completed().length, 5);
    assert.deepEqual(
      completed().map((task) => task.Slot),
      [0, 1, 2, 3, 4], // as in Docker, whose client follows them by these numbers
    );
    world.settle();
    assert.equal(world.tasks('job').length, 5);
  });

  it('tries failed runs again in their slot, after the restart delay', () => {
    replicated(3, 3);
    world.planAll();
    const [first] = underWay();
    world.report(first!, 'failed');
    world.planAll();
    const again = underWay().find((task) => task.Slot === first!.Slot)!;
    assert.equal(again.DesiredState, 'ready');
    world.pass(1000);
    world.planAll();
    assert.equal(world.store.get('Task', again.ID)?.DesiredState, 'complete');
    world.settle();
    assert.equal(completed().length, 3);
  });

  it('gives up where its restart policy says so', () => {
    world.fate = (task) => (task.Slot === 1 ? 'failed' : 'complete');
    replicated(1, 3, { MaxAttempts: 2 });
    world.settle();
    assert.equal(completed().length, 2);
    assert.equal(world.tasks('job').filter((task) => task.Status?.State === 'failed').length, 3);
    world.pass(3_600_000);
    assert.deepEqual(world.look().transactions, []);
  });

  it('never runs again what has completed, even if its node is lost', () => {
    replicated(3, 3);
    world.settle();
    world.setNodeState('node1', 'down');
    world.setNode('node2', { Availability: 'drain' });
    world.settle();
    assert.equal(world.tasks('job').length, 3);
  });

  it('runs elsewhere what was lost with its node', () => {
    world.fate = () => 'running';
    replicated(3, 3);
    world.settleNow();
    world.setNodeState('node1', 'down');
    world.settleNow();
    assert.equal(world.running('job').length, 3);
    assert.equal(world.spread(world.running('job')).get('node1'), undefined);
  });

  it('runs all over when it is updated, and its former run is cleared away', () => {
    replicated(2, 4);
    world.settle();
    const before = world.tasks('job').map((task) => task.ID);
    runAgain();
    world.settle();
    assert.equal(completed().length, 4);
    assert.ok(world.tasks('job').every((task) => !before.includes(task.ID) && task.JobIteration?.Index === 1));
    assert.equal(world.service('job').UpdateStatus, null);
  });

  it('of the global kind completes once on every node, on those that come later too', () => {
    job({ GlobalJob: {} });
    world.settle();
    assert.deepEqual([...world.spread(completed()).keys()].sort(), ['node1', 'node2', 'node3']);
    world.addNode('node4');
    world.settle();
    assert.equal(completed().length, 4);
    assert.equal(world.tasks('job').length, 4);
    runAgain();
    world.settle();
    assert.equal(completed().length, 4);
  });

  it('completes exactly what was asked, whatever fails on the way', () => {
    const step = fc.record({
      kind: fc.constantFrom('plan', 'work', 'fail', 'down', 'up', 'pass', 'drain', 'active'),
      at: fc.nat(9),
    });
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60 }),
        fc.integer({ min: 1, max: 4 }),
        fc.nat(8),
        (steps, most, total) => {
          world = new Orchestra();
          world.addNodes(3);
          world.fate = () => 'complete';
          replicated(most, total);
          for (const { kind, at } of steps) {
            const id = `node${(at % 3) + 1}`;
            const task = underWay()[at % Math.max(1, underWay().length)];
            if (kind === 'plan') world.plan();
            if (kind === 'work') world.work();
            if (kind === 'fail' && task !== undefined && task.NodeID !== '') world.report(task, 'failed');
            if (kind === 'down') world.setNodeState(id, 'down');
            if (kind === 'up') world.setNodeState(id, 'ready');
            if (kind === 'drain' || kind === 'active') world.setNode(id, { Availability: kind });
            if (kind === 'pass') world.pass(at * 500);
            assert.ok(underWay().length <= most);
          }
          for (const id of ['node1', 'node2', 'node3']) {
            world.setNodeState(id, 'ready');
            world.setNode(id, { Availability: 'active' });
          }
          world.settle();
          assert.equal(completed().length, total);
          assert.equal(underWay().length, 0);
        },
      ),
      {
        numRuns: 150,
        // once failed: three runs of one slot made within one millisecond, taken for each other's elders
        examples: [
          [
            [
              { kind: 'plan', at: 0 },
              { kind: 'drain', at: 0 },
              { kind: 'plan', at: 0 },
              { kind: 'fail', at: 0 },
            ],
            1,
            1,
          ],
        ],
      },
    );
  });
});
