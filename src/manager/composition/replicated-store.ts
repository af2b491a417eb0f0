import { ShoalError } from '../../model/errors.js';
import type { TransactionInit } from '../../model/types.js';
import type { RaftNode } from '../../raft/node.js';
import { encodeTransaction } from '../../store/entry.js';
import type { Verdict, View } from '../../store/view.js';
import type { Replicated } from '../reader.js';

/** The store behind Raft: what is proposed is applied on every manager, and what is read is not older than the call. */
export class ReplicatedStore implements Replicated {
  readonly #raft: RaftNode;
  readonly #view: View;

  constructor(raft: RaftNode, view: View) {
    this.#raft = raft;
    this.#view = view;
  }

  async propose(transaction: TransactionInit, term?: number): Promise<{ index: number }> {
    let data: Uint8Array;
    try {
      data = encodeTransaction(transaction);
    } catch (error) {
      throw new ShoalError('internal', 'the transaction cannot be encoded', { cause: error });
    }
    const { index, result } = await this.#raft.propose(data, term);
    const verdict = result as Verdict; // what the store's `apply` returned for it
    if (!verdict.ok) throw new ShoalError(verdict.code, verdict.message);
    return { index };
  }

  async read(): Promise<View> {
    await this.#raft.readBarrier();
    return this.#view;
  }
}
