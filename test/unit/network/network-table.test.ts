import assert from 'node:assert/strict';
import fc from 'fast-check';
import { RouteNews } from '../../../src/manager/dispatcher/route-news.js';
import { complete, encode } from '../../../src/model/codec.js';
import type { NetworkService, Task } from '../../../src/model/types.js';
import { NameBook } from '../../../src/network/dns/name-book.js';
import { NetworkTable } from '../../../src/network/network-table.js';
import { WantedRoutes } from '../../../src/network/wanted-routes.js';
import type { View } from '../../../src/store/view.js';
import { Orchestra } from '../../helpers/orchestra.js';

describe('the nodes as the data paths of the others reach them', () => {
  it('are at the address that was given for that, else at their own', () => {
    const nodes = [
      complete('Node', { ID: 'a', Number: 1, Status: { Addr: '10.0.0.1', DataPathAddr: '172.16.0.1' } }),
      complete('Node', { ID: 'b', Number: 2, Status: { Addr: '10.0.0.2' } }),
      complete('Node', { ID: 'c', Number: 3, Status: { Addr: 'name.example' } }),
    ];
    const view = {
      list: (kind: string) => (kind === 'Node' ? nodes : []),
      cluster: () => undefined,
    } as unknown as View;
    const { peers } = new NetworkTable(view);
    assert.deepEqual(
      [...peers.values()].map(({ ID, Address }) => [ID, Address]),
      [
        ['a', '172.16.0.1'],
        ['b', '10.0.0.2'],
      ],
    );
  });
});

const network = {
  ID: 'net',
  Spec: { Name: 'net' },
  IPAMOptions: { Configs: [{ Subnet: '10.0.0.0/16', Gateway: '10.0.0.1' }] },
};
const onNetwork = { TaskTemplate: { Networks: [{ Target: 'net' }] } };
/** As a node says that a task runs. */
const run = (world: Orchestra, task: Task) => {
  const Host = task.NetworksAttachments[0]!.Addresses[0]!.split('/')[0]!;
  world.report(task, 'running', { Addresses: [{ Protocol: 'ip', Host }] });
};

describe('services on networks, as nodes are told of them', () => {
  it('cost in proportion to what changes of them, however many tasks they have', () => {
    const sizes = [10, 1000].map((replicas) => {
      const world = new Orchestra();
      world.addNodes(3);
      for (const at of [1, 2, 3]) world.asleep.add(`node${at}`);
      world.commit([{ Action: 'create', Network: network }]);
      const news = new RouteNews(world.store);
      world.store.watch((commit) => news.learn(commit));
      world.create('web', replicas, onNetwork);
      world.planAll();
      for (const task of world.tasks()) run(world, task);
      news.take();
      const node = new WantedRoutes();
      node.take(complete('Routes', { Full: true, ...news.all() }));
      const [first, second] = world.tasks();
      assert.equal(news.take(), undefined, 'nothing has changed since');

      world.report(first!, 'failed');
      const failed = complete('Routes', news.take()!);
      node.take(failed);
      const [gone] = failed.NetworkServiceChanges;
      assert.deepEqual([failed.NetworkServices, gone?.Endpoints, gone?.RemovedTaskIDs], [[], [], [first!.ID]]);
      world.report(second!, 'running', { Message: 'still here' });
      assert.deepEqual(
        news.take()?.NetworkServiceChanges?.[0]?.Endpoints?.[0]?.Serving,
        false,
        'its address is not there',
      );
      run(world, second!);
      const ran = complete('Routes', news.take()!);
      node.take(ran);
      assert.deepEqual([ran.NetworkServices, ran.NetworkServiceChanges[0]?.Endpoints.length], [[], 1]);
      const has = [...node.networkItems().services.values()];
      assert.deepEqual(has, [...new NetworkTable(world.store).services.values()]);
      assert.equal(has[0]?.Endpoints.length, replicas - 1);
      return [encode('Routes', failed).length, encode('Routes', ran).length];
    });
    assert.deepEqual(sizes[0], sizes[1], 'bytes');
    assert.ok(sizes[0]!.every((bytes) => bytes < 400));
  });
});

describe('what names mean', () => {
  it('is, after every entry of the log, the tasks that run and shall run, and no other for a moment longer', () => {
    const kind = fc.constantFrom('scale', 'image', 'fail', 'run', 'drain', 'plan', 'remove');
    const told = fc.array(fc.boolean(), { minLength: 1 });
    const byID = (a: NetworkService, b: NetworkService) => (a.ID < b.ID ? -1 : 1);
    fc.assert(
      fc.property(fc.array(fc.record({ kind, size: fc.nat(5) }), { maxLength: 40 }), told, (steps, isTold) => {
        const world = new Orchestra();
        world.addNodes(3);
        for (const at of [1, 2, 3]) world.asleep.add(`node${at}`); // what tasks report is said below
        world.commit([{ Action: 'create', Network: network }]);
        const table = new NetworkTable(world.store);
        const news = new RouteNews(world.store);
        const node = new WantedRoutes();
        let at = 0;
        const book = new NameBook(table);
        const asker = { networkID: 'net', address: '10.0.255.99' };
        world.store.watch((commit) => {
          table.apply(commit);
          news.learn(commit);
          book.update({ peers: new Map(), networks: table.networks, services: new Map(table.services) });
          assert.deepEqual(table.services, new NetworkTable(world.store).services);
          if (isTold[at++ % isTold.length]) {
            node.take(complete('Routes', news.take() ?? {}));
            assert.deepEqual(
              [...node.networkItems().services.values()].sort(byID),
              [...table.services.values()].sort(byID),
            );
          } else if (isTold[at % isTold.length]) {
            node.take(complete('Routes', { Full: true, ...news.all() })); // a new session
          }
          const serving = [...world.store.list('Task')].filter(
            ({ DesiredState, Status }) => DesiredState === 'running' && Status?.State === 'running',
          );
          const expected = serving.map((task) => task.NetworksAttachments[0]!.Addresses[0]!.split('/')[0]!).sort();
          assert.deepEqual([...(book.find(asker, 'tasks.web')?.addresses ?? [])].sort(), expected);
          for (const task of world.store.list('Task')) {
            const found = book.find(asker, `${task.Name}.${task.ID}`)?.addresses.length ?? 0;
            assert.equal(found, serving.includes(task) ? 1 : 0, task.Name);
          }
        });
        world.create('web', 3, onNetwork);
        for (const { kind: what, size } of steps) {
          const tasks = world.tasks();
          const one = tasks[size % Math.max(1, tasks.length)];
          const known = world.store.byName('Service', 'web') !== undefined;
          if (what === 'scale' && known) world.scale('web', size);
          else if (what === 'image' && known) world.setImage('web', `web:${size}`);
          else if (what === 'remove' && known && size === 0) world.removeService('web');
          else if (what === 'drain')
            world.setNode(`node${(size % 3) + 1}`, { Availability: size > 2 ? 'drain' : 'active' });
          else if (what === 'fail' && one?.NodeID) world.report(one, 'failed');
          else if (what === 'run' && one !== undefined && one.NodeID !== '') {
            run(world, one);
          }
          world.plan();
        }
      }),
      { numRuns: 100 },
    );
  });
});
