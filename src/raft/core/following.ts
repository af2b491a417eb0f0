import { ProtocolError } from './invariant.js';
import { membershipOf } from './membership.js';
import type { CoreState } from './state.js';
import type { MessageOf, SnapshotMeta } from './types.js';

/** A leader of the current term spoke: whoever this member was, it follows now. */
function follow(state: CoreState, leader: number): void {
  if (state.role === 'leader' || (state.leader !== 0 && state.leader !== leader)) {
    throw new ProtocolError(`${state.leader} and ${leader} both lead term ${state.term}`);
  }
  if (state.role !== 'follower' || state.leader !== leader) state.becomeFollower(state.term, leader);
  state.electionElapsed = 0;
}

export function receiveAppend(state: CoreState, message: MessageOf<'append'>): void {
  follow(state, message.from);
  const { log } = state;
  const { from, prevIndex, prevTerm, entries, commit } = message;
  if (prevIndex < log.committed) {
    // Committed entries are the same everywhere: the leader only has to learn how far they go.
    respond(state, from, log.committed);
    return;
  }
  if (log.term(prevIndex) !== prevTerm) {
    const hint = log.lastWithTermUpTo(Math.min(prevIndex, log.lastIndex), prevTerm);
    state.sendAfterSync({
      type: 'append-response',
      to: from,
      index: prevIndex,
      reject: true,
      hintIndex: hint.index,
      hintTerm: hint.term,
    });
    return;
  }
  const missing = log.firstMissing(entries);
  if (missing !== undefined) {
    const rest = entries.slice(missing.index - prevIndex - 1);
    state.configurations.check(rest);
    if (state.configurations.latestIndex >= missing.index) state.configurations.truncate(missing.index);
    log.replaceFrom(rest);
    state.configurations.append(rest);
  }
  const last = prevIndex + entries.length;
  log.commitTo(Math.min(commit, last));
  respond(state, from, last);
}

function respond(state: CoreState, to: number, index: number): void {
  state.sendAfterSync({ type: 'append-response', to, index, reject: false, hintIndex: 0, hintTerm: 0 });
}

/** Committed entries are those that this member acknowledged, so it has them. */
export function receiveCommit(state: CoreState, message: MessageOf<'commit' | 'heartbeat'>): void {
  follow(state, message.from);
  if (message.commit > state.log.lastIndex) {
    throw new ProtocolError(`entry ${message.commit} counted as ours, the last one is ${state.log.lastIndex}`);
  }
  state.log.commitTo(message.commit);
}

export function receiveHeartbeat(state: CoreState, message: MessageOf<'heartbeat'>): void {
  receiveCommit(state, message);
  const answer = { type: 'heartbeat-response', to: message.from, readSequence: message.readSequence } as const;
  // A slow disk must not look like a dead member, so the answer waits only when the term itself is not on disk yet.
  if (state.durableTerm === state.term) state.send(answer);
  else state.sendAfterSync(answer);
}

/**
 * The current leader's snapshot is all here. True when the log starts over from it, to be restored with the next Ready; false when
 * the member has all of that already.
 */
export function receiveSnapshot(state: CoreState, from: number, meta: SnapshotMeta): boolean {
  const { log } = state;
  const needed = meta.index > log.committed && log.term(meta.index) !== meta.term;
  if (needed) {
    log.restore(meta);
    state.configurations.reset(meta.index, membershipOf(meta.membership.voters, meta.membership.learners));
    state.restoring = meta;
    state.snapshot = meta;
  } else {
    log.commitTo(meta.index);
  }
  respond(state, from, needed ? meta.index : log.committed);
  return needed;
}
