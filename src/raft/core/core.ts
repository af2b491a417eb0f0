import { ShoalError } from '../../model/errors.js';
import type { Member } from '../node.js';
import type { CoreOptions } from './context.js';
import {
  answerPreVote,
  answerVote,
  countPreVoteResponse,
  countVoteResponse,
  ownVotePersisted,
  startElection,
  startPreVote,
} from './election.js';
import { receiveAppend, receiveHeartbeat, receiveSnapshot } from './following.js';
import { invariant, ProtocolError } from './invariant.js';
import type { Leadership, Proposal, ProposalAnswer } from './leadership.js';
import type { MembershipChange } from './membership.js';
import { CoreState, type Recovered, type Role } from './state.js';
import type { Entry, HardState, Membership, Message, SnapshotMeta } from './types.js';

/** What has to go to disk, all of it before any of `messages` leaves. */
export interface Ready {
  /** Replaces what is on disk under `snapshot.index` and after; comes before the entries. */
  snapshot: SnapshotMeta | undefined;
  /** Replace everything on disk from the first of them on. */
  entries: Entry[];
  hardState: HardState | undefined;
  messages: Message[];
}

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

/**
 * The Raft protocol of one member (Ongaro's dissertation, 2014), as a pure state machine: messages and ticks go in, messages,
 * things to persist and entries to apply come out. It never waits; the driver takes what is there when it is able to deal with it.
 */
export class RaftCore {
  private readonly state: CoreState;
  private readonly readStates: ReadState[] = [];
  private readonly refusals: Refusal[] = [];
  private outstanding: Ready | undefined;
  private handed: HardState;

  constructor(options: CoreOptions, recovered: Recovered) {
    this.state = new CoreState(options, recovered);
    this.handed = { term: this.state.term, vote: this.state.vote, commit: this.state.log.committed };
  }

  get id(): number {
    return this.state.id;
  }
  get term(): number {
    return this.state.term;
  }
  get role(): Role {
    return this.state.role;
  }
  /** 0: none is known. */
  get leader(): number {
    return this.state.leader;
  }
  get committed(): number {
    return this.state.log.committed;
  }
  get applied(): number {
    return this.state.log.applied;
  }
  get lastIndex(): number {
    return this.state.log.lastIndex;
  }
  /** The term of the entry at `index`; undefined when it is not in the log. */
  termAt(index: number): number | undefined {
    return this.state.log.term(index);
  }
  get snapshot(): SnapshotMeta | undefined {
    return this.state.snapshot;
  }
  get hardState(): HardState {
    return { term: this.state.term, vote: this.state.vote, commit: this.state.log.committed };
  }
  /** The first index still in the log; everything before it is in a snapshot. */
  get firstIndex(): number {
    return this.state.log.base.index + 1;
  }
  get membership(): Membership {
    return this.state.configurations.latest;
  }
  /** Index of the entry that brought the membership about. */
  get membershipIndex(): number {
    return this.state.configurations.latestIndex;
  }
  get peers(): Member[] {
    return this.state.peers;
  }
  get promotable(): boolean {
    return this.state.promotable;
  }
  /** On a leader: whether it is not the time for a change of membership. */
  get changing(): boolean {
    return this.state.leadership?.changing === true;
  }
  get transferring(): boolean {
    return this.state.leadership?.transferring === true;
  }

  /** One tick of the clock. */
  tick(): void {
    const { state } = this;
    state.electionElapsed++;
    if (state.leadership !== undefined) {
      if (state.electionElapsed >= state.options.electionTicks) state.electionElapsed = 0;
      if (state.leadership.tick()) state.becomeFollower(state.term, 0);
      else this.settle();
    } else if (state.electionElapsed >= state.electionTimeout) {
      if (state.promotable) startPreVote(state);
      else state.becomeFollower(state.term, 0);
    }
  }

  /** Takes a message in. Throws ProtocolError, having done nothing of note, when no honest member can have sent it. */
  step(message: Message): void {
    const { state } = this;
    if (message.to !== state.id || message.from === state.id) {
      throw new ProtocolError(`a message from ${message.from} to ${message.to} came to ${state.id}`);
    }
    if (message.term > state.term && !this.enterHigherTerm(message)) return;
    if (message.term < state.term && this.answerLowerTerm(message)) return;
    this.dispatch(message);
    this.settle();
  }

