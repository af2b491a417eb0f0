import { ShoalError } from '../../model/errors.js';
import type { Member } from '../node.js';
import { encodeMembership } from '../wire/membership.js';
import { Acceptance } from './acceptance.js';
import type { Context } from './context.js';
import { invariant } from './invariant.js';
import { LearnerRounds } from './learners.js';
import { changeMembership, type MembershipChange } from './membership.js';
import { type ConfirmedRead, LeaderReads, type ReadRequest } from './reads.js';
import { Replication } from './replication.js';
import type { EntryType, MessageOf } from './types.js';

const nothing = new Uint8Array(0);
/** Ticks between two orders to the member that takes over, in case one is lost. */
const transferRetryTicks = 3;

export interface Proposal {
  session: number;
  sequence: number;
  /** Every sequence of the session below this is settled. */
  lowest: number;
  data: Uint8Array;
}
/** `busy`: neither taken nor refused, ask again. */
export type ProposalAnswer = { accepted: true } | { accepted: false; reason: string } | 'busy';

/** What a member has while it leads, and only then: it all goes when it steps down. */
export class Leadership {
  private readonly replication: Replication;
  private readonly reads = new LeaderReads();
  private readonly acceptance = new Acceptance();
  private readonly learners: LearnerRounds;
  private uncommittedBytes: number;
  private transfer: { to: number; ticks: number } | undefined;
  private heartbeatElapsed = 0;
  private heartbeatDue = true;
  private quorumElapsed = 0;
  /** Why this leader takes no proposals, if it does not: its disk is full, say. */
  refusal: string | undefined;

  constructor(private readonly context: Context) {
    const { log } = context;
    this.replication = new Replication(context);
    this.learners = new LearnerRounds(context.options.electionTicks);
    this.uncommittedBytes = log.bytesBetween(log.committed, log.lastIndex);
    // Commits everything from earlier terms with it (dissertation 3.6.2), and opens the way for reads and membership changes.
    this.append('noop', nothing, 0, 0);
  }

  private append(type: EntryType, data: Uint8Array, session: number, sequence: number): number {
    const { log, term } = this.context;
    const index = log.lastIndex + 1;
    log.append({ index, term, type, data, session, sequence });
    this.uncommittedBytes += log.bytesBetween(index - 1, index);
    return index;
  }

  /** Sends what has gathered. The owner calls it once for all that came in together, so that one append carries it all. */
  flush(): void {
    if (this.reads.takeRound()) this.heartbeatDue = true;
    if (this.heartbeatDue) {
      this.heartbeatDue = false;
      this.replication.sendHeartbeats(this.reads.lastSequence);
    }
    this.replication.sendAppends();
  }

  /** True when this member must step down: no majority was heard of for an election timeout (dissertation 6.2). */
  tick(): boolean {
    const { electionTicks, heartbeatTicks } = this.context.options;
    const { tracker } = this.replication;
    if (++this.quorumElapsed >= electionTicks) {
      this.quorumElapsed = 0;
      if (!tracker.takeQuorumActive(this.context.id)) return true;
    }
    if (++this.heartbeatElapsed >= heartbeatTicks) {
      this.heartbeatElapsed = 0;
      this.heartbeatDue = true;
    }
    this.replication.tickDeparting(2 * electionTicks);
    this.tickTransfer();
    this.promoteLearners();
    return false;
  }

  appendResponse(message: MessageOf<'append-response'>): void {
    this.replication.appendResponse(message);
    if (!message.reject && message.from === this.transfer?.to) this.orderTransfer();
  }

  heartbeatResponse(message: MessageOf<'heartbeat-response'>): void {
    this.replication.heartbeatResponse(message);
  }

  /** The leader's own disk has everything up to `index`: only then does it count itself (dissertation 10.2.1). */
  persisted(index: number): void {
    const own = this.replication.tracker.get(this.context.id);
    if (own !== undefined && index > own.match) own.match = index;
  }

  /** Commits what a majority has. Entries of earlier terms are never counted, only committed along (dissertation 3.6.2). */
  advanceCommit(): boolean {
    const { log, term } = this.context;
    if (log.committed === log.lastIndex) return false;
    const index = this.replication.tracker.committed();
    if (index <= log.committed || log.term(index) !== term) return false;
    const before = log.committed;
    log.commitTo(index);
    this.uncommittedBytes -= log.bytesBetween(before, index);
    invariant(this.uncommittedBytes >= 0, 'more was committed than was appended');
    this.reads.release(log.committed);
    return true;
  }

  /** Whether this leader committed an entry of its own term, so that it knows all that is committed. */
  private get settled(): boolean {
    return this.context.log.term(this.context.log.committed) === this.context.term;
  }

