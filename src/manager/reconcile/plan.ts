import type { TransactionInit } from '../../model/types.js';

/** What the cluster needs next. */
export interface Plan {
  /** Raft entries, to be carried out one after the other for as long as none is refused; none when all is as it should be. */
  transactions: readonly TransactionInit[];
  /** When to look again though nothing changed, milliseconds since 1970. */
  wakeAt?: number;
  /** By service: when to look at it again though nothing changed. */
  wakes: ReadonlyMap<string, number>;
  /** Services with tasks that wait for a node: to be looked at when a node gets room or is better. */
  waiting: ReadonlySet<string>;
  /** Services in which something goes on once a task runs that took another's place: an update, or the end of the one it is to follow. */
  paced: ReadonlySet<string>;
  /** Services not looked at to the end, as the plan grew too large: their turn is once it is carried out. */
  left: ReadonlySet<string>;
}

/** Undefined of none. There may be one for each of a hundred thousand services, more than a call takes arguments. */
export function earliestOf(times: Iterable<number>): number | undefined {
  let earliest: number | undefined;
  for (const time of times) if (earliest === undefined || time < earliest) earliest = time;
  return earliest;
}
