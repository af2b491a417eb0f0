import { Leadership } from './leadership.js';
import { voteResult } from './quorum.js';
import type { CoreState } from './state.js';
import type { MessageOf } from './types.js';

/** Asks for pre-votes: an election that cannot be won never disturbs anyone (dissertation 9.6). */
export function startPreVote(state: CoreState): void {
  state.becomePreCandidate();
  state.votes?.set(state.id, true);
  if (countVotes(state)) return;
  for (const { id } of state.configurations.latest.voters) {
    if (id === state.id) continue;
    const { lastIndex, lastTerm } = state.log;
    state.immediate.push({ type: 'pre-vote', from: state.id, to: id, term: state.term + 1, lastIndex, lastTerm });
  }
}

/** Starts a term and asks for votes, once term and own vote are on disk. Its own vote counts then, too: `ownVotePersisted`. */
export function startElection(state: CoreState, transfer: boolean): void {
  state.becomeCandidate();
  const { lastIndex, lastTerm } = state.log;
  for (const { id } of state.configurations.latest.voters) {
    if (id !== state.id) state.sendAfterSync({ type: 'vote', to: id, lastIndex, lastTerm, transfer });
  }
}

export function ownVotePersisted(state: CoreState): void {
  state.votes?.set(state.id, true);
  countVotes(state);
}

/** Acts on the votes so far; false while they are pending. */
function countVotes(state: CoreState): boolean {
  const { votes } = state;
  const voters = state.configurations.latest.voters.map((member) => member.id);
  const result = voteResult(voters, (id) => votes?.get(id));
  if (result === 'pending') return false;
  if (result === 'lost') state.becomeFollower(state.term, 0);
  else if (state.role === 'pre-candidate') startElection(state, false);
  else state.becomeLeader((context) => new Leadership(context));
  return true;
}

/** A pre-vote promises nothing, so it depends on no disk and leaves no trace. */
export function answerPreVote(state: CoreState, message: MessageOf<'pre-vote'>): void {
  const { from, term, lastIndex, lastTerm } = message;
  const reject = term <= state.term || !state.log.isUpToDate(lastIndex, lastTerm);
  // The answer to a candidate that is behind carries our term, so that it catches up with it.
  state.immediate.push({
    type: 'pre-vote-response',
    from: state.id,
    to: from,
    term: reject ? state.term : term,
    reject,
  });
}

/** One vote a term, to a candidate whose log has all that may be committed (dissertation 3.6.1). The term is the message's. */
export function answerVote(state: CoreState, message: MessageOf<'vote'>): void {
  const { from, lastIndex, lastTerm } = message;
  const free = state.vote === from || (state.vote === 0 && state.leader === 0);
  const reject = !free || !state.log.isUpToDate(lastIndex, lastTerm);
  if (!reject) {
    state.vote = from;
    state.electionElapsed = 0;
  }
  state.sendAfterSync({ type: 'vote-response', to: from, reject });
}

export function countPreVoteResponse(state: CoreState, message: MessageOf<'pre-vote-response'>): void {
  // A grant names the term that was asked for; an answer to an earlier round counts for nothing.
  if (state.role !== 'pre-candidate' || message.term !== (message.reject ? state.term : state.term + 1)) return;
  if (!state.votes?.has(message.from)) state.votes?.set(message.from, !message.reject);
  countVotes(state);
}

export function countVoteResponse(state: CoreState, message: MessageOf<'vote-response'>): void {
  if (state.role !== 'candidate') return;
  if (!state.votes?.has(message.from)) state.votes?.set(message.from, !message.reject);
  countVotes(state);
}
