import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { ApiFixture, type FakeEngine } from '../../helpers/api-fixture.js';

describe('connections to the engine', () => {
  let api: ApiFixture;
  let engine: FakeEngine;
  let sockets: Socket[];
  beforeEach(async () => {
    api = await new ApiFixture().start();
    engine = await api.addEngine();
    sockets = [];
    const answer = engine.handle;
    engine.handle = (request, response) => {
      sockets.push(request.socket);
      answer(request, response);
    };
  });
  afterEach(() => api.stop());

  it('are kept from one question to the next', async () => {
    for (let at = 0; at < 3; at++) assert.equal((await api.call('GET', '/containers/json')).status, 200);
    assert.equal((await api.call('HEAD', '/containers/x/archive')).status, 200);
    assert.equal(new Set(sockets).size, 1);
  });

  it('are fresh for what may not be asked twice', async () => {
    await api.call('GET', '/containers/json');
    assert.equal((await api.call('POST', '/containers/x/start')).status, 200);
    assert.equal((await api.call('DELETE', '/containers/x')).status, 200);
    assert.equal(new Set(sockets).size, 3);
  });

  it('may break between two questions, unnoticed by the client', async () => {
    await api.call('GET', '/containers/json');
    const answer = engine.handle;
    let isBroken = false;
    engine.handle = (request, response) => {
      if (isBroken) return answer(request, response);
      isBroken = true; // it was about to close, and did not see the next question come
      return request.socket.destroy();
    };
    assert.deepEqual((await api.call('GET', '/containers/json')).body, { from: 'engine' });
    assert.equal(isBroken, true);
    engine.handle = (request) => request.socket.destroy();
    assert.equal((await api.call('GET', '/containers/json')).status, 503, 'an engine that is broken is no such case');
  });

  it('may break between two questions of our own', async () => {
    const answer = engine.handle;
    let breaks = 0;
    engine.handle = (request, response) => {
      if (request.url !== '/info' || breaks > 0) return answer(request, response);
      breaks += 1;
      return request.socket.destroy();
    };
    await api.call('GET', '/containers/json');
    const { body } = await api.call('GET', '/info');
    assert.deepEqual([body.from, body.Warnings, breaks], ['engine', undefined, 1]);
  });

  it('are not used again once the engine has ended them, as when it was restarted', async () => {
    await api.call('GET', '/containers/json');
    const [kept] = sockets;
    const closed = new Promise((resolve) => kept?.once('close', resolve));
    kept?.end();
    await closed; // the daemon ended its side too
    assert.equal((await api.call('POST', '/containers/x/start')).status, 200);
    assert.equal((await api.call('GET', '/info')).status, 200);
  });

  it('are not lent to the next while a client is still being answered, and close with one that goes', async () => {
    engine.handle = (request, response) => {
      sockets.push(request.socket);
      response.write('a part');
    };
    const abandoned = new AbortController();
    const reading = api.stream('/containers/x/logs', abandoned.signal);
    await reading.next();
    engine.handle = (request, response) => {
      sockets.push(request.socket);
      response.end();
    };
    await api.call('GET', '/containers/json');
    assert.equal(new Set(sockets).size, 2);
    const closed = new Promise((resolve) => sockets[0]!.once('close', resolve));
    abandoned.abort();
    await closed;
  });

  it('give a stream of a thousand chunks as it was written', async () => {
    const lines = Array.from({ length: 1000 }, (_, at) => `line ${at}\n`);
    engine.handle = (_request, response) => {
      for (const line of lines) response.write(line);
      setImmediate(() => response.end('the end'));
    };
    assert.equal((await api.call('GET', '/containers/x/logs')).text, `${lines.join('')}the end`);
  });
});
