import { answerPreVote, answerVote, countPreVoteResponse, countVoteResponse, startElection } from './election.js';
import { receiveAppend, receiveCommit, receiveHeartbeat } from './following.js';
import { ProtocolError } from './invariant.js';
import type { CoreState } from './state.js';
import type { Message, MessageOf } from './types.js';

/** Takes a message in. Throws ProtocolError, having done nothing of note, when no honest member can have sent it. */
export function step(state: CoreState, message: Message): void {
  if (message.to !== state.id || message.from === state.id) {
    throw new ProtocolError(`a message from ${message.from} to ${message.to} came to ${state.id}`);
  }
  if (message.term > state.term && !enterHigherTerm(state, message)) return;
  if (message.term < state.term && answerLowerTerm(state, message)) return;
  dispatch(state, message);
  settle(state);
}

/** False when the message is to be ignored. */
function enterHigherTerm(state: CoreState, message: Message): boolean {
  switch (message.type) {
    case 'pre-vote':
      return !state.hasLease;
    case 'vote':
      if (state.hasLease && !message.transfer) return false;
      state.becomeFollower(message.term, 0);
      return true;
    case 'pre-vote-response':
      // A grant carries the term that we would start; a refusal the term that we missed.
      if (message.reject) state.becomeFollower(message.term, 0);
      return true;
    case 'propose':
    case 'propose-refused':
    case 'read':
    case 'read-response':
    case 'snapshot-chunk':
    case 'snapshot-progress':
      return true;
    case 'append':
    case 'heartbeat':
    case 'commit':
    case 'timeout-now':
      state.becomeFollower(message.term, message.from);
      return true;
    default:
      state.becomeFollower(message.term, 0);
      return true;
  }
}

/** True when that was all there is to do with it. */
function answerLowerTerm(state: CoreState, message: Message): boolean {
  switch (message.type) {
    case 'append':
    case 'heartbeat':
    case 'commit':
      // With pre-votes nobody would ever tell this leader that its time is over (dissertation 9.6): the answer's term does.
      state.sendAfterSync({
        type: 'append-response',
        to: message.from,
        index: 0,
        reject: true,
        hintIndex: 0,
        hintTerm: 0,
      });
      return true;
    case 'vote':
      state.sendAfterSync({ type: 'vote-response', to: message.from, reject: true });
      return true;
    case 'pre-vote':
    case 'read-response':
    case 'propose-refused':
      return false;
    default:
      return true;
  }
}

function dispatch(state: CoreState, message: Message): void {
  switch (message.type) {
    case 'pre-vote':
      answerPreVote(state, message);
      break;
    case 'vote':
      answerVote(state, message);
      break;
    case 'pre-vote-response':
      countPreVoteResponse(state, message);
      break;
    case 'vote-response':
      countVoteResponse(state, message);
      break;
    case 'append':
      receiveAppend(state, message);
      break;
    case 'heartbeat':
      receiveHeartbeat(state, message);
      break;
    case 'commit':
      receiveCommit(state, message);
      break;
    case 'append-response':
      state.leadership?.appendResponse(message);
      break;
    case 'heartbeat-response':
      state.leadership?.heartbeatResponse(message);
      break;
    case 'timeout-now':
      if (state.promotable && state.role !== 'leader') startElection(state, true);
      break;
    case 'propose':
      forwardedProposal(state, message);
      break;
    case 'propose-refused':
      state.refusals.push(message);
      break;
    case 'read':
      if (message.term === state.term) state.leadership?.read({ from: message.from, request: message.request });
      break;
    case 'read-response':
      state.readStates.push({ request: message.request, index: message.index });
      break;
    default:
      throw new ProtocolError(`a ${message.type} is not for the core`);
  }
}

/** Draws the consequences that any event may have on a leader. */
export function settle(state: CoreState): void {
  const { leadership } = state;
  if (leadership === undefined) return;
  leadership.advanceCommit();
  for (const { from, request, index } of leadership.takeConfirmedReads()) {
    if (from === state.id) state.readStates.push({ request, index });
    else state.send({ type: 'read-response', to: from, request, index });
  }
  if (leadership.removed) {
    leadership.leave();
    state.becomeFollower(state.term, 0);
  }
}

/** Only the leader of the very term that the proposer had in mind takes it: see driver/proposals.ts. */
function forwardedProposal(state: CoreState, message: MessageOf<'propose'>): void {
  if (message.term !== state.term || state.leadership === undefined) return;
  const { session, sequence, lowest, data } = message;
  const answer = state.leadership.propose({ session, sequence, lowest, data });
  if (answer === 'busy' || answer.accepted) return;
  state.send({ type: 'propose-refused', to: message.from, session, sequence, reason: answer.reason });
}
