import assert from 'node:assert/strict';
import { seededRandom } from '../../../src/model/random.js';
import { Bench, entryOf, Group } from '../../helpers/raft-core.js';

// The rules of Ongaro's dissertation "Consensus: bridging theory and practice" (2014) on terms and elections, section by section.

const vote = (from: number, to: number, term: number, lastIndex = 1, lastTerm = 1, transfer = false) =>
  ({ type: 'vote', from, to, term, lastIndex, lastTerm, transfer }) as const;
const preVote = (from: number, to: number, term: number, lastIndex = 1, lastTerm = 1) =>
  ({ type: 'pre-vote', from, to, term, lastIndex, lastTerm }) as const;

describe('dissertation 3.3, terms', () => {
  it('a member that sees a higher term enters it', () => {
    const follower = new Bench(1, { voters: [1, 2, 3] });
    follower.append(2, 5, [1, 1], []);
    assert.equal(follower.core.term, 5);
    assert.equal(follower.core.leader, 2);
  });

  it('a leader or candidate whose term is out of date becomes a follower', () => {
    const leader = new Bench(1, { voters: [1, 2, 3] }).lead();
    assert.equal(leader.core.role, 'leader');
    leader.append(2, leader.core.term + 1, [1, 1], []);
    assert.equal(leader.core.role, 'follower');
    assert.equal(leader.core.leader, 2);
  });

  it('a request with a stale term is refused', () => {
    const follower = new Bench(1, { voters: [1, 2, 3], hardState: { term: 5 } });
    follower.append(2, 4, [1, 1], [entryOf(2, 4, 'old')]);
    const [answer] = follower.sent('append-response');
    assert.deepEqual([answer?.reject, answer?.term], [true, 5]);
    assert.equal(follower.core.lastIndex, 1);
    follower.step(vote(3, 1, 4));
    assert.equal(follower.sent('vote-response')[0]?.reject, true);
  });
});

describe('dissertation 3.4, leader election', () => {
  it('members start as followers', () => {
    assert.equal(new Bench(1, { voters: [1, 2, 3] }).core.role, 'follower');
  });

  it('a follower stays one while it hears from its leader', () => {
    const follower = new Bench(1, { voters: [1, 2, 3] });
    for (let beat = 0; beat < 10; beat++) {
      follower.tick(9);
      follower.step({ type: 'heartbeat', from: 2, to: 1, term: 1, commit: 0, readSequence: 0 });
    }
    assert.equal(follower.core.role, 'follower');
    assert.equal(follower.core.leader, 2);
  });

  it('time-outs are drawn anew each time, between one and two election timeouts', () => {
    const random = seededRandom(1);
    const seen = new Set<number>();
    for (let run = 0; run < 200; run++) {
      const follower = new Bench(1, { voters: [1, 2, 3] }, { random });
      let ticks = 0;
      while (follower.core.role === 'follower') {
        follower.tick();
        ticks++;
      }
      seen.add(ticks);
    }
    assert.equal(Math.min(...seen), 10);
    assert.equal(Math.max(...seen), 19);
    assert.equal(seen.size, 10);
  });

  it('a candidate enters a new term, votes for itself and asks everyone', () => {
    const candidate = new Bench(1, { voters: [1, 2, 3] });
    candidate.tick(10);
    candidate.step({ type: 'pre-vote-response', from: 2, to: 1, term: 2, reject: false });
    assert.equal(candidate.core.role, 'candidate');
    assert.deepEqual(candidate.disk.hardState, { term: 2, vote: 1, commit: 1 });
    assert.deepEqual(
      candidate.sent('vote').map(({ to, term }) => [to, term]),
      [
        [2, 2],
        [3, 2],
      ],
    );
  });

  it('a majority of votes wins, a minority does not', () => {
    const group = new Group([1, 2, 3, 4, 5]);
    group.isolate(4, 5);
    group.elect(1);
    assert.deepEqual(group.leaders, [1]);
    const other = new Group([1, 2, 3, 4, 5]);
    other.isolate(3, 4, 5);
    other.elect(1);
    assert.deepEqual(other.leaders, []);
  });

  it('each member votes for at most one candidate a term, first come, first served', () => {
    const voter = new Bench(1, { voters: [1, 2, 3] });
    voter.step(vote(2, 1, 2));
    voter.step(vote(3, 1, 2));
    voter.step(vote(2, 1, 2));
    assert.deepEqual(
      voter.sent('vote-response').map(({ to, reject }) => [to, reject]),
      [
        [2, false],
        [3, true],
        [2, false],
      ],
    );
  });

  it('a vote is remembered over a restart', () => {
    const voter = new Bench(1, { voters: [1, 2, 3] });
    voter.step(vote(2, 1, 2));
    voter.restart();
    voter.step(vote(3, 1, 2));
    assert.equal(voter.sent('vote-response')[0]?.reject, true);
  });

  it('a candidate that hears from a leader of its term follows it; a leader of an earlier term does not count', () => {
    for (const [term, role] of [
      [2, 'follower'],
      [1, 'candidate'],
    ] as const) {
      const candidate = new Bench(1, { voters: [1, 2, 3] });
      candidate.tick(10);
      candidate.step({ type: 'pre-vote-response', from: 2, to: 1, term: 2, reject: false });
      candidate.append(3, term, [1, 1], []);
      assert.equal(candidate.core.role, role);
    }
  });

  it('a split vote ends with a new election in a new term', () => {
    const group = new Group([1, 2]);
    group.isolate(1);
    group.elect(1);
    group.heal();
    group.elect(1);
    assert.deepEqual(group.leaders, [1]);
  });

  it('a single member wins at once, when its vote is on disk', () => {
    const alone = new Bench(1, { voters: [1] });
    alone.auto = false;
    alone.core.campaign();
    alone.pump();
    assert.equal(alone.core.role, 'candidate');
    alone.sync();
    assert.equal(alone.core.role, 'leader');
  });
});

