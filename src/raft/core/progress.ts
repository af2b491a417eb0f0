import { Inflight } from './inflight.js';

/** `probe`: where the logs agree is not known, one append a heartbeat. `replicate`: a stream. `snapshot`: waits for one. */
export type ProgressState = 'probe' | 'replicate' | 'snapshot';

/** What a leader knows of one member's log. Always: match < next. */
export class Progress {
  /** The highest index known to be on the member's disk. */
  match = 0;
  /** The first index that was not sent yet. */
  next: number;
  state: ProgressState = 'probe';
  /** In probe: the one append is out; nothing more until it is answered or a heartbeat is. */
  probeSent = false;
  /** In snapshot: its index. */
  pendingSnapshot = 0;
  /** Heard of since the last quorum check. */
  recentlyActive = false;
  /** The highest commit index that was sent. */
  sentCommit = 0;
  /** The last heartbeat's read sequence that it answered (see reads.ts). */
  readSequence = 0;
  readonly inflight: Inflight;

  constructor(next: number, maxInflightMessages: number, maxInflightBytes: number) {
    this.next = next;
    this.inflight = new Inflight(maxInflightMessages, maxInflightBytes);
  }

  private become(state: ProgressState): void {
    this.state = state;
    this.probeSent = false;
    this.pendingSnapshot = 0;
    this.inflight.reset();
  }

  becomeProbe(): void {
    const next = this.state === 'snapshot' ? Math.max(this.match, this.pendingSnapshot) + 1 : this.match + 1;
    this.become('probe');
    this.next = next;
    this.sentCommit = Math.min(this.sentCommit, next - 1);
  }

  becomeReplicate(): void {
    this.become('replicate');
    this.next = this.match + 1;
  }

  becomeSnapshot(index: number): void {
    this.become('snapshot');
    this.pendingSnapshot = index;
  }

  /** The snapshot did not get there. */
  snapshotFailed(): void {
    this.pendingSnapshot = 0;
    this.becomeProbe();
  }

  get paused(): boolean {
    if (this.state === 'probe') return this.probeSent;
    return this.state === 'snapshot' || this.inflight.full;
  }

  sent(lastIndex: number, count: number, bytes: number): void {
    if (this.state === 'probe') {
      this.probeSent = true;
      return;
    }
    if (count === 0) return;
    this.next = lastIndex + 1;
    this.inflight.add(lastIndex, bytes);
  }

  /** The member acknowledged `index`; false when that is old news. */
  acknowledged(index: number): boolean {
    const advanced = index > this.match;
    if (advanced) {
      this.match = index;
      this.probeSent = false;
    }
    this.next = Math.max(this.next, index + 1);
    return advanced;
  }

  /** The member refused an append after `prevIndex` and may agree up to `candidate`; false when that is old news. */
  refused(prevIndex: number, candidate: number): boolean {
    if (this.state === 'replicate') {
      if (prevIndex <= this.match) return false;
      this.next = this.match + 1;
      return true;
    }
    if (this.next - 1 !== prevIndex) return false;
    this.next = Math.max(Math.min(prevIndex, candidate + 1), this.match + 1);
    this.probeSent = false;
    return true;
  }
}
