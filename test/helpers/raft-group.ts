import { ShoalError } from '../../src/model/errors.js';
import type { Member, RaftNode, RaftStatus, StateMachine } from '../../src/raft/node.js';

interface Running {
  self: Member;
  stateMachine: StateMachine;
  applied: number;
  watchers: Set<(status: RaftStatus) => void>;
}

/**
 * Agreement without Raft, for tests of what stands on it: one log in memory, applied at once on every running member. It has a
 * leader exactly while more than half of its members run.
 */
export class RaftGroup {
  #log: Uint8Array[] = [];
  #members: Member[] = [];
  #running = new Map<number, Running>();
  #leader = 0;

  async open(self: Member, stateMachine: StateMachine, isFirst: boolean): Promise<RaftNode> {
    if (isFirst) this.#members.push(self);
    const running: Running = { self, stateMachine, applied: 0, watchers: new Set() };
    this.#running.set(self.id, running);
    this.#settle();
    return this.#node(running);
  }

  /** As if the process were gone. */
  kill(id: number): void {
    this.#running.delete(id);
    this.#settle();
  }

  get members(): readonly Member[] {
    return this.#members;
  }

  get leader(): number {
    return this.#leader;
  }

  #settle(): void {
    const up = this.#members.filter(({ id }) => this.#running.has(id));
    const hasQuorum = up.length > this.#members.length / 2;
    if (!hasQuorum) this.#leader = 0;
    else if (!up.some(({ id }) => id === this.#leader)) this.#leader = up[0]!.id;
    for (const running of this.#running.values()) this.#catchUp(running);
    setImmediate(() => {
      for (const running of this.#running.values()) for (const call of running.watchers) call(this.#status(running));
    });
  }

  #catchUp(running: Running): unknown {
    let result: unknown;
    while (running.applied < this.#log.length) {
      running.applied += 1;
      result = running.stateMachine.apply(running.applied, this.#log[running.applied - 1]!);
    }
    return result;
  }

  #status({ self, applied }: Running): RaftStatus {
    return {
      id: self.id,
      term: 1,
      role: this.#leader === self.id ? 'leader' : 'follower',
      leader: this.#members.some(({ id }) => id === self.id) ? this.#leader : 0,
      commitIndex: this.#log.length,
      appliedIndex: applied,
      members: this.#members.map((member) => ({ ...member, learner: false })),
      silence_ms: new Map(this.#members.map(({ id }) => [id, this.#running.has(id) ? 0 : 60_000])),
    };
  }

  #node(running: Running): RaftNode {
    const { id } = running.self;
    const needLeader = () => {
      if (this.#status(running).leader === 0) throw new ShoalError('no-leader', 'no leader');
    };
    const needLead = () => {
      if (this.#leader !== id) throw new ShoalError('no-leader', 'not the leader');
    };
    return {
      propose: async (data) => {
        needLeader();
        this.#log.push(data);
        const index = this.#log.length;
        for (const other of this.#running.values()) if (other !== running) this.#catchUp(other);
        return { index, result: this.#catchUp(running) };
      },
      readBarrier: async () => {
        needLeader();
        this.#catchUp(running);
      },
      addMember: async (member) => {
        needLead();
        this.#members = [...this.#members.filter((other) => other.id !== member.id), member];
        this.#settle();
      },
      removeMember: async (gone) => {
        needLead();
        this.#members = this.#members.filter((member) => member.id !== gone);
        this.#settle();
      },
      transferLeadership: async (to) => {
        if (this.#leader !== id) return;
        const heir = to ?? this.#members.find((member) => member.id !== id && this.#running.has(member.id))?.id;
        if (heir !== undefined) this.#leader = heir;
        this.#settle();
      },
      setSnapshotPolicy: () => {},
      status: () => this.#status(running),
      onStatus: (call) => {
        running.watchers.add(call);
        return () => running.watchers.delete(call);
      },
      stop: async () => {
        running.watchers.clear();
        this.kill(id);
      },
    };
  }
}
