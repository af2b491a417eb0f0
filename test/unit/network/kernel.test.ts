import assert from 'node:assert/strict';
import fc from 'fast-check';
import { complete } from '../../../src/model/codec.js';
import type { NetworkService } from '../../../src/model/types.js';
import { type ActualKernel, commandsFor } from '../../../src/network/kernel/commands.js';
import { type DesiredKernel, desiredKernel } from '../../../src/network/kernel/desired.js';
import type { Mesh } from '../../../src/network/kernel/mesh.js';
import {
  plainTunnel,
  returnTable,
  tunnelAddress,
  tunnelAddress6,
  tunnelMAC,
} from '../../../src/network/kernel/names.js';
import { rules6For, rulesFor } from '../../../src/network/kernel/rules.js';
import { type Ruleset, renderChange, renderWhole } from '../../../src/network/kernel/ruleset.js';
import { sysctlsFor } from '../../../src/network/kernel/sysctls.js';
import type { NetworkItems } from '../../../src/network/network-table.js';

const network = (number: number, more: object = {}) =>
  complete('Network', {
    ID: `net${number}`,
    Number: number,
    Spec: { Name: `net${number}`, ...more },
    IPAMOptions: { Configs: [{ Subnet: `10.0.${number}.0/24`, Gateway: `10.0.${number}.1` }] },
  });
const peer = (number: number) => ({
  ID: `node${number}`,
  Number: number,
  Address: `192.168.0.${number}`,
  DataPathPort: 4789,
  EncryptionEpoch: 0,
});
/** With IPv6, and one more segment of each. */
const dual = (number: number, more: object = {}) => {
  const base = network(number, { IPv6Enabled: true, ...more });
  const Configs = [
    ...base.IPAMOptions!.Configs,
    { Subnet: `10.1.${number}.0/24`, Gateway: `10.1.${number}.1` },
    { Subnet: `fd00:0:0:${number}::/64`, Gateway: `fd00:0:0:${number}::1` },
    { Subnet: `fd01:0:0:${number}::/64`, Gateway: `fd01:0:0:${number}::1` },
  ];
  return complete('Network', { ...base, IPAMOptions: { Configs } });
};
const withIPv6 = (one: NetworkService, on: number): NetworkService => ({
  ...one,
  VirtualIP6: `fd00:0:0:${on}::ffff`,
  Endpoints: one.Endpoints.map((endpoint) => ({
    ...endpoint,
    Address6: `fd0${endpoint.NodeID === 'node3' ? 1 : 0}:0:0:${on}::${endpoint.Address.split('.').at(-1)}`,
  })),
});
const service = (id: string, on: number, tasks: [node: number, host: number, serving?: boolean][]): NetworkService => ({
  ID: `net${on}/${id}`,
  NetworkID: `net${on}`,
  ServiceID: id,
  ServiceName: id,
  VirtualIP: `10.0.${on}.254`,
  VirtualIP6: '',
  Sticky: false,
  Opaque: false,
  Endpoints: tasks.map(([node, host, Serving = true]) => ({
    TaskID: `t${host}`,
    NodeID: `node${node}`,
    Address: `10.0.${on}.${host}`,
    Address6: '',
    Serving,
    Hostname: '',
    Aliases: [],
    Nameservers: [],
    Name: `${id}.${host}`,
    ContainerID: '',
  })),
});
const items = (services: NetworkService[], networks = [network(1), network(2)]): NetworkItems => ({
  peers: new Map([1, 2, 3].map((number) => [`node${number}`, peer(number)])),
  networks: new Map(networks.map((one) => [one.ID, one])),
  services: new Map(services.map((one) => [one.ID, one])),
});
const empty: ActualKernel = {
  tunnel: undefined,
  neighbours: new Map(),
  forwarding: new Map(),
  routes: new Map(),
  proxies: new Set(),
  returns: new Map(),
  returnRules: new Set(),
  oneWayPorts: [],
};

