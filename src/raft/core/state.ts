import type { Member } from '../node.js';
import { Configurations } from './configurations.js';
import type { Context, CoreOptions, Outgoing } from './context.js';
import { invariant } from './invariant.js';
import type { Leadership } from './leadership.js';
import { type LogPosition, RaftLog } from './log.js';
import { isVoter } from './membership.js';
import type { Entry, HardState, Message, SnapshotMeta } from './types.js';

export type Role = 'follower' | 'pre-candidate' | 'candidate' | 'leader';

/** A proposal of this member that the leader of `term` refused; a later leader may have been sent it since. */
export interface Refusal {
  term: number;
  session: number;
  sequence: number;
  reason: string;
}

/** What this member asked for, and may read as soon as `index` is applied here. */
export interface ReadState {
  request: number;
  index: number;
}

/** What was on the disk when the member started. */
export interface Recovered {
  hardState: HardState;
  /** Where the log starts: the entry just before the first one. */
  base: LogPosition;
  entries: readonly Entry[];
  /** Its index is not below the base's, and not above the last entry's. */
  snapshot: SnapshotMeta | undefined;
}

/** Everything a member knows. Term and vote only ever move forward; `leader` is 0 or the one leader of `term`. */
export class CoreState implements Context {
  term: number;
  vote: number;
  role: Role = 'follower';
  leader = 0;
  /** Set exactly while `role` is leader. */
  leadership: Leadership | undefined;
  /** The answers so far, exactly while `role` is candidate or pre-candidate. */
  votes: Map<number, boolean> | undefined;
  electionElapsed = 0;
  electionTimeout = 0;

  readonly log: RaftLog;
  readonly configurations = new Configurations();
  snapshot: SnapshotMeta | undefined;
  /** A snapshot that was accepted and is not yet on disk and restored; nothing is applied meanwhile. */
  restoring: SnapshotMeta | undefined;

  /** Own reads that were confirmed, and own proposals that were refused, to be fetched. */
  readonly readStates: ReadState[] = [];
  readonly refusals: Refusal[] = [];

  /** May leave at once. */
  readonly immediate: Message[] = [];
  /** May leave only when all that changed before them is on disk. */
  readonly afterSync: Message[] = [];
  /** The term that is known to be on disk. */
  durableTerm: number;

  constructor(
    readonly options: CoreOptions,
    recovered: Recovered,
  ) {
    const { hardState, base, entries, snapshot } = recovered;
    this.term = hardState.term;
    this.vote = hardState.vote;
    this.durableTerm = hardState.term;
    this.log = new RaftLog(base, entries);
    this.snapshot = snapshot;
    if (snapshot !== undefined) {
      invariant(snapshot.index >= base.index, 'the log starts after the snapshot');
      this.configurations.reset(snapshot.index, snapshot.membership);
      this.log.commitTo(snapshot.index);
      this.log.skipApplied(snapshot.index);
    }
    this.configurations.append(entries);
    this.log.commitTo(Math.min(hardState.commit, this.log.lastIndex));
    this.drawTimeout();
  }

  get id(): number {
    return this.options.id;
  }

  send(message: Outgoing): void {
    this.immediate.push(this.signed(message));
  }

  /** It is made to be sent once, so what is missing is put into it: a copy of each message costs more than the rest of sending it. */
  private signed(message: Outgoing): Message {
    const whole = message as { from?: number; term?: number };
    whole.from = this.id;
    whole.term = this.term;
    return message as Message;
  }

  /** Sends once term, vote and log as they are now are on disk. */
  sendAfterSync(message: Outgoing): void {
    if (message.type === 'append-response' && !message.reject && this.acknowledgedBefore(message)) return;
    this.afterSync.push(this.signed(message));
  }

  /** Lets the acknowledgement that waits already speak for this one, too: both are of everything up to an index. */
  private acknowledgedBefore({ to, index }: { to: number; index: number }): boolean {
    const last = this.afterSync.at(-1);
    if (last?.type !== 'append-response' || last.reject || last.to !== to || last.term !== this.term) return false;
    this.afterSync[this.afterSync.length - 1] = { ...last, index: Math.max(last.index, index) };
    return true;
  }

  private drawTimeout(): void {
    const { electionTicks, random } = this.options;
    this.electionTimeout = electionTicks + random.below(electionTicks);
  }

  private enter(role: Role, leader: number): void {
    this.role = role;
    this.leader = leader;
    this.leadership = undefined;
    this.votes = undefined;
    this.electionElapsed = 0;
    this.drawTimeout();
  }

  private enterTerm(term: number, vote: number): void {
    invariant(term > this.term, `term would go from ${this.term} to ${term}`);
    this.term = term;
    this.vote = vote;
  }

  /** `leader` 0: not known. */
  becomeFollower(term: number, leader: number): void {
    if (term !== this.term) this.enterTerm(term, 0);
    this.enter('follower', leader);
  }

  becomePreCandidate(): void {
    this.enter('pre-candidate', 0);
    this.votes = new Map();
  }

  becomeCandidate(): void {
    this.enterTerm(this.term + 1, this.id);
    this.enter('candidate', 0);
    this.votes = new Map();
  }

  becomeLeader(lead: (context: Context) => Leadership): void {
    invariant(this.role === 'candidate', `a ${this.role} cannot become leader`);
    this.enter('leader', this.id);
    this.leadership = lead(this);
  }

  /** Whether a leader was heard of so lately that nobody needs an election (dissertation 4.2.3). */
  get hasLease(): boolean {
    return this.leader !== 0 && this.electionElapsed < this.options.electionTicks;
  }

  /**
   * Whether this member may stand for election: a voter of the latest membership, or of the one before while the latest is not
   * known to be committed (4.2.2: the member being removed may be the only one that can win).
   */
  get promotable(): boolean {
    if (this.restoring !== undefined) return false;
    if (isVoter(this.configurations.latest, this.id)) return true;
    const { latestIndex } = this.configurations;
    return latestIndex > this.log.committed && isVoter(this.configurations.at(this.log.committed), this.id);
  }

  /** Everyone that this member may have to talk to. */
  get peers(): Member[] {
    const { voters, learners } = this.configurations.latest;
    const departing = this.leadership?.departingMembers() ?? [];
    return [...voters, ...learners, ...departing].filter((member) => member.id !== this.id);
  }
}
