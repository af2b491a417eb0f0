import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Daemon } from '../../../src/daemon/daemon.js';
import { memoryHomes } from '../../../src/daemon/memory-directory.js';
import { systemClock, timestamp } from '../../../src/model/clock.js';
import { complete } from '../../../src/model/codec.js';
import { Daemons, initRequest, until } from '../../helpers/daemons.js';
import type { SimulatedEngine } from '../../helpers/simulated-engine.js';

describe('a node that leaves and cannot ask anybody', function () {
  this.timeout(60_000);
  let daemons: Daemons;
  beforeEach(() => {
    daemons = new Daemons();
  });
  afterEach(() => daemons.close());

  const inMemory = (nodeID: string) =>
    memoryHomes(process.env)
      .map((home) => join(home, 'shoal', nodeID))
      .filter((path) => existsSync(path));
  const engineOf = (daemon: Daemon): SimulatedEngine => daemons.engines.get(daemon)!;

  /** A cluster of one, with a task that has a secret. */
  async function founded(autolock: boolean) {
    const options = await daemons.options();
    const daemon = await daemons.start(options);
    const spec = complete('SwarmSpec', { EncryptionConfig: { AutoLockManagers: autolock } });
    const nodeID = await daemon.init(initRequest({ spec }));
    const Secret = { ID: 's', Spec: { Name: 's', Labels: {}, Data: Buffer.from('x') } };
    const File = { Name: 's', UID: '0', GID: '0', Mode: 0o400 };
    const ContainerSpec = { Image: 'web', Secrets: [{ SecretID: 's', SecretName: 's', File }] };
    const Spec = complete('ServiceSpec', {
      Name: 'web',
      TaskTemplate: { ContainerSpec, Runtime: 'container' },
      Mode: { Replicated: { Replicas: 2 } },
    });
    const Operations = [
      { Action: 'create', Secret },
      { Action: 'create', ID: 'w', Service: { ID: 'w', Spec } },
    ];
    await daemon.manager()!.propose({ Origin: 'test', Time: timestamp(systemClock), Operations });
    const running = async () =>
      [...(await daemon.manager()!.read()).list('Task')].filter(({ Status }) => Status?.State === 'running').length;
    await until(async () => (await running()) === 2, 'the tasks run');
    assert.equal(engineOf(daemon).containers.size, 2);
    assert.notDeepEqual(inMemory(nodeID), []);
    return { daemon, nodeID, options };
  }

  it('leaves neither containers nor secrets behind as the last manager', async () => {
    const { daemon, nodeID } = await founded(false);
    await daemon.leave();
    assert.equal(engineOf(daemon).containers.size, 0);
    assert.deepEqual(inMemory(nodeID), []);
  });

  it('leaves neither behind as a manager that is locked, nor when its certificate cannot be read', async () => {
    for (const isLocked of [true, false]) {
      const { daemon: before, nodeID, options } = await founded(isLocked);
      await before.stop();
      if (!isLocked) await rm(join(options.stateDirectory, 'certificates'), { recursive: true });
      const daemon = await daemons.start(options);
      assert.equal(daemon.local().state, isLocked ? 'locked' : 'error');
      assert.equal(engineOf(daemon).containers.size, 2, 'they run on until then');
      await daemon.leave();
      assert.equal(daemon.local().state, 'inactive');
      assert.equal(engineOf(daemon).containers.size, 0);
      assert.deepEqual(inMemory(nodeID), []);
      assert.equal(existsSync(join(options.stateDirectory, 'node.json')), false);
    }
  });

  it('takes its secrets along also when its engine does not answer', async () => {
    const { daemon, nodeID } = await founded(false);
    engineOf(daemon).list = () => Promise.reject(new Error('the engine is gone'));
    await daemon.leave();
    assert.deepEqual(inMemory(nodeID), []);
  });
});
