import { messageOf, ShoalError } from '../../model/errors.js';
import type { RaftCore } from '../core/core.js';
import type { Entry, Membership, Message } from '../core/types.js';
import type { RaftStorage } from '../log/storage.js';
import type { SnapshotSettings } from '../node.js';
import type { RaftOptions } from '../options.js';
import { Applier } from './applier.js';
import { Barriers } from './barriers.js';
import { Inbox } from './inbox.js';
import { Persister } from './persister.js';
import { Proposals } from './proposals.js';
import { SnapshotReceiver } from './snapshot-receiver.js';
import { SnapshotSender } from './snapshot-sender.js';
import { Statuses } from './statuses.js';
import { Waiters } from './waiters.js';

export interface Timing {
  tick_ms: number;
  requestTimeout_ms: number;
  /** Numbers this run of the member among all runs of all members. */
  session: number;
}

/** Runs one RaftCore: gives it messages and ticks, and brings what comes out to the disk, the network and the state machine. */
export class Loop {
  readonly proposals: Proposals;
  readonly barriers: Barriers;
  readonly waiters = new Waiters();
  readonly statuses: Statuses;
  private readonly applier: Applier;
  private readonly persister: Persister;
  private readonly sender: SnapshotSender;
  private readonly receiver: SnapshotReceiver;
  private readonly inbox: Inbox;
  private readonly defer: (call: () => void) => void;
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
    storage: RaftStorage,
    private readonly timing: Timing,
  ) {
    const { clock, log, stateMachine } = options;
    this.defer = options.defer ?? queueMicrotask;
    const send = (message: Message) => options.transport.send([message]);
    this.proposals = new Proposals(core, timing.session);
    this.barriers = new Barriers(core, timing.session);
    this.applier = new Applier(core, storage, stateMachine, clock, policyOf(options), (entry, result) =>
      this.applied(entry, result),
    );
    this.sender = new SnapshotSender(core, storage, send, log, options.snapshotChunkBytes ?? 1024 * 1024);
    this.receiver = new SnapshotReceiver(core, storage, send, log);
    this.persister = new Persister(
      storage,
      this.receiver,
      stateMachine,
      clock,
      log,
      () => this.stopped,
      () => this.wake(),
    );
    this.statuses = new Statuses(core, clock);
    this.inbox = new Inbox(core, this.sender, this.receiver, this.statuses, log, (work) => this.background(work));
  }

  get isStopped(): boolean {
    return this.stopped;
  }
  /** The state machine is as of this index. */
  get appliedIndex(): number {
    return this.applier.appliedIndex;
  }
  /** Why this member's disk takes no writes at the moment. */
  get problem(): string | undefined {
    return this.persister.problem;
  }

  /**
   * Starts ticking. A member that is alone leads, and has applied all its log, before this resolves; with a full disk it cannot, and does
   * so as soon as there is room.
   */
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
    if (alone) await this.waiters.until(() => this.stopped || this.hasEverything || this.problem !== undefined);
  }

  /** It leads, and its whole log is applied. */
  private get hasEverything(): boolean {
    return this.core.role === 'leader' && this.applier.appliedIndex === this.core.lastIndex;
  }

  private scheduleTick(): void {
    // However late the timer is, it is one tick: a process that was stopped must not take the time for silence of its leader.
    this.cancelTick = this.options.clock.after(this.timing.tick_ms, () => {
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
  wake(): void {
    if (this.woken || this.stopped) return;
    this.woken = true;
    this.defer(() => {
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

  /** Ends everything that waits or would come back; the disk's work under way goes on to its end. */
  shutDown(): void {
    this.stopped = true;
    this.cancelTick?.();
    this.statuses.close();
    this.sender.shutDown();
    this.proposals.failAll();
    this.barriers.failAll();
    this.waiters.failAll(stoppedError());
  }

  setSnapshotPolicy(policy: Partial<SnapshotSettings>): void {
    this.applier.setPolicy(policy);
    this.wake();
  }

  /** To be called after `shutDown`; nothing touches the disk when it resolves. */
  async close(): Promise<void> {
    await this.writing;
    await this.snapshotting;
    await this.receiver.close();
  }
}

export function stoppedError(): ShoalError {
  return new ShoalError('unavailable', 'this manager has stopped');
}

function policyOf(options: RaftOptions) {
  return {
    everyEntries: options.snapshotEveryEntries ?? 10_000,
    everyBytes: options.snapshotEveryBytes ?? 64 * 1024 * 1024,
    trailingEntries: options.trailingEntries ?? 500,
    keepOld: 0,
  };
}
