import assert from 'node:assert/strict';
import { ProtocolError } from '../../../src/raft/core/invariant.js';
import type { Message } from '../../../src/raft/core/types.js';
import { Bench, entryOf, Group, members } from '../../helpers/raft-core.js';

// The rules of Ongaro's dissertation (2014) on the log, snapshots and clients, section by section.

const texts = (bench: Bench) =>
  bench.applied.filter(({ type }) => type === 'normal').map(({ data }) => `${Buffer.from(data)}`);
const terms = (bench: Bench) =>
  Array.from({ length: bench.core.lastIndex - 1 }, (_, at) => bench.core.termAt(at + 2) as number);

describe('dissertation 3.5, log replication', () => {
  it('an entry is committed once a majority has it, and applied everywhere in order', () => {
    const group = new Group([1, 2, 3, 4, 5]).elect(1);
    group.isolate(4, 5);
    group.at(1).propose('a', 1);
    group.at(1).propose('b', 2);
    group.settle();
    for (const id of [1, 2, 3]) assert.deepEqual(texts(group.at(id)), ['a', 'b']);
    group.isolate(3, 4, 5);
    group.at(1).propose('c', 3);
    group.settle();
    for (const id of [1, 2]) assert.deepEqual(texts(group.at(id)), ['a', 'b']);
    group.heal();
    group.tick(3, [1]);
    for (const id of [1, 2, 3, 4, 5]) assert.deepEqual(texts(group.at(id)), ['a', 'b', 'c']);
  });

  it('an append is refused when the entry before it does not match, and a hint says where it may', () => {
    const follower = new Bench(1, { voters: [1, 2, 3], terms: [1, 1, 2, 2] });
    follower.append(2, 5, [9, 5], [entryOf(10, 5)]);
    follower.append(2, 5, [5, 4], []);
    follower.append(2, 5, [5, 1], []);
    const answers = follower
      .sent('append-response')
      .map(({ reject, hintIndex, hintTerm }) => [reject, hintIndex, hintTerm]);
    assert.deepEqual(answers, [
      [true, 5, 2],
      [true, 5, 2],
      [true, 3, 1],
    ]);
  });

  it('entries that conflict with the leader are replaced, with all that follow; others stay', () => {
    const follower = new Bench(1, { voters: [1, 2, 3], terms: [1, 1, 2, 2] });
    follower.append(2, 5, [2, 1], [entryOf(3, 1, '3')]);
    assert.deepEqual(terms(follower), [1, 1, 2, 2]);
    follower.append(2, 5, [2, 1], [entryOf(3, 1, '3'), entryOf(4, 5, 'new')]);
    assert.deepEqual(terms(follower), [1, 1, 5]);
    assert.deepEqual(
      follower.disk.entries.map(({ term }) => term),
      [1, 1, 5],
    );
  });

  it('a leader brings any follower to its own log (figure 3.6)', () => {
    const leaderTerms = [1, 1, 4, 4, 5, 5, 6, 6, 6];
    const logs = [
      [1, 1, 4, 4, 5, 5, 6, 6],
      [1, 1],
      [1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
      [1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
      [1, 1, 4, 4, 4, 4],
      [1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
    ];
    for (const followerTerms of logs) {
      const term = Math.max(...followerTerms, 6);
      const group = new Group(
        [1, 2, 3],
        {},
        {
          1: { terms: leaderTerms, hardState: { term } },
          2: { terms: followerTerms, hardState: { term } },
          3: { terms: [], hardState: { term } },
        },
      );
      group.isolate(2);
      group.elect(1);
      assert.deepEqual(group.leaders, [1]);
      group.heal();
      group.tick(5, [1]);
      assert.deepEqual(terms(group.at(2)), terms(group.at(1)));
      assert.deepEqual(terms(group.at(2)), [...leaderTerms, group.at(1).core.term]);
    }
  });

  it('the same append twice changes nothing', () => {
    const follower = new Bench(1, { voters: [1, 2, 3] });
    follower.append(2, 2, [1, 1], [entryOf(2, 2, 'a'), entryOf(3, 2, 'b')], 3);
    follower.append(2, 2, [1, 1], [entryOf(2, 2, 'a')], 2);
    assert.equal(follower.core.lastIndex, 3);
    assert.deepEqual(texts(follower), ['a', 'b']);
    assert.equal(follower.core.committed, 3);
  });

  it('a follower commits no further than what it has in common with the leader', () => {
    const follower = new Bench(1, { voters: [1, 2, 3], terms: [1, 1, 1] });
    follower.append(2, 2, [2, 1], [], 4);
    assert.equal(follower.core.committed, 2);
  });

  it('entries that would replace committed ones are refused, whoever sends them', () => {
    const follower = new Bench(1, { voters: [1, 2, 3], terms: [1, 1], hardState: { commit: 3 } });
    follower.append(2, 2, [2, 1], [entryOf(3, 2, 'other')]);
    assert.equal(follower.core.termAt(3), 1);
    assert.equal(follower.sent('append-response')[0]?.index, 3);
  });
});

describe('dissertation 3.6.2, entries of earlier terms', () => {
  it('are not committed by counting, only along with one of the own term (figure 3.7)', () => {
    const leader = new Bench(1, { voters: [1, 2, 3], terms: [2], hardState: { term: 3 } }).lead();
    const { term } = leader.core;
    leader.step({ type: 'append-response', from: 2, to: 1, term, index: 2, reject: false, hintIndex: 0, hintTerm: 0 });
    assert.equal(leader.core.committed, 1);
    leader.step({ type: 'append-response', from: 2, to: 1, term, index: 3, reject: false, hintIndex: 0, hintTerm: 0 });
    assert.equal(leader.core.committed, 3);
  });
});

describe('dissertation 3.10, leadership transfer', () => {
  it('the new leader takes over at once, though everyone has just heard from the old one', () => {
    const group = new Group([1, 2, 3]).elect(1);
    group.tick(2, [1]);
    group.at(1).core.transferLeadership(3);
    group.settle();
    assert.deepEqual(group.leaders, [3]);
  });

  it('the target gets what it lacks first, and nothing new is taken meanwhile', () => {
    const group = new Group([1, 2, 3]).elect(1);
    group.isolate(3);
    group.at(1).propose('a');
    group.settle();
    group.at(1).core.transferLeadership(3);
    group.settle();
    assert.equal(group.at(1).propose('b', 2), 'busy');
    assert.deepEqual(group.leaders, [1]);
    group.heal();
    group.tick(3, [1]);
    assert.deepEqual(group.leaders, [3]);
    assert.deepEqual(texts(group.at(3)), ['a']);
  });

  it('is given up after an election timeout', () => {
    const group = new Group([1, 2, 3]).elect(1);
    group.isolate(3);
    group.at(1).core.transferLeadership(3);
    group.tick(10, [1, 2]);
    assert.equal(group.at(1).core.transferring, false);
    assert.notEqual(group.at(1).propose('b', 2), 'busy');
  });

  it('without a target goes to the member that has most of the log', () => {
    const group = new Group([1, 2, 3]).elect(1);
    group.passes = ({ to, type }) => !(to === 2 && type === 'append');
    group.at(1).propose('a');
    group.settle();
    group.heal();
    group.at(1).core.transferLeadership();
    group.settle();
    assert.deepEqual(group.leaders, [3]);
  });

  it('cannot go to a member without a vote', () => {
    const leader = new Bench(1, { voters: [1], learners: [2] });
    leader.core.campaign();
    leader.pump();
    assert.throws(() => leader.core.transferLeadership(2), { code: 'failed-precondition' });
    assert.throws(() => leader.core.transferLeadership(), { code: 'failed-precondition' });
  });
});

describe('dissertation 5, snapshots', () => {
  /** Everyone but 3 has the snapshot, and nothing of the log before it. */
  function lagging(): Group {
    const group = new Group([1, 2, 3]).elect(1);
    group.isolate(3);
    for (let count = 1; count <= 5; count++) group.at(1).propose(`${count}`, count);
    group.settle();
    const { core } = group.at(1);
    const meta = core.describeSnapshot();
    core.snapshotTaken(meta, { entries: 0, bytes: 0 });
    group.heal();
    group.tick(3, [1]);
    return group;
  }

  it('go to a member whose next entry was compacted, which then gets the rest of the log', () => {
    const group = lagging();
    const { core } = group.at(1);
    assert.deepEqual(core.takeSnapshotRequests(), [3]);
    const meta = core.snapshot!;
    assert.equal(group.at(3).core.receiveSnapshot(1, core.term, meta), true);
    group.settle();
    assert.equal(group.at(3).core.committed, meta.index);
    group.at(1).propose('after', 9);
    group.tick(3, [1]);
    assert.deepEqual(texts(group.at(3)), ['after']);
    assert.equal(group.at(3).core.lastIndex, group.at(1).core.lastIndex);
  });

  it('are asked for once, and again when one did not get there', () => {
    const group = lagging();
    const { core } = group.at(1);
    assert.deepEqual(core.takeSnapshotRequests(), [3]);
    group.tick(5, [1]);
    assert.deepEqual(core.takeSnapshotRequests(), []);
    core.snapshotReport(3, false);
    group.tick(2, [1]);
    assert.deepEqual(core.takeSnapshotRequests(), [3]);
  });

  it('stop everything from being applied until they are restored', () => {
    const follower = new Bench(1, { voters: [1, 2, 3] });
    follower.append(2, 2, [1, 1], []);
    follower.auto = false;
    follower.core.receiveSnapshot(2, 2, { index: 9, term: 2, membership: members(1, 2) });
    follower.append(2, 2, [9, 2], [entryOf(10, 2, 'x')], 10);
    assert.deepEqual(follower.core.takeCommitted(), []);
    assert.equal(follower.core.promotable, false);
    assert.equal(follower.takeReady()?.snapshot?.index, 9);
    while (follower.sync());
    assert.deepEqual(texts(follower), ['x']);
    assert.deepEqual(
      follower.core.membership.voters.map(({ id }) => id),
      [1, 2],
    );
  });

  it('of what a member has already only tell it what is committed', () => {
    const follower = new Bench(1, { voters: [1, 2, 3], terms: [1, 1, 1] });
    follower.append(2, 1, [4, 1], []);
    assert.equal(follower.core.receiveSnapshot(2, 1, { index: 3, term: 1, membership: members(1, 2, 3) }), false);
    assert.equal(follower.core.committed, 3);
    assert.equal(follower.core.lastIndex, 4);
  });

  it('of a member that does not lead this term are ignored', () => {
    const follower = new Bench(1, { voters: [1, 2, 3] });
    follower.append(2, 2, [1, 1], []);
    const meta = { index: 9, term: 1, membership: members(1, 2, 3) };
    assert.equal(follower.core.receiveSnapshot(3, 2, meta), false);
    assert.equal(follower.core.receiveSnapshot(2, 1, meta), false);
    assert.equal(follower.core.lastIndex, 1);
  });
});

describe('dissertation 6.3, what is proposed is done once', () => {
  const proposal = (term: number, sequence: number, lowest = 1, from = 2) =>
    ({ type: 'propose', from, to: 1, term, session: 77, sequence, lowest, data: Buffer.from(`p${sequence}`) }) as const;

  it('a proposal that comes twice is appended once', () => {
    const leader = new Bench(1, { voters: [1] });
    leader.core.campaign();
    leader.pump();
    const { term } = leader.core;
    for (const sequence of [1, 2, 1, 2, 3]) leader.step(proposal(term, sequence));
    assert.deepEqual(texts(leader), ['p1', 'p2', 'p3']);
    leader.step(proposal(term, 4, 4));
    for (const sequence of [1, 2, 3, 4]) leader.step(proposal(term, sequence));
    assert.deepEqual(texts(leader), ['p1', 'p2', 'p3', 'p4']);
  });

  it('a proposal counts only in the term that it was sent in', () => {
    const leader = new Bench(1, { voters: [1] });
    leader.core.campaign();
    leader.pump();
    const { term } = leader.core;
    leader.step(proposal(term - 1, 1));
    leader.step(proposal(term + 1, 2));
    assert.deepEqual(texts(leader), []);
    assert.equal(leader.core.role, 'leader');
  });

  it('one that was refused stays refused', () => {
    const leader = new Bench(1, { voters: [1, 2] }, { maxUncommittedBytes: 200 }).lead();
    const { term } = leader.core;
    leader.step({ ...proposal(term, 1), data: Buffer.alloc(150) });
    leader.step({ ...proposal(term, 2), data: Buffer.alloc(150) });
    assert.equal(leader.sent('propose-refused').length, 1);
    const last = leader.core.lastIndex;
    leader.step({
      type: 'append-response',
      from: 2,
      to: 1,
      term,
      index: last,
      reject: false,
      hintIndex: 0,
      hintTerm: 0,
    });
    leader.step({ ...proposal(term, 2), data: Buffer.alloc(150) });
    assert.equal(leader.sent('propose-refused').length, 1);
    assert.equal(leader.core.lastIndex, last);
  });
});

describe('dissertation 6.4, reads', () => {
  const read = (bench: Bench, request: number) => {
    bench.core.read(request);
    bench.pump();
  };

  it('are answered only after a majority has answered a heartbeat that left after them', () => {
    const group = new Group([1, 2, 3]).elect(1);
    group.isolate(1);
    read(group.at(1), 5);
    group.settle();
    assert.deepEqual(group.at(1).core.takeReadStates(), []);
    group.heal();
    group.tick(1, [1]);
    assert.deepEqual(group.at(1).core.takeReadStates(), [{ request: 5, index: group.at(1).core.committed }]);
  });

  it('are not answered by heartbeats that left before them', () => {
    const leader = new Bench(1, { voters: [1, 2, 3] }).lead();
    const { term } = leader.core;
    leader.step({ type: 'append-response', from: 2, to: 1, term, index: 2, reject: false, hintIndex: 0, hintTerm: 0 });
    leader.tick();
    const early = leader.sent('heartbeat').find(({ to }) => to === 2);
    read(leader, 5);
    const late = leader.sent('heartbeat').find(({ to }) => to === 2);
    leader.step({ type: 'heartbeat-response', from: 2, to: 1, term, readSequence: early?.readSequence ?? -1 });
    assert.deepEqual(leader.core.takeReadStates(), []);
    leader.step({ type: 'heartbeat-response', from: 2, to: 1, term, readSequence: late?.readSequence ?? -1 });
    assert.equal(leader.core.takeReadStates().length, 1);
  });

  it('wait until the leader has committed an entry of its own term', () => {
    const group = new Group([1, 2, 3]);
    group.passes = ({ type }) => type !== 'append-response';
    group.elect(1);
    read(group.at(1), 5);
    group.tick(2, [1]);
    assert.deepEqual(group.at(1).core.takeReadStates(), []);
    group.heal();
    group.tick(3, [1]);
    assert.deepEqual(group.at(1).core.takeReadStates(), [{ request: 5, index: 2 }]);
  });

  it('work through followers', () => {
    const group = new Group([1, 2, 3]).elect(1);
    group.at(1).propose('a');
    group.settle();
    read(group.at(2), 8);
    group.settle();
    assert.deepEqual(group.at(2).core.takeReadStates(), [{ request: 8, index: 3 }]);
  });

  it('a leader that was replaced cannot answer', () => {
    const group = new Group([1, 2, 3]).elect(1);
    group.isolate(1);
    group.tick(11, [2, 3]);
    group.elect(2);
    assert.deepEqual(group.leaders, [1, 2]);
    read(group.at(1), 5);
    group.settle();
    group.heal();
    group.tick(3, [1, 2]);
    assert.deepEqual(group.at(1).core.takeReadStates(), []);
  });

  it('of a single member are answered at once', () => {
    const alone = new Bench(1, { voters: [1] });
    alone.core.campaign();
    alone.pump();
    read(alone, 1);
    assert.deepEqual(alone.core.takeReadStates(), [{ request: 1, index: 2 }]);
  });
});

describe('dissertation 10.2, performance without harm', () => {
  it('a leader sends while it writes, and counts itself only when it has written (10.2.1)', () => {
    const leader = new Bench(1, { voters: [1, 2, 3] }).lead();
    const { term } = leader.core;
    leader.step({ type: 'append-response', from: 2, to: 1, term, index: 2, reject: false, hintIndex: 0, hintTerm: 0 });
    leader.auto = false;
    leader.out.length = 0;
    leader.propose('a');
    assert.equal(leader.sent('append').find(({ to }) => to === 2)?.entries.length, 1);
    leader.step({ type: 'append-response', from: 2, to: 1, term, index: 3, reject: false, hintIndex: 0, hintTerm: 0 });
    assert.equal(leader.core.committed, 2);
    leader.sync();
    assert.equal(leader.core.committed, 3);
  });

  it('what a majority of others has written is committed before the leader has, and applied after (10.2.1)', () => {
    const leader = new Bench(1, { voters: [1, 2, 3] }).lead();
    const { term } = leader.core;
    const ack = (from: number, index: number) =>
      leader.step({ type: 'append-response', from, to: 1, term, index, reject: false, hintIndex: 0, hintTerm: 0 });
    ack(2, 2);
    ack(3, 2);
    leader.auto = false;
    leader.propose('a');
    ack(2, 3);
    ack(3, 3);
    assert.equal(leader.core.committed, 3);
    assert.deepEqual(texts(leader), []);
    leader.sync();
    assert.deepEqual(texts(leader), ['a']);
  });

  it('appends are pipelined, up to a number and up to a size (10.2.2)', () => {
    for (const limits of [{ maxInflightMessages: 3 }, { maxInflightBytes: 100 }]) {
      const leader = new Bench(1, { voters: [1, 2, 3] }, limits).lead();
      const { term } = leader.core;
      const ack = (index: number) =>
        leader.step({ type: 'append-response', from: 2, to: 1, term, index, reject: false, hintIndex: 0, hintTerm: 0 });
      ack(2);
      leader.out.length = 0;
      for (let count = 1; count <= 6; count++) leader.propose('four', count);
      const sent = () => leader.sent('append').filter(({ to, entries }) => to === 2 && entries.length > 0);
      assert.deepEqual(
        sent().map(({ prevIndex }) => prevIndex),
        [2, 3, 4],
      );
      ack(3);
      // What waited goes in one append.
      assert.deepEqual(
        sent().map(({ prevIndex, entries }) => [prevIndex, entries.length]),
        [[5, 3]],
      );
    }
  });

  it('entries that came together leave together, up to a size', () => {
    const leader = new Bench(1, { voters: [1, 2, 3] }, { maxAppendBytes: 100 }).lead();
    const { term } = leader.core;
    leader.step({ type: 'append-response', from: 2, to: 1, term, index: 2, reject: false, hintIndex: 0, hintTerm: 0 });
    leader.out.length = 0;
    for (let sequence = 1; sequence <= 5; sequence++) {
      leader.core.propose({ session: 1, sequence, lowest: 1, data: Buffer.from('four') });
    }
    leader.pump();
    const sizes = leader
      .sent('append')
      .filter(({ to }) => to === 2)
      .map(({ entries }) => entries.length);
    assert.deepEqual(sizes, [2, 2, 1]);
  });

  it('after a loss the leader probes with one append until it knows where the follower is', () => {
    const leader = new Bench(1, { voters: [1, 2, 3] }).lead();
    const { term } = leader.core;
    leader.step({ type: 'append-response', from: 2, to: 1, term, index: 2, reject: false, hintIndex: 0, hintTerm: 0 });
    leader.core.unreachable(2);
    leader.out.length = 0;
    for (let count = 1; count <= 3; count++) leader.propose('x', count);
    assert.equal(leader.sent('append').filter(({ to }) => to === 2).length, 1);
    leader.step({ type: 'append-response', from: 2, to: 1, term, index: 3, reject: false, hintIndex: 0, hintTerm: 0 });
    assert.deepEqual(
      leader
        .sent('append')
        .filter(({ to }) => to === 2)
        .map(({ entries }) => entries.length),
      [2],
    );
  });

  it('a leader takes no more than it may hold uncommitted, whoever proposes', () => {
    const leader = new Bench(1, { voters: [1, 2] }, { maxUncommittedBytes: 1000 }).lead();
    assert.deepEqual(leader.propose('x'.repeat(900), 1), { accepted: true });
    const answer = leader.propose('x'.repeat(900), 2);
    assert.ok(
      answer !== 'busy' && typeof answer === 'object' && !answer.accepted && /limit is 1000/.test(answer.reason),
    );
    const { term, lastIndex } = leader.core;
    leader.step({
      type: 'append-response',
      from: 2,
      to: 1,
      term,
      index: lastIndex,
      reject: false,
      hintIndex: 0,
      hintTerm: 0,
    });
    assert.deepEqual(leader.propose('x'.repeat(900), 3), { accepted: true });
  });
});

describe('messages that no honest member sends', () => {
  const follower = () => {
    const bench = new Bench(1, { voters: [1, 2, 3], terms: [1, 1], hardState: { commit: 2 } });
    bench.append(2, 3, [3, 1], []);
    return bench;
  };
  const wrong: [string, Message][] = [
    ['for somebody else', { type: 'timeout-now', from: 2, to: 9, term: 3 }],
    ['from this very member', { type: 'timeout-now', from: 1, to: 1, term: 3 }],
    ['of a second leader in a term', { type: 'heartbeat', from: 3, to: 1, term: 3, commit: 0, readSequence: 0 }],
    [
      'with a commit that this member never had',
      { type: 'heartbeat', from: 2, to: 1, term: 3, commit: 99, readSequence: 0 },
    ],
    ['meant for the driver', { type: 'snapshot-progress', from: 2, to: 1, term: 3, index: 1, logTerm: 1, offset: 0 }],
  ];
  for (const [what, message] of wrong) {
    it(`are refused and change nothing: ${what}`, () => {
      const bench = follower();
      const before = [bench.core.term, bench.core.lastIndex, bench.core.committed];
      assert.throws(() => bench.core.step(message), ProtocolError);
      assert.deepEqual([bench.core.term, bench.core.lastIndex, bench.core.committed], before);
    });
  }

  it('acknowledge what was never sent', () => {
    const leader = new Bench(1, { voters: [1, 2, 3] }).lead();
    const { term } = leader.core;
    const message = {
      type: 'append-response',
      from: 2,
      to: 1,
      term,
      index: 99,
      reject: false,
      hintIndex: 0,
      hintTerm: 0,
    } as const;
    assert.throws(() => leader.core.step(message), ProtocolError);
    assert.equal(leader.core.committed, 1);
  });
});
