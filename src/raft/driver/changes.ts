import type { Clock } from '../../model/clock.js';
import { ShoalError } from '../../model/errors.js';
import type { RaftCore } from '../core/core.js';
import { findMember, type MembershipChange } from '../core/membership.js';
import type { Member } from '../node.js';
import { noLeader } from './proposals.js';
import type { Waiters } from './waiters.js';

/** Changes of who takes part and who leads, from asking for them to their being done. */
export class Changes {
  constructor(
    private readonly core: RaftCore,
    private readonly waiters: Waiters,
    private readonly clock: Clock,
    private readonly timeout_ms: number,
    /** To be called after something was asked of the core. */
    private readonly wake: () => void,
  ) {}

  async add(member: Member): Promise<void> {
    if (member.id <= 0 || !Number.isSafeInteger(member.id)) {
      throw new ShoalError('invalid-argument', `member id ${member.id}: a positive integer is expected`);
    }
    await this.change(() => {
      const known = findMember(this.core.membership, member.id);
      if (known === undefined) return [{ action: 'learner', member }];
      if (known.nodeID === member.nodeID) return [{ action: 'update', member }];
      throw new ShoalError('failed-precondition', `member id ${member.id} belongs to node ${known.nodeID}`);
    });
  }

  async remove(id: number): Promise<void> {
    await this.change(() => [{ action: 'remove', id }]);
  }

  private async change(wanted: () => MembershipChange[]): Promise<void> {
    const deadline_ms = this.clock.monotonic() + this.timeout_ms;
    for (;;) {
      if (this.core.role !== 'leader') throw noLeader();
      const { term } = this.core;
      const answer = this.core.changeMembership(wanted());
      this.wake();
      if (answer !== 'busy') {
        // Nothing to change still means: once what is there is committed.
        await this.committed(answer ?? this.core.membershipIndex, term, deadline_ms);
        return;
      }
      await this.waiters.until(() => {
        this.checkDeadline(deadline_ms);
        return this.core.role !== 'leader' || !this.core.changing;
      });
    }
  }

  private committed(index: number, term: number, deadline_ms: number): Promise<void> {
    return this.waiters.until(() => {
      const { core } = this;
      const at = core.termAt(index);
      if (core.committed >= index && (at === undefined || at <= term)) return true;
      if (core.term !== term || (at !== undefined && at > term)) throw unknownFate();
      this.checkDeadline(deadline_ms);
      return false;
    });
  }

  private checkDeadline(deadline_ms: number): void {
    if (this.clock.monotonic() >= deadline_ms) throw unknownFate();
  }

  /** Resolves when this member does not lead any more. Throws ShoalError `unavailable` when nobody took over. */
  async transfer(to?: number): Promise<void> {
    if (this.core.role !== 'leader') return;
    this.core.transferLeadership(to);
    this.wake();
    await this.waiters.until(() => {
      if (this.core.role !== 'leader') return true;
      if (this.core.transferring) return false;
      throw new ShoalError('unavailable', `manager ${to ?? ''} did not take over in time, this one leads on`);
    });
  }
}

function unknownFate(): ShoalError {
  return new ShoalError(
    'unavailable',
    'the managers did not confirm the change of managers in time: look before you try again',
  );
}
