import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Agenda } from '../../../src/manager/agenda.js';
import { Planner } from '../../../src/manager/planner.js';
import { reconcile } from '../../../src/manager/reconcile/reconcile.js';
import { ShoalError } from '../../../src/model/errors.js';
import { seededRandom } from '../../../src/model/random.js';
import type { TransactionInit } from '../../../src/model/types.js';
import type { RaftStatus } from '../../../src/raft/node.js';
import type { Proposer } from '../../../src/store/view.js';
import { logLines } from '../../helpers/log-lines.js';
import { ManualClock, settled } from '../../helpers/manual-clock.js';
import { Orchestra } from '../../helpers/orchestra.js';

/** Plans and applies what is due until nothing is any more; says how often it looked. */
function looksUntilNothingIsDue(agenda: Agenda, world: Orchestra): number {
  for (let looks = 0; ; looks++) {
    const due = agenda.take(world.now);
    if (due === undefined) return looks;
    const plan = reconcile(world.store, world.now, world.random, due === 'all' ? undefined : due);
    agenda.keep(due, plan);
    for (const transaction of plan.transactions) world.apply(transaction);
  }
}

/** A manager whose Raft is a switch: it leads or it does not. */
class FakeManager implements Proposer {
  readonly clock = new ManualClock();
  readonly world = new Orchestra();
  readonly proposals: TransactionInit[] = [];
  /** What the next proposals end with. */
  readonly failures: ShoalError[] = [];
  /** Held back until resolved: a commit that takes its time. */
  gate: Promise<void> = Promise.resolve();
  readonly planner: Planner;
  #status: RaftStatus = {
    id: 1,
    term: 1,
    role: 'follower',
    leader: 2,
    commitIndex: 0,
    appliedIndex: 0,
    members: [],
    silence_ms: new Map(),
  };
  #listener: (status: RaftStatus) => void = () => {};

  readonly lines: Record<string, unknown>[];

  constructor() {
    const { log, lines } = logLines();
    this.lines = lines;
    this.world.now = this.clock.now();
    this.world.addNodes(3);
    this.planner = new Planner({
      store: this.world.store,
      proposer: this,
      raft: {
        status: () => this.#status,
        onStatus: (call) => {
          this.#listener = call;
          return () => {
            this.#listener = () => {};
          };
        },
      },
      clock: this.clock,
      random: seededRandom(1),
      log,
    });
  }

  async propose(transaction: TransactionInit): Promise<{ index: number }> {
    this.proposals.push(transaction);
    await this.gate;
    const failure = this.failures.shift();
    if (failure !== undefined) throw failure;
    return this.world.proposer.commit(transaction);
  }

  /** Proposals that would change something. */
  get plans(): TransactionInit[] {
    return this.proposals.filter((proposal) => (proposal.Operations ?? []).length > 0);
  }

  lead(term: number): void {
    this.#status = { ...this.#status, role: 'leader', term, leader: 1 };
    this.#listener(this.#status);
  }

  follow(): void {
    this.#status = { ...this.#status, role: 'follower', leader: 2 };
    this.#listener(this.#status);
  }
}

