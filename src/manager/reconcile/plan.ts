import type { TransactionInit } from '../../model/types.js';

/** What the cluster needs next. */
export interface Plan {
  /** One Raft entry; absent when all is as it should be. */
  transaction?: TransactionInit;
  /** When to look again though nothing changed, milliseconds since 1970. */
  wakeAt?: number;
  /** By service: when to look at it again though nothing changed. */
  wakes: ReadonlyMap<string, number>;
  /** Services with tasks that wait for a node: to be looked at when a node gets room or is better. */
  waiting: ReadonlySet<string>;
  /** Services not looked at to the end, as the plan grew too large for one entry: their turn is once it is applied. */
  left: ReadonlySet<string>;
}
