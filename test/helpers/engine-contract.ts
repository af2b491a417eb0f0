import assert from 'node:assert/strict';
import { ShoalError } from '../../src/model/errors.js';
import type { ContainerConfig, ContainerEvent } from '../../src/worker/container.js';
import type { Engine } from '../../src/worker/engine.js';

export interface EngineUnderTest {
  engine: Engine;
  /** An image that is there; without a command it runs until it is asked to stop. */
  image: string;
  /** An address of the engine's host that ports can be bound to. */
  address: string;
}

const label = 'shoal.test.contract';
let names = 0;

/** What every `Engine` does, the real and the simulated one. */
export function engineContract(under: () => EngineUnderTest): void {
  const config = (init: Partial<ContainerConfig> = {}): ContainerConfig => ({
    Image: under().image,
    HostConfig: {},
    ...init,
    Labels: { [label]: 'mine', ...init.Labels },
  });
  const made: string[] = [];
  const create = async (init: Partial<ContainerConfig> = {}, name = `contract-${process.pid}-${++names}`) => {
    const id = await under().engine.create(name, config(init));
    made.push(id);
    return id;
  };
  const started = async (init: Partial<ContainerConfig> = {}) => {
    const id = await create(init);
    await under().engine.start(id);
    return id;
  };
  afterEach(async () => {
    for (const id of made.splice(0)) await under().engine.remove(id);
  });

  it('answers a ping and says what it is', async () => {
    await under().engine.ping();
    const info = await under().engine.info();
    assert.equal(info.os, 'linux');
    assert.match(info.version, /^\d+\.\d+/);
    assert.ok(info.cpus >= 1 && info.memory_bytes > 2 ** 20, JSON.stringify(info));
    assert.ok(info.plugins.Network?.includes('bridge'));
  });

  it('refuses an image that is not there in words that name it', async () => {
    const missing = create({ Image: 'shoal.test/missing:1' });
    await assert.rejects(missing, refusal('not-found', /No such image: shoal\.test\/missing:1/));
  });

  it('runs a container through its life, and tells of it', async () => {
    const events: ContainerEvent[] = [];
    const stream = await under().engine.events({ [label]: 'mine' }, (event) => events.push(event));
    const id = await create({ Cmd: ['sh', '-c', 'sleep 0.2; exit 3'], Labels: { colour: 'blue' } });
    const before = await under().engine.inspect(id);
    assert.deepEqual([before?.phase, before?.started, before?.pid], ['created', false, 0]);
    assert.equal(before?.labels.colour, 'blue');

    await under().engine.start(id);
    await until(() => events.some((event) => event.kind === 'die'));
    const after = await under().engine.inspect(id);
    assert.deepEqual([after?.phase, after?.started, after?.exitCode, after?.pid], ['exited', true, 3, 0]);

    await under().engine.remove(id);
    await until(() => events.some((event) => event.kind === 'destroy'));
    assert.equal(await under().engine.inspect(id), undefined);
    assert.deepEqual(
      events.map((event) => [event.kind, event.id === id, event.labels.colour]),
      [
        ['start', true, 'blue'],
        ['die', true, 'blue'],
        ['destroy', true, 'blue'],
      ],
    );
    assert.equal(events.find((event) => event.kind === 'die')?.exitCode, 3);
    stream.close();
    await stream.ended;
  });

  it('lists what carries every label asked for, and nothing else', async () => {
    const blue = await started({ Labels: { colour: 'blue' } });
    const red = await create({ Labels: { colour: 'red' } });
    const all = await under().engine.list({ [label]: 'mine' });
    assert.deepEqual(
      all.map((one) => [one.id, one.phase]).sort(),
      [
        [blue, 'running'],
        [red, 'created'],
      ].sort(),
    );
    const some = await under().engine.list({ [label]: 'mine', colour: 'red' });
    assert.deepEqual(
      some.map((one) => one.id),
      [red],
    );
    assert.deepEqual(await under().engine.list({ [label]: 'theirs' }), []);
  });

  it('tells one listener nothing of containers without its labels', async () => {
    const events: ContainerEvent[] = [];
    const stream = await under().engine.events({ [label]: 'mine', colour: 'red' }, (event) => events.push(event));
    await started({ Labels: { colour: 'blue' } });
    const red = await started({ Labels: { colour: 'red' } });
    await until(() => events.length > 0);
    assert.deepEqual(
      events.map((event) => event.id),
      [red],
    );
    stream.close();
  });

  it('finds a container by its name', async () => {
    const name = `contract-${process.pid}-named`;
    const id = await create({}, name);
    assert.equal((await under().engine.inspect(name))?.id, id);
    assert.equal((await under().engine.inspect(id))?.name, name);
  });

  it('refuses a name that is taken', async () => {
    const name = `contract-${process.pid}-twice`;
    await create({}, name);
    await assert.rejects(create({}, name), refusal('name-conflict', /already in use/));
  });

  it('starts what runs already without a word, and refuses to start what is not there', async () => {
    const id = await started();
    await under().engine.start(id);
    assert.equal((await under().engine.inspect(id))?.phase, 'running');
    await assert.rejects(under().engine.start('f'.repeat(64)), refusal('not-found', /No such container/));
  });

  it('stops with the signal first', async () => {
    const id = await started({ StopTimeout: 7 });
    await under().engine.stop(id, 20_000);
    const after = await under().engine.inspect(id);
    assert.deepEqual([after?.phase, after?.exitCode, after?.stopGrace_ms], ['exited', 0, 7_000]);
    await under().engine.stop(id, 1_000);
  });

  it('kills what does not end within its grace', async () => {
    const id = await started({ Cmd: ['sleep', '1000'] });
    await under().engine.stop(id, 1_000);
    assert.equal((await under().engine.inspect(id))?.exitCode, 137);
  });

  it('has nothing to stop or remove where nothing is', async () => {
    const id = await started();
    await under().engine.remove(id);
    await under().engine.remove(id);
    await under().engine.stop(id, 1_000);
  });

  it('binds ports of its own choice and ports asked for, and says where', async () => {
    const { address } = under();
    const PortBindings = {
      '80/tcp': [{ HostIp: address, HostPort: '' }],
      '53/udp': [{ HostIp: address, HostPort: '35353' }],
    };
    const ports = { ExposedPorts: { '80/tcp': {}, '53/udp': {} }, HostConfig: { PortBindings } };
    const bindings = (await under().engine.inspect(await started(ports)))?.bindings ?? [];
    const chosen = bindings.find((one) => one.targetPort === 80);
    assert.deepEqual([chosen?.protocol, chosen?.hostAddress], ['tcp', address]);
    assert.ok((chosen?.hostPort ?? 0) > 1024);
    const asked = bindings.find((one) => one.targetPort === 53);
    assert.deepEqual([asked?.protocol, asked?.hostPort], ['udp', 35353]);

    const second = await create(ports);
    await assert.rejects(under().engine.start(second), refusal('internal', /port is already allocated/));
    assert.equal((await under().engine.inspect(second))?.started, false);
  });

  it('tells of health', async () => {
    const events: ContainerEvent[] = [];
    const stream = await under().engine.events({ [label]: 'mine' }, (event) => events.push(event));
    const check = (word: string) => ({ Test: ['CMD', word], Interval: 300e6, Timeout: 5e9, Retries: 1 });
    const well = await started({ Healthcheck: check('true') });
    const ill = await started({ Healthcheck: check('false') });
    const plain = await started();
    const healthOf = (id: string) => events.findLast((event) => event.kind === 'health' && event.id === id);
    await until(() => healthOf(well) !== undefined && healthOf(ill) !== undefined);
    for (const [id, health] of [
      [well, 'healthy'],
      [ill, 'unhealthy'],
    ] as const) {
      const event = healthOf(id);
      assert.equal(event?.kind === 'health' && event.health, health);
      assert.equal((await under().engine.inspect(id))?.health, health);
      const listed = await under().engine.list({ [label]: 'mine' });
      assert.equal(listed.find((one) => one.id === id)?.health, health);
    }
    assert.equal((await under().engine.inspect(plain))?.health, '');
    stream.close();
  });

  it('gives up a pull when told', async () => {
    const giveUp = new AbortController();
    giveUp.abort();
    const pull = under().engine.pull('shoal.test/missing:1', { signal: giveUp.signal });
    await assert.rejects(pull, refusal('unavailable', /given up/));
  });

  it('ends everything in flight on reset, and works on', async () => {
    const id = await started({ Cmd: ['sleep', '1000'] });
    const stream = await under().engine.events({ [label]: 'mine' }, () => {});
    const stop = under().engine.stop(id, 600_000);
    stop.catch(() => {});
    await until(async () => (await under().engine.inspect(id))?.phase === 'running');
    under().engine.reset();
    await assert.rejects(stop, refusal('unavailable', /given up/));
    assert.match(await stream.ended, /given up/);
    await under().engine.ping();
  });
}

/** A refusal with this code and words. */
function refusal(code: ShoalError['code'], words: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof ShoalError, String(error));
    assert.match(error.message, words);
    assert.equal(error.code, code);
    return true;
  };
}

async function until(done: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 30_000;
  while (!(await done())) {
    assert.ok(performance.now() < end, 'did not come true');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
