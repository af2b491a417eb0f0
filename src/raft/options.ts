import type { Logger } from 'winston';
import type { Clock } from '../model/clock.js';
import type { Random } from '../model/random.js';
import type { CoreOptions } from './core/context.js';
import type { Disk } from './log/disk.js';
import type { Sealer } from './log/sealer.js';
import type { Member, StateMachine } from './node.js';
import type { Transport } from './transport/transport.js';

/** What one member of a Raft group is made of. */
export interface RaftOptions {
  self: Member;
  /** The member's own directory, see log/node-disk.ts. What is there wins over `bootstrap`. */
  disk: Disk;
  /** Encrypts the log and the snapshots on the disk; they are in the clear when absent. Members may have different ones. */
  sealer?: Sealer;
  transport: Transport;
  /** Empty; it is restored from the snapshot and the log before `startRaft` resolves (as far as known to be committed). */
  stateMachine: StateMachine;
  clock: Clock;
  random: Random;
  log: Logger;
  /** The node cannot go on (its disk failed, or its state contradicts the protocol) and has stopped itself. */
  onFatal?: (error: Error) => void;
  /** Of a brand-new cluster only: its first voters, the same on each of them. A member that joins later has none. */
  bootstrap?: readonly Member[];
  /** It was made ready by `layOutRaft`, or took part already: what it voted must be there, or it does not start. */
  returning?: boolean;
  /** The survivor of a lost majority becomes the only member; it keeps everything in its log. */
  forceNewCluster?: boolean;
  /** Length of a tick in milliseconds; the heartbeat goes out every tick. 100 when absent. */
  tick_ms?: number;
  /** An election starts after this many silent ticks, up to twice as many by chance. 10 when absent. */
  electionTicks?: number;
  /** A snapshot is taken after this many applied entries. 10,000 when absent (Docker's SnapshotInterval). */
  snapshotEveryEntries?: number;
  /** ... or after this many bytes of them. 64 MiB when absent. */
  snapshotEveryBytes?: number;
  /** A snapshot travels in chunks of this many bytes. 1 MiB when absent. */
  snapshotChunkBytes?: number;
  /** Entries kept behind a snapshot for slow followers. 500 when absent (Docker's LogEntriesForSlowFollowers); 16 MiB of them at most. */
  trailingEntries?: number;
  /** The longest that a proposal or a read waits to learn its fate. 5,000 when absent. */
  requestTimeout_ms?: number;
  /**
   * Calls back once what has arrived by now was taken in, so that it is dealt with in one go: `setImmediate` where requests and messages
   * come over sockets. `queueMicrotask` when absent.
   */
  defer?: (call: () => void) => void;
  /** How much may be under way between members; see defaultLimits in core/context.ts. */
  limits?: Partial<Omit<CoreOptions, 'id' | 'random' | 'electionTicks'>>;
  /** Size of a log segment in bytes. 16 MiB when absent. */
  segmentBytes?: number;
}