  /** False when the message is to be ignored. */
  private enterHigherTerm(message: Message): boolean {
    const { state } = this;
    switch (message.type) {
      case 'pre-vote':
        return !state.hasLease;
      case 'vote':
        if (state.hasLease && !message.transfer) return false;
        state.becomeFollower(message.term, 0);
        return true;
      case 'pre-vote-response':
        // A grant carries the term that we would start; a refusal the term that we missed.
        if (message.reject) state.becomeFollower(message.term, 0);
        return true;
      case 'propose':
      case 'propose-refused':
      case 'read':
      case 'read-response':
      case 'snapshot-chunk':
      case 'snapshot-progress':
        return true;
      case 'append':
      case 'heartbeat':
      case 'timeout-now':
        state.becomeFollower(message.term, message.from);
        return true;
      default:
        state.becomeFollower(message.term, 0);
        return true;
    }
  }

  /** True when that was all there is to do with it. */
  private answerLowerTerm(message: Message): boolean {
    const { state } = this;
    switch (message.type) {
      case 'append':
      case 'heartbeat':
        // With pre-votes nobody would ever tell this leader that its time is over (dissertation 9.6): the answer's term does.
        state.sendAfterSync({
          type: 'append-response',
          to: message.from,
          index: 0,
          reject: true,
          hintIndex: 0,
          hintTerm: 0,
        });
        return true;
      case 'vote':
        state.sendAfterSync({ type: 'vote-response', to: message.from, reject: true });
        return true;
      case 'pre-vote':
      case 'read-response':
      case 'propose-refused':
        return false;
      default:
        return true;
    }
  }

  private dispatch(message: Message): void {
    const { state } = this;
    switch (message.type) {
      case 'pre-vote':
        answerPreVote(state, message);
        break;
      case 'vote':
        answerVote(state, message);
        break;
      case 'pre-vote-response':
        countPreVoteResponse(state, message);
        break;
      case 'vote-response':
        countVoteResponse(state, message);
        break;
      case 'append':
        receiveAppend(state, message);
        break;
      case 'heartbeat':
        receiveHeartbeat(state, message);
        break;
      case 'append-response':
        state.leadership?.appendResponse(message);
        break;
      case 'heartbeat-response':
        state.leadership?.heartbeatResponse(message);
        break;
      case 'timeout-now':
        if (state.promotable && state.role !== 'leader') startElection(state, true);
        break;
      case 'propose':
        this.forwardedProposal(message);
        break;
      case 'propose-refused':
        this.refusals.push(message);
        break;
      case 'read':
        if (message.term === state.term) state.leadership?.read({ from: message.from, request: message.request });
        break;
      case 'read-response':
        this.readStates.push({ request: message.request, index: message.index });
        break;
      default:
        throw new ProtocolError(`a ${message.type} is not for the core`);
    }
  }

  /** Draws the consequences that any event may have on a leader. */
  private settle(): void {
    const { state } = this;
    const { leadership } = state;
    if (leadership === undefined) return;
    leadership.advanceCommit();
    for (const { from, request, index } of leadership.takeConfirmedReads()) {
      if (from === state.id) this.readStates.push({ request, index });
      else state.send({ type: 'read-response', to: from, request, index });
    }
    if (leadership.removed) {
      leadership.leave();
      state.becomeFollower(state.term, 0);
    }
  }

  /** Proposes on a leader, or sends it on to the leader: `forwarded`, whose fate shows when it is applied, or in takeRefusals(). */
  propose(proposal: Proposal): ProposalAnswer | 'forwarded' | 'no-leader' {
    const { state } = this;
    if (state.leadership !== undefined) return state.leadership.propose(proposal);
    if (state.leader === 0) return 'no-leader';
    state.send({ type: 'propose', to: state.leader, ...proposal });
    return 'forwarded';
  }

  /** Only the leader of the very term that the proposer had in mind takes it: see driver/proposals.ts. */
  private forwardedProposal(message: Message & { type: 'propose' }): void {
    const { state } = this;
    if (message.term !== state.term || state.leadership === undefined) return;
    const { session, sequence, lowest, data } = message;
    const answer = state.leadership.propose({ session, sequence, lowest, data });
    if (answer === 'busy' || answer.accepted) return;
    state.send({ type: 'propose-refused', to: message.from, session, sequence, reason: answer.reason });
  }

  /** Makes a leader refuse proposals with this reason; undefined: it takes them again. A new leader has to be told again. */
  refuseProposals(reason: string | undefined): void {
    if (this.state.leadership !== undefined) this.state.leadership.refusal = reason;
  }

  /** Asks for a linearizable read index; the answer comes in takeReadStates(), or never. False: there is no leader to ask. */
  read(request: number): boolean {
    const { state } = this;
    if (state.leadership !== undefined) state.leadership.read({ from: state.id, request });
    else if (state.leader !== 0) state.send({ type: 'read', to: state.leader, request });
    else return false;
    return true;
  }

  /**
   * On the leader: the index of the entry that changes the membership, undefined when there is nothing to change, `busy` when it
   * is not the time. Throws ShoalError `no-leader` or `failed-precondition`.
   */
  changeMembership(changes: readonly MembershipChange[]): number | undefined | 'busy' {
    return this.lead().changeMembership(changes);
  }

