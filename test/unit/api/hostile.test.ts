import assert from 'node:assert/strict';
import net from 'node:net';
import fc from 'fast-check';
import { routes } from '../../../src/api/routes.js';
import type { MessageName } from '../../../src/model/codec.js';
import { bodyFields } from '../../../src/model/json.js';
import { ApiFixture, smallSpec } from '../../helpers/api-fixture.js';

/** What comes back on a connection until the other side closes it. */
function raw(socketPath: string, data: string | Buffer, keepSending?: Buffer): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = net.connect(socketPath, () => {
      socket.write(data);
      const more = () => {
        if (keepSending === undefined || socket.destroyed) return;
        if (socket.write(keepSending)) setImmediate(more);
        else socket.once('drain', more);
      };
      more();
    });
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text));
  });
}

/** A value of every kind that a client might send by mistake or malice. */
const values: readonly unknown[] = [
  null,
  '',
  'x',
  'http://169.254.169.254/latest/meta-data?a=b#c',
  '../../../../etc/passwd',
  'a\r\nX-Injected: 1',
  'a\0b',
  '\u202e\u{1f41f}\ud800',
  '{{.Node.Hostname}}{{',
  '$(reboot)`reboot`;--',
  'A'.repeat(100_000),
  0,
  -1,
  1.5,
  1e308,
  Number.MAX_SAFE_INTEGER,
  2 ** 63,
  true,
  [],
  [null],
  [[[[]]]],
  {},
  { __proto__: null, constructor: { prototype: { polluted: 1 } } },
  JSON.parse('{"__proto__":{"polluted":1}}'),
];

function withField(path: readonly string[], value: unknown, form: string, spec: Record<string, unknown>): object {
  let place: Record<string, unknown> | unknown[] = spec;
  for (const [at, step] of path.entries()) {
    const isLast = at === path.length - 1;
    const next = isLast ? (form === 'list' && !Array.isArray(value) ? [value] : value) : path[at + 1] === '0' ? [] : {};
    if (Array.isArray(place)) {
      place[0] ??= next;
      place = place[0] as Record<string, unknown>;
    } else {
      if (isLast || place[step] === undefined) place[step] = next;
      place = place[step] as Record<string, unknown>;
    }
  }
  return spec;
}

const nodeSpec = () => ({ Role: 'manager', Availability: 'active' });

