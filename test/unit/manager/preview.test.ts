import assert from 'node:assert/strict';
import fc from 'fast-check';
import { preview } from '../../../src/manager/preview/preview.js';
import { complete } from '../../../src/model/codec.js';
import type { OperationInit, ServiceSpecInit } from '../../../src/model/types.js';
import { Orchestra } from '../../helpers/orchestra.js';

describe('a preview', () => {
  let world: Orchestra;
  beforeEach(() => {
    world = new Orchestra();
    world.addNodes(3);
  });

  // Chance is the world's own: a second source with the same seed gave a task an id that one of the world had.
  const ask = (...operations: OperationInit[]) => preview(world.store, operations, world.now, world.random);
  const updated = (name: string, change: (spec: ServiceSpecInit) => void): OperationInit => {
    const service = world.service(name);
    const Spec = complete('ServiceSpec', service.Spec!);
    change(Spec);
    return { Action: 'update', Service: { ...service, Spec, PreviousSpec: service.Spec, UpdateStatus: null } };
  };
  const image = (spec: ServiceSpecInit) => {
    spec.TaskTemplate!.ContainerSpec!.Image = 'web:2';
  };
  const actions = (tasks: readonly { Action: string }[]) => tasks.map(({ Action }) => Action);

  it('of a new service says where its tasks start, and changes nothing', async () => {
    const before = world.store.index;
    const Spec = {
      Name: 'web',
      Mode: { Replicated: { Replicas: 4 } },
      TaskTemplate: { ContainerSpec: { Image: 'i' } },
    };
    const seen = await ask({ Action: 'create', Service: { ID: 'new', Spec } });
    assert.deepEqual(actions(seen.Tasks), ['start', 'start', 'start', 'start']);
    assert.deepEqual(
      seen.Tasks.map(({ Name }) => Name),
      ['web.1', 'web.2', 'web.3', 'web.4'],
    );
    assert.deepEqual(seen.Nodes.map(({ Started }) => Started).sort(), [1, 1, 2]);
    assert.deepEqual([seen.Steps, seen.Unfinished], [1, false]);
    assert.equal(world.store.index, before);
    assert.equal(world.store.get('Service', 'new'), undefined);
  });

  it('of an update goes through all of its steps, slot by slot', async () => {
    world.create('web', 3);
    world.settle();
    const seen = await ask(updated('web', image));
    assert.deepEqual(actions(seen.Tasks), ['replace', 'replace', 'replace']);
    assert.deepEqual(seen.Tasks.map(({ Step }) => Step).sort(), [1, 2, 3]);
    assert.ok(seen.Tasks.every(({ Order }) => Order === 'stop-first'));
    const first = await ask(
      updated('web', (spec) => {
        image(spec);
        spec.UpdateConfig = { Parallelism: 2, Order: 'start-first' };
      }),
    );
    assert.deepEqual(first.Tasks.map(({ Step }) => Step).sort(), [1, 1, 2]);
    assert.ok(first.Tasks.every(({ Order }) => Order === 'start-first'));
    assert.deepEqual(world.images(world.running('web')), ['web:1', 'web:1', 'web:1']);
  });

  it('says what stays: scaling and labels replace nothing', async () => {
    world.create('web', 3);
    world.settle();
    const up = await ask(
      updated('web', (spec) => Object.assign(spec, { Mode: { Replicated: { Replicas: 4 } }, Labels: { a: 'b' } })),
    );
    assert.deepEqual(actions(up.Tasks), ['keep', 'keep', 'keep', 'start']);
    const down = await ask(updated('web', (spec) => Object.assign(spec, { Mode: { Replicated: { Replicas: 1 } } })));
    assert.deepEqual(actions(down.Tasks).sort(), ['keep', 'stop', 'stop']);
    const gone = await ask({ Action: 'remove', Kind: 'Service', ID: world.service('web').ID });
    assert.deepEqual(actions(gone.Tasks), ['stop', 'stop', 'stop']);
    assert.equal(gone.Tasks[0]?.Service, 'web');
  });

  it('says why a task cannot be placed, in the words of service ps', async () => {
    world.create('web', 3);
    world.settle();
    const seen = await ask(
      updated('web', (spec) => {
        spec.TaskTemplate!.Placement = { Constraints: ['node.labels.ssd==true'] };
      }),
    );
    assert.deepEqual(actions(seen.Tasks), ['wait', 'keep', 'keep']); // one at a time, and the first gets no further
    assert.match(seen.Warnings[0] ?? '', /the update of web would not come to an end/);
    assert.equal(seen.Tasks[0]?.Reason, 'no suitable node (scheduling constraints not satisfied on 3 nodes)');
    assert.notEqual(seen.Tasks[0]?.FromNode, '');
  });

  it('of a drain shows what moves, what is only stopped, and what comes to run for the room that others leave', async () => {
    const whole = { Reservations: { NanoCPUs: 4e9 } };
    world.create('web', 2, { TaskTemplate: { Resources: whole } });
    world.create('agent', 0, { Mode: { Global: {} } });
    world.settle();
    const node = world.running('web')[0]!.NodeID;
    const drained = { ...world.node(node), Spec: { ...world.node(node).Spec, Availability: 'drain' } };
    const seen = await ask({ Action: 'update', Node: drained });
    const of = (name: string) => seen.Tasks.filter(({ Service }) => Service === name);
    assert.deepEqual(actions(of('web')).sort(), ['keep', 'replace']);
    assert.deepEqual(actions(of('agent')).sort(), ['keep', 'keep', 'stop']);
    assert.deepEqual(
      seen.Nodes.find(({ NodeID }) => NodeID === node),
      {
        NodeID: node,
        Node: node,
        Kept: 0,
        Stopped: 2,
        Started: 0,
      },
    );
    world.create('late', 2, { TaskTemplate: { Resources: whole } }); // one finds room, one waits
    world.settle();
    const freed = await ask({ Action: 'remove', Kind: 'Service', ID: world.service('web').ID });
    assert.deepEqual(actions(freed.Tasks.filter(({ Service }) => Service === 'late')).sort(), ['keep', 'start']);
  });

  it('of a job shows every run, as many at a time as it may', async () => {
    const Spec = {
      Name: 'job',
      Mode: { ReplicatedJob: { MaxConcurrent: 2, TotalCompletions: 5 } },
      TaskTemplate: { ContainerSpec: { Image: 'i' } },
    };
    const seen = await ask({ Action: 'create', Service: { ID: 'j', Spec, JobStatus: { JobIteration: { Index: 0 } } } });
    assert.deepEqual(
      actions(seen.Tasks),
      Array.from({ length: 5 }, () => 'start'),
    );
    assert.deepEqual(seen.Tasks.map(({ Step }) => Step).sort(), [1, 1, 2, 2, 3]);
  });

  it('of a long update tells the end of it as one step', async () => {
    world.create('web', 200);
    world.settle();
    const seen = await ask(updated('web', image));
    assert.equal(seen.Unfinished, false);
    assert.ok((seen.LumpedFrom ?? 0) > 5);
    assert.equal(seen.Tasks.length, 200);
    assert.ok(seen.Tasks.every(({ Action }) => Action === 'replace'));
  });

  it('is refused for what the change itself would be refused for', async () => {
    world.create('web', 1);
    await assert.rejects(ask({ Action: 'create', Service: { ID: 'x', Spec: { Name: 'web' } } }), /web already exists/);
  });

  it('says what then happens', async () => {
    const change = fc.oneof(
      fc.record({ kind: fc.constant('scale' as const), to: fc.nat(8) }),
      fc.record({ kind: fc.constant('image' as const), parallelism: fc.nat(3), startFirst: fc.boolean() }),
      fc.record({ kind: fc.constant('drain' as const), node: fc.integer({ min: 1, max: 4 }) }),
      fc.record({
        kind: fc.constantFrom('remove' as const, 'constrain' as const, 'rollback' as const, 'job' as const),
      }),
    );
    const property = fc.asyncProperty(
      fc.nat(),
      fc.nat(7),
      fc.nat(3),
      change,
      async (seed, replicas, reserved, what) => {
        world = new Orchestra(seed);
        world.addNodes(4);
        world.create('web', replicas, { TaskTemplate: { Resources: { Reservations: { NanoCPUs: reserved * 1e9 } } } });
        world.create('agent', 0, { Mode: { Global: {} } });
        world.settle();
        if (what.kind === 'rollback') {
          world.update('web', (spec) => {
            image(spec);
            spec.Mode = { Replicated: { Replicas: replicas + 2 } };
          });
          world.settle();
        }
        world.fate = (task) => (task.DesiredState === 'complete' ? 'complete' : 'running');
        const operation = operationOf(what);
        const seen = await ask(operation);
        const before = new Map(world.wanted().map((task) => [task.ID, task]));
        world.commit([operation]);
        world.settle();
        const after = world.wanted();
        const kept = after.filter(
          ({ ID, NodeID }) => before.has(ID) && before.get(ID)!.NodeID === NodeID && NodeID !== '',
        );
        const said = (action: string) => seen.Tasks.filter(({ Action }) => Action === action);
        const services = new Set(seen.Tasks.map(({ ServiceID }) => ServiceID));
        assert.equal(said('keep').length, kept.filter(({ ServiceID }) => services.has(ServiceID)).length);
        const places = (of: readonly (string | undefined)[]) => of.map((id) => id ?? '').sort();
        assert.deepEqual(
          places(
            seen.Tasks.filter(({ Action, Service }) => Action !== 'stop' && Service !== 'job').map(
              ({ ToNodeID }) => ToNodeID,
            ),
          ),
          places(after.filter(({ ServiceID }) => services.has(ServiceID)).map(({ NodeID }) => NodeID)),
        );
        const runs = (Name: string) => world.tasks().filter((task) => task.ServiceName === Name);
        if (what.kind === 'job') assert.equal(said('start').length, runs('job').length);
        const waiting = after
          .filter(({ NodeID, ServiceID }) => NodeID === '' && services.has(ServiceID))
          .map(({ Status }) => Status?.Err ?? '');
        assert.deepEqual(places(said('wait').map(({ Reason }) => Reason)), places(waiting));
      },
    );
    const once = { kind: 'image' as const, parallelism: 0, startFirst: false }; // failed (seed -1286005531)
    const beside = { kind: 'job' as const }; // failed (seed -2137570529): another service's task waits
    await fc.assert(property, {
      numRuns: 60,
      examples: [
        [7, 3, 0, once],
        [0, 5, 3, beside],
      ],
    });
    await fc.assert(property, { numRuns: 15, seed: -1898340101 }); // failed (path 12:0)

    function operationOf(what: {
      kind: string;
      to?: number;
      parallelism?: number;
      startFirst?: boolean;
      node?: number;
    }) {
      const { kind, to: Replicas, parallelism: Parallelism } = what;
      if (kind === 'job') {
        const Mode = { ReplicatedJob: { MaxConcurrent: 2, TotalCompletions: 5 } };
        const Spec = { Name: 'job', Mode, TaskTemplate: { ContainerSpec: { Image: 'i' } } };
        return { Action: 'create', Service: { ID: 'job', Spec, JobStatus: { JobIteration: { Index: 0 } } } };
      }
      if (kind === 'rollback') {
        const service = world.service('web');
        const exchanged = { Spec: service.PreviousSpec, PreviousSpec: service.Spec };
        return {
          Action: 'update',
          Service: { ...service, ...exchanged, UpdateStatus: { State: 'rollback_started' } },
        };
      }
      if (kind === 'constrain') {
        return updated('web', (spec) => {
          spec.TaskTemplate!.Placement = { Constraints: ['node.hostname!=node1', 'node.hostname!=node2'] };
        });
      }
      if (kind === 'remove') return { Action: 'remove', Kind: 'Service', ID: world.service('web').ID };
      if (kind === 'drain') {
        const node = world.node(`node${what.node}`);
        return { Action: 'update', Node: { ...node, Spec: { ...node.Spec, Availability: 'drain' } } };
      }
      return updated('web', (spec) => {
        if (kind === 'scale') spec.Mode = { Replicated: { Replicas } };
        else {
          image(spec);
          spec.UpdateConfig = { Parallelism, Order: what.startFirst ? 'start-first' : 'stop-first' };
        }
      });
    }
  });
});
