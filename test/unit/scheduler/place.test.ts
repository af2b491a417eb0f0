import assert from 'node:assert/strict';
import fc from 'fast-check';
import { complete } from '../../../src/model/codec.js';
import type { NodeInit, PlacementInit, TaskInit, TaskSpecInit } from '../../../src/model/types.js';
import { Fleet } from '../../../src/scheduler/fleet.js';
import type { Group, Wanted } from '../../../src/scheduler/group.js';
import { place } from '../../../src/scheduler/place.js';

function node(id: string, init: NodeInit = {}) {
  return complete('Node', {
    ID: id,
    Status: { State: 'ready' },
    ...init,
    Spec: { Availability: 'active', ...init.Spec },
    Description: { Resources: { NanoCPUs: 4e9, MemoryBytes: 4e9 }, ...init.Description },
  });
}
const nodes = (count: number) => Array.from({ length: count }, (_, at) => node(`n${at + 1}`));

function group(count: number, spec: TaskSpecInit = {}, more: Partial<Group> = {}): Group {
  const serviceID = more.serviceID ?? 'web';
  return {
    serviceID,
    spec: complete('TaskSpec', { ContainerSpec: { Image: 'web' }, ...spec }),
    running: new Map(),
    leaving: new Map(),
    failures: new Map(),
    wanted: Array.from({ length: count }, (_, at): Wanted => ({ id: `${serviceID}.${at + 1}` })),
    ...more,
  };
}

/** How many tasks each node got. */
function counts(placement: ReturnType<typeof place>): Record<string, number> {
  const result: Record<string, number> = {};
  for (const { nodeID } of placement.placed.values()) result[nodeID] = (result[nodeID] ?? 0) + 1;
  return result;
}

const reasons = (placement: ReturnType<typeof place>) => [...new Set(placement.unplaced.values())];
const placement = (init: PlacementInit): TaskSpecInit => ({ Placement: init });

