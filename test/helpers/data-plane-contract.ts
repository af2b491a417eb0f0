import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Socket } from 'node:net';
import type { Route } from '../../src/model/types.js';
import type { DataPlane } from '../../src/network/data-plane.js';
import { freePort, TestClient, TestServer, until } from './net.js';

/** Where a server answers; a route's endpoints are made of these. */
export interface Serving {
  task: string;
  port: number;
}

/** A route of servers, on loopback unless `host` says otherwise. */
export function route(
  publishedPort: number,
  serving: readonly Serving[],
  init: Partial<Route> = {},
  host = '127.0.0.1',
): Route {
  const protocol = init.Protocol ?? 'tcp';
  return {
    ID: `${protocol}/${publishedPort}`,
    ServiceID: 'service',
    ServiceName: 'web',
    Protocol: protocol,
    PublishedPort: publishedPort,
    TargetPort: 80,
    Endpoints: serving.map(({ task, port }) => ({
      TaskID: task,
      NodeID: 'node',
      Host: host,
      Port: port,
      Inside: '',
    })),
    Masquerade: false,
    Sticky: false,
    Opaque: false,
    ...init,
  };
}

/** Where a plane is tried, and what it is able to do beyond any other. */
export interface ContractPlace {
  /** Address at which clients ask. */
  asked: string;
  /** Address at which servers listen. */
  servers: string;
  /** It accepts and connects itself: so it can try a second endpoint, and end a connection. The kernel only leads packets elsewhere. */
  carriesBytes: boolean;
}

const loopback: ContractPlace = { asked: '127.0.0.1', servers: '127.0.0.1', carriesBytes: true };

/**
 * What every `DataPlane` does, with servers and clients in this process. The plane given is new for each test; its idea of an idle
 * connection may be shorter than a second.
 */
