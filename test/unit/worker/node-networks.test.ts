import assert from 'node:assert/strict';
import winston from 'winston';
import { complete } from '../../../src/model/codec.js';
import { ShoalError } from '../../../src/model/errors.js';
import { seededRandom } from '../../../src/model/random.js';
import type { NetworkService, Task } from '../../../src/model/types.js';
import { KernelNetworks } from '../../../src/network/kernel/kernel-networks.js';
import type { KernelTools } from '../../../src/network/kernel/tools.js';
import type { NetworkItems } from '../../../src/network/network-table.js';
import { clearEngine } from '../../../src/worker/departure.js';
import { infoOf } from '../../../src/worker/docker-answers.js';
import { networkLabel, segmentLabel } from '../../../src/worker/networks/labels.js';
import { NodeNetworks } from '../../../src/worker/networks/node-networks.js';
import { ManualClock, settled } from '../../helpers/manual-clock.js';
import { SilentMachine } from '../../helpers/silent-machine.js';
import { SimulatedEngine } from '../../helpers/simulated-engine.js';

const network = complete('Network', {
  ID: 'blue-id',
  Number: 7,
  Spec: { Name: 'blue', Labels: { zone: 'a' } },
  IPAMOptions: { Configs: [{ Subnet: '127.9.0.0/24', Gateway: '127.9.0.1' }] },
});
const service = (...nodes: string[]): NetworkService => ({
  ID: 'blue-id/web',
  NetworkID: 'blue-id',
  ServiceID: 'web',
  ServiceName: 'web',
  VirtualIP: '127.9.0.254',
  VirtualIP6: '',
  Sticky: false,
  Opaque: false,
  Endpoints: nodes.map((NodeID, at) => ({
    TaskID: `t${at}`,
    NodeID,
    Address: `127.9.0.${at + 2}`,
    Address6: '',
    Serving: true,
    Hostname: '',
    Aliases: [],
    Nameservers: [],
    Name: `web.${at}`,
    ContainerID: '',
  })),
});
const items = (...services: NetworkService[]): NetworkItems => ({
  peers: new Map(
    ['me', 'other'].map((ID, at) => [
      ID,
      { ID, Number: at + 1, Address: `192.168.0.${at + 1}`, DataPathPort: 4789, EncryptionEpoch: 0 },
    ]),
  ),
  networks: new Map([[network.ID, network]]),
  services: new Map(services.map((one) => [one.ID, one])),
});
const task: Task = complete('Task', {
  ID: 't0',
  NodeID: 'me',
  NetworksAttachments: [{ Network: { ID: 'blue-id' }, Addresses: ['127.9.0.2/24'] }],
});

const log = winston.createLogger({ silent: true });

