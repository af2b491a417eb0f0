import type { Clock } from '../../model/clock.js';
import type { RaftCore } from '../core/core.js';
import { type Entry, entrySize, type SnapshotMeta } from '../core/types.js';
import type { RaftStorage } from '../log/storage.js';
import type { SnapshotSettings, StateMachine } from '../node.js';

/** Applying stops after this long to let messages and timers through; what is left follows at once. */
const slice_ms = 20;
const batchBytes = 1024 * 1024;
/** Of the entries kept behind a snapshot: in a large cluster 500 of them, of a thousand tasks each, are as large as the snapshot, and are kept in memory. */
const trailingBytes = 16 * 1024 * 1024;

export interface SnapshotPolicy extends SnapshotSettings {
  everyBytes: number;
}

/** Brings committed entries to the state machine, in order, and takes a snapshot of it now and then. */
export class Applier {
  /** The state machine is as of this index. */
  appliedIndex: number;
  private bytesSinceSnapshot = 0;
  private saving = false;
  /** Not before this index: after a snapshot that failed, the next try waits for some more entries. */
  private notBefore = 0;

  constructor(
    private readonly core: RaftCore,
    private readonly storage: RaftStorage,
    private readonly stateMachine: StateMachine,
    private readonly clock: Clock,
    private policy: SnapshotPolicy,
    private readonly applied: (entry: Entry, result: unknown) => void,
  ) {
    this.appliedIndex = core.applied;
  }

  /** True when there is more to apply. */
  run(): boolean {
    const until_ms = this.clock.monotonic() + slice_ms;
    while (this.core.hasCommitted) {
      for (const entry of this.core.takeCommitted(batchBytes)) this.apply(entry);
      if (this.clock.monotonic() >= until_ms) return this.core.hasCommitted;
    }
    return false;
  }

  private apply(entry: Entry): void {
    const result = entry.type === 'normal' ? this.stateMachine.apply(entry.index, entry.data) : undefined;
    this.appliedIndex = entry.index;
    this.bytesSinceSnapshot += entrySize(entry);
    this.applied(entry, result);
  }

  /** Holds from the next look at whether a snapshot is due. */
  setPolicy(changed: Partial<SnapshotPolicy>): void {
    this.policy = { ...this.policy, ...changed };
    this.notBefore = 0;
  }

  /** The state machine was restored from a snapshot. */
  restored(meta: SnapshotMeta): void {
    this.appliedIndex = meta.index;
    this.bytesSinceSnapshot = 0;
  }

  get snapshotDue(): boolean {
    const { core, policy } = this;
    if (this.saving || this.appliedIndex !== core.applied || this.appliedIndex < this.notBefore) return false;
    const entries = this.appliedIndex - (core.snapshot?.index ?? 0);
    return entries > 0 && (entries >= policy.everyEntries || this.bytesSinceSnapshot >= policy.everyBytes);
  }

  /** Saves the state as it is now, and lets go of the log behind it. Throws when the disk did not take it; nothing has changed then. */
  async takeSnapshot(): Promise<void> {
    const { core, storage, policy } = this;
    this.saving = true;
    this.bytesSinceSnapshot = 0;
    this.notBefore = this.appliedIndex + Math.ceil(policy.everyEntries / 10);
    try {
      const meta = core.describeSnapshot();
      // The first chunk is asked for before anything else can be applied.
      const chunks = this.stateMachine.snapshot()[Symbol.asyncIterator]();
      const first = chunks.next();
      await storage.saveSnapshot(meta, continued(chunks, first));
      core.snapshotTaken(meta, { entries: policy.trailingEntries, bytes: trailingBytes });
      // The leader's may have come meanwhile. While it is not in its place on the disk, this one is what a restart begins with.
      const newest = core.restoring ? meta : (core.snapshot ?? meta);
      await storage.compact(newest, Math.min(core.firstIndex - 1, newest.index), this.policy.keepOld);
    } finally {
      this.saving = false;
    }
  }
}

async function* continued(
  chunks: AsyncIterator<Uint8Array>,
  first: Promise<IteratorResult<Uint8Array>>,
): AsyncIterable<Uint8Array> {
  for (let next = await first; next.done !== true; next = await chunks.next()) yield next.value;
}