describe('dissertation 3.6.1, election restriction', () => {
  const cases: [string, { lastIndex: number; lastTerm: number }, boolean][] = [
    ['a later last term', { lastIndex: 2, lastTerm: 4 }, false],
    ['the same log', { lastIndex: 4, lastTerm: 3 }, false],
    ['a longer log of the same term', { lastIndex: 5, lastTerm: 3 }, false],
    ['a shorter log of the same term', { lastIndex: 3, lastTerm: 3 }, true],
    ['a longer log of an earlier term', { lastIndex: 9, lastTerm: 2 }, true],
  ];
  for (const [what, { lastIndex, lastTerm }, reject] of cases) {
    it(`a candidate with ${what} is ${reject ? 'refused' : 'granted'} the vote`, () => {
      const voter = new Bench(1, { voters: [1, 2, 3], hardState: { term: 3 }, terms: [1, 2, 3] });
      voter.step(preVote(2, 1, 5, lastIndex, lastTerm));
      assert.equal(voter.sent('pre-vote-response')[0]?.reject, reject);
      voter.step(vote(2, 1, 5, lastIndex, lastTerm));
      assert.equal(voter.sent('vote-response')[0]?.reject, reject);
    });
  }
});

describe('dissertation 3.8, what is on disk before it counts', () => {
  it('a vote leaves after it was synced, not before', () => {
    const voter = new Bench(1, { voters: [1, 2, 3] });
    voter.auto = false;
    voter.step(vote(2, 1, 2));
    assert.deepEqual(voter.sent('vote-response'), []);
    assert.deepEqual(voter.takeReady()?.hardState, { term: 2, vote: 2, commit: 1 });
    voter.sync();
    assert.equal(voter.sent('vote-response').length, 1);
  });

  it('a candidate asks for votes only after its own is synced', () => {
    const candidate = new Bench(1, { voters: [1, 2, 3] });
    candidate.auto = false;
    candidate.tick(10);
    candidate.step({ type: 'pre-vote-response', from: 2, to: 1, term: 2, reject: false });
    assert.deepEqual(candidate.sent('vote'), []);
    candidate.sync();
    assert.equal(candidate.sent('vote').length, 2);
  });

  it('a follower acknowledges entries only after they are synced', () => {
    const follower = new Bench(1, { voters: [1, 2, 3] });
    follower.auto = false;
    follower.append(2, 1, [1, 1], [entryOf(2, 1, 'a')]);
    assert.deepEqual(follower.sent('append-response'), []);
    follower.sync();
    assert.equal(follower.sent('append-response')[0]?.index, 2);
  });

  it('a follower that enters a term does not answer its leader before the term is synced', () => {
    const follower = new Bench(1, { voters: [1, 2, 3] });
    follower.auto = false;
    follower.step({ type: 'heartbeat', from: 2, to: 1, term: 4, commit: 0, readSequence: 1 });
    assert.deepEqual(follower.sent('heartbeat-response'), []);
    follower.sync();
    assert.equal(follower.sent('heartbeat-response').length, 1);
    follower.step({ type: 'heartbeat', from: 2, to: 1, term: 4, commit: 0, readSequence: 2 });
    assert.equal(follower.sent('heartbeat-response').length, 1);
  });
});

