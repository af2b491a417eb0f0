import assert from 'node:assert/strict';
import fc from 'fast-check';
import { configurationFor, uniqueLocalPool } from '../../../src/manager/subnets.js';
import { complete } from '../../../src/model/codec.js';
import { formatBlock, overlap } from '../../../src/model/ip.js';
import { blocksOf } from '../../../src/model/network-block.js';
import { isFinal } from '../../../src/model/states.js';
import type {
  IPAMConfigInit,
  IPAMOptions,
  NetworkAttachmentConfigInit,
  NetworkSpec,
  Task,
} from '../../../src/model/types.js';
import type { View } from '../../../src/store/view.js';
import { Orchestra } from '../../helpers/orchestra.js';

const addNetwork = (world: Orchestra, ID: string, Subnet: string, more: object = {}) =>
  addSubnets(world, ID, [{ Subnet, Gateway: Subnet.replace(/0\/\d+$/, '1'), ...more }]);
const addSubnets = (world: Orchestra, ID: string, Configs: IPAMConfigInit[]) =>
  world.commit([
    {
      Action: 'create',
      Network: {
        ID,
        Spec: { Name: ID, IPv6Enabled: Configs.some(({ Subnet }) => Subnet!.includes(':')) },
        IPAMOptions: { Configs },
      },
    },
  ]);
const allotted = (spec: NetworkSpec, world: Orchestra): IPAMOptions => {
  const options = configurationFor(spec, world.store);
  assert.notEqual(typeof options, 'number');
  return options as IPAMOptions;
};
const on = (...targets: string[]): { TaskTemplate: { Networks: NetworkAttachmentConfigInit[] } } => ({
  TaskTemplate: { Networks: targets.map((Target) => ({ Target })) },
});
const addresses = (task: Task) => task.NetworksAttachments.flatMap(({ Addresses }) => Addresses);

