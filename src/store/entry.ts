import { decode, encode } from '../model/codec.js';
import type { OperationInit, TaskSpecInit, Transaction, TransactionInit } from '../model/types.js';

/**
 * A transaction as the bytes of one entry of Raft's log. Thousands of tasks of one plan share one spec, which is most of a task: each spec is
 * written, sent, read and kept once.
 */
export function encodeTransaction({ Operations = [], ...rest }: TransactionInit): Uint8Array {
  const places = new Map<TaskSpecInit, number>();
  const sharing = Operations.map((operation): OperationInit => {
    const spec = operation.Task?.Spec;
    if (spec == null) return operation;
    let SpecAt = places.get(spec);
    if (SpecAt === undefined) {
      SpecAt = places.size + 1;
      places.set(spec, SpecAt);
    }
    return { ...operation, SpecAt, Task: { ...operation.Task, Spec: null } };
  });
  return encode('Transaction', { ...rest, Operations: sharing, TaskSpecs: [...places.keys()] });
}

/** The transaction as it was; tasks that share a spec share the object. Throws on bytes that are none. */
export function decodeTransaction(bytes: Uint8Array): Transaction {
  const transaction = decode('Transaction', bytes);
  for (const { SpecAt, Task } of transaction.Operations) {
    if (SpecAt === 0 || Task == null) continue;
    const spec = transaction.TaskSpecs[SpecAt - 1];
    if (spec === undefined)
      throw new Error(`SpecAt: ${SpecAt} is above the ${transaction.TaskSpecs.length} specs there are`);
    Task.Spec = spec;
  }
  return transaction;
}
