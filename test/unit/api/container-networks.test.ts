import assert from 'node:assert/strict';
import { complete } from '../../../src/model/codec.js';
import { ShoalError } from '../../../src/model/errors.js';
import type { Network } from '../../../src/model/types.js';
import { ApiFixture, type FakeEngine } from '../../helpers/api-fixture.js';

const blue = complete('Network', { ID: 'blue-id', Spec: { Name: 'blue', Attachable: true } });

describe('containers of a node’s own and networks of the cluster, at the API', () => {
  let api: ApiFixture;
  let engine: FakeEngine;
  let calls: unknown[];
  let refusal: ShoalError | undefined;
  beforeEach(async () => {
    api = await new ApiFixture().start();
    engine = await api.addEngine();
    api.backend.found();
    calls = [];
    refusal = undefined;
    const asked = (...call: unknown[]) => {
      calls.push(call);
      if (refusal !== undefined) throw refusal;
    };
    api.backend.containers = {
      find: (reference) => (['blue', 'blue-id'].includes(reference) ? blue : undefined),
      async bring() {
        asked('bring');
        return { id: 'bridge-id', name: 'blue.at-engine', gateway: '10.0.0.1', has: () => true };
      },
      async starting(reference, start) {
        asked('starting', reference);
        await start();
      },
      async connect(container: string, { ID }: Network, wish) {
        asked('connect', container, ID, wish);
      },
      async disconnect(container: string, { ID }: Network) {
        asked('disconnect', container, ID);
      },
    };
  });
  afterEach(() => api.stop());

  const json = { 'Content-Type': 'application/json' };
  const sent = () => JSON.parse(engine.asked.at(-1)!.body) as Record<string, unknown>;

  it('are made on what the engine has for the network, and ask names of the cluster', async () => {
    const body = {
      Image: 'web',
      Labels: { a: 'b' },
      HostConfig: { NetworkMode: 'blue', Dns: ['192.0.2.1'], Memory: 7 },
      NetworkingConfig: {
        EndpointsConfig: { blue: { NetworkID: 'blue-id', Aliases: ['x'], IPAMConfig: { IPv4Address: '10.0.0.9' } } },
      },
    };
    const { status } = await api.call('POST', '/v1.41/containers/create?name=c', body, json);
    assert.equal(status, 200);
    assert.equal(engine.asked.at(-1)!.url, '/v1.41/containers/create?name=c');
    assert.deepEqual(sent(), {
      Image: 'web',
      Labels: { a: 'b', 'shoal.network.addresses': '10.0.0.9', 'shoal.network.nameservers': '192.0.2.1' },
      HostConfig: { NetworkMode: 'blue.at-engine', Dns: ['10.0.0.1'], Memory: 7 },
      NetworkingConfig: {
        EndpointsConfig: { 'blue.at-engine': { Aliases: ['x'], IPAMConfig: { IPv4Address: '10.0.0.9' } } },
      },
    });
  });

  it('are left as they are when they name no network of the cluster, or nothing that can be read', async () => {
    for (const text of ['{"HostConfig": {"NetworkMode":"own"},  "big": 9223372036854775807}', '{', '[]', '']) {
      await api.call('POST', '/containers/create', text, json);
      assert.equal(engine.asked.at(-1)!.body, text);
    }
    assert.deepEqual(calls, []);
  });

  it('are not made where the network cannot be had', async () => {
    refusal = new ShoalError('forbidden', 'Could not attach to network blue: no');
    const { status, body } = await api.call(
      'POST',
      '/containers/create',
      { HostConfig: { NetworkMode: 'blue' } },
      json,
    );
    assert.deepEqual([status, body.message, engine.asked], [403, 'Could not attach to network blue: no', []]);
  });

  it('are started once they have their addresses, and not at all without', async () => {
    for (const verb of ['start', 'restart']) {
      assert.equal((await api.call('POST', `/containers/c/${verb}?t=1`)).status, 200);
      assert.equal(engine.asked.at(-1)!.url, `/containers/c/${verb}?t=1`);
      assert.deepEqual(calls.splice(0), [['starting', 'c']]);
    }
    refusal = new ShoalError('failed-precondition', 'Could not attach to network blue: none is left');
    assert.equal((await api.call('POST', '/containers/c/start')).status, 400);
    assert.equal(engine.asked.length, 2);
  });

  it('are connected and disconnected by the daemon; on networks of the engine by the engine', async () => {
    const EndpointConfig = { Aliases: ['x'], IPAMConfig: { IPv4Address: '10.0.0.9', IPv6Address: 'FD00::0:9' } };
    const ours = [
      await api.call('POST', '/networks/blue/connect', { Container: 'c', EndpointConfig }, json),
      await api.call('POST', '/networks/blue-id/disconnect', { Container: 'c', Force: true }, json),
    ];
    assert.deepEqual(
      ours.map(({ status }) => status),
      [200, 200],
    );
    assert.deepEqual(calls, [
      ['connect', 'c', 'blue-id', { address: '10.0.0.9', address6: 'fd00::9', aliases: ['x'] }],
      ['disconnect', 'c', 'blue-id'],
    ]);
    assert.deepEqual(engine.asked, []);
    await api.call('POST', '/networks/own/connect', { Container: 'c' }, json);
    assert.deepEqual(sent(), { Container: 'c' });
    const bad = { Container: 'c', EndpointConfig: { IPAMConfig: { IPv4Address: 7 } } };
    assert.equal((await api.call('POST', '/networks/blue/connect', bad, json)).status, 400);
  });

  it('are the engine’s alone where the node is in no cluster', async () => {
    api.backend.containers = undefined;
    await api.call('POST', '/containers/create', { HostConfig: { NetworkMode: 'blue' } }, json);
    await api.call('POST', '/containers/c/start');
    await api.call('POST', '/networks/blue/connect', { Container: 'c' }, json);
    assert.deepEqual([calls, engine.asked.length], [[], 3]);
  });
});
