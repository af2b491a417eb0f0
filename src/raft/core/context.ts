import type { Random } from '../../model/random.js';
import type { Configurations } from './configurations.js';
import type { RaftLog } from './log.js';
import type { Message, SnapshotMeta } from './types.js';

export interface CoreOptions {
  readonly id: number;
  /** Ticks without a leader before an election; the wait is drawn anew from this up to twice this. */
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  /** Bytes of entries in one append; a single entry may be larger. */
  readonly maxAppendBytes: number;
  readonly maxInflightMessages: number;
  readonly maxInflightBytes: number;
  /** Bytes of entries a leader takes before the earlier ones are committed; beyond it proposals are refused. */
  readonly maxUncommittedBytes: number;
  readonly random: Random;
}

export const defaultLimits = {
  electionTicks: 10,
  heartbeatTicks: 1,
  maxAppendBytes: 1024 * 1024,
  maxInflightMessages: 256,
  maxInflightBytes: 8 * 1024 * 1024,
  maxUncommittedBytes: 64 * 1024 * 1024,
} as const;

type WithoutSender<T> = T extends unknown ? Omit<T, 'from' | 'term'> : never;
export type Outgoing = WithoutSender<Message>;

/** What the parts of the core share. */
export interface Context {
  readonly options: CoreOptions;
  readonly id: number;
  readonly term: number;
  readonly log: RaftLog;
  readonly configurations: Configurations;
  /** The latest snapshot on this member's disk. */
  readonly snapshot: SnapshotMeta | undefined;
  /** Sends in the current term, at once: only what does not depend on anything that is still on its way to the disk. */
  send(message: Outgoing): void;
}
