import assert from 'node:assert/strict';
import fc from 'fast-check';
import winston from 'winston';
import { Attaching } from '../../../src/manager/dispatcher/attaching.js';
import { ShoalError } from '../../../src/model/errors.js';
import { seededRandom } from '../../../src/model/random.js';
import { isFinal } from '../../../src/model/states.js';
import type { AttachNetworkRequestInit, Task } from '../../../src/model/types.js';
import { KernelNetworks } from '../../../src/network/kernel/kernel-networks.js';
import { NetworkTable } from '../../../src/network/network-table.js';
import { AttachedContainers } from '../../../src/worker/networks/attached-containers.js';
import { NodeNetworks } from '../../../src/worker/networks/node-networks.js';
import { OwnContainers } from '../../../src/worker/networks/own-containers.js';
import { ManualClock, settled } from '../../helpers/manual-clock.js';
import { Orchestra } from '../../helpers/orchestra.js';
import { SilentMachine } from '../../helpers/silent-machine.js';
import { SimulatedEngine } from '../../helpers/simulated-engine.js';

const unasked = {
  NetworkID: '',
  ContainerID: '',
  ContainerName: '',
  Hostname: '',
  Aliases: [],
  Nameservers: [],
  Address: '',
  Address6: '',
};
const log = winston.createLogger({ silent: true });

/** One node with its users, and managers that do at once what there is to do. */
class Site {
  readonly clock = new ManualClock();
  readonly world = new Orchestra();
  readonly engine = new SimulatedEngine(this.clock);
  readonly networks: NodeNetworks;
  attached!: AttachedContainers;
  own!: OwnContainers;
  isCutOff = false;
  /** The leader rests after a plan: a node hears of a new task before that has an address. */
  isResting = false;
  private readonly attaching: Attaching;
  private assigned = new Map<string, Task>();

  constructor(subnet = '127.9.0.0/24') {
    const { clock, world, engine } = this;
    world.addNodes(1);
    world.asleep.add('node1');
    for (const [at, name] of ['blue', 'red'].entries()) {
      const [Subnet, Gateway] = [subnet, subnet.replace(/0\/\d+$/, '1')].map((text) => text.replace('9', `${9 + at}`));
      world.commit([
        {
          Action: 'create',
          Network: {
            ID: name,
            Spec: { Name: name, Attachable: true },
            IPAMOptions: { Configs: [{ Subnet, Gateway }] },
          },
        },
      ]);
    }
    world.commit([{ Action: 'create', Network: { ID: 'closed', Spec: { Name: 'closed' } } }]);
    this.networks = new NodeNetworks({
      nodeID: 'node1',
      engine,
      kernel: new KernelNetworks({
        nodeID: 'node1',
        tools: new SilentMachine(engine),
        plane: undefined,
        clock,
        log,
      }),
      clock,
      random: seededRandom(1),
      log,
    });
    this.attaching = new Attaching({
      store: world.store,
      proposer: {
        propose: async (transaction) => {
          world.apply(transaction);
          this.managersWork();
          return { index: world.store.index };
        },
      },
      clock,
      random: seededRandom(2),
      checkServing: () => {},
    });
    this.startAgent();
  }

  /** An agent that knows nothing but what it is told and sees. */
  startAgent(): void {
    const { engine, networks, clock } = this;
    this.attached = new AttachedContainers({
      nodeID: 'node1',
      engine,
      networks,
      attach: (request) => this.attach(request),
      changed: (ID, Status) => {
        if (this.isCutOff) return;
        this.world.commit([{ Action: 'observe', Task: { ID, Status } }]);
        this.managersWork();
      },
      clock,
      random: seededRandom(3),
      log,
    });
    this.own = new OwnContainers({ engine, networks, attached: this.attached, log });
    this.assigned = new Map();
    this.tell(true);
  }

  async attach(request: AttachNetworkRequestInit): Promise<Task> {
    if (this.isCutOff) throw new ShoalError('unavailable', 'no manager');
    return (await this.attaching.attach('node1', { ...unasked, ...request })).Task!;
  }

  managersWork(): void {
    if (this.isResting) {
      setImmediate(() => this.tell(false));
      this.clock.after(20, () => {
        this.isResting = false;
        this.managersWork();
        this.isResting = true;
      });
      return;
    }
    this.world.planAll();
    if (!this.isCutOff) setImmediate(() => this.tell(false));
  }

