import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { ApiFixture } from '../../helpers/api-fixture.js';
import { until } from '../../helpers/daemons.js';

describe('attacks on the API', function () {
  this.timeout(30_000);
  let api: ApiFixture;
  beforeEach(async () => {
    api = await new ApiFixture().start();
    api.backend.found();
  });
  afterEach(async () => {
    assert.equal((await api.call('GET', '/swarm')).status, 200, 'the daemon goes on');
    await api.stop();
  });

  const post = (path: string, body: string | Buffer, headers: http.OutgoingHttpHeaders = {}) =>
    new Promise<{ status: number; text: string }>((resolve, reject) => {
      const call = http.request(
        { socketPath: api.socket, method: 'POST', path, headers: { 'content-type': 'application/json', ...headers } },
        (answer) => {
          let text = '';
          answer.on('data', (chunk) => {
            text += chunk;
          });
          answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
        },
      );
      call.on('error', reject);
      call.end(body);
    });
  const service = (over: string) => `{"Name":"a","TaskTemplate":{"ContainerSpec":{"Image":"x"}}${over}}`;

  it('JSON that names __proto__ or constructor changes no object but its own', async () => {
    for (const over of [
      ',"__proto__":{"polluted":"yes"}',
      ',"constructor":{"prototype":{"polluted":"yes"}}',
      ',"Labels":{"__proto__":"yes","constructor":"yes","toString":"yes"}',
      ',"Mode":{"__proto__":{"Replicated":{"Replicas":1000000}}}',
    ]) {
      const { status } = await post('/services/create', service(over));
      assert.ok(status === 201 || status === 400, over);
      assert.equal(({} as { polluted?: string }).polluted, undefined);
      assert.equal(typeof {}.toString, 'function');
      for (const { ID } of (await api.call('GET', '/services')).body) await api.call('DELETE', `/services/${ID}`);
    }
  });

  it('JSON that is nested without end is refused', async () => {
    for (const deep of [
      '['.repeat(500_000),
      '{"a":'.repeat(500_000),
      service(`,"Labels":${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`),
      service(`,"Unknown":${'['.repeat(50_000)}${']'.repeat(50_000)}`),
    ]) {
      const { status } = await post('/services/create', deep);
      assert.ok(status === 400 || status === 201, `${status}`);
    }
  });

  it('a compressed body is not unpacked', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
    const { status, text } = await post('/services/create', bomb, { 'content-encoding': 'gzip' });
    assert.equal(status, 400);
    assert.match(text, /invalid JSON/);
  });

  it('an error never repeats what a secret, a token or a key was', async () => {
    const hush = 'aHVzaC1odXNo';
    for (const body of [
      hush,
      `{"Name":"k","Data":${hush}}`,
      `{"Name":"k","Data":"${hush}`,
      `{"Name":"k","Data":"${hush}" ${hush}}`,
      `{"Name":"k","Data":'${hush}'}`,
      `{"Name":"k","Data":["${hush}"]}`,
      `{"Name":"k","Data":"${hush}!"}`,
      `{"Name":"k","Data":"${hush}","Labels":"${hush}"}`,
      `{"Name":"k","Data":"${hush}","Driver":{"Name":"x"}}`,
      `{"UnlockKey":${hush}}`,
      `{"UnlockKey":"${hush}"}`,
      `{"JoinToken":"${hush}","RemoteAddrs":["h:1"]}`,
      `{"CAConfig":{"SigningCAKey":"${hush}"}}`,
    ]) {
      for (const path of ['/secrets/create', '/swarm/unlock', '/swarm/join', '/swarm/update?version=1']) {
        const { status, text } = await post(path, body);
        if (status < 400) continue;
        for (let at = 0; at + 4 <= hush.length; at++) {
          assert.ok(!text.includes(hush.slice(at, at + 4)), `${path} ${body}: ${text}`);
        }
      }
    }
  });

  it('names and labels bring no control characters, and no lines of their own into headers', async () => {
    for (const Name of ['a\r\nX-Evil: 1', 'a\u0000b', 'a/../b', '../a', 'a b', '\u202ea']) {
      assert.equal(
        (await post('/services/create', JSON.stringify({ ...JSON.parse(service('')), Name }))).status,
        400,
        Name,
      );
      assert.equal((await post('/secrets/create', JSON.stringify({ Name, Data: 'eA==' }))).status, 400, Name);
    }
    for (const Labels of [{ 'a\r\nb': '1' }, { 'a\u0000': '1' }, { a: '1\r\nX-Evil: 1\u0000' }]) {
      const { status, text } = await post('/services/create', JSON.stringify({ ...JSON.parse(service('')), Labels }));
      assert.equal(status, 400, JSON.stringify(Labels));
      assert.match(text, /Labels/);
    }
  });

  it('targets of secrets and configs stay where they belong', async () => {
    const { body: secret } = await api.call('POST', '/secrets/create', { Name: 's', Data: 'eA==' });
    const { body: config } = await api.call('POST', '/configs/create', { Name: 'c', Data: 'eA==' });
    for (const Name of ['../../etc/shadow', 'a/../../b', '/run/secrets/../../etc/shadow', '', '.', '..', 'a\u0000b']) {
      const File = { Name, UID: '0', GID: '0', Mode: 292 };
      const Secrets = [{ SecretID: secret.ID, SecretName: 's', File }];
      const Configs = [{ ConfigID: config.ID, ConfigName: 'c', File }];
      for (const files of [{ Secrets }, { Configs }]) {
        const spec = { Name: 'a', TaskTemplate: { ContainerSpec: { Image: 'x', ...files } } };
        const answer = await api.call('POST', '/services/create', spec);
        assert.equal(answer.status, 400, `${JSON.stringify(File)} ${Object.keys(files)}: ${answer.text}`);
      }
    }
  });

  it('connections that say nothing make room for those that ask, however many there are', async () => {
    const sockets: Socket[] = [];
    let closed = 0;
    for (let count = 0; count < 2_500; count++) {
      const socket = connect(api.socket);
      socket
        .on('error', () => {})
        .on('close', () => {
          closed += 1;
        });
      sockets.push(socket.resume());
      if (count % 250 === 0) assert.equal((await api.call('GET', '/swarm')).status, 200);
    }
    assert.equal((await api.call('GET', '/swarm')).status, 200);
    assert.ok(closed > 1_000, `${closed} were closed`);
    for (const socket of sockets) socket.destroy();
  });

  it('requests beyond what may be under way are refused at once, and answered again when there is room', async () => {
    const small = await new ApiFixture({ requests: 3 }).start();
    small.backend.found();
    try {
      const engine = await small.addEngine();
      engine.handle = () => {}; // it thinks
      const held = [1, 2, 3].map(() => {
        const call = http.request({ socketPath: small.socket, path: '/containers/json' });
        return call.on('error', () => {}).end();
      });
      while (engine.asked.length < held.length) await new Promise((resolve) => setTimeout(resolve, 5));
      const refused = await small.call('GET', '/swarm');
      assert.equal(refused.status, 503);
      assert.match(refused.text, /too many requests are under way/);
      held[0]!.destroy();
      let status = 503;
      while (status === 503) ({ status } = await small.call('GET', '/swarm'));
      assert.equal(status, 200);
      for (const call of held) call.destroy();
    } finally {
      await small.stop();
    }
  });

  it('thousands of requests in one packet end their connection, and keep nobody waiting', async () => {
    const engine = await api.addEngine();
    const held: http.ServerResponse[] = [];
    engine.handle = (_request, response) => held.push(response);
    for (const path of ['/containers/json', '/services', '/_ping', '/events']) {
      const socket = connect(api.socket);
      socket.on('error', () => {});
      socket.write(`GET ${path} HTTP/1.1\r\nHost: d\r\n\r\n`.repeat(5_000));
      socket.resume();
      await new Promise((resolve) => socket.once('close', resolve)); // often with a reset
    }
    assert.ok(engine.asked.length <= 32, `${engine.asked.length}`);
    for (const response of held) response.destroy();
    const socket = connect(api.socket);
    socket.write('GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n'.repeat(32));
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    await until(() => text.split('HTTP/1.1 200').length === 33, 'as many as a connection may ask at once are answered');
    socket.destroy();
  });

  it('what follows a request to the engine is never taken for a second one there', async () => {
    const engine = await api.addEngine();
    const smuggled = 'POST /containers/create HTTP/1.1\r\nHost: d\r\n\r\n';
    for (const head of [
      `Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
      `Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${smuggled}`,
      `Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${smuggled}`,
      `Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${smuggled}`,
      `Content-Length: +5\r\n\r\nabcde${smuggled}`,
      `Content-Length: 5, 6\r\n\r\nabcde${smuggled}`,
      `X: a\n\nPOST /containers/create HTTP/1.1\r\n\r\n`,
      `X: a\r\n folded: b\r\n${smuggled}`,
      `Transfer-Encoding: chunked\r\n\r\n5;a=\nb\r\nabcde\r\n0\r\n\r\n`,
      `Transfer-Encoding: chunked\r\n\r\n-1\r\n${smuggled}`,
    ]) {
      const socket = connect(api.socket);
      socket.on('error', () => {});
      socket.end(`POST /images/load HTTP/1.1\r\nHost: d\r\n${head}`);
      socket.resume();
      await once(socket, 'close');
      const others = engine.asked.filter(({ url }) => !/\/images\/load$/.test(url));
      // What is a second request by the rules is one here too: it is routed by us, not carried along in a body.
      assert.ok(
        others.every(({ method, body }) => method === 'POST' && body === ''),
        JSON.stringify(others),
      );
      assert.ok(
        engine.asked.every(({ body }) => !body.includes('HTTP/1.1')),
        JSON.stringify(engine.asked),
      );
    }
  });

  it('a header of the client ends at the daemon when it is about the connection', async () => {
    const engine = await api.addEngine();
    const headers = { Connection: 'close, X-Secret', 'X-Secret': '1', 'Proxy-Authorization': 'x', TE: 'trailers' };
    await api.call('GET', '/containers/json', undefined, headers);
    const [seen] = engine.asked;
    assert.ok(seen !== undefined);
    for (const name of ['x-secret', 'proxy-authorization', 'te']) assert.equal(seen.headers[name], undefined, name);
  });
});
