import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectHTTP2 } from 'node:http2';
import { connect as connectTCP } from 'node:net';
import { connect as connectTLS } from 'node:tls';
import * as grpc from '@grpc/grpc-js';
import winston from 'winston';
import { systemClock } from '../../../src/model/clock.js';
import { ShoalError } from '../../../src/model/errors.js';
import { serviceClient, serviceDefinition } from '../../../src/model/services.js';
import { type Authority, createAuthority } from '../../../src/security/authority.js';
import { Credentials, type Material } from '../../../src/security/credentials.js';
import { demotionOf, type NodeRole, noGuard } from '../../../src/security/identity.js';
import { ClusterListener } from '../../../src/security/listener.js';
import { callOnce, unary } from '../../../src/security/rpc.js';
import { clusterID, materialFor, nodeID } from '../../helpers/certificates.js';

const log = winston.createLogger({ silent: true });
const host = '127.0.0.1';

describe('the cluster port', function () {
  this.timeout(60_000);
  let authority: Authority;
  let listener: ClusterListener;
  let listenerCredentials: Credentials;
  let port: number;
  let lastCaller: string;
  const clients: grpc.Client[] = [];

  before(async () => {
    authority = await createAuthority(Date.now());
  });

  beforeEach(async () => {
    lastCaller = '';
    listenerCredentials = new Credentials(await materialFor(authority, nodeID(0), 'manager'));
    listener = new ClusterListener({
      credentials: listenerCredentials,
      clock: systemClock,
      log,
      handshake_ms: 300,
      handshakesMax: 50,
      strangersMax: 3,
    });
    listener.addService(serviceDefinition('CertificateAuthority'), {
      GetRoot: unary(async () => ({ RootCertificatePEM: authority.certificatePEM })),
      Join: unary(async () => {
        throw new ShoalError('invalid-argument', 'invalid join token');
      }),
      Renew: unary(async (_request: object, call) => {
        lastCaller = listener.identityOf(call).nodeID;
        return { NodeID: lastCaller };
      }),
    });
    listener.addService(serviceDefinition('Membership'), {
      JoinRaft: unary(async () => ({ RaftID: 7, Peers: [] })),
      LeaveRaft: unary(async () => ({})),
    });
    listener.addService(serviceDefinition('Tunnel'), {
      Connect: (call: grpc.ServerDuplexStream<object, object>) => {
        call.write({ Data: Buffer.from('hello') });
        call.on('error', () => {});
      },
    });
    port = await listener.listen(host, 0);
  });

  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await listener.close();
  });

  // Long enough for a machine that is busy with other things: what is tried is whether, not when.
  const options = (credentials: grpc.ChannelCredentials) => ({
    credentials,
    timeout_ms: 30_000,
    connect_ms_max: 30_000,
  });
  const membership = (credentials: grpc.ChannelCredentials) =>
    callOnce('Membership', 'JoinRaft', `${host}:${port}`, {}, options(credentials));
  const renew = (credentials: grpc.ChannelCredentials) =>
    callOnce('CertificateAuthority', 'Renew', `${host}:${port}`, {}, options(credentials));
  const getRoot = (credentials: grpc.ChannelCredentials) =>
    callOnce('CertificateAuthority', 'GetRoot', `${host}:${port}`, {}, options(credentials));
  const node = async (number: number, role: NodeRole, options = {}) =>
    new Credentials(await materialFor(authority, nodeID(number), role, options));
  const raw = (material: Material) =>
    grpc.credentials.createSsl(
      Buffer.from(authority.certificatePEM),
      Buffer.from(material.keyPEM),
      Buffer.from(material.certificatePEM),
      { checkServerIdentity: () => undefined },
    );
  const stranger = () =>
    grpc.credentials.createSsl(Buffer.from(authority.certificatePEM), null, null, {
      checkServerIdentity: () => undefined,
    });
  const isServing = async () => {
    const { RaftID } = await membership((await node(9, 'manager')).credentials());
    assert.equal(RaftID, 7);
  };

  it("lets a manager call managers' services", async () => {
    const { RaftID } = await membership((await node(1, 'manager')).credentials({ role: 'manager', nodeID: nodeID(0) }));
    assert.equal(RaftID, 7);
  });

  it("keeps a worker out of managers' services, and tells handlers who calls", async () => {
    const worker = (await node(2, 'worker')).credentials();
    await assert.rejects(membership(worker), { code: 'forbidden' });
    await renew(worker);
    assert.equal(lastCaller, nodeID(2));
  });

  it('lets callers without a certificate ask to join and nothing else', async () => {
    const { RootCertificatePEM } = await getRoot(stranger());
    assert.equal(RootCertificatePEM, authority.certificatePEM);
    const asked = callOnce('CertificateAuthority', 'Join', `${host}:${port}`, { Token: 'x' }, options(stranger()));
    await assert.rejects(asked, {
      code: 'invalid-argument',
      message: 'invalid join token',
    });
    await assert.rejects(renew(stranger()));
    await assert.rejects(membership(stranger()));
    assert.equal(lastCaller, '');
  });

  it('cuts off a forged certificate, an expired one and one of another cluster', async () => {
    const forger = await createAuthority(Date.now());
    const forged = await materialFor(forger, nodeID(1), 'manager');
    await assert.rejects(membership(raw(forged)), { code: 'unavailable' });
    const year_ms = 365 * 24 * 3600 * 1000;
    const expired = await materialFor(authority, nodeID(1), 'manager', {
      now_ms: Date.now() - year_ms,
      expiry_ms: year_ms / 2,
    });
    await assert.rejects(membership(raw(expired)), { code: 'unavailable' });
    const foreign = await materialFor(authority, nodeID(1), 'manager', { cluster: 'other00000000000000000000' });
    await assert.rejects(membership(raw(foreign)), { code: 'unavailable' });
    await isServing();
  });

  it('takes no certificate that signs itself as another node with a node certificate', async () => {
    const worker = await materialFor(authority, nodeID(1), 'worker');
    const signer = { certificatePEM: worker.certificatePEM, keyPEM: worker.keyPEM };
    const made = await materialFor(signer, nodeID(3), 'manager');
    const chain = { ...made, certificatePEM: `${made.certificatePEM}\n${worker.certificatePEM}` };
    await assert.rejects(membership(raw(chain)), { code: 'unavailable' });
    await isServing();
  });

  it('speaks nothing below TLS 1.3', async () => {
    const socket = connectTLS({ host, port, maxVersion: 'TLSv1.2', rejectUnauthorized: false, ALPNProtocols: ['h2'] });
    await assert.rejects(once(socket, 'secureConnect'));
    await isServing();
  });

  it('cuts off what is not TLS, is TLS but not HTTP/2, or says nothing', async () => {
    for (const bytes of ['GET / HTTP/1.1\r\n\r\n', '\u0000'.repeat(4096), 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '']) {
      const socket = connectTCP({ host, port });
      socket.on('error', () => {});
      if (bytes !== '') socket.write(bytes);
      socket.resume();
      await once(socket, 'close');
    }
    const plain = connectTLS({ host, port, rejectUnauthorized: false });
    plain.on('error', () => {});
    plain.resume();
    await once(plain, 'close');
    const garbled = connectTLS({ host, port, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
    garbled.on('error', () => {});
    await once(garbled, 'secureConnect');
    garbled.write('no HTTP/2 preface at all, but enough bytes to be looked at');
    garbled.resume();
    await once(garbled, 'close');
    await isServing();
  });

  it('closes whatever is open, half-made connections too', async () => {
    const silent = connectTCP({ host, port });
    silent.on('error', () => {});
    await once(silent, 'connect');
    const late = connectTLS({ host, port, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
    late.on('error', () => {});
    await isServing();
    await listener.close(); // the test fails by its time limit when one of them keeps it open
  });

  it('serves nodes however many connections are opened and say nothing', async () => {
    const sockets = [];
    for (let count = 0; count < 10_000; count++) {
      const socket = connectTCP({ host, port });
      socket.on('error', () => {});
      sockets.push(socket);
      if (count % 500 === 0) await isServing();
    }
    await isServing();
    for (const socket of sockets) socket.destroy();
  });

  it('serves nodes however many strangers hold connections', async () => {
    const sockets = [];
    for (let count = 0; count < 3; count++) {
      const socket = connectTLS({ host, port, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
      socket.on('error', () => {});
      await once(socket, 'secureConnect');
      await once(socket, 'data'); // the server's HTTP/2 settings: it was let in
      sockets.push(socket);
    }
    await assert.rejects(getRoot(stranger()), { code: 'unavailable' });
    await isServing();
    for (const socket of sockets) socket.destroy();
  });

  it('serves nodes however many connections one worker holds', async () => {
    const { keyPEM: key, certificatePEM: cert } = await materialFor(authority, nodeID(4), 'worker');
    const open = () => connectTLS({ host, port, key, cert, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
    const held = [];
    for (let count = 0; count < 32; count++) {
      const socket = open();
      socket.on('error', () => {});
      await once(socket, 'data'); // the server's HTTP/2 settings: it was let in
      held.push(socket);
    }
    const tooMany = open();
    tooMany.on('error', () => {}).resume();
    await once(tooMany, 'close');
    await isServing();
    assert.equal((await renew((await node(5, 'worker')).credentials())).NodeID, nodeID(5), 'another worker has room');
    held[0]!.destroy();
    let served = '';
    while (served === '') {
      served = await renew((await node(4, 'worker')).credentials()).then(
        ({ NodeID }) => NodeID,
        () => '',
      );
    }
    assert.equal(served, nodeID(4));
    for (const socket of held) socket.destroy();
  });

  it('keeps little of what a worker sends: its calls are few and small, a manager’s may be many and large', async () => {
    const large = { SigningRequestPEM: 'x'.repeat(5 * 1024 * 1024) };
    const send = (credentials: grpc.ChannelCredentials) =>
      callOnce('CertificateAuthority', 'Renew', `${host}:${port}`, large, options(credentials));
    await assert.rejects(send((await node(5, 'worker')).credentials()), /larger than max/);
    assert.equal((await send((await node(9, 'manager')).credentials())).NodeID, nodeID(9));
    const streamsOf = async (role: NodeRole) => {
      const { keyPEM: key, certificatePEM: cert } = await materialFor(authority, nodeID(6), role);
      const createConnection = () =>
        connectTLS({ host, port, key, cert, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
      const session = connectHTTP2(`https://${host}:${port}`, { createConnection });
      const [{ maxConcurrentStreams }] = await once(session, 'remoteSettings');
      session.destroy();
      return maxConcurrentStreams;
    };
    assert.deepEqual([await streamsOf('worker'), await streamsOf('manager')], [4, 128]);
  });

  it('cuts the open connections of a node that is removed, and refuses it from then on', async () => {
    const credentials = await node(4, 'manager');
    const client = serviceClient('Tunnel', `${host}:${port}`, credentials.credentials());
    clients.push(client);
    const call = client.Connect();
    await once(call, 'data');
    const ended = once(call, 'error');
    listener.setGuard({
      ...noGuard,
      removal: (identity) => (identity.nodeID === nodeID(4) ? 'the node was removed' : undefined),
    });
    call.once('error', () => {});
    await assert.rejects(
      ended.then(([error]) => {
        throw error;
      }),
    );
    await assert.rejects(membership(credentials.credentials()));
    await isServing();
  });

  it("does not take a demoted manager's old certificate for a manager's, and cuts what it has open as one", async () => {
    const credentials = await node(6, 'manager', { asOf: 10 });
    const client = serviceClient('Tunnel', `${host}:${port}`, credentials.credentials());
    clients.push(client);
    const call = client.Connect();
    await once(call, 'data');
    const ended = once(call, 'error');
    ended.catch(() => {});
    const roster = { asOf: 12, isManager: (id: string) => id !== nodeID(6) };
    listener.setGuard({ ...noGuard, demotion: (identity) => demotionOf(identity, roster) });
    await ended;
    await assert.rejects(membership(credentials.credentials()), {
      code: 'forbidden',
      message: /not a manager any more/,
    });
    await renew(credentials.credentials());
    assert.equal(lastCaller, nodeID(6), 'it may still get the certificate of what it is now');
    const again = await node(6, 'manager', { asOf: 13 });
    assert.equal((await membership(again.credentials())).RaftID, 7, 'who was promoted anew knows better than we do');
    await isServing();
  });

  it('is not called when its own manager certificate counts no more, but for what every node serves', async () => {
    const caller = await node(1, 'manager');
    const roster = { asOf: 1, isManager: () => false };
    caller.setGuard({ ...noGuard, demotion: (identity) => demotionOf(identity, roster) });
    await assert.rejects(membership(caller.credentials({ role: 'manager' })), { code: 'unavailable' });
    const tunnel = serviceClient('Tunnel', `${host}:${port}`, caller.credentials({ nodeID: nodeID(0) }));
    clients.push(tunnel);
    const call = tunnel.Connect();
    call.on('error', () => {});
    await once(call, 'data');
    call.cancel();
  });

  it('goes on with a new certificate, without cutting what is open', async () => {
    const caller = await node(5, 'manager');
    const client = serviceClient('Tunnel', `${host}:${port}`, caller.credentials());
    clients.push(client);
    const call = client.Connect();
    call.on('error', () => {});
    await once(call, 'data');
    caller.swap(await materialFor(authority, nodeID(5), 'worker'));
    assert.equal(call.closed, false);
    await assert.rejects(membership(caller.credentials()), { code: 'forbidden' }, 'a new connection has the new role');
    call.cancel();
  });

  it('takes no session up again that was begun under a root which is trusted no more', async () => {
    const old = await materialFor(authority, nodeID(5), 'manager');
    const open = (session?: Buffer) =>
      connectTLS({
        host,
        port,
        key: old.keyPEM,
        cert: old.certificatePEM,
        rejectUnauthorized: false,
        ALPNProtocols: ['h2'],
        ...(session !== undefined && { session }),
      });
    const first = open();
    const [ticket] = (await once(first, 'session')) as [Buffer];
    const again = open(ticket);
    await once(again, 'data'); // the server's HTTP/2 settings: it was let in
    assert.equal(again.isSessionReused(), true, 'while the root is trusted it is taken up');
    const next = await createAuthority(Date.now());
    listenerCredentials.swap(await materialFor(next, nodeID(0), 'manager'));
    const late = open(ticket);
    late.on('error', () => {});
    const seen: string[] = [];
    late.on('data', () => seen.push('served'));
    late.on('secureConnect', () => late.isSessionReused() && seen.push('taken up'));
    await once(late, 'close');
    assert.deepEqual(seen, []);
    for (const socket of [first, again]) socket.destroy();
  });

  it('is not called when it is not who the caller expects', async () => {
    const caller = await node(1, 'manager');
    await assert.rejects(membership(caller.credentials({ nodeID: nodeID(1) })), { code: 'unavailable' });
    await assert.rejects(membership(caller.credentials({ role: 'worker' })), { code: 'unavailable' });
    const elsewhere = new Credentials(
      await materialFor(authority, nodeID(1), 'manager', { cluster: `x${clusterID.slice(1)}` }),
    );
    await assert.rejects(membership(elsewhere.credentials()), { code: 'unavailable' });
  });
});
