import assert from 'node:assert/strict';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import * as grpc from '@grpc/grpc-js';
import { complete } from '../../../../src/model/codec.js';
import { ShoalError } from '../../../../src/model/errors.js';
import { serviceClient } from '../../../../src/model/services.js';
import type { FromNodeInit, TaskInit } from '../../../../src/model/types.js';
import { TestCluster, type TestManager, type TestNode } from '../../../helpers/dispatch-cluster.js';
import { logLines } from '../../../helpers/log-lines.js';

const task = (id: string, NodeID: string, over: TaskInit = {}): TaskInit => ({
  ID: id,
  ServiceID: 's',
  NodeID,
  DesiredState: 'running',
  Status: { State: 'assigned' },
  ...over,
});
const status = (State: string, over: object = {}) => ({
  Timestamp: '2030-01-01T00:00:00.000Z',
  State,
  Message: '',
  Err: '',
  ContainerStatus: null,
  PortStatus: null,
  Addresses: [],
  AppliedBy: '',
  AppliedAt: '',
  RunningAt: '',
  ...over,
});

describe('sessions of nodes with managers', () => {
  let cluster: TestCluster;
  let one: TestManager;
  let two: TestManager;

  beforeEach(async () => {
    cluster = await TestCluster.start(2);
    [one, two] = cluster.managers as [TestManager, TestManager];
  });
  afterEach(() => cluster.stop());

  const nodeStatus = (node: TestNode) => one.store.get('Node', node.id)?.Status;
  const taskState = (id: string) => one.store.get('Task', id)?.Status?.State;

  it('registers the node, and tells it its tasks and what becomes of them', async () => {
    const id = cluster.idPreferring(one);
    await cluster.commit([{ Action: 'create', Task: task('a', id) }]);
    const node = (await cluster.addNode(id)).start([two]);
    await cluster.until(() => node.manager === one.nodeID && node.assignments.length > 0);
    assert.deepEqual([nodeStatus(node)?.State, nodeStatus(node)?.SessionManager], ['ready', one.nodeID]);
    assert.deepEqual(node.desired, { a: 'running' });
    assert.deepEqual(node.roles.at(-1), 'worker');

    await cluster.commit([
      { Action: 'create', Task: task('b', id) },
      { Action: 'create', Task: task('c', 'elsewhere') },
    ]);
    await cluster.commit([{ Action: 'update', Task: task('a', id, { DesiredState: 'shutdown' }) }]);
    await cluster.until(() => node.desired.a === 'shutdown');
    assert.deepEqual(node.desired, { a: 'shutdown', b: 'running' });
    await cluster.commit([{ Action: 'remove', Kind: 'Task', ID: 'a' }]);
    await cluster.until(() => !('a' in node.desired));
  });

  it('go straight to the managers, whatever proxy the machine uses for the web', async () => {
    const before = process.env.http_proxy;
    process.env.http_proxy = 'http://127.0.0.1:1';
    try {
      await cluster.connected(one);
    } finally {
      if (before === undefined) delete process.env.http_proxy;
      else process.env.http_proxy = before;
    }
  });

  it('gathers reports of one moment into one transaction, and merges them forward only', async () => {
    const node = await cluster.connected(one);
    const ids = Array.from({ length: 50 }, (_, at) => `t${at}`);
    await cluster.commit(ids.map((id) => ({ Action: 'create', Task: task(id, node.id) })));
    const before = one.member.proposals;
    one.member.hold();
    for (const id of ids) node.session.report([{ taskID: id, status: status('running') }]);
    await cluster.pass(1_000); // the beat behind them was answered: all of them have arrived
    one.member.release();
    await cluster.until(() => ids.every((id) => taskState(id) === 'running'));
    assert.equal(one.member.proposals - before, 2, 'the first, and all that came while it was on its way');
    node.session.report([{ taskID: 't0', status: status('starting') }]);
    node.session.report([{ taskID: 't0', status: status('failed', { Err: 'boom' }) }]);
    await cluster.until(() => taskState('t0') === 'failed');
    assert.equal(one.store.get('Task', 't0')?.Status?.AppliedBy, node.id);
  });

  it('sends no report back to the node that it came from', async () => {
    const node = await cluster.connected(one);
    await cluster.commit([{ Action: 'create', Task: task('a', node.id) }]);
    await cluster.until(() => 'a' in node.desired);
    const told = node.assignments.length;
    node.session.report([{ taskID: 'a', status: status('running') }]);
    await cluster.until(() => taskState('a') === 'running');
    await cluster.commit([{ Action: 'create', Task: task('b', node.id) }]);
    await cluster.until(() => 'b' in node.desired);
    assert.equal(node.assignments.length, told + 1);
  });

  it('keeps reports while the store takes none, and brings them in when it does again', async () => {
    const node = await cluster.connected(one);
    await cluster.commit([{ Action: 'create', Task: task('a', node.id) }]);
    for (const code of ['unavailable', 'overloaded', 'no-leader'] as const) {
      one.member.failure = new ShoalError(code, 'for now');
      const before = one.member.proposals;
      node.session.report([{ taskID: 'a', status: status('running', { Message: code }) }]);
      await cluster.until(() => one.member.proposals > before);
      one.member.failure = undefined;
      await cluster.pass(200);
      await cluster.until(() => one.store.get('Task', 'a')?.Status?.Message === code);
    }
  });

  it('takes no word of a node about the tasks of another, and survives nonsense', async () => {
    const node = await cluster.connected(one);
    await cluster.commit([
      { Action: 'create', Task: task('mine', node.id) },
      { Action: 'create', Task: task('other', 'elsewhere') },
    ]);
    node.session.report([
      { taskID: 'other', status: status('failed') },
      { taskID: 'gone', status: status('failed') },
      { taskID: 'mine', status: status('no state at all') },
      { taskID: 'mine', status: status('starting', { Addresses: Array(5_000).fill({ Host: '10.0.0.1', Port: 1 }) }) },
      { taskID: 'mine', status: status('running', { Message: 'x'.repeat(100_000), Timestamp: 'yesterday' }) },
    ]);
    node.session.routesApplied(2 ** 52, Array(10_000).fill('no such task'));
    await cluster.until(() => taskState('mine') === 'running');
    assert.equal(taskState('other'), 'assigned');
    const kept = one.store.get('Task', 'mine')?.Status;
    assert.ok((kept?.Message.length ?? 0) < 2_000);
    assert.match(kept?.Timestamp ?? '', /^20\d\d-/);
  });

  it('hears what a node said just before it left', async () => {
    for (const state of ['starting', 'shutdown']) {
      const node = await cluster.connected(one);
      const id = `last-${state}`;
      await cluster.commit([{ Action: 'create', Task: task(id, node.id) }]);
      node.session.report([{ taskID: id, status: status(state) }]);
      node.session.stop();
      await cluster.until(() => taskState(id) === state);
    }
  });

  it('keeps nothing that a terminal would obey, whatever a node calls itself', async () => {
    const node = await cluster.connected(one);
    await cluster.commit([{ Action: 'create', Task: task('mine', node.id) }]);
    const Err = 'no\x1b[2Jsuch\x9b31m image\nat all';
    node.session.report([{ taskID: 'mine', status: status('rejected', { Err }) }]);
    await cluster.until(() => taskState('mine') === 'rejected');
    assert.equal(one.store.get('Task', 'mine')?.Status?.Err, 'no [2Jsuch 31m image\nat all');
    const described = complete('NodeDescription', {
      Hostname: 'a\r\n\x1b]0;x\x07b',
      Engine: { EngineVersion: '1\x00', Labels: { 'k\x1b': 'v\x1b', __proto__: 'x' } },
      TLSInfo: { TrustRoot: 'one\ntwo\x1b' },
    });
    node.session.describe(described, '');
    const kept = () => one.store.get('Node', node.id)?.Description;
    await cluster.until(() => kept()?.Hostname !== undefined && /^a/.test(kept()!.Hostname));
    assert.equal(kept()!.Hostname, 'a   ]0;x b');
    assert.deepEqual({ ...kept()!.Engine!.Labels }, { 'k ': 'v ' });
    assert.equal(kept()!.Engine!.EngineVersion, '1 ');
    assert.equal(kept()!.TLSInfo!.TrustRoot, 'one\ntwo ');
  });

  it('refuses sessions that do not start with Hello, or claim too much', async () => {
    const node = await cluster.connected(one);
    const refusal = (message: FromNodeInit) =>
      new Promise<grpc.ServiceError>((resolve) => {
        const client = serviceClient('Dispatcher', one.address, grpc.credentials.createInsecure());
        const metadata = new grpc.Metadata();
        metadata.set('test-node-id', node.id);
        const stream = client.Session(metadata);
        stream.on('data', () => {});
        stream.on('error', (error: grpc.ServiceError) => {
          client.close();
          resolve(error);
        });
        stream.write(message);
      });
    assert.match((await refusal({ Heartbeat: {} })).details, /first message must be Hello/);
    const huge = { Hostname: 'h'.repeat(300_000) };
    assert.match((await refusal({ Hello: { Description: huge } })).details, /Hello.Description: \d+ bytes/);
    assert.match((await refusal({ Hello: { Addr: 'a b\n' } })).details, /Hello.Addr: must be an IP address/);
    for (const address of [
      '127.0.0.1',
      '169.254.169.254',
      '0.0.0.0',
      '224.0.0.1',
      '::1',
      '::ffff:127.0.0.1',
      'fe80::1',
    ]) {
      const said = { Addr: { Addr: address }, ClusterAddr: { ClusterAddr: `[${address}]:2377` } };
      for (const [field, Hello] of Object.entries(said)) {
        const { details } = await refusal({ Hello });
        assert.equal(details, `Hello.${field}: ${address} is not the same machine to every node`);
      }
    }
    assert.equal(nodeStatus(node)?.Addr, '10.0.0.1');
    assert.equal(nodeStatus(node)?.DataPathAddr, '10.9.0.1');
    assert.equal(node.manager, one.nodeID, 'the session that was open is not disturbed');
  });

  it('sends nobody to an address that is not the node’s or the task’s own, whatever its node reports', async () => {
    const id = cluster.idPreferring(one);
    const NetworksAttachments = [{ Network: { ID: 'net' }, Addresses: ['10.0.9.3/24'] }];
    await cluster.commit([{ Action: 'create', Task: task('a', id, { NetworksAttachments }) }]);
    const node = (await cluster.addNode(id)).start([one]);
    await cluster.until(() => node.assignments.length > 0);
    const at = (Protocol: string, Host: string, Port: number) => ({ Protocol, TargetPort: 80, Host, Port, Inside: '' });
    const own = [at('tcp', '10.0.0.1', 30_000), at('ip', '10.0.9.3', 0)];
    const others = ['127.0.0.1', '169.254.169.254', '10.0.0.2', 'localhost'].map((host) => at('tcp', host, 22));
    const Addresses = [...others, ...own, at('ip', '10.0.9.4', 0)];
    node.session.report([{ taskID: 'a', status: status('running', { Addresses }) }]);
    await cluster.until(() => taskState('a') === 'running');
    assert.deepEqual(one.store.get('Task', 'a')?.Status?.Addresses, own);
  });

  it('lets a node have one registration on its way, not many', async () => {
    const id = cluster.idPreferring(one);
    const node = await cluster.addNode(id);
    const before = one.member.proposals;
    one.member.hold();
    const twins = [node.start([one]), ...[1, 2, 3].map(() => cluster.addTwin(node, one, false))];
    await cluster.until(
      () => twins.filter((twin) => /being opened/.test(twin.states.at(-1)?.reason ?? '')).length === 3,
    );
    assert.equal(one.member.proposals - before, 1);
    for (const twin of twins.slice(1)) twin.session.stop();
    one.member.release();
    await cluster.until(() => nodeStatus(node)?.State === 'ready');
  });

  it('ends streams that never say Hello', async () => {
    const client = serviceClient('Dispatcher', one.address, grpc.credentials.createInsecure());
    const metadata = new grpc.Metadata();
    metadata.set('test-node-id', 'idle');
    const stream = client.Session(metadata);
    let reason = '';
    stream.on('data', () => {});
    stream.on('error', (error: grpc.ServiceError) => {
      reason = error.details;
    });
    await cluster.until(() => cluster.clock.waiting > 0);
    while (reason === '') await cluster.pass(1_000);
    assert.match(reason, /no Hello/);
    client.close();
  });

  it('turns to another manager when its own dies, which nobody takes for the death of the node', async () => {
    const node = await cluster.connected(one);
    await cluster.commit([{ Action: 'create', Task: task('a', node.id) }]);
    await cluster.until(() => 'a' in node.desired);
    const epoch = nodeStatus(node)?.SessionEpoch ?? 0;
    one.kill();
    await cluster.until(() => node.manager === two.nodeID && node.assignments.at(-1)?.Full === true);
    assert.deepEqual(node.desired, { a: 'running' });
    const now = two.store.get('Node', node.id)?.Status;
    assert.deepEqual([now?.State, now?.SessionManager], ['ready', two.nodeID]);
    assert.ok((now?.SessionEpoch ?? 0) > epoch);
    two.leads = true;
    await cluster.pass(10_000);
    assert.equal(two.store.get('Node', node.id)?.Status?.State, 'ready');
  });

  it('declares a node down that misses three beats, and no other; it is ready again when it is back', async () => {
    const lost = await cluster.connected(one);
    const fine = await cluster.connected(one);
    const epoch = nodeStatus(fine)?.SessionEpoch;
    lost.isMute = true;
    await cluster.pass(2_000);
    assert.equal(nodeStatus(lost)?.State, 'ready');
    await cluster.pass(2_000);
    await cluster.until(() => nodeStatus(lost)?.State === 'down');
    assert.match(nodeStatus(lost)?.Message ?? '', /heartbeat/);
    assert.deepEqual([nodeStatus(fine)?.State, nodeStatus(fine)?.SessionEpoch], ['ready', epoch]);
    lost.isMute = false;
    for (let tries = 0; nodeStatus(lost)?.State !== 'ready'; tries++) {
      assert.ok(tries < 50, 'the node does not come back');
      await cluster.pass(1_000);
    }
  });

  it('drops what an old session still says once the node has opened another', async () => {
    const node = await cluster.connected(one);
    const first = nodeStatus(node)?.SessionEpoch ?? 0;
    one.member.failure = new ShoalError('unavailable', 'for now');
    node.session.describe({ Hostname: 'old' }, 'the engine is gone');
    await cluster.until(() => one.member.proposals > 0);
    // the same node once more, as after a crash that its manager has not noticed
    const again = cluster.addTwin(node, two);
    await cluster.until(() => again.routes.length > 0);
    assert.ok((nodeStatus(node)?.SessionEpoch ?? 0) > first);
    one.member.failure = undefined;
    await cluster.pass(500);
    assert.deepEqual(
      [nodeStatus(node)?.State, one.store.get('Node', node.id)?.Description?.Hostname],
      ['ready', node.id],
    );
  });

  it('says on the node why its engine cannot be used, and that it can again', async () => {
    const node = await cluster.connected(one);
    node.session.describe({ Hostname: node.id }, 'connect ENOENT');
    await cluster.until(() => nodeStatus(node)?.State === 'down');
    assert.equal(nodeStatus(node)?.Message, 'engine: connect ENOENT');
    assert.equal(node.manager, one.nodeID, 'the session goes on');
    node.session.describe({ Hostname: node.id }, '');
    await cluster.until(() => nodeStatus(node)?.State === 'ready');
  });

  it('keeps what is known of an engine that the node has not reached since it started', async () => {
    const node = await cluster.connected(one);
    const Resources = { NanoCPUs: 2e9, MemoryBytes: 4e9, GenericResources: [] };
    const Engine = { EngineVersion: '28.2.2', Labels: {}, Plugins: [] };
    const seen = () => one.store.get('Node', node.id)?.Description;
    node.session.describe({ Hostname: node.id, Resources, Engine }, '');
    await cluster.until(() => seen()?.Resources?.NanoCPUs === 2e9);
    const none = { EngineVersion: '', Labels: {}, Plugins: [] };
    node.session.describe({ Hostname: 'renamed', Resources: { NanoCPUs: 0 }, Engine: none }, 'no engine');
    await cluster.until(() => seen()?.Hostname === 'renamed');
    assert.deepEqual([seen()?.Resources, seen()?.Engine], [Resources, Engine]);
    const again = cluster.addTwin(node, two);
    again.engineError = 'no engine';
    await cluster.until(() => again.routes.length > 0);
    assert.deepEqual([seen()?.Hostname, seen()?.Resources, seen()?.Engine], [node.id, Resources, Engine]);
  });

  it('refuses a node that was removed, and tells it', async () => {
    const node = await cluster.connected(one);
    await cluster.commit([{ Action: 'remove', Kind: 'Node', ID: node.id }]);
    await cluster.until(() => node.removals.length > 0);
    assert.match(node.removals[0] ?? '', /removed/);
    const stranger = await cluster.addNode('stranger');
    await cluster.commit([{ Action: 'remove', Kind: 'Node', ID: 'stranger' }]);
    stranger.start([one]);
    await cluster.until(() => stranger.removals.length > 0);
    assert.equal(stranger.assignments.length, 0);
  });

  it('serves no session without a leader, and again with one', async () => {
    const node = await cluster.connected(one);
    one.setLeader(false);
    await cluster.pass(2_000);
    await cluster.until(() => node.manager === two.nodeID);
    two.setLeader(false);
    await cluster.pass(2_000);
    await cluster.until(() => node.manager === '');
    assert.deepEqual(node.removals, []);
    one.setLeader(true);
    two.setLeader(true);
    for (let tries = 0; node.manager === ''; tries++) {
      assert.ok(tries < 50, 'the node finds no manager');
      await cluster.pass(500);
    }
    await cluster.until(() => nodeStatus(node)?.State === 'ready');
  });

  it('keeps its sessions over an election, and goes on counting the silence of the lost', async () => {
    const node = await cluster.connected(one);
    const lost = await cluster.connected(one);
    lost.isMute = true;
    const states = node.states.length;
    await cluster.pass(1_000);
    one.setLeader(false);
    for (let rounds = 0; rounds < 3; rounds++) {
      await cluster.pass(500);
      one.dispatcher.leadershipChanged(); // a term without a leader, and another
    }
    one.setLeader(true);
    await cluster.pass(900);
    await cluster.until(() => nodeStatus(lost)?.State === 'down');
    assert.equal(node.states.length, states, 'the session never ended');
    assert.equal(nodeStatus(node)?.State, 'ready');
  });

  it('ends its sessions when elections bring no leader, however many there are', async () => {
    const node = await cluster.connected(one);
    one.setLeader(false);
    for (let rounds = 0; rounds < 5; rounds++) {
      await cluster.pass(500);
      one.dispatcher.leadershipChanged();
    }
    await cluster.until(() => node.manager === two.nodeID);
  });

  it('says of an outage once what each manager answers, however often it is asked', async () => {
    one.setLeader(false);
    two.setLeader(false);
    const { log, lines } = logLines();
    const node = await cluster.addNode('seeker');
    node.log = log;
    node.start([one, two]);
    for (let tries = 1; tries < 20; tries++) {
      await cluster.until(() => node.states.length >= tries);
      await cluster.pass(1_500);
    }
    assert.deepEqual(
      lines.map(({ level, message }) => `${level} ${message}`),
      ['warn no session', 'warn no session'],
    );
    one.setLeader(true);
    await cluster.pass(3_000);
    await cluster.until(() => node.manager === one.nodeID);
  });

  it('leaves a manager whose host is gone within a second for one that answers', async () => {
    const gone = createServer(); // it takes connections, and nothing comes back
    const sockets: Socket[] = [];
    gone.on('connection', (socket) => sockets.push(socket.on('error', () => {})));
    const port = await new Promise<number>((resolve) =>
      gone.listen(0, '127.0.0.1', () => resolve((gone.address() as AddressInfo).port)),
    );
    try {
      const node = await cluster.addNode('seeker');
      node.start([one, { nodeID: 'gone', address: `127.0.0.1:${port}` }]);
      await cluster.until(() => sockets.length > 0);
      await cluster.pass(1_000);
      await cluster.until(() => node.manager !== '');
    } finally {
      for (const socket of sockets) socket.destroy();
      gone.close();
    }
  });

  it('is given up by a node after three beats without a word, and not a beat later', async () => {
    const node = await cluster.connected(one);
    await cluster.pass(1_000);
    const states = node.states.length;
    node.isMute = true;
    await cluster.pass(2_900);
    assert.equal(node.states.length, states);
    await cluster.pass(200);
    assert.equal(node.states[states]?.connected, false);
  });

  it('is not flooded with registrations by two daemons that say they are the same node', async () => {
    const node = await cluster.connected(one);
    const before = one.member.proposals;
    cluster.addTwin(node, one, false);
    await cluster.pass(20_000);
    assert.ok(one.member.proposals - before < 60, `${one.member.proposals - before} registrations in 20 s`);
  });

  it('lets the leader declare the nodes of a lost manager down that have not come back elsewhere', async () => {
    const gone = await cluster.connected(two);
    const moved = await cluster.connected(two);
    gone.session.stop();
    two.kill();
    await cluster.until(() => moved.manager === one.nodeID);
    one.silence_ms.set(two.nodeID, 3_000);
    await cluster.pass(2_500);
    assert.equal(nodeStatus(gone)?.State, 'ready');
    await cluster.pass(1_500);
    await cluster.until(() => nodeStatus(gone)?.State === 'down');
    assert.equal(nodeStatus(moved)?.State, 'ready');
  });

  it('keeps sessions over stalls, long ones and many: neither side takes what it missed for the silence of the other', async () => {
    const node = await cluster.connected(one);
    await cluster.pass(1_000);
    const epoch = nodeStatus(node)?.SessionEpoch;
    one.leads = true;
    one.silence_ms.set(two.nodeID, 0);
    for (const stall_ms of [10_000, 1_400, 1_400, 2_900, 3_100, 60_000, 1_400]) {
      cluster.clock.skip(stall_ms);
      await cluster.pass(100);
    }
    await cluster.pass(5_000);
    assert.deepEqual([nodeStatus(node)?.State, nodeStatus(node)?.SessionEpoch], ['ready', epoch]);
    assert.deepEqual(
      node.states.filter(({ connected }) => !connected),
      [],
    );
  });

  it('lets a node register anew that was taken for lost while its session went on', async () => {
    const node = await cluster.connected(one);
    const Status = { ...nodeStatus(node), State: 'down', Message: 'heartbeat failure' };
    await cluster.commit([{ Action: 'observe', Node: { ID: node.id, Status } }]);
    assert.equal(nodeStatus(node)?.State, 'down');
    await cluster.until(() => nodeStatus(node)?.State === 'ready');
  });

  it('takes over a changed heartbeat period while sessions go on', async () => {
    const node = await cluster.connected(one);
    const epoch = nodeStatus(node)?.SessionEpoch;
    const setPeriod = (seconds: number) =>
      cluster.commit([
        {
          Action: 'update',
          Cluster: { ID: 'cluster', Spec: { Name: 'default', Dispatcher: { HeartbeatPeriod: seconds * 1e9 } } },
        },
      ]);
    await setPeriod(5);
    await cluster.pass(20_000);
    const beats = node.beatsSent;
    await cluster.pass(20_000);
    assert.ok(node.beatsSent - beats <= 5, `${node.beatsSent - beats} beats in 20 s`);
    await setPeriod(0.5);
    await cluster.pass(20_000);
    assert.equal(nodeStatus(node)?.SessionEpoch, epoch, 'it is still the same session');
    assert.ok(node.beatsSent - beats > 20);
  });

  it('moves back to the preferred manager when that has returned', async () => {
    const node = await cluster.connected(one);
    one.setLeader(false);
    await cluster.pass(2_000);
    await cluster.until(() => node.manager === two.nodeID);
    one.setLeader(true);
    const states = node.states.length;
    for (let tries = 0; node.manager !== one.nodeID; tries++) {
      assert.ok(tries < 100, 'the node does not move back');
      await cluster.pass(1_000);
    }
    assert.ok(
      node.states.slice(states).every((state) => state.connected),
      'there was no gap',
    );
  });

  it('tells a node what the cluster wants it to be', async () => {
    const node = await cluster.connected(one);
    const known = one.store.get('Node', node.id)!;
    await cluster.commit([{ Action: 'update', Node: { ...known, Spec: { Role: 'manager' } } }]);
    await cluster.until(() => node.roles.at(-1) === 'manager');
  });

  it('sends the secrets and configs that the tasks of a node need, and takes them back', async () => {
    const node = await cluster.connected(one);
    const Spec = {
      ContainerSpec: {
        Secrets: [{ SecretID: 'key', SecretName: 'key' }],
        Configs: [{ ConfigID: 'conf', ConfigName: 'conf' }],
      },
    };
    await cluster.commit([
      { Action: 'create', Secret: { ID: 'key', Spec: { Name: 'key', Data: Buffer.alloc(500_000, 'k') } } },
      { Action: 'create', Secret: { ID: 'not for it', Spec: { Name: 'no' } } },
      { Action: 'create', Config: { ID: 'conf', Spec: { Name: 'conf', Data: Buffer.from('c') } } },
      { Action: 'create', Task: task('a', node.id, { Spec }) },
    ]);
    await cluster.until(() => 'a' in node.desired);
    const told = node.assignments.at(-1);
    assert.deepEqual(
      [told?.Secrets.map(({ ID }) => ID), told?.Configs.map(({ ID }) => ID), told?.Secrets[0]?.Spec?.Data.length],
      [['key'], ['conf'], 500_000],
    );
    await cluster.commit([{ Action: 'remove', Kind: 'Task', ID: 'a' }]);
    await cluster.until(() => node.assignments.at(-1)?.RemovedTaskIDs.includes('a') === true);
    assert.deepEqual(node.assignments.at(-1)?.RemovedSecretIDs, ['key']);
    assert.deepEqual(node.assignments.at(-1)?.RemovedConfigIDs, ['conf']);
  });
});