/** What the kernel has once the lines were carried out. */
function carriedOut(lines: string[], before: ActualKernel): ActualKernel {
  let { tunnel } = before;
  const [neighbours, forwarding, routes] = [before.neighbours, before.forwarding, before.routes].map(
    (map) => new Map(map),
  ) as [Map<string, string>, Map<string, string>, Map<string, string>];
  const oneWay = new Set(before.oneWayPorts);
  const [returns, returnRules] = [new Map(before.returns), new Set(before.returnRules)];
  const proxies = new Set(before.proxies);
  for (const line of lines) {
    const word = line.split(' ');
    const after = (name: string) => word[word.indexOf(name) + 1] ?? '';
    const [kind, action] = word;
    if (kind === 'link' && action === 'del') {
      tunnel = undefined;
      for (const map of [neighbours, forwarding, routes, returns]) map.clear();
    } else if (kind === 'link' && action === 'add') {
      assert.equal(tunnel, undefined);
      const [mac, local] = [after('address'), after('local')];
      tunnel = { mac, local, port: Number(after('dstport')), mtu: Number(after('mtu')), isUp: false, addresses: [] };
    } else if (line.endsWith(' up')) {
      tunnel!.isUp = true;
      routes.clear();
      returns.clear();
    } else if (line.includes(' set shv0 mtu ')) tunnel!.mtu = Number(after('mtu'));
    else if (line.endsWith('hairpin on')) oneWay.delete(after('dev'));
    else if (word[2] === 'proxy') {
      const proxy = word.slice(3).join(' ');
      assert.equal(proxies.has(proxy), action === 'del', line);
      if (action === 'del') proxies.delete(proxy);
      else proxies.add(proxy);
    } else if (kind === 'rule') {
      const table = Number(after('lookup'));
      assert.equal(after('fwmark'), `${table}/${0xff00ffff}`);
      assert.equal(returnRules.has(table), action === 'del', line);
      if (action === 'del') returnRules.delete(table);
      else returnRules.add(table);
    } else if (line.includes(' table ')) {
      const table = Number(after('table'));
      if (action === 'del') assert.ok(returns.delete(table), `${line}: there is none`);
      else returns.set(table, after('via'));
    } else if (kind === 'addr') {
      const rest = tunnel!.addresses.filter((address) => address !== word[2]);
      tunnel!.addresses = action === 'add' ? [...rest, word[2]!] : rest;
    } else {
      const map = kind === 'neigh' ? neighbours : kind === 'fdb' ? forwarding : routes;
      const key = word[2]!.replace(/\/(32|128)$/, '');
      if (action === 'del') assert.ok(map.delete(key), `${line}: there is none`);
      else
        map.set(
          key,
          kind === 'neigh' ? after('lladdr') : kind === 'fdb' ? after('dst') : line.includes('via') ? after('via') : '',
        );
    }
  }
  return { tunnel, neighbours, forwarding, routes, proxies, returns, returnRules, oneWayPorts: [...oneWay] };
}

describe('what the kernel shall have of the cluster’s networks', () => {
  const web = service('web', 1, [
    [1, 2],
    [2, 3],
    [3, 4, false],
  ]);

  it('is a tunnel to every other node, a route to every address there, and virtual IPs of what is carried here', () => {
    const desired = desiredKernel(items([web, service('db', 2, [[2, 9]])]), 'node1', [network(1)], 1450, false, true);
    assert.deepEqual(desired.tunnel, {
      address: '100.96.0.1',
      address6: '',
      mac: '02:53:00:00:00:01',
      local: '192.168.0.1',
      port: 4789,
      mtu: 1450,
    });
    assert.deepEqual(
      desired.peers.map((one) => one.underlay),
      ['192.168.0.2', '192.168.0.3'],
    );
    assert.deepEqual(Object.fromEntries(desired.remote), {
      '10.0.1.3': '100.96.0.2',
      '10.0.1.4': '100.96.0.3',
      '10.0.2.9': '100.96.0.2',
    });
    assert.deepEqual([...desired.virtual], ['10.0.1.254']);
  });

  it('has IPv6 where a network has it: routes of its own, and bridges that answer for what is not on them', () => {
    const one = withIPv6(web, 1);
    const desired = (knowsIPv6: boolean) =>
      desiredKernel(
        items([one, service('db', 2, [[2, 9]])], [dual(1), network(2)]),
        'node1',
        [dual(1)],
        1450,
        false,
        knowsIPv6,
      );
    const { tunnel, peers, remote, virtual, proxies, bridges, bridges6 } = desired(true);
    assert.equal(tunnel?.address6, 'fd53:686f:616c::1');
    assert.deepEqual(
      peers.map(({ address6 }) => address6),
      ['fd53:686f:616c::2', 'fd53:686f:616c::3'],
    );
    assert.deepEqual(Object.fromEntries(remote), {
      '10.0.1.3': '100.96.0.2',
      'fd00:0:0:1::3': 'fd53:686f:616c::2',
      '10.0.1.4': '100.96.0.3',
      'fd01:0:0:1::4': 'fd53:686f:616c::3',
      '10.0.2.9': '100.96.0.2',
    });
    assert.deepEqual([...virtual], ['10.0.1.254', 'fd00:0:0:1::ffff']);
    assert.deepEqual([...proxies].sort(), [
      'fd00:0:0:1::3 dev shl1',
      'fd00:0:0:1::ffff dev shl1',
      'fd01:0:0:1::4 dev shl1_1',
    ]);
    assert.deepEqual(
      [bridges, bridges6],
      [
        ['shl1', 'shl1_1'],
        ['shl1', 'shl1_1'],
      ],
    );
    const without = desired(false);
    assert.deepEqual([without.tunnel?.address6, without.proxies.size, without.bridges6], ['', 0, []]);
    assert.ok([...without.remote.keys(), ...without.virtual].every((address) => !address.includes(':')));
    const settings = new Map(sysctlsFor(desired(true), false));
    assert.equal(settings.get('net/ipv6/conf/shv0/disable_ipv6'), '0');
    for (const name of ['shl1', 'shl1_1']) assert.equal(settings.get(`net/ipv6/conf/${name}/proxy_ndp`), '1');
    assert.equal(new Map(sysctlsFor(without, false)).get('net/ipv6/conf/all/forwarding'), undefined);
  });

  it('is nothing without networks, or before the node’s own address is known', () => {
    assert.equal(desiredKernel(items([], []), 'node1', [], 1450, false, true).tunnel, undefined);
    const strange = desiredKernel(items([web]), 'node9', [], 1450, true, true);
    assert.deepEqual([strange.tunnel, strange.peers, strange.remote.size], [undefined, [], 0]);
  });

  it('gives each node names of its own, up to the last number', () => {
    assert.deepEqual([tunnelAddress(65_000), tunnelMAC(65_000)], ['100.96.253.232', '02:53:00:00:fd:e8']);
  });
});

