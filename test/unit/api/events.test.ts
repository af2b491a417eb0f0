import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { ApiFixture, type FakeEngine, smallSpec } from '../../helpers/api-fixture.js';

const own = '{"Type":"container","Action":"start","scope":"local"}\n';

describe('the events endpoint', () => {
  let api: ApiFixture;
  let engine: FakeEngine;
  let stream: http.ServerResponse | undefined;
  beforeEach(async () => {
    api = await new ApiFixture().start();
    api.backend.found();
    engine = await api.addEngine();
    engine.handle = (_request, response) => {
      stream = response;
      response.writeHead(200, { 'Content-Type': 'application/json' });
      response.flushHeaders();
    };
  });
  afterEach(() => api.stop());

  const follow = async (query: string) => {
    const request = http.get({ socketPath: api.socket, path: `/events${query}`, agent: false });
    const [answer] = (await once(request, 'response')) as [http.IncomingMessage];
    let text = '';
    answer.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    answer.on('error', () => undefined);
    return {
      stop: () => request.destroy(),
      lines: async (count: number) => {
        while (text.split('\n').length <= count) await once(answer, 'data');
        return text
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line));
      },
      ended: () => once(answer, 'end').then(() => text),
    };
  };
  const filters = (value: unknown) => `?filters=${encodeURIComponent(JSON.stringify(value))}`;

  it('tells the cluster’s events and the engine’s in one stream, line by line', async () => {
    const events = await follow('');
    stream!.write(own.slice(0, 10));
    await api.call('POST', '/services/create', smallSpec('web'));
    await events.lines(1);
    stream!.write(own.slice(10));
    const [first, second] = await events.lines(2);
    assert.deepEqual(
      [first.Type, first.Action, first.Actor.Attributes.name, first.scope],
      ['service', 'create', 'web', 'swarm'],
    );
    assert.equal(second.Type, 'container');
    const update = smallSpec('web', { Mode: { Replicated: { Replicas: 3 } } });
    const version = (await api.call('GET', '/services/web')).body.Version.Index;
    await api.call('POST', `/services/web/update?version=${version}`, update);
    await api.call('DELETE', '/services/web');
    const [, , changed, removed] = await events.lines(4);
    assert.deepEqual(
      [changed.Action, changed.Actor.Attributes['replicas.old'], changed.Actor.Attributes['replicas.new']],
      ['update', '1', '3'],
    );
    assert.equal(removed.Action, 'remove');
    events.stop();
  });

  it('tells the past when asked for it, and ends when the engine ends', async () => {
    await api.call('POST', '/secrets/create', { Name: 's', Data: 'aGk=' });
    const events = await follow(`?since=0&until=${Math.ceil(Date.now() / 1000) + 1}`);
    stream!.end(own);
    const text = await events.ended();
    assert.match(text, /"Type":"secret","Action":"create"/);
    assert.ok(text.endsWith(own));
    assert.match(engine.asked[0]!.url, /^\/events\?since=0&until=/);
  });

  it('remembers what happened before anybody asked, and when, also of entries that are applied again', async () => {
    api.backend.commit({
      Operations: [{ Action: 'create', Service: { ID: 'early', Spec: { Name: 'early' } } }],
      Time: '2026-01-02T03:04:05.678Z',
    });
    const events = await follow(`?since=0&until=2000000000&${filters({ type: ['service'] }).slice(1)}`);
    stream!.end();
    const event = JSON.parse(await events.ended());
    assert.deepEqual(
      [event.Actor.Attributes.name, event.time, event.timeNano],
      ['early', 1767323045, 1767323045678 * 1e6],
    );
  });

  it('forgets when the node is no manager any more', async () => {
    await api.call('POST', '/secrets/create', { Name: 's', Data: 'aGk=' });
    api.backend.isManager = false;
    const events = await follow('?since=0&until=2000000000');
    stream!.end(own);
    assert.equal(await events.ended(), own);
  });

  it('filters the cluster’s events as the engine filters its own', async () => {
    const events = await follow(filters({ type: ['service'], event: ['remove'] }));
    await api.call('POST', '/services/create', smallSpec('web'));
    await api.call('POST', '/secrets/create', { Name: 's', Data: 'aGk=' });
    await api.call('DELETE', '/secrets/s');
    await api.call('DELETE', '/services/web');
    const lines = await events.lines(1);
    assert.deepEqual(
      lines.map((one) => [one.Type, one.Action]),
      [['service', 'remove']],
    );
    events.stop();
    const ofOne = await follow(filters({ service: ['other'] }));
    await api.call('POST', '/services/create', smallSpec('one'));
    await api.call('POST', '/services/create', smallSpec('other'));
    assert.deepEqual(
      (await ofOne.lines(1)).map((one) => one.Actor.Attributes.name),
      ['other'],
    );
    ofOne.stop();
  });

  it('refuses filters and times that make no sense', async () => {
    assert.equal((await api.call('GET', '/events?filters=x')).status, 400);
    assert.equal((await api.call('GET', '/events?since=yesterday')).status, 400);
    assert.equal(engine.asked.length, 0);
  });
});