describe('the planner', () => {
  let manager: FakeManager;
  beforeEach(() => {
    manager = new FakeManager();
    manager.planner.start();
  });
  afterEach(() => manager.planner.stop());

  it('plans nothing on a manager that does not lead', async () => {
    manager.world.create('web', 3);
    await manager.clock.advance(60_000);
    assert.equal(manager.proposals.length, 0);
  });

  it('plans what there is to do as soon as it leads, after an entry of its own', async () => {
    manager.world.create('web', 3);
    manager.lead(2);
    await settled();
    assert.deepEqual(manager.proposals[0]?.Operations, []);
    assert.equal(manager.world.wanted('web').length, 3);
    assert.equal(manager.plans.length, 1);
  });

  it('plans after a change, without a timer', async () => {
    manager.lead(2);
    await settled();
    manager.world.create('web', 3);
    await settled();
    assert.equal(manager.world.wanted('web').length, 3);
  });

  it('takes up all that changed while a plan was being committed in one next plan', async () => {
    manager.lead(2);
    await settled();
    let open = () => {};
    manager.gate = new Promise((resolve) => {
      open = resolve;
    });
    manager.world.create('one', 1);
    await settled();
    for (const name of ['two', 'three', 'four']) manager.world.create(name, 1);
    await settled();
    assert.equal(manager.plans.length, 1, 'one transaction at a time');
    manager.gate = Promise.resolve();
    open();
    await settled();
    assert.equal(manager.plans.length, 1, 'the next may gather for a moment');
    await manager.clock.advance(20);
    assert.equal(manager.plans.length, 2);
    assert.equal(manager.world.wanted().length, 4);
  });

  it('plans anew when what it planned for has changed meanwhile', async () => {
    manager.lead(2);
    await settled();
    let open = () => {};
    manager.gate = new Promise((resolve) => {
      open = resolve;
    });
    manager.world.create('web', 5);
    await settled();
    manager.world.scale('web', 2);
    manager.gate = Promise.resolve();
    open();
    await settled();
    assert.equal(manager.world.wanted('web').length, 2);
  });

  it('looks again at the time that a plan asked for', async () => {
    manager.world.create('web', 1);
    manager.lead(2);
    await settled();
    await manager.clock.advance(20);
    const [task] = manager.world.wanted('web');
    manager.world.now = manager.clock.now();
    manager.world.report(task!, 'failed');
    await settled();
    const successor = () => manager.world.wanted('web')[0]!;
    assert.equal(successor().DesiredState, 'ready');
    await manager.clock.advance(4999);
    assert.equal(successor().DesiredState, 'ready');
    await manager.clock.advance(1);
    assert.equal(successor().DesiredState, 'running');
  });

  it('stops planning when it loses the lead, and begins anew when it has it back', async () => {
    manager.lead(2);
    await settled();
    manager.follow();
    manager.world.create('web', 3);
    await manager.clock.advance(60_000);
    assert.equal(manager.plans.length, 0);
    manager.lead(4);
    await settled();
    assert.equal(manager.world.wanted('web').length, 3);
  });

  it('makes sure of what became of a plan before it makes the next', async () => {
    manager.lead(2);
    await settled();
    manager.failures.push(new ShoalError('unavailable', 'no answer'));
    manager.world.create('web', 3);
    await manager.clock.advance(1000);
    const kinds = manager.proposals.map((proposal) => ((proposal.Operations ?? []).length > 0 ? 'plan' : 'fence'));
    assert.deepEqual(kinds, ['fence', 'plan', 'fence', 'plan']);
    assert.equal(manager.world.wanted('web').length, 3);
  });

  it('goes on trying, in its own time, while there is no quorum, and says so once', async () => {
    manager.failures.push(...Array.from({ length: 20 }, () => new ShoalError('no-leader', 'no leader')));
    manager.world.create('web', 3);
    manager.lead(2);
    await manager.clock.advance(3000);
    assert.ok(manager.proposals.length > 5 && manager.proposals.length < 20);
    await manager.clock.advance(3000);
    assert.equal(manager.world.wanted('web').length, 3);
    assert.equal(manager.lines.filter(({ level }) => level === 'warn').length, 1);
  });

  it('looks after all other services when one cannot be planned', async () => {
    manager.world.create('bad', 1);
    manager.world.create('good', 1);
    const bad = manager.world.service('bad').ID;
    const propose = manager.propose.bind(manager);
    manager.propose = async (transaction) => {
      const faulty = (transaction.Operations ?? []).some((operation) => operation.Task?.ServiceID === bad);
      if (faulty) throw new ShoalError('invalid-argument', 'refused for a reason of its own');
      return propose(transaction);
    };
    manager.lead(2);
    await manager.clock.advance(5000);
    assert.equal(manager.world.wanted('good').length, 1);
    manager.world.create('late', 2);
    await manager.clock.advance(5000);
    assert.equal(manager.world.wanted('late').length, 2);
    assert.equal(manager.world.wanted('bad').length, 0);
  });

  it('carries a large plan out one entry after the other, and plans anew where one is refused', async () => {
    manager.lead(2);
    await settled();
    let open = () => {};
    manager.gate = new Promise((resolve) => {
      open = resolve;
    });
    manager.world.create('web', 5000);
    await settled();
    assert.equal(manager.plans.length, 1, 'one entry at a time');
    manager.world.scale('web', 4000); // what the plan was made for is no more
    manager.gate = Promise.resolve();
    open();
    await settled();
    assert.equal(manager.world.wanted('web').length, 4000);
    assert.ok(
      manager.plans.length <= 1 + 2 + 1,
      `${manager.plans.length} entries: those after the refused one were not tried`,
    );
  });

  it('does not let a service that takes several plans keep the others waiting', async () => {
    manager.world.create('large', 7000);
    manager.lead(2);
    const propose = manager.propose.bind(manager);
    manager.propose = async (transaction) => {
      if (manager.plans.length === 1) manager.world.create('small', 1);
      return propose(transaction);
    };
    await settled();
    assert.equal(manager.world.wanted('large').length, 7000);
    const service = manager.world.service('small').ID;
    const ofSmall = manager.plans.findIndex((plan) => plan.Operations?.some(({ Task }) => Task?.ServiceID === service));
    assert.equal(ofSmall, 3, 'right after the plan that was being carried out');
  });

  it('leaves nothing behind when it is stopped', async () => {
    manager.lead(2);
    await settled();
    await manager.planner.stop();
    manager.world.create('web', 3);
    await manager.clock.advance(60_000);
    assert.equal(manager.plans.length, 0);
    assert.equal(manager.clock.waiting, 0);
  });
});