  propose(proposal: Proposal): ProposalAnswer {
    const { session, sequence, lowest, data } = proposal;
    const { maxUncommittedBytes } = this.context.options;
    const known = this.acceptance.verdict(session, sequence);
    if (known !== undefined) return known === '' ? { accepted: true } : { accepted: false, reason: known };
    if (this.transfer !== undefined) return 'busy';
    let reason = this.refusal ?? '';
    if (reason === '' && this.uncommittedBytes > 0 && this.uncommittedBytes + data.length > maxUncommittedBytes) {
      reason = `the managers have ${this.uncommittedBytes} bytes of changes under way, the limit is ${maxUncommittedBytes}: try again shortly`;
    }
    this.acceptance.note(session, sequence, lowest, reason);
    if (reason !== '') return { accepted: false, reason };
    this.append('normal', data, session, sequence);
    return { accepted: true };
  }

  /**
   * Appends a membership entry and goes by it from now on. One at a time, and only after an entry of the leader's own term is
   * committed (the amendment of 2015 to dissertation 4.1); otherwise `busy`. Gives the index, or undefined when nothing changes.
   */
  changeMembership(changes: readonly MembershipChange[]): number | undefined | 'busy' {
    const { configurations, log } = this.context;
    if (this.changing) return 'busy';
    const data = encodeMembership(changeMembership(configurations.latest, changes));
    if (Buffer.compare(data, encodeMembership(configurations.latest)) === 0) return undefined;
    const index = this.append('membership', data, 0, 0);
    configurations.append(log.slice(index, Number.POSITIVE_INFINITY));
    this.replication.reconfigure();
    return index;
  }

  /** Whether this is not the time for a change of membership. */
  get changing(): boolean {
    const { configurations, log } = this.context;
    return !this.settled || configurations.latestIndex > log.committed || this.transfer !== undefined;
  }

  private promoteLearners(): void {
    const { tracker } = this.replication;
    const { learners } = tracker.membership;
    this.learners.keep(new Set(learners.map((member) => member.id)));
    for (const member of learners) {
      const progress = tracker.get(member.id);
      if (progress === undefined || !progress.recentlyActive) continue;
      if (!this.learners.tick(member.id, progress.match, this.context.log.lastIndex)) continue;
      if (this.changeMembership([{ action: 'voter', member }]) !== 'busy') return;
    }
  }

  /** The membership in force does not have this member as a voter, and that is committed: its time is over (4.2.2). */
  get removed(): boolean {
    const { configurations, log, id } = this.context;
    return configurations.latestIndex <= log.committed && !this.replication.tracker.isVoter(id);
  }

  read(read: ReadRequest): void {
    this.reads.add(read, this.settled ? this.context.log.committed : undefined);
  }

  takeConfirmedReads(): ConfirmedRead[] {
    return this.reads.none ? [] : this.reads.takeConfirmed(this.replication.tracker.readQuorum());
  }

  /** The voter that has most of the log, of those that answer. */
  get mostAdvanced(): number | undefined {
    const { tracker } = this.replication;
    let best: { id: number; match: number } | undefined;
    for (const { id } of tracker.membership.voters) {
      const progress = tracker.get(id);
      if (id === this.context.id || progress === undefined || !progress.recentlyActive) continue;
      if (best === undefined || progress.match > best.match) best = { id, match: progress.match };
    }
    return best?.id;
  }

  /** Lets `to` catch up and then start an election at once (dissertation 3.10). Throws ShoalError when it has no vote. */
  transferTo(to: number): void {
    if (!this.replication.tracker.isVoter(to)) {
      throw new ShoalError('failed-precondition', `manager ${to} has no vote, so it cannot lead`);
    }
    if (to === this.context.id || this.transfer?.to === to) return;
    this.transfer = { to, ticks: 0 };
    this.orderTransfer();
  }

  get transferring(): boolean {
    return this.transfer !== undefined;
  }

  private orderTransfer(): void {
    if (this.transfer === undefined) return;
    const progress = this.replication.tracker.get(this.transfer.to);
    if (progress?.match === this.context.log.lastIndex)
      this.context.send({ type: 'timeout-now', to: this.transfer.to });
  }

  private tickTransfer(): void {
    if (this.transfer === undefined) return;
    // It did not take over within an election timeout: this leader goes on.
    if (++this.transfer.ticks >= this.context.options.electionTicks) this.transfer = undefined;
    else if (this.transfer.ticks % transferRetryTicks === 0) this.orderTransfer();
  }

  /** On stepping down because it was removed: the others know of the commit, and one of them starts an election at once. */
  leave(): void {
    this.flush();
    const heir = this.mostAdvanced;
    if (heir !== undefined) this.context.send({ type: 'timeout-now', to: heir });
  }

  /** Members that were removed and may not know it yet. */
  departingMembers(): Member[] {
    return this.replication.departingMembers();
  }

  get departing(): number {
    return this.replication.departing;
  }

  takeSnapshotRequests(): number[] {
    return this.replication.takeSnapshotRequests();
  }

  unreachable(id: number): void {
    this.replication.unreachable(id);
  }

  snapshotReport(id: number, delivered: boolean): void {
    this.replication.snapshotReport(id, delivered);
  }
}