export function dataPlaneContract(make: () => Promise<DataPlane> | DataPlane, place = loopback): void {
  const routeTo = (port: number, serving: readonly Serving[], init: Partial<Route> = {}) =>
    route(port, serving, init, place.servers);
  /** Of a plane that carries bytes itself. */
  const carriesBytes = place.carriesBytes ? it : () => {};
  let plane: DataPlane;
  let published: number;
  const cleanUp: (() => void)[] = [];

  beforeEach(async () => {
    plane = await make();
    published = await freePort();
  });
  afterEach(async () => {
    await plane.close();
    for (const clean of cleanUp.splice(0)) clean();
  });

  const serve = async (task: string, handle: (socket: Socket) => void): Promise<Serving & { server: TestServer }> => {
    const server = await TestServer.start(handle, place.servers);
    cleanUp.push(() => server.end());
    return { task, port: server.port, server };
  };
  /** Says its name and hangs up. */
  const named = (task: string) => serve(task, (socket) => socket.end(task));
  /** Answers each line with its name, and goes on. */
  const talking = (task: string) =>
    serve(task, (socket) => {
      socket.on('data', () => socket.write(task));
      socket.on('end', () => socket.end());
    });
  const dead = async (task: string): Promise<Serving> => {
    const one = await named(task);
    one.server.end();
    return one;
  };
  const client = (port = published) => {
    const made = new TestClient(port, place.asked);
    cleanUp.push(() => made.socket.destroy());
    return made;
  };
  const ask = () => client().rest();
  const asked = async (times: number) => {
    const counts = new Map<string, number>();
    for (let time = 0; time < times; time++) {
      const answer = await ask();
      counts.set(answer, (counts.get(answer) ?? 0) + 1);
    }
    return counts;
  };
  const apply = async (...routes: Route[]) => {
    const { failed } = await plane.apply(routes);
    assert.deepEqual(failed, []);
  };
  /** A connection that has asked and been answered. */
  const conversing = async (port = published) => {
    const made = client(port);
    made.socket.write('hello\n');
    await until(() => made.text !== '');
    return made;
  };

  describe('balances', () => {
    it('new connections evenly over the endpoints', async () => {
      const [a, b, c] = [await named('a'), await named('b'), await named('c')];
      await apply(routeTo(published, [a, b, c]));
      assert.deepEqual([...(await asked(12))].sort(), [
        ['a', 4],
        ['b', 4],
        ['c', 4],
      ]);
    });

    carriesBytes('past endpoints that do not answer, without the client noticing', async () => {
      const [a, b] = [await named('a'), await named('b')];
      await apply(routeTo(published, [await dead('x'), a, await dead('y'), b, await dead('z')]));
      const counts = await asked(10);
      assert.equal((counts.get('a') ?? 0) + (counts.get('b') ?? 0), 10);
      assert.ok(counts.get('a') && counts.get('b'), JSON.stringify([...counts]));
    });

    it('a client of a sticky route to one endpoint, also after others have changed', async () => {
      const servers = await Promise.all(['a', 'b', 'c', 'd'].map(named));
      const sticky = routeTo(published, servers, { Sticky: true });
      await apply(sticky);
      const first = await asked(6);
      assert.deepEqual([...first.values()], [6], JSON.stringify([...first]));
      await apply({ ...sticky }, routeTo(await freePort(), servers));
      assert.deepEqual([...(await asked(3)).keys()], [...first.keys()]);
    });

    it('several ports apart from each other', async () => {
      const other = await freePort();
      const [a, b] = [await named('a'), await named('b')];
      await apply(routeTo(published, [a]), routeTo(other, [b]));
      assert.equal(await ask(), 'a');
      assert.equal(await client(other).rest(), 'b');
    });

    it('a port over IPv6 as over IPv4, where the machine has it', async function () {
      if (!(await hasIPv6())) this.skip();
      await apply(routeTo(published, [await named('a')]));
      const over6 = new TestClient(published, '::1');
      assert.equal(await over6.rest(), 'a');
    });
  });

  describe('refuses at once', () => {
    it('when a route has no endpoints', async () => {
      await apply(routeTo(published, []));
      await assert.rejects(ask(), /ECONN(RESET|REFUSED)/);
    });

    it('when no endpoint answers', async () => {
      await apply(routeTo(published, [await dead('a'), await dead('b')]));
      await assert.rejects(ask(), /ECONN(RESET|REFUSED)/);
    });

    it('once the route is gone', async () => {
      await apply(routeTo(published, [await named('a')]));
      await apply();
      await assert.rejects(ask(), /ECONNREFUSED/);
    });
  });

  describe('carries', () => {
    const size = 24 * 1024 * 1024;
    const data = randomBytes(1024 * 1024);
    const digestOf = (chunk: Buffer, total: number) => {
      const hash = createHash('sha256');
      for (let sent = 0; sent < total; sent += chunk.length) hash.update(chunk);
      return hash.digest('hex');
    };
    const expected = digestOf(data, size);
    const send = (socket: Socket) => {
      let sent = 0;
      const more = () => {
        while (sent < size) {
          sent += data.length;
          if (!socket.write(data)) {
            socket.once('drain', more);
            return;
          }
        }
        socket.end();
      };
      more();
    };
    /** Reads slowly at first, so that everything between is full. */
    const digest = (socket: Socket) =>
      new Promise<string>((resolve, reject) => {
        const hash = createHash('sha256');
        let pauses = 5;
        socket.on('data', (bytes) => {
          hash.update(bytes);
          if (pauses-- > 0) {
            socket.pause();
            setTimeout(() => socket.resume(), 20);
          }
        });
        socket.on('end', () => resolve(hash.digest('hex')));
        socket.on('error', reject);
        socket.on('close', () => reject(new Error('closed before the end')));
      });

    it('much, both ways at once, to slow readers, unchanged', async () => {
      let arrived: Promise<string> | undefined;
      const a = await serve('a', (socket) => {
        arrived = digest(socket);
        arrived.catch(() => {});
        send(socket);
      });
      await apply(routeTo(published, [a]));
      const one = new TestClient(published, place.asked);
      one.socket.removeAllListeners('data');
      const back = digest(one.socket);
      send(one.socket);
      assert.equal(await back, expected);
      assert.equal(await arrived, expected);
    });

    it('no more than a little for a client that does not read', async () => {
      let wrote = 0;
      const a = await serve('a', (socket) => {
        const more = () => {
          while (socket.write(data)) wrote += data.length;
          wrote += data.length;
        };
        socket.on('drain', more);
        more();
      });
      await apply(routeTo(published, [a]));
      const one = client();
      one.socket.pause();
      await until(() => wrote > 0);
      let before = -1;
      while (before !== wrote) {
        before = wrote;
        await new Promise((resolve) => setTimeout(resolve, 300));
      }
      assert.ok(wrote < 64 * 1024 * 1024, `${wrote} bytes were taken from the server`);
      assert.equal(one.error, undefined);
    });

    it('an answer that begins after the client has ended its side', async () => {
      const a = await serve('a', (socket) => {
        let heard = '';
        socket.on('data', (bytes) => {
          heard += bytes;
        });
        socket.on('end', () => setTimeout(() => socket.end(`heard ${heard}`), 50));
      });
      await apply(routeTo(published, [a]));
      const one = client();
      one.socket.end('everything');
      assert.equal(await one.rest(), 'heard everything');
    });

    it('what the client says after the server has ended its side', async () => {
      let heard = '';
      const a = await serve('a', (socket) => {
        socket.on('data', (bytes) => {
          heard += bytes;
        });
        socket.end('bye');
      });
      await apply(routeTo(published, [a]));
      const one = client();
      await until(() => one.ended);
      one.socket.end('and thanks');
      await until(() => heard === 'and thanks' && one.closed && a.server.sockets.size === 0);
      assert.equal(one.text, 'bye');
    });

    it('a break as a break: neither side takes half for the whole', async () => {
      const a = await serve('a', (socket) => {
        socket.on('data', () => socket.write('half', () => socket.resetAndDestroy()));
      });
      await apply(routeTo(published, [a]));
      const one = client();
      one.socket.write('hello');
      await until(() => one.ended || one.error !== undefined);
      assert.deepEqual([one.error, one.text], ['ECONNRESET', 'half']);

      const b = await talking('b');
      await apply(routeTo(published, [b]));
      const two = await conversing();
      const broke = Promise.all(
        [...b.server.sockets].map((socket) => new Promise((resolve) => socket.once('error', resolve))),
      );
      two.socket.resetAndDestroy();
      await broke;
    });

    it('hundreds of connections side by side', async () => {
      const servers = await Promise.all(['a', 'b', 'c'].map(talking));
      await apply(routeTo(published, servers));
      const clients = Array.from({ length: 300 }, () => client());
      for (const one of clients) one.socket.write('hello\n');
      await until(() => clients.every((one) => one.text.length === 1));
      for (const one of clients) one.socket.write('again\n');
      await until(() => clients.every((one) => one.text.length === 2));
      assert.ok(clients.every((one) => one.text[0] === one.text[1] && one.error === undefined));
      assert.deepEqual(
        servers.map(({ server }) => server.accepted),
        [100, 100, 100],
      );
    });
  });

  describe('changes endpoints', () => {
    it('so that a removed one gets nothing new once apply has resolved, and a new one its share', async () => {
      const [a, b, c] = [await named('a'), await named('b'), await named('c')];
      await apply(routeTo(published, [a, b]));
      await asked(4);
      await apply(routeTo(published, [b, c]));
      const before = a.server.accepted;
      const counts = await asked(10);
      assert.deepEqual([counts.get('b'), counts.get('c')], [5, 5]);
      assert.equal(a.server.accepted, before);
    });

    it('without losing a connection under load', async () => {
      const servers = await Promise.all(['a', 'b', 'c', 'd'].map(named));
      let on = true;
      let answers = 0;
      const failures: unknown[] = [];
      await apply(routeTo(published, servers));
      const load = Promise.all(
        Array.from({ length: 8 }, async () => {
          while (on) {
            await ask().then(
              (answer) => {
                answers += answer.length;
              },
              (error) => failures.push(error),
            );
          }
        }),
      );
      try {
        for (let round = 0; round < 40; round++) {
          const before = answers;
          await apply(
            routeTo(
              published,
              servers.filter((_, at) => at !== round % servers.length),
            ),
          );
          await until(() => answers >= before + 5 || failures.length > 0);
        }
      } finally {
        on = false;
      }
      await load;
      assert.deepEqual(failures, []);
    });

    it('and lets what is under way to a removed one go on, which is busy until then', async () => {
      const [a, b] = [await talking('a'), await talking('b')];
      await apply(routeTo(published, [a]));
      const one = await conversing();
      one.socket.write('a question'); // and the server answers only what it hears
      await until(() => one.text === 'aa');
      let released = 0;
      plane.onReleased(() => {
        released += 1;
      });
      for (const socket of a.server.sockets) socket.removeAllListeners('data').on('data', () => {});
      one.socket.write('something long');
      await apply(routeTo(published, [b]));
      assert.deepEqual(plane.busyTasks(), ['a']);
      assert.equal((await conversing()).text, 'b');
      for (const socket of a.server.sockets) socket.write('the answer');
      await until(() => one.text === 'aathe answer');
      assert.equal(one.ended, false);
      one.socket.end();
      await until(() => released === 1);
      assert.deepEqual(plane.busyTasks(), []);
    });

    carriesBytes('and ends connections to a removed one that are idle, as a server would', async () => {
      const [a, b] = [await talking('a'), await talking('b')];
      await apply(routeTo(published, [a]));
      const idle = await conversing();
      const silent = client();
      await until(() => a.server.accepted === 2 && silent.connected);
      let stop = () => {};
      const released = new Promise<void>((resolve) => {
        stop = plane.onReleased(resolve);
      });
      await apply(routeTo(published, [b]));
      await released;
      stop();
      await until(() => idle.ended && silent.ended && a.server.sockets.size === 0);
      assert.deepEqual([idle.error, silent.error, idle.text], [undefined, undefined, 'a']);
      assert.deepEqual(plane.busyTasks(), []);
    });

    it('and does not take a connection for idle whose client waits, or has ended its side', async () => {
      const a = await serve('a', (socket) => {
        socket.on('data', (bytes) => {
          if (String(bytes) === 'long') setTimeout(() => socket.write('done'), 900);
          else socket.write('part');
        });
        socket.on('end', () => setTimeout(() => socket.end('rest'), 900));
      });
      await apply(routeTo(published, [a]));
      const waiting = client();
      waiting.socket.write('long');
      const ended = await conversing();
      ended.socket.end();
      await until(() => a.server.accepted === 2);
      await apply(routeTo(published, []));
      assert.deepEqual(plane.busyTasks(), ['a']);
      await until(() => waiting.text === 'done' && ended.text === 'partrest');
      await until(() => plane.busyTasks().length === 0);
    });

    it('and has kept HTTP connections to a removed one end with an answer, unless the route is opaque', async () => {
      /** Does as RFC 9112 wants it, and knows no other reason to end a connection. */
      const web = (task: string) =>
        serve(task, (socket) => {
          socket.on('data', (head) => {
            const isLast = /^Connection: close/im.test(String(head));
            const answer = `HTTP/1.1 200 OK\r\nContent-Length: 1\r\n${isLast ? 'Connection: close\r\n' : ''}\r\n${task}`;
            if (isLast) socket.end(answer);
            else socket.write(answer);
          });
          socket.on('end', () => socket.end());
        });
      const [a, b] = [await web('a'), await web('b')];
      const asks = async (one: TestClient) => {
        const before = one.text.length;
        one.socket.write('GET /index.html?some=words HTTP/1.1\r\nHost: web\r\n\r\n');
        await until(() => one.text.length > before);
        return one.text.slice(before);
      };
      const isLast = (answer = '') => /^HTTP\/1\.0|^connection: close/im.test(answer);
      for (const Opaque of [false, true]) {
        await apply(routeTo(published, [a], { Opaque }));
        const one = client();
        await asks(one);
        await apply(routeTo(published, [b], { Opaque }));
        const answers = [await asks(one)];
        while (!Opaque && answers.length < 5 && !isLast(answers.at(-1))) answers.push(await asks(one));
        if (Opaque) answers.push(await asks(one), await asks(one));
        assert.ok(answers.every((answer) => /^HTTP\/1\.[01] 200 OK\r\n/.test(answer) && answer.endsWith('\r\n\r\na')));
        assert.equal(isLast(answers.at(-1)), !Opaque, answers.join());
        one.socket.end();
        await until(() => plane.busyTasks().length === 0);
      }
    });

    it('and does not name a task busy that serves another route', async () => {
      const other = await freePort();
      const a = await talking('a');
      await apply(routeTo(published, [a]), routeTo(other, [a]));
      await conversing();
      await apply(routeTo(other, [a]));
      assert.deepEqual(plane.busyTasks(), []);
    });

    it('and hands a port from one service to another without a gap', async () => {
      const [a, b] = [await named('a'), await named('b')];
      let on = true;
      const failures: unknown[] = [];
      await apply(routeTo(published, [a]));
      const load = (async () => {
        while (on) await ask().catch((error) => failures.push(error));
      })();
      try {
        for (let round = 0; round < 20; round++) {
          const owner = round % 2 === 0 ? b : a;
          await apply(routeTo(published, [owner], { ServiceID: `service-${owner.task}` }));
          assert.equal(await ask(), owner.task);
        }
      } finally {
        on = false;
      }
      await load;
      assert.deepEqual(failures, []);
    });
  });

  describe('a port that cannot be had', () => {
    it('is reported, while the others go on, and is had once it is free', async () => {
      const holder = createServer();
      await new Promise<void>((resolve) => holder.listen(published, '0.0.0.0', resolve));
      cleanUp.push(() => holder.close());
      const other = await freePort();
      const a = await named('a');
      const routes = [routeTo(published, [a]), routeTo(other, [a])];
      const { failed } = await plane.apply(routes);
      assert.deepEqual(
        failed.map(({ routeID }) => routeID),
        [`tcp/${published}`],
      );
      assert.match(failed[0]!.reason, /EADDRINUSE|in use/);
      assert.equal(await client(other).rest(), 'a');
      await new Promise((resolve) => holder.close(resolve));
      assert.deepEqual((await plane.apply(routes)).failed, []);
      assert.equal(await ask(), 'a');
    });
  });

  describe('carries UDP', () => {
    const udp = (task: string, init: Partial<Route> = {}) => ({ task, Protocol: 'udp', ...init });
    const bound = async (address: string): Promise<UdpSocket> => {
      const socket = createSocket('udp4');
      cleanUp.push(() => socket.close());
      await new Promise<void>((resolve) => socket.bind(0, address, resolve));
      return socket;
    };
    const echo = async (task: string): Promise<Serving & { socket: UdpSocket }> => {
      const socket = await bound(place.servers);
      socket.on('message', (datagram, from) => socket.send(`${task} ${datagram}`, from.port, from.address));
      return { task, port: socket.address().port, socket };
    };
    const asker = async () => {
      const socket = await bound(place.asked);
      const heard: string[] = [];
      socket.on('message', (datagram) => heard.push(String(datagram)));
      return {
        heard,
        say: (text: string) => socket.send(text, published, place.asked),
        async ask(text: string) {
          const count = heard.length;
          socket.send(text, published, place.asked);
          await until(() => heard.length > count);
          return heard.at(-1);
        },
      };
    };

    it('for each client to an endpoint of its own choice, and the answers back', async () => {
      const [a, b] = [await echo('a'), await echo('b')];
      await apply(routeTo(published, [a, b], udp('')));
      const [one, two] = [await asker(), await asker()];
      const first = await one.ask('1');
      const second = await two.ask('1');
      assert.deepEqual([first, second].sort(), ['a 1', 'b 1']);
      assert.equal(await one.ask('2'), first?.replace('1', '2'));
      assert.equal(await two.ask('2'), second?.replace('1', '2'));
    });

    carriesBytes('to the next endpoint when nobody is at the first', async () => {
      const gone = await bound(place.servers);
      const [a, x] = [await echo('a'), { task: 'x', port: gone.address().port }];
      await new Promise<void>((resolve) => gone.close(resolve));
      cleanUp.splice(cleanUp.length - 2, 1); // its socket is closed
      await apply(routeTo(published, [x, a], udp('')));
      for (const text of ['1', '2', '3']) assert.equal(await (await asker()).ask(text), `a ${text}`);
    });

    it('elsewhere once an endpoint is out of rotation and answered', async () => {
      const [a, b] = [await echo('a'), await echo('b')];
      await apply(routeTo(published, [a], udp('')));
      const one = await asker();
      assert.equal(await one.ask('1'), 'a 1');
      await apply(routeTo(published, [b], udp('')));
      await until(() => plane.busyTasks().length === 0);
      assert.equal(await one.ask('2'), 'b 2');
    });

    it('beside TCP on the same port', async () => {
      const [a, b] = [await echo('a'), await named('b')];
      await apply(routeTo(published, [a], udp('')), routeTo(published, [b]));
      assert.equal(await (await asker()).ask('1'), 'a 1');
      assert.equal(await ask(), 'b');
    });
  });

  describe('closed', () => {
    it('leaves no listener, and takes nothing any more', async () => {
      const a = await named('a');
      await apply(routeTo(published, [a]), routeTo(published, [a], { Protocol: 'udp' }));
      await plane.close();
      await assert.rejects(ask(), /ECONNREFUSED/);
      await assert.rejects(plane.apply([]), /closed/);
    });

    carriesBytes('leaves no listener and no connection', async () => {
      const a = await talking('a');
      await apply(routeTo(published, [a]), routeTo(published, [a], { Protocol: 'udp' }));
      const one = await conversing();
      await plane.close();
      await until(() => one.closed && a.server.sockets.size === 0);
      const holder = createServer();
      await new Promise<void>((resolve) => holder.listen(published, '0.0.0.0', resolve));
      holder.close();
      await assert.rejects(plane.apply([]), /closed/);
    });
  });
}

async function hasIPv6(): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(0, '::1', () => server.close(() => resolve(true)));
  });
}
