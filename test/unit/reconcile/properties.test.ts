import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isFinal } from '../../../src/model/states.js';
import type { Task, UpdateConfigInit } from '../../../src/model/types.js';
import { Orchestra } from '../../helpers/orchestra.js';

// Whatever happens, in whatever order: what reconcile makes of it is checked after every single plan.

const services = ['web', 'api'];
const nodeIDs = ['n1', 'n2', 'n3', 'n4'];

type Event =
  | { kind: 'create'; service: string; replicas: number; policy: number }
  | { kind: 'scale'; service: string; replicas: number }
  | { kind: 'image' | 'rollback' | 'remove' | 'ports'; service: string; number: number }
  | { kind: 'fail'; pick: number; state: 'failed' | 'complete' | 'rejected' }
  | { kind: 'down' | 'up' | 'drain' | 'active' | 'pause' | 'forget'; node: string }
  | { kind: 'label'; node: string; zone: string }
  | { kind: 'plan' }
  | { kind: 'work' }
  | { kind: 'pass'; milliseconds: number };

const service = fc.constantFrom(...services);
const node = fc.constantFrom(...nodeIDs);
const replicas = fc.integer({ min: 0, max: 7 });
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('create' as const), service, replicas, policy: fc.nat(7) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('scale' as const), service, replicas }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'image' as const,
        'image' as const,
        'rollback' as const,
        'remove' as const,
        'ports' as const,
      ),
      service,
      number: fc.nat(3),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('fail' as const),
      pick: fc.nat(30),
      state: fc.constantFrom('failed' as const, 'complete' as const, 'rejected' as const),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'down' as const,
        'up' as const,
        'up' as const,
        'drain' as const,
        'active' as const,
        'pause' as const,
        'forget' as const,
      ),
      node,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('label' as const), node, zone: fc.constantFrom('a', 'b') }) },
  { weight: 8, arbitrary: fc.constant({ kind: 'plan' as const }) },
  { weight: 8, arbitrary: fc.constant({ kind: 'work' as const }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), milliseconds: fc.constantFrom(1, 1000, 6000, 90_000) }),
  },
);

const policies: { update?: UpdateConfigInit; rollback?: UpdateConfigInit; condition?: string; constraint?: string }[] =
  [
    {},
    { update: { Parallelism: 2, Delay: 2e9, FailureAction: 'continue' } },
    { update: { Parallelism: 0, Order: 'start-first', FailureAction: 'rollback', MaxFailureRatio: 0.3 } },
    { update: { Parallelism: 1, Order: 'start-first' }, rollback: { Parallelism: 2 } },
    { update: { Parallelism: 2, FailureAction: 'rollback' }, rollback: { FailureAction: 'continue' } },
    { condition: 'on-failure' },
    { condition: 'none', update: { Parallelism: 3 } },
    { constraint: 'node.labels.zone!=b' },
  ];

function happen(world: Orchestra, one: Event): void {
  switch (one.kind) {
    case 'create': {
      if (world.service(one.service) !== undefined) return;
      const { update, rollback, condition, constraint } = policies[one.policy]!;
      world.create(one.service, one.replicas, {
        UpdateConfig: update,
        RollbackConfig: rollback,
        TaskTemplate: {
          RestartPolicy: { Condition: condition, Delay: 1e9 },
          Placement: { Constraints: constraint === undefined ? [] : [constraint] },
        },
      });
      return;
    }
    case 'scale':
      if (world.service(one.service) !== undefined) world.scale(one.service, one.replicas);
      return;
    case 'image':
      if (world.service(one.service) !== undefined) world.setImage(one.service, `web:${one.number}`);
      return;
    case 'ports':
      if (world.service(one.service) === undefined) return;
      world.update(one.service, (spec) => {
        spec.EndpointSpec = {
          Ports: Array.from({ length: one.number }, (_, at) => ({ Protocol: 'tcp', TargetPort: 80 + at })),
        };
      });
      return;
    case 'rollback': {
      const found = world.service(one.service);
      if (found === undefined || found.PreviousSpec === null) return;
      const UpdateStatus = { State: 'rollback_started', StartedAt: new Date(world.now).toISOString() };
      const Service = { ...found, Spec: found.PreviousSpec, PreviousSpec: found.Spec, UpdateStatus };
      world.commit([{ Action: 'update', Service }]);
      return;
    }
    case 'remove':
      if (world.service(one.service) !== undefined) world.removeService(one.service);
      return;
    case 'fail': {
      const alive = world.tasks().filter((task) => task.NodeID !== '' && !isFinal(task.Status?.State ?? ''));
      const task = alive[one.pick % Math.max(1, alive.length)];
      if (task !== undefined) world.report(task, one.state);
      return;
    }
    case 'down':
    case 'up':
      if (world.node(one.node) === undefined) world.addNode(one.node);
      else world.setNodeState(one.node, one.kind === 'up' ? 'ready' : 'down');
      if (one.kind === 'up') world.asleep.delete(one.node);
      return;
    case 'forget':
      if (world.node(one.node) !== undefined) world.removeNode(one.node);
      return;
    case 'drain':
    case 'active':
    case 'pause':
      if (world.node(one.node) !== undefined) world.setNode(one.node, { Availability: one.kind });
      return;
    case 'label':
      if (world.node(one.node) !== undefined) world.setNode(one.node, { Labels: { zone: one.zone } });
      return;
    case 'plan':
      planChecked(world);
      return;
    case 'work':
      world.work();
      return;
    case 'pass':
      world.pass(one.milliseconds);
  }
}