describe('the commands that bring the kernel there', () => {
  const number = fc.integer({ min: 1, max: 6 });
  const map = <T>(value: fc.Arbitrary<T>) =>
    fc.array(fc.tuple(number, value), { maxLength: 6 }).map((all) => new Map(all));
  const byName = (from: Map<number, number>, key: (at: number) => string, value: (at: number) => string) =>
    new Map([...from].map(([at, to]) => [key(at), value(to)]));
  const desired: fc.Arbitrary<DesiredKernel> = fc
    .record({
      self: fc.option(number),
      peers: map(number),
      remote: map(number),
      virtual: fc.uniqueArray(number),
      back: map(number),
      isDual: fc.boolean(),
      proxies: fc.uniqueArray(number),
    })
    .map(({ self, peers, remote, virtual, back, isDual, proxies }) => ({
      via: plainTunnel,
      tunnel:
        self === null
          ? undefined
          : {
              address: tunnelAddress(self),
              address6: isDual ? tunnelAddress6(self) : '',
              mac: tunnelMAC(self),
              local: '192.168.0.1',
              port: 4789,
              mtu: 1400 + self,
            },
      peers: [...peers].map(([at, to]) => ({
        address: tunnelAddress(at + 10),
        address6: isDual ? tunnelAddress6(at + 10) : '',
        mac: tunnelMAC(at + 10),
        underlay: `192.168.0.${to}`,
      })),
      remote: byName(
        remote,
        (at) => (isDual ? `fd00::${at}` : `10.0.1.${at}`),
        (to) => (isDual ? tunnelAddress6(to + 10) : tunnelAddress(to + 10)),
      ),
      virtual: new Set(virtual.map((at) => `10.0.2.${at}`)),
      bridges: [],
      bridges6: [],
      proxies: new Set(proxies.map((at) => `fd00::${at} dev shl1`)),
      returns: self === null ? new Map() : new Map([...back].map(([at, to]) => [returnTable(at), tunnelAddress(to)])),
    }));
  const actual: fc.Arbitrary<ActualKernel> = fc
    .record({
      self: fc.option(number),
      isUp: fc.boolean(),
      mtu: number,
      fdb: map(number),
      routes: map(number),
      back: map(number),
      rules: fc.uniqueArray(number),
      ports: fc.uniqueArray(number),
      proxied: fc.uniqueArray(number),
    })
    .map(({ self, isUp, mtu, fdb, routes, back, rules, ports, proxied }) =>
      self === null
        ? { ...empty, returnRules: new Set(rules.map(returnTable)) }
        : {
            tunnel: {
              mac: tunnelMAC(self),
              local: '192.168.0.1',
              port: 4789,
              mtu: 1400 + mtu,
              isUp,
              addresses: [`${tunnelAddress(self + 1)}/32`, `${tunnelAddress6(self)}/128`],
            },
            neighbours: byName(
              fdb,
              (at) => tunnelAddress(at + 10),
              (to) => tunnelMAC(to + 10),
            ),
            forwarding: byName(
              fdb,
              (at) => tunnelMAC(at + 10),
              (to) => `192.168.0.${to}`,
            ),
            routes: byName(
              routes,
              (at) => `10.0.${(at % 2) + 1}.${at}`,
              (to) => (to % 2 ? '' : tunnelAddress(to + 10)),
            ),
            proxies: new Set(proxied.map((at) => `fd00::${at} dev shl1`)),
            returns: new Map([...back].map(([at, to]) => [returnTable(at), tunnelAddress(to)])),
            returnRules: new Set(rules.map(returnTable)),
            oneWayPorts: ports.map((at) => `veth${at}`),
          },
    );

  it('lead from anything to what is desired, and are none once it is so', () => {
    fc.assert(
      fc.property(desired, actual, (wanted, found) => {
        const { ip, bridge } = commandsFor(wanted, found);
        const after = carriedOut([...ip, ...bridge], found);
        assert.deepEqual(commandsFor(wanted, after), { ip: [], bridge: [] });
        assert.deepEqual(after.proxies, wanted.proxies);
        assert.equal(after.tunnel === undefined, wanted.tunnel === undefined);
        assert.deepEqual(after.returnRules, new Set(wanted.returns.keys()));
        if (wanted.tunnel === undefined) return;
        assert.deepEqual(
          new Set(after.neighbours.keys()),
          new Set(wanted.peers.flatMap(({ address, address6 }) => [address, address6].filter((one) => one !== ''))),
        );
        for (const [address, gateway] of wanted.remote) assert.equal(after.routes.get(address), gateway);
        assert.deepEqual(after.oneWayPorts, []);
      }),
      { numRuns: 500 },
    );
  });
});