  /** Starts handing over to `to`, or to the most advanced voter. Throws ShoalError `no-leader` or `failed-precondition`. */
  transferLeadership(to?: number): void {
    const leadership = this.lead();
    const heir = to ?? leadership.mostAdvanced;
    if (heir === undefined) {
      throw new ShoalError('failed-precondition', 'there is no other manager that could lead');
    }
    leadership.transferTo(heir);
  }

  private lead(): Leadership {
    const { leadership } = this.state;
    if (leadership === undefined) throw new ShoalError('no-leader', 'this manager is not the leader');
    return leadership;
  }

  /** Starts an election without waiting for the time-out: of a group with one voter it is won at once. */
  campaign(): void {
    if (this.state.promotable && this.state.leadership === undefined) startPreVote(this.state);
  }

  /** What can be sent right away. */
  takeMessages(): Message[] {
    this.state.leadership?.flush();
    this.settle();
    return this.state.immediate.splice(0);
  }

  /** The next lot for the disk; one at a time, `synced` ends it. Undefined when there is nothing, or one is out. */
  takeReady(): Ready | undefined {
    const { state, handed } = this;
    if (this.outstanding !== undefined) return undefined;
    const moved = state.term !== handed.term || state.vote !== handed.vote;
    const snapshot = state.restoring;
    if (!moved && snapshot === undefined && !state.log.hasUnpersisted && state.afterSync.length === 0) return undefined;
    const entries = state.log.takeUnpersisted();
    const hardState = { term: state.term, vote: state.vote, commit: state.log.committed };
    const write = moved || snapshot !== undefined || (entries.length > 0 && hardState.commit !== handed.commit);
    if (write) this.handed = hardState;
    this.outstanding = {
      snapshot,
      entries,
      hardState: write ? hardState : undefined,
      messages: state.afterSync.splice(0),
    };
    return this.outstanding;
  }

  /** Everything in `ready` is on disk; its messages may leave now. A snapshot in it is restored, too. */
  synced(ready: Ready): void {
    const { state } = this;
    invariant(ready === this.outstanding, 'two lots were on their way to the disk');
    this.outstanding = undefined;
    // One that came meanwhile is yet to be installed.
    if (ready.snapshot === state.restoring) state.restoring = undefined;
    if (ready.hardState !== undefined) state.durableTerm = ready.hardState.term;
    state.log.persisted(ready.entries);
    const { hardState } = ready;
    if (state.role === 'candidate' && hardState?.term === state.term && hardState.vote === state.id) {
      ownVotePersisted(state);
    }
    state.leadership?.persisted(state.log.stable);
    this.settle();
  }

  /** Entries to apply, in order, each once: committed, and on this member's disk. */
  takeCommitted(maxBytes = Number.POSITIVE_INFINITY): Entry[] {
    return this.state.restoring === undefined ? this.state.log.takeCommitted(maxBytes) : [];
  }

  get hasCommitted(): boolean {
    return this.state.restoring === undefined && this.state.log.hasCommitted;
  }

  takeReadStates(): ReadState[] {
    return this.readStates.splice(0);
  }

  /** Own proposals that the leader refused. */
  takeRefusals(): Refusal[] {
    return this.refusals.splice(0);
  }

  /** Members that need the latest snapshot; `snapshotReport` tells how that went. */
  takeSnapshotRequests(): number[] {
    return this.state.leadership?.takeSnapshotRequests() ?? [];
  }

  snapshotReport(id: number, delivered: boolean): void {
    this.state.leadership?.snapshotReport(id, delivered);
  }

  unreachable(id: number): void {
    this.state.leadership?.unreachable(id);
  }

  /** A snapshot file of the current leader is complete. True when it will be in the next Ready, to be installed. */
  receiveSnapshot(from: number, term: number, meta: SnapshotMeta): boolean {
    const { state } = this;
    if (term !== state.term || from !== state.leader) return false;
    return receiveSnapshot(state, from, meta);
  }

  /** What a snapshot of everything applied so far stands for. */
  describeSnapshot(): SnapshotMeta {
    const { log, configurations } = this.state;
    const term = log.term(log.applied) as number;
    return { index: log.applied, term, membership: configurations.at(log.applied) };
  }

  /** A snapshot is on disk; the log up to and including `compactTo` is not needed any more. */
  snapshotTaken(meta: SnapshotMeta, compactTo: number): void {
    const { state } = this;
    if (state.snapshot !== undefined && meta.index <= state.snapshot.index) return;
    state.snapshot = meta;
    state.log.compact(Math.min(compactTo, meta.index));
    state.configurations.compact(meta.index);
  }
}