const reachable = (world: Orchestra, task: Task) => world.node(task.NodeID)?.Status?.State === 'ready';

/** Tasks that were ever told to run; what was only held ready never ran. */
const toldToRun = new WeakMap<Orchestra, Set<string>>();

/** Tasks of a slot that are told to run, or may run until they have been stopped. */
function mayRun(world: Orchestra, name: string): Map<number, Task[]> {
  const told = toldToRun.get(world) ?? new Set();
  toldToRun.set(world, told);
  const bySlot = new Map<number, Task[]>();
  for (const task of world.tasks(name)) {
    if (task.DesiredState === 'running') told.add(task.ID);
    if (isFinal(task.Status?.State ?? '') || !reachable(world, task) || !told.has(task.ID)) continue;
    if (task.DesiredState === 'remove') continue; // of a slot that was given up: its number may be in use again
    bySlot.set(task.Slot, [...(bySlot.get(task.Slot) ?? []), task]);
  }
  return bySlot;
}

function planChecked(world: Orchestra): void {
  if (!world.plan()) return;
  for (const name of services) {
    const found = world.service(name);
    if (found === undefined) continue;
    const startFirst = [found.Spec?.UpdateConfig?.Order, found.Spec?.RollbackConfig?.Order].includes('start-first');
    const patient = world.tasks(name).every((task) => world.now - Date.parse(task.CreatedAt) < 60_000);
    for (const [slot, tasks] of mayRun(world, name)) {
      const fresh = tasks.filter((task) => task.Version?.Index === world.store.index);
      // What may run at once of one slot: two where the new start first, else one.
      if (fresh.length > 0 && patient && !startFirst) {
        assert.ok(tasks.length <= 1, `${name}.${slot} has ${tasks.length} tasks that may run`);
      }
    }
    const numbers = world.wanted(name).map((task) => task.Slot);
    const most = startFirst ? 2 : 1;
    for (const slot of numbers) assert.ok(numbers.filter((one) => one === slot).length <= most);
  }
}

/** Everything whole and awake again, so that it can settle. */
function heal(world: Orchestra): void {
  for (const id of nodeIDs) {
    if (world.node(id) === undefined) world.addNode(id);
    world.setNodeState(id, 'ready');
    world.setNode(id, { Availability: 'active', Labels: {} });
  }
  world.asleep.clear();
}