const noRoutes: Mesh = {
  routes: [],
  publishAddress: '',
  inside: new Map(),
  starting: new Set(),
  ending: new Set(),
  engineBridges: [],
};

describe('the rules', () => {
  const rules = (services: NetworkService[], carried = [network(1), network(2)]) =>
    rulesFor(items(services), 'node1', carried, undefined);
  const web = (...serving: boolean[]) =>
    service(
      'web',
      1,
      serving.map((one, at) => [1, at + 2, one]),
    );

  it('send a virtual IP to the tasks that serve, in turn, and refuse it when there is none', () => {
    const chain = (service: NetworkService) => rules([service]).chains.get('vip_1_web')?.rules;
    assert.deepEqual(chain(web(true, false, true)), [
      'ct mark set 0x53400000 dnat to numgen inc mod 2 map { 0 : 10.0.1.2, 1 : 10.0.1.4 }',
    ]);
    assert.deepEqual(chain({ ...web(true, true), Sticky: true }), [
      'ct mark set 0x53400000 dnat to jhash ip saddr mod 2 seed 0x53 map { 0 : 10.0.1.2, 1 : 10.0.1.3 }',
    ]);
    assert.deepEqual(chain(web(false)), []);
  });

  it('are of the networks that the node carries alone', () => {
    const { sets, chains } = rules([web(true)], [network(2)]);
    assert.deepEqual([...sets.get('subnets')!.elements.keys()], ['10.0.2.0/24']);
    assert.equal(sets.get('virtual')!.elements.size, 0);
    assert.ok(![...chains.keys()].some((name) => name.startsWith('vip_')));
  });

  it('drop within a network what is not of its subnet, instead of leaving it to others', () => {
    const { sets, chains } = rules([]);
    assert.deepEqual(
      [...sets.get('within')!.elements.values()],
      Array(3).fill('jump net_1').concat(Array(3).fill('jump net_2')),
    );
    const forward = chains.get('forward')!.rules;
    const passing = forward.indexOf('iifname . oifname vmap @within');
    assert.ok(passing >= 0 && passing < forward.indexOf('oifname @ours drop'));
  });

  it('of IPv6 are a table of their own, of the networks that have it', () => {
    const one = withIPv6(web(true, true), 1);
    const all = items([one], [dual(1), network(2)]);
    assert.equal(rules6For(items([web(true)]), 'node1', [network(1)], undefined), undefined);
    const rules6 = rules6For(all, 'node1', [dual(1, { Internal: true }), network(2)], undefined)!;
    assert.match(renderWhole(rules6), /^table ip6 shoal\ndelete table ip6 shoal\ntable ip6 shoal \{\n/);
    assert.doesNotMatch(renderWhole(rules6), /ipv4_addr|\bip [sd]addr|10\.0\./);
    const { sets, chains } = rules6;
    assert.deepEqual(
      [...sets.get('virtual')!.elements.keys()],
      ['"shl1" . fd00:0:0:1::ffff', '"shl1_1" . fd00:0:0:1::ffff'],
    );
    assert.deepEqual(chains.get('vip_1_web')?.rules, [
      'ct mark set 0x53400000 dnat to numgen inc mod 2 map { 0 : fd00:0:0:1::2, 1 : fd00:0:0:1::3 }',
    ]);
    assert.deepEqual([...sets.get('internal')!.elements.keys()], ['fd00:0:0:1::/64', 'fd01:0:0:1::/64']);
    assert.match(chains.get('net_1')!.rules.join('\n'), /nd-neighbor-solicit/);
  });

  it('let the segments of a network reach each other, and nobody else', () => {
    const { sets, chains } = rulesFor(items([], [dual(1)]), 'node1', [dual(1)], undefined);
    const names = ['"shl1"', '"shl1_1"'];
    const ways = names.flatMap((from) => [
      ...names.map((to) => `${from} . ${to}`),
      `${from} . "shv0"`,
      `"shv0" . ${from}`,
    ]);
    assert.deepEqual([...sets.get('within')!.elements.keys()].sort(), ways.sort());
    assert.match(chains.get('net_1')!.rules[0]!, /^ip saddr \{ 10\.0\.1\.0\/24, 10\.1\.1\.0\/24 \} ip daddr \{ 10\.0/);
  });

  it('change in proportion to what changed, and not at all when nothing did', () => {
    const many = Array.from({ length: 500 }, (_, at) => ({
      ...web(true),
      ID: `net1/s${at}`,
      ServiceID: `s${at}`,
      VirtualIP: `10.0.1.${at % 250}`,
    }));
    const before = rules(many);
    assert.equal(renderChange(before, rules(many)), '');
    const after = rules(many.map((one, at) => (at === 7 ? { ...one, Endpoints: web(true, true).Endpoints } : one)));
    assert.deepEqual(renderChange(before, after).trim().split('\n'), [
      'flush chain ip shoal vip_1_s7',
      'add rule ip shoal vip_1_s7 ct mark set 0x53400000 dnat to numgen inc mod 2 map { 0 : 10.0.1.2, 1 : 10.0.1.3 }',
      'add element ip shoal itself { 10.0.1.3 . 10.0.1.3 }',
    ]);
  });

  it('ask nothing of the kernel that only published ports need, unless it balances them', () => {
    const special = ['ct zone', 'notrack', 'fib ', 'ct mark set ether saddr', 'type route hook'];
    const found = (text: string) => special.filter((words) => text.includes(words));
    const all = items([web(true)]);
    assert.deepEqual(found(renderWhole(rulesFor(all, 'node1', [network(1)], undefined))), []);
    assert.deepEqual(found(renderWhole(rulesFor(all, 'node1', [network(1)], noRoutes))), special);
    const settings = (hasPlane: boolean) =>
      [...sysctlsFor({ via: plainTunnel, tunnel: undefined, bridges: ['shl1'], bridges6: [] }, hasPlane)].map(
        ([path, value]) => `${path}=${value}`,
      );
    assert.deepEqual(
      settings(true).filter((line) => !settings(false).includes(line)),
      ['net/netfilter/nf_conntrack_acct=1'],
    );
    assert.ok(settings(false).includes('net/ipv4/conf/shl1/route_localnet=0'));
  });

  it('take a chain away after the elements that lead to it', () => {
    const lines = renderChange(rules([web(true)]), rules([]))
      .trim()
      .split('\n');
    const element = lines.findIndex((line) => line.startsWith('delete element ip shoal virtual '));
    assert.ok(element >= 0 && element < lines.indexOf('delete chain ip shoal vip_1_web'));
    const whole = renderWhole(rules([]) as Ruleset);
    assert.match(whole, /^table ip shoal\ndelete table ip shoal\ntable ip shoal \{\n/);
    assert.ok(!whole.includes('vip_1_web'));
  });
});
