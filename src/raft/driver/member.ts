import { messageOf, ShoalError } from '../../model/errors.js';
import type { RaftCore } from '../core/core.js';
import type { Entry, Membership, Message } from '../core/types.js';
import type { RaftStorage } from '../log/storage.js';
import type { Member, RaftNode, RaftStatus } from '../node.js';
import type { RaftOptions } from '../options.js';
import { Applier } from './applier.js';
import { Barriers } from './barriers.js';
import { Changes } from './changes.js';
import { Inbox } from './inbox.js';
import { Persister } from './persister.js';
import { noLeader, Proposals } from './proposals.js';
import { SnapshotReceiver } from './snapshot-receiver.js';
import { SnapshotSender } from './snapshot-sender.js';
import { Statuses } from './statuses.js';
import { Waiters } from './waiters.js';

const maxProposalBytes = 16 * 1024 * 1024;

/** Runs one RaftCore: gives it messages and ticks, and brings what comes out to the disk, the network and the state machine. */
export class RaftMember implements RaftNode {
  private readonly proposals: Proposals;
  private readonly barriers: Barriers;
  private readonly waiters = new Waiters();
  private readonly changes: Changes;
  private readonly applier: Applier;
  private readonly persister: Persister;
  private readonly sender: SnapshotSender;
  private readonly receiver: SnapshotReceiver;
  private readonly statuses: Statuses;
  private readonly inbox: Inbox;
  private cancelTick: (() => void) | undefined;
  private woken = false;
  private stopped = false;
  /** The disk's work under way; resolves when it is done. */
  private writing: Promise<void> = Promise.resolve();
  private snapshotting: Promise<void> = Promise.resolve();
  private peersKnown: { membership: Membership | undefined; departing: number } = {
    membership: undefined,
    departing: 0,
  };

  constructor(
    private readonly options: RaftOptions,
    private readonly core: RaftCore,
    private readonly storage: RaftStorage,
    timing: { tick_ms: number; requestTimeout_ms: number; session: number },
  ) {
    const { clock, log, stateMachine } = options;
    const send = (message: Message) => options.transport.send([message]);
    this.tick_ms = timing.tick_ms;
    this.requestTimeout_ms = timing.requestTimeout_ms;
    this.proposals = new Proposals(core, timing.session);
    this.barriers = new Barriers(core, timing.session);
    this.changes = new Changes(core, this.waiters, clock, timing.requestTimeout_ms, () => this.wake());
    this.applier = new Applier(core, storage, stateMachine, clock, policyOf(options), (entry, result) =>
      this.applied(entry, result),
    );
    this.sender = new SnapshotSender(core, storage, send, log);
    this.receiver = new SnapshotReceiver(core, storage, send, log);
    this.persister = new Persister(storage, this.receiver, stateMachine, clock, log, () => this.stopped);
    this.statuses = new Statuses(core, clock);
    this.inbox = new Inbox(core, this.sender, this.receiver, this.statuses, log, (work) => this.background(work));
  }

  private readonly tick_ms: number;
  private readonly requestTimeout_ms: number;

  /** Starts ticking. A member that is alone leads, and has applied all its log, before this resolves. */
  async start(): Promise<void> {
    this.options.transport.start(this.options.self, {
      receive: (messages) => this.receive(messages),
      unreachable: (id) => {
        this.core.unreachable(id);
        this.wake();
      },
    });
    this.scheduleTick();
    const { voters } = this.core.membership;
    const alone = voters.length === 1 && voters[0]?.id === this.core.id;
    if (alone) this.core.campaign();
    this.wake();
    if (alone) await this.waiters.until(() => this.stopped || this.hasEverything);
  }

  /** It leads, and its whole log is applied. */
  private get hasEverything(): boolean {
    return this.core.role === 'leader' && this.applier.appliedIndex === this.core.lastIndex;
  }

  private scheduleTick(): void {
    // However late the timer is, it is one tick: a process that was stopped must not take the time for silence of its leader.
    this.cancelTick = this.options.clock.after(this.tick_ms, () => {
      if (this.stopped) return;
      this.scheduleTick();
      this.guard(() => {
        const now_ms = this.options.clock.monotonic();
        this.core.tick();
        this.proposals.tick(now_ms);
        this.barriers.tick(now_ms);
        this.sender.tick();
        this.handOverWhenDiskIsFull();
      });
      this.wake();
    });
  }

  /** A leader that cannot write takes no proposals; others may well have room. */
  private handOverWhenDiskIsFull(): void {
    if (this.persister.problem === undefined || this.core.role !== 'leader' || this.core.transferring) return;
    try {
      this.core.transferLeadership();
    } catch (error) {
      this.options.log.debug('cannot hand over', { reason: messageOf(error) });
    }
  }

  private receive(messages: readonly Message[]): void {
    if (this.stopped) return;
    this.guard(() => this.inbox.take(messages));
    this.wake();
  }

  private background(work: Promise<void>): void {
    work.then(
      () => this.wake(),
      (error) => this.fail(error),
    );
  }

