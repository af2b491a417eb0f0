import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { ApiFixture, type FakeEngine } from '../../helpers/api-fixture.js';
import { ManualClock } from '../../helpers/manual-clock.js';

describe('what is not the cluster’s', () => {
  let api: ApiFixture;
  let engine: FakeEngine;
  beforeEach(async () => {
    api = await new ApiFixture().start();
    engine = await api.addEngine();
  });
  afterEach(() => api.stop());

  const open = (method: string, path: string, headers: http.OutgoingHttpHeaders = {}) =>
    http.request({ socketPath: api.socket, method, path, headers, agent: false });
  const answerOf = async (request: http.ClientRequest): Promise<http.IncomingMessage> =>
    (await once(request, 'response'))[0];

  it('is answered by the engine, body, status and headers', async () => {
    engine.handle = (_request, response) => {
      response.writeHead(418, { 'Content-Type': 'application/json', 'X-Engine': 'yes', 'Keep-Alive': 'timeout=5' });
      response.end('{"message":"teapot"}\n');
    };
    const { status, body, headers } = await api.call(
      'POST',
      '/v1.41/containers/create?name=a%20b',
      { Image: 'x' },
      { 'X-Registry-Auth': 'secret', Connection: 'keep-alive, X-Hop', 'X-Hop': '1' },
    );
    assert.deepEqual([status, body, headers['x-engine']], [418, { message: 'teapot' }, 'yes']);
    assert.equal(headers['api-version'], '1.47');
    const [asked] = engine.asked;
    assert.deepEqual(
      [asked?.method, asked?.url, asked?.body],
      ['POST', '/v1.41/containers/create?name=a%20b', '{"Image":"x"}'],
    );
    assert.equal(asked?.headers['x-registry-auth'], 'secret');
    assert.equal(asked?.headers['x-hop'], undefined, 'a header of one connection stays on it');
    assert.equal(asked?.headers.host, 'docker');
  });

  it('is asked for in the newest version that the engine speaks', async () => {
    for (const [given, lowered] of [
      ['/v1.47/containers/json', '/v1.41/containers/json'],
      ['/v1.40/containers/json', '/v1.40/containers/json'],
      ['/containers/json', '/containers/json'],
      ['/v1.45/images/a%2Fb/json?x=1', '/v1.41/images/a%2Fb/json?x=1'],
    ]) {
      await api.call('GET', given!);
      assert.equal(engine.asked.at(-1)?.url, lowered);
    }
    assert.equal(engine.requests.filter((one) => one.url === '/_ping').length, 1, 'it is asked for its version once');
  });

  it('keeps apart the values of a header that comes several times', async () => {
    const methods = ['/moby.filesync.v1.FileSync/DiffCopy', '/moby.filesync.v1.Auth/Credentials'];
    engine.handle = (request, response) => {
      response.setHeader('X-Many', request.headersDistinct['x-method'] ?? []);
      response.end();
    };
    const request = open('POST', '/session', { 'X-Method': methods });
    request.end();
    const answer = await answerOf(request);
    answer.resume();
    assert.deepEqual(answer.headersDistinct['x-many'], methods);
  });

  it('is a 503 while the engine is away, and works again once it is back', async () => {
    api.backend.engines.delete('');
    const { status, body } = await api.call('GET', '/containers/json');
    assert.equal(status, 503);
    assert.match(body.message, /no engine answers/);
    api.backend.engines.set('', '/nonexistent.sock');
    assert.match(
      (await api.call('GET', '/v1.47/containers/json')).body.message,
      /^cannot connect to the Docker Engine at .*ENOENT/,
    );
    api.backend.engines.set('', engine.path);
    assert.equal((await api.call('GET', '/v1.47/containers/json')).status, 200);
  });

  it('is a 503 when the engine hangs up without an answer', async () => {
    engine.handle = (request) => request.socket.destroy();
    const { status, body } = await api.call('GET', '/containers/json');
    assert.equal(status, 503);
    assert.match(body.message, /Cannot reach the Docker Engine/);
  });

  it('does not wait for a registry that does not answer', async () => {
    const clock = new ManualClock();
    const slow = await new ApiFixture({}, clock).start();
    const silent = await slow.addEngine();
    const asked = new Promise<void>((resolve) => {
      silent.handle = () => resolve();
    });
    const answer = slow.call('GET', '/v1.41/distribution/registry.example/shop:1/json');
    await asked;
    await clock.advance(5_000);
    const { status, body } = await answer;
    assert.deepEqual([status, body.message], [503, 'the registry did not answer within 5000 ms']);
    await slow.stop();
  });

  it('streams as it comes, and tells the engine when the client goes', async () => {
    let gone: Promise<unknown> | undefined;
    engine.handle = (_request, response) => {
      gone = once(response, 'close');
      response.writeHead(200);
      response.flushHeaders();
      setImmediate(() => response.write('first\n'));
    };
    const request = open('GET', '/events-of-a-kind');
    request.end();
    const answer = await answerOf(request);
    assert.equal((await once(answer, 'data'))[0].toString(), 'first\n');
    answer.on('error', () => undefined);
    request.destroy();
    await gone;
  });

  it('breaks off at the client when the engine breaks off, so that nobody takes a part for the whole', async () => {
    engine.handle = (_request, response) => {
      response.writeHead(200, { 'Content-Length': 1000 });
      response.write('part', () => response.destroy());
    };
    const request = open('GET', '/images/get');
    request.end();
    const answer = await answerOf(request);
    answer.resume();
    await assert.rejects(once(answer, 'end'), /aborted|hang up|ECONNRESET/);
  });

  it('passes large uploads and downloads on unchanged', async () => {
    const data = randomBytes(8 * 1024 * 1024);
    engine.handle = (request, response) => {
      response.writeHead(200, { 'Content-Type': 'application/x-tar' });
      request.pipe(response);
    };
    const request = open('POST', '/v1.47/images/load', { 'Transfer-Encoding': 'chunked' });
    request.end(data);
    const hash = createHash('sha256');
    for await (const chunk of await answerOf(request)) hash.update(chunk as Buffer);
    assert.equal(hash.digest('hex'), createHash('sha256').update(data).digest('hex'));
  });

  it('never holds much of a stream whose reader is slow', async () => {
    let sent = 0;
    let stopped = false;
    engine.handle = (_request, response) => {
      response.writeHead(200);
      const chunk = Buffer.alloc(64 * 1024);
      const more = () => {
        while (!response.destroyed && sent < 1_000_000_000) {
          sent += chunk.length;
          if (!response.write(chunk)) {
            stopped = true;
            response.once('drain', more);
            return;
          }
        }
      };
      more();
    };
    const request = open('GET', '/containers/x/logs');
    request.end();
    const answer = await answerOf(request);
    answer.pause();
    let before = -1;
    while (before !== sent) {
      before = sent;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.ok(stopped && sent < 20_000_000, `${sent} bytes are under way`);
    answer.on('error', () => undefined);
    request.destroy();
  });

  it('lets the engine answer before it has read everything', async () => {
    engine.handle = (_request, response) => {
      response.writeHead(400, { 'Content-Type': 'application/json', Connection: 'close' });
      response.end('{"message":"no"}\n');
    };
    const request = open('POST', '/build', { 'Transfer-Encoding': 'chunked' });
    request.on('error', () => undefined);
    request.write(randomBytes(100_000));
    const answer = await answerOf(request);
    assert.equal(answer.statusCode, 400);
    request.destroy();
  });

  describe('and belongs to a task on another node', () => {
    const container = 'c0ffee'.padEnd(64, '0');
    const exec = 'e4ec'.padEnd(64, '1');
    const taskID = 'task00000000000000000task1';
    let there: FakeEngine;
    beforeEach(async () => {
      api.backend.found().addNode({ ID: 'node2' }, 'node2');
      there = await api.addEngine('node2');
      engine.handle = (request, response) => {
        const isHere = !/^\/(v1.\d+\/)?containers\/(c0ffee|deadbeef)/.test(request.url ?? '');
        response.writeHead(isHere ? 200 : 404, { 'Content-Type': 'application/json' });
        response.end('{"from":"engine"}\n');
      };
      there.handle = (request, response) => {
        const isExec = request.url?.endsWith('/exec');
        response.writeHead(isExec ? 201 : 200, { 'Content-Type': 'application/json' });
        response.end(isExec ? `{"Id":"${exec}"}\n` : '{"from":"node2"}\n');
      };
      api.backend.addTask({
        ID: taskID,
        ServiceID: 's',
        NodeID: 'node2',
        Status: { State: 'running', ContainerStatus: { ContainerID: container } },
      });
    });
    const from = async (path: string) => (await api.call('GET', path)).body.from;

    it('is answered by that node’s engine, by id, short id or name, in the version it speaks', async () => {
      for (const reference of [container, container.slice(0, 12), `web.1.${taskID}`]) {
        assert.equal(await from(`/v1.47/containers/${reference}/json`), 'node2', reference);
        assert.equal(there.asked.at(-1)?.url, `/v1.41/containers/${reference}/json`);
      }
      for (const reference of [container.slice(0, 11), 'web', 'json', 'f'.repeat(64), 'web.1.other']) {
        assert.equal(await from(`/containers/${reference}/json`), 'engine', reference);
      }
      assert.equal(await from('/images/c0ffee/json'), 'engine');
    });

    it('takes its execs along', async () => {
      assert.equal((await api.call('POST', `/containers/${container}/exec`, { Cmd: ['x'] })).body.Id, exec);
      assert.equal(await from(`/exec/${exec}/json`), 'node2');
      assert.equal(await from(`/exec/${'0'.repeat(64)}/json`), 'engine');
    });

    it('is found by the exec that another manager made, once', async () => {
      there.handle = (_request, response) => {
        response.writeHead(200, { 'Content-Type': 'application/json' });
        response.end('{"from":"node2"}\n');
      };
      engine.handle = (_request, response) => {
        response.writeHead(404, { 'Content-Type': 'application/json' });
        response.end('{"message":"No such exec instance","from":"engine"}\n');
      };
      assert.equal(await from(`/exec/${exec}/json`), 'node2');
      assert.equal(await from(`/exec/${exec}/json`), 'node2');
      assert.equal(engine.asked.length, 1);
      assert.equal(there.asked.length, 3);
      api.backend.engines.delete('node2');
      assert.equal(await from(`/exec/${'0'.repeat(64)}/json`), 'engine', 'what nobody knows our own engine refuses');
      assert.equal(await from('/exec/short/json'), 'engine');
    });

    it('is not to be had by a node that says of a container or an exec that it is its own', async () => {
      api.backend.addNode({ ID: 'liar' }, 'liar');
      const liar = await api.addEngine('liar');
      const claim = (id: string, ContainerID: string) =>
        api.backend.addTask({ ID: id, NodeID: 'liar', Status: { State: 'running', ContainerStatus: { ContainerID } } });
      claim('claim', `${container.slice(0, 12)}${'1'.repeat(52)}`);
      assert.equal(await from(`/containers/${container.slice(0, 12)}/json`), 'engine', 'nobody, then');
      assert.equal(await from(`/containers/${container}/json`), 'node2');
      claim('claim2', container);
      assert.equal(await from(`/containers/${container}/json`), 'engine');
      assert.equal(await from(`/containers/web.1.${taskID}/json`), 'node2', 'a name is the cluster’s to give');
      const own = 'a11'.padEnd(64, '7'); // a container of this machine that is no task's
      claim('claim3', own);
      for (const id of [own, own.slice(0, 12)]) assert.equal(await from(`/containers/${id}/json`), 'engine');
      engine.handle = (_request, response) => {
        response.writeHead(404, { 'Content-Type': 'application/json' });
        response.end('{"from":"engine"}\n');
      };
      assert.equal(await from(`/exec/${exec}/json`), 'engine');
      assert.ok(liar.asked.every(({ url }) => url === `/exec/${exec}/json`));
      for (const id of ['claim', 'claim2']) {
        api.backend.commit({ Operations: [{ Action: 'remove', Kind: 'Task', ID: id }] });
      }
      assert.equal(await from(`/containers/${container.slice(0, 12)}/json`), 'node2');
    });

    it('comes to its place as tasks come and go', async () => {
      await from('/containers/json');
      const later = 'deadbeef0000'.padEnd(64, '2');
      api.backend.addTask({
        ID: 'later',
        NodeID: 'node2',
        Status: { State: 'running', ContainerStatus: { ContainerID: later } },
      });
      assert.equal(await from(`/containers/${later}/json`), 'node2');
      api.backend.commit({ Operations: [{ Action: 'remove', Kind: 'Task', ID: 'later' }] });
      assert.equal(await from(`/containers/${later}/json`), 'engine');
      api.backend.isManager = false;
      assert.equal(await from(`/containers/${container}/json`), 'engine', 'a worker knows its own engine alone');
    });

    it('is a 503 when that node cannot be reached', async () => {
      api.backend.engines.delete('node2');
      const { status, body } = await api.call('GET', `/containers/${container}/json`);
      assert.equal(status, 503);
      assert.match(body.message, /no engine answers/);
    });
  });

  describe('and leaves HTTP', () => {
    const upgrade = (path: string, body = '') =>
      `POST ${path} HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const connect = async (): Promise<net.Socket> => {
      const socket = net.connect({ path: api.socket, allowHalfOpen: true });
      await once(socket, 'connect');
      return socket;
    };
    const reader = (socket: net.Socket) => {
      let text = '';
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1');
      });
      return async (words: string) => {
        while (!text.includes(words)) await Promise.race([once(socket, 'data'), once(socket, 'end')]);
        return text;
      };
    };

    it('carries bytes both ways, with the end of each way by itself', async () => {
      engine.server.on('upgrade', (request: http.IncomingMessage, socket: net.Socket, head: Buffer) => {
        let body = head.toString();
        const echo = () => {
          socket.write(
            'HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nhello ',
          );
          let text = '';
          socket.on('data', (chunk: Buffer) => {
            text += chunk.toString();
          });
          socket.on('end', () => socket.end(`${request.url} ${body} ${text}`));
        };
        const length = Number(request.headers['content-length']);
        if (body.length >= length) echo();
        else {
          socket.once('data', (chunk: Buffer) => {
            body += chunk.toString();
            echo();
          });
        }
      });
      const socket = await connect();
      const until = reader(socket);
      socket.write(upgrade('/v1.47/exec/x/start', '{"Tty":true}'));
      const head = await until('hello ');
      assert.match(head, /^HTTP\/1.1 101 UPGRADED\r\n/);
      assert.match(head, /Content-Type: application\/vnd.docker.raw-stream\r\n/);
      socket.write('some ');
      socket.end('input');
      const all = await until('input');
      assert.ok(all.endsWith('hello /v1.41/exec/x/start {"Tty":true} some input'), all);
      socket.destroy();
    });

    it('sends on what the client wrote behind its request', async () => {
      engine.server.on('upgrade', (_request: http.IncomingMessage, socket: net.Socket, head: Buffer) => {
        socket.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n');
        socket.write(head);
        socket.pipe(socket);
      });
      const socket = await connect();
      const until = reader(socket);
      socket.write(`${upgrade('/containers/x/attach')}early`);
      await until('early');
      socket.write('late');
      await until('late');
      socket.destroy();
    });

    it('goes away at the engine when the client goes away', async () => {
      const gone = new Promise((resolve) => {
        engine.server.on('upgrade', (_request: http.IncomingMessage, socket: net.Socket) => {
          socket.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nhello');
          const beat = setInterval(() => socket.write('.'), 10); // as against the engine itself: a write finds it out
          socket.on('error', () => undefined).resume();
          socket.on('close', () => {
            clearInterval(beat);
            resolve(undefined);
          });
        });
      });
      const socket = await connect();
      const until = reader(socket);
      socket.write(upgrade('/session'));
      await until('hello');
      socket.destroy();
      await gone;
    });

    it('answers in HTTP when the engine does not agree', async () => {
      engine.server.on('upgrade', (_request: http.IncomingMessage, socket: net.Socket) => {
        socket.end(
          'HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 26\r\n\r\n{"message":"No such exec"}',
        );
      });
      const socket = await connect();
      const until = reader(socket);
      socket.write(`${upgrade('/exec/x/start', '{}')}GET /services HTTP/1.1\r\n\r\n`);
      const answer = await until('No such exec');
      assert.match(answer, /^HTTP\/1.1 404 Not Found\r\n/);
      assert.match(answer, /Connection: close/);
      await once(socket, 'end');
      assert.equal(engine.asked.length, 0, 'what follows is no request');
      socket.destroy();
    });

    it('is never ours', async () => {
      const plain = async (request: string) => {
        const socket = await connect();
        const until = reader(socket);
        socket.write(request);
        const text = await until('}');
        socket.destroy();
        return text;
      };
      const offer = 'Host: d\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n';
      assert.match(
        await plain(`GET /services HTTP/1.1\r\n${offer}\r\n`),
        /^HTTP\/1.1 503 .*[\s\S]*not a swarm manager/,
      );
      assert.match(
        await plain(upgrade('/services/create', '{}')),
        /^HTTP\/1.1 400 [\s\S]*does not change the protocol/,
      );
    });

    it('is a 503 when the engine is away', async () => {
      api.backend.engines.delete('');
      const socket = await connect();
      const until = reader(socket);
      socket.write(upgrade('/exec/x/start', '{}'));
      assert.match(await until('}'), /^HTTP\/1.1 503 [\s\S]*no engine answers/);
      socket.destroy();
    });
  });

  describe('and about the system', () => {
    it('answers a ping whatever the engine does', async () => {
      api.backend.engines.delete('');
      const get = await api.call('GET', '/_ping');
      assert.deepEqual(
        [get.status, get.text, get.headers['api-version'], get.headers.swarm],
        [200, 'OK', '1.47', 'inactive'],
      );
      assert.equal(get.headers.ostype, 'linux');
      const head = await api.call('HEAD', '/v1.41/_ping');
      assert.deepEqual([head.status, head.text, head.headers['docker-experimental']], [200, '', 'false']);
      api.backend.found();
      assert.equal((await api.call('GET', '/_ping')).headers.swarm, 'active/manager');
    });

    it('tells of the engine and of the swarm in one', async () => {
      engine.handle = (_request, response) => {
        response.writeHead(200, { 'Content-Type': 'application/json' });
        response.end('{"Name":"node1","Containers":3,"Swarm":{"LocalNodeState":"inactive"},"Warnings":null}\n');
      };
      const before = (await api.call('GET', '/v1.47/info')).body;
      assert.deepEqual([before.Name, before.Containers], ['node1', 3]);
      assert.deepEqual(before.Swarm, {
        NodeID: '',
        NodeAddr: '',
        LocalNodeState: 'inactive',
        ControlAvailable: false,
        Error: '',
        RemoteManagers: null,
      });
      api.backend.found();
      const { Swarm } = (await api.call('GET', '/info')).body;
      assert.deepEqual(
        [Swarm.LocalNodeState, Swarm.ControlAvailable, Swarm.Nodes, Swarm.Managers],
        ['active', true, 1, 1],
      );
      assert.equal(Swarm.Cluster.Spec.Name, 'default');
      assert.equal(Swarm.Cluster.JoinTokens, undefined);
    });

    it('goes on telling of the swarm without an engine', async () => {
      api.backend.engines.delete('');
      const { status, body } = await api.call('GET', '/info');
      assert.equal(status, 200);
      assert.deepEqual(body.Warnings, ['no engine answers']);
      assert.equal((await api.call('GET', '/version')).body.ApiVersion, '1.47');
    });

    it('has our API version and the engine’s own components', async () => {
      engine.handle = (_request, response) => {
        response.writeHead(200, { 'Content-Type': 'application/json' });
        response.end(
          '{"Version":"20.10.24","ApiVersion":"1.41","MinAPIVersion":"1.12","Components":[{"Name":"Engine"}]}\n',
        );
      };
      const { body } = await api.call('GET', '/version');
      assert.deepEqual([body.Version, body.ApiVersion, body.MinAPIVersion], ['20.10.24', '1.47', '1.24']);
      assert.deepEqual(
        body.Components.map((one: { Name: string }) => one.Name),
        ['Engine', 'Shoal'],
      );
    });

    it('makes networks that are not for the cluster at the engine', async () => {
      await api.call('POST', '/v1.47/networks/create', { Name: 'a', Driver: 'bridge' });
      assert.deepEqual(
        [engine.asked[0]?.url, engine.asked[0]?.body],
        ['/v1.41/networks/create', '{"Name":"a","Driver":"bridge"}'],
      );
    });
  });
});
