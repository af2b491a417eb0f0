import { messageOf, ShoalError } from '../../model/errors.js';
import type { RaftCore } from '../core/core.js';
import type { RaftStorage } from '../log/storage.js';
import type { Member, RaftNode, RaftStatus, SnapshotSettings } from '../node.js';
import type { RaftOptions } from '../options.js';
import { Changes } from './changes.js';
import { Loop, stoppedError, type Timing } from './loop.js';
import { noLeader } from './proposals.js';

const maxProposalBytes = 16 * 1024 * 1024;

/** One member as the rest of the product sees it: what is asked of it becomes work for its loop. */
export class RaftMember implements RaftNode {
  private readonly loop: Loop;
  private readonly changes: Changes;

  constructor(
    private readonly options: RaftOptions,
    private readonly core: RaftCore,
    private readonly storage: RaftStorage,
    private readonly timing: Timing,
  ) {
    this.loop = new Loop(options, core, storage, timing);
    const wake = () => this.loop.wake();
    this.changes = new Changes(core, this.loop.waiters, options.clock, timing.requestTimeout_ms, wake);
  }

  /** See Loop.start. */
  start(): Promise<void> {
    return this.loop.start();
  }

  private checkRunning(): void {
    if (this.loop.isStopped) throw stoppedError();
    if (this.core.leader !== 0) return;
    // Without room to write down its vote it can neither lead nor elect.
    throw this.loop.problem === undefined ? noLeader() : new ShoalError('overloaded', this.loop.problem);
  }

  private get deadline_ms(): number {
    return this.options.clock.monotonic() + this.timing.requestTimeout_ms;
  }

  async propose(data: Uint8Array, term?: number): Promise<{ index: number; result: unknown }> {
    this.checkRunning();
    if (data.length > maxProposalBytes) {
      throw new ShoalError(
        'invalid-argument',
        `a change of ${data.length} bytes is above the limit of ${maxProposalBytes}`,
      );
    }
    if (this.loop.problem !== undefined && this.core.role === 'leader') {
      throw new ShoalError('overloaded', this.loop.problem);
    }
    const outcome = this.loop.proposals.add(data, this.deadline_ms, term);
    this.loop.wake();
    return outcome;
  }

  async readBarrier(): Promise<void> {
    this.checkRunning();
    const done = this.loop.barriers.add(this.deadline_ms);
    this.loop.wake();
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
    if (!this.loop.isStopped) await this.changes.transfer(id);
  }

  setSnapshotPolicy(policy: Partial<SnapshotSettings>): void {
    this.loop.setSnapshotPolicy(policy);
  }

  status(): RaftStatus {
    return this.loop.statuses.now(this.loop.appliedIndex);
  }

  onStatus(call: (status: RaftStatus) => void): () => void {
    return this.loop.statuses.listen(() => {
      try {
        call(this.status());
      } catch (error) {
        this.options.log.error('whoever listens to raft failed', { reason: messageOf(error) });
      }
    });
  }

  async stop(options: { handOver?: boolean } = {}): Promise<void> {
    if (options.handOver === true && !this.loop.isStopped && this.core.membership.voters.length > 1) {
      await this.changes.transfer().catch((error) => {
        this.options.log.warn('stopping without handing over', { reason: messageOf(error) });
      });
    }
    const running = !this.loop.isStopped;
    this.loop.shutDown();
    await this.loop.close();
    if (running) {
      await this.options.transport.stop();
      // How far the log is committed saves the next start from waiting for a leader to say so.
      await this.storage.append({ entries: [], hardState: this.core.hardState }).catch(() => {});
    }
    await this.storage.close();
  }
}
