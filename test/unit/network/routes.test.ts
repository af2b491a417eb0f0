import assert from 'node:assert/strict';
import fc from 'fast-check';
import { complete } from '../../../src/model/codec.js';
import type { Service, Task } from '../../../src/model/types.js';
import { routesOf } from '../../../src/network/endpoints.js';
import { RouteTable } from '../../../src/network/route-table.js';
import { WantedRoutes } from '../../../src/network/wanted-routes.js';
import type { Change, Commit, Kind, Tables, View } from '../../../src/store/view.js';

/** As much of a store as routes read. */
class Objects implements View {
  index = 0;
  readonly services = new Map<string, Service>();
  readonly tasks = new Map<string, Task>();

  get<K extends Kind>(kind: K, id: string): Tables[K] | undefined {
    return this.of(kind).get(id);
  }
  byName(): undefined {
    return undefined;
  }
  list<K extends Kind>(kind: K): Iterable<Tables[K]> {
    return [...this.of(kind).values()];
  }
  count(kind: Kind): number {
    return this.of(kind).size;
  }
  tasksOfService(serviceID: string): Iterable<Task> {
    return [...this.tasks.values()].filter((task) => task.ServiceID === serviceID).reverse();
  }
  tasksOfNode(nodeID: string): Iterable<Task> {
    return [...this.tasks.values()].filter((task) => task.NodeID === nodeID);
  }
  cluster(): undefined {
    return undefined;
  }

  commit(changes: readonly Change[]): Commit {
    for (const { kind, id, after } of changes) {
      const objects = this.of(kind) as Map<string, unknown>;
      if (after === undefined) objects.delete(id);
      else objects.set(id, after);
    }
    this.index += 1;
    return { index: this.index, changes, origin: '', time: '' };
  }

  private of<K extends Kind>(kind: K): Map<string, Tables[K]> {
    return (kind === 'Service' ? this.services : kind === 'Task' ? this.tasks : new Map()) as Map<string, Tables[K]>;
  }
}

const service = (id: string, ...ports: object[]) =>
  complete('Service', { ID: id, Spec: { Name: `name-${id}` }, Endpoint: { Ports: ports } });
const ingress = (PublishedPort: number, TargetPort = 80, Protocol = 'tcp') => ({
  Protocol,
  TargetPort,
  PublishedPort,
  PublishMode: 'ingress',
});
const task = (id: string, init: object = {}) =>
  complete('Task', {
    ID: id,
    ServiceID: 's1',
    NodeID: 'n1',
    DesiredState: 'running',
    Status: { State: 'running', Addresses: [{ Protocol: 'tcp', TargetPort: 80, Host: '10.0.0.1', Port: 4001 }] },
    ...init,
  });
const put = (object: Service | Task, kind: 'Service' | 'Task'): Change => ({ kind, id: object.ID, after: object });