  /** Runs something that must not fail; if it does, this member's state cannot be trusted any more. */
  private guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.fail(error);
    }
  }

  private fail(error: unknown): void {
    if (this.stopped) return;
    this.options.log.error('raft cannot go on', { reason: messageOf(error), stack: (error as Error).stack });
    this.shutDown();
    this.options.transport.stop().catch(() => {});
    this.options.onFatal?.(error instanceof Error ? error : new Error(messageOf(error)));
  }

  /** Looks for work once everything that happens at this moment has happened: so it is done in batches. */
  private wake(): void {
    if (this.woken || this.stopped) return;
    this.woken = true;
    queueMicrotask(() => {
      this.woken = false;
      if (!this.stopped) this.guard(() => this.work());
    });
  }

  private work(): void {
    const { core, persister } = this;
    core.refuseProposals(persister.problem);
    this.proposals.dispatch();
    this.barriers.dispatch();
    this.introducePeers();
    this.sendMessages();
    this.startWriting();
    if (this.applier.run()) this.options.clock.after(0, () => this.wake());
    for (const { request, index } of core.takeReadStates()) {
      this.barriers.confirm(request, index, this.applier.appliedIndex);
    }
    for (const refusal of core.takeRefusals()) this.proposals.refused(refusal);
    for (const id of core.takeSnapshotRequests()) this.background(this.sender.start(id));
    if (this.applier.snapshotDue && persister.problem === undefined) this.startSnapshot();
    this.sendMessages();
    this.statuses.tell();
    this.waiters.look();
  }

  private introducePeers(): void {
    const { membership, departing } = this.core;
    if (membership === this.peersKnown.membership && departing === this.peersKnown.departing) return;
    this.peersKnown = { membership, departing };
    this.options.transport.setPeers(this.core.peers);
  }

  private sendMessages(): void {
    const messages = this.core.takeMessages();
    if (messages.length > 0) this.options.transport.send(messages);
  }

  private startWriting(): void {
    const ready = this.core.takeReady();
    if (ready === undefined) return;
    const { snapshot, entries, hardState, messages } = ready;
    const done = () => {
      if (snapshot !== undefined) {
        this.applier.restored(snapshot);
        this.proposals.restored(snapshot.term);
        this.barriers.applied(snapshot.index);
      }
      this.core.synced(ready);
      if (messages.length > 0) this.options.transport.send(messages);
    };
    if (snapshot === undefined && entries.length === 0 && hardState === undefined) {
      done();
      this.startWriting();
      return;
    }
    this.writing = this.persister.persist(ready).then(
      (durable) => {
        if (!durable || this.stopped) return;
        this.guard(done);
        this.wake();
      },
      (error) => this.fail(error),
    );
  }

  private startSnapshot(): void {
    this.snapshotting = this.applier.takeSnapshot().then(
      () => this.wake(),
      (error) => {
        if (!this.stopped) this.options.log.error('cannot take a snapshot', { reason: messageOf(error) });
      },
    );
  }

  private applied(entry: Entry, result: unknown): void {
    this.proposals.applied(entry, result);
    this.barriers.applied(entry.index);
  }

  private checkRunning(): void {
    if (this.stopped) throw new ShoalError('unavailable', 'this manager has stopped');
    if (this.core.leader === 0) throw noLeader();
  }

  private get deadline_ms(): number {
    return this.options.clock.monotonic() + this.requestTimeout_ms;
  }

  async propose(data: Uint8Array): Promise<{ index: number; result: unknown }> {
    this.checkRunning();
    if (data.length > maxProposalBytes) {
      throw new ShoalError(
        'invalid-argument',
        `a change of ${data.length} bytes is above the limit of ${maxProposalBytes}`,
      );
    }
    if (this.persister.problem !== undefined && this.core.role === 'leader') {
      throw new ShoalError('overloaded', this.persister.problem);
    }
    const outcome = this.proposals.add(data, this.deadline_ms);
    this.wake();
    return outcome;
  }

  async readBarrier(): Promise<void> {
    this.checkRunning();
    const done = this.barriers.add(this.deadline_ms);
    this.wake();
    return done;
  }

  async addMember(member: Member): Promise<void> {
    this.checkRunning();
    await this.changes.add(member);
  }

  async removeMember(id: number): Promise<void> {
    this.checkRunning();
    await this.changes.remove(id);
  }

  async transferLeadership(id?: number): Promise<void> {
    if (!this.stopped) await this.changes.transfer(id);
  }

  status(): RaftStatus {
    return this.statuses.now(this.applier.appliedIndex);
  }

  onStatus(call: (status: RaftStatus) => void): () => void {
    return this.statuses.listen(() => {
      try {
        call(this.status());
      } catch (error) {
        this.options.log.error('whoever listens to raft failed', { reason: messageOf(error) });
      }
    });
  }

  async stop(options: { handOver?: boolean } = {}): Promise<void> {
    if (options.handOver === true && !this.stopped && this.core.membership.voters.length > 1) {
      await this.changes.transfer().catch((error) => {
        this.options.log.warn('stopping without handing over', { reason: messageOf(error) });
      });
    }
    const running = !this.stopped;
    this.shutDown();
    await this.writing;
    await this.snapshotting;
    if (running) {
      await this.options.transport.stop();
      // How far the log is committed saves the next start from waiting for a leader to say so.
      await this.storage.append({ entries: [], hardState: this.core.hardState }).catch(() => {});
    }
    await this.receiver.close();
    await this.storage.close();
  }

  /** Ends everything that waits or would come back; the disk's work under way goes on to its end. */
  private shutDown(): void {
    this.stopped = true;
    this.cancelTick?.();
    this.statuses.close();
    this.sender.close();
    this.proposals.failAll();
    this.barriers.failAll();
    this.waiters.failAll(new ShoalError('unavailable', 'this manager has stopped'));
  }
}

function policyOf(options: RaftOptions) {
  return {
    everyEntries: options.snapshotEveryEntries ?? 10_000,
    everyBytes: options.snapshotEveryBytes ?? 64 * 1024 * 1024,
    trailingEntries: options.trailingEntries ?? 500,
  };
}