describe('dissertation 4.2.3, disruptive members', () => {
  it('a vote is not given while there is a leader, and the term stays', () => {
    const follower = new Bench(1, { voters: [1, 2, 3] });
    follower.append(2, 1, [1, 1], []);
    follower.out.length = 0;
    follower.step(preVote(3, 1, 2, 9, 1));
    follower.step(vote(3, 1, 2, 9, 1));
    assert.deepEqual(follower.out, []);
    assert.equal(follower.core.term, 1);
    follower.tick(9);
    follower.step(vote(3, 1, 2, 9, 1));
    assert.equal(follower.core.term, 1);
    follower.tick();
    follower.step(vote(3, 1, 2, 9, 1));
    assert.equal(follower.sent('vote-response').at(-1)?.reject, false);
  });

  it('a leader in touch with a majority does not step down for a candidate', () => {
    const group = new Group([1, 2, 3]).elect(1);
    const { term } = group.at(1).core;
    group.at(1).step(vote(3, 1, term + 1, 9, term));
    assert.equal(group.at(1).core.role, 'leader');
  });
});

describe('dissertation 6.2, a leader that has lost its majority', () => {
  it('steps down within an election timeout', () => {
    const group = new Group([1, 2, 3]).elect(1);
    group.isolate(1);
    group.tick(21, [1]);
    assert.equal(group.at(1).core.role, 'follower');
    assert.equal(group.at(1).core.leader, 0);
  });

  it('leads on when only a minority is gone', () => {
    const group = new Group([1, 2, 3]).elect(1);
    group.isolate(3);
    group.tick(50, [1]);
    assert.deepEqual(group.leaders, [1]);
  });
});

describe('dissertation 9.6, pre-vote', () => {
  it('a member that was cut off comes back without disturbing anyone', () => {
    const group = new Group([1, 2, 3]).elect(1);
    const { term } = group.at(1).core;
    group.isolate(3);
    group.tick(100, [1, 3]);
    assert.equal(group.at(3).core.term, term);
    group.heal();
    group.tick(25, [1, 2, 3]);
    assert.deepEqual(group.leaders, [1]);
    assert.equal(group.at(3).core.term, term);
    assert.equal(group.at(3).core.leader, 1);
  });

  it('asking for it changes nothing, on either side', () => {
    const voter = new Bench(1, { voters: [1, 2, 3] });
    const before = structuredClone(voter.disk.hardState);
    voter.step(preVote(2, 1, 2));
    assert.equal(voter.sent('pre-vote-response')[0]?.reject, false);
    voter.step(preVote(3, 1, 2));
    assert.equal(voter.sent('pre-vote-response')[0]?.reject, false);
    assert.deepEqual(voter.disk.hardState, before);
  });

  it('answers to an earlier round do not count', () => {
    const candidate = new Bench(1, { voters: [1, 2, 3], hardState: { term: 4 } });
    candidate.tick(10);
    assert.equal(candidate.core.role, 'pre-candidate');
    candidate.step({ type: 'pre-vote-response', from: 2, to: 1, term: 4, reject: false });
    assert.equal(candidate.core.role, 'pre-candidate');
    candidate.step({ type: 'pre-vote-response', from: 2, to: 1, term: 5, reject: false });
    assert.equal(candidate.core.role, 'candidate');
  });

  it('a member with a higher term than the leader is not stuck: the leader learns of it', () => {
    const group = new Group([1, 2, 3], {}, { 3: { hardState: { term: 7 } } });
    group.isolate(3);
    group.elect(1);
    assert.deepEqual(group.leaders, [1]);
    group.heal();
    group.tick(1, [1]);
    assert.deepEqual(group.leaders, []);
    group.tick(10, [1]);
    assert.deepEqual(group.leaders, [1]);
    assert.ok(group.at(1).core.term > 7);
  });
});