describe('place', () => {
  it('puts tasks on an encrypted network only where the kernel can encrypt', () => {
    const can = node('can', { Description: { Encryption: { Epoch: 5 } } });
    const fleet = () => new Fleet([node('old'), can, node('older')], new Set(['shut']));
    const on = (Target: string): TaskSpecInit => ({ Networks: [{ Target }] });
    assert.deepEqual(counts(place(fleet(), [group(3, on('shut'))])), { can: 3 });
    assert.deepEqual(counts(place(fleet(), [group(3, on('open'))])), { old: 1, can: 1, older: 1 });
    assert.deepEqual(counts(place(fleet(), [group(2, on('shut')), group(1, on('open'), { serviceID: 'b' })])), {
      can: 2,
      old: 1,
    });
    const found = place(new Fleet(nodes(2), new Set(['shut'])), [group(1, on('shut'))]);
    assert.deepEqual(reasons(found), ['no suitable node (encrypted networks not supported by the kernel on 2 nodes)']);
  });

  it('spreads a service evenly over nodes', () => {
    const found = Object.values(counts(place(new Fleet(nodes(3)), [group(7)])));
    assert.deepEqual(found.sort(), [2, 2, 3]);
  });

  it('counts the tasks of the service first, and all tasks of a node second', () => {
    const fleet = new Fleet(nodes(3));
    const other = (at: number) => complete('Task', { ID: `o${at}`, NodeID: 'n1', DesiredState: 'running' } as TaskInit);
    for (let at = 0; at < 5; at++) fleet.book(other(at), true);
    const running = new Map([
      ['n2', 1],
      ['n3', 1],
    ]);
    const found = place(fleet, [group(1, {}, { running })]);
    assert.deepEqual(counts(found), { n1: 1 });
    assert.equal(counts(place(fleet, [group(1, {}, { serviceID: 'api' })])).n1, undefined);
  });

  it('gives no task to nodes that are not ready or not active, and counts them in the reason', () => {
    const fleet = new Fleet([
      node('n1', { Status: { State: 'down' } }),
      node('n2', { Spec: { Availability: 'pause' } }),
      node('n3', { Spec: { Availability: 'drain' } }),
      node('n4', { Status: { State: 'disconnected' } }),
    ]);
    assert.deepEqual(reasons(place(fleet, [group(1)])), ['no suitable node (4 nodes not available for new tasks)']);
  });

  it('says only that there is no suitable node when there is none at all', () => {
    assert.deepEqual(reasons(place(new Fleet([]), [group(2)])), ['no suitable node']);
  });

  it('names every reason with its number of nodes, the most frequent first, in the words of Docker', () => {
    const spec: TaskSpecInit = {
      Resources: { Reservations: { NanoCPUs: 2e9 } },
      ContainerSpec: { Mounts: [{ Type: 'volume', VolumeOptions: { DriverConfig: { Name: 'nfs' } } }] },
      Placement: {
        Constraints: ['node.labels.zone==a'],
        Platforms: [{ OS: 'linux', Architecture: 'arm64' }],
        MaxReplicas: 1,
      },
      EndpointPorts: [{ TargetPort: 80, PublishedPort: 80, PublishMode: 'host' }],
    };
    const arm = { Platform: { OS: 'linux', Architecture: 'aarch64' } };
    const nfs = { Engine: { Plugins: [{ Type: 'Volume', Name: 'nfs:latest' }] } };
    const large = { Resources: { NanoCPUs: 4e9, MemoryBytes: 1 } };
    const zone = { Spec: { Labels: { zone: 'A' } } };
    const fleet = new Fleet([
      node('off1', { Status: { State: 'down' } }),
      node('off2', { Status: { State: 'down' } }),
      node('small1', { Description: { Resources: { NanoCPUs: 1e9 } } }),
      node('small2', { Description: { Resources: { NanoCPUs: 1e9 } } }),
      node('small3', { Description: { Resources: { NanoCPUs: 1e9 } } }),
      node('plain', { Description: large }),
      node('elsewhere', { Description: { ...large, ...nfs } }),
      node('intel', { Description: { ...large, ...nfs }, ...zone }),
      node('busy', { Description: { ...large, ...nfs, ...arm }, ...zone }),
      node('full', { Description: { ...large, ...nfs, ...arm }, ...zone }),
    ]);
    const holder = complete('Task', {
      ID: 'h',
      NodeID: 'busy',
      Spec: { EndpointPorts: spec.EndpointPorts },
    } as TaskInit);
    fleet.book(holder, true);
    const found = place(fleet, [group(1, spec, { running: new Map([['full', 1]]) })]);
    assert.deepEqual(reasons(found), [
      'no suitable node (insufficient resources on 3 nodes; 2 nodes not available for new tasks; missing plugin on 1 node; ' +
        'scheduling constraints not satisfied on 1 node; unsupported platform on 1 node; host-mode port already in use on 1 node; ' +
        'max replicas per node limit exceed)',
    ]);
  });

  it('never gives a node more than it has left', () => {
    const spec = { Resources: { Reservations: { NanoCPUs: 1.5e9, MemoryBytes: 1e9 } } };
    const found = place(new Fleet(nodes(2)), [group(6, spec)]);
    assert.deepEqual(counts(found), { n1: 2, n2: 2 });
    assert.deepEqual(reasons(found), ['no suitable node (insufficient resources on 2 nodes)']);
  });

  it('takes a reservation for held until its task has ended, though it is no longer wanted', () => {
    const Spec = { Resources: { Reservations: { NanoCPUs: 3e9 } } };
    const task = (State: string) =>
      complete('Task', { ID: 'x', NodeID: 'n1', Spec, DesiredState: 'shutdown', Status: { State } } as TaskInit);
    for (const [state, placed] of [
      ['running', 0],
      ['shutdown', 1],
    ] as const) {
      const fleet = new Fleet(nodes(1));
      fleet.book(task(state), false);
      assert.equal(place(fleet, [group(1, Spec)]).placed.size, placed);
    }
  });

  it('gives a task the room of the one it replaces when nothing else is free', () => {
    const Spec = {
      Resources: { Reservations: { NanoCPUs: 3e9 } },
      EndpointPorts: [{ PublishedPort: 80, PublishMode: 'host' }],
      Placement: { MaxReplicas: 1 },
    };
    const old = complete('Task', { ID: 'x', NodeID: 'n1', Spec, Status: { State: 'running' } } as TaskInit);
    const fleet = new Fleet(nodes(1));
    fleet.book(old, false);
    const leaving = new Map([['n1', 1]]);
    assert.equal(place(fleet, [group(1, Spec, { leaving })]).placed.size, 0);
    const wanted = [{ id: 'a', replaces: old }];
    assert.equal(place(fleet, [group(0, Spec, { leaving, wanted })]).placed.get('a')?.nodeID, 'n1');
  });

  it('gives that room to nobody else', () => {
    const Spec = { Resources: { Reservations: { NanoCPUs: 3e9 } } };
    const old = complete('Task', { ID: 'x', NodeID: 'n1', Spec, Status: { State: 'running' } } as TaskInit);
    const fleet = new Fleet(nodes(1));
    fleet.book(old, false);
    const wanted = [{ id: 'a', replaces: old }, { id: 'b' }, { id: 'c', replaces: old }];
    const found = place(fleet, [group(0, Spec, { wanted }), group(1, Spec, { serviceID: 'other' })]);
    assert.deepEqual([...found.placed.keys()], ['a']);
  });

  it('puts no two tasks with one host port on a node', () => {
    const spec = { EndpointPorts: [{ PublishedPort: 80, PublishMode: 'host', Protocol: 'tcp' }] };
    const found = place(new Fleet(nodes(3)), [group(4, spec)]);
    assert.deepEqual(counts(found), { n1: 1, n2: 1, n3: 1 });
    assert.deepEqual(reasons(found), ['no suitable node (host-mode port already in use on 3 nodes)']);
    const udp = { EndpointPorts: [{ PublishedPort: 80, PublishMode: 'host', Protocol: 'udp' }] };
    assert.equal(place(new Fleet(nodes(1)), [group(1, spec), group(1, udp, { serviceID: 'b' })]).placed.size, 2);
  });

  it('keeps to the limit of replicas on a node', () => {
    const found = place(new Fleet(nodes(2)), [group(5, placement({ MaxReplicas: 2 }))]);
    assert.deepEqual(counts(found), { n1: 2, n2: 2 });
    assert.deepEqual(reasons(found), ['no suitable node (max replicas per node limit exceed)']);
  });

  it('keeps to it, and spreads evenly, for tasks of one service that wait with two specs', () => {
    const wanted = (ids: string[]) => ids.map((id): Wanted => ({ id }));
    const before = group(0, placement({ MaxReplicas: 2 }), { wanted: wanted(['a', 'b', 'c']) });
    const after = group(0, { ...placement({ MaxReplicas: 2 }), ForceUpdate: 1 }, { wanted: wanted(['d', 'e', 'f']) });
    const found = place(new Fleet(nodes(2)), [before, after]);
    assert.deepEqual(counts(found), { n1: 2, n2: 2 });
    assert.equal(found.unplaced.size, 2);
    assert.deepEqual(Object.values(counts(place(new Fleet(nodes(6)), [before, after]))), Array(6).fill(1));
  });

  it('gives a counted generic resource out once, and names which of named ones', () => {
    const Resources = {
      NanoCPUs: 1e9,
      GenericResources: [
        { NamedResourceSpec: { Kind: 'gpu', Value: 'uuid1' } },
        { NamedResourceSpec: { Kind: 'gpu', Value: 'uuid2' } },
        { DiscreteResourceSpec: { Kind: 'ssd', Value: 3 } },
      ],
    };
    const want = (Kind: string, Value: number) => ({
      Resources: { Reservations: { GenericResources: [{ DiscreteResourceSpec: { Kind, Value } }] } },
    });
    const found = place(new Fleet([node('n1', { Description: { Resources } })]), [
      group(3, want('gpu', 1), { serviceID: 'gpu' }),
      group(2, want('ssd', 2), { serviceID: 'ssd' }),
    ]);
    assert.deepEqual(
      ['gpu.1', 'gpu.2'].map((id) => found.placed.get(id)?.generic[0]?.NamedResourceSpec?.Value),
      ['uuid1', 'uuid2'],
    );
    assert.deepEqual(found.placed.get('ssd.1')?.generic[0]?.DiscreteResourceSpec, { Kind: 'ssd', Value: 2 });
    assert.deepEqual([...found.unplaced.keys()], ['gpu.3', 'ssd.2']);
  });

  it('evens out nested spread preferences from the outermost in', () => {
    const at = (id: string, zone: string, rack: string) => node(id, { Spec: { Labels: { zone, rack } } });
    const fleet = new Fleet([
      at('a1', 'a', 'r1'),
      at('a2', 'a', 'r2'),
      at('a3', 'a', 'r2'),
      at('a4', 'a', 'r2'),
      at('b1', 'b', 'r1'),
      node('x1'), // has neither label: a branch of its own
    ]);
    const spread = (label: string) => ({ Spread: { SpreadDescriptor: `node.labels.${label}` } });
    const found = counts(place(fleet, [group(12, placement({ Preferences: [spread('zone'), spread('rack')] }))]));
    assert.equal(
      ['a1', 'a2', 'a3', 'a4'].reduce((sum, id) => sum + (found[id] ?? 0), 0),
      4,
    );
    assert.equal(found.b1, 4);
    assert.equal(found.x1, 4);
    assert.equal(found.a1, 2);
  });

  it('weighs tasks on nodes that take no more on their branch', () => {
    const at = (id: string, zone: string, Availability = 'active') =>
      node(id, { Spec: { Labels: { zone }, Availability } });
    const fleet = new Fleet([at('a1', 'a', 'pause'), at('a2', 'a'), at('b1', 'b')]);
    const Preferences = [{ Spread: { SpreadDescriptor: 'node.labels.zone' } }];
    const running = new Map([['a1', 3]]);
    assert.deepEqual(counts(place(fleet, [group(5, placement({ Preferences }), { running })])), { b1: 4, a2: 1 });
  });

  it('goes on in other branches when one is full', () => {
    const at = (id: string, zone: string, NanoCPUs: number) =>
      node(id, { Spec: { Labels: { zone } }, Description: { Resources: { NanoCPUs } } });
    const fleet = new Fleet([at('a1', 'a', 1e9), at('b1', 'b', 9e9)]);
    const Preferences = [{ Spread: { SpreadDescriptor: 'node.labels.zone' } }];
    const Resources = { Reservations: { NanoCPUs: 1e9 } };
    assert.deepEqual(counts(place(fleet, [group(6, { Placement: { Preferences }, Resources })])), { a1: 1, b1: 5 });
  });

  it('takes nodes last where the service failed five times', () => {
    const failures = new Map([
      ['n1', 5],
      ['n2', 4],
    ]);
    assert.deepEqual(counts(place(new Fleet(nodes(3)), [group(4, {}, { failures })])), { n2: 2, n3: 2 });
    assert.deepEqual(counts(place(new Fleet(nodes(1)), [group(2, {}, { failures })])), { n1: 2 });
  });

  it('takes the preferred node where it is as good for the spread', () => {
    const wanted = [{ id: 'a', preferredNodeID: 'n3' }];
    assert.deepEqual(counts(place(new Fleet(nodes(3)), [group(0, {}, { wanted })])), { n3: 1 });
    const running = new Map([['n3', 1]]);
    assert.equal(counts(place(new Fleet(nodes(3)), [group(0, {}, { wanted, running })])).n3, undefined);
  });

  it('places a task of a global service on its node or not at all', () => {
    const wanted = [
      { id: 'a', onlyNodeID: 'n2' },
      { id: 'b', onlyNodeID: 'n9' },
    ];
    const found = place(new Fleet(nodes(3)), [group(0, {}, { wanted })]);
    assert.equal(found.placed.get('a')?.nodeID, 'n2');
    assert.ok(found.unplaced.has('b'));
  });

  it('lets those with little choice choose first', () => {
    const fleet = new Fleet([node('n1', { Spec: { Labels: { disk: 'ssd' } } }), node('n2')]);
    const spec = { Resources: { Reservations: { NanoCPUs: 4e9 } } };
    const picky = { ...spec, Placement: { Constraints: ['node.labels.disk==ssd'] } };
    const found = place(fleet, [group(1, spec, { serviceID: 'any' }), group(1, picky, { serviceID: 'picky' })]);
    assert.equal(found.placed.get('picky.1')?.nodeID, 'n1');
    assert.equal(found.placed.get('any.1')?.nodeID, 'n2');
  });

  it('fills nodes evenly with many small services', () => {
    const groups = Array.from({ length: 300 }, (_, at) => group(1, {}, { serviceID: `s${at}` }));
    const found = Object.values(counts(place(new Fleet(nodes(30)), groups)));
    assert.deepEqual(found, Array(30).fill(10));
  });
});

