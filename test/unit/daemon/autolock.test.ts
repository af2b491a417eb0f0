import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Daemon } from '../../../src/daemon/daemon.js';
import { systemClock, timestamp } from '../../../src/model/clock.js';
import { complete } from '../../../src/model/codec.js';
import type { SwarmSpec } from '../../../src/model/types.js';
import { newUnlockKey } from '../../../src/security/unlock-key.js';
import { Daemons, initRequest, joinRequest, until } from '../../helpers/daemons.js';

const canary = 'canary-7f3a';

describe('managers that are locked', function () {
  this.timeout(60_000);
  let daemons: Daemons;
  beforeEach(() => {
    daemons = new Daemons();
  });
  afterEach(() => daemons.close());

  const clusterOf = async (daemon: Daemon) => (await daemon.manager()!.read()).cluster()!;
  const change = async (daemon: Daemon, spec: Partial<SwarmSpec>, unlockKey = false) => {
    const { Spec, Version } = await clusterOf(daemon);
    const rotate = { workerToken: false, managerToken: false, unlockKey };
    await daemon
      .manager()!
      .updateSwarm({ version: Version!.Index, spec: complete('SwarmSpec', { ...Spec, ...spec }), rotate });
    return (await clusterOf(daemon)).UnlockKey;
  };
  const autolock = (AutoLockManagers: boolean) => ({ EncryptionConfig: { AutoLockManagers } });
  const nodeFile = (daemon: Daemon) =>
    readFile(join(daemons.directoryOf(daemon), 'certificates/swarm-node.pem'), 'utf8');
  const isSealed = async (daemon: Daemon) => (await nodeFile(daemon)).includes('SEALED');
  const writeSecret = (daemon: Daemon) =>
    daemon.manager()!.propose({
      Origin: 'test',
      Time: timestamp(systemClock),
      Operations: [
        { Action: 'create', Secret: { ID: 's', Spec: { Name: 's', Labels: {}, Data: Buffer.from(canary) } } },
      ],
    });
  const onDisk = async (daemon: Daemon) => {
    const directory = join(daemons.directoryOf(daemon), 'raft');
    const files = await readdir(directory);
    return Buffer.concat(await Promise.all(files.map((file) => readFile(join(directory, file)))));
  };
  const restart = async (daemon: Daemon) => {
    const options = daemons.optionsOf(daemon);
    await daemon.stop();
    return daemons.start(options);
  };

  it('start only with their key, say so until then, and may be left by force', async () => {
    const options = await daemons.options();
    let daemon = await daemons.start(options);
    const id = await daemon.init(initRequest({ spec: complete('SwarmSpec', autolock(true)) }));
    const key = (await clusterOf(daemon)).UnlockKey;
    assert.match(key, /^SWMKEY-1-[A-Za-z0-9+/]{43}$/);
    await until(() => isSealed(daemon), 'the keys are locked');
    await writeSecret(daemon);
    assert.equal((await onDisk(daemon)).includes(canary), false);

    daemon = await restart(daemon);
    assert.equal(daemon.local().state, 'locked');
    assert.equal(daemon.manager(), undefined);
    assert.match(daemon.local().error, /Please use "docker swarm unlock"/);
    await assert.rejects(daemon.init(initRequest()), { code: 'already-in-swarm' });
    await assert.rejects(daemon.unlock('SWMKEY-1-x'), { code: 'invalid-argument', message: 'invalid key string' });
    await assert.rejects(daemon.unlock(newUnlockKey()), {
      message: 'swarm could not be unlocked: invalid key provided',
    });
    assert.equal(daemon.local().state, 'locked');
    await daemon.unlock(key);
    await until(() => daemon.local().state === 'active', 'the manager is back');
    assert.equal(daemon.local().nodeID, id);
    const secret = (await daemon.manager()!.read()).get('Secret', 's');
    assert.equal(Buffer.from(secret!.Spec!.Data).toString(), canary);
    await assert.rejects(daemon.unlock(key), { code: 'conflict', message: 'swarm is not locked' });

    daemon = await restart(daemon);
    assert.equal(daemon.local().state, 'locked');
    await daemon.leave();
    assert.equal(daemon.local().state, 'inactive');
  });

  it('get a new lock when the key is rotated, and none when locking ends; what was written before stays readable', async () => {
    const options = await daemons.options();
    let daemon = await daemons.start(options);
    await daemon.init(initRequest());
    await writeSecret(daemon);
    assert.equal((await onDisk(daemon)).includes(canary), false, 'it is encrypted without a lock, too');
    assert.equal(await isSealed(daemon), false);
    await assert.rejects(change(daemon, {}, true), /cannot rotate because autolock is not turned on/);

    const first = await change(daemon, autolock(true));
    await until(() => isSealed(daemon), 'the keys are locked');
    const before = await nodeFile(daemon);
    const second = await change(daemon, {}, true);
    assert.notEqual(second, first);
    await until(async () => (await nodeFile(daemon)) !== before, 'there is a new lock');
    daemon = await restart(daemon);
    await assert.rejects(daemon.unlock(first), /invalid key provided/);
    await daemon.unlock(second);
    await until(async () => daemon.local().state === 'active', 'the manager is back');
    assert.ok((await daemon.manager()!.read()).get('Secret', 's'));

    assert.equal(await change(daemon, autolock(false)), '');
    await until(async () => !(await isSealed(daemon)), 'nothing is locked');
    daemon = await restart(daemon);
    await until(() => daemon.local().state === 'active', 'the manager is back by itself');
    assert.ok((await daemon.manager()!.read()).get('Secret', 's'));
  });

  it('are all locked, also those that come later; a worker never is', async () => {
    const first = await daemons.options();
    const founder = await daemons.start(first);
    await founder.init(initRequest({ spec: complete('SwarmSpec', autolock(true)) }));
    const { Manager, Worker } = (await clusterOf(founder)).JoinTokens!;
    const second = await daemons.start(await daemons.options());
    await second.join(joinRequest(Manager, first.listenAddress));
    const worker = await daemons.start(await daemons.options());
    await worker.join(joinRequest(Worker, first.listenAddress));
    await until(() => isSealed(second), 'the second manager is locked');
    assert.equal(await isSealed(worker), false);
    const node = (await founder.manager()!.read()).get('Node', second.local().nodeID)!;
    await founder.manager()!.propose({
      Origin: 'test',
      Time: timestamp(systemClock),
      Operations: [{ Action: 'update', ID: node.ID, Node: { ...node, Spec: { ...node.Spec, Role: 'worker' } } }],
    });
    await until(() => second.manager() === undefined, 'it is a worker');
    await until(async () => !(await isSealed(second)), 'a worker starts without being unlocked');
  });
});