function checkSettled(world: Orchestra): void {
  for (const name of services) {
    const found = world.service(name);
    if (found === undefined) continue;
    const asked = found.Spec!.Mode!.Replicated!.Replicas!;
    const condition = found.Spec!.TaskTemplate!.RestartPolicy!.Condition;
    const running = world.running(name);
    assert.deepEqual(world.wanted(name).length, running.length, 'all that is wanted runs');
    if (condition === 'none' || condition === 'on-failure') assert.ok(running.length <= asked);
    else assert.equal(running.length, asked);
    assert.equal(new Set(running.map((task) => task.Slot)).size, running.length, 'one task a slot');
    const state = found.UpdateStatus?.State ?? '';
    assert.ok(!['updating', 'rollback_started'].includes(state), `${state} though settled`);
    const paused = state === 'paused' || state === 'rollback_paused';
    const image = found.Spec!.TaskTemplate!.ContainerSpec!.Image;
    if (!paused) assert.ok(running.every((task) => task.Spec?.ContainerSpec?.Image === image));
    for (const port of found.Endpoint?.Ports ?? []) assert.ok(port.PublishedPort >= 30_000);
    const perSlot = new Map<number, number>();
    for (const task of world.tasks(name)) perSlot.set(task.Slot, (perSlot.get(task.Slot) ?? 0) + 1);
    assert.ok(
      [...perSlot.values()].every((count) => count <= 5),
      'history is kept within its limit',
    );
  }
  const names = new Set(services.map((name) => world.service(name)?.ID));
  assert.ok(
    world.tasks().every((task) => names.has(task.ServiceID)),
    'nothing is left of services that are gone',
  );
}

describe('reconcile, whatever happens', () => {
  const histories = fc.array(event, { minLength: 5, maxLength: 60 });

  it('settles, runs what was asked for, and then proposes nothing', () => {
    fc.assert(
      fc.property(histories, fc.nat(), (events, seed) => {
        const world = new Orchestra(seed);
        for (const id of nodeIDs) world.addNode(id);
        for (const one of events) happen(world, one);
        heal(world);
        world.settle();
        checkSettled(world);
        assert.deepEqual(world.look().transactions, []);
        world.pass(24 * 3_600_000);
        assert.deepEqual(world.look().transactions, [], 'nor when time passes');
      }),
      { numRuns: 400 },
    );
  });

  it('settles while nodes are missing, as far as they allow', () => {
    fc.assert(
      fc.property(histories, fc.nat(), (events, seed) => {
        const world = new Orchestra(seed);
        for (const id of nodeIDs) world.addNode(id);
        for (const one of events) happen(world, one);
        for (const id of nodeIDs) if (world.node(id)?.Status?.State === 'ready') world.asleep.delete(id);
        world.settle();
        assert.deepEqual(world.look().transactions, []);
        for (const name of services) {
          const found = world.service(name);
          const limit = found?.Spec?.Mode?.Replicated?.Replicas ?? 0;
          if (found !== undefined) assert.ok(world.wanted(name).length <= limit);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('spreads what it makes on equal nodes to within one task', () => {
    const steps = fc.array(fc.record({ scale: replicas, image: fc.boolean() }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(steps, fc.nat(7), fc.nat(), (all, policy, seed) => {
        const world = new Orchestra(seed);
        for (const id of nodeIDs) world.addNode(id);
        happen(world, { kind: 'create', service: 'web', replicas: all[0]!.scale, policy });
        world.settle();
        for (const [at, { scale, image }] of all.entries()) {
          if (image) world.setImage('web', `web:${at + 10}`);
          else world.scale('web', scale);
          world.settle();
          const spread = world.spread(world.running('web'));
          const counts = nodeIDs.map((id) => spread.get(id) ?? 0);
          assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, `${counts}`);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('never takes more down during an update than it may', () => {
    const setup = fc.record({
      replicas: fc.integer({ min: 2, max: 8 }),
      parallelism: fc.integer({ min: 1, max: 3 }),
      startFirst: fc.boolean(),
    });
    fc.assert(
      fc.property(setup, fc.nat(), fc.array(fc.boolean(), { maxLength: 60 }), (one, seed, order) => {
        const world = new Orchestra(seed);
        for (const id of nodeIDs) world.addNode(id);
        const Order = one.startFirst ? 'start-first' : 'stop-first';
        world.create('web', one.replicas, { UpdateConfig: { Parallelism: one.parallelism, Order } });
        world.settle();
        world.setImage('web', 'web:2');
        const check = () => {
          const running = world.running('web').length;
          assert.ok(running >= one.replicas - (one.startFirst ? 0 : one.parallelism));
          assert.ok(world.wanted('web').length <= one.replicas + (one.startFirst ? one.parallelism : 0));
        };
        for (const plan of order) {
          if (plan) world.plan();
          else world.work();
          check();
        }
        world.settle();
        assert.equal(world.service('web').UpdateStatus?.State, 'completed');
        assert.deepEqual(world.images(world.running('web')), Array(one.replicas).fill('web:2'));
      }),
      { numRuns: 150 },
    );
  });
});