describe('the networks of the cluster on a node', () => {
  let clock: ManualClock;
  let engine: SimulatedEngine;
  let machine: SilentMachine;
  let networks: NodeNetworks;
  const start = (tools: KernelTools | undefined) =>
    new NodeNetworks({
      nodeID: 'me',
      engine,
      kernel: tools && new KernelNetworks({ nodeID: 'me', tools, plane: undefined, clock, log }),
      clock,
      random: seededRandom(1),
      log,
    });
  beforeEach(() => {
    clock = new ManualClock();
    engine = new SimulatedEngine(clock);
    machine = new SilentMachine(engine);
    networks = start(machine);
  });
  afterEach(() => networks.close());

  it('have a bridge each once a task is on them, made once for all who wait for it', async () => {
    await networks.apply(items(service('me', 'other')));
    assert.equal(engine.bridges.size, 0);
    const places = await Promise.all([networks.attach(task), networks.attach(task)]);
    const [bridge, ...others] = [...engine.bridges.values()];
    assert.deepEqual([others, engine.counts.get('createNetwork')], [[], 1]);
    assert.deepEqual(places[0], [{ network: bridge!.id, address: '127.9.0.2', address6: '', gateway: '127.9.0.1' }]);
    assert.deepEqual(bridge!.config, {
      Name: 'blue',
      Driver: 'bridge',
      CheckDuplicate: true,
      EnableIPv6: false,
      IPAM: { Config: [{ Subnet: '127.9.0.0/24', Gateway: '127.9.0.1', IPRange: '127.9.0.1/32' }] },
      Options: {
        'com.docker.network.bridge.name': 'shl7',
        'com.docker.network.bridge.enable_ip_masquerade': 'false',
        'com.docker.network.driver.mtu': '1350',
        'com.docker.network.bridge.gateway_mode_ipv4': 'nat-unprotected',
      },
      Labels: { zone: 'a', [networkLabel]: 'blue-id', [segmentLabel]: '0' },
    });
    assert.match(machine.table, /"shl7" \. 127\.9\.0\.254 : goto vip_7_web/);
    assert.ok(machine.asked.some((line) => line.includes('route replace 127.9.0.3/32 via 100.96.0.2 dev shv0 onlink')));
  });

  it('are made so that the engine lets through what comes from other nodes, by what its version is', async () => {
    // What GET /info says of it. 27 knows other modes only, and would refuse this one; 28 and later drop what is routed to a container without it.
    const engines = [
      [{ ServerVersion: '20.10.24+dfsg1', SecurityOptions: ['name=seccomp,profile=default'] }, undefined],
      [{ ServerVersion: '27.5.1', CDISpecDirs: [] }, undefined],
      [{ ServerVersion: '28.0.0', FirewallBackend: { Driver: 'iptables' } }, 'nat-unprotected'],
      [{ ServerVersion: '28.5.2+dfsg', FirewallBackend: { Driver: 'iptables+firewalld' } }, 'nat-unprotected'],
      [
        { ServerVersion: '29.0.1', FirewallBackend: { Driver: 'nftables', Info: [['ReloadedAt', '']] } },
        'nat-unprotected',
      ],
    ] as const;
    for (const [answer, mode] of engines) {
      engine = new SimulatedEngine(clock);
      engine.info = async () => infoOf(answer);
      const others = start(new SilentMachine(engine));
      await others.apply(items(service('me')));
      await others.attach(task);
      const [{ config } = assert.fail()] = [...engine.bridges.values()];
      assert.equal(config.Options['com.docker.network.bridge.gateway_mode_ipv4'], mode, answer.ServerVersion);
      assert.ok(!('Internal' in config), 'newer ones give no default gateway then, and no names from outside');
      await others.close();
    }
  });

  it('are a bridge a segment, of which a task is on its own', async () => {
    const Configs = [...network.IPAMOptions!.Configs, { Subnet: '127.8.0.0/24', Gateway: '127.8.0.1' }];
    const wide = complete('Network', { ...network, IPAMOptions: { Configs } });
    const { peers, services } = items(service('me'));
    await networks.apply({ peers, services, networks: new Map([[wide.ID, wide]]) });
    const second = complete('Task', {
      ...task,
      NetworksAttachments: [{ Network: { ID: 'blue-id' }, Addresses: ['127.8.0.7/24'] }],
    });
    const [place] = await networks.attach(second);
    const bridges = [...engine.bridges.values()];
    assert.deepEqual(
      bridges.map(({ config }) => [config.Name, config.Options['com.docker.network.bridge.name']]),
      [
        ['blue', 'shl7'],
        ['blue.1', 'shl7_1'],
      ],
    );
    assert.deepEqual(place, { network: bridges[1]!.id, address: '127.8.0.7', address6: '', gateway: '127.8.0.1' });
    await engine.removeNetwork(bridges[0]!.id); // by somebody else
    await networks.attach(second);
    assert.deepEqual([...engine.bridges.values()].map(({ config }) => config.Name).sort(), ['blue', 'blue.1']);
  });

  it('are found by labels that no user can give them', async () => {
    const Labels = { [networkLabel]: 'another', [segmentLabel]: '1' };
    const labelled = complete('Network', { ...network, Spec: { ...network.Spec, Labels } });
    const { peers, services } = items(service('me'));
    await networks.apply({ peers, services, networks: new Map([[labelled.ID, labelled]]) });
    await networks.attach(task);
    await networks.attach(task);
    assert.equal(engine.bridges.size, 1);
  });

  it('with IPv6 are refused by a kernel without, with the reason', async () => {
    const Configs = [...network.IPAMOptions!.Configs, { Subnet: 'fd00::/64', Gateway: 'fd00::1' }];
    const Spec = { ...network.Spec!, IPv6Enabled: true };
    const dual = complete('Network', { ...network, Spec, IPAMOptions: { Configs } });
    const { peers, services } = items(service('me'));
    await networks.apply({ peers, services, networks: new Map([[dual.ID, dual]]) });
    const refused = { code: 'not-supported', message: 'network blue: the kernel of this node has no IPv6' };
    await assert.rejects(networks.attach(task), refused);
    machine.sysctl = () => '0';
    const [place] = await networks.attach(
      complete('Task', {
        ...task,
        NetworksAttachments: [{ Network: { ID: 'blue-id' }, Addresses: ['127.9.0.2/24', 'fd00::2/64'] }],
      }),
    );
    const [bridge] = [...engine.bridges.values()];
    assert.deepEqual(place, { network: bridge!.id, address: '127.9.0.2', address6: 'fd00::2', gateway: '127.9.0.1' });
    assert.equal(bridge!.config.EnableIPv6, true);
    assert.deepEqual(bridge!.config.IPAM.Config[1], {
      Subnet: 'fd00::/64',
      Gateway: 'fd00::1',
      IPRange: 'fd00::1/128',
    });
  });

  it('take another name at the engine when the node has a network of theirs', async () => {
    const own = {
      Driver: 'bridge',
      CheckDuplicate: true,
      EnableIPv6: false,
      IPAM: { Config: [] },
      Options: {},
      Labels: {},
    } as const;
    await engine.createNetwork({ ...own, Name: 'blue', IPAM: { Config: [] } });
    await networks.apply(items(service('me')));
    await networks.attach(task);
    assert.deepEqual(
      [...engine.bridges.values()].map(({ name }) => name),
      ['blue', 'blue.blue-id'],
    );
  });

  it('go when their last task here has gone', async () => {
    await networks.apply(items(service('me')));
    await networks.attach(task);
    networks.forget('another');
    await clock.advance(5000);
    await settled();
    assert.equal(engine.bridges.size, 1, 'a task is on it');
    await networks.apply(items(service('other')));
    networks.forget(task.ID);
    for (let count = 0; count < 50 && engine.bridges.size > 0; count++) await clock.advance(1000);
    assert.equal(engine.bridges.size, 0);
  });

  it('go when an agent before this one has left them', async () => {
    await networks.apply(items(service('me')));
    await networks.attach(task);
    await networks.close();
    networks = start(machine);
    await networks.apply(items());
    for (let count = 0; count < 50 && engine.bridges.size > 0; count++) await clock.advance(1000);
    assert.equal(engine.bridges.size, 0);
  });

  it('stay for a task that the managers do not yet say is on them', async () => {
    await networks.apply(items(service('other')));
    await networks.attach(task);
    await networks.apply(items(service('other')));
    await clock.advance(5000);
    await settled();
    assert.equal(engine.bridges.size, 1);
  });

  it('are made anew for a task that comes while they are being removed', async () => {
    await networks.apply(items(service('other')));
    const [before] = await networks.attach(task);
    engine.latency_ms = (call) => (call === 'removeNetwork' ? 4000 : 0);
    networks.forget(task.ID);
    for (let count = 0; count < 50 && !engine.counts.has('removeNetwork'); count++) await clock.advance(100);
    const attaching = networks.attach({ ...task, ID: 't1' });
    for (let count = 0; count < 10; count++) await clock.advance(1000);
    const [after] = await attaching;
    assert.notEqual(after!.network, before!.network);
    assert.deepEqual([...engine.bridges.keys()], [after!.network]);
  });

  it('go without one that cannot be removed, which is tried again ever more seldom', async () => {
    const config = {
      Name: 'red',
      Driver: 'bridge',
      CheckDuplicate: true,
      EnableIPv6: false,
      IPAM: { Config: [] },
      Options: {},
    } as const;
    await engine.createNetwork({ ...config, IPAM: { Config: [] }, Labels: { [networkLabel]: 'red-id' } });
    const held = [...engine.bridges.keys()][0]!;
    const removeNetwork = engine.removeNetwork.bind(engine);
    let tries = 0;
    engine.removeNetwork = async (id) => {
      if (id !== held) return removeNetwork(id);
      tries += 1;
      throw new ShoalError('conflict', 'network red has active endpoints');
    };
    await networks.apply(items());
    await networks.apply(items(service('other')));
    await networks.attach(task);
    networks.forget(task.ID);
    for (let count = 0; count < 300; count++) await clock.advance(1000);
    assert.deepEqual([...engine.bridges.keys()], [held]);
    assert.ok(tries >= 3 && tries <= 12, `${tries} tries in 300 s`);
  });

  it('are put right when somebody else has been at the rules', async () => {
    await networks.apply(items(service('me')));
    await networks.attach(task);
    machine.table = 'something else';
    for (let count = 0; count < 50 && machine.table === 'something else'; count++) await clock.advance(1000);
    assert.match(machine.table, /^table ip shoal\ndelete table ip shoal\ntable ip shoal \{/);
  });

  it('cost the kernel in proportion to what changes of them: it is told, and not asked how all of it is', async () => {
    const all = items(service('me', ...Array.from({ length: 200 }, () => 'other')));
    await networks.apply(all);
    await networks.attach(task);
    await networks.started();
    const web = all.services.get('blue-id/web')!;
    const told = async (Endpoints: NetworkService['Endpoints']) => {
      const before = machine.asked.length;
      await networks.apply({ ...all, services: new Map(all.services).set(web.ID, { ...web, Endpoints }) });
      return machine.asked.slice(before).map((line) => line.trim().split('\n'));
    };
    const moved = { ...web.Endpoints[7]!, NodeID: 'me' };
    assert.deepEqual(await told(web.Endpoints.with(7, moved)), [
      ['nft -f - add element ip shoal itself { 127.9.0.9 . 127.9.0.9 }'],
      ['ip -force -batch - route del 127.9.0.9/32 dev shv0'],
    ]);
    const [rules, ...rest] = await told(web.Endpoints.slice(0, -1));
    assert.equal(rules!.length, 3, 'one chain, and the element of before');
    assert.deepEqual(rest, [
      [
        'ip -force -batch - route del 127.9.0.202/32 dev shv0',
        'route replace 127.9.0.9/32 via 100.96.0.2 dev shv0 onlink',
      ],
    ]);
  });

  it('are looked at all the same while they change all the time', async () => {
    const all = items(service('me'));
    await networks.apply(all);
    await networks.attach(task);
    const web = all.services.get('blue-id/web')!;
    machine.table = 'something else';
    for (let count = 0; count < 20; count++) {
      await clock.advance(500);
      const Endpoints = [{ ...web.Endpoints[0]!, Hostname: `${count}` }];
      await networks.apply({ ...all, services: new Map([[web.ID, { ...web, Endpoints }]]) });
    }
    assert.match(machine.table, /^table ip shoal\ndelete table ip shoal\ntable ip shoal \{/);
  });

  it('are told again, after a look, when what was there before has gone', async () => {
    const all = items(service('me'));
    await networks.apply(all);
    await networks.attach(task);
    machine.hasTunnel = false;
    const run = machine.run.bind(machine);
    machine.run = async (command, args, input = '') => {
      if (command === 'ip' && input.includes('route') && !machine.hasTunnel && !input.includes('link add'))
        throw new ShoalError('unavailable', 'Cannot find device "shv0"');
      return run(command, args, input);
    };
    await networks.apply({ ...all, services: new Map([['blue-id/web', service('me', 'other')]]) });
    assert.ok(machine.hasTunnel);
    assert.ok(machine.asked.some((line) => line.includes('127.9.0.3/32')));
    await networks.attach(task); // nothing is the matter
  });

  it('leave nothing in the kernel when the agent stops, and no bridge when the node leaves', async () => {
    await networks.apply(items(service('me')));
    await networks.attach(task);
    await networks.close();
    assert.deepEqual([machine.hasTunnel, machine.table], [false, '']);
    assert.ok(machine.asked.some((line) => line.startsWith('iptables -w -D DOCKER-USER')));
    await clearEngine(engine, 'me', winston.createLogger({ silent: true }));
    assert.equal(engine.bridges.size, 0);
  });

  it('are refused with the reason where the agent may not change the kernel, and waited for while unknown', async () => {
    await assert.rejects(networks.attach(task), { code: 'unavailable' });
    const powerless = start(undefined);
    await powerless.apply(items(service('me')));
    await assert.rejects(powerless.attach(task), { code: 'not-supported', message: /network blue: .*as root/ });
    await powerless.close();
  });
});
