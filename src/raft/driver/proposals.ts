import { ShoalError } from '../../model/errors.js';
import type { RaftCore } from '../core/core.js';
import type { Refusal } from '../core/state.js';
import type { Entry } from '../core/types.js';

interface Pending {
  data: Uint8Array;
  deadline_ms: number;
  /** The only term whose leader may have it; undefined: any. */
  onlyTerm: number | undefined;
  /** The term whose leader has it, or was sent it; 0: nobody has. */
  sentTerm: number;
  forwarded: boolean;
  ticksUntilRetry: number;
  retries: number;
  resolve(outcome: { index: number; result: unknown }): void;
  reject(error: ShoalError): void;
}

/** Ticks until a forwarded proposal is sent again; doubled with every try. */
const retryTicks = 5;

/**
 * This member's own proposals, until their fate is known. Each is committed at most once, though it may be sent often:
 *  - a leader takes a proposal only if it was sent in the leader's own term, and only once in that term (core/acceptance.ts);
 *  - so a proposal that was sent in term t can only be in an entry of term t; and once an entry of a later term is applied, no more
 *    entries of term t can follow. If ours was not among those applied by then, it is lost for good and can be sent anew.
 */
export class Proposals {
  /** By sequence, which is also the order of their deadlines. */
  private readonly pending = new Map<number, Pending>();
  /** Those that nobody has, in order. */
  private readonly unsent = new Set<number>();
  private sequence = 0;
  private appliedTerm = 0;

  constructor(
    private readonly core: RaftCore,
    private readonly session: number,
  ) {}

  add(data: Uint8Array, deadline_ms: number, onlyTerm?: number): Promise<{ index: number; result: unknown }> {
    return new Promise((resolve, reject) => {
      this.pending.set(++this.sequence, {
        data,
        deadline_ms,
        onlyTerm,
        sentTerm: 0,
        forwarded: false,
        ticksUntilRetry: 0,
        retries: 0,
        resolve,
        reject,
      });
      this.unsent.add(this.sequence);
    });
  }

  /** Sends what nobody has. */
  dispatch(): void {
    if (this.unsent.size === 0 || this.core.leader === 0) return;
    for (const sequence of this.unsent) {
      if (!this.send(sequence, this.pending.get(sequence) as Pending)) return;
    }
  }

  /** False when nothing can be sent now. */
  private send(sequence: number, pending: Pending): boolean {
    if (pending.onlyTerm !== undefined && pending.onlyTerm !== this.core.term) {
      this.settle(sequence)?.reject(new ShoalError('out-of-sequence', `term ${pending.onlyTerm} is over`));
      return true;
    }
    const [lowest] = this.pending.keys();
    const answer = this.core.propose({
      session: this.session,
      sequence,
      lowest: lowest as number,
      data: pending.data,
    });
    if (answer === 'no-leader' || answer === 'busy') return false;
    this.unsent.delete(sequence);
    pending.sentTerm = this.core.term;
    pending.forwarded = answer === 'forwarded';
    pending.ticksUntilRetry = retryTicks * 2 ** pending.retries;
    if (answer !== 'forwarded' && !answer.accepted) {
      this.refused({ term: pending.sentTerm, session: this.session, sequence, reason: answer.reason });
    }
    return true;
  }

  /** A refusal that comes late says nothing about the leader that has the proposal by now. */
  refused({ term, session, sequence, reason }: Refusal): void {
    if (session !== this.session || this.pending.get(sequence)?.sentTerm !== term) return;
    this.settle(sequence)?.reject(new ShoalError('overloaded', reason));
  }

  private settle(sequence: number): Pending | undefined {
    const pending = this.pending.get(sequence);
    if (pending === undefined) return undefined;
    this.pending.delete(sequence);
    this.unsent.delete(sequence);
    return pending;
  }

  /** An entry was applied with this result. */
  applied(entry: Entry, result: unknown): void {
    if (entry.term > this.appliedTerm) {
      this.appliedTerm = entry.term;
      this.giveUpOlder(entry.term);
    }
    if (entry.session === this.session) this.settle(entry.sequence)?.resolve({ index: entry.index, result });
  }

  private giveUpOlder(term: number): void {
    for (const [sequence, pending] of this.pending) {
      if (pending.sentTerm === 0 || pending.sentTerm >= term) continue;
      pending.sentTerm = 0;
      pending.retries = 0;
      this.unsent.add(sequence);
    }
  }

  /** The state was replaced by a snapshot: whether it holds a proposal that was sent cannot be told. */
  restored(term: number): void {
    this.appliedTerm = Math.max(this.appliedTerm, term);
    for (const [sequence, pending] of this.pending) {
      if (pending.sentTerm !== 0) this.settle(sequence)?.reject(fateUnknown());
    }
  }

  tick(now_ms: number): void {
    for (const [sequence, pending] of this.pending) {
      if (pending.deadline_ms <= now_ms) {
        this.settle(sequence)?.reject(pending.sentTerm === 0 ? noLeader() : fateUnknown());
        continue;
      }
      if (!pending.forwarded || pending.sentTerm !== this.core.term || --pending.ticksUntilRetry > 0) continue;
      pending.retries++;
      if (!this.send(sequence, pending)) return;
    }
  }

  failAll(): void {
    for (const [sequence, pending] of this.pending) {
      this.settle(sequence)?.reject(pending.sentTerm === 0 ? noLeader() : fateUnknown());
    }
  }
}

export function noLeader(): ShoalError {
  return new ShoalError(
    'no-leader',
    'The swarm does not have a leader. It is possible that too few managers are online. Make sure more than half of the managers are online.',
  );
}

function fateUnknown(): ShoalError {
  return new ShoalError(
    'unavailable',
    'the managers did not confirm the change in time: it may or may not have been made, look before you try again',
  );
}
