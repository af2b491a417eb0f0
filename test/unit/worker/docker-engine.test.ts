import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ShoalError } from '../../../src/model/errors.js';
import type { ContainerEvent } from '../../../src/worker/container.js';
import { DockerEngine } from '../../../src/worker/docker-engine.js';
import type { Engine } from '../../../src/worker/engine.js';
import { ManualClock } from '../../helpers/manual-clock.js';

// What no real engine can be made to do: answer wrongly, or half, or never. The rest is in the contract that both engines pass.

const config = { Image: 'web', Labels: {}, Env: ['SECRET=1'], HostConfig: {} };
const none = new AbortController().signal;

describe('DockerEngine, whatever answers', () => {
  const directory = mkdtempSync(join(tmpdir(), 'shoal-engine-'));
  const socket = join(directory, 'docker.sock');
  const clock = new ManualClock();
  let server: Server;
  let engine: DockerEngine;
  let answer: (request: IncomingMessage, response: ServerResponse) => void;
  let asked: IncomingMessage[] = [];

  before(async () => {
    server = createServer((request, response) => {
      asked.push(request);
      answer(request, response);
    });
    server.listen(socket);
    await once(server, 'listening');
  });
  beforeEach(() => {
    asked = [];
    engine = new DockerEngine(`unix://${socket}`, clock);
  });
  afterEach(() => engine.reset());
  after(() => {
    server.closeAllConnections();
    server.close();
    rmSync(directory, { recursive: true });
  });

  const json = (status: number, body: unknown) => {
    answer = (_request, response) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(typeof body === 'string' ? body : JSON.stringify(body));
    };
  };
  const fails = async (call: Promise<unknown>, code: string, words: RegExp) => {
    await assert.rejects(call, (error) => {
      assert.ok(error instanceof ShoalError, `not one of our errors: ${error}`);
      assert.match(error.message, words);
      assert.equal(error.code, code);
      return true;
    });
  };
  const everyCall: [name: string, call: (engine: Engine) => Promise<unknown>][] = [
    ['ping', (one) => one.ping()],
    ['info', (one) => one.info()],
    ['pull', (one) => one.pull('web:1', { signal: none })],
    ['create', (one) => one.create('name', config)],
    ['start', (one) => one.start('id')],
    ['stop', (one) => one.stop('id', 1_000)],
    ['remove', (one) => one.remove('id')],
    ['inspect', (one) => one.inspect('id')],
    ['list', (one) => one.list({})],
    ['events', (one) => one.events({}, () => {})],
  ];

  for (const [name, call] of everyCall) {
    it(`ends ${name} when no answer comes`, async () => {
      const arrived = new Promise<void>((resolve) => {
        answer = () => resolve();
      });
      const outcome = fails(call(engine), 'unavailable', /did not answer .* within \d+ s/);
      await arrived;
      await clock.advance(200_000);
      await outcome;
      assert.equal(clock.waiting, 0);
    });

    it(`gives the engine’s own words when it refuses ${name}`, async () => {
      json(500, { message: 'no space left on device' });
      await fails(call(engine), 'internal', /no space left on device/);
    });

    it(`says that the engine is gone when it hangs up on ${name}`, async () => {
      answer = (request) => request.socket.destroy();
      await fails(call(engine), 'unavailable', /cannot be reached/);
    });

    it(`throws only errors of ours when the answer to ${name} makes no sense`, async () => {
      for (const body of [
        '',
        'garbage',
        '[1',
        '[]',
        '{}',
        'null',
        '"text"',
        '[null]',
        '{"Id":7,"State":5,"Actor":[]}',
      ]) {
        json(200, body);
        await call(engine).then(
          () => {},
          (error) => assert.ok(error instanceof ShoalError, `${body}: ${error}`),
        );
      }
    });
  }

  it('says where there is no engine', async () => {
    await fails(
      new DockerEngine('/no/such.sock', clock).ping(),
      'unavailable',
      /\/no\/such\.sock; is Docker Engine installed/,
    );
  });

  for (const host of ['ftp://x:1', 'relative/path', '', 'tcp://127.0.0.1:2375']) {
    it(`refuses the address ${JSON.stringify(host)}`, () => {
      assert.throws(() => new DockerEngine(host, clock), /engine address .*allowed are/);
    });
  }

  it('keeps what a container is told out of the address, where proxies would log it', async () => {
    json(201, { Id: 'abc' });
    assert.equal(await engine.create('web.1.x', config), 'abc');
    assert.equal(asked[0]?.url, '/containers/create?name=web.1.x');
  });

  it('keeps ids and names within their place in the address', async () => {
    json(404, { message: 'No such container' });
    assert.equal(await engine.inspect('../../info?x'), undefined);
    assert.equal(asked[0]?.url, '/containers/..%2F..%2Finfo%3Fx/json');
  });

  it('sends the credentials for a registry, and only to be pulled with', async () => {
    json(200, '{"status":"Pulling"}\n{"status":"Done"}\n');
    await engine.pull('registry:5000/web', { auth: 'eyJhIjoxfQ==', signal: none });
    assert.equal(asked[0]?.headers['x-registry-auth'], 'eyJhIjoxfQ==');
    assert.equal(asked[0]?.url, '/images/create?fromImage=registry%3A5000%2Fweb&tag=latest');
  });

  it('finds the error in the middle of a pull', async () => {
    json(200, '{"status":"Pulling"}\n{"errorDetail":{},"error":"manifest unknown"}\n');
    await fails(engine.pull('web:1', { signal: none }), 'not-found', /^manifest unknown$/);
  });

  it('waits for a pull as long as it shows signs of life', async () => {
    let response: ServerResponse | undefined;
    answer = (_request, given) => {
      response = given;
      given.write('{"status":"Pulling"}\n');
    };
    let ended = false;
    const pull = engine.pull('web:1', { signal: none }).finally(() => {
      ended = true;
    });
    for (let count = 0; count < 5; count++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      await clock.advance(100_000);
      assert.equal(ended, false);
      response?.write('{"status":"Downloading"}\n');
    }
    response?.end();
    await pull;
  });

  it('reads events cut anywhere, in any language, and skips those that say nothing', async () => {
    const event = (Action: string, Attributes: object) =>
      `${JSON.stringify({ Type: 'container', Action, Actor: { ID: 'c1', Attributes } })}\n`;
    const bytes = Buffer.from(
      event('start', { name: 'käse' }) +
        event('exec_create: sh', {}) +
        event('health_status: healthy', {}) +
        '\n{"Type":"network"}\n' +
        event('die', { exitCode: '9' }),
    );
    answer = (_request, response) => {
      for (const byte of bytes) response.write(Buffer.from([byte]));
      response.end();
    };
    const events: ContainerEvent[] = [];
    const stream = await engine.events({ a: 'b' }, (one) => events.push(one));
    await stream.ended;
    assert.deepEqual(
      events.map((one) => one.kind),
      ['start', 'health', 'die'],
    );
    assert.equal(events[0]?.labels.name, 'käse');
    assert.deepEqual(
      events.map((one) => (one.kind === 'die' ? one.exitCode : undefined)),
      [undefined, undefined, 9],
    );
  });

  it('ends a stream of events that turns into something else', async () => {
    json(200, '{"Type":"container"\n');
    const stream = await engine.events({}, () => {});
    assert.match(await stream.ended, /not JSON/);
    answer = (_request, response) => {
      response.write('x'.repeat(5 * 1024 * 1024));
    };
    const endless = await engine.events({}, () => {});
    assert.match(await endless.ended, /without an end/);
  });

  it('takes health from the list’s words', async () => {
    const of = (Status: string) => ({ Id: Status, Names: ['/n'], State: 'running', Status, Labels: null });
    json(
      200,
      [
        'Up 2 hours',
        'Up 1 second (health: starting)',
        'Up 2 days (healthy)',
        'Up 3 weeks (unhealthy)',
        'Up 4 hours (Paused)',
      ].map(of),
    );
    const health = (await engine.list({})).map((one) => one.health);
    assert.deepEqual(health, ['', 'starting', 'healthy', 'unhealthy', '']);
  });
});
