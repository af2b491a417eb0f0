import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import fc from 'fast-check';
import { createLogger } from 'winston';
import { systemClock } from '../../../src/model/clock.js';
import { HandleWires } from '../../../src/network/user-space/handle-wires.js';
import { nodeHandles } from '../../../src/network/user-space/node-handles.js';
import { UserSpacePlane } from '../../../src/network/user-space/plane.js';
import { SocketWires } from '../../../src/network/user-space/socket-wires.js';
import type { Wires } from '../../../src/network/user-space/wire.js';
import { route } from '../../helpers/data-plane-contract.js';
import { freePort, TestClient, TestServer, until } from '../../helpers/net.js';

const request = 'GET / HTTP/1.1\r\nHost: web\r\n\r\n';
const closing = 'GET / HTTP/1.1\r\nConnection: close\r\nHost: web\r\n\r\n';

describe('a connection to an endpoint that left rotation', () => {
  describe("on Node's handles", () => both(() => new HandleWires(nodeHandles()!)));
  describe('on sockets', () => both(() => new SocketWires()));
});

function both(wires: () => Wires): void {
  let plane: UserSpacePlane;
  let published: number;
  const cleanUp: (() => void)[] = [];

  const publish = async (...ports: number[]) => {
    const serving = ports.map((port) => ({ task: `task-${port}`, port }));
    assert.deepEqual((await plane.apply([route(published, serving)])).failed, []);
  };
  const client = () => {
    const one = new TestClient(published);
    cleanUp.push(() => one.socket.destroy());
    return one;
  };
  /** Sends, and waits until the server has said `count` bytes in all. */
  const say = async (one: TestClient, bytes: Uint8Array | string, count: number) => {
    one.socket.write(bytes);
    await until(() => one.received.length >= count || one.closed);
  };
  const echo = async () => {
    const server = await TestServer.start((socket) => socket.pipe(socket));
    cleanUp.push(() => server.end());
    return server;
  };
  /** An HTTP server that switches whoever asks to a protocol that says everything back. */
  const http = async () => {
    const heads: string[][] = [];
    const server: Server = createServer((asked, answer) => {
      heads.push(asked.rawHeaders);
      asked.resume().on('end', () => answer.end('ok'));
    });
    server.on('upgrade', (asked, socket: Socket) => {
      heads.push(asked.rawHeaders);
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
      socket.on('error', () => {});
      socket.pipe(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanUp.push(() => {
      server.close();
      server.closeAllConnections();
    });
    return { port: (server.address() as AddressInfo).port, heads };
  };

  beforeEach(async () => {
    const idle_ms = Number.POSITIVE_INFINITY;
    plane = new UserSpacePlane({ log: createLogger({ silent: true }), clock: systemClock, idle_ms, wires: wires() });
    published = await freePort();
  });
  afterEach(async () => {
    for (const clean of cleanUp.splice(0)) clean();
    await plane.close();
  });

  it('is ended by its HTTP server with an answer, and the task is free', async () => {
    const [server, next] = [await http(), await http()];
    await publish(server.port);
    const one = client();
    await say(one, request, 1);
    await publish(next.port);
    assert.equal(plane.busyTasks().length, 1);
    one.socket.write(request);
    await until(() => one.text.split('\r\n\r\nok').length === 3);
    one.socket.write('POST / HTTP/1.1\r\nHost: web\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\nab');
    one.socket.write('cd');
    await until(() => one.ended);
    assert.deepEqual(server.heads[2], ['Connection', 'close', 'Host', 'web', 'Content-Length', '4']);
    assert.match(one.text, /Connection: close\r\n.*\r\n\r\nok$/s);
    one.socket.end();
    await until(() => plane.busyTasks().length === 0);
    assert.equal(one.error, undefined);
  });

  it('passes requests as they are while its endpoint is in rotation', async () => {
    const server = await echo();
    await publish(server.port);
    const one = client();
    for (let asked = 1; asked <= 3; asked++) await say(one, request, asked * request.length);
    assert.equal(one.text, request.repeat(3));
    await publish();
    await say(one, request, 4 * request.length);
    await say(one, request, 4 * request.length + closing.length);
    assert.equal(one.text, request.repeat(4) + closing);
  });

  it('is carried to the byte when it is none of HTTP, in whatever pieces', async () => {
    const server = await echo();
    const likeHTTP = fc.constantFrom(
      'GET / HTTP/1.1\n\n',
      'GET / HTTP/1.1\r\nHost',
      ': web\r\n\r\n',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      'HTTP/1.1 200 OK\r\n\r\n',
      'HTTP/1.1 100 Continue\r\n\r\n',
      '\x16\x03\x01\x00\x1c',
      '\x81\x9d\x00\x00\x00\x00GET / HTTP/1.1\r\n\r\n',
    );
    const piece = fc.oneof(
      likeHTTP.map((text) => Buffer.from(text, 'latin1')),
      fc.uint8Array({ minLength: 1, maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      fc.integer({ min: 9_000, max: 150_000 }).map((size) => Buffer.alloc(size, 'GET / HTTP/1.1\r')),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 12 }), async (pieces) => {
        await publish(server.port);
        const one = client();
        await say(one, 'hello', 5);
        await publish();
        let sent = 5;
        for (const bytes of pieces) {
          sent += bytes.length;
          await say(one, bytes, sent);
        }
        assert.deepEqual(one.received, Buffer.concat([Buffer.from('hello'), ...pieces]));
        one.socket.end();
        await until(() => one.ended);
      }),
      { numRuns: 20 },
    );
  });

  it('is left alone once it has been upgraded, and while it is', async () => {
    const server = await http();
    const upgrade = 'GET / HTTP/1.1\r\nHost: web\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n';
    await publish(server.port);
    const [before, after] = [client(), client()];
    await say(before, upgrade, 1);
    await say(after, request, 1);
    await publish();
    await say(after, upgrade, after.received.length + 1);
    assert.deepEqual(server.heads.at(-1), ['Host', 'web', 'Connection', 'Upgrade', 'Upgrade', 'echo']);
    await until(() => after.text.includes(' 101 ') && after.text.endsWith('\r\n\r\n'));
    const frames = ['\x81\x83\x01\x02\x03\x04abc', '\x82\x80\x00\x00\x00\x00'];
    for (const one of [before, after]) {
      const start = one.received.length;
      let sent = '';
      // one that was upgraded before cannot be told from HTTP, should it look like it
      for (const frame of one === after ? [...frames, request, request] : [...frames, ...frames]) {
        sent += frame;
        await say(one, Buffer.from(frame, 'latin1'), start + sent.length);
      }
      assert.equal(one.received.subarray(start).toString('latin1'), sent);
    }
  });

  it('keeps back-pressure and order for what comes behind the request that was changed', async () => {
    let hold: Socket | undefined;
    const received: Buffer[] = [];
    const server = await TestServer.start((socket) => {
      hold = socket;
      socket.write('ready');
      socket.on('data', (bytes) => received.push(bytes));
    });
    cleanUp.push(() => server.end());
    await publish(server.port);
    const one = client();
    await until(() => one.text === 'ready');
    await publish();
    hold!.write(' again');
    await until(() => one.text === 'ready again');
    hold!.pause();
    const body = Buffer.alloc(24 * 1024 * 1024);
    for (let at = 0; at < body.length; at += 4) body.writeUInt32BE(at, at);
    const head = `POST / HTTP/1.1\r\nContent-Length: ${body.length}\r\n\r\n`;
    one.socket.write(head);
    one.socket.end(body);
    // The client is stuck with some of it: nobody between takes more than a little.
    await until(() => one.socket.bytesWritten > 0 && one.socket.writableLength > 0);
    hold!.resume();
    await until(() => total(received) >= head.length + 19 + body.length);
    const all = Buffer.concat(received);
    const changed = head.replace('\r\n', '\r\nConnection: close\r\n');
    assert.equal(all.toString('latin1', 0, changed.length), changed);
    assert.ok(all.subarray(changed.length).equals(body));
  });
}

function total(chunks: readonly Buffer[]): number {
  return chunks.reduce((sum, chunk) => sum + chunk.length, 0);
}
