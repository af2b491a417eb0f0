import assert from 'node:assert/strict';
import http from 'node:http';
import { gzipSync } from 'node:zlib';
import { ApiFixture } from '../../helpers/api-fixture.js';

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
    const { body } = await api.call('POST', '/secrets/create', { Name: 's', Data: 'eA==' });
    for (const Name of ['../../etc/shadow', 'a/../../b', '/run/secrets/../../etc/shadow', '', '.', '..', 'a\u0000b']) {
      const File = { Name, UID: '0', GID: '0', Mode: 292 };
      const Secrets = [{ SecretID: body.ID, SecretName: 's', File }];
      const spec = { Name: 'a', TaskTemplate: { ContainerSpec: { Image: 'x', Secrets } } };
      const answer = await api.call('POST', '/services/create', spec);
      assert.equal(answer.status, 400, `${JSON.stringify(Name)}: ${answer.text}`);
    }
  });
});
