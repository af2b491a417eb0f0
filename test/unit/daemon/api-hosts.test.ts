import assert from 'node:assert/strict';
import { chmod, link, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import https from 'node:https';
import { connect as connectTCP, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import winston from 'winston';
import { createApiServer } from '../../../src/api/server.js';
import { createClient } from '../../../src/cli/base/client.js';
import { clientTLS, tlsFlags } from '../../../src/cli/base/client-tls.js';
import { Values } from '../../../src/cli/base/flag.js';
import { parseArguments } from '../../../src/cli/base/grammar.js';
import { type ApiOptions, apiAddresses } from '../../../src/daemon/api-hosts.js';
import { historyAt } from '../../../src/daemon/event-history.js';
import { defaultDaemonOptions } from '../../../src/daemon/options.js';
import { type Authority, createAuthority } from '../../../src/security/authority.js';
import { materialFor, nodeID } from '../../helpers/certificates.js';
import { serverMaterial } from '../../helpers/cfssl-signer.js';
import { until } from '../../helpers/daemons.js';
import { MemoryBackend } from '../../helpers/memory-backend.js';

const silent = winston.createLogger({ silent: true });

describe('the places where the API is served', function () {
  this.timeout(30_000);
  let folder: string;
  let authority: Authority;
  let options: ApiOptions;
  before(async () => {
    authority = await createAuthority(Date.now());
  });
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'shoal-api-hosts-'));
    const { keyPEM, certificatePEM } = await serverMaterial(authority, '127.0.0.1');
    const files = { tlsCACert: authority.certificatePEM, tlsCert: certificatePEM, tlsKey: keyPEM };
    for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
    const paths = Object.fromEntries(Object.keys(files).map((name) => [name, join(folder, name)]));
    options = { ...defaultDaemonOptions, ...paths, apiHosts: ['tcp://127.0.0.1:0'] };
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('are unix sockets, or TCP with what dockerd asks for; less only when it is said', () => {
    const of = (host: string, more: Partial<ApiOptions> = {}) =>
      apiAddresses({ ...options, group: 'root', apiHosts: [host], ...more }, silent)[0];
    assert.deepEqual(of('unix:///run/x.sock'), { path: '/run/x.sock', group: 0, mustHaveGroup: true });
    assert.throws(
      () => of('/run/x.sock', { group: 'nobody-has-this-group' }),
      /--group "nobody-has-this-group": this machine/,
    );
    assert.deepEqual(of('/run/x.sock', { group: '' }), { path: '/run/x.sock' });
    assert.deepEqual(of('/run/x.sock', { group: '987654' }), {
      path: '/run/x.sock',
      group: 987654,
      mustHaveGroup: true,
    });
    assert.throws(() => of('tcp://1.2.3.4'), /Use --tlsverify with --tlscacert, --tlscert and --tlskey/);
    assert.throws(() => of('tcp://1.2.3.4', { tlsVerify: true, tlsKey: '' }), /--tlskey: is needed/);
    assert.throws(
      () => of('tcp://1.2.3.4', { tlsVerify: true, tlsCACert: '/nowhere' }),
      /--tlscacert \/nowhere: cannot/,
    );
    assert.deepEqual(of('tcp://1.2.3.4', { tls: false }), { host: '1.2.3.4', port: 2375 });
    const { tls, ...where } = of('tcp://1.2.3.4', { tlsVerify: true }) as { tls: object };
    assert.deepEqual([where, Object.keys(tls)], [{ host: '1.2.3.4', port: 2376 }, ['ca', 'cert', 'key']]);
    assert.deepEqual(Object.keys((of('tcp://h:9', { tls: true }) as { tls: object }).tls), ['cert', 'key']);
    for (const bad of ['', 'x', 'http://a', 'unix://x', 'tcp://a:b']) {
      assert.throws(() => of(bad, { tls: false }), /--host/, bad);
    }
  });

  it('are refused where the kernel would cut the path of a socket off', () => {
    const path = (bytes: number) => `/${'ü'.repeat(bytes).slice(0, (bytes - 1) / 2)}`;
    assert.deepEqual(apiAddresses({ ...options, group: '', apiHosts: [path(107)] }, silent), [{ path: path(107) }]);
    assert.throws(
      () => apiAddresses({ ...options, group: '', apiHosts: [path(109)] }, silent),
      /at most 107 bytes, not 109/,
    );
  });

  it('take the place of a socket that nobody listens on, and of nothing else', async () => {
    const path = join(folder, 'api.sock');
    const serve = () => createApiServer(new MemoryBackend(), { log: silent });
    await writeFile(path, 'kept');
    await assert.rejects(serve().listen({ path }), /api\.sock: is there already, and no socket/);
    assert.equal(await readFile(path, 'utf8'), 'kept');
    await rm(path);

    const dead = createServer();
    await new Promise<void>((resolve) => dead.listen(join(folder, 'own'), resolve));
    await link(join(folder, 'own'), path); // closing removes `own` only: what kill -9 leaves
    await assert.rejects(serve().listen({ path }), /another daemon is listening/);
    await new Promise((resolve) => dead.close(resolve));
    const server = serve();
    await server.listen({ path });
    await server.close();
  });

  it('warn loudly of every one that is not protected', () => {
    const said: string[] = [];
    const log = { warn: (message: string) => said.push(message) } as unknown as winston.Logger;
    apiAddresses({ ...options, tls: false }, log);
    apiAddresses({ ...options, tls: true }, log);
    apiAddresses({ ...options, tlsVerify: true }, log);
    assert.equal(said.length, 2);
    for (const message of said) assert.match(message, /WHOEVER REACHES IT IS ROOT ON THIS MACHINE/);
  });

  it('are not all that is told of: so is Redis on another machine without TLS, but not its password', () => {
    const said: unknown[][] = [];
    const log = { warn: (...words: unknown[]) => said.push(words) } as unknown as winston.Logger;
    for (const url of ['', 'rediss://:canary@h:1', 'redis://127.0.0.1:1', 'redis://[::1]:1', 'redis://localhost']) {
      historyAt(url, () => '', log);
    }
    assert.deepEqual(said, []);
    for (const url of ['redis://:canary@10.0.0.1:6379', 'redis://127.example:1']) historyAt(url, () => '', log);
    assert.equal(said.length, 2);
    assert.doesNotMatch(JSON.stringify(said), /canary/);
  });

  it('belong to root and the group, and to nobody else', async function () {
    if (process.getuid?.() !== 0) this.skip();
    const server = createApiServer(new MemoryBackend(), { log: silent });
    const path = join(folder, 'api.sock');
    await server.listen({ path, group: 65_534 });
    const { mode, uid, gid } = await stat(path);
    assert.deepEqual([mode & 0o777, uid, gid], [0o660, 0, 65_534]);
    await server.close();
  });

  it('stay their owner’s where it may not give them to the group, unless that was asked for', async function () {
    if (process.getuid?.() !== 0 || process.seteuid === undefined) this.skip();
    const server = createApiServer(new MemoryBackend(), { log: silent });
    const path = join(folder, 'api.sock');
    await chmod(folder, 0o777);
    const groups = process.getgroups?.() ?? [];
    process.setgroups?.([]);
    process.seteuid(65_534);
    try {
      await server.listen({ path, group: 12 });
      assert.equal((await stat(path)).uid, 65_534);
      const must = { path: join(folder, 'must.sock'), group: 12, mustHaveGroup: true };
      await assert.rejects(server.listen(must), /must\.sock: this user may not give the socket to group 12/);
    } finally {
      process.seteuid(0);
      process.setgroups?.(groups);
      await server.close();
    }
  });

  it('serve over TLS only who shows a certificate of the right CA', async () => {
    const server = createApiServer(new MemoryBackend(), { log: silent });
    const [address] = apiAddresses({ ...options, tlsVerify: true }, silent);
    const { port } = (await server.listen(address!)) as { port: number };
    const ask = (tls: https.RequestOptions) =>
      new Promise<number | undefined>((resolve, reject) => {
        const url = `https://127.0.0.1:${port}/_ping`;
        https
          .get(url, { ca: authority.certificatePEM, agent: false, ...tls }, ({ statusCode }) => resolve(statusCode))
          .on('error', reject);
      });
    const own = await materialFor(authority, nodeID(1), 'worker');
    assert.equal(await ask({ key: own.keyPEM, cert: own.certificatePEM }), 200);
    await assert.rejects(ask({}));
    const foreign = await materialFor(await createAuthority(Date.now()), nodeID(1), 'manager');
    await assert.rejects(ask({ key: foreign.keyPEM, cert: foreign.certificatePEM }));
    const expired = await materialFor(authority, nodeID(1), 'worker', { now_ms: Date.now() - 9e6, expiry_ms: 1e6 });
    await assert.rejects(ask({ key: expired.keyPEM, cert: expired.certificatePEM }));
    await assert.rejects(
      ask({ key: own.keyPEM, cert: own.certificatePEM, maxVersion: 'TLSv1.1', minVersion: 'TLSv1' }),
    );
    assert.equal(await ask({ key: own.keyPEM, cert: own.certificatePEM }), 200);
    await server.close();
  });

  it('are reached by the command with the certificates that the docker client uses', async () => {
    const server = createApiServer(new MemoryBackend().found(), { log: silent });
    const [address] = apiAddresses({ ...options, tlsVerify: true }, silent);
    const { port } = (await server.listen(address!)) as { port: number };
    const own = await materialFor(authority, nodeID(1), 'worker');
    const files = { 'ca.pem': authority.certificatePEM, 'cert.pem': own.certificatePEM, 'key.pem': own.keyPEM };
    const env = { DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: folder };
    assert.throws(
      () => clientTLS(env, new Values()),
      /^CliError: --tlscacert: open .*ca\.pem: no such file or directory/,
    );
    for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
    assert.equal(clientTLS({}, new Values()), undefined);
    const name = async (line: string, variables: Record<string, string>) => {
      const { values } = parseArguments(line.split(' ').filter(Boolean), tlsFlags, true);
      const client = createClient(`tcp://127.0.0.1:${port}`, clientTLS(variables, values));
      return client.get<{ Spec: { Name: string } }>('/swarm').finally(() => client.close());
    };
    const at = (file: string) => join(folder, file);
    const shown = `--tlscert ${at('cert.pem')} --tlskey ${at('key.pem')}`;
    for (const [line, variables] of [
      ['', env],
      [`--tlsverify --tlscacert ${at('ca.pem')} ${shown}`, {}],
      [`--tls ${shown}`, {}],
      ['--tls', { DOCKER_CERT_PATH: folder }],
    ] as const) {
      assert.equal((await name(line, variables)).Spec.Name, 'default', line);
    }
    await assert.rejects(name(`--tlsverify --tlscacert ${at('cert.pem')} ${shown}`, {})); // not the CA of who answers
    await assert.rejects(name('--tls', { DOCKER_CERT_PATH: at('nothing') })); // shows no certificate
    await assert.rejects(name('--tlsverify=false', env));
    const plain = createClient(`tcp://127.0.0.1:${port}`);
    await assert.rejects(plain.get('/swarm'));
    plain.close();
    await server.close();
  });

  it('have room for who asks, however many connections say nothing and however many requests never end', async () => {
    const backend = new MemoryBackend().found();
    const limits = { silent: 20, requests: 8, connections: 200, headers_ms: 20_000 };
    const server = createApiServer(backend, { log: silent, limits });
    const { port } = (await server.listen({ host: '127.0.0.1', port: 0 })) as { port: number };
    const sockets: Socket[] = [];
    const open = () =>
      new Promise<Socket>((resolve) => {
        const socket = connectTCP({ host: '127.0.0.1', port }, () => resolve(socket));
        socket.on('error', () => {});
        sockets.push(socket);
      });
    const status = async (path: string) =>
      (await fetch(`http://127.0.0.1:${port}${path}`, { headers: { Connection: 'close' } })).status;
    for (let count = 0; count < 400; count++) await open();
    assert.equal(await status('/swarm'), 200);
    for (let count = 0; count < 8; count++) {
      const socket = await open();
      const head =
        'POST /swarm/init HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{';
      socket.write(head);
    }
    await until(async () => (await status('/swarm')) === 503, 'the daemon is busy with eight requests');
    for (const socket of sockets) socket.destroy();
    await until(async () => (await status('/swarm')) === 200, 'they are over');
    await server.close();
  });
});
