import assert from 'node:assert/strict';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import fc from 'fast-check';
import winston from 'winston';
import { systemClock } from '../../../src/model/clock.js';
import type { Route } from '../../../src/model/types.js';
import { descriptorLimit, limitsFor } from '../../../src/network/user-space/budget.js';
import { checkRoute } from '../../../src/network/user-space/checked-route.js';
import { UserSpacePlane, type UserSpacePlaneOptions } from '../../../src/network/user-space/plane.js';
import { SocketWires } from '../../../src/network/user-space/socket-wires.js';
import { noWire } from '../../../src/network/user-space/wire.js';
import { route } from '../../helpers/data-plane-contract.js';
import { ManualClock } from '../../helpers/manual-clock.js';
import { freePort, TestClient, TestServer, until } from '../../helpers/net.js';

const log = winston.createLogger({ silent: true });

async function udpSocket(receive: (socket: Socket, datagram: Buffer, from: RemoteInfo) => void): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.on('message', (datagram, from) => receive(socket, datagram, from));
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return socket;
}

describe('a plane that is told nonsense or used badly', () => {
  let plane: UserSpacePlane;
  let server: TestServer;
  let published: number;
  const start = (options: Partial<UserSpacePlaneOptions> = {}) => {
    plane = new UserSpacePlane({ log, clock: systemClock, addresses: ['127.0.0.1'], ...options });
  };
  const good = () => route(published, [{ task: 'a', port: server.port }]);
  const answers = async () => assert.equal(await new TestClient(published).rest(), 'fine');

  beforeEach(async () => {
    server = await TestServer.start((socket) => socket.end('fine'));
    published = await freePort();
  });
  afterEach(async () => {
    await plane.close();
    server.end();
  });

  it('reports each route that it cannot serve, naming the field, and serves the others', async () => {
    start();
    const bad: [Partial<Route>, RegExp][] = [
      [{ ID: 'sctp/1', Protocol: 'sctp' }, /^Protocol: "sctp"/],
      [{ ID: 'x', Protocol: '\u0000'.repeat(10_000) }, /^Protocol: .{1,300}tcp and udp$/],
      [{ ID: 'tcp/0', PublishedPort: 0 }, /^PublishedPort: 0 /],
      [{ ID: 'tcp/-1', PublishedPort: -1 }, /^PublishedPort: -1 /],
      [{ ID: 'tcp/65536', PublishedPort: 65_536 }, /^PublishedPort: 65536 /],
      [{ ID: 'tcp/1.5', PublishedPort: 1.5 }, /^PublishedPort: 1.5 /],
      [{ ID: 'tcp/none', PublishedPort: Number.NaN }, /^PublishedPort: NaN /],
      [{ ID: 'tcp/text', PublishedPort: '80' as unknown as number }, /^PublishedPort: "80" /],
      [{ ID: 'tcp/e', Endpoints: undefined as unknown as [] }, /^Endpoints: /],
    ];
    const { failed } = await plane.apply([
      null as unknown as Route,
      ...bad.map(([init]) => route(published, [], init)),
      good(),
      { ...good(), ID: 'twice' },
    ]);
    assert.equal(failed.length, bad.length + 2);
    bad.forEach(([init, reason], at) => {
      assert.equal(failed[at + 1]!.routeID, init.ID);
      assert.match(failed[at + 1]!.reason, reason);
    });
    assert.match(failed.at(-1)!.reason, /^PublishedPort: tcp\/\d+ is in another route already/);
    await answers();
  });

  it('leaves out endpoints that cannot be, and uses the others', async () => {
    start();
    const strange = [
      { Host: '' },
      { Host: 'localhost' },
      { Host: '127.0.0.1\n' },
      { Host: '999.1.1.1' },
      { Port: 0 },
      { Port: 70_000 },
      { Port: 1.5 },
      { TaskID: 7 as unknown as string },
    ].map((init) => ({ TaskID: 'x', NodeID: 'n', Host: '127.0.0.1', Port: server.port, Inside: '', ...init }));
    const one = good();
    const checked = checkRoute({ ...one, Endpoints: [...strange, null as never, ...one.Endpoints, ...one.Endpoints] });
    assert.ok('endpoints' in checked);
    assert.deepEqual([checked.endpoints.length, checked.dropped], [1, strange.length + 1]);
    await plane.apply([{ ...one, Endpoints: [...strange, ...one.Endpoints] }]);
    for (let time = 0; time < 3; time++) await answers();
  });

  it('takes any message at all without falling over', async () => {
    start({ clock: new ManualClock() });
    const anything = fc.anything({ maxDepth: 2 });
    const almost = fc.record(
      {
        ID: fc.oneof(fc.string(), anything),
        Protocol: fc.oneof(fc.constantFrom('tcp', 'udp', ''), anything),
        PublishedPort: fc.oneof(fc.constant(70_000), anything),
        Endpoints: fc.oneof(
          fc.array(fc.oneof(fc.record({ TaskID: anything, Host: anything, Port: anything }), anything)),
          anything,
        ),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(almost, anything), { maxLength: 5 }), async (routes) => {
        // a real port may come out by chance: one that nobody has, or else it is refused as well
        await plane.apply(routes as Route[]);
      }),
    );
  });

  it('serves a route of 100,000 endpoints, and lets them go', async () => {
    start();
    const one = good();
    const Endpoints = Array.from({ length: 100_000 }, (_, at) => ({ ...one.Endpoints[0]!, TaskID: `t${at}` }));
    assert.deepEqual((await plane.apply([{ ...one, Endpoints }])).failed, []);
    await answers();
    await plane.apply([one]);
    await answers();
  });

  it('refuses what is beyond its limit at once, and takes new clients when old ones have gone', async () => {
    start({ limits: { connections: 5, flows: 1 } }); // 4 for one port
    await plane.apply([good()]);
    server.end();
    server = await TestServer.start(() => {});
    await plane.apply([good()]);
    const held = Array.from({ length: 4 }, () => new TestClient(published));
    await until(() => server.accepted === 4);
    await assert.rejects(new TestClient(published).rest(), /ECONNRESET/);
    assert.equal(plane.open, 4);
    held[0]!.socket.resetAndDestroy();
    await until(() => plane.open === 3);
    held.push(new TestClient(published));
    await until(() => server.accepted === 5);
    for (const client of held) client.socket.destroy();
  });

  it('carries UDP past endpoints that cannot even be sent to, and empty datagrams', async () => {
    start({ random: { below: () => 0 } });
    const echo = await udpSocket((socket, datagram, from) => socket.send(datagram, from.port, from.address));
    const task = { task: 'a', port: echo.address().port };
    const bad = ['255.255.255.255', '127.0.0.1'].map((Host, at) => ({
      TaskID: `bad${at}`,
      NodeID: 'n',
      Host,
      Port: 9,
      Inside: '',
    }));
    const one = route(published, [task], { Protocol: 'udp' });
    await plane.apply([{ ...one, Endpoints: [...bad, ...one.Endpoints] }]);
    for (const text of ['1', '', '3']) {
      const heard: string[] = [];
      const client = await udpSocket((_, datagram) => heard.push(String(datagram)));
      client.send(text, published, '127.0.0.1');
      await until(() => heard.length > 0);
      assert.deepEqual(heard, [text]);
      client.close();
    }
    echo.close();
  });

  it('makes room for a new UDP client when there are too many', async () => {
    start({ limits: { connections: 1, flows: 2 } });
    const echo = await udpSocket((socket, datagram, from) => socket.send(datagram, from.port, from.address));
    await plane.apply([route(published, [{ task: 'a', port: echo.address().port }], { Protocol: 'udp' })]);
    const clients = [];
    for (let count = 0; count < 5; count++) {
      const heard: string[] = [];
      const client = await udpSocket((_, datagram) => heard.push(String(datagram)));
      clients.push(client);
      client.send('hello', published, '127.0.0.1');
      await until(() => heard.length > 0);
      assert.ok(plane.open <= 2);
    }
    for (const socket of [...clients, echo]) socket.close();
  });

  it('ends UDP flows that have been quiet', async () => {
    const clock = new ManualClock();
    start({ clock });
    const echo = await udpSocket((socket, datagram, from) => socket.send(datagram, from.port, from.address));
    await plane.apply([route(published, [{ task: 'a', port: echo.address().port }], { Protocol: 'udp' })]);
    let heard = 0;
    const client = await udpSocket(() => {
      heard += 1;
    });
    client.send('hello', published, '127.0.0.1');
    await until(() => heard === 1);
    await clock.advance(50_000);
    client.send('hello', published, '127.0.0.1');
    await until(() => heard === 2);
    await clock.advance(50_000);
    assert.equal(plane.open, 1);
    await clock.advance(20_000);
    assert.equal(plane.open, 0);
    client.close();
    echo.close();
  });

  it('moves on from an endpoint that never answers', async () => {
    const clock = new ManualClock();
    const wires = new SocketWires();
    start({
      clock,
      random: { below: () => 0 },
      wires: {
        listen: (host, port, accepted) => wires.listen(host, port, accepted),
        connect: (host, port, done) => (host === '192.0.2.1' ? noWire : wires.connect(host, port, done)),
      },
    });
    const deaf = { TaskID: 'deaf', NodeID: 'n', Host: '192.0.2.1', Port: 9, Inside: '' };
    await plane.apply([{ ...good(), Endpoints: [deaf, ...good().Endpoints] }]);
    const client = new TestClient(published);
    await until(() => plane.open === 1);
    for (let passed = 0; passed < 1750 && client.text === ''; passed += 250) {
      await clock.advance(250);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.equal(await client.rest(), 'fine');
  });

  it('tries a port that it could not have again by itself', async () => {
    const clock = new ManualClock();
    start({ clock });
    const holder = await TestServer.start((socket) => socket.end());
    published = holder.port;
    const { failed } = await plane.apply([good()]);
    assert.equal(failed.length, 1);
    holder.end();
    await clock.advance(5000);
    await until(() =>
      new TestClient(published).rest().then(
        () => true,
        () => false,
      ),
    );
    await answers();
  });

  it('gets its limits from what the process may open', () => {
    assert.ok(descriptorLimit() >= 64);
    for (const descriptors of [0, 1, 64, 1024, 20_000, 2 ** 20]) {
      const { connections, flows } = limitsFor(descriptors);
      assert.ok(connections >= 1 && flows >= 1);
      if (descriptors >= 64) assert.ok(connections * 2 + flows <= descriptors * 0.75, `${descriptors}`);
    }
    assert.deepEqual(limitsFor(2 ** 20), { connections: 32_768, flows: 8192 });
  });
});