  /** The session: networks, then tasks. */
  tell(isFull: boolean): void {
    const { world, networks, attached } = this;
    void networks.apply(new NetworkTable(world.store));
    const tasks = new Map(this.tasks().map((task) => [task.ID, task]));
    for (const task of tasks.values()) {
      if (isFull || this.assigned.get(task.ID)?.Version?.Index !== task.Version?.Index) attached.take(task, isFull);
    }
    for (const id of this.assigned.keys()) if (!tasks.has(id)) attached.release(id);
    if (isFull) attached.keepOnly(new Set(tasks.keys()));
    this.assigned = tasks;
  }

  tasks(): Task[] {
    return [...this.world.store.list('Task')];
  }

  /** As our API does it: made without an address on the bridge of the network. */
  async create(name: string, network = 'blue', wish = ''): Promise<string> {
    const bridge = await this.own.bring(this.networks.find(network)!);
    const id = await this.engine.create(name, { Image: 'web', Labels: {}, HostConfig: {} });
    await this.engine.connectNetwork(bridge.id, id, { address: wish, address6: '' });
    return id;
  }

  start(id: string): Promise<void> {
    return this.own.starting(id, () => this.engine.start(id));
  }

  async settle(): Promise<void> {
    await this.clock.advance(65_000);
    await settled();
  }

  /** `name network address` of what runs, and of what the managers hold for it. */
  running(): string[] {
    return this.engine
      .running()
      .flatMap((one) => one.summary().networks.map((on) => `${one.name} ${on.name} ${on.address}`))
      .sort();
  }

  held(): string[] {
    return this.tasks()
      .filter((task) => !isFinal(task.Status?.State ?? ''))
      .map(
        (task) =>
          `${task.Name} ${task.Spec!.Networks[0]!.Target} ${task.NetworksAttachments[0]?.Addresses[0]?.split('/')[0]}`,
      )
      .sort();
  }

  async close(): Promise<void> {
    await this.attached.stop();
    await this.networks.close();
  }
}

