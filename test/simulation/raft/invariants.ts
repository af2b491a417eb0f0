import assert from 'node:assert/strict';
import type { RaftCore } from '../../../src/raft/core/core.js';

/** Who has the state that Raft's rules are about, while it runs. */
export interface Observed {
  readonly id: number;
  readonly core: RaftCore | undefined;
}

/** What one run of a member was seen to have. */
interface Seen {
  core: RaftCore;
  committed: number;
  ledTerm: number;
  /** The terms of its log by index, up to `lastIndex`. */
  terms: number[];
  lastIndex: number;
}

/** Terms stay far below: an index and a term as one number. */
const termLimit = 1_000_000;

/** The rules of the Raft dissertation (figure 3.2), looked at from outside after every step. */
export class Invariants {
  private readonly leaders = new Map<number, number>();
  /** The term of each committed entry, and the one it was committed in, as the first member to commit it had them. */
  private readonly committed: { term: number; inTerm: number }[] = [];
  private readonly applied: string[] = [];
  /** By index and term of an entry: the term of the one before it, wherever it was first seen. */
  private readonly termsBefore = new Map<number, number>();
  /** By member: after every step only what is new has to be looked at. */
  private readonly seen: (Seen | undefined)[] = [];

  check(processes: readonly Observed[]): void {
    for (const { id, core } of processes) {
      if (core === undefined) continue;
      let seen = this.seen[id];
      if (seen?.core !== core) {
        seen = { core, committed: 0, ledTerm: 0, terms: [], lastIndex: 0 };
        this.seen[id] = seen;
      }
      const { lastIndex } = core;
      if (lastIndex !== seen.lastIndex || core.termAt(lastIndex) !== seen.terms[lastIndex]) this.checkLog(id, seen);
      if (core.committed !== seen.committed) this.checkCommitted(id, seen);
      if (core.role === 'leader' && core.term !== seen.ledTerm) this.checkLeader(id, seen);
    }
  }

  /**
   * Log matching: entries of one index and term have the same entry before them everywhere, and so on down to the first; and a leader
   * only appends in its term.
   */
  private checkLog(id: number, seen: Seen): void {
    const { core, terms } = seen;
    const { lastIndex, firstIndex } = core;
    let index = lastIndex;
    for (; index >= firstIndex; index--) {
      const term = core.termAt(index) as number;
      if (index <= seen.lastIndex && terms[index] === term) break;
      terms[index] = term;
      const before = core.termAt(index - 1) as number;
      const known = this.termsBefore.get(index * termLimit + term);
      if (known === undefined) this.termsBefore.set(index * termLimit + term, before);
      else assert.equal(before, known, `${id} has another entry before entry ${index} of term ${term} than others`);
    }
    const appended = index >= seen.lastIndex || firstIndex > seen.lastIndex;
    const leads = core.role === 'leader' && core.term === seen.ledTerm;
    assert.ok(appended || !leads, `leader ${id} of term ${core.term} replaced entries of its log after ${index}`);
    seen.lastIndex = lastIndex;
    terms[lastIndex] = core.termAt(lastIndex) as number;
  }

  /** Election safety: at most one leader a term. */
  private checkLeader(id: number, seen: Seen): void {
    const { core } = seen;
    const known = this.leaders.get(core.term);
    assert.ok(known === undefined || known === id, `${known} and ${id} both lead term ${core.term}`);
    this.leaders.set(core.term, id);
    seen.ledTerm = core.term;
    this.checkLeaderCompleteness(id, core);
  }

  /** Leader completeness: a leader has every entry that was committed in an earlier term. Stale leaders count as of their term. */
  private checkLeaderCompleteness(id: number, core: RaftCore): void {
    for (let index = core.firstIndex; index < this.committed.length; index++) {
      const known = this.committed[index];
      if (known === undefined || known.inTerm > core.term) continue;
      assert.equal(core.termAt(index), known.term, `leader ${id} of term ${core.term} lacks committed entry ${index}`);
    }
  }

  /** State machine safety, on the log: no two members commit different entries at one index. Commit never goes back. */
  private checkCommitted(id: number, seen: Seen): void {
    const { core, committed: from } = seen;
    assert.ok(core.committed >= from, `the commit index of ${id} went back from ${from} to ${core.committed}`);
    seen.committed = core.committed;
    for (let index = Math.max(from + 1, core.firstIndex); index <= core.committed; index++) {
      const term = core.termAt(index) as number;
      const known = this.committed[index];
      if (known === undefined) this.committed[index] = { term, inTerm: core.term };
      else assert.equal(term, known.term, `${id} commits entry ${index} of term ${term}, another one was committed`);
    }
  }

  /** Log matching once more, on whole logs and thus not after every step: those that agree at an index agree on all before it. */
  checkLogMatching(processes: readonly Observed[]): void {
    const running = processes.filter(({ core }) => core !== undefined) as { id: number; core: RaftCore }[];
    for (const left of running) {
      for (const right of running) {
        if (left.id >= right.id) continue;
        const first = Math.max(left.core.firstIndex, right.core.firstIndex);
        let agree = false;
        for (let index = Math.min(left.core.lastIndex, right.core.lastIndex); index >= first; index--) {
          const same = left.core.termAt(index) === right.core.termAt(index);
          assert.ok(same || !agree, `the logs of ${left.id} and ${right.id} agree after entry ${index}, not on it`);
          agree ||= same;
        }
      }
    }
  }

  /** State machine safety, on what is applied. */
  checkApplied(id: number, index: number, text: string): void {
    const known = this.applied[index];
    if (known === undefined) this.applied[index] = text;
    else assert.equal(text, known, `${id} applies another entry ${index} than others did`);
  }

  /** ... and on what a snapshot of everything up to `index` stands for. */
  checkRestored(id: number, index: number, items: readonly string[]): void {
    const known = this.applied.slice(0, index + 1).filter((text) => text !== undefined);
    const same = known.length === items.length && known.every((text, place) => text === items[place]);
    assert.ok(same, `${id} is restored to another state as of ${index} than others had`);
  }

  /** Whoever is told that it is done finds it done: from then on no leader lacks it. */
  checkAcknowledged(index: number, text: string): void {
    assert.equal(this.applied[index], text, `entry ${index} was acknowledged for another one`);
  }
}
