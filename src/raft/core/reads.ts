/** A read that a member asked for: `request` means something to that member only. */
export interface ReadRequest {
  from: number;
  request: number;
}
export interface ConfirmedRead extends ReadRequest {
  index: number;
}

/**
 * A leader's linearizable reads (ReadIndex, dissertation 6.4). A read takes the commit index of its arrival, and counts once a
 * majority answered a heartbeat that left after it: nobody else can have committed anything before it then. Heartbeats carry a
 * number that only grows; answers carry it back.
 */
export class LeaderReads {
  /** Arrived before this leader committed anything in its own term: it may not know the commit index yet. */
  private early: ReadRequest[] = [];
  private pending: { sequence: number; read: ConfirmedRead }[] = [];
  private sentSequence = 0;

  get lastSequence(): number {
    return this.sentSequence;
  }

  /** Whether nobody waits for a quorum. */
  get none(): boolean {
    return this.pending.length === 0;
  }

  /** `commitIndex` is undefined while the leader has not committed an entry of its term. */
  add(read: ReadRequest, commitIndex: number | undefined): void {
    if (commitIndex === undefined) this.early.push(read);
    else this.pending.push({ sequence: this.sentSequence + 1, read: { ...read, index: commitIndex } });
  }

  /** The leader committed its first entry in this term. */
  release(commitIndex: number): void {
    for (const read of this.early.splice(0)) this.add(read, commitIndex);
  }

  /** Whether a heartbeat must go out for reads that came since the last one; it then carries `lastSequence`. */
  takeRound(): boolean {
    if ((this.pending.at(-1)?.sequence ?? 0) <= this.sentSequence) return false;
    this.sentSequence++;
    return true;
  }

  /** Reads that a majority confirmed: it answered heartbeat number `sequence`. */
  takeConfirmed(sequence: number): ConfirmedRead[] {
    const rest = this.pending.findIndex((read) => read.sequence > sequence);
    return this.pending.splice(0, rest === -1 ? this.pending.length : rest).map((pending) => pending.read);
  }
}
