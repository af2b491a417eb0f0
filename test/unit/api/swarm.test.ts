import assert from 'node:assert/strict';
import { ApiFixture } from '../../helpers/api-fixture.js';
import { localNodeID } from '../../helpers/memory-backend.js';

const token = `SWMTKN-1-${'a'.repeat(50)}-${'b'.repeat(25)}`;

describe('the swarm endpoint', () => {
  let api: ApiFixture;
  beforeEach(async () => {
    api = await new ApiFixture().start();
  });
  afterEach(() => api.stop());

  const message = async (method: string, path: string, body?: unknown) => {
    const answer = await api.call(method, path, body);
    return `${answer.status} ${answer.body?.message}`;
  };

  it('tells a node outside of any swarm how to get into one', async () => {
    const words =
      '503 This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';
    for (const path of ['/swarm', '/nodes', '/services', '/tasks', '/secrets', '/configs', '/swarm/unlockkey']) {
      assert.equal(await message('GET', path), words, path);
    }
    assert.equal(await message('POST', '/swarm/leave'), '503 This node is not part of a swarm');
  });

  it('tells a worker that managers are to be asked, and a locked one to unlock', async () => {
    api.backend.state = 'active';
    assert.match(
      await message('GET', '/services'),
      /^503 This node is not a swarm manager. Worker nodes can't be used/,
    );
    api.backend.state = 'pending';
    assert.match(await message('GET', '/services'), /^503 .*Manager is being prepared/);
    api.backend.state = 'locked';
    assert.match(await message('GET', '/services'), /^503 Swarm is encrypted and needs to be unlocked/);
  });

  it('tells a node that cannot come back why, whatever it is asked', async () => {
    api.backend.state = 'error';
    api.backend.failure = '/x/node.json: damaged';
    const words = '503 This node cannot take up its place in its cluster: /x/node.json: damaged';
    assert.equal(await message('GET', '/services'), words);
    assert.equal(
      await message('POST', '/swarm/init', {}),
      `${words}. "docker swarm leave --force" gives that cluster up.`,
    );
  });

  it('begins a cluster with Docker’s defaults', async () => {
    const { status, body } = await api.call('POST', '/swarm/init', {
      ListenAddr: '0.0.0.0:2377',
      AdvertiseAddr: 'lo',
    });
    assert.deepEqual([status, body], [200, localNodeID]);
    const [{ init }] = api.backend.calls as [{ init: Record<string, unknown> & { spec: { Name: string } } }];
    assert.deepEqual([init.listenAddress, init.advertiseAddress, init.dataPathAddress], ['0.0.0.0:2377', 'lo', '']);
    assert.deepEqual([init.dataPathPort, init.subnetSize, init.availability], [4789, 24, 'active']);
    assert.equal(init.spec.Name, 'default');
    assert.match(
      await message('POST', '/swarm/init', {}),
      /^503 This node is already part of a swarm. Use "docker swarm leave"/,
    );
    assert.match(await message('POST', '/swarm/join', {}), /^503 This node is already part of a swarm/);
  });

  it('refuses what is wrong in init, by name', async () => {
    const cases: [object, RegExp][] = [
      [{ AdvertiseAddr: 5 }, /AdvertiseAddr: must be a string/],
      [{ ListenAddr: '1.2.3.4\r\nX: y' }, /ListenAddr: must not contain control characters/],
      [{ DataPathPort: 80 }, /Datapath port number 80 is not in valid range/],
      [{ SubnetSize: 64 }, /SubnetSize/],
      [{ DefaultAddrPool: ['10.0.0.0'] }, /DefaultAddrPool\[0\]: must be a subnet in CIDR form/],
      [{ DefaultAddrPool: 'x' }, /DefaultAddrPool: must be an array/],
      [{ Availability: 'x' }, /invalid Availability: "x", expected one of active, pause, drain/],
      [{ Spec: { Name: 'x' } }, /must be named "default"/],
      [{ Spec: 5 }, /Spec: must be an object/],
      [{ ForceNewCluster: 'yes' }, /ForceNewCluster: must be true or false/],
    ];
    for (const [body, words] of cases) {
      const text = await message('POST', '/swarm/init', body);
      assert.match(text, /^400 /);
      assert.match(text, words);
    }
    assert.match(await message('POST', '/swarm/init'), /^400 .*EOF/);
    assert.deepEqual(api.backend.calls, []);
  });

  it('joins a cluster by what the token says', async () => {
    const { status } = await api.call('POST', '/swarm/join', {
      RemoteAddrs: ['10.0.0.1', 'manager.example:999'],
      JoinToken: token,
    });
    assert.equal(status, 200);
    const [{ join }] = api.backend.calls as [{ join: { remoteAddresses: string[]; token: string } }];
    assert.deepEqual(join.remoteAddresses, ['10.0.0.1', 'manager.example:999']);
    assert.equal(join.token, token);
  });

  it('refuses what is wrong in join, by name, and never tells the token', async () => {
    assert.match(
      await message('POST', '/swarm/join', { JoinToken: token }),
      /^400 at least 1 RemoteAddr is required to join/,
    );
    assert.match(
      await message('POST', '/swarm/join', { RemoteAddrs: ['a\nb'], JoinToken: token }),
      /^400 RemoteAddrs: must be an array of plain strings/,
    );
    const secret = await message('POST', '/swarm/join', { RemoteAddrs: ['a'], JoinToken: 'SWMTKN-1-secret' });
    assert.equal(secret, '400 invalid join token (JoinToken)');
  });

  it('warns a manager before it leaves, by what that would cost', async () => {
    api.backend.found();
    assert.match(
      await message('POST', '/swarm/leave'),
      /^503 .*Removing the last manager erases all current state of the swarm. Use `--force`/,
    );
    api.backend.managerMap.set('b', { leader: false, reachable: true, address: 'b:2377' });
    api.backend.managerMap.set('c', { leader: false, reachable: false, address: 'c:2377' });
    assert.match(
      await message('POST', '/swarm/leave'),
      /Removing this node leaves 1 managers out of 3. Without a Raft quorum/,
    );
    assert.deepEqual(api.backend.calls, []);
    assert.equal((await api.call('POST', '/swarm/leave?force=1')).status, 200);
    assert.deepEqual(api.backend.calls, [{ leave: true }]);
  });

  it('shows the cluster with its tokens and nothing secret beside', async () => {
    api.backend.found();
    const { status, body, text } = await api.call('GET', '/swarm');
    assert.equal(status, 200);
    assert.deepEqual(body.JoinTokens, { Worker: 'SWMTKN-1-worker', Manager: 'SWMTKN-1-manager' });
    assert.equal(body.Spec.Orchestration.TaskHistoryRetentionLimit, 5);
    assert.ok(!text.includes('the root key'));
    const info = (await api.call('GET', '/info')).text;
    assert.ok(!info.includes('SWMTKN') && !info.includes('the root key'));
  });

  it('changes the cluster’s settings and rotates its tokens', async () => {
    api.backend.found();
    const version = async () => (await api.call('GET', '/swarm')).body.Version.Index;
    const at = await version();
    const spec = { Name: 'default', Orchestration: { TaskHistoryRetentionLimit: 2 } };
    assert.equal((await api.call('POST', `/swarm/update?version=${at}&rotateWorkerToken=true`, spec)).status, 200);
    const rotate = { workerToken: true, managerToken: false, unlockKey: false };
    assert.deepEqual(api.backend.calls, [{ rotate }]);
    const { body } = await api.call('GET', '/swarm');
    assert.equal(body.Spec.Orchestration.TaskHistoryRetentionLimit, 2);
    assert.equal(body.Spec.CAConfig.NodeCertExpiry, 7_776_000_000_000_000);
    assert.match(await message('POST', `/swarm/update?version=${at}`, spec), /^500 .*update out of sequence/);
    assert.match(await message('POST', '/swarm/update', spec), /^400 invalid swarm version ''/);
    assert.match(
      await message('POST', `/swarm/update?version=${at}&rotateManagerToken=foo`, spec),
      /^400 invalid value for rotateManagerToken: foo/,
    );
    assert.match(
      await message('POST', `/swarm/update?version=${await version()}`, { CAConfig: { NodeCertExpiry: 1 } }),
      /^400 minimum certificate expiry/,
    );
  });

  it('has no key to unlock with', async () => {
    api.backend.found();
    assert.deepEqual((await api.call('GET', '/swarm/unlockkey')).body, { UnlockKey: '' });
    assert.equal(await message('POST', '/swarm/unlock', { UnlockKey: 'x' }), '409 swarm is not locked');
  });

  it('locks its managers with a key that it shows and rotates; a locked one serves nothing but unlock', async () => {
    api.backend.found();
    const version = async () => (await api.call('GET', '/swarm')).body.Version.Index;
    const spec = { Name: 'default', EncryptionConfig: { AutoLockManagers: true } };
    const key = async () => (await api.call('GET', '/swarm/unlockkey')).body.UnlockKey;
    assert.equal((await api.call('POST', `/swarm/update?version=${await version()}`, spec)).status, 200);
    const first = await key();
    assert.match(first, /^SWMKEY-1-/);
    assert.ok(
      !(await api.call('GET', '/swarm')).text.includes(first) && !(await api.call('GET', '/info')).text.includes(first),
    );
    const rotation = `/swarm/update?version=${await version()}&rotateManagerUnlockKey=1`;
    assert.equal((await api.call('POST', rotation, spec)).status, 200);
    assert.notEqual(await key(), first);
    api.backend.state = 'locked';
    api.backend.isManager = false;
    const words = /^503 Swarm is encrypted and needs to be unlocked before it can be used/;
    for (const path of ['/swarm', '/nodes', '/services', '/tasks', '/secrets', '/configs', '/swarm/unlockkey']) {
      assert.match(await message('GET', path), words, path);
    }
    assert.match(await message('POST', '/swarm/leave'), /^503 Swarm is encrypted and locked. Please unlock it first/);
    assert.equal((await api.call('POST', '/swarm/unlock', { UnlockKey: first })).status, 200);
    assert.deepEqual(api.backend.calls.at(-1), { unlock: first });
  });

  it('answers 503 at once while there is no leader', async () => {
    api.backend.found().hasLeader = false;
    assert.match(await message('GET', '/services'), /^503 The swarm does not have a leader/);
    assert.match(
      await message('POST', '/services/create', { Name: 'a', TaskTemplate: { ContainerSpec: { Image: 'x' } } }),
      /^503 /,
    );
    const info = (await api.call('GET', '/info')).body;
    assert.match(info.Swarm.Error, /does not have a leader/);
    assert.equal(info.Swarm.ControlAvailable, true);
  });
});
