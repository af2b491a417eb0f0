import { ShoalError } from '../../src/model/errors.js';
import type { TransactionInit } from '../../src/model/types.js';
import { encodeTransaction } from '../../src/store/entry.js';
import { Store } from '../../src/store/store.js';
import type { Proposer, Verdict } from '../../src/store/view.js';

/** One manager's copy of the state. */
export interface LogMember {
  readonly store: Store;
  /** What it is asked to propose fails with this. */
  failure: ShoalError | undefined;
  /** How many transactions it was asked to propose, successful or not. */
  proposals: number;
  readonly proposer: Proposer;
  /** Entries wait until `release`. */
  hold(): void;
  release(): void;
}

/** A store for each manager, fed the same entries as Raft would. */
export class TestLog {
  private readonly entries: Uint8Array[] = [];
  private readonly catchUps: (() => void)[] = [];

  join(): LogMember {
    const store = new Store();
    const waiting = new Map<number, (verdict: Verdict) => void>();
    let isHeld = false;
    const catchUp = () => {
      while (!isHeld && store.index < this.entries.length) {
        const index = store.index + 1;
        const verdict = store.apply(index, this.entries[index - 1]!);
        waiting.get(index)?.(verdict);
        waiting.delete(index);
      }
    };
    const propose = async (transaction: TransactionInit) => {
      member.proposals += 1;
      if (member.failure !== undefined) throw member.failure;
      const verdict = await new Promise<Verdict>((resolve) => {
        waiting.set(this.entries.push(encodeTransaction(transaction)), resolve);
        for (const other of this.catchUps) other();
      });
      if (!verdict.ok) throw new ShoalError(verdict.code, verdict.message);
      return { index: verdict.index };
    };
    const member: LogMember = {
      store,
      failure: undefined,
      proposals: 0,
      proposer: { propose },
      hold: () => {
        isHeld = true;
      },
      release: () => {
        isHeld = false;
        catchUp();
      },
    };
    this.catchUps.push(catchUp);
    catchUp();
    return member;
  }
}
