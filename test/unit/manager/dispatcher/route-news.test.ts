import assert from 'node:assert/strict';
import { RouteNews } from '../../../../src/manager/dispatcher/route-news.js';
import type { OperationInit, ServiceInit } from '../../../../src/model/types.js';
import { encodeTransaction } from '../../../../src/store/entry.js';
import { Store } from '../../../../src/store/store.js';

const node = (at: number): OperationInit => ({
  Action: 'create',
  Node: { ID: `n${at}`, Spec: { Role: 'worker' }, Status: { Addr: `10.0.0.${at}`, State: 'ready' } },
});
const Ports = [{ Protocol: 'tcp', TargetPort: 80, PublishedPort: 8080, PublishMode: 'ingress' }];
const web: ServiceInit = { ID: 'web', Spec: { Name: 'web', EndpointSpec: { Ports } }, Endpoint: { Ports } };

describe('what nodes are told of each other', () => {
  let store: Store;
  let news: RouteNews;
  const commit = (...Operations: OperationInit[]) => {
    const verdict = store.apply(store.index + 1, encodeTransaction({ Operations, Time: '2026-01-01T00:00:00Z' }));
    assert.ok(verdict.ok);
  };
  const peers = () => news.take()?.Peers?.map(({ ID }) => ID);

  beforeEach(() => {
    store = new Store();
    news = new RouteNews(store);
    store.watch((one) => news.learn(one));
  });

  it('is nothing while no traffic of tasks goes between them, however many come', () => {
    for (let at = 1; at <= 200; at++) {
      commit(node(at));
      assert.equal(news.take(), undefined);
    }
    assert.deepEqual(news.all().Peers, []);
  });

  it('is everything from when a port is published, or a network made', () => {
    commit(node(1), node(2));
    commit({ Action: 'create', Service: web });
    assert.deepEqual(peers(), ['n1', 'n2']);
    assert.deepEqual(
      news.all().Peers?.map(({ ID }) => ID),
      ['n1', 'n2'],
    );
    commit(node(3));
    assert.deepEqual(peers(), ['n3']);
    commit({ Action: 'remove', Kind: 'Service', ID: 'web' });
    news.take();
    commit(node(4));
    assert.equal(peers(), undefined);
    commit({ Action: 'remove', Kind: 'Node', ID: 'n1' });
    assert.deepEqual(news.take()?.RemovedPeerIDs, ['n1'], 'they knew it');
    commit({ Action: 'create', Network: { ID: 'net', Spec: { Name: 'net' } } });
    assert.deepEqual(peers(), ['n2', 'n3', 'n4']);
  });

  it('is known to a manager that comes to serve when ports are published already', () => {
    commit(node(1), { Action: 'create', Service: web });
    const late = new RouteNews(store);
    assert.deepEqual(
      late.all().Peers?.map(({ ID }) => ID),
      ['n1'],
    );
  });
});