describe('addresses on cluster networks', () => {
  let world: Orchestra;
  beforeEach(() => {
    world = new Orchestra();
    world.addNodes(2);
  });

  it('are given to tasks from below and to services from above, leaving out what is reserved', () => {
    addNetwork(world, 'net', '10.0.1.0/28', { AuxiliaryAddresses: { router: '10.0.1.3' } });
    world.create('web', 3, on('net'));
    world.settle();
    assert.deepEqual(world.running('web').flatMap(addresses).sort(), ['10.0.1.2/28', '10.0.1.4/28', '10.0.1.5/28']);
    assert.deepEqual(world.service('web').Endpoint?.VirtualIPs, [{ NetworkID: 'net', Addr: '10.0.1.14/28' }]);
  });

  it('are one on each network of a task, and no virtual one of a service that only its tasks answer for', () => {
    addNetwork(world, 'a', '10.0.1.0/24');
    addNetwork(world, 'b', '10.0.2.0/24');
    world.create('web', 1, { ...on('b', 'a', 'host'), EndpointSpec: { Mode: 'dnsrr' } });
    world.settle();
    const [task] = world.running('web');
    assert.deepEqual(
      task!.NetworksAttachments.map(({ Network, Addresses }) => [Network?.ID, ...Addresses]),
      [
        ['b', '10.0.2.2/24'],
        ['a', '10.0.1.2/24'],
      ],
    );
    assert.deepEqual(world.service('web').Endpoint?.VirtualIPs ?? [], []);
  });

  it('that run out keep tasks waiting, who say so, until some come back', () => {
    addNetwork(world, 'net', '10.0.1.0/29'); // gateway, virtual IP, and four more
    world.create('web', 6, on('net'));
    world.settle();
    assert.equal(world.running('web').length, 4);
    const waiting = world.wanted('web').filter((task) => task.NodeID === '');
    assert.deepEqual(
      waiting.map((task) => task.Status?.Err),
      Array(2).fill("no available IPv4 addresses on this network's address pools: net (net)"),
    );
    world.scale('web', 3);
    world.settle();
    assert.equal(world.running('web').length, 3);
    world.scale('web', 4);
    world.settle();
    assert.equal(world.running('web').length, 4);
  });

  it('are of IPv6 too where the network has that, in the same segment, and virtual ones of both', () => {
    addSubnets(world, 'net', [
      { Subnet: '10.0.1.0/29', Gateway: '10.0.1.1' }, // five for virtual IPs and tasks
      { Subnet: '10.0.2.0/24', Gateway: '10.0.2.1' },
      { Subnet: 'fd00:1::/64', Gateway: 'fd00:1::1', AuxiliaryAddresses: { router: 'fd00:1::3' } },
      { Subnet: 'fd00:2::/64', Gateway: 'fd00:2::1', Range: 'fd00:2::100/120' },
    ]);
    world.create('web', 6, on('net'));
    world.settle();
    assert.deepEqual(world.service('web').Endpoint?.VirtualIPs, [
      { NetworkID: 'net', Addr: '10.0.1.6/29' },
      { NetworkID: 'net', Addr: 'fd00:1::ff:ffff/64' },
    ]);
    assert.deepEqual(
      world.running('web').map((task) => addresses(task).join(' ')),
      [
        '10.0.1.2/29 fd00:1::2/64',
        '10.0.1.3/29 fd00:1::4/64',
        '10.0.1.4/29 fd00:1::5/64',
        '10.0.1.5/29 fd00:1::6/64',
        '10.0.2.2/24 fd00:2::100/64',
        '10.0.2.3/24 fd00:2::101/64',
      ],
    );
  });

  it('of IPv6 that run out keep tasks waiting, who say so', () => {
    addSubnets(world, 'net', [
      { Subnet: '10.0.1.0/24', Gateway: '10.0.1.1' },
      { Subnet: 'fd00:1::/125', Gateway: 'fd00:1::1' }, // virtual IP, and four more
    ]);
    world.create('web', 5, on('net'));
    world.settle();
    assert.equal(world.running('web').length, 4);
    const waiting = world.wanted('web').filter((task) => task.NodeID === '');
    assert.deepEqual(
      waiting.map((task) => task.Status?.Err),
      ["no available IPv6 addresses on this network's address pools: net (net)"],
    );
    world.scale('web', 3);
    world.settle();
    world.scale('web', 4);
    world.settle();
    assert.equal(world.running('web').length, 4);
  });

  it('that were given back rest for two minutes while there are others', () => {
    addNetwork(world, 'net', '10.0.1.0/24');
    world.create('web', 3, on('net'));
    world.settle();
    world.scale('web', 1);
    world.settle();
    assert.equal(world.tasks('web').length, 1);
    world.scale('web', 3);
    world.settle();
    assert.deepEqual(world.running('web').flatMap(addresses), ['10.0.1.2/24', '10.0.1.5/24', '10.0.1.6/24']);
    world.pass(120_000);
    world.scale('web', 5);
    world.settle();
    assert.deepEqual(world.running('web').flatMap(addresses).slice(3), ['10.0.1.3/24', '10.0.1.4/24']);
  });

  it('that are taken up by another leader are those that the one before gave', () => {
    addNetwork(world, 'net', '10.0.1.0/28');
    world.create('web', 3, on('net'));
    world.plan();
    const given = world.tasks('web').flatMap(addresses);
    // What a leader planned and could not carry out before it lost its lead is refused, or takes nobody's address.
    world.scale('web', 6);
    const stale = world.look();
    world.scale('web', 9);
    world.planAll();
    for (const transaction of stale.transactions)
      assert.throws(() => world.apply(transaction), /out of sequence|changed/);
    world.settle();
    const all = world.running('web').flatMap(addresses);
    assert.deepEqual(all.slice(0, 3).sort(), given.sort());
    assert.equal(new Set(all).size, 9);
  });

  it('are never shared, whatever happens, and all come back', () => {
    type Step =
      | { kind: 'create' | 'scale' | 'remove' | 'image'; name: string; size: number }
      | { kind: 'fail' | 'pass' };
    const name = fc.constantFrom('web', 'api', 'db');
    const step: fc.Arbitrary<Step> = fc.oneof(
      fc.record({
        kind: fc.constantFrom('create' as const, 'scale' as const, 'remove' as const, 'image' as const),
        name,
        size: fc.nat(9),
      }),
      fc.record({ kind: fc.constantFrom('fail' as const, 'pass' as const) }),
    );
    const checkShared = (at: Orchestra) => {
      const holders = new Map<string, string>();
      const hold = (key: string, holder: string) => {
        assert.equal(holders.get(key), undefined, `${key} is of ${holders.get(key)} and of ${holder}`);
        holders.set(key, holder);
      };
      for (const service of at.store.list('Service')) {
        for (const { NetworkID, Addr } of service.Endpoint?.VirtualIPs ?? []) hold(`${NetworkID} ${Addr}`, service.ID);
      }
      for (const task of at.store.list('Task')) {
        if (isFinal(task.Status?.State ?? '')) continue;
        assert.equal(task.NodeID === '', task.NetworksAttachments.length === 0);
        for (const { Network, Addresses } of task.NetworksAttachments) {
          assert.equal(Addresses.length, Network?.ID === 'a' ? 1 : 2);
          const segments = Addresses.map((one) => /^(?:10\.0|fd00):?\.?(\d)/.exec(one)?.[1]);
          assert.equal(new Set(segments).size, 1, Addresses.join());
          for (const one of Addresses) hold(`${Network?.ID} ${one}`, task.ID);
        }
      }
      for (const key of holders.keys()) assert.match(key, /^(a 10\.0\.1\.|b 10\.0\.[23]\.|b fd00:[23]::)/);
    };
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.nat(), (steps, seed) => {
        const at = new Orchestra(seed + 1);
        at.addNodes(3);
        addNetwork(at, 'a', '10.0.1.0/27');
        addSubnets(at, 'b', [
          { Subnet: '10.0.2.0/28', Gateway: '10.0.2.1', Range: '10.0.2.8/29' },
          { Subnet: '10.0.3.0/29', Gateway: '10.0.3.1' },
          { Subnet: 'fd00:2::/124', Gateway: 'fd00:2::1' },
          { Subnet: 'fd00:3::/64', Gateway: 'fd00:3::1' },
        ]);
        for (const one of steps) {
          const known = 'name' in one && at.store.byName('Service', one.name) !== undefined;
          if (one.kind === 'create' && !known) at.create(one.name, one.size, one.size % 2 ? on('a') : on('a', 'b'));
          else if (one.kind === 'scale' && known) at.scale(one.name, one.size);
          else if (one.kind === 'image' && known) at.setImage(one.name, `web:${one.size}`);
          else if (one.kind === 'remove' && known) at.removeService(one.name);
          else if (one.kind === 'pass') at.pass(20_000);
          else if (one.kind === 'fail') for (const task of at.running().slice(0, 1)) at.report(task, 'failed');
          at.plan();
          checkShared(at);
          at.work();
          at.plan();
          checkShared(at);
        }
        for (const service of [...at.store.list('Service')]) at.removeService(service.Spec!.Name);
        at.settle();
        assert.equal(at.store.count('Task'), 0);
        at.pass(120_000);
        at.create('all', 40, on('a'));
        at.settle();
        assert.equal(at.running('all').length, 28); // 32, less both ends, the gateway and the virtual IP
      }),
      { numRuns: 60 },
    );
  });
});

