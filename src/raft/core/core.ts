import { ShoalError } from '../../model/errors.js';
import type { Member } from '../node.js';
import type { CoreOptions } from './context.js';
import { ownVotePersisted, startPreVote } from './election.js';
import { receiveSnapshot } from './following.js';
import { invariant } from './invariant.js';
import type { Leadership, Proposal, ProposalAnswer } from './leadership.js';
import type { MembershipChange } from './membership.js';
import { CoreState, type ReadState, type Recovered, type Refusal, type Role } from './state.js';
import { settle, step } from './step.js';
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

/**
 * The Raft protocol of one member (Ongaro's dissertation, 2014), as a pure state machine: messages and ticks go in, messages,
 * things to persist and entries to apply come out. It never waits; the driver takes what is there when it is able to deal with it.
 */
export class RaftCore {
  private readonly state: CoreState;
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
  /** The latest one; while `restoring`, it may not be on the disk yet. */
  get snapshot(): SnapshotMeta | undefined {
    return this.state.snapshot;
  }
  /** Whether the leader's snapshot was accepted that is yet to be brought to its place, and restored. */
  get restoring(): boolean {
    return this.state.restoring !== undefined;
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
  /** How many of the peers are members no more, and may not know it yet. */
  get departing(): number {
    return this.state.leadership?.departing ?? 0;
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
      else settle(this.state);
    } else if (state.electionElapsed >= state.electionTimeout) {
      if (state.promotable) startPreVote(state);
      else state.becomeFollower(state.term, 0);
    }
  }

  /** Takes a message in. Throws ProtocolError, having done nothing of note, when no honest member can have sent it. */
  step(message: Message): void {
    step(this.state, message);
  }

  /** Proposes on a leader, or sends it on to the leader: `forwarded`, whose fate shows when it is applied, or in takeRefusals(). */
  propose(proposal: Proposal): ProposalAnswer | 'forwarded' | 'no-leader' {
    const { state } = this;
    if (state.leadership !== undefined) return state.leadership.propose(proposal);
    if (state.leader === 0) return 'no-leader';
    state.send({ type: 'propose', to: state.leader, ...proposal });
    return 'forwarded';
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
    settle(this.state);
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
    settle(this.state);
  }

  /** Entries to apply, in order, each once: committed, and on this member's disk. */
  takeCommitted(maxBytes = Number.POSITIVE_INFINITY): Entry[] {
    return this.state.restoring === undefined ? this.state.log.takeCommitted(maxBytes) : [];
  }

  get hasCommitted(): boolean {
    return this.state.restoring === undefined && this.state.log.hasCommitted;
  }

  takeReadStates(): ReadState[] {
    return this.state.readStates.splice(0);
  }

  /** Own proposals that the leader refused. */
  takeRefusals(): Refusal[] {
    return this.state.refusals.splice(0);
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

  /** A snapshot is on disk; of the log behind it the last `trailing.entries` stay, or fewer that are `trailing.bytes` together. */
  snapshotTaken(meta: SnapshotMeta, trailing: { entries: number; bytes: number }): void {
    const { state } = this;
    if (state.snapshot !== undefined && meta.index <= state.snapshot.index) return;
    state.snapshot = meta;
    state.log.compact(state.log.beforeLast(trailing.entries, meta.index, trailing.bytes));
    state.configurations.compact(meta.index);
  }
}
