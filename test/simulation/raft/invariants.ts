import assert from 'node:assert/strict';
import type { RaftCore } from '../../../src/raft/core/core.js';

/** The state that Raft's rules are about, of one process that runs. */
export interface Observed {
  id: number;
  core: RaftCore;
}

/** The rules of the Raft dissertation (figure 3.2), looked at from outside after every step. */
export class Invariants {
  private readonly leaders = new Map<number, number>();
  /** The term of each committed entry, as the first member to commit it had it. */
  private readonly committedTerms: number[] = [];
  private readonly applied: string[] = [];
  private readonly seenCommit = new WeakMap<RaftCore, number>();
  private readonly seenLeader = new WeakMap<RaftCore, number>();

  check(processes: readonly Observed[]): void {
    for (const { id, core } of processes) {
      this.checkCommitted(id, core);
      if (core.role === 'leader') this.checkLeader(id, core);
    }
  }

  /** Election safety: at most one leader a term. */
  private checkLeader(id: number, core: RaftCore): void {
    const known = this.leaders.get(core.term);
    assert.ok(known === undefined || known === id, `${known} and ${id} both lead term ${core.term}`);
    this.leaders.set(core.term, id);
    if (this.seenLeader.get(core) === core.term) return;
    this.seenLeader.set(core, core.term);
    this.checkLeaderCompleteness(id, core);
  }

  /** Leader completeness: a leader has every entry that was committed in an earlier term. Stale leaders count as of their term. */
  private checkLeaderCompleteness(id: number, core: RaftCore): void {
    for (let index = core.firstIndex; index < this.committedTerms.length; index++) {
      const term = this.committedTerms[index];
      if (term === undefined || term > core.term) continue;
      assert.equal(core.termAt(index), term, `leader ${id} of term ${core.term} lacks committed entry ${index}`);
    }
  }

  /** State machine safety, on the log: no two members commit different entries at one index. Commit never goes back. */
  private checkCommitted(id: number, core: RaftCore): void {
    const from = this.seenCommit.get(core) ?? 0;
    assert.ok(core.committed >= from, `the commit index of ${id} went back from ${from} to ${core.committed}`);
    if (core.committed === from) return;
    this.seenCommit.set(core, core.committed);
    for (let index = Math.max(from + 1, core.firstIndex); index <= core.committed; index++) {
      const term = core.termAt(index) as number;
      const known = this.committedTerms[index];
      if (known === undefined) this.committedTerms[index] = term;
      else assert.equal(term, known, `${id} commits entry ${index} of term ${term}, it was committed with ${known}`);
    }
  }

  /** Log matching: two logs that agree on the term at an index agree on everything before it. */
  checkLogMatching(processes: readonly Observed[]): void {
    for (const left of processes) {
      for (const right of processes) {
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
}
