import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHTTP } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import winston from 'winston';
import { openTunnel } from '../../../src/manager/tunnel/client.js';
import { tunnelService } from '../../../src/manager/tunnel/server.js';
import { systemClock } from '../../../src/model/clock.js';
import { serviceDefinition } from '../../../src/model/services.js';
import { type Authority, createAuthority } from '../../../src/security/authority.js';
import { Credentials } from '../../../src/security/credentials.js';
import { ClusterListener } from '../../../src/security/listener.js';
import { materialFor, nodeID } from '../../helpers/certificates.js';

const log = winston.createLogger({ silent: true });

describe('the tunnel', function () {
  this.timeout(20_000);
  let authority: Authority;
  let manager: Credentials;
  let listener: ClusterListener;
  let engine: Server;
  let target: { nodeID: string; address: string };
  let sockets: Socket[];

  before(async () => {
    authority = await createAuthority(Date.now());
    manager = new Credentials(await materialFor(authority, nodeID(1), 'manager'));
  });

  async function serve(handle: (socket: Socket) => void, whenConnected = async () => {}): Promise<void> {
    sockets = [];
    engine = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.push(socket);
      socket.on('error', () => {});
      handle(socket);
    });
    engine.listen(0, '127.0.0.1');
    await once(engine, 'listening');
    const { port } = engine.address() as AddressInfo;
    const credentials = new Credentials(await materialFor(authority, nodeID(2), 'worker'));
    listener = new ClusterListener({ credentials, clock: systemClock, log });
    const connectEngine = async () => {
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
      await once(socket, 'connect');
      await whenConnected();
      return socket;
    };
    listener.addService(
      serviceDefinition('Tunnel'),
      tunnelService({ connectEngine, identityOf: listener.identityOf, log }),
    );
    target = { nodeID: nodeID(2), address: `127.0.0.1:${await listener.listen('127.0.0.1', 0)}` };
  }

  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    engine.close();
    await listener.close();
  });

  it('carries megabytes both ways unchanged, and a half-close', async () => {
    await serve((socket) => {
      // Answers with a digest of all that came, then with all of it: only possible once the other side has ended.
      const chunks: Buffer[] = [];
      socket.on('data', (chunk) => chunks.push(chunk));
      socket.on('end', () => {
        const bytes = Buffer.concat(chunks);
        socket.write(createHash('sha256').update(bytes).digest());
        socket.end(bytes);
      });
    });
    const stream = await openTunnel(manager, target, 5_000);
    const sent = randomBytes(5_000_000);
    stream.end(sent);
    const got = await buffer(stream);
    assert.equal(got.length, 32 + sent.length);
    assert.ok(got.subarray(0, 32).equals(createHash('sha256').update(sent).digest()));
    assert.ok(got.subarray(32).equals(sent));
  });

  it('holds a fast sender back when the reader is slow', async () => {
    let written = 0;
    await serve((socket) => {
      const more = () => {
        while (socket.write(Buffer.alloc(65_536), () => {})) written += 65_536;
        socket.once('drain', more);
      };
      more();
    });
    const stream = await openTunnel(manager, target, 5_000);
    await once(stream, 'readable');
    let before = -1;
    while (written !== before) {
      before = written;
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
    assert.ok(written < 30_000_000, `${written} bytes are under way and nobody reads`);
    stream.on('error', () => {});
    stream.destroy();
    await new Promise((resolve) => sockets[0]!.once('close', resolve));
  });

  it('ends with an error when the engine is cut off in the middle', async () => {
    await serve((socket) => {
      socket.write('half an ans');
      socket.once('data', () => socket.resetAndDestroy());
    });
    const stream = await openTunnel(manager, target, 5_000);
    await once(stream, 'data');
    stream.write('now');
    await assert.rejects(once(stream, 'close'));
  });

  it('lets go of an engine that answers after the caller has gone', async () => {
    let answer = () => {};
    await serve(
      () => {},
      () => new Promise((resolve) => (answer = resolve)),
    );
    const stream = await openTunnel(manager, target, 5_000);
    stream.on('error', () => {});
    stream.write('GET');
    while (sockets.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    stream.destroy();
    await new Promise((resolve) => setTimeout(resolve, 200)); // the cancellation arrives: nothing else tells of it
    const closed = once(sockets[0]!.resume(), 'end');
    answer();
    await closed;
  });

  it('serves HTTP clients', async () => {
    const http = createHTTP((request, response) => response.end(`${request.method} ${request.url}`));
    await serve((socket) => http.emit('connection', socket));
    const stream = await openTunnel(manager, target, 5_000);
    stream.write('GET /info HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n');
    assert.match((await buffer(stream)).toString(), /\r\n\r\n.*GET \/info/s);
  });

  it('says that a node cannot be reached', async () => {
    await serve(() => {});
    await assert.rejects(openTunnel(manager, { ...target, address: '127.0.0.1:1' }, 500), {
      code: 'unavailable',
      message: /cannot be reached/,
    });
    await assert.rejects(openTunnel(manager, { ...target, nodeID: nodeID(3) }, 500), { code: 'unavailable' });
  });
});
