import assert from 'node:assert/strict';
import { encodeMembership } from '../../../src/raft/wire/membership.js';
import { Bench, entryOf, Group, memberOf, members } from '../../helpers/raft-core.js';

// The rules of Ongaro's dissertation (2014), chapter 4: one member at a time.

const voters = (bench: Bench) => bench.core.membership.voters.map(({ id }) => id);
const learners = (bench: Bench) => bench.core.membership.learners.map(({ id }) => id);
const add = (id: number) => [{ action: 'learner', member: memberOf(id) }] as const;

describe('dissertation 4.1, safety of membership changes', () => {
  it('a membership counts from the moment it is in the log', () => {
    const group = new Group([1, 2, 3]).elect(1);
    group.isolate(2, 3);
    group.at(1).core.changeMembership([{ action: 'remove', id: 3 }]);
    assert.deepEqual(voters(group.at(1)), [1, 2]);
    const follower = new Bench(1, { voters: [1, 2, 3] });
    const data = encodeMembership(members(1, 2));
    follower.append(2, 2, [1, 1], [{ ...entryOf(2, 2), type: 'membership', data }]);
    assert.deepEqual(voters(follower), [1, 2]);
  });

  it('and goes when its entry is replaced', () => {
    const follower = new Bench(1, { voters: [1, 2, 3] });
    const data = encodeMembership(members(1, 2));
    follower.append(2, 2, [1, 1], [{ ...entryOf(2, 2), type: 'membership', data }]);
    follower.append(3, 3, [1, 1], [entryOf(2, 3, 'other')]);
    assert.deepEqual(voters(follower), [1, 2, 3]);
  });

  it('one change waits for the other to be committed', () => {
    const group = new Group([1, 2, 3]).elect(1);
    group.isolate(2, 3);
    assert.equal(group.at(1).core.changeMembership(add(4)), 3);
    assert.equal(group.at(1).core.changeMembership(add(5)), 'busy');
    group.heal();
    group.tick(3, [1]);
    assert.equal(group.at(1).core.changeMembership(add(5)), 4);
  });

  it('none before the leader has committed an entry of its own term (the amendment of 2015)', () => {
    const group = new Group([1, 2, 3]);
    group.passes = ({ type }) => type !== 'append-response';
    group.elect(1);
    assert.equal(group.at(1).core.changeMembership(add(4)), 'busy');
    group.heal();
    group.tick(3, [1]);
    assert.equal(group.at(1).core.changeMembership(add(4)), 3);
  });

  it('only a leader makes one', () => {
    const group = new Group([1, 2, 3]).elect(1);
    assert.throws(() => group.at(2).core.changeMembership(add(4)), { code: 'no-leader' });
  });

  it('what is so already needs no entry', () => {
    const group = new Group([1, 2, 3]).elect(1);
    assert.equal(group.at(1).core.changeMembership([{ action: 'remove', id: 9 }]), undefined);
    assert.equal(group.at(1).core.changeMembership([{ action: 'voter', member: memberOf(2) }]), undefined);
  });

  it('is restored with a restart from the log', () => {
    const group = new Group([1, 2, 3]).elect(1);
    group.at(1).core.changeMembership([{ action: 'remove', id: 3 }]);
    group.settle();
    group.at(2).restart();
    assert.deepEqual(voters(group.at(2)), [1, 2]);
  });
});

describe('dissertation 4.2.1, catching up new members', () => {
  function joining(): Group {
    const group = new Group(
      [1, 2, 3, 4],
      {},
      { 1: { voters: [1, 2, 3] }, 2: { voters: [1, 2, 3] }, 3: { voters: [1, 2, 3] } },
    );
    const empty = new Bench(4, { voters: [] });
    empty.disk.snapshot = undefined;
    empty.disk.hardState = { term: 0, vote: 0, commit: 0 };
    empty.restart();
    group.benches.set(4, empty);
    group.elect(1);
    return group;
  }

  it('a learner gets the log but counts for nothing', () => {
    const group = new Group([1, 2]).elect(1);
    group.at(1).core.changeMembership(add(3));
    group.settle();
    group.isolate(2);
    group.at(1).propose('a');
    group.settle();
    assert.deepEqual([voters(group.at(1)), learners(group.at(1))], [[1, 2], [3]]);
    assert.equal(group.at(1).core.committed, 3);
  });

  it('a learner never stands for election', () => {
    const learner = new Bench(3, { voters: [1, 2], learners: [3] });
    learner.tick(100);
    assert.equal(learner.core.role, 'follower');
  });

  it('a learner that has caught up is made a voter, by whoever leads', () => {
    const group = joining();
    const { core } = group.at(1);
    const meta = core.describeSnapshot();
    group.at(1).core.changeMembership(add(4));
    group.settle();
    group.tick(2, [1]);
    // It starts with nothing at all, so that it needs the snapshot that the others started from.
    assert.deepEqual(core.takeSnapshotRequests(), [4]);
    assert.deepEqual(learners(group.at(1)), [4]);
    assert.equal(group.at(4).core.receiveSnapshot(1, core.term, { ...meta, index: 1, term: 1 }), true);
    group.settle();
    group.tick(4, [1]);
    for (const id of [1, 2, 3, 4]) assert.deepEqual(voters(group.at(id)), [1, 2, 3, 4]);
  });

  it('a learner that is not there is not made a voter', () => {
    const group = joining();
    group.isolate(4);
    group.at(1).core.changeMembership(add(4));
    group.settle();
    group.tick(50, [1]);
    assert.deepEqual(learners(group.at(1)), [4]);
  });
});

describe('dissertation 4.2.2, removing the leader', () => {
  it('it goes on until that is committed, does not count itself, and then leaves the lead to others', () => {
    const group = new Group([1, 2, 3]).elect(1);
    group.isolate(3);
    group.at(1).core.changeMembership([{ action: 'remove', id: 1 }]);
    group.settle();
    assert.equal(group.at(1).core.committed, 2, 'of 2 and 3, only 2 has it');
    assert.deepEqual(group.leaders, [1]);
    group.heal();
    group.tick(3, [1]);
    assert.notEqual(group.at(1).core.role, 'leader');
    assert.equal(group.leaders.length, 1);
    group.tick(100, [1]);
    assert.equal(group.at(1).core.role, 'follower');
  });

  it('a member that is being removed may still be needed to win an election', () => {
    const group = new Group([1, 2]).elect(1);
    group.isolate(2);
    group.at(1).core.changeMembership([{ action: 'remove', id: 1 }]);
    group.settle();
    group.at(1).restart();
    group.heal();
    group.tick(25, [1, 2]);
    group.tick(25, [1, 2]);
    assert.deepEqual(voters(group.at(2)), [2]);
    assert.deepEqual(group.leaders, [2]);
  });

  it('a member that was removed is told so', () => {
    const group = new Group([1, 2, 3]).elect(1);
    group.at(1).core.changeMembership([{ action: 'remove', id: 3 }]);
    group.tick(3, [1]);
    assert.deepEqual(voters(group.at(3)), [1, 2]);
    assert.equal(group.at(3).core.committed, 3);
    assert.deepEqual(
      group.at(1).core.peers.map(({ id }) => id),
      [2],
    );
  });

  it('the last voter stays', () => {
    const alone = new Bench(1, { voters: [1] });
    alone.core.campaign();
    alone.pump();
    assert.throws(() => alone.core.changeMembership([{ action: 'remove', id: 1 }]), { code: 'failed-precondition' });
  });
});
