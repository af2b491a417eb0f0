import assert from 'node:assert/strict';
import type { NodeContainers } from '../../../src/api/backend.js';
import { complete } from '../../../src/model/codec.js';
import { ApiFixture, type FakeEngine, smallSpec } from '../../helpers/api-fixture.js';

const filters = (value: unknown) => encodeURIComponent(JSON.stringify(value));

describe('networks', () => {
  let api: ApiFixture;
  let engine: FakeEngine;
  beforeEach(async () => {
    api = await new ApiFixture().start();
    engine = await api.addEngine();
    engine.handle = (request, response) => {
      const body = request.method === 'POST' ? { NetworksDeleted: ['old'] } : local;
      response.writeHead(200, { 'Content-Type': 'application/json' });
      response.end(`${JSON.stringify(request.url?.includes('/networks/bridge') ? local[0] : body)}\n`);
    };
    api.backend.found();
  });
  afterEach(() => api.stop());

  const local = [
    { Name: 'bridge', Id: 'b1', Driver: 'bridge', Scope: 'local', Labels: {} },
    { Name: 'net', Id: 'b2', Driver: 'bridge', Scope: 'local', Labels: { 'shoal.network.id': 'x' } },
  ];
  const create = (Name: string, more: object = {}) =>
    api.call('POST', '/networks/create', { Name, Driver: 'overlay', ...more });
  const names = async (query = '') =>
    (await api.call('GET', `/networks${query}`)).body.map((one: { Name: string }) => one.Name);
  const refused = async (
    answer: Promise<{ status: number; body: { message: string } }>,
    status: number,
    words: RegExp,
  ) => {
    const { status: got, body } = await answer;
    assert.match(body.message, words);
    assert.equal(got, status, body.message);
  };

  it('of the cluster are made with what was asked for, and the rest from its pools', async () => {
    const { status, body } = await create('net', {
      IPAM: { Config: [{ Subnet: '10.9.0.0/16', IPRange: '10.9.4.0/24', AuxiliaryAddresses: { router: '10.9.0.1' } }] },
      Internal: true,
      Attachable: true,
      Labels: { a: 'b' },
      Options: { 'com.docker.network.driver.mtu': '1400' },
    });
    assert.equal(status, 201, body.message);
    const shown = (await api.call('GET', '/networks/net')).body;
    assert.deepEqual([shown.Id, shown.Scope, shown.Driver, shown.Containers], [body.Id, 'swarm', 'overlay', null]);
    assert.deepEqual([shown.Internal, shown.Attachable, shown.Labels], [true, true, { a: 'b' }]);
    assert.deepEqual(shown.IPAM.Config, [
      {
        Subnet: '10.9.0.0/16',
        IPRange: '10.9.4.0/24',
        Gateway: '10.9.0.2',
        AuxiliaryAddresses: { router: '10.9.0.1' },
      },
    ]);
    await create('first');
    await create('taken', { IPAM: { Config: [{ Subnet: '10.0.1.0/24' }] } });
    await create('second');
    const subnets = await Promise.all(
      ['first', 'second'].map(async (name) => (await api.call('GET', `/networks/${name}`)).body.IPAM.Config),
    );
    assert.deepEqual(subnets, [
      [{ Subnet: '10.0.0.0/24', Gateway: '10.0.0.1' }],
      [{ Subnet: '10.0.2.0/24', Gateway: '10.0.2.1' }],
    ]);
  });

  it('made at the same time do not overlap', async () => {
    const all = await Promise.all(Array.from({ length: 5 }, (_, at) => create(`net${at}`)));
    assert.deepEqual(
      all.map(({ status }) => status),
      Array(5).fill(201),
    );
    const subnets = (await api.call('GET', '/networks?filters={"driver":["overlay"]}')).body.flatMap(
      (one: { IPAM?: { Config: { Subnet: string }[] } }) => one.IPAM?.Config.map(({ Subnet }) => Subnet) ?? [],
    );
    assert.equal(new Set(subnets).size, 5);
  });

  it('have IPv6 where it is asked for, and several subnets, each with its gateway', async () => {
    const IPAM = {
      Config: [
        { Subnet: '10.8.0.0/24', Gateway: '10.8.0.9' },
        { Subnet: '10.8.1.0/24' },
        { Subnet: 'FD00:8:0::/64', IPRange: 'fd00:8::100/120', AuxiliaryAddresses: { router: 'fd00:8::1' } },
      ],
    };
    assert.equal((await create('six', { EnableIPv6: true, IPAM })).status, 201);
    const { body } = await api.call('GET', '/networks/six');
    assert.equal(body.EnableIPv6, true);
    const [last] = body.IPAM.Config.splice(3);
    assert.deepEqual(body.IPAM.Config, [
      { Subnet: '10.8.0.0/24', Gateway: '10.8.0.9' },
      { Subnet: '10.8.1.0/24', Gateway: '10.8.1.1' },
      {
        Subnet: 'fd00:8::/64',
        IPRange: 'fd00:8::100/120',
        Gateway: 'fd00:8::2',
        AuxiliaryAddresses: { router: 'fd00:8::1' },
      },
    ]);
    assert.match(last.Subnet, /^fd[0-9a-f:]+::\/64$/);
    assert.equal(last.Gateway, last.Subnet.replace('/64', '1'));
    const withConfig = (...Config: object[]) => create('x', { EnableIPv6: true, IPAM: { Config } });
    const words: [RegExp, ...object[]][] = [
      [
        /^IPAM.Config\[1\].Subnet: 10.8.4.0\/25 overlaps 10.8.4.0\/24/,
        { Subnet: '10.8.4.0/24' },
        { Subnet: '10.8.4.0/25' },
      ],
      [/should be fd00:9::\/64 \(IPAM.Config\[0\].Subnet\)/, { Subnet: 'fd00:9::5/64' }],
      [/^IPAM.Config\[0\].Subnet: \/127 is not from \/16 to \/125/, { Subnet: 'fd00:9::/127' }],
      [/^IPAM.Config\[0\].Subnet: fe80::\/64 is not in 2000::\/3 or fc00::\/7/, { Subnet: 'fe80::/64' }],
      [
        /^IPAM.Config\[0\].Subnet: fd53:686f:616c::\/64 overlaps .* the nodes' tunnels/,
        { Subnet: 'fd53:686f:616c::/64' },
      ],
      [
        /no matching subnet for gateway "fd00:a::1" \(IPAM.Config\[0\].Gateway\)/,
        { Subnet: 'fd00:9::/64', Gateway: 'fd00:a::1' },
      ],
      [
        /no matching subnet for aux-address "10.0.0.1"/,
        { Subnet: 'fd00:9::/64', AuxiliaryAddresses: { a: '10.0.0.1' } },
      ],
      [
        /^IPAM.Config\[0\].AuxiliaryAddresses: must leave an address for the gateway/,
        {
          Subnet: '10.9.0.0/29',
          AuxiliaryAddresses: Object.fromEntries([1, 2, 3, 4, 5, 6].map((at) => [`a${at}`, `10.9.0.${at}`])),
        },
      ],
      [
        /^IPAM.Config\[0\].AuxiliaryAddresses: must leave 10.9.0.1/,
        { Subnet: '10.9.0.0/29', Gateway: '10.9.0.1', AuxiliaryAddresses: { a: '10.9.0.1' } },
      ],
      [/IPAM.Config\[0\].IPRange/, { Subnet: 'fd00:9::/64', IPRange: '10.0.0.0/24' }],
      [
        /^IPAM.Config: a network has at most 16 subnets of IPv6/,
        ...Array.from({ length: 17 }, (_, at) => ({ Subnet: `fd00:9:0:${at}::/64` })),
      ],
    ];
    for (const [word, ...configs] of words) await refused(withConfig(...configs), 400, word);
    await refused(
      withConfig({ Subnet: 'fd00:8::/48' }),
      403,
      /Pool overlaps with other one.*fd00:8::\/48 with fd00:8::\/64/,
    );
    const Config = [{ Subnet: 'fd00:9::/64' }];
    await refused(create('x', { IPAM: { Config } }), 400, /^IPAM.Config\[0\].Subnet: .* only with EnableIPv6/);
    const Options = { 'com.docker.network.driver.mtu': '1000' };
    await refused(
      create('x', { EnableIPv6: true, Options }),
      400,
      /Options.*mtu.*not a number from 1280 to 65485 where/,
    );
  });

  it('are refused in Docker’s words', async () => {
    await create('net');
    await refused(create('net'), 409, /^network with name net already exists$/);
    await refused(create(''), 400, /^network name cannot be empty/);
    await refused(create('a b'), 400, /only 64 \[a-zA-Z0-9_.-\] characters/);
    await refused(create('bridge'), 403, /not permitted on predefined bridge network/);
    await refused(create('x', { Options: { encrypted: 'yes' } }), 400, /^Options.encrypted: "yes" is not known/);
    await refused(create('x', { EnableIPv4: false }), 501, /^EnableIPv4: .*always have IPv4/);
    await refused(create('x', { Ingress: true }), 501, /Ingress/);
    await refused(create('x', { IPAM: 7 }), 400, /IPAM/);
    const withConfig = (config: object) => create('x', { IPAM: { Config: [config] } });
    await refused(withConfig({ Subnet: '10.0.0.0/24' }), 403, /Pool overlaps with other one on this address space/);
    await refused(withConfig({ Subnet: '10.8.0.1/24' }), 400, /it should be 10.8.0.0\/24/);
    await refused(withConfig({ Subnet: '10.8.0.0/31' }), 400, /IPAM.Config\[0\].Subnet: \/31 is not from/);
    await refused(withConfig({ Subnet: '10.8.0.0/24', Gateway: '10.9.0.1' }), 400, /no matching subnet for gateway/);
    await refused(withConfig({ Subnet: '10.8.0.0/24', IPRange: '10.8.0.0/16' }), 400, /must be a CIDR within/);
    await refused(withConfig({ Gateway: '10.8.0.1' }), 400, /IPAM.Config\[0\].Subnet: must be given/);
  });

  it('that shall be encrypted are refused with what is missing, until a node can', async () => {
    const node = (ID: string, Encryption: object) => ({
      Action: 'create',
      Node: { ID, Spec: {}, Description: { Hostname: `host-${ID}`, Encryption } },
    });
    const Obstacle = 'the kernel has no ESP';
    api.backend.proposer.commit({ Operations: [node('a', { Obstacle }), node('b', { Obstacle })] });
    for (const encrypted of ['', 'true']) {
      const answer = create('shut', { Options: { encrypted } });
      await refused(
        answer,
        501,
        /^Options.encrypted: no node .* can encrypt \(.*host-a, host-b: the kernel has no ESP\)$/,
      );
    }
    assert.equal((await create('open', { Options: { encrypted: 'false' } })).status, 201);
    api.backend.proposer.commit({ Operations: [node('c', { Epoch: 7 })] });
    assert.equal((await create('shut', { Options: { encrypted: '' } })).status, 201);
    assert.deepEqual((await api.call('GET', '/networks/shut')).body.Options, { encrypted: '' });
  });

  it('are listed with the engine’s own, without the bridges that stand for them', async () => {
    await create('net', { Labels: { zone: 'a' } });
    assert.deepEqual(await names(), ['bridge', 'net']);
    const ours = async (value: unknown) => (await names(`?filters=${filters(value)}`)).includes('net');
    assert.equal(await ours({ driver: ['overlay'] }), true);
    assert.equal(await ours({ scope: ['local'] }), false);
    assert.equal(await ours({ name: ['ne'], label: ['zone=a'] }), true);
    assert.equal(await ours({ label: ['zone=b'] }), false);
    assert.equal(await ours({ dangling: ['false'] }), false);
    assert.equal((await api.call('GET', '/networks/bridge')).body.Id, 'b1');
  });

  it('with several subnets are one network on a worker too, with the containers of all their bridges', async () => {
    const worker = await new ApiFixture().start();
    const own = await worker.addEngine();
    const bridges = ['w', 'w.1'].map((Name, at) => ({ Name, Id: `b${at}`, Labels: { 'shoal.network.id': 'wide' } }));
    own.handle = (request, response) => {
      const at = Number(/networks\/b(\d)/.exec(request.url ?? '')?.[1] ?? -1);
      const body = at < 0 ? [...bridges, local[0]] : { ...bridges[at], Containers: { [`c${at}`]: { Name: `c${at}` } } };
      response.writeHead(200, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify(body));
    };
    const wide = complete('Network', { ID: 'wide', Spec: { Name: 'w' } });
    worker.backend.containers = { find: (id) => (id === 'wide' ? wide : undefined) } as NodeContainers;
    try {
      const { body } = await worker.call('GET', '/networks');
      assert.deepEqual(
        body.map(({ Id }: { Id: string }) => Id),
        ['wide', 'b1'],
      );
      const one = await worker.call('GET', '/networks/wide');
      assert.deepEqual(Object.keys(one.body.Containers), ['c0', 'c1']);
    } finally {
      await worker.stop();
    }
  });

  it('show their services whatever these are called', async () => {
    const { body: made } = await create('net');
    const task = {
      ID: 'task1',
      ServiceName: 'constructor',
      Status: { State: 'running' },
      NetworksAttachments: [{ Network: { ID: made.Id }, Addresses: ['10.0.0.2/24'] }],
    };
    api.backend.proposer.commit({ Operations: [{ Action: 'create', Task: complete('Task', task) }] });
    const { status, body } = await api.call('GET', '/networks/net?verbose=true');
    assert.equal(status, 200, body.message);
    assert.equal(body.Services.constructor.Tasks[0].EndpointIP, '10.0.0.2');
  });

  it('are removed unless a service is on them, and pruned', async () => {
    await create('net');
    await create('idle');
    const service = await api.call('POST', '/services/create', {
      ...smallSpec('web'),
      TaskTemplate: { ContainerSpec: { Image: 'lab/bb' }, Networks: [{ Target: 'net' }] },
    });
    assert.equal(service.status, 201);
    await refused(
      api.call('DELETE', '/networks/net'),
      400,
      /FailedPrecondition desc = network \w+ is in use by service/,
    );
    const pruned = await api.call('POST', '/networks/prune');
    assert.deepEqual(pruned.body, { NetworksDeleted: ['old', 'idle'] });
    assert.match(decodeURIComponent(engine.asked.at(-1)!.url), /"label!":\["shoal.network.id"\]/);
    await api.call('DELETE', '/services/web');
    assert.equal((await api.call('DELETE', '/networks/net')).status, 204);
    assert.deepEqual(await names(), ['bridge']);
  });

  it('have services whose labels ask for what there is', async () => {
    const labelled = (value: string) =>
      api.call('POST', '/services/create', smallSpec(`web-${value}`, { Labels: { 'shoal.lb.sticky': value } }));
    assert.equal((await labelled('ip')).status, 201);
    await refused(
      labelled('cookie'),
      400,
      /^Spec.Labels\["shoal.lb.sticky"\]: "cookie" is not known; expected one of ip/,
    );
  });

  it('in a node’s kernel are compared with the state for whoever asks', async () => {
    api.backend.networkDifferences = ['table ip shoal is missing'];
    const { status, body } = await api.call('GET', '/shoal/networks/verify');
    const Delays = { Count: 2, Median: 3, Max: 40 };
    assert.deepEqual([status, body], [200, { Revision: 7, Differences: ['table ip shoal is missing'], Delays }]);
  });

  it('of the cluster are a manager’s to make', async () => {
    const other = await new ApiFixture().start();
    await other.addEngine();
    await refused(other.call('POST', '/networks/create', { Name: 'a', Driver: 'overlay' }), 503, /not a swarm manager/);
    await other.stop();
  });
});
