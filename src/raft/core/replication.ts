import type { Member } from '../node.js';
import type { Context } from './context.js';
import { ProtocolError } from './invariant.js';
import { findMember } from './membership.js';
import type { Progress } from './progress.js';
import { Tracker } from './tracker.js';
import { entrySize, type MessageOf } from './types.js';

/** How a leader brings its log to the others: what to send to whom, and what their answers mean. */
export class Replication {
  readonly tracker: Tracker;
  private readonly snapshotRequests: number[] = [];
  private readonly departed = new Map<number, { member: Member; removedAt: number; ticks: number }>();

  constructor(private readonly context: Context) {
    const { log, configurations, options, id } = context;
    this.tracker = new Tracker(options);
    // A new leader supposes that the others have all it has (dissertation 3.3) and probes from there.
    this.tracker.reconfigure(configurations.latest, log.lastIndex + 1);
    const own = this.tracker.progress.get(id);
    if (own !== undefined) own.match = log.stable;
  }

  /** The log has a new membership: the leader goes by it at once. */
  reconfigure(): void {
    const { configurations, log } = this.context;
    const before = this.tracker.membership;
    this.tracker.reconfigure(configurations.latest, log.lastIndex);
    for (const id of this.tracker.departing.keys()) {
      const member = findMember(before, id);
      if (member !== undefined) this.departed.set(id, { member, removedAt: configurations.latestIndex, ticks: 0 });
    }
    for (const id of this.departed.keys()) if (!this.tracker.departing.has(id)) this.departed.delete(id);
  }

  get departing(): number {
    return this.departed.size;
  }

  departingMembers(): Member[] {
    return [...this.departed.values()].map((departed) => departed.member);
  }

  /** Lets go of removed members that know of it by now, or that do not listen for `limit` ticks. */
  tickDeparting(limit: number): void {
    for (const [id, departed] of this.departed) {
      const progress = this.tracker.departing.get(id);
      const knows =
        progress === undefined || (progress.match >= departed.removedAt && progress.sentCommit >= departed.removedAt);
      if (!knows && departed.ticks++ < limit) continue;
      this.departed.delete(id);
      this.tracker.departing.delete(id);
    }
  }

  takeSnapshotRequests(): number[] {
    return this.snapshotRequests.splice(0);
  }

  /** Sends to everyone what can be sent: new entries, and the commit index where it is news. */
  sendAppends(): void {
    this.tracker.forEach((progress, id) => {
      if (id !== this.context.id) this.sendAppendsTo(id, progress);
    });
  }

  private sendAppendsTo(id: number, progress: Progress): void {
    const { committed } = this.context.log;
    while (this.sendAppend(id, progress, progress.state === 'probe' && progress.sentCommit < committed)) {
      if (progress.state === 'probe') return;
    }
    if (progress.state === 'replicate') this.sendCommit(id, progress, Math.min(progress.match, committed));
  }

  /** One append; an empty one only if `evenEmpty`. False when nothing was sent. */
  private sendAppend(id: number, progress: Progress, evenEmpty: boolean): boolean {
    const { log, options } = this.context;
    if (progress.paused) return false;
    const prevIndex = progress.next - 1;
    const prevTerm = log.term(prevIndex);
    if (prevTerm === undefined) {
      this.requestSnapshot(id, progress);
      return false;
    }
    const entries = prevIndex < log.lastIndex ? log.slice(progress.next, options.maxAppendBytes) : [];
    if (entries.length === 0 && !evenEmpty) return false;
    const lastIndex = prevIndex + entries.length;
    this.context.send({ type: 'append', to: id, prevIndex, prevTerm, entries, commit: log.committed });
    let bytes = 0;
    for (const entry of entries) bytes += entrySize(entry);
    progress.sent(lastIndex, entries.length, bytes);
    progress.sentCommit = Math.max(progress.sentCommit, log.committed);
    return true;
  }

  /** The commit index where it is news. One that is lost comes with the next heartbeat. */
  private sendCommit(id: number, progress: Progress, commit: number): void {
    if (progress.sentCommit >= commit) return;
    progress.sentCommit = commit;
    this.context.send({ type: 'commit', to: id, commit });
  }

  private requestSnapshot(id: number, progress: Progress): void {
    const { snapshot } = this.context;
    // A member that does not answer would keep the snapshot busy for nothing.
    if (snapshot === undefined || !progress.recentlyActive) return;
    progress.becomeSnapshot(snapshot.index);
    this.snapshotRequests.push(id);
  }

  sendHeartbeats(readSequence: number): void {
    const { committed } = this.context.log;
    this.tracker.forEach((progress, id) => {
      if (id === this.context.id) progress.readSequence = readSequence;
      // Beyond its match the member's log may differ from ours, so it must not commit there.
      else this.context.send({ type: 'heartbeat', to: id, commit: Math.min(progress.match, committed), readSequence });
    });
  }

  appendResponse(message: MessageOf<'append-response'>): void {
    const { log } = this.context;
    const progress = this.tracker.get(message.from);
    if (progress === undefined) return;
    progress.recentlyActive = true;
    if (message.reject) {
      // From the hint, skip back over whole terms that the member cannot have (dissertation 3.3).
      const candidate =
        message.hintTerm > 0 ? log.lastWithTermUpTo(message.hintIndex, message.hintTerm).index : message.hintIndex;
      if (!progress.refused(message.index, candidate)) return;
      if (progress.state === 'replicate') progress.becomeProbe();
      this.sendAppend(message.from, progress, true);
      return;
    }
    if (message.index > log.lastIndex) throw new ProtocolError(`entry ${message.index} acknowledged, never sent`);
    const advanced = progress.acknowledged(message.index);
    if (!advanced && !(progress.state === 'probe' && progress.match === message.index)) return;
    if (progress.state === 'probe') progress.becomeReplicate();
    else if (progress.state === 'replicate') progress.inflight.freeTo(message.index);
    else if (progress.match >= log.base.index) {
      progress.becomeProbe();
      progress.becomeReplicate();
    }
  }

  heartbeatResponse(message: MessageOf<'heartbeat-response'>): void {
    const { log } = this.context;
    const progress = this.tracker.get(message.from);
    if (progress === undefined) return;
    progress.recentlyActive = true;
    progress.probeSent = false;
    progress.readSequence = Math.max(progress.readSequence, message.readSequence);
    if (progress.state === 'replicate' && progress.inflight.full) progress.inflight.freeFirst();
    // Whatever it lacks may have been lost on the way: even an empty append finds out.
    if (progress.match < log.lastIndex || progress.state === 'probe') this.sendAppend(message.from, progress, true);
  }

  /** Messages to this member were lost: find out what it has before sending more. */
  unreachable(id: number): void {
    const progress = this.tracker.get(id);
    if (progress?.state === 'replicate') progress.becomeProbe();
  }

  snapshotReport(id: number, delivered: boolean): void {
    const progress = this.tracker.get(id);
    if (progress?.state !== 'snapshot') return;
    if (delivered) progress.becomeProbe();
    else progress.snapshotFailed();
    // The member has yet to restore it: the next heartbeat's answer starts the stream.
    progress.probeSent = true;
  }
}