describe('place, against every possible placement of small cases', () => {
  interface Case {
    room: number[];
    running: number[];
    tasks: number;
    limit: number;
  }
  const cases = fc.record({
    room: fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 4 }),
    running: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 4, maxLength: 4 }),
    tasks: fc.integer({ min: 0, max: 6 }),
    limit: fc.integer({ min: 0, max: 4 }),
  });

  /** The best that can be had: as many placed as possible, and among those ways the least sum of squares. */
  function optimum({ room, running, tasks, limit }: Case): { placed: number; squares: number } {
    let best = { placed: -1, squares: Number.POSITIVE_INFINITY };
    const caps = room.map((free, at) => (limit === 0 ? free : Math.min(free, Math.max(0, limit - running[at]!))));
    const target = Math.min(
      tasks,
      caps.reduce((sum, cap) => sum + cap, 0),
    );
    const walk = (at: number, left: number, squares: number): void => {
      if (at === caps.length) {
        if (left === 0 && squares < best.squares) best = { placed: target, squares };
        return;
      }
      for (let given = 0; given <= Math.min(left, caps[at]!); given++)
        walk(at + 1, left - given, squares + (running[at]! + given) ** 2);
    };
    walk(0, target, 0);
    return best;
  }

  it('places as many tasks as can be, as evenly as can be', () => {
    fc.assert(
      fc.property(cases, (one) => {
        const fleet = new Fleet(
          one.room.map((room, at) => node(`n${at}`, { Description: { Resources: { NanoCPUs: room * 1e9 } } })),
        );
        const running = new Map(one.room.map((_, at) => [`n${at}`, one.running[at]!]));
        const spec = { Resources: { Reservations: { NanoCPUs: 1e9 } }, Placement: { MaxReplicas: one.limit } };
        const found = place(fleet, [group(one.tasks, spec, { running })]);
        const squares = one.room
          .map((_, at) => one.running[at]! + (counts(found)[`n${at}`] ?? 0))
          .reduce((sum, count) => sum + count ** 2, 0);
        assert.deepEqual({ placed: found.placed.size, squares }, optimum(one));
        assert.equal(found.placed.size + found.unplaced.size, one.tasks);
      }),
      { numRuns: 500 },
    );
  });

  it('comes to the same spread by the shared heap as by a heap of its own', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 40 }), (sizes) => {
        const groups = sizes.map((size, at) => group(size, {}, { serviceID: `s${at}` }));
        const found = place(new Fleet(nodes(24)), groups); // three tasks are fewer than a quarter of 24
        for (const { wanted } of groups) {
          const used = wanted.map((one) => found.placed.get(one.id)!.nodeID);
          assert.equal(new Set(used).size, used.length, 'no two tasks of a service on one node');
        }
        const totals = nodes(24).map(({ ID }) => counts(found)[ID] ?? 0);
        assert.ok(Math.max(...totals) - Math.min(...totals) <= 1, 'nodes are filled evenly');
      }),
      { numRuns: 200 },
    );
  });

  it('leaves no branch of a spread preference more than one task behind another that has room', () => {
    const labels = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(labels, fc.integer({ min: 0, max: 20 }), (zones, tasks) => {
        const fleet = new Fleet(zones.map((zone, at) => node(`n${at}`, { Spec: { Labels: { zone } } })));
        const Preferences = [{ Spread: { SpreadDescriptor: 'node.labels.zone' } }];
        const found = place(fleet, [group(tasks, placement({ Preferences }))]);
        const byZone = new Map(zones.map((zone) => [zone, 0]));
        for (const { nodeID } of found.placed.values()) {
          const zone = zones[Number(nodeID.slice(1))]!;
          byZone.set(zone, byZone.get(zone)! + 1);
        }
        assert.ok(Math.max(...byZone.values()) - Math.min(...byZone.values()) <= 1);
        assert.equal(found.placed.size, tasks);
      }),
    );
  });

  it('is the optimum on every level of nested preferences, with what runs already and what has room', () => {
    const member = fc.record({
      zone: fc.constantFrom('a', 'b', 'c'),
      rack: fc.constantFrom('r', 's'),
      room: fc.integer({ min: 0, max: 3 }),
      running: fc.integer({ min: 0, max: 2 }),
      qualifies: fc.boolean(),
    });
    /** The least sum of squares that `total` more can have over places with so many already and so much room. */
    const leastSquares = (places: readonly { running: number; room: number }[], total: number): number => {
      const [first, ...rest] = places;
      if (first === undefined) return total === 0 ? 0 : Number.POSITIVE_INFINITY;
      let least = Number.POSITIVE_INFINITY;
      for (let given = 0; given <= Math.min(first.room, total); given++) {
        least = Math.min(least, (first.running + given) ** 2 + leastSquares(rest, total - given));
      }
      return least;
    };
    const sum = (numbers: readonly number[]) => numbers.reduce((all, one) => all + one, 0);
    fc.assert(
      fc.property(
        fc.array(member, { minLength: 1, maxLength: 7 }),
        fc.integer({ min: 0, max: 9 }),
        (members, tasks) => {
          const all = members.map((one, at) => ({ ...one, at, room: one.qualifies ? one.room : 0 }));
          const fleet = new Fleet(
            all.map(({ at, zone, rack, qualifies }) =>
              node(`n${at}`, {
                Spec: { Labels: { zone, rack, ok: String(qualifies) } },
                Description: { Resources: { NanoCPUs: members[at]!.room * 1e9 } },
              }),
            ),
          );
          const spread = (label: string) => ({ Spread: { SpreadDescriptor: `node.labels.${label}` } });
          const Placement = { Preferences: [spread('zone'), spread('rack')], Constraints: ['node.labels.ok==true'] };
          const spec = { Placement, Resources: { Reservations: { NanoCPUs: 1e9 } } };
          const running = new Map(all.map(({ at, running }) => [`n${at}`, running]));
          const found = counts(place(fleet, [group(tasks, spec, { running })]));
          const given = (of: typeof all) => sum(of.map(({ at }) => found[`n${at}`] ?? 0));
          assert.equal(given(all), Math.min(tasks, sum(all.map(({ room }) => room))));
          // Branches without a node that qualifies cannot be chosen, whatever runs there.
          const isOptimal = (of: typeof all, keys: readonly ((one: (typeof all)[number]) => unknown)[]) => {
            const [key, ...inner] = keys;
            if (key === undefined) return;
            const parts = [...new Set(of.map(key))].map((value) => of.filter((one) => key(one) === value));
            const open = parts.filter((part) => part.some(({ qualifies }) => qualifies));
            const places = open.map((part) => ({
              running: sum(part.map(({ running }) => running)),
              room: sum(part.map(({ room }) => room)),
            }));
            const squares = sum(open.map((part, at) => (places[at]!.running + given(part)) ** 2));
            assert.equal(squares, leastSquares(places, given(of)), JSON.stringify([keys.length, found]));
            for (const part of parts) isOptimal(part, inner);
          };
          isOptimal(all, [({ zone }) => zone, ({ rack }) => rack, ({ at }) => at]);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('fills branches and nodes evenly with many small services that spread', () => {
    const zones = Array.from({ length: 24 }, (_, at) => node(`n${at}`, { Spec: { Labels: { zone: `z${at % 4}` } } }));
    const Preferences = [{ Spread: { SpreadDescriptor: 'node.labels.zone' } }];
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 60 }), (sizes) => {
        const found = place(
          new Fleet(zones),
          sizes.map((size, at) => group(size, placement({ Preferences }), { serviceID: `s${at}` })),
        );
        const totals = zones.map(({ ID }) => counts(found)[ID] ?? 0);
        assert.equal(
          found.placed.size,
          sizes.reduce((all, one) => all + one, 0),
        );
        assert.ok(Math.max(...totals) - Math.min(...totals) <= 2, totals.join(' '));
      }),
      { numRuns: 100 },
    );
  });

  it('gives host ports, generic resources and constrained nodes to as many tasks as can have them', () => {
    const member = fc.record({ ssd: fc.boolean(), gpus: fc.integer({ min: 0, max: 2 }), taken: fc.boolean() });
    fc.assert(
      fc.property(
        fc.array(member, { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 0, max: 8 }),
        (members, tasks) => {
          const nodesOf = members.map(({ ssd, gpus }, at) =>
            node(`n${at}`, {
              Spec: { Labels: ssd ? { disk: 'ssd' } : {} },
              Description: {
                Resources: {
                  NanoCPUs: 1e9,
                  GenericResources: Array.from({ length: gpus }, (_, gpu) => ({
                    NamedResourceSpec: { Kind: 'gpu', Value: `${at}-${gpu}` },
                  })),
                },
              },
            }),
          );
          const EndpointPorts = [{ TargetPort: 80, PublishedPort: 80, PublishMode: 'host' }];
          const one = { GenericResources: [{ DiscreteResourceSpec: { Kind: 'gpu', Value: 1 } }] };
          const needs = (of: object): TaskSpecInit => ({
            Placement: { Constraints: ['node.labels.disk==ssd'] },
            ...of,
          });
          const fleetOf = () => {
            const fleet = new Fleet(nodesOf);
            members.forEach(({ taken }, at) => {
              const Spec = { EndpointPorts };
              if (taken) fleet.book(complete('Task', { ID: `t${at}`, NodeID: `n${at}`, Spec } as TaskInit), true);
            });
            return fleet;
          };
          const ports = place(fleetOf(), [group(tasks, needs({ EndpointPorts }))]);
          assert.equal(ports.placed.size, Math.min(tasks, members.filter(({ ssd, taken }) => ssd && !taken).length));
          const gpus = place(fleetOf(), [group(tasks, needs({ Resources: { Reservations: one } }))]);
          const there = members.reduce((all, { ssd, gpus: here }) => all + (ssd ? here : 0), 0);
          assert.equal(gpus.placed.size, Math.min(tasks, there));
          const given = [...gpus.placed.values()].flatMap(({ generic }) =>
            generic.map((g) => g.NamedResourceSpec?.Value),
          );
          assert.equal(new Set(given).size, gpus.placed.size, 'none is given twice');
          for (const { nodeID, generic } of gpus.placed.values()) {
            assert.ok(generic[0]?.NamedResourceSpec?.Value.startsWith(`${nodeID.slice(1)}-`));
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
