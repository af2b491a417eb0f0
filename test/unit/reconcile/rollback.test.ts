import assert from 'node:assert/strict';
import type { Task, UpdateConfigInit } from '../../../src/model/types.js';
import { Orchestra } from '../../helpers/orchestra.js';

const second = 1e9;
const minute_ms = 60_000;

/** What a service of six went to, and goes back from. */
const isNew = (task: Task) => task.Spec?.ContainerSpec?.Image === 'web:2';
const isFormer = (task: Task) => task.Spec?.ContainerSpec?.Image === 'web:1';
/** Not a restart. */
const isFirst = (task: Task) => isFormer(task) && task.StartAfter === '';

/** All six run web:2, and the service turns back. Returns in how many slots nothing runs any more. */
type Turn = (world: Orchestra) => number;
const turns: Record<string, Turn> = {
  'that a user asked for': (world) => {
    world.setImage('web', 'web:2');
    world.settle();
    world.rollBack('web');
    return 0;
  },
  'that the update itself brought about': (world) => {
    world.update('web', (spec) => {
      spec.TaskTemplate!.ContainerSpec!.Image = 'web:2';
      spec.UpdateConfig = { Parallelism: 0, Monitor: 3600 * second, FailureAction: 'rollback', MaxFailureRatio: 0.5 };
    });
    world.settleNow();
    assert.equal(world.running('web').filter(isNew).length, 6);
    const failing = world.running('web').slice(0, 4);
    for (const task of failing) world.report(task, 'failed');
    return failing.length;
  },
};