describe('cluster networks in the store', () => {
  it('have a number of their own, as nodes have, that a change does not change', () => {
    const world = new Orchestra();
    world.addNodes(2);
    addNetwork(world, 'a', '10.0.1.0/24');
    addNetwork(world, 'b', '10.0.2.0/24');
    world.setNode('node2', { Availability: 'drain' });
    assert.deepEqual(
      ['node1', 'node2'].map((id) => world.node(id).Number),
      [1, 2],
    );
    assert.deepEqual(
      ['a', 'b'].map((id) => world.store.get('Network', id)?.Number),
      [1, 2],
    );
  });

  it('come out of the pools without overlap, whichever managers are asked at once and whoever leads', () => {
    type Step = { kind: 'create' | 'remove' | 'look'; by: number; subnet: string };
    const subnet = fc.constantFrom('', '', '', '10.0.0.64/27', '10.0.0.0/25', '192.168.7.0/28');
    const step: fc.Arbitrary<Step> = fc.record({
      kind: fc.constantFrom('create' as const, 'create' as const, 'remove' as const, 'look' as const),
      by: fc.nat(2),
      subnet,
    });
    const subnetsOf = (world: Orchestra) =>
      [...world.store.list('Network')].flatMap((network) => blocksOf(network).map(({ subnet }) => subnet));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const world = new Orchestra();
        const cluster = world.store.cluster()!;
        world.commit([
          {
            Action: 'update',
            Cluster: { ...cluster, DefaultAddrPool: ['10.0.0.0/24', '10.9.0.0/27'], SubnetSize: 27 },
          },
        ]);
        // Managers that have not heard of everything yet: what each knew when it last looked.
        const seen = [0, 1, 2].map(() => [...world.store.list('Network')]);
        const viewOf = (by: number) =>
          ({
            list: () => seen[by]!,
            cluster: () => world.store.cluster(),
          }) as unknown as View;
        for (const [at, { kind, by, subnet: asked }] of steps.entries()) {
          if (kind === 'look') seen[by] = [...world.store.list('Network')];
          else if (kind === 'remove') {
            const [first] = world.store.list('Network');
            if (first !== undefined) world.commit([{ Action: 'remove', Kind: 'Network', ID: first.ID }]);
          } else {
            const Spec = complete('NetworkSpec', {
              Name: `n${at}`,
              IPAMOptions: { Configs: asked === '' ? [] : [{ Subnet: asked }] },
            });
            const IPAMOptions = configurationFor(Spec, viewOf(by));
            if (typeof IPAMOptions === 'number') {
              assert.ok(seen[by]!.length >= 2); // two of them may fill all that there is
              continue;
            }
            try {
              world.commit([{ Action: 'create', Network: { ID: `n${at}`, Spec, IPAMOptions } }]);
            } catch (error) {
              assert.match((error as Error).message, /Pool overlaps with other one/);
            }
          }
          const blocks = subnetsOf(world);
          for (const [one, block] of blocks.entries()) {
            for (const other of blocks.slice(one + 1)) assert.equal(overlap(block, other), false);
          }
        }
        for (const { ID } of [...world.store.list('Network')]) {
          world.commit([{ Action: 'remove', Kind: 'Network', ID }]);
        }
        for (let at = 0; at < 9; at++) {
          const Spec = complete('NetworkSpec', { Name: `all${at}` });
          world.commit([{ Action: 'create', Network: { ID: `all${at}`, Spec, IPAMOptions: allotted(Spec, world) } }]);
        }
        assert.equal(configurationFor(complete('NetworkSpec', {}), world.store), 4);
      }),
      { numRuns: 200 },
    );
  });

  it('have IPv6 out of a pool of the cluster’s own, or of the pools that it was founded with, and as many subnets of either', () => {
    const world = new Orchestra();
    const founded = (...DefaultAddrPool: string[]) =>
      world.commit([{ Action: 'update', Cluster: { ...world.store.cluster()!, DefaultAddrPool } }]);
    founded('10.0.0.0/8');
    const create = (ID: string, ...subnets: string[]) => {
      const Configs = subnets.map((Subnet) => ({ Subnet }));
      const Spec = complete('NetworkSpec', { Name: ID, IPv6Enabled: true, IPAMOptions: { Configs } });
      const IPAMOptions = allotted(Spec, world);
      world.commit([{ Action: 'create', Network: { ID, Spec, IPAMOptions } }]);
      return IPAMOptions.Configs.map(({ Subnet, Gateway }) => `${Subnet} ${Gateway}`);
    };
    const own = formatBlock(uniqueLocalPool(world.store.cluster()!.ID));
    assert.match(own, /^fd[0-9a-f]{2}:[0-9a-f]{1,4}:[0-9a-f]{1,4}::\/48$/);
    assert.notEqual(own, formatBlock(uniqueLocalPool('another')));
    const link = (at: number) => `${own.replace('::/48', '')}${at === 0 ? '' : `:${at}`}`;
    assert.deepEqual(create('a'), ['10.0.0.0/24 10.0.0.1', `${link(0)}::/64 ${link(0)}::1`]);
    assert.deepEqual(create('b', 'fd00:A::/64'), ['10.0.1.0/24 10.0.1.1', 'fd00:a::/64 fd00:a::1']);
    assert.deepEqual(create('c', '10.9.0.0/24', '10.9.1.0/24', 'fd00:b::/64'), [
      '10.9.0.0/24 10.9.0.1',
      '10.9.1.0/24 10.9.1.1',
      'fd00:b::/64 fd00:b::1',
      `${link(1)}::/64 ${link(1)}::1`,
    ]);
    assert.throws(() => create('d', 'fd00:a::/60'), /Pool overlaps with other one.*fd00:a::\/60 with fd00:a::\/64/);
    founded('10.0.0.0/8', 'fd99::/63');
    assert.equal(create('e')[1], 'fd99::/64 fd99::1');
    assert.equal(create('f')[1], 'fd99:0:0:1::/64 fd99:0:0:1::1');
    const Spec = complete('NetworkSpec', { Name: 'g', IPv6Enabled: true });
    assert.equal(configurationFor(Spec, world.store), 6);
    founded('100.95.255.0/24', '100.64.0.0/10', 'fd53:686f:616c::/48');
    assert.equal(create('h', 'fd00:c::/64')[0], '100.95.255.0/24 100.95.255.1');
    founded('100.96.0.0/11', 'fd53:686f:616c::/47');
    const beyond = ['100.98.0.0/24 100.98.0.1', 'fd53:686f:616d::/64 fd53:686f:616d::1'];
    assert.deepEqual(create('i'), beyond, 'not where the tunnels are');
  });

  it('never overlap, and are not removed while anything names them', () => {
    const world = new Orchestra();
    world.addNodes(1);
    addNetwork(world, 'a', '10.0.0.0/16');
    assert.throws(() => addNetwork(world, 'b', '10.0.3.0/24'), /Pool overlaps with other one on this address space/);
    world.create('web', 1, on('a'));
    world.settle();
    const remove = () => world.commit([{ Action: 'remove', Kind: 'Network', ID: 'a' }]);
    assert.throws(remove, /network a is in use by service/);
    world.removeService('web');
    assert.throws(remove, /network a is in use by task/);
    world.settle();
    remove();
    addNetwork(world, 'b', '10.0.3.0/24');
  });
});