describe('routes', () => {
  it('lead from each ingress port to the tasks that run and have an address for it, in order of task id', () => {
    const objects = new Objects();
    objects.commit([
      put(service('s1', ingress(8080), { ...ingress(9000), PublishMode: 'host' }, ingress(53, 53, 'udp')), 'Service'),
      put(task('t2'), 'Task'),
      put(task('t1', { NodeID: 'n2' }), 'Task'),
    ]);
    const asDocker = { Masquerade: false, Sticky: false, Opaque: false };
    const address = { Host: '10.0.0.1', Port: 4001, Inside: '' };
    assert.deepEqual(routesOf(objects), [
      {
        ID: 'tcp/8080',
        ServiceID: 's1',
        ServiceName: 'name-s1',
        Protocol: 'tcp',
        PublishedPort: 8080,
        TargetPort: 80,
        Endpoints: [
          { TaskID: 't1', NodeID: 'n2', ...address },
          { TaskID: 't2', NodeID: 'n1', ...address },
        ],
        ...asDocker,
      },
      {
        ID: 'udp/53',
        ServiceID: 's1',
        ServiceName: 'name-s1',
        Protocol: 'udp',
        PublishedPort: 53,
        TargetPort: 53,
        Endpoints: [],
        ...asDocker,
      },
    ]);
  });

  it('leave out what is not running, what shall not run, and ports that are not given yet', () => {
    const objects = new Objects();
    objects.commit([
      put(service('s1', ingress(8080), ingress(0, 81)), 'Service'),
      put(task('starting', { Status: { ...task('x').Status, State: 'starting' } }), 'Task'),
      put(task('leaving', { DesiredState: 'shutdown' }), 'Task'),
      put(task('nowhere', { Status: { State: 'running' } }), 'Task'),
      put(task('stranger', { ServiceID: 's2' }), 'Task'),
    ]);
    const routes = routesOf(objects);
    assert.deepEqual(
      routes.map((route) => [route.ID, route.Endpoints.length]),
      [['tcp/8080', 0]],
    );
  });

  it('hand a port that two services claim to one of them, and to the other once the first lets go', () => {
    const objects = new Objects();
    const table = new RouteTable(objects);
    const owner = () => table.routes().map((route) => route.ServiceID);
    table.learn(objects.commit([put(service('s2', ingress(8080)), 'Service')]));
    table.learn(objects.commit([put(service('s1', ingress(8080)), 'Service')]));
    assert.deepEqual(owner(), ['s1']);
    table.take();
    table.learn(objects.commit([{ kind: 'Service', id: 's1' }]));
    assert.deepEqual(owner(), ['s2']);
    assert.deepEqual(table.take().removed, []);
  });

  it('do not change by reports that leave the endpoints as they are', () => {
    const objects = new Objects();
    const first = task('t1');
    objects.commit([put(service('s1', ingress(8080)), 'Service'), put(first, 'Task')]);
    const table = new RouteTable(objects);
    const again = task('t1', { Status: { ...first.Status, Message: 'still here' } });
    table.learn(objects.commit([{ kind: 'Task', id: 't1', before: first, after: again }]));
    table.learn(objects.commit([put({ ...service('s1', ingress(8080)), UpdatedAt: 'later' }, 'Service')]));
    assert.deepEqual(table.take(), { changed: [], moved: [], removed: [] });
  });

  it('change by as much as there is to tell, however many endpoints they have', () => {
    const objects = new Objects();
    const many = Array.from({ length: 2000 }, (_, at) => put(task(`t${at}`), 'Task'));
    objects.commit([put(service('s1', ingress(8080)), 'Service'), ...many]);
    const table = new RouteTable(objects);
    table.learn(objects.commit([put(task('new'), 'Task'), { kind: 'Task', id: 't7', before: task('t7') }]));
    const { changed, moved, removed } = table.take();
    assert.deepEqual([changed, removed], [[], []]);
    assert.deepEqual(
      moved.map(({ ID, Endpoints, RemovedTaskIDs }) => [ID, Endpoints.map(({ TaskID }) => TaskID), RemovedTaskIDs]),
      [['tcp/8080', ['new'], ['t7']]],
    );
  });

  it('kept up to date by commits are the routes of the whole state, and the changes lead from one to the other', () => {
    const id = (prefix: string, count: number) => fc.integer({ min: 1, max: count }).map((n) => `${prefix}${n}`);
    const anyPort = fc.record({
      Protocol: fc.constantFrom('tcp', 'udp', ''),
      TargetPort: fc.constantFrom(80, 81),
      PublishedPort: fc.constantFrom(0, 8080, 8081, 8082),
      PublishMode: fc.constantFrom('ingress', 'host'),
    });
    const anyService = fc
      .tuple(id('s', 3), fc.array(anyPort, { maxLength: 4 }))
      .map(([ID, ports]) => ({ kind: 'Service' as const, id: ID, after: service(ID, ...ports) }));
    const anyTask = fc
      .record({
        ID: id('t', 6),
        ServiceID: id('s', 3),
        NodeID: id('n', 2),
        DesiredState: fc.constantFrom('running', 'running', 'shutdown'),
        Status: fc.record({
          State: fc.constantFrom('running', 'running', 'starting', 'failed'),
          Addresses: fc.array(
            fc.record({
              Protocol: fc.constantFrom('tcp', 'udp'),
              TargetPort: fc.constantFrom(80, 81),
              Host: fc.constantFrom('10.0.0.1', '10.0.0.2'),
              Port: fc.constantFrom(4001, 4002),
            }),
            { maxLength: 3 },
          ),
        }),
      })
      .map((init) => ({ kind: 'Task' as const, id: init.ID, after: complete('Task', init) }));
    const removal = fc.oneof(
      id('s', 3).map((gone) => ({ kind: 'Service' as const, id: gone, after: undefined })),
      id('t', 6).map((gone) => ({ kind: 'Task' as const, id: gone, after: undefined })),
    );
    const anyChange = fc.oneof({ arbitrary: anyService, weight: 2 }, { arbitrary: anyTask, weight: 5 }, removal);
    const anyCommit = fc.uniqueArray(anyChange, { maxLength: 5, selector: (change) => change.id });
    const flags = { isTold: fc.boolean(), somebodyComes: fc.boolean() };
    const commits = fc.array(fc.record({ step: anyCommit, ...flags }), { maxLength: 20 });
    fc.assert(
      fc.property(commits, (steps) => {
        const objects = new Objects();
        const table = new RouteTable(objects);
        const followed = new WantedRoutes();
        let late: WantedRoutes | undefined;
        for (const { step, isTold, somebodyComes } of steps) {
          const changes = step.map(
            ({ kind, id, after }): Change => ({ kind, id, before: objects.get(kind, id), after }),
          );
          table.learn(objects.commit(changes));
          const whole = routesOf(objects);
          assert.deepEqual(new RouteTable(objects).routes(), whole);
          if (somebodyComes && late === undefined) {
            late = new WantedRoutes(); // is told all before the others are told what is new, and then what they are
            late.take(complete('Routes', { Full: true, Routes: table.routes() }));
            assert.deepEqual([...late.routes.values()], whole);
          }
          if (!isTold) continue;
          const { changed, moved, removed } = table.take();
          for (const one of late === undefined ? [followed] : [followed, late]) {
            one.take(complete('Routes', { Routes: changed, RouteChanges: moved, RemovedRouteIDs: removed }));
            const routes = [...one.routes.values()].sort((a, b) => (a.ID < b.ID ? -1 : 1));
            assert.deepEqual(routes, whole);
          }
          late = undefined;
        }
      }),
    );
  });
});
