import { ShoalError } from '../../src/model/errors.js';
import type { TransactionInit } from '../../src/model/types.js';
import { encodeTransaction } from '../../src/store/entry.js';
import { Store } from '../../src/store/store.js';
import type { Proposer } from '../../src/store/view.js';

/** A store that is proposed to directly, without Raft. */
export class LocalProposer implements Proposer {
  constructor(readonly store = new Store()) {}

  async propose(transaction: TransactionInit): Promise<{ index: number }> {
    return this.commit(transaction);
  }

  commit(transaction: TransactionInit): { index: number } {
    const verdict = this.store.apply(
      this.store.index + 1,
      encodeTransaction({ Time: '2026-01-01T00:00:00.000Z', ...transaction }),
    );
    if (!verdict.ok) throw new ShoalError(verdict.code, verdict.message);
    return { index: verdict.index };
  }
}