describe('the agenda', () => {
  const act = fc.record({
    kind: fc.constantFrom(
      'create',
      'scale',
      'image',
      'remove',
      'fail',
      'down',
      'up',
      'drain',
      'active',
      'label',
      'work',
      'pass',
    ),
    at: fc.nat(6),
    number: fc.integer({ min: 0, max: 5 }),
  });

  it('has no service looked at for reports that no plan could take into account', () => {
    const world = new Orchestra();
    world.addNodes(3);
    const agenda = new Agenda();
    world.store.watch((commit) => agenda.note(commit, world.store));
    world.create('web', 500);
    const look = () => looksUntilNothingIsDue(agenda, world);
    assert.equal(look(), 2, 'one that plans, and one that finds nothing more to do');
    for (const state of ['accepted', 'preparing', 'ready', 'starting', 'running']) {
      for (const task of world.tasks()) world.report(task, state);
      assert.equal(look(), 0, state);
    }
    world.report(world.tasks()[7]!, 'failed');
    assert.ok(look() > 0);
    assert.equal(world.wanted('web').length, 500);
  });

  it('has all looked at once the clock is set back, so that nothing waits for what time it was before', () => {
    const world = new Orchestra();
    world.addNodes(1);
    const agenda = new Agenda();
    world.store.watch((commit) => agenda.note(commit, world.store));
    world.create('web', 1);
    looksUntilNothingIsDue(agenda, world);
    world.report(world.tasks()[0]!, 'failed');
    looksUntilNothingIsDue(agenda, world);
    assert.equal(agenda.nextWake(), world.now + 5000);
    world.pass(-600_000);
    looksUntilNothingIsDue(agenda, world);
    assert.equal(world.wanted('web')[0]?.DesiredState, 'running');
    assert.equal(agenda.nextWake(), undefined);
    world.pass(-500);
    assert.equal(agenda.take(world.now), undefined, 'a clock that is slewed');
  });

  it('has no service looked at while what ran on a lost node starts elsewhere, but in an update and where a successor starts first', () => {
    const world = new Orchestra();
    world.addNodes(4);
    const agenda = new Agenda();
    world.store.watch((commit) => agenda.note(commit, world.store));
    const UpdateConfig = { Parallelism: 1, Order: 'start-first' };
    world.create('web', 40, { UpdateConfig });
    const look = () => looksUntilNothingIsDue(agenda, world);
    const startAll = () => {
      for (const task of world.tasks()) if (task.Status?.State === 'assigned') world.report(task, 'running');
    };
    look();
    startAll();
    look();
    world.setNodeState('node4', 'down');
    assert.ok(look() > 0);
    startAll();
    assert.equal(look(), 0, 'nothing follows from it that they run');
    world.setNode('node3', { Availability: 'drain' });
    look();
    startAll();
    assert.ok(look() > 0, 'those on the drained node waited for them');
    world.setImage('web', 'web:2');
    look();
    startAll();
    assert.ok(look() > 0, 'the update goes on');
  });

  it('leaves out no service that a look at all of them would find something to do for', () => {
    fc.assert(
      fc.property(fc.array(act, { minLength: 5, maxLength: 60 }), (acts) => {
        const world = new Orchestra();
        world.addNodes(3);
        const agenda = new Agenda();
        world.store.watch((commit) => agenda.note(commit, world.store));
        for (const { kind, at, number } of acts) {
          const name = `s${at}`;
          const id = `node${(at % 3) + 1}`;
          const exists = world.service(name) !== undefined;
          const room = { Resources: { Reservations: { NanoCPUs: number * 4e8 } } };
          const Placement = { Constraints: at % 3 === 0 ? ['node.labels.zone==a'] : [] };
          const wide = [{ Global: {} }, { GlobalJob: {} }][at - 5];
          const Mode = wide ?? { Replicated: { Replicas: number } };
          const UpdateConfig = { Parallelism: at % 3, Order: at % 2 === 0 ? 'start-first' : 'stop-first' };
          if (kind === 'create' && !exists) {
            world.create(name, 0, { Mode, TaskTemplate: { ...room, Placement }, UpdateConfig });
          }
          if (kind === 'scale' && exists && at < 5) world.scale(name, number);
          if (kind === 'image' && exists) world.setImage(name, `web:${number}`);
          if (kind === 'remove' && exists) world.removeService(name);
          if (kind === 'fail' && world.tasks()[number]?.NodeID) world.report(world.tasks()[number]!, 'failed');
          if (kind === 'down') world.setNodeState(id, 'down');
          if (kind === 'up') world.setNodeState(id, 'ready');
          if (kind === 'drain' || kind === 'active') world.setNode(id, { Availability: kind });
          if (kind === 'label') world.setNode(id, { Labels: { zone: number > 2 ? 'a' : 'b' } });
          if (kind === 'work') world.work();
          if (kind === 'pass') world.pass(number * 2000);
          // What the agenda leads to must be all that there is to do.
          for (let due = agenda.take(world.now); due !== undefined; due = agenda.take(world.now)) {
            const plan = reconcile(world.store, world.now, world.random, due === 'all' ? undefined : due);
            agenda.keep(due, plan);
            for (const transaction of plan.transactions) world.apply(transaction);
          }
          const rest = world.look();
          // Counts in the reason why a task waits may be out of date: to keep them so would cost an entry with every change.
          const missed = rest.transactions[0]?.Operations?.filter(
            (operation) => operation.Action !== 'check' && operation.Task?.Status?.State !== 'pending',
          );
          assert.deepEqual(missed ?? [], []);
          assert.equal(agenda.nextWake(), rest.wakeAt);
        }
      }),
      {
        numRuns: 300,
        examples: [
          // A global service's reasons out of date: the plan that would mend them checks the service too.
          [
            [4, 3, 0, 0, 4, 0].map((number, at) => ({
              kind: 'create' as const,
              at: at < 1 ? 1 : at === 4 ? 5 : 0,
              number,
            })),
          ],
        ],
      },
    );
  });
});
