/** What the rest of the product sees of Raft: bytes in, in one order on every member; verdicts out. */
export interface RaftNode {
  /**
   * Replicates `data` and resolves with what the state machine's `apply` returned for it here, once it was applied here.
   * Any member may propose: a follower's proposal is forwarded to the leader. Throws ShoalError `no-leader`, `overloaded`,
   * or `unavailable` when the fate of the proposal is not known.
   * `term`: it counts in this term only. Throws `out-of-sequence` once it can no longer be in an entry of it.
   */
  propose(data: Uint8Array, term?: number): Promise<{ index: number; result: unknown }>;

  /** Resolves once everything acknowledged before the call is applied here (ReadIndex, dissertation 6.4). */
  readBarrier(): Promise<void>;

  /**
   * Adds a voter, on the leader only, else `no-leader`. Resolves once it is committed as a learner, so that it can be told its
   * id and start; it is promoted by itself when caught up. With an id that is there already: changes its address.
   */
  addMember(member: Member): Promise<void>;
  /** Removes a member, on the leader only, else `no-leader`; resolves once that is committed. The leader may remove itself. */
  removeMember(id: number): Promise<void>;
  /** Hands leadership to `id`, or to the most advanced voter; resolves when this node leads no more (at once if it did not). */
  transferLeadership(id?: number): Promise<void>;

  /** What is given holds from now on. */
  setSnapshotPolicy(policy: Partial<SnapshotSettings>): void;

  status(): RaftStatus;
  /** Calls back after every change of leader, term or membership; the result stops it. */
  onStatus(call: (status: RaftStatus) => void): () => void;

  /** Flushes and stops; nothing calls back afterwards. A leader hands over first when `handOver`. */
  stop(options?: { handOver?: boolean }): Promise<void>;
}

/** What the cluster may want of its managers' snapshots. */
export interface SnapshotSettings {
  /** A snapshot is taken after so many applied entries. */
  everyEntries: number;
  /** So many are kept behind it for slow followers, or fewer that are 16 MiB together. */
  trailingEntries: number;
  /** So many snapshots before the newest stay on disk, with the log from the oldest of them on. */
  keepOld: number;
}

export interface Member {
  /** Raft's id of the member: positive, never used twice in a cluster. */
  id: number;
  /** The cluster's node id behind it. */
  nodeID: string;
  /** host:port where its peers reach it. */
  address: string;
}

export interface RaftStatus {
  id: number;
  term: number;
  role: 'follower' | 'pre-candidate' | 'candidate' | 'leader';
  /** 0 when none is known. */
  leader: number;
  commitIndex: number;
  appliedIndex: number;
  members: readonly (Member & { learner: boolean })[];
  /** On a leader: milliseconds since each other member was last heard of. */
  silence_ms: ReadonlyMap<number, number>;
}

/** What the log is applied to. Calls come one at a time, in order of index, each index once between a restore and the next. */
export interface StateMachine {
  apply(index: number, data: Uint8Array): unknown;
  /** The whole state as of the last applied index, as chunks; must not see later writes while it is being read. */
  snapshot(): AsyncIterable<Uint8Array>;
  /** Replaces the whole state. */
  restore(index: number, chunks: AsyncIterable<Uint8Array>): Promise<void>;
}