for (const [what, turnBack] of Object.entries(turns)) {
  describe(`a rollback ${what}`, () => {
    let world: Orchestra;
    const status = () => world.service('web').UpdateStatus;
    const former = () => world.wanted('web').filter(isFormer);
    const recent = () => world.wanted('web').filter(isNew);

    function rollBack(RollbackConfig: UpdateConfigInit): number {
      world = new Orchestra();
      world.addNodes(3);
      world.create('web', 6, { RollbackConfig });
      world.settle();
      const empty = turnBack(world);
      world.plan();
      assert.equal(status()?.State, 'rollback_started');
      assert.equal(world.service('web').Spec?.TaskTemplate?.ContainerSpec?.Image, 'web:1');
      return empty;
    }

    it('replaces as many at a time as its parallelism says, and all when that is 0', () => {
      const empty = rollBack({ Parallelism: 2 });
      world.planAll();
      assert.equal(former().length, Math.max(2, empty), 'slots in which nothing runs are filled at once, and count');
      world.settle();
      assert.deepEqual(world.images(world.running('web')), Array(6).fill('web:1'));
      rollBack({ Parallelism: 0 });
      world.planAll();
      assert.equal(former().length, 6);
    });

    it('waits its delay before it goes on', () => {
      rollBack({ Parallelism: 1, Delay: 30 * second });
      world.settleNow();
      const before = former().length;
      assert.ok(before >= 1 && before < 6);
      world.pass(29_999);
      world.settleNow();
      assert.equal(former().length, before);
      world.pass(1);
      world.settleNow();
      assert.equal(former().length, before + 1);
    });

    it('watches its last task for its monitoring time, and is done then', () => {
      rollBack({ Parallelism: 0, Monitor: 40 * second });
      world.settleNow();
      assert.equal(world.running('web').filter(isFormer).length, 6);
      assert.equal(status()?.State, 'rollback_started');
      world.pass(39_999);
      world.settleNow();
      assert.equal(status()?.State, 'rollback_started');
      world.pass(1);
      world.settleNow();
      assert.equal(status()?.State, 'rollback_completed');
      assert.equal(status()?.Message, 'rollback completed');
      assert.notEqual(status()?.CompletedAt, '');
    });

    it('pauses at a failure, and goes on when it is asked for again', () => {
      rollBack({ Parallelism: 1, FailureAction: 'pause', Monitor: 10 * second });
      world.fate = (task) => (isFormer(task) ? 'failed' : 'running');
      world.settleNow();
      assert.equal(status()?.State, 'rollback_paused');
      assert.match(status()?.Message ?? '', /^rollback paused due to failure or early termination of task \w{25}$/);
      const [before, after] = [recent().length, former().length];
      assert.ok(before > 0, 'those that it had not reached run on');
      world.pass(minute_ms);
      world.settleNow();
      assert.deepEqual([recent().length, former().length], [before, after]);
      world.fate = () => 'running';
      world.update('web', () => {});
      world.settle();
      assert.deepEqual(world.images(world.running('web')), Array(6).fill('web:1'));
    });

    it('goes on over failures when told to continue', () => {
      rollBack({ Parallelism: 2, FailureAction: 'continue', Monitor: second });
      world.fate = (task) => (isFirst(task) && task.Slot <= 4 ? 'failed' : 'running');
      world.settle();
      assert.equal(status()?.State, 'rollback_completed');
      assert.deepEqual(world.images(world.running('web')), Array(6).fill('web:1'));
    });

    it('tolerates the share of failures that it may', () => {
      for (const [MaxFailureRatio, end] of [
        [0.34, 'rollback_completed'],
        [0.33, 'rollback_paused'],
      ] as const) {
        rollBack({ Parallelism: 1, FailureAction: 'pause', Monitor: second, MaxFailureRatio });
        world.fate = (task) => (isFirst(task) && task.Slot <= 2 ? 'failed' : 'running'); // two of six
        world.settle();
        assert.equal(status()?.State, end, `with ${MaxFailureRatio}`);
      }
    });

    it('starts the former before it stops the new when its order says so, and the other way round', () => {
      for (const Order of ['start-first', 'stop-first']) {
        const empty = rollBack({ Parallelism: 1, Order });
        const overlaps = new Set<boolean>();
        for (let step = 0; step < 200 && status()?.State === 'rollback_started'; step++) {
          const bySlot = new Map<number, string[]>();
          for (const { Slot, DesiredState, Status } of world.tasks('web')) {
            if (DesiredState === 'running' || Status?.State === 'running')
              bySlot.set(Slot, [...(bySlot.get(Slot) ?? []), DesiredState]);
          }
          overlaps.add([...bySlot.values()].some((states) => states.filter((state) => state === 'running').length > 1));
          if (Order === 'start-first') assert.ok(world.running('web').length >= 6 - empty, 'it costs no capacity');
          if (world.plan() || world.work()) continue;
          world.now = world.look().wakeAt ?? world.now;
        }
        assert.equal(status()?.State, 'rollback_completed');
        assert.equal(overlaps.has(true), Order === 'start-first', Order);
      }
    });

    it('gives way to an update that arrives in its middle', () => {
      rollBack({ Parallelism: 2 });
      world.planAll();
      assert.ok(former().length < 6);
      world.setImage('web', 'web:3');
      world.settleNow();
      world.settle();
      assert.equal(status()?.State, 'completed');
      assert.deepEqual(world.images(world.running('web')), Array(6).fill('web:3'));
      world.rollBack('web');
      world.settle();
      assert.deepEqual(world.images(world.running('web')), Array(6).fill('web:1'), 'back to what it was on its way to');
    });

    it('goes on under another leader, and no step is done twice or left out', () => {
      rollBack({ Parallelism: 2, Delay: second, Order: 'stop-first' });
      for (let step = 0; step < 400 && status()?.State === 'rollback_started'; step++) {
        // The former leader and the next look at the same state; the plan of the one who is late is refused as a whole.
        const [early, late] = [world.look(), world.look()];
        for (const transaction of early.transactions) world.apply(transaction);
        const before = world.store.index;
        for (const transaction of late.transactions) assert.throws(() => world.apply(transaction));
        assert.ok(late.transactions.length === 0 || world.tasks('web').every(({ BornIndex }) => BornIndex <= before));
        const live = new Map<number, number>();
        for (const { Slot } of world.wanted('web')) live.set(Slot, (live.get(Slot) ?? 0) + 1);
        assert.deepEqual([...live.values()], Array(6).fill(1), 'one wanted task a slot');
        if (world.work() || early.transactions.length > 0) continue;
        world.now = early.wakeAt ?? world.now;
      }
      assert.equal(status()?.State, 'rollback_completed');
      assert.deepEqual(world.images(world.running('web')), Array(6).fill('web:1'));
    });
  });
}