describe('containers of a node’s own on networks of the cluster', () => {
  let site: Site;
  beforeEach(async () => {
    site = new Site();
    await site.clock.advance(0);
  });
  afterEach(() => site.close());

  it('have addresses while they run, which are given back when they end', async () => {
    const id = await site.create('db');
    assert.deepEqual(site.held(), []);
    await site.start(id);
    assert.deepEqual([site.running(), site.held()], [['db blue 127.9.0.2'], ['db blue 127.9.0.2']]);
    await site.settle();
    const [task] = site.tasks();
    assert.equal(task!.Status?.State, 'running');
    const [endpoint] = [...new NetworkTable(site.world.store).services.values()].flatMap((one) => one.Endpoints);
    assert.deepEqual([endpoint!.Name, endpoint!.Address, endpoint!.Serving], ['db', '127.9.0.2', true]);
    site.engine.exit(id, 0);
    await site.clock.advance(1_000);
    assert.deepEqual(site.tasks(), []);
  });

  it('are not said to have ended while the managers look for an address', async () => {
    const id = await site.create('db');
    await site.start(id);
    site.engine.exit(id, 0);
    await site.clock.advance(1_000);
    site.isResting = true;
    await site.engine.start(id); // past our API
    await site.clock.advance(2_000);
    assert.deepEqual([site.running(), site.held()], [['db blue 127.9.0.2'], ['db blue 127.9.0.2']]);
    const [task] = site.tasks();
    assert.equal(task!.Status?.State, 'running');
  });

  it('are on several networks at once, and on one more while they run', async () => {
    const id = await site.create('db');
    const { id: red } = await site.own.bring(site.networks.find('red')!);
    await site.engine.connectNetwork(red, id, { address: '', address6: '' });
    await site.start(id);
    assert.deepEqual(site.held(), ['db blue 127.9.0.2', 'db red 127.10.0.2']);
    await site.own.disconnect('db', site.networks.find('red')!);
    await site.clock.advance(1_000);
    assert.deepEqual([site.running(), site.held()], [['db blue 127.9.0.2'], ['db blue 127.9.0.2']]);
    await site.own.connect('db', site.networks.find('red')!, {
      address6: '',
      address: '127.10.0.9',
      aliases: ['base'],
    });
    assert.deepEqual(site.running(), ['db blue 127.9.0.2', 'db red 127.10.0.9']);
    assert.deepEqual(site.running(), site.held());
  });

  it('are refused with Docker’s words: a closed network, a taken address, one that is full', async () => {
    await assert.rejects(site.own.bring(site.networks.find('closed')!), {
      message:
        'Could not attach to network closed: rpc error: code = PermissionDenied desc = network closed not manually attachable',
    });
    await site.start(await site.create('db'));
    const second = await site.create('second', 'blue', '127.9.0.2');
    await assert.rejects(site.start(second), /Could not attach to network blue: Address already in use/);
    assert.deepEqual(site.held(), ['db blue 127.9.0.2']);
    await site.close();
    site = new Site('127.9.0.0/29');
    await site.clock.advance(0);
    for (let at = 0; at < 5; at++) await site.start(await site.create(`c${at}`));
    const message =
      "Could not attach to network blue: no available IPv4 addresses on this network's address pools: blue (blue)";
    await assert.rejects(site.start(await site.create('sixth')), { message });
  });

  it('that a manager does not know lose no address to others, and are refused the network when they lost it', async () => {
    const id = await site.create('db');
    await site.start(id);
    site.engine.exit(id, 0);
    await site.clock.advance(1_000);
    await site.start(await site.create('thief', 'blue', '127.9.0.2'));
    await site.engine.start(id); // past our API, with the address that it had
    await site.settle();
    assert.deepEqual(site.running(), ['thief blue 127.9.0.2']);
    assert.deepEqual(site.held(), ['thief blue 127.9.0.2']);
  });

  it('give back all their addresses when their node leaves, and run on', async () => {
    for (const name of ['db', 'web']) await site.start(await site.create(name));
    await site.settle();
    await site.own.release();
    await site.clock.advance(1_000);
    assert.deepEqual([site.running(), site.held(), site.engine.running().length], [[], [], 2]);
  });

  it('keep the bridge of their network while they are there, running or not', async () => {
    const id = await site.create('db');
    await site.settle();
    assert.equal(site.engine.bridges.size, 1);
    await site.engine.remove(id);
    await site.settle();
    assert.equal(site.engine.bridges.size, 0);
  });

  it('have, after anything, the addresses that the managers hold for them, and nobody else has', async function () {
    this.timeout(120_000);
    const kinds = [
      'create',
      'start',
      'exit',
      'rawStart',
      'remove',
      'disconnect',
      'agent',
      'cut',
      'mute',
      'rest',
      'pass',
    ] as const;
    const step = fc.record({ kind: fc.constantFrom(...kinds), at: fc.nat(3), ms: fc.nat(2_000) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const at = new Site('127.9.0.0/29');
        await at.clock.advance(0);
        try {
          for (const { kind, at: which, ms } of steps) await take(at, kind, `c${which}`, ms);
          at.isCutOff = false;
          at.engine.losesEvents = false;
          at.isResting = false;
          at.tell(true);
          for (let round = 0; round < 4; round++) await at.settle();
          assert.deepEqual(at.running(), at.held());
          assert.equal(new Set(at.held().map((line) => line.split(' ')[2])).size, at.held().length);
        } finally {
          await at.close();
        }
      }),
      { numRuns: 60 },
    );
  });
});

async function take(site: Site, kind: string, name: string, ms: number): Promise<void> {
  const { engine } = site;
  const found = [...engine.containers.values()].find((one) => one.name === name);
  const may = (work: Promise<unknown> | undefined) => work?.catch(() => {});
  if (kind === 'create' && found === undefined) await may(site.create(name));
  else if (kind === 'start' && found !== undefined) {
    const started = may(site.start(found.id));
    await site.clock.advance(6_000);
    await started;
  } else if (kind === 'exit' && found !== undefined) engine.exit(found.id, 0);
  else if (kind === 'rawStart' && found?.networks().length && found.summary().networks[0]?.asked !== '') {
    await may(engine.start(found.id));
  } else if (kind === 'remove' && found !== undefined) await engine.remove(found.id);
  else if (kind === 'disconnect' && found !== undefined) {
    await may(site.own.disconnect(name, site.networks.find('blue')!));
  } else if (kind === 'agent') {
    await site.attached.stop();
    site.startAgent();
  } else if (kind === 'cut') {
    site.isCutOff = !site.isCutOff;
    if (!site.isCutOff) site.tell(true);
  } else if (kind === 'rest') site.isResting = !site.isResting;
  else if (kind === 'mute') engine.losesEvents = !engine.losesEvents;
  await site.clock.advance(kind === 'pass' ? ms * 20 : ms);
}