describe('against hostile clients, the API', function () {
  this.timeout(120_000);
  let api: ApiFixture;
  before(async () => {
    api = await new ApiFixture({ idle_ms: 300 }).start();
    api.backend.found();
  });
  after(() => api.stop());
  afterEach(async () => {
    assert.equal((await api.call('GET', '/_ping')).text, 'OK', 'it goes on serving');
    assert.equal(({} as { polluted?: unknown }).polluted, undefined);
  });

  it('takes or refuses every value in every field of a service, and never fails', async () => {
    const update = async (spec: object): Promise<void> => {
      const { status, text } = await api.call('POST', '/services/create', spec);
      assert.ok([201, 400, 404, 409, 501].includes(status), `${status} ${text} ${JSON.stringify(spec).slice(0, 300)}`);
      if (status !== 201) {
        assert.ok(JSON.parse(text).message.length < 2000);
        return;
      }
      const { ID } = JSON.parse(text);
      assert.equal((await api.call('GET', `/services/${ID}?insertDefaults=1`)).status, 200);
      assert.equal((await api.call('DELETE', `/services/${ID}`)).status, 200);
    };
    for (const { path, form } of bodyFields('ServiceSpec')) {
      for (const value of values) await update(withField(path, value, form, smallSpec('web')));
    }
  });

  /** What else is sent as a model's message, with the body of an accepted one. */
  const bodies: readonly [MessageName, string, () => Promise<string>, () => Record<string, unknown>][] = [
    ['NodeSpec', 'node', async () => `/nodes/node1/update?version=${await versionOf('/nodes/node1')}`, nodeSpec],
    ['SwarmSpec', 'swarm', async () => `/swarm/update?version=${await versionOf('/swarm')}`, () => ({})],
    ['SecretSpec', 'secret', async () => '/secrets/create', () => ({ Name: 'x', Data: 'aGk=' })],
    ['ConfigSpec', 'config', async () => '/configs/create', () => ({ Name: 'x', Data: 'aGk=' })],
  ];
  const versionOf = async (path: string): Promise<number> => (await api.call('GET', path)).body.Version.Index;
  for (const [message, word, target, body] of bodies) {
    it(`takes or refuses every value in every field of a ${word}, and never fails`, async () => {
      for (const { path, form } of bodyFields(message)) {
        for (const value of values) {
          const { status, text } = await api.call('POST', await target(), withField(path, value, form, body()));
          const shown = `${path.join('.')}=${JSON.stringify(value)?.slice(0, 60)}: ${status} ${text.slice(0, 300)}`;
          assert.ok([200, 201, 400, 409, 501].includes(status), shown);
          if (status === 201) await api.call('DELETE', `/${word}s/${JSON.parse(text).ID}`);
        }
      }
    });
  }

  it('takes or refuses whole specs of any values at once, and shows what it took', async () => {
    // Copies: a later edit may put something into what an earlier one has put there.
    const one = fc.constantFrom(...values).map((value) => structuredClone(value));
    const value = fc.oneof(one, fc.integer(), fc.string({ unit: 'binary' }), fc.double());
    const edits = fc.array(fc.tuple(fc.constantFrom(...bodyFields('ServiceSpec')), value), {
      minLength: 1,
      maxLength: 12,
    });
    const property = fc.asyncProperty(edits, async (chosen) => {
      const spec = smallSpec('web') as Record<string, unknown>;
      try {
        for (const [{ path, form }, one] of chosen) withField(path, one, form, spec);
      } catch {
        return; // one value is not what another is to be put in
      }
      const { status, text } = await api.call('POST', '/services/create', spec);
      assert.ok([201, 400, 404, 501].includes(status), `${status} ${text.slice(0, 300)}`);
      if (status !== 201) return;
      const { ID } = JSON.parse(text);
      assert.equal((await api.call('GET', `/services/${ID}?insertDefaults=1`)).status, 200);
      assert.equal((await api.call('DELETE', `/services/${ID}`)).status, 200);
    });
    await fc.assert(property, { numRuns: 100 });
    await fc.assert(property, { numRuns: 100, seed: 2136510041 }); // failed
  });

  it('takes or refuses every value of every query parameter and path', async () => {
    const parameters = [
      'filters',
      'status',
      'insertDefaults',
      'version',
      'rollback',
      'registryAuthFrom',
      'force',
    ].concat(['follow', 'stdout', 'tail', 'since', 'until', 'timestamps', 'details', 'rotateWorkerToken']);
    const texts = values
      .map((value) => (typeof value === 'string' ? value : String(JSON.stringify(value))))
      .concat([
        '{"id":[""]}',
        '{"label":{"a=b":true}}',
        '{"name":{"a":5}}',
        '{"__proto__":["x"]}',
        '99999999999999999999',
      ]);
    for (const { method, pattern } of routes) {
      if (!/^\/(services|tasks|nodes|secrets|configs|swarm)/.test(pattern) || pattern === '/swarm/leave') continue;
      const isFilled = pattern.includes('{');
      for (const text of texts) {
        const word = encodeURIComponent(Buffer.from(text.slice(0, 5_000)).toString('utf8'));
        const targets = isFilled ? [pattern.replace('{id}', word)] : [];
        for (const name of parameters) targets.push(`${pattern.replace('{id}', 'none')}?${name}=${word}`);
        for (const target of targets) {
          const { status, text: answer } = await api.call(method, target, method === 'POST' ? {} : undefined);
          assert.ok([200, 400, 404, 405, 409, 500, 501, 503].includes(status), `${method} ${target}: ${status}`);
          if (status === 500) assert.match(answer, /out of sequence/, `${method} ${target}`);
        }
      }
    }
  });

  it('names the field of every wrong type', async () => {
    for (const { path, kind, form } of bodyFields('ServiceSpec')) {
      const wrong = kind === 'string' || kind === 'bytes' ? 5 : 'five';
      const spec = withField(path, wrong, form === 'list' ? 'single' : form, smallSpec('web'));
      const { status, body } = await api.call('POST', '/services/create', spec);
      assert.equal(status, 400, path.join('.'));
      const name = path.join('.').replaceAll(/\.0(?=\.|$)/g, '[0]');
      assert.ok(body.message.startsWith(`Spec.${name}: must be `), `${name}: ${body.message}`);
    }
  });

  it('takes or refuses every value as the body of every endpoint', async () => {
    const paths = [
      '/services/create',
      '/services/x/update?version=1',
      '/nodes/node1/update?version=1',
      '/swarm/init',
      '/swarm/join',
    ];
    paths.push(
      '/swarm/update?version=1',
      '/swarm/unlock',
      '/secrets/create',
      '/secrets/x/update?version=1',
      '/configs/create',
    );
    for (const path of paths) {
      for (const value of values) {
        const { status, text } = await api.call('POST', path, JSON.stringify(value));
        assert.ok([200, 400, 404, 409, 500, 501, 503].includes(status), `${path} ${status} ${text}`);
        if (status === 500) assert.match(text, /out of sequence/);
      }
    }
  });

  it('refuses bodies that are not JSON, or not said to be', async () => {
    const post = (body: string | Buffer, headers = {}) => api.call('POST', '/services/create', body, headers);
    for (const body of ['', '{', '{"a":}', 'x', '{} {}', Buffer.from([0xff, 0xfe]), '[1,', `${'['.repeat(1e6)}`]) {
      const { status, body: answer } = await post(body);
      assert.equal(status, 400);
      assert.match(answer.message, /^invalid JSON/);
      assert.ok(answer.message.length < 500);
    }
    assert.match((await post('{}', { 'Content-Type': 'text/plain' })).body.message, /unsupported Content-Type header/);
    assert.match((await post('{}', { 'Content-Type': '' })).body.message, /malformed Content-Type header/);
    const spec = JSON.stringify(smallSpec('ok'));
    assert.equal((await post(spec, { 'Content-Type': 'application/json; charset=utf-8' })).status, 201);
  });

  it('refuses a body above its limit, announced or not', async () => {
    const announced = await raw(
      api.socket,
      'POST /services/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: 99999999\r\n\r\n',
    );
    assert.match(announced, /^HTTP\/1.1 400 [\s\S]*above the limit of 4194304 bytes/);
    const chunk = `100000\r\n${'x'.repeat(0x100000)}\r\n`;
    const endless = await raw(
      api.socket,
      'POST /services/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
      Buffer.from(chunk),
    );
    assert.match(endless, /^HTTP\/1.1 400 [\s\S]*above the limit/);
  });

  it('does not wait for headers or a body that never end', async () => {
    const impatient = await new ApiFixture({ headers_ms: 300, body_ms: 300, idle_ms: 300 }).start();
    impatient.backend.found();
    const { socket } = impatient;
    try {
      assert.match(await raw(socket, 'GET /services HTTP/1.1\r\nHost: d\r\nX-A:'), /^(HTTP\/1.1 408|$)/);
      const body = await raw(
        socket,
        'POST /services/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
      );
      assert.match(body, /^HTTP\/1.1 400 [\s\S]*the request body took longer than 300 ms/);
      assert.match(await raw(socket, 'GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n'), /^HTTP\/1.1 (200|408)/); // then idle
    } finally {
      await impatient.stop();
    }
  });

  it('refuses headers above their limit, and what is no HTTP', async () => {
    const large = `GET /services HTTP/1.1\r\nHost: d\r\nX-A: ${'a'.repeat(200_000)}\r\n\r\n`;
    assert.match(await raw(api.socket, large), /^HTTP\/1.1 431/);
    assert.match(await raw(api.socket, Buffer.from([0x16, 0x03, 0x01, 0x00, 0xa5, 0x01])), /^HTTP\/1.1 400/);
    assert.match(await raw(api.socket, '\0\0\0\0\r\n\r\n'), /^HTTP\/1.1 400/);
  });

  it('refuses requests that two parsers could read in two ways', async () => {
    const smuggled =
      'POST /services/create HTTP/1.1\r\nHost: d\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x';
    assert.match(await raw(api.socket, smuggled), /^HTTP\/1.1 400/);
    assert.match(
      await raw(api.socket, 'GET / HTTP/1.1\r\nHost: d\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'),
      /^HTTP\/1.1 400/,
    );
  });

  it('keeps the cluster’s paths from the engine, however they are written', async () => {
    const engine = await api.addEngine();
    const targets = [
      '/v1.41/../services',
      '/containers/../services',
      '/containers/..%2fservices/create',
      '/containers/%2e%2e/swarm/init',
      '//swarm/init',
      '/v1.41//swarm/init',
      '/./swarm/init',
      '/%73warm/init/x',
      '/swarm/',
      '/swarm/init/',
      '/services/',
      '/services/a/b/c',
      '/services\\..\\x',
      '/containers/%00',
      '/containers/%zz',
      '/containers/a%0d%0aX:%20y/json',
      'http://evil.example/services',
      '*',
    ];
    for (const target of targets) {
      const answer = await raw(
        api.socket,
        `POST ${target} HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
      );
      assert.match(answer, /^HTTP\/1.1 40[04] /, target);
    }
    assert.deepEqual(engine.asked, []);
    const decoded = await raw(api.socket, 'GET /%73ervices HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n');
    assert.match(decoded, /^HTTP\/1.1 200 [\s\S]*\[/, 'a path that is ours by its meaning is ours');
    assert.deepEqual(engine.asked, []);
  });

  it('refuses API versions outside its own in Docker’s words', async () => {
    const message = async (path: string) => {
      const { status, body } = await api.call('GET', path);
      return `${status} ${body.message}`;
    };
    assert.equal(
      await message('/v1.99/services'),
      '400 client version 1.99 is too new. Maximum supported API version is 1.47',
    );
    assert.equal(
      await message('/v2.0/_ping'),
      '400 client version 2.0 is too new. Maximum supported API version is 1.47',
    );
    assert.equal(
      await message('/v1.10/services'),
      '400 client version 1.10 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version',
    );
    assert.equal((await api.call('GET', '/v1.24/services')).status, 200);
  });
});
