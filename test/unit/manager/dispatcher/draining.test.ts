import assert from 'node:assert/strict';
import { TestCluster, type TestManager, type TestNode } from '../../../helpers/dispatch-cluster.js';

describe('a task that serves a port and shall end', () => {
  let cluster: TestCluster;
  let one: TestManager;
  let two: TestManager;
  let owner: TestNode;
  let other: TestNode;

  beforeEach(async () => {
    cluster = await TestCluster.start(2);
    [one, two] = cluster.managers as [TestManager, TestManager];
    owner = await cluster.connected(one);
    other = await cluster.connected(two);
    await cluster.runWeb('a', owner.id);
    await cluster.runWeb('b', other.id);
    await cluster.until(() => [owner, other].every((node) => node.routed[0] === 'tcp/8080: a b'));
    await cluster.pass(4_000); // the managers know of each other by now
    for (const node of [owner, other]) node.acknowledges = false;
  });
  afterEach(() => cluster.stop());

  /** Waits until everything that the managers had to say so far has arrived at the owner, and gives what it was told of the task. */
  const told = async (): Promise<string | undefined> => {
    const marker = `marker ${owner.assignments.length}`;
    await cluster.pass(1_000);
    await cluster.commit([
      { Action: 'create', Task: { ID: marker, ServiceID: 's', NodeID: owner.id, DesiredState: 'running' } },
    ]);
    await cluster.until(() => marker in owner.desired);
    return owner.desired.a;
  };
  const routedAway = () => cluster.until(() => [owner, other].every((node) => node.routed[0] === 'tcp/8080: b'));

  it('is told to stop only when every node of every manager has it out of rotation', async () => {
    await cluster.shutDown('a');
    await routedAway();
    assert.equal(await told(), 'running');
    owner.acknowledge();
    assert.equal(await told(), 'running');
    other.acknowledge();
    await cluster.until(() => owner.desired.a === 'shutdown');
  });

  it('is not told to stop by a session that its node has just opened, before the routes of that are in force', async () => {
    two.member.hold(); // its nodes lag, so the task waits
    await cluster.shutDown('a');
    await cluster.until(() => owner.routed[0] === 'tcp/8080: b');
    owner.acknowledge();
    two.member.release();
    owner.session.stop();
    await cluster.until(() => other.routed[0] === 'tcp/8080: b');
    other.acknowledge();
    await cluster.pass(1_000);
    const again = cluster.addTwin(owner, one);
    again.acknowledges = false;
    await cluster.until(() => again.assignments.length > 0);
    assert.equal(again.desired.a, 'running');
    again.acknowledge();
    await cluster.until(() => again.desired.a === 'shutdown');
  });

  it('waits for connections that are open on any node', async () => {
    await cluster.shutDown('a');
    await routedAway();
    owner.acknowledge(['a']);
    other.acknowledge(['a']);
    assert.equal(await told(), 'running');
    owner.acknowledge();
    assert.equal(await told(), 'running');
    other.acknowledge();
    await cluster.until(() => owner.desired.a === 'shutdown');
  });

  it('waits no longer than its stop grace', async () => {
    await cluster.runWeb('c', owner.id, { StopGracePeriod: 20e9 });
    await cluster.until(() => [owner, other].every((node) => node.routed[0] === 'tcp/8080: a b c'));
    await cluster.shutDown('c');
    await cluster.until(() => [owner, other].every((node) => node.routed[0] === 'tcp/8080: a b'));
    await cluster.pass(18_000);
    await told();
    assert.equal(owner.desired.c, 'running');
    await cluster.pass(3_000);
    await cluster.until(() => owner.desired.c === 'shutdown');
  });

  it('waits for a manager that is behind, whose nodes cannot know yet', async () => {
    two.member.hold();
    await cluster.shutDown('a');
    await cluster.until(() => owner.routed[0] === 'tcp/8080: b');
    owner.acknowledge();
    assert.equal(await told(), 'running');
    two.member.release();
    await cluster.until(() => other.routed[0] === 'tcp/8080: b');
    other.acknowledge();
    await cluster.until(() => owner.desired.a === 'shutdown');
  });

  it('waits no longer for nodes whose session is lost', async () => {
    await cluster.shutDown('a');
    await routedAway();
    owner.acknowledge();
    assert.equal(await told(), 'running');
    other.isMute = true;
    for (let tries = 0; owner.desired.a !== 'shutdown'; tries++) {
      assert.ok(tries < 8, 'the task waits for a node that is gone');
      await cluster.pass(1_000);
    }
  });

  it('waits no longer for a manager that is dead, whose nodes have gone elsewhere', async () => {
    two.kill();
    other.acknowledges = true;
    await cluster.until(() => other.manager === one.nodeID);
    await cluster.shutDown('a');
    await routedAway();
    owner.acknowledge();
    for (let tries = 0; owner.desired.a !== 'shutdown'; tries++) {
      assert.ok(tries < 8, 'the task waits for a manager that is gone');
      await cluster.pass(1_000);
    }
  });

  it('is still wanted for a node that comes back while it drains', async () => {
    await cluster.shutDown('a');
    await routedAway();
    one.setLeader(false);
    await cluster.pass(2_000);
    await cluster.until(() => owner.manager === two.nodeID && owner.assignments.at(-1)?.Full === true);
    const desired = () => owner.desired.a;
    assert.equal(desired(), 'running');
    owner.acknowledge();
    other.acknowledge();
    for (let tries = 0; desired() !== 'shutdown'; tries++) {
      assert.ok(tries < 30, 'the task is never told to stop');
      await cluster.pass(500);
    }
  });

  it('is told to stop at once when it serves no port', async () => {
    await cluster.commit([
      {
        Action: 'create',
        Task: { ID: 'quiet', ServiceID: 's', NodeID: owner.id, DesiredState: 'running', Status: { State: 'running' } },
      },
    ]);
    await cluster.until(() => owner.desired.quiet === 'running');
    await cluster.shutDown('quiet');
    await cluster.until(() => owner.desired.quiet === 'shutdown');
  });

  it('leaves rotation on every node once it is reported to have failed', async () => {
    owner.session.report([
      {
        taskID: 'a',
        status: { ...one.store.get('Task', 'a')!.Status!, State: 'failed', Addresses: [] },
      },
    ]);
    await cluster.until(() => other.routed[0] === 'tcp/8080: b');
  });
});
